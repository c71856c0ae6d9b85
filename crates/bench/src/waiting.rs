//! W5: many executions in one Wait.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Client, Described, Status};
use crate::load::{count, create, describe_all, epoch, expect, start_of};
use crate::process::{self, Memory};
use crate::server::{Server, Who};
use crate::stats::Spread;
use crate::{Fault, Place};

const CLIENTS: usize = 64;

/// Executions that have come and gone before memory is looked at, so that what is held is not what a first
/// request costs.
const BEFORE: usize = 500;

/// A server is left alone so long before its memory is looked at.
const SETTLE: Duration = Duration::from_secs(3);

/// Clients that look for the end of one execution each, and how often.
const WATCHERS: usize = 32;
const WATCH_EVERY: Duration = Duration::from_millis(20);

const LIMIT: Duration = Duration::from_secs(600);

/// What so many executions cost while they wait.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Waiting {
    pub(crate) executions: usize,
    pub(crate) starts_per_s: f64,
    pub(crate) before: Memory,
    pub(crate) after: Memory,
    /// Of one processor, while nothing happens.
    pub(crate) idle_cpu: f64,
    pub(crate) load_average: f64,
}

/// How late executions woke that were all due at one instant.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Waking {
    pub(crate) waiting: Waiting,
    /// That ended before they were due.
    pub(crate) early: usize,
    /// The server's `stopDate` after the instant.
    pub(crate) own_ms: Spread,
    /// When clients saw the end.
    pub(crate) seen_ms: Spread,
}

/// What is left of so many executions after the server was killed and started again.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Held {
    pub(crate) waiting: Waiting,
    pub(crate) restart: Restart,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Restart {
    pub(crate) ready_ms: f64,
    pub(crate) answered_ms: f64,
    /// To the first answer about one of the executions.
    pub(crate) described_ms: f64,
    pub(crate) memory: Memory,
    pub(crate) load_average: f64,
}

impl Waiting {
    pub(crate) fn rss_bytes_each(&self) -> f64 {
        self.each(|memory| memory.rss_kib)
    }

    pub(crate) fn pss_bytes_each(&self) -> f64 {
        self.each(|memory| memory.pss_kib)
    }

    pub(crate) fn anonymous_bytes_each(&self) -> f64 {
        self.each(|memory| memory.anonymous_kib)
    }

    fn each(&self, of: impl Fn(&Memory) -> u64) -> f64 {
        let kib = of(&self.after).saturating_sub(of(&self.before));
        count(usize::try_from(kib).unwrap_or(usize::MAX)) * 1_024.0 / count(self.executions)
    }
}

/// Lets `executions` wait for one instant, and sees how late they end.
pub(crate) async fn wake(who: &Who, place: &Place, executions: usize) -> Result<Waking, Fault> {
    let server = Server::start(who, &place.directory("wake")).await?;
    let waking = tokio::time::timeout(LIMIT, wake_on(&server, executions)).await;
    let waking = waking.map_err(|_| Fault::TooLong { what: "W5", limit: LIMIT })??;
    server.kill().await?;
    Ok(waking)
}

async fn wake_on(server: &Server, executions: usize) -> Result<Waking, Fault> {
    let (machine, rate) = prepare(server).await?;
    // Three times as long as it should take, so that the last is started long before the first is due. Not a whole
    // second: who cuts fractions off would wake too early.
    let starting = SignedDuration::from_secs_f64(3.0 * count(executions) / rate);
    let settled = SignedDuration::try_from(2 * SETTLE).unwrap_or_default();
    let due = Timestamp::now() + starting + settled + SignedDuration::from_secs(3);
    let due = Timestamp::from_millisecond(due.as_second() * 1_000 + 637).unwrap_or(due);
    let (waiting, arns) = fill(server, &machine, due, executions).await?;
    let until = due.duration_since(Timestamp::now()) - SignedDuration::from_millis(100);
    tokio::time::sleep(until.try_into().unwrap_or_default()).await;
    let seen = watch_some(server, &arns, due).await?;
    let ends = describe_all(server, arns).await?;
    let late: Vec<f64> = ends.iter().filter_map(|end| end.stop).map(|stop| (stop - seconds(due)) * 1_000.0).collect();
    // Times on the wire are floating-point numbers of seconds: a microsecond is not early.
    let early = late.iter().filter(|late| **late < -0.001).count();
    Ok(Waking { waiting, early, own_ms: Spread::of(late), seen_ms: Spread::of(seen) })
}

/// Lets `executions` wait for long, then kills the server and starts it again.
pub(crate) async fn hold(who: &Who, place: &Place, executions: usize) -> Result<Held, Fault> {
    let data = place.directory("hold");
    let server = Server::start(who, &data).await?;
    let due = Timestamp::now() + SignedDuration::from_hours(6);
    let filled = tokio::time::timeout(LIMIT, async {
        let (machine, _) = prepare(&server).await?;
        fill(&server, &machine, due, executions).await
    });
    let (waiting, arns) = filled.await.map_err(|_| Fault::TooLong { what: "filling the store", limit: LIMIT })??;
    server.kill().await?;
    let began = Instant::now();
    let server = Server::start(who, &data).await?;
    let mut client = Client::connect(server.address).await?;
    if let Some(arn) = arns.first() {
        client.describe(arn).await?;
    }
    let described_after = began.elapsed();
    for arn in arns.iter().step_by(arns.len().div_ceil(100)) {
        expect(arn, &client.describe(arn).await?, Status::Running)?;
    }
    tokio::time::sleep(SETTLE).await;
    let restart = Restart {
        ready_ms: server.ready_after.as_secs_f64() * 1_000.0,
        answered_ms: server.answered_after.as_secs_f64() * 1_000.0,
        described_ms: described_after.as_secs_f64() * 1_000.0,
        memory: process::memory(server.pid),
        load_average: process::load(),
    };
    server.kill().await?;
    Ok(Held { waiting, restart })
}

/// Makes the machine, lets some executions come and go, and returns how many can be started per second.
async fn prepare(server: &Server) -> Result<(String, f64), Fault> {
    let mut client = Client::connect(server.address).await?;
    let wait = json!({ "Type": "Wait", "TimestampPath": "$.due", "End": true });
    let machine = create(&mut client, "wait", &json!({ "StartAt": "Wait", "States": { "Wait": wait } })).await?;
    let began = Instant::now();
    let arns = start_many(server, &start_of(&machine, &input(Timestamp::now())), BEFORE).await?;
    let rate = count(BEFORE) / began.elapsed().as_secs_f64();
    let _ended: Vec<Described> = describe_all(server, arns).await?;
    Ok((machine, rate))
}

async fn fill(
    server: &Server,
    machine: &str,
    due: Timestamp,
    executions: usize,
) -> Result<(Waiting, Vec<String>), Fault> {
    tokio::time::sleep(SETTLE).await;
    let before = process::memory(server.pid);
    let began = Instant::now();
    let arns = start_many(server, &start_of(machine, &input(due)), executions).await?;
    let starts_per_s = count(executions) / began.elapsed().as_secs_f64();
    tokio::time::sleep(SETTLE).await;
    let (after, cpu) = (process::memory(server.pid), process::cpu(server.pid));
    tokio::time::sleep(SETTLE).await;
    let idle_cpu = (process::cpu(server.pid) - cpu).as_secs_f64() / SETTLE.as_secs_f64();
    let waiting = Waiting { executions, starts_per_s, before, after, idle_cpu, load_average: process::load() };
    Ok((waiting, arns))
}

/// A hundred bytes.
fn input(due: Timestamp) -> String {
    let payload = "what waits is a job that some people might want";
    let input: Value = json!({ "due": format!("{due:.3}"), "payload": payload, "n": 0 });
    input.to_string()
}

async fn start_many(server: &Server, body: &str, executions: usize) -> Result<Vec<String>, Fault> {
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let mine = executions / CLIENTS + usize::from(number < executions % CLIENTS);
        let (mut client, body) = (Client::connect(server.address).await?, body.to_owned());
        clients.spawn(async move {
            let mut arns = Vec::with_capacity(mine);
            for _ in 0..mine {
                arns.push(client.start(&body).await?.arn);
            }
            Ok::<_, Fault>(arns)
        });
    }
    let mut arns = Vec::with_capacity(executions);
    while let Some(done) = clients.join_next().await {
        arns.extend(done.map_err(|source| Fault::Client { source })??);
    }
    Ok(arns)
}

/// When some of the executions were seen to have ended, in milliseconds after `due`.
async fn watch_some(server: &Server, arns: &[String], due: Timestamp) -> Result<Vec<f64>, Fault> {
    let mut watchers = JoinSet::new();
    for arn in arns.iter().step_by(arns.len().div_ceil(WATCHERS)) {
        let (mut client, arn) = (Client::connect(server.address).await?, arn.clone());
        watchers.spawn(async move {
            while client.describe(&arn).await?.status == Status::Running {
                tokio::time::sleep(WATCH_EVERY).await;
            }
            Ok::<_, Fault>((epoch() - seconds(due)) * 1_000.0)
        });
    }
    let mut seen = vec![];
    while let Some(done) = watchers.join_next().await {
        seen.push(done.map_err(|source| Fault::Client { source })??);
    }
    Ok(seen)
}

fn seconds(at: Timestamp) -> f64 {
    at.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64()
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_input_has_a_hundred_bytes() {
        let due = jiff::Timestamp::from_millisecond(1_767_225_600_637).expect("a time");
        let input = super::input(due);
        assert_eq!(input.len(), 100, "{input}");
        assert!(input.contains("00.637Z"), "{input}");
    }
}
