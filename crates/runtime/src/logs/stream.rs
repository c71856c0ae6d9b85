//! A log stream as a value: counts and times. What is logged are its facts, and they stay in the store.
//!
//! **Invariant:** each log event is one fact, so that its place in the stream is its number; the facts of one chunk
//! are in order of time and lie within [`SPAN_MS`], so that reading by time has to look back no further than that.

use std::sync::Arc;

use base::{Id, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Chunk, IndexKey, IndexRow, Seq};

use super::read::Place;
use crate::keys;
use crate::refusal::LogRefusal;

/// How far apart the times of one chunk may be.
pub(crate) const SPAN_MS: i64 = 60_000;

/// Log events of one chunk, and their bytes: a page reads whole chunks.
const CHUNK_EVENTS_MAX: usize = 500;
const CHUNK_BYTES_MAX: usize = 128 * 1024;

/// As of its latest fact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stream {
    /// None before its creation and after its deletion.
    pub(crate) now: Option<Registered>,
    pub(crate) seq: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Registered {
    pub(crate) home: Home,
    pub(crate) created: Timestamp,
    /// The place of the fact that made it: what is before belongs to another of the same name.
    pub(crate) born: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) span: Option<Span>,
    pub(crate) bytes: u64,
}

/// Times of what is logged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) ingested: Timestamp,
}

/// Where a stream belongs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Home {
    /// The life of its group, as text.
    pub(crate) group: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl Home {
    pub(crate) fn new(life: Id, name: &str) -> Home {
        Home { group: life.to_string().into(), name: name.into() }
    }

    pub(crate) fn id(&self) -> Id {
        Id::of("log stream", &format!("{}/{}", self.group, self.name))
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Command {
    Create(Home),
    Put(Vec<Line>),
    /// Makes the stream where it is not there yet.
    Append(Home, Vec<Line>),
    Delete,
}

/// One log event as it comes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    #[serde(rename = "t")]
    pub(crate) at: Timestamp,
    #[serde(rename = "m")]
    pub(crate) message: Arc<str>,
}

/// Stored: add to it, never alter it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Fact {
    #[serde(rename = "C")]
    Created { at: Timestamp, home: Home },
    #[serde(rename = "L")]
    Logged {
        #[serde(flatten)]
        line: Line,
        #[serde(rename = "i")]
        ingested: Timestamp,
    },
    #[serde(rename = "D")]
    Deleted { at: Timestamp },
}

pub(crate) fn decide(stream: &Stream, command: Command, now: Timestamp) -> Result<Vec<Fact>, LogRefusal> {
    let logged = |lines: Vec<Line>| lines.into_iter().map(move |line| Fact::Logged { line, ingested: now });
    match (&stream.now, command) {
        (Some(_), Command::Create(_)) => Err(LogRefusal::StreamExists),
        (None, Command::Create(home)) => Ok(vec![Fact::Created { at: now, home }]),
        (None, Command::Put(_) | Command::Delete) => Err(LogRefusal::StreamMissing),
        (Some(_), Command::Put(lines) | Command::Append(_, lines)) => Ok(logged(lines).collect()),
        (None, Command::Append(home, lines)) => {
            Ok([Fact::Created { at: now, home }].into_iter().chain(logged(lines)).collect())
        }
        (Some(_), Command::Delete) => Ok(vec![Fact::Deleted { at: now }]),
    }
}

impl Stream {
    /// Folds one fact in.
    pub(crate) fn apply(&mut self, fact: &Fact) {
        let place = self.seq;
        self.seq += 1;
        match (fact, &mut self.now) {
            (Fact::Created { at, home }, _) => {
                self.now = Some(Registered { home: home.clone(), created: *at, born: place, span: None, bytes: 0 });
            }
            (Fact::Logged { line, ingested }, Some(now)) => {
                let span = now.span.get_or_insert(Span { first: line.at, last: line.at, ingested: *ingested });
                span.first = span.first.min(line.at);
                span.last = span.last.max(line.at);
                span.ingested = *ingested;
                now.bytes += line.weight() as u64;
            }
            (Fact::Deleted { .. }, _) => self.now = None,
            (Fact::Logged { .. }, None) => (),
        }
    }
}

impl Line {
    /// What CloudWatch Logs counts: the message and 26 bytes more.
    pub(crate) fn weight(&self) -> usize {
        self.message.len() + super::EVENT_BYTES
    }
}

/// The facts, packed: see the invariant above.
pub(crate) fn chunks(first: u64, facts: &[Fact]) -> Vec<Chunk> {
    let mut chunks = vec![];
    let mut place = first;
    for facts in apart(facts) {
        let bytes = serde_json::to_vec(facts).expect("facts have a text").into();
        let count = u32::try_from(facts.len()).expect("a chunk has fewer facts");
        chunks.push(Chunk { first: Seq(place), count, bytes });
        place += facts.len() as u64;
    }
    chunks
}

/// `facts` in runs that each make one chunk.
fn apart(facts: &[Fact]) -> impl Iterator<Item = &[Fact]> {
    let mut rest = facts;
    std::iter::from_fn(move || {
        let (run, after) = rest.split_at(run_len(rest));
        rest = after;
        (!run.is_empty()).then_some(run)
    })
}

/// How many facts at the beginning of `facts` make one chunk.
fn run_len(facts: &[Fact]) -> usize {
    let Some(Fact::Logged { line: first, .. }) = facts.first() else { return facts.len().min(1) };
    let (mut last, mut bytes) = (first.at, 0);
    let fits = |fact: &&Fact| {
        let Fact::Logged { line, .. } = fact else { return false };
        bytes += line.weight();
        let ordered = line.at >= last && line.at.0 - first.at.0 <= SPAN_MS;
        last = line.at;
        ordered && bytes <= CHUNK_BYTES_MAX
    };
    facts[..facts.len().min(CHUNK_EVENTS_MAX)].iter().take_while(fits).count().max(1)
}

/// A chunk's row, by time: how far it reaches on the other side, and whose it is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    #[serde(rename = "o")]
    pub(crate) other: Timestamp,
    #[serde(rename = "s")]
    pub(crate) stream: Arc<str>,
}

/// Rows by which the stream is found, and its chunks by their time.
pub(crate) fn index(
    id: Id,
    before: Option<&Registered>,
    after: Option<&Registered>,
    facts: &[Fact],
    step: &mut store::Step,
) {
    if let Some(before) = before {
        step.index_deleted.push(by_time(before));
        if after.is_none() {
            step.index_deleted.push(by_name(before));
        }
    }
    let Some(after) = after else { return };
    let line: bytes::Bytes = serde_json::to_vec(after).expect("a stream has a text").into();
    step.index_put.push(IndexRow { at: by_name(after), value: line.clone() });
    step.index_put.push(IndexRow { at: by_time(after), value: line });
    let mut rest = facts;
    for chunk in &step.chunks {
        let (facts, beyond) = rest.split_at(usize::try_from(chunk.count).unwrap_or(usize::MAX).min(rest.len()));
        rest = beyond;
        let (Some(Fact::Logged { line: first, .. }), Some(Fact::Logged { line: last, .. })) =
            (facts.first(), facts.last())
        else {
            continue;
        };
        let row = |list, at: Timestamp, other: Timestamp| {
            let key = Place { at, stream: id, seq: chunk.first.0 }.key();
            let row = Row { other, stream: after.home.name.clone() };
            IndexRow { at: IndexKey { list, key }, value: serde_json::to_vec(&row).expect("a row has a text").into() }
        };
        step.index_put.push(row(keys::log_events_of_group(&after.home.group), first.at, last.at));
        step.index_put.push(row(keys::log_events_by_begin(id, after.born), first.at, last.at));
        step.index_put.push(row(keys::log_events_by_end(id, after.born), last.at, first.at));
    }
}

fn by_name(stream: &Registered) -> IndexKey {
    let key = bytes::Bytes::copy_from_slice(stream.home.name.as_bytes());
    IndexKey { list: keys::log_streams(&stream.home.group), key }
}

/// Those without events come first.
fn by_time(stream: &Registered) -> IndexKey {
    let last = stream.span.map_or(0, |span| span.last.0);
    let mut key = super::read::ordered(last).to_vec();
    key.extend(stream.home.name.as_bytes());
    IndexKey { list: keys::log_streams_by_time(&stream.home.group), key: key.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(at: i64) -> Fact {
        Fact::Logged { line: Line { at: Timestamp(at), message: "m".into() }, ingested: Timestamp(9) }
    }

    #[test]
    fn a_chunk_is_in_order_and_short_in_time() {
        let sizes = |times: &[i64]| {
            let facts: Vec<Fact> = times.iter().copied().map(logged).collect();
            chunks(5, &facts).iter().map(|chunk| (chunk.first.0, chunk.count)).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&[1, 2, SPAN_MS + 1, SPAN_MS + 2]), [(5, 3), (8, 1)]);
        assert_eq!(sizes(&[5, 4]), [(5, 1), (6, 1)]);
        assert_eq!(sizes(&[1; 501]), [(5, 500), (505, 1)]);
        assert_eq!(sizes(&[]), []);
    }

    #[test]
    fn facts_are_kept_as_short_json() {
        let home = Home { group: "g".into(), name: "s".into() };
        let facts = [Fact::Created { at: Timestamp(1), home }, logged(2), Fact::Deleted { at: Timestamp(3) }];
        let text = serde_json::to_string(&facts).expect("JSON");
        assert_eq!(
            text,
            r#"[{"C":{"at":1,"home":{"group":"g","name":"s"}}},{"L":{"t":2,"m":"m","i":9}},{"D":{"at":3}}]"#
        );
        assert_eq!(serde_json::from_str::<Vec<Fact>>(&text).expect("facts"), facts);
    }

    #[test]
    fn a_stream_made_again_begins_anew() {
        let home = Home { group: "g".into(), name: "s".into() };
        let mut stream = Stream::default();
        for command in [
            Command::Append(home.clone(), vec![Line { at: Timestamp(7), message: "m".into() }]),
            Command::Delete,
            Command::Create(home.clone()),
        ] {
            decide(&stream, command, Timestamp(9)).expect("accepted").iter().for_each(|fact| stream.apply(fact));
        }
        let now = stream.now.as_ref().expect("there");
        assert_eq!((now.born, now.span, stream.seq), (3, None, 4));
        assert_eq!(decide(&stream, Command::Create(home), Timestamp(9)), Err(LogRefusal::StreamExists));
    }
}
