//! JSON values whose clones are pointer copies.
//!
//! A state hands its input on to the next, to its branches and into the history. All of them hold the
//! same allocation: cloning a [`Json`] never copies what is inside.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

pub use serde_json::Number;

use crate::jackson::ParseError;

/// A JSON value. Objects keep the order in which their members came.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Json {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    String(Arc<str>),
    Array(Arc<Vec<Json>>),
    Object(Arc<Object>),
}

/// Objects and arrays inside one another that a text may have: what the parser takes.
pub const DEPTH_MAX: usize = 127;

/// The members of a JSON object, in order.
pub type Object = IndexMap<Arc<str>, Json>;

impl Json {
    /// The JSON value that `text` holds; the error speaks as AWS's parser does.
    pub fn parse(text: &str) -> Result<Json, ParseError> {
        serde_json::from_str(text).map_err(|error| ParseError::explain(text, &error))
    }

    /// `{}`
    pub fn empty_object() -> Json {
        Json::Object(Arc::default())
    }

    pub fn object<K: Into<Arc<str>>>(members: impl IntoIterator<Item = (K, Json)>) -> Json {
        let members: Object = members.into_iter().map(|(key, value)| (key.into(), value)).collect();
        Json::Object(Arc::new(members))
    }

    pub fn array(items: impl IntoIterator<Item = Json>) -> Json {
        Json::Array(Arc::new(items.into_iter().collect()))
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Json::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Json::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Json::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Json::Array(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Json::Object(members) => Some(members),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    /// The member `key` of an object; nothing when this is not an object or has no such member.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.as_object()?.get(key)
    }

    /// How many bytes the compact text of this value takes in UTF-8, counted without building it.
    pub fn text_len(&self) -> usize {
        let mut counter = Counter(0);
        serde_json::to_writer(&mut counter, self).expect("counting cannot fail");
        counter.0
    }

    /// Whether objects and arrays nest deeper in it than in any text that [`parse`](Json::parse) takes, so
    /// that it could be written but never read back.
    pub fn is_too_deep(&self) -> bool {
        self.nests_deeper_than(DEPTH_MAX)
    }

    fn nests_deeper_than(&self, levels: usize) -> bool {
        match self {
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
            Json::Array(_) | Json::Object(_) if levels == 0 => true,
            Json::Array(items) => items.iter().any(|item| item.nests_deeper_than(levels - 1)),
            Json::Object(members) => members.values().any(|value| value.nests_deeper_than(levels - 1)),
        }
    }

    /// Whether the compact text takes at most `bytes_max` bytes; stops counting where it does not.
    pub fn fits(&self, bytes_max: usize) -> bool {
        serde_json::to_writer(&mut Bounded(bytes_max), self).is_ok()
    }

    /// Whether both are the very same allocation. Scalars are never the same.
    pub fn same(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::String(a), Json::String(b)) => Arc::ptr_eq(a, b),
            (Json::Array(a), Json::Array(b)) => Arc::ptr_eq(a, b),
            (Json::Object(a), Json::Object(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// An address that is equal for values that are [`same`](Json::same); none for scalars.
    pub fn address(&self) -> Option<usize> {
        match self {
            Json::Null | Json::Bool(_) | Json::Number(_) => None,
            Json::String(text) => Some(Arc::as_ptr(text).cast::<u8>() as usize),
            Json::Array(items) => Some(Arc::as_ptr(items) as usize),
            Json::Object(members) => Some(Arc::as_ptr(members) as usize),
        }
    }
}

/// Takes so many bytes and no more.
struct Bounded(usize);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Reads what this program has stored, without the parser's limit on depth: a client's values are as deep as they may
/// be, and lie some levels down in what is stored.
pub fn read_stored<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    deserializer.disable_recursion_limit();
    let value = T::deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The compact text.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).expect("a JSON value has a text"))
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::String(text.into())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Json {
        Json::String(text.into())
    }
}

impl From<Arc<str>> for Json {
    fn from(text: Arc<str>) -> Json {
        Json::String(text)
    }
}

impl From<bool> for Json {
    fn from(truth: bool) -> Json {
        Json::Bool(truth)
    }
}

impl From<i64> for Json {
    fn from(number: i64) -> Json {
        Json::Number(number.into())
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Json {
        Json::Number(number.into())
    }
}

/// A number without a fraction becomes an integer where it fits; what JSON cannot say becomes null.
impl From<f64> for Json {
    fn from(number: f64) -> Json {
        Number::from_f64(number).map_or(Json::Null, Json::Number)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(truth) => serializer.serialize_bool(*truth),
            Json::Number(number) => number.serialize(serializer),
            Json::String(text) => serializer.serialize_str(text),
            Json::Array(items) => serializer.collect_seq(items.iter()),
            Json::Object(members) => serializer.collect_map(members.iter().map(|(k, v)| (&**k, v))),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Json, E> {
        Ok(Json::Bool(truth))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Json, E> {
        // The parser gives `-0` as a float; AWS reads it as the integer 0.
        if number == 0.0 && number.is_sign_negative() {
            return Ok(Json::Number(0.into()));
        }
        Ok(Json::from(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(1024));
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(Arc::new(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Object::with_capacity(map.size_hint().unwrap_or(0).min(1024));
        while let Some((key, value)) = map.next_entry::<std::borrow::Cow<'de, str>, Json>()? {
            members.insert(key.into(), value);
        }
        Ok(Json::Object(Arc::new(members)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_a_round_trip() {
        for text in [r#"{"b":1,"a":[true,null,"é\n"],"c":{"x":-3.5}}"#, "18446744073709551615", "34.45", "\"\"", "[]"]
        {
            let json = Json::parse(text).expect("valid");
            assert_eq!(json.to_string(), text);
            assert_eq!(json.text_len(), text.len());
            assert!(json.fits(text.len()) && !json.fits(text.len() - 1));
        }
    }

    #[test]
    fn minus_zero_is_zero() {
        assert_eq!(Json::parse("-0").expect("valid").to_string(), "0");
    }

    #[test]
    fn a_repeated_key_keeps_its_last_value() {
        assert_eq!(Json::parse(r#"{"a":1,"a":2}"#).expect("valid").to_string(), r#"{"a":2}"#);
    }

    #[test]
    fn a_clone_is_the_same_allocation() {
        let json = Json::parse(r#"{"a":[1]}"#).expect("valid");
        assert!(json.same(&json.clone()));
        assert_eq!(json.address(), json.clone().address());
    }

    #[test]
    fn too_deep_is_what_cannot_be_read_back() {
        let nested = |depth| (0..depth).fold(Json::from(true), |inner, _| Json::array([inner]));
        for (depth, is_too_deep) in [(DEPTH_MAX, false), (DEPTH_MAX + 1, true)] {
            assert_eq!(nested(depth).is_too_deep(), is_too_deep);
            assert_eq!(Json::parse(&nested(depth).to_string()).is_err(), is_too_deep);
        }
    }
}
