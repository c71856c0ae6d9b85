//! The ceiling: the least that a durable server with this protocol must do.
//!
//! It reads requests over the same HTTP stack as the product, builds the history that Step Functions would show,
//! makes it durable, and answers. It decides nothing: a state machine is a number of Pass states in a row, whatever
//! its definition says.
//!
//! **Invariant:** what it answers is as durable as its [`Policy`] says, so that a product which does more is
//! compared with one that does nothing less.

mod checksum;
mod history;
mod log;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Fault;
use history::History;
use log::Log;

/// What it commits, and who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Policy {
    /// Nothing.
    Mem,
    /// The start, before it is acknowledged; then all states and the end together.
    Ends,
    /// The start, each transition and the end, one after the other.
    Each,
}

const ARN_PREFIX: &str = "arn:aws:states:us-east-1:000000000000";
const PARTS: usize = 16;

struct Ceiling {
    policy: Policy,
    log: Option<Log>,
    machines: RwLock<HashMap<String, Arc<Machine>>>,
    parts: [Mutex<HashMap<String, Arc<Execution>>>; PARTS],
    hasher: RandomState,
    names: AtomicU64,
}

struct Machine {
    arn: String,
    name: String,
    role: String,
    states: Vec<String>,
}

struct Execution {
    machine: Arc<Machine>,
    name: String,
    input: String,
    start: f64,
    stop: Option<f64>,
}

/// Serves until whoever started it is gone.
pub(crate) async fn serve(policy: Policy, data: &Path) -> Result<(), Fault> {
    let io = |source| Fault::Ceiling { source };
    let log = match policy {
        Policy::Mem => None,
        Policy::Ends | Policy::Each => Some(Log::open(data).map_err(io)?),
    };
    let ceiling = Arc::new(Ceiling {
        policy,
        log,
        machines: RwLock::default(),
        parts: Default::default(),
        hasher: RandomState::new(),
        names: AtomicU64::new(0),
    });
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.map_err(io)?;
    let address = listener.local_addr().map_err(io)?;
    writeln!(std::io::stdout(), "ceiling is listening on http://{address}").map_err(io)?;
    std::thread::spawn(end_with_parent);
    let router = Router::new().fallback(answer).with_state(ceiling);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).await.map_err(io)
}

/// Standard input ends when the parent does, however it ends.
fn end_with_parent() {
    let _ended = std::io::stdin().read_to_end(&mut Vec::new());
    std::process::exit(0);
}

async fn answer(State(ceiling): State<Arc<Ceiling>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return refuse("SerializationException");
    };
    let answer = match target.strip_prefix("AWSStepFunctions.").unwrap_or_default() {
        "CreateStateMachine" => ceiling.create(&request),
        "StartExecution" => ceiling.start(&request).await,
        "DescribeExecution" => ceiling.describe(&request),
        _ => return refuse("UnknownOperationException"),
    };
    match answer {
        Some(answer) => respond(StatusCode::OK, answer.to_string()),
        None => refuse("ValidationException"),
    }
}

fn refuse(code: &str) -> Response {
    respond(StatusCode::BAD_REQUEST, json!({ "__type": code }).to_string())
}

fn respond(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body).into_response()
}

impl Ceiling {
    fn create(&self, request: &Value) -> Option<Value> {
        let name = request["name"].as_str()?.to_owned();
        let definition: Value = serde_json::from_str(request["definition"].as_str()?).ok()?;
        let states = definition["States"].as_object()?.keys().cloned().collect();
        let arn = format!("{ARN_PREFIX}:stateMachine:{name}");
        let role = request["roleArn"].as_str()?.to_owned();
        let machine = Arc::new(Machine { arn: arn.clone(), name, role, states });
        self.machines.write().expect("nobody panics with the lock").insert(arn.clone(), machine);
        Some(json!({ "stateMachineArn": arn, "creationDate": now() }))
    }

    async fn start(self: &Arc<Ceiling>, request: &Value) -> Option<Value> {
        let input = request["input"].as_str()?.to_owned();
        let arn = request["stateMachineArn"].as_str()?;
        let machine = self.machines.read().expect("nobody panics with the lock").get(arn)?.clone();
        let name = format!("{:036x}", self.names.fetch_add(1, Ordering::Relaxed));
        let arn = format!("{ARN_PREFIX}:execution:{}:{name}", machine.name);
        let mut history = History::default();
        let start = history.started(&input, &machine.role);
        let execution = Arc::new(Execution { machine, name, input, start, stop: None });
        match self.policy {
            Policy::Mem => self.run(arn.clone(), execution, history).await,
            Policy::Ends | Policy::Each => {
                self.commit(history.take()).await;
                self.put(arn.clone(), execution.clone());
                tokio::spawn({
                    let (ceiling, arn) = (self.clone(), arn.clone());
                    async move { ceiling.run(arn, execution, history).await }
                });
            }
        }
        Some(json!({ "executionArn": arn, "startDate": start }))
    }

    async fn run(&self, arn: String, execution: Arc<Execution>, mut history: History) {
        let Execution { machine, name, input, start, .. } = &*execution;
        for state in &machine.states {
            history.entered(state, input);
            history.exited(state, input);
            if self.policy == Policy::Each {
                self.commit(history.take()).await;
            }
        }
        let stop = history.succeeded(input);
        self.commit(history.take()).await;
        let (machine, name, input) = (machine.clone(), name.clone(), input.clone());
        self.put(arn, Arc::new(Execution { machine, name, input, start: *start, stop: Some(stop) }));
    }

    async fn commit(&self, events: Vec<u8>) {
        if let Some(log) = &self.log {
            log.commit(events).await;
        }
    }

    fn describe(&self, request: &Value) -> Option<Value> {
        let arn = request["executionArn"].as_str()?;
        let execution = self.part(arn).lock().expect("nobody panics with the lock").get(arn)?.clone();
        let mut answer = json!({
            "executionArn": arn,
            "stateMachineArn": execution.machine.arn,
            "name": execution.name,
            "status": "RUNNING",
            "startDate": execution.start,
            "input": execution.input,
            "inputDetails": { "included": true },
        });
        if let Some(stop) = execution.stop {
            answer["status"] = json!("SUCCEEDED");
            answer["stopDate"] = json!(stop);
            answer["output"] = json!(execution.input);
            answer["outputDetails"] = json!({ "included": true });
        }
        Some(answer)
    }

    fn put(&self, arn: String, execution: Arc<Execution>) {
        self.part(&arn).lock().expect("nobody panics with the lock").insert(arn, execution);
    }

    fn part(&self, arn: &str) -> &Mutex<HashMap<String, Arc<Execution>>> {
        let hash = usize::try_from(self.hasher.hash_one(arn)).unwrap_or_default();
        &self.parts[hash % PARTS]
    }
}

/// Seconds since 1970, to the millisecond, as the protocol has it.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
    (since.as_secs_f64() * 1_000.0).round() / 1_000.0
}
