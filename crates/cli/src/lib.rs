//! The commands that people type: a client of `/api/v1` and of nothing else.
//!
//! Standard output is data, standard error is messages. A terminal gets aligned tables and words in its
//! language; a pipe gets tabs, fixed keys and ISO times. What the command ends with says what became of it.
//!
//! **It does not know** stores, engines or AWS's wire.
//!
//! **Invariant:** every word that people read is in [`words`] or [`help`], in every language.
//!
//! In reading order: [`args`] (what can be typed), [`help`], [`lang`], [`words`], [`exit`], [`fault`], [`time`],
//! [`table`], [`output`], `tls`, [`client`], [`ids`], then the commands: [`execution`], [`watch`], [`definition`], [`check`] (what needs no server),
//! [`document`], [`agents`] (as operators see them), [`activation`], [`command`].

pub mod args;
pub mod help;
pub mod lang;
pub mod words;
pub mod exit;
pub mod fault;
pub mod time;
pub mod table;
pub mod output;
mod tls;
pub mod client;
pub mod ids;
pub mod execution;
pub mod watch;
pub mod definition;
pub mod check;
pub mod document;
pub mod command;
pub mod agents;
pub mod activation;

pub use args::{Command, Global};
pub use exit::Exit;
pub use help::{localised, localised_with};
pub use lang::Lang;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};

use crate::client::Client;
use crate::fault::Fault;
use crate::output::Out;

#[derive(Debug, Parser)]
#[command(name = "dandori", version)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Parses `args`, the program's name first, and does what they say. For a program that has these commands only.
pub async fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let command = localised(Cli::command(), Lang::guess(&args, variable));
    match command.try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => run(cli.global, cli.command).await.into(),
        Err(error) => usage(&error).into(),
    }
}

/// Says what clap has to say: help and versions end well, everything else does not.
pub fn usage(error: &clap::Error) -> Exit {
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Ok }
}

/// Carries one command out and says what went wrong, if something did.
pub async fn run(global: Global, command: Command) -> Exit {
    let out = Out::new(&global, variable);
    match carry_out(&global, &out, command).await {
        Ok(exit) => exit,
        Err(fault) => {
            out.fault(&fault);
            fault.exit()
        }
    }
}

async fn carry_out(global: &Global, out: &Out, command: Command) -> Result<Exit, Fault> {
    if let Command::Definition(args::Definition::Check(command)) = &command {
        return check::run(out, command);
    }
    let client = Client::new(global, variable)?;
    match command {
        Command::Execution(command) => execution::run(&client, out, command).await,
        Command::Definition(command) => definition::run(&client, out, command).await,
        Command::Document(command) => document::run(&client, out, command).await,
        Command::Instance(command) => agents::instance(&client, out, command).await,
        Command::Name(command) => agents::name(&client, out, command).await,
        Command::Group(command) => agents::group(&client, out, command).await,
        Command::Activation(command) => activation::run(&client, out, command).await,
        Command::Command(command) => self::command::sent(&client, out, command).await,
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
