//! What scripts have written, on its way to the server: which part is said next.
//!
//! A part of [`session`](crate::session): no file, no socket. Offsets are said ahead of what the server has by so much
//! and no more, in turn among all streams, so that no script holds up another's output.
//!
//! **Invariant:** what the server says that it has is what counts: the agent goes on from there, whatever it believed.

use std::collections::BTreeMap;

use api::agent::{OUTPUT_AHEAD_MAX, OUTPUT_BYTES_MAX, OutputTaken};
use base::Timestamp;
use document::Stream;

use crate::journal::Written;

/// Bytes that all streams together have said ahead: what may stand before a word of more weight in a slow connection.
const AHEAD_MAX: u64 = 1024 * 1024;

/// How long to wait before saying again what the server did not take.
const PAUSE_MS: i64 = 1_000;

/// A server that has never answered to an output, for so long after the first, is of a version that keeps none.
const PATIENCE_MS: i64 = 30_000;

/// A part of a stream that is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub attempt: String,
    pub step: u32,
    pub stream: Stream,
    pub offset: u64,
    pub bytes: usize,
    pub end: bool,
    pub cut: bool,
}

type Key = (String, u32, Stream);

/// All streams of which the server has not everything.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    streams: BTreeMap<Key, Progress>,
    /// Whose turn it was last.
    last: Option<Key>,
    /// When the first output was said in this connection.
    first_said_at: Option<Timestamp>,
    /// Whether the server has ever answered to one.
    answers: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Progress {
    /// On disk.
    bytes: u64,
    ended: Option<bool>,
    /// The server has it.
    taken: u64,
    /// It was said, in this connection.
    said: u64,
    end_said: bool,
    /// Parts that were not answered yet.
    unanswered: u32,
    /// Whether the server has said in this connection what it has.
    heard: bool,
    /// Nothing is said before.
    not_before: Option<Timestamp>,
    done: bool,
}

impl Streams {
    /// Takes in how far an attempt's streams have come.
    pub(crate) fn written(&mut self, attempt: &str, written: &[Written]) {
        for Written { step, stream, bytes, ended } in written {
            let progress = self.streams.entry((attempt.to_owned(), *step, *stream)).or_default();
            (progress.bytes, progress.ended) = (*bytes, *ended);
        }
    }

    /// What was said in an earlier connection may not have come.
    pub(crate) fn connected(&mut self) {
        self.first_said_at = None;
        for progress in self.streams.values_mut() {
            progress.again(progress.taken);
            (progress.heard, progress.not_before) = (false, None);
        }
    }

    pub(crate) fn taken(&mut self, taken: OutputTaken, now: Timestamp) {
        self.answers = true;
        let Some(progress) = self.streams.get_mut(&(taken.attempt, taken.step, taken.stream)) else { return };
        progress.done |= taken.done;
        progress.heard = true;
        progress.unanswered = progress.unanswered.saturating_sub(1);
        let offset = taken.offset.min(progress.bytes);
        let moved = offset != progress.taken;
        match offset {
            // It has less than we thought, or more than we said: we go on from there.
            _ if offset < progress.taken || offset > progress.said => progress.again(offset),
            _ if moved => progress.taken = offset,
            _ => (),
        }
        if progress.taken == progress.said {
            progress.unanswered = 0;
        }
        // Everything was answered, and not everything was taken.
        let refused =
            progress.unanswered == 0 && (progress.taken < progress.said || progress.end_said) && !progress.done;
        if refused {
            // An end that is not done yet is asked after.
            let ended = progress.end_said;
            progress.again(progress.taken);
            progress.not_before = (ended || !moved).then(|| later(now, PAUSE_MS));
        }
    }

    /// A part that cannot be read: the stream ends before it.
    pub(crate) fn unreadable(&mut self, piece: &Piece) {
        let key = (piece.attempt.clone(), piece.step, piece.stream);
        if let Some(progress) = self.streams.get_mut(&key) {
            progress.again(piece.offset.min(progress.taken));
            (progress.bytes, progress.ended) = (piece.offset, Some(true));
        }
    }

    /// The next part to say, taken as said.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<Piece> {
        let key = self.ready(now)?;
        let room = AHEAD_MAX - self.ahead();
        let progress = self.streams.get_mut(&key).expect("it was just found");
        let room = room.min(OUTPUT_AHEAD_MAX - progress.ahead()).min(OUTPUT_BYTES_MAX as u64);
        let (offset, bytes) = (progress.said, (progress.bytes - progress.said).min(room));
        progress.said += bytes;
        progress.unanswered += 1;
        progress.not_before = None;
        let end = progress.ended.is_some() && progress.said == progress.bytes;
        progress.end_said = end;
        let cut = end && progress.ended == Some(true);
        self.first_said_at.get_or_insert(now);
        let (attempt, step, stream) = key.clone();
        self.last = Some(key);
        Some(Piece { attempt, step, stream, offset, bytes: bytes as usize, end, cut })
    }

    /// Whether there is something to say now.
    pub(crate) fn has_more(&self, now: Timestamp) -> bool {
        self.ready(now).is_some()
    }

    /// When there may be something to say that cannot be said yet, or somebody to give up.
    pub(crate) fn wakes_at(&self) -> Option<Timestamp> {
        let waiting = self.streams.values().filter(|progress| !progress.done);
        let pauses = waiting.filter_map(|progress| progress.not_before);
        let patience = self.first_said_at.filter(|_| !self.answers && !self.streams.is_empty());
        pauses.chain(patience.map(|at| later(at, PATIENCE_MS))).min()
    }

    /// Whether the server has all of an attempt's output, or will never want it.
    pub(crate) fn is_done(&self, attempt: &str, now: Timestamp) -> bool {
        let deaf = !self.answers && self.first_said_at.is_some_and(|at| now >= later(at, PATIENCE_MS));
        deaf || self.of(attempt).all(|(_, progress)| progress.done)
    }

    pub(crate) fn forget(&mut self, attempt: &str) {
        self.streams.retain(|(of, _, _), _| of != attempt);
    }

    fn of<'a>(&'a self, attempt: &'a str) -> impl Iterator<Item = (&'a Key, &'a Progress)> {
        let first = (attempt.to_owned(), 0, Stream::Stdout);
        self.streams.range(first..).take_while(move |((of, _, _), _)| of == attempt)
    }

    /// The stream whose turn it is, of those that have something to say.
    fn ready(&self, now: Timestamp) -> Option<Key> {
        if self.ahead() >= AHEAD_MAX {
            return None;
        }
        use std::ops::Bound::{Excluded, Unbounded};
        let ready = |(_, progress): &(&Key, &Progress)| progress.is_ready(now);
        let after = self.last.as_ref().and_then(|last| self.streams.range((Excluded(last), Unbounded)).find(ready));
        after.or_else(|| self.streams.iter().find(ready)).map(|(key, _)| key.clone())
    }

    fn ahead(&self) -> u64 {
        self.streams.values().map(Progress::ahead).sum()
    }
}

fn later(at: Timestamp, ms: i64) -> Timestamp {
    Timestamp(at.0.saturating_add(ms))
}

impl Progress {
    fn ahead(&self) -> u64 {
        self.said - self.taken
    }

    fn again(&mut self, offset: u64) {
        (self.taken, self.said, self.end_said, self.unanswered) = (offset, offset, false, 0);
    }

    fn is_ready(&self, now: Timestamp) -> bool {
        let more = self.said < self.bytes || (self.ended.is_some() && !self.end_said);
        // What the server has of earlier connections comes with its first answer.
        let room = if self.heard { self.ahead() < OUTPUT_AHEAD_MAX } else { self.unanswered == 0 };
        more && room && !self.done && self.not_before.is_none_or(|at| now >= at)
    }
}
