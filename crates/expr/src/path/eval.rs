//! From path to value.
//!
//! The way of names and single indexes is walked by reference; everything else collects into an array.

use std::cell::Cell;
use std::sync::Arc;

use base::{Json, Object};

use super::syntax::{Call, Operand, Query, Root, Slice, Step};
use crate::java::{Java, class_name};
use crate::limits::{PATH_DEPTH_MAX, PATH_VISITS_MAX};
use crate::{Failure, FailureKind, Scope};

/// One evaluation of one path.
pub(super) struct Evaluation<'a> {
    scope: &'a dyn Scope,
    /// What `$` means in filters: the document that is searched.
    document: &'a Json,
    visits: Cell<usize>,
}

pub(super) fn eval(query: &Query, scope: &dyn Scope) -> Result<Json, Failure> {
    let document = match &query.root {
        Root::Document | Root::Current => scope.input(),
        Root::Context => scope.context(),
        Root::Variable(name) => variable(scope, name)?,
    };
    if document.is_null() && query.root == Root::Document && !query.steps.is_empty() {
        return Err(missing("Unable to apply Path transformation to null or empty input.".to_owned()));
    }
    Evaluation { scope, document, visits: Cell::new(0) }.query(query, document, 0)
}

fn variable<'a>(scope: &'a dyn Scope, name: &str) -> Result<&'a Json, Failure> {
    scope.variable(name).ok_or_else(|| missing(format!("The variable '${name}' has no value")))
}

impl Evaluation<'_> {
    /// A path in a filter or in a function's arguments, where `@` is `current`.
    pub(super) fn inner(&self, query: &Query, current: &Json, depth: usize) -> Result<Json, Failure> {
        match &query.root {
            Root::Current => self.query(query, current, depth),
            Root::Document => self.query(query, self.document, depth),
            Root::Context => self.query(query, self.scope.context(), depth),
            Root::Variable(name) => self.query(query, variable(self.scope, name)?, depth),
        }
    }

    fn query(&self, query: &Query, from: &Json, depth: usize) -> Result<Json, Failure> {
        let found = if query.is_single() { self.single(query, from)? } else { self.several(query, from, depth)? };
        match &query.call {
            None => Ok(found),
            Some(call) => self.call(call, &found, from, depth),
        }
    }

    fn single(&self, query: &Query, from: &Json) -> Result<Json, Failure> {
        match query.steps.split_last() {
            Some((Step::Names(names), way)) => {
                let parent = walk(query, way, from)?;
                match parent {
                    Json::Object(members) => Ok(pick(members, names)),
                    _ => Err(not_an_object(&query.steps, way.len(), parent)),
                }
            }
            _ => Ok(walk(query, &query.steps, from)?.clone()),
        }
    }

    fn several(&self, query: &Query, from: &Json, depth: usize) -> Result<Json, Failure> {
        let way = query.steps.iter().take_while(|step| step.is_single()).count();
        let mut found = Vec::new();
        // AWS gives an empty array where a path that may find many finds no way to its first fork.
        if let Ok(fork) = walk(query, &query.steps[..way], from) {
            refuse_filter_of_scalar(&query.steps[way], fork)?;
            self.collect(&query.steps[way..], fork, depth, &mut found)?;
        }
        Ok(Json::array(found))
    }

    fn call(&self, call: &Call, found: &Json, current: &Json, depth: usize) -> Result<Json, Failure> {
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in &call.arguments {
            arguments.push(match argument {
                Operand::Value(value) => value.clone(),
                Operand::Path(query) => self.inner(query, current, depth + 1)?,
            });
        }
        self.spend(arguments.iter().chain([found]).map(len).sum())?;
        (call.function.run)(found, &arguments)
    }

    fn collect(&self, steps: &[Step], node: &Json, depth: usize, found: &mut Vec<Json>) -> Result<(), Failure> {
        self.visit(depth)?;
        let Some((step, rest)) = steps.split_first() else {
            found.push(node.clone());
            return Ok(());
        };
        match (step, node) {
            (Step::Name(name), Json::Object(members)) => self.collect_all(rest, members.get(name), depth, found),
            (Step::Names(names), Json::Object(members)) if rest.is_empty() => {
                found.push(pick(members, names));
                Ok(())
            }
            (Step::Names(names), Json::Object(members)) => {
                self.collect_all(rest, names.iter().filter_map(|name| members.get(name)), depth, found)
            }
            (Step::Index(index), Json::Array(items)) => self.collect_all(rest, item(items, *index), depth, found),
            (Step::Indexes(indexes), Json::Array(items)) => {
                self.collect_all(rest, indexes.iter().filter_map(|index| item(items, *index)), depth, found)
            }
            (Step::Slice(slice), Json::Array(items)) => {
                self.collect_all(rest, slice.indexes(items.len()).filter_map(|index| item(items, index)), depth, found)
            }
            (Step::Each, _) => self.collect_all(rest, children(node), depth, found),
            (Step::Descend, _) => self.descend(rest, node, depth, found),
            (Step::Filter(filter), Json::Array(items)) => {
                for item in items.iter() {
                    if filter.holds(self, item, depth)? {
                        self.collect(rest, item, depth + 1, found)?;
                    }
                }
                Ok(())
            }
            (Step::Filter(filter), Json::Object(_)) => {
                if filter.holds(self, node, depth)? {
                    self.collect(rest, node, depth + 1, found)?;
                }
                Ok(())
            }
            // Past the first fork whatever does not fit is passed over.
            (
                Step::Name(_) | Step::Names(_) | Step::Index(_) | Step::Indexes(_) | Step::Slice(_) | Step::Filter(_),
                Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_),
            ) => Ok(()),
        }
    }

    fn collect_all<'j>(
        &self,
        steps: &[Step],
        nodes: impl IntoIterator<Item = &'j Json>,
        depth: usize,
        found: &mut Vec<Json>,
    ) -> Result<(), Failure> {
        nodes.into_iter().try_for_each(|node| self.collect(steps, node, depth + 1, found))
    }

    /// Every object and array from `node` down, each before what is in it.
    fn descend(&self, steps: &[Step], node: &Json, depth: usize, found: &mut Vec<Json>) -> Result<(), Failure> {
        match (steps.first(), node) {
            (_, Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) => return Ok(()),
            // Its items are asked when their turn comes; asking here too would find them twice.
            (Some(Step::Filter(_)), Json::Array(_)) => {}
            (_, Json::Array(_) | Json::Object(_)) => self.collect(steps, node, depth + 1, found)?,
        }
        children(node).try_for_each(|child| {
            self.visit(depth)?;
            self.descend(steps, child, depth + 1, found)
        })
    }

    fn visit(&self, depth: usize) -> Result<(), Failure> {
        if depth > PATH_DEPTH_MAX {
            return Err(other(format!("The path goes more than {PATH_DEPTH_MAX} levels deep")));
        }
        self.spend(1)
    }

    /// Books work that is about as much as looking at so many values.
    pub(super) fn spend(&self, values: usize) -> Result<(), Failure> {
        self.visits.set(self.visits.get().saturating_add(values));
        if self.visits.get() > PATH_VISITS_MAX {
            return Err(other(format!("The path looks at more than {PATH_VISITS_MAX} values")));
        }
        Ok(())
    }
}

fn len(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 1,
        Json::Array(items) => items.len(),
        Json::Object(members) => members.len(),
    }
}

/// The item at `index`, which counts from the end when it is negative.
pub(super) fn item(items: &[Json], index: i64) -> Option<&Json> {
    let index = if index < 0 { index + items.len() as i64 } else { index };
    items.get(usize::try_from(index).ok()?)
}

fn children(node: &Json) -> Box<dyn Iterator<Item = &Json> + '_> {
    match node {
        Json::Array(items) => Box::new(items.iter()),
        Json::Object(members) => Box::new(members.values()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Box::new(std::iter::empty()),
    }
}

fn pick(members: &Object, names: &[Arc<str>]) -> Json {
    Json::object(names.iter().filter_map(|name| Some((name.clone(), members.get(name)?.clone()))))
}

impl Slice {
    /// Jayway's arithmetic: of a slice with both ends only the end is cut to the array, and negative
    /// indexes are then counted from the array's end one by one.
    fn indexes(self, len: usize) -> std::ops::Range<i64> {
        let len = len as i64;
        match self {
            Slice::From(from) if from < 0 => (len + from).max(0)..len,
            Slice::From(from) => from..len,
            Slice::To(to) if to < 0 => 0..len + to,
            Slice::To(to) => 0..to.min(len),
            // Nothing before the first item can be there, so a hostile start costs nothing.
            Slice::Between(from, to) => from.max(-len)..to.min(len),
        }
    }
}

/// Follows names and single indexes. The failure speaks of the whole `query`, as Jayway does.
fn walk<'j>(query: &Query, way: &[Step], from: &'j Json) -> Result<&'j Json, Failure> {
    let mut node = from;
    for (at, step) in way.iter().enumerate() {
        node = match (step, node) {
            (Step::Name(name), Json::Object(members)) => members.get(name).ok_or_else(|| no_member(query, at))?,
            (Step::Index(index), Json::Array(items)) => item(items, *index).ok_or_else(|| no_results(query))?,
            (Step::Index(_), Json::Null) => {
                return Err(missing(format!("The path {} is null", Jayway(&query.steps[..at]))));
            }
            (Step::Index(index), _) => {
                let java = Java(node);
                return Err(missing(format!(
                    "Filter: [{index}] can only be applied to arrays. Current context is: {java}"
                )));
            }
            (_, _) => return Err(not_an_object(&query.steps, at, node)),
        };
    }
    Ok(node)
}

fn no_member(query: &Query, at: usize) -> Failure {
    let is_leaf = at + 1 == query.steps.len() && query.call.is_none();
    if is_leaf {
        no_results(query)
    } else {
        missing(format!("Missing property in path {}", Jayway(&query.steps[..=at])))
    }
}

fn no_results(query: &Query) -> Failure {
    missing(format!("No results for path: {}", Jayway(&query.steps)))
}

fn not_an_object(steps: &[Step], at: usize, node: &Json) -> Failure {
    missing(format!(
        "Expected to find an object with property {} in path {} but found '{}'. This is not a json object \
         according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JsonSmartJsonProvider'.",
        Fragment(&steps[at]),
        Jayway(&steps[..at]),
        class_name(node),
    ))
}

fn refuse_filter_of_scalar(step: &Step, node: &Json) -> Result<(), Failure> {
    match (step, node) {
        (Step::Filter(_), Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) => {
            let java = Java(node);
            Err(other(format!("Filter: [?] can not be applied to primitives. Current context is: {java}")))
        }
        (_, _) => Ok(()),
    }
}

/// Steps as Jayway writes them out: `$['a'][0]`.
struct Jayway<'a>(&'a [Step]);

impl std::fmt::Display for Jayway<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("$")?;
        self.0.iter().try_for_each(|step| Fragment(step).fmt(f))
    }
}

struct Fragment<'a>(&'a Step);

impl std::fmt::Display for Fragment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Step::Name(name) => write!(f, "['{name}']"),
            Step::Names(names) => write!(f, "['{}']", names.join("','")),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Indexes(indexes) => {
                let indexes: Vec<String> = indexes.iter().map(i64::to_string).collect();
                write!(f, "[{}]", indexes.join(","))
            }
            Step::Slice(Slice::From(from)) => write!(f, "[{from}:]"),
            Step::Slice(Slice::To(to)) => write!(f, "[:{to}]"),
            Step::Slice(Slice::Between(from, to)) => write!(f, "[{from}:{to}]"),
            Step::Each => f.write_str("[*]"),
            Step::Descend => f.write_str(".."),
            Step::Filter(_) => f.write_str("[?]"),
        }
    }
}

fn missing(message: String) -> Failure {
    Failure { kind: FailureKind::Missing, message }
}

fn other(message: String) -> Failure {
    Failure { kind: FailureKind::Other, message }
}
