//! `StartAt` and `States`: of the machine, of a branch, of a Map's processor.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Json, Object};

use super::Parser;
use super::at::At;
use super::read::Fields;
use super::states;
use crate::diagnostic::Diagnostic;
use crate::tree::{Block, BlockId, MachineKind, Name, State};

/// Blocks inside blocks. Deep enough for everyone, shallow enough for every stack.
pub(super) const BLOCK_DEPTH_MAX: usize = 30;

/// A state's name, in characters.
pub(super) const NAME_CHARS_MAX: usize = 80;

/// The block being read.
pub(super) struct Scope<'a> {
    /// What executes it: Express inside a distributed Map that says so.
    pub(super) kind: MachineKind,
    /// None around the machine.
    pub(super) block: Option<BlockId>,
    depth: usize,
    /// What a `Next` may name.
    targets: Targets<'a>,
    /// Which of them something leads to.
    referenced: Vec<bool>,
    /// Whether one of them ends.
    ends: bool,
    /// Whether some state was too broken to say where it leads.
    unclear: bool,
}

/// Whether a block sees the variables of the block around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    Outer,
    /// A distributed Map's: executions of their own.
    Own,
}

#[derive(Clone, Copy)]
enum Targets<'a> {
    /// The block's `States`.
    Of(&'a Object),
    /// Anything: a state stands alone.
    Any,
    /// Nobody knows: there is no `States` that could be read.
    Unknown,
}

impl Scope<'_> {
    /// Around the machine.
    pub(super) fn outermost(kind: MachineKind) -> Self {
        Scope {
            kind,
            block: None,
            depth: 0,
            targets: Targets::Unknown,
            referenced: Vec::new(),
            ends: false,
            unclear: false,
        }
    }

    /// Around a state that stands alone.
    pub(super) fn alone(kind: MachineKind) -> Self {
        Scope { targets: Targets::Any, ..Scope::outermost(kind) }
    }

    pub(super) fn ends(&mut self) {
        self.ends = true;
    }

    /// Something could lead anywhere: what follows from where states lead is not reported.
    pub(super) fn unclear(&mut self) {
        self.unclear = true;
    }
}

/// Reads the block that `fields` hold, after their names were checked. Its id is given first, so that
/// ids are depth-first in the order of the document.
pub(super) fn block<'a>(
    p: &mut Parser<'a>,
    fields: Fields<'a, '_>,
    kind: MachineKind,
    sight: Sight,
) -> Option<BlockId> {
    let depth = p.scope.depth + 1;
    if depth > BLOCK_DEPTH_MAX {
        let message = format!("States are nested more than {BLOCK_DEPTH_MAX} levels deep");
        p.report.error(Diagnostic::TOO_DEEP, Some(fields.at), message);
        return None;
    }
    let id = BlockId(u32::try_from(p.blocks.len()).expect("a definition has fewer blocks than bytes"));
    p.blocks.push(None);
    p.parents.push(p.scope.block.filter(|_| sight == Sight::Outer));

    let states_at = fields.at.key("States");
    let states = states(p, fields, &states_at);
    let inner = Scope {
        kind,
        block: Some(id),
        depth,
        targets: states.map_or(Targets::Unknown, |states| Targets::Of(states.object)),
        referenced: vec![false; states.map_or(0, |states| states.object.len())],
        ends: false,
        unclear: states.is_none(),
    };
    let outer = std::mem::replace(&mut p.scope, inner);
    let start_at = target(p, fields, "StartAt");
    let states = states.map(|states| read_states(p, states));
    check_flow(p, fields.at);
    p.scope = outer;

    let location = if fields.at.is_root() { String::new() } else { fields.at.to_string() };
    p.blocks[id.0 as usize] =
        start_at.zip(states).map(|(start_at, states)| Block { location: location.into(), start_at, states });
    Some(id)
}

/// The state that the field `name` names. Reports a state that is not there.
pub(super) fn target<'a>(p: &mut Parser<'a>, fields: Fields<'a, '_>, name: &str) -> Option<Name> {
    let Some(text) = fields.string(name, &mut p.report) else {
        p.scope.unclear();
        return None;
    };
    let states = match p.scope.targets {
        Targets::Of(states) => states,
        Targets::Any => return Some(Arc::clone(text)),
        Targets::Unknown => return None,
    };
    match states.get_full(&**text) {
        Some((index, state, _)) => {
            p.scope.referenced[index] = true;
            Some(Arc::clone(state))
        }
        None => {
            // AWS says 'Next' here wherever the name stands.
            let message = format!("Missing 'Next' target: {text}");
            p.report.error(Diagnostic::MISSING_TARGET, Some(&fields.at.key(name)), message);
            None
        }
    }
}

/// `States`, if there are any.
fn states<'a, 's>(p: &mut Parser<'a>, fields: Fields<'a, '_>, at: &'s At<'s>) -> Option<Fields<'a, 's>> {
    let states = Fields::of(fields.get("States")?, at, p.language, &mut p.report)?;
    if states.object.is_empty() {
        p.report.schema(at, "Value cannot be empty");
        return None;
    }
    Some(states)
}

fn read_states<'a>(p: &mut Parser<'a>, states: Fields<'a, '_>) -> BTreeMap<Name, State> {
    let mut read = BTreeMap::new();
    for (name, json) in states.object {
        let at = states.at.key(name);
        check_name(p, name, &at);
        if let Some(state) = read_state(p, name, json, &at) {
            read.insert(Arc::clone(name), state);
        }
    }
    read
}

pub(super) fn read_state<'a>(p: &mut Parser<'a>, name: &Name, json: &'a Json, at: &At) -> Option<State> {
    let Some(fields) = Fields::of(json, at, p.language, &mut p.report) else {
        p.scope.unclear();
        return None;
    };
    let outer = p.report.enter(Some(Arc::clone(name)));
    let state = states::state(p, name, fields);
    p.report.enter(outer);
    state
}

fn check_name(p: &mut Parser, name: &Name, at: &At) {
    if name.is_empty() {
        p.report.error(Diagnostic::INVALID_NAME, Some(at), "Invalid State name: a State name cannot be empty");
    }
    if name.chars().count() > NAME_CHARS_MAX {
        let message = format!(
            "Invalid State name: State '{name}' exceeds the {NAME_CHARS_MAX}-character limit allowed by the service"
        );
        p.report.error(Diagnostic::INVALID_NAME, Some(at), message);
    }
    if !p.names.insert(Arc::clone(name)) {
        p.report.error(Diagnostic::DUPLICATE_NAME, Some(at), format!("Duplicate State name: {name}"));
    }
}

/// A block must end somewhere, and something must lead to each of its states. AWS asks the second only
/// where the first holds.
fn check_flow(p: &mut Parser, at: &At) {
    let Parser { report, scope, .. } = p;
    let Targets::Of(states) = scope.targets else { return };
    if scope.unclear {
        return;
    }
    if !scope.ends {
        let at = Some(at).filter(|at| !at.is_root());
        report.error(Diagnostic::MISSING_END, at, "Workflow has no terminal state");
        return;
    }
    let states_at = at.key("States");
    let lonely = states.keys().zip(&scope.referenced).filter(|(_, referenced)| !**referenced);
    for (name, _) in lonely {
        let message = format!("State \"{name}\" is not reachable.");
        report.error(Diagnostic::MISSING_TARGET, Some(&states_at.key(name)), message);
    }
}
