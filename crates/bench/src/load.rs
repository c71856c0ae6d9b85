//! W1 and W4: executions started as fast as the clients can.
//!
//! A client of W1 starts an execution and describes it at once; while it is still running, it describes it again
//! after 1 ms, then 2, 4 and so on, up to [`POLL_MAX`]. The same is done to every server, and the table shows
//! how many times it came to. A server that has the end ready with the start's answer is asked once.
//!
//! A client of W4 only starts. All its executions are described afterwards, and what counts is the end:
//! by the server's own `stopDate`, within the time of the measurement.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Client, Described, Operation, Status, of_execution};
use crate::process::{self, Memory};
use crate::server::{Server, Who};
use crate::stats::Spread;
use crate::{Fault, Place};

const POLL_MIN: Duration = Duration::from_millis(1);
const POLL_MAX: Duration = Duration::from_millis(8);

/// No execution of ten Pass states takes so long, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(120);

/// Who describes W4's executions afterwards.
const CHECKERS: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Load {
    W1Loaded,
    W1Idle,
    W4,
}

/// How hard, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) load: Load,
    pub(crate) clients: usize,
    pub(crate) states: usize,
    /// Before what is measured.
    pub(crate) warm: Duration,
    pub(crate) window: Duration,
}

/// What one server did with one load.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    pub(crate) load: Load,
    pub(crate) who: String,
    /// That ended within the time of the measurement. More were started, and all of them succeeded.
    pub(crate) executions: usize,
    pub(crate) started: usize,
    pub(crate) seconds: f64,
    pub(crate) executions_per_s: f64,
    pub(crate) transitions_per_s: f64,
    pub(crate) cpu_us_per_transition: f64,
    pub(crate) cpu_us_per_execution: f64,
    /// Of one processor.
    pub(crate) server_cpu: f64,
    pub(crate) driver_cpu: f64,
    pub(crate) disk_bytes_per_execution: f64,
    pub(crate) describes_per_execution: f64,
    pub(crate) start_ms: Spread,
    /// From asking for the start to having seen the end.
    pub(crate) end_to_end_ms: Option<Spread>,
    /// From the server's `startDate` to its `stopDate`.
    pub(crate) own_ms: Spread,
    pub(crate) memory: Memory,
    pub(crate) load_average: f64,
}

/// What was measured between two looks at the clock.
struct Window {
    from: Instant,
    until: Instant,
    /// The same, as the server's clock has it.
    stops: std::ops::RangeInclusive<f64>,
    server: Duration,
    driver: Duration,
    disk_bytes: f64,
    memory: Memory,
    load_average: f64,
}

struct Sample {
    arn: String,
    asked: Instant,
    answered: Instant,
    /// Not for W4.
    seen: Option<Seen>,
}

/// An end, as a client saw it.
struct Seen {
    at: Instant,
    described: Described,
    looks: u32,
}

/// Measures `who`, in a process and a directory of its own.
pub(crate) async fn run(shape: &Shape, who: &Who, place: &Place) -> Result<Run, Fault> {
    let data = place.directory("load");
    let server = Server::start(who, &data).await?;
    let limit = shape.warm + shape.window + LIMIT;
    let run = tokio::time::timeout(limit, on(shape, who, &server)).await;
    let run = run.map_err(|_| Fault::TooLong { what: "the load", limit })??;
    server.kill().await?;
    // Not needed any more; what cannot be removed now goes at the end.
    let _later = std::fs::remove_dir_all(&data);
    Ok(run)
}

async fn on(shape: &Shape, who: &Who, server: &Server) -> Result<Run, Fault> {
    let mut client = Client::connect(server.address).await?;
    let machine = create(&mut client, "chain", &chain(shape.states)).await?;
    let body = start_of(&machine, &input());
    let end = Instant::now() + shape.warm + shape.window;
    let mut clients = JoinSet::new();
    for _ in 0..shape.clients {
        let (client, body) = (Client::connect(server.address).await?, body.clone());
        match shape.load {
            Load::W1Loaded | Load::W1Idle => clients.spawn(start_and_see(client, body, end)),
            Load::W4 => clients.spawn(start_only(client, body, end)),
        };
    }
    let window = watch(shape, server).await;
    let mut samples = vec![];
    while let Some(done) = clients.join_next().await {
        samples.extend(done.map_err(|source| Fault::Client { source })??);
    }
    if let Who::Product(_) = who
        && let Some(sample) = samples.first()
    {
        check_history(&mut client, &sample.arn, shape.states).await?;
    }
    match shape.load {
        Load::W1Loaded | Load::W1Idle => Ok(seen(shape, who, &window, &samples)),
        Load::W4 => {
            let arns = samples.iter().map(|sample| sample.arn.clone()).collect();
            let ends = describe_all(server, arns).await?;
            Ok(ended(shape, who, &window, &samples, &ends))
        }
    }
}

/// A machine of Pass states in a row.
pub(crate) fn chain(states: usize) -> Value {
    let name = |number: usize| format!("Step{number}");
    let state = |number: usize| match number + 1 == states {
        true => (name(number), json!({ "Type": "Pass", "End": true })),
        false => (name(number), json!({ "Type": "Pass", "Next": name(number + 1) })),
    };
    let all: serde_json::Map<String, Value> = (0..states).map(state).collect();
    json!({ "StartAt": name(0), "States": all })
}

/// An order of the size that makes an execution of ten states some 9 KB of history.
pub(crate) fn input() -> String {
    json!({
        "order": 1_024,
        "customer": "Hanako Yamada",
        "items": [{ "sku": "A-100", "count": 2 }, { "sku": "B-205", "count": 1 }],
        "note": "leave it with the neighbours",
        "paid": true,
    })
    .to_string()
}

pub(crate) async fn create(client: &mut Client, name: &str, definition: &Value) -> Result<String, Fault> {
    create_of(client, name, "STANDARD", definition).await
}

pub(crate) async fn create_express(client: &mut Client, name: &str, definition: &Value) -> Result<String, Fault> {
    create_of(client, name, "EXPRESS", definition).await
}

async fn create_of(client: &mut Client, name: &str, kind: &str, definition: &Value) -> Result<String, Fault> {
    let role = "arn:aws:iam::000000000000:role/bench";
    let definition = definition.to_string();
    let body = json!({ "name": name, "type": kind, "roleArn": role, "definition": definition }).to_string();
    let answer: Value = client.ask(Operation::CreateStateMachine, &body).await?;
    Ok(answer["stateMachineArn"].as_str().unwrap_or_default().to_owned())
}

/// The request that starts an execution.
pub(crate) fn start_of(machine: &str, input: &str) -> String {
    json!({ "stateMachineArn": machine, "input": input }).to_string()
}

async fn start_and_see(mut client: Client, body: String, end: Instant) -> Result<Vec<Sample>, Fault> {
    let mut samples = vec![];
    while Instant::now() < end {
        let asked = Instant::now();
        let arn = client.start(&body).await?.arn;
        let answered = Instant::now();
        let (mut looks, mut pause) = (1, POLL_MIN);
        let described = loop {
            let described = client.describe(&arn).await?;
            if described.status != Status::Running {
                break described;
            }
            tokio::time::sleep(pause).await;
            looks += 1;
            pause = (pause * 2).min(POLL_MAX);
        };
        expect(&arn, &described, Status::Succeeded)?;
        samples.push(Sample { arn, asked, answered, seen: Some(Seen { at: Instant::now(), described, looks }) });
    }
    Ok(samples)
}

async fn start_only(mut client: Client, body: String, end: Instant) -> Result<Vec<Sample>, Fault> {
    let mut samples = vec![];
    while Instant::now() < end {
        let asked = Instant::now();
        let arn = client.start(&body).await?.arn;
        samples.push(Sample { arn, asked, answered: Instant::now(), seen: None });
    }
    Ok(samples)
}

pub(crate) fn expect(execution: &str, described: &Described, expected: Status) -> Result<(), Fault> {
    match described.status == expected {
        true => Ok(()),
        false => Err(Fault::Ended { execution: execution.to_owned(), status: described.status, expected }),
    }
}

async fn watch(shape: &Shape, server: &Server) -> Window {
    let look = || (Instant::now(), epoch(), process::cpu(server.pid), process::cpu(std::process::id()));
    tokio::time::sleep(shape.warm).await;
    let (from, stops_from, server_from, driver_from) = look();
    let disk_from = process::disk_bytes(server.pid);
    tokio::time::sleep(shape.window).await;
    let (until, stops_until, server_until, driver_until) = look();
    let disk_bytes = usize::try_from(process::disk_bytes(server.pid).saturating_sub(disk_from));
    Window {
        from,
        until,
        stops: stops_from..=stops_until,
        server: server_until.saturating_sub(server_from),
        driver: driver_until.saturating_sub(driver_from),
        disk_bytes: count(disk_bytes.unwrap_or(usize::MAX)),
        memory: process::memory(server.pid),
        load_average: process::load(),
    }
}

/// Seconds since 1970.
pub(crate) fn epoch() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Waits for the end of all executions, and checks that each succeeded.
pub(crate) async fn describe_all(server: &Server, arns: Vec<String>) -> Result<Vec<Described>, Fault> {
    let part = arns.len().div_ceil(CHECKERS).max(1);
    let mut checkers = JoinSet::new();
    for arns in arns.chunks(part).map(<[String]>::to_vec) {
        let mut client = Client::connect(server.address).await?;
        checkers.spawn(async move {
            let mut ends = Vec::with_capacity(arns.len());
            for arn in &arns {
                ends.push(end_of(&mut client, arn).await?);
            }
            Ok::<_, Fault>(ends)
        });
    }
    let mut ends = vec![];
    while let Some(done) = checkers.join_next().await {
        ends.extend(done.map_err(|source| Fault::Client { source })??);
    }
    Ok(ends)
}

async fn end_of(client: &mut Client, arn: &str) -> Result<Described, Fault> {
    loop {
        let described = client.describe(arn).await?;
        if described.status != Status::Running {
            expect(arn, &described, Status::Succeeded)?;
            return Ok(described);
        }
        tokio::time::sleep(POLL_MAX).await;
    }
}

async fn check_history(client: &mut Client, arn: &str, states: usize) -> Result<(), Fault> {
    end_of(client, arn).await?;
    let answer: Value = client.ask(Operation::GetExecutionHistory, &of_execution(arn)).await?;
    let is_entry = |event: &&Value| event["type"].as_str().is_some_and(|kind| kind.ends_with("StateEntered"));
    let found = answer["events"].as_array().map_or(0, |events| events.iter().filter(is_entry).count());
    match found == states {
        true => Ok(()),
        false => Err(Fault::History { execution: arn.to_owned(), found, expected: states }),
    }
}

/// W1: what the clients saw.
fn seen(shape: &Shape, who: &Who, window: &Window, samples: &[Sample]) -> Run {
    let within: Vec<(&Sample, &Seen)> = samples
        .iter()
        .filter_map(|sample| sample.seen.as_ref().map(|seen| (sample, seen)))
        .filter(|(_, seen)| (window.from..=window.until).contains(&seen.at))
        .collect();
    let looks: u32 = within.iter().map(|(_, seen)| seen.looks).sum();
    let start = Spread::of(within.iter().map(|(sample, _)| millis(sample.answered - sample.asked)).collect());
    let end_to_end = Spread::of(within.iter().map(|(sample, seen)| millis(seen.at - sample.asked)).collect());
    let own = Spread::of(within.iter().map(|(_, seen)| own(&seen.described)).collect());
    let mut run = totals(shape, who, window, samples.len(), within.len());
    run.describes_per_execution = f64::from(looks) / count(within.len());
    Run { start_ms: start, end_to_end_ms: Some(end_to_end), own_ms: own, ..run }
}

/// W4: what the server says about all executions afterwards.
fn ended(shape: &Shape, who: &Who, window: &Window, samples: &[Sample], ends: &[Described]) -> Run {
    let within: Vec<&Described> =
        ends.iter().filter(|end| end.stop.is_some_and(|stop| window.stops.contains(&stop))).collect();
    let starts = samples.iter().filter(|sample| (window.from..=window.until).contains(&sample.answered));
    let start = Spread::of(starts.map(|sample| millis(sample.answered - sample.asked)).collect());
    let own = Spread::of(within.iter().map(|end| own(end)).collect());
    Run { start_ms: start, own_ms: own, ..totals(shape, who, window, samples.len(), within.len()) }
}

fn totals(shape: &Shape, who: &Who, window: &Window, started: usize, executions: usize) -> Run {
    let seconds = (window.until - window.from).as_secs_f64();
    let transitions = count(executions * shape.states);
    Run {
        load: shape.load,
        who: who.name(),
        executions,
        started,
        seconds,
        executions_per_s: count(executions) / seconds,
        transitions_per_s: transitions / seconds,
        cpu_us_per_transition: window.server.as_secs_f64() * 1e6 / transitions,
        cpu_us_per_execution: window.server.as_secs_f64() * 1e6 / count(executions),
        server_cpu: window.server.as_secs_f64() / seconds,
        driver_cpu: window.driver.as_secs_f64() / seconds,
        disk_bytes_per_execution: window.disk_bytes / count(executions),
        describes_per_execution: 0.0,
        start_ms: Spread::default(),
        end_to_end_ms: None,
        own_ms: Spread::default(),
        memory: window.memory,
        load_average: window.load_average,
    }
}

pub(crate) fn own(described: &Described) -> f64 {
    described.stop.map_or(0.0, |stop| (stop - described.start) * 1_000.0)
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "nothing counted here is near 2^52")]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::{chain, input, start_of};

    #[test]
    fn a_chain_is_a_machine() {
        assert_eq!(
            chain(2).to_string(),
            r#"{"StartAt":"Step0","States":{"Step0":{"Type":"Pass","Next":"Step1"},"Step1":{"Type":"Pass","End":true}}}"#,
        );
    }

    #[test]
    fn an_input_travels_as_text() {
        assert!(start_of("arn", &input()).contains(r#""input":"{\"order\":1024,"#));
    }
}
