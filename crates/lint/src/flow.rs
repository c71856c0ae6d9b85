//! How data flows from state to state, and which paths read what nobody writes.
//!
//! Each block is gone through until nothing new is learned: what a state may get is what any state before it may
//! give. Only JSONPath states are looked into; what JSONata makes is not known, where it is not a constant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asl::{
    BlockId, Body, CatchOutput, Choice, Concurrency, Flow, Items, Jsonata, Machine, Operand, Payload, ResultPath,
    Seconds, Select, Test, Then, Until, When,
};
use base::Json;
use expr::{Path, ReferencePath, Template};

use crate::finding::{Doubt, Finding};
use crate::handlers::dead_catchers;
use crate::place::Place;
use crate::shape::Shape;

pub(crate) fn doubts(machine: &Machine, places: &[Place]) -> Vec<Finding> {
    let mut findings = vec![];
    let mut known = BTreeMap::from([(Machine::ROOT, Shape::Open)]);
    // A block's places come before those of the blocks inside it.
    let mut blocks: BTreeMap<BlockId, BTreeMap<&Arc<str>, &Place>> = BTreeMap::new();
    for place in places {
        blocks.entry(place.block).or_default().insert(&place.state.name, place);
    }
    for (block, states) in blocks {
        let input = known.get(&block).cloned().unwrap_or(Shape::Open);
        let inputs = settle(machine, block, &states, input);
        for (name, place) in &states {
            let Some(input) = inputs.get(*name) else {
                findings.push(Finding { at: place.at.clone(), doubt: Doubt::Unreachable });
                continue;
            };
            findings.extend(unwritten(place, input));
            known.extend(given_to_blocks(place, input));
        }
    }
    findings
}

/// What each state of a block may get; a state that nothing leads to is not there.
fn settle(
    machine: &Machine,
    block: BlockId,
    states: &BTreeMap<&Arc<str>, &Place>,
    input: Shape,
) -> BTreeMap<Arc<str>, Shape> {
    let start = machine.block(block).start_at.clone();
    let mut inputs = BTreeMap::from([(start.clone(), input)]);
    let mut agenda = BTreeSet::from([start]);
    while let Some(name) = agenda.pop_first() {
        let place = states[&name];
        let given = inputs[&name].clone();
        for (next, shape) in leads_to(place, &given) {
            let joined = inputs.get(&next).map_or_else(|| shape.clone(), |before| before.join(&shape));
            if inputs.get(&next) != Some(&joined) {
                inputs.insert(next.clone(), joined);
                agenda.insert(next);
            }
        }
    }
    inputs
}

/// Where a state leads, and with what.
fn leads_to(place: &Place, raw: &Shape) -> Vec<(Arc<str>, Shape)> {
    let state = place.state;
    let output = output(place, raw);
    let mut ways = match &state.body {
        Body::Pass(pass) => then(&pass.then, &output),
        Body::Task(task) => then(&task.then, &output),
        Body::Wait(wait) => then(&wait.then, &output),
        Body::Parallel(parallel) => then(&parallel.then, &output),
        Body::Map(map) => then(&map.then, &output),
        Body::Choice(choice) => choice_ways(choice, &output),
        Body::Succeed | Body::Fail(_) => vec![],
    };
    let dead = dead_catchers(place);
    let alive = state.catchers().iter().enumerate().filter(|(index, _)| !dead.contains(index));
    ways.extend(alive.map(|(_, catcher)| {
        let caught = match &catcher.output {
            CatchOutput::ResultPath(path) => placed(path, raw, error_output()),
            CatchOutput::Output(value) => of_jsonata(value),
        };
        (catcher.next.clone(), caught)
    }));
    ways
}

fn error_output() -> Shape {
    Shape::nothing().with(&[&"Error".into()], Shape::nothing()).with(&[&"Cause".into()], Shape::nothing())
}

fn then(then: &Then, output: &Shape) -> Vec<(Arc<str>, Shape)> {
    match then {
        Then::Next(next) => vec![(next.clone(), output.clone())],
        Then::End => vec![],
    }
}

fn choice_ways(choice: &Choice, output: &Shape) -> Vec<(Arc<str>, Shape)> {
    let rules = choice.rules.iter().map(|rule| {
        let given = match &rule.when {
            When::Condition { output: Some(value), .. } => of_jsonata(value),
            When::Condition { output: None, .. } | When::Test(_) => output.clone(),
        };
        (rule.next.clone(), given)
    });
    rules.chain(choice.default.iter().map(|next| (next.clone(), output.clone()))).collect()
}

/// What a state gives.
fn output(place: &Place, raw: &Shape) -> Shape {
    let (selector, path, result) = match (&place.state.flow, &place.state.body) {
        (Flow::Jsonata { output: Some(value) }, _) => return of_jsonata(value),
        (Flow::Jsonata { output: None }, Body::Task(_) | Body::Parallel(_) | Body::Map(_)) => return Shape::Open,
        (Flow::Jsonata { output: None }, _) => return raw.clone(),
        (Flow::JsonPath { input, .. }, body) => {
            let input = selected(input, raw);
            match body {
                Body::Pass(pass) => {
                    let result = match (&pass.result, &pass.parameters) {
                        (Some(result), _) => Shape::of(result),
                        (None, Some(template)) => of_template(template, &input),
                        (None, None) => input,
                    };
                    (None, &pass.result_path, result)
                }
                Body::Task(task) => (task.result_selector.as_ref(), &task.result_path, Shape::Open),
                Body::Parallel(parallel) => (parallel.result_selector.as_ref(), &parallel.result_path, Shape::Open),
                Body::Map(map) => (map.result_selector.as_ref(), &map.result_path, Shape::Open),
                Body::Choice(_) | Body::Wait(_) | Body::Succeed | Body::Fail(_) => (None, &ResultPath::Replace, input),
            }
        }
    };
    let result = selector.map_or(result.clone(), |template| of_template(template, &result));
    let placed = placed(path, raw, result);
    match &place.state.flow {
        Flow::JsonPath { output, .. } => selected(output, &placed),
        Flow::Jsonata { .. } => placed,
    }
}

fn placed(path: &ResultPath, raw: &Shape, result: Shape) -> Shape {
    match path {
        ResultPath::Replace => result,
        ResultPath::Discard => raw.clone(),
        ResultPath::At(path) => match whole_names(path.path()) {
            Some(names) => raw.with(&names, result),
            None => Shape::Open,
        },
    }
}

fn selected(select: &Select, from: &Shape) -> Shape {
    match select {
        Select::All => from.clone(),
        Select::Nothing => Shape::nothing(),
        Select::Path(path) => found(path, from),
    }
}

/// What is known of what a path finds.
fn found(path: &Path, from: &Shape) -> Shape {
    whole_names(path).and_then(|names| from.at(&names).cloned()).unwrap_or(Shape::Open)
}

/// The names of a path that starts at the input and has nothing but names.
fn whole_names(path: &Path) -> Option<Vec<&Arc<str>>> {
    let (at_input, names) = path.leading_names();
    let written: String = std::iter::once("$".to_owned()).chain(names.iter().map(|name| format!(".{name}"))).collect();
    (at_input && (written == path.text() || path.text() == "$")).then_some(names)
}

fn of_template(template: &Template, input: &Shape) -> Shape {
    of_source(template.source(), input)
}

fn of_source(source: &Json, input: &Shape) -> Shape {
    let Some(members) = source.as_object() else { return Shape::of(source) };
    let shapes = members.iter().map(|(key, value)| match key.strip_suffix(".$") {
        Some(name) => {
            let path = value.as_str().and_then(|text| Path::parse(text).ok());
            (Arc::from(name), path.map_or(Shape::Open, |path| found(&path, input)))
        }
        None => (key.clone(), of_source(value, input)),
    });
    Shape::Closed(shapes.collect())
}

fn of_jsonata(value: &Jsonata) -> Shape {
    jsonata_source(value.source())
}

fn jsonata_source(source: &Json) -> Shape {
    match source {
        Json::Object(members) => {
            Shape::Closed(members.iter().map(|(key, value)| (key.clone(), jsonata_source(value))).collect())
        }
        Json::String(text) if text.starts_with("{%") => Shape::Open,
        other => Shape::of(other),
    }
}

/// What the blocks inside a state get.
fn given_to_blocks(place: &Place, raw: &Shape) -> Vec<(BlockId, Shape)> {
    let input = effective(place, raw);
    match &place.state.body {
        Body::Parallel(parallel) => {
            let given = match &parallel.parameters {
                Some(Payload::JsonPath(template)) => of_template(template, &input),
                Some(Payload::Jsonata(value)) => of_jsonata(value),
                None => input,
            };
            parallel.branches.iter().map(|block| (*block, given.clone())).collect()
        }
        Body::Map(map) => {
            let given = match &map.item_selector {
                Some(Payload::JsonPath(template)) => of_template(template, &input),
                Some(Payload::Jsonata(value)) => of_jsonata(value),
                None => Shape::Open,
            };
            let batched = matches!(&map.mode, asl::MapMode::Distributed(it) if it.batcher.is_some());
            vec![(map.processor, if batched { Shape::Open } else { given })]
        }
        Body::Pass(_) | Body::Task(_) | Body::Choice(_) | Body::Wait(_) | Body::Succeed | Body::Fail(_) => vec![],
    }
}

fn effective(place: &Place, raw: &Shape) -> Shape {
    match &place.state.flow {
        Flow::JsonPath { input, .. } => selected(input, raw),
        Flow::Jsonata { .. } => raw.clone(),
    }
}

/// The paths of a state that read what nothing writes.
fn unwritten(place: &Place, raw: &Shape) -> Vec<Finding> {
    let Flow::JsonPath { input, .. } = &place.state.flow else { return vec![] };
    let mut reads: Vec<(String, &Path, Shape)> = vec![];
    if let Select::Path(path) = input {
        reads.push(("InputPath".to_owned(), path, raw.clone()));
    }
    let effective = selected(input, raw);
    reads.extend(reads_of(&place.state.body).into_iter().map(|(field, path)| (field, path, effective.clone())));
    let mut seen = BTreeSet::new();
    reads
        .into_iter()
        .filter(|(_, path, shape)| !may_find(path, shape))
        .filter(|(field, path, _)| seen.insert((field.clone(), path.text().to_owned())))
        .map(|(field, path, _)| Finding {
            at: format!("{}/{field}", place.at),
            doubt: Doubt::NeverWritten { path: path.text().into() },
        })
        .collect()
}

fn may_find(path: &Path, shape: &Shape) -> bool {
    let (at_input, names) = path.leading_names();
    !at_input || shape.at(&names).is_some()
}

/// The paths that a state reads its effective input with, each with its field.
fn reads_of(body: &Body) -> Vec<(String, &Path)> {
    match body {
        Body::Pass(pass) if pass.result.is_none() => of_payload("Parameters", pass.parameters.as_ref()),
        Body::Task(task) => {
            let parameters = match &task.parameters {
                Some(Payload::JsonPath(template)) => Some(template),
                Some(Payload::Jsonata(_)) | None => None,
            };
            let mut reads = of_payload("Parameters", parameters);
            reads.extend(task.timeout.iter().filter_map(|it| seconds("TimeoutSecondsPath", it)));
            reads.extend(task.heartbeat.iter().filter_map(|it| seconds("HeartbeatSecondsPath", it)));
            reads
        }
        Body::Choice(choice) => choice_reads(choice),
        Body::Wait(wait) => match &wait.until {
            Until::SecondsPath(path) => vec![("SecondsPath".to_owned(), path)],
            Until::TimestampPath(path) => vec![("TimestampPath".to_owned(), path)],
            _ => vec![],
        },
        Body::Parallel(parallel) => match &parallel.parameters {
            Some(Payload::JsonPath(template)) => of_payload("Parameters", Some(template)),
            Some(Payload::Jsonata(_)) | None => vec![],
        },
        Body::Map(map) => {
            let mut reads = match &map.items {
                Items::JsonPath(Some(path)) => vec![("ItemsPath".to_owned(), path.path())],
                Items::JsonPath(None) | Items::Jsonata(_) => vec![],
            };
            if let Some(Payload::JsonPath(template)) = &map.item_selector {
                reads.extend(of_payload("ItemSelector", Some(template)));
            }
            if let Concurrency::Path(path) = &map.concurrency {
                reads.push(("MaxConcurrencyPath".to_owned(), path.path()));
            }
            reads
        }
        Body::Pass(_) | Body::Succeed | Body::Fail(_) => vec![],
    }
}

fn seconds<'a>(field: &str, seconds: &'a Seconds) -> Option<(String, &'a Path)> {
    match seconds {
        Seconds::Path(path) => Some((field.to_owned(), ReferencePath::path(path))),
        _ => None,
    }
}

fn of_payload<'a>(field: &str, template: Option<&'a Template>) -> Vec<(String, &'a Path)> {
    let expressions = template.map(Template::expressions).unwrap_or_default();
    expressions.into_iter().flat_map(|expression| expression.paths()).map(|path| (field.to_owned(), path)).collect()
}

/// A Choice that asks whether something is there may look at what is not.
fn choice_reads(choice: &Choice) -> Vec<(String, &Path)> {
    let (mut reads, mut asked) = (vec![], vec![]);
    for (index, rule) in choice.rules.iter().enumerate() {
        if let When::Test(test) = &rule.when {
            test_reads(&format!("Choices[{index}]"), test, &mut reads, &mut asked);
        }
    }
    reads.retain(|(_, path)| !asked.iter().any(|asked| path.text().starts_with(asked)));
    reads
}

fn test_reads<'a>(field: &str, test: &'a Test, reads: &mut Vec<(String, &'a Path)>, asked: &mut Vec<&'a str>) {
    match test {
        Test::And(tests) | Test::Or(tests) => tests.iter().for_each(|test| test_reads(field, test, reads, asked)),
        Test::Not(test) => test_reads(field, test, reads, asked),
        Test::IsPresent { variable, .. } => asked.push(variable.text()),
        Test::Is { variable, .. } | Test::Matches { variable, .. } => reads.push((field.to_owned(), variable)),
        Test::Compare { variable, with, .. } => {
            reads.push((field.to_owned(), variable));
            if let Operand::Path(path) = with {
                reads.push((field.to_owned(), path));
            }
        }
    }
}
