//! `Assign`: the names of variables, and where each may be assigned.
//!
//! A block sees the variables of the blocks around it and may not assign them; a distributed Map's sees none of
//! them (Developer Guide, "Passing data between states with variables").

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Parser;
use super::at::At;
use super::fields::Language;
use super::jsonata::Sees;
use super::read::Fields;
use super::report::Report;
use crate::diagnostic::Diagnostic;
use crate::tree::{BlockId, Payload};

/// A variable's name, in characters.
const NAME_CHARS_MAX: usize = 80;

/// What holds the state's input and its result.
const RESERVED: &str = "states";

/// A variable that is assigned somewhere.
pub(super) struct Assigned {
    variable: Arc<str>,
    block: Option<BlockId>,
    location: String,
}

/// Reads the `Assign` of a state, a choice rule or a catcher: an object whose keys are names.
pub(super) fn assign(p: &mut Parser, fields: Fields, sees: Sees) -> Option<Payload> {
    let at = fields.at.key("Assign");
    let assign = Fields::of(fields.get("Assign")?, &at, fields.language, &mut p.report)?;
    for key in assign.object.keys() {
        let name = match fields.language {
            Language::JsonPath => key.strip_suffix(".$").unwrap_or(key),
            Language::Jsonata => key,
        };
        check_name(name, &at, &mut p.report);
        p.assigned.push(Assigned { variable: name.into(), block: p.scope.block, location: at.to_string() });
    }
    fields.payload("Assign", sees, &mut p.report)
}

/// Reports every variable that is assigned below a block that assigns it too. `parents` has each block's.
pub(super) fn check_scopes(assigned: &[Assigned], parents: &[Option<BlockId>], report: &mut Report) {
    let mut by_block: BTreeMap<Option<BlockId>, BTreeSet<&str>> = BTreeMap::new();
    for Assigned { variable, block, .. } in assigned {
        by_block.entry(*block).or_default().insert(variable);
    }
    let parent = |block: &BlockId| parents.get(block.0 as usize).copied().flatten();
    for Assigned { variable, block, location } in assigned {
        let mut around = std::iter::successors(block.as_ref().and_then(parent), parent);
        let is_there = |block| by_block.get(&Some(block)).is_some_and(|names| names.contains(&**variable));
        if around.any(is_there) {
            let message = format!("Variable '{variable}' is already assigned in an outer scope");
            report.error_at(Diagnostic::SCHEMA, location.clone(), message);
        }
    }
}

/// A Unicode identifier (UAX 31): `x.y` and `x[1]` are parts of variables, not names.
fn check_name(name: &str, at: &At, report: &mut Report) {
    if name == RESERVED {
        report.schema(at, format!("Variable name '{RESERVED}' is reserved"));
    } else if name.chars().count() > NAME_CHARS_MAX {
        report.schema(at, format!("Variable name '{name}' exceeds the {NAME_CHARS_MAX}-character limit"));
    } else if !is_identifier(name) {
        report.schema(at, format!("Variable name '{name}' is not a valid identifier"));
    }
}

fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(unicode_ident::is_xid_start) && characters.all(unicode_ident::is_xid_continue)
}
