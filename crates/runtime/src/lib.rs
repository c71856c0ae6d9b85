//! Where decisions meet the world: load, decide, commit, dispatch.
//!
//! The faces (AWS's wire, our own REST, the command line) call the use cases of [`Runtime`]; the use cases turn a
//! request into a command for one durable value and hand it to the value's shard. There is one path by which
//! a value changes, and it is in `shard`.
//!
//! **It does not know** HTTP, JSON on a wire, or which database it stands on.
//!
//! **Invariant:** effects are dispatched, and answers given, only after the commit that records them.
//!
//! **Invariant:** authorisation is decided here and nowhere else: every use case takes the [`Caller`] first and
//! looks only at values of the caller's account and region.
//!
//! In reading order: [`refusal`] (why not), [`page`], [`machines`], [`executions`], [`commands`] (the use
//! cases), [`tasks`] (the port through which tasks reach services), [`agents`] (the port through which agents
//! come in).

pub mod refusal;
pub mod page;
pub mod machines;
pub mod executions;
pub mod commands;
pub mod tasks;
pub mod agents;

pub use base::Caller;
pub use page::{Page, Paged};
pub use refusal::Refusal;

use std::sync::Arc;

/// A running server's core. Cheap to clone; all clones are the same server.
#[derive(Clone)]
pub struct Runtime {
    #[expect(dead_code, reason = "filled in as the parts land")]
    inner: Arc<Inner>,
}

struct Inner {}
