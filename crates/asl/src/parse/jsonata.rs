//! What a field of a JSONata state gives: JSON in which a text `{% … %}` is an expression.
//!
//! This version has no expressions. Each is refused where it stands, and whatever holds none is constant.

use base::Json;

use super::at::At;
use super::report::Report;
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

/// Compiles JSON of any kind; reports every expression in it.
pub(super) fn value(json: &Json, at: &At, _sees: Sees, report: &mut Report) -> Option<Jsonata> {
    let expressions = refuse_all(json, at, report);
    (expressions == 0).then(|| Jsonata::Constant(json.clone()))
}

/// Only the whole text counts: with a space in front it is a text like any other.
pub(super) fn is_expression(text: &str) -> bool {
    text.starts_with("{%") && text.ends_with("%}")
}

fn refuse(at: &At, report: &mut Report) {
    report.not_yet(at, "JSONata expressions");
}

/// Recursion is as deep as the definition, which came from a text and is therefore shallow.
fn refuse_all(json: &Json, at: &At, report: &mut Report) -> usize {
    match json {
        Json::String(text) if is_expression(text) => {
            refuse(at, report);
            1
        }
        Json::Array(items) => {
            items.iter().enumerate().map(|(index, item)| refuse_all(item, &at.index(index), report)).sum()
        }
        Json::Object(members) => members.iter().map(|(key, value)| refuse_all(value, &at.key(key), report)).sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}
