//! A document's text as JSON, whichever format it came in, and what may be wrong with it.

use base::Json;

use crate::yaml;

/// Bytes of a document's text. AWS: "the content of the document must not exceed 64KB".
pub const CONTENT_BYTES_MAX: usize = 65_536;

/// Objects and arrays inside one another in a document.
pub(crate) const DEPTH_MAX: usize = 32;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Json,
    Yaml,
}

/// Why a text is no document that can be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// The place is a JSON pointer: `/mainSteps/0/inputs`.
    #[error("{message}{}", at(place))]
    Invalid { message: String, place: String },
    #[error("schemaVersion {0} is not one of those of a Command document: 1.2, 2.0, 2.2")]
    SchemaVersion(String),
    #[error("the document holds {0} bytes, and at most {CONTENT_BYTES_MAX} are allowed")]
    TooLarge(usize),
}

fn at(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(" at {place}") }
}

impl ContentError {
    /// AWS's name of this error.
    pub fn code(&self) -> &'static str {
        match self {
            ContentError::Invalid { .. } => "InvalidDocumentContent",
            ContentError::SchemaVersion(_) => "InvalidDocumentSchemaVersion",
            ContentError::TooLarge(_) => "MaxDocumentSizeExceeded",
        }
    }

    pub(crate) fn new(place: &Place<'_>, message: impl Into<String>) -> ContentError {
        ContentError::Invalid { message: message.into(), place: place.to_string() }
    }
}

/// Where in the document one is.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    Root,
    Member(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl<'a> Place<'a> {
    pub(crate) fn member(&'a self, name: &'a str) -> Place<'a> {
        Place::Member(self, name)
    }

    pub(crate) fn item(&'a self, index: usize) -> Place<'a> {
        Place::Item(self, index)
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Member(parent, name) => write!(f, "{parent}/{name}"),
            Place::Item(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

/// The JSON that `text` says, not too large and not too deep.
pub(crate) fn read(text: &str, format: Format) -> Result<Json, ContentError> {
    if text.len() > CONTENT_BYTES_MAX {
        return Err(ContentError::TooLarge(text.len()));
    }
    let json = match format {
        Format::Json => Json::parse(text).map_err(|error| {
            let message = format!("JSON not well-formed. at Line: {}, Column: {}", error.line, error.column);
            ContentError::Invalid { message, place: String::new() }
        })?,
        Format::Yaml => yaml::parse(text)?,
    };
    if is_deeper_than(&json, DEPTH_MAX) {
        let message = format!("objects and arrays may nest {DEPTH_MAX} levels deep");
        return Err(ContentError::Invalid { message, place: String::new() });
    }
    if has_nul(&json) {
        let message = "the document has a NUL character".to_owned();
        return Err(ContentError::Invalid { message, place: String::new() });
    }
    Ok(json)
}

pub(crate) fn has_nul(json: &Json) -> bool {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
        Json::String(text) => text.contains('\0'),
        Json::Array(items) => items.iter().any(has_nul),
        Json::Object(members) => members.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
    }
}

fn is_deeper_than(json: &Json, levels: usize) -> bool {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
        Json::Array(_) | Json::Object(_) if levels == 0 => true,
        Json::Array(items) => items.iter().any(|item| is_deeper_than(item, levels - 1)),
        Json::Object(members) => members.values().any(|value| is_deeper_than(value, levels - 1)),
    }
}
