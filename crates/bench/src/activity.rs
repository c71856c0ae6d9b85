//! W6: workers that take tasks of an activity and give their results.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Client, Operation};
use crate::load::{count, create, millis, start_of};
use crate::process;
use crate::server::{Server, Who};
use crate::stats::Spread;
use crate::{Fault, Place};

/// Activity states of one execution, in a row.
const STATES: usize = 10;

/// What the workers did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Worked {
    pub(crate) workers: usize,
    pub(crate) steps: usize,
    pub(crate) steps_per_s: f64,
    /// From asking for a task to having given its result.
    pub(crate) step_ms: Spread,
    pub(crate) cpu_us_per_step: f64,
    pub(crate) load_average: f64,
}

#[derive(Debug, Deserialize)]
struct Given {
    #[serde(rename = "taskToken")]
    token: Option<String>,
}

/// Lets `workers` work through executions for `window`.
pub(crate) async fn run(who: &Who, place: &Place, workers: usize, window: Duration) -> Result<Worked, Fault> {
    const LIMIT: Duration = Duration::from_secs(180);
    let server = Server::start(who, &place.directory("activity")).await?;
    let worked = tokio::time::timeout(LIMIT, on(&server, workers, window)).await;
    let worked = worked.map_err(|_| Fault::TooLong { what: "W6", limit: LIMIT })??;
    server.kill().await?;
    Ok(worked)
}

async fn on(server: &Server, workers: usize, window: Duration) -> Result<Worked, Fault> {
    let mut client = Client::connect(server.address).await?;
    let created: Value = client.ask(Operation::CreateActivity, r#"{"name":"work"}"#).await?;
    let activity = created["activityArn"].as_str().unwrap_or_default().to_owned();
    let machine = create(&mut client, "worked", &machine(&activity)).await?;
    let body = start_of(&machine, r#"{"n":1}"#);
    // As many as there are workers, and as many again: each execution has one task at a time.
    let (running, over) = (workers * 2, Arc::new(AtomicBool::new(false)));
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..running {
        client.start(&body).await?;
    }
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        let client = Client::connect(server.address).await?;
        tasks.spawn(work(client, activity.clone(), body.clone(), done.clone(), over.clone()));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (from, steps, cpu) = (Instant::now(), done.load(Ordering::Relaxed), process::cpu(server.pid));
    tokio::time::sleep(window).await;
    let (seconds, steps) = (from.elapsed().as_secs_f64(), done.load(Ordering::Relaxed) - steps);
    let cpu = process::cpu(server.pid).saturating_sub(cpu);
    over.store(true, Ordering::Relaxed);
    let load_average = process::load();
    let mut times = vec![];
    while let Some(finished) = tasks.join_next().await {
        times.extend(finished.map_err(|source| Fault::Client { source })??);
    }
    Ok(Worked {
        workers,
        steps,
        steps_per_s: count(steps) / seconds,
        step_ms: Spread::of(times),
        cpu_us_per_step: cpu.as_secs_f64() * 1e6 / count(steps.max(1)),
        load_average,
    })
}

fn machine(activity: &str) -> Value {
    let name = |number: usize| format!("Step{number}");
    let state = |number: usize| match number + 1 == STATES {
        true => (name(number), json!({ "Type": "Task", "Resource": activity, "End": true })),
        false => (name(number), json!({ "Type": "Task", "Resource": activity, "Next": name(number + 1) })),
    };
    let all: serde_json::Map<String, Value> = (0..STATES).map(state).collect();
    json!({ "StartAt": name(0), "States": all })
}

/// Takes tasks and gives results; for every [`STATES`] results an execution has ended, and another is started.
async fn work(
    mut client: Client,
    activity: String,
    start: String,
    done: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
) -> Result<Vec<f64>, Fault> {
    let ask = json!({ "activityArn": activity }).to_string();
    let (mut times, mut given) = (vec![], 0);
    while !over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let task: Given = client.ask(Operation::GetActivityTask, &ask).await?;
        let Some(token) = task.token else { continue };
        let result = json!({ "taskToken": token, "output": "{\"ok\":true}" }).to_string();
        let _empty: Value = client.ask(Operation::SendTaskSuccess, &result).await?;
        times.push(millis(asked.elapsed()));
        done.fetch_add(1, Ordering::Relaxed);
        given += 1;
        if given % STATES == 0 {
            client.start(&start).await?;
        }
    }
    Ok(times)
}
