//! A state machine's registration as a value: its definition, its settings, its tags, its versions and its aliases.
//!
//! Executions and versions name a revision by the place of the event that brought it, so that they keep theirs when the
//! machine moves on.
//!
//! **Invariant:** a version's number is used once, whatever is deleted, for as long as the machine is there.
//!
//! **Invariant:** an alias leads to versions that are there: a version that an alias leads to is not deleted.

use std::sync::Arc;

use base::{Json, Timestamp, limits};
use serde::{Deserialize, Serialize};

use crate::tags;

/// As of its latest event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// None before its creation and after its deletion. Shared: whoever starts an execution looks at it.
    pub(crate) now: Option<Arc<Registered>>,
    pub(crate) seq: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) name: Arc<str>,
    pub(crate) arn: Arc<str>,
    pub(crate) settings: Settings,
    /// The place of the event that brought the settings; once, of the one that brought the definition.
    #[serde(alias = "definition_at")]
    pub(crate) settings_at: u64,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) revision: Option<String>,
    /// What its creation published: a part of what makes two creations the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<Publish>,
    /// The number of the version that was published last, whether it is still there or not.
    #[serde(default)]
    version_last: u64,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) versions: Vec<Version>,
    /// Oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) aliases: Vec<Alias>,
    /// Since when it is being deleted: it goes when the last of its executions has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleting: Option<Timestamp>,
}

/// What a client gives. Two creations with equal settings (roles aside) are one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) definition: Arc<str>,
    pub(crate) role_arn: Arc<str>,
    pub(crate) express: bool,
    pub(crate) logging: Option<Json>,
    pub(crate) tracing: Option<Json>,
    pub(crate) encryption: Option<Json>,
}

/// A revision under a number, for good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) number: u64,
    pub(crate) created: Timestamp,
    pub(crate) description: Option<String>,
    /// None: the revision that the machine was created with.
    pub(crate) revision: Option<String>,
    /// The place of the event that brought the revision's settings.
    pub(crate) settings_at: u64,
    /// What executions are started with; the other settings are read where they stand.
    pub(crate) role_arn: Arc<str>,
}

/// A name for one version, or for two that share the executions by weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alias {
    pub(crate) name: Arc<str>,
    pub(crate) description: Option<String>,
    pub(crate) routes: Vec<Route>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// The place of the event that created it: of two, the greater is the younger.
    pub(crate) created_at: u64,
}

/// Of a hundred executions, so many run this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    pub(crate) version: u64,
    pub(crate) weight: u8,
}

/// A wish to have the revision published as a version, if it is not one yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What an update changes; what is not given stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    pub(crate) definition: Option<Arc<str>>,
    pub(crate) role_arn: Option<Arc<str>>,
    pub(crate) logging: Option<Json>,
    pub(crate) tracing: Option<Json>,
    pub(crate) encryption: Option<Json>,
    /// The name of the revision that this makes, if it makes one.
    pub(crate) revision: String,
    pub(crate) publish: Option<Publish>,
}

#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// Changes nothing: whoever asks wants to see it.
    Look,
    Create {
        name: Arc<str>,
        arn: Arc<str>,
        settings: Settings,
        tags: Vec<(String, String)>,
        publish: Option<Publish>,
    },
    Update(Change),
    /// Whether executions of it run decides whether it goes now, or once they have ended.
    Delete {
        executions: Executions,
    },
    /// What ran when it began to be deleted has ended.
    Vanish {
        deleting: Timestamp,
    },
    Tag(Vec<(String, String)>),
    Untag(Vec<String>),
    /// Of this revision and no other, if one is named.
    Publish {
        revision: Option<String>,
        publish: Publish,
    },
    DeleteVersion(u64),
    CreateAlias {
        name: Arc<str>,
        description: Option<String>,
        routes: Vec<Route>,
    },
    /// What is not given stays.
    UpdateAlias {
        name: Arc<str>,
        description: Option<String>,
        routes: Option<Vec<Route>>,
    },
    DeleteAlias(Arc<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Executions {
    None,
    Running,
}

/// Stored: add to it, never alter it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Created {
        at: Timestamp,
        name: Arc<str>,
        arn: Arc<str>,
        settings: Settings,
        tags: Vec<(String, String)>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        publish: Option<Publish>,
    },
    Updated {
        at: Timestamp,
        settings: Settings,
        revision: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        publish: Option<Publish>,
    },
    Deleted {
        at: Timestamp,
    },
    Tagged {
        tags: Vec<(String, String)>,
    },
    /// Its executions are being aborted; what is left of it is for whoever looks.
    Deleting {
        at: Timestamp,
    },
    /// The present revision, without a change of it.
    Published {
        at: Timestamp,
        publish: Publish,
    },
    VersionDeleted {
        at: Timestamp,
        number: u64,
    },
    AliasCreated {
        at: Timestamp,
        name: Arc<str>,
        description: Option<String>,
        routes: Vec<Route>,
    },
    AliasUpdated {
        at: Timestamp,
        name: Arc<str>,
        description: Option<String>,
        routes: Vec<Route>,
    },
    AliasDeleted {
        at: Timestamp,
        name: Arc<str>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    DoesNotExist,
    AlreadyExists,
    Deleting,
    TooManyTags,
    TooManyVersions,
    TooManyAliases,
    /// The present revision is another.
    OtherRevision {
        wanted: String,
        present: String,
    },
    /// These aliases lead to the version.
    VersionInUse(Vec<Arc<str>>),
    /// An alias of that name leads elsewhere.
    AliasDiffers,
    /// There is no such alias, or no such version to lead to.
    NotThere,
}

/// Decides what `command` means. No event: it is so already.
pub(crate) fn decide(machine: &Machine, command: Command, now: Timestamp) -> Result<Option<Event>, Refusal> {
    match (machine.now.as_deref(), command) {
        (None, Command::Create { name, arn, settings, tags, publish }) => {
            Ok(Some(Event::Created { at: now, name, arn, settings, tags, publish }))
        }
        (
            None,
            Command::Delete { .. } | Command::Vanish { .. } | Command::DeleteVersion(_) | Command::DeleteAlias(_),
        ) => Ok(None),
        (
            None,
            Command::Look
            | Command::Update(_)
            | Command::Tag(_)
            | Command::Untag(_)
            | Command::Publish { .. }
            | Command::CreateAlias { .. }
            | Command::UpdateAlias { .. },
        ) => Err(Refusal::DoesNotExist),
        (Some(registered), command) => registered.decide(command, now),
    }
}

impl Registered {
    fn decide(&self, command: Command, now: Timestamp) -> Result<Option<Event>, Refusal> {
        match command {
            Command::Look => Ok(None),
            Command::Create { settings, publish, .. } => {
                self.not_deleting()?;
                let same_but_for_role = Settings { role_arn: self.settings.role_arn.clone(), ..settings };
                let same = same_but_for_role == self.settings && publish == self.published;
                if same { Ok(None) } else { Err(Refusal::AlreadyExists) }
            }
            Command::Update(change) => {
                self.not_deleting()?;
                self.update(change, now)
            }
            Command::Delete { executions: Executions::None } => Ok(Some(Event::Deleted { at: now })),
            Command::Delete { executions: Executions::Running } => {
                Ok(self.deleting.is_none().then_some(Event::Deleting { at: now }))
            }
            Command::Vanish { deleting } => Ok((self.deleting == Some(deleting)).then_some(Event::Deleted { at: now })),
            Command::Tag(added) => self.retag(tags::with(&self.tags, added)),
            Command::Untag(keys) => self.retag(tags::without(&self.tags, &keys)),
            Command::Publish { revision, publish } => {
                self.not_deleting()?;
                let present = self.revision_name();
                if let Some(wanted) = revision.filter(|wanted| wanted != present) {
                    return Err(Refusal::OtherRevision { wanted, present: present.to_owned() });
                }
                self.publish(publish, now)
            }
            Command::DeleteVersion(number) => self.delete_version(number, now),
            Command::CreateAlias { name, description, routes } => {
                self.not_deleting()?;
                self.create_alias(name, description, routes, now)
            }
            Command::UpdateAlias { name, description, routes } => {
                self.not_deleting()?;
                let alias = self.alias(&name).ok_or(Refusal::NotThere)?;
                let description = description.or_else(|| alias.description.clone());
                let routes = routes.unwrap_or_else(|| alias.routes.clone());
                self.lead_somewhere(&routes)?;
                let changed = description != alias.description || routes != alias.routes;
                Ok(changed.then_some(Event::AliasUpdated { at: now, name, description, routes }))
            }
            Command::DeleteAlias(name) => {
                Ok(self.alias(&name).is_some().then_some(Event::AliasDeleted { at: now, name }))
            }
        }
    }

    fn not_deleting(&self) -> Result<(), Refusal> {
        if self.deleting.is_some() { Err(Refusal::Deleting) } else { Ok(()) }
    }

    fn update(&self, change: Change, now: Timestamp) -> Result<Option<Event>, Refusal> {
        let (revision, publish) = (change.revision.clone(), change.publish.clone());
        let settings = self.settings.with(change);
        match publish {
            _ if settings != self.settings => {
                if publish.is_some() {
                    self.room_for_a_version()?;
                }
                Ok(Some(Event::Updated { at: now, settings, revision, publish }))
            }
            Some(publish) => self.publish(publish, now),
            None => Ok(None),
        }
    }

    /// A revision is published once; its description is that of the first time.
    fn publish(&self, publish: Publish, now: Timestamp) -> Result<Option<Event>, Refusal> {
        if self.version_of_now().is_some() {
            return Ok(None);
        }
        self.room_for_a_version()?;
        Ok(Some(Event::Published { at: now, publish }))
    }

    fn room_for_a_version(&self) -> Result<(), Refusal> {
        if self.versions.len() < limits::VERSIONS_MAX { Ok(()) } else { Err(Refusal::TooManyVersions) }
    }

    fn delete_version(&self, number: u64, now: Timestamp) -> Result<Option<Event>, Refusal> {
        let using = self.aliases.iter().filter(|alias| alias.leads_to(number));
        let using: Vec<Arc<str>> = using.map(|alias| alias.name.clone()).collect();
        if !using.is_empty() {
            return Err(Refusal::VersionInUse(using));
        }
        Ok(self.version(number).is_some().then_some(Event::VersionDeleted { at: now, number }))
    }

    fn create_alias(
        &self,
        name: Arc<str>,
        description: Option<String>,
        routes: Vec<Route>,
        now: Timestamp,
    ) -> Result<Option<Event>, Refusal> {
        if let Some(alias) = self.alias(&name) {
            let same = alias.description == description && alias.routes == routes;
            return if same { Ok(None) } else { Err(Refusal::AliasDiffers) };
        }
        self.lead_somewhere(&routes)?;
        if self.aliases.len() >= limits::ALIASES_MAX {
            return Err(Refusal::TooManyAliases);
        }
        Ok(Some(Event::AliasCreated { at: now, name, description, routes }))
    }

    fn lead_somewhere(&self, routes: &[Route]) -> Result<(), Refusal> {
        let there = routes.iter().all(|route| self.version(route.version).is_some());
        if there { Ok(()) } else { Err(Refusal::NotThere) }
    }

    fn retag(&self, tags: Vec<(String, String)>) -> Result<Option<Event>, Refusal> {
        if tags.len() > limits::TAGS_MAX {
            return Err(Refusal::TooManyTags);
        }
        Ok((tags != self.tags).then_some(Event::Tagged { tags }))
    }

    /// How clients name the present revision: the first has a name for everybody.
    fn revision_name(&self) -> &str {
        self.revision.as_deref().unwrap_or(REVISION_FIRST)
    }

    pub(crate) fn version(&self, number: u64) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The version that the present revision was published as.
    pub(crate) fn version_of_now(&self) -> Option<&Version> {
        self.versions.last().filter(|version| version.settings_at == self.settings_at)
    }

    pub(crate) fn alias(&self, name: &str) -> Option<&Alias> {
        self.aliases.iter().find(|alias| *alias.name == *name)
    }

    fn add_version(&mut self, at: Timestamp, publish: &Publish) {
        self.version_last += 1;
        self.versions.push(Version {
            number: self.version_last,
            created: at,
            description: publish.description.clone(),
            revision: self.revision.clone(),
            settings_at: self.settings_at,
            role_arn: self.settings.role_arn.clone(),
        });
    }
}

/// `PublishStateMachineVersion`, revisionId.
const REVISION_FIRST: &str = "INITIAL";

impl Alias {
    pub(crate) fn leads_to(&self, version: u64) -> bool {
        self.routes.iter().any(|route| route.version == version)
    }

    /// The version that an execution runs, by `chance`.
    pub(crate) fn choose(&self, chance: u64) -> u64 {
        let mut left = u8::try_from(chance % 100).expect("less than a hundred");
        for route in &self.routes {
            match left.checked_sub(route.weight) {
                None => return route.version,
                Some(rest) => left = rest,
            }
        }
        self.routes.last().expect("an alias leads somewhere").version
    }
}

impl Settings {
    fn with(&self, change: Change) -> Settings {
        Settings {
            definition: change.definition.unwrap_or_else(|| self.definition.clone()),
            role_arn: change.role_arn.unwrap_or_else(|| self.role_arn.clone()),
            express: self.express,
            logging: change.logging.or_else(|| self.logging.clone()),
            tracing: change.tracing.or_else(|| self.tracing.clone()),
            encryption: change.encryption.or_else(|| self.encryption.clone()),
        }
    }
}

impl Machine {
    /// Folds one event in.
    pub(crate) fn apply(&mut self, event: &Event) {
        let place = self.seq;
        self.seq += 1;
        match event {
            Event::Created { at, name, arn, settings, tags, publish } => {
                let mut created = Registered {
                    name: name.clone(),
                    arn: arn.clone(),
                    settings: settings.clone(),
                    settings_at: place,
                    tags: tags.clone(),
                    created: *at,
                    updated: *at,
                    revision: None,
                    published: publish.clone(),
                    version_last: 0,
                    versions: vec![],
                    aliases: vec![],
                    deleting: None,
                };
                if let Some(publish) = publish {
                    created.add_version(*at, publish);
                }
                self.now = Some(Arc::new(created));
            }
            Event::Deleted { .. } => self.now = None,
            changed => {
                if let Some(now) = &mut self.now {
                    Arc::make_mut(now).apply(changed, place);
                }
            }
        }
    }
}

impl Registered {
    fn apply(&mut self, event: &Event, place: u64) {
        match event {
            Event::Created { .. } | Event::Deleted { .. } => (),
            Event::Updated { at, settings, revision, publish } => {
                self.settings = settings.clone();
                self.settings_at = place;
                self.updated = *at;
                self.revision = Some(revision.clone());
                if let Some(publish) = publish {
                    self.add_version(*at, publish);
                }
            }
            Event::Tagged { tags } => self.tags = tags.clone(),
            Event::Deleting { at } => self.deleting = Some(*at),
            Event::Published { at, publish } => self.add_version(*at, publish),
            Event::VersionDeleted { number, .. } => self.versions.retain(|version| version.number != *number),
            Event::AliasCreated { at, name, description, routes } => self.aliases.push(Alias {
                name: name.clone(),
                description: description.clone(),
                routes: routes.clone(),
                created: *at,
                updated: *at,
                created_at: place,
            }),
            Event::AliasUpdated { at, name, description, routes } => {
                if let Some(alias) = self.aliases.iter_mut().find(|alias| alias.name == *name) {
                    alias.description = description.clone();
                    alias.routes = routes.clone();
                    alias.updated = *at;
                }
            }
            Event::AliasDeleted { name, .. } => self.aliases.retain(|alias| alias.name != *name),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::{Expect, expect};

    use super::*;

    fn settings(definition: &str) -> Settings {
        Settings {
            definition: definition.into(),
            role_arn: "r".into(),
            express: false,
            logging: None,
            tracing: None,
            encryption: None,
        }
    }

    /// `70:1,30:2`: weights and versions.
    fn routes(text: &str) -> Vec<Route> {
        let route = |text: &str| {
            let (weight, version) = text.split_once(':').expect("a weight and a version");
            Route { version: version.parse().expect("a number"), weight: weight.parse().expect("a weight") }
        };
        text.split(',').map(route).collect()
    }

    fn command(line: &str) -> Command {
        let publish = |rest: &[&str]| {
            let at = rest.iter().position(|word| *word == "publish")?;
            Some(Publish { description: rest.get(at + 1).map(|word| (*word).to_owned()) })
        };
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["create", definition, rest @ ..] => Command::Create {
                name: "n".into(),
                arn: "a".into(),
                settings: settings(definition),
                tags: vec![],
                publish: publish(rest),
            },
            ["update", definition, revision, rest @ ..] => Command::Update(Change {
                definition: Some((*definition).into()),
                revision: (*revision).to_owned(),
                publish: publish(rest),
                ..Change::default()
            }),
            ["role", role, revision] => Command::Update(Change {
                role_arn: Some((*role).into()),
                revision: (*revision).to_owned(),
                ..Change::default()
            }),
            ["publish", rest @ ..] => Command::Publish {
                revision: rest.iter().find_map(|word| word.strip_prefix("if=")).map(str::to_owned),
                publish: Publish {
                    description: rest.iter().find(|word| !word.starts_with("if=")).map(|word| (*word).to_owned()),
                },
            },
            ["unpublish", number] => Command::DeleteVersion(number.parse().expect("a number")),
            ["alias", name, routing, description @ ..] => Command::CreateAlias {
                name: (*name).into(),
                description: description.first().map(|word| (*word).to_owned()),
                routes: routes(routing),
            },
            ["realias", name, rest @ ..] => Command::UpdateAlias {
                name: (*name).into(),
                description: rest.iter().find(|word| !word.contains(':')).map(|word| (*word).to_owned()),
                routes: rest.iter().find(|word| word.contains(':')).map(|word| routes(word)),
            },
            ["unalias", name] => Command::DeleteAlias((*name).into()),
            ["tag", key, value] => Command::Tag(vec![((*key).to_owned(), (*value).to_owned())]),
            ["untag", key] => Command::Untag(vec![(*key).to_owned()]),
            ["delete"] => Command::Delete { executions: Executions::None },
            ["delete", "running"] => Command::Delete { executions: Executions::Running },
            ["vanish", since] => Command::Vanish { deleting: Timestamp(since.parse().expect("an instant")) },
            ["look"] => Command::Look,
            other => panic!("what is {other:?}?"),
        }
    }

    fn shown(machine: &Machine) -> String {
        let Some(now) = &machine.now else { return "gone".to_owned() };
        let mut text = format!("{} {} {}", now.settings.definition, now.settings.role_arn, now.revision_name());
        for version in &now.versions {
            let description = version.description.as_deref().unwrap_or("-");
            let revision = version.revision.as_deref().unwrap_or(REVISION_FIRST);
            write!(text, " | {} {description} {revision} @{}", version.number, version.settings_at).expect("a text");
        }
        for alias in &now.aliases {
            write!(text, " | {} {}", alias.name, alias.description.as_deref().unwrap_or("-")).expect("a text");
            alias.routes.iter().for_each(|route| write!(text, " {}:{}", route.weight, route.version).expect("a text"));
        }
        now.tags.iter().for_each(|(key, value)| write!(text, " | {key}={value}").expect("a text"));
        if now.deleting.is_some() { text + " | deleting" } else { text }
    }

    /// Each line is a command; its time is how many lines stand before it. What is stored is read back each time.
    fn check(script: &str, expect: Expect) {
        let (mut machine, mut told) = (Machine::default(), String::new());
        for (time, line) in script.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
            let decided = decide(&machine, command(line), Timestamp(time as i64));
            let answer = match decided {
                Err(refusal) => format!("refused: {refusal:?}"),
                Ok(None) => "=".to_owned(),
                Ok(Some(event)) => {
                    let stored = serde_json::to_vec(&event).expect("events have a text");
                    machine.apply(&serde_json::from_slice(&stored).expect("a text of ours"));
                    shown(&machine)
                }
            };
            let snapshot = serde_json::to_vec(&machine).expect("a value has a text");
            assert_eq!(serde_json::from_slice::<Machine>(&snapshot).expect("a text of ours"), machine);
            writeln!(told, "{line} => {answer}").expect("a text takes all");
        }
        expect.assert_eq(&told);
    }

    #[test]
    fn creating_the_same_twice_is_creating_it_once() {
        check(
            "create d\ncreate d\ncreate e\ncreate d publish\ndelete\ncreate d publish x\ncreate d publish x\ncreate d publish y\ncreate d",
            expect![[r#"
                create d => d r INITIAL
                create d => =
                create e => refused: AlreadyExists
                create d publish => refused: AlreadyExists
                delete => gone
                create d publish x => d r INITIAL | 1 x INITIAL @2
                create d publish x => =
                create d publish y => refused: AlreadyExists
                create d => refused: AlreadyExists
            "#]],
        );
    }

    #[test]
    fn an_update_that_changes_nothing_makes_no_revision() {
        check(
            "create d\nupdate d r1\nupdate e r2\nrole q r3\nupdate e r4",
            expect![[r#"
            create d => d r INITIAL
            update d r1 => =
            update e r2 => e r r2
            role q r3 => e q r3
            update e r4 => =
        "#]],
        );
    }

    #[test]
    fn a_revision_is_published_once() {
        check(
            "create d\npublish first\npublish other\npublish if=INITIAL\nupdate e r1\npublish if=INITIAL\npublish if=r1\nupdate e r2 publish x\nupdate f r3 publish third\nupdate f r4 publish x",
            expect![[r#"
                create d => d r INITIAL
                publish first => d r INITIAL | 1 first INITIAL @0
                publish other => =
                publish if=INITIAL => =
                update e r1 => e r r1 | 1 first INITIAL @0
                publish if=INITIAL => refused: OtherRevision { wanted: "INITIAL", present: "r1" }
                publish if=r1 => e r r1 | 1 first INITIAL @0 | 2 - r1 @2
                update e r2 publish x => =
                update f r3 publish third => f r r3 | 1 first INITIAL @0 | 2 - r1 @2 | 3 third r3 @4
                update f r4 publish x => =
            "#]],
        );
    }

    #[test]
    fn a_versions_number_is_used_once() {
        check(
            "create d publish\nupdate e r1 publish\nunpublish 2\nunpublish 2\npublish\nunpublish 1\nunpublish 3\npublish\ndelete\ncreate d publish",
            expect![[r#"
                create d publish => d r INITIAL | 1 - INITIAL @0
                update e r1 publish => e r r1 | 1 - INITIAL @0 | 2 - r1 @1
                unpublish 2 => e r r1 | 1 - INITIAL @0
                unpublish 2 => =
                publish => e r r1 | 1 - INITIAL @0 | 3 - r1 @1
                unpublish 1 => e r r1 | 3 - r1 @1
                unpublish 3 => e r r1
                publish => e r r1 | 4 - r1 @1
                delete => gone
                create d publish => d r INITIAL | 1 - INITIAL @8
            "#]],
        );
    }

    #[test]
    fn an_alias_leads_to_what_is_there() {
        check(
            "create d publish\nalias PROD 100:2\nalias PROD 100:1\nalias PROD 100:1\nalias PROD 100:1 words\nunpublish 1\nupdate e r1 publish\nrealias PROD 30:1,70:2\nrealias PROD words\nrealias PROD words\nrealias PROD 100:9\nrealias TEST words\nalias TEST 100:2\nunpublish 2\nunalias PROD\nunalias PROD\nunpublish 1\nunpublish 2",
            expect![[r#"
                create d publish => d r INITIAL | 1 - INITIAL @0
                alias PROD 100:2 => refused: NotThere
                alias PROD 100:1 => d r INITIAL | 1 - INITIAL @0 | PROD - 100:1
                alias PROD 100:1 => =
                alias PROD 100:1 words => refused: AliasDiffers
                unpublish 1 => refused: VersionInUse(["PROD"])
                update e r1 publish => e r r1 | 1 - INITIAL @0 | 2 - r1 @2 | PROD - 100:1
                realias PROD 30:1,70:2 => e r r1 | 1 - INITIAL @0 | 2 - r1 @2 | PROD - 30:1 70:2
                realias PROD words => e r r1 | 1 - INITIAL @0 | 2 - r1 @2 | PROD words 30:1 70:2
                realias PROD words => =
                realias PROD 100:9 => refused: NotThere
                realias TEST words => refused: NotThere
                alias TEST 100:2 => e r r1 | 1 - INITIAL @0 | 2 - r1 @2 | PROD words 30:1 70:2 | TEST - 100:2
                unpublish 2 => refused: VersionInUse(["PROD", "TEST"])
                unalias PROD => e r r1 | 1 - INITIAL @0 | 2 - r1 @2 | TEST - 100:2
                unalias PROD => =
                unpublish 1 => e r r1 | 2 - r1 @2 | TEST - 100:2
                unpublish 2 => refused: VersionInUse(["TEST"])
            "#]],
        );
    }

    #[test]
    fn what_is_being_deleted_takes_nothing_new() {
        check(
            "create d publish\nalias PROD 100:1\ndelete running\ndelete running\ncreate d publish\nupdate e r1\npublish\nalias TEST 100:1\nrealias PROD words\nlook\ntag a 1\nunalias PROD\nunpublish 1\nvanish 1\nvanish 2\nvanish 2\ncreate d\nvanish 2",
            expect![[r#"
                create d publish => d r INITIAL | 1 - INITIAL @0
                alias PROD 100:1 => d r INITIAL | 1 - INITIAL @0 | PROD - 100:1
                delete running => d r INITIAL | 1 - INITIAL @0 | PROD - 100:1 | deleting
                delete running => =
                create d publish => refused: Deleting
                update e r1 => refused: Deleting
                publish => refused: Deleting
                alias TEST 100:1 => refused: Deleting
                realias PROD words => refused: Deleting
                look => =
                tag a 1 => d r INITIAL | 1 - INITIAL @0 | PROD - 100:1 | a=1 | deleting
                unalias PROD => d r INITIAL | 1 - INITIAL @0 | a=1 | deleting
                unpublish 1 => d r INITIAL | a=1 | deleting
                vanish 1 => =
                vanish 2 => gone
                vanish 2 => =
                create d => d r INITIAL
                vanish 2 => =
            "#]],
        );
    }

    #[test]
    fn what_is_not_there_is_deleted_and_cannot_be_changed() {
        check(
            "look\nupdate d r\npublish\ntag a 1\nuntag a\nalias PROD 100:1\nrealias PROD x\nunalias PROD\nunpublish 1\ndelete\ndelete running\nvanish 1",
            expect![[r#"
                look => refused: DoesNotExist
                update d r => refused: DoesNotExist
                publish => refused: DoesNotExist
                tag a 1 => refused: DoesNotExist
                untag a => refused: DoesNotExist
                alias PROD 100:1 => refused: DoesNotExist
                realias PROD x => refused: DoesNotExist
                unalias PROD => =
                unpublish 1 => =
                delete => =
                delete running => =
                vanish 1 => =
            "#]],
        );
    }

    #[test]
    fn tags_merge_and_have_an_end() {
        check(
            "create d\ntag a 1\ntag b 2\ntag a 3\ntag a 3\nuntag b\nuntag z",
            expect![[r#"
            create d => d r INITIAL
            tag a 1 => d r INITIAL | a=1
            tag b 2 => d r INITIAL | a=1 | b=2
            tag a 3 => d r INITIAL | a=3 | b=2
            tag a 3 => =
            untag b => d r INITIAL | a=3
            untag z => =
        "#]],
        );
        let mut machine = Machine::default();
        machine.apply(&decide(&machine, command("create d"), Timestamp(0)).expect("accepted").expect("new"));
        let many = |count: usize| Command::Tag((0..count).map(|n| (n.to_string(), String::new())).collect());
        assert!(decide(&machine, many(limits::TAGS_MAX), Timestamp(9)).is_ok());
        assert_eq!(decide(&machine, many(limits::TAGS_MAX + 1), Timestamp(9)), Err(Refusal::TooManyTags));
    }

    #[test]
    fn versions_and_aliases_have_an_end() {
        let mut machine = Machine::default();
        let mut ask = |line: String| -> Result<(), Refusal> {
            if let Some(event) = decide(&machine, command(&line), Timestamp(0))? {
                machine.apply(&event);
            }
            Ok(())
        };
        ask("create d publish".to_owned()).expect("accepted");
        for number in 2..=limits::VERSIONS_MAX {
            ask(format!("update {number} r{number} publish")).expect("there is room");
        }
        assert_eq!(ask("update e r publish".to_owned()), Err(Refusal::TooManyVersions));
        ask("publish".to_owned()).expect("it is published already");
        ask("update e r".to_owned()).expect("a revision is no version");
        assert_eq!(ask("publish".to_owned()), Err(Refusal::TooManyVersions));
        ask("unpublish 7".to_owned()).expect("accepted");
        ask("publish".to_owned()).expect("there is room");
        for number in 0..limits::ALIASES_MAX {
            ask(format!("alias A{number} 100:1")).expect("there is room");
        }
        assert_eq!(ask("alias B 100:1".to_owned()), Err(Refusal::TooManyAliases));
        ask("alias A0 100:1".to_owned()).expect("it is there already");
        ask("unalias A0".to_owned()).expect("accepted");
        ask("alias B 100:1".to_owned()).expect("there is room");
    }

    #[test]
    fn an_alias_shares_by_weight() {
        let alias = |routing: &str| Alias {
            name: "PROD".into(),
            description: None,
            routes: routes(routing),
            created: Timestamp(0),
            updated: Timestamp(0),
            created_at: 0,
        };
        let share = |routing: &str, version: u64| {
            (7_000..7_100).filter(|chance| alias(routing).choose(*chance) == version).count()
        };
        for (routing, first, second) in
            [("70:1,30:2", 70, 30), ("0:1,100:2", 0, 100), ("100:1,0:2", 100, 0), ("100:1", 100, 0)]
        {
            assert_eq!((share(routing, 1), share(routing, 2)), (first, second), "{routing}");
        }
        assert_eq!(alias("100:1").choose(u64::MAX), 1);
    }

    #[test]
    fn what_was_stored_before_versions_is_read() {
        let events = r#"[
            {"Created":{"at":1,"name":"n","arn":"a","settings":{"definition":"d","role_arn":"r","express":false,"logging":null,"tracing":null,"encryption":null},"tags":[["a","1"]]}},
            {"Updated":{"at":2,"settings":{"definition":"e","role_arn":"r","express":false,"logging":null,"tracing":null,"encryption":null},"revision":"r1"}},
            {"Tagged":{"tags":[]}}
        ]"#;
        let mut machine = Machine::default();
        let events: Vec<Event> = serde_json::from_str(events).expect("a stored form");
        events.iter().for_each(|event| machine.apply(event));
        assert_eq!(shown(&machine), "e r r1");
        let snapshot = r#"{"now":{"name":"n","arn":"a","settings":{"definition":"e","role_arn":"r","express":false,"logging":null,"tracing":null,"encryption":null},"definition_at":1,"tags":[],"created":1,"updated":2,"revision":"r1"},"seq":3}"#;
        assert_eq!(serde_json::from_str::<Machine>(snapshot).expect("a stored form"), machine);
    }
}
