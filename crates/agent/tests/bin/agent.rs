//! An agent in a process of its own, and the supervisor that it starts.
//!
//! `agent-for-tests URL DATA`, `agent-for-tests agent-supervise DIRECTORY`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["agent-supervise", directory] => agent::supervise(Path::new(directory)),
        [url, data] => run(url, data),
        _ => ExitCode::from(2),
    }
}

fn run(url: &str, data: &str) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = agent::Config::new(url, data).expect("a program has a path");
    match runtime.block_on(agent::run(config, std::future::pending())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
