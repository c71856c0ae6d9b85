//! Executions.

use engine::Failure;
use runtime::executions::{Execution, ExecutionFilter, ExecutionStart, ExecutionStatus, ExecutionSummary};
use runtime::redrive::Redrivable;

use super::{history as encode_history, metadata_only, page};
use crate::error::Error;
use crate::operation::{Call, Fault};
use crate::value::Input;
use crate::write::Writer;

pub(super) async fn start(mut call: Call<'_>) -> Result<(), Fault> {
    let mut start = decode_start(&mut call.input);
    let started = match call.task {
        None => call.runtime.execution_start(call.caller, start).await?,
        // A task may come twice: then it meets the execution that it started.
        Some(task) => {
            start.name.get_or_insert_with(|| task.id("execution name"));
            call.runtime.execution_start_by(call.caller, start, task.starter(None)).await?
        }
    };
    call.out.text("executionArn", &started.arn);
    call.out.time("startDate", started.started);
    Ok(())
}

pub(super) async fn describe(mut call: Call<'_>) -> Result<(), Fault> {
    let execution = call.runtime.execution(call.caller, &call.input.required("executionArn")).await?;
    encode(call.out, &execution, metadata_only(&mut call.input));
    Ok(())
}

pub(super) async fn stop(mut call: Call<'_>) -> Result<(), Fault> {
    let failure =
        Failure { error: call.input.text("error").map(Into::into), cause: call.input.text("cause").map(Into::into) };
    let stopped = call.runtime.execution_stop(call.caller, &call.input.required("executionArn"), failure).await?;
    call.out.time("stopDate", stopped);
    Ok(())
}

pub(super) async fn redrive(mut call: Call<'_>) -> Result<(), Fault> {
    let (arn, token) = (call.input.required("executionArn"), call.input.text("clientToken"));
    let redriven = call.runtime.execution_redrive(call.caller, &arn, token).await?;
    call.out.time("redriveDate", redriven);
    Ok(())
}

pub(super) async fn list(mut call: Call<'_>) -> Result<(), Fault> {
    let page = page(&mut call.input);
    let listed = call.runtime.execution_list(call.caller, decode_list(&mut call.input)?, page).await?;
    call.out.list("executions", &listed.items, encode_summary);
    call.out.text_if("nextToken", listed.next.as_deref());
    Ok(())
}

pub(super) async fn history(mut call: Call<'_>) -> Result<(), Fault> {
    let page = page(&mut call.input);
    let reverse = call.input.boolean("reverseOrder").unwrap_or(false);
    let with_data = call.input.boolean("includeExecutionData").unwrap_or(true);
    let listed =
        call.runtime.execution_history(call.caller, &call.input.required("executionArn"), reverse, page).await?;
    let shown = listed.items.iter().filter(|event| event.is_aws());
    call.out.list("events", shown, |out, event| encode_history::encode(out, event, &call.caller.region.0, with_data));
    call.out.text_if("nextToken", listed.next.as_deref());
    Ok(())
}

pub(super) fn decode_start(input: &mut Input<'_>) -> ExecutionStart {
    ExecutionStart {
        machine_arn: input.required("stateMachineArn"),
        name: input.text("name"),
        input: input.text("input"),
        trace_header: input.text("traceHeader"),
    }
}

fn decode_list(input: &mut Input<'_>) -> Result<ExecutionFilter, Error> {
    let (machine_arn, map_run_arn) = match (input.text("stateMachineArn"), input.text("mapRunArn")) {
        one @ ((Some(_), None) | (None, Some(_))) => one,
        (Some(_), Some(_)) => {
            return Err(Error::validation("Only one of the stateMachineArn and mapRunArn parameters can be specified"));
        }
        (None, None) => return Err(Error::validation("Either stateMachineArn or mapRunArn must be specified")),
    };
    let redriven = input.text("redriveFilter").map(|filter| filter == "REDRIVEN");
    let status = input.text("statusFilter");
    let status = status.and_then(|name| ExecutionStatus::ALL.into_iter().find(|status| status.name() == name));
    Ok(ExecutionFilter { machine_arn, map_run_arn, status, redriven })
}

fn encode(out: &mut Writer, execution: &Execution, metadata_only: bool) {
    let summary = &execution.summary;
    out.text("executionArn", &summary.arn);
    out.text("stateMachineArn", &summary.machine_arn);
    out.text_if("stateMachineVersionArn", summary.version_arn.as_deref());
    out.text_if("stateMachineAliasArn", summary.alias_arn.as_deref());
    out.text("name", &summary.name);
    out.text("status", summary.status.name());
    out.time("startDate", summary.started);
    out.time_if("stopDate", summary.stopped);
    if !metadata_only {
        out.text("input", &execution.input);
        out.object("inputDetails", |out| out.boolean("included", true));
        if let Some(output) = &execution.output {
            out.text("output", output);
            out.object("outputDetails", |out| out.boolean("included", true));
        }
    }
    out.text_if("traceHeader", execution.trace_header.as_deref());
    // A machine's own timeout is told by the status alone.
    let failure = execution.failure.as_ref().filter(|_| summary.status != ExecutionStatus::TimedOut);
    out.text_if("error", failure.and_then(|failure| failure.error.as_deref()));
    out.text_if("cause", failure.and_then(|failure| failure.cause.as_deref()));
    out.text_if("mapRunArn", execution.map_run_arn.as_deref());
    encode_redrive(out, summary);
    let (status, reason) = match execution.redrivable {
        Redrivable::Yes => ("REDRIVABLE", None),
        Redrivable::ByMapRun => ("REDRIVABLE_BY_MAP_RUN", None),
        Redrivable::No(reason) => ("NOT_REDRIVABLE", Some(reason)),
    };
    out.text("redriveStatus", status);
    out.text_if("redriveStatusReason", reason);
}

fn encode_redrive(out: &mut Writer, summary: &ExecutionSummary) {
    out.integer("redriveCount", i64::try_from(summary.redrives).unwrap_or(i64::MAX));
    out.time_if("redriveDate", summary.redriven);
}

fn encode_summary(out: &mut Writer, summary: &ExecutionSummary) {
    out.text("executionArn", &summary.arn);
    out.text("stateMachineArn", &summary.machine_arn);
    out.text_if("stateMachineVersionArn", summary.version_arn.as_deref());
    out.text_if("stateMachineAliasArn", summary.alias_arn.as_deref());
    out.text_if("mapRunArn", summary.map_run_arn.as_deref());
    if let Some(items) = summary.items {
        out.integer("itemCount", i64::from(items));
    }
    out.text("name", &summary.name);
    out.text("status", summary.status.name());
    out.time("startDate", summary.started);
    out.time_if("stopDate", summary.stopped);
    encode_redrive(out, summary);
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::sfn::SERVICE;
    use crate::tests::{input, text, told};

    fn check_start(body: &str, expect: Expect) {
        let operation = SERVICE.operation("StartExecution").expect("an operation");
        let start = input(operation, body).map(|mut input| decode_start(&mut input));
        expect.assert_eq(&start.map_or_else(told, |start| format!("{start:?}")));
    }

    fn check_list(body: &str, expect: Expect) {
        let operation = SERVICE.operation("ListExecutions").expect("an operation");
        let listing = input(operation, body).and_then(|mut input| decode_list(&mut input));
        expect.assert_eq(&listing.map_or_else(told, |listing| format!("{listing:?}")));
    }

    #[test]
    fn a_start_is_read_from_the_wire() {
        check_start(
            r#"{"stateMachineArn":"m","name":"n-1","input":"{\"a\":1}","traceHeader":"Root=1"}"#,
            expect![[
                r#"ExecutionStart { machine_arn: "m", name: Some("n-1"), input: Some("{\"a\":1}"), trace_header: Some("Root=1") }"#
            ]],
        );
        check_start(
            r#"{"stateMachineArn":"m"}"#,
            expect![[r#"ExecutionStart { machine_arn: "m", name: None, input: None, trace_header: None }"#]],
        );
        check_start(
            r#"{"name":"","traceHeader":"é"}"#,
            expect![[
                r"400 ValidationException: 3 validation errors detected: Value null at 'stateMachineArn' failed to satisfy constraint: Member must not be null; Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; Value 'é' at 'traceHeader' failed to satisfy constraint: Member must satisfy regular expression pattern: \p{ASCII}*"
            ]],
        );
    }

    #[test]
    fn a_listing_names_one_machine() {
        check_list(
            r#"{"stateMachineArn":"m","statusFilter":"TIMED_OUT"}"#,
            expect![[
                r#"ExecutionFilter { machine_arn: Some("m"), map_run_arn: None, status: Some(TimedOut), redriven: None }"#
            ]],
        );
        check_list(
            r#"{"stateMachineArn":"m","redriveFilter":"NOT_REDRIVEN"}"#,
            expect![[
                r#"ExecutionFilter { machine_arn: Some("m"), map_run_arn: None, status: None, redriven: Some(false) }"#
            ]],
        );
        check_list(
            r#"{"stateMachineArn":"m","statusFilter":"PENDING_REDRIVE"}"#,
            expect![[
                r#"ExecutionFilter { machine_arn: Some("m"), map_run_arn: None, status: Some(PendingRedrive), redriven: None }"#
            ]],
        );
        check_list(
            r#"{"stateMachineArn":"m","redriveFilter":"REDRIVEN"}"#,
            expect![[
                r#"ExecutionFilter { machine_arn: Some("m"), map_run_arn: None, status: None, redriven: Some(true) }"#
            ]],
        );
        check_list("{}", expect!["400 ValidationException: Either stateMachineArn or mapRunArn must be specified"]);
        check_list(
            r#"{"stateMachineArn":"m","statusFilter":"succeeded"}"#,
            expect![
                "400 ValidationException: 1 validation error detected: Value 'succeeded' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]"
            ],
        );
        check_list(
            r#"{"stateMachineArn":"m","maxResults":1001}"#,
            expect![
                "400 ValidationException: 1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"
            ],
        );
    }

    fn execution(status: ExecutionStatus) -> Execution {
        Execution {
            summary: ExecutionSummary {
                map_run_arn: None,
                items: None,
                arn: "arn:aws:states:us-east-1:111111111111:execution:night:n-1".into(),
                machine_arn: "arn:aws:states:us-east-1:111111111111:stateMachine:night".into(),
                version_arn: None,
                alias_arn: None,
                name: "n-1".into(),
                status,
                started: Timestamp(1_551_225_271_984),
                stopped: (status != ExecutionStatus::Running).then_some(Timestamp(1_551_225_272_000)),
                redrives: 0,
                redriven: None,
            },
            input: "{ }".into(),
            output: (status == ExecutionStatus::Succeeded).then(|| "1".into()),
            failure: matches!(status, ExecutionStatus::Failed | ExecutionStatus::TimedOut)
                .then(|| Failure::new("Agent.ExitCode", "3")),
            trace_header: None,
            redrivable: match status {
                ExecutionStatus::Running => Redrivable::No("Execution is RUNNING and cannot be redriven"),
                ExecutionStatus::Succeeded => Redrivable::No("Execution is SUCCEEDED and cannot be redriven"),
                ExecutionStatus::Failed | ExecutionStatus::TimedOut | ExecutionStatus::Aborted => Redrivable::Yes,
                ExecutionStatus::PendingRedrive => Redrivable::ByMapRun,
            },
            map_run_arn: None,
        }
    }

    #[test]
    fn an_execution_is_shown() {
        let shown = |status| text(|out| encode(out, &execution(status), false));
        expect![[r#"{"executionArn":"arn:aws:states:us-east-1:111111111111:execution:night:n-1","stateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:night","name":"n-1","status":"RUNNING","startDate":1551225271.984,"input":"{ }","inputDetails":{"included":true},"redriveCount":0,"redriveStatus":"NOT_REDRIVABLE","redriveStatusReason":"Execution is RUNNING and cannot be redriven"}"#]].assert_eq(&shown(ExecutionStatus::Running));
        expect![[r#"{"executionArn":"arn:aws:states:us-east-1:111111111111:execution:night:n-1","stateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:night","name":"n-1","status":"SUCCEEDED","startDate":1551225271.984,"stopDate":1551225272.000,"input":"{ }","inputDetails":{"included":true},"output":"1","outputDetails":{"included":true},"redriveCount":0,"redriveStatus":"NOT_REDRIVABLE","redriveStatusReason":"Execution is SUCCEEDED and cannot be redriven"}"#]].assert_eq(&shown(ExecutionStatus::Succeeded));
        expect![[r#"{"executionArn":"arn:aws:states:us-east-1:111111111111:execution:night:n-1","stateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:night","name":"n-1","status":"FAILED","startDate":1551225271.984,"stopDate":1551225272.000,"input":"{ }","inputDetails":{"included":true},"error":"Agent.ExitCode","cause":"3","redriveCount":0,"redriveStatus":"REDRIVABLE"}"#]].assert_eq(&shown(ExecutionStatus::Failed));
        expect![[r#"{"executionArn":"arn:aws:states:us-east-1:111111111111:execution:night:n-1","stateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:night","name":"n-1","status":"TIMED_OUT","startDate":1551225271.984,"stopDate":1551225272.000,"input":"{ }","inputDetails":{"included":true},"redriveCount":0,"redriveStatus":"REDRIVABLE"}"#]].assert_eq(&shown(ExecutionStatus::TimedOut));
        expect![[r#"{"executionArn":"arn:aws:states:us-east-1:111111111111:execution:night:n-1","stateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:night","name":"n-1","status":"SUCCEEDED","startDate":1551225271.984,"stopDate":1551225272.000,"redriveCount":0}"#]].assert_eq(&text(|out| encode_summary(out, &execution(ExecutionStatus::Succeeded).summary)));
    }
}
