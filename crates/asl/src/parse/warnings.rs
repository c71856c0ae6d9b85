//! What is valid and probably not meant: texts that look like paths where nothing is computed.

use base::Json;
use expr::template::Expression;

use super::at::At;
use super::fields::Language;
use super::read::Fields;
use super::report::Report;
use crate::diagnostic::Diagnostic;

/// Warns of members of a template that look computed and are not, for want of `.$`.
pub(super) fn template(source: &Json, at: &At, report: &mut Report) {
    members(source, at, &mut |key, value, at| {
        if !key.ends_with(".$") && looks_computed(value) {
            let message =
                format!("No '.$' on the field '{key}', whose value appears to be a JSONPath or an intrinsic function");
            report.warning(Diagnostic::NO_DOLLAR, at, message);
        }
    });
}

/// Warns of a Pass's `Result` that looks computed: it is given as it stands.
pub(super) fn result(source: &Json, at: &At, report: &mut Report) {
    members(source, at, &mut |key, value, at| {
        if key.ends_with(".$") && looks_computed(value) {
            let message = format!("The field '{key}' is not evaluated: the 'Result' of a Pass state is static");
            report.warning(Diagnostic::STATIC_RESULT, at, message);
        }
    });
}

/// Warns of a literal that looks like a path, where there is a field for paths.
pub(super) fn no_path(fields: Fields, name: &str, report: &mut Report) {
    let is_literal = fields.language == Language::JsonPath && !name.ends_with("Path");
    if is_literal && fields.get(name).is_some_and(looks_computed) {
        let message = format!("The value of the field '{name}' looks like a path, but the field is not '{name}Path'");
        report.warning(Diagnostic::NO_PATH, &fields.at.key(name), message);
    }
}

fn looks_computed(value: &Json) -> bool {
    let text = value.as_str().filter(|text| text.starts_with('$') || text.starts_with("States."));
    text.is_some_and(|text| Expression::parse(text).is_ok())
}

/// Every member of every object. Recursion is as deep as the definition, which came from a text and is therefore
/// shallow.
fn members(source: &Json, at: &At, visit: &mut impl FnMut(&str, &Json, &At)) {
    match source {
        Json::Object(object) => {
            for (key, value) in &**object {
                let at = at.key(key);
                visit(key, value, &at);
                members(value, &at, visit);
            }
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                members(item, &at.index(index), visit);
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
