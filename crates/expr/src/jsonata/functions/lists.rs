//! Functions of arrays, objects and values of any kind.

use std::sync::Arc;

use super::super::error::{Error, Outcome};
use super::super::value::{self, Array, Builder, Object, ObjectBuilder, Type, Value, equal};
use super::Given;

pub(super) fn count(given: &Given<'_, '_>) -> Outcome<Value> {
    Ok(Value::count(given.array(0).map_or(0, Array::len)))
}

pub(super) fn boolean(given: &Given<'_, '_>) -> Outcome<Value> {
    match given.value(0) {
        Value::Undefined => Ok(Value::Undefined),
        value => value.truth().map(Value::Bool),
    }
}

pub(super) fn not(given: &Given<'_, '_>) -> Outcome<Value> {
    match given.value(0) {
        Value::Undefined => Ok(Value::Undefined),
        value => value.truth().map(|truth| Value::Bool(!truth)),
    }
}

pub(super) fn exists(given: &Given<'_, '_>) -> Outcome<Value> {
    Ok(Value::Bool(given.has(0)))
}

pub(super) fn kind(given: &Given<'_, '_>) -> Outcome<Value> {
    let name = match given.value(0).kind() {
        Type::Undefined => return Ok(Value::Undefined),
        Type::Null => "null",
        Type::Bool => "boolean",
        Type::Number => "number",
        Type::Text => "string",
        Type::Array => "array",
        Type::Object => "object",
        Type::Function => "function",
    };
    given.make(name.to_owned())
}

pub(super) fn zip(given: &Given<'_, '_>) -> Outcome<Value> {
    let len = given.values.iter().map(|value| match value {
        Value::Array(array) => array.len(),
        _ => 0,
    });
    let len = len.min().unwrap_or(0);
    let mut rows = Builder::new(given.budget())?;
    for index in 0..len {
        given.budget().step(given.values.len())?;
        let mut row = Builder::new(given.budget())?;
        for value in given.values {
            if let Value::Array(array) = value {
                row.push(array.get(index).unwrap_or(Value::Undefined))?;
            }
        }
        rows.push(row.value()?)?;
    }
    rows.value()
}

pub(super) fn keys(given: &Given<'_, '_>) -> Outcome<Value> {
    let mut found: indexmap::IndexSet<Arc<str>> = indexmap::IndexSet::new();
    collect_keys(given, given.value(0), &mut found)?;
    let mut keys = Builder::new(given.budget())?;
    found.iter().try_for_each(|key| keys.push(Value::shared(key)))?;
    keys.sequence()
}

fn collect_keys(given: &Given<'_, '_>, value: &Value, found: &mut indexmap::IndexSet<Arc<str>>) -> Outcome<()> {
    match value {
        Value::Array(array) if !array.is_range() => array.iter().try_for_each(|item| collect_keys(given, &item, found)),
        Value::Object(object) => {
            given.budget().step(object.len())?;
            found.extend(object.iter().map(|(key, _)| key));
            Ok(())
        }
        _ => given.budget().step(1),
    }
}

pub(super) fn lookup(given: &Given<'_, '_>) -> Outcome<Value> {
    match given.text(1) {
        Some(key) => given.run.lookup(given.value(0), key),
        None => Ok(Value::Undefined),
    }
}

pub(super) fn append(given: &Given<'_, '_>) -> Outcome<Value> {
    value::append(given.budget(), given.value(0).clone(), given.value(1).clone())
}

pub(super) fn spread(given: &Given<'_, '_>) -> Outcome<Value> {
    match given.value(0) {
        value @ (Value::Array(_) | Value::Object(_)) => {
            let mut parts = Builder::new(given.budget())?;
            spread_into(given, value, &mut parts)?;
            parts.sequence()
        }
        Value::Function(_) => given.make(String::new()),
        other => Ok(other.clone()),
    }
}

fn spread_into(given: &Given<'_, '_>, value: &Value, parts: &mut Builder) -> Outcome<()> {
    given.budget().step(1)?;
    match value {
        Value::Array(array) => array.iter().try_for_each(|item| spread_into(given, &item, parts)),
        Value::Object(object) => object.iter().try_for_each(|(key, value)| {
            let mut part = ObjectBuilder::new(given.budget())?;
            part.insert(key, value)?;
            parts.push(part.value()?)
        }),
        other => parts.push(other.clone()),
    }
}

pub(super) fn merge(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(array) = given.array(0) else { return Ok(Value::Undefined) };
    let mut merged = ObjectBuilder::new(given.budget())?;
    for item in array.iter() {
        if let Value::Object(object) = item {
            given.budget().step(object.len())?;
            object.iter().try_for_each(|(key, value)| merged.insert(key, value))?;
        }
    }
    merged.value()
}

pub(super) fn reverse(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(array) = given.array(0) else { return Ok(Value::Undefined) };
    if array.len() <= 1 {
        return Ok(given.value(0).clone());
    }
    let mut reversed = Builder::new(given.budget())?;
    given.budget().step(array.len())?;
    for index in (0..array.len()).rev() {
        reversed.push(array.get(index).unwrap_or(Value::Undefined))?;
    }
    reversed.value()
}

pub(super) fn error(given: &Given<'_, '_>) -> Outcome<Value> {
    Err(Error::thrown("D3137", message(given, 0, "$error() function evaluated")))
}

pub(super) fn assert(given: &Given<'_, '_>) -> Outcome<Value> {
    if matches!(given.value(0), Value::Bool(true)) {
        return Ok(Value::Undefined);
    }
    Err(Error::thrown("D3141", message(given, 1, "$assert() statement failed")))
}

fn message(given: &Given<'_, '_>, index: usize, otherwise: &str) -> String {
    match given.text(index) {
        Some(text) if !text.is_empty() => text.to_string(),
        _ => otherwise.to_owned(),
    }
}

pub(super) fn shuffle(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(array) = given.array(0) else { return Ok(Value::Undefined) };
    given.budget().step(array.len())?;
    let _charge = given.budget().charge(array.len() * size_of::<Value>())?;
    let mut items: Vec<Value> = array.iter().collect();
    for index in (1..items.len()).rev() {
        let other = given.run.world.chance() % (index as u64 + 1);
        items.swap(index, other as usize);
    }
    let mut shuffled = Builder::new(given.budget())?;
    items.into_iter().try_for_each(|item| shuffled.push(item))?;
    shuffled.value()
}

pub(super) fn distinct(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(array) = given.array(0) else { return Ok(given.value(0).clone()) };
    if array.len() <= 1 || array.is_range() {
        return Ok(given.value(0).clone());
    }
    let mut kept = Builder::new(given.budget())?;
    'items: for item in array.iter() {
        for other in kept.items() {
            if equal(given.budget(), &item, other)? {
                continue 'items;
            }
        }
        kept.push(item)?;
    }
    let mut distinct = kept.array()?;
    distinct.sequence = array.sequence;
    Ok(Value::Array(distinct))
}

pub(super) fn clone(given: &Given<'_, '_>) -> Outcome<Value> {
    value::detached(given.budget(), given.value(0))
}

/// The members of an object, as functions of functions go through them.
pub(super) fn members(object: &Object) -> Vec<(Arc<str>, Value)> {
    object.iter().collect()
}
