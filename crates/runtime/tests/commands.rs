//! Commands between servers, agents and groups: what is offered to whom, and when.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use api::agent::{AttemptReport, AttemptState, Ended, Finished, FromAgent, Hello, Offer, PROTOCOL, ToAgent};
use base::{Caller, Json};
use engine::Failure;
use runtime::agents::{AgentLink, Comes, Session};
use runtime::commands::CommandSend;
use runtime::directories::Changing;
use runtime::directory::{Group, Member, Policy};
use runtime::tasks::{Replying, TaskCall, TaskPort, TaskReply};
use runtime::{Config, Runtime};
use store::Store;
use store::memory::MemoryStore;

struct NoTasks;

impl TaskPort for NoTasks {
    fn call<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> Replying<'a> {
        Box::pin(std::future::ready(TaskReply::Failed(Failure::default())))
    }

    fn abandon<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }

    fn command_ended(&self, _: &fleet::Run) -> Result<Json, Failure> {
        Ok(Json::Null)
    }
}

const A: &str = "mi-0123456789abcdef0";
const B: &str = "mi-0123456789abcdef1";

/// A server on a store that outlives it.
struct World {
    store: Arc<MemoryStore>,
    runtime: Runtime,
    caller: Caller,
    incarnation: u64,
}

impl World {
    async fn new() -> World {
        let store = Arc::new(MemoryStore::default());
        let runtime = open(&store).await;
        World { store, runtime, caller: Caller::new("111111111111", "us-east-1"), incarnation: 0 }
    }

    /// The server is gone; another starts on the same store.
    async fn restart(&mut self) {
        self.runtime = open(&self.store).await;
    }

    async fn agent(&mut self, instance_id: &str, attempts: &[(&str, AttemptState)]) -> Agent {
        self.incarnation += 1;
        let report =
            |(attempt, state): &(&str, AttemptState)| AttemptReport { attempt: (*attempt).to_owned(), state: *state };
        let hello = Hello {
            protocol: PROTOCOL,
            instance_id: instance_id.to_owned(),
            name: instance_id.to_owned(),
            agent_version: "0.1.0".into(),
            platform_type: "Linux".into(),
            platform_name: "Debian GNU/Linux".into(),
            platform_version: "13".into(),
            ip: None,
            computer_name: "web".into(),
            boot_id: "b".into(),
            incarnation: self.incarnation,
            attempts: attempts.iter().map(report).collect(),
            credentials: None,
            concurrency_max: None,
        };
        let link = self.runtime.agent_connect(&self.caller, hello, Comes::FromThisHost).await.expect("let in");
        Agent { runtime: self.runtime.clone(), session: link.session(), link }
    }

    async fn group(&self, members: &[&str], concurrency_max: Option<u32>) {
        let members = members.iter().map(|agent| Member { agent: (*agent).into(), priority: 1 }).collect();
        let group = Group {
            name: "nightly".into(),
            description: String::new(),
            members,
            policy: Policy::Balance,
            concurrency_max,
        };
        self.runtime.agent_group_put(&self.caller, group, Changing::default()).await.expect("put");
    }

    async fn send(&self, target: (&str, &str)) -> fleet::Run {
        let send = CommandSend {
            document_name: "AWS-RunShellScript".into(),
            parameters: BTreeMap::from([("commands".to_owned(), vec!["true".to_owned()])]),
            targets: vec![fleet::Target { key: target.0.to_owned(), values: vec![target.1.to_owned()] }],
            ..CommandSend::default()
        };
        self.runtime.command_send(&self.caller, send).await.expect("sent")
    }
}

async fn open(store: &Arc<MemoryStore>) -> Runtime {
    let store: Arc<dyn Store> = store.clone();
    Runtime::open(Config::default(), store, Arc::new(NoTasks)).await.expect("a store in memory opens")
}

struct Agent {
    runtime: Runtime,
    session: Session,
    link: AgentLink,
}

impl Agent {
    async fn say(&self, message: FromAgent) {
        self.runtime.agent_message(&self.session, message).await.expect("taken");
    }

    /// The next offer, if there is one.
    async fn offer(&mut self) -> Option<Offer> {
        loop {
            match tokio::time::timeout(Duration::from_millis(300), self.link.outgoing.recv()).await {
                Ok(Some(ToAgent::Offer(offer))) => return Some(offer),
                Ok(Some(_)) => (),
                Ok(None) => panic!("disconnected"),
                Err(_) => return None,
            }
        }
    }

    async fn finish(&self, attempt: &str) {
        self.say(FromAgent::Accepted { attempt: attempt.to_owned() }).await;
        let finished = Finished {
            attempt: attempt.to_owned(),
            ended: Ended::ExitCode(0),
            stdout: String::new(),
            stderr: String::new(),
            stdout_truncated: false,
            stderr_truncated: false,
            started_at: None,
            finished_at: None,
            verdict: Default::default(),
            steps: vec![],
        };
        self.say(FromAgent::Finished(finished)).await;
    }
}

#[tokio::test]
async fn a_group_has_as_many_slots_after_a_restart_as_before() {
    let mut world = World::new().await;
    let mut a = world.agent(A, &[]).await;
    world.group(&[A], Some(1)).await;
    for _ in 0..3 {
        world.send(("dandori:AgentGroup", "nightly")).await;
    }
    let first = a.offer().await.expect("one is offered");
    assert_eq!(a.offer().await, None, "one at a time");

    world.restart().await;
    let mut a = world.agent(A, &[]).await;
    assert_eq!(a.offer().await.expect("it is owed").attempt, first.attempt);
    assert_eq!(a.offer().await, None, "one at a time");

    a.finish(&first.attempt).await;
    let second = a.offer().await.expect("the next has the slot");
    assert_ne!(second.attempt, first.attempt);
    assert_eq!(a.offer().await, None, "one at a time");
    world.group(&[A], None).await;
    let third = a.offer().await.expect("without a limit nobody waits");
    for attempt in [&second.attempt, &third.attempt] {
        a.finish(attempt).await;
    }
    assert_eq!(a.offer().await, None);
}

#[tokio::test]
async fn what_waits_on_a_deregistered_instance_ends() {
    let mut world = World::new().await;
    drop(world.agent(A, &[]).await);
    let run = world.send(("InstanceIds", A)).await;
    world.runtime.instance_deregister(&world.caller, A).await.expect("deregistered");
    let command_id = run.sent().expect("it was sent").0.command.to_string();
    for _ in 0..100 {
        if world.runtime.command(&world.caller, &command_id).await.expect("it is there").is_terminal() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.restart().await;
    let run = world.runtime.command(&world.caller, &command_id).await.expect("it is there");
    assert_eq!(run.invocations()[0].status().details(), "Undeliverable");
}

#[tokio::test]
async fn what_is_no_target_is_told_what_is() {
    let world = World::new().await;
    let values = vec!["a".to_owned()];
    let refusal = world.runtime.instances_by_target(&world.caller, "Name", &values).await.expect_err("no such key");
    for key in ["InstanceIds", "tag:KEY", "tag-key", "dandori:Agent", "dandori:AgentGroup", "resource-groups:Name"] {
        assert!(refusal.to_string().contains(&format!("'{key}'")), "{refusal}");
    }
}

#[tokio::test]
async fn what_was_sent_under_an_id_is_not_refused_when_it_is_sent_again() {
    let mut world = World::new().await;
    let _a = world.agent(A, &[]).await;
    let send = || CommandSend {
        command_id: Some("0b1c2d3e-0000-4000-8000-000000000001".into()),
        document_name: "AWS-RunShellScript".into(),
        parameters: BTreeMap::from([("commands".to_owned(), vec!["true".to_owned()])]),
        instance_ids: vec![A.into()],
        ..CommandSend::default()
    };
    let first = world.runtime.command_send(&world.caller, send()).await.expect("sent");
    world.runtime.instance_deregister(&world.caller, A).await.expect("deregistered");
    world.restart().await;
    let again = world.runtime.command_send(&world.caller, send()).await.expect("it was sent");
    assert_eq!(again.sent().map(|(_, at)| at), first.sent().map(|(_, at)| at));
}

#[tokio::test]
async fn an_agent_has_no_more_offers_than_it_can_have_and_gets_all() {
    let mut world = World::new().await;
    let mut a = world.agent(A, &[]).await;
    for _ in 0..250 {
        world.send(("InstanceIds", A)).await;
    }
    let mut waiting = vec![];
    while let Some(offer) = a.offer().await {
        waiting.push(offer.attempt);
    }
    assert_eq!(waiting.len(), 100);
    let mut done = 0;
    while let Some(attempt) = waiting.pop() {
        a.finish(&attempt).await;
        done += 1;
        if waiting.is_empty() {
            while let Some(offer) = a.offer().await {
                waiting.push(offer.attempt);
            }
        }
    }
    assert_eq!(done, 250);
}

#[tokio::test]
async fn several_targets_are_all_meant_and_a_target_of_nobody_is_a_command_to_nobody() {
    let mut world = World::new().await;
    let (_a, _b) = (world.agent(A, &[]).await, world.agent(B, &[]).await);
    world.group(&[A, B], None).await;
    let send = |targets: Vec<(&str, &str)>| CommandSend {
        document_name: "AWS-RunShellScript".into(),
        parameters: BTreeMap::from([("commands".to_owned(), vec!["true".to_owned()])]),
        targets: targets
            .into_iter()
            .map(|(key, value)| fleet::Target { key: key.to_owned(), values: vec![value.to_owned()] })
            .collect(),
        ..CommandSend::default()
    };
    let sent = async |targets| world.runtime.command_send(&world.caller, send(targets)).await.expect("sent");
    let both = sent(vec![("resource-groups:Name", "nightly"), ("InstanceIds", B)]).await;
    let on: Vec<_> = both.invocations().iter().map(|invocation| invocation.instance.to_string()).collect();
    assert_eq!(on, [B]);
    let nobody = sent(vec![("tag:nobody", "has this")]).await;
    assert_eq!(nobody.status(), fleet::CommandStatus::NoInstancesInTag);
}

#[tokio::test]
async fn every_attempt_that_an_agent_knows_is_answered() {
    let mut world = World::new().await;
    drop(world.agent(A, &[]).await);
    let run = world.send(("InstanceIds", A)).await;
    let command = run.sent().expect("sent").0.command.to_string();
    // One that was never made, as of another server's copy, beside the present one.
    let (present, strange) = (format!("{command}.{A}.1"), format!("{command}.{A}.7"));
    let mut a = world.agent(A, &[(&present, AttemptState::Accepted), (&strange, AttemptState::Accepted)]).await;
    let (mut gone, mut forgotten) = (vec![], vec![]);
    while let Ok(Some(message)) = tokio::time::timeout(Duration::from_millis(300), a.link.outgoing.recv()).await {
        match message {
            ToAgent::Go { attempt } => gone.push(attempt),
            ToAgent::Acknowledged { attempt } => forgotten.push(attempt),
            _ => (),
        }
    }
    assert!(!gone.is_empty() && gone.iter().all(|attempt| *attempt == present), "{gone:?}");
    assert_eq!(forgotten, [strange]);
}
