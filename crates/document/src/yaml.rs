//! YAML as JSON: one document, of the core schema, with keys that are texts.
//!
//! **Invariant:** what comes out has at most [`VALUES_MAX`] values, each alias counted with all that it stands for: a
//! few lines that stand for much are refused before anything walks over them.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Json;
use base::json::Object;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::content::{ContentError, DEPTH_MAX};

/// Values in a document, aliases multiplied out: more than a text of 64 KiB could hold without them.
const VALUES_MAX: usize = 65_536;

pub(crate) fn parse(text: &str) -> Result<Json, ContentError> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| malformed(&error))?;
        builder.take(event, span)?;
    }
    builder.root.ok_or_else(|| invalid("the document is empty".to_owned()))
}

fn malformed(error: &ScanError) -> ContentError {
    let mark = error.marker();
    let (line, column) = (mark.line(), mark.col() + 1);
    invalid(format!("YAML not well-formed: {}. at Line: {line}, Column: {column}", error.info()))
}

fn invalid(message: String) -> ContentError {
    ContentError::Invalid { message, place: String::new() }
}

#[derive(Default)]
struct Builder {
    root: Option<Json>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Anchored>,
    values: usize,
}

#[derive(Clone)]
struct Anchored {
    value: Json,
    values: usize,
}

/// A sequence or mapping that has not ended.
struct Open {
    anchor: usize,
    /// How many values there were before it.
    before: usize,
    kind: Kind,
}

enum Kind {
    Sequence(Vec<Json>),
    /// With the key whose value comes next.
    Mapping(Object, Option<Arc<str>>),
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), ContentError> {
        let refuse = |message: &str| {
            let (line, column) = (span.start.line(), span.start.col() + 1);
            Err(invalid(format!("{message} at Line: {line}, Column: {column}")))
        };
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => refuse("only one YAML document is allowed."),
            Event::DocumentStart(_) => Ok(()),
            Event::SequenceStart(anchor, _) => self.open(anchor, Kind::Sequence(vec![])),
            Event::MappingStart(anchor, _) => self.open(anchor, Kind::Mapping(Object::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { anchor, before, kind }) = self.open.pop() else { return refuse("nothing to end.") };
                let value = match kind {
                    Kind::Sequence(items) => Json::array(items),
                    Kind::Mapping(members, _) => Json::Object(Arc::new(members)),
                };
                self.remember(anchor, &value, before);
                self.put(value).or_else(refuse)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let Some(value) = scalar(&text, style, tag.as_deref(), self.expects_key()) else {
                    return refuse("the value does not fit its tag.");
                };
                let before = self.values;
                self.count(1)?;
                self.remember(anchor, &value, before);
                self.put(value).or_else(refuse)
            }
            Event::Alias(anchor) => {
                let Some(Anchored { value, values }) = self.anchors.get(&anchor).cloned() else {
                    return refuse("an alias of what has not ended.");
                };
                self.count(values)?;
                self.put(value).or_else(refuse)
            }
        }
    }

    fn open(&mut self, anchor: usize, kind: Kind) -> Result<(), ContentError> {
        if self.open.len() >= DEPTH_MAX {
            return Err(invalid(format!("objects and arrays may nest {DEPTH_MAX} levels deep")));
        }
        let before = self.values;
        self.count(1)?;
        self.open.push(Open { anchor, before, kind });
        Ok(())
    }

    fn count(&mut self, values: usize) -> Result<(), ContentError> {
        self.values = self.values.saturating_add(values);
        if self.values > VALUES_MAX {
            return Err(invalid(format!("the document stands for more than {VALUES_MAX} values")));
        }
        Ok(())
    }

    /// The parser numbers anchors from 1; 0 is none.
    fn remember(&mut self, anchor: usize, value: &Json, before: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, Anchored { value: value.clone(), values: self.values - before });
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { kind: Kind::Mapping(_, None), .. }))
    }

    fn put(&mut self, value: Json) -> Result<(), &'static str> {
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(value),
            Some(Kind::Sequence(items)) => items.push(value),
            Some(Kind::Mapping(members, key)) => match key.take() {
                None => {
                    let Json::String(text) = value else { return Err("a key has to be a text.") };
                    if members.contains_key(&text) {
                        return Err("the same key a second time.");
                    }
                    *key = Some(text);
                }
                Some(name) => {
                    members.insert(name, value);
                }
            },
        }
        Ok(())
    }
}

/// By the core schema of YAML 1.2; keys are texts as they stand. None where a tag says otherwise than the text.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, is_key: bool) -> Option<Json> {
    let core = |tag: &Tag| if tag.is_yaml_core_schema() { tag.suffix.clone() } else { String::new() };
    match tag.map(core).as_deref() {
        Some("str") => Some(text.into()),
        Some("null") => Some(Json::Null),
        Some("bool") => boolean(text).map(Json::Bool),
        Some("int" | "float") => number(text),
        _ if is_key || style != ScalarStyle::Plain => Some(text.into()),
        _ => Some(plain(text)),
    }
}

fn plain(text: &str) -> Json {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Json::Null;
    }
    boolean(text).map(Json::Bool).or_else(|| number(text)).unwrap_or_else(|| text.into())
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn number(text: &str) -> Option<Json> {
    let radix = |prefix: &str, radix| i64::from_str_radix(text.strip_prefix(prefix)?, radix).ok();
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(number.into());
    }
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    // Rust also reads words as numbers: inf, nan.
    let shaped = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let number = text.parse::<f64>().ok().filter(|number| shaped && number.is_finite())?;
    Some(number.into())
}
