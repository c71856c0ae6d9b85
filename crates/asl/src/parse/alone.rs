//! A state by itself, for a test of it: written alone, or taken out of a machine. Where it leads need not exist.

use std::collections::BTreeSet;

use base::Json;

use super::at::At;
use super::block::{self, Scope};
use super::{Parser, duplicates, json, machine};
use crate::diagnostic::Diagnostic;
use crate::tree::{MachineKind, Name, State};

/// What AWS calls a state that has no name.
const NAMELESS: &str = "StateName";

/// A state without the machine around it.
#[derive(Debug)]
pub struct LoneState {
    /// Its targets need not exist; the blocks that it names are not at hand.
    pub state: State,
    /// The states inside it, at any depth.
    pub inner: BTreeSet<Name>,
}

/// Why there is no such state.
#[derive(Debug)]
pub enum StateRefusal {
    Invalid(Vec<Diagnostic>),
    /// The machine has no state of that name.
    NotFound,
}

/// Reads a definition that is one state; with a name, one that is a machine with that state anywhere in it.
/// The machine has to be valid.
pub fn parse_state(text: &str, name: Option<&str>) -> Result<LoneState, StateRefusal> {
    let json = json(text).map_err(|diagnostic| StateRefusal::Invalid(vec![diagnostic]))?;
    match name {
        None => {
            let states = At::ROOT.key("States");
            lone(Parser::new(MachineKind::Standard), NAMELESS, &json, &states.key(NAMELESS))
        }
        Some(name) => {
            let mut whole = Parser::new(MachineKind::Standard);
            duplicates::find(text).into_iter().for_each(|duplicate| whole.report.push(duplicate));
            machine(&mut whole, &json);
            if whole.report.has_errors() {
                return Err(StateRefusal::Invalid(whole.report.into_diagnostics()));
            }
            let language = whole.language;
            let read = |state: &Json, at: &At<'_>| {
                lone(Parser { language, ..Parser::new(MachineKind::Standard) }, name, state, at)
            };
            find(&json, &At::ROOT, name, &read).unwrap_or(Err(StateRefusal::NotFound))
        }
    }
}

fn lone<'a>(mut p: Parser<'a>, name: &str, json: &'a Json, at: &At<'_>) -> Result<LoneState, StateRefusal> {
    p.scope = Scope::alone(p.scope.kind);
    let state = block::read_state(&mut p, &name.into(), json, at);
    match state.filter(|_| !p.report.has_errors()) {
        Some(state) => Ok(LoneState { state, inner: p.names }),
        None => Err(StateRefusal::Invalid(p.report.into_diagnostics())),
    }
}

/// The state of that name in `block` or in one below it, read where it stands. Names are unique in a machine.
fn find<T>(block: &Json, at: &At<'_>, name: &str, read: &impl Fn(&Json, &At<'_>) -> T) -> Option<T> {
    let states = block.get("States")?.as_object()?;
    let at = at.key("States");
    if let Some(state) = states.get(name) {
        return Some(read(state, &at.key(name)));
    }
    states.iter().find_map(|(holder, state)| {
        let at = at.key(holder);
        let branches = state.get("Branches").and_then(Json::as_array).unwrap_or_default();
        let branches_at = at.key("Branches");
        let in_branch = |(index, branch)| find(branch, &branches_at.index(index), name, read);
        let in_processor = |key: &'static str| find(state.get(key)?, &at.key(key), name, read);
        branches
            .iter()
            .enumerate()
            .find_map(in_branch)
            .or_else(|| ["ItemProcessor", "Iterator"].into_iter().find_map(in_processor))
    })
}
