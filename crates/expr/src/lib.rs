//! Expressions: JSONPath with AWS's rules, intrinsic functions, JSONata, and the templates made of them.
//!
//! Everything is compiled once, when a definition is parsed, and evaluated many times.
//!
//! **It does not know** states, executions or the shape of a definition: it sees a [`Scope`].
//!
//! **Invariant:** evaluation is pure. Chance (`States.UUID`, `$random`) and the present (`$now`) come from the scope.
//!
//! **Invariant:** hostile expressions end in an error: depth, size and argument limits are in [`limits`].
//!
//! In reading order: [`Scope`], [`path`], [`intrinsic`], [`template`], [`jsonata`], [`limits`].

pub mod path;
pub mod intrinsic;
pub mod template;
pub mod jsonata;
pub mod limits;
mod java;

pub use path::{Path, ReferencePath};
pub use template::Template;

use base::{Json, Timestamp};

/// What an expression may look at: the state's input, the context object, variables, and chance.
pub trait Scope {
    /// What `$` means.
    fn input(&self) -> &Json;
    /// What `$$` means: the context object.
    fn context(&self) -> &Json;
    /// What `$name` means, if there is such a variable.
    fn variable(&self, name: &str) -> Option<&Json>;
    /// 64 fresh random bits; recorded by whoever calls, never asked twice for one event.
    fn chance(&self) -> u64;
    /// `$states.result`: what the state's work gave, where that is there yet.
    fn result(&self) -> Option<&Json> {
        None
    }
    /// `$states.errorOutput`: the error that a Catch is about.
    fn error_output(&self) -> Option<&Json> {
        None
    }
    /// Told how many steps a JSONata expression took, so that whoever asks for many can rest.
    fn spend(&self, _steps: u64) {}
    /// How many steps the next JSONata expression may take at most: many that are each within their limit may together
    /// be too much.
    fn steps_left(&self) -> u64 {
        u64::MAX
    }
    /// `$now()` and `$millis()`: the same instant throughout an evaluation.
    fn now(&self) -> Timestamp;
}

/// Why an expression gave no value, in the words that AWS puts into a cause.
/// Always a `States.Runtime` unless [`kind`](Failure::kind) says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: FailureKind,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// A path found nothing.
    Missing,
    /// A function was called with arguments it does not take, or its result is too large.
    Intrinsic,
    /// Anything else: a filter on a scalar, a ResultPath into an array, …
    Other,
}

/// Why a text is not an expression. Positions are byte offsets into the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    pub message: String,
    pub at: usize,
}

#[cfg(test)]
mod testing;
