//! The runtime on a store that forgets: what is asked, what comes back, and what a second runtime on the same store
//! goes on with.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::MachineKind;
use base::{Caller, Json};
use engine::Failure;
use runtime::executions::{ExecutionFilter, ExecutionStart, ExecutionStatus};
use runtime::machines::StateMachineCreate;
use runtime::tasks::{Replying, TaskCall, TaskPort, TaskReply};
use runtime::{Config, Page, Refusal, Runtime};
use store::Store;
use store::memory::MemoryStore;

/// Does tasks by their action: `echo` gives its parameters back, `hang` never answers, `fail` fails.
#[derive(Default)]
struct Port {
    called: Mutex<Vec<String>>,
    abandoned: Mutex<Vec<u64>>,
}

impl TaskPort for Port {
    fn call<'a>(&'a self, _: &'a Runtime, call: TaskCall) -> Replying<'a> {
        Box::pin(async move {
            let asl::Resource::Service { action, .. } = &call.resource else { panic!("only services here") };
            self.called.lock().expect("no panic while held").push(format!("{action} {}", call.task.0));
            match &**action {
                "getParameter" => TaskReply::Succeeded(call.parameters),
                "deleteParameter" => TaskReply::Failed(Failure::new("Broken", "on purpose")),
                "startSession" => panic!("a connector that panics"),
                _ => std::future::pending().await,
            }
        })
    }

    fn abandon<'a>(&'a self, _: &'a Runtime, call: TaskCall) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        self.abandoned.lock().expect("no panic while held").push(call.task.0);
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

    async fn machine(&self, name: &str, states: &str) -> String {
        let definition = format!(r#"{{"StartAt":"A","States":{{{states}}}}}"#);
        self.runtime.state_machine_create(&self.caller, create(name, &definition)).await.expect("created").arn
    }

    async fn start(&self, machine: &str, name: Option<&str>, input: &str) -> Result<String, Refusal> {
        let start = ExecutionStart {
            machine_arn: machine.to_owned(),
            name: name.map(str::to_owned),
            input: Some(input.to_owned()),
            trace_header: None,
        };
        Ok(self.runtime.execution_start(&self.caller, start).await?.arn)
    }

    async fn ended(&self, arn: &str) -> (ExecutionStatus, String) {
        for _ in 0..500 {
            let execution = self.runtime.execution(&self.caller, arn).await.expect("there");
            if execution.summary.status != ExecutionStatus::Running {
                let failure = execution.failure.and_then(|failure| failure.error);
                return (
                    execution.summary.status,
                    execution.output.or(failure.map(|error| error.to_string())).unwrap_or_default(),
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{arn} does not end");
    }
}

async fn open(store: &Arc<MemoryStore>, port: &Arc<Port>) -> Runtime {
    let store: Arc<dyn Store> = store.clone();
    Runtime::open(Config::default(), store, port.clone()).await.expect("a store in memory opens")
}

fn create(name: &str, definition: &str) -> StateMachineCreate {
    StateMachineCreate {
        name: name.to_owned(),
        definition: definition.to_owned(),
        role_arn: "arn:aws:iam::111111111111:role/r".to_owned(),
        kind: MachineKind::Standard,
        logging: None,
        tracing: None,
        encryption: None,
        tags: vec![],
        publish: None,
    }
}

fn task(action: &str, rest: &str) -> String {
    format!(r#""A":{{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:ssm:{action}",{rest}"End":true}}"#)
}

const PASS: &str = r#""A":{"Type":"Pass","End":true}"#;
const WAIT: &str = r#""A":{"Type":"Wait","SecondsPath":"$.s","End":true}"#;

#[tokio::test]
async fn an_execution_runs_and_is_found() {
    let world = World::new().await;
    let machine = world.machine("net", PASS).await;
    let arn = world.start(&machine, None, r#"{ "x": 1 }"#).await.expect("started");
    assert_eq!(world.ended(&arn).await, (ExecutionStatus::Succeeded, r#"{"x":1}"#.to_owned()));
    let execution = world.runtime.execution(&world.caller, &arn).await.expect("there");
    assert_eq!(execution.input, r#"{ "x": 1 }"#, "the input is shown as it was written");
    let page = Page { limit: 10, token: None };
    let history = world.runtime.execution_history(&world.caller, &arn, false, page).await.expect("there");
    assert_eq!(history.items.iter().map(|event| event.id).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn starting_the_same_name_twice_is_starting_it_once() {
    let world = World::new().await;
    let machine = world.machine("net", WAIT).await;
    let first = world.start(&machine, Some("night"), r#"{"s":60}"#).await.expect("started");
    let again = world.start(&machine, Some("night"), r#"{"s": 60}"#).await.expect("the same");
    assert_eq!(first, again);
    assert!(matches!(
        world.start(&machine, Some("night"), r#"{"s":61}"#).await,
        Err(Refusal::ExecutionAlreadyExists(_))
    ));
    world.runtime.execution_stop(&world.caller, &first, Failure::default()).await.expect("stopped");
    assert!(matches!(
        world.start(&machine, Some("night"), r#"{"s":60}"#).await,
        Err(Refusal::ExecutionAlreadyExists(_))
    ));
}

#[tokio::test]
async fn a_task_is_called_after_it_is_durable_and_its_outcome_comes_back() {
    let world = World::new().await;
    let machine = world.machine("net", &task("getParameter", r#""Parameters":{"Name":"n"},"#)).await;
    let arn = world.start(&machine, None, "{}").await.expect("started");
    assert_eq!(world.ended(&arn).await, (ExecutionStatus::Succeeded, r#"{"Name":"n"}"#.to_owned()));
}

#[tokio::test]
async fn a_connector_that_panics_fails_its_task_only() {
    let world = World::new().await;
    let machine = world.machine("net", &task("startSession", "")).await;
    let arn = world.start(&machine, None, "{}").await.expect("started");
    assert_eq!(world.ended(&arn).await, (ExecutionStatus::Failed, "States.TaskFailed".to_owned()));
}

#[tokio::test]
async fn a_restarted_server_calls_what_is_owed_and_wakes_what_waits() {
    let mut world = World::new().await;
    let machine = world.machine("tasks", &task("sendCommand", "")).await;
    let hanging = world.start(&machine, None, "{}").await.expect("started");
    let machine = world.machine("waits", WAIT).await;
    let waiting = world.start(&machine, None, r#"{"s":1}"#).await.expect("started");
    world.restart().await;
    assert_eq!(world.ended(&waiting).await.0, ExecutionStatus::Succeeded);
    assert_eq!(*world.port.called.lock().expect("no panic while held"), ["sendCommand 0"]);
    world.runtime.execution_stop(&world.caller, &hanging, Failure::named("Enough")).await.expect("stopped");
    assert_eq!(world.ended(&hanging).await, (ExecutionStatus::Aborted, "Enough".to_owned()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(*world.port.abandoned.lock().expect("no panic while held"), [0]);
}

#[tokio::test]
async fn a_wait_is_never_early() {
    let world = World::new().await;
    let machine = world.machine("net", WAIT).await;
    let arn = world.start(&machine, None, r#"{"s":1}"#).await.expect("started");
    world.ended(&arn).await;
    let execution = world.runtime.execution(&world.caller, &arn).await.expect("there").summary;
    let lasted = execution.stopped.expect("ended").0 - execution.started.0;
    assert!((1000..3000).contains(&lasted), "{lasted} ms");
}

#[tokio::test]
async fn lists_are_newest_first_and_page() {
    let world = World::new().await;
    let machine = world.machine("net", PASS).await;
    let mut started = vec![];
    for n in 0..5 {
        started.push(world.start(&machine, Some(&format!("run-{n}")), "{}").await.expect("started"));
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    started.reverse();
    for filter in [
        ExecutionFilter::default(),
        ExecutionFilter {
            machine_arn: Some(machine),
            status: Some(ExecutionStatus::Succeeded),
            ..ExecutionFilter::default()
        },
    ] {
        let (mut listed, mut token) = (vec![], None);
        loop {
            let page = Page { limit: 2, token };
            let found = world.runtime.execution_list(&world.caller, filter.clone(), page).await.expect("listed");
            listed.extend(found.items.into_iter().map(|item| item.arn));
            token = found.next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(listed, started);
    }
}

#[tokio::test]
async fn another_account_sees_nothing() {
    let world = World::new().await;
    let machine = world.machine("net", PASS).await;
    let arn = world.start(&machine, None, "{}").await.expect("started");
    for other in [Caller::new("222222222222", "us-east-1"), Caller::new("111111111111", "eu-west-1")] {
        assert!(matches!(
            world.runtime.state_machine(&other, &machine).await,
            Err(Refusal::StateMachineDoesNotExist(_))
        ));
        assert!(matches!(world.runtime.execution(&other, &arn).await, Err(Refusal::ExecutionDoesNotExist(_))));
        let page = Page { limit: 10, token: None };
        assert!(
            world
                .runtime
                .execution_list(&other, ExecutionFilter::default(), page)
                .await
                .expect("listed")
                .items
                .is_empty()
        );
    }
}

#[tokio::test]
async fn a_watch_shows_everything_once_and_ends() {
    let world = World::new().await;
    let machine = world.machine("net", WAIT).await;
    let arn = world.start(&machine, None, r#"{"s":1}"#).await.expect("started");
    let mut watch = world.runtime.execution_watch(&world.caller, &arn).await.expect("there");
    let mut ids = vec![];
    while let Some(events) = watch.events.recv().await {
        ids.extend(events.iter().filter(|event| event.is_aws()).map(|event| event.id));
    }
    assert_eq!(ids, [1, 2, 3, 4]);
}

#[tokio::test]
async fn running_executions_keep_the_definition_they_started_with() {
    let mut world = World::new().await;
    let machine = world.machine("net", WAIT).await;
    let arn = world.start(&machine, None, r#"{"s":1}"#).await.expect("started");
    let update = runtime::machines::StateMachineUpdate {
        arn: machine.clone(),
        definition: Some(r#"{"StartAt":"B","States":{"B":{"Type":"Pass","Result":"new","End":true}}}"#.to_owned()),
        role_arn: None,
        logging: None,
        tracing: None,
        encryption: None,
        publish: None,
    };
    world.runtime.state_machine_update(&world.caller, update).await.expect("updated");
    world.restart().await;
    assert_eq!(world.ended(&arn).await.1, r#"{"s":1}"#);
    let next = world.start(&machine, None, "{}").await.expect("started");
    assert_eq!(world.ended(&next).await.1, r#""new""#);
}
