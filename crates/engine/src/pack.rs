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

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: &str = r#"{"d":[{"a":1},["x",null],2],"e":[
        {"t":1,"i":1,"e":{"ExecutionStarted":{"identity":IDENTITY,"input":0,"timeout":{"timer":0,"due":9}}}},
        {"t":1,"i":2,"e":{"StateEntered":{"kind":"Parallel","name":"P","input":0}}},
        {"t":1,"i":3,"p":2,"e":{"ParallelStarted":{"input":0,"first":1,"blocks":[1,2]}}},
        {"t":1,"f":1,"i":4,"p":3,"e":{"StateEntered":{"kind":"Task","name":"A","input":0}}},
        {"t":1,"f":1,"i":5,"p":4,"e":{"TaskScheduled":{"task":0,"resource":"arn:aws:states:::ssm:sendCommand.sync","parameters":1,"timeout_seconds":5,"timeout":{"timer":1,"due":6}}}},
        {"t":1,"f":2,"i":6,"p":3,"e":{"StateEntered":{"kind":"Pass","name":"B","input":0}}},
        {"t":1,"f":2,"i":7,"p":6,"e":{"StateExited":{"kind":"Pass","name":"B","output":2}}},
        {"t":1,"f":2,"e":{"FrameEnded":{"output":2}}},
        {"t":1,"f":1,"i":8,"p":5,"e":{"TaskStarted":{"task":0,"resource":"arn:aws:states:::ssm:sendCommand.sync"}}}]}"#;

    const SNAPSHOT: &str = r#"{"identity":IDENTITY,"input":{"a":1},"text":null,"status":"Running","started":1,"timeout":{"timer":0,"due":9},
        "frames":{
            "0":{"place":"Machine","block":0,"last":7,"visit":{"name":"P","kind":"Parallel","input":{"a":1},"entered":2,"entered_from":0,"entered_at":1,"retries":{},"doing":{"Branches":{"first":1,"open":1,"outputs":[null,2]}}}},
            "1":{"place":{"Branch":{"of":0,"index":0}},"block":1,"last":8,"visit":{"name":"A","kind":"Task","input":{"a":1},"entered":4,"entered_from":3,"entered_at":1,"retries":{},"doing":{"Task":{"task":0,"resource":"arn:aws:states:::ssm:sendCommand.sync","parameters":["x",null],"credentials":null,"timeout":{"timer":1,"due":6},"heartbeat":null,"heartbeat_seconds":null,"submitted":false}}}}},
        "tasks":{"0":1},"timers":{"0":0,"1":1},"next_frame":3,"next_task":1,"next_timer":2,"last_id":8,"seq":9}"#;

    const IDENTITY: &str =
        r#"{"execution_arn":"e","name":"n","machine_arn":"m","machine_name":"net","role_arn":"r","definition":"d.0"}"#;

    /// By the first version that had a form: events, and a snapshot of what they make.
    #[test]
    fn what_was_stored_before_is_read() {
        let [events, snapshot] = [EVENTS, SNAPSHOT].map(|text| text.replace("IDENTITY", IDENTITY));
        let replayed = Execution::replay(&decode(events.as_bytes()).expect("a pack"));
        let read = decode_snapshot(snapshot.as_bytes()).expect("a snapshot");
        assert_eq!(replayed.outstanding(), read.outstanding());
        let text = |execution: &Execution| {
            // What is kept of an attempt now, and was not then.
            let text = String::from_utf8(encode_snapshot(execution)).expect("a text");
            text.replace(r#""timeout_seconds":5"#, r#""timeout_seconds":null"#)
                .replace(r#""started":true"#, r#""started":false"#)
        };
        assert_eq!(text(&replayed), text(&read));
    }
}
