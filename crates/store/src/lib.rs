//! The one door to durable state.
//!
//! A store keeps *values*. A value is a stream of events, packed into [`Chunk`]s, with a small header
//! that is replaced at each step, a snapshot that is a cache, and rows that make it findable: timers,
//! debts (effects that it still owes the world), index rows and claimed names.
//!
//! **It does not know** what a value is: all payloads are bytes. It names no database.
//!
//! **Invariant:** everything one step changes is one [`Step`], and a [`Batch`] is atomic. There is no other
//! way to write, so there is no half-written value.
//!
//! **Invariant:** [`Store::commit`] has five answers, and [`Answer::Unknown`] is neither success nor failure.
//!
//! **Invariant:** a commit costs what its steps hold, never what the value has grown to.
//!
//! In reading order: the types of a commit, the types of reading, [`Store`], [`memory`], [`conformance`]
//! (what every implementation must do; its tests are one call to each).

pub mod memory;
pub mod conformance;

use std::future::Future;
use std::pin::Pin;

use base::{Id, Timestamp};
use bytes::Bytes;

/// How many events a value has: the fence for every commit, and the position of the next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub u64);

/// One owner's part of the values. A value's shard follows from its [`Id`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// Grows each time a shard changes hands. A commit with an older one is [`Answer::Fenced`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// What kind of value a row belongs to. The store only keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Kind(pub u8);

/// What one shard wants made durable, all or nothing.
#[derive(Debug, Clone)]
pub struct Batch {
    pub shard: ShardId,
    pub epoch: Epoch,
    /// Each about another value.
    pub steps: Vec<Step>,
}

/// What one step changes. What it clears and deletes goes first, so that a row both deleted and put is there after.
#[derive(Debug, Clone, Default)]
pub struct Step {
    pub id: Id,
    pub kind: Kind,
    /// How many events the value had when the step was decided; 0 means that it must not exist.
    pub expected: Seq,
    /// Small; replaces the one before.
    pub header: Bytes,
    /// New events, in order; the first starts at `expected`. Never empty.
    pub chunks: Vec<Chunk>,
    /// Replaces the one before. Left out by most steps.
    pub snapshot: Option<Snapshot>,
    pub timers_set: Vec<Timer>,
    pub timers_cleared: Vec<Timer>,
    /// Whether the value owes the world anything after this step (`None`: as before).
    pub owes: Option<bool>,
    pub index_put: Vec<IndexRow>,
    pub index_deleted: Vec<IndexKey>,
    /// Names taken for good by this step; a name that is taken is [`Answer::Conflict`].
    pub claims: Vec<Bytes>,
}

impl Batch {
    /// # Panics
    ///
    /// If two steps are about one value, or a step's events do not follow on; see [`Step::until`].
    pub fn check(&self) {
        let mut ids: Vec<Id> = self.steps.iter().inspect(|step| _ = step.until()).map(|step| step.id).collect();
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "each step of a batch is about another value");
    }
}

impl Step {
    /// How many events the value has after this step.
    ///
    /// # Panics
    ///
    /// If the chunks do not follow on from `expected`: whoever built such a step has lost count of the events,
    /// and no answer could make that good.
    pub fn until(&self) -> Seq {
        assert!(!self.chunks.is_empty(), "a step of {} brings at least one event", self.id);
        let mut until = self.expected;
        for chunk in &self.chunks {
            assert!(chunk.first == until && chunk.count > 0, "the events of a step of {} follow on", self.id);
            until = chunk.until();
        }
        until
    }
}

impl Chunk {
    /// The position after its last event.
    pub fn until(&self) -> Seq {
        Seq(self.first.0 + u64::from(self.count))
    }
}

/// Events of one step, packed. `count` is at least 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub first: Seq,
    pub count: u32,
    pub bytes: Bytes,
}

/// A value as of its first `at` events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub at: Seq,
    pub bytes: Bytes,
}

/// An alarm of a value, unique by (`id` of the value, `timer`, `due`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    pub due: Timestamp,
    pub timer: u64,
}

/// Where an index row stands: rows of one `list` are ordered by `key`, byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexKey {
    pub list: Bytes,
    pub key: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    pub at: IndexKey,
    pub value: Bytes,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Answer {
    /// It is on stable storage.
    Committed,
    /// Another owner has the shard. Nothing was written; stop acting for it.
    Fenced,
    /// This value moved on, or a name it claims is taken. Nothing was written.
    Conflict(Id),
    /// There is no room for new work. Nothing was written.
    Full,
    /// Nobody can tell. Drop what is cached, read again, then decide.
    Unknown(Error),
}

/// The machinery failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing}")]
pub struct Error {
    pub doing: &'static str,
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A value as it is read: the latest snapshot and the chunks since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub kind: Kind,
    pub seq: Seq,
    pub header: Bytes,
    pub snapshot: Option<Snapshot>,
    pub chunks: Vec<Chunk>,
}

/// A header alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub kind: Kind,
    pub seq: Seq,
    pub header: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// A timer and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    pub due: Timestamp,
    pub id: Id,
    pub timer: u64,
}

pub type Answering<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Durable state. Reads see everything that was answered [`Answer::Committed`] before they began.
pub trait Store: Send + Sync + 'static {
    /// Takes the shard, fencing whoever had it, and gives the epoch to commit with.
    fn acquire(&self, shard: ShardId) -> Answering<'_, Result<Epoch, Error>>;

    /// Makes a batch durable. Batches of several callers may share one flush.
    fn commit(&self, batch: Batch) -> Answering<'_, Answer>;

    /// The latest snapshot and the chunks since, or nothing if there is no such value.
    fn load(&self, id: Id) -> Answering<'_, Result<Option<Loaded>, Error>>;

    fn head(&self, id: Id) -> Answering<'_, Result<Option<Head>, Error>>;

    /// Chunks that hold events of `from` and beyond (`Forward`: at or after it, ascending; `Backward`: at or
    /// before it, descending), as many as are needed for `events` events, whole chunks always.
    fn chunks(&self, id: Id, from: Seq, direction: Direction, events: u32) -> Answering<'_, Result<Vec<Chunk>, Error>>;

    /// Rows of `list` beyond `after` (exclusive; from the very end if none), at most `limit`.
    fn index(
        &self,
        list: Bytes,
        after: Option<Bytes>,
        direction: Direction,
        limit: u32,
    ) -> Answering<'_, Result<Vec<IndexRow>, Error>>;

    /// The shard's timers, earliest first, those after `after` (exclusive) if given, at most `limit`.
    fn timers(&self, shard: ShardId, after: Option<Due>, limit: u32) -> Answering<'_, Result<Vec<Due>, Error>>;

    /// Values of the shard that owe the world something, by id, those after `after` if given, at most `limit`.
    fn owing(&self, shard: ShardId, after: Option<Id>, limit: u32) -> Answering<'_, Result<Vec<Id>, Error>>;
}
