//! What a request must look like, as tables, and AWS's words for one that does not.
//!
//! A member of the wrong JSON type is a `SerializationException`; the first one ends the reading. One that breaks
//! constraints is a `ValidationException`, and all such are told at once.

use std::fmt::Write;

use base::Json;

use crate::error::Error;
use crate::value::{Members, Value};
use crate::write::in_tasks;

/// One member of a structure.
#[derive(Debug)]
pub(crate) struct Member {
    pub name: &'static str,
    pub required: bool,
    pub shape: Shape,
}

#[derive(Debug)]
pub(crate) enum Shape {
    Text(Text),
    /// In the order in which AWS tells them.
    Enum(&'static [&'static str]),
    Integer {
        min: i64,
        max: i64,
    },
    Boolean,
    List {
        of: &'static Shape,
        min: usize,
        max: usize,
    },
    /// Keys are texts.
    Map(&'static Shape),
    Structure(&'static [Member]),
    /// A structure whose type AWS names when it tells a value of it.
    Record {
        name: &'static str,
        members: &'static [Member],
    },
}

/// Lengths count characters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    pub min: usize,
    pub max: usize,
    pub pattern: Option<Pattern>,
    /// Not shown in errors.
    pub sensitive: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Pattern {
    /// The regular expression as AWS tells it.
    pub text: &'static str,
    pub holds: fn(&str) -> bool,
}

pub(crate) const fn required(name: &'static str, shape: Shape) -> Member {
    Member { name, required: true, shape }
}

pub(crate) const fn optional(name: &'static str, shape: Shape) -> Member {
    Member { name, required: false, shape }
}

pub(crate) const fn text(min: usize, max: usize) -> Shape {
    Shape::Text(Text { min, max, pattern: None, sensitive: false })
}

pub(crate) const fn sensitive(min: usize, max: usize) -> Shape {
    Shape::Text(Text { min, max, pattern: None, sensitive: true })
}

pub(crate) const fn pattern(min: usize, max: usize, text: &'static str, holds: fn(&str) -> bool) -> Shape {
    Shape::Text(Text { min, max, pattern: Some(Pattern { text, holds }), sensitive: false })
}

pub(crate) const fn list(of: &'static Shape, min: usize, max: usize) -> Shape {
    Shape::List { of, min, max }
}

pub(crate) const ANY_TEXT: Shape = text(0, usize::MAX);

/// Checks a request's members.
pub(crate) fn check(members: &[Member], given: &Members<'_>) -> Result<(), Error> {
    check_types(members, given)?;
    let mut faults = Vec::new();
    check_members(members, given, "", &mut faults);
    match faults.len() {
        0 => Ok(()),
        1 => Err(Error::validation(format!("1 validation error detected: {}", faults[0]))),
        count => Err(Error::validation(format!("{count} validation errors detected: {}", faults.join("; ")))),
    }
}

fn find<'v, 'a>(given: &'v Members<'a>, name: &str) -> Option<&'v Value<'a>> {
    let (_, value) = given.iter().rev().find(|(key, _)| key == name)?;
    (*value != Value::Null).then_some(value)
}

fn check_types(members: &[Member], given: &Members<'_>) -> Result<(), Error> {
    for member in members {
        if let Some(value) = find(given, member.name) {
            check_type(&member.shape, value)?;
        }
    }
    Ok(())
}

fn check_type(shape: &Shape, value: &Value<'_>) -> Result<(), Error> {
    match (shape, value) {
        (_, Value::Null) => Ok(()),
        (Shape::Text(_) | Shape::Enum(_), Value::Text(_)) => Ok(()),
        (Shape::Integer { .. }, Value::Integer(_) | Value::Float(_)) => Ok(()),
        (Shape::Boolean, Value::Bool(_)) => Ok(()),
        (Shape::List { of, .. }, Value::List(items)) => items.iter().try_for_each(|item| check_type(of, item)),
        (Shape::Map(of), Value::Object(members)) => members.iter().try_for_each(|(_, value)| check_type(of, value)),
        (Shape::Structure(members) | Shape::Record { members, .. }, Value::Object(given)) => {
            check_types(members, given)
        }
        (Shape::List { .. }, _) => Err(Error::serialization("Expected list or null")),
        (Shape::Map(_) | Shape::Structure(_) | Shape::Record { .. }, _) => {
            Err(Error::serialization("Expected map or null"))
        }
        (Shape::Text(_) | Shape::Enum(_), value) => Err(not_a("a String", value)),
        (Shape::Integer { .. }, value) => Err(not_a("an Integer", value)),
        (Shape::Boolean, value) => Err(not_a("a Boolean", value)),
    }
}

fn not_a(wanted: &str, value: &Value<'_>) -> Error {
    let token = match value {
        Value::Object(_) => return Error::serialization("Start of structure or map found where not expected."),
        Value::List(_) => return Error::serialization("Start of list found where not expected."),
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Integer(_) => "NUMBER_VALUE",
        Value::Float(_) => "DECIMAL_VALUE",
        Value::Text(_) => "STRING_VALUE",
    };
    Error::serialization(format!("{token} can not be converted to {wanted}"))
}

fn check_members(members: &[Member], given: &Members<'_>, at: &str, faults: &mut Vec<String>) {
    for member in members {
        match find(given, member.name) {
            None if member.required => faults.push(format!(
                "Value null at '{at}{}' failed to satisfy constraint: Member must not be null",
                told(member.name)
            )),
            None => {}
            Some(value) => check_value(&member.shape, value, at, member.name, faults),
        }
    }
}

fn check_value(shape: &Shape, value: &Value<'_>, at: &str, name: &str, faults: &mut Vec<String>) {
    let mut broken = |constraint: String| {
        let shown = if is_sensitive(shape) { String::new() } else { format!(" '{}'", shown(shape, value)) };
        faults.push(format!("Value{shown} at '{at}{}' failed to satisfy constraint: {constraint}", told(name)));
    };
    match (shape, value) {
        (Shape::Text(text), Value::Text(given)) => broken_by(text, given).into_iter().for_each(broken),
        (Shape::Enum(allowed), Value::Text(given)) if !allowed.contains(&&**given) => {
            broken(format!("Member must satisfy enum value set: [{}]", allowed.join(", ")));
        }
        (Shape::Integer { min, max }, Value::Integer(_) | Value::Float(_)) => {
            let number = if let Value::Integer(number) = value { *number } else { truncated(value) };
            if number > *max {
                broken(format!("Member must have value less than or equal to {max}"));
            }
            if number < *min {
                broken(format!("Member must have value greater than or equal to {min}"));
            }
        }
        (Shape::List { of, min, max }, Value::List(items)) => {
            lengths(items.len(), *min, *max).into_iter().for_each(&mut broken);
            if items.iter().any(|item| breaks(of, item)) {
                broken(format!("Member must satisfy constraint: [{}]", all_of(of).join(", ")));
            }
            for (index, item) in items.iter().enumerate() {
                if let (Shape::Structure(members) | Shape::Record { members, .. }, Value::Object(given)) = (of, item) {
                    check_members(members, given, &format!("{at}{}.{}.member.", told(name), index + 1), faults);
                }
            }
        }
        (Shape::Structure(members) | Shape::Record { members, .. }, Value::Object(given)) => {
            check_members(members, given, &format!("{at}{}.", told(name)), faults)
        }
        _ => {}
    }
}

/// Of a list's member that is a plain value, AWS tells all constraints at once.
fn breaks(shape: &Shape, item: &Value<'_>) -> bool {
    match (shape, item) {
        (Shape::Text(text), Value::Text(given)) => !broken_by(text, given).is_empty(),
        (Shape::Enum(allowed), Value::Text(given)) => !allowed.contains(&&**given),
        _ => false,
    }
}

fn all_of(shape: &Shape) -> Vec<String> {
    match shape {
        Shape::Text(text) => {
            let mut all = Vec::new();
            if text.max < usize::MAX {
                all.push(format!("Member must have length less than or equal to {}", text.max));
            }
            if text.min > 0 {
                all.push(format!("Member must have length greater than or equal to {}", text.min));
            }
            all.extend(
                text.pattern.map(|pattern| format!("Member must satisfy regular expression pattern: {}", pattern.text)),
            );
            all
        }
        Shape::Enum(allowed) => vec![format!("Member must satisfy enum value set: [{}]", allowed.join(", "))],
        Shape::Integer { .. }
        | Shape::Boolean
        | Shape::List { .. }
        | Shape::Map(_)
        | Shape::Structure(_)
        | Shape::Record { .. } => Vec::new(),
    }
}

fn broken_by(text: &Text, given: &str) -> Vec<String> {
    // A text of so few bytes has no more characters.
    let length =
        if given.len() <= text.max && given.len() >= text.min * 4 { given.len() } else { given.chars().count() };
    let mut broken = lengths(length, text.min, text.max);
    if let Some(pattern) = text.pattern.filter(|pattern| !(pattern.holds)(given)) {
        broken.push(format!("Member must satisfy regular expression pattern: {}", pattern.text));
    }
    broken
}

fn lengths(length: usize, min: usize, max: usize) -> Vec<String> {
    if length > max {
        vec![format!("Member must have length less than or equal to {max}")]
    } else if length < min {
        vec![format!("Member must have length greater than or equal to {min}")]
    } else {
        Vec::new()
    }
}

fn is_sensitive(shape: &Shape) -> bool {
    matches!(shape, Shape::Text(text) if text.sensitive)
}

/// AWS tells every member with a small first letter, whatever the API calls it.
fn told(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

fn truncated(value: &Value<'_>) -> i64 {
    match value {
        Value::Float(number) => *number as i64,
        _ => 0,
    }
}

/// As Java prints it.
fn shown(shape: &Shape, value: &Value<'_>) -> String {
    match (shape, value) {
        (_, Value::Null) => "null".to_owned(),
        (_, Value::Bool(truth)) => truth.to_string(),
        (_, Value::Integer(number)) => number.to_string(),
        (_, Value::Float(number)) => number.to_string(),
        (_, Value::Text(text)) => text.clone().into_owned(),
        (Shape::List { of, .. }, Value::List(items)) => {
            format!("[{}]", items.iter().map(|item| shown(of, item)).collect::<Vec<_>>().join(", "))
        }
        (Shape::Record { name, members }, Value::Object(given)) => {
            let shown =
                |member: &Member| Some(format!("{}={}", member.name, shown(&member.shape, find(given, member.name)?)));
            format!("{name}({})", members.iter().filter_map(shown).collect::<Vec<_>>().join(", "))
        }
        (_, Value::List(items)) => {
            format!("[{}]", items.iter().map(|item| shown(&ANY_TEXT, item)).collect::<Vec<_>>().join(", "))
        }
        (_, Value::Object(members)) => {
            let mut text = String::from("{");
            for (index, (key, value)) in members.iter().enumerate() {
                let comma = if index > 0 { ", " } else { "" };
                let _ = write!(text, "{comma}{key}={}", shown(&ANY_TEXT, value));
            }
            text + "}"
        }
    }
}

/// A task's parameters as a request: members are named with a capital, and a text may be given as the JSON that it
/// holds. The error names the first member that the operation does not have.
pub(crate) fn from_task<'a>(members: &[Member], parameters: &Json) -> Result<Members<'a>, String> {
    let empty = base::Object::default();
    let given = parameters.as_object().unwrap_or(&empty);
    let known = given.iter().map(|(key, value)| {
        let member = members.iter().find(|member| in_tasks(member.name) == **key);
        let member = member.ok_or_else(|| format!("The field \"{key}\" is not supported by Step Functions"))?;
        Ok((member.name.into(), value_from_task(&member.shape, value)?))
    });
    known.collect()
}

fn value_from_task<'a>(shape: &Shape, json: &Json) -> Result<Value<'a>, String> {
    Ok(match (shape, json) {
        (Shape::Structure(members) | Shape::Record { members, .. }, Json::Object(_)) => {
            Value::Object(from_task(members, json)?)
        }
        (Shape::Text(_), Json::Object(_) | Json::Array(_)) => Value::Text(json.to_string().into()),
        (Shape::List { of, .. }, Json::Array(items)) => {
            Value::List(items.iter().map(|item| value_from_task(of, item)).collect::<Result<_, _>>()?)
        }
        (Shape::Map(of), Json::Object(members)) => {
            let members = members.iter().map(|(key, value)| Ok((key.to_string().into(), value_from_task(of, value)?)));
            Value::Object(members.collect::<Result<_, String>>()?)
        }
        (_, json) => plain(json),
    })
}

/// As it is: of the wrong type for its shape, or a scalar.
fn plain<'a>(json: &Json) -> Value<'a> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Float(number.as_f64().unwrap_or_default()), Value::Integer)
        }
        Json::String(text) => Value::Text(text.to_string().into()),
        Json::Array(items) => Value::List(items.iter().map(plain).collect()),
        Json::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.to_string().into(), plain(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const KEY: Shape = text(1, 4);
    const TAG: Shape = Shape::Structure(&[optional("Key", text(1, 4)), required("value", text(0, 3))]);
    const MEMBERS: &[Member] = &[
        required("Name", text(1, 5)),
        required("definition", sensitive(1, 5)),
        optional("statusFilter", Shape::Enum(&["SUCCEEDED", "RUNNING"])),
        optional("maxResults", Shape::Integer { min: 1, max: 1000 }),
        optional("publish", Shape::Boolean),
        optional("tags", list(&TAG, 0, 2)),
        optional("keys", list(&KEY, 1, 2)),
        optional("parameters", Shape::Map(&Shape::List { of: &ANY_TEXT, min: 0, max: usize::MAX })),
        optional("header", pattern(0, 9, "[a-z]*", |text| text.bytes().all(|byte| byte.is_ascii_lowercase()))),
    ];

    fn check_request(body: &str, expect: Expect) {
        let text = match serde_json::from_str(body).expect("JSON") {
            Value::Object(given) => check(MEMBERS, &given).map_or_else(
                |error| format!("{}: {}", error.code, error.message.unwrap_or_default()),
                |()| "fits".to_owned(),
            ),
            other => panic!("not an object: {other:?}"),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn what_fits_is_let_pass() {
        check_request(r#"{"Name":"night","definition":"{}","other":[1],"publish":null,"keys":["a"]}"#, expect!["fits"]);
        check_request(
            r#"{"Name":"日本語日本","definition":"{}","maxResults":1000,"parameters":{"a":["b"]},"header":"abc"}"#,
            expect!["fits"],
        );
    }

    #[test]
    fn broken_constraints_are_told_in_awss_words() {
        check_request(
            "{}",
            expect![
                "ValidationException: 2 validation errors detected: Value null at 'name' failed to satisfy constraint: Member must not be null; Value null at 'definition' failed to satisfy constraint: Member must not be null"
            ],
        );
        check_request(
            r#"{"Name":"nights","definition":"123456","maxResults":1001}"#,
            expect![
                "ValidationException: 3 validation errors detected: Value 'nights' at 'name' failed to satisfy constraint: Member must have length less than or equal to 5; Value at 'definition' failed to satisfy constraint: Member must have length less than or equal to 5; Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"
            ],
        );
        check_request(
            r#"{"Name":"","definition":"1","statusFilter":"succeeded","maxResults":0,"header":"A"}"#,
            expect![
                "ValidationException: 4 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; Value 'succeeded' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, RUNNING]; Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1; Value 'A' at 'header' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]*"
            ],
        );
    }

    #[test]
    fn members_of_lists_are_counted_from_1() {
        check_request(
            r#"{"Name":"n","definition":"1","tags":[{"Key":"k","value":"v"},{"Key":"","value":"long"},{}],"keys":["ok","","longer"]}"#,
            expect![
                "ValidationException: 6 validation errors detected: Value '[{Key=k, value=v}, {Key=, value=long}, {}]' at 'tags' failed to satisfy constraint: Member must have length less than or equal to 2; Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1; Value 'long' at 'tags.2.member.value' failed to satisfy constraint: Member must have length less than or equal to 3; Value null at 'tags.3.member.value' failed to satisfy constraint: Member must not be null; Value '[ok, , longer]' at 'keys' failed to satisfy constraint: Member must have length less than or equal to 2; Value '[ok, , longer]' at 'keys' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 4, Member must have length greater than or equal to 1]"
            ],
        );
    }

    #[test]
    fn wrong_types_cannot_be_read() {
        check_request(
            r#"{"Name":1}"#,
            expect!["SerializationException: NUMBER_VALUE can not be converted to a String"],
        );
        check_request(
            r#"{"Name":true}"#,
            expect!["SerializationException: TRUE_VALUE can not be converted to a String"],
        );
        check_request(
            r#"{"Name":{}}"#,
            expect!["SerializationException: Start of structure or map found where not expected."],
        );
        check_request(r#"{"Name":[]}"#, expect!["SerializationException: Start of list found where not expected."]);
        check_request(
            r#"{"maxResults":"1"}"#,
            expect!["SerializationException: STRING_VALUE can not be converted to an Integer"],
        );
        check_request(
            r#"{"publish":"true"}"#,
            expect!["SerializationException: STRING_VALUE can not be converted to a Boolean"],
        );
        check_request(r#"{"tags":"x"}"#, expect!["SerializationException: Expected list or null"]);
        check_request(r#"{"tags":["x"]}"#, expect!["SerializationException: Expected map or null"]);
        check_request(r#"{"parameters":{"a":"b"}}"#, expect!["SerializationException: Expected list or null"]);
    }

    #[test]
    fn a_tasks_parameters_are_named_with_a_capital() {
        let request = |text: &str| {
            from_task(MEMBERS, &Json::parse(text).expect("JSON"))
                .map(|members| Value::Object(members).into_json().to_string())
        };
        let given = r#"{"Name":"n","Definition":{"StartAt":"A"},"Tags":[{"Key":"k","Value":"v"}],"Parameters":{"commands":["ls"]},"MaxResults":5}"#;
        let read = r#"{"Name":"n","definition":"{\"StartAt\":\"A\"}","tags":[{"Key":"k","value":"v"}],"parameters":{"commands":["ls"]},"maxResults":5}"#;
        assert_eq!(request(given), Ok(read.to_owned()));
        assert_eq!(request(r#"{"name":"n"}"#), Err("The field \"name\" is not supported by Step Functions".to_owned()));
        assert_eq!(
            request(r#"{"Tags":[{"key":"k"}]}"#),
            Err("The field \"key\" is not supported by Step Functions".to_owned())
        );
    }
}
