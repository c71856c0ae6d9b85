//! Reading log events by their time: rows tell where chunks begin, chunks hold the events.
//!
//! Streams may overlap and batches may come late. A reader takes chunks in the order of their rows and gives an event
//! only when no chunk that it has not read can hold an earlier one (or, backwards, a later one).

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use base::json::read_stored;
use base::{Id, Timestamp};
use bytes::Bytes;
use store::{Direction, Seq, Store};

use super::stream::{self, Fact, Row, SPAN_MS};
use crate::refusal::Refusal;

/// Where an event stands among others: by time, then by stream, then in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) at: Timestamp,
    pub(crate) stream: Id,
    pub(crate) seq: u64,
}

impl Place {
    /// Before all that happened at `at`.
    pub(crate) fn before(at: Timestamp) -> Place {
        Place { at, stream: Id(0), seq: 0 }
    }

    pub(crate) fn key(self) -> Bytes {
        let mut key = Vec::with_capacity(32);
        key.extend(ordered(self.at.0));
        key.extend(self.stream.to_bytes());
        key.extend(self.seq.to_be_bytes());
        key.into()
    }

    pub(crate) fn of_key(key: &[u8]) -> Option<Place> {
        let at = i64::from_be_bytes(key.get(..8)?.try_into().ok()?) ^ i64::MIN;
        let stream = Id::from_bytes(key.get(8..24)?.try_into().ok()?);
        let seq = u64::from_be_bytes(key.get(24..32)?.try_into().ok()?);
        Some(Place { at: Timestamp(at), stream, seq })
    }
}

/// A number as bytes that sort as it does.
pub(crate) fn ordered(number: i64) -> [u8; 8] {
    (number ^ i64::MIN).to_be_bytes()
}

/// What is wanted of a list: everything between two places, both left out.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    pub(crate) list: Bytes,
    pub(crate) after: Place,
    pub(crate) before: Place,
    pub(crate) direction: Direction,
}

/// A log event as it was kept.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) stream: Arc<str>,
    pub(crate) ingested: Timestamp,
    pub(crate) message: Arc<str>,
}

/// What a reader comes to next.
pub(crate) enum Next {
    Event(Place, Found),
    /// It has looked at enough rows for now, and found nothing; forwards, it goes on after this place.
    Tired(Place),
    End,
}

/// Which streams are wanted.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// All, when not given.
    pub(crate) streams: Option<BTreeSet<Arc<str>>>,
    pub(crate) prefix: Option<String>,
    /// Where each stream begins, as far as it was asked; none for one that is gone.
    pub(super) alive: HashMap<Id, Option<u64>>,
}

impl Wanted {
    /// Rows of a stream that was deleted stay where they are.
    async fn wants(&mut self, store: &dyn Store, place: Place, stream: &str) -> Result<bool, Refusal> {
        let named = self.streams.as_ref().is_none_or(|streams| streams.contains(stream))
            && self.prefix.as_ref().is_none_or(|prefix| stream.starts_with(&**prefix));
        if !named {
            return Ok(false);
        }
        let born = match self.alive.get(&place.stream) {
            Some(born) => *born,
            None => {
                let born = stream_at(store, place.stream).await?.map(|stream| stream.born);
                self.alive.insert(place.stream, born);
                born
            }
        };
        Ok(born.is_some_and(|born| place.seq >= born))
    }
}

/// A stream as it is.
pub(crate) async fn stream_at(store: &dyn Store, id: Id) -> Result<Option<stream::Registered>, Refusal> {
    let Some(head) = store.head(id).await? else { return Ok(None) };
    let stream: stream::Stream = serde_json::from_slice(&head.header).map_err(Refusal::internal)?;
    Ok(stream.now)
}

/// Gives the events of a range one by one.
pub(crate) struct Reader<'a> {
    store: &'a dyn Store,
    range: Range,
    wanted: Wanted,
    rows: VecDeque<(Place, Row)>,
    beyond: Option<Bytes>,
    exhausted: bool,
    loaded: BTreeMap<Place, Found>,
    looks: usize,
}

/// Rows read at a time, and looked at in vain before a page ends without having found anything.
const ROWS: u32 = 256;
const LOOKS_MAX: usize = 20_000;

impl<'a> Reader<'a> {
    pub(crate) fn new(store: &'a dyn Store, range: Range, wanted: Wanted) -> Reader<'a> {
        // A chunk that began, or ended, so long before may still reach into the range.
        let beyond = match range.direction {
            Direction::Forward => ordered(range.after.at.0.saturating_sub(SPAN_MS)),
            Direction::Backward => ordered(range.before.at.0.saturating_add(SPAN_MS).saturating_add(1)),
        };
        let beyond = Some(Bytes::copy_from_slice(&beyond));
        Reader {
            store,
            range,
            wanted,
            rows: VecDeque::new(),
            beyond,
            exhausted: false,
            loaded: BTreeMap::new(),
            looks: 0,
        }
    }

    pub(crate) async fn next(&mut self) -> Result<Next, Refusal> {
        loop {
            self.fetch().await?;
            let nearest = match self.range.direction {
                Direction::Forward => self.loaded.first_key_value(),
                Direction::Backward => self.loaded.last_key_value(),
            };
            let row = self.rows.front().map(|(place, _)| *place);
            match (nearest.map(|(place, _)| *place), row) {
                (None, None) => return Ok(Next::End),
                (None, Some(row)) if self.looks >= LOOKS_MAX => return Ok(Next::Tired(Place::before(row.at))),
                (Some(event), row) if row.is_none_or(|row| self.is_due(event, row)) => {
                    let found = self.loaded.remove(&event).expect("it was just seen");
                    return Ok(Next::Event(event, found));
                }
                _ => self.take_row().await?,
            }
        }
    }

    /// Whether nothing of `row`, nor of those after it, comes before `event`. A row stands where its chunk begins, or
    /// ends, with the number of the chunk's first event: of those at one time, too, each chunk is read when its turn comes,
    /// and what is held does not grow with how many there are.
    fn is_due(&self, event: Place, row: Place) -> bool {
        match self.range.direction {
            Direction::Forward => event < row,
            Direction::Backward => event > row,
        }
    }

    async fn fetch(&mut self) -> Result<(), Refusal> {
        if !self.rows.is_empty() || self.exhausted {
            return Ok(());
        }
        let Range { list, direction, .. } = &self.range;
        let rows = self.store.index(list.clone(), self.beyond.clone(), *direction, ROWS).await?;
        self.exhausted = rows.len() < ROWS as usize;
        self.beyond = rows.last().map(|row| row.at.key.clone()).or(self.beyond.take());
        for row in rows {
            let Some(place) = Place::of_key(&row.at.key) else { continue };
            let outside = match direction {
                Direction::Forward => place.at > self.range.before.at,
                Direction::Backward => place.at < self.range.after.at,
            };
            if outside {
                self.exhausted = true;
                break;
            }
            self.rows.push_back((place, serde_json::from_slice(&row.value).map_err(Refusal::internal)?));
        }
        Ok(())
    }

    async fn take_row(&mut self) -> Result<(), Refusal> {
        let Some((place, row)) = self.rows.pop_front() else { return Ok(()) };
        self.looks += 1;
        let misses = match self.range.direction {
            Direction::Forward => row.other < self.range.after.at,
            Direction::Backward => row.other > self.range.before.at,
        };
        if misses || !self.wanted.wants(self.store, place, &row.stream).await? {
            return Ok(());
        }
        let chunks = self.store.chunks(place.stream, Seq(place.seq), Direction::Forward, 1).await?;
        for chunk in chunks.iter().take(1) {
            let facts: Vec<Fact> = read_stored(&chunk.bytes).map_err(Refusal::internal)?;
            for (seq, fact) in (chunk.first.0..).zip(facts) {
                let Fact::Logged { line, ingested } = fact else { continue };
                let place = Place { at: line.at, stream: place.stream, seq };
                if self.range.after < place && place < self.range.before {
                    let found = Found { stream: row.stream.clone(), ingested, message: line.message };
                    self.loaded.insert(place, found);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_sort_as_their_keys() {
        let places = [
            Place { at: Timestamp(-1), stream: Id(9), seq: 9 },
            Place { at: Timestamp(0), stream: Id(1), seq: 7 },
            Place { at: Timestamp(0), stream: Id(2), seq: 1 },
            Place { at: Timestamp(3), stream: Id(0), seq: 0 },
        ];
        assert!(places.windows(2).all(|pair| pair[0] < pair[1] && pair[0].key() < pair[1].key()));
        assert!(places.iter().all(|place| Place::of_key(&place.key()) == Some(*place)));
    }
}
