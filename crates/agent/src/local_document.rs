//! `aws:runDocument` of a file on this host: it becomes a plan when its turn comes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use api::agent::{Failure, failure};
use document::{CONTENT_BYTES_MAX, Context, DOCUMENT_DEPTH_MAX, Document, Format, LocalDocument, Plan};
use serde_json::{Map, Value};

use crate::host;
use crate::steps::because;

/// The plan that a document in a file comes to. `depth` documents of this host are around it.
pub(crate) fn read(wanted: &LocalDocument, depth: u32, work: &Path) -> Result<Plan, Failure> {
    let path = work.join(&wanted.path);
    let named = path.display();
    if depth.saturating_add(wanted.depth) >= DOCUMENT_DEPTH_MAX {
        let message = format!("documents may run documents {DOCUMENT_DEPTH_MAX} levels deep");
        return Err(because(failure::START_FAILED, message));
    }
    let mut text = String::new();
    let read = File::open(&path).and_then(|file| file.take(CONTENT_BYTES_MAX as u64 + 1).read_to_string(&mut text));
    read.map_err(|error| because(failure::CONTENT_MISSING, format!("document {named} cannot be read: {error}")))?;
    let invalid = |error: String| because(failure::START_FAILED, format!("document {named}: {error}"));
    let given = parameters(&wanted.parameters).map_err(invalid)?;
    let document = Document::parse(&text, format(&path, &text)).map_err(|error| invalid(error.to_string()))?;
    let context = Context { name: named.to_string(), now: host::now(), ..Context::default() };
    let wants = document.wants(&given, &context).map_err(|error| invalid(error.to_string()))?;
    if !wants.is_empty() {
        return Err(invalid("it refers to parameters or documents of the server".to_owned()));
    }
    document.resolve(&given, &context).map_err(|error| invalid(error.to_string()))
}

/// By its name, or by how it begins.
fn format(path: &Path, text: &str) -> Format {
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    match extension.as_ref().and_then(|extension| extension.to_str()) {
        Some("json") => Format::Json,
        Some("yaml" | "yml") => Format::Yaml,
        _ if text.trim_start().starts_with('{') => Format::Json,
        _ => Format::Yaml,
    }
}

/// As the wire has parameters: lists of texts.
fn parameters(text: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    if text.is_empty() {
        return Ok(BTreeMap::new());
    }
    let members: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("its parameters cannot be read: {error}"))?;
    let text_of = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let texts = |value: Value| match value {
        Value::Array(items) => items.iter().map(text_of).collect(),
        value => vec![text_of(&value)],
    };
    Ok(members.into_iter().map(|(name, value)| (name, texts(value))).collect())
}
