//! States written twice in one `States`. JSON readers keep the last and say nothing; a person loses a
//! state that way. So the text is walked once more, looking only at keys.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Severity};
use crate::place;

/// Returns one finding for each state that is there again.
pub(super) fn find(text: &str) -> Vec<Diagnostic> {
    let mut inside = vec![Level::new(Role::Block)];
    let mut found = Vec::new();
    place::members(text, |member| {
        inside.truncate(member.depth + 1);
        let Some(holder) = inside.last_mut() else { return };
        if let Some(key) = member.key.filter(|_| holder.role == Role::States)
            && !holder.states.insert(key.to_owned())
        {
            found.push(Diagnostic {
                severity: Severity::Error,
                code: Diagnostic::DUPLICATE_NAME,
                message: format!("Duplicate State name: {key}"),
                location: Some(member.location.to_owned()),
            });
        }
        let role = holder.role.of_member(member.key);
        inside.push(Level::new(role));
    });
    found
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
    fn of_member(self, key: Option<&str>) -> Role {
        match (self, key) {
            (Role::Block, Some("States")) => Role::States,
            (Role::States, Some(_)) => Role::State,
            (Role::State, Some("Branches")) => Role::Branches,
            (Role::State, Some("ItemProcessor" | "Iterator")) | (Role::Branches, None) => Role::Block,
            (Role::Block | Role::States | Role::State | Role::Branches | Role::Other, _) => Role::Other,
        }
    }
}

/// A value on the way down to what is being read.
struct Level {
    role: Role,
    /// Those that were met in a `States`.
    states: BTreeSet<String>,
}

impl Level {
    fn new(role: Role) -> Level {
        Level { role, states: BTreeSet::new() }
    }
}
