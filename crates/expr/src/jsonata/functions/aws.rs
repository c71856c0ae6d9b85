//! What AWS adds to the language, and chance. (Step Functions Developer Guide, "Transforming data with JSONata")

use base::Json;

use super::super::error::{Error, Outcome, quoted};
use super::super::value::{Array, Builder, Value};
use super::Given;
use crate::intrinsic::digest;
use crate::java::Random;

/// With a seed the number that `new java.util.Random(seed).nextDouble()` gives.
pub(super) fn random(given: &Given<'_, '_>) -> Outcome<Value> {
    Ok(Value::number(match given.number(0) {
        Some(seed) => Random::new(seed as i64).next_double(),
        None => (given.run.world.chance() >> 11) as f64 / (1u64 << 53) as f64,
    }))
}

pub(super) fn uuid(given: &Given<'_, '_>) -> Outcome<Value> {
    let (high, low) = (given.run.world.chance(), given.run.world.chance());
    given.make(base::Id((u128::from(high) << 64) | u128::from(low)).to_uuid())
}

/// The array in pieces of so many; the last may be shorter.
pub(super) fn partition(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(array) = given.array(0) else { return Ok(Value::Undefined) };
    let size = given.number(1).unwrap_or_default().floor();
    if size < 1.0 {
        return Err(Error::limit(format!(
            "The chunk size of the partition function must be positive. It was given {size}"
        )));
    }
    let size = size.min(1e15) as usize;
    let mut pieces = Builder::new(given.budget())?;
    let mut piece = Builder::new(given.budget())?;
    given.budget().step(array.len())?;
    for item in array.iter() {
        piece.push(item)?;
        if piece.len() == size {
            pieces.push(std::mem::replace(&mut piece, Builder::new(given.budget())?).value()?)?;
        }
    }
    if piece.len() > 0 {
        pieces.push(piece.value()?)?;
    }
    pieces.value()
}

/// From the first to the last, which may be met, by steps.
pub(super) fn range(given: &Given<'_, '_>) -> Outcome<Value> {
    let whole = |index| given.number(index).map(f64::trunc);
    let (Some(start), Some(end), Some(step)) = (whole(0), whole(1), whole(2)) else { return Ok(Value::Undefined) };
    if step == 0.0 {
        return Err(Error::limit("The step of the range function must not be 0".to_owned()));
    }
    let count = ((end - start) / step).floor() + 1.0;
    if count > given.budget().limits.range_max as f64 {
        return Err(Error::memory());
    }
    if count < 1.0 || count.is_nan() {
        return Ok(Value::Array(Array::empty()));
    }
    if step == 1.0 && start.abs() < 9e15 {
        return Ok(Value::Array(Array::range(start as i64, count as usize)));
    }
    let mut items = Builder::new(given.budget())?;
    given.budget().step(count as usize)?;
    for index in 0..count as usize {
        items.push(Value::number(start + step * index as f64))?;
    }
    items.value()
}

pub(super) fn hash(given: &Given<'_, '_>) -> Outcome<Value> {
    let data = match given.value(0) {
        Value::Undefined => return Ok(Value::Undefined),
        value => given.run.to_text(value, None)?,
    };
    let Some(algorithm) = given.text(1) else { return Ok(Value::Undefined) };
    given.budget().scan(8 * data.len())?;
    match digest(data.as_bytes(), algorithm) {
        Some(text) => given.make(text),
        None => {
            let text = format!("{} is not one of MD5, SHA-1, SHA-256, SHA-384, SHA-512", quoted(algorithm));
            Err(Error::limit(text))
        }
    }
}

/// The value of a JSON text.
pub(super) fn parse(given: &Given<'_, '_>) -> Outcome<Value> {
    let Some(text) = given.text(0) else { return Ok(Value::Undefined) };
    given.budget().scan(8 * text.len())?;
    // What a text's values take at the most is a few dozen times the text.
    let _charge = given.budget().charge(24 * text.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count())?;
    match Json::parse(text) {
        Ok(json) => Ok(Value::json(&json)),
        Err(error) => Err(Error::limit(format!("Unable to parse JSON: {error}"))),
    }
}
