//! Activations: with which hosts become instances.

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::moment;

/// `POST /activations`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationCreate {
    /// What people call the hosts that register with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// 1 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrations: Option<u32>,
    /// From now; a day when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<u64>,
    /// A role's name, as Systems Manager wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_role: Option<String>,
    /// Of the instances: `KEY=VALUE` each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// What is taken to the host. The code is told this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationCreated {
    pub id: String,
    pub code: String,
    /// The fingerprint of the server's key: the host is sure that it registers here.
    pub server_key: String,
    #[serde(with = "moment")]
    pub expires: Timestamp,
}

/// The code is a secret.
impl std::fmt::Debug for ActivationCreated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActivationCreated").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activation {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub registrations: u32,
    pub registrations_max: u32,
    pub expired: bool,
    #[serde(with = "moment")]
    pub expires: Timestamp,
    #[serde(with = "moment")]
    pub created: Timestamp,
}
