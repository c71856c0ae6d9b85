//! An activation as a value: an operator's word that so many hosts may register until then.
//!
//! **Invariant:** a limit of N is N registrations, however many come at once: who registered is part of the value.
//!
//! **Invariant:** the code is nowhere, only its hash.

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::tags::Tags;

/// As of its latest event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Activation {
    /// None before its creation and after its deletion.
    pub(crate) now: Option<Given>,
    pub(crate) seq: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Given {
    pub(crate) terms: Terms,
    pub(crate) created: Timestamp,
    /// In the order in which they came.
    pub(crate) registered: Vec<Registered>,
}

/// What the operator gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) activation_id: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) code_hash: String,
    pub(crate) iam_role: String,
    pub(crate) description: Option<String>,
    pub(crate) default_instance_name: Option<String>,
    pub(crate) registration_limit: u32,
    pub(crate) expires: Timestamp,
    pub(crate) tags: Tags,
    pub(crate) metadata: Tags,
}

/// One host that used it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) key: String,
    pub(crate) instance_id: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Command {
    Create(Box<Terms>),
    Delete,
    /// A host shows the code. `registered` is who it will be, unless its key has registered before: who was not told
    /// asks again.
    Register {
        code_hash: String,
        registered: Registered,
    },
}

/// Stored: add to it, never alter it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Created { at: Timestamp, terms: Terms },
    Deleted { at: Timestamp },
    Registered { at: Timestamp, registered: Registered },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    DoesNotExist,
    WrongCode,
    Expired,
    UsedUp,
}

/// Decides what `command` means. No event: it is so already.
pub(crate) fn decide(activation: &Activation, command: Command, now: Timestamp) -> Result<Option<Event>, Refusal> {
    match (&activation.now, command) {
        (None, Command::Create(terms)) if activation.seq == 0 => Ok(Some(Event::Created { at: now, terms: *terms })),
        // Its id was drawn by chance: nobody else has it.
        (_, Command::Create(_)) => Ok(None),
        (None, Command::Delete | Command::Register { .. }) => Err(Refusal::DoesNotExist),
        (Some(_), Command::Delete) => Ok(Some(Event::Deleted { at: now })),
        (Some(given), Command::Register { code_hash, registered }) => register(given, &code_hash, registered, now),
    }
}

fn register(given: &Given, code_hash: &str, registered: Registered, now: Timestamp) -> Result<Option<Event>, Refusal> {
    if !identity::same(code_hash, &given.terms.code_hash) {
        return Err(Refusal::WrongCode);
    }
    if given.registered.iter().any(|known| known.key == registered.key) {
        return Ok(None);
    }
    if given.terms.expires <= now {
        return Err(Refusal::Expired);
    }
    if given.registered.len() >= given.terms.registration_limit as usize {
        return Err(Refusal::UsedUp);
    }
    Ok(Some(Event::Registered { at: now, registered }))
}

impl Activation {
    /// Folds one event in.
    pub(crate) fn apply(&mut self, event: &Event) {
        self.seq += 1;
        match event {
            Event::Created { at, terms } => {
                self.now = Some(Given { terms: terms.clone(), created: *at, registered: vec![] });
            }
            Event::Deleted { .. } => self.now = None,
            Event::Registered { registered, .. } => {
                if let Some(given) = &mut self.now {
                    given.registered.push(registered.clone());
                }
            }
        }
    }
}

impl Given {
    /// Who the host with this key is.
    pub(crate) fn instance_of(&self, key: &str) -> Option<&str> {
        self.registered.iter().find(|known| known.key == key).map(|known| known.instance_id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::{Expect, expect};

    use super::*;

    fn command(line: &str) -> Command {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["create", limit, expires] => Command::Create(Box::new(Terms {
                activation_id: "a".into(),
                account: "111111111111".into(),
                region: "us-east-1".into(),
                code_hash: "right".into(),
                iam_role: "role".into(),
                description: None,
                default_instance_name: None,
                registration_limit: limit.parse().expect("a number"),
                expires: Timestamp(expires.parse().expect("an instant")),
                tags: vec![],
                metadata: vec![],
            })),
            ["delete"] => Command::Delete,
            ["register", code, key, id] => Command::Register {
                code_hash: code.into(),
                registered: Registered { key: key.into(), instance_id: id.into() },
            },
            ref other => panic!("what is {other:?}?"),
        }
    }

    /// Each line is a command; its time is how many lines stand before it.
    fn check(script: &str, expect: Expect) {
        let (mut activation, mut told) = (Activation::default(), String::new());
        for (time, line) in script.lines().map(str::trim).enumerate() {
            let answer = match decide(&activation, command(line), Timestamp(time as i64)) {
                Err(refusal) => format!("refused: {refusal:?}"),
                Ok(None) => "=".to_owned(),
                Ok(Some(event)) => {
                    let stored = serde_json::to_vec(&event).expect("events have a text");
                    activation.apply(&serde_json::from_slice(&stored).expect("a text of ours"));
                    let hosts = |given: &Given| {
                        let ids: Vec<_> = given.registered.iter().map(|one| one.instance_id.as_str()).collect();
                        format!("{} of {}: {}", ids.len(), given.terms.registration_limit, ids.join(" "))
                    };
                    activation.now.as_ref().map_or("gone".to_owned(), hosts).trim().to_owned()
                }
            };
            writeln!(told, "{line} => {answer}").expect("a text takes all");
        }
        expect.assert_eq(&told);
    }

    #[test]
    fn an_activation_is_for_so_many_hosts_and_no_more() {
        check(
            "create 2 100\nregister wrong k1 mi-1\nregister right k1 mi-1\nregister right k1 mi-2\nregister right k3 mi-3\nregister right k4 mi-4\nregister right k3 mi-5\nregister wrong k4 mi-4",
            expect![[r#"
                create 2 100 => 0 of 2:
                register wrong k1 mi-1 => refused: WrongCode
                register right k1 mi-1 => 1 of 2: mi-1
                register right k1 mi-2 => =
                register right k3 mi-3 => 2 of 2: mi-1 mi-3
                register right k4 mi-4 => refused: UsedUp
                register right k3 mi-5 => =
                register wrong k4 mi-4 => refused: WrongCode
            "#]],
        );
    }

    #[test]
    fn an_activation_ends_with_its_time_or_its_deletion() {
        check(
            "register right k mi-0\ncreate 9 3\nregister right k mi-1\nregister right k2 mi-2\nregister right k mi-3\ndelete\nregister right k mi-4\ndelete\ncreate 9 99",
            expect![[r#"
                register right k mi-0 => refused: DoesNotExist
                create 9 3 => 0 of 9:
                register right k mi-1 => 1 of 9: mi-1
                register right k2 mi-2 => refused: Expired
                register right k mi-3 => =
                delete => gone
                register right k mi-4 => refused: DoesNotExist
                delete => refused: DoesNotExist
                create 9 99 => =
            "#]],
        );
    }
}
