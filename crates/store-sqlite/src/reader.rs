//! The threads that read, and what they ask.
//!
//! Each has a connection of its own that cannot write. A read that takes several queries takes them in one
//! transaction, so that it sees one moment.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use base::{Id, Timestamp};
use bytes::Bytes;
use rusqlite::types::FromSqlError;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use store::{Answering, Chunk, Direction, Due, Error, Head, IndexKey, IndexRow, Kind, Loaded, Seq, ShardId, Snapshot};
use tokio::sync::oneshot;

use crate::schema;
use crate::table::{
    EVENTS_MAX, chunk_checksum, place, place_seq, row_checksum, snapshot_checksum, timer_number, timer_of,
    value_checksum,
};

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    #[error("{record} is damaged")]
    Damaged { record: String },
    #[error("the store is closed")]
    Closed,
}

type Read<T> = Result<T, ReadError>;
type Job = Box<dyn FnOnce(&Reader) + Send>;

/// The way to the threads. Dropping it lets them end their queue, and waits for that.
pub(crate) struct Readers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Readers {
    pub(crate) fn start(database: &Path, count: u32) -> rusqlite::Result<Readers> {
        let mut readers = Readers { queue: Arc::default(), threads: vec![] };
        for _ in 0..count {
            let reader = Reader { connection: schema::open_to_read(database)? };
            let queue = Arc::clone(&readers.queue);
            let run = move || {
                while let Some(job) = queue.next() {
                    job(&reader);
                }
            };
            let thread = thread::Builder::new().name("store-reader".to_owned()).spawn(run);
            readers.threads.push(thread.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?);
        }
        Ok(readers)
    }

    pub(crate) fn ask<T: Send + 'static>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&Reader) -> Read<T> + Send + 'static,
    ) -> Answering<'_, Result<T, Error>> {
        let (reply, answer) = oneshot::channel();
        self.queue.put(Box::new(move |reader| {
            // Whoever asked may have gone; then nobody needs the answer, or the work.
            if !reply.is_closed() {
                _ = reply.send(read(reader));
            }
        }));
        Box::pin(async move {
            let answer = answer.await.unwrap_or(Err(ReadError::Closed));
            answer.map_err(|source| Error { doing, source: Box::new(source) })
        })
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            _ = thread.join();
        }
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nothing panics while it holds the queue")
    }

    fn put(&self, job: Job) {
        self.waiting().jobs.push_back(job);
        self.changed.notify_one();
    }

    fn close(&self) {
        self.waiting().closed = true;
        self.changed.notify_all();
    }

    fn next(&self) -> Option<Job> {
        let idle = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.closed;
        let waiting = self.changed.wait_while(self.waiting(), idle);
        waiting.expect("nothing panics while it holds the queue").jobs.pop_front()
    }
}

/// One connection, on its own thread.
pub(crate) struct Reader {
    connection: Connection,
}

impl Reader {
    fn prepare(&self, sql: &str) -> Read<CachedStatement<'_>> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    pub(crate) fn head(&self, id: Id) -> Read<Option<Head>> {
        Ok(self.value(id)?.map(|(_, head)| head))
    }

    pub(crate) fn load(&self, id: Id) -> Read<Option<Loaded>> {
        let _moment = self.connection.unchecked_transaction()?;
        let Some((n, Head { kind, seq, header })) = self.value(id)? else { return Ok(None) };
        let snapshot = self.snapshot(n, id)?;
        let since = snapshot.as_ref().map_or(Seq(0), |snapshot| snapshot.at);
        let chunks = self.chunks_forward(n, id, since, u64::MAX)?;
        let complete = match (chunks.first(), chunks.last()) {
            (Some(first), Some(last)) => {
                first.first <= since && last.until() == seq && chunks.is_sorted_by(|a, b| a.until() == b.first)
            }
            (None, _) | (_, None) => since >= seq,
        };
        match complete {
            true => Ok(Some(Loaded { kind, seq, header, snapshot, chunks })),
            false => Err(damaged(format!("the sequence of events of {id}"))),
        }
    }

    pub(crate) fn chunks(&self, id: Id, from: Seq, direction: Direction, events: u32) -> Read<Vec<Chunk>> {
        let _moment = self.connection.unchecked_transaction()?;
        let Some((n, _)) = self.value(id)? else { return Ok(vec![]) };
        match direction {
            Direction::Forward if from.0 >= EVENTS_MAX => Ok(vec![]),
            Direction::Forward => self.chunks_forward(n, id, from, events.into()),
            Direction::Backward => self.chunks_backward(n, id, from, events.into()),
        }
    }

    fn value(&self, id: Id) -> Read<Option<(i64, Head)>> {
        let mut select = self.prepare("SELECT n, kind, seq, crc, header FROM value WHERE id = ?1")?;
        let row = select.query_row([id.to_bytes()], |row| {
            let (kind, seq, header) = (Kind(row.get(1)?), row.get::<_, i64>(2)?, blob(row, 4)?);
            let sound = row.get::<_, u32>(3)? == value_checksum(id, kind, seq, &header);
            Ok((sound, row.get(0)?, Head { kind, seq: Seq(seq.cast_unsigned()), header }))
        });
        match row.optional()? {
            None => Ok(None),
            Some((true, n, head)) => Ok(Some((n, head))),
            Some((false, ..)) => Err(damaged(format!("the header of {id}"))),
        }
    }

    fn snapshot(&self, n: i64, id: Id) -> Read<Option<Snapshot>> {
        let mut select = self.prepare("SELECT at, crc, bytes FROM snapshot WHERE n = ?1")?;
        let row = select.query_row([n], |row| {
            let (at, bytes) = (row.get::<_, i64>(0)?, blob(row, 2)?);
            let sound = row.get::<_, u32>(1)? == snapshot_checksum(n, at, &bytes);
            Ok((sound, Snapshot { at: Seq(at.cast_unsigned()), bytes }))
        });
        match row.optional()? {
            None => Ok(None),
            Some((true, snapshot)) => Ok(Some(snapshot)),
            Some((false, _)) => Err(damaged(format!("the snapshot of {id}"))),
        }
    }

    fn chunks_forward(&self, n: i64, id: Id, from: Seq, events: u64) -> Read<Vec<Chunk>> {
        // The chunk that holds `from` may begin before it.
        let sql = "SELECT place, count, crc, bytes FROM chunk
            WHERE place >= coalesce((SELECT max(place) FROM chunk WHERE place BETWEEN ?1 AND ?2), ?2) AND place <= ?3
            ORDER BY place";
        let (begin, end) = (place(n, Seq(0)), place(n, Seq(u64::MAX)));
        let mut select = self.prepare(sql)?;
        let mut rows = select.query(params![begin, place(n, from), end])?;
        let (mut have, mut chunks) = (0, vec![]);
        while have < events {
            let Some(row) = rows.next()? else { break };
            let chunk = chunk(row, id)?;
            if chunk.until() > from {
                have += chunk.until().0 - chunk.first.0.max(from.0);
                chunks.push(chunk);
            }
        }
        Ok(chunks)
    }

    fn chunks_backward(&self, n: i64, id: Id, from: Seq, events: u64) -> Read<Vec<Chunk>> {
        let sql = "SELECT place, count, crc, bytes FROM chunk WHERE place BETWEEN ?1 AND ?2 ORDER BY place DESC";
        let mut select = self.prepare(sql)?;
        let mut rows = select.query(params![place(n, Seq(0)), place(n, from)])?;
        let (mut have, mut chunks) = (0, vec![]);
        while have < events {
            let Some(row) = rows.next()? else { break };
            let chunk = chunk(row, id)?;
            have += chunk.until().0.min(from.0.saturating_add(1)) - chunk.first.0;
            chunks.push(chunk);
        }
        Ok(chunks)
    }

    pub(crate) fn index(
        &self,
        list: &Bytes,
        after: Option<&Bytes>,
        direction: Direction,
        limit: u32,
    ) -> Read<Vec<IndexRow>> {
        let sql = match (direction, after) {
            (Direction::Forward, None) => "SELECT key, crc, value FROM idx WHERE list = ?1 ORDER BY key LIMIT ?2",
            (Direction::Forward, Some(_)) => {
                "SELECT key, crc, value FROM idx WHERE list = ?1 AND key > ?3 ORDER BY key LIMIT ?2"
            }
            (Direction::Backward, None) => "SELECT key, crc, value FROM idx WHERE list = ?1 ORDER BY key DESC LIMIT ?2",
            (Direction::Backward, Some(_)) => {
                "SELECT key, crc, value FROM idx WHERE list = ?1 AND key < ?3 ORDER BY key DESC LIMIT ?2"
            }
        };
        let mut select = self.prepare(sql)?;
        let mut rows = match after {
            None => select.query(params![&list[..], limit])?,
            Some(after) => select.query(params![&list[..], limit, &after[..]])?,
        };
        let mut found = vec![];
        while let Some(row) = rows.next()? {
            found.push(index_row(row, list)?);
        }
        Ok(found)
    }

    pub(crate) fn timers(&self, shard: ShardId, after: Option<Due>, limit: u32) -> Read<Vec<Due>> {
        let sql = match after {
            None => "SELECT due, id, timer FROM timer WHERE shard = ?1 ORDER BY due, id, timer LIMIT ?2",
            Some(_) => {
                "SELECT due, id, timer FROM timer WHERE shard = ?1 AND (due, id, timer) > (?3, ?4, ?5)
                ORDER BY due, id, timer LIMIT ?2"
            }
        };
        let mut select = self.prepare(sql)?;
        let rows = match after {
            None => select.query(params![shard.0, limit])?,
            Some(Due { due, id, timer }) => {
                select.query(params![shard.0, limit, due.0, id.to_bytes(), timer_number(timer)])?
            }
        };
        let due = |row: &Row<'_>| {
            Ok(Due { due: Timestamp(row.get(0)?), id: Id::from_bytes(row.get(1)?), timer: timer_of(row.get(2)?) })
        };
        Ok(rows.mapped(due).collect::<rusqlite::Result<_>>()?)
    }

    pub(crate) fn owing(&self, shard: ShardId, after: Option<Id>, limit: u32) -> Read<Vec<Id>> {
        let mut select =
            self.prepare("SELECT id FROM value WHERE owes = 1 AND shard = ?1 AND id > ?2 ORDER BY id LIMIT ?3")?;
        // Nothing is before every id.
        let after = after.map(Id::to_bytes);
        let rows = select.query(params![shard.0, after.as_ref().map_or(&[][..], |after| &after[..]), limit])?;
        Ok(rows.mapped(|row| row.get(0).map(Id::from_bytes)).collect::<rusqlite::Result<_>>()?)
    }
}

fn damaged(record: String) -> ReadError {
    ReadError::Damaged { record }
}

fn chunk(row: &Row<'_>, id: Id) -> Read<Chunk> {
    let (place, count, bytes): (i64, u32, Bytes) = (row.get(0)?, row.get(1)?, blob(row, 3)?);
    let first = place_seq(place);
    match row.get::<_, u32>(2)? == chunk_checksum(place, count, &bytes) {
        true => Ok(Chunk { first, count, bytes }),
        false => Err(damaged(format!("the chunk at event {} of {id}", first.0))),
    }
}

fn index_row(row: &Row<'_>, list: &Bytes) -> Read<IndexRow> {
    let (key, value) = (blob(row, 0)?, blob(row, 2)?);
    match row.get::<_, u32>(1)? == row_checksum(list, &key, &value) {
        true => Ok(IndexRow { at: IndexKey { list: list.clone(), key }, value }),
        false => Err(damaged(format!("row {} of index {}", key.escape_ascii(), list.escape_ascii()))),
    }
}

fn blob(row: &Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    match row.get_ref(column)?.as_blob() {
        Ok(blob) => Ok(Bytes::copy_from_slice(blob)),
        Err(FromSqlError::InvalidType) | Err(_) => {
            Err(rusqlite::Error::InvalidColumnType(column, "blob".to_owned(), row.get_ref(column)?.data_type()))
        }
    }
}
