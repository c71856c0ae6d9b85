//! Maps in distributed mode: their runs, their children, and a second runtime that goes on with them.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::MachineKind;
use base::{Caller, Json};
use engine::Failure;
use maprun::{Counts, Status, Update};
use runtime::executions::{ExecutionFilter, ExecutionStart, ExecutionStatus};
use runtime::machines::StateMachineCreate;
use runtime::map_runs::MapRun;
use runtime::tasks::{Replying, TaskCall, TaskPort, TaskReply};
use runtime::{Config, Page, Refusal, Runtime};
use store::Store;
use store::memory::MemoryStore;

/// `getParameter` gives its parameters back once the gate is open, or fails while what is bad is not mended; calls are
/// counted by their parameters.
#[derive(Default)]
struct Port {
    mended: AtomicBool,
    open: tokio::sync::watch::Sender<bool>,
    called: Mutex<Vec<String>>,
}

impl TaskPort for Port {
    fn call<'a>(&'a self, _: &'a Runtime, call: TaskCall) -> Replying<'a> {
        Box::pin(async move {
            let text = call.parameters.to_string();
            self.called.lock().expect("no panic while held").push(text.clone());
            let mut open = self.open.subscribe();
            if open.wait_for(|open| *open).await.is_err() {
                std::future::pending::<()>().await;
            }
            match text.contains("bad") && !self.mended.load(Ordering::Relaxed) {
                true => TaskReply::Failed(Failure::new("Bad", "on purpose")),
                false => TaskReply::Succeeded(call.parameters),
            }
        })
    }

    fn abandon<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }

    fn command_ended(&self, _: &fleet::Run) -> Result<Json, Failure> {
        Ok(Json::Null)
    }
}

struct World {
    store: Arc<MemoryStore>,
    port: Arc<Port>,
    runtime: Runtime,
    caller: Caller,
}

impl World {
    async fn new() -> World {
        let (store, port) = (Arc::new(MemoryStore::default()), Arc::new(Port::default()));
        let runtime = open(&store, &port).await;
        World { store, port, runtime, caller: Caller::new("111111111111", "us-east-1") }
    }

    /// The server is gone; another starts on the same store.
    async fn restart(&mut self) {
        self.port = Arc::new(Port::default());
        self.runtime = open(&self.store, &self.port).await;
    }

    /// What is bad is so no longer.
    fn mend(&self) {
        self.port.mended.store(true, Ordering::Relaxed);
    }

    async fn redrive(&self, arn: &str) {
        self.runtime.execution_redrive(&self.caller, arn, None).await.expect("redriven");
    }

    /// What was called more than so often.
    fn called_beyond(&self, most: usize) -> BTreeSet<String> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        self.port
            .called
            .lock()
            .expect("no panic")
            .iter()
            .for_each(|call| *counts.entry(call.clone()).or_default() += 1);
        counts.into_iter().filter(|(_, count)| *count > most).map(|(call, _)| call).collect()
    }

    fn let_go(&self) {
        self.port.open.send_replace(true);
    }

    /// Starts a machine whose only state is a distributed Map; `fields` are the Map's, `state` the one in its processor.
    async fn start(&self, fields: &str, state: &str, input: &str) -> String {
        let definition = format!(
            r#"{{"StartAt":"Each","States":{{"Each":{{"Type":"Map","Label":"each",{fields}"End":true,
                "ItemProcessor":{{"ProcessorConfig":{{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"}},
                "StartAt":"A","States":{{"A":{{{state},"End":true}}}}}}}}}}}}"#
        );
        let create = StateMachineCreate {
            name: "net".to_owned(),
            definition,
            role_arn: "arn:aws:iam::111111111111:role/r".to_owned(),
            kind: MachineKind::Standard,
            logging: None,
            tracing: None,
            encryption: None,
            tags: vec![],
            publish: None,
        };
        let machine_arn = self.runtime.state_machine_create(&self.caller, create).await.expect("created").arn;
        let start = ExecutionStart { machine_arn, name: None, input: Some(input.to_owned()), trace_header: None };
        self.runtime.execution_start(&self.caller, start).await.expect("started").arn
    }

    async fn ended(&self, arn: &str) -> (ExecutionStatus, String) {
        for _ in 0..2_000 {
            let execution = self.runtime.execution(&self.caller, arn).await.expect("there");
            if execution.summary.status != ExecutionStatus::Running {
                let failure = execution.failure.and_then(|failure| failure.error);
                let output = execution.output.or(failure.map(|error| error.to_string()));
                return (execution.summary.status, output.unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{arn} does not end");
    }

    /// The execution's latest Map run, once `wanted` is true of it.
    async fn run(&self, execution: &str, wanted: impl Fn(&MapRun) -> bool) -> MapRun {
        let mut last = None;
        for _ in 0..2_000 {
            let page = Page { limit: 10, token: None };
            let runs = self.runtime.map_run_list(&self.caller, execution, page).await.expect("there");
            if let Some(summary) = runs.items.first() {
                let run = self.runtime.map_run(&self.caller, &summary.arn).await.expect("there");
                if wanted(&run) {
                    return run;
                }
                last = Some(run);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{execution} has no such Map run: {last:?}");
    }

    /// The inputs of a run's children, by their status.
    async fn children(&self, run: &MapRun, status: ExecutionStatus) -> Vec<String> {
        let (mut inputs, mut token) = (vec![], None);
        loop {
            let filter = ExecutionFilter {
                map_run_arn: Some(run.summary.arn.clone()),
                status: Some(status),
                ..ExecutionFilter::default()
            };
            let page = Page { limit: 100, token };
            let listed = self.runtime.execution_list(&self.caller, filter, page).await.expect("listed");
            for child in &listed.items {
                let execution = self.runtime.execution(&self.caller, &child.arn).await.expect("there");
                assert_eq!(execution.summary.map_run_arn.as_ref(), Some(&run.summary.arn));
                inputs.push(execution.input);
            }
            token = listed.next;
            if token.is_none() {
                return inputs;
            }
        }
    }
}

async fn open(store: &Arc<MemoryStore>, port: &Arc<Port>) -> Runtime {
    let store: Arc<dyn Store> = store.clone();
    Runtime::open(Config::default(), store, port.clone()).await.expect("a store in memory opens")
}

const PASS: &str = r#""Type":"Pass""#;
const TASK: &str = r#""Type":"Task","Resource":"arn:aws:states:::aws-sdk:ssm:getParameter","Parameters":{"v.$":"$"}"#;

fn counts(succeeded: u64, failed: u64, aborted: u64) -> Counts {
    Counts { succeeded, failed, aborted, ..Counts::default() }
}

#[tokio::test]
async fn each_item_is_an_execution_and_their_results_come_back_in_order() {
    let world = World::new().await;
    let items: Vec<String> = (0..2_500).map(|n| n.to_string()).collect();
    let input = format!("[{}]", items.join(","));
    let arn = world.start("", PASS, &input).await;
    assert_eq!(world.ended(&arn).await, (ExecutionStatus::Succeeded, input));
    let run = world.run(&arn, |run| run.status == Status::Succeeded).await;
    assert_eq!((run.executions, run.items), (counts(2_500, 0, 0), counts(2_500, 0, 0)));
    assert!(
        run.summary.arn.contains(":mapRun:net/each:") && run.summary.machine_arn.ends_with(":stateMachine:net/each")
    );
    let inputs = world.children(&run, ExecutionStatus::Succeeded).await;
    assert_eq!((inputs.len(), inputs.into_iter().collect::<BTreeSet<_>>().len()), (2_500, 2_500));
    let filter = ExecutionFilter::default();
    let all = world.runtime.execution_list(&world.caller, filter, Page { limit: 10, token: None }).await;
    assert_eq!(all.expect("listed").items.len(), 1, "children stand only in their run's list");
}

#[tokio::test]
async fn an_empty_map_is_over_at_once() {
    let world = World::new().await;
    let arn = world.start("", PASS, "[]").await;
    assert_eq!(world.ended(&arn).await, (ExecutionStatus::Succeeded, "[]".to_owned()));
}

#[tokio::test]
async fn a_restarted_server_goes_on_with_every_child_and_starts_none_twice() {
    let mut world = World::new().await;
    let items: Vec<String> = (0..60).map(|n| format!("\"i{n}\"")).collect();
    let arn = world.start(r#""MaxConcurrency":20,"#, TASK, &format!("[{}]", items.join(","))).await;
    world.run(&arn, |run| run.executions.running == 20).await;
    world.restart().await;
    let run = world.run(&arn, |_| true).await;
    assert_eq!((run.executions.running, run.executions.pending), (20, 40));
    world.let_go();
    assert_eq!(world.ended(&arn).await.0, ExecutionStatus::Succeeded);
    let run = world.run(&arn, |run| run.status == Status::Succeeded).await;
    assert_eq!(run.executions, counts(60, 0, 0));
    let inputs: BTreeSet<String> = world.children(&run, ExecutionStatus::Succeeded).await.into_iter().collect();
    assert_eq!(inputs, items.into_iter().collect());
}

#[tokio::test]
async fn so_many_may_fail_and_no_more() {
    let world = World::new().await;
    world.let_go();
    let arn = world.start(r#""MaxConcurrency":1,"#, TASK, r#"["a","bad","c"]"#).await;
    let failed = "States.ExceedToleratedFailureThreshold".to_owned();
    assert_eq!(world.ended(&arn).await, (ExecutionStatus::Failed, failed));
    let run = world.run(&arn, |run| run.status == Status::Failed).await;
    assert_eq!((run.executions.succeeded, run.executions.failed, run.executions.pending), (1, 1, 1));
}

#[tokio::test]
async fn a_run_is_stopped_with_its_execution_even_if_the_server_dies_between() {
    let mut world = World::new().await;
    let arn = world.start("", TASK, r#"["a","b"]"#).await;
    world.run(&arn, |run| run.executions.running == 2).await;
    world.runtime.execution_stop(&world.caller, &arn, Failure::default()).await.expect("stopped");
    world.restart().await;
    let run = world.run(&arn, |run| run.status == Status::Aborted).await;
    assert_eq!(run.executions, counts(0, 0, 2));
    assert_eq!(world.children(&run, ExecutionStatus::Aborted).await.len(), 2);
    let update = Update { concurrency: Some(1), ..Update::default() };
    let refused = world.runtime.map_run_update(&world.caller, &run.summary.arn, update).await;
    assert!(refused.is_err_and(|refusal| refusal.to_string().contains("completed")));
}

#[tokio::test]
async fn more_may_run_at_a_time_from_now_on() {
    let world = World::new().await;
    let arn = world.start(r#""MaxConcurrency":1,"#, TASK, "[1,2,3,4]").await;
    let run = world.run(&arn, |run| run.executions.running == 1).await;
    let update = Update { concurrency: Some(3), tolerated_count: Some(1), ..Update::default() };
    world.runtime.map_run_update(&world.caller, &run.summary.arn, update).await.expect("updated");
    let run = world.run(&arn, |run| run.executions.running == 3).await;
    assert_eq!((run.max_concurrency, run.tolerated_count), (3, 1));
    world.let_go();
    assert_eq!(world.ended(&arn).await.0, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn another_account_sees_no_map_run() {
    let world = World::new().await;
    let arn = world.start("", PASS, "[1]").await;
    world.ended(&arn).await;
    let run = world.run(&arn, |_| true).await;
    let other = Caller::new("222222222222", "us-east-1");
    assert!(world.runtime.map_run(&other, &run.summary.arn).await.is_err());
    assert!(world.runtime.map_run_list(&other, &arn, Page { limit: 1, token: None }).await.is_err());
    let update = Update::default();
    assert!(world.runtime.map_run_update(&other, &run.summary.arn, update).await.is_err());
}

/// Fifty items, of which every tenth is bad at first.
fn fifty() -> Vec<String> {
    (0..50).map(|n| if n % 10 == 9 { format!("\"bad{n}\"") } else { format!("\"i{n}\"") }).collect()
}

fn outputs(items: &[String]) -> String {
    let outputs: Vec<String> = items.iter().map(|item| format!(r#"{{"v":{item}}}"#)).collect();
    format!("[{}]", outputs.join(","))
}

const FOUR_MAY_FAIL: &str = r#""MaxConcurrency":5,"ToleratedFailureCount":4,"#;

#[tokio::test]
async fn a_redrive_runs_what_had_not_succeeded_and_nothing_else() {
    let world = World::new().await;
    world.let_go();
    let items = fifty();
    let arn = world.start(FOUR_MAY_FAIL, TASK, &format!("[{}]", items.join(","))).await;
    assert_eq!(world.ended(&arn).await.0, ExecutionStatus::Failed);
    let run = world.run(&arn, |run| run.status == Status::Failed).await;
    assert_eq!(run.executions.failed, 5);
    let child = world.runtime.execution_list(
        &world.caller,
        ExecutionFilter {
            map_run_arn: Some(run.summary.arn.clone()),
            status: Some(ExecutionStatus::Failed),
            ..ExecutionFilter::default()
        },
        Page { limit: 1, token: None },
    );
    let child = child.await.expect("listed").items.remove(0).arn;
    let refused = world.runtime.execution_redrive(&world.caller, &child, None).await;
    assert!(matches!(refused, Err(Refusal::ExecutionNotRedrivable(_))), "{refused:?}");

    // Not yet mended: it fails once more.
    world.redrive(&arn).await;
    assert_eq!(world.ended(&arn).await.0, ExecutionStatus::Failed);
    let run = world.run(&arn, |run| run.status == Status::Failed && run.redrives == 1).await;
    assert_eq!((run.executions.failed, run.executions.total()), (5, 50));

    world.mend();
    world.redrive(&arn).await;
    assert_eq!(world.ended(&arn).await, (ExecutionStatus::Succeeded, outputs(&items)));
    let run = world.run(&arn, |run| run.status == Status::Succeeded).await;
    assert_eq!((run.executions, run.items, run.redrives), (counts(50, 0, 0), counts(50, 0, 0), 2));
    assert!(run.redriven.is_some() && run.summary.stopped > run.redriven);
    assert_eq!(world.called_beyond(2).len(), 5, "only what failed was called again");
    assert!(world.called_beyond(2).iter().all(|call| call.contains("bad")) && world.called_beyond(3).is_empty());
}

#[tokio::test]
async fn a_restarted_server_goes_on_with_a_redrive() {
    let mut world = World::new().await;
    world.let_go();
    let items = fifty();
    let arn = world.start(FOUR_MAY_FAIL, TASK, &format!("[{}]", items.join(","))).await;
    assert_eq!(world.ended(&arn).await.0, ExecutionStatus::Failed);
    world.restart().await;
    world.mend();
    world.redrive(&arn).await;
    world.restart().await;
    world.mend();
    let run = world.run(&arn, |run| run.executions.running == 5).await;
    assert_eq!((run.status, run.redrives, run.executions.total()), (Status::Running, 1, 50));
    world.restart().await;
    world.mend();
    world.let_go();
    assert_eq!(world.ended(&arn).await, (ExecutionStatus::Succeeded, outputs(&items)));
    let run = world.run(&arn, |run| run.status == Status::Succeeded).await;
    assert_eq!((run.executions, run.redrives), (counts(50, 0, 0), 1));
    for input in world.children(&run, ExecutionStatus::Succeeded).await {
        assert!(items.contains(&input));
    }
}

#[tokio::test]
async fn what_was_stopped_goes_on_though_it_was_still_stopping() {
    let world = World::new().await;
    let arn = world.start(r#""MaxConcurrency":2,"#, TASK, r#"["a","b","c","d"]"#).await;
    world.run(&arn, |run| run.executions.running == 2).await;
    world.runtime.execution_stop(&world.caller, &arn, Failure::default()).await.expect("stopped");
    world.redrive(&arn).await;
    world.let_go();
    let items: Vec<String> = ["a", "b", "c", "d"].iter().map(|item| format!("\"{item}\"")).collect();
    assert_eq!(world.ended(&arn).await, (ExecutionStatus::Succeeded, outputs(&items)));
    let run = world.run(&arn, |run| run.status == Status::Succeeded).await;
    assert_eq!((run.executions, run.redrives), (counts(4, 0, 0), 1));
}
