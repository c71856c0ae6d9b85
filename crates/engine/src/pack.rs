//! How events are kept: packed, each payload once.
//!
//! Ten Pass states hand on the same input; the pack of their twenty-one events holds it once. The form is JSON
//! (`{"d":[payloads],"e":[events]}`), readable with any database's shell, and only ever added to.

use std::collections::BTreeMap;

use base::Json;
use base::json::read_stored;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::execution::Execution;

#[derive(Serialize)]
struct PackRef<'a> {
    d: &'a [Json],
    e: &'a [Event<u32>],
}

#[derive(Deserialize)]
struct Pack {
    d: Vec<Json>,
    e: Vec<Event<u32>>,
}

/// Why stored bytes are not what was stored.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error("not a pack of events")]
    Form(#[from] serde_json::Error),
    #[error("an event names payload {0}, which is not there")]
    Payload(u32),
}

/// The bytes of `events`.
pub fn encode(events: &[Event]) -> Vec<u8> {
    let mut table = Table::default();
    let events: Vec<Event<u32>> = events.iter().map(|event| table.put_all(event)).collect();
    serde_json::to_vec(&PackRef { d: &table.payloads, e: &events }).expect("events have a text")
}

/// The events that `bytes` hold. Payloads that were one value are one value again.
pub fn decode(bytes: &[u8]) -> Result<Vec<Event>, Damage> {
    let pack: Pack = read_stored(bytes)?;
    let mut get = |place: u32| pack.d.get(place as usize).cloned().ok_or(Damage::Payload(place));
    pack.e.into_iter().map(|event| event.map(&mut get)).collect()
}

/// The bytes of a whole execution: a cache of its history.
pub fn encode_snapshot(execution: &Execution) -> Vec<u8> {
    serde_json::to_vec(execution).expect("an execution has a text")
}

pub fn decode_snapshot(bytes: &[u8]) -> Result<Execution, Damage> {
    Ok(read_stored(bytes)?)
}

#[derive(Default)]
struct Table {
    payloads: Vec<Json>,
    places: BTreeMap<usize, u32>,
}

impl Table {
    fn put_all(&mut self, event: &Event) -> Event<u32> {
        let placed: Result<Event<u32>, std::convert::Infallible> =
            event.clone().map(&mut |payload| Ok(self.put(payload)));
        match placed {
            Ok(event) => event,
        }
    }

    fn put(&mut self, payload: Json) -> u32 {
        let next = u32::try_from(self.payloads.len()).expect("a step has fewer payloads than that");
        let place = match payload.address() {
            Some(address) => *self.places.entry(address).or_insert(next),
            None => next,
        };
        if place == next {
            // Kept alive here, so that no other value can take its address.
            self.payloads.push(payload);
        }
        place
    }
}
