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
//! **Invariant:** an agent hears who the server is before it says who it is, and one that is not let in learns nothing.
//!
//! In reading order: [`routes`] (the table), [`gate`] (who asks), [`refusal`] (what they are told instead of an
//! answer), [`wire`] (conversions), the handlers `executions`, `live`, `definitions`, `commands`, `outputs`, `operators`, `enrolment`, `agents`,
//! `aws_door`, `page`, `metrics`, and [`serve()`] (connections).

pub mod routes;
pub mod gate;
pub mod refusal;
pub mod wire;
mod extract;
mod executions;
mod live;
mod definitions;
mod documents;
mod commands;
mod outputs;
mod operators;
mod enrolment;
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

use identity::KeyPair;
use runtime::Runtime;
use tokio::sync::watch;

use crate::gate::Gate;

/// What a server is to the world.
pub struct Config {
    /// The same keys open both doors.
    pub doors: aws::Config,
    /// With which it shows agents who it is.
    pub identity: Arc<KeyPair>,
    /// Without it connections are not encrypted.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl Config {
    /// Without TLS, and with an identity that is forgotten when it ends.
    pub fn fleeting(doors: aws::Config) -> Config {
        Config { doors, identity: Arc::new(KeyPair::generate()), tls: None }
    }
}

/// What handlers work with. Clones are the same server.
#[derive(Clone)]
pub struct State {
    pub(crate) runtime: Runtime,
    pub(crate) face: Arc<aws::Face>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) identity: Arc<KeyPair>,
    pub(crate) guesses: Arc<enrolment::Guesses>,
    /// Whether the server is ending: long answers end with it.
    pub(crate) ending: Arc<watch::Sender<bool>>,
}

impl State {
    pub fn new(runtime: Runtime, config: &Config) -> State {
        let face = aws::Face::new(runtime.clone(), config.doors.clone());
        State {
            runtime,
            face: Arc::new(face),
            gate: Arc::new(Gate::new(config.doors.clone())),
            identity: config.identity.clone(),
            guesses: Arc::default(),
            ending: Arc::new(watch::Sender::new(false)),
        }
    }
}
