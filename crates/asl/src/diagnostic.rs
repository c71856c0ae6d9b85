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
