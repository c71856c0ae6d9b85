//! Agents as operators see them: whether they are there, what they have to do, and why something does not run on them.

use std::sync::Arc;

use base::{Caller, Timestamp};

use crate::Runtime;
use crate::agents::Load;
use crate::directories::limit;
use crate::directory::{Drained, Group, Laid};
use crate::instances::Instance;
use crate::page::{Page, Paged};
use crate::refusal::Refusal;
use crate::shard::{Ask, Reply};

/// One agent.
#[derive(Debug, Clone)]
pub struct AgentView {
    pub instance: Instance,
    pub status: AgentStatus,
    /// Logical names.
    pub names: Vec<Arc<str>>,
    pub groups: Vec<Arc<str>>,
    pub running: u32,
    /// Sent or to be sent to it, and not begun.
    pub queued: u32,
    /// What it runs at a time; none when it has not said, and nothing was set.
    pub limit: Option<u32>,
    /// What was set for it alone.
    pub limit_set: Option<u32>,
    pub drained: Option<Drained>,
    /// The logical name whose restriction holds its jobs back.
    pub held_by: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// Something that has not begun on an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub command_id: String,
    pub document: String,
    pub requested: Timestamp,
    pub why: Why,
}

/// Why something has not begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The agent is not there; when it was last heard of.
    Offline {
        since: Timestamp,
    },
    Drained {
        since: Timestamp,
        reason: String,
    },
    /// The restriction of this logical name.
    Held {
        name: Arc<str>,
    },
    AtLimit {
        running: u32,
        limit: u32,
    },
    /// As many of the group run as may.
    Group {
        group: Arc<str>,
    },
    /// The command's own MaxConcurrency lets no more run.
    Command,
    /// An attempt has failed, and the next is made then.
    Retry {
        at: Timestamp,
    },
    /// It was asked and has yet to answer.
    Asked,
}

/// Commands whose reasons are told.
const PENDING_MAX: usize = 200;

/// One that is connected says something every ten seconds.
const STALE_AFTER_MS: i64 = 25_000;
const LOST_AFTER_MS: i64 = fleet::limits::LOST_AFTER_SECONDS as i64 * 1000;

impl Runtime {
    /// By instance id, ascending.
    pub async fn agent_list(&self, caller: &Caller, page: Page) -> Result<Paged<AgentView>, Refusal> {
        let directory = self.directory(caller).await?;
        let instances = self.instance_list(caller, page).await?;
        let (laid, groups) = (directory.by_instance(), directory.groups_by_instance());
        Ok(instances.map(|instance| {
            let id = &*instance.instance_id;
            let laid = laid.get(id).cloned().unwrap_or_default();
            let groups = groups.get(id).map(Vec::as_slice).unwrap_or_default();
            self.agent_view(caller, &laid, groups, instance)
        }))
    }

    /// One agent, by its logical name or its instance id.
    pub async fn agent(&self, caller: &Caller, agent: &str) -> Result<AgentView, Refusal> {
        let instance_id = self.agent_instance(caller, agent).await?;
        let directory = self.directory(caller).await?;
        let instance = self.instance(caller, &instance_id).await?;
        let groups = directory.groups_by_instance().remove(&*instance_id).unwrap_or_default();
        Ok(self.agent_view(caller, &directory.of_instance(&instance_id), &groups, instance))
    }

    /// What waits for an agent and why, oldest first, and whether there is more.
    pub async fn agent_pending(&self, caller: &Caller, view: &AgentView) -> Result<(Vec<Pending>, bool), Refusal> {
        let id = &*view.instance.instance_id;
        let instance = fleet::InstanceId::from(id);
        let load = self.inner.world.hub.load(caller, id, self.inner.world.now());
        let mut pending = vec![];
        let work = self.inner.world.hub.work(caller, id);
        for run in &work {
            if pending.len() == PENDING_MAX {
                break;
            }
            let Ok(Reply::Run(run)) = self.ask(*run, Ask::LookAtRun).await else { continue };
            let Some((send, requested)) = run.sent() else { continue };
            let Some(why) = waits_for(&run, &instance, view, load) else { continue };
            pending.push(Pending {
                command_id: send.command.to_string(),
                document: send.document_name.clone(),
                requested,
                why,
            });
        }
        pending.sort_by(|a, b| (a.requested, &a.command_id).cmp(&(b.requested, &b.command_id)));
        let more = pending.len() == PENDING_MAX && work.len() > PENDING_MAX;
        Ok((pending, more))
    }

    fn agent_view(&self, caller: &Caller, laid: &Laid<'_>, groups: &[&Group], instance: Instance) -> AgentView {
        let now = self.inner.world.now();
        let load = self.inner.world.hub.load(caller, &instance.instance_id, now);
        AgentView {
            status: match instance.suspended {
                true => AgentStatus::Suspended,
                false => status(load.connected, instance.last_ping, laid.holds_back(), now),
            },
            names: laid.names.iter().map(|name| name.name.clone()).collect(),
            groups: groups.iter().map(|group| group.name.clone()).collect(),
            running: load.running,
            queued: load.waiting,
            limit: limit(laid.limit(), load.own_limit),
            limit_set: laid.settings.and_then(|settings| settings.concurrency_max),
            drained: laid.drained().cloned(),
            held_by: laid.held_by().map(|name| name.name.clone()),
            instance,
        }
    }
}

fn status(connected: bool, heard: Timestamp, held_back: bool, now: Timestamp) -> AgentStatus {
    let silent = now.0.saturating_sub(heard.0);
    match connected {
        _ if silent > LOST_AFTER_MS => AgentStatus::Lost,
        true if held_back => AgentStatus::Draining,
        true if silent <= STALE_AFTER_MS => AgentStatus::Up,
        _ => AgentStatus::Stale,
    }
}

/// Why a run has not begun on an instance; none where it has, or where it is not for it.
fn waits_for(run: &fleet::Run, instance: &fleet::InstanceId, view: &AgentView, load: Load) -> Option<Why> {
    match &run.invocation(instance)?.stage {
        fleet::Stage::Begun { .. } | fleet::Stage::Ended { .. } => None,
        fleet::Stage::Queued => Some(Why::Command),
        fleet::Stage::AwaitingSlot => {
            let (send, _) = run.sent()?;
            let place = send.places.iter().find(|place| place.limited && place.candidates.contains(instance))?;
            Some(Why::Group { group: place.group.clone()? })
        }
        fleet::Stage::Waiting { alarm, .. } => Some(Why::Retry { at: alarm.due }),
        fleet::Stage::Offered { .. } => Some(answers_not(view, load)),
    }
}

/// Why an agent that was asked has not begun.
fn answers_not(view: &AgentView, load: Load) -> Why {
    match (&view.drained, &view.held_by, view.limit) {
        _ if !load.connected => Why::Offline { since: view.instance.last_ping },
        (Some(drained), _, _) => Why::Drained { since: drained.at, reason: drained.reason.clone() },
        (None, Some(name), _) => Why::Held { name: name.clone() },
        (None, None, Some(limit)) if view.running >= limit => Why::AtLimit { running: view.running, limit },
        (None, None, _) => Why::Asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_unheard_of_is_stale_and_then_lost() {
        let at = |connected, silent, held_back| status(connected, Timestamp(0), held_back, Timestamp(silent));
        assert_eq!(
            [at(true, 0, false), at(true, STALE_AFTER_MS + 1, false), at(false, 0, false), at(true, 0, true)],
            [AgentStatus::Up, AgentStatus::Stale, AgentStatus::Stale, AgentStatus::Draining]
        );
        assert_eq!(
            [at(true, LOST_AFTER_MS + 1, true), at(false, LOST_AFTER_MS, true)],
            [AgentStatus::Lost, AgentStatus::Stale]
        );
    }
}
