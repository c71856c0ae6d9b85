//! `states:startExecution`: a state machine that runs another.
//!
//! Optimized integrations speak as version 1 of AWS's SDK did: times in milliseconds, answers with the HTTP response that
//! they came in, errors in its words.

use asl::Pattern;
use base::Json;
use base::limits::CAUSE_CHARS_MAX;
use engine::Failure;
use runtime::executions::{Execution, ExecutionStart, ExecutionStarted, ExecutionStatus, Starter, Waits};
use runtime::tasks::TaskCall;

use crate::error::Error;
use crate::operation::Origin;
use crate::sfn::execution_start;
use crate::shape;
use crate::value::Input;

/// What a call starts. The name is the given one, or made of the task: the same when the call comes twice.
pub(crate) fn decode(call: &TaskCall, pattern: Pattern) -> Result<ExecutionStart, Wrong> {
    let parameters = call.parameters.as_object().map(|members| {
        // Any JSON is an input; only a text is one already.
        let members = members.iter().map(|(key, value)| match (&**key, value) {
            ("Input", Json::String(_) | Json::Null) => (key.clone(), value.clone()),
            ("Input", value) => (key.clone(), Json::from(value.to_string())),
            _ => (key.clone(), value.clone()),
        });
        Json::object(members)
    });
    let members = execution_start().input;
    let parameters = parameters.unwrap_or_else(Json::empty_object);
    let given = shape::from_task(members, &parameters).map_err(Wrong::Parameters)?;
    shape::check(members, &given).map_err(Wrong::Request)?;
    let mut input = Input::new(given);
    Ok(ExecutionStart {
        machine_arn: input.required("stateMachineArn"),
        name: Some(input.text("name").unwrap_or_else(|| origin(call, pattern).id("execution name"))),
        input: input.text("input"),
        trace_header: input.text("traceHeader"),
    })
}

/// Why a call starts nothing.
pub(crate) enum Wrong {
    Parameters(String),
    Request(Error),
}

fn origin(call: &TaskCall, pattern: Pattern) -> Origin {
    Origin { execution: call.execution, task: call.task, waits: waits(pattern).is_some() }
}

pub(crate) fn starter(call: &TaskCall, pattern: Pattern) -> Starter {
    origin(call, pattern).starter(waits(pattern))
}

fn waits(pattern: Pattern) -> Option<Waits> {
    match pattern {
        Pattern::RequestResponse | Pattern::WaitForTaskToken => None,
        Pattern::Sync => Some(Waits::Text),
        Pattern::Sync2 => Some(Waits::Parsed),
    }
}

/// The answer of the start.
pub(crate) fn started(started: &ExecutionStarted, now: &str, request_id: &str) -> Json {
    // The body that AWS's answer has: its ARN and its time in seconds.
    let length = r#"{"executionArn":"","startDate":1700000000.000}"#.len() + started.arn.len();
    let length = length.to_string();
    let one = |text: &str| Json::array([Json::from(text)]);
    let headers = [
        ("connection", "keep-alive"),
        ("Content-Length", &*length),
        ("Content-Type", "application/x-amz-json-1.0"),
        ("Date", now),
        ("x-amzn-RequestId", request_id),
    ];
    let http = Json::object([
        ("AllHttpHeaders", Json::object(headers.map(|(name, value)| (name, one(value))))),
        ("HttpHeaders", Json::object(headers.map(|(name, value)| (name, Json::from(value))))),
        ("HttpStatusCode", Json::from(200u64)),
    ]);
    Json::object([
        ("ExecutionArn", Json::from(&*started.arn)),
        ("SdkHttpMetadata", http),
        ("SdkResponseMetadata", Json::object([("RequestId", Json::from(request_id))])),
        ("StartDate", Json::from(started.started.0)),
    ])
}

/// `StepFunctions.StateMachineDoesNotExistException`
pub(crate) fn failed(error: &Error, request_id: &str) -> Failure {
    let (status, code) = (error.status, &error.code);
    let message = error.message.as_deref().unwrap_or("null");
    Failure::new(
        &format!("StepFunctions.{}", error.class()),
        format!(
            "{message} (Service: AWSStepFunctions; Status Code: {status}; Error Code: {code}; Request ID: {request_id}; Proxy: null)"
        ),
    )
}

/// What a state gives that waited for an execution's end. A failure's cause is what describes the execution.
pub(crate) fn ended(execution: &Execution, waits: Waits) -> Result<Json, Failure> {
    if execution.summary.status == ExecutionStatus::Succeeded {
        return Ok(described(execution, waits, true));
    }
    let mut cause = described(execution, Waits::Text, true).to_string();
    // What is cut in the middle could not be read.
    if cause.chars().count() > CAUSE_CHARS_MAX {
        cause = described(execution, Waits::Text, false).to_string();
    }
    Err(Failure::new("States.TaskFailed", cause))
}

fn described(execution: &Execution, waits: Waits, with_input: bool) -> Json {
    let data = |text: &String| match waits {
        Waits::Text => Json::from(&**text),
        Waits::Parsed => Json::parse(text).unwrap_or_else(|_| Json::from(&**text)),
    };
    let included = |included: bool| Json::object([("Included", Json::from(included))]);
    let summary = &execution.summary;
    let text = |text: &Option<String>| text.as_deref().map(Json::from);
    let failure = execution.failure.as_ref().filter(|_| summary.status != ExecutionStatus::TimedOut);
    let members = [
        ("Cause", failure.and_then(|failure| failure.cause.clone()).map(Json::from)),
        ("Error", failure.and_then(|failure| failure.error.clone()).map(Json::from)),
        ("ExecutionArn", Some(Json::from(&*summary.arn))),
        ("Input", with_input.then(|| data(&execution.input))),
        ("InputDetails", Some(included(with_input))),
        ("Name", Some(Json::from(&*summary.name))),
        ("Output", execution.output.as_ref().map(data)),
        ("OutputDetails", execution.output.as_ref().map(|_| included(true))),
        ("StartDate", Some(Json::from(summary.started.0))),
        ("StateMachineAliasArn", text(&summary.alias_arn)),
        ("StateMachineArn", Some(Json::from(&*summary.machine_arn))),
        ("StateMachineVersionArn", text(&summary.version_arn)),
        ("Status", Some(Json::from(summary.status.name()))),
        ("StopDate", summary.stopped.map(|stopped| Json::from(stopped.0))),
        ("TraceHeader", text(&execution.trace_header)),
    ];
    Json::object(members.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

#[cfg(test)]
mod tests {
    use base::{Caller, Id, Timestamp};
    use engine::TaskId;
    use expect_test::expect;
    use runtime::executions::ExecutionSummary;
    use runtime::redrive::Redrivable;

    use super::*;

    const RESOURCE: &str = "arn:aws:states:::states:startExecution.sync:2";

    fn call(parameters: &str) -> TaskCall {
        TaskCall {
            caller: Caller::new("111111111111", "us-east-1"),
            execution: Id(7),
            execution_arn: "arn:aws:states:us-east-1:111111111111:execution:net:run".into(),
            task: TaskId(3),
            resource: asl::Resource::parse(RESOURCE).expect("a resource"),
            parameters: Json::parse(parameters).expect("JSON"),
            credentials: None,
        }
    }

    #[test]
    fn an_input_is_any_json_and_a_text_is_one_already() {
        let decoded = |parameters: &str| match decode(&call(parameters), Pattern::Sync2) {
            Ok(start) => format!("{:?} {:?}", start.name.unwrap_or_default(), start.input),
            Err(Wrong::Parameters(why)) => why,
            Err(Wrong::Request(error)) => error.message.unwrap_or_default(),
        };
        expect![[r#""n" Some("{\"a\":1}")"#]]
            .assert_eq(&decoded(r#"{"StateMachineArn":"m","Name":"n","Input":{"a":1}}"#));
        expect![[r#""n" Some("7")"#]].assert_eq(&decoded(r#"{"StateMachineArn":"m","Name":"n","Input":7}"#));
        expect![[r#""n" Some("\"text\"")"#]]
            .assert_eq(&decoded(r#"{"StateMachineArn":"m","Name":"n","Input":"\"text\""}"#));
        expect![[r#""n" None"#]].assert_eq(&decoded(r#"{"StateMachineArn":"m","Name":"n","Input":null}"#));
        assert_eq!(decoded(r#"{"StateMachineArn":"m"}"#), decoded(r#"{"StateMachineArn":"m"}"#), "made of the task");
        expect![[r#"The field "name" is not supported by Step Functions"#]]
            .assert_eq(&decoded(r#"{"StateMachineArn":"m","name":"n"}"#));
    }

    fn execution(status: ExecutionStatus) -> Execution {
        Execution {
            summary: ExecutionSummary {
                map_run_arn: None,
                items: None,
                arn: "arn:aws:states:us-east-1:111111111111:execution:child:n".to_owned(),
                machine_arn: "arn:aws:states:us-east-1:111111111111:stateMachine:child".to_owned(),
                version_arn: None,
                alias_arn: None,
                name: "n".to_owned(),
                status,
                started: Timestamp(1000),
                stopped: Some(Timestamp(2000)),
                redrives: 0,
                redriven: None,
            },
            input: r#"{"a":1}"#.to_owned(),
            output: (status == ExecutionStatus::Succeeded).then(|| "[2]".to_owned()),
            failure: (status != ExecutionStatus::Succeeded).then(|| Failure::new("E", "why")),
            trace_header: None,
            redrivable: Redrivable::Yes,
            map_run_arn: None,
        }
    }

    #[test]
    fn whoever_waited_sees_what_describes_the_execution() {
        let told = |status, waits| match ended(&execution(status), waits) {
            Ok(output) => output.to_string(),
            Err(failure) => format!("{}: {}", failure.error.unwrap_or_default(), failure.cause.unwrap_or_default()),
        };
        expect![[r#"{"ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:child:n","Input":"{\"a\":1}","InputDetails":{"Included":true},"Name":"n","Output":"[2]","OutputDetails":{"Included":true},"StartDate":1000,"StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:child","Status":"SUCCEEDED","StopDate":2000}"#]]
            .assert_eq(&told(ExecutionStatus::Succeeded, Waits::Text));
        expect![[r#"{"ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:child:n","Input":{"a":1},"InputDetails":{"Included":true},"Name":"n","Output":[2],"OutputDetails":{"Included":true},"StartDate":1000,"StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:child","Status":"SUCCEEDED","StopDate":2000}"#]]
            .assert_eq(&told(ExecutionStatus::Succeeded, Waits::Parsed));
        expect![[r#"States.TaskFailed: {"Cause":"why","Error":"E","ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:child:n","Input":"{\"a\":1}","InputDetails":{"Included":true},"Name":"n","StartDate":1000,"StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:child","Status":"FAILED","StopDate":2000}"#]]
            .assert_eq(&told(ExecutionStatus::Failed, Waits::Parsed));
        let large =
            Execution { input: format!("\"{}\"", "x".repeat(CAUSE_CHARS_MAX)), ..execution(ExecutionStatus::Aborted) };
        let cause = ended(&large, Waits::Text).expect_err("it failed").cause.unwrap_or_default();
        assert!(Json::parse(&cause).is_ok_and(|cause| cause.get("Input").is_none()), "a long cause can be read");
    }
}
