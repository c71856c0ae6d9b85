//! Starting with nothing, and doing nothing.

use std::time::Duration;

use serde::Serialize;

use crate::process::{self, Memory};
use crate::server::{Server, Who};
use crate::stats::Spread;
use crate::{Fault, Place};

const STARTS: usize = 10;
const SETTLE: Duration = Duration::from_secs(1);

/// What a fresh server costs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cold {
    pub(crate) ready_ms: Spread,
    /// To the first answer, each time over an empty directory.
    pub(crate) answered_ms: Spread,
    pub(crate) memory: Memory,
    /// Of one processor.
    pub(crate) idle_cpu: f64,
    pub(crate) load_average: f64,
}

pub(crate) async fn run(who: &Who, place: &Place, quick: bool) -> Result<Cold, Fault> {
    let (mut ready, mut answered) = (vec![], vec![]);
    for _ in 0..STARTS {
        let server = Server::start(who, &place.directory("cold")).await?;
        ready.push(server.ready_after.as_secs_f64() * 1_000.0);
        answered.push(server.answered_after.as_secs_f64() * 1_000.0);
        server.kill().await?;
    }
    let server = Server::start(who, &place.directory("cold")).await?;
    tokio::time::sleep(SETTLE).await;
    let (memory, cpu) = (process::memory(server.pid), process::cpu(server.pid));
    let idle = Duration::from_secs(if quick { 2 } else { 5 });
    tokio::time::sleep(idle).await;
    let idle_cpu = (process::cpu(server.pid) - cpu).as_secs_f64() / idle.as_secs_f64();
    server.kill().await?;
    let (ready_ms, answered_ms) = (Spread::of(ready), Spread::of(answered));
    Ok(Cold { ready_ms, answered_ms, memory, idle_cpu, load_average: process::load() })
}
