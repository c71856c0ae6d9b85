//! Whether a filter's condition holds.
//!
//! Jayway's rules: a path that finds nothing is *undefined*, which equals nothing and is in no order;
//! a number and a text are equal when the one reads as the other.

use std::cmp::Ordering;

use base::{Json, Number};

use super::eval::Evaluation;
use super::syntax::{Filter, Operand, Operator, Pattern, Query};
use crate::{Failure, FailureKind};

impl Filter {
    pub(super) fn holds(&self, evaluation: &Evaluation<'_>, current: &Json, depth: usize) -> Result<bool, Failure> {
        match self {
            Filter::Or(parts) => {
                for part in parts {
                    if part.holds(evaluation, current, depth)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::And(parts) => {
                for part in parts {
                    if !part.holds(evaluation, current, depth)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Not(part) => Ok(!part.holds(evaluation, current, depth)?),
            Filter::Exists(query) => Ok(look(query, evaluation, current, depth)?.is_some()),
            Filter::Compare(left, operator, right) => {
                let left = left.value(evaluation, current, depth)?;
                let right = right.value(evaluation, current, depth)?;
                let (Some(left), Some(right)) = (left, right) else {
                    return Ok(matches!(operator, Operator::Unequal | Operator::NotIn));
                };
                evaluation.spend(cost(&left, *operator, &right))?;
                Ok(compare(&left, *operator, &right))
            }
            Filter::Matches(text, pattern) => {
                let Some(value) = text.value(evaluation, current, depth)? else { return Ok(false) };
                evaluation.spend(Pattern::cost(&value))?;
                Ok(pattern.matches(&value))
            }
        }
    }
}

impl Operand {
    fn value(&self, evaluation: &Evaluation<'_>, current: &Json, depth: usize) -> Result<Option<Json>, Failure> {
        match self {
            Operand::Value(value) => Ok(Some(value.clone())),
            Operand::Path(query) => look(query, evaluation, current, depth),
        }
    }
}

/// What a path in a filter finds. What is missing is undefined, not a failure.
fn look(query: &Query, evaluation: &Evaluation<'_>, current: &Json, depth: usize) -> Result<Option<Json>, Failure> {
    match evaluation.inner(query, current, depth + 1) {
        Ok(value) => Ok(Some(value)),
        Err(failure) => match failure.kind {
            FailureKind::Missing => Ok(None),
            FailureKind::Intrinsic | FailureKind::Other => Err(failure),
        },
    }
}

/// How many values a comparison looks at: a filter may compare all of a document for each of its values.
fn cost(left: &Json, operator: Operator, right: &Json) -> usize {
    match operator {
        Operator::Equal
        | Operator::Unequal
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Greater
        | Operator::GreaterOrEqual => equality_cost(left, right),
        Operator::In | Operator::NotIn => weight(right),
        Operator::Contains => weight(left),
        Operator::SubsetOf | Operator::AnyOf | Operator::NoneOf | Operator::All => {
            weight(left).saturating_mul(weight(right))
        }
        Operator::Size | Operator::Empty => weight(left),
    }
}

/// Values of different kinds differ at the first look.
fn equality_cost(left: &Json, right: &Json) -> usize {
    match (left, right) {
        (Json::Array(_), Json::Array(_)) | (Json::Object(_), Json::Object(_)) | (Json::String(_), _) => weight(left),
        (_, _) => 1,
    }
}

/// The values in a value; long texts count for many.
fn weight(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => 1,
        Json::String(text) => 1 + text.len() / 64,
        Json::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Json::Object(members) => 1 + members.values().map(weight).sum::<usize>(),
    }
}

fn compare(left: &Json, operator: Operator, right: &Json) -> bool {
    match operator {
        Operator::Equal => equal(left, right),
        Operator::Unequal => !equal(left, right),
        Operator::Less => order(left, right).is_some_and(Ordering::is_lt),
        Operator::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
        Operator::Greater => order(left, right).is_some_and(Ordering::is_gt),
        Operator::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
        Operator::In => has(right, left),
        Operator::NotIn => !has(right, left),
        Operator::SubsetOf => left.as_array().is_some_and(|items| items.iter().all(|item| has(right, item))),
        Operator::AnyOf => left.as_array().is_some_and(|items| items.iter().any(|item| has(right, item))),
        Operator::NoneOf => left.as_array().is_some_and(|items| !items.iter().any(|item| has(right, item))),
        Operator::All => right.as_array().is_some_and(|items| items.iter().all(|item| has(left, item))),
        Operator::Contains => match (left, right) {
            (Json::String(text), Json::String(part)) => text.contains(&**part),
            (_, _) => has(left, right),
        },
        Operator::Size => size(left).is_some_and(|size| right.as_i64() == Some(size as i64)),
        Operator::Empty => size(left).is_some_and(|size| right.as_bool() == Some(size == 0)),
    }
}

fn equal(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => order_numbers(left, right) == Some(Ordering::Equal),
        (Json::Number(left), Json::String(right)) => read_number(right) == left.as_f64(),
        (Json::String(left), Json::Number(right)) => **left == right.to_string(),
        (_, _) => left == right,
    }
}

fn order(left: &Json, right: &Json) -> Option<Ordering> {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => order_numbers(left, right),
        (Json::String(left), Json::String(right)) => Some(left.cmp(right)),
        (_, _) => None,
    }
}

/// Exact between integers.
fn order_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        (_, _) => match (left.as_u64(), right.as_u64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            (_, _) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
    }
}

/// A text that is a number; Rust would also read `inf` and `nan`.
fn read_number(text: &str) -> Option<f64> {
    let is_numeric = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    if is_numeric { text.parse().ok() } else { None }
}

fn has(list: &Json, value: &Json) -> bool {
    list.as_array().is_some_and(|items| items.iter().any(|item| equal(item, value)))
}

fn size(value: &Json) -> Option<usize> {
    match value {
        Json::String(text) => Some(text.encode_utf16().count()),
        Json::Array(items) => Some(items.len()),
        Json::Object(members) => Some(members.len()),
        Json::Null | Json::Bool(_) | Json::Number(_) => None,
    }
}

impl Pattern {
    /// A text, or any text of an array.
    fn matches(&self, value: &Json) -> bool {
        match value {
            Json::String(text) => self.0.is_match(text),
            Json::Array(items) => items.iter().any(|item| item.as_str().is_some_and(|text| self.0.is_match(text))),
            Json::Number(number) => self.0.is_match(&number.to_string()),
            Json::Null | Json::Bool(_) | Json::Object(_) => false,
        }
    }

    /// Each character may meet every part of the pattern; how many there are, its size's limit decides.
    fn cost(value: &Json) -> usize {
        let chars = match value {
            Json::String(text) => text.len(),
            Json::Array(items) => items.iter().filter_map(Json::as_str).map(str::len).sum(),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => 1,
        };
        1 + 4 * chars
    }
}
