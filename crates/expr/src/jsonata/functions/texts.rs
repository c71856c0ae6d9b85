//! Functions of texts. Places and lengths count code points, as the language wants; matches count UTF-16 units.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use super::super::error::{Details, Error, Outcome, quoted};
use super::super::text;
use super::super::value::{Builder, Object, ObjectBuilder, Type, Value};
use super::Given;

pub(super) fn string(given: &Given<'_, '_>) -> Outcome<Value> {
    let indent = matches!(given.value(1), Value::Bool(true)).then_some(2);
    match given.value(0) {
        Value::Undefined => Ok(Value::Undefined),
        text @ Value::Text(_) => Ok(text.clone()),
        value => given.make(given.run.to_text(value, indent)?),
    }
}

pub(super) fn substring(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    given.budget().scan(text.len())?;
    let len = text.chars().count() as f64;
    let mut start = given.number(1).unwrap_or_default();
    if len + start < 0.0 {
        start = 0.0;
    }
    let mut end = len;
    if let Some(count) = given.number(2) {
        if count <= 0.0 {
            return given.make(String::new());
        }
        end = if start >= 0.0 { start + count } else { len + start + count };
    }
    // As `Array.slice`: towards zero, from the end when negative.
    let place = |at: f64| {
        let at = at.trunc();
        if at < 0.0 { (len + at).max(0.0) } else { at.min(len) }
    };
    let (start, end) = (place(start) as usize, place(end) as usize);
    given.make(text.chars().skip(start).take(end.saturating_sub(start)).collect())
}

pub(super) fn substring_before(given: &Given<'_, '_>) -> Outcome<Value> {
    cut(given, |text, at, _| text[..at].to_owned())
}

pub(super) fn substring_after(given: &Given<'_, '_>) -> Outcome<Value> {
    cut(given, |text, at, len| text[at + len..].to_owned())
}

fn cut(given: &Given<'_, '_>, cut: fn(&str, usize, usize) -> String) -> Outcome<Value> {
    let (Some(text), Some(mark)) = (given.text(0), given.text(1)) else { return Ok(given.value(0).clone()) };
    given.budget().scan(text.len())?;
    match text.find(&**mark) {
        Some(at) => given.make(cut(text, at, mark.len())),
        None => Ok(given.value(0).clone()),
    }
}

pub(super) fn lowercase(given: &Given<'_, '_>) -> Outcome<Value> {
    given.text(0).map_or(Ok(Value::Undefined), |text| given.make(text.to_lowercase()))
}

pub(super) fn uppercase(given: &Given<'_, '_>) -> Outcome<Value> {
    given.text(0).map_or(Ok(Value::Undefined), |text| given.make(text.to_uppercase()))
}

pub(super) fn length(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    given.budget().scan(text.len())?;
    Ok(Value::count(text.chars().count()))
}

pub(super) fn trim(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    let mut words = text.split([' ', '\t', '\n', '\r']).filter(|word| !word.is_empty());
    let mut trimmed = words.next().unwrap_or_default().to_owned();
    for word in words {
        trimmed.push(' ');
        trimmed.push_str(word);
    }
    given.make(trimmed)
}

pub(super) fn pad(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    let width = given.number(1).unwrap_or_default();
    let sign = given.text(2).filter(|sign| !sign.is_empty()).map_or(" ".into(), ToString::to_string);
    given.budget().scan(text.len())?;
    let missing = width.abs() - text.chars().count() as f64;
    if missing.is_nan() || missing <= 0.0 {
        return Ok(given.value(0).clone());
    }
    if missing > given.budget().limits.text_bytes_max as f64 {
        return Err(Error::memory());
    }
    let padding: String = sign.chars().cycle().take(missing as usize).collect();
    given.make(if width > 0.0 { format!("{}{padding}", &**text) } else { format!("{padding}{}", &**text) })
}

/// A match, as a regular expression or a function in its place gives it.
struct Found {
    matched: String,
    start: f64,
    end: f64,
    groups: Value,
    next: Value,
    object: Value,
}

fn search(given: &Given<'_, '_>, matcher: &Value, arguments: Vec<Value>) -> Outcome<Option<Found>> {
    let found = given.run.call_back(matcher, arguments)?;
    let object = match &found {
        Value::Undefined => return Ok(None),
        Value::Object(object) => object.clone(),
        _ => return Err(Error::plain("T1010")),
    };
    let number = |key: &str| object.get(key).and_then(|value| value.as_f64());
    let groups = object.get("groups").unwrap_or(Value::Undefined);
    let next = object.get("next").unwrap_or(Value::Undefined);
    let (start, end) = (number("start"), number("end"));
    if start.is_none() && end.is_none() && groups.kind() != Type::Array && next.kind() != Type::Function {
        return Err(Error::plain("T1010"));
    }
    let matched = object.get("match").and_then(|value| value.as_text().map(ToString::to_string)).unwrap_or_default();
    let (start, end) = (start.unwrap_or_default(), end.unwrap_or_default());
    Ok(Some(Found { matched, start, end, groups, next, object: found }))
}

/// Byte offset of a place counted in UTF-16 units. Places are asked for in rising order.
struct Units<'t> {
    text: &'t str,
    units: usize,
    bytes: usize,
}

impl Units<'_> {
    fn byte(&mut self, place: f64) -> usize {
        let place = place.max(0.0) as usize;
        while self.units < place {
            let Some(sign) = self.text[self.bytes..].chars().next() else { break };
            self.units += sign.len_utf16();
            self.bytes += sign.len_utf8();
        }
        self.bytes
    }
}

pub(super) fn matches(given: &Given<'_, '_>) -> Outcome<Value> {
    if !given.has(0) {
        return Ok(Value::Undefined);
    }
    let limit = limit(given, 2, "D3040")?;
    let mut results = Builder::new(given.budget())?;
    if limit > 0.0 {
        let mut found = search(given, given.value(1), vec![given.value(0).clone()])?;
        while let Some(one) = found.filter(|_| (results.len() as f64) < limit) {
            let Value::Object(object) = &one.object else { break };
            let member = |key: &str| Object::get(object, key).unwrap_or(Value::Undefined);
            let mut result = ObjectBuilder::new(given.budget())?;
            result.insert("match".into(), member("match"))?;
            result.insert("index".into(), member("start"))?;
            result.insert("groups".into(), member("groups"))?;
            results.push(result.value()?)?;
            found = search(given, &one.next, Vec::new())?;
        }
    }
    results.sequence()
}

/// How many at most; an error of `code` when negative.
fn limit(given: &Given<'_, '_>, index: usize, code: &'static str) -> Outcome<f64> {
    match given.number(index) {
        Some(limit) if limit < 0.0 => Err(Error::of_value(code, text::number(limit))),
        Some(limit) => Ok(limit),
        None => Ok(f64::INFINITY),
    }
}

pub(super) fn contains(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    given.budget().scan(text.len())?;
    Ok(Value::Bool(match given.value(1) {
        Value::Text(part) => text.contains(&**part),
        matcher => search(given, matcher, vec![given.value(0).clone()])?.is_some(),
    }))
}

pub(super) fn replace(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    if given.text(1).is_some_and(|pattern| pattern.is_empty()) {
        return Err(Error::plain("D3010"));
    }
    let limit = limit(given, 3, "D3011")?;
    given.budget().scan(text.len())?;
    let mut result = String::new();
    let mut count = 0.0;
    let room = given.budget().limits.text_bytes_max;
    let add = |result: &mut String, part: &str| {
        if result.len() + part.len() > room {
            return Err(Error::memory());
        }
        result.push_str(part);
        Ok(())
    };
    if let Some(pattern) = given.text(1) {
        let replacement = given.text(2).map(ToString::to_string).unwrap_or_default();
        let mut rest: &str = text;
        while let Some(at) = rest.find(&**pattern).filter(|_| count < limit) {
            given.budget().step(1)?;
            add(&mut result, &rest[..at])?;
            add(&mut result, &replacement)?;
            rest = &rest[at + pattern.len()..];
            count += 1.0;
        }
        add(&mut result, rest)?;
        return given.make(result);
    }
    let mut done = 0;
    let mut units = Units { text, units: 0, bytes: 0 };
    let mut found = if limit > 0.0 { search(given, given.value(1), vec![given.value(0).clone()])? } else { None };
    while let Some(one) = found.filter(|_| count < limit) {
        let start = units.byte(one.start);
        add(&mut result, text.get(done..start).unwrap_or_default())?;
        add(&mut result, &substitute(given, &one)?)?;
        done = (start + one.matched.len()).min(text.len());
        count += 1.0;
        found = search(given, &one.next, Vec::new())?;
    }
    add(&mut result, text.get(done..).unwrap_or_default())?;
    given.make(result)
}

/// What takes a match's place: a text with `$0`, `$1`, … in it, or what a function says.
fn substitute(given: &Given<'_, '_>, found: &Found) -> Outcome<String> {
    let Some(replacement) = given.text(2) else {
        return match given.run.call_back(given.value(2), vec![found.object.clone()])? {
            Value::Text(text) => Ok(text.to_string()),
            other => Err(Error::of_value("D3012", other.shown())),
        };
    };
    let groups = match &found.groups {
        Value::Array(groups) => groups.iter().collect(),
        _ => Vec::new(),
    };
    let mut text = String::new();
    let mut rest: &str = replacement;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            text.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('0') {
            text.push_str(&found.matched);
            rest = after;
        } else {
            match group_number(rest, groups.len()) {
                Some((number, len)) => {
                    if let Some(Value::Text(group)) = groups.get(number.wrapping_sub(1)) {
                        text.push_str(group);
                    }
                    rest = &rest[len..];
                }
                None => text.push('$'),
            }
        }
    }
    text.push_str(rest);
    Ok(text)
}

/// The number of a group and how many digits it has: as many as there can be, one less where that is too many.
fn group_number(text: &str, groups: usize) -> Option<(usize, usize)> {
    let digits_max = groups.max(1).to_string().len();
    let digits = text.bytes().take(digits_max).take_while(u8::is_ascii_digit).count();
    let number = |digits: usize| text[..digits].parse::<usize>().ok();
    let mut found = number(digits)?;
    if digits_max > 1 && found > groups {
        found = number(digits.min(digits_max - 1))?;
    }
    Some((found, found.to_string().len()))
}

pub(super) fn split(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    let limit = limit(given, 2, "D3020")?;
    given.budget().scan(text.len())?;
    let mut parts = Builder::new(given.budget())?;
    let mut add = |part: &str| {
        given.budget().step(1)?;
        parts.push(Value::text(given.budget(), part.to_owned())?)
    };
    let count_max = if limit.is_finite() { limit.ceil() as usize } else { usize::MAX };
    if let Some(separator) = given.text(1) {
        if separator.is_empty() {
            for sign in text.chars().take(count_max) {
                add(sign.encode_utf8(&mut [0; 4]))?;
            }
        } else {
            for part in text.split(&**separator).take(limit.trunc().min(1e15) as usize) {
                add(part)?;
            }
        }
        return parts.value();
    }
    if limit > 0.0 {
        let (mut done, mut count) = (0, 0);
        let mut units = Units { text, units: 0, bytes: 0 };
        let mut found = search(given, given.value(1), vec![given.value(0).clone()])?;
        while let Some(one) = found.filter(|_| count < count_max) {
            let start = units.byte(one.start);
            add(text.get(done..start).unwrap_or_default())?;
            done = units.byte(one.end);
            count += 1;
            found = search(given, &one.next, Vec::new())?;
        }
        if count < count_max {
            add(text.get(done..).unwrap_or_default())?;
        }
    }
    parts.value()
}

pub(super) fn join(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(array) = given.array(0) else { return Ok(Value::Undefined) };
    let separator = given.text(1).map(ToString::to_string).unwrap_or_default();
    let mut joined = String::new();
    for (index, item) in array.iter().enumerate() {
        given.budget().step(1)?;
        if index > 0 {
            joined.push_str(&separator);
        }
        joined.push_str(item.as_text().map_or("", |text| text));
        if joined.len() > given.budget().limits.text_bytes_max {
            return Err(Error::memory());
        }
    }
    given.make(joined)
}

pub(super) fn base64_encode(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    if text.len() > given.budget().limits.text_bytes_max / 4 * 3 {
        return Err(Error::memory());
    }
    // JavaScript's `btoa` takes the low byte of each unit.
    let bytes: Vec<u8> = text.encode_utf16().map(|unit| unit as u8).collect();
    given.make(STANDARD.encode(bytes))
}

pub(super) fn base64_decode(given: &Given<'_, '_>) -> Outcome<Value> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    let known: String = text
        .chars()
        .map(|sign| match sign {
            '-' => '+',
            '_' => '/',
            sign => sign,
        })
        .filter(|sign| sign.is_ascii_alphanumeric() || matches!(sign, '+' | '/'))
        .collect();
    // A sign that is left over says nothing.
    let whole = if known.len() % 4 == 1 { &known[..known.len() - 1] } else { &known };
    let bytes = LENIENT.decode(whole).unwrap_or_default();
    given.make(bytes.into_iter().map(char::from).collect())
}

const COMPONENT_KEPT: &str = "-_.!~*'()";
const URL_KEPT: &str = "-_.!~*'();/?:@&=+$,#";

pub(super) fn encode_url_component(given: &Given<'_, '_>) -> Outcome<Value> {
    encode(given, COMPONENT_KEPT, "encodeUrlComponent")
}

pub(super) fn encode_url(given: &Given<'_, '_>) -> Outcome<Value> {
    encode(given, URL_KEPT, "encodeUrl")
}

pub(super) fn decode_url_component(given: &Given<'_, '_>) -> Outcome<Value> {
    decode(given, "", "decodeUrlComponent")
}

pub(super) fn decode_url(given: &Given<'_, '_>) -> Outcome<Value> {
    decode(given, ";/?:@&=+$,#", "decodeUrl")
}

fn encode(given: &Given<'_, '_>, kept: &str, name: &str) -> Outcome<Value> {
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    // Half of a pair has become this; it has no place in a URL.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(malformed(text, name));
    }
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if encoded.len() > given.budget().limits.text_bytes_max {
            return Err(Error::memory());
        }
        let sign = char::from(byte);
        if sign.is_ascii_alphanumeric() || kept.contains(sign) {
            encoded.push(sign);
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes everything");
        }
    }
    given.make(encoded)
}

/// `kept` stays encoded.
fn decode(given: &Given<'_, '_>, kept: &str, name: &str) -> Outcome<Value> {
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or_else(|| malformed(text, name))?;
        if byte.is_ascii() && kept.contains(char::from(byte)) {
            bytes.push(b'%');
        } else {
            bytes.push(byte);
            rest = &after[2..];
        }
    }
    match String::from_utf8(bytes) {
        Ok(decoded) => given.make(decoded),
        Err(_) => Err(malformed(text, name)),
    }
}

fn malformed(text: &str, name: &str) -> Box<Error> {
    let details = Details { token: Some(name.to_owned()), value: Some(quoted(text)), ..Details::default() };
    Error::with("D3140", details)
}
