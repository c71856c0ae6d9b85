//! Commands and their invocations.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Timestamp;
use fleet::destination::Stream;
use fleet::limits::{STDERR_CHARS_MAX, STDOUT_CHARS_MAX};
use fleet::{Invocation, Plugin, Run};
use runtime::commands::{CommandFilter, CommandSend, DocumentHash, StatusWanted};
use runtime::outputs::OutputOf;
use runtime::refusal::CommandRefusal;
use runtime::{Page, Paged, Refusal};

use super::encode::{Shown, encode_command, encode_invocation, encode_plugin_alone};
use super::page;
use crate::error::Error;
use crate::operation::{Call, Fault, Origin};
use crate::value::Input;

pub(super) async fn send(mut call: Call<'_>) -> Result<(), Fault> {
    let send = decode_send(&mut call.input, call.task)?;
    let run = call.runtime.command_send(call.caller, send).await?;
    call.out.object("Command", |out| encode_command(out, &run));
    Ok(())
}

pub(super) async fn cancel(mut call: Call<'_>) -> Result<(), Fault> {
    let instances = call.input.texts("InstanceIds").unwrap_or_default();
    Ok(call.runtime.command_cancel(call.caller, &call.input.required("CommandId"), instances).await?)
}

pub(super) async fn list(mut call: Call<'_>) -> Result<(), Fault> {
    let filter = decode_filter(&mut call.input, Listed::Commands)?;
    let Page { limit, mut token } = page(&mut call.input);
    let mut runs = Vec::new();
    loop {
        let left = limit.saturating_sub(runs.len() as u32);
        let found = find(&call, &filter, Page { limit: left, token }).await?;
        runs.extend(found.items.into_iter().filter(|run| filter.has(run)));
        token = found.next;
        if token.is_none() || runs.len() as u32 >= limit {
            break;
        }
    }
    call.out.list("Commands", &runs, encode_command);
    call.out.text_if("NextToken", token.as_deref());
    Ok(())
}

pub(super) async fn list_invocations(mut call: Call<'_>) -> Result<(), Fault> {
    let filter = decode_filter(&mut call.input, Listed::Invocations)?;
    let details = call.input.boolean("Details").unwrap_or(false);
    let Page { limit, token } = page(&mut call.input);
    let mut at = Place::parse(token.as_deref())?;

    let mut shown = Vec::new();
    let next = loop {
        let page = Page { limit: RUNS_AT_A_TIME, token: at.page.clone() };
        let found = find(&call, &filter, page).await?;
        let runs = found.items.into_iter().filter(|run| filter.has(run));
        let mut invocations = runs.flat_map(|run| filter.invocations(run)).skip(at.skip);
        let room = limit as usize - shown.len();
        shown.extend(invocations.by_ref().take(room));
        if invocations.next().is_some() {
            break Some(Place { skip: at.skip + room, page: at.page });
        }
        match found.next {
            Some(page) => at = Place { skip: 0, page: Some(page) },
            None => break None,
        }
        if shown.len() >= limit as usize {
            break Some(at);
        }
    };
    let hosts = hosts(&call, &shown).await?;
    let region = &*call.caller.region.0;
    call.out.list("CommandInvocations", &shown, |out, (run, index)| {
        let invocation = &run.invocations()[*index];
        let instance_name = hosts.get(&invocation.instance).map_or("", |host| host);
        encode_invocation(out, Shown { run, invocation, instance_name, region, details });
    });
    call.out.text_if("NextToken", next.map(|next| next.text()).as_deref());
    Ok(())
}

/// The names of the hosts that are shown.
async fn hosts(call: &Call<'_>, shown: &[(Arc<Run>, usize)]) -> Result<BTreeMap<fleet::InstanceId, String>, Refusal> {
    let mut hosts = BTreeMap::new();
    for (run, index) in shown {
        let instance = &run.invocations()[*index].instance;
        if !hosts.contains_key(instance) {
            let host = call.runtime.instance_host(call.caller, &instance.0).await?;
            hosts.insert(instance.clone(), host.unwrap_or_default());
        }
    }
    Ok(hosts)
}

/// A page of commands. One that is asked for by its id and is not there is an empty list: it may come.
async fn find(call: &Call<'_>, filter: &Wanted, page: Page) -> Result<Paged<Run>, Refusal> {
    match call.runtime.command_list(call.caller, filter.runs.clone(), page).await {
        Err(Refusal::Command(CommandRefusal::InvalidCommandId(_))) => Ok(Paged { items: Vec::new(), next: None }),
        found => found,
    }
}

pub(super) async fn get_invocation(mut call: Call<'_>) -> Result<(), Fault> {
    let name = call.input.text("PluginName");
    let instance = fleet::InstanceId::from(&*call.input.required("InstanceId"));
    // Right after it was sent a command may be unknown; whoever waits for it looks for this error and asks again.
    let run = match call.runtime.command(call.caller, &call.input.required("CommandId")).await {
        Err(Refusal::Command(CommandRefusal::InvalidCommandId(_))) => {
            return Err(Refusal::from(CommandRefusal::InvocationDoesNotExist).into());
        }
        run => run?,
    };
    let invocation = run.invocation(&instance).ok_or(Refusal::Command(CommandRefusal::InvocationDoesNotExist))?;
    let mut plugin = run
        .plugin(invocation, name.as_deref())
        .ok_or_else(|| Refusal::Command(CommandRefusal::InvalidPluginName(name.unwrap_or_default())))?;
    fill_up(&call, &run, invocation, &mut plugin).await;
    encode_plugin_alone(call.out, &run, invocation, &plugin, &call.caller.region.0);
    Ok(())
}

/// A run on many instances keeps less of each output than is shown of one: the rest is with the outputs. Where it is not
/// to be had, what the run keeps is shown.
async fn fill_up(call: &Call<'_>, run: &Run, invocation: &Invocation, plugin: &mut Plugin<'_>) {
    let Some((send, _)) = run.sent() else { return };
    for (stream, chars_max) in [(Stream::Stdout, STDOUT_CHARS_MAX), (Stream::Stderr, STDERR_CHARS_MAX)] {
        let truncated = plugin.is_truncated(stream);
        let shown = match stream {
            Stream::Stdout => &mut plugin.stdout,
            Stream::Stderr => &mut plugin.stderr,
        };
        let chars = shown.chars().count();
        if !truncated || chars >= chars_max {
            continue;
        }
        let of = OutputOf {
            command_id: send.command.to_string(),
            instance_id: invocation.instance.to_string(),
            step: Some(plugin.step.to_string()),
            stream,
            attempt: None,
        };
        match call.runtime.output_head(call.caller, &of, chars_max).await {
            Ok((head, _)) if head.chars().count() > chars => *shown = head.into(),
            Ok(_) | Err(_) => (),
        }
    }
}

fn decode_send(input: &mut Input<'_>, task: Option<Origin>) -> Result<CommandSend, Error> {
    if input.json("AlarmConfiguration").is_some() {
        return Err(Error::validation(
            "AlarmConfiguration is not supported: there are no CloudWatch alarms here that could stop a command.",
        ));
    }
    let document_name = input.required("DocumentName");
    let targets = input.inputs("Targets").into_iter().map(|mut target| {
        let values = target.texts("Values").unwrap_or_default();
        match target.text("Key") {
            Some(key) => Ok(fleet::Target { key, values }),
            None => Err(Error::validation("Each of Targets must have a Key.")),
        }
    });
    Ok(CommandSend {
        command_id: task.map(|task| command_id(&task)),
        document_version: input.text("DocumentVersion"),
        document_hash: decode_hash(input),
        parameters: input.lists("Parameters").collect(),
        instance_ids: input.texts("InstanceIds").unwrap_or_default(),
        targets: targets.collect::<Result<_, _>>()?,
        timeout_seconds: input.integer("TimeoutSeconds").and_then(|seconds| u64::try_from(seconds).ok()),
        comment: input.text("Comment"),
        max_concurrency: input.text("MaxConcurrency"),
        max_errors: input.text("MaxErrors"),
        destinations: fleet::Destinations {
            bucket: input.text("OutputS3BucketName").unwrap_or_default(),
            key_prefix: input.text("OutputS3KeyPrefix").unwrap_or_default(),
            region: input.text("OutputS3Region").unwrap_or_default(),
            log_group: decode_log_group(input, &document_name),
        },
        notification: input.input("NotificationConfig").and_then(decode_notification),
        service_role: input.text("ServiceRoleArn"),
        waiter: task
            .filter(|task| task.waits)
            .map(|task| fleet::Waiter { execution: task.execution, task: task.task.0 }),
        document_name,
    })
}

/// Sha256 is what is meant where the type is not said: the other has been deprecated.
fn decode_hash(input: &mut Input<'_>) -> Option<DocumentHash> {
    let of_type = input.text("DocumentHashType");
    let hash = input.text("DocumentHash").filter(|hash| !hash.is_empty())?;
    Some(match of_type.as_deref() {
        Some("Sha1") => DocumentHash::Sha1(hash),
        Some(_) | None => DocumentHash::Sha256(hash),
    })
}

/// The group that output goes to, if it goes to one: AWS names one where nobody does.
fn decode_log_group(input: &mut Input<'_>, document_name: &str) -> Option<String> {
    let mut config = input.input("CloudWatchOutputConfig")?;
    let enabled = config.boolean("CloudWatchOutputEnabled")?;
    let named = config.text("CloudWatchLogGroupName").filter(|name| !name.is_empty());
    enabled.then(|| named.unwrap_or_else(|| fleet::destination::log_group_default(document_name)))
}

/// None where nothing is configured: the console and templates give empty texts.
fn decode_notification(mut config: Input<'_>) -> Option<fleet::Notification> {
    use fleet::NotificationEvent::{All, Cancelled, Failed, InProgress, Success, TimedOut};
    let arn = config.text("NotificationArn").filter(|arn| !arn.is_empty());
    let events = config.texts("NotificationEvents").unwrap_or_default();
    let per = config.text("NotificationType");
    if arn.is_none() && events.is_empty() && per.is_none() {
        return None;
    }
    let event = |name: &String| match &**name {
        "InProgress" => InProgress,
        "Success" => Success,
        "TimedOut" => TimedOut,
        "Cancelled" => Cancelled,
        "Failed" => Failed,
        _ => All,
    };
    let events = events.iter().map(event).collect::<Vec<_>>();
    Some(fleet::Notification {
        arn: arn.unwrap_or_default(),
        events: if events.is_empty() { vec![All] } else { events },
        per: match per.as_deref() {
            Some("Invocation") => fleet::Per::Invocation,
            Some(_) | None => fleet::Per::Command,
        },
    })
}

/// The command that a task sends: the same when the task comes twice.
pub(crate) fn command_id(task: &Origin) -> String {
    task.id("command")
}

/// Which commands are wanted. What the use case does not filter by is looked at here.
#[derive(Debug)]
struct Wanted {
    runs: CommandFilter,
    /// `ExecutionStage`: whether it has ended.
    ended: Option<bool>,
}

impl Wanted {
    fn has(&self, run: &Run) -> bool {
        self.ended.is_none_or(|ended| run.is_terminal() == ended)
    }

    /// Which of a run's invocations are wanted.
    fn invocations(&self, run: Run) -> Vec<(Arc<Run>, usize)> {
        let run = Arc::new(run);
        let wanted = run.invocations().iter().enumerate().filter(|(_, invocation)| {
            let instance = self.runs.instance_id.as_deref().is_none_or(|id| &*invocation.instance.0 == id);
            let status = self.runs.status.as_ref().is_none_or(|status| status.has_invocation(invocation));
            instance && status
        });
        wanted.map(|(index, _)| (run.clone(), index)).collect()
    }
}

/// Whose statuses and stages a list's filters mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    Commands,
    Invocations,
}

/// `SSM API reference, CommandFilter`, Status.
const COMMAND_STATUSES: &[&str] = &[
    "Pending",
    "InProgress",
    "Success",
    "Cancelled",
    "Cancelling",
    "Failed",
    "TimedOut",
    "AccessDenied",
    "DeliveryTimedOut",
    "ExecutionTimedOut",
    "Incomplete",
    "NoInstancesInTag",
    "LimitExceeded",
];
const INVOCATION_STATUSES: &[&str] = &[
    "Pending",
    "InProgress",
    "Delayed",
    "Success",
    "Cancelled",
    "Cancelling",
    "Failed",
    "TimedOut",
    "AccessDenied",
    "DeliveryTimedOut",
    "ExecutionTimedOut",
    "Undeliverable",
    "InvalidPlatform",
    "Terminated",
];

fn decode_filter(input: &mut Input<'_>, listed: Listed) -> Result<Wanted, Error> {
    let mut wanted = Wanted {
        runs: CommandFilter {
            command_id: input.text("CommandId"),
            instance_id: input.text("InstanceId"),
            ..CommandFilter::default()
        },
        ended: None,
    };
    for mut filter in input.inputs("Filters") {
        let (key, value) = (filter.required("key"), filter.required("value"));
        match &*key {
            "InvokedAfter" => wanted.runs.invoked_after = Some(time(&value)?),
            "InvokedBefore" => wanted.runs.invoked_before = Some(time(&value)?),
            "Status" => wanted.runs.status = Some(status(value, listed)?),
            "DocumentName" => wanted.runs.document_name = Some(value),
            _ if listed == Listed::Invocations => {
                let why = "ExecutionStage can't be used with ListCommandInvocations, only with ListCommands";
                return Err(Error::new("InvalidFilterKey", why));
            }
            _ => wanted.ended = Some(ended(&value)?),
        }
    }
    Ok(wanted)
}

fn status(value: String, listed: Listed) -> Result<StatusWanted, Error> {
    let known = match listed {
        Listed::Commands => COMMAND_STATUSES,
        Listed::Invocations => INVOCATION_STATUSES,
    };
    match (known.contains(&&*value), listed) {
        (false, _) => {
            Err(Error::new("InvalidFilterKey", format!("{value} is none of the statuses {}", known.join(", "))))
        }
        // The filter has another name for it than `StatusDetails`.
        (true, Listed::Commands) if value == "LimitExceeded" => Ok(StatusWanted::OfCommand("RateExceeded".to_owned())),
        (true, Listed::Commands) => Ok(StatusWanted::OfCommand(value)),
        (true, Listed::Invocations) => Ok(StatusWanted::OfInvocation(value)),
    }
}

fn time(text: &str) -> Result<Timestamp, Error> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| Error::new("InvalidFilterKey", format!("{text} is not a time such as 2021-07-07T00:00:00Z")))
}

fn ended(stage: &str) -> Result<bool, Error> {
    match stage {
        "Executing" => Ok(false),
        "Complete" => Ok(true),
        stage => Err(Error::new("InvalidFilterKey", format!("ExecutionStage is Executing or Complete, not {stage}"))),
    }
}

/// Commands read at a time when their invocations are listed.
const RUNS_AT_A_TIME: u32 = 50;

/// Where the next page of invocations begins: some way into a page of commands.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    skip: usize,
    page: Option<String>,
}

impl Place {
    fn parse(token: Option<&str>) -> Result<Place, Fault> {
        let Some(token) = token else { return Ok(Place { skip: 0, page: None }) };
        let place = token.split_once('.').and_then(|(skip, page)| {
            Some(Place { skip: skip.parse().ok()?, page: Some(page.to_owned()).filter(|page| !page.is_empty()) })
        });
        place.ok_or(Fault::Refusal(Refusal::InvalidToken))
    }

    fn text(&self) -> String {
        format!("{}.{}", self.skip, self.page.as_deref().unwrap_or(""))
    }
}

#[cfg(test)]
mod tests {
    use base::Id;
    use engine::TaskId;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::ssm::SERVICE;
    use crate::tests::{input, told};

    fn check_send(body: &str, task: Option<Origin>, expect: Expect) {
        let operation = SERVICE.operation("SendCommand").expect("an operation");
        let send = input(operation, body).and_then(|mut input| decode_send(&mut input, task));
        expect.assert_eq(&send.map_or_else(told, |send| format!("{send:?}")));
    }

    #[test]
    fn a_command_is_read_from_the_wire() {
        check_send(
            r#"{"InstanceIds":["mi-0123456789abcdef0"],"DocumentName":"AWS-RunShellScript","Parameters":{"commands":["ls"],"executionTimeout":["60"]},"TimeoutSeconds":30,"Comment":"c","MaxConcurrency":"10%","MaxErrors":"0"}"#,
            None,
            expect![[
                r#"CommandSend { command_id: None, document_name: "AWS-RunShellScript", document_version: None, parameters: {"commands": ["ls"], "executionTimeout": ["60"]}, instance_ids: ["mi-0123456789abcdef0"], targets: [], timeout_seconds: Some(30), comment: Some("c"), max_concurrency: Some("10%"), max_errors: Some("0"), document_hash: None, destinations: Destinations { bucket: "", key_prefix: "", region: "", log_group: None }, notification: None, service_role: None, waiter: None }"#
            ]],
        );
        check_send(
            r#"{"Targets":[{"Key":"InstanceIds","Values":["mi-0123456789abcdef0"]}],"DocumentName":"AWS-RunShellScript"}"#,
            Some(Origin { execution: Id(7), task: TaskId(3), waits: true }),
            expect![[
                r#"CommandSend { command_id: Some("f1b80b05-00fb-483d-b50a-f4b908d5f00e"), document_name: "AWS-RunShellScript", document_version: None, parameters: {}, instance_ids: [], targets: [Target { key: "InstanceIds", values: ["mi-0123456789abcdef0"] }], timeout_seconds: None, comment: None, max_concurrency: None, max_errors: None, document_hash: None, destinations: Destinations { bucket: "", key_prefix: "", region: "", log_group: None }, notification: None, service_role: None, waiter: Some(Waiter { execution: Id(7), task: 3 }) }"#
            ]],
        );
    }

    #[test]
    fn where_output_and_news_go_is_read_from_the_wire() {
        let check = |rest: &str, expect: Expect| {
            let operation = SERVICE.operation("SendCommand").expect("an operation");
            let body = format!(r#"{{"DocumentName":"Nightly","InstanceIds":["mi-0123456789abcdef0"],{rest}}}"#);
            let send = input(operation, &body).and_then(|mut input| decode_send(&mut input, None));
            expect.assert_eq(&send.map_or_else(told, |send| {
                format!(
                    "{:?} {:?} {:?} {:?}",
                    send.destinations, send.notification, send.service_role, send.document_hash
                )
            }));
        };
        check(
            r#""OutputS3BucketName":"logs","OutputS3KeyPrefix":"night","OutputS3Region":"us-east-1","DocumentHash":"ab""#,
            expect![[
                r#"Destinations { bucket: "logs", key_prefix: "night", region: "us-east-1", log_group: None } None None Some(Sha256("ab"))"#
            ]],
        );
        check(
            r#""CloudWatchOutputConfig":{"CloudWatchOutputEnabled":true},"DocumentHash":"ab","DocumentHashType":"Sha1""#,
            expect![[
                r#"Destinations { bucket: "", key_prefix: "", region: "", log_group: Some("/aws/ssm/Nightly") } None None Some(Sha1("ab"))"#
            ]],
        );
        check(
            r#""CloudWatchOutputConfig":{"CloudWatchLogGroupName":"/jobs","CloudWatchOutputEnabled":true}"#,
            expect![[
                r#"Destinations { bucket: "", key_prefix: "", region: "", log_group: Some("/jobs") } None None None"#
            ]],
        );
        check(
            r#""CloudWatchOutputConfig":{"CloudWatchLogGroupName":"/jobs"}"#,
            expect![[r#"Destinations { bucket: "", key_prefix: "", region: "", log_group: None } None None None"#]],
        );
        check(
            r#""NotificationConfig":{"NotificationArn":"arn","NotificationEvents":["Failed"],"NotificationType":"Invocation"},"ServiceRoleArn":"role""#,
            expect![[
                r#"Destinations { bucket: "", key_prefix: "", region: "", log_group: None } Some(Notification { arn: "arn", events: [Failed], per: Invocation }) Some("role") None"#
            ]],
        );
        check(
            r#""NotificationConfig":{"NotificationArn":"","NotificationEvents":[]}"#,
            expect![[r#"Destinations { bucket: "", key_prefix: "", region: "", log_group: None } None None None"#]],
        );
        check(
            r#""NotificationConfig":{"NotificationArn":"arn"}"#,
            expect![[
                r#"Destinations { bucket: "", key_prefix: "", region: "", log_group: None } Some(Notification { arn: "arn", events: [All], per: Command }) None None"#
            ]],
        );
    }

    #[test]
    fn what_cannot_be_a_command_is_refused() {
        check_send(
            "{}",
            None,
            expect![
                "400 ValidationException: 1 validation error detected: Value null at 'documentName' failed to satisfy constraint: Member must not be null"
            ],
        );
        check_send(
            r#"{"InstanceIds":["web-1"],"DocumentName":"a b","DocumentVersion":"0","TimeoutSeconds":29,"MaxConcurrency":"0","MaxErrors":"-1"}"#,
            None,
            expect![[
                r#"400 ValidationException: 6 validation errors detected: Value '[web-1]' at 'instanceIds' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy regular expression pattern: (^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)]; Value 'a b' at 'documentName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9_\-.:/]{3,128}$; Value '0' at 'documentVersion' failed to satisfy constraint: Member must satisfy regular expression pattern: ([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$); Value '29' at 'timeoutSeconds' failed to satisfy constraint: Member must have value greater than or equal to 30; Value '0' at 'maxConcurrency' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$; Value '-1' at 'maxErrors' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$"#
            ]],
        );
        let with = |rest: &str| format!(r#"{{"DocumentName":"AWS-RunShellScript",{rest}}}"#);
        check_send(
            &with(r#""AlarmConfiguration":{"Alarms":[{"Name":"a"}]}"#),
            None,
            expect![
                "400 ValidationException: AlarmConfiguration is not supported: there are no CloudWatch alarms here that could stop a command."
            ],
        );
        check_send(
            &with(r#""Targets":[{"Values":["a"]}]"#),
            None,
            expect!["400 ValidationException: Each of Targets must have a Key."],
        );
        check_send(
            &with(r#""Parameters":{"commands":"ls"}"#),
            None,
            expect!["400 SerializationException: Expected list or null"],
        );
    }

    #[test]
    fn filters_are_read_from_the_wire() {
        let check = |filters: &str, expect: Expect| {
            let operation = SERVICE.operation("ListCommands").expect("an operation");
            let wanted = input(operation, &format!(r#"{{"Filters":{filters}}}"#))
                .and_then(|mut input| decode_filter(&mut input, Listed::Commands));
            expect.assert_eq(&wanted.map_or_else(told, |wanted| format!("{wanted:?}")));
        };
        check(
            r#"[{"key":"InvokedAfter","value":"2021-07-07T00:00:00Z"},{"key":"Status","value":"Success"},{"key":"ExecutionStage","value":"Complete"}]"#,
            expect![[
                r#"Wanted { runs: CommandFilter { command_id: None, instance_id: None, invoked_after: Some(Timestamp(1625616000000)), invoked_before: None, status: Some(OfCommand("Success")), document_name: None }, ended: Some(true) }"#
            ]],
        );
        check(
            r#"[{"key":"Status","value":"Done"}]"#,
            expect![
                "400 InvalidFilterKey: Done is none of the statuses Pending, InProgress, Success, Cancelled, Cancelling, Failed, TimedOut, AccessDenied, DeliveryTimedOut, ExecutionTimedOut, Incomplete, NoInstancesInTag, LimitExceeded"
            ],
        );
        check(
            r#"[{"key":"Status","value":"LimitExceeded"}]"#,
            expect![[
                r#"Wanted { runs: CommandFilter { command_id: None, instance_id: None, invoked_after: None, invoked_before: None, status: Some(OfCommand("RateExceeded")), document_name: None }, ended: None }"#
            ]],
        );
        check(
            r#"[{"key":"ExecutionStage","value":"Begun"}]"#,
            expect!["400 InvalidFilterKey: ExecutionStage is Executing or Complete, not Begun"],
        );
        check(
            r#"[{"key":"InvokedBefore","value":"yesterday"}]"#,
            expect!["400 InvalidFilterKey: yesterday is not a time such as 2021-07-07T00:00:00Z"],
        );
        check(
            r#"[{"key":"status","value":"Success"}]"#,
            expect![
                "400 ValidationException: 1 validation error detected: Value 'status' at 'filters.1.member.key' failed to satisfy constraint: Member must satisfy enum value set: [InvokedAfter, InvokedBefore, Status, ExecutionStage, DocumentName]"
            ],
        );
        check(
            "[]",
            expect![
                "400 ValidationException: 1 validation error detected: Value '[]' at 'filters' failed to satisfy constraint: Member must have length greater than or equal to 1"
            ],
        );
    }

    #[test]
    fn a_place_survives_its_text() {
        for place in [Place { skip: 0, page: Some("a.b".into()) }, Place { skip: 7, page: None }] {
            let text = place.text();
            assert_eq!(Place::parse(Some(&text)).ok(), Some(place));
        }
        assert!(Place::parse(Some("garbage")).is_err() && Place::parse(Some("-1.")).is_err());
    }
}
