//! What a state makes of its input: `InputPath`, `Parameters`, `ResultSelector`, `ResultPath`, `OutputPath`.
//!
//! Pure functions from values to values. The failure is the text of a `States.Runtime`'s cause, without the words
//! in front that name the state; where JSONata has a part in it, a [`Fault`].

use std::sync::Arc;

use asl::{CatchOutput, FailText, Items, Jsonata, MachineTimeout, Payload, ResultPath, Seconds, Select, Until};
use base::{Json, Timestamp, limits};
use expr::jsonata::Kind;
use expr::{Scope, Template};

use crate::event::Failure;

/// Why there is no value: the text of a cause, without the words in front that name the state.
pub(crate) enum Fault {
    /// A `States.Runtime`.
    Runtime(String),
    /// A `States.QueryEvaluationError`; `location` is the field whose value it is, as `Output/list[0]`.
    Query { text: String, location: Option<String> },
}

impl Fault {
    /// Of a JSONata field.
    pub(crate) fn at(field: &str, text: String) -> Fault {
        Fault::Query { text, location: Some(field.to_owned()) }
    }
}

impl From<expr::jsonata::Fault> for Fault {
    fn from(fault: expr::jsonata::Fault) -> Fault {
        Fault::Query { text: fault.text, location: fault.location }
    }
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

/// What a field of a JSONata state gives; `field` says where it stands.
pub(crate) fn evaluate(value: &Jsonata, field: &str, scope: &dyn Scope) -> Result<Json, Fault> {
    value.eval(field, scope).map_err(Fault::from)
}

/// The same, where only one type will do.
pub(crate) fn evaluate_as(value: &Jsonata, field: &str, kind: Kind, scope: &dyn Scope) -> Result<Json, Fault> {
    value.eval_as(field, kind, scope).map_err(Fault::from)
}

/// `Parameters`, `Arguments` and the like, of the field named `field`; `$`, or the state's input, where there are none.
pub(crate) fn payload(payload: Option<&Payload>, field: &str, scope: &dyn Scope) -> Result<Json, Fault> {
    match payload {
        Some(Payload::JsonPath(template)) => Ok(fill(Some(template), scope)?),
        Some(Payload::Jsonata(value)) => evaluate(value, field, scope),
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

/// A failure as a catcher sees it.
pub(crate) fn error_output(failure: &Failure) -> Json {
    let members = [("Error", &failure.error), ("Cause", &failure.cause)];
    Json::object(members.into_iter().filter_map(|(key, text)| Some((key, Json::from(text.clone()?)))))
}

/// What a state gives that caught an error; `field` is the catcher's `Output`.
pub(crate) fn caught(
    output: &CatchOutput,
    field: &str,
    raw: &Json,
    error: Json,
    scope: &dyn Scope,
) -> Result<Json, Fault> {
    match output {
        CatchOutput::Output(output) => evaluate(output, field, scope),
        CatchOutput::ResultPath(path) => Ok(place(path, raw, error)?),
    }
}

/// `Error` or `Cause` of a Fail state; `field` is its name without `Path`.
pub(crate) fn fail_text(text: &FailText, field: &str, scope: &dyn Scope) -> Result<Arc<str>, Fault> {
    let value = match text {
        FailText::Literal(text) => return Ok(text.clone()),
        FailText::Jsonata(value) => return string(value, field, scope),
        FailText::Path(path) => expr::template::eval_field(path, &format!("{field}Path"), scope),
        FailText::Intrinsic(call) => call.eval(scope),
    };
    match value.map_err(|failure| failure.message)? {
        Json::String(text) => Ok(text),
        other => Ok(other.to_string().into()),
    }
}

/// `TimeoutSeconds` or `HeartbeatSeconds`, in seconds; `field` is its name without `Path`.
pub(crate) fn seconds(seconds: &Seconds, field: &str, scope: &dyn Scope) -> Result<u64, Fault> {
    match seconds {
        Seconds::Literal(seconds) => Ok(*seconds),
        Seconds::Jsonata(value) => positive(value, field, scope),
        Seconds::Path(path) => {
            let value =
                path.eval(scope).map_err(|failure| format!("Invalid path '{}' : {}", path.text(), failure.message))?;
            let path = path.text();
            Err(Fault::Runtime(match value.as_i64() {
                Some(seconds) if seconds > 0 => return Ok(seconds.unsigned_abs().min(limits::TIMEOUT_SECONDS_MAX)),
                Some(_) => {
                    format!("The {field}Path parameter references a value that is not positive: {path} == {value}")
                }
                None => format!("The {field}Path parameter cannot be parsed as a long value: {path} == {value}"),
            }))
        }
    }
}

/// The machine's own `TimeoutSeconds`.
pub(crate) fn machine_seconds(timeout: &MachineTimeout, scope: &dyn Scope) -> Result<u64, Fault> {
    match timeout {
        MachineTimeout::Literal(seconds) => Ok(*seconds),
        MachineTimeout::Jsonata(value) => positive(value, "TimeoutSeconds", scope),
    }
}

fn positive(value: &Jsonata, field: &str, scope: &dyn Scope) -> Result<u64, Fault> {
    match whole(value, field, scope)? {
        0 => Err(Fault::at(field, format!("The value of the field '{field}' has to be positive, but was: 0"))),
        seconds => Ok(seconds.min(limits::TIMEOUT_SECONDS_MAX)),
    }
}

/// A number that is not negative and has no fraction.
pub(crate) fn whole(value: &Jsonata, field: &str, scope: &dyn Scope) -> Result<u64, Fault> {
    let number = number(value, field, scope)?;
    let whole = number.as_i64().and_then(|number| u64::try_from(number).ok());
    whole.ok_or_else(|| {
        Fault::at(
            field,
            format!(
                "The value of the field '{field}' has to be a whole number that is not negative, but was: {number}"
            ),
        )
    })
}

/// A number of any kind.
pub(crate) fn number(value: &Jsonata, field: &str, scope: &dyn Scope) -> Result<Json, Fault> {
    evaluate_as(value, field, Kind::Number, scope)
}

fn string(value: &Jsonata, field: &str, scope: &dyn Scope) -> Result<Arc<str>, Fault> {
    match evaluate_as(value, field, Kind::String, scope)? {
        Json::String(text) => Ok(text),
        other => Ok(other.to_string().into()),
    }
}

/// When a Wait state ends.
pub(crate) fn wait_until(until: &Until, now: Timestamp, scope: &dyn Scope) -> Result<Timestamp, Fault> {
    let after = |seconds: u64| now.plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
    let due = match until {
        Until::Seconds(seconds) => after(*seconds),
        Until::SecondsJsonata(value) => after(whole(value, "Seconds", scope)?),
        Until::Timestamp(at) => *at,
        Until::TimestampJsonata(value) => {
            let text = string(value, "Timestamp", scope)?;
            Timestamp::parse_rfc3339(&text).ok_or_else(|| {
                let why = "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string";
                Fault::at("Timestamp", format!("{why}: {text}"))
            })?
        }
        Until::SecondsPath(path) => {
            let value = path
                .eval(scope)
                .map_err(|_| format!("The SecondsPath parameter does not reference an input value: {}", path.text()))?;
            match value.as_i64() {
                None => {
                    return Err(Fault::Runtime(format!(
                        "The SecondsPath parameter cannot be parsed as a long value: {} == {}",
                        path.text(),
                        bare(&value)
                    )));
                }
                Some(seconds) if seconds < 0 => {
                    return Err(Fault::Runtime(format!(
                        "The SecondsPath parameter references a negative value: {} == {seconds}",
                        path.text()
                    )));
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
        return Err(Fault::Runtime("Wait state delay is too long.".to_owned()));
    }
    Ok(due)
}

/// A string without its quotes, anything else as JSON.
pub(crate) fn bare(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The items of a Map: an array.
pub(crate) fn items(items: &Items, scope: &dyn Scope) -> Result<Json, Fault> {
    let (value, text) = match items {
        Items::Jsonata(Some(items)) => return evaluate_as(items, "Items", Kind::Array, scope),
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

/// What a Map in distributed mode iterates over: an array, or an object, whose members are its items.
pub(crate) fn items_or_members(items: &Items, scope: &dyn Scope) -> Result<Json, Fault> {
    let value = match items {
        Items::Jsonata(Some(items)) => match evaluate(items, "Items", scope)? {
            members @ Json::Object(_) => return Ok(members),
            other => return items.expect(other, "Items", Kind::Array).map_err(Fault::from),
        },
        Items::Jsonata(None) | Items::JsonPath(None) => Some(scope.input().clone()),
        Items::JsonPath(Some(path)) => path.eval(scope).ok(),
    };
    match value {
        Some(members @ Json::Object(_)) => Ok(members),
        _ => self::items(items, scope),
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
pub(crate) fn condition(condition: &Jsonata, index: usize, scope: &dyn Scope) -> Result<bool, Fault> {
    let holds = evaluate_as(condition, &format!("Choices[{index}]/Condition"), Kind::Boolean, scope)?;
    Ok(holds.as_bool() == Some(true))
}
