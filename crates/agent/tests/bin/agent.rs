//! An agent in a process of its own, and the supervisor that it starts.
//!
//! `agent-for-tests URL DATA`, `agent-for-tests agent-supervise DIRECTORY`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> Result<ExitCode, agent::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["agent-supervise", directory] => Ok(agent::supervise(Path::new(directory))),
        ["agent-exec", order] => Ok(agent::exec(Path::new(order))),
        [url, data] => run(url, data),
        _ => Ok(ExitCode::from(2)),
    }
}

fn run(url: &str, data: &str) -> Result<ExitCode, agent::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = agent::Config::new(url, data).expect("a program has a path");
    runtime.block_on(agent::run(config, std::future::pending())).map(|()| ExitCode::SUCCESS)
}
