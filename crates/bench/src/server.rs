//! A server under measurement: the product or the ceiling, in a process of its own.
//!
//! **Invariant:** dropping a [`Server`] ends its process, however this program comes to drop it.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::Fault;
use crate::ceiling::Policy;
use crate::client::{Client, Operation};

const READY_WITHIN: Duration = Duration::from_secs(60);

/// Which program is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    Product(PathBuf),
    Ceiling(Policy),
}

pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// From starting the process to its word that it listens.
    pub(crate) ready_after: Duration,
    /// From starting the process to its answer to a first request.
    pub(crate) answered_after: Duration,
}

impl Who {
    pub(crate) fn name(&self) -> String {
        match self {
            Who::Product(_) => "product".to_owned(),
            Who::Ceiling(policy) => format!("ceiling {policy:?}").to_lowercase(),
        }
    }

    fn command(&self, data: &Path) -> Result<Command, Fault> {
        match self {
            Who::Product(program) => {
                let mut command = Command::new(program);
                command.args(["server", "--listen", "127.0.0.1:0", "--data"]).arg(data);
                Ok(command)
            }
            Who::Ceiling(policy) => {
                let program = std::env::current_exe().map_err(|source| Fault::Ceiling { source })?;
                let mut command = Command::new(program);
                command.args(["ceiling", "--policy", &format!("{policy:?}").to_lowercase(), "--data"]).arg(data);
                Ok(command)
            }
        }
    }
}

impl Server {
    /// Starts a server over `data`, which may hold what an earlier one left, and waits for its first answer.
    pub(crate) async fn start(who: &Who, data: &Path) -> Result<Server, Fault> {
        Server::start_with(who, data, &[]).await
    }

    /// The same with more options.
    pub(crate) async fn start_with(who: &Who, data: &Path, options: &[&str]) -> Result<Server, Fault> {
        let mut command = who.command(data)?;
        command.args(options);
        let spawn = |source| Fault::Spawn { who: who.name(), source };
        std::fs::create_dir_all(data).map_err(spawn)?;
        let log = data.with_extension("stderr");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&log).map_err(spawn)?);
        // Ctrl-C is for this program, which then ends its children itself.
        command.kill_on_drop(true).process_group(0);
        let started = Instant::now();
        let mut child = command.spawn().map_err(spawn)?;
        let silent = || Fault::Silent { who: who.name(), said: std::fs::read_to_string(&log).unwrap_or_default() };
        let mut lines = BufReader::new(child.stdout.take().ok_or_else(silent)?).lines();
        let ready = tokio::time::timeout(READY_WITHIN, lines.next_line()).await;
        let line = ready.ok().and_then(Result::ok).flatten().ok_or_else(silent)?;
        let ready_after = started.elapsed();
        let address =
            line.rsplit("http://").next().and_then(|address| address.trim().parse().ok()).ok_or_else(silent)?;
        // Whatever it says later is read, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let pid = child.id().ok_or_else(silent)?;
        if let Who::Product(_) = who {
            let _machines: Value = Client::connect(address).await?.ask(Operation::ListStateMachines, "{}").await?;
        }
        Ok(Server { child, address, pid, ready_after, answered_after: started.elapsed() })
    }

    /// Ends the process at once, as a power cut would.
    pub(crate) async fn kill(mut self) -> Result<(), Fault> {
        self.child.kill().await.map_err(|source| Fault::Spawn { who: "server".to_owned(), source })
    }
}
