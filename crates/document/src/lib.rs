//! Command documents of Systems Manager: from a document's text and parameters to a [`Plan`], which is all that an
//! agent needs to know.
//!
//! **It does not know** instances, agents or stores. What a document refers to (the Parameter Store, other documents,
//! the time) comes in as a [`Context`]; [`Document::wants`] says what is missing in it.
//!
//! **Invariant:** a [`Document`] is checked: each action, input and reference in it is known.
//!
//! **Invariant:** a parameter is data: nothing but the script itself runs ([`shell`]), and a text is read for references
//! once ([`template`]).
//!
//! In reading order: [`plan`] (what is to be done on a host), [`content`] (a text as JSON) with [`yaml`], [`template`]
//! (references), [`parameter`] (what is declared), [`inputs`] (the actions), [`document`] (a document, checked),
//! [`values`] (what is given), [`shell`] (data in scripts), [`fill`] (a step's inputs), [`job`] (`dandori:runJob`),
//! [`resolve`] (the plan), [`mod@convert`] (a text in the other format), [`owned`] (the documents that are always there).

pub mod plan;
mod content;
mod yaml;
mod template;
mod parameter;
mod inputs;
mod document;
mod values;
mod shell;
mod fill;
mod job;
mod resolve;
mod convert;
pub mod owned;

pub use content::{CONTENT_BYTES_MAX, ContentError, Format};
pub use convert::convert;
pub use document::{Document, Schema};
pub use parameter::{Parameter, ParameterType};
pub use plan::{
    Action, Download, Job, Judgement, JudgementRule, Limits, LocalDocument, NextStep, Plan, Platform, Program, Ranges,
    Retry, Script, Secret, Source, Step, Stream, Variable, Verdict,
};
pub use resolve::{DOCUMENT_DEPTH_MAX, Wants};
pub use values::{Context, Refusal};

use sha2::Digest;

/// The hash of a document's text as AWS shows it (`DocumentHash` of the type `Sha256`).
pub fn sha256(text: &str) -> String {
    hex(&sha2::Sha256::digest(text.as_bytes()))
}

/// The hash that AWS no longer advises (`Sha1`).
pub fn sha1(text: &str) -> String {
    hex(&sha1::Sha1::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
