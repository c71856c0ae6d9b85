//! How the states of a machine hang together: what a lint, a picture or a rehearsal asks.

use std::collections::BTreeMap;

use crate::tree::{Block, BlockId, Body, Catcher, Machine, Name, Retrier, State, Then};

/// Why one state leads to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    Next,
    /// The choice rule with this index.
    Rule(usize),
    /// A Choice's `Default`.
    Default,
    /// The catcher with this index.
    Catch(usize),
}

/// One way out of a state, to another of the same block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way<'m> {
    pub to: &'m Name,
    pub via: Via,
}

impl State {
    /// Every way on, in the order of the definition.
    pub fn ways(&self) -> Vec<Way<'_>> {
        let catchers = self.catchers().iter().enumerate();
        let caught = catchers.map(|(index, catcher)| Way { to: &catcher.next, via: Via::Catch(index) });
        match &self.body {
            Body::Choice(choice) => {
                let rules = choice.rules.iter().enumerate();
                let rules = rules.map(|(index, rule)| Way { to: &rule.next, via: Via::Rule(index) });
                rules.chain(choice.default.iter().map(|to| Way { to, via: Via::Default })).collect()
            }
            Body::Pass(_) | Body::Task(_) | Body::Wait(_) | Body::Parallel(_) | Body::Map(_) => {
                self.next().map(|to| Way { to, via: Via::Next }).into_iter().chain(caught).collect()
            }
            Body::Succeed | Body::Fail(_) => Vec::new(),
        }
    }

    /// Where it goes when all goes well; none for one that ends, and for a Choice.
    pub fn next(&self) -> Option<&Name> {
        let then = match &self.body {
            Body::Pass(pass) => &pass.then,
            Body::Task(task) => &task.then,
            Body::Wait(wait) => &wait.then,
            Body::Parallel(parallel) => &parallel.then,
            Body::Map(map) => &map.then,
            Body::Choice(_) | Body::Succeed | Body::Fail(_) => return None,
        };
        match then {
            Then::Next(name) => Some(name),
            Then::End => None,
        }
    }

    pub fn retriers(&self) -> &[Retrier] {
        match &self.body {
            Body::Task(task) => &task.retry,
            Body::Parallel(parallel) => &parallel.retry,
            Body::Map(map) => &map.retry,
            Body::Pass(_) | Body::Choice(_) | Body::Wait(_) | Body::Succeed | Body::Fail(_) => &[],
        }
    }

    pub fn catchers(&self) -> &[Catcher] {
        match &self.body {
            Body::Task(task) => &task.catch,
            Body::Parallel(parallel) => &parallel.catch,
            Body::Map(map) => &map.catch,
            Body::Pass(_) | Body::Choice(_) | Body::Wait(_) | Body::Succeed | Body::Fail(_) => &[],
        }
    }
}

impl Block {
    /// For each state that something leads to, from where. `StartAt` is not among them.
    pub fn predecessors(&self) -> BTreeMap<&Name, Vec<(&Name, Via)>> {
        let mut predecessors: BTreeMap<&Name, Vec<(&Name, Via)>> = BTreeMap::new();
        for (name, state) in &self.states {
            for way in state.ways() {
                predecessors.entry(way.to).or_default().push((name, way.via));
            }
        }
        predecessors
    }
}

impl Machine {
    /// Every state at any depth, block by block.
    pub fn states(&self) -> impl Iterator<Item = (BlockId, &State)> {
        self.block_ids().flat_map(|id| self.block(id).states.values().map(move |state| (id, state)))
    }

    fn block_ids(&self) -> impl Iterator<Item = BlockId> {
        (0..self.blocks.len())
            .map(|index| BlockId(u32::try_from(index).expect("a machine has fewer blocks than bytes")))
    }
}
