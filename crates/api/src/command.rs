//! Run Command: the instances that agents stand for, and what was sent to them.

use base::Timestamp;
use serde::{Deserialize, Serialize};

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
    #[serde(with = "crate::moment")]
    pub requested: Timestamp,
    pub invocations: Vec<Invocation>,
}

/// A command on one instance. The output is left out of lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    pub instance_id: String,
    pub status: String,
    pub status_details: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
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
