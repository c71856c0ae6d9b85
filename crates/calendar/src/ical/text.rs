//! iCalendar's text (RFC 5545) as components and properties. What they mean is for [`super::event`].

use super::{ICAL_BYTES_MAX, IcalError};

/// How deep components lie in one another, and how many properties there are in all.
const DEPTH_MAX: usize = 8;
const PROPERTIES_MAX: usize = 100_000;

/// `BEGIN:NAME` … `END:NAME`
#[derive(Debug, Default)]
pub(super) struct Component {
    pub(super) name: String,
    pub(super) properties: Vec<Property>,
    pub(super) components: Vec<Component>,
}

/// `NAME;PARAMETER=VALUE:VALUE`
#[derive(Debug)]
pub(super) struct Property {
    pub(super) name: String,
    parameters: Vec<(String, String)>,
    pub(super) value: String,
}

impl Component {
    pub(super) fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.property(name).map(|property| property.value.as_str())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Component> {
        self.components.iter().filter(move |component| component.name == name)
    }
}

impl Property {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Reads the one VCALENDAR of a text.
pub(super) fn parse(text: &str) -> Result<Component, IcalError> {
    if text.len() > ICAL_BYTES_MAX {
        return Err(IcalError::TooLong);
    }
    // The lowest is what is around everything, and has no name.
    let mut open = vec![Component::default()];
    let mut count = 0;
    for (line, content) in unfolded(text) {
        if content.trim().is_empty() {
            continue;
        }
        count += 1;
        let property = property(&content).ok_or(IcalError::Line { line })?;
        match property.name.as_str() {
            _ if count > PROPERTIES_MAX => return Err(IcalError::TooMany),
            "BEGIN" if open.len() > DEPTH_MAX => return Err(IcalError::TooMany),
            "BEGIN" => {
                open.push(Component { name: property.value.trim().to_ascii_uppercase(), ..Component::default() })
            }
            "END" => close(&mut open, &property).ok_or(IcalError::Line { line })?,
            _ if open.len() == 1 => return Err(IcalError::Line { line }),
            _ => open.last_mut().ok_or(IcalError::Line { line })?.properties.push(property),
        }
    }
    let around = open.pop().filter(|_| open.is_empty()).ok_or(IcalError::NoCalendar)?;
    around.components.into_iter().find(|component| component.name == "VCALENDAR").ok_or(IcalError::NoCalendar)
}

fn close(open: &mut Vec<Component>, end: &Property) -> Option<()> {
    let closed = open.pop()?;
    let parent = open.last_mut()?;
    (closed.name == end.value.trim().to_ascii_uppercase()).then(|| parent.components.push(closed))
}

/// Lines with those that continue them, and the number of the first.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = vec![];
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some((_, before))) => before.push_str(rest),
            (Some(_), None) | (None, _) => lines.push((index + 1, line.to_owned())),
        }
    }
    lines
}

fn property(line: &str) -> Option<Property> {
    let colon = outside_quotes(line, ':')?;
    let (head, value) = (&line[..colon], &line[colon + 1..]);
    let mut parts = split_outside_quotes(head, ';').into_iter();
    let name = parts.next()?.trim().to_ascii_uppercase();
    let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let parameter = |part: &str| {
        let (key, value) = part.split_once('=')?;
        Some((key.to_ascii_uppercase(), value.trim_matches('"').to_owned()))
    };
    let parameters = parts.map(parameter).collect::<Option<Vec<_>>>()?;
    named.then(|| Property { name, parameters, value: value.to_owned() })
}

fn outside_quotes(text: &str, wanted: char) -> Option<usize> {
    let mut quoted = false;
    for (at, char) in text.char_indices() {
        match char {
            '"' => quoted = !quoted,
            char if char == wanted && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn split_outside_quotes(text: &str, wanted: char) -> Vec<&str> {
    let mut parts = vec![];
    let mut rest = text;
    while let Some(at) = outside_quotes(rest, wanted) {
        parts.push(&rest[..at]);
        rest = &rest[at + 1..];
    }
    parts.push(rest);
    parts
}

/// A text value without its escapes.
pub(super) fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('n' | 'N') => text.push('\n'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            char => text.push(char),
        }
    }
    text
}
