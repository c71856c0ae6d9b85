//! A step as rows: the statements that the writer runs, each prepared once.
//!
//! **Invariant:** a batch is looked at whole ([`Tables::find`]) before its first row is written, so that a batch
//! that is refused has nothing to take back, and costs its neighbours in the transaction nothing.

use std::collections::HashSet;

use base::Id;
use rusqlite::{Connection, OptionalExtension, Statement, named_params, params};
use store::{Chunk, Epoch, IndexKey, IndexRow, Kind, Seq, ShardId, Snapshot, Step, Timer};

use crate::checksum::checksum;

const EVENT_BITS: u32 = 24;

/// How many events one value can have: its chunks' places leave this much between one value and the next.
pub const EVENTS_MAX: u64 = 1 << EVENT_BITS;

/// Where the events of value `n` are found, from the first at or after `seq`.
pub(crate) fn place(n: i64, seq: Seq) -> i64 {
    (n << EVENT_BITS) | seq.0.min(EVENTS_MAX - 1).cast_signed()
}

pub(crate) fn place_seq(place: i64) -> Seq {
    Seq(place.cast_unsigned() & (EVENTS_MAX - 1))
}

/// SQLite's integers have a sign; this keeps the order.
pub(crate) fn timer_number(timer: u64) -> i64 {
    (timer ^ (1 << 63)).cast_signed()
}

pub(crate) fn timer_of(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}

pub(crate) fn value_checksum(id: Id, kind: Kind, seq: i64, header: &[u8]) -> u32 {
    checksum(&[i64::from(kind.0), seq], &[&id.to_bytes(), header])
}

pub(crate) fn snapshot_checksum(n: i64, at: i64, bytes: &[u8]) -> u32 {
    checksum(&[n, at], &[bytes])
}

pub(crate) fn chunk_checksum(place: i64, count: u32, bytes: &[u8]) -> u32 {
    checksum(&[place, i64::from(count)], &[bytes])
}

pub(crate) fn row_checksum(list: &[u8], key: &[u8], value: &[u8]) -> u32 {
    checksum(&[], &[list, key, value])
}

/// A value that is there already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    n: i64,
    kind: Kind,
    seq: Seq,
    owes: bool,
}

/// Why a batch is not to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refusal {
    Conflict(Id),
    /// The value would have more than [`EVENTS_MAX`] events.
    TooLong(Id),
}

/// What has been written: rows, and the bytes of their payloads and keys.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

pub(crate) struct Tables<'c> {
    connection: &'c Connection,
    begin: Statement<'c>,
    commit: Statement<'c>,
    value_find: Statement<'c>,
    value_insert: Statement<'c>,
    value_update: Statement<'c>,
    value_owes: Statement<'c>,
    snapshot_put: Statement<'c>,
    chunk_insert: Statement<'c>,
    timer_put: Statement<'c>,
    timer_delete: Statement<'c>,
    row_put: Statement<'c>,
    row_delete: Statement<'c>,
    claim_find: Statement<'c>,
    claim_insert: Statement<'c>,
    cost: Cost,
}

impl<'c> Tables<'c> {
    pub(crate) fn prepare(connection: &'c Connection) -> rusqlite::Result<Tables<'c>> {
        let prepare = |sql| connection.prepare(sql);
        Ok(Tables {
            connection,
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            value_find: prepare("SELECT n, kind, seq, owes FROM value WHERE id = ?1")?,
            value_insert: prepare(
                "INSERT INTO value (id, kind, shard, owes, seq, crc, header) VALUES (:id, :kind, :shard, :owes, :seq, :crc, :header)",
            )?,
            value_update: prepare("UPDATE value SET seq = ?2, crc = ?3, header = ?4 WHERE n = ?1")?,
            // Apart, because naming `owes` rewrites the index of what owes even where it stays.
            value_owes: prepare("UPDATE value SET owes = ?2 WHERE n = ?1")?,
            snapshot_put: prepare("INSERT OR REPLACE INTO snapshot (n, at, crc, bytes) VALUES (?1, ?2, ?3, ?4)")?,
            chunk_insert: prepare("INSERT INTO chunk (place, count, crc, bytes) VALUES (?1, ?2, ?3, ?4)")?,
            timer_put: prepare("INSERT OR IGNORE INTO timer (shard, due, id, timer) VALUES (?1, ?2, ?3, ?4)")?,
            timer_delete: prepare("DELETE FROM timer WHERE shard = ?1 AND due = ?2 AND id = ?3 AND timer = ?4")?,
            row_put: prepare("INSERT OR REPLACE INTO idx (list, key, crc, value) VALUES (?1, ?2, ?3, ?4)")?,
            row_delete: prepare("DELETE FROM idx WHERE list = ?1 AND key = ?2")?,
            claim_find: prepare("SELECT 1 FROM claim WHERE name = ?1")?,
            claim_insert: prepare("INSERT INTO claim (name) VALUES (?1)")?,
            cost: Cost::default(),
        })
    }

    pub(crate) fn begin(&mut self) -> rusqlite::Result<()> {
        self.cost = Cost::default();
        self.begin.execute([]).map(drop)
    }

    /// Makes what was written since [`Tables::begin`] durable, and says what it was.
    pub(crate) fn commit(&mut self) -> rusqlite::Result<Cost> {
        self.commit.execute([])?;
        Ok(self.cost)
    }

    /// Takes back what was written since [`Tables::begin`], unless SQLite has done so already.
    pub(crate) fn rollback(&mut self) -> rusqlite::Result<()> {
        match self.connection.is_autocommit() {
            true => Ok(()),
            false => self.connection.execute_batch("ROLLBACK"),
        }
    }

    pub(crate) fn has_written(&self) -> bool {
        self.cost.rows > 0
    }

    pub(crate) fn epochs(&self) -> rusqlite::Result<Vec<(ShardId, Epoch)>> {
        let mut select = self.connection.prepare("SELECT shard, epoch FROM shard")?;
        let rows =
            select.query_map([], |row| Ok((ShardId(row.get(0)?), Epoch(row.get::<_, i64>(1)?.cast_unsigned()))))?;
        rows.collect()
    }

    pub(crate) fn epoch_put(&mut self, shard: ShardId, epoch: Epoch) -> rusqlite::Result<()> {
        self.cost.rows += 1;
        let sql = "INSERT OR REPLACE INTO shard (shard, epoch) VALUES (?1, ?2)";
        self.connection.execute(sql, params![shard.0, epoch.0.cast_signed()]).map(drop)
    }

    /// What is there of the values that a batch is about; or why it is refused.
    pub(crate) fn find(&mut self, steps: &[Step]) -> rusqlite::Result<Result<Vec<Option<Found>>, Refusal>> {
        let mut founds = Vec::with_capacity(steps.len());
        let mut names = HashSet::new();
        for step in steps {
            let found = self.value_find(step.id)?;
            let seq = found.map_or(Seq(0), |found| found.seq);
            if seq != step.expected || self.any_taken(step, &mut names)? {
                return Ok(Err(Refusal::Conflict(step.id)));
            }
            if step.until().0 > EVENTS_MAX {
                return Ok(Err(Refusal::TooLong(step.id)));
            }
            founds.push(found);
        }
        Ok(Ok(founds))
    }

    fn value_find(&mut self, id: Id) -> rusqlite::Result<Option<Found>> {
        let found = self.value_find.query_row([id.to_bytes()], |row| {
            Ok(Found {
                n: row.get(0)?,
                kind: Kind(row.get(1)?),
                seq: Seq(row.get::<_, i64>(2)?.cast_unsigned()),
                owes: row.get(3)?,
            })
        });
        found.optional()
    }

    fn any_taken<'s>(&mut self, step: &'s Step, names: &mut HashSet<&'s [u8]>) -> rusqlite::Result<bool> {
        for name in &step.claims {
            if !names.insert(name) || self.claim_find.exists([&name[..]])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes the rows of one step. What it clears and deletes goes first.
    pub(crate) fn put(&mut self, shard: ShardId, step: &Step, found: Option<Found>) -> rusqlite::Result<()> {
        let n = match found {
            None => self.value_insert(shard, step)?,
            Some(found) => self.value_update(step, found)?,
        };
        step.chunks.iter().try_for_each(|chunk| self.chunk_insert(n, chunk))?;
        step.snapshot.iter().try_for_each(|snapshot| self.snapshot_put(n, snapshot))?;
        step.timers_cleared.iter().try_for_each(|timer| self.timer_delete(shard, step.id, timer))?;
        step.timers_set.iter().try_for_each(|timer| self.timer_put(shard, step.id, timer))?;
        step.index_deleted.iter().try_for_each(|key| self.row_delete(key))?;
        step.index_put.iter().try_for_each(|row| self.row_put(row))?;
        step.claims.iter().try_for_each(|name| self.claim_insert(name))
    }

    fn value_insert(&mut self, shard: ShardId, step: &Step) -> rusqlite::Result<i64> {
        let seq = step.until().0.cast_signed();
        self.count(16 + step.header.len());
        self.value_insert.execute(named_params! {
            ":id": step.id.to_bytes(),
            ":kind": step.kind.0,
            ":shard": shard.0,
            ":owes": step.owes.unwrap_or(false),
            ":seq": seq,
            ":crc": value_checksum(step.id, step.kind, seq, &step.header),
            ":header": &step.header[..],
        })?;
        Ok(self.connection.last_insert_rowid())
    }

    fn value_update(&mut self, step: &Step, found: Found) -> rusqlite::Result<i64> {
        let seq = step.until().0.cast_signed();
        let crc = value_checksum(step.id, found.kind, seq, &step.header);
        self.count(step.header.len());
        self.value_update.execute(params![found.n, seq, crc, &step.header[..]])?;
        if let Some(owes) = step.owes.filter(|owes| *owes != found.owes) {
            self.count(1);
            self.value_owes.execute(params![found.n, owes])?;
        }
        Ok(found.n)
    }

    fn chunk_insert(&mut self, n: i64, chunk: &Chunk) -> rusqlite::Result<()> {
        let place = place(n, chunk.first);
        self.count(chunk.bytes.len());
        self.chunk_insert
            .execute(params![place, chunk.count, chunk_checksum(place, chunk.count, &chunk.bytes), &chunk.bytes[..]])
            .map(drop)
    }

    fn snapshot_put(&mut self, n: i64, snapshot: &Snapshot) -> rusqlite::Result<()> {
        let at = snapshot.at.0.cast_signed();
        self.count(snapshot.bytes.len());
        self.snapshot_put
            .execute(params![n, at, snapshot_checksum(n, at, &snapshot.bytes), &snapshot.bytes[..]])
            .map(drop)
    }

    fn timer_put(&mut self, shard: ShardId, id: Id, timer: &Timer) -> rusqlite::Result<()> {
        self.count(32);
        self.timer_put.execute(params![shard.0, timer.due.0, id.to_bytes(), timer_number(timer.timer)]).map(drop)
    }

    fn timer_delete(&mut self, shard: ShardId, id: Id, timer: &Timer) -> rusqlite::Result<()> {
        self.count(32);
        self.timer_delete.execute(params![shard.0, timer.due.0, id.to_bytes(), timer_number(timer.timer)]).map(drop)
    }

    fn row_put(&mut self, row: &IndexRow) -> rusqlite::Result<()> {
        let IndexRow { at: IndexKey { list, key }, value } = row;
        self.count(list.len() + key.len() + value.len());
        self.row_put.execute(params![&list[..], &key[..], row_checksum(list, key, value), &value[..]]).map(drop)
    }

    fn row_delete(&mut self, key: &IndexKey) -> rusqlite::Result<()> {
        self.count(key.list.len() + key.key.len());
        self.row_delete.execute(params![&key.list[..], &key.key[..]]).map(drop)
    }

    fn claim_insert(&mut self, name: &[u8]) -> rusqlite::Result<()> {
        self.count(name.len());
        self.claim_insert.execute([name]).map(drop)
    }

    fn count(&mut self, bytes: usize) {
        self.cost.rows += 1;
        self.cost.bytes += bytes as u64;
    }
}
