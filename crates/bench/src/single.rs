//! One execution at a time: W2 (a Map of 1,000 items), W3 (a loop of 100 rounds, in both query languages), and ten Pass
//! states of an Express machine, started synchronously.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::{Client, Operation, Status};
use crate::load::{chain, create, create_express, expect, input, millis, own, start_of};
use crate::process;
use crate::server::{Server, Who};
use crate::stats::Spread;
use crate::{Fault, Place};

/// Executions before those that are measured.
const WARM: usize = 3;

const LOOK_EVERY: Duration = Duration::from_millis(1);

const ROUNDS: u32 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Single {
    /// An inline Map over 1,000 items with one Pass each.
    Map,
    /// A loop of Pass, Wait (0 s) and Choice, 100 rounds.
    Loop,
    /// The same in JSONata.
    LoopJsonata,
    /// Ten Pass states, `StartSyncExecution`.
    Sync,
}

/// How long executions took that ran one after another.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Timed {
    pub(crate) what: Single,
    pub(crate) executions: usize,
    /// From the server's `startDate` to its `stopDate`.
    pub(crate) own_ms: Spread,
    /// From asking for the start to having seen the end.
    pub(crate) end_to_end_ms: Spread,
    pub(crate) cpu_us_per_execution: f64,
    pub(crate) load_average: f64,
}

#[derive(Debug, Deserialize)]
struct Ended {
    status: Status,
    #[serde(rename = "startDate")]
    start: f64,
    #[serde(rename = "stopDate")]
    stop: f64,
}

impl Single {
    pub(crate) const ALL: [Single; 4] = [Single::Map, Single::Loop, Single::LoopJsonata, Single::Sync];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Single::Map => "W2: inline Map of 1,000",
            Single::Loop => "W3: loop of 100 rounds",
            Single::LoopJsonata => "W3 in JSONata",
            Single::Sync => "W1 by StartSyncExecution",
        }
    }

    fn definition(self) -> Value {
        match self {
            Single::Map => map(),
            Single::Loop => counting(
                "JSONPath",
                &json!({ "Type": "Pass", "Parameters": { "n.$": "States.MathAdd($.n, 1)" }, "Next": "Breathe" }),
                &json!({ "Variable": "$.n", "NumericLessThan": ROUNDS, "Next": "Count" }),
            ),
            Single::LoopJsonata => counting(
                "JSONata",
                &json!({ "Type": "Pass", "Output": { "n": "{% $states.input.n + 1 %}" }, "Next": "Breathe" }),
                &json!({ "Condition": format!("{{% $states.input.n < {ROUNDS} %}}"), "Next": "Count" }),
            ),
            Single::Sync => chain(10),
        }
    }

    fn input(self) -> String {
        match self {
            Single::Map => json!({ "items": (0..1_000).collect::<Vec<u32>>() }).to_string(),
            Single::Loop | Single::LoopJsonata => r#"{"n":0}"#.to_owned(),
            Single::Sync => input(),
        }
    }
}

fn map() -> Value {
    let processor = json!({ "StartAt": "Item", "States": { "Item": { "Type": "Pass", "End": true } } });
    let map = json!({ "Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "End": true });
    json!({ "StartAt": "Map", "States": { "Map": map } })
}

fn counting(language: &str, count: &Value, rule: &Value) -> Value {
    json!({ "StartAt": "Count", "QueryLanguage": language, "States": {
        "Count": count,
        "Breathe": { "Type": "Wait", "Seconds": 0, "Next": "Again" },
        "Again": { "Type": "Choice", "Choices": [rule], "Default": "Done" },
        "Done": { "Type": "Succeed" },
    } })
}

/// Runs `what` so often, one after another.
pub(crate) async fn run(what: Single, who: &Who, place: &Place, executions: usize) -> Result<Timed, Fault> {
    const LIMIT: Duration = Duration::from_secs(120);
    let server = Server::start(who, &place.directory("single")).await?;
    let timed = tokio::time::timeout(LIMIT, on(what, &server, executions)).await;
    let timed = timed.map_err(|_| Fault::TooLong { what: what.title(), limit: LIMIT })??;
    server.kill().await?;
    Ok(timed)
}

async fn on(what: Single, server: &Server, executions: usize) -> Result<Timed, Fault> {
    let mut client = Client::connect(server.address).await?;
    let machine = match what {
        Single::Map | Single::Loop | Single::LoopJsonata => create(&mut client, "single", &what.definition()).await?,
        Single::Sync => create_express(&mut client, "single", &what.definition()).await?,
    };
    let body = start_of(&machine, &what.input());
    for _ in 0..WARM {
        one(what, &mut client, &body).await?;
    }
    let (mut owns, mut seen) = (vec![], vec![]);
    let cpu = process::cpu(server.pid);
    for _ in 0..executions {
        let (own, end_to_end) = one(what, &mut client, &body).await?;
        owns.push(own);
        seen.push(end_to_end);
    }
    let cpu = process::cpu(server.pid).saturating_sub(cpu);
    Ok(Timed {
        what,
        executions,
        own_ms: Spread::of(owns),
        end_to_end_ms: Spread::of(seen),
        cpu_us_per_execution: cpu.as_secs_f64() * 1e6 / crate::load::count(executions),
        load_average: process::load(),
    })
}

/// One execution: the server's own time and the client's, in milliseconds.
async fn one(what: Single, client: &mut Client, body: &str) -> Result<(f64, f64), Fault> {
    let asked = Instant::now();
    if what == Single::Sync {
        let ended: Ended = client.ask(Operation::StartSyncExecution, body).await?;
        return match ended.status {
            Status::Succeeded => Ok(((ended.stop - ended.start) * 1_000.0, millis(asked.elapsed()))),
            status => Err(Fault::Ended { execution: "sync".to_owned(), status, expected: Status::Succeeded }),
        };
    }
    let arn = client.start(body).await?.arn;
    loop {
        let described = client.describe(&arn).await?;
        if described.status != Status::Running {
            expect(&arn, &described, Status::Succeeded)?;
            return Ok((own(&described), millis(asked.elapsed())));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
