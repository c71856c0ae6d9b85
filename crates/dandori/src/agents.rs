//! The agent as a command, and inside a server.

use std::process::ExitCode;
use std::time::Duration;

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
