//! What a state makes of its input: `InputPath`, `Parameters`, `ResultSelector`, `ResultPath`, `OutputPath`.
//!
//! Pure functions from values to values. The failure is the text of a `States.Runtime`'s cause, without the words
//! in front that name the state; where JSONata has a part in it, a [`Fault`].

use asl::{CatchOutput, FailText, Items, Jsonata, MachineTimeout, Payload, ResultPath, Seconds, Select, Until};
use base::{Json, Timestamp, limits};
use expr::{Scope, Template};

use crate::event::Failure;

/// Why there is no value: the text of a cause, without the words in front that name the state.
pub(crate) enum Fault {
    /// A `States.Runtime`.
    Runtime(String),
    /// A `States.QueryEvaluationError`; `location` is the field whose value it is, as `Output/list[0]`.
    Query { text: String, location: Option<String> },
}

impl From<String> for Fault {
    fn from(text: String) -> Fault {
        Fault::Runtime(text)
    }
}

/// `InputPath` or `OutputPath` applied to `$`.
pub(crate) fn select(select: &Select, scope: &dyn Scope) -> Result<Json, String> {
    match select {
        Select::All => Ok(scope.input().clone()),
        Select::Nothing => Ok(Json::empty_object()),
        Select::Path(path) => {
            path.eval(scope).map_err(|failure| format!("Invalid path '{}' : {}", path.text(), failure.message))
        }
    }
}

/// A template's value, or `$` where there is no template.
pub(crate) fn fill(template: Option<&Template>, scope: &dyn Scope) -> Result<Json, String> {
    match template {
        Some(template) => template.eval(scope).map_err(|failure| failure.message),
        None => Ok(scope.input().clone()),
    }
}

/// What a field of a JSONata state gives.
pub(crate) fn evaluate(value: &Jsonata) -> Json {
    match value {
        Jsonata::Constant(value) => value.clone(),
    }
}

/// `Parameters`, `Arguments` and the like; `$`, or the state's input, where there are none.
pub(crate) fn payload(payload: Option<&Payload>, scope: &dyn Scope) -> Result<Json, String> {
    match payload {
        Some(Payload::JsonPath(template)) => fill(Some(template), scope),
        Some(Payload::Jsonata(value)) => Ok(evaluate(value)),
        None => Ok(scope.input().clone()),
    }
}

/// `ResultPath`: where in the raw input a result goes.
pub(crate) fn place(path: &ResultPath, raw: &Json, result: Json) -> Result<Json, String> {
    match path {
        ResultPath::Replace => Ok(result),
        ResultPath::Discard => Ok(raw.clone()),
        ResultPath::At(path) => path.set(raw, result).map_err(|failure| failure.message),
    }
}

/// What a state gives that caught an error.
pub(crate) fn caught(output: &CatchOutput, raw: &Json, failure: &Failure) -> Result<Json, String> {
    let path = match output {
        CatchOutput::Output(output) => return Ok(evaluate(output)),
        CatchOutput::ResultPath(path) => path,
    };
    let members = [("Error", &failure.error), ("Cause", &failure.cause)];
    let error = Json::object(members.into_iter().filter_map(|(key, text)| Some((key, Json::from(text.clone()?)))));
    place(path, raw, error)
}

/// `Error` and `Cause` of a Fail state.
pub(crate) fn fail_text(text: &FailText, field: &str, scope: &dyn Scope) -> Result<std::sync::Arc<str>, String> {
    let value = match text {
        FailText::Literal(text) => return Ok(text.clone()),
        FailText::Path(path) => expr::template::eval_field(path, field, scope),
        FailText::Intrinsic(call) => call.eval(scope),
        FailText::Jsonata(value) => Ok(evaluate(value)),
    };
    match value.map_err(|failure| failure.message)? {
        Json::String(text) => Ok(text),
        other => Ok(other.to_string().into()),
    }
}

/// `TimeoutSeconds`, `HeartbeatSeconds` and their paths, in seconds; `field` names the path's field.
pub(crate) fn seconds(seconds: &Seconds, field: &str, scope: &dyn Scope) -> Result<u64, String> {
    match seconds {
        Seconds::Literal(seconds) => Ok(*seconds),
        Seconds::Jsonata(value) => whole(&evaluate(value)),
        Seconds::Path(path) => {
            let value =
                path.eval(scope).map_err(|failure| format!("Invalid path '{}' : {}", path.text(), failure.message))?;
            match value.as_i64() {
                Some(seconds) if seconds > 0 => Ok(seconds.unsigned_abs().min(limits::TIMEOUT_SECONDS_MAX)),
                Some(_) => Err(format!(
                    "The {field} parameter references a value that is not positive: {} == {value}",
                    path.text()
                )),
                None => {
                    Err(format!("The {field} parameter cannot be parsed as a long value: {} == {value}", path.text()))
                }
            }
        }
    }
}

/// The machine's own `TimeoutSeconds`.
pub(crate) fn machine_seconds(timeout: &MachineTimeout) -> Option<u64> {
    match timeout {
        MachineTimeout::Literal(seconds) => Some(*seconds),
        MachineTimeout::Jsonata(value) => whole(&evaluate(value)).ok(),
    }
}

/// A number that JSONata gave where an integer is expected.
fn whole(value: &Json) -> Result<u64, String> {
    let number = value.as_i64().and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| format!("Expected 'integer', but was '{}' for value: {value}", kind_name(value)))
}

/// When a Wait state ends.
pub(crate) fn wait_until(until: &Until, now: Timestamp, scope: &dyn Scope) -> Result<Timestamp, String> {
    let due = match until {
        Until::Seconds(seconds) => now.plus_seconds(i64::try_from(*seconds).unwrap_or(i64::MAX)),
        Until::Timestamp(at) => *at,
        Until::SecondsJsonata(value) => now.plus_seconds(i64::try_from(whole(&evaluate(value))?).unwrap_or(i64::MAX)),
        Until::TimestampJsonata(value) => {
            let value = evaluate(value);
            value.as_str().and_then(Timestamp::parse_rfc3339).ok_or_else(|| {
                format!(
                    "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {}",
                    bare(&value)
                )
            })?
        }
        Until::SecondsPath(path) => {
            let value = path
                .eval(scope)
                .map_err(|_| format!("The SecondsPath parameter does not reference an input value: {}", path.text()))?;
            match value.as_i64() {
                None => {
                    return Err(format!(
                        "The SecondsPath parameter cannot be parsed as a long value: {} == {}",
                        path.text(),
                        bare(&value)
                    ));
                }
                Some(seconds) if seconds < 0 => {
                    return Err(format!(
                        "The SecondsPath parameter references a negative value: {} == {seconds}",
                        path.text()
                    ));
                }
                Some(seconds) => now.plus_seconds(seconds),
            }
        }
        Until::TimestampPath(path) => {
            let value = path.eval(scope).map_err(|_| {
                format!("The TimestampPath parameter does not reference an input value: {}", path.text())
            })?;
            value.as_str().and_then(Timestamp::parse_rfc3339).ok_or_else(|| {
                format!(
                    "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: {} == {}",
                    path.text(),
                    bare(&value)
                )
            })?
        }
    };
    const DAY_MS: i64 = 86_400_000;
    if due.0.saturating_sub(now.0) / DAY_MS > limits::WAIT_DAYS_MAX {
        return Err("Wait state delay is too long.".to_owned());
    }
    Ok(due)
}

/// A string without its quotes, anything else as JSON.
fn bare(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// How many iterations of a Map may run at a time; 0 is "as many as may be".
pub(crate) fn concurrency(concurrency: &asl::Concurrency, scope: &dyn Scope) -> Result<u64, String> {
    match concurrency {
        asl::Concurrency::Literal(number) => Ok(*number),
        asl::Concurrency::Jsonata(value) => whole(&evaluate(value)),
        asl::Concurrency::Path(path) => {
            let value =
                path.eval(scope).map_err(|failure| format!("Invalid path '{}' : {}", path.text(), failure.message))?;
            value.as_i64().and_then(|number| u64::try_from(number).ok()).ok_or_else(|| {
                format!(
                    "The MaxConcurrencyPath field refers to value \"{}\" which is not a valid integer: {}",
                    bare(&value),
                    path.text()
                )
            })
        }
    }
}

/// The items of a Map: an array.
pub(crate) fn items(items: &Items, scope: &dyn Scope) -> Result<Json, Fault> {
    let (value, text) = match items {
        Items::Jsonata(Some(items)) => return Ok(evaluate(items)),
        Items::Jsonata(None) => return input_items(scope.input()),
        Items::JsonPath(None) => (scope.input().clone(), "$"),
        Items::JsonPath(Some(path)) => {
            let value =
                path.eval(scope).map_err(|failure| format!("Invalid path '{}' : {}", path.text(), failure.message))?;
            (value, path.text())
        }
    };
    match value {
        Json::Array(_) => Ok(value),
        _ => Err(Fault::Runtime(format!("Reference path \"{text}\" must point to array."))),
    }
}

/// A JSONata Map without `Items` iterates over its input.
fn input_items(input: &Json) -> Result<Json, Fault> {
    match input {
        Json::Array(_) => Ok(input.clone()),
        _ => Err(Fault::Query { text: format!("Map state input must be an array but was: {input}"), location: None }),
    }
}

/// JSONata's `Condition`, of the rule with this index.
pub(crate) fn condition(condition: &Jsonata, index: usize) -> Result<bool, Fault> {
    let value = evaluate(condition);
    value.as_bool().ok_or_else(|| {
        let location = format!("Choices[{index}]/Condition");
        let text = format!(
            "The value of the field '{location}' has an unexpected type. Expected 'boolean', but was '{}' for value: {value}",
            kind_name(&value)
        );
        Fault::Query { text, location: Some(location) }
    })
}

/// As JSONata calls it.
fn kind_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}
