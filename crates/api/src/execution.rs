//! Executions and what happened in them.

use base::{Json, Timestamp};
use serde::{Deserialize, Serialize};

/// How an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

impl Status {
    pub const ALL: [Status; 5] =
        [Status::Running, Status::Succeeded, Status::Failed, Status::TimedOut, Status::Aborted];

    /// As on the wire: `timed_out`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
            Status::TimedOut => "timed_out",
            Status::Aborted => "aborted",
        }
    }
}

/// One line of a list. Never carries payloads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionSummary {
    pub arn: String,
    pub name: String,
    pub definition: String,
    pub definition_arn: String,
    pub status: Status,
    #[serde(with = "crate::moment")]
    pub started: Timestamp,
    #[serde(with = "crate::moment::option", default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Timestamp>,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    #[serde(flatten)]
    pub summary: ExecutionSummary,
    pub input: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// Asks for an execution. `definition` is a name or an ARN; the name is made up when not given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionStart {
    pub definition: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The text of the input; `{}` when not given. A text, so that its numbers stay as they were written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
}

/// Asks an execution to stop, and says why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionStop {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// One thing that happened, flat enough to read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// As in `GetExecutionHistory`; 0 for what AWS does not have.
    pub id: u64,
    #[serde(with = "crate::moment")]
    pub at: Timestamp,
    /// AWS's name where AWS has one: `TaskStateEntered`; ours are `WaitStarted`, `RetryScheduled`,
    /// `TaskHeartbeat` and `FrameEnded`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The part of the execution that it happened in: 0 is the machine, the others are branches and
    /// iterations.
    #[serde(default)]
    pub frame: u32,
    /// The state that it belongs to, where the same answer showed that state being entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "Detail::is_empty")]
    pub detail: Detail,
}

/// What else there is to say about an event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// A state's type: `Task`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Until when something waits: a Wait state, a retry, the next heartbeat.
    #[serde(with = "crate::moment::option", default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Which iteration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// How many items a Map has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// The frames that began: a Parallel's branches, or an iteration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<Frames>,
    /// Input, output or parameters; only when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
}

/// Neighbouring frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    pub first: u32,
    pub count: u32,
}

impl Detail {
    pub fn is_empty(&self) -> bool {
        *self == Detail::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_written_without_what_it_lacks() {
        let event = Event {
            id: 2,
            at: Timestamp(0),
            kind: "TaskStateEntered".into(),
            frame: 0,
            state: Some("停止".into()),
            detail: Detail { due: Some(Timestamp(1)), ..Detail::default() },
        };
        let text = r#"{"id":2,"at":"1970-01-01T00:00:00.000Z","type":"TaskStateEntered","frame":0,"state":"停止","detail":{"due":"1970-01-01T00:00:00.001Z"}}"#;
        assert_eq!(serde_json::to_string(&event).expect("a text"), text);
        assert_eq!(serde_json::from_str::<Event>(text).expect("an event"), event);
    }

    #[test]
    fn a_status_has_one_name() {
        for status in Status::ALL {
            assert_eq!(serde_json::to_string(&status).expect("a text"), format!("{:?}", status.name()));
        }
    }
}
