//! Values as texts, the way JavaScript writes them.

use std::fmt::Write;

use super::error::{Error, Outcome};
use super::value::{Value, float};

/// A number as `String(number)` writes it.
pub(super) fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-6..21).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{}", exponent.abs())
}

/// The number with fifteen digits, as `$string` gives it.
fn rounded(value: f64) -> f64 {
    format!("{value:.14e}").parse().unwrap_or(value)
}

/// `value` as JSON text with numbers of fifteen digits; functions are empty texts. `indent` writes it over several
/// lines; nothing beyond `bytes_max` is written.
pub(super) fn write(
    text: &mut String,
    value: &Value,
    indent: Option<usize>,
    level: usize,
    bytes_max: usize,
) -> Outcome<()> {
    match value {
        Value::Undefined | Value::Null | Value::Tuples(_) => text.push_str("null"),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Number(whole) if !whole.is_f64() => write!(text, "{whole}").expect("a String takes everything"),
        Value::Number(value) => text.push_str(&number(rounded(float(value)))),
        Value::NonFinite(_) => {
            value.numeric()?;
            text.push_str("null");
        }
        Value::Text(inner) => quote(text, inner),
        Value::Function(_) => text.push_str("\"\""),
        Value::Array(array) => {
            let array = match array.get(0) {
                Some(Value::Array(inner)) if array.outer => inner,
                _ => array.clone(),
            };
            text.push('[');
            let mut first = true;
            for item in array.iter() {
                separate(text, &mut first, indent, level + 1);
                write(text, &item, indent, level + 1, bytes_max)?;
            }
            close(text, ']', first, indent, level);
        }
        Value::Object(object) => {
            text.push('{');
            let mut first = true;
            for (key, value) in object.iter().filter(|(_, value)| !value.is_undefined()) {
                separate(text, &mut first, indent, level + 1);
                quote(text, &key);
                text.push_str(if indent.is_some() { ": " } else { ":" });
                write(text, &value, indent, level + 1, bytes_max)?;
            }
            close(text, '}', first, indent, level);
        }
    }
    if text.len() > bytes_max {
        return Err(Error::memory());
    }
    Ok(())
}

fn separate(text: &mut String, first: &mut bool, indent: Option<usize>, level: usize) {
    if !std::mem::take(first) {
        text.push(',');
    }
    line(text, indent, level);
}

fn close(text: &mut String, bracket: char, empty: bool, indent: Option<usize>, level: usize) {
    if !empty {
        line(text, indent, level);
    }
    text.push(bracket);
}

fn line(text: &mut String, indent: Option<usize>, level: usize) {
    if let Some(indent) = indent {
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', indent * level));
    }
}

fn quote(text: &mut String, inner: &str) {
    text.push('"');
    for sign in inner.chars() {
        match sign {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\0'..='\u{1f}' => write!(text, "\\u{:04x}", u32::from(sign)).expect("a String takes everything"),
            sign => text.push(sign),
        }
    }
    text.push('"');
}
