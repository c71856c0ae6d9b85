//! A managed instance's registration as a value: what its agent said when it came.

use base::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) now: Option<Registered>,
    pub(crate) seq: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) card: Card,
    pub(crate) first_seen: Timestamp,
    /// When it last said hello or was last known to be there; kept coarsely.
    pub(crate) seen: Timestamp,
}

/// Who an agent says it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
}

#[derive(Debug, Clone)]
pub(crate) enum Command {
    Hello(Card),
    /// It left, and was there until now.
    Left,
}

/// Stored: add to it, never alter it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event {
    Seen { at: Timestamp, card: Card },
    Left { at: Timestamp },
}

/// A copied or restored agent would run again what the other ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WentBack;

pub(crate) fn decide(instance: &Instance, command: Command, now: Timestamp) -> Result<Option<Event>, WentBack> {
    match (&instance.now, command) {
        (Some(known), Command::Hello(card)) if card.incarnation < known.card.incarnation => Err(WentBack),
        (_, Command::Hello(card)) => Ok(Some(Event::Seen { at: now, card })),
        (Some(_), Command::Left) => Ok(Some(Event::Left { at: now })),
        (None, Command::Left) => Ok(None),
    }
}

impl Instance {
    pub(crate) fn apply(&mut self, event: &Event) {
        self.seq += 1;
        match event {
            Event::Seen { at, card } => {
                let first_seen = self.now.as_ref().map_or(*at, |known| known.first_seen);
                self.now = Some(Registered { card: card.clone(), first_seen, seen: *at });
            }
            Event::Left { at } => {
                if let Some(known) = &mut self.now {
                    known.seen = *at;
                }
            }
        }
    }
}
