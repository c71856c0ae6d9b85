//! What the parser found, in the order in which it met it.

use std::sync::Arc;

use expr::Path;

use super::at::At;
use crate::diagnostic::{Diagnostic, Severity};
use crate::tree::{Name, VariableReferences};

/// More errors, or warnings, than this help nobody; AWS shows at most 100.
pub(super) const DIAGNOSTICS_MAX: usize = 1_000;

#[derive(Default)]
pub(super) struct Report {
    diagnostics: Vec<Diagnostic>,
    /// How many there were, those beyond the end of the list too.
    errors: usize,
    warnings: usize,
    /// The state being read; none at the machine's top.
    state: Option<Name>,
    references: VariableReferences,
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

    pub(super) fn warning(&mut self, code: &'static str, at: &At, message: impl Into<String>) {
        let location = Some(at.to_string());
        self.push(Diagnostic { severity: Severity::Warning, code, message: message.into(), location });
    }

    /// An error at a place that is known as a text.
    pub(super) fn error_at(&mut self, code: &'static str, location: String, message: impl Into<String>) {
        let location = Some(location);
        self.push(Diagnostic { severity: Severity::Error, code, message: message.into(), location });
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= DIAGNOSTICS_MAX {
            self.diagnostics.push(diagnostic);
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// From here on everything belongs to the state of this name. Gives the one that it is in.
    pub(super) fn enter(&mut self, state: Option<Name>) -> Option<Name> {
        std::mem::replace(&mut self.state, state)
    }

    /// The state being read looks at a variable, if `path` starts at one.
    pub(super) fn reads(&mut self, path: &Path) {
        if let Some(variable) = path.variable() {
            self.reads_variable(variable);
        }
    }

    pub(super) fn reads_variable(&mut self, variable: &str) {
        if let Some(state) = &self.state {
            self.references.entry(Arc::clone(state)).or_default().insert(variable.into());
        }
    }

    pub(super) fn take_references(&mut self) -> VariableReferences {
        std::mem::take(&mut self.references)
    }

    pub(super) fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }
}
