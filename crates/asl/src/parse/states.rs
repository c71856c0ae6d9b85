//! A state: what all have, and the ones that are short.

use std::sync::Arc;

use base::{Timestamp, limits};

use super::fields::{self, Language};
use super::jsonata::Sees;
use super::read::Fields;
use super::report::Report;
use super::{Parser, block, choice, language, nested, task, variables, warnings};
use crate::tree::{
    Body, Fail, FailText, Flow, Jsonata, Name, Pass, ResultPath, Select, State, StateKind, Then, Until, Wait,
};

/// In the order in which AWS lists them.
const KINDS: [StateKind; 8] = [
    StateKind::Task,
    StateKind::Wait,
    StateKind::Pass,
    StateKind::Succeed,
    StateKind::Fail,
    StateKind::Choice,
    StateKind::Parallel,
    StateKind::Map,
];

/// The functions whose result can be a Fail's text.
const FAIL_FUNCTIONS: [&str; 7] = [
    "States.Format",
    "States.JsonToString",
    "States.ArrayGetItem",
    "States.Base64Encode",
    "States.Base64Decode",
    "States.Hash",
    "States.UUID",
];

/// Reads a state. The match reads like the specification's list of state types.
pub(super) fn state<'a>(p: &mut Parser<'a>, name: &Name, fields: Fields<'a, '_>) -> Option<State> {
    let Some(kind) = kind(fields, &mut p.report) else {
        p.scope.unclear();
        return None;
    };
    let fields = Fields { language: state_language(p, fields), ..fields };
    fields::of_state(kind).check(fields, &mut p.report);
    fields.string("Comment", &mut p.report);
    let sees = sees(kind);
    let flow = flow(fields, sees, &mut p.report);
    let assign = variables::assign(p, fields, sees);
    let body = match kind {
        StateKind::Pass => pass(p, fields).map(Body::Pass),
        StateKind::Task => task::task(p, fields).map(Body::Task),
        StateKind::Choice => choice::choice(p, fields).map(Body::Choice),
        StateKind::Wait => wait(p, fields).map(Body::Wait),
        StateKind::Succeed => succeed(p),
        StateKind::Fail => Some(Body::Fail(fail(p, fields))),
        StateKind::Parallel => nested::parallel(p, fields).map(Body::Parallel),
        StateKind::Map => nested::map(p, fields).map(Body::Map),
    };
    Some(State { name: Arc::clone(name), flow: flow?, assign, body: body? })
}

fn kind(fields: Fields, report: &mut Report) -> Option<StateKind> {
    if !fields.has("Type") {
        report.schema(fields.at, "These fields are required: [Type]");
    }
    let text = fields.string("Type", report)?;
    let kind = KINDS.into_iter().find(|kind| kind.name() == &**text);
    if kind.is_none() {
        let names = KINDS.map(StateKind::name).join(", ");
        report.schema(&fields.at.key("Type"), format!("The field 'Type' should have one of these values: [{names}]"));
    }
    kind
}

/// The state's own language, else the machine's. There is no way back from JSONata.
fn state_language(p: &mut Parser, fields: Fields) -> Language {
    let own = language(p, fields);
    if (p.language, own) == (Language::Jsonata, Some(Language::JsonPath)) {
        p.report.schema(fields.at, "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine");
    }
    own.unwrap_or(p.language)
}

/// What the state's own `Output` and `Assign` see.
fn sees(kind: StateKind) -> Sees {
    match kind {
        StateKind::Task | StateKind::Parallel | StateKind::Map => Sees::Result,
        StateKind::Pass | StateKind::Choice | StateKind::Wait | StateKind::Succeed | StateKind::Fail => Sees::Input,
    }
}

fn flow(fields: Fields, sees: Sees, report: &mut Report) -> Option<Flow> {
    match fields.language {
        Language::JsonPath => {
            let input = select(fields, "InputPath", report);
            let output = select(fields, "OutputPath", report);
            Some(Flow::JsonPath { input, output })
        }
        Language::Jsonata => output(fields, sees, report).map(|output| Flow::Jsonata { output }),
    }
}

/// JSONata's `Output`, which need not be there.
pub(super) fn output(fields: Fields, sees: Sees, report: &mut Report) -> Option<Option<Jsonata>> {
    let output = fields.jsonata("Output", sees, report);
    (output.is_some() || !fields.has("Output")).then_some(output)
}

fn pass<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) -> Option<Pass> {
    let parameters = fields.template("Parameters", &mut p.report);
    let result = fields.get("Result").cloned();
    if let Some(result) = &result {
        warnings::result(result, &fields.at.key("Result"), &mut p.report);
    }
    let result_path = result_path(fields, &mut p.report);
    let then = then(p, fields);
    Some(Pass { parameters, result, result_path, then: then? })
}

fn wait<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) -> Option<Wait> {
    let until = until(fields, &mut p.report);
    let then = then(p, fields);
    Some(Wait { until: until?, then: then? })
}

fn until(fields: Fields, report: &mut Report) -> Option<Until> {
    let names = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
    let name = fields.exactly_one(&names, report)?;
    if fields.is_expression(name) {
        let until = fields.jsonata(name, Sees::Input, report)?;
        return Some(if name == "Seconds" { Until::SecondsJsonata(until) } else { Until::TimestampJsonata(until) });
    }
    match name {
        "Seconds" => fields.integer("Seconds", 0..=limits::TIMEOUT_SECONDS_MAX, report).map(Until::Seconds),
        "SecondsPath" => fields.path("SecondsPath", report).map(Until::SecondsPath),
        "Timestamp" => timestamp(fields, "Timestamp", report).map(Until::Timestamp),
        _ => fields.path("TimestampPath", report).map(Until::TimestampPath),
    }
}

pub(super) fn timestamp(fields: Fields, name: &str, report: &mut Report) -> Option<Timestamp> {
    let timestamp = Timestamp::parse_rfc3339(fields.string(name, report)?);
    if timestamp.is_none() {
        report.schema(&fields.at.key(name), "String does not match RFC3339 timestamp");
    }
    timestamp
}

fn succeed(p: &mut Parser) -> Option<Body> {
    p.scope.ends();
    Some(Body::Succeed)
}

fn fail(p: &mut Parser, fields: Fields) -> Fail {
    p.scope.ends();
    let error = fail_text(fields, ["Error", "ErrorPath"], &mut p.report);
    let cause = fail_text(fields, ["Cause", "CausePath"], &mut p.report);
    Fail { error, cause }
}

fn fail_text(fields: Fields, [literal, path]: [&'static str; 2], report: &mut Report) -> Option<FailText> {
    let name = fields.at_most_one(&[literal, path], report)?;
    let text = fields.string(name, report)?;
    if fields.is_expression(name) {
        return fields.jsonata(name, Sees::Input, report).map(FailText::Jsonata);
    }
    if name == literal {
        warnings::no_path(fields, name, report);
        return Some(FailText::Literal(Arc::clone(text)));
    }
    if !text.starts_with("States.") {
        return fields.path(name, report).map(FailText::Path);
    }
    let function = text.split('(').next().unwrap_or_default();
    if !FAIL_FUNCTIONS.contains(&function) {
        report.schema(
            fields.at,
            format!("The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call"),
        );
        return None;
    }
    fields.intrinsic(name, report).map(FailText::Intrinsic)
}

/// `Next` or `End`.
pub(super) fn then<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>) -> Option<Then> {
    let end = fields.boolean("End", &mut p.report);
    match (fields.has("Next"), end) {
        (true, None | Some(false)) => block::target(p, fields, "Next").map(Then::Next),
        (true, Some(true)) => {
            fields.at_most_one(&["Next", "End"], &mut p.report);
            block::target(p, fields, "Next");
            p.scope.ends();
            None
        }
        (false, Some(true)) => {
            p.scope.ends();
            Some(Then::End)
        }
        (false, Some(false)) => {
            p.report.schema(fields.at, "These fields are required: [Next]");
            p.scope.unclear();
            None
        }
        (false, None) => {
            fields.exactly_one(&["Next", "End"], &mut p.report);
            p.scope.unclear();
            None
        }
    }
}

/// `InputPath`, `OutputPath`: a path or null.
fn select(fields: Fields, name: &str, report: &mut Report) -> Select {
    if fields.get(name).is_some_and(|json| json.is_null()) {
        return Select::Nothing;
    }
    match fields.path(name, report) {
        Some(path) if path.text() != "$" => Select::Path(path),
        Some(_) | None => Select::All,
    }
}

/// `ResultPath`: a path into the input, or null.
pub(super) fn result_path(fields: Fields, report: &mut Report) -> ResultPath {
    if fields.get("ResultPath").is_some_and(|json| json.is_null()) {
        return ResultPath::Discard;
    }
    let Some(path) = fields.reference_path("ResultPath", report) else {
        return ResultPath::Replace;
    };
    if !path.starts_at_input() {
        // The context object and variables cannot be written to.
        report.schema(fields.at, "The value for the field 'ResultPath' must be a valid Reference Path");
        return ResultPath::Replace;
    }
    if path.text() == "$" { ResultPath::Replace } else { ResultPath::At(path) }
}
