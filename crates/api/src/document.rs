//! Documents: what commands run.

use base::Timestamp;
use serde::{Deserialize, Serialize};

/// What a list tells of a document, or of one of its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentSummary {
    pub name: String,
    /// An account, or who it comes from.
    pub owner: String,
    /// As in `Command`.
    #[serde(rename = "type")]
    pub kind: String,
    pub version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_name: Option<String>,
    /// `Linux`, `Windows`, `MacOS`.
    pub platforms: Vec<String>,
    #[serde(with = "crate::moment")]
    pub created: Timestamp,
}

/// One version of a document with its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    #[serde(flatten)]
    pub summary: DocumentSummary,
    pub latest: u64,
    pub default: u64,
    /// In hexadecimal digits, of the text as it was given.
    pub sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The form of `text`.
    pub format: DocumentFormat,
    pub text: String,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocumentFormat {
    Json,
    Yaml,
}

/// Creates a document, or gives it a further version that becomes the default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentPut {
    pub text: String,
    pub format: DocumentFormat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_name: Option<String>,
}
