//! One Map run as a value: a pure function from a command to facts and requests.
//!
//! A Map in distributed mode hands its items to a run of its own, which reads them piece by piece, has a child execution
//! started for each, hears how each ended, and says in the end what became of all of them.
//!
//! **It does not know** stores, buckets, executions or AWS's wire; nor what a child does. Whoever reads gives it the
//! children's inputs; who ends tells it.
//!
//! **Invariant:** every input that was read is one child, whatever is told twice, late or never: a child's name follows
//! from the run and its index ([`child`]), and what was not acknowledged is asked for again.
//!
//! **Invariant:** what it remembers is bounded: the inputs that were read and not yet started, an index for each child
//! that runs, and counts. It forgets who has ended: a run that is redriven has that looked up, piece by piece.
//!
//! **Invariant:** a run changes only through [`Run::apply`], and an effect is never the only trace of a decision:
//! [`Run::outstanding`] rebuilds every effect still owed.
//!
//! In reading order: [`child`], `message` (commands, events, effects), `run` (what it remembers), `step` (what it
//! decides).

pub mod child;
mod message;
mod run;
mod step;

pub use message::{
    Begin, Command, Counts, Effect, Env, Event, Fate, Found, Input, Limits, Outcome, Read, Refusal, Step, Surveyed,
    Told, Update,
};
pub use run::{Run, Status};
pub use step::step;

/// Children whose inputs are read at a time, and whose start is not yet acknowledged.
pub const WINDOW_CHILDREN_MAX: usize = 1_000;

/// Bytes of inputs that are read at a time; one that alone is larger comes alone. Twice as much is held at most.
pub const WINDOW_BYTES_MAX: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
