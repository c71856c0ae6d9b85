//! What operators have laid down about the agents of one account and region, as a value: logical names by which jobs
//! reach them, groups of them, and how each is to work.
//!
//! One value for all of it, so that a name that a group has for a member is not deleted behind its back.
//!
//! **Invariant:** a name means one thing: a logical name and a group never share one, and neither looks like an instance
//! id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::Timestamp;
use serde::{Deserialize, Serialize};

/// As of its latest event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Directory {
    pub names: BTreeMap<Arc<str>, Name>,
    pub groups: BTreeMap<Arc<str>, Group>,
    /// By instance id; one without an entry works as it came.
    pub settings: BTreeMap<Arc<str>, Settings>,
    pub(crate) seq: u64,
}

/// 実行エージェント: a logical name, behind which the host can change while the jobs stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    pub name: Arc<str>,
    pub instance_id: Arc<str>,
    #[serde(default)]
    pub description: String,
    /// How many jobs its host runs at a time, whoever sent them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_max: Option<u32>,
    #[serde(default)]
    pub restriction: Restriction,
}

/// 転送制限: whether jobs are taken under a name, and whether its host is sent what waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restriction {
    /// 有効
    #[default]
    Effective,
    /// 無効: new jobs are refused, what waits is sent.
    Ineffective,
    /// 保留: new jobs wait.
    Hold,
    /// 閉塞: new jobs are refused, and what waits goes on waiting. What runs goes on in any case.
    Blockade,
}

impl Restriction {
    pub fn takes_jobs(self) -> bool {
        match self {
            Restriction::Effective | Restriction::Hold => true,
            Restriction::Ineffective | Restriction::Blockade => false,
        }
    }

    pub fn sends_jobs(self) -> bool {
        match self {
            Restriction::Effective | Restriction::Ineffective => true,
            Restriction::Hold | Restriction::Blockade => false,
        }
    }
}

/// 実行エージェントグループ: agents of which one is chosen for each job, or all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub name: Arc<str>,
    #[serde(default)]
    pub description: String,
    pub members: Vec<Member>,
    #[serde(default)]
    pub policy: Policy,
    /// How many jobs run in the whole group at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_max: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// A logical name, or an instance id.
    pub agent: Arc<str>,
    /// 1 to 16, higher first.
    pub priority: u8,
}

/// How a group's job finds its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Among the highest priority where one has a place free, the one with the most.
    #[default]
    Balance,
    /// The highest priority that is there.
    Failover,
    /// Each of them.
    All,
}

/// How one agent is to work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_max: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained: Option<Drained>,
}

/// Since when an agent is sent nothing new, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What is laid down for one instance.
#[derive(Debug, Clone, Default)]
pub struct Laid<'a> {
    pub names: Vec<&'a Name>,
    pub settings: Option<&'a Settings>,
}

impl Laid<'_> {
    pub fn drained(&self) -> Option<&Drained> {
        self.settings.and_then(|settings| settings.drained.as_ref())
    }

    /// The name whose restriction keeps jobs from being sent.
    pub fn held_by(&self) -> Option<&Name> {
        self.names.iter().copied().find(|name| !name.restriction.sends_jobs())
    }

    /// Whether it is sent nothing new: it was drained, or one of its names holds jobs back.
    pub fn holds_back(&self) -> bool {
        self.drained().is_some() || self.held_by().is_some()
    }

    /// How many jobs it runs at a time: the smallest of what was set for it and for its names.
    pub fn limit(&self) -> Option<u32> {
        let own = self.settings.and_then(|settings| settings.concurrency_max);
        self.names.iter().filter_map(|name| name.concurrency_max).chain(own).min()
    }
}

pub const PRIORITY_MAX: u8 = 16;
pub(crate) const NAMES_MAX: usize = 10_000;
pub(crate) const GROUPS_MAX: usize = 1_000;
pub(crate) const MEMBERS_MAX: usize = 1_000;
/// Agents with settings of their own.
pub(crate) const SETTINGS_MAX: usize = 10_000;

/// What is to change, and why: the reason is recorded with it.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) change: Change,
    pub(crate) reason: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Nothing: whoever asks wants to see it.
    Look,
    PutName(Name),
    DeleteName(Arc<str>),
    PutGroup(Group),
    DeleteGroup(Arc<str>),
    Drain(Arc<str>),
    Resume(Arc<str>),
    Limit(Arc<str>, Option<u32>),
    /// The instance is there no more.
    Forget(Arc<str>),
}

/// Stored: add to it, never alter it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    pub(crate) fact: Fact,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Fact {
    NamePut(Name),
    NameDeleted { name: Arc<str> },
    GroupPut(Group),
    GroupDeleted { name: Arc<str> },
    Drained { instance: Arc<str> },
    Resumed { instance: Arc<str> },
    Limited { instance: Arc<str>, concurrency_max: Option<u32> },
    Forgotten { instance: Arc<str> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    NameMissing(Arc<str>),
    GroupMissing(Arc<str>),
    /// The other kind has this name.
    Taken(Arc<str>),
    /// These groups have the name for a member.
    InUse {
        name: Arc<str>,
        groups: Vec<Arc<str>>,
    },
    /// The text is complete.
    Invalid(String),
    TooMany,
}

/// Decides what `command` means. No event: it is so already.
pub(crate) fn decide(directory: &Directory, command: Command, now: Timestamp) -> Result<Option<Event>, Refusal> {
    let fact = match command.change {
        Change::Look => None,
        Change::PutName(name) => put_name(directory, name)?,
        Change::DeleteName(name) => Some(delete_name(directory, name)?),
        Change::PutGroup(group) => put_group(directory, group)?,
        Change::DeleteGroup(name) => match directory.groups.contains_key(&name) {
            true => Some(Fact::GroupDeleted { name }),
            false => return Err(Refusal::GroupMissing(name)),
        },
        Change::Drain(instance) => {
            directory.has_room_for(&instance)?;
            directory.settings(&instance).drained.is_none().then_some(Fact::Drained { instance })
        }
        Change::Resume(instance) => directory.settings(&instance).drained.map(|_| Fact::Resumed { instance }),
        Change::Limit(_, Some(0)) => return Err(Refusal::Invalid("a limit is at least 1".to_owned())),
        Change::Limit(instance, concurrency_max) => {
            directory.has_room_for(&instance)?;
            let differs = directory.settings(&instance).concurrency_max != concurrency_max;
            differs.then_some(Fact::Limited { instance, concurrency_max })
        }
        Change::Forget(instance) => directory.settings.contains_key(&instance).then_some(Fact::Forgotten { instance }),
    };
    Ok(fact.map(|fact| Event { at: now, reason: command.reason, fact }))
}

fn put_name(directory: &Directory, name: Name) -> Result<Option<Fact>, Refusal> {
    if directory.groups.contains_key(&name.name) {
        return Err(Refusal::Taken(name.name));
    }
    if name.concurrency_max == Some(0) {
        return Err(Refusal::Invalid("a limit is at least 1".to_owned()));
    }
    match directory.names.get(&name.name) {
        Some(known) if *known == name => Ok(None),
        None if directory.names.len() >= NAMES_MAX => Err(Refusal::TooMany),
        Some(_) | None => Ok(Some(Fact::NamePut(name))),
    }
}

fn delete_name(directory: &Directory, name: Arc<str>) -> Result<Fact, Refusal> {
    if !directory.names.contains_key(&name) {
        return Err(Refusal::NameMissing(name));
    }
    let has_it = |group: &&Group| group.members.iter().any(|member| member.agent == name);
    let groups: Vec<_> = directory.groups.values().filter(has_it).map(|group| group.name.clone()).collect();
    match groups.is_empty() {
        true => Ok(Fact::NameDeleted { name }),
        false => Err(Refusal::InUse { name, groups }),
    }
}

fn put_group(directory: &Directory, group: Group) -> Result<Option<Fact>, Refusal> {
    if directory.names.contains_key(&group.name) {
        return Err(Refusal::Taken(group.name));
    }
    if group.members.is_empty() || group.members.len() > MEMBERS_MAX {
        return Err(Refusal::Invalid(format!("a group has 1 to {MEMBERS_MAX} members")));
    }
    if group.concurrency_max == Some(0) {
        return Err(Refusal::Invalid("a limit is at least 1".to_owned()));
    }
    let mut seen = BTreeSet::new();
    for Member { agent, priority } in &group.members {
        if !(1..=PRIORITY_MAX).contains(priority) {
            return Err(Refusal::Invalid(format!("the priority of {agent} is not 1 to {PRIORITY_MAX}")));
        }
        let Some(instance) = directory.instance_of(agent) else { return Err(Refusal::NameMissing(agent.clone())) };
        if !seen.insert(instance) {
            return Err(Refusal::Invalid(format!("{agent} is a member already: {instance}")));
        }
    }
    match directory.groups.get(&group.name) {
        Some(known) if *known == group => Ok(None),
        None if directory.groups.len() >= GROUPS_MAX => Err(Refusal::TooMany),
        Some(_) | None => Ok(Some(Fact::GroupPut(group))),
    }
}

/// Where an agent stands when a job looks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) is_there: bool,
    /// Jobs that it has been given and that have not ended.
    pub(crate) busy: u32,
    pub(crate) limit: u32,
}

impl Directory {
    /// Folds one event in.
    pub(crate) fn apply(&mut self, event: &Event) {
        self.seq += 1;
        match &event.fact {
            Fact::NamePut(name) => drop(self.names.insert(name.name.clone(), name.clone())),
            Fact::NameDeleted { name } => drop(self.names.remove(name)),
            Fact::GroupPut(group) => drop(self.groups.insert(group.name.clone(), group.clone())),
            Fact::GroupDeleted { name } => drop(self.groups.remove(name)),
            Fact::Drained { instance } => {
                let drained = Drained { at: event.at, reason: event.reason.clone() };
                self.set(instance, |settings| settings.drained = Some(drained));
            }
            Fact::Resumed { instance } => self.set(instance, |settings| settings.drained = None),
            Fact::Limited { instance, concurrency_max } => {
                self.set(instance, |settings| settings.concurrency_max = *concurrency_max);
            }
            Fact::Forgotten { instance } => drop(self.settings.remove(instance)),
        }
    }

    fn set(&mut self, instance: &Arc<str>, change: impl FnOnce(&mut Settings)) {
        let settings = self.settings.entry(instance.clone()).or_default();
        change(settings);
        if *settings == Settings::default() {
            self.settings.remove(instance);
        }
    }

    /// What was set for an instance itself.
    fn settings(&self, instance: &str) -> Settings {
        self.settings.get(instance).cloned().unwrap_or_default()
    }

    fn has_room_for(&self, instance: &str) -> Result<(), Refusal> {
        let has_room = self.settings.contains_key(instance) || self.settings.len() < SETTINGS_MAX;
        has_room.then_some(()).ok_or(Refusal::TooMany)
    }

    /// The instance that a logical name stands for; an instance id stands for itself.
    pub fn instance_of<'a>(&'a self, agent: &'a str) -> Option<&'a str> {
        match self.names.get(agent) {
            Some(name) => Some(&name.instance_id),
            None => api::agent::valid_instance_id(agent).then_some(agent),
        }
    }

    /// What is laid down for each instance; one that is missing here works as it came.
    pub fn by_instance(&self) -> BTreeMap<&str, Laid<'_>> {
        let mut all: BTreeMap<&str, Laid<'_>> = BTreeMap::new();
        for name in self.names.values() {
            all.entry(&name.instance_id).or_default().names.push(name);
        }
        for (instance, settings) in &self.settings {
            all.entry(instance).or_default().settings = Some(settings);
        }
        all
    }

    /// What is laid down for one instance.
    pub fn of_instance(&self, instance: &str) -> Laid<'_> {
        let names = self.names.values().filter(|name| *name.instance_id == *instance).collect();
        Laid { names, settings: self.settings.get(instance) }
    }

    /// The groups of each instance, by whatever name it is a member.
    pub fn groups_by_instance(&self) -> BTreeMap<&str, Vec<&Group>> {
        let mut all: BTreeMap<&str, Vec<&Group>> = BTreeMap::new();
        for group in self.groups.values() {
            let instances: BTreeSet<_> =
                group.members.iter().filter_map(|member| self.instance_of(&member.agent)).collect();
            instances.into_iter().for_each(|instance| all.entry(instance).or_default().push(group));
        }
        all
    }

    /// The instances of a group that take jobs, by priority; each once.
    pub(crate) fn members(&self, group: &Group) -> Vec<(u8, Arc<str>)> {
        let takes = |member: &Member| self.names.get(&member.agent).is_none_or(|name| name.restriction.takes_jobs());
        let mut members: Vec<(u8, Arc<str>)> = vec![];
        for member in group.members.iter().filter(|member| takes(member)) {
            // A name may have moved to an instance that is a member already.
            match self.instance_of(&member.agent) {
                Some(instance) if members.iter().all(|(_, known)| **known != *instance) => {
                    members.push((member.priority, instance.into()));
                }
                Some(_) | None => (),
            }
        }
        members.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
        members
    }

    /// The instances on which a group's next job is tried, in this order. What is drained comes last: its job waits.
    pub(crate) fn candidates(&self, group: &Group, standing: impl Fn(&str) -> Standing) -> Vec<Arc<str>> {
        let mut members = self.members(group);
        let laid = self.by_instance();
        members.sort_by_cached_key(|(priority, instance)| {
            let Standing { is_there, busy, limit } = standing(instance);
            let free = i64::from(limit) - i64::from(busy);
            let holds_back = laid.get(&**instance).is_some_and(Laid::holds_back);
            let reach = match (holds_back, is_there) {
                (false, true) => 0,
                (false, false) => 1,
                (true, _) => 2,
            };
            let (is_full, crowd) = match group.policy {
                Policy::Balance => (free <= 0, -free),
                Policy::Failover | Policy::All => (false, 0),
            };
            // Where all are full, the shortest queue is sooner than the highest priority.
            let by_priority = 16 - i64::from(*priority);
            let order = if is_full { (crowd, by_priority) } else { (by_priority, crowd) };
            (reach, is_full, order)
        });
        members.into_iter().map(|(_, instance)| instance).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const A: &str = "mi-aaaaaaaaaaaaaaaaa";
    const B: &str = "mi-bbbbbbbbbbbbbbbbb";
    const C: &str = "mi-ccccccccccccccccc";

    /// `a`, `b` and `c` are written for the instances.
    fn agent(word: &str) -> Arc<str> {
        match word {
            "a" => A.into(),
            "b" => B.into(),
            "c" => C.into(),
            name => name.into(),
        }
    }

    fn short(text: &str) -> String {
        text.replace(A, "a").replace(B, "b").replace(C, "c")
    }

    fn number(words: &[&str], key: &str) -> Option<u32> {
        words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
    }

    fn change(line: &str) -> Change {
        let words: Vec<&str> = line.split_whitespace().collect();
        let limit = number(&words, "limit");
        match words[0] {
            "name" => Change::PutName(Name {
                name: words[1].into(),
                instance_id: agent(words[2]),
                description: String::new(),
                concurrency_max: limit,
                restriction: match words.get(3) {
                    Some(&"ineffective") => Restriction::Ineffective,
                    Some(&"hold") => Restriction::Hold,
                    Some(&"blockade") => Restriction::Blockade,
                    _ => Restriction::Effective,
                },
            }),
            "unname" => Change::DeleteName(words[1].into()),
            "group" => Change::PutGroup(Group {
                name: words[1].into(),
                description: String::new(),
                policy: match words[2] {
                    "failover" => Policy::Failover,
                    "all" => Policy::All,
                    _ => Policy::Balance,
                },
                members: words[3..]
                    .iter()
                    .filter_map(|word| word.split_once(':'))
                    .map(|(name, priority)| Member {
                        agent: agent(name),
                        priority: priority.parse().expect("a number"),
                    })
                    .collect(),
                concurrency_max: limit,
            }),
            "ungroup" => Change::DeleteGroup(words[1].into()),
            "drain" => Change::Drain(agent(words[1])),
            "resume" => Change::Resume(agent(words[1])),
            "limit" => Change::Limit(agent(words[1]), words[2].parse().ok()),
            "forget" => Change::Forget(agent(words[1])),
            other => panic!("{other}"),
        }
    }

    /// `pick GROUP a=BUSY/LIMIT b=away …`: a line with the order; any other line: a change.
    fn check(script: &str, expected: Expect) {
        let (mut directory, mut told) = (Directory::default(), String::new());
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let said = match line.strip_prefix("pick ") {
                Some(asked) => pick(&directory, asked),
                None => {
                    let command = Command { change: change(line), reason: String::new() };
                    match decide(&directory, command, Timestamp(directory.seq as i64)) {
                        Ok(Some(event)) => {
                            directory.apply(&event);
                            "done".to_owned()
                        }
                        Ok(None) => "so already".to_owned(),
                        Err(refusal) => short(&format!("{refusal:?}")),
                    }
                }
            };
            told += &format!("{line} -> {said}\n");
        }
        let stored = serde_json::to_vec(&directory).expect("a text");
        assert_eq!(serde_json::from_slice::<Directory>(&stored).expect("what was stored is read"), directory);
        expected.assert_eq(&told);
    }

    fn pick(directory: &Directory, asked: &str) -> String {
        let (group, loads) = asked.split_once(' ').unwrap_or((asked, ""));
        let loads: BTreeMap<Arc<str>, &str> = loads
            .split_whitespace()
            .filter_map(|load| load.split_once('='))
            .map(|(name, load)| (agent(name), load))
            .collect();
        let standing = |instance: &str| match loads.get(instance).and_then(|load| load.split_once('/')) {
            Some((busy, limit)) => Standing {
                is_there: true,
                busy: busy.parse().expect("a number"),
                limit: limit.parse().expect("a number"),
            },
            None => Standing { is_there: false, busy: 0, limit: 5 },
        };
        short(&directory.candidates(&directory.groups[group], standing).join(" "))
    }

    #[test]
    fn a_balanced_group_takes_the_freest_of_the_highest_priority() {
        check(
            "group g balance a:16 b:16 c:1
             pick g a=0/5 b=0/5 c=0/5
             pick g a=2/5 b=1/5 c=0/5
             pick g a=5/5 b=5/5 c=0/5
             pick g a=7/5 b=6/5 c=5/5
             pick g a=1/2 b=2/9 c=0/5
             pick g b=0/5
             drain b
             pick g a=4/5 b=0/5 c=0/5
             drain a
             drain c
             pick g a=4/5 b=0/5 c=0/5",
            expect![[r#"
                group g balance a:16 b:16 c:1 -> done
                pick g a=0/5 b=0/5 c=0/5 -> a b c
                pick g a=2/5 b=1/5 c=0/5 -> b a c
                pick g a=5/5 b=5/5 c=0/5 -> c a b
                pick g a=7/5 b=6/5 c=5/5 -> c b a
                pick g a=1/2 b=2/9 c=0/5 -> b a c
                pick g b=0/5 -> b a c
                drain b -> done
                pick g a=4/5 b=0/5 c=0/5 -> a c b
                drain a -> done
                drain c -> done
                pick g a=4/5 b=0/5 c=0/5 -> b a c
            "#]],
        );
    }

    #[test]
    fn a_failover_group_goes_by_priority_among_those_that_are_there() {
        check(
            "group g failover c:1 a:16 b:8
             pick g a=5/5 b=0/5 c=0/5
             pick g b=0/5 c=0/5
             pick g",
            expect![[r#"
                group g failover c:1 a:16 b:8 -> done
                pick g a=5/5 b=0/5 c=0/5 -> a b c
                pick g b=0/5 c=0/5 -> b c a
                pick g -> a b c
            "#]],
        );
    }

    #[test]
    fn a_name_holds_back_or_refuses_for_its_host() {
        check(
            "name web a
             name db b
             group g failover web:16 db:8 c:1
             pick g a=0/5 b=0/5 c=0/5
             name web a hold
             pick g a=0/5 b=0/5 c=0/5
             name web a ineffective
             pick g a=0/5 b=0/5 c=0/5
             name web a blockade
             name db b ineffective
             pick g a=0/5 b=0/5 c=0/5
             name web c
             pick g a=0/5 b=0/5 c=0/5",
            expect![[r#"
                name web a -> done
                name db b -> done
                group g failover web:16 db:8 c:1 -> done
                pick g a=0/5 b=0/5 c=0/5 -> a b c
                name web a hold -> done
                pick g a=0/5 b=0/5 c=0/5 -> b c a
                name web a ineffective -> done
                pick g a=0/5 b=0/5 c=0/5 -> b c
                name web a blockade -> done
                name db b ineffective -> done
                pick g a=0/5 b=0/5 c=0/5 -> c
                name web c -> done
                pick g a=0/5 b=0/5 c=0/5 -> c
            "#]],
        );
    }

    #[test]
    fn what_stands_in_a_group_stays_and_a_name_means_one_thing() {
        check(
            "group g balance web:1
             name web a
             group g balance web:1
             group g balance web:1
             group h balance web:1 a:2
             group h balance b:17
             group h balance
             unname web
             group web balance b:1
             name g b
             ungroup g
             unname web
             unname web
             ungroup g
             group h balance b:1 limit=0",
            expect![[r#"
                group g balance web:1 -> NameMissing("web")
                name web a -> done
                group g balance web:1 -> done
                group g balance web:1 -> so already
                group h balance web:1 a:2 -> Invalid("a is a member already: a")
                group h balance b:17 -> Invalid("the priority of b is not 1 to 16")
                group h balance -> Invalid("a group has 1 to 1000 members")
                unname web -> InUse { name: "web", groups: ["g"] }
                group web balance b:1 -> Taken("web")
                name g b -> Taken("g")
                ungroup g -> done
                unname web -> done
                unname web -> NameMissing("web")
                ungroup g -> GroupMissing("g")
                group h balance b:1 limit=0 -> Invalid("a limit is at least 1")
            "#]],
        );
    }

    #[test]
    fn settings_change_once_and_are_gone_with_the_default() {
        check(
            "drain a
             drain a
             limit a 3
             limit a 3
             limit a 0
             resume a
             resume a
             limit a none
             forget a
             drain b
             forget b",
            expect![[r#"
                drain a -> done
                drain a -> so already
                limit a 3 -> done
                limit a 3 -> so already
                limit a 0 -> Invalid("a limit is at least 1")
                resume a -> done
                resume a -> so already
                limit a none -> done
                forget a -> so already
                drain b -> done
                forget b -> done
            "#]],
        );
    }

    #[test]
    fn the_smallest_limit_counts() {
        let mut directory = Directory::default();
        for line in ["name web a limit=4", "name batch a limit=2", "limit a 3"] {
            let command = Command { change: change(line), reason: String::new() };
            let event = decide(&directory, command, Timestamp(0)).expect("accepted").expect("a change");
            directory.apply(&event);
        }
        assert_eq!((directory.of_instance(A).limit(), directory.of_instance(B).limit()), (Some(2), None));
    }

    #[test]
    fn names_have_an_end() {
        let mut directory = Directory::default();
        let name = |n: usize| Name {
            name: format!("n{n}").into(),
            instance_id: A.into(),
            description: String::new(),
            concurrency_max: None,
            restriction: Restriction::Effective,
        };
        directory.names = (0..NAMES_MAX).map(|n| (name(n).name, name(n))).collect();
        let put = |n| Command { change: Change::PutName(name(n)), reason: String::new() };
        assert_eq!(decide(&directory, put(NAMES_MAX), Timestamp(0)), Err(Refusal::TooMany));
        assert_eq!(decide(&directory, put(0), Timestamp(0)), Ok(None));
    }
}
