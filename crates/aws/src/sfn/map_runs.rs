//! Map runs.

use base::Json;
use maprun::{Counts, Status, Update};
use runtime::map_runs::{MapRun, MapRunSummary};

use super::page;
use crate::error::Error;
use crate::operation::{Call, Fault};
use crate::value::Input;
use crate::write::Writer;

pub(super) async fn describe(mut call: Call<'_>) -> Result<(), Fault> {
    let run = call.runtime.map_run(call.caller, &call.input.required("mapRunArn")).await?;
    encode(call.out, &run);
    Ok(())
}

pub(super) async fn list(mut call: Call<'_>) -> Result<(), Fault> {
    let page = page(&mut call.input);
    let listed = call.runtime.map_run_list(call.caller, &call.input.required("executionArn"), page).await?;
    call.out.list("mapRuns", &listed.items, encode_summary);
    call.out.text_if("nextToken", listed.next.as_deref());
    Ok(())
}

pub(super) async fn update(mut call: Call<'_>) -> Result<(), Fault> {
    let arn = call.input.required("mapRunArn");
    let update = decode_update(&mut call.input)?;
    call.runtime.map_run_update(call.caller, &arn, update).await?;
    Ok(())
}

fn decode_update(input: &mut Input<'_>) -> Result<Update, Error> {
    let whole = |number: i64| u64::try_from(number).unwrap_or(0);
    let percentage = input.json("toleratedFailurePercentage").and_then(|number| number.as_f64());
    if let Some(percentage) = percentage.filter(|percentage| !(0.0..=100.0).contains(percentage)) {
        return Err(Error::validation(format!(
            "1 validation error detected: Value '{percentage}' at 'toleratedFailurePercentage' failed to satisfy constraint: Member must have value less than or equal to 100"
        )));
    }
    Ok(Update {
        concurrency: input.integer("maxConcurrency").map(whole),
        tolerated_count: input.integer("toleratedFailureCount").map(whole),
        tolerated_percentage: percentage,
    })
}

fn encode(out: &mut Writer, run: &MapRun) {
    out.text("mapRunArn", &run.summary.arn);
    out.text("executionArn", &run.summary.execution_arn);
    out.text("status", status_name(run.status));
    out.time("startDate", run.summary.started);
    out.time_if("stopDate", run.summary.stopped);
    out.integer("maxConcurrency", number(run.max_concurrency));
    out.structure("toleratedFailurePercentage", &Json::from(run.tolerated_percentage));
    out.integer("toleratedFailureCount", number(run.tolerated_count));
    out.object("itemCounts", |out| encode_counts(out, &run.items, run.results_written));
    out.object("executionCounts", |out| encode_counts(out, &run.executions, run.results_written));
    out.integer("redriveCount", number(run.redrives));
    out.time_if("redriveDate", run.redriven);
}

fn encode_counts(out: &mut Writer, counts: &Counts, written: u64) {
    let counted = [
        ("pending", counts.pending),
        ("running", counts.running),
        ("succeeded", counts.succeeded),
        ("failed", counts.failed),
        ("timedOut", counts.timed_out),
        ("aborted", counts.aborted),
        ("total", counts.total()),
        ("resultsWritten", written),
        ("failuresNotRedrivable", counts.not_redrivable),
        ("pendingRedrive", counts.pending_redrive),
    ];
    counted.into_iter().for_each(|(name, count)| out.integer(name, number(count)));
}

fn encode_summary(out: &mut Writer, summary: &MapRunSummary) {
    out.text("executionArn", &summary.execution_arn);
    out.text("mapRunArn", &summary.arn);
    out.text("stateMachineArn", &summary.machine_arn);
    out.time("startDate", summary.started);
    out.time_if("stopDate", summary.stopped);
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Running => "RUNNING",
        Status::Succeeded => "SUCCEEDED",
        Status::Failed => "FAILED",
        Status::Aborted => "ABORTED",
    }
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::sfn::SERVICE;
    use crate::tests::{input, text, told};

    fn check_update(body: &str, expect: Expect) {
        let operation = SERVICE.operation("UpdateMapRun").expect("an operation");
        let update = input(operation, body).and_then(|mut input| decode_update(&mut input));
        expect.assert_eq(&update.map_or_else(told, |update| format!("{update:?}")));
    }

    #[test]
    fn an_update_is_read_from_the_wire() {
        check_update(
            r#"{"mapRunArn":"a","maxConcurrency":2,"toleratedFailurePercentage":12.5}"#,
            expect!["Update { concurrency: Some(2), tolerated_count: None, tolerated_percentage: Some(12.5) }"],
        );
        check_update(
            r#"{"mapRunArn":"a","toleratedFailurePercentage":100.5}"#,
            expect![
                "400 ValidationException: 1 validation error detected: Value '100.5' at 'toleratedFailurePercentage' failed to satisfy constraint: Member must have value less than or equal to 100"
            ],
        );
        check_update(
            r#"{"toleratedFailureCount":-1}"#,
            expect![
                "400 ValidationException: 2 validation errors detected: Value null at 'mapRunArn' failed to satisfy constraint: Member must not be null; Value '-1' at 'toleratedFailureCount' failed to satisfy constraint: Member must have value greater than or equal to 0"
            ],
        );
    }

    #[test]
    fn a_run_is_described() {
        let counts = Counts {
            pending: 1,
            running: 2,
            succeeded: 3,
            failed: 4,
            timed_out: 5,
            aborted: 6,
            pending_redrive: 7,
            not_redrivable: 1,
        };
        let run = MapRun {
            summary: MapRunSummary {
                arn: "r".to_owned(),
                execution_arn: "x".to_owned(),
                machine_arn: "m".to_owned(),
                started: Timestamp(1_551_225_271_984),
                stopped: None,
            },
            status: Status::Running,
            max_concurrency: 0,
            tolerated_count: 2,
            tolerated_percentage: 0.5,
            items: counts,
            executions: counts,
            results_written: 7,
            redrives: 2,
            redriven: Some(Timestamp(1_551_225_272_984)),
        };
        expect![[r#"{"mapRunArn":"r","executionArn":"x","status":"RUNNING","startDate":1551225271.984,"maxConcurrency":0,"toleratedFailurePercentage":0.5,"toleratedFailureCount":2,"itemCounts":{"pending":1,"running":2,"succeeded":3,"failed":4,"timedOut":5,"aborted":6,"total":28,"resultsWritten":7,"failuresNotRedrivable":1,"pendingRedrive":7},"executionCounts":{"pending":1,"running":2,"succeeded":3,"failed":4,"timedOut":5,"aborted":6,"total":28,"resultsWritten":7,"failuresNotRedrivable":1,"pendingRedrive":7},"redriveCount":2,"redriveDate":1551225272.984}"#]].assert_eq(&text(|out| encode(out, &run)));
        expect![[r#"{"executionArn":"x","mapRunArn":"r","stateMachineArn":"m","startDate":1551225271.984}"#]]
            .assert_eq(&text(|out| encode_summary(out, &run.summary)));
    }
}
