//! States put to the test on a whole runtime, whose tasks do as they are told here.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use base::{Caller, Json};
use engine::Failure;
use engine::test_state::Outcome;
use runtime::Runtime;
use runtime::tasks::{Replying, TaskCall, TaskPort, TaskReply};
use runtime::test_state::StateTest;
use store::memory::MemoryStore;
use tokio::time::Instant;

/// Does what the task's parameters say.
struct Tasks;

impl TaskPort for Tasks {
    fn call<'a>(&'a self, _: &'a Runtime, call: TaskCall) -> Replying<'a> {
        Box::pin(async move {
            match call.parameters.as_str() {
                Some("panic") => panic!("as told"),
                Some("sleep") => std::future::pending().await,
                _ => TaskReply::Succeeded(call.parameters),
            }
        })
    }

    fn abandon<'a>(&'a self, _: &'a Runtime, _: TaskCall) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }

    fn command_ended(&self, _: &fleet::Run) -> Result<Json, Failure> {
        Err(Failure::default())
    }
}

const TASK: &str = r#"{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:ssm:sendCommand","End":true}"#;

/// Tests the state, and tells what came of it and how many seconds it took.
async fn run(definition: &str, input: &str) -> (Outcome, u64) {
    let runtime = Runtime::open(runtime::Config::default(), Arc::new(MemoryStore::new()), Arc::new(Tasks))
        .await
        .expect("a store in memory opens");
    let request = StateTest {
        definition: definition.into(),
        role_arn: Some("arn:aws:iam::111111111111:role/r".into()),
        input: Some(input.into()),
        ..StateTest::default()
    };
    let began = Instant::now();
    let tested = runtime.state_test(&Caller::new("111111111111", "us-east-1"), request).await.expect("a test");
    (tested.outcome, began.elapsed().as_secs())
}

fn failed(error: &str) -> Outcome {
    Outcome::Failed { failure: Failure::named(error) }
}

#[tokio::test(start_paused = true)]
async fn a_task_is_done_and_gives_its_result() {
    let (outcome, _) = run(TASK, "[1]").await;
    assert_eq!(outcome, Outcome::Succeeded { output: Json::array([1u64.into()]), next: None });
}

#[tokio::test(start_paused = true)]
async fn a_test_ends_after_five_minutes_or_when_its_task_says() {
    assert_eq!(run(TASK, r#""sleep""#).await, (failed("States.Timeout"), 300));
    let short = TASK.replace("\"End\"", "\"TimeoutSeconds\":7,\"End\"");
    assert_eq!(run(&short, r#""sleep""#).await, (failed("States.Timeout"), 7));
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_panics_fails_its_test_only() {
    let (outcome, _) = run(TASK, r#""panic""#).await;
    let Outcome::Failed { failure } = outcome else { panic!("it failed") };
    assert_eq!(failure.error.as_deref(), Some("States.TaskFailed"));
}

#[tokio::test(start_paused = true)]
async fn a_wait_waits() {
    let wait = |seconds: u64| format!(r#"{{"Type":"Wait","Seconds":{seconds},"Next":"N"}}"#);
    let began = Instant::now();
    let (outcome, seconds) = run(&wait(60), "1").await;
    assert_eq!((outcome, seconds), (Outcome::Succeeded { output: 1u64.into(), next: Some("N".into()) }, 60));
    assert!(began.elapsed() >= Duration::from_secs(60));
    assert_eq!(run(&wait(301), "1").await, (failed("States.Timeout"), 0));
}
