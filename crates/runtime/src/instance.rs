//! A managed instance as a value: how it came to be one, what its agent said when it came, and its tags.
//!
//! **Invariant:** an instance that has a key proves it, always.
//!
//! **Invariant:** two agents that are the same instance are none: where a registered one comes with a start that was
//! counted before, a disk was copied, and nobody can say which of the two is meant.

use base::{Timestamp, limits};
use serde::{Deserialize, Serialize};

use crate::tags::{self, Tags};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) now: Option<Registered>,
    pub(crate) seq: u64,
    /// It was deregistered: nobody is this instance any more, ever.
    #[serde(default)]
    pub(crate) gone: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) card: Card,
    pub(crate) first_seen: Timestamp,
    /// When it last said hello or was last known to be there; kept coarsely.
    pub(crate) seen: Timestamp,
    /// None of an agent that came with an id of its own choosing.
    #[serde(default)]
    pub(crate) registration: Option<Registration>,
    #[serde(default)]
    pub(crate) tags: Tags,
    /// Since when it is not let in, because it was there twice.
    #[serde(default)]
    pub(crate) suspended: Option<Timestamp>,
}

/// How it was let in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registration {
    /// With which its agent proves itself.
    pub(crate) key: String,
    /// None of the agent inside a server.
    pub(crate) activation_id: Option<String>,
    pub(crate) iam_role: Option<String>,
    /// As the activation names its instances.
    pub(crate) name: Option<String>,
    pub(crate) at: Timestamp,
    /// When the key was last changed.
    #[serde(default)]
    pub(crate) key_since: Timestamp,
    /// Of the machine that registered.
    #[serde(default)]
    pub(crate) machine: String,
}

/// Who an agent says it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) instance_id: String,
    pub(crate) name: String,
    pub(crate) computer_name: String,
    pub(crate) agent_version: String,
    pub(crate) platform_type: String,
    pub(crate) platform_name: String,
    pub(crate) platform_version: String,
    pub(crate) ip_address: String,
    /// Grows with each start of the agent; one that goes back is a copied disk.
    pub(crate) incarnation: u64,
    /// Drawn at each start of the agent: two of one incarnation are two agents.
    #[serde(default)]
    pub(crate) life: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Command {
    Look,
    Register {
        card: Card,
        registration: Registration,
        tags: Tags,
    },
    Hello {
        card: Card,
        comes: Comes,
    },
    /// It left, and was there until now.
    Left,
    Rotate {
        key: String,
        next: String,
    },
    ChangeRole(String),
    Tag(Tags),
    Untag(Vec<String>),
    Deregister,
}

/// What an agent brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comes {
    /// The proof that it has this key.
    With(String),
    /// Nothing, and where it comes from that may be enough.
    FromThisHost,
    /// Nothing.
    FromElsewhere,
}

/// Stored: add to it, never alter it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Seen { at: Timestamp, card: Card },
    Left { at: Timestamp },
    Registered { at: Timestamp, card: Card, registration: Registration, tags: Tags },
    KeyRotated { at: Timestamp, key: String },
    RoleChanged { iam_role: String },
    Tagged { tags: Tags },
    Suspended { at: Timestamp },
    Deregistered { at: Timestamp },
}

/// Why it is not let in, or not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    DoesNotExist,
    /// A copied or restored agent would run again what the other ran.
    WentBack,
    Unknown,
    NotProven,
    Deregistered,
    Suspended,
    TooManyTags,
}

pub(crate) fn decide(instance: &Instance, command: Command, now: Timestamp) -> Result<Option<Event>, Refusal> {
    match (&instance.now, command) {
        (_, Command::Hello { .. } | Command::Register { .. }) if instance.gone => Err(Refusal::Deregistered),
        (known, Command::Hello { card, comes }) => hello(known.as_ref(), card, comes, now),
        (Some(known), Command::Register { registration, .. }) if known.key() == Some(&registration.key) => Ok(None),
        // What has a key is not given another by registering.
        (Some(known), Command::Register { .. }) if known.registration.is_some() => Err(Refusal::NotProven),
        (_, Command::Register { card, registration, tags }) => {
            Ok(Some(Event::Registered { at: now, card, registration, tags }))
        }
        (Some(_), Command::Left) => Ok(Some(Event::Left { at: now })),
        (None, Command::Left) | (Some(_), Command::Look) => Ok(None),
        (None, Command::Look | Command::ChangeRole(_) | Command::Tag(_) | Command::Untag(_) | Command::Deregister) => {
            Err(Refusal::DoesNotExist)
        }
        (None, Command::Rotate { .. }) => Err(Refusal::Unknown),
        (Some(known), Command::Rotate { key, next }) => match known.key() {
            Some(known) if *known == next => Ok(None),
            Some(known) if *known == key => Ok(Some(Event::KeyRotated { at: now, key: next })),
            Some(_) | None => Err(Refusal::NotProven),
        },
        (Some(known), Command::ChangeRole(iam_role)) => match &known.registration {
            Some(registration) if registration.iam_role.as_ref() == Some(&iam_role) => Ok(None),
            Some(_) => Ok(Some(Event::RoleChanged { iam_role })),
            // It has none: it was never registered.
            None => Err(Refusal::DoesNotExist),
        },
        (Some(known), Command::Tag(added)) => retagged(known, tags::with(&known.tags, added)),
        (Some(known), Command::Untag(keys)) => retagged(known, tags::without(&known.tags, &keys)),
        (Some(_), Command::Deregister) => Ok(Some(Event::Deregistered { at: now })),
    }
}

fn hello(known: Option<&Registered>, card: Card, comes: Comes, now: Timestamp) -> Result<Option<Event>, Refusal> {
    let Some(known) = known else {
        return match comes {
            Comes::FromThisHost => Ok(Some(Event::Seen { at: now, card })),
            Comes::With(_) | Comes::FromElsewhere => Err(Refusal::Unknown),
        };
    };
    match (known.key(), comes) {
        (Some(key), Comes::With(shown)) if *key == shown => (),
        (None, Comes::FromThisHost) => (),
        (_, Comes::With(_) | Comes::FromThisHost | Comes::FromElsewhere) => return Err(Refusal::NotProven),
    }
    if known.suspended.is_some() {
        return Err(Refusal::Suspended);
    }
    let another = card.incarnation == known.card.incarnation && card.life != known.card.life;
    let copied = card.incarnation < known.card.incarnation || another && !known.card.life.is_empty();
    match (copied, &known.registration) {
        (false, _) => Ok(Some(Event::Seen { at: now, card })),
        (true, Some(_)) => Ok(Some(Event::Suspended { at: now })),
        (true, None) => Err(Refusal::WentBack),
    }
}

fn retagged(known: &Registered, tags: Tags) -> Result<Option<Event>, Refusal> {
    if tags.len() > limits::TAGS_MAX {
        return Err(Refusal::TooManyTags);
    }
    Ok((tags != known.tags).then_some(Event::Tagged { tags }))
}

impl Registered {
    fn key(&self) -> Option<&String> {
        self.registration.as_ref().map(|registration| &registration.key)
    }
}

impl Instance {
    pub(crate) fn apply(&mut self, event: &Event) {
        self.seq += 1;
        match event {
            Event::Seen { at, card } => match &mut self.now {
                Some(known) => (known.card, known.seen) = (card.clone(), *at),
                None => self.now = Some(Registered::new(card, *at)),
            },
            Event::Left { at } => self.change(|known| known.seen = *at),
            Event::Registered { at, card, registration, tags } => {
                let first_seen = self.now.as_ref().map_or(*at, |known| known.first_seen);
                let (registration, tags) = (Some(registration.clone()), tags.clone());
                self.now = Some(Registered { first_seen, registration, tags, ..Registered::new(card, *at) });
            }
            Event::KeyRotated { at, key } => self.change(|known| {
                if let Some(registration) = &mut known.registration {
                    (registration.key, registration.key_since) = (key.clone(), *at);
                }
            }),
            Event::RoleChanged { iam_role } => self.change(|known| {
                if let Some(registration) = &mut known.registration {
                    registration.iam_role = Some(iam_role.clone());
                }
            }),
            Event::Tagged { tags } => self.change(|known| known.tags = tags.clone()),
            Event::Suspended { at } => self.change(|known| known.suspended = Some(*at)),
            Event::Deregistered { .. } => (self.now, self.gone) = (None, true),
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Registered)) {
        if let Some(known) = &mut self.now {
            change(known);
        }
    }
}

impl Registered {
    fn new(card: &Card, at: Timestamp) -> Registered {
        Registered { card: card.clone(), first_seen: at, seen: at, registration: None, tags: vec![], suspended: None }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::{Expect, expect};

    use super::*;

    fn card(incarnation: &str) -> Card {
        let (incarnation, life) = incarnation.split_once('/').unwrap_or((incarnation, "x"));
        Card {
            instance_id: "mi-1".into(),
            incarnation: incarnation.parse().expect("a number"),
            life: life.into(),
            ..Card::default()
        }
    }

    fn registration(key: &str) -> Registration {
        Registration {
            key: key.into(),
            activation_id: Some("a".into()),
            iam_role: Some("role".into()),
            name: None,
            at: Timestamp(0),
            key_since: Timestamp(0),
            machine: String::new(),
        }
    }

    fn command(line: &str) -> Command {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["register", key] => Command::Register {
                card: card("0"),
                registration: registration(key),
                tags: vec![("a".into(), "1".into())],
            },
            ["hello", incarnation] => Command::Hello { card: card(incarnation), comes: Comes::FromThisHost },
            ["hello", incarnation, "far"] => Command::Hello { card: card(incarnation), comes: Comes::FromElsewhere },
            ["hello", incarnation, key] => Command::Hello { card: card(incarnation), comes: Comes::With(key.into()) },
            ["left"] => Command::Left,
            ["look"] => Command::Look,
            ["rotate", key, next] => Command::Rotate { key: key.into(), next: next.into() },
            ["role", role] => Command::ChangeRole(role.into()),
            ["tag", key, value] => Command::Tag(vec![(key.into(), value.into())]),
            ["untag", key] => Command::Untag(vec![key.into()]),
            ["deregister"] => Command::Deregister,
            ref other => panic!("what is {other:?}?"),
        }
    }

    fn shown(instance: &Instance) -> String {
        let Some(now) = &instance.now else { return if instance.gone { "gone" } else { "-" }.to_owned() };
        let mut text = format!("start {} seen {}", now.card.incarnation, now.seen.0);
        if let Some(registration) = &now.registration {
            write!(text, " key {} role {}", registration.key, registration.iam_role.as_deref().unwrap_or("-"))
                .expect("a text");
        }
        now.tags.iter().for_each(|(key, value)| write!(text, " {key}={value}").expect("a text"));
        if now.suspended.is_some() { text + " suspended" } else { text }
    }

    /// Each line is a command; its time is how many lines stand before it.
    fn check(script: &str, expect: Expect) {
        let (mut instance, mut told) = (Instance::default(), String::new());
        for (time, line) in script.lines().map(str::trim).enumerate() {
            let answer = match decide(&instance, command(line), Timestamp(time as i64)) {
                Err(refusal) => format!("refused: {refusal:?}"),
                Ok(None) => "=".to_owned(),
                Ok(Some(event)) => {
                    let stored = serde_json::to_vec(&event).expect("events have a text");
                    instance.apply(&serde_json::from_slice(&stored).expect("a text of ours"));
                    shown(&instance)
                }
            };
            writeln!(told, "{line} => {answer}").expect("a text takes all");
        }
        expect.assert_eq(&told);
    }

    #[test]
    fn an_instance_that_has_a_key_always_proves_it() {
        check(
            "hello 1 far\nhello 1 k1\nregister k1\nregister k1\nregister k2\nhello 1\nhello 1 far\nhello 1 k2\nhello 1 k1\nleft",
            expect![[r#"
                hello 1 far => refused: Unknown
                hello 1 k1 => refused: Unknown
                register k1 => start 0 seen 2 key k1 role role a=1
                register k1 => =
                register k2 => refused: NotProven
                hello 1 => refused: NotProven
                hello 1 far => refused: NotProven
                hello 1 k2 => refused: NotProven
                hello 1 k1 => start 1 seen 8 key k1 role role a=1
                left => start 1 seen 9 key k1 role role a=1
            "#]],
        );
    }

    #[test]
    fn a_key_follows_the_one_that_names_it() {
        check(
            "rotate k1 k2\nregister k1\nhello 1 k1\nrotate k9 k2\nrotate k1 k2\nrotate k1 k2\nrotate k1 k3\nhello 2 k1\nhello 2 k2",
            expect![[r#"
                rotate k1 k2 => refused: Unknown
                register k1 => start 0 seen 1 key k1 role role a=1
                hello 1 k1 => start 1 seen 2 key k1 role role a=1
                rotate k9 k2 => refused: NotProven
                rotate k1 k2 => start 1 seen 2 key k2 role role a=1
                rotate k1 k2 => =
                rotate k1 k3 => refused: NotProven
                hello 2 k1 => refused: NotProven
                hello 2 k2 => start 2 seen 8 key k2 role role a=1
            "#]],
        );
    }

    #[test]
    fn an_instance_that_is_there_twice_is_not_let_in() {
        check(
            "register k\nhello 5/a k\nhello 5/a k\nhello 6/b k\nhello 5/a k\nhello 7/b k\nderegister",
            expect![[r#"
                register k => start 0 seen 0 key k role role a=1
                hello 5/a k => start 5 seen 1 key k role role a=1
                hello 5/a k => start 5 seen 2 key k role role a=1
                hello 6/b k => start 6 seen 3 key k role role a=1
                hello 5/a k => start 6 seen 3 key k role role a=1 suspended
                hello 7/b k => refused: Suspended
                deregister => gone
            "#]],
        );
        check(
            "register k\nhello 5/a k\nhello 5/b k\nhello 6/a k",
            expect![[r#"
            register k => start 0 seen 0 key k role role a=1
            hello 5/a k => start 5 seen 1 key k role role a=1
            hello 5/b k => start 5 seen 1 key k role role a=1 suspended
            hello 6/a k => refused: Suspended
        "#]],
        );
        check(
            "hello 5/a\nhello 4/b\nhello 5/b\nhello 6/a",
            expect![[r#"
            hello 5/a => start 5 seen 0
            hello 4/b => refused: WentBack
            hello 5/b => refused: WentBack
            hello 6/a => start 6 seen 3
        "#]],
        );
    }

    #[test]
    fn who_was_deregistered_does_not_come_back() {
        check(
            "register k\nhello 1 k\nrole other\nrole other\nderegister\nhello 2 k\nregister k\nregister k2\nlook\nderegister\nleft",
            expect![[r#"
                register k => start 0 seen 0 key k role role a=1
                hello 1 k => start 1 seen 1 key k role role a=1
                role other => start 1 seen 1 key k role other a=1
                role other => =
                deregister => gone
                hello 2 k => refused: Deregistered
                register k => refused: Deregistered
                register k2 => refused: Deregistered
                look => refused: DoesNotExist
                deregister => refused: DoesNotExist
                left => =
            "#]],
        );
    }

    #[test]
    fn tags_merge_and_have_an_end() {
        check(
            "tag a 1\nregister k\ntag b 2\ntag a 3\ntag a 3\nuntag b\nuntag z\nlook",
            expect![[r#"
            tag a 1 => refused: DoesNotExist
            register k => start 0 seen 1 key k role role a=1
            tag b 2 => start 0 seen 1 key k role role a=1 b=2
            tag a 3 => start 0 seen 1 key k role role a=3 b=2
            tag a 3 => =
            untag b => start 0 seen 1 key k role role a=3
            untag z => =
            look => =
        "#]],
        );
        let mut instance = Instance::default();
        instance.apply(&decide(&instance, command("hello 1"), Timestamp(0)).expect("accepted").expect("new"));
        let many = |count: usize| Command::Tag((0..count).map(|n| (n.to_string(), String::new())).collect());
        assert!(decide(&instance, many(limits::TAGS_MAX), Timestamp(9)).is_ok());
        assert_eq!(decide(&instance, many(limits::TAGS_MAX + 1), Timestamp(9)), Err(Refusal::TooManyTags));
    }

    #[test]
    fn what_was_stored_before_registrations_is_read() {
        let card = r#"{"instance_id":"mi-1","name":"n","computer_name":"c","agent_version":"v","platform_type":"Linux","platform_name":"p","platform_version":"1","ip_address":"","incarnation":3}"#;
        let events: Vec<Event> =
            serde_json::from_str(&format!(r#"[{{"Seen":{{"at":1,"card":{card}}}}},{{"Left":{{"at":2}}}}]"#))
                .expect("a stored form");
        let mut instance = Instance::default();
        events.iter().for_each(|event| instance.apply(event));
        assert_eq!(shown(&instance), "start 3 seen 2");
        let snapshot = format!(r#"{{"now":{{"card":{card},"first_seen":1,"seen":2}},"seq":2}}"#);
        assert_eq!(serde_json::from_str::<Instance>(&snapshot).expect("a stored form"), instance);
    }
}
