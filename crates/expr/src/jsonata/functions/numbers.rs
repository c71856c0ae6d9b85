//! Functions of numbers.

use super::super::error::{Details, Error, Outcome};
use super::super::text;
use super::super::value::Value;
use super::Given;

fn all(given: &Given<'_, '_>) -> Outcome<Option<Vec<f64>>> {
    let Some(array) = given.array(0) else { return Ok(None) };
    given.budget().step(array.len())?;
    let _charge = given.budget().charge(8 * array.len())?;
    Ok(Some(array.iter().filter_map(|item| item.as_f64()).collect()))
}

pub(super) fn sum(given: &Given<'_, '_>) -> Outcome<Value> {
    Ok(all(given)?
        .map_or(Value::Undefined, |numbers| Value::number(numbers.iter().fold(0.0, |sum, number| sum + number))))
}

pub(super) fn max(given: &Given<'_, '_>) -> Outcome<Value> {
    Ok(all(given)?.and_then(|numbers| numbers.into_iter().reduce(f64::max)).map_or(Value::Undefined, Value::number))
}

pub(super) fn min(given: &Given<'_, '_>) -> Outcome<Value> {
    Ok(all(given)?.and_then(|numbers| numbers.into_iter().reduce(f64::min)).map_or(Value::Undefined, Value::number))
}

pub(super) fn average(given: &Given<'_, '_>) -> Outcome<Value> {
    Ok(match all(given)? {
        Some(numbers) if !numbers.is_empty() => {
            Value::number(numbers.iter().fold(0.0, |sum, number| sum + number) / numbers.len() as f64)
        }
        _ => Value::Undefined,
    })
}

pub(super) fn number(given: &Given<'_, '_>) -> Outcome<Value> {
    match given.value(0) {
        Value::Undefined => Ok(Value::Undefined),
        number @ (Value::Number(_) | Value::NonFinite(_)) => Ok(number.clone()),
        Value::Bool(truth) => Ok(Value::count(usize::from(*truth))),
        Value::Text(text) => read(text).ok_or_else(|| Error::of_value("D3030", given.value(0).shown())),
        other => Err(Error::of_value("D3030", other.shown())),
    }
}

/// A number as the language or, with a prefix, JavaScript writes it.
fn read(text: &str) -> Option<Value> {
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return u64::from_str_radix(digits, radix)
                .ok()
                .filter(|_| !digits.starts_with('+'))
                .map(|number| Value::number(number as f64));
        }
    }
    let plain = text.strip_prefix('-').unwrap_or(text);
    let shaped = plain.starts_with(|sign: char| sign.is_ascii_digit())
        && plain.ends_with(|sign: char| sign.is_ascii_digit())
        && !plain.contains(".e")
        && !plain.contains(".E")
        && plain.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    if !shaped {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::Number(whole.into()));
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::number)
}

fn apply(given: &Given<'_, '_>, apply: impl Fn(f64) -> f64) -> Outcome<Value> {
    // A whole number that is too long for a float is already what rounding would make of it.
    match given.value(0) {
        Value::Number(number) if number.as_i64().is_some_and(|number| number > 1 << 53) => Ok(given.value(0).clone()),
        value => Ok(value.as_f64().map_or(Value::Undefined, |number| Value::number(apply(number)))),
    }
}

pub(super) fn abs(given: &Given<'_, '_>) -> Outcome<Value> {
    apply(given, f64::abs)
}

pub(super) fn floor(given: &Given<'_, '_>) -> Outcome<Value> {
    apply(given, f64::floor)
}

pub(super) fn ceil(given: &Given<'_, '_>) -> Outcome<Value> {
    apply(given, f64::ceil)
}

pub(super) fn round(given: &Given<'_, '_>) -> Outcome<Value> {
    let precision = given.number(1).unwrap_or_default();
    apply(given, |number| rounded(number, precision))
}

/// Half goes to the even neighbour. The digits of the text are moved, so that 4.515 with two digits is 4.52.
pub(super) fn rounded(number: f64, precision: f64) -> f64 {
    let moved = move_point(number, precision);
    // As `Math.round`: half up.
    let mut whole = (moved + 0.5).floor();
    if (whole - moved).abs() == 0.5 && (whole % 2.0).abs() == 1.0 {
        whole -= 1.0;
    }
    move_point(whole, -precision) + 0.0
}

fn move_point(number: f64, places: f64) -> f64 {
    if places == 0.0 || !number.is_finite() {
        return number;
    }
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent = exponent.parse::<f64>().unwrap_or_default() + places.trunc();
    format!("{mantissa}e{exponent}").parse().unwrap_or(f64::NAN)
}

pub(super) fn sqrt(given: &Given<'_, '_>) -> Outcome<Value> {
    match given.number(0) {
        Some(number) if number < 0.0 => Err(Error::of_value("D3060", text::number(number))),
        Some(number) => Ok(Value::number(number.sqrt())),
        None => Ok(Value::Undefined),
    }
}

pub(super) fn power(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(base) = given.number(0) else { return Ok(Value::Undefined) };
    let exponent = given.number(1).unwrap_or(f64::NAN);
    let result = base.powf(exponent);
    if result.is_finite() {
        return Ok(Value::number(result));
    }
    let (value, value2) = (Some(text::number(base)), Some(text::number(exponent)));
    Err(Error::with("D3061", Details { value, value2, ..Details::default() }))
}

pub(super) fn format_base(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(number) = given.number(0) else { return Ok(Value::Undefined) };
    let (number, radix) = (rounded(number, 0.0), given.number(1).map_or(10.0, |radix| rounded(radix, 0.0)));
    if !(2.0..=36.0).contains(&radix) {
        return Err(Error::of_value("D3100", text::number(radix)));
    }
    if radix == 10.0 || number.abs() >= 1e18 {
        return given.make(text::number(number));
    }
    let (mut rest, radix) = (number.abs() as u64, radix as u32);
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit((rest % u64::from(radix)) as u32, radix).unwrap_or('0'));
        rest /= u64::from(radix);
        if rest == 0 {
            break;
        }
    }
    if number < 0.0 {
        digits.push('-');
    }
    given.make(digits.into_iter().rev().collect())
}
