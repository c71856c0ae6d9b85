//! Traces of executions: a trace for each, a span for each state, sent to a collector that speaks OTLP over HTTP.
//!
//! **It does not know** how an execution runs: it reads histories of executions that have ended.
//!
//! **Invariant:** what a trace and its spans are called follows from the execution and its events alone: whoever derives
//! them again, on another start or another server, derives the same.
//!
//! **Invariant:** a collector that is slow, wrong or gone holds no execution up: what cannot be sent is dropped and
//! counted.
//!
//! In reading order: [`header`] (which trace an execution belongs to), [`span`] (events become spans), [`otlp`] (spans
//! become JSON), [`export`] (and are sent).

pub mod header;
pub mod span;
pub mod otlp;
pub mod export;

pub use export::{Collector, CollectorError, export};
