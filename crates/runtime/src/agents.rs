//! The port through which agents come in.

use api::agent::{FromAgent, ToAgent};
use base::Caller;
use tokio::sync::mpsc;

use crate::refusal::Refusal;
use crate::Runtime;

/// One agent's connection, as the runtime sees it. Dropping it disconnects the agent.
pub struct AgentLink {
    /// What the agent is to be told; ends when the agent must go (another connection took its place, or the
    /// server stops).
    pub outgoing: mpsc::Receiver<ToAgent>,
    session: u64,
}

impl Runtime {
    /// An agent said hello (`FromAgent::Hello`, its first message). Registers it and gives its link.
    pub async fn agent_connect(&self, caller: &Caller, hello: FromAgent) -> Result<AgentLink, Refusal> {
        let _ = (caller, hello);
        unimplemented!()
    }

    /// Everything else that it says. Returns once what it said is durable.
    pub async fn agent_message(&self, link: &AgentLink, message: FromAgent) -> Result<(), Refusal> {
        let _ = (link.session, message);
        unimplemented!()
    }
}
