//! A log group as a value: its settings, and nothing of what is logged.
//!
//! A group that is deleted and made again is another one: whatever it holds is named after its *life*.

use std::sync::Arc;

use base::{Caller, Id, Timestamp, limits};
use serde::{Deserialize, Serialize};

use crate::refusal::LogRefusal;
use crate::tags;

/// As of its latest event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// None before its creation and after its deletion.
    pub(crate) now: Option<Registered>,
    pub(crate) seq: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) name: Arc<str>,
    /// `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`, without the `:*` that some answers add.
    pub(crate) arn: Arc<str>,
    pub(crate) class: Arc<str>,
    pub(crate) created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retention_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<(String, String)>,
    /// The place of the event that made it.
    pub(crate) born: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum Command {
    Create {
        name: Arc<str>,
        arn: Arc<str>,
        class: Arc<str>,
        tags: Vec<(String, String)>,
    },
    Delete,
    /// None: for ever.
    Retain(Option<u32>),
    Tag(Vec<(String, String)>),
    Untag(Vec<String>),
}

/// Stored: add to it, never alter it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Created { at: Timestamp, name: Arc<str>, arn: Arc<str>, class: Arc<str>, tags: Vec<(String, String)> },
    Retained { days: Option<u32> },
    Tagged { tags: Vec<(String, String)> },
    Deleted { at: Timestamp },
}

/// Decides what `command` means. No event: it is so already.
pub(crate) fn decide(group: &Group, command: Command, now: Timestamp) -> Result<Option<Event>, LogRefusal> {
    match (&group.now, command) {
        (Some(_), Command::Create { .. }) => Err(LogRefusal::GroupExists),
        (None, Command::Create { tags, .. }) if tags.len() > limits::TAGS_MAX => Err(LogRefusal::TooManyTags),
        (None, Command::Create { name, arn, class, tags }) => {
            Ok(Some(Event::Created { at: now, name, arn, class, tags }))
        }
        (None, Command::Delete | Command::Retain(_) | Command::Tag(_) | Command::Untag(_)) => {
            Err(LogRefusal::GroupMissing)
        }
        (Some(_), Command::Delete) => Ok(Some(Event::Deleted { at: now })),
        (Some(known), Command::Retain(days)) => Ok((known.retention_days != days).then_some(Event::Retained { days })),
        (Some(known), Command::Tag(added)) => retagged(known, tags::with(&known.tags, added)),
        (Some(known), Command::Untag(keys)) => retagged(known, tags::without(&known.tags, &keys)),
    }
}

fn retagged(known: &Registered, tags: Vec<(String, String)>) -> Result<Option<Event>, LogRefusal> {
    if tags.len() > limits::TAGS_MAX {
        return Err(LogRefusal::TooManyTags);
    }
    Ok((tags != known.tags).then_some(Event::Tagged { tags }))
}

impl Group {
    /// Folds one event in.
    pub(crate) fn apply(&mut self, event: &Event) {
        let place = self.seq;
        self.seq += 1;
        match (event, &mut self.now) {
            (Event::Created { at, name, arn, class, tags }, _) => {
                self.now = Some(Registered {
                    name: name.clone(),
                    arn: arn.clone(),
                    class: class.clone(),
                    created: *at,
                    retention_days: None,
                    tags: tags.clone(),
                    born: place,
                });
            }
            (Event::Retained { days }, Some(now)) => now.retention_days = *days,
            (Event::Tagged { tags }, Some(now)) => now.tags = tags.clone(),
            (Event::Deleted { .. }, _) => self.now = None,
            (Event::Retained { .. } | Event::Tagged { .. }, None) => (),
        }
    }
}

impl Registered {
    /// What tells this group from another of the same name, before or after it.
    pub(crate) fn life(&self) -> Id {
        Id::of("log group life", &format!("{}/{}", self.arn, self.born))
    }

    /// What was logged before is not shown any more.
    pub(crate) fn shown_since(&self, now: Timestamp) -> Timestamp {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        let kept = |days: u32| now.0.saturating_sub(i64::from(days) * DAY_MS);
        Timestamp(self.retention_days.map_or(i64::MIN, kept))
    }
}

/// `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`
pub(crate) fn arn(caller: &Caller, name: &str) -> String {
    format!("arn:aws:logs:{}:{}:log-group:{name}", caller.region, caller.account)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create() -> Command {
        Command::Create { name: "g".into(), arn: "a".into(), class: "STANDARD".into(), tags: vec![] }
    }

    #[test]
    fn a_group_made_again_is_another() {
        let mut group = Group::default();
        let mut lives = vec![];
        for command in [create(), Command::Delete, create()] {
            let event = decide(&group, command, Timestamp(1)).expect("accepted").expect("changes something");
            group.apply(&event);
            lives.extend(group.now.as_ref().map(Registered::life));
        }
        assert_ne!(lives[0], lives[1]);
        assert_eq!(decide(&group, create(), Timestamp(2)), Err(LogRefusal::GroupExists));
    }

    #[test]
    fn retention_hides_what_is_older() {
        let mut group = Group::default();
        for command in [create(), Command::Retain(Some(1))] {
            let event = decide(&group, command, Timestamp(1)).expect("accepted").expect("changes something");
            group.apply(&event);
        }
        let now = group.now.as_ref().expect("there");
        assert_eq!(now.shown_since(Timestamp(86_400_005)), Timestamp(5));
        assert_eq!(decide(&group, Command::Retain(Some(1)), Timestamp(2)), Ok(None));
    }
}
