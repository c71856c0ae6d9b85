//! A request's body, parsed once. Texts without escapes are not copied.

use std::borrow::Cow;
use std::fmt;

use base::Json;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Value<'a>>),
    Object(Members<'a>),
}

pub(crate) type Members<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

impl Value<'_> {
    pub(crate) fn into_json(self) -> Json {
        match self {
            Value::Null => Json::Null,
            Value::Bool(truth) => truth.into(),
            Value::Integer(number) => number.into(),
            Value::Float(number) => number.into(),
            Value::Text(text) => Json::String(text.into()),
            Value::List(items) => Json::array(items.into_iter().map(Value::into_json)),
            Value::Object(members) => Json::object(members.into_iter().map(|(key, value)| (key, value.into_json()))),
        }
    }
}

/// A request whose members are known to have the right types: each is taken out once. What is null is not there.
#[derive(Debug, Default)]
pub(crate) struct Input<'a>(Members<'a>);

impl<'a> Input<'a> {
    /// `members` were found to fit the shape that their reader expects.
    pub(crate) fn new(members: Members<'a>) -> Input<'a> {
        Input(members)
    }

    /// The last member of that name.
    fn take(&mut self, name: &str) -> Option<Value<'a>> {
        let (_, value) = self.0.iter_mut().rev().find(|(key, _)| key == name)?;
        match std::mem::replace(value, Value::Null) {
            Value::Null => None,
            value => Some(value),
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::Text(text) => Some(text.into_owned()),
            _ => None,
        }
    }

    /// A required text: there, since the request fits its shape.
    pub(crate) fn required(&mut self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    pub(crate) fn integer(&mut self, name: &str) -> Option<i64> {
        match self.take(name)? {
            Value::Integer(number) => Some(number),
            Value::Float(number) => Some(number as i64),
            _ => None,
        }
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    pub(crate) fn json(&mut self, name: &str) -> Option<Json> {
        Some(self.take(name)?.into_json())
    }

    fn list(&mut self, name: &str) -> Option<Vec<Value<'a>>> {
        match self.take(name)? {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        Some(texts(self.list(name)?))
    }

    /// A structure.
    pub(crate) fn input(&mut self, name: &str) -> Option<Input<'a>> {
        match self.take(name)? {
            Value::Object(members) => Some(Input(members)),
            _ => None,
        }
    }

    /// A list of structures.
    pub(crate) fn inputs(&mut self, name: &str) -> Vec<Input<'a>> {
        let items = self.list(name).unwrap_or_default();
        let inputs = items.into_iter().filter_map(|item| match item {
            Value::Object(members) => Some(Input(members)),
            _ => None,
        });
        inputs.collect()
    }

    /// A map from text to text.
    pub(crate) fn pairs(&mut self, name: &str) -> impl Iterator<Item = (String, String)> + use<> {
        let members = match self.take(name) {
            Some(Value::Object(members)) => members,
            _ => Vec::new(),
        };
        let pairs: Vec<_> = members
            .into_iter()
            .filter_map(|(key, value)| match value {
                Value::Text(text) => Some((key.into_owned(), text.into_owned())),
                _ => None,
            })
            .collect();
        pairs.into_iter()
    }

    /// A map from text to lists of text.
    pub(crate) fn lists(&mut self, name: &str) -> impl Iterator<Item = (String, Vec<String>)> {
        let members = match self.take(name) {
            Some(Value::Object(members)) => members,
            _ => Vec::new(),
        };
        members.into_iter().map(|(key, value)| {
            let items = match value {
                Value::List(items) => items,
                _ => Vec::new(),
            };
            (key.into_owned(), texts(items))
        })
    }
}

fn texts(items: Vec<Value<'_>>) -> Vec<String> {
    let texts = items.into_iter().filter_map(|item| match item {
        Value::Text(text) => Some(text.into_owned()),
        _ => None,
    });
    texts.collect()
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(i64::try_from(number).map_or(Value::Float(number as f64), Value::Integer))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Float(number))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((Key(key), value)) = map.next_entry()? {
            members.push((key, value));
        }
        Ok(Value::Object(members))
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key<'de>, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}
