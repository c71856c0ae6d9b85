//! A state machine's registration as a value: its definition, its settings, its tags.
//!
//! Executions name a definition by the place of the event that brought it, so that they keep theirs when the
//! machine moves on.

use std::sync::Arc;

use base::{Json, Timestamp, limits};
use serde::{Deserialize, Serialize};

/// As of its latest event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// None before its creation and after its deletion.
    pub(crate) now: Option<Registered>,
    pub(crate) seq: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) name: Arc<str>,
    pub(crate) arn: Arc<str>,
    pub(crate) settings: Settings,
    /// The place of the event that brought the definition.
    pub(crate) definition_at: u64,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) revision: Option<String>,
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
    },
    Update(Change),
    Delete,
    Tag(Vec<(String, String)>),
    Untag(Vec<String>),
}

/// Stored: add to it, never alter it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Created { at: Timestamp, name: Arc<str>, arn: Arc<str>, settings: Settings, tags: Vec<(String, String)> },
    Updated { at: Timestamp, settings: Settings, revision: String },
    Deleted { at: Timestamp },
    Tagged { tags: Vec<(String, String)> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    DoesNotExist,
    AlreadyExists,
    TooManyTags,
}

/// Decides what `command` means. No event: it is so already.
pub(crate) fn decide(machine: &Machine, command: Command, now: Timestamp) -> Result<Option<Event>, Refusal> {
    match (&machine.now, command) {
        (Some(registered), Command::Create { settings, .. }) => {
            let same_but_for_role = Settings { role_arn: registered.settings.role_arn.clone(), ..settings };
            if same_but_for_role == registered.settings { Ok(None) } else { Err(Refusal::AlreadyExists) }
        }
        (None, Command::Create { name, arn, settings, tags }) => {
            Ok(Some(Event::Created { at: now, name, arn, settings, tags }))
        }
        (None, Command::Delete) => Ok(None),
        (None, Command::Look | Command::Update(_) | Command::Tag(_) | Command::Untag(_)) => Err(Refusal::DoesNotExist),
        (Some(_), Command::Look) => Ok(None),
        (Some(_), Command::Delete) => Ok(Some(Event::Deleted { at: now })),
        (Some(registered), Command::Update(change)) => {
            let before = &registered.settings;
            let revision = change.revision.clone();
            let settings = before.with(change);
            let changed = settings != *before;
            Ok(changed.then_some(Event::Updated { at: now, settings, revision }))
        }
        (Some(registered), Command::Tag(added)) => {
            let mut tags = registered.tags.clone();
            for (key, value) in added {
                match tags.iter_mut().find(|(known, _)| *known == key) {
                    Some(tag) => tag.1 = value,
                    None => tags.push((key, value)),
                }
            }
            retagged(registered, tags)
        }
        (Some(registered), Command::Untag(keys)) => {
            let tags = registered.tags.iter().filter(|(key, _)| !keys.contains(key)).cloned().collect();
            retagged(registered, tags)
        }
    }
}

fn retagged(registered: &Registered, tags: Vec<(String, String)>) -> Result<Option<Event>, Refusal> {
    if tags.len() > limits::TAGS_MAX {
        return Err(Refusal::TooManyTags);
    }
    Ok((tags != registered.tags).then_some(Event::Tagged { tags }))
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
            Event::Created { at, name, arn, settings, tags } => {
                self.now = Some(Registered {
                    name: name.clone(),
                    arn: arn.clone(),
                    settings: settings.clone(),
                    definition_at: place,
                    tags: tags.clone(),
                    created: *at,
                    updated: *at,
                    revision: None,
                });
            }
            Event::Updated { at, settings, revision } => {
                let Some(now) = &mut self.now else { return };
                if now.settings.definition != settings.definition {
                    now.definition_at = place;
                }
                now.settings = settings.clone();
                now.updated = *at;
                now.revision = Some(revision.clone());
            }
            Event::Deleted { .. } => self.now = None,
            Event::Tagged { tags } => {
                if let Some(now) = &mut self.now {
                    now.tags = tags.clone();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
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

    fn create(definition: &str) -> Command {
        Command::Create { name: "n".into(), arn: "a".into(), settings: settings(definition), tags: vec![] }
    }

    fn made(commands: Vec<Command>) -> Machine {
        let mut machine = Machine::default();
        for command in commands {
            if let Some(event) = decide(&machine, command, Timestamp(machine.seq as i64)).expect("accepted") {
                machine.apply(&event);
            }
        }
        machine
    }

    #[test]
    fn creating_the_same_twice_is_creating_it_once() {
        let machine = made(vec![create("d"), create("d")]);
        assert_eq!(machine.seq, 1);
        assert_eq!(decide(&machine, create("d "), Timestamp(9)), Err(Refusal::AlreadyExists));
    }

    #[test]
    fn an_update_that_changes_nothing_makes_no_revision() {
        let same = Change { definition: Some("d".into()), revision: "r1".into(), ..Change::default() };
        let other = Change { definition: Some("e".into()), revision: "r2".into(), ..Change::default() };
        let machine = made(vec![create("d"), Command::Update(same), Command::Update(other)]);
        let now = machine.now.expect("there");
        assert_eq!((now.revision.as_deref(), now.definition_at), (Some("r2"), 1));
    }

    #[test]
    fn what_was_deleted_can_be_made_again() {
        let machine = made(vec![create("d"), Command::Delete, Command::Delete, create("e")]);
        assert_eq!(machine.seq, 3);
        assert_eq!(&*machine.now.expect("there").settings.definition, "e");
    }

    #[test]
    fn tags_merge_and_have_an_end() {
        let tag = |key: &str, value: &str| Command::Tag(vec![(key.to_owned(), value.to_owned())]);
        let machine =
            made(vec![create("d"), tag("a", "1"), tag("b", "2"), tag("a", "3"), Command::Untag(vec!["b".to_owned()])]);
        assert_eq!(machine.now.as_ref().expect("there").tags, [("a".to_owned(), "3".to_owned())]);
        let many = (0..limits::TAGS_MAX).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(decide(&machine, Command::Tag(many), Timestamp(9)), Err(Refusal::TooManyTags));
    }
}
