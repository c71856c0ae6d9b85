//! States written twice in one `States`. JSON readers keep the last and say nothing; a person loses a
//! state that way. So the text is walked once more, looking only at keys.
//!
//! **It relies** on the text being JSON: it was parsed before.

use std::collections::BTreeSet;

use base::Json;

use crate::diagnostic::{Diagnostic, Severity};

/// Returns one finding for each state that is there again.
pub(super) fn find(text: &str) -> Vec<Diagnostic> {
    let mut walk = Walk { inside: Vec::new(), next: Role::Block, found: Vec::new() };
    let mut rest = text;
    while let Some(at) = rest.find(['"', '{', '[', '}', ']', ',']) {
        let (token, after) = rest[at..].split_at(1);
        rest = match token {
            "\"" => walk.string(after),
            "{" => walk.open(after, Some(BTreeSet::new())),
            "[" => walk.open(after, None),
            "," => walk.comma(after),
            _ => walk.close(after),
        };
    }
    walk.found
}

/// What part of a machine a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Block,
    States,
    State,
    Branches,
    Other,
}

impl Role {
    fn member(self, key: &str) -> Role {
        match (self, key) {
            (Role::Block, "States") => Role::States,
            (Role::States, _) => Role::State,
            (Role::State, "Branches") => Role::Branches,
            (Role::State, "ItemProcessor" | "Iterator") => Role::Block,
            (Role::Block | Role::State | Role::Branches | Role::Other, _) => Role::Other,
        }
    }

    fn item(self) -> Role {
        match self {
            Role::Branches => Role::Block,
            Role::Block | Role::States | Role::State | Role::Other => Role::Other,
        }
    }
}

/// An object or an array that is not closed yet.
struct Level {
    role: Role,
    /// An object's keys so far; none for an array.
    keys: Option<BTreeSet<String>>,
    /// The member or item that is being read.
    here: String,
    index: usize,
}

struct Walk {
    inside: Vec<Level>,
    /// What the next value is.
    next: Role,
    found: Vec<Diagnostic>,
}

impl Walk {
    fn open<'t>(&mut self, after: &'t str, keys: Option<BTreeSet<String>>) -> &'t str {
        let here = if keys.is_some() { String::new() } else { "[0]".into() };
        let role = self.next;
        self.next = if keys.is_some() { Role::Other } else { role.item() };
        self.inside.push(Level { role, keys, here, index: 0 });
        after
    }

    fn close<'t>(&mut self, after: &'t str) -> &'t str {
        self.inside.pop();
        after
    }

    fn comma<'t>(&mut self, after: &'t str) -> &'t str {
        if let Some(level) = self.inside.last_mut().filter(|level| level.keys.is_none()) {
            level.index += 1;
            level.here = format!("[{}]", level.index);
            self.next = level.role.item();
        }
        after
    }

    /// A key, or a value that is of no interest.
    fn string<'t>(&mut self, after: &'t str) -> &'t str {
        let (raw, after) = after.split_at(string_len(after));
        let after = &after[1..];
        if after.trim_start().starts_with(':') {
            self.key(raw);
        }
        after
    }

    fn key(&mut self, raw: &str) {
        let Some(level) = self.inside.last_mut() else { return };
        self.next = level.role.member(raw);
        // Only states are looked at, and only the way to them is spelled out.
        if level.role == Role::Other {
            return;
        }
        let key = unescape(raw);
        level.here = format!("/{key}");
        let is_new = level.keys.as_mut().is_none_or(|keys| keys.insert(key.clone()));
        if !is_new && level.role == Role::States {
            self.found.push(Diagnostic {
                severity: Severity::Error,
                code: Diagnostic::DUPLICATE_NAME,
                message: format!("Duplicate State name: {key}"),
                location: Some(self.inside.iter().map(|level| level.here.as_str()).collect()),
            });
        }
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
    end.expect("the text is JSON: every string is closed")
}

fn unescape(raw: &str) -> String {
    let json = Json::parse(&format!("\"{raw}\""));
    json.ok().and_then(|json| json.as_str().map(String::from)).unwrap_or_else(|| raw.into())
}
