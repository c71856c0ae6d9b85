//! Runs as Run Command shows them.

use std::borrow::Cow;

use base::Timestamp;
use fleet::document::RUN_SHELL_SCRIPT_PLUGIN;
use fleet::limits::{STDERR_CHARS_MAX, STDOUT_CHARS_MAX};
use fleet::{Ended, Invocation, InvocationStatus, Run};

use crate::write::Writer;

/// AWS's `Command`.
pub(crate) fn encode_command(out: &mut Writer, run: &Run) {
    encode_command_with(out, run, true);
}

/// Without its parameters, which may be long.
pub(crate) fn encode_command_with(out: &mut Writer, run: &Run, parameters: bool) {
    let Some((send, at)) = run.sent() else { return };
    let (status, counts) = (run.status(), run.counts());
    out.text("CommandId", &send.command.0);
    out.text("DocumentName", &send.document_name);
    out.text("DocumentVersion", &send.document_version);
    out.text("Comment", &send.comment);
    out.time_if("ExpiresAfter", run.expires_after());
    if parameters {
        out.map(
            "Parameters",
            send.parameters.iter().map(|(key, values)| (key.as_str(), values.iter().map(String::as_str))),
        );
    }
    out.texts("InstanceIds", send.instances.iter().map(|instance| &*instance.0));
    out.list("Targets", [(); 0], |_, ()| {});
    out.time("RequestedDateTime", at);
    out.text("Status", status.status());
    out.text("StatusDetails", status.details());
    out.text("OutputS3BucketName", "");
    out.text("OutputS3KeyPrefix", "");
    out.text("MaxConcurrency", &send.max_concurrency.to_string());
    out.text("MaxErrors", &send.max_errors.to_string());
    out.integer("TargetCount", count(counts.target));
    out.integer("CompletedCount", count(counts.completed));
    out.integer("ErrorCount", count(counts.error));
    out.integer("DeliveryTimedOutCount", count(counts.delivery_timed_out));
    encode_destinations(out);
    out.integer("TimeoutSeconds", i64::from(send.timeout_seconds));
}

/// AWS's `CommandInvocation`, of `ListCommandInvocations`.
pub(crate) fn encode_invocation(out: &mut Writer, run: &Run, invocation: &Invocation, details: bool) {
    let Some((send, at)) = run.sent() else { return };
    let status = invocation.status();
    out.text("CommandId", &send.command.0);
    out.text("InstanceId", &invocation.instance.0);
    out.text("InstanceName", "");
    out.text("Comment", &send.comment);
    out.text("DocumentName", &send.document_name);
    out.text("DocumentVersion", &send.document_version);
    out.time("RequestedDateTime", at);
    out.text("Status", status.status());
    out.text("StatusDetails", status.details());
    out.text("StandardOutputUrl", "");
    out.text("StandardErrorUrl", "");
    out.list("CommandPlugins", details.then_some(invocation), encode_plugin);
    encode_destinations(out);
}

fn encode_plugin(out: &mut Writer, invocation: &Invocation) {
    out.text("Name", RUN_SHELL_SCRIPT_PLUGIN);
    out.text("Status", plugin_status(invocation.status()));
    out.text("StatusDetails", invocation.status().details());
    out.integer("ResponseCode", invocation.response_code());
    out.time_if("ResponseStartDateTime", invocation.started_at());
    out.time_if("ResponseFinishDateTime", invocation.finished_at());
    out.text("Output", &invocation.plugin_output());
    out.text("StandardOutputUrl", "");
    out.text("StandardErrorUrl", "");
    out.text("OutputS3BucketName", "");
    out.text("OutputS3KeyPrefix", "");
}

/// A plugin knows neither delay nor cancelling.
fn plugin_status(status: InvocationStatus) -> &'static str {
    match status.status() {
        "Delayed" => "Pending",
        "Cancelling" => "InProgress",
        status => status,
    }
}

/// The answer of `GetCommandInvocation`, which writes times as texts.
pub(crate) fn encode_invocation_alone(out: &mut Writer, run: &Run, invocation: &Invocation) {
    let Some((send, _)) = run.sent() else { return };
    let status = invocation.status();
    let (started, finished) = (invocation.started_at(), invocation.finished_at());
    out.text("CommandId", &send.command.0);
    out.text("InstanceId", &invocation.instance.0);
    out.text("Comment", &send.comment);
    out.text("DocumentName", &send.document_name);
    out.text("DocumentVersion", &send.document_version);
    out.text("PluginName", RUN_SHELL_SCRIPT_PLUGIN);
    out.integer("ResponseCode", invocation.response_code());
    out.text("ExecutionStartDateTime", &time_text(started));
    out.text("ExecutionElapsedTime", &elapsed_text(started, finished));
    out.text("ExecutionEndDateTime", &time_text(finished));
    out.text("Status", status.status());
    out.text("StatusDetails", status.details());
    out.text("StandardOutputContent", stdout(invocation, STDOUT_CHARS_MAX));
    out.text("StandardOutputUrl", "");
    out.text("StandardErrorContent", first(&stderr(invocation), STDERR_CHARS_MAX));
    out.text("StandardErrorUrl", "");
    encode_logs(out);
}

/// One invocation in the result of a task that waited for it, its texts cut to `chars_max`.
pub(crate) fn encode_result(out: &mut Writer, invocation: &Invocation, chars_max: usize) {
    let status = invocation.status();
    out.text("InstanceId", &invocation.instance.0);
    out.text("Status", status.status());
    out.text("StatusDetails", status.details());
    out.integer("ResponseCode", invocation.response_code());
    out.time_if("ExecutionStartDateTime", invocation.started_at());
    out.time_if("ExecutionEndDateTime", invocation.finished_at());
    out.text("StandardOutputContent", stdout(invocation, STDOUT_CHARS_MAX.min(chars_max)));
    out.text("StandardErrorContent", first(&stderr(invocation), STDERR_CHARS_MAX.min(chars_max)));
    if let Some(failure) = invocation.outcome().and_then(fleet::Outcome::failure) {
        out.text("Error", failure.code.as_str());
        out.text("Cause", first(&failure.cause, chars_max));
    }
}

fn stdout(invocation: &Invocation, chars_max: usize) -> &str {
    invocation.outcome().map_or("", |outcome| first(&outcome.stdout, chars_max))
}

/// What it wrote; if it wrote nothing, why it did not run to its end.
fn stderr(invocation: &Invocation) -> Cow<'_, str> {
    match invocation.outcome() {
        None => Cow::Borrowed(""),
        Some(outcome) => match &outcome.ended {
            Ended::Failure(failure) if outcome.stderr.is_empty() => {
                Cow::Owned(format!("{}: {}", failure.code, failure.cause))
            }
            Ended::Failure(_) | Ended::ExitCode(_) => Cow::Borrowed(&outcome.stderr),
        },
    }
}

/// The first so many characters.
fn first(text: &str, chars_max: usize) -> &str {
    text.char_indices().nth(chars_max).map_or(text, |(end, _)| &text[..end])
}

/// Where output and news could go besides: nowhere.
fn encode_destinations(out: &mut Writer) {
    out.text("ServiceRole", "");
    out.object("NotificationConfig", |out| {
        out.text("NotificationArn", "");
        out.texts("NotificationEvents", []);
        out.text("NotificationType", "");
    });
    encode_logs(out);
}

fn encode_logs(out: &mut Writer) {
    out.object("CloudWatchOutputConfig", |out| {
        out.text("CloudWatchLogGroupName", "");
        out.boolean("CloudWatchOutputEnabled", false);
    });
}

fn time_text(time: Option<Timestamp>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}

fn elapsed_text(started: Option<Timestamp>, finished: Option<Timestamp>) -> String {
    match (started, finished) {
        (Some(started), Some(finished)) => duration_text(finished.0.saturating_sub(started.0).max(0)),
        _ => String::new(),
    }
}

/// ISO 8601 as Java writes it: `PT0.02S`, `PT1M5.5S`, `PT1H`.
fn duration_text(millis: i64) -> String {
    let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
    let (seconds, millis) = (millis / 1000 % 60, millis % 1000);
    let mut text = String::from("PT");
    for (number, unit) in [(hours, 'H'), (minutes, 'M')] {
        if number > 0 {
            text.push_str(&format!("{number}{unit}"));
        }
    }
    match (seconds, millis) {
        (0, 0) if text.len() > 2 => {}
        (seconds, 0) => text.push_str(&format!("{seconds}S")),
        (seconds, millis) => text.push_str(&format!("{}S", format!("{seconds}.{millis:03}").trim_end_matches('0'))),
    }
    text
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::tests::{failed_run, running_run, text};

    #[test]
    fn a_command_is_shown_as_it_stands() {
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","Comment":"","ExpiresAfter":1551232471.984,"Parameters":{"commands":["ls"]},"InstanceIds":["mi-00000000000000001","mi-00000000000000002"],"Targets":[],"RequestedDateTime":1551225271.984,"Status":"InProgress","StatusDetails":"InProgress","OutputS3BucketName":"","OutputS3KeyPrefix":"","MaxConcurrency":"50","MaxErrors":"0","TargetCount":2,"CompletedCount":0,"ErrorCount":0,"DeliveryTimedOutCount":0,"ServiceRole":"","NotificationConfig":{"NotificationArn":"","NotificationEvents":[],"NotificationType":""},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false},"TimeoutSeconds":3600}"#]].assert_eq(&text(|out| encode_command(out, &running_run())));
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","Comment":"","ExpiresAfter":1551232471.984,"Parameters":{"commands":["ls"]},"InstanceIds":["mi-00000000000000001","mi-00000000000000002","mi-00000000000000003"],"Targets":[],"RequestedDateTime":1551225271.984,"Status":"Failed","StatusDetails":"Failed","OutputS3BucketName":"","OutputS3KeyPrefix":"","MaxConcurrency":"50","MaxErrors":"0","TargetCount":3,"CompletedCount":3,"ErrorCount":1,"DeliveryTimedOutCount":0,"ServiceRole":"","NotificationConfig":{"NotificationArn":"","NotificationEvents":[],"NotificationType":""},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false},"TimeoutSeconds":3600}"#]].assert_eq(&text(|out| encode_command(out, &failed_run())));
    }

    #[test]
    fn an_invocation_is_shown_in_two_forms() {
        let (running, failed) = (running_run(), failed_run());
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","InstanceId":"mi-00000000000000001","InstanceName":"","Comment":"","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","RequestedDateTime":1551225271.984,"Status":"Pending","StatusDetails":"Pending","StandardOutputUrl":"","StandardErrorUrl":"","CommandPlugins":[],"ServiceRole":"","NotificationConfig":{"NotificationArn":"","NotificationEvents":[],"NotificationType":""},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false}}"#]].assert_eq(&text(|out| encode_invocation(out, &running, &running.invocations()[0], false)));
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","InstanceId":"mi-00000000000000002","InstanceName":"","Comment":"","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","RequestedDateTime":1551225271.984,"Status":"Failed","StatusDetails":"Failed","StandardOutputUrl":"","StandardErrorUrl":"","CommandPlugins":[{"Name":"aws:runShellScript","Status":"Failed","StatusDetails":"Failed","ResponseCode":3,"ResponseStartDateTime":1551225271.984,"ResponseFinishDateTime":1551225272.004,"Output":"out\n\n----------ERROR-------\nerr\n","StandardOutputUrl":"","StandardErrorUrl":"","OutputS3BucketName":"","OutputS3KeyPrefix":""}],"ServiceRole":"","NotificationConfig":{"NotificationArn":"","NotificationEvents":[],"NotificationType":""},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false}}"#]].assert_eq(&text(|out| encode_invocation(out, &failed, &failed.invocations()[1], true)));
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","InstanceId":"mi-00000000000000001","Comment":"","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","PluginName":"aws:runShellScript","ResponseCode":-1,"ExecutionStartDateTime":"","ExecutionElapsedTime":"","ExecutionEndDateTime":"","Status":"Pending","StatusDetails":"Pending","StandardOutputContent":"","StandardOutputUrl":"","StandardErrorContent":"","StandardErrorUrl":"","CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false}}"#]].assert_eq(&text(|out| encode_invocation_alone(out, &running, &running.invocations()[0])));
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","InstanceId":"mi-00000000000000001","Comment":"","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","PluginName":"aws:runShellScript","ResponseCode":0,"ExecutionStartDateTime":"2019-02-26T23:54:31.984Z","ExecutionElapsedTime":"PT0.02S","ExecutionEndDateTime":"2019-02-26T23:54:32.004Z","Status":"Success","StatusDetails":"Success","StandardOutputContent":"out\n","StandardOutputUrl":"","StandardErrorContent":"","StandardErrorUrl":"","CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false}}"#]].assert_eq(&text(|out| encode_invocation_alone(out, &failed, &failed.invocations()[0])));
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","InstanceId":"mi-00000000000000003","Comment":"","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","PluginName":"aws:runShellScript","ResponseCode":-1,"ExecutionStartDateTime":"","ExecutionElapsedTime":"","ExecutionEndDateTime":"","Status":"Cancelled","StatusDetails":"Terminated","StandardOutputContent":"","StandardOutputUrl":"","StandardErrorContent":"Agent.Terminated: too many others failed","StandardErrorUrl":"","CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false}}"#]].assert_eq(&text(|out| encode_invocation_alone(out, &failed, &failed.invocations()[2])));
    }

    #[test]
    fn durations_are_written_as_java_does() {
        for (millis, expected) in [
            (0, "PT0S"),
            (20, "PT0.02S"),
            (1_000, "PT1S"),
            (65_500, "PT1M5.5S"),
            (3_600_000, "PT1H"),
            (90_061_001, "PT25H1M1.001S"),
        ] {
            assert_eq!(duration_text(millis), expected);
        }
    }
}
