//! What is doubtful in a definition that is valid: findings beyond those of `ValidateStateMachineDefinition`.
//!
//! ```text
//! Machine ──► lint ──► [Finding { place, doubt }]
//! ```
//!
//! **It does not know** texts, lines or languages: a finding is data, and whoever shows it has the words.
//!
//! **Invariant:** a finding is a doubt that can be explained from the definition alone. What could be so in some
//! execution is not reported: a path counts as never written only when nothing that leads there writes it.
//!
//! In reading order: [`finding`], [`place`] (where each state stands, and what leads where), [`shape`] (what is known of
//! a value), [`flow`] (paths that nobody writes), [`handlers`] (Retry and Catch), [`branches`] (Choice).

pub mod finding;
mod place;
mod shape;
mod flow;
mod handlers;
mod branches;

pub use finding::{Doubt, Finding, Unmatched};

use asl::Machine;

/// Everything doubtful in `machine`, in the order of its places.
pub fn lint(machine: &Machine) -> Vec<Finding> {
    let places = place::places(machine);
    let mut findings = vec![];
    for place in &places {
        findings.extend(branches::doubts(place));
        findings.extend(handlers::doubts(place));
    }
    findings.extend(flow::doubts(machine, &places));
    findings.sort_by(|left, right| left.at.cmp(&right.at));
    findings
}

#[cfg(test)]
mod tests;
