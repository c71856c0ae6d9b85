//! Commands and their invocations.

use base::Timestamp;
use fleet::Run;
use fleet::document::RUN_SHELL_SCRIPT_PLUGIN;
use runtime::commands::{CommandFilter, CommandSend, Target};
use runtime::refusal::CommandRefusal;
use runtime::{Page, Paged, Refusal};

use super::encode::{encode_command, encode_invocation, encode_invocation_alone};
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
    let filter = decode_filter(&mut call.input)?;
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
    let filter = decode_filter(&mut call.input)?;
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
    call.out.list("CommandInvocations", &shown, |out, (run, index)| {
        encode_invocation(out, run, &run.invocations()[*index], details)
    });
    call.out.text_if("NextToken", next.map(|next| next.text()).as_deref());
    Ok(())
}

/// A page of commands. One that is asked for by its id and is not there is an empty list: it may come.
async fn find(call: &Call<'_>, filter: &Wanted, page: Page) -> Result<Paged<Run>, Refusal> {
    match call.runtime.command_list(call.caller, filter.runs.clone(), page).await {
        Err(Refusal::Command(CommandRefusal::InvalidCommandId(_))) => Ok(Paged { items: Vec::new(), next: None }),
        found => found,
    }
}

pub(super) async fn get_invocation(mut call: Call<'_>) -> Result<(), Fault> {
    let plugin = call.input.text("PluginName");
    if let Some(plugin) = plugin.filter(|plugin| plugin != RUN_SHELL_SCRIPT_PLUGIN) {
        return Err(Refusal::from(CommandRefusal::InvalidPluginName(plugin)).into());
    }
    let instance = fleet::InstanceId::from(&*call.input.required("InstanceId"));
    // Right after it was sent a command may be unknown; whoever waits for it looks for this error and asks again.
    let run = match call.runtime.command(call.caller, &call.input.required("CommandId")).await {
        Err(Refusal::Command(CommandRefusal::InvalidCommandId(_))) => {
            return Err(Refusal::from(CommandRefusal::InvocationDoesNotExist).into());
        }
        run => run?,
    };
    let invocation = run.invocation(&instance).ok_or(Refusal::Command(CommandRefusal::InvocationDoesNotExist))?;
    encode_invocation_alone(call.out, &run, invocation);
    Ok(())
}

fn decode_send(input: &mut Input<'_>, task: Option<Origin>) -> Result<CommandSend, Error> {
    refuse_outputs(input)?;
    let targets = input.inputs("Targets").into_iter();
    Ok(CommandSend {
        command_id: task.map(|task| command_id(&task)),
        document_name: input.required("DocumentName"),
        document_version: input.text("DocumentVersion"),
        parameters: input.lists("Parameters").collect(),
        instance_ids: input.texts("InstanceIds").unwrap_or_default(),
        targets: targets
            .map(|mut target| Target {
                key: target.required("Key"),
                values: target.texts("Values").unwrap_or_default(),
            })
            .collect(),
        timeout_seconds: input.integer("TimeoutSeconds").and_then(|seconds| u64::try_from(seconds).ok()),
        comment: input.text("Comment"),
        max_concurrency: input.text("MaxConcurrency"),
        max_errors: input.text("MaxErrors"),
        waiter: task
            .filter(|task| task.waits)
            .map(|task| fleet::Waiter { execution: task.execution, task: task.task.0 }),
    })
}

/// The command that a task sends: the same when the task comes twice.
pub(crate) fn command_id(task: &Origin) -> String {
    task.id("command")
}

/// What would go elsewhere is refused rather than forgotten.
fn refuse_outputs(input: &mut Input<'_>) -> Result<(), Error> {
    const LATER: &str = "is not available in this version of Dandori";
    if input.text("OutputS3BucketName").is_some() {
        return Err(Error::new("InvalidOutputFolder", format!("Output to S3 {LATER}.")));
    }
    let notifies = input
        .json("NotificationConfig")
        .is_some_and(|config| config.get("NotificationArn").is_some_and(|arn| arn.as_str() != Some("")));
    if notifies {
        return Err(Error::new("InvalidNotificationConfig", format!("NotificationConfig {LATER}.")));
    }
    let logs = input
        .json("CloudWatchOutputConfig")
        .is_some_and(|config| config.get("CloudWatchOutputEnabled").and_then(base::Json::as_bool) == Some(true));
    if logs {
        return Err(Error::validation(format!("CloudWatchOutputConfig {LATER}.")));
    }
    match input.json("AlarmConfiguration") {
        Some(_) => Err(Error::validation(format!("AlarmConfiguration {LATER}."))),
        None => Ok(()),
    }
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
    fn invocations(&self, run: Run) -> Vec<(std::sync::Arc<Run>, usize)> {
        let run = std::sync::Arc::new(run);
        let wanted = run.invocations().iter().enumerate().filter(|(_, invocation)| {
            let instance = self.runs.instance_id.as_deref().is_none_or(|id| &*invocation.instance.0 == id);
            let status = self.runs.status.as_deref().is_none_or(|status| invocation.status().status() == status);
            instance && status
        });
        wanted.map(|(index, _)| (run.clone(), index)).collect()
    }
}

fn decode_filter(input: &mut Input<'_>) -> Result<Wanted, Error> {
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
            "Status" => wanted.runs.status = Some(value),
            "DocumentName" => wanted.runs.document_name = Some(value),
            _ => wanted.ended = Some(ended(&value)?),
        }
    }
    Ok(wanted)
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
                r#"CommandSend { command_id: None, document_name: "AWS-RunShellScript", document_version: None, parameters: {"commands": ["ls"], "executionTimeout": ["60"]}, instance_ids: ["mi-0123456789abcdef0"], targets: [], timeout_seconds: Some(30), comment: Some("c"), max_concurrency: Some("10%"), max_errors: Some("0"), waiter: None }"#
            ]],
        );
        check_send(
            r#"{"Targets":[{"Key":"InstanceIds","Values":["mi-0123456789abcdef0"]}],"DocumentName":"AWS-RunShellScript"}"#,
            Some(Origin { execution: Id(7), task: TaskId(3), waits: true }),
            expect![[
                r#"CommandSend { command_id: Some("f1b80b05-00fb-483d-b50a-f4b908d5f00e"), document_name: "AWS-RunShellScript", document_version: None, parameters: {}, instance_ids: [], targets: [Target { key: "InstanceIds", values: ["mi-0123456789abcdef0"] }], timeout_seconds: None, comment: None, max_concurrency: None, max_errors: None, waiter: Some(Waiter { execution: Id(7), task: 3 }) }"#
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
            &with(r#""OutputS3BucketName":"logs""#),
            None,
            expect!["400 InvalidOutputFolder: Output to S3 is not available in this version of Dandori."],
        );
        check_send(
            &with(r#""CloudWatchOutputConfig":{"CloudWatchOutputEnabled":true}"#),
            None,
            expect!["400 ValidationException: CloudWatchOutputConfig is not available in this version of Dandori."],
        );
        check_send(
            &with(r#""NotificationConfig":{"NotificationArn":"arn"}"#),
            None,
            expect!["400 InvalidNotificationConfig: NotificationConfig is not available in this version of Dandori."],
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
                .and_then(|mut input| decode_filter(&mut input));
            expect.assert_eq(&wanted.map_or_else(told, |wanted| format!("{wanted:?}")));
        };
        check(
            r#"[{"key":"InvokedAfter","value":"2021-07-07T00:00:00Z"},{"key":"Status","value":"Success"},{"key":"ExecutionStage","value":"Complete"}]"#,
            expect![[
                r#"Wanted { runs: CommandFilter { command_id: None, instance_id: None, invoked_after: Some(Timestamp(1625616000000)), invoked_before: None, status: Some("Success"), document_name: None }, ended: Some(true) }"#
            ]],
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
