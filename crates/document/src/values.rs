//! What is given for a document's parameters, checked and filled with what the server knows.

use std::cell::Cell;
use std::collections::BTreeMap;

use base::{Json, Timestamp};

use crate::content::{CONTENT_BYTES_MAX, ContentError, Format, has_nul};
use crate::document::Document;
use crate::parameter::{Parameter, ParameterType, text_of};
use crate::template::{From, Global, Piece, Template};

/// What resolving needs to know besides the document and what is given. [`Document::wants`] says what.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The document's name, for texts.
    pub name: String,
    /// For `{{ global:DATE_TIME }}`.
    pub now: Timestamp,
    /// For `{{ global:REGION }}`.
    pub region: String,
    /// What the Parameter Store has, by what is asked for (`/a/b`, `name:3`): one text, or those of a StringList.
    pub ssm: BTreeMap<String, Vec<String>>,
    /// Documents that this one runs or brings, by name and version.
    pub documents: BTreeMap<(String, String), (String, Format)>,
}

/// Why a document cannot be run, by the name of AWS's error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("document {name} does not exist")]
    InvalidDocument { name: String },
    #[error("document {name} has no version {version}")]
    InvalidDocumentVersion { name: String, version: String },
    #[error("{0}")]
    InvalidParameters(String),
    /// A document that this one runs is none.
    #[error("document {name}: {error}")]
    InvalidDocumentContent { name: String, error: ContentError },
}

impl Refusal {
    /// AWS's name of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::InvalidDocument { .. } => "InvalidDocument",
            Refusal::InvalidDocumentVersion { .. } => "InvalidDocumentVersion",
            Refusal::InvalidParameters(_) => "InvalidParameters",
            Refusal::InvalidDocumentContent { error, .. } => error.code(),
        }
    }
}

pub(crate) fn invalid(text: impl Into<String>) -> Refusal {
    Refusal::InvalidParameters(text.into())
}

/// A parameter's value. Texts may still refer to the Parameter Store: where they are run, what comes from there is
/// data.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(Template),
    List(Vec<Template>),
    Json(Json),
}

/// All values of one document.
pub(crate) struct Scope<'a> {
    pub(crate) document: &'a Document,
    pub(crate) cx: &'a Context,
    values: BTreeMap<&'a str, Value>,
    /// Bytes that may still be put in the place of references.
    bytes_left: Cell<usize>,
}

/// Bytes that one document's references may stand for, all together: a few may stand for much.
const FILLED_BYTES_MAX: usize = 4 << 20;

impl<'a> Scope<'a> {
    /// Each parameter with its value, from what is `given` or by default.
    pub(crate) fn bind(
        document: &'a Document,
        given: &BTreeMap<String, Vec<String>>,
        from: From,
        cx: &'a Context,
    ) -> Result<Scope<'a>, Refusal> {
        if let Some(unknown) = given.keys().find(|name| document.parameter(name).is_none()) {
            return Err(match document.parameters.is_empty() {
                true => invalid(format!("document {} does not support parameters.", cx.name)),
                false => invalid(format!("parameter {unknown} is not defined in document {}", cx.name)),
            });
        }
        let mut scope = Scope { document, cx, values: BTreeMap::new(), bytes_left: Cell::new(FILLED_BYTES_MAX) };
        for parameter in &document.parameters {
            let given = given.get(&parameter.name).filter(|values| !values.is_empty());
            let value = match (given, &parameter.default) {
                (Some(values), _) => scope.given(parameter, values, from)?,
                (None, Some(default)) => scope.default(parameter, default)?,
                (None, None) => return Err(invalid(format!("parameter {} is required", parameter.name))),
            };
            scope.values.insert(&parameter.name, value);
        }
        Ok(scope)
    }

    pub(crate) fn value(&self, name: &str) -> &Value {
        self.values.get(name).expect("a document is checked: every parameter that it refers to is declared")
    }

    /// What the value is as one text, for where it stands among others.
    pub(crate) fn text_of(&self, name: &str) -> Result<String, Refusal> {
        match self.value(name) {
            Value::Text(template) => self.expand(template),
            Value::List(items) => {
                let items = items.iter().map(|item| self.expand(item).map(Json::from));
                Ok(Json::array(items.collect::<Result<Vec<_>, _>>()?).to_string())
            }
            Value::Json(json) => {
                let text = text_of(json);
                self.spend(text.len())?;
                Ok(text)
            }
        }
    }

    /// Takes what is put in a reference's place from what may be.
    pub(crate) fn spend(&self, bytes: usize) -> Result<(), Refusal> {
        let left = self.bytes_left.get().checked_sub(bytes);
        let fail = || invalid(format!("the references of the document stand for more than {FILLED_BYTES_MAX} bytes"));
        self.bytes_left.set(left.ok_or_else(fail)?);
        Ok(())
    }

    /// The whole text, everything filled in.
    pub(crate) fn expand(&self, template: &Template) -> Result<String, Refusal> {
        let mut whole = String::new();
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => whole.push_str(text),
                Piece::Parameter(name) => whole.push_str(&self.text_of(name)?),
                Piece::Store(name) => whole.push_str(&self.store(name)?.join(",")),
                Piece::Global(global) => whole.push_str(&self.global(*global)),
            }
            if whole.len() > CONTENT_BYTES_MAX {
                return Err(invalid(format!("a text with its parameters holds more than {CONTENT_BYTES_MAX} bytes")));
            }
        }
        self.spend(whole.len())?;
        Ok(whole)
    }

    pub(crate) fn store(&self, name: &str) -> Result<&'a [String], Refusal> {
        match self.cx.ssm.get(name) {
            None => Err(invalid(format!("the Parameter Store has no parameter {name}"))),
            Some(texts) if texts.iter().any(|text| text.contains('\0')) => {
                Err(invalid(format!("parameter {name} of the Parameter Store has a NUL character")))
            }
            Some(texts) => {
                self.spend(texts.iter().map(String::len).sum())?;
                Ok(texts)
            }
        }
    }

    pub(crate) fn global(&self, global: Global) -> String {
        let now = self.cx.now.to_string();
        let part = |range| now.get(range).unwrap_or_default();
        match global {
            Global::Date => part(0..10).to_owned(),
            Global::DateTime => format!("{}_{}", part(0..10), part(11..19).replace(':', ".")),
            Global::Region => self.cx.region.clone(),
        }
    }

    fn default(&self, parameter: &Parameter, default: &Json) -> Result<Value, Refusal> {
        match (parameter.kind, default) {
            (ParameterType::StringList, Json::Array(items)) => {
                let items = items.iter().map(text_of).collect::<Vec<_>>();
                Ok(Value::List(self.items(&items, From::Given)?))
            }
            (ParameterType::String, default) => Ok(Value::Text(Template::parse(&text_of(default), From::Given))),
            // What comes from the Parameter Store is checked as if it were given.
            (_, Json::String(reference)) => self.given(parameter, &[reference.to_string()], From::Given),
            (_, json) => Ok(Value::Json(json.clone())),
        }
    }

    fn given(&self, parameter: &Parameter, values: &[String], from: From) -> Result<Value, Refusal> {
        let name = &parameter.name;
        let bytes = values.iter().map(|value| value.len() + 1).sum::<usize>();
        if bytes > CONTENT_BYTES_MAX {
            let message = format!("parameter {name} holds {bytes} bytes, and at most {CONTENT_BYTES_MAX} are allowed");
            return Err(invalid(message));
        }
        if !parameter.kind.is_list() && values.len() > 1 {
            let kind = parameter.kind.name();
            return Err(invalid(format!("parameter {name} is a {kind} and takes one value, not {}", values.len())));
        }
        let value = match parameter.kind {
            ParameterType::String => Value::Text(Template::parse(&values[0], from)),
            ParameterType::StringList => Value::List(self.items(values, from)?),
            kind => Value::Json(self.json(name, kind, values, from)?),
        };
        self.check(parameter, &value)?;
        Ok(value)
    }

    /// A StringList of the Parameter Store that is all of an item stands for its texts.
    fn items(&self, values: &[String], from: From) -> Result<Vec<Template>, Refusal> {
        let mut items = vec![];
        for value in values {
            let template = Template::parse(value, from);
            match template.whole() {
                Some(Piece::Store(name)) => {
                    items.extend(self.store(name)?.iter().map(|text| Template::text(text.clone())));
                }
                _ => items.push(template),
            }
        }
        Ok(items)
    }

    /// The wire has texts only: what is no text is JSON in a text.
    fn json(&self, name: &str, kind: ParameterType, values: &[String], from: From) -> Result<Json, Refusal> {
        let fail =
            || invalid(format!("parameter {name} is not of the type {}: {}", kind.name(), shown(&values.join(","))));
        let texts = values.iter().map(|value| self.expand(&Template::parse(value, from)));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let json = match (kind, &*texts) {
            (ParameterType::Boolean, [text]) => text.parse::<bool>().ok().map(Json::from),
            (ParameterType::Integer, [text]) => text.parse::<i64>().ok().map(Json::from),
            (ParameterType::MapList, [text]) if text.trim_start().starts_with('[') => Json::parse(text).ok(),
            (ParameterType::MapList, texts) => {
                let maps = texts.iter().map(|text| Json::parse(text).ok());
                maps.collect::<Option<Vec<_>>>().map(Json::array)
            }
            (_, [text]) => Json::parse(text).ok(),
            _ => None,
        };
        json.filter(|json| kind.takes(json)).ok_or_else(fail)
    }

    fn check(&self, parameter: &Parameter, value: &Value) -> Result<(), Refusal> {
        let texts = match value {
            Value::Text(template) => vec![self.expand(template)?],
            Value::List(items) => items.iter().map(|item| self.expand(item)).collect::<Result<Vec<_>, _>>()?,
            Value::Json(Json::Array(items)) => items.iter().map(text_of).collect(),
            Value::Json(json) => vec![text_of(json)],
        };
        let name = &parameter.name;
        if texts.iter().any(|text| text.contains('\0')) || matches!(value, Value::Json(json) if has_nul(json)) {
            return Err(invalid(format!("parameter {name} has a NUL character")));
        }
        if let Some(allowed) = &parameter.allowed_values {
            let allowed: Vec<_> = allowed.iter().map(text_of).collect();
            if let Some(text) = texts.iter().find(|text| !allowed.contains(text)) {
                let allowed = allowed.join(", ");
                return Err(invalid(format!(
                    "parameter {name} is not one of the allowed values {allowed}: {}",
                    shown(text)
                )));
            }
        }
        if let Some(pattern) = &parameter.allowed_pattern
            && let Some(text) = texts.iter().find(|text| !pattern.is_match(text))
        {
            return Err(invalid(format!("parameter {name} does not match the allowed pattern: {}", shown(text))));
        }
        let chars = texts.iter().map(|text| text.chars().count() as u64);
        if let Some(min) = parameter.chars.min.filter(|min| chars.clone().any(|count| count < *min)) {
            return Err(invalid(format!("parameter {name} is shorter than {min} characters")));
        }
        if let Some(max) = parameter.chars.max.filter(|max| chars.clone().any(|count| count > *max)) {
            return Err(invalid(format!("parameter {name} is longer than {max} characters")));
        }
        let items = texts.len() as u64;
        if let Some(min) = parameter.items.min.filter(|min| items < *min) {
            return Err(invalid(format!("parameter {name} has {items} items, fewer than {min}")));
        }
        if let Some(max) = parameter.items.max.filter(|max| items > *max) {
            return Err(invalid(format!("parameter {name} has {items} items, more than {max}")));
        }
        Ok(())
    }
}

/// Characters of a value that a text shows.
const SHOWN_CHARS_MAX: usize = 200;

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}
