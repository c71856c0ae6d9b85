//! Conversions by hand, so that renaming ours never breaks theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::execution::Frames;
use api::{Detail, Status};
use asl::{MachineKind, Resource};
use base::arn::ExpressArn;
use base::{Arn, Caller, Json};
use engine::{Alarm, Event, Fact, Failure, FrameId, Kind};
use runtime::Paged;
use runtime::documents::{DocumentContent, DocumentFormat, DocumentLine, DocumentText};
use runtime::executions::{Execution, ExecutionStart, ExecutionStarted, ExecutionStatus, ExecutionSummary};
use runtime::instances::Instance;
use runtime::machines::{StateMachine, StateMachineCreate, StateMachineSummary, StateMachineUpdate};

pub(crate) fn page<T, U>(paged: Paged<T>, shape: impl FnMut(T) -> U) -> api::Page<U> {
    api::Page { items: paged.items.into_iter().map(shape).collect(), next: paged.next }
}

/// The ARN that a name stands for; an ARN stands for itself.
pub(crate) fn machine_arn(caller: &Caller, name: &str) -> String {
    if name.starts_with("arn:") { name.to_owned() } else { base::arn::state_machine(caller, name) }
}

/// What people call the thing that an ARN names: its resource without the kind.
fn name_in(arn: &str) -> &str {
    Arn::parse(arn).map_or(arn, |arn| arn.resource_parts().1)
}

pub(crate) fn from_status(status: Status) -> ExecutionStatus {
    match status {
        Status::Running => ExecutionStatus::Running,
        Status::Succeeded => ExecutionStatus::Succeeded,
        Status::Failed => ExecutionStatus::Failed,
        Status::TimedOut => ExecutionStatus::TimedOut,
        Status::Aborted => ExecutionStatus::Aborted,
    }
}

fn status(status: ExecutionStatus) -> Status {
    match status {
        ExecutionStatus::Running => Status::Running,
        ExecutionStatus::Succeeded => Status::Succeeded,
        ExecutionStatus::Failed => Status::Failed,
        ExecutionStatus::TimedOut => Status::TimedOut,
        ExecutionStatus::Aborted => Status::Aborted,
        // For us it has failed until it goes on.
        ExecutionStatus::PendingRedrive => Status::Failed,
    }
}

pub(crate) fn summary(summary: ExecutionSummary) -> api::ExecutionSummary {
    api::ExecutionSummary {
        definition: name_in(&summary.machine_arn).to_owned(),
        arn: summary.arn,
        name: summary.name,
        definition_arn: summary.machine_arn,
        status: status(summary.status),
        started: summary.started,
        stopped: summary.stopped,
    }
}

/// What can be said of an Express execution, which began and is never described: `None` of every other.
pub(crate) fn express(caller: &Caller, started: &ExecutionStarted) -> Option<api::ExecutionSummary> {
    let ExpressArn { machine, name } = ExpressArn::parse(&started.arn)?;
    Some(api::ExecutionSummary {
        arn: started.arn.clone(),
        name: name.to_owned(),
        definition: machine.to_owned(),
        definition_arn: base::arn::state_machine(caller, machine),
        status: Status::Running,
        started: started.started,
        stopped: None,
    })
}

pub(crate) fn execution(execution: Execution) -> api::Execution {
    let failure = execution.failure.unwrap_or_default();
    api::Execution {
        summary: summary(execution.summary),
        input: json(&execution.input),
        output: execution.output.as_deref().map(json),
        error: failure.error.map(|error| error.to_string()),
        cause: failure.cause.map(|cause| cause.to_string()),
    }
}

/// Every payload was JSON when it came in; what is not is shown as the text that it is.
fn json(text: &str) -> Json {
    Json::parse(text).unwrap_or_else(|_| Json::String(text.into()))
}

pub(crate) fn start(caller: &Caller, start: api::ExecutionStart) -> ExecutionStart {
    ExecutionStart {
        machine_arn: machine_arn(caller, &start.definition),
        name: start.name,
        input: start.input,
        trace_header: None,
    }
}

pub(crate) fn definition_summary(machine: StateMachineSummary) -> api::DefinitionSummary {
    api::DefinitionSummary {
        name: machine.name,
        arn: machine.arn,
        kind: kind_name(machine.kind).to_owned(),
        created: machine.created,
    }
}

pub(crate) fn definition(machine: StateMachine) -> api::Definition {
    api::Definition {
        updated: machine.updated,
        role_arn: machine.role_arn.clone(),
        definition: machine.definition,
        summary: api::DefinitionSummary {
            name: machine.name,
            arn: machine.arn,
            kind: kind_name(machine.kind).to_owned(),
            created: machine.created,
        },
    }
}

fn kind_name(kind: MachineKind) -> &'static str {
    match kind {
        MachineKind::Standard => "STANDARD",
        MachineKind::Express => "EXPRESS",
    }
}

/// `id` may be the ARN of the definition as well as its name.
pub(crate) fn create(caller: &Caller, id: &str, put: &api::DefinitionPut) -> StateMachineCreate {
    StateMachineCreate {
        name: name_in(id).to_owned(),
        definition: put.definition.clone(),
        role_arn: put.role_arn.clone().unwrap_or_else(|| format!("arn:aws:iam::{}:role/dandori", caller.account)),
        kind: MachineKind::Standard,
        logging: None,
        tracing: None,
        encryption: None,
        tags: vec![],
        publish: None,
    }
}

pub(crate) fn update(caller: &Caller, id: &str, put: api::DefinitionPut) -> StateMachineUpdate {
    StateMachineUpdate {
        arn: machine_arn(caller, id),
        definition: Some(put.definition),
        role_arn: put.role_arn,
        logging: None,
        tracing: None,
        encryption: None,
        publish: None,
    }
}

pub(crate) fn document_summary(line: DocumentLine) -> api::DocumentSummary {
    api::DocumentSummary {
        name: line.name,
        owner: line.owner,
        kind: line.document_type.name().to_owned(),
        version: line.version,
        version_name: line.version_name,
        platforms: line.platforms,
        created: line.created,
    }
}

pub(crate) fn document(text: DocumentText) -> api::Document {
    let described = text.description;
    api::Document {
        latest: described.latest,
        default: described.default,
        sha256: described.sha256,
        description: described.document.description().map(str::to_owned),
        format: document_format(text.format),
        text: text.text,
        summary: api::DocumentSummary {
            name: described.name,
            owner: described.owner,
            kind: described.document_type.name().to_owned(),
            version: described.version,
            version_name: described.version_name,
            platforms: described.document.platform_types().into_iter().map(str::to_owned).collect(),
            created: described.created,
        },
    }
}

/// A text that is neither is read as it is.
fn document_format(format: DocumentFormat) -> api::DocumentFormat {
    match format {
        DocumentFormat::Json | DocumentFormat::Text => api::DocumentFormat::Json,
        DocumentFormat::Yaml => api::DocumentFormat::Yaml,
    }
}

pub(crate) fn from_document_format(format: api::DocumentFormat) -> DocumentFormat {
    match format {
        api::DocumentFormat::Json => DocumentFormat::Json,
        api::DocumentFormat::Yaml => DocumentFormat::Yaml,
    }
}

pub(crate) fn document_content(put: api::DocumentPut) -> DocumentContent {
    DocumentContent {
        text: put.text,
        format: from_document_format(put.format),
        version_name: put.version_name,
        display_name: None,
        target_type: None,
    }
}

pub(crate) fn instance(instance: Instance) -> api::Instance {
    api::Instance {
        id: instance.instance_id,
        name: instance.name,
        computer_name: instance.computer_name,
        ping: instance.ping.name().to_owned(),
        last_ping: instance.last_ping,
        registered: instance.registered,
        agent_version: instance.agent_version,
        platform: format!("{} {}", instance.platform_name, instance.platform_version).trim().to_owned(),
        ip_address: instance.ip_address,
    }
}

/// Whether nothing comes after it.
pub(crate) fn ends(event: &api::Event) -> bool {
    ["ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"].contains(&event.kind.as_str())
}

/// Makes events flat, remembering which state each frame is in.
#[derive(Debug, Default)]
pub(crate) struct Events {
    with_data: bool,
    states: BTreeMap<FrameId, Arc<str>>,
}

impl Events {
    pub(crate) fn with(with_data: bool) -> Events {
        Events { with_data, ..Events::default() }
    }

    pub(crate) fn event(&mut self, event: &Event) -> api::Event {
        if let Fact::StateEntered { name, .. } = &event.fact {
            self.states.insert(event.frame, name.clone());
        }
        let mut flat = flat(&event.fact);
        if !self.with_data {
            flat.detail.data = None;
        }
        let state = flat.state.or_else(|| self.states.get(&event.frame).cloned());
        let ends_state = matches!(event.fact, Fact::StateExited { .. } | Fact::StateAborted { .. });
        if ends_state {
            self.states.remove(&event.frame);
        }
        api::Event {
            id: event.id,
            at: event.at,
            // What happens to the whole execution belongs to no state.
            state: state.filter(|_| !flat.kind.starts_with("Execution")).map(|name| name.to_string()),
            kind: flat.kind,
            frame: event.frame.0,
            detail: flat.detail,
        }
    }
}

struct Flat {
    kind: String,
    state: Option<Arc<str>>,
    detail: Detail,
}

fn flat(fact: &Fact) -> Flat {
    let plain = |kind: &str, detail: Detail| Flat { kind: kind.to_owned(), state: None, detail };
    let of_state = |kind: Kind, what: &str, name: &Arc<str>, data: Option<&Json>| Flat {
        kind: format!("{}State{what}", kind.name()),
        state: Some(name.clone()),
        detail: Detail { state_type: Some(kind.name().to_owned()), data: data.cloned(), ..Detail::default() },
    };
    let of_task = |what: &str, resource: &Arc<str>, detail: Detail| {
        let (family, resource) = task(resource);
        Flat { kind: format!("{family}{what}"), state: None, detail: Detail { resource: Some(resource), ..detail } }
    };
    let nothing = Detail::default;
    let data = |data: &Json| Detail { data: Some(data.clone()), ..Detail::default() };
    let index = |index: &u64| Detail { index: Some(*index), ..Detail::default() };
    match fact {
        Fact::ExecutionStarted { input, .. } => plain("ExecutionStarted", data(input)),
        Fact::ExecutionSucceeded { output } => plain("ExecutionSucceeded", data(output)),
        Fact::ExecutionFailed { failure } => plain("ExecutionFailed", failed(failure)),
        Fact::ExecutionAborted { failure } => plain("ExecutionAborted", failed(failure)),
        Fact::ExecutionTimedOut { failure } => plain("ExecutionTimedOut", failed(failure)),
        Fact::ExecutionRedriven { .. } => plain("ExecutionRedriven", nothing()),
        Fact::StateEntered { kind, name, input } => of_state(*kind, "Entered", name, Some(input)),
        Fact::StateExited { kind, name, output, .. } => of_state(*kind, "Exited", name, Some(output)),
        Fact::StateAborted { kind, name } => of_state(*kind, "Aborted", name, None),
        Fact::EvaluationFailed { failure, .. } => plain("EvaluationFailed", failed(failure)),
        Fact::TaskScheduled { resource, parameters, .. } => of_task("Scheduled", resource, data(parameters)),
        Fact::TaskStarted { resource, .. } => of_task("Started", resource, nothing()),
        Fact::TaskSubmitted { resource, output, .. } => of_task("Submitted", resource, data(output)),
        Fact::TaskSucceeded { resource, output, .. } => of_task("Succeeded", resource, data(output)),
        Fact::TaskFailed { resource, failure, .. } => of_task("Failed", resource, failed(failure)),
        Fact::TaskTimedOut { resource, failure, .. } => of_task("TimedOut", resource, failed(failure)),
        Fact::TaskAnswered { outcome: Ok(output), .. } => plain("TaskAnswered", data(output)),
        Fact::TaskAnswered { outcome: Err(failure), .. } => plain("TaskAnswered", failed(failure)),
        Fact::TaskHeartbeat { next, .. } => plain("TaskHeartbeat", until(next)),
        Fact::ParallelStarted { first, blocks, .. } => {
            plain("ParallelStateStarted", begins(*first, u32::try_from(blocks.len()).unwrap_or(u32::MAX)))
        }
        Fact::ParallelSucceeded => plain("ParallelStateSucceeded", nothing()),
        Fact::ParallelFailed => plain("ParallelStateFailed", nothing()),
        Fact::MapStarted { length, .. } => {
            plain("MapStateStarted", Detail { length: Some(*length), ..Detail::default() })
        }
        Fact::MapIterationStarted { index: number, child, .. } => {
            plain("MapIterationStarted", Detail { index: Some(*number), ..begins(*child, 1) })
        }
        Fact::MapIterationSucceeded { index: number, .. } => plain("MapIterationSucceeded", index(number)),
        Fact::MapIterationFailed { index: number, .. } => plain("MapIterationFailed", index(number)),
        Fact::MapIterationAborted { index: number, .. } => plain("MapIterationAborted", index(number)),
        Fact::MapSucceeded => plain("MapStateSucceeded", nothing()),
        Fact::MapFailed => plain("MapStateFailed", nothing()),
        Fact::MapDistributed { length } => {
            plain("MapStateStarted", Detail { length: Some(*length), ..Detail::default() })
        }
        Fact::MapRunStarted { arn, .. } => {
            plain("MapRunStarted", Detail { resource: Some(arn.to_string()), ..Detail::default() })
        }
        Fact::MapRunSucceeded { .. } => plain("MapRunSucceeded", nothing()),
        Fact::MapRunFailed { failure, .. } => plain("MapRunFailed", failed(failure)),
        Fact::MapRunAborted => plain("MapRunAborted", nothing()),
        Fact::MapRunRedriven { arn, .. } => {
            plain("MapRunRedriven", Detail { resource: Some(arn.to_string()), ..Detail::default() })
        }
        Fact::WaitStarted { alarm } => plain("WaitStarted", until(alarm)),
        Fact::RetryScheduled { alarm, .. } => plain("RetryScheduled", until(alarm)),
        Fact::FrameEnded { .. } => plain("FrameEnded", nothing()),
        Fact::StepPaused { .. } => plain("StepPaused", nothing()),
        Fact::StepResumed => plain("StepResumed", nothing()),
    }
}

fn failed(failure: &Failure) -> Detail {
    Detail {
        error: failure.error.as_ref().map(|error| error.to_string()),
        cause: failure.cause.as_ref().map(|cause| cause.to_string()),
        ..Detail::default()
    }
}

fn until(alarm: &Alarm) -> Detail {
    Detail { due: Some(alarm.due), ..Detail::default() }
}

fn begins(first: FrameId, count: u32) -> Detail {
    Detail { frames: Some(Frames { first: first.0, count }), ..Detail::default() }
}

/// What AWS's events about a task begin with, and the task's resource as people say it.
fn task(resource: &str) -> (&'static str, String) {
    match Resource::parse(resource) {
        Some(Resource::Lambda { arn }) => ("LambdaFunction", arn.to_string()),
        Some(Resource::Activity { arn }) => ("Activity", arn.to_string()),
        Some(Resource::Service { .. }) => {
            ("Task", resource.strip_prefix("arn:aws:states:::").unwrap_or(resource).to_owned())
        }
        None => ("Task", resource.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Timestamp;
    use engine::TaskId;

    fn event(frame: u32, fact: Fact) -> Event {
        Event { at: Timestamp(0), frame: FrameId(frame), id: 1, previous: 0, fact }
    }

    #[test]
    fn a_tasks_events_carry_their_state_and_no_payload_unless_asked() {
        let story = [
            event(0, Fact::StateEntered { kind: Kind::Task, name: "停止".into(), input: Json::empty_object() }),
            event(
                0,
                Fact::TaskStarted {
                    task: TaskId(1),
                    resource: "arn:aws:states:::ssm:sendCommand.sync".into(),
                    worker: None,
                    timeout: None,
                    heartbeat: None,
                },
            ),
            event(
                1,
                Fact::TaskStarted {
                    task: TaskId(2),
                    resource: "arn:aws:lambda:us-east-1:111111111111:function:f".into(),
                    worker: None,
                    timeout: None,
                    heartbeat: None,
                },
            ),
            event(0, Fact::StateExited { kind: Kind::Task, name: "停止".into(), output: Json::Null, assigned: None }),
            event(0, Fact::ExecutionSucceeded { output: Json::Null }),
        ];
        let told = |with_data: bool| -> Vec<String> {
            let mut events = Events::with(with_data);
            let flat = story.iter().map(|event| events.event(event));
            flat.map(|event| {
                format!("{} {:?} {:?} {}", event.kind, event.state, event.detail.resource, event.detail.data.is_some())
            })
            .collect()
        };
        assert_eq!(
            told(false),
            [
                "TaskStateEntered Some(\"停止\") None false",
                "TaskStarted Some(\"停止\") Some(\"ssm:sendCommand.sync\") false",
                "LambdaFunctionStarted None Some(\"arn:aws:lambda:us-east-1:111111111111:function:f\") false",
                "TaskStateExited Some(\"停止\") None false",
                "ExecutionSucceeded None None false",
            ]
        );
        assert!(told(true)[0].ends_with("true"));
    }

    #[test]
    fn a_name_stands_for_the_callers_own() {
        let caller = Caller::new("111111111111", "us-east-1");
        let arn = "arn:aws:states:us-east-1:111111111111:stateMachine:net";
        assert_eq!(
            (machine_arn(&caller, "net").as_str(), machine_arn(&caller, arn).as_str(), name_in(arn)),
            (arn, arn, "net")
        );
    }
}
