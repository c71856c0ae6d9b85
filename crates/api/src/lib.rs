//! The types of our own wire, `/api/v1`: what the console, the command line and agents read and write.
//!
//! Written out beside the types inside and converted by hand in `web`, so that renaming ours never breaks
//! theirs.
//!
//! **Invariant:** fields are added, never changed or removed; a reader ignores what it does not know.
//!
//! **It does not know** HTTP, nor what any of it means to an execution.
//!
//! In reading order: [`moment`] (how time is written), [`error`] (what a person sees when something is wrong),
//! [`execution`], [`progress`] (a history folded into one row per state), [`definition`], [`command`],
//! [`document`], [`enrolment`], [`agents`] (as operators see them), [`agent`] (what agents and servers say to each other).

pub mod moment;
pub mod error;
pub mod execution;
pub mod progress;
pub mod definition;
pub mod command;
pub mod enrolment;
pub mod agents;
pub mod document;
pub mod agent;

pub use command::{
    Attempt, Command, CommandCancel, CommandSend, CommandTarget, Ending, Instance, Invocation, InvocationStep,
    OutputEnd, OutputPiece, Verdict,
};
pub use definition::{Definition, DefinitionPut, DefinitionSummary};
pub use document::{Document, DocumentFormat, DocumentPut, DocumentSummary};
pub use enrolment::{Activation, ActivationCreate, ActivationCreated};
pub use error::{Code, Error};
pub use execution::{Detail, Event, Execution, ExecutionStart, ExecutionStop, ExecutionSummary, Status};
pub use progress::{Progress, StateProgress, StateStatus};

use serde::{Deserialize, Serialize};

/// Where everything of this wire lies.
pub const ROOT: &str = "/api/v1";

/// The name that signatures of this wire are made for.
pub const SIGNING_NAME: &str = "dandori";

/// Lines of one page when the request does not say, and at most.
pub const PAGE_DEFAULT: u32 = 100;
pub const PAGE_MAX: u32 = 1000;

/// One page of a list, newest or first by name first. `next` asks for the page after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
