//! What a finding says.

use std::sync::Arc;

/// One doubt, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A place in the definition as AWS writes it: `/States/Pick/Choices[0]`.
    pub at: String,
    pub doubt: Doubt,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// When no rule holds the execution fails (`States.Runtime`), and nobody can catch that.
    ChoiceWithoutDefault,
    /// A Retry or Catch names an error that it will never see.
    NeverMatches { error: Arc<str>, because: Unmatched },
    /// Nothing that leads here writes what this path wants to read.
    NeverWritten { path: Arc<str> },
    /// A retry after an error that does not tell whether the work was done may do it twice.
    RetryMayRepeat { resource: Arc<str>, error: Arc<str> },
    /// Only a Catch that never matches leads here.
    Unreachable,
}

/// Why an error is never seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmatched {
    /// An earlier entry takes it.
    Earlier,
    /// `States.Runtime` is neither retried nor caught.
    NeverHandled,
    /// Nothing in this state can raise it.
    NeverRaised,
}

impl Doubt {
    /// A word for programs and for people who look it up. Never changed.
    pub fn code(&self) -> &'static str {
        match self {
            Doubt::ChoiceWithoutDefault => "CHOICE_WITHOUT_DEFAULT",
            Doubt::NeverMatches { .. } => "ERROR_NEVER_MATCHES",
            Doubt::NeverWritten { .. } => "PATH_NEVER_WRITTEN",
            Doubt::RetryMayRepeat { .. } => "RETRY_MAY_REPEAT",
            Doubt::Unreachable => "STATE_UNREACHABLE",
        }
    }
}
