//! Functions of functions.

use std::cmp::Ordering;

use super::super::error::{Error, Outcome};
use super::super::eval::Run;
use super::super::value::{Builder, ObjectBuilder, Value, compare_texts};
use super::Given;
use super::lists::members;

/// Calls `function` with as many of the three as it looks at.
fn call(given: &Given<'_, '_>, function: &Value, value: Value, place: Value, all: &Value) -> Outcome<Value> {
    let mut arguments = vec![value];
    let arity = Run::arity(function);
    if arity >= 2 {
        arguments.push(place);
    }
    if arity >= 3 {
        arguments.push(all.clone());
    }
    given.run.call_back(function, arguments)
}

pub(super) fn map(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(array) = given.array(0) else { return Ok(Value::Undefined) };
    let mut results = Builder::new(given.budget())?;
    for (index, item) in array.iter().enumerate() {
        match call(given, given.value(1), item, Value::count(index), given.value(0))? {
            Value::Undefined => {}
            value => results.push(value)?,
        }
    }
    results.sequence()
}

pub(super) fn filter(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(array) = given.array(0) else { return Ok(Value::Undefined) };
    let mut results = Builder::new(given.budget())?;
    for (index, item) in array.iter().enumerate() {
        if call(given, given.value(1), item.clone(), Value::count(index), given.value(0))?.truth()? {
            results.push(item)?;
        }
    }
    results.sequence()
}

pub(super) fn single(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(array) = given.array(0) else { return Ok(Value::Undefined) };
    let mut found = None;
    for (index, item) in array.iter().enumerate() {
        let fits =
            !given.has(1) || call(given, given.value(1), item.clone(), Value::count(index), given.value(0))?.truth()?;
        if fits && found.replace(item).is_some() {
            return Err(Error::plain("D3138"));
        }
    }
    found.ok_or_else(|| Error::plain("D3139"))
}

pub(super) fn reduce(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(array) = given.array(0) else { return Ok(Value::Undefined) };
    let function = given.value(1);
    let arity = Run::arity(function);
    if arity < 2 {
        return Err(Error::plain("D3050"));
    }
    let mut items = array.iter().enumerate();
    let mut result = match given.value(2) {
        Value::Undefined => items.next().map_or(Value::Undefined, |(_, item)| item),
        first => first.clone(),
    };
    for (index, item) in items {
        let mut arguments = vec![result, item];
        if arity >= 3 {
            arguments.push(Value::count(index));
        }
        if arity >= 4 {
            arguments.push(given.value(0).clone());
        }
        result = given.run.call_back(function, arguments)?;
    }
    Ok(result)
}

pub(super) fn sift(given: &Given<'_, '_>) -> Outcome<Value> {
    let Value::Object(object) = given.value(0) else { return Ok(Value::Undefined) };
    let mut kept = ObjectBuilder::new(given.budget())?;
    for (key, value) in members(object) {
        if call(given, given.value(1), value.clone(), Value::shared(&key), given.value(0))?.truth()? {
            kept.insert(key, value)?;
        }
    }
    if kept.len() == 0 { Ok(Value::Undefined) } else { kept.value() }
}

pub(super) fn each(given: &Given<'_, '_>) -> Outcome<Value> {
    let mut results = Builder::new(given.budget())?;
    if let Value::Object(object) = given.value(0) {
        for (key, value) in members(object) {
            match call(given, given.value(1), value, Value::shared(&key), given.value(0))? {
                Value::Undefined => {}
                value => results.push(value)?,
            }
        }
    }
    results.sequence()
}

pub(super) fn sort(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(array) = given.array(0) else { return Ok(Value::Undefined) };
    if array.len() <= 1 || (array.is_range() && !given.has(1)) {
        return Ok(given.value(0).clone());
    }
    if !given.has(1) {
        let texts = array.iter().all(|item| item.as_text().is_some());
        let numbers = array.iter().all(|item| item.as_f64().is_some());
        if !texts && !numbers {
            return Err(Error::plain("D3070"));
        }
    }
    let _charge = given.budget().charge(2 * array.len() * size_of::<Value>())?;
    let sorted = merge_sort(given, array.iter().collect())?;
    let mut items = Builder::new(given.budget())?;
    sorted.into_iter().try_for_each(|item| items.push(item))?;
    items.value()
}

/// By merging, because the comparison may be any function, and may fail.
fn merge_sort(given: &Given<'_, '_>, mut items: Vec<Value>) -> Outcome<Vec<Value>> {
    if items.len() <= 1 {
        return Ok(items);
    }
    let right = items.split_off(items.len() / 2);
    let left = merge_sort(given, items)?;
    let right = merge_sort(given, right)?;
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
        given.budget().step(1)?;
        let swap = is_after(given, first, second)?;
        merged.extend(if swap { right.next() } else { left.next() });
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}

fn is_after(given: &Given<'_, '_>, first: &Value, second: &Value) -> Outcome<bool> {
    if given.has(1) {
        return given.run.call_back(given.value(1), vec![first.clone(), second.clone()])?.truth();
    }
    Ok(match (first, second) {
        (Value::Text(first), Value::Text(second)) => compare_texts(first, second) == Ordering::Greater,
        (first, second) => first.as_f64() > second.as_f64(),
    })
}

pub(super) fn eval(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    let input = if given.has(1) { given.value(1) } else { given.input };
    given.run.evaluate(text, input)
}
