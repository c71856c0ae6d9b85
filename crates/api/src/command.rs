//! Run Command: the instances that agents stand for, and what was sent to them.

use std::collections::BTreeMap;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::agents::Change;

/// A managed instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    pub id: String,
    pub name: String,
    pub computer_name: String,
    /// `Online`, `ConnectionLost` or `Inactive`.
    pub ping: String,
    #[serde(with = "crate::moment")]
    pub last_ping: Timestamp,
    #[serde(with = "crate::moment")]
    pub registered: Timestamp,
    pub agent_version: String,
    /// As in `Debian GNU/Linux 12`.
    pub platform: String,
    pub ip_address: String,
}

/// A command that was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    pub id: String,
    pub document: String,
    pub comment: String,
    /// As AWS writes it: `InProgress`.
    pub status: String,
    #[serde(default)]
    pub status_details: String,
    #[serde(with = "crate::moment")]
    pub requested: Timestamp,
    /// When every invocation had ended.
    #[serde(with = "crate::moment::option", default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    pub invocations: Vec<Invocation>,
}

/// A command on one instance. Outputs, steps and earlier attempts are left out of lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    pub instance_id: String,
    pub status: String,
    pub status_details: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    #[serde(with = "crate::moment::option", default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    #[serde(with = "crate::moment::option", default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Why it did not run to its end, or not as it should: `Agent.TimedOut`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The number of the present attempt, from 1; none before it is offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Attempts after which another was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Of the present attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<InvocationStep>,
    /// Why its output is not where it was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_problem: Option<String>,
    /// What its agent said of the end after it had been decided without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Ending>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
}

/// How a job ended, in the words of schedulers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Normal,
    Warning,
    Abnormal,
}

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Normal => "normal",
            Verdict::Warning => "warning",
            Verdict::Abnormal => "abnormal",
        }
    }
}

/// How one try ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// As AWS writes `StatusDetails`.
    pub status: String,
    pub exit_code: i64,
    pub verdict: Verdict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// By the host's clock.
    #[serde(with = "crate::moment::option", default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    #[serde(with = "crate::moment::option", default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
}

/// An attempt that ended, and after which another was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub number: u32,
    #[serde(flatten)]
    pub ending: Ending,
}

/// One step of a command on one instance. Until it has ended, its exit code is −1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvocationStep {
    pub name: String,
    #[serde(flatten)]
    pub ending: Ending,
}

/// `POST /commands`: what to run, and where: on instances or on targets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandSend {
    pub document: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_version: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<CommandTarget>,
    /// How long until it must have been delivered, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// A number or a percentage; likewise `max_errors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_errors: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// `tag:KEY`, `tag-key`, `group` (one of its members, or each, as the group's policy says) or `name` (logical names or
/// ids of instances), or a key of AWS's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandTarget {
    pub key: String,
    pub values: Vec<String>,
}

/// `POST /commands/{id}/cancel`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandCancel {
    /// All of them when none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<String>,
    #[serde(flatten)]
    pub change: Change,
}

/// A part of an output, as it grows: the data of an event `output`. The event's id is where the next part begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputPiece {
    /// Bytes before these.
    pub offset: u64,
    /// In Base64: an output need not be a text, and a part may end within a character.
    pub data: String,
}

/// Nothing follows: the data of an event `end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputEnd {
    pub total: u64,
    /// More was written than is kept.
    pub cut: bool,
}
