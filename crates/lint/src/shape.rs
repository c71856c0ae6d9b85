//! What is known of a value before anything has run.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Json;

/// What a value may have. Joined where several ways meet, it only grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Anything.
    Open,
    /// An object with no other members than these, or a value that has none.
    Closed(BTreeMap<Arc<str>, Shape>),
}

/// Deeper than this nothing is known: what a loop builds up has to end.
const DEPTH_MAX: usize = 8;

impl Shape {
    pub(crate) fn nothing() -> Shape {
        Shape::Closed(BTreeMap::new())
    }

    /// Of a value that is written in the definition.
    pub(crate) fn of(json: &Json) -> Shape {
        match json {
            Json::Object(members) => {
                Shape::Closed(members.iter().map(|(key, value)| (key.clone(), Shape::of(value))).collect())
            }
            // A path may look into an array in many ways.
            Json::Array(_) => Shape::Open,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Shape::nothing(),
        }
    }

    /// What is known of the value at this place; none if there can be none.
    pub(crate) fn at(&self, names: &[&Arc<str>]) -> Option<&Shape> {
        match (self, names.split_first()) {
            (shape, None) => Some(shape),
            (Shape::Open, Some(_)) => Some(&Shape::Open),
            (Shape::Closed(members), Some((name, rest))) => members.get(*name)?.at(rest),
        }
    }

    /// The same with `value` at this place.
    pub(crate) fn with(&self, names: &[&Arc<str>], value: Shape) -> Shape {
        match (self, names.split_first()) {
            (_, None) => value,
            (Shape::Open, Some(_)) => Shape::Open,
            (Shape::Closed(members), Some((name, rest))) => {
                let mut members = members.clone();
                let inner = members.get(*name).cloned().unwrap_or_else(Shape::nothing).with(rest, value);
                members.insert((*name).clone(), inner);
                Shape::Closed(members)
            }
        }
    }

    /// What either may have.
    pub(crate) fn join(&self, other: &Shape) -> Shape {
        self.join_within(other, DEPTH_MAX)
    }

    fn join_within(&self, other: &Shape, depth: usize) -> Shape {
        let (Shape::Closed(these), Shape::Closed(those)) = (self, other) else { return Shape::Open };
        if depth == 0 {
            return Shape::Open;
        }
        let mut members = these.clone();
        for (key, value) in those {
            let joined = members.get(key).map_or_else(|| value.clone(), |known| known.join_within(value, depth - 1));
            members.insert(key.clone(), joined);
        }
        Shape::Closed(members)
    }
}
