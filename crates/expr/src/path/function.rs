//! Functions at the end of a path: `$.prices.sum()`.
//!
//! A new one is one line in [`FUNCTIONS`] and the function it names.

use std::ops::RangeInclusive;

use base::Json;

use crate::{Failure, FailureKind};

type Given = Result<Json, Failure>;

pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) arguments: RangeInclusive<usize>,
    /// Whether it counts items.
    pub(super) counts: bool,
    /// From what the path found and the arguments to the result.
    pub(super) run: fn(&Json, &[Json]) -> Given,
}

const ANY: RangeInclusive<usize> = 0..=usize::MAX;

#[rustfmt::skip]
const FUNCTIONS: &[Function] = &[
    Function { name: "length", arguments: 0..=0, counts: true,  run: length },
    Function { name: "size",   arguments: 0..=0, counts: true,  run: length },
    Function { name: "min",    arguments: ANY,   counts: false, run: |of, with| aggregate(of, with, |n| n.into_iter().fold(f64::INFINITY, f64::min)) },
    Function { name: "max",    arguments: ANY,   counts: false, run: |of, with| aggregate(of, with, |n| n.into_iter().fold(f64::NEG_INFINITY, f64::max)) },
    Function { name: "avg",    arguments: ANY,   counts: false, run: |of, with| aggregate(of, with, |n| n.iter().sum::<f64>() / n.len() as f64) },
    Function { name: "sum",    arguments: ANY,   counts: false, run: |of, with| aggregate(of, with, |n| n.iter().sum()) },
    Function { name: "stddev", arguments: ANY,   counts: false, run: |of, with| aggregate(of, with, deviation) },
    Function { name: "keys",   arguments: 0..=0, counts: false, run: keys },
    Function { name: "first",  arguments: 0..=0, counts: false, run: |of, _| at(of, 0) },
    Function { name: "last",   arguments: 0..=0, counts: false, run: |of, _| at(of, -1) },
    Function { name: "index",  arguments: 1..=1, counts: false, run: index },
    Function { name: "concat", arguments: ANY,   counts: false, run: concat },
    Function { name: "append", arguments: ANY,   counts: false, run: append },
];

pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Of an array or an object; anything else has none.
fn length(of: &Json, _: &[Json]) -> Given {
    let length = match of {
        Json::Array(items) => items.len(),
        Json::Object(members) => members.len(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => return Ok(Json::Null),
    };
    Ok(Json::from(length as u64))
}

/// Over the numbers in the array and the numbers among the arguments; at least one.
fn aggregate(of: &Json, with: &[Json], sum_up: fn(Vec<f64>) -> f64) -> Given {
    let items = of.as_array().unwrap_or_default();
    let given = with.iter().flat_map(|argument| argument.as_array().unwrap_or(std::slice::from_ref(argument)));
    let numbers: Vec<f64> = items.iter().chain(given).filter_map(Json::as_f64).collect();
    if numbers.is_empty() {
        return Err(failure("Aggregation function attempted to calculate value using empty array"));
    }
    Ok(Json::from(sum_up(numbers)))
}

/// Of the whole population.
fn deviation(numbers: Vec<f64>) -> f64 {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let squares: f64 = numbers.iter().map(|number| number * number).sum();
    (squares / count - mean * mean).max(0.0).sqrt()
}

fn keys(of: &Json, _: &[Json]) -> Given {
    match of {
        Json::Object(members) => Ok(Json::array(members.keys().map(|key| Json::String(key.clone())))),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => Ok(Json::Null),
    }
}

fn index(of: &Json, with: &[Json]) -> Given {
    match with.first().and_then(Json::as_i64) {
        Some(index) => at(of, index),
        None => Err(failure("The argument of 'index()' must be an integer")),
    }
}

fn at(of: &Json, index: i64) -> Given {
    let Some(items) = of.as_array().filter(|items| !items.is_empty()) else {
        return Err(failure("Aggregation function attempted to calculate value using empty array"));
    };
    let count = items.len();
    super::eval::item(items, index)
        .cloned()
        .ok_or_else(|| failure(&format!("Target index:{index} larger than object count:{count}")))
}

/// The texts in the array, then the texts among the arguments, in one.
fn concat(of: &Json, with: &[Json]) -> Given {
    let items = of.as_array().unwrap_or_default();
    Ok(Json::from(items.iter().chain(with).filter_map(Json::as_str).collect::<String>()))
}

fn append(of: &Json, with: &[Json]) -> Given {
    match of {
        Json::Array(items) => Ok(Json::array(items.iter().chain(with).cloned())),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => Ok(of.clone()),
    }
}

fn failure(message: &str) -> Failure {
    Failure { kind: FailureKind::Other, message: message.to_owned() }
}
