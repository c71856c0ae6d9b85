//! Use cases about managed instances: who there is, what they are called by, and who is one no longer.

use std::collections::BTreeSet;

use base::{Caller, Timestamp};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{Direction, IndexKey, IndexRow};

use crate::instance::{self, Card, Registered};
use crate::page::{Page, Paged};
use crate::parameters::TagChange;
use crate::refusal::{CommandRefusal, EnrolmentRefusal, Refusal};
use crate::shard::{Ask, Refused, Reply};
use crate::tags::Tags;
use crate::{Runtime, keys, tags, token};

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
    pub activation_id: Option<String>,
    pub iam_role: Option<String>,
    pub tags: Vec<(String, String)>,
    /// It was there twice, and is not let in before it is registered anew.
    pub suspended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ping {
    Online,
    ConnectionLost,
    Inactive,
}

impl Ping {
    pub const fn name(self) -> &'static str {
        match self {
            Ping::Online => "Online",
            Ping::ConnectionLost => "ConnectionLost",
            Ping::Inactive => "Inactive",
        }
    }
}

/// An instance that has been away for so long is inactive (SSM: 30 days).
const INACTIVE_AFTER_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// One that is connected and unheard of for so long is not there.
const SILENT_AFTER_MS: i64 = fleet::limits::LOST_AFTER_SECONDS as i64 * 1000;

/// Rows read at a time.
const ROWS: u32 = 1_000;

/// An instance's row in the list of instances: everything that `DescribeInstanceInformation` shows.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    card: Card,
    first_seen: Timestamp,
    seen: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registration: Option<RowOfRegistration>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Tags,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    suspended: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct RowOfRegistration {
    activation_id: Option<String>,
    iam_role: Option<String>,
    name: Option<String>,
    at: Timestamp,
}

/// An instance's rows follow the instance: one in the list of all, and one for each tag.
pub(crate) fn index(caller: &Caller, before: Option<&Registered>, now: Option<&Registered>, step: &mut store::Step) {
    let Some(known) = now.or(before) else { return };
    let instance_id = &known.card.instance_id;
    let at = IndexKey { list: keys::instances(caller), key: Bytes::copy_from_slice(instance_id.as_bytes()) };
    match now {
        None => step.index_deleted.push(at),
        Some(now) => {
            let value = serde_json::to_vec(&row(now)).expect("a row has a text").into();
            step.index_put.push(IndexRow { at, value });
        }
    }
    let tagged = |registered: Option<&Registered>| -> BTreeSet<(String, String)> {
        registered.into_iter().flat_map(|registered| registered.tags.iter().cloned()).collect()
    };
    let (before, now) = (tagged(before), tagged(now));
    let at = |(key, value): &(String, String)| IndexKey {
        list: keys::instances_by_tag(caller, key),
        key: keys::by_value(value, instance_id),
    };
    step.index_deleted.extend(before.difference(&now).map(at));
    step.index_put.extend(now.difference(&before).map(|tag| IndexRow { at: at(tag), value: Bytes::new() }));
}

fn row(now: &Registered) -> Row {
    let registration = now.registration.as_ref().map(|registration| RowOfRegistration {
        activation_id: registration.activation_id.clone(),
        iam_role: registration.iam_role.clone(),
        name: registration.name.clone(),
        at: registration.at,
    });
    Row {
        card: now.card.clone(),
        first_seen: now.first_seen,
        seen: now.seen,
        registration,
        tags: now.tags.clone(),
        suspended: now.suspended.is_some(),
    }
}

impl Runtime {
    /// By instance id, ascending.
    pub async fn instance_list(&self, caller: &Caller, page: Page) -> Result<Paged<Instance>, Refusal> {
        let question = format!("instances {} {}", caller.account, caller.region);
        let now = self.inner.world.now();
        let invalid = |_| Refusal::Command(CommandRefusal::InvalidNextToken);
        let after = page.token.map(|token| token::read(&question, &token, now)).transpose().map_err(invalid)?;
        let rows = self
            .store()
            .index(keys::instances(caller), after.map(Bytes::from), Direction::Forward, page.limit + 1)
            .await?;
        let more = rows.len() > page.limit as usize;
        let rows = &rows[..rows.len().min(page.limit as usize)];
        let next = rows.last().filter(|_| more).map(|row| token::write(&question, &row.at.key, now));
        let items = rows.iter().map(|row| {
            let row: Row = serde_json::from_slice(&row.value).map_err(Refusal::internal)?;
            Ok(self.instance_shown(caller, row, now))
        });
        Ok(Paged { items: items.collect::<Result<_, Refusal>>()?, next })
    }

    pub async fn instance(&self, caller: &Caller, instance_id: &str) -> Result<Instance, Refusal> {
        let now = self.instance_ask(caller, instance_id, instance::Command::Look).await?;
        Ok(self.instance_shown(caller, row(&now), self.inner.world.now()))
    }

    fn instance_shown(&self, caller: &Caller, row: Row, now: Timestamp) -> Instance {
        let (heard, connected) = self.inner.world.hub.seen(caller, &row.card.instance_id);
        shown(row, heard, connected, now)
    }

    /// Instances that a target names (`SendCommand`, Targets): by `InstanceIds`, `tag:KEY` or `tag-key`. Ids are given
    /// back as they came, registered or not.
    pub async fn instances_by_target(
        &self,
        caller: &Caller,
        key: &str,
        values: &[String],
    ) -> Result<Vec<String>, Refusal> {
        let mut found = BTreeSet::new();
        match (key, key.strip_prefix("tag:")) {
            ("InstanceIds" | "instanceids", _) => return Ok(values.to_vec()),
            ("tag-key", _) => {
                for tag in values {
                    found.extend(self.instances_with(caller, tag, None).await?);
                }
            }
            (_, Some(tag)) => {
                for value in values {
                    found.extend(self.instances_with(caller, tag, Some(value)).await?);
                }
            }
            (other, None) => {
                let why = format!(
                    "Targets with the key '{other}' are not supported by this version; name instances by 'InstanceIds', \
                     'tag:KEY' or 'tag-key', or by 'dandori:Agent', 'dandori:AgentGroup' or 'resource-groups:Name'."
                );
                return Err(Refusal::Validation(why));
            }
        }
        Ok(found.into_iter().collect())
    }

    /// Instances with a tag, and with one value of it where that is asked for: read from the tag's own list.
    async fn instances_with(&self, caller: &Caller, tag: &str, value: Option<&str>) -> Result<Vec<String>, Refusal> {
        let prefix = value.map(|value| keys::by_value(value, ""));
        let (mut found, mut after) = (vec![], prefix.clone());
        loop {
            let list = keys::instances_by_tag(caller, tag);
            let rows = self.store().index(list, after, Direction::Forward, ROWS).await?;
            let full = rows.len() == ROWS as usize;
            after = rows.last().map(|row| row.at.key.clone());
            for row in rows {
                if prefix.as_ref().is_some_and(|prefix| !row.at.key.starts_with(prefix)) {
                    return Ok(found);
                }
                let id = row.at.key.iter().rposition(|byte| *byte == 0).map(|end| &row.at.key[end + 1..]);
                found.extend(id.and_then(|id| std::str::from_utf8(id).ok()).map(str::to_owned));
            }
            if !full {
                return Ok(found);
            }
        }
    }

    /// The name that an instance's host has; nothing when it is no instance any more.
    pub async fn instance_host(&self, caller: &Caller, instance_id: &str) -> Result<Option<String>, Refusal> {
        match self.instance_ask(caller, instance_id, instance::Command::Look).await {
            Ok(registered) => Ok(Some(registered.card.computer_name)),
            Err(Refusal::Command(CommandRefusal::InvalidInstanceId(_))) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// An instance's tags, in the order in which their keys came.
    pub async fn instance_tags(&self, caller: &Caller, instance_id: &str) -> Result<Vec<(String, String)>, Refusal> {
        Ok(self.instance_ask(caller, instance_id, instance::Command::Look).await?.tags)
    }

    /// Adds or removes tags.
    pub async fn instance_tag(&self, caller: &Caller, instance_id: &str, change: TagChange) -> Result<(), Refusal> {
        let command = match change {
            TagChange::Add(tags) => instance::Command::Tag(tags::checked(tags, EnrolmentRefusal::TooManyTags)?),
            TagChange::Remove(keys) => instance::Command::Untag(keys),
        };
        self.instance_ask(caller, instance_id, command).await.map(drop)
    }

    /// `UpdateManagedInstanceRole`.
    pub async fn instance_change_role(
        &self,
        caller: &Caller,
        instance_id: &str,
        iam_role: String,
    ) -> Result<(), Refusal> {
        self.instance_ask(caller, instance_id, instance::Command::ChangeRole(iam_role)).await.map(drop)
    }

    /// Its agent is sent away and not let in again. What it has not begun ends, and what runs there ends without being
    /// heard.
    pub async fn instance_deregister(&self, caller: &Caller, instance_id: &str) -> Result<(), Refusal> {
        let ask = Ask::Instance { caller: caller.clone(), command: Box::new(instance::Command::Deregister) };
        match self.ask(keys::instance(caller, instance_id), ask).await {
            Ok(_) => {
                self.end_work_of_deregistered(caller, instance_id);
                Ok(())
            }
            Err(Refused::Instance(instance::Refusal::DoesNotExist)) => Err(unknown(instance_id)),
            Err(refused) => Err(refused.into()),
        }
    }

    /// Whether an instance's agent is connected, and was heard of. One that does not exist is not.
    pub fn instance_is_connected(&self, caller: &Caller, instance_id: &str) -> bool {
        let (heard, connected) = self.inner.world.hub.seen(caller, instance_id);
        connected && heard.is_some_and(|heard| self.inner.world.now().0 - heard.0 <= SILENT_AFTER_MS)
    }

    async fn instance_ask(
        &self,
        caller: &Caller,
        instance_id: &str,
        command: instance::Command,
    ) -> Result<Registered, Refusal> {
        let ask = Ask::Instance { caller: caller.clone(), command: Box::new(command) };
        match self.ask(keys::instance(caller, instance_id), ask).await {
            Ok(Reply::Instance(instance)) => instance.now.ok_or_else(|| unknown(instance_id)),
            Ok(_) => Err(Refusal::Unknown),
            Err(Refused::Instance(instance::Refusal::DoesNotExist)) => Err(unknown(instance_id)),
            Err(Refused::Instance(instance::Refusal::TooManyTags)) => Err(EnrolmentRefusal::TooManyTags.into()),
            Err(refused) => Err(refused.into()),
        }
    }
}

fn unknown(instance_id: &str) -> Refusal {
    CommandRefusal::InvalidInstanceId(vec![instance_id.to_owned()]).into()
}

fn shown(row: Row, heard: Option<Timestamp>, connected: bool, now: Timestamp) -> Instance {
    let last_ping = heard.map_or(row.seen, |heard| heard.max(row.seen));
    let silent = now.0.saturating_sub(last_ping.0);
    let ping = match connected {
        true if silent <= SILENT_AFTER_MS && !row.suspended => Ping::Online,
        _ if silent > INACTIVE_AFTER_MS => Ping::Inactive,
        _ => Ping::ConnectionLost,
    };
    let registered = row.registration.as_ref().map_or(row.first_seen, |registration| registration.at);
    let (activation_id, iam_role, given_name) = match row.registration {
        Some(registration) => (registration.activation_id, registration.iam_role, registration.name),
        None => (None, None, None),
    };
    Instance {
        instance_id: row.card.instance_id,
        name: given_name.unwrap_or(row.card.name),
        computer_name: row.card.computer_name,
        agent_version: row.card.agent_version,
        platform_type: row.card.platform_type,
        platform_name: row.card.platform_name,
        platform_version: row.card.platform_version,
        ip_address: row.card.ip_address,
        registered,
        last_ping,
        ping,
        activation_id,
        iam_role,
        tags: row.tags,
        suspended: row.suspended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_unheard_of_is_not_online() {
        let ping = |connected, silent_ms| {
            let row = Row {
                card: Card::default(),
                first_seen: Timestamp(0),
                seen: Timestamp(0),
                registration: None,
                tags: vec![],
                suspended: false,
            };
            shown(row, None, connected, Timestamp(silent_ms)).ping
        };
        assert_eq!(
            (ping(true, SILENT_AFTER_MS), ping(true, SILENT_AFTER_MS + 1)),
            (Ping::Online, Ping::ConnectionLost)
        );
        assert_eq!((ping(false, 0), ping(false, INACTIVE_AFTER_MS)), (Ping::ConnectionLost, Ping::ConnectionLost));
        assert_eq!(ping(false, INACTIVE_AFTER_MS + 1), Ping::Inactive);
    }

    /// By the first version that had a form.
    #[test]
    fn a_row_that_was_stored_before_is_read() {
        let card = r#"{"instance_id":"mi-1","name":"n","computer_name":"c","agent_version":"v","platform_type":"Linux","platform_name":"p","platform_version":"1","ip_address":"","incarnation":3}"#;
        let row: Row =
            serde_json::from_str(&format!(r#"{{"card":{card},"first_seen":1,"seen":2}}"#)).expect("a stored form");
        let shown = shown(row, None, false, Timestamp(3));
        assert_eq!((shown.registered, shown.last_ping, shown.iam_role), (Timestamp(1), Timestamp(2), None));
    }
}
