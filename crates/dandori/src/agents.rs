//! The agent as a command, and inside a server.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use agent::doctor::Severity;
use agent::journal::Standing;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{self, AgentCommand};
use crate::fail;
use crate::words::Say;

/// The hidden word with which this program starts the supervisor of one script.
pub(crate) const SUPERVISE: &str = "agent-supervise";

pub(crate) const ACCOUNT_DEFAULT: &str = "000000000000";

pub(crate) async fn main(options: args::Agent, global: cli::Global) -> ExitCode {
    match options.command.clone() {
        Some(AgentCommand::Register(register)) => self::register(register, &global).await,
        Some(AgentCommand::RotateKey(rotate)) => rotate_key(rotate, &global).await,
        Some(AgentCommand::Doctor(doctor)) => examine(doctor, &global),
        Some(AgentCommand::Status(of)) => status(&of.data, &global),
        Some(AgentCommand::Drain(drain)) => self::drain(drain, &global).await,
        Some(AgentCommand::Resume(of)) => resume(&of.data, &global),
        None => run(options).await,
    }
}

async fn run(options: args::Agent) -> ExitCode {
    let data = options.data.expect("clap asks for it");
    let registered = agent::enrolment::is_registered(&data).unwrap_or(false);
    // Where it registered it is at home; the variable is for clients, and for whoever tries things out.
    let elsewhere = || std::env::var("DANDORI_URL").ok().filter(|url| !url.is_empty());
    let server = match (options.server, registered) {
        (Some(server), _) => server,
        (None, true) => String::new(),
        (None, false) => elsewhere().unwrap_or_else(|| cli::args::URL_DEFAULT.to_owned()),
    };
    let mut config = match agent::Config::new(server, data) {
        Ok(config) => config,
        Err(error) => return fail("start an agent", &error),
    };
    config.instance_id = options.instance_id;
    config.name = options.name.unwrap_or(config.name);
    config.concurrency_max = options.concurrency.max(1);
    config.key_age_max = Duration::from_secs(u64::from(options.rotate_key_days.max(1)) * 24 * 60 * 60);
    config.on_behalf = Some(on_behalf());
    config.host.policy = options.policy.file().unwrap_or_default();
    config.host.output_bytes_max = options.output_max;
    match agent::cgroup::prepare() {
        Ok(groups) => config.host.groups = Some(groups),
        Err(why) => tracing::info!("limits hold for each process, not for a job as a whole: {why}"),
    }
    match agent::run(config, interrupted()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail("run the agent", &error),
    }
}

async fn register(options: args::Register, global: &cli::Global) -> ExitCode {
    let ca = match global.ca.as_deref().map(std::fs::read_to_string).transpose() {
        Ok(ca) => ca,
        Err(error) => return fail("read the certificate", &error),
    };
    let enrol = agent::Enrol {
        server_url: options.server,
        activation_id: options.id,
        activation_code: options.code,
        server_key: options.server_key,
        ca,
        region: global.region.clone(),
        name: options.name,
        data_dir: options.data.clone(),
        force: options.force,
    };
    match agent::register(enrol).await {
        Ok(enrolled) => {
            let data = options.data.display().to_string();
            say(global, &Say::Registered { instance: &enrolled.instance_id, key: &enrolled.server_key, data: &data });
            ExitCode::SUCCESS
        }
        Err(error) => fail("register", &error),
    }
}

/// How often it is looked whether the server has the key.
const ROTATION_LOOK: Duration = Duration::from_millis(100);

async fn rotate_key(options: args::RotateKey, global: &cli::Global) -> ExitCode {
    match agent::enrolment::is_registered(&options.data) {
        Ok(true) => (),
        Ok(false) => {
            say(global, &Say::NotRegistered { data: &options.data.display().to_string() });
            return ExitCode::FAILURE;
        }
        Err(error) => return fail("read the agent's identity", &error),
    }
    if let Err(error) = agent::enrolment::request_rotation(&options.data) {
        return fail("ask for another key", &error);
    }
    let until = tokio::time::Instant::now() + Duration::from_secs(options.wait);
    while agent::enrolment::rotation_requested(&options.data) && tokio::time::Instant::now() < until {
        tokio::time::sleep(ROTATION_LOOK).await;
    }
    let later = agent::enrolment::rotation_requested(&options.data);
    say(global, if later { &Say::RotatesLater } else { &Say::Rotated });
    ExitCode::SUCCESS
}

/// Warnings are no reason not to go on.
fn examine(options: args::Doctor, global: &cli::Global) -> ExitCode {
    let found = agent::doctor::examine(&options.data, options.server.as_deref(), options.policy.file());
    for finding in &found {
        say(global, &Say::Found(finding));
    }
    let worst = found.iter().map(agent::doctor::Finding::severity).max();
    if worst == Some(Severity::Failure) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn status(data: &Path, global: &cli::Global) -> ExitCode {
    let status = match agent::journal::status(data) {
        Ok(Some(status)) => status,
        Ok(None) => {
            say(global, &Say::NeverRan { data: &data.display().to_string() });
            return ExitCode::FAILURE;
        }
        Err(error) => return fail("read how the agent stands", &error),
    };
    let (running, waiting) = match counted(data) {
        Ok(counted) => counted,
        Err(error) => return fail("read the agent's journal", &error),
    };
    let runs = status.process.is_some_and(|process| process.is_alive());
    // What is wanted counts, though the agent may not have seen it yet.
    let draining = status.draining || agent::journal::drains(data);
    say(global, &Say::Status { status: &status, runs, draining, running, waiting });
    if runs { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Attempts that have not ended, and those whose result or output is still to be told.
fn counted(data: &Path) -> std::io::Result<(usize, usize)> {
    let standings = agent::journal::survey(data)?;
    let count = |of: fn(&Standing) -> bool| standings.iter().filter(|(_, standing)| of(standing)).count();
    let running = count(|standing| matches!(standing, Standing::Accepted | Standing::Running(_)));
    Ok((running, count(|standing| matches!(standing, Standing::Finished | Standing::Indeterminate))))
}

/// How often it is looked whether something still runs.
const DRAIN_LOOK: Duration = Duration::from_millis(200);

async fn drain(options: args::Drain, global: &cli::Global) -> ExitCode {
    if let Err(error) = agent::journal::drain(&options.data, true) {
        return fail("tell the agent", &error);
    }
    say(global, &Say::Drains);
    if !options.wait {
        return ExitCode::SUCCESS;
    }
    loop {
        match is_drained(&options.data) {
            Ok(true) => {
                say(global, &Say::Drained);
                return ExitCode::SUCCESS;
            }
            Ok(false) => tokio::time::sleep(DRAIN_LOOK).await,
            Err(error) => return fail("read the agent's journal", &error),
        }
    }
}

/// Whether the agent has heard of it, and nothing runs any more.
fn is_drained(data: &Path) -> std::io::Result<bool> {
    let status = agent::journal::status(data)?.unwrap_or_default();
    // Whoever does not run takes nothing either.
    let heard = status.draining || !status.process.is_some_and(|process| process.is_alive());
    Ok(heard && counted(data)?.0 == 0)
}

fn resume(data: &Path, global: &cli::Global) -> ExitCode {
    match agent::journal::drain(data, false) {
        Ok(()) => {
            say(global, &Say::Resumed);
            ExitCode::SUCCESS
        }
        Err(error) => fail("tell the agent", &error),
    }
}

fn say(global: &cli::Global, what: &Say<'_>) {
    use std::io::Write;
    let lang = cli::Lang::choose(global.lang, |name| std::env::var(name).ok());
    let _nobody = writeln!(std::io::stdout(), "{}", what.in_language(lang));
}

/// Whom an agent works for that never registered, where the server has no keys: as AWS's tools would say it there.
fn on_behalf() -> (String, String) {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let is_account = |key: &String| key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit());
    let account = variable("AWS_ACCESS_KEY_ID").filter(is_account).unwrap_or_else(|| ACCOUNT_DEFAULT.to_owned());
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    (account, region.unwrap_or_else(|| cli::args::REGION_DEFAULT.to_owned()))
}

/// Waits for SIGINT or SIGTERM, from the call on: who is ended at once ends well too.
pub(crate) fn interrupted() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async move {
        let (Ok(mut int), Ok(mut term)) = signals else { return std::future::pending().await };
        tokio::select! {
            _ = int.recv() => (),
            _ = term.recv() => (),
        }
    }
}

/// The same, or the terminal is gone.
pub(crate) async fn interrupted_or_hung_up() {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return interrupted().await };
    tokio::select! {
        () = interrupted() => (),
        _ = hangup.recv() => (),
    }
}
