//! Retry and Catch: errors that never come, and retries that may do the work twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use asl::{Body, Flow, MapMode, Pattern, Resource, Retrier, Task};

use crate::finding::{Doubt, Finding, Unmatched};
use crate::place::Place;

pub(crate) fn doubts(place: &Place) -> Vec<Finding> {
    let (retry, catch) = (place.state.retriers(), place.state.catchers());
    let lists = [
        ("Retry", retry.iter().map(|retrier| &retrier.error_equals).collect::<Vec<_>>()),
        ("Catch", catch.iter().map(|catcher| &catcher.error_equals).collect()),
    ];
    let unmatched = lists.iter().flat_map(|(field, lists)| unmatched(place, field, lists));
    unmatched.chain(repeated(place, retry)).collect()
}

/// The catchers of a state that can never match: nothing leads on through them.
pub(crate) fn dead_catchers(place: &Place) -> BTreeSet<usize> {
    let lists: Vec<_> = place.state.catchers().iter().map(|catcher| &catcher.error_equals).collect();
    let doubts = unmatched(place, "Catch", &lists);
    let dead = |index: &usize| {
        let at = format!("{}/Catch[{index}]/", place.at);
        doubts.iter().filter(|finding| finding.at.starts_with(&at)).count() == lists[*index].len()
    };
    (0..lists.len()).filter(dead).collect()
}

fn unmatched(place: &Place, field: &str, lists: &[&Vec<Arc<str>>]) -> Vec<Finding> {
    let mut findings = vec![];
    let mut taken: Vec<&Arc<str>> = vec![];
    for (index, names) in lists.iter().enumerate() {
        for (nth, error) in names.iter().enumerate() {
            if let Some(because) = why_never(place, error, &taken) {
                let at = format!("{}/{field}[{index}]/ErrorEquals[{nth}]", place.at);
                findings.push(Finding { at, doubt: Doubt::NeverMatches { error: error.clone(), because } });
            }
        }
        taken.extend(names.iter());
    }
    findings
}

fn why_never(place: &Place, error: &Arc<str>, taken: &[&Arc<str>]) -> Option<Unmatched> {
    if &**error == "States.Runtime" {
        return Some(Unmatched::NeverHandled);
    }
    if !can_raise(place, error) {
        return Some(Unmatched::NeverRaised);
    }
    let covers = |earlier: &str| match earlier {
        "States.ALL" => &**error != "States.DataLimitExceeded",
        "States.TaskFailed" => !matches!(&**error, "States.ALL" | "States.Timeout" | "States.DataLimitExceeded"),
        _ => *earlier == **error,
    };
    taken.iter().any(|earlier| covers(earlier)).then_some(Unmatched::Earlier)
}

/// Whether the state can fail with this error. What is not known to be impossible is possible: a task, or a state
/// inside this one, can fail with any name of its own.
fn can_raise(place: &Place, error: &str) -> bool {
    let state = place.state;
    let jsonata = matches!(state.flow, Flow::Jsonata { .. });
    match (&state.body, error) {
        (Body::Task(task), "States.HeartbeatTimeout") => task.heartbeat.is_some(),
        (Body::Task(_), "States.QueryEvaluationError") => jsonata,
        (
            Body::Task(_),
            "States.ExceedToleratedFailureThreshold" | "States.ItemReaderFailed" | "States.ResultWriterFailed",
        ) => false,
        (Body::Task(task), name) if name.starts_with("Lambda.") => is_lambda(task),
        (Body::Task(task), name) if name.starts_with("States.Http.") => is_http(task),
        (Body::Map(map), "States.ItemReaderFailed") => match &map.mode {
            MapMode::Distributed(distributed) => distributed.reader.is_some(),
            MapMode::Inline => false,
        },
        (Body::Map(map), "States.ResultWriterFailed") => match &map.mode {
            MapMode::Distributed(distributed) => distributed.writer.is_some(),
            MapMode::Inline => false,
        },
        (_, _) => true,
    }
}

fn is_lambda(task: &Task) -> bool {
    match &task.resource {
        Resource::Lambda { .. } => true,
        Resource::Service { service, .. } => matches!(&**service, "lambda" | "aws-sdk:lambda"),
        Resource::Activity { .. } => false,
    }
}

fn is_http(task: &Task) -> bool {
    matches!(&task.resource, Resource::Service { service, .. } if &**service == "http")
}

/// Retries after an error that leaves open whether the work was done, of work that must not be done twice.
fn repeated(place: &Place, retry: &[Retrier]) -> Vec<Finding> {
    let Body::Task(task) = &place.state.body else { return vec![] };
    if !repeats(task) {
        return vec![];
    }
    let open = |error: &str| matches!(error, "States.ALL" | "States.TaskFailed" | "States.Timeout");
    let retriers = retry.iter().enumerate().filter(|(_, retrier)| retrier.max_attempts > 0);
    retriers
        .flat_map(|(index, retrier)| {
            retrier.error_equals.iter().enumerate().map(move |(nth, error)| (index, nth, error))
        })
        .filter(|(_, _, error)| open(error))
        .map(|(index, nth, error)| Finding {
            at: format!("{}/Retry[{index}]/ErrorEquals[{nth}]", place.at),
            doubt: Doubt::RetryMayRepeat { resource: task.resource.arn().clone(), error: error.clone() },
        })
        .collect()
}

/// Whether calling it again does the work again. Services that take a token of the client's are safe when they get one.
fn repeats(task: &Task) -> bool {
    let Resource::Service { service, action, pattern, .. } = &task.resource else { return false };
    let service = service.strip_prefix("aws-sdk:").unwrap_or(service);
    let safe_with: &[&str] = match (service, &**action) {
        ("states" | "sfn", "startExecution") => &["Name", "Name.$"],
        ("ecs", "runTask") => &["ClientToken", "ClientToken.$"],
        ("sqs", "sendMessage") => &["MessageDeduplicationId", "MessageDeduplicationId.$"],
        ("sns", "publish") => &["MessageDeduplicationId", "MessageDeduplicationId.$"],
        ("batch", "submitJob") | ("ssm", "sendCommand") | ("glue", "startJobRun") => &[],
        ("events" | "eventbridge", "putEvents") | ("codebuild", "startBuild") => &[],
        ("dynamodb", "updateItem") => &["ConditionExpression", "ConditionExpression.$"],
        _ => return false,
    };
    match pattern {
        Pattern::RequestResponse | Pattern::Sync | Pattern::Sync2 | Pattern::WaitForTaskToken => {
            !given(task).iter().any(|key| safe_with.contains(&&**key))
        }
    }
}

/// The names of the parameters that the task gives.
fn given(task: &Task) -> Vec<Arc<str>> {
    let source = match &task.parameters {
        Some(asl::Payload::JsonPath(template)) => template.source(),
        Some(asl::Payload::Jsonata(value)) => value.source(),
        None => return vec![],
    };
    source.as_object().map(|members| members.keys().cloned().collect()).unwrap_or_default()
}
