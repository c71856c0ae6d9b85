//! Values as Java prints them, where AWS lets Java print: in `States.Format` and in some causes.

use std::fmt::{self, Write};
use std::ops::Range;

use base::{Json, Number};

/// A value as `String.valueOf` writes it: `{Arg1=1, Arg2=[]}`; strings bare, also inside.
pub(crate) struct Java<'a>(pub(crate) &'a Json);

impl fmt::Display for Java<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Json::Null => f.write_str("null"),
            Json::Bool(truth) => write!(f, "{truth}"),
            Json::Number(number) => write_number(f, number),
            Json::String(text) => f.write_str(text),
            Json::Array(items) => {
                f.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    Java(item).fmt(f)?;
                }
                f.write_char(']')
            }
            Json::Object(members) => {
                f.write_char('{')?;
                for (index, (key, value)) in members.iter().enumerate() {
                    write!(f, "{}{key}=", if index == 0 { "" } else { ", " })?;
                    Java(value).fmt(f)?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_number(f: &mut fmt::Formatter<'_>, number: &Number) -> fmt::Result {
    match number.as_f64() {
        Some(value) if number.is_f64() => write_double(f, value),
        _ => write!(f, "{number}"),
    }
}

/// `Double.toString`: plain from a thousandth up to ten million, with an exponent outside.
fn write_double(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return write!(f, "{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if mantissa.contains('.') => write!(f, "{mantissa}E{exponent}"),
        Some((mantissa, exponent)) => write!(f, "{mantissa}.0E{exponent}"),
        None => f.write_str(&text),
    }
}

/// The class that a value has when Java holds it.
pub(crate) fn class_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "java.lang.Boolean",
        Json::Number(number) if number.is_f64() => "java.lang.Double",
        Json::Number(number) => match number.as_i64() {
            Some(value) if i32::try_from(value).is_ok() => "java.lang.Integer",
            Some(_) => "java.lang.Long",
            None => "java.math.BigInteger",
        },
        Json::String(_) => "java.lang.String",
        Json::Array(_) => "java.util.ArrayList",
        Json::Object(_) => "java.util.LinkedHashMap",
    }
}

/// `java.util.Random`: the generator whose numbers its documentation fixes.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: i64) -> Random {
        Random((seed as u64 ^ 0x5DEECE66D) & ((1 << 48) - 1))
    }

    fn next(&mut self, bits: u32) -> i32 {
        self.0 = self.0.wrapping_mul(0x5DEECE66D).wrapping_add(0xB) & ((1 << 48) - 1);
        (self.0 >> (48 - bits)) as i32
    }

    /// `nextDouble()`: from 0 up to, not including, 1.
    pub(crate) fn next_double(&mut self) -> f64 {
        let high = i64::from(self.next(26)) << 27;
        (high + i64::from(self.next(27))) as f64 / (1u64 << 53) as f64
    }

    /// A number of a range that is not empty and lies within the `int`s.
    pub(crate) fn next_in(&mut self, range: Range<i64>) -> i64 {
        if let Ok(bound) = i32::try_from(range.end - range.start) {
            return range.start + i64::from(self.next_int(bound));
        }
        // Wider than half of all `int`s, so that every second try hits.
        loop {
            let value = i64::from(self.next(32));
            if range.contains(&value) {
                return value;
            }
        }
    }

    /// `nextInt(bound)`: from 0 up to, not including, `bound`, which must be positive.
    fn next_int(&mut self, bound: i32) -> i32 {
        if bound & (bound - 1) == 0 {
            return ((i64::from(bound) * i64::from(self.next(31))) >> 31) as i32;
        }
        loop {
            let bits = self.next(31);
            let value = bits % bound;
            // The last, incomplete run of `bound` values would favour the small ones.
            if bits.checked_sub(value).and_then(|base| base.checked_add(bound - 1)).is_some() {
                return value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_java_does() {
        for (json, java) in [
            (r#"{"Arg1":1,"Arg2":[]}"#, "{Arg1=1, Arg2=[]}"),
            (r#"["a",null,true,1.1]"#, "[a, null, true, 1.1]"),
            ("10000000.0", "1.0E7"),
            ("12345678.9", "1.23456789E7"),
            ("9999999.5", "9999999.5"),
            ("0.001", "0.001"),
            ("0.0001", "1.0E-4"),
            ("-2.0", "-2.0"),
            ("12345678901", "12345678901"),
        ] {
            assert_eq!(Java(&Json::parse(json).expect("valid")).to_string(), java);
        }
    }

    #[test]
    fn random_gives_the_numbers_that_java_gives() {
        // The first three of `new Random(42).nextInt()`.
        let mut random = Random::new(42);
        assert_eq!([random.next(32), random.next(32), random.next(32)], [-1170105035, 234785527, -1360544799]);
    }
}
