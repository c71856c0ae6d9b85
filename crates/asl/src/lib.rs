//! The Amazon States Language: its tree, its parser, its validator.
//!
//! [`parse`] gives a [`Machine`] in which every `Next` exists, every path is compiled and every field is
//! where the language allows it; or the list of diagnostics that says why not. Nobody asks again later.
//! [`parse_state`] gives one state by itself, for a test of it.
//!
//! **It does not know** executions, history or time.
//!
//! **Invariant:** there is a machine exactly when no diagnostic is an error.
//!
//! In reading order: [`tree`] (what a definition says), [`diagnostic`] (what is wrong with it), [`resource`] (what a
//! Task's ARN means), [`parse`], [`graph`] (how states hang together), [`place`] (where a finding stands in the text).

pub mod tree;
pub mod diagnostic;
pub mod resource;
mod parse;
pub mod graph;
pub mod place;

pub use diagnostic::{Diagnostic, Severity, refusal};
pub use parse::{LoneState, Parsed, StateRefusal, parse, parse_state};
pub use place::{Place, locate};
pub use resource::{Pattern, Resource};
pub use tree::*;
