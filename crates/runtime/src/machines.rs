//! Use cases about state machines and their tags.

use asl::MachineKind;
use base::{Caller, Json, Timestamp};

use crate::page::{Page, Paged};
use crate::refusal::Refusal;
use crate::Runtime;

/// `CreateStateMachine`. Configurations are kept and shown as they came.
#[derive(Debug, Clone)]
pub struct StateMachineCreate {
    pub name: String,
    /// Verbatim text.
    pub definition: String,
    pub role_arn: String,
    pub kind: MachineKind,
    pub logging: Option<Json>,
    pub tracing: Option<Json>,
    pub encryption: Option<Json>,
    pub tags: Vec<(String, String)>,
}

/// `UpdateStateMachine`: what is not given stays.
#[derive(Debug, Clone)]
pub struct StateMachineUpdate {
    pub arn: String,
    pub definition: Option<String>,
    pub role_arn: Option<String>,
    pub logging: Option<Json>,
    pub tracing: Option<Json>,
    pub encryption: Option<Json>,
}

/// A state machine as it stands.
#[derive(Debug, Clone)]
pub struct StateMachine {
    pub arn: String,
    pub name: String,
    pub definition: String,
    pub role_arn: String,
    pub kind: MachineKind,
    pub logging: Option<Json>,
    pub tracing: Option<Json>,
    pub encryption: Option<Json>,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// Set by the first update.
    pub revision: Option<String>,
}

#[derive(Debug, Clone)]
pub struct StateMachineSummary {
    pub arn: String,
    pub name: String,
    pub kind: MachineKind,
    pub created: Timestamp,
}

impl Runtime {
    /// Creates a state machine; the same request again gives the same one.
    pub async fn state_machine_create(&self, caller: &Caller, create: StateMachineCreate) -> Result<StateMachine, Refusal> {
        let _ = (caller, create);
        unimplemented!()
    }

    pub async fn state_machine_update(&self, caller: &Caller, update: StateMachineUpdate) -> Result<StateMachine, Refusal> {
        let _ = (caller, update);
        unimplemented!()
    }

    pub async fn state_machine(&self, caller: &Caller, arn: &str) -> Result<StateMachine, Refusal> {
        let _ = (caller, arn);
        unimplemented!()
    }

    /// Deletes a state machine; one that does not exist is deleted already.
    pub async fn state_machine_delete(&self, caller: &Caller, arn: &str) -> Result<(), Refusal> {
        let _ = (caller, arn);
        unimplemented!()
    }

    /// By name, ascending.
    pub async fn state_machine_list(&self, caller: &Caller, page: Page) -> Result<Paged<StateMachineSummary>, Refusal> {
        let _ = (caller, page);
        unimplemented!()
    }

    pub async fn tags(&self, caller: &Caller, arn: &str) -> Result<Vec<(String, String)>, Refusal> {
        let _ = (caller, arn);
        unimplemented!()
    }

    /// Adds tags; a key that is there gets the new value.
    pub async fn tag(&self, caller: &Caller, arn: &str, tags: Vec<(String, String)>) -> Result<(), Refusal> {
        let _ = (caller, arn, tags);
        unimplemented!()
    }

    pub async fn untag(&self, caller: &Caller, arn: &str, keys: Vec<String>) -> Result<(), Refusal> {
        let _ = (caller, arn, keys);
        unimplemented!()
    }
}
