//! State machines over time: their versions, their aliases and their end.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use asl::MachineKind;
use base::{Caller, Id, Json};
use bytes::Bytes;
use engine::Failure;
use futures_util::future::join_all;
use runtime::activities::ActivityCreate;
use runtime::aliases::{AliasCreate, AliasUpdate, Routing};
use runtime::executions::{Execution, ExecutionFilter, ExecutionStart, ExecutionStatus};
use runtime::machines::{MachineStatus, Publish, StateMachineCreate, StateMachineUpdate};
use runtime::refusal::TaskRefusal;
use runtime::tasks::{Replying, TaskCall, TaskPort};
use runtime::versions::VersionPublish;
use runtime::{Config, Page, Quotas, Refusal, Runtime};
use store::memory::MemoryStore;
use store::{
    Answer, Answering, Batch, Chunk, Direction, Due, Epoch, Error, Head, IndexRow, Kind, Loaded, Seq, ShardId, Store,
};
use tokio::sync::watch;

/// A store whose lists can be lost, and where executions can be kept from being committed.
struct Gated {
    inner: Arc<MemoryStore>,
    /// So many more lists can be read.
    lists: AtomicU32,
    gate: watch::Sender<Gate>,
}

#[derive(Clone, Copy, PartialEq)]
enum Gate {
    Open,
    Closed,
}

const EXECUTION: Kind = Kind(2);

impl Store for Gated {
    fn commit(&self, batch: Batch) -> Answering<'_, Answer> {
        let mut gate = self.gate.subscribe();
        Box::pin(async move {
            if batch.steps.iter().any(|step| step.kind == EXECUTION) {
                gate.wait_for(|gate| *gate == Gate::Open).await.expect("the store is there");
            }
            self.inner.commit(batch).await
        })
    }

    fn load(&self, id: Id) -> Answering<'_, Result<Option<Loaded>, Error>> {
        self.inner.load(id)
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
        let lost = Error { doing: "read a list", source: "on purpose".into() };
        match self.lists.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => self.inner.index(list, after, way, limit),
            Err(_) => Box::pin(std::future::ready(Err(lost))),
        }
    }

    fn timers(&self, shard: ShardId, after: Option<Due>, limit: u32) -> Answering<'_, Result<Vec<Due>, Error>> {
        self.inner.timers(shard, after, limit)
    }

    fn owing(&self, shard: ShardId, after: Option<Id>, limit: u32) -> Answering<'_, Result<Vec<Id>, Error>> {
        self.inner.owing(shard, after, limit)
    }
}

/// There are no tasks here.
struct Nobody;

impl TaskPort for Nobody {
    fn call<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> Replying<'a> {
        Box::pin(std::future::pending())
    }

    fn abandon<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }

    fn command_ended(&self, _: &fleet::Run) -> Result<Json, Failure> {
        Ok(Json::Null)
    }
}

struct World {
    store: Arc<Gated>,
    runtime: Runtime,
    caller: Caller,
}

const NET: &str = "arn:aws:states:us-east-1:111111111111:stateMachine:net";

/// A definition that waits as long as it is told and gives `result`.
fn definition(result: &str) -> String {
    format!(
        r#"{{"StartAt":"A","States":{{"A":{{"Type":"Wait","SecondsPath":"$.s","Next":"B"}},"B":{{"Type":"Pass","Result":"{result}","End":true}}}}}}"#
    )
}

fn routing(routes: &[(u64, u8)]) -> Vec<Routing> {
    routes
        .iter()
        .map(|(version, weight)| Routing { version_arn: format!("{NET}:{version}"), weight: *weight })
        .collect()
}

impl World {
    async fn new() -> World {
        let gate = watch::Sender::new(Gate::Open);
        let store = Arc::new(Gated { inner: Arc::new(MemoryStore::default()), lists: AtomicU32::new(u32::MAX), gate });
        let runtime = open(store.clone()).await;
        World { store, runtime, caller: Caller::new("111111111111", "us-east-1") }
    }

    /// Another server starts on what is durable.
    async fn restart(&mut self) {
        self.runtime = open(self.store.inner.clone()).await;
    }

    async fn create(&self, result: &str) -> Result<(), Refusal> {
        self.create_named("net", result).await
    }

    async fn create_named(&self, name: &str, result: &str) -> Result<(), Refusal> {
        let create = StateMachineCreate {
            name: name.to_owned(),
            definition: definition(result),
            role_arn: "arn:aws:iam::111111111111:role/r".to_owned(),
            kind: MachineKind::Standard,
            logging: None,
            tracing: None,
            encryption: None,
            tags: vec![],
            publish: None,
        };
        self.runtime.state_machine_create(&self.caller, create).await.map(drop)
    }

    async fn update(&self, result: &str, role: &str) {
        let update = StateMachineUpdate {
            arn: NET.to_owned(),
            definition: Some(definition(result)),
            role_arn: Some(format!("arn:aws:iam::111111111111:role/{role}")),
            logging: None,
            tracing: None,
            encryption: None,
            publish: None,
        };
        self.runtime.state_machine_update(&self.caller, update).await.expect("updated");
    }

    async fn publish(&self) -> String {
        let publish = VersionPublish { machine_arn: NET.to_owned(), revision: None, description: None };
        self.runtime.version_publish(&self.caller, publish).await.expect("published").arn
    }

    /// Versions 1 and 2, whose executions give `one` and `two`; the machine itself gives `three`.
    async fn three_revisions(&self) {
        self.create("one").await.expect("created");
        assert_eq!(self.publish().await, format!("{NET}:1"));
        self.update("two", "r2").await;
        assert_eq!(self.publish().await, format!("{NET}:2"));
        self.update("three", "r3").await;
    }

    async fn alias(&self, routes: &[(u64, u8)]) {
        let create = AliasCreate { name: "PROD".to_owned(), description: None, routing: routing(routes) };
        self.runtime.alias_create(&self.caller, create).await.expect("created");
    }

    async fn start(&self, machine: &str, name: Option<&str>, seconds: u32) -> Result<String, Refusal> {
        let start = ExecutionStart {
            machine_arn: machine.to_owned(),
            name: name.map(str::to_owned),
            input: Some(format!(r#"{{"s":{seconds}}}"#)),
            trace_header: None,
        };
        Ok(self.runtime.execution_start(&self.caller, start).await?.arn)
    }

    async fn ended(&self, arn: &str) -> Execution {
        for _ in 0..500 {
            let execution = self.runtime.execution(&self.caller, arn).await.expect("there");
            if execution.summary.status != ExecutionStatus::Running {
                return execution;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{arn} does not end");
    }

    /// What an execution of `machine` gave, and by which version and alias it was started.
    async fn ran(&self, machine: &str) -> String {
        let arn = self.start(machine, None, 0).await.expect("started");
        self.told(&arn).await
    }

    async fn told(&self, arn: &str) -> String {
        let execution = self.ended(arn).await;
        let short = |arn: Option<String>| arn.map_or("-".to_owned(), |arn| arn.replace(NET, ""));
        let summary = execution.summary;
        format!("{} {} {}", execution.output.unwrap_or_default(), short(summary.version_arn), short(summary.alias_arn))
    }

    async fn listed(&self, machine: &str) -> Vec<String> {
        let filter = ExecutionFilter { machine_arn: Some(machine.to_owned()), ..ExecutionFilter::default() };
        let page = Page { limit: 1000, token: None };
        let listed = self.runtime.execution_list(&self.caller, filter, page).await.expect("listed");
        let mut names: Vec<String> = listed.items.into_iter().map(|item| item.name).collect();
        names.sort();
        names
    }

    /// Waits until the machine is gone.
    async fn gone(&self) {
        for _ in 0..500 {
            match self.runtime.state_machine(&self.caller, NET).await {
                Ok(machine) => assert_eq!(machine.status, MachineStatus::Deleting),
                Err(Refusal::StateMachineDoesNotExist(_)) => return,
                Err(refusal) => panic!("{refusal}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the machine does not go");
    }
}

/// Of each, as many as the tests have at a time.
const QUOTAS: Quotas = Quotas { state_machines_max: 3, activities_max: 3, open_executions_max: 70, ..Quotas::OF_AWS };

async fn open(store: Arc<dyn Store>) -> Runtime {
    let config = Config { quotas: QUOTAS, ..Config::default() };
    Runtime::open(config, store, Arc::new(Nobody)).await.expect("a store in memory opens")
}

#[tokio::test]
async fn an_execution_runs_what_its_arn_names() {
    let mut world = World::new().await;
    world.three_revisions().await;
    world.alias(&[(1, 100)]).await;
    for _ in 0..2 {
        assert_eq!(world.ran(NET).await, r#""three" - -"#);
        assert_eq!(world.ran(&format!("{NET}:1")).await, r#""one" :1 -"#);
        assert_eq!(world.ran(&format!("{NET}:2")).await, r#""two" :2 -"#);
        assert_eq!(world.ran(&format!("{NET}:PROD")).await, r#""one" :1 :PROD"#);
        world.restart().await;
    }
    for missing in ["3", "TEST", "0", "01", ""] {
        let arn = format!("{NET}:{missing}");
        assert!(
            matches!(world.start(&arn, None, 0).await, Err(Refusal::StateMachineDoesNotExist(told)) if told == arn)
        );
    }
    assert!(matches!(world.start(&format!("{NET}/label"), None, 0).await, Err(Refusal::ValidationFor { .. })));
}

#[tokio::test]
async fn an_execution_keeps_its_version_when_the_alias_moves_on() {
    let world = World::new().await;
    world.three_revisions().await;
    world.alias(&[(1, 100)]).await;
    let prod = format!("{NET}:PROD");
    let before = world.start(&prod, Some("night"), 1).await.expect("started");
    let update = AliasUpdate { arn: prod.clone(), description: None, routing: Some(routing(&[(2, 100)])) };
    world.runtime.alias_update(&world.caller, update).await.expect("updated");
    assert_eq!(world.start(&prod, Some("night"), 1).await.expect("the same"), before);
    world.runtime.version_delete(&world.caller, &format!("{NET}:1")).await.expect("nothing leads to it");
    assert_eq!(world.ran(&prod).await, r#""two" :2 :PROD"#);
    assert_eq!(world.told(&before).await, r#""one" :1 :PROD"#);
    let shown = world.runtime.state_machine_for_execution(&world.caller, &before).await.expect("there");
    assert_eq!((shown.definition, shown.role_arn), (definition("one"), "arn:aws:iam::111111111111:role/r".to_owned()));
}

#[tokio::test]
async fn an_alias_with_two_versions_starts_both() {
    let world = World::new().await;
    world.three_revisions().await;
    world.alias(&[(1, 50), (2, 50)]).await;
    let mut seen = BTreeSet::new();
    for _ in 0..60 {
        seen.insert(world.ran(&format!("{NET}:PROD")).await);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [r#""one" :1 :PROD"#, r#""two" :2 :PROD"#]);
}

#[tokio::test]
async fn executions_are_listed_by_what_started_them() {
    let world = World::new().await;
    world.three_revisions().await;
    world.alias(&[(1, 100)]).await;
    for (name, by) in [("whole", ""), ("first", ":1"), ("second", ":2"), ("prod", ":PROD")] {
        world.start(&format!("{NET}{by}"), Some(name), 60).await.expect("started");
    }
    assert_eq!(world.listed(NET).await, ["first", "prod", "second", "whole"]);
    assert_eq!(world.listed(&format!("{NET}:1")).await, ["first", "prod"]);
    assert_eq!(world.listed(&format!("{NET}:2")).await, ["second"]);
    assert_eq!(world.listed(&format!("{NET}:PROD")).await, ["prod"]);
    let filter = ExecutionFilter { machine_arn: Some(format!("{NET}:9")), ..ExecutionFilter::default() };
    let page = Page { limit: 10, token: None };
    assert!(matches!(
        world.runtime.execution_list(&world.caller, filter, page).await,
        Err(Refusal::StateMachineDoesNotExist(_))
    ));
}

#[tokio::test]
async fn what_runs_of_a_deleted_machine_is_aborted_and_then_it_is_gone() {
    let world = World::new().await;
    world.three_revisions().await;
    world.alias(&[(1, 100)]).await;
    let mut running = vec![];
    for by in ["", ":1", ":PROD"] {
        running.push(world.start(&format!("{NET}{by}"), None, 600).await.expect("started"));
    }
    world.runtime.state_machine_delete(&world.caller, NET).await.expect("deleted");
    world.gone().await;
    for arn in &running {
        let execution = world.ended(arn).await;
        assert_eq!(execution.summary.status, ExecutionStatus::Aborted);
        assert_eq!(execution.failure, Some(Failure::default()));
    }
    world.runtime.state_machine_delete(&world.caller, NET).await.expect("deleted already");
    world.create("four").await.expect("made again");
    assert_eq!(world.ran(NET).await, r#""four" - -"#);
    assert!(world.start(&format!("{NET}:1"), None, 0).await.is_err(), "versions went with the machine");
    assert!(world.runtime.alias(&world.caller, &format!("{NET}:PROD")).await.is_err(), "aliases as well");
    assert_eq!(world.publish().await, format!("{NET}:1"));
}

#[tokio::test]
async fn a_machine_that_is_being_deleted_takes_nothing_new_and_goes_after_a_restart() {
    let mut world = World::new().await;
    world.three_revisions().await;
    world.alias(&[(1, 100)]).await;
    let running = world.start(NET, None, 600).await.expect("started");
    // Whether anything runs can be seen; what runs cannot.
    world.store.lists.store(1, Ordering::SeqCst);
    world.runtime.state_machine_delete(&world.caller, NET).await.expect("begun");
    let shown = world.runtime.state_machine(&world.caller, NET).await.expect("there");
    assert_eq!(shown.status, MachineStatus::Deleting);
    let deleting = |refusal: Option<Refusal>| matches!(refusal, Some(Refusal::StateMachineDeleting(arn)) if arn == NET);
    assert!(deleting(world.start(NET, None, 0).await.err()));
    assert!(deleting(world.start(&format!("{NET}:PROD"), None, 0).await.err()));
    assert!(deleting(world.create("three").await.err()));
    let publish = VersionPublish { machine_arn: NET.to_owned(), revision: None, description: None };
    assert!(deleting(world.runtime.version_publish(&world.caller, publish).await.err()));
    let page = Page { limit: 10, token: None };
    assert!(deleting(world.runtime.alias_list(&world.caller, NET, page).await.err()));
    world.restart().await;
    world.gone().await;
    assert_eq!(world.ended(&running).await.summary.status, ExecutionStatus::Aborted);
    world.create("four").await.expect("made again");
}

#[tokio::test]
async fn what_was_being_started_when_its_machine_was_deleted_is_aborted() {
    let world = World::new().await;
    world.three_revisions().await;
    world.store.gate.send_replace(Gate::Closed);
    let (started, ()) = tokio::join!(world.start(NET, Some("late"), 600), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.runtime.state_machine_delete(&world.caller, NET).await.expect("nothing runs");
        world.store.gate.send_replace(Gate::Open);
    });
    assert!(matches!(started, Err(Refusal::StateMachineDoesNotExist(arn)) if arn == NET));
    let late = "arn:aws:states:us-east-1:111111111111:execution:net:late";
    assert_eq!(world.ended(late).await.summary.status, ExecutionStatus::Aborted);
}

#[tokio::test]
async fn creating_and_publishing_are_one() {
    let world = World::new().await;
    let create = |description: &str| StateMachineCreate {
        name: "net".to_owned(),
        definition: definition("one"),
        role_arn: "arn:aws:iam::111111111111:role/r".to_owned(),
        kind: MachineKind::Standard,
        logging: None,
        tracing: None,
        encryption: None,
        tags: vec![],
        publish: Some(Publish { description: Some(description.to_owned()) }),
    };
    let created = world.runtime.state_machine_create(&world.caller, create("first")).await.expect("created");
    assert_eq!(created.published, Some(format!("{NET}:1")));
    let again = world.runtime.state_machine_create(&world.caller, create("first")).await.expect("the same");
    assert_eq!((again.published, again.created), (created.published, created.created));
    let other = world.runtime.state_machine_create(&world.caller, create("second")).await;
    assert!(matches!(other, Err(Refusal::StateMachineAlreadyExists(_))));
    let version = world.runtime.state_machine(&world.caller, &format!("{NET}:1")).await.expect("there");
    assert_eq!((version.arn, version.name), (format!("{NET}:1"), "net".to_owned()));
    assert_eq!((version.description.as_deref(), version.revision), (Some("first"), None));
}

#[tokio::test]
async fn versions_and_aliases_are_listed_in_pages() {
    let world = World::new().await;
    world.create("0").await.expect("created");
    for number in 1..=5 {
        world.publish().await;
        world.update(&number.to_string(), "r").await;
    }
    for (name, version) in [("c", 1), ("a", 2), ("b", 1), ("d", 3)] {
        let create = AliasCreate { name: name.to_owned(), description: None, routing: routing(&[(version, 100)]) };
        world.runtime.alias_create(&world.caller, create).await.expect("created");
    }
    let (mut listed, mut token) = (vec![], None);
    loop {
        let page = Page { limit: 2, token };
        let found = world.runtime.version_list(&world.caller, NET, page).await.expect("listed");
        listed.extend(found.items.into_iter().map(|version| version.arn.replace(NET, "")));
        token = found.next;
        if token.is_none() {
            break;
        }
        // What a page ended with may be gone when the next is asked for.
        let last = format!("{NET}{}", listed.last().expect("a page is not empty"));
        let _kept = world.runtime.version_delete(&world.caller, &last).await;
    }
    assert_eq!(listed, [":5", ":4", ":3", ":2", ":1"]);
    let names = async |arn: &str, token: Option<String>| {
        let page = Page { limit: 2, token };
        let found = world.runtime.alias_list(&world.caller, arn, page).await.expect("listed");
        (found.items.into_iter().map(|alias| alias.name).collect::<String>(), found.next)
    };
    let (first, token) = names(NET, None).await;
    let (second, end) = names(NET, token.clone()).await;
    assert_eq!((first.as_str(), second.as_str(), end), ("ca", "bd", None));
    assert_eq!(names(&format!("{NET}:1"), None).await, ("cb".to_owned(), None));
    let page = Page { limit: 2, token };
    assert!(matches!(
        world.runtime.alias_list(&world.caller, &format!("{NET}:1"), page).await,
        Err(Refusal::InvalidToken)
    ));
}

#[tokio::test]
async fn there_are_never_more_state_machines_than_the_quota() {
    let mut world = World::new().await;
    let world_now = &world;
    let created =
        join_all((0..9).map(|n| async move { world_now.create_named(&format!("net-{n}"), "one").await })).await;
    let (made, refused): (Vec<_>, Vec<_>) = created.into_iter().enumerate().partition(|(_, created)| created.is_ok());
    assert_eq!(made.len(), 3);
    assert!(refused.iter().all(|(_, refused)| matches!(refused, Err(Refusal::StateMachineLimitExceeded))));
    let there = format!("net-{}", made[0].0);
    world.create_named(&there, "one").await.expect("it is there already");
    assert!(matches!(world.create_named(&there, "two").await, Err(Refusal::StateMachineAlreadyExists(_))));
    world.restart().await;
    assert!(matches!(world.create_named("one-more", "one").await, Err(Refusal::StateMachineLimitExceeded)));
    let gone = NET.replace("net", &there);
    world.runtime.state_machine_delete(&world.caller, &gone).await.expect("deleted");
    world.create_named("one-more", "one").await.expect("there is room");
    assert!(matches!(world.create_named(&there, "one").await, Err(Refusal::StateMachineLimitExceeded)));
    world.caller = Caller::new("222222222222", "us-east-1");
    world.create_named("other", "one").await.expect("every account has room of its own");
}

#[tokio::test]
async fn there_are_never_more_activities_than_the_quota() {
    let world = World::new().await;
    let create = |name: &str, encryption: Option<&str>, tag: &str| {
        let encryption = encryption.map(|text| Json::parse(text).expect("a test's JSON"));
        let tags = vec![(tag.to_owned(), String::new())];
        world.runtime.activity_create(&world.caller, ActivityCreate { name: name.to_owned(), encryption, tags })
    };
    assert!(matches!(create("a", None, "aws:team").await, Err(Refusal::Validation(_))));
    let keyless = Some(r#"{"type":"CUSTOMER_MANAGED_KMS_KEY"}"#);
    assert!(matches!(create("a", keyless, "team").await, Err(Refusal::InvalidEncryptionConfiguration(_))));
    for name in ["a", "b", "c", "a"] {
        create(name, None, "team").await.expect("there is room");
    }
    let full = create("d", None, "team").await;
    assert!(matches!(full, Err(Refusal::Task(TaskRefusal::ActivityLimitExceeded))));
    let first = create("a", None, "team").await.expect("it is there already");
    world.runtime.activity_delete(&world.caller, &first.arn).await.expect("deleted");
    create("d", None, "team").await.expect("there is room");
}

#[tokio::test]
async fn there_are_never_more_open_executions_than_the_quota() {
    let world = World::new().await;
    world.create("one").await.expect("created");
    let world = &world;
    let names: Vec<String> = (0..90).map(|n| format!("run-{n}")).collect();
    let started = join_all(names.iter().map(|name| world.start(NET, Some(name), 600))).await;
    let running: Vec<&String> = started.iter().filter_map(|started| started.as_ref().ok()).collect();
    assert_eq!(running.len(), 70);
    let exceeded = |started: &Result<String, Refusal>| matches!(started, Err(Refusal::ExecutionLimitExceeded));
    assert_eq!(started.iter().filter(|started| exceeded(started)).count(), 20);
    assert!(exceeded(&world.start(NET, None, 0).await));
    let name = running[0].rsplit(':').next().expect("an ARN has a name");
    assert_eq!(&world.start(NET, Some(name), 600).await.expect("it runs already"), running[0]);
    for arn in &running[..2] {
        world.runtime.execution_stop(&world.caller, arn, Failure::default()).await.expect("stopped");
    }
    assert!(world.start(NET, None, 600).await.is_ok());
    assert!(world.start(NET, None, 600).await.is_ok());
    assert!(exceeded(&world.start(NET, None, 600).await));
}
