//! Use cases about what operators lay down for agents: logical names, groups, how many jobs at a time, and drain; and
//! where a job finds its agent by them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use base::Caller;

use crate::directory::{self, Change, Directory, Group, Laid, Name, Policy, Standing};
use crate::machines::valid_name;
use crate::page::{Page, Paged};
use crate::refusal::{AgentRefusal, Refusal};
use crate::shard::{Ask, Refused, Reply};
use crate::{Runtime, keys, token};

/// How something is changed: why, as it is recorded, and whether it is only looked at what would come of it.
#[derive(Debug, Clone, Default)]
pub struct Changing {
    pub reason: String,
    pub dry_run: bool,
}

impl Changing {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match self.reason.chars().count() {
            0..=REASON_CHARS_MAX => Ok(()),
            _ => Err(Refusal::Validation(format!("a reason has at most {REASON_CHARS_MAX} characters"))),
        }
    }
}

/// What a reason may have.
const REASON_CHARS_MAX: usize = 1_000;

/// What an agent runs at a time when it does not say: the agent's own default.
const LIMIT_UNKNOWN: u32 = 5;

impl Runtime {
    /// What is laid down about the caller's agents.
    pub async fn directory(&self, caller: &Caller) -> Result<Arc<Directory>, Refusal> {
        self.directory_ask(caller, Change::Look, Changing::default()).await
    }

    /// By name, ascending.
    pub async fn agent_name_list(&self, caller: &Caller, page: Page) -> Result<Paged<Name>, Refusal> {
        let directory = self.directory(caller).await?;
        self.page_of(&directory.names, &format!("agent names {} {}", caller.account, caller.region), page)
    }

    pub async fn agent_name(&self, caller: &Caller, name: &str) -> Result<Name, Refusal> {
        let directory = self.directory(caller).await?;
        directory.names.get(name).cloned().ok_or_else(|| AgentRefusal::NameMissing(name.to_owned()).into())
    }

    pub async fn agent_name_put(&self, caller: &Caller, name: Name, how: Changing) -> Result<Name, Refusal> {
        agent_name(&name.name)?;
        description(&name.description)?;
        self.instance(caller, &name.instance_id).await?;
        self.directory_ask(caller, Change::PutName(name.clone()), how).await?;
        Ok(name)
    }

    pub async fn agent_name_delete(&self, caller: &Caller, name: &str, how: Changing) -> Result<(), Refusal> {
        self.directory_ask(caller, Change::DeleteName(name.into()), how).await.map(drop)
    }

    /// By name, ascending.
    pub async fn agent_group_list(&self, caller: &Caller, page: Page) -> Result<Paged<Group>, Refusal> {
        let directory = self.directory(caller).await?;
        self.page_of(&directory.groups, &format!("agent groups {} {}", caller.account, caller.region), page)
    }

    pub async fn agent_group(&self, caller: &Caller, name: &str) -> Result<Group, Refusal> {
        let directory = self.directory(caller).await?;
        group_of(&directory, name).cloned()
    }

    /// Creates a group or changes it. Members that are not logical names are registered instances.
    pub async fn agent_group_put(&self, caller: &Caller, group: Group, how: Changing) -> Result<Group, Refusal> {
        agent_name(&group.name)?;
        description(&group.description)?;
        for member in &group.members {
            if api::agent::valid_instance_id(&member.agent) {
                self.instance(caller, &member.agent).await?;
            }
        }
        let done = !how.dry_run;
        self.directory_ask(caller, Change::PutGroup(group.clone()), how).await?;
        if done {
            self.slots_set(caller, &group.name, group.concurrency_max).await?;
        }
        Ok(group)
    }

    pub async fn agent_group_delete(&self, caller: &Caller, name: &str, how: Changing) -> Result<(), Refusal> {
        let done = !how.dry_run;
        self.directory_ask(caller, Change::DeleteGroup(name.into()), how).await?;
        // What waits for a slot of a group that is gone need not wait any more.
        if done { self.slots_set(caller, name, None).await } else { Ok(()) }
    }

    /// Sends an agent nothing new: what it has goes on to its end, what is for it waits.
    pub async fn agent_drain(&self, caller: &Caller, agent: &str, how: Changing) -> Result<(), Refusal> {
        let instance = self.agent_instance(caller, agent).await?;
        self.directory_ask(caller, Change::Drain(instance), how).await.map(drop)
    }

    pub async fn agent_resume(&self, caller: &Caller, agent: &str, how: Changing) -> Result<(), Refusal> {
        let instance = self.agent_instance(caller, agent).await?;
        self.directory_ask(caller, Change::Resume(instance), how).await.map(drop)
    }

    /// How many jobs an agent runs at a time; as it was started, where none is given.
    pub async fn agent_limit(
        &self,
        caller: &Caller,
        agent: &str,
        concurrency_max: Option<u32>,
        how: Changing,
    ) -> Result<(), Refusal> {
        let instance = self.agent_instance(caller, agent).await?;
        self.directory_ask(caller, Change::Limit(instance, concurrency_max), how).await.map(drop)
    }

    /// Deregisters an agent, and forgets what was set for it. Its names and its places in groups stay: another host may
    /// follow it.
    pub async fn agent_remove(&self, caller: &Caller, agent: &str, how: Changing) -> Result<(), Refusal> {
        let instance = self.agent_instance(caller, agent).await?;
        if !how.dry_run {
            self.instance_deregister(caller, &instance).await?;
            self.directory_ask(caller, Change::Forget(instance), how).await?;
        }
        Ok(())
    }

    /// The instance that a logical name stands for (`dandori:Agent`); an instance id stands for itself.
    pub async fn instance_of_name(&self, caller: &Caller, agent: &str) -> Result<fleet::InstanceId, Refusal> {
        let directory = self.directory(caller).await?;
        if directory.names.get(agent).is_some_and(|name| !name.restriction.takes_jobs()) {
            return Err(AgentRefusal::TakesNoJobs(agent.to_owned()).into());
        }
        Ok(fleet::InstanceId::from(&*self.agent_instance_in(caller, &directory, agent).await?))
    }

    /// The places that a target names by agents' names and groups: `dandori:Agent`, `dandori:AgentGroup` and
    /// `resource-groups:Name`. None for other keys.
    pub(crate) async fn places_by_target(
        &self,
        caller: &Caller,
        key: &str,
        values: &[String],
    ) -> Result<Option<Vec<fleet::Place>>, Refusal> {
        let mut places = vec![];
        match key {
            "dandori:Agent" => {
                for agent in values {
                    places.push(fleet::Place::on(self.instance_of_name(caller, agent).await?));
                }
            }
            "dandori:AgentGroup" => {
                for group in values {
                    places.extend(self.places_for_group(caller, group).await?);
                }
            }
            "resource-groups:Name" => {
                for group in values {
                    places.extend(self.places_on_group(caller, group).await?);
                }
            }
            _ => return Ok(None),
        }
        Ok(Some(places))
    }

    /// Where a job for a group runs (`dandori:AgentGroup`): at one place, of which the members are the candidates in the
    /// order of the group's policy and of what they do at the moment; or, where it is for all, at a place on each.
    pub async fn places_for_group(&self, caller: &Caller, group: &str) -> Result<Vec<fleet::Place>, Refusal> {
        let directory = self.directory(caller).await?;
        let group = group_of(&directory, group)?;
        let candidates = self.candidates(caller, &directory, group).await?;
        let candidates: Vec<_> = candidates.iter().map(|instance| fleet::InstanceId::from(&**instance)).collect();
        Ok(match group.policy {
            Policy::Balance | Policy::Failover => vec![place(group, candidates)],
            Policy::All => candidates.into_iter().map(|instance| place(group, vec![instance])).collect(),
        })
    }

    /// A place on each member of a group (`resource-groups:Name`), whatever its policy.
    pub async fn places_on_group(&self, caller: &Caller, group: &str) -> Result<Vec<fleet::Place>, Refusal> {
        let directory = self.directory(caller).await?;
        let group = group_of(&directory, group)?;
        let each = Group { policy: Policy::All, ..group.clone() };
        let candidates = self.candidates(caller, &directory, &each).await?;
        let on = |instance: &Arc<str>| place(group, vec![fleet::InstanceId::from(&**instance)]);
        Ok(candidates.iter().map(on).collect())
    }

    /// The members of a group that are registered and take jobs, the best first.
    async fn candidates(
        &self,
        caller: &Caller,
        directory: &Directory,
        group: &Group,
    ) -> Result<Vec<Arc<str>>, Refusal> {
        let (mut standings, laid) = (BTreeMap::new(), directory.by_instance());
        for (_, instance) in directory.members(group) {
            if self.instance(caller, &instance).await.is_ok_and(|instance| !instance.suspended) {
                let set = laid.get(&*instance).and_then(Laid::limit);
                standings.insert(instance.clone(), self.standing(caller, set, &instance));
            }
        }
        let nobody = Standing { is_there: false, busy: 0, limit: 0 };
        let mut candidates = directory.candidates(group, |of| standings.get(of).copied().unwrap_or(nobody));
        candidates.retain(|instance| standings.contains_key(instance));
        match (candidates.first(), group.policy) {
            (None, _) => return Err(AgentRefusal::TakesNoJobs(group.name.to_string()).into()),
            (Some(first), Policy::Balance) => {
                self.inner.world.hub.promise(caller, first, self.inner.world.now());
            }
            (Some(_), Policy::Failover | Policy::All) => (),
        }
        Ok(candidates)
    }

    fn standing(&self, caller: &Caller, set: Option<u32>, instance: &str) -> Standing {
        let load = self.inner.world.hub.load(caller, instance, self.inner.world.now());
        Standing {
            is_there: self.instance_is_connected(caller, instance),
            busy: load.running + load.waiting + load.promised,
            limit: limit(set, load.own_limit).unwrap_or(LIMIT_UNKNOWN),
        }
    }

    /// The instance that an agent's logical name or id means, if it is registered.
    pub(crate) async fn agent_instance(&self, caller: &Caller, agent: &str) -> Result<Arc<str>, Refusal> {
        let directory = self.directory(caller).await?;
        self.agent_instance_in(caller, &directory, agent).await
    }

    async fn agent_instance_in(
        &self,
        caller: &Caller,
        directory: &Directory,
        agent: &str,
    ) -> Result<Arc<str>, Refusal> {
        match directory.instance_of(agent) {
            Some(instance) => Ok(self.instance(caller, instance).await?.instance_id.into()),
            None => Err(AgentRefusal::NameMissing(agent.to_owned()).into()),
        }
    }

    async fn directory_ask(&self, caller: &Caller, change: Change, how: Changing) -> Result<Arc<Directory>, Refusal> {
        how.check()?;
        let Changing { reason, dry_run } = how;
        let command = directory::Command { change, reason };
        match self.ask(keys::directory(caller), Ask::Directory { caller: caller.clone(), command, dry_run }).await {
            Ok(Reply::Directory(directory)) => Ok(directory),
            Ok(_) => Err(Refusal::Unknown),
            Err(Refused::Directory(refusal)) => Err(refusal.into()),
            Err(refused) => Err(refused.into()),
        }
    }

    fn page_of<T: Clone>(&self, all: &BTreeMap<Arc<str>, T>, question: &str, page: Page) -> Result<Paged<T>, Refusal> {
        let now = self.inner.world.now();
        let after = page.token.map(|token| token::read(question, &token, now)).transpose()?;
        let after = after.map(|key| String::from_utf8_lossy(&key).into_owned());
        let begin = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = all.range::<str, _>((begin, Bound::Unbounded));
        let rows: Vec<_> = rest.by_ref().take(page.limit as usize).collect();
        let more = rest.next().is_some();
        let next = rows.last().filter(|_| more).map(|(name, _)| token::write(question, name.as_bytes(), now));
        Ok(Paged { items: rows.into_iter().map(|(_, item)| item.clone()).collect(), next })
    }
}

/// What an agent runs at a time: what was set, but never more than it takes by its own account.
pub(crate) fn limit(set: Option<u32>, own: Option<u32>) -> Option<u32> {
    [set, own].into_iter().flatten().min()
}

fn group_of<'a>(directory: &'a Directory, name: &str) -> Result<&'a Group, Refusal> {
    directory.groups.get(name).ok_or_else(|| AgentRefusal::GroupMissing(name.to_owned()).into())
}

fn place(group: &Group, candidates: Vec<fleet::InstanceId>) -> fleet::Place {
    let first = candidates.first().expect("a group's place has a candidate").clone();
    fleet::Place {
        candidates,
        group: Some(group.name.clone()),
        limited: group.concurrency_max.is_some(),
        ..fleet::Place::on(first)
    }
}

/// A logical name or a group's name: as other names are, and no instance id.
fn agent_name(name: &str) -> Result<(), Refusal> {
    match api::agent::valid_instance_id(name) {
        true => Err(Refusal::InvalidName(name.to_owned())),
        false => valid_name(name),
    }
}

fn description(text: &str) -> Result<(), Refusal> {
    match text.chars().count() > REASON_CHARS_MAX {
        true => Err(Refusal::Validation(format!("a description has at most {REASON_CHARS_MAX} characters"))),
        false => Ok(()),
    }
}

impl From<directory::Refusal> for Refusal {
    fn from(refusal: directory::Refusal) -> Refusal {
        match refusal {
            directory::Refusal::NameMissing(name) => AgentRefusal::NameMissing(name.to_string()).into(),
            directory::Refusal::GroupMissing(name) => AgentRefusal::GroupMissing(name.to_string()).into(),
            directory::Refusal::Taken(name) => AgentRefusal::NameTaken(name.to_string()).into(),
            directory::Refusal::InUse { name, groups } => {
                let groups = groups.iter().map(|group| group.to_string()).collect();
                AgentRefusal::NameInUse { name: name.to_string(), groups }.into()
            }
            directory::Refusal::Invalid(why) => Refusal::Validation(why),
            directory::Refusal::TooMany => AgentRefusal::TooMany.into(),
        }
    }
}
