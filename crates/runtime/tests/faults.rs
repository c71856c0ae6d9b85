//! A store that gives the answers nobody likes: what was asked is then refused, asked again or found to be there.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use asl::MachineKind;
use base::{Caller, Id, Json};
use bytes::Bytes;
use engine::Failure;
use runtime::executions::{ExecutionStart, ExecutionStatus, Starter, Waits};
use runtime::machines::StateMachineCreate;
use runtime::tasks::{Replying, TaskCall, TaskPort, TaskReply};
use runtime::{Config, Refusal, Runtime};
use store::memory::MemoryStore;
use store::{
    Answer, Answering, Batch, Chunk, Direction, Due, Epoch, Error, Head, IndexRow, Loaded, Seq, ShardId, Store,
};

const WELL: u8 = 0;
/// The next commit is made, and nobody can tell.
const UNKNOWN_MADE: u8 = 1;
/// The next commit is not made, and nobody can tell.
const UNKNOWN_NOT_MADE: u8 = 2;
const FULL: u8 = 3;
/// Values cannot be read.
const UNREADABLE: u8 = 4;

struct Faulty {
    inner: MemoryStore,
    next: AtomicU8,
}

fn broken() -> Error {
    Error { doing: "do as it was told", source: "on purpose".into() }
}

impl Store for Faulty {
    fn commit(&self, batch: Batch) -> Answering<'_, Answer> {
        match self.next.compare_exchange(UNREADABLE, UNREADABLE, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => self.inner.commit(batch),
            Err(_) => match self.next.swap(WELL, Ordering::SeqCst) {
                UNKNOWN_MADE => Box::pin(async move {
                    assert!(matches!(self.inner.commit(batch).await, Answer::Committed));
                    Answer::Unknown(broken())
                }),
                UNKNOWN_NOT_MADE => Box::pin(std::future::ready(Answer::Unknown(broken()))),
                FULL => Box::pin(std::future::ready(Answer::Full)),
                _ => self.inner.commit(batch),
            },
        }
    }

    fn load(&self, id: Id) -> Answering<'_, Result<Option<Loaded>, Error>> {
        match self.next.load(Ordering::SeqCst) {
            UNREADABLE => Box::pin(std::future::ready(Err(broken()))),
            _ => self.inner.load(id),
        }
    }

    fn acquire(&self, shard: ShardId) -> Answering<'_, Result<Epoch, Error>> {
        self.inner.acquire(shard)
    }

    fn head(&self, id: Id) -> Answering<'_, Result<Option<Head>, Error>> {
        self.inner.head(id)
    }

    fn chunks(&self, id: Id, from: Seq, way: Direction, events: u32) -> Answering<'_, Result<Vec<Chunk>, Error>> {
        self.inner.chunks(id, from, way, events)
    }

    fn index(
        &self,
        list: Bytes,
        after: Option<Bytes>,
        way: Direction,
        limit: u32,
    ) -> Answering<'_, Result<Vec<IndexRow>, Error>> {
        self.inner.index(list, after, way, limit)
    }

    fn timers(&self, shard: ShardId, after: Option<Due>, limit: u32) -> Answering<'_, Result<Vec<Due>, Error>> {
        self.inner.timers(shard, after, limit)
    }

    fn owing(&self, shard: ShardId, after: Option<Id>, limit: u32) -> Answering<'_, Result<Vec<Id>, Error>> {
        self.inner.owing(shard, after, limit)
    }
}

/// Gives every task its parameters back.
struct Echo;

impl TaskPort for Echo {
    fn call<'a>(&'a self, _: &'a Runtime, call: TaskCall) -> Replying<'a> {
        Box::pin(std::future::ready(TaskReply::Succeeded(call.parameters)))
    }

    fn abandon<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }

    fn command_ended(&self, _: &fleet::Run) -> Result<Json, Failure> {
        Ok(Json::Null)
    }
}

struct World {
    store: Arc<Faulty>,
    runtime: Runtime,
    caller: Caller,
    machine: String,
}

impl World {
    async fn with(states: &str) -> World {
        let store = Arc::new(Faulty { inner: MemoryStore::default(), next: AtomicU8::new(WELL) });
        let runtime = Runtime::open(Config::default(), store.clone(), Arc::new(Echo)).await.expect("it opens");
        let caller = Caller::new("111111111111", "us-east-1");
        let create = StateMachineCreate {
            name: "net".to_owned(),
            definition: format!(r#"{{"StartAt":"A","States":{{{states}}}}}"#),
            role_arn: "arn:aws:iam::111111111111:role/r".to_owned(),
            kind: MachineKind::Standard,
            logging: None,
            tracing: None,
            encryption: None,
            tags: vec![],
            publish: None,
        };
        let machine = runtime.state_machine_create(&caller, create).await.expect("created").arn;
        World { store, runtime, caller, machine }
    }

    fn next(&self, fault: u8) {
        self.store.next.store(fault, Ordering::SeqCst);
    }

    async fn start(&self, name: &str) -> Result<String, Refusal> {
        self.start_with(name, "{}").await
    }

    async fn start_with(&self, name: &str, input: &str) -> Result<String, Refusal> {
        let start = ExecutionStart {
            machine_arn: self.machine.clone(),
            name: Some(name.to_owned()),
            input: Some(input.to_owned()),
            trace_header: None,
        };
        Ok(self.runtime.execution_start(&self.caller, start).await?.arn)
    }

    async fn ends(&self, name: &str) -> ExecutionStatus {
        let arn = self.machine.replace(":stateMachine:", ":execution:") + ":" + name;
        for _ in 0..500 {
            let execution = self.runtime.execution(&self.caller, &arn).await.expect("there");
            if execution.summary.status != ExecutionStatus::Running {
                return execution.summary.status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{arn} does not end");
    }
}

const WAIT: &str = r#""A":{"Type":"Wait","Seconds":1,"End":true}"#;
const TASK: &str = r#""A":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:ssm:getParameter","End":true}"#;

#[tokio::test]
async fn a_start_that_was_made_and_not_known_goes_on_and_is_found_by_asking_again() {
    for states in [WAIT, TASK] {
        let world = World::with(states).await;
        world.next(UNKNOWN_MADE);
        assert!(matches!(world.start("night").await, Err(Refusal::Unknown)));
        assert_eq!(world.ends("night").await, ExecutionStatus::Succeeded);
    }
}

#[tokio::test]
async fn a_start_that_was_not_made_can_be_made() {
    let world = World::with(WAIT).await;
    world.next(UNKNOWN_NOT_MADE);
    assert!(matches!(world.start("night").await, Err(Refusal::Unknown)));
    world.start("night").await.expect("started");
    assert_eq!(world.ends("night").await, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn an_alarm_and_an_outcome_that_could_not_be_committed_come_again() {
    for fault in [UNKNOWN_MADE, UNKNOWN_NOT_MADE, FULL] {
        let world = World::with(WAIT).await;
        world.start("night").await.expect("started");
        world.next(fault);
        assert_eq!(world.ends("night").await, ExecutionStatus::Succeeded, "{fault}");
    }
}

#[tokio::test]
async fn a_full_store_refuses_what_is_new_and_nothing_else() {
    let world = World::with(WAIT).await;
    world.start("night").await.expect("started");
    world.next(FULL);
    assert!(matches!(world.start("day").await, Err(Refusal::Full)));
    assert_eq!(world.ends("night").await, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn what_cannot_be_read_is_not_taken_for_absent() {
    let world = World::with(WAIT).await;
    world.start("night").await.expect("started");
    world.next(UNREADABLE);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(matches!(world.start("night").await, Err(Refusal::Internal(_))));
    world.next(WELL);
    assert_eq!(world.ends("night").await, ExecutionStatus::Succeeded);
}

#[tokio::test]
async fn a_childs_end_that_was_made_and_not_known_is_told() {
    let world = World::with(
        r#""A":{"Type":"Map","End":true,"ItemProcessor":{
            "ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
            "StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"End":true}}}}"#,
    )
    .await;
    world.start_with("night", "[1]").await.expect("started");
    // The child runs, and the next commit is its end.
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.next(UNKNOWN_MADE);
    assert_eq!(world.ends("night").await, ExecutionStatus::Succeeded);
}

/// As when the server was killed after the commit that gave the task up, and before what it had started was stopped.
#[tokio::test]
async fn what_a_task_started_and_nobody_waits_for_is_stopped_by_the_next_server() {
    let world = World::with(r#""A":{"Type":"Wait","Seconds":600,"End":true}"#).await;
    let starts = world.start("starts").await.expect("started");
    let task = fleet::Waiter { execution: Id::of("execution", &starts), task: 7 };
    for (name, waits) in [("waited-for", Some(Waits::Text)), ("on-its-own", None)] {
        let start = ExecutionStart {
            machine_arn: world.machine.clone(),
            name: Some(name.to_owned()),
            input: None,
            trace_header: None,
        };
        world.runtime.execution_start_by(&world.caller, start, Starter { task, waits }).await.expect("started");
    }
    let World { store, caller, machine, .. } = world;
    let runtime = Runtime::open(Config::default(), store.clone(), Arc::new(Echo)).await.expect("it opens");
    let world = World { store, runtime, caller, machine };
    assert_eq!(world.ends("waited-for").await, ExecutionStatus::Aborted);
    for name in ["starts", "on-its-own"] {
        let arn = world.machine.replace(":stateMachine:", ":execution:") + ":" + name;
        let execution = world.runtime.execution(&world.caller, &arn).await.expect("there");
        assert_eq!(execution.summary.status, ExecutionStatus::Running, "{name}");
    }
}
