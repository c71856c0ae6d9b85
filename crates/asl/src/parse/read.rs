//! Reading one object of a definition: a field's type, its range, its path.
//!
//! Every method gives nothing when the field is absent, and nothing after it reported what is wrong.

use std::sync::Arc;

use base::{Json, Object};
use expr::intrinsic::Intrinsic;
use expr::template::{BadField, Expression};
use expr::{Path, ReferencePath, Template};

use super::at::At;
use super::fields::Language;
use super::jsonata::{self, Sees};
use super::report::Report;
use super::warnings;
use crate::tree::{Jsonata, Payload};

/// An object, where it is, and the language that its fields are written in.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a, 's> {
    pub(super) object: &'a Object,
    pub(super) at: &'s At<'s>,
    pub(super) language: Language,
}

impl<'a, 's> Fields<'a, 's> {
    /// The object that `json` is, if it is one.
    pub(super) fn of(
        json: &'a Json,
        at: &'s At<'s>,
        language: Language,
        report: &mut Report,
    ) -> Option<Fields<'a, 's>> {
        let object = json.as_object();
        if object.is_none() {
            report.schema(at, expected("OBJECT"));
        }
        object.map(|object| Fields { object, at, language })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a Json> {
        self.object.get(name)
    }

    pub(super) fn string(&self, name: &str, report: &mut Report) -> Option<&'a Arc<str>> {
        self.typed(name, "STRING", report, |json| match json {
            Json::String(text) => Some(text),
            _ => None,
        })
    }

    pub(super) fn boolean(&self, name: &str, report: &mut Report) -> Option<bool> {
        self.typed(name, "BOOLEAN", report, Json::as_bool)
    }

    pub(super) fn array(&self, name: &str, report: &mut Report) -> Option<&'a [Json]> {
        self.typed(name, "ARRAY", report, Json::as_array)
    }

    pub(super) fn array_nonempty(&self, name: &str, report: &mut Report) -> Option<&'a [Json]> {
        let items = self.array(name, report)?;
        if items.is_empty() {
            report.schema(&self.at.key(name), "Value cannot be empty");
            return None;
        }
        Some(items)
    }

    pub(super) fn number_at_least(&self, name: &str, min: f64, report: &mut Report) -> Option<f64> {
        let number = self.typed(name, "NUMBER", report, Json::as_f64)?;
        if number < min {
            report.schema(&self.at.key(name), format!("Minimum value is {min:?}"));
            return None;
        }
        Some(number)
    }

    pub(super) fn integer(&self, name: &str, range: std::ops::RangeInclusive<u64>, report: &mut Report) -> Option<u64> {
        let number = self.typed(name, "INTEGER", report, whole_number)?;
        let (min, max) = (i128::from(*range.start()), i128::from(*range.end()));
        if number < min {
            report.schema(&self.at.key(name), format!("Minimum value is {min}"));
        } else if number > max {
            report.schema(&self.at.key(name), format!("Maximum value is {max}"));
        }
        u64::try_from(number).ok().filter(|number| range.contains(number))
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)], report: &mut Report) -> Option<T> {
        let text = self.string(name, report)?;
        let found = words.iter().find(|(word, _)| **word == **text);
        if found.is_none() {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            report.schema(&self.at.key(name), format!("Value should be one of the following: [{}]", words.join(", ")));
        }
        found.map(|(_, meaning)| *meaning)
    }

    /// A JSONPath.
    pub(super) fn path(&self, name: &str, report: &mut Report) -> Option<Path> {
        let text = self.string(name, report)?;
        let path = self.compiled(name, "JSONPath", Path::parse(text).ok(), report)?;
        report.reads(&path);
        Some(path)
    }

    /// A path that names one place.
    pub(super) fn reference_path(&self, name: &str, report: &mut Report) -> Option<ReferencePath> {
        let text = self.string(name, report)?;
        let path = self.compiled(name, "Reference Path", ReferencePath::parse(text).ok(), report)?;
        report.reads(path.path());
        Some(path)
    }

    pub(super) fn intrinsic(&self, name: &str, report: &mut Report) -> Option<Intrinsic> {
        let text = self.string(name, report)?;
        let what = "JSONPath or a valid intrinsic function call";
        let call = self.compiled(name, what, Intrinsic::parse(text).ok(), report)?;
        call.paths().into_iter().for_each(|path| report.reads(path));
        Some(call)
    }

    /// What a field gives: a template, or JSONata.
    pub(super) fn payload(&self, name: &str, sees: Sees, report: &mut Report) -> Option<Payload> {
        match self.language {
            Language::JsonPath => self.template(name, report).map(Payload::JsonPath),
            Language::Jsonata => self.jsonata(name, sees, report).map(Payload::Jsonata),
        }
    }

    /// JSON of any kind.
    pub(super) fn jsonata(&self, name: &str, sees: Sees, report: &mut Report) -> Option<Jsonata> {
        jsonata::value(self.get(name)?, &self.at.key(name), sees, report)
    }

    /// Whether a field that is otherwise of a type of its own is an expression.
    pub(super) fn is_expression(&self, name: &str) -> bool {
        let text = self.get(name).and_then(Json::as_str).filter(|_| self.language == Language::Jsonata);
        text.is_some_and(jsonata::is_expression)
    }

    /// A payload template: an object.
    pub(super) fn template(&self, name: &str, report: &mut Report) -> Option<Template> {
        let source = self.typed(name, "OBJECT", report, |json| json.as_object().map(|_| json))?;
        match Template::parse(source) {
            Ok(template) => {
                let paths = template.expressions().into_iter().flat_map(Expression::paths);
                paths.for_each(|path| report.reads(path));
                warnings::template(source, &self.at.key(name), report);
                Some(template)
            }
            Err(bad) => {
                bad.iter().for_each(|bad| bad_field(&self.at.key(name), bad, &bad.at, report));
                None
            }
        }
    }

    /// The one of `names` that is there; more or none is reported.
    pub(super) fn exactly_one(&self, names: &[&'static str], report: &mut Report) -> Option<&'static str> {
        self.any_of(names, report);
        self.at_most_one(names, report)
    }

    /// Reports when none of `names` is there.
    pub(super) fn any_of(&self, names: &[&'static str], report: &mut Report) {
        if !names.iter().any(|name| self.has(name)) {
            let these = if names.len() == 1 { "These fields are" } else { "One of these fields is" };
            report.schema(self.at, format!("{these} required: [{}]", names.join(", ")));
        }
    }

    /// The one of `names` that is there, if any; more are reported.
    pub(super) fn at_most_one(&self, names: &[&'static str], report: &mut Report) -> Option<&'static str> {
        let mut there = names.iter().copied().filter(|name| self.has(name));
        let first = there.next();
        if there.next().is_some() {
            report.schema(self.at, format!("Only one of these fields is allowed: [{}]", names.join(", ")));
            return None;
        }
        first
    }

    fn typed<T>(
        &self,
        name: &str,
        kind: &str,
        report: &mut Report,
        read: impl FnOnce(&'a Json) -> Option<T>,
    ) -> Option<T> {
        let value = read(self.get(name)?);
        if value.is_none() {
            report.schema(&self.at.key(name), expected(kind));
        }
        value
    }

    fn compiled<T>(&self, name: &str, what: &str, compiled: Option<T>, report: &mut Report) -> Option<T> {
        if compiled.is_none() {
            report.schema(self.at, format!("The value for the field '{name}' must be a valid {what}"));
        }
        compiled
    }
}

/// Reported at the object that holds the field, however deep in the template it is.
fn bad_field(at: &At, bad: &BadField, deeper: &[String], report: &mut Report) {
    match deeper {
        [key, deeper @ ..] => bad_field(&at.key(key), bad, deeper, report),
        [] => report.schema(
            at,
            format!(
                "The value for the field '{}' must be a valid JSONPath or a valid intrinsic function call",
                bad.field
            ),
        ),
    }
}

pub(super) fn expected(kind: &str) -> String {
    format!("Expected value of type [{kind}]")
}

fn whole_number(json: &Json) -> Option<i128> {
    match json {
        Json::Number(number) => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
        _ => None,
    }
}
