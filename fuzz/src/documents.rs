//! Command documents, with what is given for them.

use std::collections::BTreeMap;

use base::{Json, Timestamp};
use document::{Context, Document, Format};

use crate::parts;

/// A document, an empty line, and what is given for its parameters in JSON. What is refused has a reason; what is
/// resolved has no NUL, and an end.
pub fn document(bytes: &[u8]) {
    let (text, given) = parts(bytes);
    let (Ok(text), Ok(given)) = (std::str::from_utf8(text), std::str::from_utf8(given)) else { return };
    let given = values(given);
    for format in [Format::Json, Format::Yaml] {
        match Document::parse(text, format) {
            Ok(document) => resolve(&document, &given, text, format),
            Err(error) => assert!(!error.to_string().is_empty() && !error.code().is_empty()),
        }
    }
}

/// Everything that is wanted is there, and is the document itself.
fn resolve(document: &Document, given: &BTreeMap<String, Vec<String>>, text: &str, format: Format) {
    let mut cx =
        Context { name: "Doc".to_owned(), now: Timestamp(0), region: "us-east-1".to_owned(), ..Context::default() };
    for _ in 0..4 {
        let Ok(wants) = document.wants(given, &cx) else { break };
        cx.ssm.extend(wants.ssm.into_iter().map(|name| (name, vec!["it's".to_owned(), "$(id)".to_owned()])));
        cx.documents.extend(wants.documents.into_iter().map(|named| (named, (text.to_owned(), format))));
    }
    match document.resolve(given, &cx) {
        Ok(plan) => {
            assert!(!plan.steps.is_empty() && plan.bytes() < 4 << 20);
            assert!(!format!("{plan:?}").contains("\\0"), "a NUL in a plan");
        }
        Err(refusal) => assert!(!refusal.to_string().is_empty() && !refusal.code().is_empty()),
    }
    let _ = (document.platform_types(), document.ssm_references(given), document.check(given, &cx));
}

fn values(text: &str) -> BTreeMap<String, Vec<String>> {
    let Ok(Json::Object(members)) = Json::parse(text) else { return BTreeMap::new() };
    let list = |json: &Json| match json {
        Json::Array(items) => items.iter().map(Json::to_string).collect(),
        Json::String(text) => vec![text.to_string()],
        json => vec![json.to_string()],
    };
    members.iter().map(|(name, json)| (name.to_string(), list(json))).collect()
}
