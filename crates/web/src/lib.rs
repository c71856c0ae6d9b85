//! One port: our own `/api/v1`, the door for agents, a page for a browser, and AWS's wire for everything else.
//!
//! Handlers translate: they parse, call one use case and shape the answer. What is allowed is decided in
//! `runtime`; here it is only found out who asks.
//!
//! **It does not know** what a job is, nor where anything is stored.
//!
//! **Invariant:** a request comes in complete or not at all, within a time and a size; a client that hangs costs
//! others nothing.
//!
//! **Invariant:** every route stands in [`routes`] with those who may ask it, and in the test's table of
//! (route × caller).
//!
//! In reading order: [`routes`] (the table), [`gate`] (who asks), [`refusal`] (what they are told instead of an
//! answer), [`wire`] (conversions), the handlers `executions`, `live`, `definitions`, `commands`, `agents`,
//! `aws_door`, `page`, `metrics`, and [`serve()`] (connections).

pub mod routes;
pub mod gate;
pub mod refusal;
pub mod wire;
mod extract;
mod executions;
mod live;
mod definitions;
mod commands;
mod agents;
mod aws_door;
mod page;
mod metrics;
mod serve;
#[cfg(test)]
mod tests;

pub use routes::router;
pub use serve::serve;

use std::sync::Arc;

use runtime::Runtime;
use tokio::sync::watch;

use crate::gate::Gate;

/// What handlers work with. Clones are the same server.
#[derive(Clone)]
pub struct State {
    pub(crate) runtime: Runtime,
    pub(crate) face: Arc<aws::Face>,
    pub(crate) gate: Arc<Gate>,
    /// Whether the server is ending: long answers end with it.
    pub(crate) ending: Arc<watch::Sender<bool>>,
}

impl State {
    /// The same keys open both doors.
    pub fn new(runtime: Runtime, config: aws::Config) -> State {
        let face = aws::Face::new(runtime.clone(), config.clone());
        State {
            runtime,
            face: Arc::new(face),
            gate: Arc::new(Gate::new(config)),
            ending: Arc::new(watch::Sender::new(false)),
        }
    }
}
