//! An activity's registration as a value: its name and its tags. The tasks that wait for its workers are not here: they
//! belong to their executions.

use std::sync::Arc;

use base::{Json, Timestamp, limits};
use serde::{Deserialize, Serialize};

use crate::tags;

/// As of its latest event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Activity {
    /// None before its creation and after its deletion.
    pub(crate) now: Option<Registered>,
    pub(crate) seq: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) name: Arc<str>,
    pub(crate) arn: Arc<str>,
    /// What the client gave, where that is not AWS's default.
    pub(crate) encryption: Option<Json>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) created: Timestamp,
}

#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// Changes nothing: whoever asks wants to see it.
    Look,
    Create {
        name: Arc<str>,
        arn: Arc<str>,
        encryption: Option<Json>,
        tags: Vec<(String, String)>,
    },
    Delete,
    Tag(Vec<(String, String)>),
    Untag(Vec<String>),
}

/// Stored: add to it, never alter it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Created { at: Timestamp, name: Arc<str>, arn: Arc<str>, encryption: Option<Json>, tags: Vec<(String, String)> },
    Deleted { at: Timestamp },
    Tagged { tags: Vec<(String, String)> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    DoesNotExist,
    AlreadyExists,
    TooManyTags,
}

/// Decides what `command` means. No event: it is so already. Creating is idempotent by name and encryption; other tags do
/// not make another activity (`CreateActivity`).
pub(crate) fn decide(activity: &Activity, command: Command, now: Timestamp) -> Result<Option<Event>, Refusal> {
    match (&activity.now, command) {
        (Some(registered), Command::Create { encryption, .. }) => {
            if encryption == registered.encryption {
                Ok(None)
            } else {
                Err(Refusal::AlreadyExists)
            }
        }
        (None, Command::Create { name, arn, encryption, tags }) => {
            Ok(Some(Event::Created { at: now, name, arn, encryption, tags }))
        }
        (None, Command::Delete) | (Some(_), Command::Look) => Ok(None),
        (None, Command::Look | Command::Tag(_) | Command::Untag(_)) => Err(Refusal::DoesNotExist),
        (Some(_), Command::Delete) => Ok(Some(Event::Deleted { at: now })),
        (Some(registered), Command::Tag(added)) => retagged(registered, tags::with(&registered.tags, added)),
        (Some(registered), Command::Untag(keys)) => retagged(registered, tags::without(&registered.tags, &keys)),
    }
}

fn retagged(registered: &Registered, tags: Vec<(String, String)>) -> Result<Option<Event>, Refusal> {
    if tags.len() > limits::TAGS_MAX {
        return Err(Refusal::TooManyTags);
    }
    Ok((tags != registered.tags).then_some(Event::Tagged { tags }))
}

impl Activity {
    /// Folds one event in.
    pub(crate) fn apply(&mut self, event: &Event) {
        self.seq += 1;
        match event {
            Event::Created { at, name, arn, encryption, tags } => {
                self.now = Some(Registered {
                    name: name.clone(),
                    arn: arn.clone(),
                    encryption: encryption.clone(),
                    tags: tags.clone(),
                    created: *at,
                });
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

    fn create(encryption: Option<&str>, tag: &str) -> Command {
        let encryption = encryption.map(|key| Json::object([("kmsKeyId", Json::from(key))]));
        Command::Create { name: "a".into(), arn: "arn".into(), encryption, tags: vec![(tag.to_owned(), String::new())] }
    }

    fn made(commands: Vec<Command>) -> Activity {
        let mut activity = Activity::default();
        for command in commands {
            if let Some(event) = decide(&activity, command, Timestamp(activity.seq as i64)).expect("accepted") {
                activity.apply(&event);
            }
        }
        activity
    }

    #[test]
    fn creating_again_is_creating_once_unless_the_encryption_differs() {
        let activity = made(vec![create(None, "x"), create(None, "y")]);
        assert_eq!((activity.seq, activity.now.as_ref().map(|now| now.tags[0].0.as_str())), (1, Some("x")));
        assert_eq!(decide(&activity, create(Some("k"), "x"), Timestamp(9)), Err(Refusal::AlreadyExists));
        let again = made(vec![create(None, "x"), Command::Delete, Command::Delete, create(Some("k"), "x")]);
        assert_eq!((again.seq, again.now.expect("there").created), (3, Timestamp(2)));
    }

    #[test]
    fn tags_merge_and_have_an_end() {
        let tag = |key: &str, value: &str| Command::Tag(vec![(key.to_owned(), value.to_owned())]);
        let activity =
            made(vec![create(None, "a"), tag("b", "1"), tag("b", "2"), Command::Untag(vec!["a".to_owned()])]);
        assert_eq!(activity.now.as_ref().expect("there").tags, [("b".to_owned(), "2".to_owned())]);
        let many = (0..limits::TAGS_MAX).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(decide(&activity, Command::Tag(many), Timestamp(9)), Err(Refusal::TooManyTags));
    }
}
