//! The one binary: server, agent, demo, and the commands that people type.
//!
//! Here the parts are wired: configuration is read, a store is picked, the faces are put on the runtime. Nothing is
//! decided here.
//!
//! In reading order: [`args`] (what can be typed), [`config`] (the file), [`server`], [`master_key`], [`agents`], [`demo`],
//! [`log_file`], [`words`] (what is said, in every language).

mod args;
mod buckets;
mod config;
mod identity_key;
mod tls;
mod topics;
mod server;
mod master_key;
mod agents;
mod demo;
mod log_file;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use clap::{CommandFactory, FromArgMatches};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use args::{Args, Command};
use log_file::LogFile;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    // The supervisor of one script: no runtime, no logging, as little as can go wrong.
    if let [_, word, directory] = args.as_slice()
        && word == agents::SUPERVISE
    {
        return agent::supervise(directory.as_ref());
    }
    // What becomes a job's program.
    if let [_, word, order] = args.as_slice()
        && word == agent::EXEC
    {
        return agent::exec(order.as_ref());
    }
    let lang = cli::Lang::guess(&args, |name| std::env::var(name).ok());
    let command = cli::help::localised_with(Args::command(), lang, words::HELP);
    let args = match command.try_get_matches_from(args).and_then(|matches| Args::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(error) => return cli::usage(&error).into(),
    };
    // An agent has little to do at a time, and should be small.
    let mut builder = match args.command {
        Command::Agent(_) => tokio::runtime::Builder::new_current_thread(),
        Command::Server(_) | Command::Demo(_) | Command::People(_) => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail("start", &error),
    };
    let code = runtime.block_on(run(args));
    // What still runs (scripts' supervisors, a commit in flight) does not depend on this process.
    runtime.shutdown_background();
    code
}

async fn run(args: Args) -> ExitCode {
    match args.command {
        Command::Server(options) => server::main(options).await,
        Command::Agent(options) => match log_of_agent(&options) {
            Ok(()) => agents::main(options, args.global).await,
            Err(error) => fail("start the agent", &error),
        },
        Command::Demo(options) => demo::main(options, args.global).await,
        Command::People(command) => cli::run(args.global, command).await.into(),
    }
}

/// What was wanted of the log cannot be had.
#[derive(Debug, thiserror::Error)]
enum LogError {
    #[error("use the log level '{level}'")]
    Level { level: String, source: tracing_subscriber::filter::ParseError },
    #[error("open the log {}", path.display())]
    File { path: PathBuf, source: std::io::Error },
}

fn log_of_agent(options: &args::Agent) -> Result<(), LogError> {
    let Some(path) = &options.log_file else { return log(&options.log, &config::Log::default()) };
    let file = LogFile::open(path, options.log_file_max);
    let file = file.map_err(|source| LogError::File { path: path.clone(), source })?;
    log_to(&options.log, &config::Log::default(), Mutex::new(file))
}

/// Logs go to standard error: as it was typed, else as the file says, else as text from `info` up.
fn log(typed: &args::Log, config: &config::Log) -> Result<(), LogError> {
    log_to(typed, config, std::io::stderr)
}

fn log_to<W: for<'a> MakeWriter<'a> + Send + Sync + 'static>(
    typed: &args::Log,
    config: &config::Log,
    writer: W,
) -> Result<(), LogError> {
    let level = typed.level.as_deref().or(config.level.as_deref()).unwrap_or("info");
    let filter = EnvFilter::try_new(level).map_err(|source| LogError::Level { level: level.to_owned(), source })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match typed.log.or(config.form).unwrap_or(args::LogForm::Text) {
        args::LogForm::Text => log.init(),
        args::LogForm::Json => log.json().init(),
    }
    Ok(())
}

/// Says why it does not go on. The chain of causes is one line.
fn fail(doing: &str, error: &dyn std::error::Error) -> ExitCode {
    use std::io::Write;
    let mut text = format!("dandori: failed to {doing}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    // With standard error closed there is nobody to tell.
    let _nobody = writeln!(std::io::stderr(), "{text}");
    ExitCode::FAILURE
}
