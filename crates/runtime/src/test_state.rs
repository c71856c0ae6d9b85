//! The use case of testing one state (`TestState`). Nothing of it is kept.
//!
//! What the state does is decided in [`engine::test_state`]; here its task is called and its time passes. A mocked
//! result is not compared with the service's model, whatever `fieldValidationMode` asks for: this version has no
//! models.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use asl::{Body, LoneState, MapMode, Name, Pattern, Resource, State, StateKind, StateRefusal};
use base::{Caller, Id, Json, Timestamp};
use engine::test_state::{self, Call, Next, Test, Tested};
use engine::{Failure, TaskId};
use tokio::sync::Semaphore;

use crate::configuration::valid_role;
use crate::refusal::Refusal;
use crate::tasks::{TaskCall, TaskReply};
use crate::{Runtime, clock};

/// `TestState`. Texts are JSON that was not read yet.
#[derive(Debug, Clone, Default)]
pub struct StateTest {
    /// One state; or, with a `state_name`, a state machine.
    pub definition: String,
    pub state_name: Option<String>,
    pub role_arn: Option<String>,
    /// `{}` when not given.
    pub input: Option<String>,
    /// Made up when not given.
    pub context: Option<String>,
    pub variables: Option<String>,
    pub mock: Option<StateMock>,
    pub reveal_secrets: bool,
    /// How often the retrier that applies was used.
    pub retrier_retry_count: u32,
    /// Which state inside a Map or a Parallel the mocked error is of.
    pub error_caused_by: Option<String>,
    pub map_iteration_failure_count: Option<u64>,
    pub map_item_reader_data: Option<String>,
}

/// What a state's work gives; exactly one of both.
#[derive(Debug, Clone, Default)]
pub struct StateMock {
    pub result: Option<String>,
    pub failure: Option<Failure>,
}

/// Why a state was not tested.
#[derive(Debug, thiserror::Error)]
pub enum StateTestRefusal {
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// AWS's `InvalidDefinition`; the text is complete.
    #[error("{0}")]
    Unsupported(&'static str),
}

/// A test that takes longer fails.
const TEST_SECONDS_MAX: u64 = 300;

/// Tests under way at a time; the rest wait for their turn.
const TESTS_MAX: usize = 100;

static TURNS: Semaphore = Semaphore::const_new(TESTS_MAX);

impl Runtime {
    /// Runs one state and tells what came of it.
    pub async fn state_test(&self, caller: &Caller, request: StateTest) -> Result<Tested, StateTestRefusal> {
        let started = self.inner.world.now();
        let arn = tested_arn(caller);
        let test = test(caller, &arn, request, started, self.inner.world.limits.payload_bytes_max)?;
        let _turn = TURNS.acquire().await.map_err(|_| Refusal::Unknown)?;
        match test_state::begin(&test, started, clock::entropy()) {
            Ok(Next::Over(tested)) => Ok(*tested),
            Ok(Next::Wait { trial, due }) => Ok(trial.wait_over(wait(started, due).await)),
            Ok(Next::Call { trial, call }) => Ok(trial.task_over(self.call_once(caller, arn, call).await)),
            Err(test_state::Refusal::Unsupported(why)) => Err(StateTestRefusal::Unsupported(why)),
            Err(test_state::Refusal::Invalid(why)) => Err(Refusal::Validation(why).into()),
        }
    }

    /// Has the task done, in the time that it or the test has.
    async fn call_once(&self, caller: &Caller, arn: Arc<str>, call: Call) -> Result<Json, Failure> {
        let Call { resource, parameters, credentials, timeout_seconds } = call;
        let seconds = timeout_seconds.unwrap_or(TEST_SECONDS_MAX).min(TEST_SECONDS_MAX);
        let call = TaskCall {
            caller: caller.clone(),
            execution: Id::of("test", &arn),
            execution_arn: arn,
            task: TaskId(0),
            resource,
            parameters,
            credentials,
        };
        let (runtime, tasks) = (self.clone(), self.inner.world.tasks.clone());
        let called = tokio::spawn(async move { tasks.call(&runtime, call).await });
        let abort = called.abort_handle();
        match tokio::time::timeout(Duration::from_secs(seconds), called).await {
            Ok(Ok(TaskReply::Succeeded(result))) => Ok(result),
            Ok(Ok(TaskReply::Failed(failure))) => Err(failure),
            // A panic in a connector fails its task, and nothing else.
            Ok(Ok(TaskReply::Submitted(_) | TaskReply::Again) | Err(_)) => {
                Err(Failure::new("States.TaskFailed", "The task's connector failed."))
            }
            Err(_) => {
                abort.abort();
                Err(Failure::named("States.Timeout"))
            }
        }
    }
}

/// Lets the time pass; what would take too long is over at once, since its end is known.
async fn wait(now: Timestamp, due: Timestamp) -> Result<(), Failure> {
    let ms = u64::try_from(due.0.saturating_sub(now.0)).unwrap_or(0);
    if ms > TEST_SECONDS_MAX * 1000 {
        return Err(Failure::named("States.Timeout"));
    }
    tokio::time::sleep(Duration::from_millis(ms)).await;
    Ok(())
}

/// As AWS names the execution that a test would be in.
fn tested_arn(caller: &Caller) -> Arc<str> {
    format!("arn:aws:states:{}:{}:express:{}:{}", caller.region, caller.account, clock::uuid(), clock::uuid()).into()
}

/// What is to be tested, if the request makes sense.
fn test(
    caller: &Caller,
    arn: &str,
    request: StateTest,
    now: Timestamp,
    payload_bytes_max: usize,
) -> Result<Test, Refusal> {
    if request.mock.is_some() && request.reveal_secrets {
        return Err(invalid("TestState does not support RevealSecrets when a mock is specified."));
    }
    request.role_arn.as_deref().map(valid_role).transpose()?;
    let mock = request.mock.map(mock).transpose()?;
    let input = input(request.input.as_deref())?;
    let variables = variables(request.variables.as_deref())?;
    let context = request.context.as_deref().map(read_context).transpose()?;
    let LoneState { state, inner } =
        asl::parse_state(&request.definition, request.state_name.as_deref()).map_err(|refusal| match refusal {
            StateRefusal::Invalid(diagnostics) => Refusal::InvalidDefinition(diagnostics),
            StateRefusal::NotFound => invalid("State not found in definition"),
        })?;
    if let Some(context) = &context {
        check_context(context, &state)?;
    }
    let kind = state.kind();
    if kind == StateKind::Task && mock.is_none() && request.role_arn.is_none() {
        return Err(invalid("RoleArn must be specified when testing a Task state"));
    }
    check_configuration(request.error_caused_by.as_deref(), &inner, matches!(mock, Some(Err(_))))?;
    let read = request.map_item_reader_data.as_deref().map(|data| read_items(data, &state)).transpose()?;
    let context = context.unwrap_or_else(|| {
        let seen = Seen {
            arn,
            role_arn: request.role_arn.as_deref(),
            input: &input,
            now,
            retries: request.retrier_retry_count,
        };
        default_context(caller, kind, &seen)
    });
    Ok(Test {
        state,
        input,
        context,
        variables,
        mock,
        retries: request.retrier_retry_count,
        failed_iterations: request.map_iteration_failure_count,
        read,
        payload_bytes_max,
    })
}

fn invalid(why: impl Into<String>) -> Refusal {
    Refusal::Validation(why.into())
}

fn mock(mock: StateMock) -> Result<Result<Json, Failure>, Refusal> {
    match (mock.result, mock.failure) {
        (Some(result), None) => Json::parse(&result).map(Ok).map_err(|_| invalid("Mocked result must be valid JSON")),
        (None, Some(failure)) => Ok(Err(failure)),
        (Some(_), Some(_)) | (None, None) => {
            Err(invalid("A test mock should have only one of the following fields: [result, errorOutput]."))
        }
    }
}

fn input(text: Option<&str>) -> Result<Json, Refusal> {
    Json::parse(text.unwrap_or("{}")).map_err(|error| Refusal::InvalidExecutionInput(error.to_string()))
}

fn variables(text: Option<&str>) -> Result<Json, Refusal> {
    let variables = Json::parse(text.unwrap_or("{}")).ok().filter(|variables| variables.as_object().is_some());
    variables.ok_or_else(|| invalid("Variables must be a valid JSON object"))
}

fn read_items(text: &str, state: &State) -> Result<Json, Refusal> {
    let reads =
        matches!(&state.body, Body::Map(map) if matches!(&map.mode, MapMode::Distributed(it) if it.reader.is_some()));
    if !reads {
        return Err(invalid(
            "TestState does not support MapItemReaderData when the state is not a Map state with an ItemReader.",
        ));
    }
    Json::parse(text).map_err(|_| invalid("MapItemReaderData must be valid JSON"))
}

fn check_configuration(error_caused_by: Option<&str>, inner: &BTreeSet<Name>, fails: bool) -> Result<(), Refusal> {
    match error_caused_by {
        None => Ok(()),
        Some(_) if !fails => {
            Err(invalid("TestState does not support ErrorCausedByState when an errorOutput is not mocked."))
        }
        Some(name) if !inner.contains(name) => {
            Err(invalid(format!("State '{name}' of ErrorCausedByState not found in the tested state")))
        }
        Some(_) => Ok(()),
    }
}

/// What a made-up context tells.
struct Seen<'a> {
    arn: &'a str,
    role_arn: Option<&'a str>,
    input: &'a Json,
    now: Timestamp,
    retries: u32,
}

/// The context object that a state sees when the test gives none.
fn default_context(caller: &Caller, kind: StateKind, seen: &Seen<'_>) -> Json {
    let mut names = seen.arn.rsplit(':');
    let (name, machine) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
    let now = Json::from(seen.now.to_string());
    let execution = Json::object([
        ("Id", Json::from(seen.arn)),
        ("Input", seen.input.clone()),
        ("Name", name.into()),
        ("RoleArn", seen.role_arn.map_or(Json::Null, Json::from)),
        ("StartTime", now.clone()),
    ]);
    let retries = match kind {
        StateKind::Task | StateKind::Parallel | StateKind::Map => {
            Some(("RetryCount", Json::from(u64::from(seen.retries))))
        }
        StateKind::Pass | StateKind::Choice | StateKind::Wait | StateKind::Succeed | StateKind::Fail => None,
    };
    // Whatever the state is called, its test calls it so.
    let state = [("Name", Json::from("StateName")), ("EnteredTime", now)].into_iter().chain(retries);
    let machine =
        Json::object([("Id", Json::from(base::arn::state_machine(caller, machine))), ("Name", machine.into())]);
    Json::object([
        ("Execution", execution),
        ("StateMachine", machine),
        ("State", Json::object(state.collect::<Vec<_>>())),
    ])
}

/// What one object of a given context may have.
type Allowed = &'static [(&'static str, Kind)];

const CONTEXT: &[(&str, Allowed)] = &[
    (
        "Execution",
        &[
            ("Id", Kind::Text),
            ("Input", Kind::Any),
            ("Name", Kind::Text),
            ("RoleArn", Kind::Text),
            ("StartTime", Kind::Text),
            ("RedriveCount", Kind::Number),
            ("RedriveTime", Kind::Text),
        ],
    ),
    ("State", &[("EnteredTime", Kind::Text), ("Name", Kind::Text), ("RetryCount", Kind::Number)]),
    ("StateMachine", &[("Id", Kind::Text), ("Name", Kind::Text)]),
    ("Task", &[("Token", Kind::Text)]),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Any,
    Text,
    Number,
}

/// Reads a given context object and checks its form.
fn read_context(text: &str) -> Result<Json, Refusal> {
    let context = Json::parse(text).map_err(|_| bad_context("must be a valid JSON object"))?;
    let members = context.as_object().ok_or_else(|| bad_context("must be a valid JSON object"))?;
    for (name, value) in members {
        if &**name == "Map" {
            return Err(bad_context("'Map' field is not supported when mocking a Context object"));
        }
        let (_, known) = CONTEXT.iter().find(|(known, _)| *known == &**name).ok_or_else(|| not_allowed(name))?;
        let inner = value.as_object().ok_or_else(|| bad_context(format!("{name} must be an object")))?;
        for (member, value) in inner {
            let (_, kind) = known.iter().find(|(known, _)| *known == &**member).ok_or_else(|| not_allowed(member))?;
            match (kind, value) {
                (Kind::Any, _) | (Kind::Text, Json::String(_)) | (Kind::Number, Json::Number(_)) => {}
                (Kind::Text, _) => return Err(bad_context(format!("{name}.{member} must be a string"))),
                (Kind::Number, _) => return Err(bad_context(format!("{name}.{member} must be a number"))),
            }
        }
    }
    Ok(context)
}

fn not_allowed(name: &str) -> Refusal {
    bad_context(format!("Field '{name}' is not allowed"))
}

fn bad_context(why: impl std::fmt::Display) -> Refusal {
    invalid(format!("Invalid Context object provided: {why}"))
}

/// Only a task that somebody else ends has a token.
fn check_context(context: &Json, state: &asl::State) -> Result<(), Refusal> {
    let has_token = match &state.body {
        asl::Body::Task(task) => match &task.resource {
            Resource::Service { pattern, .. } => *pattern != Pattern::RequestResponse,
            Resource::Lambda { .. } | Resource::Activity { .. } => false,
        },
        _ => false,
    };
    if context.get("Task").is_some() && !has_token {
        let why = "Context object contains 'Task' when state is not a Task state with a '.sync' or '.waitForTaskToken' service integration pattern";
        return Err(bad_context(why));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
