//! So many at a time, as a value: who holds a slot, and who waits for one, first come first served.
//!
//! It knows nothing of what is limited: a holder is a name that whoever asks makes up.
//!
//! **Invariant:** a holder holds one slot however often it asks, and none once it has given it back; nobody is granted a slot
//! while as many as there are slots hold one.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Timestamp;
use serde::{Deserialize, Serialize};

/// As of its latest event.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Semaphore {
    /// How many may hold a slot; no limit when none.
    capacity: Option<u32>,
    /// Since when each holds its slot.
    holders: BTreeMap<Holder, Timestamp>,
    /// In the order in which they came.
    queue: BTreeMap<u64, Holder>,
    /// The same, by holder.
    waiting: BTreeMap<Holder, u64>,
    next_ticket: u64,
    pub(crate) seq: u64,
}

/// Whoever holds a slot or waits for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Holder(pub(crate) Arc<str>);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// With how many slots there are now.
    Acquire {
        holder: Holder,
        capacity: Option<u32>,
    },
    /// Gives a slot back, or leaves the queue.
    Release {
        holder: Holder,
    },
    Resize {
        capacity: Option<u32>,
    },
}

/// Stored: add to it, never alter it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Resized { at: Timestamp, capacity: Option<u32> },
    Queued { at: Timestamp, holder: Holder },
    Acquired { at: Timestamp, holder: Holder },
    Released { at: Timestamp, holder: Holder },
}

/// What follows from one command: facts, and who is to be told.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Step {
    pub(crate) events: Vec<Event>,
    pub(crate) told: Vec<Told>,
}

/// An answer to a holder. Told again whenever the holder asks again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    Granted(Holder),
    Released(Holder),
}

/// Decides what `command` means, and applies what follows.
pub(crate) fn step(semaphore: &mut Semaphore, command: Command, now: Timestamp) -> Step {
    let mut cx = Cx { semaphore, now, step: Step::default() };
    match command {
        Command::Acquire { holder, capacity } => {
            cx.resize(capacity);
            cx.acquire(holder);
        }
        Command::Release { holder } => cx.release(holder),
        Command::Resize { capacity } => cx.resize(capacity),
    }
    cx.promote();
    cx.step
}

struct Cx<'a> {
    semaphore: &'a mut Semaphore,
    now: Timestamp,
    step: Step,
}

impl Cx<'_> {
    fn resize(&mut self, capacity: Option<u32>) {
        if self.semaphore.capacity != capacity {
            self.record(Event::Resized { at: self.now, capacity });
        }
    }

    fn acquire(&mut self, holder: Holder) {
        if self.semaphore.holders.contains_key(&holder) {
            self.step.told.push(Told::Granted(holder));
        } else if !self.semaphore.waiting.contains_key(&holder) {
            self.record(Event::Queued { at: self.now, holder });
        }
    }

    fn release(&mut self, holder: Holder) {
        if self.semaphore.holders.contains_key(&holder) || self.semaphore.waiting.contains_key(&holder) {
            self.record(Event::Released { at: self.now, holder: holder.clone() });
        }
        self.step.told.push(Told::Released(holder));
    }

    fn promote(&mut self) {
        while self.semaphore.has_room()
            && let Some((_, holder)) = self.semaphore.queue.first_key_value()
        {
            let holder = holder.clone();
            self.record(Event::Acquired { at: self.now, holder: holder.clone() });
            self.step.told.push(Told::Granted(holder));
        }
    }

    fn record(&mut self, event: Event) {
        self.semaphore.apply(&event);
        self.step.events.push(event);
    }
}

impl Semaphore {
    fn has_room(&self) -> bool {
        self.capacity.is_none_or(|capacity| self.holders.len() < capacity as usize)
    }

    /// What holders may not have heard: a restarted server tells them again, and whoever wants no slot any more, and may
    /// have nothing else to remember that by, gives it back.
    pub(crate) fn outstanding(&self) -> impl Iterator<Item = Told> {
        self.holders.keys().cloned().map(Told::Granted)
    }

    /// Whether anybody holds a slot or waits for one.
    pub(crate) fn is_used(&self) -> bool {
        !self.holders.is_empty() || !self.queue.is_empty()
    }

    pub(crate) fn apply(&mut self, event: &Event) {
        self.seq += 1;
        match event {
            Event::Resized { capacity, .. } => self.capacity = *capacity,
            Event::Queued { holder, .. } => {
                self.queue.insert(self.next_ticket, holder.clone());
                self.waiting.insert(holder.clone(), self.next_ticket);
                self.next_ticket += 1;
            }
            Event::Acquired { at, holder } => {
                self.leave_queue(holder);
                self.holders.insert(holder.clone(), *at);
            }
            Event::Released { holder, .. } => {
                self.leave_queue(holder);
                self.holders.remove(holder);
            }
        }
    }

    fn leave_queue(&mut self, holder: &Holder) {
        if let Some(ticket) = self.waiting.remove(holder) {
            self.queue.remove(&ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &str) -> Command {
        let words: Vec<&str> = line.split(' ').collect();
        let holder = |at: usize| Holder(words[at].into());
        let capacity = |at: usize| words.get(at).map(|text| text.parse().expect("a number"));
        match words[0] {
            "acquire" => Command::Acquire { holder: holder(1), capacity: capacity(2) },
            "release" => Command::Release { holder: holder(1) },
            "resize" => Command::Resize { capacity: capacity(1) },
            other => panic!("no such command: {other}"),
        }
    }

    #[track_caller]
    fn check(script: &str, expect: Expect) {
        let mut semaphore = Semaphore::default();
        let mut out = String::new();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let told = step(&mut semaphore, parse(line), Timestamp(0)).told;
            let told = told.iter().map(|told| match told {
                Told::Granted(holder) => format!(" granted {}", holder.0),
                Told::Released(holder) => format!(" released {}", holder.0),
            });
            out.push_str(&format!("{line}:{}\n", told.collect::<String>()));
        }
        expect.assert_eq(&out);
    }

    #[test]
    fn slots_go_round_in_order() {
        check(
            "
            acquire a 2
            acquire b 2
            acquire c 2
            acquire d 2
            acquire a 2
            acquire c 2
            release a
            release a
            release d
            release b
            ",
            expect![[r#"
                acquire a 2: granted a
                acquire b 2: granted b
                acquire c 2:
                acquire d 2:
                acquire a 2: granted a
                acquire c 2:
                release a: released a granted c
                release a: released a
                release d: released d
                release b: released b
            "#]],
        );
    }

    #[test]
    fn a_change_of_size_counts_at_once() {
        check(
            "
            acquire a 1
            acquire b 1
            acquire c 1
            resize 3
            resize 1
            acquire d 1
            release a
            release b
            release c
            resize
            acquire e
            ",
            expect![[r#"
                acquire a 1: granted a
                acquire b 1:
                acquire c 1:
                resize 3: granted b granted c
                resize 1:
                acquire d 1:
                release a: released a
                release b: released b
                release c: released c granted d
                resize:
                acquire e: granted e
            "#]],
        );
    }

    #[test]
    fn whoever_holds_a_slot_is_told_again_after_a_restart() {
        let mut semaphore = Semaphore::default();
        for line in ["acquire a 1", "acquire b 1", "release a"] {
            step(&mut semaphore, parse(line), Timestamp(0));
        }
        let told: Vec<Told> = semaphore.outstanding().collect();
        assert_eq!(told, [Told::Granted(Holder("b".into()))]);
        step(&mut semaphore, parse("release b"), Timestamp(0));
        assert_eq!(semaphore.outstanding().count(), 0);
    }

    fn any_line() -> impl Strategy<Value = String> {
        let holder = || prop::sample::select(vec!["a", "b", "c", "d", "e"]);
        prop_oneof![
            4 => (holder(), 0..4_u32).prop_map(|(holder, capacity)| format!("acquire {holder} {capacity}")),
            3 => holder().prop_map(|holder| format!("release {holder}")),
            1 => (0..4_u32).prop_map(|capacity| format!("resize {capacity}")),
        ]
    }

    proptest! {
        #[test]
        fn no_order_of_commands_gives_away_more_slots_than_there_are(lines in prop::collection::vec(any_line(), 0..80)) {
            let (mut semaphore, mut replayed) = (Semaphore::default(), Semaphore::default());
            for line in lines {
                let before = semaphore.holders.len();
                let step = step(&mut semaphore, parse(&line), Timestamp(0));
                step.events.iter().for_each(|event| replayed.apply(event));
                prop_assert_eq!(&replayed, &semaphore, "replay is live");
                let capacity = semaphore.capacity.map_or(usize::MAX, |capacity| capacity as usize);
                prop_assert!(semaphore.holders.len() <= capacity.max(before), "nobody is granted one too many");
                prop_assert!(semaphore.queue.is_empty() || semaphore.holders.len() >= capacity, "nobody waits in vain");
                prop_assert_eq!(semaphore.queue.len(), semaphore.waiting.len());
                for told in step.told {
                    match told {
                        Told::Granted(holder) => prop_assert!(semaphore.holders.contains_key(&holder)),
                        Told::Released(holder) => prop_assert!(!semaphore.holders.contains_key(&holder) || semaphore.capacity.is_none()),
                    }
                }
                let stored = serde_json::to_string(&semaphore).expect("written");
                prop_assert_eq!(&serde_json::from_str::<Semaphore>(&stored).expect("read"), &semaphore);
            }
        }
    }
}
