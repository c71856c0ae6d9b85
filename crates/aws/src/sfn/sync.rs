//! Express executions that somebody waits for.

use runtime::express::SyncExecution;

use super::executions::decode_start;
use super::metadata_only;
use crate::operation::{Call, Fault};
use crate::write::Writer;

pub(super) async fn start(mut call: Call<'_>) -> Result<(), Fault> {
    let metadata_only = metadata_only(&mut call.input);
    let start = decode_start(&mut call.input);
    let execution = call.runtime.execution_start_sync(call.caller, start).await?;
    encode(call.out, &execution, metadata_only);
    Ok(())
}

/// What AWS bills is rounded up to 100 ms and to steps of 64 MB; memory is not measured here.
const BILLED_MS_STEP: i64 = 100;
const BILLED_MB: i64 = 64;

fn encode(out: &mut Writer, execution: &SyncExecution, metadata_only: bool) {
    out.text("executionArn", &execution.arn);
    out.text("stateMachineArn", &execution.machine_arn);
    out.text("name", &execution.name);
    out.time("startDate", execution.started);
    out.time("stopDate", execution.stopped);
    out.text("status", execution.status.name());
    out.text_if("error", execution.failure.as_ref().and_then(|failure| failure.error.as_deref()));
    out.text_if("cause", execution.failure.as_ref().and_then(|failure| failure.cause.as_deref()));
    if !metadata_only {
        out.text("input", &execution.input);
        out.object("inputDetails", |out| out.boolean("included", true));
        out.text_if("output", execution.output.as_deref());
        out.object("outputDetails", |out| out.boolean("included", true));
    }
    out.text_if("traceHeader", execution.trace_header.as_deref());
    let took = (execution.stopped.0 - execution.started.0).max(1);
    out.object("billingDetails", |out| {
        out.integer("billedMemoryUsedInMB", BILLED_MB);
        out.integer("billedDurationInMilliseconds", (took + BILLED_MS_STEP - 1) / BILLED_MS_STEP * BILLED_MS_STEP);
    });
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use engine::Failure;
    use expect_test::expect;
    use runtime::executions::ExecutionStatus;

    use super::*;
    use crate::tests::text;

    #[test]
    fn an_answer_tells_how_it_ended_and_what_it_would_cost() {
        let execution = |failure: Option<Failure>, took: i64| SyncExecution {
            arn: "e".to_owned(),
            machine_arn: "m".to_owned(),
            name: "n".to_owned(),
            status: if failure.is_some() { ExecutionStatus::Failed } else { ExecutionStatus::Succeeded },
            started: Timestamp(1_551_225_271_000),
            stopped: Timestamp(1_551_225_271_000 + took),
            input: "{ }".to_owned(),
            output: failure.is_none().then(|| "1".to_owned()),
            failure,
            trace_header: None,
        };
        let told = |execution: SyncExecution, metadata_only| text(|out| encode(out, &execution, metadata_only));
        expect![[r#"{"executionArn":"e","stateMachineArn":"m","name":"n","startDate":1551225271.000,"stopDate":1551225271.000,"status":"SUCCEEDED","input":"{ }","inputDetails":{"included":true},"output":"1","outputDetails":{"included":true},"billingDetails":{"billedMemoryUsedInMB":64,"billedDurationInMilliseconds":100}}"#]].assert_eq(&told(execution(None, 0), false));
        expect![[r#"{"executionArn":"e","stateMachineArn":"m","name":"n","startDate":1551225271.000,"stopDate":1551225271.201,"status":"FAILED","error":"E","input":"{ }","inputDetails":{"included":true},"outputDetails":{"included":true},"billingDetails":{"billedMemoryUsedInMB":64,"billedDurationInMilliseconds":300}}"#]].assert_eq(&told(execution(Some(Failure::named("E")), 201), false));
        expect![[r#"{"executionArn":"e","stateMachineArn":"m","name":"n","startDate":1551225271.000,"stopDate":1551225271.100,"status":"SUCCEEDED","billingDetails":{"billedMemoryUsedInMB":64,"billedDurationInMilliseconds":100}}"#]].assert_eq(&told(execution(None, 100), true));
    }
}
