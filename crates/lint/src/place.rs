//! Where each state stands in the definition, and what leads where.

use asl::{BlockId, Body, Machine, State};

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
    let mut places = vec![];
    let mut blocks = vec![(Machine::ROOT, String::new())];
    while let Some((block, prefix)) = blocks.pop() {
        for state in machine.block(block).states.values() {
            let at = format!("{prefix}/States/{}", state.name);
            blocks.extend(inside(state, &at).into_iter().rev());
            places.push(Place { block, at, state });
        }
    }
    places
}

/// The blocks of a state, with their places.
fn inside(state: &State, at: &str) -> Vec<(BlockId, String)> {
    match &state.body {
        Body::Parallel(parallel) => {
            let branches = parallel.branches.iter().enumerate();
            branches.map(|(index, block)| (*block, format!("{at}/Branches[{index}]"))).collect()
        }
        Body::Map(map) => vec![(map.processor, format!("{at}/ItemProcessor"))],
        Body::Pass(_) | Body::Task(_) | Body::Choice(_) | Body::Wait(_) | Body::Succeed | Body::Fail(_) => vec![],
    }
}
