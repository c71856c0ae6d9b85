//! What a step costs does not depend on how old its execution is: rows and bytes that the store writes for the
//! 10th and for the 10,000th step of one execution.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use asl::MachineKind;
use base::{Caller, Json};
use engine::{Failure, Limits};
use runtime::executions::ExecutionStart;
use runtime::machines::StateMachineCreate;
use runtime::tasks::{Replying, TaskCall, TaskPort, TaskReply};
use runtime::{Config, Runtime};
use store_sqlite::{Options, SqliteStore, Written};
use tokio::sync::oneshot;

const STEPS: usize = 10_020;

/// Does every task at once, and notes at each what had been written until then: one task is one step.
struct Port {
    store: Arc<SqliteStore>,
    seen: Mutex<Seen>,
}

struct Seen {
    written: Vec<Written>,
    done: Option<oneshot::Sender<Vec<Written>>>,
}

impl TaskPort for Port {
    fn call<'a>(&'a self, _: &'a Runtime, call: TaskCall) -> Replying<'a> {
        let mut seen = self.seen.lock().expect("no panic while held");
        seen.written.push(self.store.written());
        if seen.written.len() == STEPS
            && let (all, Some(done)) = (std::mem::take(&mut seen.written), seen.done.take())
        {
            done.send(all).expect("the test waits");
            return Box::pin(std::future::pending());
        }
        Box::pin(std::future::ready(TaskReply::Succeeded(call.parameters)))
    }

    fn abandon<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }

    fn command_ended(&self, _: &fleet::Run) -> Result<Json, Failure> {
        Ok(Json::Null)
    }
}

#[tokio::test]
async fn the_ten_thousandth_step_costs_what_the_tenth_does() {
    let directory = std::env::temp_dir().join(format!("dandori-cost-{}", std::process::id()));
    let options = Options { free_bytes_min: 0, ballast_bytes: 0, ..Options::default() };
    let store = Arc::new(SqliteStore::open(&directory, options).expect("a new store"));
    let (done, all) = oneshot::channel();
    let port = Arc::new(Port { store: store.clone(), seen: Mutex::new(Seen { written: vec![], done: Some(done) }) });
    let config = Config { limits: Limits { history_events_max: 1_000_000, ..Limits::default() }, ..Config::default() };
    let runtime = Runtime::open(config, store, port).await.expect("the store can be read");

    let caller = Caller::new("111111111111", "us-east-1");
    let definition = r#"{"StartAt":"Do","States":{
        "Do":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:ssm:getParameter","Next":"Again"},
        "Again":{"Type":"Choice","Choices":[{"Variable":"$.enough","IsPresent":true,"Next":"End"}],"Default":"Do"},
        "End":{"Type":"Succeed"}}}"#;
    let create = StateMachineCreate {
        name: "loop".to_owned(),
        definition: definition.to_owned(),
        role_arn: "arn:aws:iam::111111111111:role/r".to_owned(),
        kind: MachineKind::Standard,
        logging: None,
        tracing: None,
        encryption: None,
        tags: vec![],
        publish: None,
    };
    let machine = runtime.state_machine_create(&caller, create).await.expect("created").arn;
    let start =
        ExecutionStart { machine_arn: machine, name: None, input: Some(r#"{"k":"v"}"#.to_owned()), trace_header: None };
    runtime.execution_start(&caller, start).await.expect("started");

    let seen = all.await.expect("the loop goes on");
    std::fs::remove_dir_all(&directory).expect("the store's directory");
    let cost = |at: usize| (seen[at + 1].rows - seen[at].rows, seen[at + 1].bytes - seen[at].bytes);
    let typical = |from: usize| {
        let mut costs: Vec<(u64, u64)> = (from..from + 10).map(cost).collect();
        costs.sort_unstable();
        costs[5]
    };
    let (young, old) = (typical(10), typical(10_000));
    assert_eq!(young.0, old.0, "rows");
    // Numbers have more digits when they are larger; nothing else grows.
    assert!(old.1 < young.1 * 5 / 4, "bytes: {} at the 10th, {} at the 10,000th", young.1, old.1);

    // Snapshots are written now and then; all in all they cost no more than the events.
    let bytes = |from: usize| seen[from + 1_000].bytes - seen[from].bytes;
    assert!(bytes(9_000) < bytes(10) * 2, "a thousand steps: {} early, {} late", bytes(10), bytes(9_000));
}
