//! Agents as operators see them: who is there, under which names and in which groups, and what waits for whom and why.

use std::collections::BTreeMap;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::moment;

/// An agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// The instance's id.
    pub id: String,
    /// What its host calls it.
    pub name: String,
    pub status: AgentStatus,
    /// Logical names, by which jobs reach it.
    #[serde(default)]
    pub names: Vec<String>,
    #[serde(default)]
    pub groups: Vec<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    pub computer_name: String,
    /// As in `Linux`.
    pub platform_type: String,
    /// As in `Debian GNU/Linux 12`.
    pub platform: String,
    pub agent_version: String,
    pub ip_address: String,
    /// What runs on it now, what waits for it, and how much it runs at a time, where that is known.
    pub running: u32,
    pub queued: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// What was set for it, apart from what its names and itself say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_set: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained: Option<Drained>,
    /// The logical name whose restriction holds its jobs back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<String>,
    /// It was there twice, and is not let in before it is registered anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    #[serde(with = "moment")]
    pub last_heard: Timestamp,
    #[serde(with = "moment")]
    pub registered: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentStatus {
    Up,
    /// Not heard of when it should have been.
    Stale,
    /// There, and sent nothing new.
    Draining,
    /// Unheard of for so long that what it runs is given up.
    Lost,
    /// It was there twice, and is not let in before it is registered anew.
    Suspended,
    /// A status of a later version.
    #[serde(other)]
    Unknown,
}

impl AgentStatus {
    pub fn name(self) -> &'static str {
        match self {
            AgentStatus::Up => "up",
            AgentStatus::Stale => "stale",
            AgentStatus::Draining => "draining",
            AgentStatus::Lost => "lost",
            AgentStatus::Suspended => "suspended",
            AgentStatus::Unknown => "unknown",
        }
    }
}

/// Since when it is sent nothing new, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    #[serde(with = "moment")]
    pub since: Timestamp,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// An agent, and why nothing runs on it: what waits for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentDetail {
    #[serde(flatten)]
    pub agent: Agent,
    /// Oldest first.
    pub pending: Vec<Pending>,
    /// More waits than is told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A command that has not begun on an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    pub command: String,
    pub document: String,
    #[serde(with = "moment")]
    pub requested: Timestamp,
    #[serde(flatten)]
    pub why: Why,
}

/// Why a command has not begun on an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// The agent is not there; when it was last heard of.
    Offline {
        #[serde(with = "moment")]
        since: Timestamp,
    },
    Drained(Drained),
    /// The restriction of this logical name.
    Held {
        name: String,
    },
    AtLimit {
        running: u32,
        limit: u32,
    },
    /// As many of the group run as may.
    Group {
        group: String,
    },
    /// The command's own MaxConcurrency lets no more run.
    Command,
    /// An attempt has failed, and the next is made then.
    Retry {
        #[serde(with = "moment")]
        at: Timestamp,
    },
    /// It was asked and has yet to answer.
    Asked,
    /// A reason of a later version.
    #[serde(other)]
    Unknown,
}

/// `POST /agents/{id}/drain`, `POST /agents/{id}/resume`; the query of whatever is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Recorded with it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Checked, and not done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// `PUT /agents/{id}/limit`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentLimit {
    /// As it was started when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(flatten)]
    pub change: Change,
}

/// 実行エージェント名: what jobs call an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentName {
    pub name: String,
    #[serde(flatten)]
    pub set: AgentNameSet,
}

/// What a logical name is set to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentNameSet {
    pub instance_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// How many jobs its host runs at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(default)]
    pub restriction: Restriction,
}

/// `PUT /agent-names/{name}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentNamePut {
    #[serde(flatten)]
    pub set: AgentNameSet,
    #[serde(flatten)]
    pub change: Change,
}

/// 転送制限
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restriction {
    /// New jobs are taken, and sent.
    #[default]
    Effective,
    /// New jobs are refused; what waits is sent.
    Ineffective,
    /// New jobs are taken, and wait.
    Hold,
    /// New jobs are refused, and what waits goes on waiting.
    Blockade,
}

impl Restriction {
    pub fn name(self) -> &'static str {
        match self {
            Restriction::Effective => "effective",
            Restriction::Ineffective => "ineffective",
            Restriction::Hold => "hold",
            Restriction::Blockade => "blockade",
        }
    }
}

/// 実行エージェントグループ: agents of which one is chosen for each job, or all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentGroup {
    pub name: String,
    #[serde(flatten)]
    pub set: AgentGroupSet,
}

/// What a group is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentGroupSet {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub members: Vec<GroupMember>,
    #[serde(default)]
    pub policy: GroupPolicy,
    /// How many jobs run in the whole group at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `PUT /agent-groups/{name}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentGroupPut {
    #[serde(flatten)]
    pub set: AgentGroupSet,
    #[serde(flatten)]
    pub change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    /// A logical name, or an instance's id.
    pub agent: String,
    /// 1 to 16, higher first; 16 when not given.
    #[serde(default = "highest")]
    pub priority: u8,
}

fn highest() -> u8 {
    16
}

/// How a group's job finds its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupPolicy {
    /// Among the highest priority where one has a place free, the one with the most.
    #[default]
    Balance,
    /// The highest priority that is there.
    Failover,
    /// Each of them.
    All,
}

impl GroupPolicy {
    pub fn name(self) -> &'static str {
        match self {
            GroupPolicy::Balance => "balance",
            GroupPolicy::Failover => "failover",
            GroupPolicy::All => "all",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_flat_and_has_defaults() {
        let put: AgentGroupPut =
            serde_json::from_str(r#"{"members":[{"agent":"web"}],"reason":"new"}"#).expect("a group");
        assert_eq!(
            (put.set.policy, put.set.members[0].priority, put.change.reason.as_str()),
            (GroupPolicy::Balance, 16, "new")
        );
        let limit: AgentLimit = serde_json::from_str(r#"{"limit":3,"dry_run":true}"#).expect("a limit");
        assert_eq!((limit.limit, limit.change.dry_run), (Some(3), true));
    }

    #[test]
    fn a_reason_stands_beside_what_waits_for_it() {
        let pending = Pending {
            command: "c".into(),
            document: "d".into(),
            requested: Timestamp(0),
            why: Why::AtLimit { running: 2, limit: 2 },
        };
        let text = serde_json::to_string(&pending).expect("a text");
        assert_eq!(
            text,
            r#"{"command":"c","document":"d","requested":"1970-01-01T00:00:00.000Z","why":"at_limit","running":2,"limit":2}"#
        );
        assert_eq!(serde_json::from_str::<Pending>(&text).expect("read again"), pending);
        let later = r#"{"command":"c","document":"d","requested":"1970-01-01T00:00:00.000Z","why":"the_moon"}"#;
        assert_eq!(serde_json::from_str::<Pending>(later).expect("let pass").why, Why::Unknown);
    }
}
