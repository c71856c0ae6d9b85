//! From text to [`Machine`].
//!
//! One walk down the definition builds the tree and reports everything that is wrong on the way. What
//! could not be built is `None`, and then a diagnostic says why: a machine comes out exactly when
//! nothing was reported as an error.
//!
//! In reading order: [`fields`] (which fields an object may have: a new one starts there), [`block`]
//! (`StartAt`, `States` and how they hang together), [`states`] (a state, and the small ones), [`task`],
//! [`choice`], [`nested`] (Parallel and Map), [`distributed`] (what only a Map in that mode has), [`retry`] (Retry and
//! Catch), [`jsonata`] (what only the other language has), [`variables`] (`Assign`), [`warnings`], [`duplicates`]
//! (states written twice), [`alone`] (a state by itself), and the tools: [`read`], [`at`], [`report`].

mod fields;
mod block;
mod states;
mod task;
mod choice;
mod nested;
mod distributed;
mod retry;
mod jsonata;
mod variables;
mod warnings;
mod duplicates;
mod alone;
mod read;
mod at;
mod report;

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{Json, limits};

use crate::diagnostic::{Diagnostic, Severity};
use crate::tree::{Block, BlockId, Machine, MachineKind, MachineTimeout, Name};
pub use alone::{LoneState, StateRefusal, parse_state};
use at::At;
use block::{Scope, Sight};
use fields::Language;
use jsonata::Sees;
use read::Fields;
use report::Report;
use variables::Assigned;

/// A machine, if there is one, and everything that was found.
#[derive(Debug)]
pub struct Parsed {
    /// Present exactly when no diagnostic is an error.
    pub machine: Option<Machine>,
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a definition. `kind` matters: an Express machine may not wait for a token.
pub fn parse(text: &str, kind: MachineKind) -> Parsed {
    let json = match json(text) {
        Ok(json) => json,
        Err(diagnostic) => return Parsed { machine: None, diagnostics: vec![diagnostic] },
    };
    let mut parser = Parser::new(kind);
    duplicates::find(text).into_iter().for_each(|duplicate| parser.report.push(duplicate));
    let timeout = machine(&mut parser, &json);
    let blocks: Option<Vec<Block>> = parser.blocks.into_iter().collect();
    let blocks = blocks.filter(|_| !parser.report.has_errors());
    let references = parser.report.take_references();
    let machine = blocks.map(|blocks| Machine { blocks, timeout, references });
    Parsed { machine, diagnostics: parser.report.into_diagnostics() }
}

/// What is known while walking down.
struct Parser<'a> {
    report: Report,
    /// The machine's own: blocks inside a state have it too, whatever that state says.
    language: Language,
    /// None while a block is being read, and for one that could not be built.
    blocks: Vec<Option<Block>>,
    /// For each block the one whose variables it sees; none for the machine, and for a distributed Map's.
    parents: Vec<Option<BlockId>>,
    /// Every variable that is assigned.
    assigned: Vec<Assigned>,
    /// Every distributed Map's `Label`.
    labels: BTreeSet<Arc<str>>,
    /// Every state met so far: names are unique in the whole machine.
    names: BTreeSet<Name>,
    /// The block being read.
    scope: Scope<'a>,
}

impl Parser<'_> {
    fn new(kind: MachineKind) -> Self {
        Parser {
            report: Report::default(),
            language: Language::JsonPath,
            blocks: Vec::new(),
            parents: Vec::new(),
            assigned: Vec::new(),
            labels: BTreeSet::new(),
            names: BTreeSet::new(),
            scope: Scope::outermost(kind),
        }
    }
}

fn json(text: &str) -> Result<Json, Diagnostic> {
    let not_an_object = || Diagnostic {
        severity: Severity::Error,
        code: Diagnostic::SCHEMA,
        message: "Definition must be a valid JSON object".into(),
        location: None,
    };
    if text.trim().is_empty() {
        return Err(not_an_object());
    }
    let json = Json::parse(text).map_err(|error| {
        let source = error.location(text);
        Diagnostic {
            severity: Severity::Error,
            code: Diagnostic::INVALID_JSON,
            message: format!("{error}\n at {source}"),
            location: Some(source),
        }
    })?;
    if json.as_object().is_none() {
        return Err(not_an_object());
    }
    Ok(json)
}

/// Reads the definition's top; gives its `TimeoutSeconds`.
fn machine<'a>(p: &mut Parser<'a>, json: &'a Json) -> Option<MachineTimeout> {
    let fields = Fields::of(json, &At::ROOT, p.language, &mut p.report)?;
    fields::MACHINE.check(fields, &mut p.report);
    p.language = language(p, fields).unwrap_or(Language::JsonPath);
    let fields = Fields { language: p.language, ..fields };
    fields.string("Comment", &mut p.report);
    fields.string("Version", &mut p.report);
    let timeout = match fields.is_expression("TimeoutSeconds") {
        true => fields.jsonata("TimeoutSeconds", Sees::Context, &mut p.report).map(MachineTimeout::Jsonata),
        false => fields
            .integer("TimeoutSeconds", 1..=limits::TIMEOUT_SECONDS_MAX, &mut p.report)
            .map(MachineTimeout::Literal),
    };
    block::block(p, fields, p.scope.kind, Sight::Outer);
    variables::check_scopes(&p.assigned, &p.parents, &mut p.report);
    timeout
}

/// What `QueryLanguage` says. Whatever is not JSONPath counts as JSONata, so that one mistake is one
/// diagnostic.
fn language(p: &mut Parser, fields: Fields) -> Option<Language> {
    fields.get("QueryLanguage")?;
    let words = [("JSONPath", Language::JsonPath), ("JSONata", Language::Jsonata)];
    Some(fields.word("QueryLanguage", &words, &mut p.report).unwrap_or(Language::Jsonata))
}
