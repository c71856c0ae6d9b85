//! Where each state stands in the definition, and what leads where.

use asl::{BlockId, Machine, State};

/// A state, with its block and its place in the text.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) block: BlockId,
    /// `/States/Both/Branches[0]/States/Left`
    pub(crate) at: String,
    pub(crate) state: &'a State,
}

/// Every state: a block's before those of the blocks inside it.
pub(crate) fn places(machine: &Machine) -> Vec<Place<'_>> {
    let at = |block, state: &State| format!("{}/States/{}", machine.block(block).location, state.name);
    machine.states().map(|(block, state)| Place { block, at: at(block, state), state }).collect()
}
