//! Where each state stands in the definition, and what leads where.

use std::collections::BTreeMap;

use asl::graph::Part;
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
    let mut prefixes = BTreeMap::from([(Machine::ROOT, String::new())]);
    let mut places = vec![];
    for (block, state) in machine.states() {
        // What holds a block was met before it.
        let at = format!("{}/States/{}", prefixes[&block], state.name);
        prefixes.extend(state.parts().into_iter().map(|(part, inner)| match part {
            Part::Branch(index) => (inner, format!("{at}/Branches[{index}]")),
            Part::Processor => (inner, format!("{at}/ItemProcessor")),
        }));
        places.push(Place { block, at, state });
    }
    places
}
