//! Use cases of Run Command: scripts on managed instances.

use std::collections::BTreeMap;

use base::{Caller, Timestamp};

use crate::page::{Page, Paged};
use crate::refusal::Refusal;
use crate::Runtime;

/// `SendCommand`.
#[derive(Debug, Clone, Default)]
pub struct CommandSend {
    /// Made up when not given. A task gives one made from its attempt, so that sending twice is sending once.
    pub command_id: Option<String>,
    pub document_name: String,
    pub document_version: Option<String>,
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Named directly or by `Targets` with the key `InstanceIds`.
    pub instance_ids: Vec<String>,
    /// Echoed as they came.
    pub targets: Vec<Target>,
    /// How long until it must have been delivered.
    pub timeout_seconds: Option<u64>,
    pub comment: Option<String>,
    pub max_concurrency: Option<String>,
    pub max_errors: Option<String>,
    /// Who is told when all invocations have ended.
    pub waiter: Option<fleet::Waiter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub key: String,
    pub values: Vec<String>,
}

/// Which commands or invocations are wanted; newest first.
#[derive(Debug, Clone, Default)]
pub struct CommandFilter {
    pub command_id: Option<String>,
    pub instance_id: Option<String>,
    pub invoked_after: Option<Timestamp>,
    pub invoked_before: Option<Timestamp>,
    /// A status as AWS writes it.
    pub status: Option<String>,
    pub document_name: Option<String>,
}

/// A managed instance as `DescribeInstanceInformation` shows it.
#[derive(Debug, Clone)]
pub struct Instance {
    pub instance_id: String,
    pub name: String,
    pub computer_name: String,
    pub agent_version: String,
    pub platform_type: String,
    pub platform_name: String,
    pub platform_version: String,
    pub ip_address: String,
    pub registered: Timestamp,
    pub last_ping: Timestamp,
    pub ping: Ping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ping {
    Online,
    ConnectionLost,
    Inactive,
}

impl Ping {
    pub fn name(self) -> &'static str {
        match self {
            Ping::Online => "Online",
            Ping::ConnectionLost => "ConnectionLost",
            Ping::Inactive => "Inactive",
        }
    }
}

impl Runtime {
    /// Sends a command. The same `command_id` again gives the same command.
    pub async fn command_send(&self, caller: &Caller, send: CommandSend) -> Result<fleet::Run, Refusal> {
        let _ = (caller, send);
        unimplemented!()
    }

    pub async fn command_cancel(&self, caller: &Caller, command_id: &str, instance_ids: Vec<String>) -> Result<(), Refusal> {
        let _ = (caller, command_id, instance_ids);
        unimplemented!()
    }

    pub async fn command(&self, caller: &Caller, command_id: &str) -> Result<fleet::Run, Refusal> {
        let _ = (caller, command_id);
        unimplemented!()
    }

    /// Commands whose invocations match; a face shows commands or their invocations from them.
    pub async fn command_list(&self, caller: &Caller, filter: CommandFilter, page: Page) -> Result<Paged<fleet::Run>, Refusal> {
        let _ = (caller, filter, page);
        unimplemented!()
    }

    /// By instance id, ascending.
    pub async fn instance_list(&self, caller: &Caller, page: Page) -> Result<Paged<Instance>, Refusal> {
        let _ = (caller, page);
        unimplemented!()
    }
}
