//! What an expression computes with.
//!
//! Values of the scope are shared, not copied: an array of the input is the input's own. Only what is made here is
//! owned, and charged to the [`Budget`](super::budget::Budget).

use std::cell::RefCell;
use std::cmp::Ordering;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use base::{Json, Number};
use indexmap::IndexMap;

use super::budget::{Budget, Charge};
use super::error::{Error, Outcome};
use super::eval::{Function, Tuple};
use crate::limits::{JSONATA_FUNCTION_DEPTH_MAX, JSONATA_VALUE_DEPTH_MAX};

#[derive(Clone)]
pub(super) enum Value {
    Undefined,
    Null,
    Bool(bool),
    Number(Number),
    /// What JSON cannot say: the quotient by zero.
    NonFinite(f64),
    Text(Text),
    Array(Array),
    Object(Object),
    Function(Rc<Owned<Function>>),
    /// A stream of values with the names that were bound on the way. Never leaves a path.
    Tuples(Rc<Owned<Vec<Tuple>>>),
}

/// Something made here, with its price.
pub(super) struct Owned<T> {
    value: T,
    levels: Levels,
    _charge: Charge,
}

/// How deep a value goes: letting go of it takes as much of the stack.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Levels {
    /// Arrays and objects made here, one in another.
    data: usize,
    /// Functions that hold functions.
    functions: usize,
}

impl Levels {
    pub(super) fn of(value: &Value) -> Levels {
        match value {
            Value::Array(Array { items: Items::Made(items), .. }) => items.levels,
            Value::Object(Object::Made(members)) => members.levels,
            Value::Function(function) => function.levels,
            _ => Levels::default(),
        }
    }

    pub(super) fn max(self, other: Levels) -> Levels {
        Levels { data: self.data.max(other.data), functions: self.functions.max(other.functions) }
    }
}

impl<T> Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Owned<T> {
    pub(super) fn new(value: T, charge: Charge) -> Rc<Owned<T>> {
        Rc::new(Owned { value, levels: Levels::default(), _charge: charge })
    }

    fn above(value: T, below: Levels, charge: Charge) -> Outcome<Rc<Owned<T>>> {
        if below.data >= JSONATA_VALUE_DEPTH_MAX {
            return Err(Error::memory());
        }
        let levels = Levels { data: below.data + 1, ..below };
        Ok(Rc::new(Owned { value, levels, _charge: charge }))
    }
}

#[derive(Clone)]
pub(super) enum Text {
    Shared(Arc<str>),
    Made(Rc<Owned<String>>),
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Text::Shared(text) => text,
            Text::Made(text) => text,
        }
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self)
    }
}

impl Text {
    pub(super) fn to_arc(&self) -> Arc<str> {
        match self {
            Text::Shared(text) => Arc::clone(text),
            Text::Made(text) => text.as_str().into(),
        }
    }
}

/// An array with what the language remembers of its making.
#[derive(Clone)]
pub(super) struct Array {
    items: Items,
    /// Made by a path: one item stands for itself, none for nothing.
    pub(super) sequence: bool,
    /// A sequence of one item stays an array.
    pub(super) keep_singleton: bool,
    /// Made by a constructor at the end of a path: is not flattened.
    pub(super) cons: bool,
    /// Wraps the whole input, which is an array itself.
    pub(super) outer: bool,
}

#[derive(Clone)]
enum Items {
    Shared(Arc<Vec<Json>>),
    Made(Rc<Owned<Vec<Value>>>),
    /// `[1..9]`, not written out.
    Range {
        start: i64,
        len: usize,
    },
}

#[derive(Clone)]
pub(super) enum Object {
    Shared(Arc<base::Object>),
    /// Behind a cell for the transform operator only, which changes the copy that it has made.
    Made(Rc<Owned<RefCell<Members>>>),
}

pub(super) type Members = IndexMap<Arc<str>, Value>;

/// Bytes that an array's item and an object's member take here.
const ITEM_BYTES: usize = size_of::<Value>();
pub(super) const MEMBER_BYTES: usize = 2 * size_of::<(Arc<str>, Value)>() + 64;

/// The kinds that the language tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Undefined,
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
    Function,
}

/// A number without a fraction becomes an integer where it fits.
pub(super) fn number_of(value: f64) -> Option<Number> {
    if value.fract() == 0.0 && value.abs() < 9.2e18 {
        return Some((value as i64).into());
    }
    Number::from_f64(value)
}

pub(super) fn float(number: &Number) -> f64 {
    number.as_f64().unwrap_or_default()
}

impl Value {
    pub(super) fn number(value: f64) -> Value {
        number_of(value).map_or(Value::NonFinite(value), Value::Number)
    }

    pub(super) fn count(value: usize) -> Value {
        Value::Number((value as u64).into())
    }

    pub(super) fn json(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(*truth),
            Json::Number(number) => Value::Number(number.clone()),
            Json::String(text) => Value::Text(Text::Shared(Arc::clone(text))),
            Json::Array(items) => Value::Array(Array::plain(Items::Shared(Arc::clone(items)))),
            Json::Object(members) => Value::Object(Object::Shared(Arc::clone(members))),
        }
    }

    pub(super) fn shared(text: &Arc<str>) -> Value {
        Value::Text(Text::Shared(Arc::clone(text)))
    }

    /// A text made here.
    pub(super) fn text(budget: &Rc<Budget>, text: String) -> Outcome<Value> {
        if text.len() > budget.limits.text_bytes_max {
            return Err(Error::memory());
        }
        budget.scan(text.len())?;
        if text.len() < 24 {
            // Not worth an account.
            return Ok(Value::Text(Text::Shared(text.into())));
        }
        let charge = budget.charge(text.capacity() + 112)?;
        Ok(Value::Text(Text::Made(Owned::new(text, charge))))
    }

    /// A function made here; `below` is what it holds.
    pub(super) fn function(budget: &Rc<Budget>, function: Function, below: Levels) -> Outcome<Value> {
        if below.functions >= JSONATA_FUNCTION_DEPTH_MAX {
            return Err(Error::memory());
        }
        let levels = Levels { functions: below.functions + 1, ..below };
        Ok(Value::Function(Rc::new(Owned { value: function, levels, _charge: budget.charge(256)? })))
    }

    pub(super) fn kind(&self) -> Type {
        match self {
            Value::Undefined => Type::Undefined,
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Bool,
            Value::Number(_) | Value::NonFinite(_) => Type::Number,
            Value::Text(_) => Type::Text,
            Value::Array(_) | Value::Tuples(_) => Type::Array,
            Value::Object(_) => Type::Object,
            Value::Function(_) => Type::Function,
        }
    }

    pub(super) fn is_undefined(&self) -> bool {
        matches!(self, Value::Undefined)
    }

    pub(super) fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(float(number)),
            Value::NonFinite(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&Text> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number to compute with. The infinite is an error wherever it is looked at.
    pub(super) fn numeric(&self) -> Outcome<Option<f64>> {
        match self {
            Value::Number(number) => Ok(Some(float(number))),
            Value::NonFinite(number) if number.is_nan() => Ok(None),
            Value::NonFinite(_) => Err(Error::of_value("D1001", "null".to_owned())),
            _ => Ok(None),
        }
    }

    /// What `$boolean` says; nothing for nothing.
    pub(super) fn truth(&self) -> Outcome<bool> {
        Ok(match self {
            Value::Undefined | Value::Null | Value::Function(_) => false,
            Value::Bool(truth) => *truth,
            Value::Number(number) => float(number) != 0.0,
            Value::NonFinite(_) => self.numeric()?.is_some(),
            Value::Text(text) => !text.is_empty(),
            Value::Object(object) => object.len() > 0,
            Value::Tuples(tuples) => !tuples.is_empty(),
            Value::Array(array) => {
                for item in array.iter() {
                    if item.truth()? {
                        return Ok(true);
                    }
                }
                false
            }
        })
    }

    /// How a message shows it.
    pub(super) fn shown(&self) -> String {
        let mut text = String::new();
        match super::text::write(&mut text, self, None, 0, 1_024) {
            Ok(()) => text,
            Err(_) => {
                text.truncate((0..=1_024.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
                text + "…"
            }
        }
    }
}

impl Array {
    fn plain(items: Items) -> Array {
        Array { items, sequence: false, keep_singleton: false, cons: false, outer: false }
    }

    pub(super) fn empty() -> Array {
        Array::plain(Items::Range { start: 0, len: 0 })
    }

    pub(super) fn range(start: i64, len: usize) -> Array {
        Array::plain(Items::Range { start, len })
    }

    pub(super) fn into_sequence(mut self) -> Array {
        self.sequence = true;
        self
    }

    pub(super) fn is_range(&self) -> bool {
        matches!(self.items, Items::Range { .. })
    }

    pub(super) fn len(&self) -> usize {
        match &self.items {
            Items::Shared(items) => items.len(),
            Items::Made(items) => items.len(),
            Items::Range { len, .. } => *len,
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Value> {
        match &self.items {
            Items::Shared(items) => items.get(index).map(Value::json),
            Items::Made(items) => items.get(index).cloned(),
            Items::Range { start, len } => (index < *len).then(|| Value::Number((start + index as i64).into())),
        }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Value> + '_ {
        (0..self.len()).map(|index| self.get(index).unwrap_or(Value::Undefined))
    }
}

impl Object {
    pub(super) fn len(&self) -> usize {
        match self {
            Object::Shared(members) => members.len(),
            Object::Made(members) => members.borrow().len(),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Value> {
        match self {
            Object::Shared(members) => members.get(key).map(Value::json),
            Object::Made(members) => members.borrow().get(key).cloned(),
        }
    }

    pub(super) fn at(&self, index: usize) -> Option<(Arc<str>, Value)> {
        match self {
            Object::Shared(members) => {
                members.get_index(index).map(|(key, value)| (Arc::clone(key), Value::json(value)))
            }
            Object::Made(members) => {
                members.borrow().get_index(index).map(|(key, value)| (Arc::clone(key), value.clone()))
            }
        }
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (Arc<str>, Value)> + '_ {
        (0..self.len()).map(|index| self.at(index).unwrap_or_else(|| ("".into(), Value::Undefined)))
    }
}

/// An array in the making.
pub(super) struct Builder {
    items: Vec<Value>,
    below: Levels,
    charge: Charge,
}

impl Builder {
    pub(super) fn new(budget: &Rc<Budget>) -> Outcome<Builder> {
        Ok(Builder { items: Vec::new(), below: Levels::default(), charge: budget.charge(0)? })
    }

    pub(super) fn push(&mut self, value: Value) -> Outcome<()> {
        if self.items.len() == self.items.capacity() {
            let more = (self.items.len() / 2).max(4);
            self.charge.add(more * ITEM_BYTES)?;
            self.items.reserve_exact(more);
        }
        self.below = self.below.max(Levels::of(&value));
        self.items.push(value);
        Ok(())
    }

    /// An array's items, or the value itself.
    pub(super) fn extend(&mut self, value: Value) -> Outcome<()> {
        match value {
            Value::Array(array) => array.iter().try_for_each(|item| self.push(item)),
            value => self.push(value),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn items(&self) -> &[Value] {
        &self.items
    }

    pub(super) fn array(self) -> Outcome<Array> {
        if self.items.is_empty() {
            return Ok(Array::empty());
        }
        Ok(Array::plain(Items::Made(Owned::above(self.items, self.below, self.charge)?)))
    }

    pub(super) fn value(self) -> Outcome<Value> {
        self.array().map(Value::Array)
    }

    pub(super) fn sequence(self) -> Outcome<Value> {
        Ok(Value::Array(self.array()?.into_sequence()))
    }
}

/// An object in the making.
pub(super) struct ObjectBuilder {
    members: Members,
    below: Levels,
    charge: Charge,
}

impl ObjectBuilder {
    pub(super) fn new(budget: &Rc<Budget>) -> Outcome<ObjectBuilder> {
        Ok(ObjectBuilder { members: Members::new(), below: Levels::default(), charge: budget.charge(64)? })
    }

    pub(super) fn insert(&mut self, key: Arc<str>, value: Value) -> Outcome<()> {
        self.charge.add(MEMBER_BYTES + key.len())?;
        self.below = self.below.max(Levels::of(&value));
        self.members.insert(key, value);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn value(self) -> Outcome<Value> {
        let cell = RefCell::new(self.members);
        Ok(Value::Object(Object::Made(Owned::above(cell, self.below, self.charge)?)))
    }
}

/// A sequence of one value.
pub(super) fn singleton(budget: &Rc<Budget>, value: Value) -> Outcome<Array> {
    let mut items = Builder::new(budget)?;
    items.push(value)?;
    Ok(items.array()?.into_sequence())
}

/// The value as an array: itself, or a sequence of it.
pub(super) fn listed(budget: &Rc<Budget>, value: Value) -> Outcome<Array> {
    match value {
        Value::Array(array) => Ok(array),
        value => singleton(budget, value),
    }
}

/// Both as one array; nothing adds nothing. (`$append`)
pub(super) fn append(budget: &Rc<Budget>, first: Value, second: Value) -> Outcome<Value> {
    match (first, second) {
        (Value::Undefined, other) | (other, Value::Undefined) => Ok(other),
        (first, second) => {
            let mut items = Builder::new(budget)?;
            for value in [first, second] {
                if let Value::Array(array) = &value {
                    budget.step(array.len())?;
                }
                items.extend(value)?;
            }
            items.value()
        }
    }
}

/// Equal all the way down; the order of members is nothing.
pub(super) fn equal(budget: &Budget, left: &Value, right: &Value) -> Outcome<bool> {
    budget.step(1)?;
    Ok(match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Number(left), Value::Number(right)) => {
            left == right || (float(left) == float(right) && (left.is_f64() || right.is_f64()))
        }
        (Value::NonFinite(left), Value::NonFinite(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => {
            budget.scan(left.len().min(right.len()))?;
            **left == **right
        }
        (Value::Array(left), Value::Array(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right.iter()) {
                if !equal(budget, &left, &right)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Object(left), Value::Object(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (key, value) in left.iter() {
                match right.get(&key) {
                    Some(other) if equal(budget, &value, &other)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Function(left), Value::Function(right)) => Rc::ptr_eq(left, right),
        _ => false,
    })
}

/// As JavaScript compares texts: by UTF-16 units.
pub(super) fn compare_texts(left: &str, right: &str) -> Ordering {
    left.encode_utf16().cmp(right.encode_utf16())
}

/// Why a value cannot be handed out.
pub(super) enum NotJson {
    Function,
    TooLarge,
}

/// The value as JSON: nothing for nothing, what JSON cannot say as a text.
pub(super) fn to_json(budget: &Rc<Budget>, value: &Value) -> Result<Option<Json>, NotJson> {
    let charge = budget.charge(0).map_err(|_| NotJson::TooLarge)?;
    Exit { room: budget.limits.text_bytes_max, charge }.json(value)
}

/// What is handed out is written out once more, and counted.
struct Exit {
    /// Bytes that the text may still take.
    room: usize,
    charge: Charge,
}

impl Exit {
    fn take(&mut self, text_bytes: usize, bytes: usize) -> Result<(), NotJson> {
        self.room = self.room.checked_sub(text_bytes).ok_or(NotJson::TooLarge)?;
        self.charge.add(bytes).map_err(|_| NotJson::TooLarge)
    }

    fn json(&mut self, value: &Value) -> Result<Option<Json>, NotJson> {
        Ok(Some(match value {
            Value::Undefined => return Ok(None),
            Value::Function(_) | Value::Tuples(_) => return Err(NotJson::Function),
            Value::Null => Json::Null,
            Value::Bool(truth) => Json::Bool(*truth),
            Value::Number(number) => Json::Number(number.clone()),
            Value::NonFinite(number) => Json::from(super::text::number(*number)),
            Value::Text(text) => {
                self.take(text.len() + 2, text.len())?;
                Json::String(text.to_arc())
            }
            Value::Array(Array { items: Items::Shared(items), .. }) => Json::Array(Arc::clone(items)),
            Value::Object(Object::Shared(members)) => Json::Object(Arc::clone(members)),
            Value::Array(array) => self.array(array)?,
            Value::Object(object) => self.object(object)?,
        }))
    }

    fn array(&mut self, array: &Array) -> Result<Json, NotJson> {
        self.take(2 + 2 * array.len(), size_of::<Json>() * array.len())?;
        let mut items = Vec::with_capacity(array.len());
        for item in array.iter() {
            items.push(self.json(&item)?.unwrap_or(Json::Null));
        }
        Ok(Json::Array(Arc::new(items)))
    }

    fn object(&mut self, object: &Object) -> Result<Json, NotJson> {
        self.take(2 + 4 * object.len(), MEMBER_BYTES * object.len())?;
        let mut members = base::Object::with_capacity(object.len());
        for (key, value) in object.iter() {
            self.take(key.len(), 0)?;
            if let Some(value) = self.json(&value)? {
                members.insert(key, value);
            }
        }
        Ok(Json::Object(Arc::new(members)))
    }
}

/// A copy that shares no object with the original, so that it may be changed. (`$clone`)
pub(super) fn detached(budget: &Rc<Budget>, value: &Value) -> Outcome<Value> {
    budget.step(1)?;
    match value {
        Value::Array(array) if !array.is_range() => {
            let mut items = Builder::new(budget)?;
            for item in array.iter() {
                items.push(detached(budget, &item)?)?;
            }
            items.value()
        }
        Value::Object(object) => {
            let mut members = ObjectBuilder::new(budget)?;
            for (key, value) in object.iter() {
                members.insert(key, detached(budget, &value)?)?;
            }
            members.value()
        }
        other => Ok(other.clone()),
    }
}
