//! What each intrinsic function does.
//!
//! A new function is one line in [`FUNCTIONS`] and the function it names. Counts of arguments are
//! checked when the call is parsed; types when it is evaluated, because only then are they known.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::ops::RangeInclusive;

use base::{Json, Number};
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha1::Digest;

use super::Argument;
use crate::Scope;
use crate::java::{Java, Random};
use crate::limits::{ARRAY_RANGE_MAX, ENCODE_CHARS_MAX, TEXT_BYTES_MAX};

pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) arguments: RangeInclusive<usize>,
    pub(super) run: fn(&Given<'_>) -> Outcome,
}

/// The value, or what is wrong with the arguments.
type Outcome = Result<Json, String>;

const ANY: usize = usize::MAX;

#[rustfmt::skip]
const FUNCTIONS: &[Function] = &[
    Function { name: "States.Array",          arguments: 0..=ANY, run: array },
    Function { name: "States.ArrayPartition", arguments: 2..=2,   run: array_partition },
    Function { name: "States.ArrayContains",  arguments: 2..=2,   run: array_contains },
    Function { name: "States.ArrayRange",     arguments: 3..=3,   run: array_range },
    Function { name: "States.ArrayGetItem",   arguments: 2..=2,   run: array_get_item },
    Function { name: "States.ArrayLength",    arguments: 1..=1,   run: array_length },
    Function { name: "States.ArrayUnique",    arguments: 1..=1,   run: array_unique },
    Function { name: "States.Base64Encode",   arguments: 1..=1,   run: base64_encode },
    Function { name: "States.Base64Decode",   arguments: 1..=1,   run: base64_decode },
    Function { name: "States.Hash",           arguments: 2..=2,   run: hash },
    Function { name: "States.JsonMerge",      arguments: 3..=3,   run: json_merge },
    Function { name: "States.StringToJson",   arguments: 1..=1,   run: string_to_json },
    Function { name: "States.JsonToString",   arguments: 1..=1,   run: json_to_string },
    Function { name: "States.MathRandom",     arguments: 2..=3,   run: math_random },
    Function { name: "States.MathAdd",        arguments: 2..=2,   run: math_add },
    Function { name: "States.StringSplit",    arguments: 2..=2,   run: string_split },
    Function { name: "States.Format",         arguments: 1..=ANY, run: format },
    Function { name: "States.UUID",           arguments: 0..=0,   run: uuid },
];

pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

impl Function {
    /// What can be said against the arguments before there are values.
    pub(super) fn check(&self, arguments: &[Argument]) -> Result<(), String> {
        match (self.name, arguments.split_first()) {
            ("States.Format", Some((Argument::Template { parts, .. }, rest))) => {
                check_holes(parts.len() - 1, rest.len())
            }
            ("States.Format", Some((Argument::Value(Json::String(_)), rest))) => check_holes(0, rest.len()),
            (_, _) => Ok(()),
        }
    }
}

/// What a function is given: its arguments' values, and the world.
pub(super) struct Given<'a> {
    pub(super) values: &'a [Json],
    /// The first argument around its `{}`, when it was written as a text with braces.
    pub(super) parts: Option<&'a [String]>,
    pub(super) scope: &'a dyn Scope,
}

impl<'a> Given<'a> {
    /// There are as many as the table demands.
    fn value(&self, index: usize) -> &'a Json {
        static NULL: Json = Json::Null;
        self.values.get(index).unwrap_or(&NULL)
    }

    fn array(&self, index: usize) -> Result<&'a [Json], String> {
        self.value(index).as_array().ok_or_else(|| self.wrong(index, "an array"))
    }

    fn text(&self, index: usize) -> Result<&'a str, String> {
        self.value(index).as_str().ok_or_else(|| self.wrong(index, "a string"))
    }

    /// A number rounded as `Math.round` does (half up) that fits into an `int`.
    fn integer(&self, index: usize) -> Result<i64, String> {
        let value = self.value(index);
        let rounded = match (value.as_i64(), value.as_f64()) {
            (Some(exact), _) => exact,
            (None, Some(float)) => (float + 0.5).floor() as i64,
            (None, None) => return Err(self.wrong(index, "a number")),
        };
        match i32::try_from(rounded) {
            Ok(_) => Ok(rounded),
            Err(_) => Err(format!("Argument {} is {rounded}, which is not from -2147483648 to 2147483647", index + 1)),
        }
    }

    fn wrong(&self, index: usize, expected: &str) -> String {
        let given = match self.value(index) {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        };
        format!("Argument {} must be {expected}, but was {given}", index + 1)
    }
}

fn array(given: &Given<'_>) -> Outcome {
    Ok(Json::array(given.values.iter().cloned()))
}

fn array_partition(given: &Given<'_>) -> Outcome {
    let items = given.array(0)?;
    let size = given.value(1).as_f64().ok_or_else(|| given.wrong(1, "a number"))?.floor();
    if size < 1.0 {
        return Err("Argument 2 must be a positive integer".to_owned());
    }
    Ok(Json::array(items.chunks(size as usize).map(|chunk| Json::array(chunk.iter().cloned()))))
}

fn array_contains(given: &Given<'_>) -> Outcome {
    Ok(Json::from(given.array(0)?.contains(given.value(1))))
}

fn array_range(given: &Given<'_>) -> Outcome {
    let (first, last, step) = (given.integer(0)?, given.integer(1)?, given.integer(2)?);
    if step == 0 {
        return Err("Argument 3 must not be zero".to_owned());
    }
    let distance = (last - first) * step.signum();
    if distance < 0 {
        return Ok(Json::array([]));
    }
    let count = distance / step.abs() + 1;
    if count > ARRAY_RANGE_MAX as i64 {
        return Err(format!("The range has {count} items, which is more than {ARRAY_RANGE_MAX}"));
    }
    Ok(Json::array((0..count).map(|index| Json::from(first + index * step))))
}

fn array_get_item(given: &Given<'_>) -> Outcome {
    let (items, index) = (given.array(0)?, given.integer(1)?);
    let item = usize::try_from(index).ok().and_then(|index| items.get(index));
    item.cloned().ok_or_else(|| format!("The index {index} is not in the array, which has {} items", items.len()))
}

fn array_length(given: &Given<'_>) -> Outcome {
    Ok(Json::from(given.array(0)?.len() as u64))
}

fn array_unique(given: &Given<'_>) -> Outcome {
    let mut seen = BTreeSet::new();
    Ok(Json::array(given.array(0)?.iter().filter(|item| seen.insert(Canonical(item))).cloned()))
}

fn base64_encode(given: &Given<'_>) -> Outcome {
    let text = given.text(0)?;
    check_chars(text)?;
    Ok(Json::from(BASE64.encode(text)))
}

fn base64_decode(given: &Given<'_>) -> Outcome {
    let text = given.text(0)?;
    check_chars(text)?;
    let bytes = BASE64.decode(text).map_err(|_| "Argument 1 is not valid Base64".to_owned())?;
    Ok(Json::from(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Java's decoder: padding may be absent, unused bits may be set.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

fn hash(given: &Given<'_>) -> Outcome {
    let data = match given.value(0) {
        Json::String(text) => text.to_string(),
        value => bounded(value)?,
    };
    check_chars(&data)?;
    let algorithm = given.text(1)?;
    match digest(data.as_bytes(), algorithm) {
        Some(digest) => Ok(Json::from(digest)),
        None => Err(format!("'{algorithm}' is not one of MD5, SHA-1, SHA-256, SHA-384, SHA-512")),
    }
}

/// In hexadecimal; nothing for an algorithm that nobody knows.
pub(crate) fn digest(data: &[u8], algorithm: &str) -> Option<String> {
    Some(match algorithm {
        "MD5" => hex(&md5::Md5::digest(data)),
        "SHA-1" => hex(&sha1::Sha1::digest(data)),
        "SHA-256" => hex(&sha2::Sha256::digest(data)),
        "SHA-384" => hex(&sha2::Sha384::digest(data)),
        "SHA-512" => hex(&sha2::Sha512::digest(data)),
        _ => return None,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

/// Shallow: a member of the second object replaces the first's as a whole.
fn json_merge(given: &Given<'_>) -> Outcome {
    let Json::Object(first) = given.value(0) else { return Err(given.wrong(0, "an object")) };
    let Json::Object(second) = given.value(1) else { return Err(given.wrong(1, "an object")) };
    match given.value(2).as_bool() {
        Some(false) => {}
        Some(true) => {
            return Err("Argument 3 must be false: only shallow merging is supported".to_owned());
        }
        None => return Err(given.wrong(2, "a boolean")),
    }
    let members = first.iter().chain(second.iter());
    Ok(Json::object(members.map(|(key, value)| (key.clone(), value.clone()))))
}

/// A text without anything in it is null.
fn string_to_json(given: &Given<'_>) -> Outcome {
    let text = given.text(0)?;
    if text.trim().is_empty() {
        return Ok(Json::Null);
    }
    Json::parse(text).map_err(|error| error.message)
}

fn json_to_string(given: &Given<'_>) -> Outcome {
    bounded(given.value(0)).map(Json::from)
}

/// From the start up to, not including, the end.
fn math_random(given: &Given<'_>) -> Outcome {
    let (start, end) = (given.integer(0)?, given.integer(1)?);
    if start >= end {
        return Err("Argument 1 must be less than argument 2".to_owned());
    }
    let seed = match given.values.len() {
        3.. => given.integer(2)?,
        _ => given.scope.chance() as i64,
    };
    Ok(Json::from(Random::new(seed).next_in(start..end)))
}

fn math_add(given: &Given<'_>) -> Outcome {
    let sum = given.integer(0)? + given.integer(1)?;
    match i32::try_from(sum) {
        Ok(_) => Ok(Json::from(sum)),
        Err(_) => Err(format!("The sum {sum} is not from -2147483648 to 2147483647")),
    }
}

/// Every character of the second argument separates; nothing between two separators is nothing.
fn string_split(given: &Given<'_>) -> Outcome {
    let (text, separators) = (given.text(0)?, given.text(1)?);
    let parts = text.split(|char| separators.contains(char)).filter(|part| !part.is_empty());
    Ok(Json::array(parts.map(Json::from)))
}

fn format(given: &Given<'_>) -> Outcome {
    let template = given.text(0)?;
    let values = &given.values[1..];
    let mut filled = Bounded(String::new());
    match given.parts {
        Some(parts) => fill(&mut filled, parts.iter().map(String::as_str), values)?,
        None => {
            check_holes(template.matches("{}").count(), values.len())?;
            fill(&mut filled, template.split("{}"), values)?;
        }
    }
    Ok(Json::from(filled.0))
}

fn fill<'a>(into: &mut Bounded, parts: impl Iterator<Item = &'a str>, values: &[Json]) -> Result<(), String> {
    let mut values = values.iter();
    for (index, part) in parts.enumerate() {
        if index > 0
            && let Some(value) = values.next()
        {
            write!(into, "{}", Java(value)).map_err(too_long)?;
        }
        into.write_str(part).map_err(too_long)?;
    }
    Ok(())
}

fn check_holes(holes: usize, values: usize) -> Result<(), String> {
    if holes == values {
        return Ok(());
    }
    Err(format!("The number of {{}} in the template is {holes}, but the number of values is {values}"))
}

/// A version 4 UUID.
fn uuid(given: &Given<'_>) -> Outcome {
    let (high, low) = (given.scope.chance(), given.scope.chance());
    let bits = (u128::from(high) << 64) | u128::from(low);
    Ok(Json::from(base::Id(bits).to_uuid()))
}

fn check_chars(text: &str) -> Result<(), String> {
    // Java counts UTF-16 units.
    if text.len() > ENCODE_CHARS_MAX && text.encode_utf16().count() > ENCODE_CHARS_MAX {
        return Err(format!("The text has more than {ENCODE_CHARS_MAX} characters"));
    }
    Ok(())
}

/// The compact text of a value, when it is not too long.
fn bounded(value: &Json) -> Result<String, String> {
    let mut text = Bounded(String::new());
    write_json(&mut text, value).map_err(too_long)?;
    Ok(text.0)
}

fn write_json(into: &mut Bounded, value: &Json) -> fmt::Result {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => write!(into, "{value}"),
        Json::Array(items) => {
            into.write_char('[')?;
            for (index, item) in items.iter().enumerate() {
                into.write_str(if index == 0 { "" } else { "," })?;
                write_json(into, item)?;
            }
            into.write_char(']')
        }
        Json::Object(members) => {
            into.write_char('{')?;
            for (index, (key, value)) in members.iter().enumerate() {
                into.write_str(if index == 0 { "" } else { "," })?;
                write!(into, "{}:", Json::String(key.clone()))?;
                write_json(into, value)?;
            }
            into.write_char('}')
        }
    }
}

fn too_long(_: fmt::Error) -> String {
    format!("The text has more than {TEXT_BYTES_MAX} bytes")
}

/// A text that refuses to grow without end: few words in a definition can ask for very many bytes.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > TEXT_BYTES_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// An order of values in which exactly those are equal that `==` calls equal; objects may differ in the
/// order of their members.
struct Canonical<'a>(&'a Json);

impl Canonical<'_> {
    fn rank(&self) -> u8 {
        match self.0 {
            Json::Null => 0,
            Json::Bool(_) => 1,
            Json::Number(_) => 2,
            Json::String(_) => 3,
            Json::Array(_) => 4,
            Json::Object(_) => 5,
        }
    }
}

impl Ord for Canonical<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        match (self.0, other.0) {
            (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
            (Json::Number(a), Json::Number(b)) => cmp_numbers(a, b),
            (Json::String(a), Json::String(b)) => a.cmp(b),
            (Json::Array(a), Json::Array(b)) => a.iter().map(Canonical).cmp(b.iter().map(Canonical)),
            (Json::Object(a), Json::Object(b)) => {
                let sorted = |members: &base::Object| {
                    let mut keys: Vec<_> = members.keys().cloned().collect();
                    keys.sort_unstable();
                    keys
                };
                let (keys_a, keys_b) = (sorted(a), sorted(b));
                let values_a = keys_a.iter().filter_map(|key| a.get(key)).map(Canonical);
                keys_a
                    .cmp(&keys_b)
                    .then_with(|| values_a.cmp(keys_b.iter().filter_map(|key| b.get(key)).map(Canonical)))
            }
            (_, _) => self.rank().cmp(&other.rank()),
        }
    }
}

/// Integers and floats are never equal, as Java's `Integer` and `Double` are not.
fn cmp_numbers(a: &Number, b: &Number) -> std::cmp::Ordering {
    let key = |number: &Number| (number.is_f64(), number.as_i64(), number.as_u64());
    let floats = |number: &Number| number.as_f64().unwrap_or_default();
    key(a).cmp(&key(b)).then_with(|| floats(a).total_cmp(&floats(b)))
}

impl PartialOrd for Canonical<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Canonical<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Canonical<'_> {}
