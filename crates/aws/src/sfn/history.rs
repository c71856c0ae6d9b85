//! Events as `GetExecutionHistory` shows them.

use std::sync::Arc;

use asl::Resource;
use base::Json;
use engine::{Event, Fact, Failure, Kind};
use runtime::logs::{LogAbout, LogLevel};

use crate::write::{Style, Writer};

/// Writes one event that AWS has. Without data, inputs and outputs are left out.
pub(super) fn encode(out: &mut Writer, event: &Event, region: &str, with_data: bool) {
    out.time("timestamp", event.at);
    out.text("type", &type_name(&event.fact));
    out.integer("id", number(event.id));
    out.integer("previousEventId", number(event.previous));
    details(&mut Details { out, region, with_data, form: Form::History }, &event.fact);
}

/// Data in a log event may have so many bytes (`Step Functions Developer Guide, Using CloudWatch Logs`): 248 KiB.
const LOGGED_DATA_BYTES_MAX: usize = 248 * 1024;

/// An event as execution logs show it, if its level is wanted.
pub fn log_event(event: &Event, about: &LogAbout<'_>) -> Option<String> {
    let name = type_name(&event.fact);
    if !is_logged(&name, about.level) {
        return None;
    }
    let mut out = Writer::new(Style::Client);
    out.text("id", &event.id.to_string());
    out.text("type", &name);
    let to = &mut Details { out: &mut out, region: about.region, with_data: about.with_data, form: Form::Log };
    details(to, &event.fact);
    out.text("previous_event_id", &event.previous.to_string());
    out.text("event_timestamp", &event.at.0.to_string());
    out.text("execution_arn", about.execution_arn);
    out.text("redrive_count", &about.redrives.to_string());
    Some(String::from_utf8(out.finish()).expect("a writer's text is UTF-8"))
}

/// Which events a level has (`Step Functions Developer Guide, Log levels for Step Functions execution events`).
fn is_logged(name: &str, level: LogLevel) -> bool {
    let fails = ["Failed", "TimedOut", "Aborted"].iter().any(|end| name.ends_with(end));
    match level {
        LogLevel::All => true,
        LogLevel::Error => fails || name == "FailStateEntered",
        LogLevel::Fatal => fails && name.starts_with("Execution"),
    }
}

/// Which events AWS shows for a task.
enum Family {
    Task { resource_type: String, resource: String },
    Lambda,
    Activity,
}

impl Family {
    fn of(resource: &str) -> Family {
        match Resource::parse(resource) {
            Some(Resource::Service { service, action, pattern, .. }) => {
                Family::Task { resource_type: service.to_string(), resource: format!("{action}{}", pattern.suffix()) }
            }
            Some(Resource::Lambda { .. }) => Family::Lambda,
            Some(Resource::Activity { .. }) => Family::Activity,
            None => Family::Task { resource_type: String::new(), resource: resource.to_owned() },
        }
    }

    fn prefix(&self) -> &'static str {
        match self {
            Family::Task { .. } => "Task",
            Family::Lambda => "LambdaFunction",
            Family::Activity => "Activity",
        }
    }
}

fn type_name(fact: &Fact) -> String {
    let of_task = |resource: &str, suffix: &str| format!("{}{suffix}", Family::of(resource).prefix());
    let of_state = |kind: Kind, suffix: &str| format!("{}State{suffix}", kind.name());
    let name = match fact {
        Fact::StateEntered { kind, .. } => return of_state(*kind, "Entered"),
        Fact::StateExited { kind, .. } => return of_state(*kind, "Exited"),
        Fact::StateAborted { kind, .. } => return of_state(*kind, "Aborted"),
        Fact::TaskScheduled { resource, .. } => return of_task(resource, "Scheduled"),
        Fact::TaskStarted { resource, .. } => return of_task(resource, "Started"),
        Fact::TaskSubmitted { resource, .. } => return of_task(resource, "Submitted"),
        Fact::TaskSucceeded { resource, .. } => return of_task(resource, "Succeeded"),
        Fact::TaskFailed { resource, .. } => return of_task(resource, "Failed"),
        Fact::TaskTimedOut { resource, .. } => return of_task(resource, "TimedOut"),
        Fact::ExecutionStarted { .. } => "ExecutionStarted",
        Fact::ExecutionSucceeded { .. } => "ExecutionSucceeded",
        Fact::ExecutionFailed { .. } => "ExecutionFailed",
        Fact::ExecutionAborted { .. } => "ExecutionAborted",
        Fact::ExecutionTimedOut { .. } => "ExecutionTimedOut",
        Fact::ExecutionRedriven { .. } => "ExecutionRedriven",
        Fact::EvaluationFailed { .. } => "EvaluationFailed",
        Fact::ParallelStarted { .. } => "ParallelStateStarted",
        Fact::ParallelSucceeded => "ParallelStateSucceeded",
        Fact::ParallelFailed => "ParallelStateFailed",
        Fact::MapStarted { .. } => "MapStateStarted",
        Fact::MapIterationStarted { .. } => "MapIterationStarted",
        Fact::MapIterationSucceeded { .. } => "MapIterationSucceeded",
        Fact::MapIterationFailed { .. } => "MapIterationFailed",
        Fact::MapIterationAborted { .. } => "MapIterationAborted",
        Fact::MapSucceeded => "MapStateSucceeded",
        Fact::MapFailed => "MapStateFailed",
        Fact::MapDistributed { .. } => "MapStateStarted",
        Fact::MapRunStarted { .. } => "MapRunStarted",
        Fact::MapRunSucceeded { .. } => "MapRunSucceeded",
        Fact::MapRunFailed { .. } => "MapRunFailed",
        Fact::MapRunAborted => "MapRunAborted",
        Fact::MapRunRedriven { .. } => "MapRunRedriven",
        // Facts of our own; they have no number and are never shown.
        Fact::TaskAnswered { .. } => "TaskAnswered",
        Fact::TaskHeartbeat { .. } => "TaskHeartbeat",
        Fact::WaitStarted { .. } => "WaitStarted",
        Fact::RetryScheduled { .. } => "RetryScheduled",
        Fact::FrameEnded { .. } => "FrameEnded",
        Fact::StepPaused { .. } => "StepPaused",
        Fact::StepResumed => "StepResumed",
    };
    name.to_owned()
}

/// What one event's details are written with.
struct Details<'w> {
    out: &'w mut Writer,
    region: &'w str,
    with_data: bool,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Details stand under a name of their own: `stateEnteredEventDetails`.
    History,
    /// They stand under `details`, whatever they are about.
    Log,
}

fn details(to: &mut Details<'_>, fact: &Fact) {
    match fact {
        Fact::ExecutionStarted { input, text, identity, .. } => to.object("executionStartedEventDetails", |to| {
            match text {
                Some(text) => to.data_text("input", "inputDetails", text),
                None => to.data("input", "inputDetails", input),
            }
            to.out.text("roleArn", &identity.role_arn);
            to.out.text_if("stateMachineAliasArn", identity.alias_arn.as_deref());
            to.out.text_if("stateMachineVersionArn", identity.version_arn.as_deref());
        }),
        Fact::ExecutionSucceeded { output } => {
            to.object("executionSucceededEventDetails", |to| to.data("output", "outputDetails", output))
        }
        Fact::ExecutionFailed { failure } => to.object("executionFailedEventDetails", |to| to.failure(failure)),
        Fact::ExecutionAborted { failure } => to.object("executionAbortedEventDetails", |to| to.failure(failure)),
        Fact::ExecutionTimedOut { failure } => to.object("executionTimedOutEventDetails", |to| to.failure(failure)),
        Fact::ExecutionRedriven { count, .. } => {
            to.object("executionRedrivenEventDetails", |to| {
                to.out.integer("redriveCount", i64::try_from(*count).unwrap_or(i64::MAX))
            });
        }

        Fact::EvaluationFailed { state, failure, location } => to.object("evaluationFailedEventDetails", |to| {
            to.failure(failure);
            to.out.text_if("location", location.as_deref());
            to.out.text("state", state);
        }),
        Fact::StateEntered { name, input, .. } => to.object("stateEnteredEventDetails", |to| {
            to.out.text("name", name);
            to.data("input", "inputDetails", input);
        }),
        Fact::StateExited { name, output, assigned, .. } => to.object("stateExitedEventDetails", |to| {
            to.out.text("name", name);
            to.data("output", "outputDetails", output);
            to.assigned(assigned.as_deref());
        }),

        Fact::TaskScheduled { resource, parameters, timeout_seconds, heartbeat_seconds, credentials, .. } => {
            let credentials = credentials.as_ref();
            to.scheduled(resource, parameters, *timeout_seconds, *heartbeat_seconds, credentials);
        }
        Fact::TaskStarted { resource, worker, .. } => match Family::of(resource) {
            Family::Lambda => {}
            Family::Activity => {
                to.object("activityStartedEventDetails", |to| to.out.text_if("workerName", worker.as_deref()))
            }
            family @ Family::Task { .. } => to.object("taskStartedEventDetails", |to| to.resource(&family)),
        },
        Fact::TaskSubmitted { resource, output, .. } => {
            to.task(resource, "SubmittedEventDetails", |to| to.data("output", "outputDetails", output))
        }
        Fact::TaskSucceeded { resource, output, .. } => {
            to.task(resource, "SucceededEventDetails", |to| to.data("output", "outputDetails", output))
        }
        Fact::TaskFailed { resource, failure, .. } => to.task(resource, "FailedEventDetails", |to| to.failure(failure)),
        Fact::TaskTimedOut { resource, failure, .. } => {
            to.task(resource, "TimedOutEventDetails", |to| to.failure(failure))
        }

        Fact::MapStarted { length, .. } | Fact::MapDistributed { length } => {
            to.object("mapStateStartedEventDetails", |to| to.out.integer("length", number(*length)))
        }
        Fact::MapIterationStarted { name, index, .. } => to.iteration("mapIterationStartedEventDetails", name, *index),
        Fact::MapIterationSucceeded { name, index } => to.iteration("mapIterationSucceededEventDetails", name, *index),
        Fact::MapIterationFailed { name, index } => to.iteration("mapIterationFailedEventDetails", name, *index),
        Fact::MapIterationAborted { name, index } => to.iteration("mapIterationAbortedEventDetails", name, *index),

        Fact::MapRunStarted { arn, .. } => to.object("mapRunStartedEventDetails", |to| to.out.text("mapRunArn", arn)),
        Fact::MapRunFailed { failure, .. } => to.object("mapRunFailedEventDetails", |to| to.failure(failure)),
        Fact::MapRunRedriven { arn, count, .. } => to.object("mapRunRedrivenEventDetails", |to| {
            to.out.text("mapRunArn", arn);
            to.out.integer("redriveCount", number(*count));
        }),

        Fact::StateAborted { .. }
        | Fact::ParallelStarted { .. }
        | Fact::ParallelSucceeded
        | Fact::ParallelFailed
        | Fact::MapSucceeded
        | Fact::MapFailed
        | Fact::TaskAnswered { .. }
        | Fact::MapRunSucceeded { .. }
        | Fact::MapRunAborted
        | Fact::TaskHeartbeat { .. }
        | Fact::WaitStarted { .. }
        | Fact::RetryScheduled { .. }
        | Fact::FrameEnded { .. }
        | Fact::StepPaused { .. }
        | Fact::StepResumed => {}
    }
}

impl Details<'_> {
    fn object(&mut self, name: &str, write: impl FnOnce(&mut Details<'_>)) {
        let Details { region, with_data, form, .. } = *self;
        let name = if form == Form::Log { "details" } else { name };
        self.out.object(name, |out| write(&mut Details { out, region, with_data, form }));
    }

    fn data(&mut self, name: &str, details: &str, data: &Json) {
        if self.with_data {
            self.data_text(name, details, &data.to_string());
        }
    }

    fn data_text(&mut self, name: &str, details: &str, text: &str) {
        if self.with_data {
            let shown =
                if self.form == Form::Log { &text[..text.floor_char_boundary(LOGGED_DATA_BYTES_MAX)] } else { text };
            self.out.text(name, shown);
            self.out.object(details, |out| out.boolean("truncated", shown.len() < text.len()));
        }
    }

    fn assigned(&mut self, assigned: Option<&[(Arc<str>, Json)]>) {
        let Some(assigned) = assigned.filter(|_| self.with_data) else { return };
        self.out.object("assignedVariables", |out| {
            assigned.iter().for_each(|(name, value)| out.text(name, &value.to_string()));
        });
        self.out.object("assignedVariablesDetails", |out| out.boolean("truncated", false));
    }

    fn failure(&mut self, failure: &Failure) {
        self.out.text_if("error", failure.error.as_deref());
        self.out.text_if("cause", failure.cause.as_deref());
    }

    fn resource(&mut self, family: &Family) {
        if let Family::Task { resource_type, resource } = family {
            self.out.text("resourceType", resource_type);
            self.out.text("resource", resource);
        }
    }

    /// `taskFailedEventDetails`, `lambdaFunctionFailedEventDetails` or `activityFailedEventDetails`.
    fn task(&mut self, resource: &str, suffix: &str, write: impl FnOnce(&mut Details<'_>)) {
        let family = Family::of(resource);
        let name = match family {
            Family::Task { .. } => format!("task{suffix}"),
            Family::Lambda => format!("lambdaFunction{suffix}"),
            Family::Activity => format!("activity{suffix}"),
        };
        self.object(&name, |to| {
            to.resource(&family);
            write(to);
        });
    }

    fn scheduled(
        &mut self,
        resource: &str,
        parameters: &Json,
        timeout: Option<u64>,
        heartbeat: Option<u64>,
        credentials: Option<&Json>,
    ) {
        let family = Family::of(resource);
        self.task(resource, "ScheduledEventDetails", |to| {
            match family {
                Family::Task { .. } => {
                    to.out.text("region", to.region);
                    to.out.text("parameters", &parameters.to_string());
                }
                Family::Lambda | Family::Activity => {
                    to.out.text("resource", resource);
                    to.data("input", "inputDetails", parameters);
                }
            }
            // A function has no heartbeat, an activity no credentials.
            let heartbeat = heartbeat.filter(|_| !matches!(family, Family::Lambda));
            let credentials = credentials.filter(|_| !matches!(family, Family::Activity));
            for (name, seconds) in [("timeoutInSeconds", timeout), ("heartbeatInSeconds", heartbeat)] {
                if let Some(seconds) = seconds {
                    to.out.integer(name, number(seconds));
                }
            }
            if let Some(role_arn) =
                credentials.and_then(|credentials| credentials.get("RoleArn")).and_then(Json::as_str)
            {
                to.out.object("taskCredentials", |out| out.text("roleArn", role_arn));
            }
        });
    }

    fn iteration(&mut self, name: &str, state: &str, index: u64) {
        self.object(name, |to| {
            to.out.text("name", state);
            to.out.integer("index", number(index));
        });
    }
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use engine::{FrameId, Identity, TaskId};
    use expect_test::{Expect, expect};

    use super::*;
    use crate::tests::text;

    const SSM: &str = "arn:aws:states:::ssm:sendCommand.sync";
    const SDK: &str = "arn:aws:states:::aws-sdk:ssm:sendCommand";
    const LAMBDA: &str = "arn:aws:lambda:us-east-1:111111111111:function:f";
    const ACTIVITY: &str = "arn:aws:states:us-east-1:111111111111:activity:a";

    fn check(facts: Vec<Fact>, with_data: bool, expect: Expect) {
        let lines = facts.into_iter().enumerate().map(|(index, fact)| {
            let event = Event {
                at: Timestamp(1_551_225_271_984),
                frame: FrameId::ROOT,
                id: index as u64 + 1,
                previous: index as u64,
                fact,
            };
            let line = text(|out| encode(out, &event, "us-east-1", with_data));
            line.replace(r#""timestamp":1551225271.984,"#, "") + "\n"
        });
        expect.assert_eq(&lines.collect::<String>());
    }

    fn json(text: &str) -> Json {
        Json::parse(text).expect("JSON")
    }

    fn started(input: &str, identity: Identity) -> Fact {
        Fact::ExecutionStarted {
            input: json(input),
            text: input.starts_with(' ').then(|| input.into()),
            identity,
            block: 0,
            timeout: None,
        }
    }

    fn task(resource: &str) -> Vec<Fact> {
        let task = TaskId(1);
        let failure = Failure::new("E", "c");
        vec![
            Fact::TaskScheduled {
                task,
                resource: resource.into(),
                parameters: json(r#"{"P":[1]}"#),
                timeout_seconds: Some(60),
                heartbeat_seconds: Some(5),
                credentials: Some(json(r#"{"RoleArn":"arn:aws:iam::111111111111:role/t"}"#)),
                token: None,
                timeout: None,
                heartbeat: None,
            },
            Fact::TaskStarted {
                task,
                resource: resource.into(),
                worker: Some("w".into()),
                timeout: None,
                heartbeat: None,
            },
            Fact::TaskSucceeded { task, resource: resource.into(), output: json("{}") },
            Fact::TaskFailed { task, resource: resource.into(), failure: failure.clone() },
            Fact::TaskTimedOut { task, resource: resource.into(), failure: Failure::named("States.Timeout") },
        ]
    }

    #[test]
    fn an_execution_begins_and_ends() {
        check(
            vec![
                started(r#"{"a":"é"}"#, Identity { role_arn: "r".into(), ..Identity::default() }),
                started(" { }", Identity::default()),
                Fact::ExecutionSucceeded { output: json("null") },
                Fact::ExecutionFailed { failure: Failure::new("E", "c") },
                Fact::ExecutionFailed { failure: Failure::named("E") },
                Fact::ExecutionAborted { failure: Failure::default() },
                Fact::ExecutionTimedOut { failure: Failure::named("States.Timeout") },
                Fact::ExecutionRedriven { count: 1, token: None, timeout: None },
            ],
            true,
            expect![[r#"
                {"type":"ExecutionStarted","id":1,"previousEventId":0,"executionStartedEventDetails":{"input":"{\"a\":\"é\"}","inputDetails":{"truncated":false},"roleArn":"r"}}
                {"type":"ExecutionStarted","id":2,"previousEventId":1,"executionStartedEventDetails":{"input":" { }","inputDetails":{"truncated":false},"roleArn":""}}
                {"type":"ExecutionSucceeded","id":3,"previousEventId":2,"executionSucceededEventDetails":{"output":"null","outputDetails":{"truncated":false}}}
                {"type":"ExecutionFailed","id":4,"previousEventId":3,"executionFailedEventDetails":{"error":"E","cause":"c"}}
                {"type":"ExecutionFailed","id":5,"previousEventId":4,"executionFailedEventDetails":{"error":"E"}}
                {"type":"ExecutionAborted","id":6,"previousEventId":5,"executionAbortedEventDetails":{}}
                {"type":"ExecutionTimedOut","id":7,"previousEventId":6,"executionTimedOutEventDetails":{"error":"States.Timeout"}}
                {"type":"ExecutionRedriven","id":8,"previousEventId":7,"executionRedrivenEventDetails":{"redriveCount":1}}
            "#]],
        );
    }

    #[test]
    fn what_cannot_be_evaluated_is_told() {
        let failed = |location: Option<&str>| Fact::EvaluationFailed {
            state: "S".into(),
            failure: Failure::new("E", "c"),
            location: location.map(Into::into),
        };
        check(
            vec![failed(Some("Items")), failed(None)],
            true,
            expect![[r#"
            {"type":"EvaluationFailed","id":1,"previousEventId":0,"evaluationFailedEventDetails":{"error":"E","cause":"c","location":"Items","state":"S"}}
            {"type":"EvaluationFailed","id":2,"previousEventId":1,"evaluationFailedEventDetails":{"error":"E","cause":"c","state":"S"}}
        "#]],
        );
    }

    #[test]
    fn states_are_entered_and_left() {
        let kinds =
            [Kind::Pass, Kind::Task, Kind::Choice, Kind::Wait, Kind::Succeed, Kind::Fail, Kind::Parallel, Kind::Map];
        let mut facts: Vec<Fact> =
            kinds.map(|kind| Fact::StateEntered { kind, name: "S".into(), input: json("1") }).into();
        facts.extend(kinds.map(|kind| Fact::StateExited { kind, name: "S".into(), output: json("2"), assigned: None }));
        let assigned = Some(vec![("n".into(), json("1")), ("o".into(), json(r#"{"a":"b"}"#))]);
        facts.push(Fact::StateExited { kind: Kind::Pass, name: "V".into(), output: json("2"), assigned });
        facts.push(Fact::StateAborted { kind: Kind::Task, name: "S".into() });
        check(
            facts,
            true,
            expect![[r#"
                {"type":"PassStateEntered","id":1,"previousEventId":0,"stateEnteredEventDetails":{"name":"S","input":"1","inputDetails":{"truncated":false}}}
                {"type":"TaskStateEntered","id":2,"previousEventId":1,"stateEnteredEventDetails":{"name":"S","input":"1","inputDetails":{"truncated":false}}}
                {"type":"ChoiceStateEntered","id":3,"previousEventId":2,"stateEnteredEventDetails":{"name":"S","input":"1","inputDetails":{"truncated":false}}}
                {"type":"WaitStateEntered","id":4,"previousEventId":3,"stateEnteredEventDetails":{"name":"S","input":"1","inputDetails":{"truncated":false}}}
                {"type":"SucceedStateEntered","id":5,"previousEventId":4,"stateEnteredEventDetails":{"name":"S","input":"1","inputDetails":{"truncated":false}}}
                {"type":"FailStateEntered","id":6,"previousEventId":5,"stateEnteredEventDetails":{"name":"S","input":"1","inputDetails":{"truncated":false}}}
                {"type":"ParallelStateEntered","id":7,"previousEventId":6,"stateEnteredEventDetails":{"name":"S","input":"1","inputDetails":{"truncated":false}}}
                {"type":"MapStateEntered","id":8,"previousEventId":7,"stateEnteredEventDetails":{"name":"S","input":"1","inputDetails":{"truncated":false}}}
                {"type":"PassStateExited","id":9,"previousEventId":8,"stateExitedEventDetails":{"name":"S","output":"2","outputDetails":{"truncated":false}}}
                {"type":"TaskStateExited","id":10,"previousEventId":9,"stateExitedEventDetails":{"name":"S","output":"2","outputDetails":{"truncated":false}}}
                {"type":"ChoiceStateExited","id":11,"previousEventId":10,"stateExitedEventDetails":{"name":"S","output":"2","outputDetails":{"truncated":false}}}
                {"type":"WaitStateExited","id":12,"previousEventId":11,"stateExitedEventDetails":{"name":"S","output":"2","outputDetails":{"truncated":false}}}
                {"type":"SucceedStateExited","id":13,"previousEventId":12,"stateExitedEventDetails":{"name":"S","output":"2","outputDetails":{"truncated":false}}}
                {"type":"FailStateExited","id":14,"previousEventId":13,"stateExitedEventDetails":{"name":"S","output":"2","outputDetails":{"truncated":false}}}
                {"type":"ParallelStateExited","id":15,"previousEventId":14,"stateExitedEventDetails":{"name":"S","output":"2","outputDetails":{"truncated":false}}}
                {"type":"MapStateExited","id":16,"previousEventId":15,"stateExitedEventDetails":{"name":"S","output":"2","outputDetails":{"truncated":false}}}
                {"type":"PassStateExited","id":17,"previousEventId":16,"stateExitedEventDetails":{"name":"V","output":"2","outputDetails":{"truncated":false},"assignedVariables":{"n":"1","o":"{\"a\":\"b\"}"},"assignedVariablesDetails":{"truncated":false}}}
                {"type":"TaskStateAborted","id":18,"previousEventId":17}
            "#]],
        );
    }

    #[test]
    fn tasks_are_shown_as_their_resource_is() {
        check(
            task(SDK),
            true,
            expect![[r#"
            {"type":"TaskScheduled","id":1,"previousEventId":0,"taskScheduledEventDetails":{"resourceType":"aws-sdk:ssm","resource":"sendCommand","region":"us-east-1","parameters":"{\"P\":[1]}","timeoutInSeconds":60,"heartbeatInSeconds":5,"taskCredentials":{"roleArn":"arn:aws:iam::111111111111:role/t"}}}
            {"type":"TaskStarted","id":2,"previousEventId":1,"taskStartedEventDetails":{"resourceType":"aws-sdk:ssm","resource":"sendCommand"}}
            {"type":"TaskSucceeded","id":3,"previousEventId":2,"taskSucceededEventDetails":{"resourceType":"aws-sdk:ssm","resource":"sendCommand","output":"{}","outputDetails":{"truncated":false}}}
            {"type":"TaskFailed","id":4,"previousEventId":3,"taskFailedEventDetails":{"resourceType":"aws-sdk:ssm","resource":"sendCommand","error":"E","cause":"c"}}
            {"type":"TaskTimedOut","id":5,"previousEventId":4,"taskTimedOutEventDetails":{"resourceType":"aws-sdk:ssm","resource":"sendCommand","error":"States.Timeout"}}
        "#]],
        );
        check(
            vec![Fact::TaskSubmitted { task: TaskId(1), resource: SSM.into(), output: json("{}") }],
            true,
            expect![[r#"
            {"type":"TaskSubmitted","id":1,"previousEventId":0,"taskSubmittedEventDetails":{"resourceType":"ssm","resource":"sendCommand.sync","output":"{}","outputDetails":{"truncated":false}}}
        "#]],
        );
        check(
            task(LAMBDA),
            true,
            expect![[r#"
            {"type":"LambdaFunctionScheduled","id":1,"previousEventId":0,"lambdaFunctionScheduledEventDetails":{"resource":"arn:aws:lambda:us-east-1:111111111111:function:f","input":"{\"P\":[1]}","inputDetails":{"truncated":false},"timeoutInSeconds":60,"taskCredentials":{"roleArn":"arn:aws:iam::111111111111:role/t"}}}
            {"type":"LambdaFunctionStarted","id":2,"previousEventId":1}
            {"type":"LambdaFunctionSucceeded","id":3,"previousEventId":2,"lambdaFunctionSucceededEventDetails":{"output":"{}","outputDetails":{"truncated":false}}}
            {"type":"LambdaFunctionFailed","id":4,"previousEventId":3,"lambdaFunctionFailedEventDetails":{"error":"E","cause":"c"}}
            {"type":"LambdaFunctionTimedOut","id":5,"previousEventId":4,"lambdaFunctionTimedOutEventDetails":{"error":"States.Timeout"}}
        "#]],
        );
        check(
            task(ACTIVITY),
            true,
            expect![[r#"
            {"type":"ActivityScheduled","id":1,"previousEventId":0,"activityScheduledEventDetails":{"resource":"arn:aws:states:us-east-1:111111111111:activity:a","input":"{\"P\":[1]}","inputDetails":{"truncated":false},"timeoutInSeconds":60,"heartbeatInSeconds":5}}
            {"type":"ActivityStarted","id":2,"previousEventId":1,"activityStartedEventDetails":{"workerName":"w"}}
            {"type":"ActivitySucceeded","id":3,"previousEventId":2,"activitySucceededEventDetails":{"output":"{}","outputDetails":{"truncated":false}}}
            {"type":"ActivityFailed","id":4,"previousEventId":3,"activityFailedEventDetails":{"error":"E","cause":"c"}}
            {"type":"ActivityTimedOut","id":5,"previousEventId":4,"activityTimedOutEventDetails":{"error":"States.Timeout"}}
        "#]],
        );
    }

    #[test]
    fn parallels_and_maps_are_shown() {
        check(
            vec![
                Fact::ParallelStarted { input: json("1"), first: FrameId(1), blocks: vec![0, 1] },
                Fact::ParallelSucceeded,
                Fact::ParallelFailed,
                Fact::MapStarted { items: json("[1]"), length: 1, concurrency: 40, block: 0 },
                Fact::MapIterationStarted { name: "M".into(), index: 0, input: json("1"), child: FrameId(1) },
                Fact::MapIterationSucceeded { name: "M".into(), index: 0 },
                Fact::MapIterationFailed { name: "M".into(), index: 0 },
                Fact::MapIterationAborted { name: "M".into(), index: 0 },
                Fact::MapSucceeded,
                Fact::MapFailed,
            ],
            true,
            expect![[r#"
                {"type":"ParallelStateStarted","id":1,"previousEventId":0}
                {"type":"ParallelStateSucceeded","id":2,"previousEventId":1}
                {"type":"ParallelStateFailed","id":3,"previousEventId":2}
                {"type":"MapStateStarted","id":4,"previousEventId":3,"mapStateStartedEventDetails":{"length":1}}
                {"type":"MapIterationStarted","id":5,"previousEventId":4,"mapIterationStartedEventDetails":{"name":"M","index":0}}
                {"type":"MapIterationSucceeded","id":6,"previousEventId":5,"mapIterationSucceededEventDetails":{"name":"M","index":0}}
                {"type":"MapIterationFailed","id":7,"previousEventId":6,"mapIterationFailedEventDetails":{"name":"M","index":0}}
                {"type":"MapIterationAborted","id":8,"previousEventId":7,"mapIterationAbortedEventDetails":{"name":"M","index":0}}
                {"type":"MapStateSucceeded","id":9,"previousEventId":8}
                {"type":"MapStateFailed","id":10,"previousEventId":9}
            "#]],
        );
    }

    #[test]
    fn without_data_only_parameters_stay() {
        let mut facts = task(SDK);
        facts.truncate(3);
        facts.push(Fact::StateEntered { kind: Kind::Pass, name: "S".into(), input: json("1") });
        facts.push(started(
            "1",
            Identity {
                role_arn: "r".into(),
                version_arn: Some("v".into()),
                alias_arn: Some("a".into()),
                ..Identity::default()
            },
        ));
        check(
            facts,
            false,
            expect![[r#"
            {"type":"TaskScheduled","id":1,"previousEventId":0,"taskScheduledEventDetails":{"resourceType":"aws-sdk:ssm","resource":"sendCommand","region":"us-east-1","parameters":"{\"P\":[1]}","timeoutInSeconds":60,"heartbeatInSeconds":5,"taskCredentials":{"roleArn":"arn:aws:iam::111111111111:role/t"}}}
            {"type":"TaskStarted","id":2,"previousEventId":1,"taskStartedEventDetails":{"resourceType":"aws-sdk:ssm","resource":"sendCommand"}}
            {"type":"TaskSucceeded","id":3,"previousEventId":2,"taskSucceededEventDetails":{"resourceType":"aws-sdk:ssm","resource":"sendCommand"}}
            {"type":"PassStateEntered","id":4,"previousEventId":3,"stateEnteredEventDetails":{"name":"S"}}
            {"type":"ExecutionStarted","id":5,"previousEventId":4,"executionStartedEventDetails":{"roleArn":"r","stateMachineAliasArn":"a","stateMachineVersionArn":"v"}}
        "#]],
        );
    }

    fn check_log(facts: Vec<Fact>, level: LogLevel, with_data: bool, expect: Expect) {
        let about = LogAbout { execution_arn: "arn:e", redrives: 0, region: "us-east-1", level, with_data };
        let lines = facts.into_iter().enumerate().filter_map(|(index, fact)| {
            let (id, previous) = (index as u64 + 1, index as u64);
            let event = Event { at: Timestamp(1_551_225_271_984), frame: FrameId::ROOT, id, previous, fact };
            Some(log_event(&event, &about)? + "\n")
        });
        expect.assert_eq(&lines.collect::<String>());
    }

    fn failing() -> Vec<Fact> {
        let failure = Failure::new("E", "c");
        let state = |kind| Fact::StateEntered { kind, name: "S".into(), input: json("{}") };
        let mut facts =
            vec![started("{}", Identity { role_arn: "r".into(), ..Identity::default() }), state(Kind::Task)];
        facts.extend(task(SSM).drain(..4));
        facts.extend([state(Kind::Fail), Fact::MapIterationFailed { name: "M".into(), index: 2 }, Fact::MapFailed]);
        facts.push(Fact::ExecutionFailed { failure });
        facts
    }

    #[test]
    fn a_log_event_tells_all_and_numbers_as_text() {
        check_log(
            failing(),
            LogLevel::All,
            true,
            expect![[r#"
            {"id":"1","type":"ExecutionStarted","details":{"input":"{}","inputDetails":{"truncated":false},"roleArn":"r"},"previous_event_id":"0","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"2","type":"TaskStateEntered","details":{"name":"S","input":"{}","inputDetails":{"truncated":false}},"previous_event_id":"1","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"3","type":"TaskScheduled","details":{"resourceType":"ssm","resource":"sendCommand.sync","region":"us-east-1","parameters":"{\"P\":[1]}","timeoutInSeconds":60,"heartbeatInSeconds":5,"taskCredentials":{"roleArn":"arn:aws:iam::111111111111:role/t"}},"previous_event_id":"2","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"4","type":"TaskStarted","details":{"resourceType":"ssm","resource":"sendCommand.sync"},"previous_event_id":"3","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"5","type":"TaskSucceeded","details":{"resourceType":"ssm","resource":"sendCommand.sync","output":"{}","outputDetails":{"truncated":false}},"previous_event_id":"4","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"6","type":"TaskFailed","details":{"resourceType":"ssm","resource":"sendCommand.sync","error":"E","cause":"c"},"previous_event_id":"5","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"7","type":"FailStateEntered","details":{"name":"S","input":"{}","inputDetails":{"truncated":false}},"previous_event_id":"6","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"8","type":"MapIterationFailed","details":{"name":"M","index":2},"previous_event_id":"7","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"9","type":"MapStateFailed","previous_event_id":"8","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"10","type":"ExecutionFailed","details":{"error":"E","cause":"c"},"previous_event_id":"9","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
        "#]],
        );
    }

    #[test]
    fn a_log_event_without_data() {
        let mut facts = failing();
        facts.truncate(5);
        check_log(
            facts,
            LogLevel::All,
            false,
            expect![[r#"
            {"id":"1","type":"ExecutionStarted","details":{"roleArn":"r"},"previous_event_id":"0","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"2","type":"TaskStateEntered","details":{"name":"S"},"previous_event_id":"1","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"3","type":"TaskScheduled","details":{"resourceType":"ssm","resource":"sendCommand.sync","region":"us-east-1","parameters":"{\"P\":[1]}","timeoutInSeconds":60,"heartbeatInSeconds":5,"taskCredentials":{"roleArn":"arn:aws:iam::111111111111:role/t"}},"previous_event_id":"2","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"4","type":"TaskStarted","details":{"resourceType":"ssm","resource":"sendCommand.sync"},"previous_event_id":"3","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"5","type":"TaskSucceeded","details":{"resourceType":"ssm","resource":"sendCommand.sync"},"previous_event_id":"4","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
        "#]],
        );
    }

    #[test]
    fn levels_leave_out_what_went_well() {
        check_log(
            failing(),
            LogLevel::Error,
            false,
            expect![[r#"
            {"id":"6","type":"TaskFailed","details":{"resourceType":"ssm","resource":"sendCommand.sync","error":"E","cause":"c"},"previous_event_id":"5","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"7","type":"FailStateEntered","details":{"name":"S"},"previous_event_id":"6","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"8","type":"MapIterationFailed","details":{"name":"M","index":2},"previous_event_id":"7","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"9","type":"MapStateFailed","previous_event_id":"8","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
            {"id":"10","type":"ExecutionFailed","details":{"error":"E","cause":"c"},"previous_event_id":"9","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
        "#]],
        );
        check_log(
            failing(),
            LogLevel::Fatal,
            false,
            expect![[r#"
            {"id":"10","type":"ExecutionFailed","details":{"error":"E","cause":"c"},"previous_event_id":"9","event_timestamp":"1551225271984","execution_arn":"arn:e","redrive_count":"0"}
        "#]],
        );
    }

    #[test]
    fn long_data_is_cut_in_a_log_event() {
        let long = "é".repeat(200_000);
        let event = Event {
            at: Timestamp(0),
            frame: FrameId::ROOT,
            id: 1,
            previous: 0,
            fact: Fact::ExecutionSucceeded { output: Json::from(long.as_str()) },
        };
        let about =
            LogAbout { execution_arn: "arn:e", redrives: 0, region: "r", level: LogLevel::All, with_data: true };
        let text = log_event(&event, &about).expect("logged");
        assert!(text.contains(r#""truncated":true"#) && text.len() < 256 * 1024, "{}", text.len());
    }
}
