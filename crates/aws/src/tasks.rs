//! Tasks that call services: as a client would, but with names as AWS's SDK writes them.
//!
//! `aws-sdk:ssm:sendCommand` goes through the same tables, use cases and encoders as a client's `SendCommand`. Ours
//! besides: `ssm:sendCommand`, and `ssm:sendCommand.sync`, which waits for the command's end.
//!
//! **Invariant:** what a task makes is named after its execution and itself, so that calling twice makes it once.

use std::future::Future;
use std::pin::Pin;

use asl::{Pattern, Resource};
use base::Json;
use base::limits::{CAUSE_CHARS_MAX, PAYLOAD_BYTES_MAX};
use engine::Failure;
use fleet::{CommandStatus, FailureCode, Invocation, InvocationStatus, Run};
use runtime::Runtime;
use runtime::executions::{Execution, Waits};
use runtime::tasks::{Replying, TaskCall, TaskPort, TaskReply};

use crate::error::Error;
use crate::face::{Ids, SERVICES};
use crate::nested::{self, Wrong};
use crate::operation::{Operation, Origin, Service};
use crate::s3;
use crate::sfn;
use crate::shape;
use crate::ssm;
use crate::ssm::encode::{encode_command_with, encode_result};
use crate::write::{Style, Writer, capitalized};

/// Performs the tasks of state machines.
#[derive(Debug, Default)]
pub struct Tasks {
    ids: Ids,
}

impl TaskPort for Tasks {
    fn call<'a>(&'a self, runtime: &'a Runtime, call: TaskCall) -> Replying<'a> {
        Box::pin(async move {
            if let Some(pattern) = starts_execution(&call.resource) {
                return self.start_execution(runtime, pattern, &call).await;
            }
            if let Some(operation) = s3::operation(&call.resource) {
                return match s3::perform(runtime.buckets(), operation, &call.parameters).await {
                    Ok(result) => TaskReply::Succeeded(result),
                    Err(failure) => TaskReply::Failed(failure),
                };
            }
            match Target::of(&call.resource) {
                Ok(target) => self.perform(runtime, &target, &call).await,
                Err(failure) => TaskReply::Failed(failure),
            }
        })
    }

    fn abandon<'a>(&'a self, runtime: &'a Runtime, call: TaskCall) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            if let Some(pattern) = starts_execution(&call.resource) {
                return stop_execution(runtime, pattern, &call).await;
            }
            let Ok(target) = Target::of(&call.resource) else { return };
            if !target.waits {
                return;
            }
            let command_id = target.origin(&call).id("command");
            if let Err(refusal) = runtime.command_cancel(&call.caller, &command_id, Vec::new()).await {
                tracing::warn!(execution = %call.execution_arn, command_id, %refusal, "an abandoned task's command was not cancelled");
            }
        })
    }

    fn command_ended(&self, run: &Run) -> Result<Json, Failure> {
        match failure_name(run) {
            None => Ok(result(run, PAYLOAD_BYTES_MAX)),
            Some(name) => Err(Failure::new(name, result(run, CAUSE_CHARS_MAX).to_string())),
        }
    }

    fn execution_ended(&self, execution: &Execution, waits: Waits) -> Result<Json, Failure> {
        nested::ended(execution, waits)
    }
}

/// `states:startExecution`, and with which pattern.
fn starts_execution(resource: &Resource) -> Option<Pattern> {
    match resource {
        Resource::Service { service, action, pattern, .. }
            if (&**service, &**action) == ("states", "startExecution") =>
        {
            Some(*pattern)
        }
        _ => None,
    }
}

/// Stops the execution that nobody waits for any more, as AWS does with a job of `.sync`.
async fn stop_execution(runtime: &Runtime, pattern: Pattern, call: &TaskCall) {
    let starter = nested::starter(call, pattern);
    let (Some(_), Ok(start)) = (starter.waits, nested::decode(call, pattern)) else { return };
    if let Err(refusal) = runtime.execution_abandon(&call.caller, start, starter).await {
        tracing::warn!(execution = %call.execution_arn, %refusal, "an abandoned task's execution was not stopped");
    }
}

impl Tasks {
    async fn start_execution(&self, runtime: &Runtime, pattern: Pattern, call: &TaskCall) -> TaskReply {
        let id = self.ids.next();
        let start = match nested::decode(call, pattern) {
            Ok(start) => start,
            Err(Wrong::Parameters(why)) => return TaskReply::Failed(not_started(&call.parameters, &why)),
            Err(Wrong::Request(error)) => return TaskReply::Failed(nested::failed(&error, &id)),
        };
        let starter = nested::starter(call, pattern);
        match runtime.execution_start_by(&call.caller, start, starter).await {
            Ok(started) => {
                let answer = nested::started(&started, &started.started.to_http_date(), &id);
                if starter.waits.is_some() { TaskReply::Submitted(answer) } else { TaskReply::Succeeded(answer) }
            }
            Err(refusal) => match Error::of(refusal, &sfn::SERVICE, &call.caller) {
                // Our own doubt is not the task's failure.
                error if error.status >= 500 => TaskReply::Again,
                error => TaskReply::Failed(nested::failed(&error, &id)),
            },
        }
    }

    async fn perform(&self, runtime: &Runtime, target: &Target, call: &TaskCall) -> TaskReply {
        let input = match shape::from_task(target.operation.input, &call.parameters) {
            Ok(input) => input,
            Err(why) => return TaskReply::Failed(not_started(&call.parameters, &why)),
        };
        let mut out = Writer::new(Style::Task);
        let answer = target
            .service
            .run(target.operation, &call.caller, runtime, input, &mut out, Some(target.origin(call)))
            .await;
        match (answer, target.waits) {
            // Our own doubt is not the task's failure: a retry of it would be another attempt.
            (Err(error), _) if error.status >= 500 => TaskReply::Again,
            (Err(error), _) => TaskReply::Failed(failed(&error, target.service, &self.ids.next())),
            (Ok(()), true) => TaskReply::Submitted(json(out)),
            (Ok(()), false) => TaskReply::Succeeded(json(out)),
        }
    }
}

/// What a resource names.
struct Target {
    service: &'static Service,
    operation: &'static Operation,
    /// Whether the end of what it starts is waited for.
    waits: bool,
}

impl Target {
    fn of(resource: &Resource) -> Result<Target, Failure> {
        let Resource::Service { arn, service, action, pattern } = resource else {
            return Err(unavailable(resource.arn()));
        };
        let sdk = service.strip_prefix("aws-sdk:");
        let (service, optimized) = match sdk {
            Some(sdk) => {
                (SERVICES.into_iter().find(|service| service.sdk == sdk).ok_or_else(|| unavailable(arn))?, false)
            }
            None if &**service == "ssm" => (&ssm::SERVICE, true),
            None => return Err(unavailable(arn)),
        };
        let waits = match pattern {
            // Whoever was given the token tells the end, wherever it came from.
            Pattern::RequestResponse | Pattern::WaitForTaskToken => false,
            Pattern::Sync if optimized => true,
            Pattern::Sync | Pattern::Sync2 => return Err(unavailable(arn)),
        };
        let known = !optimized || &**action == "sendCommand";
        match service.operation(&capitalized(action)) {
            Ok(operation) if known => Ok(Target { service, operation, waits }),
            _ => Err(unavailable(arn)),
        }
    }

    fn origin(&self, call: &TaskCall) -> Origin {
        Origin { execution: call.execution, task: call.task, waits: self.waits }
    }
}

fn unavailable(arn: &str) -> Failure {
    Failure::new("States.Runtime", format!("The resource {arn} is not available in this version of Dandori."))
}

pub(crate) fn not_started(parameters: &Json, why: &str) -> Failure {
    Failure::new(
        "States.Runtime",
        format!("The Parameters '{parameters}' could not be used to start the Task: [{why}]"),
    )
}

/// `Ssm.InvalidInstanceIdException`, as AWS's SDK tells an error.
fn failed(error: &Error, service: &Service, request_id: &str) -> Failure {
    let (prefix, status) = (service.prefix, error.status);
    let message = error.message.as_deref().unwrap_or("null");
    Failure::new(
        &format!("{prefix}.{}", error.class()),
        format!("{message} (Service: {prefix}, Status Code: {status}, Request ID: {request_id})"),
    )
}

pub(crate) fn json(out: Writer) -> Json {
    let text = String::from_utf8(out.finish()).expect("a writer's text is UTF-8");
    Json::parse(&text).expect("a writer's text is JSON")
}

/// How much of each output is shown, as much as there is room for.
const OUTPUT_CHARS: [usize; 8] = [24_000, 8_000, 4_000, 2_000, 1_000, 400, 100, 0];

/// How many invocations are shown, where not all have room without any output.
const INVOCATIONS: [usize; 5] = [1_000, 500, 200, 100, 20];

/// What a result shows of its command.
#[derive(Debug, Clone, Copy)]
struct Extent {
    chars_max: usize,
    /// The command's own.
    parameters: bool,
    invocations_max: usize,
}

/// The command and each of its invocations, in at most `bytes_max`. Outputs are shortened to fit, then the command's own
/// parameters are left out, and at last invocations, the successful ones first.
fn result(run: &Run, bytes_max: usize) -> Json {
    let all = usize::MAX;
    let full = OUTPUT_CHARS.map(|chars_max| Extent { chars_max, parameters: true, invocations_max: all });
    let short = OUTPUT_CHARS.map(|chars_max| Extent { chars_max, parameters: false, invocations_max: all });
    let few = INVOCATIONS.map(|invocations_max| Extent { chars_max: 100, parameters: false, invocations_max });
    let mut smallest = Json::Null;
    for extent in full.into_iter().chain(short).chain(few) {
        let json = result_with(run, extent);
        if json.text_len() <= bytes_max {
            return json;
        }
        smallest = json;
    }
    smallest
}

fn result_with(run: &Run, extent: Extent) -> Json {
    let mut shown: Vec<&Invocation> = run.invocations().iter().collect();
    let left_out = shown.len().saturating_sub(extent.invocations_max);
    if left_out > 0 {
        shown.sort_by_key(|invocation| invocation.status() == InvocationStatus::Success);
        shown.truncate(extent.invocations_max);
    }
    let mut out = Writer::new(Style::Task);
    out.object("Command", |out| encode_command_with(out, run, extent.parameters));
    out.list("CommandInvocations", shown, |out, invocation| encode_result(out, run, invocation, extent.chars_max));
    if left_out > 0 {
        out.integer("CommandInvocationsLeftOut", i64::try_from(left_out).unwrap_or(i64::MAX));
    }
    json(out)
}

/// What a command that found nobody to run on is called: it has done nothing of what it was sent for.
const NO_INSTANCES: &str = "Agent.NoInstances";

/// Why a command has failed, if it has: as many invocations as `MaxErrors` says may end otherwise than with success.
///
/// Of several names it is the one that tells most. One that nobody can know comes first, since a Retry must not take it
/// for another; those that follow from others come last; among equals it is that of the first instance.
fn failure_name(run: &Run) -> Option<&'static str> {
    let failed = || run.invocations().iter().filter(|invocation| invocation.status() != InvocationStatus::Success);
    let allowed = run.sent().map_or(0, |(send, _)| send.max_errors.errors(run.invocations().len()));
    match run.status() {
        CommandStatus::NoInstancesInTag => return Some(NO_INSTANCES),
        CommandStatus::Cancelled => (),
        _ if failed().count() <= allowed => return None,
        _ => (),
    }
    let failures = failed().filter_map(|invocation| invocation.outcome()?.failure());
    let first = failures.min_by_key(|failure| match failure.code {
        FailureCode::Indeterminate | FailureCode::Lost => 0,
        FailureCode::Cancelled => 2,
        FailureCode::Terminated => 3,
        _ => 1,
    });
    Some(first.map_or(FailureCode::Failed, |failure| failure.code).as_str())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use fleet::Outcome;

    use crate::tests::{ended_run, failed_run, large_run};

    fn check_target(arn: &str, expect: Expect) {
        let resource = Resource::parse(arn).expect("a resource");
        let text = match Target::of(&resource) {
            Ok(target) => format!("{} {} waits: {}", target.service.name, target.operation.name, target.waits),
            Err(failure) => format!("{}: {}", failure.error.unwrap_or_default(), failure.cause.unwrap_or_default()),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn resources_name_operations() {
        check_target("arn:aws:states:::aws-sdk:ssm:sendCommand", expect!["ssm SendCommand waits: false"]);
        check_target(
            "arn:aws:states:::aws-sdk:ssm:listCommandInvocations",
            expect!["ssm ListCommandInvocations waits: false"],
        );
        check_target("arn:aws:states:::aws-sdk:sfn:startExecution", expect!["states StartExecution waits: false"]);
        check_target("arn:aws:states:::ssm:sendCommand", expect!["ssm SendCommand waits: false"]);
        check_target("arn:aws:states:::ssm:sendCommand.sync", expect!["ssm SendCommand waits: true"]);
        check_target(
            "arn:aws:states:::aws-sdk:ssm:startAutomationExecution",
            expect![
                "States.Runtime: The resource arn:aws:states:::aws-sdk:ssm:startAutomationExecution is not available in this version of Dandori."
            ],
        );
        check_target(
            "arn:aws:states:::aws-sdk:sfn:startExecution.waitForTaskToken",
            expect!["states StartExecution waits: false"],
        );
        check_target(
            "arn:aws:states:::sns:publish",
            expect![
                "States.Runtime: The resource arn:aws:states:::sns:publish is not available in this version of Dandori."
            ],
        );
        check_target(
            "arn:aws:lambda:us-east-1:111111111111:function:f",
            expect![
                "States.Runtime: The resource arn:aws:lambda:us-east-1:111111111111:function:f is not available in this version of Dandori."
            ],
        );
    }

    #[test]
    fn errors_are_named_as_the_sdk_does() {
        let name = |error: Error, service: &Service| {
            let failure = failed(&error, service, "r-1");
            format!("{}: {}", failure.error.unwrap_or_default(), failure.cause.unwrap_or_default())
        };
        expect!["Ssm.InvalidInstanceIdException: Instances [[mi-1]] not in a valid state for account 1 (Service: Ssm, Status Code: 400, Request ID: r-1)"].assert_eq(&name(Error::new("InvalidInstanceId", "Instances [[mi-1]] not in a valid state for account 1"), &ssm::SERVICE));
        expect!["Ssm.InvocationDoesNotExistException: null (Service: Ssm, Status Code: 400, Request ID: r-1)"]
            .assert_eq(&name(Error::bare("InvocationDoesNotExist"), &ssm::SERVICE));
        expect!["Sfn.ValidationException: no (Service: Sfn, Status Code: 400, Request ID: r-1)"]
            .assert_eq(&name(Error::validation("no"), &sfn::SERVICE));
    }

    fn cause(run: &Run) -> (String, Json) {
        let failure = Tasks::default().command_ended(run).expect_err("it failed");
        let cause = failure.cause.unwrap_or_default();
        assert!(cause.chars().count() <= CAUSE_CHARS_MAX);
        (failure.error.unwrap_or_default().to_string(), Json::parse(&cause).expect("the cause is JSON"))
    }

    #[test]
    fn a_command_that_failed_says_why() {
        let (name, cause) = cause(&failed_run());
        assert_eq!(name, "Agent.ExitCode");
        expect![[r#"{"Command":{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","Comment":"","ExpiresAfter":"2019-02-27T01:54:31.984Z","Parameters":{"commands":["ls"]},"InstanceIds":["mi-00000000000000001","mi-00000000000000002","mi-00000000000000003"],"Targets":[],"RequestedDateTime":"2019-02-26T23:54:31.984Z","Status":"Failed","StatusDetails":"Failed","OutputS3BucketName":"","OutputS3KeyPrefix":"","MaxConcurrency":"50","MaxErrors":"0","TargetCount":3,"CompletedCount":3,"ErrorCount":1,"DeliveryTimedOutCount":0,"ServiceRole":"","NotificationConfig":{"NotificationArn":"","NotificationEvents":[],"NotificationType":""},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false},"TimeoutSeconds":3600},"CommandInvocations":[{"InstanceId":"mi-00000000000000001","Status":"Success","StatusDetails":"Success","ResponseCode":0,"ExecutionStartDateTime":"2019-02-26T23:54:31.984Z","ExecutionEndDateTime":"2019-02-26T23:54:32.004Z","StandardOutputContent":"out\n","StandardErrorContent":""},{"InstanceId":"mi-00000000000000002","Status":"Failed","StatusDetails":"Failed","ResponseCode":3,"ExecutionStartDateTime":"2019-02-26T23:54:31.984Z","ExecutionEndDateTime":"2019-02-26T23:54:32.004Z","StandardOutputContent":"out\n","StandardErrorContent":"err\n","Error":"Agent.ExitCode","Cause":"script exited with 3"},{"InstanceId":"mi-00000000000000003","Status":"Cancelled","StatusDetails":"Terminated","ResponseCode":-1,"StandardOutputContent":"","StandardErrorContent":"Agent.Terminated: too many others failed","Error":"Agent.Terminated","Cause":"too many others failed"}]}"#]].assert_eq(&cause.to_string());
    }

    #[test]
    fn a_command_that_succeeded_gives_its_outputs() {
        let json = Tasks::default().command_ended(&large_run(1, "out", "ls", 0)).expect("it succeeded");
        expect![[r#"{"Command":{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","Comment":"","ExpiresAfter":"2019-02-27T01:54:31.984Z","Parameters":{"commands":["ls"]},"InstanceIds":["mi-00000000000000001"],"Targets":[],"RequestedDateTime":"2019-02-26T23:54:31.984Z","Status":"Success","StatusDetails":"Success","OutputS3BucketName":"","OutputS3KeyPrefix":"","MaxConcurrency":"50","MaxErrors":"0","TargetCount":1,"CompletedCount":1,"ErrorCount":0,"DeliveryTimedOutCount":0,"ServiceRole":"","NotificationConfig":{"NotificationArn":"","NotificationEvents":[],"NotificationType":""},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false},"TimeoutSeconds":3600},"CommandInvocations":[{"InstanceId":"mi-00000000000000001","Status":"Success","StatusDetails":"Success","ResponseCode":0,"ExecutionStartDateTime":"2019-02-26T23:54:31.984Z","ExecutionEndDateTime":"2019-02-26T23:54:33.984Z","StandardOutputContent":"out","StandardErrorContent":"out"}]}"#]].assert_eq(&json.to_string());
    }

    /// Each of `FailureCode` by its name, among others, and how many others may fail.
    #[test]
    fn the_name_that_tells_most_is_the_tasks_error() {
        let check = |codes: &[FailureCode], max_errors: &str, expected: Option<&str>| {
            let run = ended_run(codes.iter().map(|code| Outcome::failed(*code, "why")).chain([ok()]), max_errors);
            let told = Tasks::default().command_ended(&run).err().and_then(|failure| failure.error);
            assert_eq!(told.as_deref(), expected, "{codes:?} {max_errors}");
        };
        for code in FailureCode::ALL {
            check(&[*code], "0", Some(code.as_str()));
            check(&[*code], "1", None);
        }
        use FailureCode::{Cancelled, DeliveryTimedOut, ExitCode, Indeterminate, Killed, Lost, Terminated, TimedOut};
        check(&[], "0", None);
        check(&[ExitCode, TimedOut], "0", Some("Agent.ExitCode"));
        check(&[TimedOut, ExitCode], "1", Some("Agent.TimedOut"));
        check(&[ExitCode, Indeterminate], "0", Some("Agent.Indeterminate"));
        check(&[Terminated, Cancelled, Killed], "0", Some("Agent.Killed"));
        check(&[Killed, Lost], "50%", Some("Agent.Lost"));
        check(&[ExitCode, DeliveryTimedOut], "2", None);
    }

    #[test]
    fn a_warning_is_a_success_and_is_shown() {
        let warned = Outcome { verdict: fleet::Verdict::Warning, ..Outcome::of(fleet::Ended::ExitCode(4)) };
        let json = Tasks::default().command_ended(&ended_run([warned], "0")).expect("it succeeded");
        let invocation = json.get("CommandInvocations").and_then(|all| all.as_array()?.first());
        let text = |name: &str| invocation.and_then(|one| one.get(name)).map(Json::to_string).unwrap_or_default();
        assert_eq!([text("Status"), text("Verdict"), text("ResponseCode")], [r#""Success""#, r#""Warning""#, "4"]);
    }

    #[test]
    fn of_many_invocations_the_failed_are_shown() {
        let outcomes = (0..9_000).map(|number| if number % 1_000 == 999 { killed() } else { ok() });
        let (_, cause) = cause(&ended_run(outcomes, "0"));
        let shown = cause.get("CommandInvocations").and_then(Json::as_array).expect("invocations");
        assert!(shown.len() < 9_000 && shown.len() >= 20);
        assert!(shown[..9].iter().all(|one| one.get("Error").is_some()), "{}", shown.len());
        let left_out = cause.get("CommandInvocationsLeftOut").and_then(Json::as_i64).expect("a number");
        assert_eq!(shown.len() + left_out as usize, 9_000);
    }

    fn ok() -> Outcome {
        Outcome::of(fleet::Ended::ExitCode(0))
    }

    fn killed() -> Outcome {
        Outcome::failed(FailureCode::Killed, "why")
    }

    #[test]
    fn what_is_too_long_is_shortened() {
        let (_, cause) = cause(&large_run(9, &"\u{1}é".repeat(12_000), &"x".repeat(60_000), 3));
        let invocations = cause.get("CommandInvocations").and_then(Json::as_array).expect("invocations");
        assert_eq!(invocations.len(), 9);
        let success = large_run(50, &"o".repeat(24_000), "ls", 0);
        let json = Tasks::default().command_ended(&success).expect("it succeeded");
        assert!(json.text_len() <= PAYLOAD_BYTES_MAX && json.text_len() > PAYLOAD_BYTES_MAX / 4);
    }
}
