//! AWS's wire: Step Functions, Run Command and what their tools ask besides.
//!
//! ```text
//! request ─► who asks ─► which operation ─► fits its shape? ─► decode ─► one use case ─► encode ─► answer
//! task ────────────────────────┴──► (names with a capital, times in ISO 8601) ──────────┴────────► result
//! ```
//!
//! **It does not know** what a use case does, nor which HTTP library carries it.
//!
//! **Invariant:** whatever comes in, something in AWS's form goes out; nothing panics.
//!
//! **Invariant:** a task goes through the same decoding, checking and encoding as a client.
//!
//! In reading order: [`http`] (requests and responses), [`door`] (who asks), [`face`] (what is meant), `operation` (the
//! tables: where an operation is added), `shape` (what a request must look like), `value` and `write` (bodies),
//! `error` (AWS's codes and words), the services `sfn`, `ssm`, `logs` and `sts`, [`tasks`] (the same for
//! tasks), `s3` (what only tasks reach).

pub mod http;
pub mod door;
pub mod face;
mod operation;
mod shape;
mod value;
mod write;
mod error;
mod sfn;
mod ssm;
mod logs;
mod sts;
mod s3;
pub mod nested;
mod tasks;
#[cfg(test)]
mod tests;

pub use face::{Config, Face, Key};
pub use http::{Request, Response};
pub use sfn::log_event;
pub use tasks::Tasks;
