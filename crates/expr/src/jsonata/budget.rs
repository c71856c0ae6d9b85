//! What one evaluation may use up: steps for its time, bytes for its memory, levels for its stack.
//!
//! A pure crate has no clock; steps are counted instead, so that the same expression over the same values always
//! ends at the same place. Bytes are given back when a value goes.

use std::cell::Cell;
use std::rc::Rc;

use super::error::{Error, Outcome};
use crate::limits;

/// The ends of one evaluation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) steps_max: u64,
    pub(super) bytes_max: usize,
    pub(super) depth_max: usize,
    pub(super) range_max: usize,
    pub(super) text_bytes_max: usize,
}

impl Limits {
    /// What an expression of a state machine may use.
    pub(super) const AWS: Limits = Limits {
        steps_max: limits::JSONATA_STEPS_MAX,
        bytes_max: limits::JSONATA_BYTES_MAX,
        depth_max: limits::JSONATA_DEPTH_MAX,
        range_max: limits::JSONATA_RANGE_MAX,
        text_bytes_max: limits::JSONATA_VALUE_BYTES_MAX,
    };
}

#[derive(Debug)]
pub(super) struct Budget {
    pub(super) limits: Limits,
    steps: Cell<u64>,
    bytes: Cell<usize>,
    depth: Cell<usize>,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Rc<Budget> {
        Rc::new(Budget { limits, steps: Cell::new(0), bytes: Cell::new(0), depth: Cell::new(0) })
    }

    /// Counts work: about one for each value looked at, or for each few dozen bytes moved.
    pub(super) fn step(&self, count: usize) -> Outcome<()> {
        let steps = self.steps.get().saturating_add(count as u64);
        self.steps.set(steps);
        if steps > self.limits.steps_max {
            return Err(Error::time());
        }
        Ok(())
    }

    /// How many were counted.
    pub(super) fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// Counts the work of going through so many bytes.
    pub(super) fn scan(&self, bytes: usize) -> Outcome<()> {
        self.step(bytes / 32)
    }

    pub(super) fn enter(&self) -> Outcome<()> {
        let depth = self.depth.get() + 1;
        if depth > self.limits.depth_max {
            return Err(Error::limit(format!(
                "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive. Depth={depth} max={}",
                self.limits.depth_max
            )));
        }
        self.depth.set(depth);
        self.step(1)
    }

    pub(super) fn leave(&self, depth: usize) {
        self.depth.set(depth);
    }

    pub(super) fn depth(&self) -> usize {
        self.depth.get()
    }

    pub(super) fn charge(self: &Rc<Budget>, bytes: usize) -> Outcome<Charge> {
        let mut charge = Charge { budget: Rc::clone(self), bytes: 0 };
        charge.add(bytes)?;
        Ok(charge)
    }
}

/// Bytes that a value holds, given back with it.
pub(super) struct Charge {
    budget: Rc<Budget>,
    bytes: usize,
}

impl Charge {
    pub(super) fn add(&mut self, bytes: usize) -> Outcome<()> {
        let all = self.budget.bytes.get().saturating_add(bytes);
        if all > self.budget.limits.bytes_max {
            return Err(Error::memory());
        }
        self.budget.bytes.set(all);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.bytes.set(self.budget.bytes.get() - self.bytes);
    }
}
