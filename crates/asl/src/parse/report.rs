//! What the parser found, in the order in which it met it.

use super::at::At;
use crate::diagnostic::{Diagnostic, Severity};

/// More findings than this help nobody; AWS shows at most 100.
pub(super) const DIAGNOSTICS_MAX: usize = 1_000;

#[derive(Default)]
pub(super) struct Report {
    diagnostics: Vec<Diagnostic>,
    has_errors: bool,
    /// Whether anything is wrong for AWS too, and not only for this version.
    has_faults: bool,
}

impl Report {
    /// A `SCHEMA_VALIDATION_FAILED` at a place.
    pub(super) fn schema(&mut self, at: &At, message: impl Into<String>) {
        self.error(Diagnostic::SCHEMA, Some(at), message);
    }

    pub(super) fn error(&mut self, code: &'static str, at: Option<&At>, message: impl Into<String>) {
        let location = at.map(At::to_string);
        self.push(Diagnostic { severity: Severity::Error, code, message: message.into(), location });
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.has_faults |= diagnostic.severity == Severity::Error;
        self.keep(diagnostic);
    }

    fn keep(&mut self, diagnostic: Diagnostic) {
        self.has_errors |= diagnostic.severity == Severity::Error;
        if self.diagnostics.len() < DIAGNOSTICS_MAX {
            self.diagnostics.push(diagnostic);
        }
    }

    /// What the language has and this version cannot run: one sentence that says so.
    pub(super) fn not_yet(&mut self, at: &At, what: &str) {
        let message = format!("This version does not support {what} yet");
        self.keep(Diagnostic {
            severity: Severity::Error,
            code: Diagnostic::SCHEMA,
            message,
            location: Some(at.to_string()),
        });
    }

    pub(super) fn has_errors(&self) -> bool {
        self.has_errors
    }

    pub(super) fn has_faults(&self) -> bool {
        self.has_faults
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }
}
