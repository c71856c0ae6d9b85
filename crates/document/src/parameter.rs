//! The parameters that a document declares, and what is given for them.

use base::Json;
use base::json::Object;
use regex_lite::Regex;

use crate::content::{ContentError, Place};
use crate::template::{From, Piece, Template, is_name};

/// Characters of a pattern, and bytes of what it becomes.
const PATTERN_CHARS_MAX: usize = 4_096;
pub(crate) const PATTERN_BYTES_MAX: usize = 1 << 16;

/// A parameter as the document declares it.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: String,
    pub kind: ParameterType,
    pub description: Option<String>,
    pub default: Option<Json>,
    pub(crate) allowed_values: Option<Vec<Json>>,
    pub(crate) allowed_pattern: Option<Regex>,
    pub(crate) chars: Bounds,
    pub(crate) items: Bounds,
    /// Scripts get it as the variable `SSM_name`, never as text.
    pub(crate) is_variable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterType {
    String,
    StringList,
    Boolean,
    Integer,
    MapList,
    StringMap,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) min: Option<u64>,
    pub(crate) max: Option<u64>,
}

impl ParameterType {
    pub fn name(self) -> &'static str {
        match self {
            ParameterType::String => "String",
            ParameterType::StringList => "StringList",
            ParameterType::Boolean => "Boolean",
            ParameterType::Integer => "Integer",
            ParameterType::MapList => "MapList",
            ParameterType::StringMap => "StringMap",
        }
    }

    const ALL: [ParameterType; 6] = [
        ParameterType::String,
        ParameterType::StringList,
        ParameterType::Boolean,
        ParameterType::Integer,
        ParameterType::MapList,
        ParameterType::StringMap,
    ];

    pub(crate) fn is_list(self) -> bool {
        matches!(self, ParameterType::StringList | ParameterType::MapList)
    }

    /// Whether `json` is a value of this type, as a document writes it.
    pub(crate) fn takes(self, json: &Json) -> bool {
        match self {
            ParameterType::String => json.as_str().is_some(),
            ParameterType::StringList => {
                json.as_array().is_some_and(|all| all.iter().all(|one| one.as_str().is_some()))
            }
            ParameterType::Boolean => json.as_bool().is_some(),
            ParameterType::Integer => json.as_i64().is_some(),
            ParameterType::MapList => {
                json.as_array().is_some_and(|all| all.iter().all(|one| one.as_object().is_some()))
            }
            ParameterType::StringMap => json.as_object().is_some(),
        }
    }
}

impl Parameter {
    pub(crate) fn parse(name: &str, json: &Json, place: &Place<'_>) -> Result<Parameter, ContentError> {
        let fail = |place: &Place<'_>, message: String| Err(ContentError::new(place, message));
        if !is_name(name) {
            return fail(place, format!("parameter name {name:?} may have letters, digits, `_` and `-`"));
        }
        let Some(members) = json.as_object() else { return fail(place, "a parameter has to be an object".to_owned()) };
        let known = |key: &str| FIELDS.contains(&key);
        if let Some(unknown) = members.keys().find(|key| !known(key)) {
            return fail(&place.member(unknown), format!("unknown field {unknown} of parameter {name}"));
        }
        let kind = text(members, "type", place)?;
        let Some(kind) = ParameterType::ALL.into_iter().find(|one| Some(one.name()) == kind.as_deref()) else {
            let all = ParameterType::ALL.map(ParameterType::name).join(", ");
            return fail(&place.member("type"), format!("the type of parameter {name} has to be one of {all}"));
        };
        let default = members.get("default").cloned();
        if let Some(default) = &default
            && !kind.takes(default)
            && !is_reference(default)
        {
            return fail(&place.member("default"), format!("the default of parameter {name} is not a {}", kind.name()));
        }
        choice(members, "displayType", &["textfield", "textarea"], place)?;
        let interpolation = choice(members, "interpolationType", &["ENV_VAR"], place)?;
        if interpolation.is_some() && name.contains('-') {
            return fail(&place.member("interpolationType"), format!("{name} cannot be part of a variable's name"));
        }
        Ok(Parameter {
            name: name.to_owned(),
            kind,
            description: text(members, "description", place)?,
            default,
            allowed_values: allowed_values(members, name, kind, place)?,
            allowed_pattern: allowed_pattern(members, name, place)?,
            chars: bounds(members, "minChars", "maxChars", place)?,
            items: bounds(members, "minItems", "maxItems", place)?,
            is_variable: interpolation.is_some(),
        })
    }

    /// The default as `DescribeDocument` shows it.
    pub fn default_text(&self) -> Option<String> {
        self.default.as_ref().map(text_of)
    }
}

const FIELDS: &[&str] = &[
    "type",
    "description",
    "default",
    "allowedValues",
    "allowedPattern",
    "displayType",
    "interpolationType",
    "minChars",
    "maxChars",
    "minItems",
    "maxItems",
];

/// A text as it is; anything else as JSON.
pub(crate) fn text_of(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// `{{ ssm:name }}` may be the default of any type.
fn is_reference(json: &Json) -> bool {
    let template = json.as_str().map(|text| Template::parse(text, From::Given));
    template.is_some_and(|template| matches!(template.whole(), Some(Piece::Store(_))))
}

fn text(members: &Object, key: &str, place: &Place<'_>) -> Result<Option<String>, ContentError> {
    match members.get(key) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.to_string())),
        Some(_) => Err(ContentError::new(&place.member(key), format!("{key} has to be a text"))),
    }
}

fn choice(members: &Object, key: &str, all: &[&str], place: &Place<'_>) -> Result<Option<String>, ContentError> {
    let chosen = text(members, key, place)?;
    match &chosen {
        Some(text) if !all.contains(&text.as_str()) => {
            Err(ContentError::new(&place.member(key), format!("{key} has to be one of {}", all.join(", "))))
        }
        _ => Ok(chosen),
    }
}

fn bounds(members: &Object, min: &str, max: &str, place: &Place<'_>) -> Result<Bounds, ContentError> {
    let bound = |key: &str| match members.get(key) {
        None => Ok(None),
        Some(value) => match value.as_i64().and_then(|number| u64::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(ContentError::new(&place.member(key), format!("{key} has to be a number, 0 or more"))),
        },
    };
    let bounds = Bounds { min: bound(min)?, max: bound(max)? };
    match bounds {
        Bounds { min: Some(low), max: Some(high) } if low > high => {
            Err(ContentError::new(&place.member(min), format!("{min} is more than {max}")))
        }
        _ => Ok(bounds),
    }
}

fn allowed_values(
    members: &Object,
    name: &str,
    kind: ParameterType,
    place: &Place<'_>,
) -> Result<Option<Vec<Json>>, ContentError> {
    let Some(values) = members.get("allowedValues") else { return Ok(None) };
    let place = place.member("allowedValues");
    let Some(values) = values.as_array().filter(|values| !values.is_empty()) else {
        return Err(ContentError::new(&place, "allowedValues has to be a list with values"));
    };
    // A list's items are what is compared.
    let fits = |value: &&Json| match kind {
        ParameterType::StringList => value.as_str().is_none(),
        ParameterType::MapList => value.as_object().is_none(),
        _ => !kind.takes(value),
    };
    match values.iter().position(|value| fits(&value)) {
        Some(at) => {
            let message = format!("the allowed value {} of parameter {name} is not a {}", values[at], kind.name());
            Err(ContentError::new(&place.item(at), message))
        }
        None => Ok(Some(values.to_vec())),
    }
}

/// AWS's patterns are those of RE2: no look-around, linear in time. The whole value has to match.
fn allowed_pattern(members: &Object, name: &str, place: &Place<'_>) -> Result<Option<Regex>, ContentError> {
    let Some(pattern) = text(members, "allowedPattern", place)? else { return Ok(None) };
    let fail = |why: String| {
        Err(ContentError::new(&place.member("allowedPattern"), format!("the pattern of parameter {name} {why}")))
    };
    if pattern.chars().count() > PATTERN_CHARS_MAX {
        return fail(format!("is longer than {PATTERN_CHARS_MAX} characters"));
    }
    // Alone first: `a)(b` would only fit together with our own brackets.
    match compile(&pattern).and_then(|_| compile(&format!(r"\A(?:{pattern})\z"))) {
        Ok(regex) => Ok(Some(regex)),
        Err(error) => fail(format!("is not a regular expression: {error}")),
    }
}

fn compile(pattern: &str) -> Result<Regex, regex_lite::Error> {
    regex_lite::RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build()
}
