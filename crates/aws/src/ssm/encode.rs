//! Runs as Run Command shows them.

use base::Timestamp;
use fleet::destination::{Stream, object_url};
use fleet::limits::{STDERR_CHARS_MAX, STDOUT_CHARS_MAX};
use fleet::{Invocation, InvocationStatus, NotificationEvent, Per, Plugin, Run, Send, Verdict};

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
    // Instances that were found by their tags are not listed here: `ListCommandInvocations` tells which they are.
    let named = if send.targets.is_empty() { &*send.instances } else { &[] };
    out.texts("InstanceIds", named.iter().map(|instance| &*instance.0));
    out.list("Targets", &send.targets, |out, target| {
        out.text("Key", &target.key);
        out.texts("Values", target.values.iter().map(String::as_str));
    });
    out.time("RequestedDateTime", at);
    out.text("Status", status.status());
    out.text("StatusDetails", status.details());
    let destinations = &send.destinations;
    out.text_if("OutputS3Region", Some(&*destinations.region).filter(|region| !region.is_empty()));
    out.text("OutputS3BucketName", &destinations.bucket);
    out.text("OutputS3KeyPrefix", &destinations.key_prefix);
    out.text("MaxConcurrency", &send.max_concurrency.to_string());
    out.text("MaxErrors", &send.max_errors.to_string());
    out.integer("TargetCount", count(counts.target));
    out.integer("CompletedCount", count(counts.completed));
    out.integer("ErrorCount", count(counts.error));
    out.integer("DeliveryTimedOutCount", count(counts.delivery_timed_out));
    encode_news(out, send);
    encode_logs(out, send);
    out.integer("TimeoutSeconds", i64::from(send.timeout_seconds));
}

/// One invocation in a list, with what is not part of its run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub run: &'a Run,
    pub invocation: &'a Invocation,
    /// The host's name.
    pub instance_name: &'a str,
    pub region: &'a str,
    /// Whether its plugins are wanted.
    pub details: bool,
}

/// AWS's `CommandInvocation`, of `ListCommandInvocations`.
pub(crate) fn encode_invocation(out: &mut Writer, shown: Shown<'_>) {
    let Shown { run, invocation, .. } = shown;
    let Some((send, at)) = run.sent() else { return };
    let status = invocation.status();
    let plugins = run.plugins(invocation);
    out.text("CommandId", &send.command.0);
    out.text("InstanceId", &invocation.instance.0);
    out.text("InstanceName", shown.instance_name);
    out.text("Comment", &send.comment);
    out.text("DocumentName", &send.document_name);
    out.text("DocumentVersion", &send.document_version);
    out.time("RequestedDateTime", at);
    out.text("Status", status.status());
    out.text("StatusDetails", status.details());
    // Where there are several, each plugin has its own.
    let only = match &*plugins {
        [only] => Some(only),
        _ => None,
    };
    encode_urls(out, shown, only);
    out.list("CommandPlugins", plugins.iter().filter(|_| shown.details), |out, plugin| {
        encode_plugin(out, shown, send, plugin);
    });
    encode_news(out, send);
    encode_logs(out, send);
}

fn encode_plugin(out: &mut Writer, shown: Shown<'_>, send: &Send, plugin: &Plugin<'_>) {
    out.text("Name", plugin.name);
    out.text("Status", plugin_status(plugin.status));
    out.text("StatusDetails", plugin.status.details());
    out.integer("ResponseCode", plugin.response_code);
    out.time_if("ResponseStartDateTime", plugin.started_at);
    out.time_if("ResponseFinishDateTime", plugin.finished_at);
    out.text("Output", &plugin.output());
    encode_urls(out, shown, Some(plugin));
    out.text_if("OutputS3Region", Some(&*send.destinations.region).filter(|region| !region.is_empty()));
    out.text("OutputS3BucketName", &send.destinations.bucket);
    out.text("OutputS3KeyPrefix", &send.destinations.key_prefix);
}

fn encode_urls(out: &mut Writer, shown: Shown<'_>, plugin: Option<&Plugin<'_>>) {
    for (name, stream) in [("StandardOutputUrl", Stream::Stdout), ("StandardErrorUrl", Stream::Stderr)] {
        out.text(name, &url(shown.run, shown.invocation, plugin, shown.region, stream));
    }
}

/// Where the whole of a stream is, as soon as there is something.
fn url(run: &Run, invocation: &Invocation, plugin: Option<&Plugin<'_>>, region: &str, stream: Stream) -> String {
    match (run.sent(), plugin) {
        (Some((send, _)), Some(plugin)) if invocation.status().is_terminal() => {
            object_url(send, region, &invocation.instance, plugin.step, stream)
        }
        (Some(_) | None, _) => String::new(),
    }
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
pub(crate) fn encode_plugin_alone(
    out: &mut Writer,
    run: &Run,
    invocation: &Invocation,
    plugin: &Plugin<'_>,
    region: &str,
) {
    let Some((send, _)) = run.sent() else { return };
    out.text("CommandId", &send.command.0);
    out.text("InstanceId", &invocation.instance.0);
    out.text("Comment", &send.comment);
    out.text("DocumentName", &send.document_name);
    out.text("DocumentVersion", &send.document_version);
    out.text("PluginName", plugin.name);
    out.integer("ResponseCode", plugin.response_code);
    out.text("ExecutionStartDateTime", &time_text(plugin.started_at));
    out.text("ExecutionElapsedTime", &elapsed_text(plugin.started_at, plugin.finished_at));
    out.text("ExecutionEndDateTime", &time_text(plugin.finished_at));
    out.text("Status", plugin.status.status());
    out.text("StatusDetails", plugin.status.details());
    out.text("StandardOutputContent", first(&plugin.stdout, STDOUT_CHARS_MAX));
    out.text("StandardOutputUrl", &url(run, invocation, Some(plugin), region, Stream::Stdout));
    out.text("StandardErrorContent", first(&plugin.stderr, STDERR_CHARS_MAX));
    out.text("StandardErrorUrl", &url(run, invocation, Some(plugin), region, Stream::Stderr));
    encode_logs(out, send);
}

/// One invocation in the result of a task that waited for it, its texts cut to `chars_max`. What only schedulers know
/// of (a warning, several steps) is there where there is such a thing.
pub(crate) fn encode_result(out: &mut Writer, run: &Run, invocation: &Invocation, chars_max: usize) {
    let plugins = run.plugins(invocation);
    out.text("InstanceId", &invocation.instance.0);
    out.text("Status", invocation.status().status());
    out.text("StatusDetails", invocation.status().details());
    out.integer("ResponseCode", invocation.response_code());
    out.time_if("ExecutionStartDateTime", invocation.started_at());
    out.time_if("ExecutionEndDateTime", invocation.finished_at());
    let whole = invocation.outcome();
    out.text_if("Verdict", whole.and_then(|outcome| verdict(outcome.verdict)));
    match &*plugins {
        [only] => encode_texts(out, only, chars_max),
        // What all steps wrote is with the steps.
        _ => {
            out.text("StandardOutputContent", whole.map_or("", |outcome| first(&outcome.stdout, chars_max)));
            out.text("StandardErrorContent", whole.map_or("", |outcome| first(&outcome.stderr, chars_max)));
        }
    }
    if let Some(failure) = whole.and_then(fleet::Outcome::failure) {
        out.text("Error", failure.code.as_str());
        out.text("Cause", first(&failure.cause, chars_max));
    }
    if plugins.len() > 1 {
        out.list("Steps", &plugins, |out, plugin| encode_step(out, plugin, chars_max));
    }
}

fn encode_step(out: &mut Writer, plugin: &Plugin<'_>, chars_max: usize) {
    out.text("Name", plugin.name);
    out.text("Status", plugin_status(plugin.status));
    out.text("StatusDetails", plugin.status.details());
    out.integer("ResponseCode", plugin.response_code);
    out.text_if("Verdict", verdict(plugin.verdict));
    encode_texts(out, plugin, chars_max);
    if let Some(failure) = &plugin.failure {
        out.text("Error", failure.code.as_str());
        out.text("Cause", first(&failure.cause, chars_max));
    }
}

fn encode_texts(out: &mut Writer, plugin: &Plugin<'_>, chars_max: usize) {
    out.text("StandardOutputContent", first(&plugin.stdout, STDOUT_CHARS_MAX.min(chars_max)));
    out.text("StandardErrorContent", first(&plugin.stderr, STDERR_CHARS_MAX.min(chars_max)));
}

/// What the status says anyhow is not said again.
fn verdict(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Warning => Some("Warning"),
        Verdict::Normal | Verdict::Abnormal => None,
    }
}

/// The first so many characters.
fn first(text: &str, chars_max: usize) -> &str {
    text.char_indices().nth(chars_max).map_or(text, |(end, _)| &text[..end])
}

/// Who is told of what becomes of it.
fn encode_news(out: &mut Writer, send: &Send) {
    let news = send.notification.as_ref();
    out.text("ServiceRole", &send.service_role);
    out.object("NotificationConfig", |out| {
        out.text("NotificationArn", news.map_or("", |news| &news.arn));
        out.texts("NotificationEvents", news.iter().flat_map(|news| &news.events).map(|event| event_name(*event)));
        out.text(
            "NotificationType",
            news.map_or("", |news| match news.per {
                Per::Command => "Command",
                Per::Invocation => "Invocation",
            }),
        );
    });
}

fn event_name(event: NotificationEvent) -> &'static str {
    match event {
        NotificationEvent::All => "All",
        NotificationEvent::InProgress => "InProgress",
        NotificationEvent::Success => "Success",
        NotificationEvent::TimedOut => "TimedOut",
        NotificationEvent::Cancelled => "Cancelled",
        NotificationEvent::Failed => "Failed",
    }
}

fn encode_logs(out: &mut Writer, send: &Send) {
    let group = send.destinations.log_group.as_deref();
    out.object("CloudWatchOutputConfig", |out| {
        out.text("CloudWatchLogGroupName", group.unwrap_or_default());
        out.boolean("CloudWatchOutputEnabled", group.is_some());
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
    use crate::tests::{failed_run, running_run, text, told_run, whole_run};

    #[test]
    fn a_command_is_shown_as_it_stands() {
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","Comment":"","ExpiresAfter":1551232471.984,"Parameters":{"commands":["ls"]},"InstanceIds":["mi-00000000000000001","mi-00000000000000002"],"Targets":[],"RequestedDateTime":1551225271.984,"Status":"InProgress","StatusDetails":"InProgress","OutputS3BucketName":"","OutputS3KeyPrefix":"","MaxConcurrency":"50","MaxErrors":"0","TargetCount":2,"CompletedCount":0,"ErrorCount":0,"DeliveryTimedOutCount":0,"ServiceRole":"","NotificationConfig":{"NotificationArn":"","NotificationEvents":[],"NotificationType":""},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false},"TimeoutSeconds":3600}"#]].assert_eq(&text(|out| encode_command(out, &running_run())));
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","Comment":"","ExpiresAfter":1551232471.984,"Parameters":{"commands":["ls"]},"InstanceIds":["mi-00000000000000001","mi-00000000000000002","mi-00000000000000003"],"Targets":[],"RequestedDateTime":1551225271.984,"Status":"Failed","StatusDetails":"Failed","OutputS3BucketName":"","OutputS3KeyPrefix":"","MaxConcurrency":"50","MaxErrors":"0","TargetCount":3,"CompletedCount":3,"ErrorCount":1,"DeliveryTimedOutCount":0,"ServiceRole":"","NotificationConfig":{"NotificationArn":"","NotificationEvents":[],"NotificationType":""},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false},"TimeoutSeconds":3600}"#]].assert_eq(&text(|out| encode_command(out, &failed_run())));
    }

    fn listed(run: &Run, index: usize, details: bool) -> String {
        let invocation = &run.invocations()[index];
        let shown = Shown { run, invocation, instance_name: "web", region: "us-east-1", details };
        text(|out| encode_invocation(out, shown))
    }

    fn alone(run: &Run, index: usize, name: Option<&str>) -> String {
        let invocation = &run.invocations()[index];
        match run.plugin(invocation, name) {
            Some(plugin) => text(|out| encode_plugin_alone(out, run, invocation, &plugin, "us-east-1")),
            None => "no such plugin".to_owned(),
        }
    }

    #[test]
    fn an_invocation_is_shown_in_two_forms() {
        let (running, failed) = (running_run(), failed_run());
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","InstanceId":"mi-00000000000000001","InstanceName":"web","Comment":"","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","RequestedDateTime":1551225271.984,"Status":"Pending","StatusDetails":"Pending","StandardOutputUrl":"","StandardErrorUrl":"","CommandPlugins":[],"ServiceRole":"","NotificationConfig":{"NotificationArn":"","NotificationEvents":[],"NotificationType":""},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false}}"#]].assert_eq(&listed(&running, 0, false));
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","InstanceId":"mi-00000000000000002","InstanceName":"web","Comment":"","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","RequestedDateTime":1551225271.984,"Status":"Failed","StatusDetails":"Failed","StandardOutputUrl":"","StandardErrorUrl":"","CommandPlugins":[{"Name":"aws:runShellScript","Status":"Failed","StatusDetails":"Failed","ResponseCode":3,"ResponseStartDateTime":1551225271.984,"ResponseFinishDateTime":1551225272.004,"Output":"out\n\n----------ERROR-------\nerr\n","StandardOutputUrl":"","StandardErrorUrl":"","OutputS3BucketName":"","OutputS3KeyPrefix":""}],"ServiceRole":"","NotificationConfig":{"NotificationArn":"","NotificationEvents":[],"NotificationType":""},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false}}"#]].assert_eq(&listed(&failed, 1, true));
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","InstanceId":"mi-00000000000000001","Comment":"","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","PluginName":"aws:runShellScript","ResponseCode":-1,"ExecutionStartDateTime":"","ExecutionElapsedTime":"","ExecutionEndDateTime":"","Status":"Pending","StatusDetails":"Pending","StandardOutputContent":"","StandardOutputUrl":"","StandardErrorContent":"","StandardErrorUrl":"","CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false}}"#]].assert_eq(&alone(&running, 0, None));
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","InstanceId":"mi-00000000000000001","Comment":"","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","PluginName":"aws:runShellScript","ResponseCode":0,"ExecutionStartDateTime":"2019-02-26T23:54:31.984Z","ExecutionElapsedTime":"PT0.02S","ExecutionEndDateTime":"2019-02-26T23:54:32.004Z","Status":"Success","StatusDetails":"Success","StandardOutputContent":"out\n","StandardOutputUrl":"","StandardErrorContent":"","StandardErrorUrl":"","CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false}}"#]].assert_eq(&alone(&failed, 0, Some("aws:runShellScript")));
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000001","InstanceId":"mi-00000000000000003","Comment":"","DocumentName":"AWS-RunShellScript","DocumentVersion":"$DEFAULT","PluginName":"aws:runShellScript","ResponseCode":-1,"ExecutionStartDateTime":"","ExecutionElapsedTime":"","ExecutionEndDateTime":"","Status":"Cancelled","StatusDetails":"Terminated","StandardOutputContent":"","StandardOutputUrl":"","StandardErrorContent":"Agent.Terminated: too many others failed","StandardErrorUrl":"","CloudWatchOutputConfig":{"CloudWatchLogGroupName":"","CloudWatchOutputEnabled":false}}"#]].assert_eq(&alone(&failed, 2, None));
        expect!["no such plugin"].assert_eq(&alone(&failed, 2, Some("aws:dance")));
    }

    /// What members of these names say, wherever they stand in an answer.
    fn said(answer: &str, names: &[&str]) -> String {
        let of = |name: &str| {
            let mark = format!(r#""{name}":"#);
            let values = answer.split(&*mark).skip(1);
            let texts: Vec<&str> =
                values.map(|rest| rest[..rest.find([',', '}']).expect("more")].trim_matches('"')).collect();
            texts.join("+")
        };
        names.iter().map(|name| of(name)).collect::<Vec<_>>().join(" ")
    }

    /// As a list shows it, with its plugin behind a `+`, and as it is shown alone.
    #[test]
    fn each_status_of_an_invocation_is_told_in_aws_s_words() {
        let stands = "queued offered unheard begun cancelling 0 3";
        let ends = fleet::FailureCode::ALL.iter().map(|code| code.as_str());
        let mut told = String::new();
        for stand in stands.split(' ').chain(ends) {
            let run = told_run(stand);
            let listed = said(&listed(&run, 0, true), &["Status", "StatusDetails", "ResponseCode"]);
            let alone = said(&alone(&run, 0, None), &["Status", "StatusDetails", "ResponseCode"]);
            told.push_str(&format!("{stand}: {listed} | {alone}\n"));
        }
        expect![[r#"
            queued: Pending+Pending Pending+Pending -1 | Pending Pending -1
            offered: Pending+Pending Pending+Pending -1 | Pending Pending -1
            unheard: Delayed+Pending Delayed+Delayed -1 | Delayed Delayed -1
            begun: InProgress+InProgress InProgress+InProgress -1 | InProgress InProgress -1
            cancelling: Cancelling+InProgress Cancelling+Cancelling -1 | Cancelling Cancelling -1
            0: Success+Success Success+Success 0 | Success Success 0
            3: Failed+Failed Failed+Failed 3 | Failed Failed 3
            Agent.ExitCode: Failed+Failed Failed+Failed -1 | Failed Failed -1
            Agent.Killed: Failed+Failed Failed+Failed -1 | Failed Failed -1
            Agent.TimedOut: TimedOut+TimedOut ExecutionTimedOut+ExecutionTimedOut -1 | TimedOut ExecutionTimedOut -1
            Agent.DeliveryTimedOut: TimedOut+TimedOut DeliveryTimedOut+DeliveryTimedOut -1 | TimedOut DeliveryTimedOut -1
            Agent.Indeterminate: Failed+Failed Failed+Failed -1 | Failed Failed -1
            Agent.Cancelled: Cancelled+Cancelled Cancelled+Cancelled -1 | Cancelled Cancelled -1
            Agent.Terminated: Cancelled+Cancelled Terminated+Terminated -1 | Cancelled Terminated -1
            Agent.Undeliverable: Failed+Failed Undeliverable+Undeliverable -1 | Failed Undeliverable -1
            Agent.ScriptMissing: Failed+Failed Failed+Failed -1 | Failed Failed -1
            Agent.NotExecutable: Failed+Failed Failed+Failed -1 | Failed Failed -1
            Agent.WorkingDirectoryMissing: Failed+Failed Failed+Failed -1 | Failed Failed -1
            Agent.StartFailed: Failed+Failed Failed+Failed -1 | Failed Failed -1
            Agent.AccessDenied: Failed+Failed AccessDenied+AccessDenied -1 | Failed AccessDenied -1
            Agent.UserMissing: Failed+Failed Failed+Failed -1 | Failed Failed -1
            Agent.ContentMissing: Failed+Failed Failed+Failed -1 | Failed Failed -1
            Agent.LimitExceeded: Failed+Failed Failed+Failed -1 | Failed Failed -1
            Agent.Abnormal: Failed+Failed Failed+Failed -1 | Failed Failed -1
            Agent.InvalidPlatform: Failed+Failed InvalidPlatform+InvalidPlatform -1 | Failed InvalidPlatform -1
            Agent.Lost: Failed+Failed Failed+Failed -1 | Failed Failed -1
            Agent.Failed: Failed+Failed Failed+Failed -1 | Failed Failed -1
        "#]].assert_eq(&told);
    }

    /// Its status, how many there are, have ended and failed, and could not be delivered.
    #[test]
    fn each_status_of_a_command_is_told_in_aws_s_words() {
        let mut told = String::new();
        for stands in [
            "queued offered",
            "queued unheard",
            "0 begun",
            "0 cancelling whole",
            "0 0",
            "0 3",
            "0 3 errors=2",
            "3 3 errors=2",
            "3 Agent.Terminated",
            "0 Agent.TimedOut",
            "Agent.TimedOut Agent.TimedOut",
            "0 Agent.DeliveryTimedOut",
            "Agent.DeliveryTimedOut Agent.DeliveryTimedOut",
            "0 Agent.Cancelled",
            "0 Agent.Cancelled whole",
            "Agent.Cancelled Agent.Cancelled",
            "0 Agent.Undeliverable",
            "Agent.Undeliverable Agent.Undeliverable",
            "Agent.AccessDenied Agent.InvalidPlatform",
            "Agent.Indeterminate 0",
            "over",
            "",
        ] {
            let run = told_run(stands);
            let names =
                ["Status", "StatusDetails", "TargetCount", "CompletedCount", "ErrorCount", "DeliveryTimedOutCount"];
            let command = text(|out| encode_command(out, &run));
            told.push_str(&format!("{stands}: {}\n", said(&command, &names)));
        }
        expect![[r#"
            queued offered: Pending Pending 2 0 0 0
            queued unheard: Pending Delayed 2 0 0 0
            0 begun: InProgress InProgress 2 1 0 0
            0 cancelling whole: Cancelling Cancelling 2 1 0 0
            0 0: Success Success 2 2 0 0
            0 3: Failed Failed 2 2 1 0
            0 3 errors=2: Failed Incomplete 2 2 1 0
            3 3 errors=2: Failed Failed 2 2 2 0
            3 Agent.Terminated: Failed Failed 2 2 1 0
            0 Agent.TimedOut: TimedOut ExecutionTimedOut 2 2 1 0
            Agent.TimedOut Agent.TimedOut: TimedOut ExecutionTimedOut 2 2 2 0
            0 Agent.DeliveryTimedOut: TimedOut DeliveryTimedOut 2 2 0 1
            Agent.DeliveryTimedOut Agent.DeliveryTimedOut: TimedOut DeliveryTimedOut 2 2 0 2
            0 Agent.Cancelled: Failed Incomplete 2 2 0 0
            0 Agent.Cancelled whole: Cancelled Cancelled 2 2 0 0
            Agent.Cancelled Agent.Cancelled: Cancelled Cancelled 2 2 0 0
            0 Agent.Undeliverable: Success Success 2 2 0 0
            Agent.Undeliverable Agent.Undeliverable: Failed Failed 2 2 0 0
            Agent.AccessDenied Agent.InvalidPlatform: Failed Failed 2 2 0 0
            Agent.Indeterminate 0: Failed Failed 2 2 1 0
            over: Failed RateExceeded 0 0 0 0
            : Success NoInstancesInTag 0 0 0 0
        "#]]
        .assert_eq(&told);
    }

    #[test]
    fn everything_that_was_asked_for_is_told_again() {
        let run = whole_run();
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000002","DocumentName":"Nightly","DocumentVersion":"3","Comment":"night","ExpiresAfter":1551229051.984,"Parameters":{},"InstanceIds":[],"Targets":[{"Key":"tag:role","Values":["web"]}],"RequestedDateTime":1551225271.984,"Status":"Failed","StatusDetails":"Failed","OutputS3BucketName":"logs","OutputS3KeyPrefix":"night","MaxConcurrency":"50","MaxErrors":"0","TargetCount":1,"CompletedCount":1,"ErrorCount":1,"DeliveryTimedOutCount":0,"ServiceRole":"arn:aws:iam::000000000000:role/sns","NotificationConfig":{"NotificationArn":"arn:aws:sns:us-east-1:000000000000:night","NotificationEvents":["Success","Failed"],"NotificationType":"Invocation"},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"/aws/ssm/Nightly","CloudWatchOutputEnabled":true},"TimeoutSeconds":3600}"#]].assert_eq(&text(|out| encode_command(out, &run)));
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000002","InstanceId":"mi-00000000000000001","InstanceName":"web","Comment":"night","DocumentName":"Nightly","DocumentVersion":"3","RequestedDateTime":1551225271.984,"Status":"Failed","StatusDetails":"Failed","StandardOutputUrl":"","StandardErrorUrl":"","CommandPlugins":[{"Name":"fetch","Status":"Success","StatusDetails":"Success","ResponseCode":0,"ResponseStartDateTime":1551225271.984,"ResponseFinishDateTime":1551225272.984,"Output":"fetched\n","StandardOutputUrl":"https://s3.us-east-1.amazonaws.com/logs/night/0d3a0b3e-0000-4000-8000-000000000002/mi-00000000000000001/awsrunShellScript/fetch/stdout","StandardErrorUrl":"https://s3.us-east-1.amazonaws.com/logs/night/0d3a0b3e-0000-4000-8000-000000000002/mi-00000000000000001/awsrunShellScript/fetch/stderr","OutputS3BucketName":"logs","OutputS3KeyPrefix":"night"},{"Name":"install","Status":"Success","StatusDetails":"Success","ResponseCode":0,"ResponseStartDateTime":1551225271.984,"ResponseFinishDateTime":1551225272.984,"Output":"Step execution skipped","StandardOutputUrl":"https://s3.us-east-1.amazonaws.com/logs/night/0d3a0b3e-0000-4000-8000-000000000002/mi-00000000000000001/awsrunShellScript/install/stdout","StandardErrorUrl":"https://s3.us-east-1.amazonaws.com/logs/night/0d3a0b3e-0000-4000-8000-000000000002/mi-00000000000000001/awsrunShellScript/install/stderr","OutputS3BucketName":"logs","OutputS3KeyPrefix":"night"},{"Name":"check","Status":"Failed","StatusDetails":"Failed","ResponseCode":-1,"ResponseStartDateTime":1551225271.984,"ResponseFinishDateTime":1551225272.984,"Output":"\n----------ERROR-------\nAgent.ContentMissing: there is no such file","StandardOutputUrl":"https://s3.us-east-1.amazonaws.com/logs/night/0d3a0b3e-0000-4000-8000-000000000002/mi-00000000000000001/awsrunShellScript/check/stdout","StandardErrorUrl":"https://s3.us-east-1.amazonaws.com/logs/night/0d3a0b3e-0000-4000-8000-000000000002/mi-00000000000000001/awsrunShellScript/check/stderr","OutputS3BucketName":"logs","OutputS3KeyPrefix":"night"}],"ServiceRole":"arn:aws:iam::000000000000:role/sns","NotificationConfig":{"NotificationArn":"arn:aws:sns:us-east-1:000000000000:night","NotificationEvents":["Success","Failed"],"NotificationType":"Invocation"},"CloudWatchOutputConfig":{"CloudWatchLogGroupName":"/aws/ssm/Nightly","CloudWatchOutputEnabled":true}}"#]].assert_eq(&listed(&run, 0, true));
    }

    #[test]
    fn each_step_is_a_plugin() {
        let run = whole_run();
        expect!["no such plugin"].assert_eq(&alone(&run, 0, None));
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000002","InstanceId":"mi-00000000000000001","Comment":"night","DocumentName":"Nightly","DocumentVersion":"3","PluginName":"fetch","ResponseCode":0,"ExecutionStartDateTime":"2019-02-26T23:54:31.984Z","ExecutionElapsedTime":"PT1S","ExecutionEndDateTime":"2019-02-26T23:54:32.984Z","Status":"Success","StatusDetails":"Success","StandardOutputContent":"fetched\n","StandardOutputUrl":"https://s3.us-east-1.amazonaws.com/logs/night/0d3a0b3e-0000-4000-8000-000000000002/mi-00000000000000001/awsrunShellScript/fetch/stdout","StandardErrorContent":"","StandardErrorUrl":"https://s3.us-east-1.amazonaws.com/logs/night/0d3a0b3e-0000-4000-8000-000000000002/mi-00000000000000001/awsrunShellScript/fetch/stderr","CloudWatchOutputConfig":{"CloudWatchLogGroupName":"/aws/ssm/Nightly","CloudWatchOutputEnabled":true}}"#]].assert_eq(&alone(&run, 0, Some("fetch")));
        expect![[r#"{"CommandId":"0d3a0b3e-0000-4000-8000-000000000002","InstanceId":"mi-00000000000000001","Comment":"night","DocumentName":"Nightly","DocumentVersion":"3","PluginName":"check","ResponseCode":-1,"ExecutionStartDateTime":"2019-02-26T23:54:31.984Z","ExecutionElapsedTime":"PT1S","ExecutionEndDateTime":"2019-02-26T23:54:32.984Z","Status":"Failed","StatusDetails":"Failed","StandardOutputContent":"","StandardOutputUrl":"https://s3.us-east-1.amazonaws.com/logs/night/0d3a0b3e-0000-4000-8000-000000000002/mi-00000000000000001/awsrunShellScript/check/stdout","StandardErrorContent":"Agent.ContentMissing: there is no such file","StandardErrorUrl":"https://s3.us-east-1.amazonaws.com/logs/night/0d3a0b3e-0000-4000-8000-000000000002/mi-00000000000000001/awsrunShellScript/check/stderr","CloudWatchOutputConfig":{"CloudWatchLogGroupName":"/aws/ssm/Nightly","CloudWatchOutputEnabled":true}}"#]].assert_eq(&alone(&run, 0, Some("check")));
        expect![[r#"{"InstanceId":"mi-00000000000000001","Status":"Failed","StatusDetails":"Failed","ResponseCode":-1,"ExecutionStartDateTime":1551225271.984,"ExecutionEndDateTime":1551225273.984,"StandardOutputContent":"fetched\n","StandardErrorContent":"","Error":"Agent.ContentMissing","Cause":"there is no such file","Steps":[{"Name":"fetch","Status":"Success","StatusDetails":"Success","ResponseCode":0,"Verdict":"Warning","StandardOutputContent":"fetched\n","StandardErrorContent":""},{"Name":"install","Status":"Success","StatusDetails":"Success","ResponseCode":0,"StandardOutputContent":"Step execution skipped","StandardErrorContent":""},{"Name":"check","Status":"Failed","StatusDetails":"Failed","ResponseCode":-1,"StandardOutputContent":"","StandardErrorContent":"Agent.ContentMissing: there is no such file","Error":"Agent.ContentMissing","Cause":"there is no such file"}]}"#]].assert_eq(&text(|out| encode_result(out, &run, &run.invocations()[0], 100)));
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
