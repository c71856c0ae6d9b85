//! Definitions: state machines as they are written.

use base::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DefinitionSummary {
    pub name: String,
    pub arn: String,
    /// `STANDARD` or `EXPRESS`.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(with = "crate::moment")]
    pub created: Timestamp,
}

/// One definition as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    #[serde(flatten)]
    pub summary: DefinitionSummary,
    #[serde(with = "crate::moment")]
    pub updated: Timestamp,
    pub role_arn: String,
    /// The text, as it was put.
    pub definition: String,
}

/// Puts a definition: creates it, or brings the one of that name up to date.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefinitionPut {
    /// The text in the Amazon States Language.
    pub definition: String,
    /// A role of this server's own account when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
}
