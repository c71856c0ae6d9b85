//! A whole state machine run as a rehearsal: its tasks are mocked, its clock jumps from one event to the next.
//!
//! ```text
//! table of cases ──► Suite ──► run(machine, case) ──► Performance ──► judge(case, performance) ──► Verdict
//! ```
//!
//! The table has the form of AWS Step Functions Local's mock configuration, with input, virtual time and
//! expectations beside it (Developer Guide, "Using mocked service integrations").
//!
//! **It does not know** files, servers or languages that people speak: a verdict is data.
//!
//! **Invariant:** a rehearsal performs nothing and is the same each time: chance has a fixed seed, and time is
//! what the case says.
//!
//! **Invariant:** it ends. A machine that loops comes to the end of its history (25,000 events), or of its steps.
//!
//! In reading order: [`suite`] (what a table says), [`run`] (the rehearsal), [`verdict`] (what was expected and is not so).

pub mod suite;
pub mod run;
pub mod verdict;

pub use run::{Call, Ending, Performance, run};
pub use suite::{Case, Expect, Mock, Outcome, Suite, SuiteError};
pub use verdict::{Mismatch, judge};

#[cfg(test)]
mod tests;
