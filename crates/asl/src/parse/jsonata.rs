//! What a field of a JSONata state gives: JSON in which a text `{% … %}` is an expression.

use base::Json;
use expr::jsonata::{Expression, References};

use super::at::At;
use super::report::Report;
use crate::diagnostic::Diagnostic;
use crate::tree::Jsonata;

/// Which fields of `$states` an expression finds (States Language, "Reserved variable: $states").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sees {
    /// `context` and nothing else: there is no state.
    Context,
    /// `input` and `context`.
    Input,
    /// `result` too: the state's own `Output` and `Assign` where it has worked.
    Result,
    /// `errorOutput` too: a catcher's `Output` and `Assign`.
    Error,
}

/// Compiles JSON of any kind; reports every expression in it that is none, or looks for what is not there.
pub(super) fn value(json: &Json, at: &At, sees: Sees, report: &mut Report) -> Option<Jsonata> {
    match Jsonata::parse(json) {
        Ok(jsonata) => {
            for (place, expression) in jsonata.expressions() {
                check(expression, &format!("{at}{place}"), sees, report);
            }
            Some(jsonata)
        }
        Err(bad) => {
            for bad in bad {
                // An array's items have no key to stand behind.
                let slash = if json.as_array().is_some() || bad.at.is_empty() { "" } else { "/" };
                let location = format!("{at}{slash}{}", bad.at.join("/"));
                report.error_at(Diagnostic::INVALID_JSONATA, location, without_code(&bad.message));
            }
            None
        }
    }
}

/// Only the whole text counts: with a space in front it is a text like any other.
pub(super) fn is_expression(text: &str) -> bool {
    expr::jsonata::expression_in(text).is_some()
}

fn check(expression: &Expression, location: &str, sees: Sees, report: &mut Report) {
    let References { variables, states, top_level } = expression.references();
    let mut unsupported = |message| report.error_at(Diagnostic::UNSUPPORTED_JSONATA, location.to_owned(), message);
    for name in top_level {
        match &**name {
            "$$" => unsupported("Reference to '$$' is not supported.".to_owned()),
            name => unsupported(format!("Reference to '{name}' at the top level is not supported.")),
        }
    }
    for member in states.iter().filter(|member| !sees.member(member)) {
        unsupported(format!("Field '$states.{member}' does not exist."));
    }
    variables.iter().for_each(|variable| report.reads_variable(variable));
}

impl Sees {
    fn member(self, name: &str) -> bool {
        match name {
            "context" => true,
            "input" => self != Sees::Context,
            "result" => self == Sees::Result,
            "errorOutput" => self == Sees::Error,
            _ => false,
        }
    }
}

/// JSONata's own codes, as in `S0202: Expected "]", got ","`, are not shown.
fn without_code(message: &str) -> &str {
    match message.split_once(": ") {
        Some((code, rest)) if code.len() == 5 && code.as_bytes()[1..].iter().all(u8::is_ascii_digit) => rest,
        _ => message,
    }
}
