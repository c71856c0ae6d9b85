//! The store in one directory of one host: SQLite, with one writer.
//!
//! - One thread owns the only connection that writes (`writer`). All batches that queued while it was at the last
//!   transaction share the next one, and so one flush; nothing waits for a clock. The same thread checkpoints.
//! - A few threads read, each with its own connection (`reader`), so that no async worker ever waits for the disk.
//! - What is read back wrong is an error that names the record (`checksum`).
//!
//! **Invariant:** one process has the directory at a time; a lock that dies with the process holds the others off.
//!
//! **Invariant:** after the disk has failed a write or a flush, nothing is ever acknowledged again by this process
//! ([`SqliteStore::poisoned`]). What a failed flush left behind only a restart can tell.
//!
//! **It does not know** what a value is, or who asks.
//!
//! In reading order: `directory` (the lock, the room that is left), `schema` (tables and migrations), `checksum`, `table`
//! (rows), `writer`, `reader`.

mod directory;
mod schema;
mod checksum;
mod table;
mod writer;
mod reader;

use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::Id;
use bytes::Bytes;
use store::{
    Answer, Answering, Batch, Chunk, Direction, Due, Epoch, Error, Head, IndexRow, Loaded, Seq, ShardId, Store,
};
use tokio::sync::watch;

use directory::Directory;
use reader::Readers;
use writer::{Counters, Writer};

pub use table::EVENTS_MAX;

/// What an installation may want otherwise.
#[derive(Debug, Clone)]
pub struct Options {
    /// With less space than this left for the directory, batches that create values are [`Answer::Full`], so that the
    /// work there is can end.
    pub free_bytes_min: u64,
    /// How large a file to keep in reserve, to be given up when the disk is full all the same.
    pub ballast_bytes: u64,
    /// How large the database may grow; no end if `None`.
    pub database_bytes_max: Option<u64>,
    /// How much the writer may keep in memory of what it has read and written.
    pub cache_bytes: u64,
    /// How many reads can be under way at once.
    pub readers: NonZeroU32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            free_bytes_min: 512 << 20,
            ballast_bytes: 64 << 20,
            database_bytes_max: None,
            cache_bytes: 16 << 20,
            readers: const { NonZeroU32::new(2).expect("two is not zero") },
        }
    }
}

/// The directory is not to be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("open {directory}: another process has it open")]
    InUse { directory: PathBuf },
    #[error("open {directory}: it is of version {found}, and this program knows versions up to {known}")]
    Newer { directory: PathBuf, found: u32, known: u32 },
    #[error("open {directory}: SQLite {found} has known faults; {wanted} is the oldest without them")]
    Library { directory: PathBuf, found: &'static str, wanted: &'static str },
    #[error("open {directory}")]
    Io {
        directory: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("open the database in {directory}")]
    Database {
        directory: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
}

/// What has been written since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Rows put, replaced or deleted.
    pub rows: u64,
    /// Payloads and keys of those rows.
    pub bytes: u64,
    /// Batches that were committed.
    pub batches: u64,
    /// Transactions; each is one flush.
    pub commits: u64,
    /// Pages that went to the log.
    pub pages: u64,
    /// Times the log was carried over into the database; each is two flushes.
    pub checkpoints: u64,
}

/// Durable state in one directory.
pub struct SqliteStore {
    // Dropped in this order: the log is folded away by whoever closes last, and only then may another come in.
    readers: Readers,
    writer: Writer,
    directory: Arc<Directory>,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("directory", &self.directory.path())
            .field("written", &self.written())
            .finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store in `directory`, which is made if need be, and keeps every other process out of it until dropped.
    pub fn open(directory: &Path, options: Options) -> Result<SqliteStore, OpenError> {
        let io = |source| OpenError::Io { directory: directory.to_owned(), source };
        let database = |source| OpenError::Database { directory: directory.to_owned(), source };
        schema::check_library(directory)?;
        let place = Arc::new(Directory::open(directory, &options)?);
        let connection = match schema::open_to_write(&place.database(), &options) {
            // Opening takes room too, and what is to be finished can only be finished by who has opened.
            Err(error) if schema::is_full(&error) && place.ballast_release() => {
                schema::open_to_write(&place.database(), &options)
            }
            opened => opened,
        };
        let connection = connection.map_err(database)?;
        schema::migrate(&connection, directory)?;
        place.sync().map_err(io)?;
        let readers = Readers::start(&place.database(), options.readers.get()).map_err(database)?;
        let writer = Writer::start(connection, Arc::clone(&place))?;
        Ok(SqliteStore { readers, writer, directory: place })
    }

    /// Turns true when the disk has failed: from then on every commit is [`Answer::Unknown`], and the process had
    /// better end, to start again from what is on disk. Closes when the store is dropped in good order.
    pub fn poisoned(&self) -> watch::Receiver<bool> {
        self.writer.poisoned()
    }

    /// What has been written since the store was opened.
    pub fn written(&self) -> Written {
        Counters::read(self.writer.counters())
    }

    /// Whether there is room for new values, as of the last look.
    pub fn has_room(&self) -> bool {
        self.directory.has_room()
    }
}

impl Store for SqliteStore {
    fn acquire(&self, shard: ShardId) -> Answering<'_, Result<Epoch, Error>> {
        self.writer.acquire(shard)
    }

    /// The batch is in the writer's queue when this returns; it is committed even if nobody waits for the answer.
    fn commit(&self, batch: Batch) -> Answering<'_, Answer> {
        batch.check();
        self.writer.commit(batch)
    }

    fn load(&self, id: Id) -> Answering<'_, Result<Option<Loaded>, Error>> {
        self.readers.ask("load a value", move |reader| reader.load(id))
    }

    fn head(&self, id: Id) -> Answering<'_, Result<Option<Head>, Error>> {
        self.readers.ask("load a header", move |reader| reader.head(id))
    }

    fn chunks(&self, id: Id, from: Seq, direction: Direction, events: u32) -> Answering<'_, Result<Vec<Chunk>, Error>> {
        self.readers.ask("load events", move |reader| reader.chunks(id, from, direction, events))
    }

    fn index(
        &self,
        list: Bytes,
        after: Option<Bytes>,
        direction: Direction,
        limit: u32,
    ) -> Answering<'_, Result<Vec<IndexRow>, Error>> {
        self.readers.ask("read an index", move |reader| reader.index(&list, after.as_ref(), direction, limit))
    }

    fn timers(&self, shard: ShardId, after: Option<Due>, limit: u32) -> Answering<'_, Result<Vec<Due>, Error>> {
        self.readers.ask("read timers", move |reader| reader.timers(shard, after, limit))
    }

    fn owing(&self, shard: ShardId, after: Option<Id>, limit: u32) -> Answering<'_, Result<Vec<Id>, Error>> {
        self.readers.ask("read what owes", move |reader| reader.owing(shard, after, limit))
    }
}
