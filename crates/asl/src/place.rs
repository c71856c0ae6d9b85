//! Where in a definition's text things stand: for findings that people see beside their text.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;

/// Counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    pub const START: Place = Place { line: 1, column: 1 };
}

/// Returns for each finding the place in `text` that it speaks of: a member's key, an item's first character, the
/// start where it speaks of the whole. A key that is there twice is meant where it stands last.
pub fn locate(text: &str, diagnostics: &[Diagnostic]) -> Vec<Place> {
    let locations = diagnostics.iter().map(|diagnostic| diagnostic.location.as_deref().unwrap_or_default());
    let mut found: BTreeMap<&str, Option<usize>> = locations.clone().map(|location| (location, None)).collect();
    members(text, |member| {
        if let Some(at) = found.get_mut(member.location) {
            *at = Some(member.at);
        }
    });
    let place = |location| match found.get(location).copied().flatten() {
        Some(at) if location != "/" => place(text, at),
        Some(_) | None => in_source(location).unwrap_or(Place::START),
    };
    locations.map(place).collect()
}

/// What stands in an object or an array.
pub(crate) struct Member<'w> {
    /// How many objects and arrays are around the one that holds it.
    pub(crate) depth: usize,
    /// An object's key; none for an array's item.
    pub(crate) key: Option<&'w str>,
    /// As diagnostics write it: `/States/Pick/Choices[0]`.
    pub(crate) location: &'w str,
    /// The byte at which its key, or the item, begins.
    pub(crate) at: usize,
}

/// Visits every member of `text`, in its order; those of a text that is not JSON up to where that shows.
pub(crate) fn members(text: &str, visit: impl FnMut(Member)) {
    let mut walk = Walk { text, inside: Vec::new(), location: String::new(), visit };
    let mut at = 0;
    while let Some(found) = text[at..].find(['"', '{', '[', '}', ']', ',']) {
        at = walk.token(at + found);
    }
}

/// An object or an array that is not closed yet.
struct Level {
    /// An array's present index; none in an object.
    index: Option<usize>,
    /// How much of the walk's location is its own.
    location_len: usize,
}

struct Walk<'t, V> {
    text: &'t str,
    inside: Vec<Level>,
    /// Of what is being read.
    location: String,
    visit: V,
}

impl<V: FnMut(Member)> Walk<'_, V> {
    /// Reads the token at `at`; gives where it ends.
    fn token(&mut self, at: usize) -> usize {
        let after = at + 1;
        match self.text.as_bytes()[at] {
            b'"' => return self.string(at),
            b'{' => self.inside.push(Level { index: None, location_len: self.location.len() }),
            b'[' => {
                self.inside.push(Level { index: Some(0), location_len: self.location.len() });
                self.item(after);
            }
            b',' => {
                if let Some(index) = self.inside.last_mut().and_then(|level| level.index.as_mut()) {
                    *index += 1;
                    self.item(after);
                }
            }
            _ => {
                if let Some(level) = self.inside.pop() {
                    self.location.truncate(level.location_len);
                }
            }
        }
        after
    }

    /// A key, or a value that is of no interest.
    fn string(&mut self, at: usize) -> usize {
        let inner = &self.text[at + 1..];
        let len = string_len(inner);
        let after = (at + len + 2).min(self.text.len());
        let is_key = self.text[after..].trim_start().starts_with(':');
        if is_key && let Some(Level { index: None, location_len }) = self.inside.last() {
            let key = unescape(&inner[..len]);
            self.location.truncate(*location_len);
            self.location.push('/');
            self.location.push_str(&key);
            self.found(Some(&key), at);
        }
        after
    }

    /// The item that begins after `at`, if there is one.
    fn item(&mut self, at: usize) {
        let rest = self.text[at..].trim_start();
        let Some(Level { index: Some(index), location_len }) = self.inside.last() else { return };
        if rest.is_empty() || rest.starts_with(']') {
            return;
        }
        self.location.truncate(*location_len);
        self.location.push_str(&format!("[{index}]"));
        self.found(None, self.text.len() - rest.len());
    }

    fn found(&mut self, key: Option<&str>, at: usize) {
        let depth = self.inside.len() - 1;
        (self.visit)(Member { depth, key, location: &self.location, at });
    }
}

/// How many bytes there are before the closing quote.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(text.len())
}

fn unescape(raw: &str) -> String {
    if !raw.contains('\\') {
        return raw.to_owned();
    }
    let json = base::Json::parse(&format!("\"{raw}\""));
    json.ok().and_then(|json| json.as_str().map(String::from)).unwrap_or_else(|| raw.into())
}

fn place(text: &str, at: usize) -> Place {
    let before = &text[..at];
    let line_at = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
    Place { line, column: before[line_at..].chars().count() + 1 }
}

/// The place that `[Source: (String)"…"; line: 1, column: 4]` names.
fn in_source(location: &str) -> Option<Place> {
    let (_, place) = location.strip_prefix("[Source: ")?.strip_suffix(']')?.rsplit_once("; line: ")?;
    let (line, column) = place.split_once(", column: ")?;
    Some(Place { line: line.parse().ok()?, column: column.parse().ok()? })
}
