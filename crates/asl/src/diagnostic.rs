//! What is wrong with a definition.

/// One finding. `code` and `message` are those of `ValidateStateMachineDefinition`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub code: &'static str,
    pub message: String,
    /// A JSON pointer into the definition, as `/States/Wait/Timestamp`; none for the whole.
    pub location: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

/// Returns what `CreateStateMachine` says about a definition with these findings.
///
/// ```text
/// Invalid State Machine Definition: 'MISSING_END_STATE: Workflow has no terminal state at null'
/// ```
pub fn refusal(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let findings: Vec<String> = errors.map(finding).collect();
    format!("Invalid State Machine Definition: '{}'", findings.join(", "))
}

fn finding(diagnostic: &Diagnostic) -> String {
    let Diagnostic { severity: _, code, message, location } = diagnostic;
    format!("{code}: {message} at {}", location.as_deref().unwrap_or("null"))
}

impl Diagnostic {
    pub const INVALID_JSON: &'static str = "INVALID_JSON_DESCRIPTION";
    pub const SCHEMA: &'static str = "SCHEMA_VALIDATION_FAILED";
    pub const MISSING_TARGET: &'static str = "MISSING_TRANSITION_TARGET";
    pub const MISSING_END: &'static str = "MISSING_END_STATE";
    pub const DUPLICATE_NAME: &'static str = "DUPLICATE_STATE_NAME";
    pub const INVALID_NAME: &'static str = "INVALID_STATE_NAME";
    pub const INVALID_JSONATA: &'static str = "INVALID_JSONATA_EXPRESSION";
    pub const UNSUPPORTED_JSONATA: &'static str = "UNSUPPORTED_JSONATA_EXPRESSION";
    /// Warnings (API reference, `ValidateStateMachineDefinitionDiagnostic`).
    pub const NO_DOLLAR: &'static str = "NO_DOLLAR";
    pub const NO_PATH: &'static str = "NO_PATH";
    pub const STATIC_RESULT: &'static str = "PASS_RESULT_IS_STATIC";
    /// Ours.
    pub const TOO_DEEP: &'static str = "TOO_DEEPLY_NESTED";
}
