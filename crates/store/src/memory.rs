//! A store that forgets on exit: for tests and for simulation.
//!
//! It is the meaning of [`Store`] in the fewest words; every other store is compared with it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};

use base::Id;
use bytes::Bytes;

use crate::{
    Answer, Answering, Batch, Chunk, Direction, Due, Epoch, Error, Head, IndexKey, IndexRow, Kind, Loaded, Seq,
    ShardId, Snapshot, Step, Store, Timer,
};

/// Values kept in memory. Share it by `Arc` to let them outlive one server in a simulation.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    epochs: BTreeMap<ShardId, Epoch>,
    values: BTreeMap<Id, Value>,
    claims: BTreeSet<Bytes>,
    index: BTreeMap<Bytes, BTreeMap<Bytes, Bytes>>,
    timers: BTreeMap<ShardId, BTreeSet<Due>>,
    owing: BTreeSet<(ShardId, Id)>,
}

#[derive(Debug)]
struct Value {
    kind: Kind,
    seq: Seq,
    header: Bytes,
    snapshot: Option<Snapshot>,
    chunks: Vec<Chunk>,
}

impl MemoryStore {
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the state")
    }
}

impl Store for MemoryStore {
    fn acquire(&self, shard: ShardId) -> Answering<'_, Result<Epoch, Error>> {
        answer(Ok(self.state().acquire(shard)))
    }

    fn commit(&self, batch: Batch) -> Answering<'_, Answer> {
        batch.check();
        answer(self.state().commit(batch))
    }

    fn load(&self, id: Id) -> Answering<'_, Result<Option<Loaded>, Error>> {
        answer(Ok(self.state().values.get(&id).map(Value::load)))
    }

    fn head(&self, id: Id) -> Answering<'_, Result<Option<Head>, Error>> {
        answer(Ok(self.state().values.get(&id).map(Value::head)))
    }

    fn chunks(&self, id: Id, from: Seq, direction: Direction, events: u32) -> Answering<'_, Result<Vec<Chunk>, Error>> {
        let chunks = self.state().values.get(&id).map(|value| value.chunks(from, direction, events));
        answer(Ok(chunks.unwrap_or_default()))
    }

    fn index(
        &self,
        list: Bytes,
        after: Option<Bytes>,
        direction: Direction,
        limit: u32,
    ) -> Answering<'_, Result<Vec<IndexRow>, Error>> {
        answer(Ok(self.state().index(&list, after, direction, limit)))
    }

    fn timers(&self, shard: ShardId, after: Option<Due>, limit: u32) -> Answering<'_, Result<Vec<Due>, Error>> {
        answer(Ok(self.state().timers(shard, after, limit)))
    }

    fn owing(&self, shard: ShardId, after: Option<Id>, limit: u32) -> Answering<'_, Result<Vec<Id>, Error>> {
        answer(Ok(self.state().owing(shard, after, limit)))
    }
}

fn answer<T: Send + 'static>(answer: T) -> Answering<'static, T> {
    Box::pin(ready(answer))
}

impl State {
    fn acquire(&mut self, shard: ShardId) -> Epoch {
        let epoch = self.epochs.entry(shard).or_insert(Epoch(0));
        epoch.0 += 1;
        *epoch
    }

    fn commit(&mut self, batch: Batch) -> Answer {
        if self.epochs.get(&batch.shard) != Some(&batch.epoch) {
            return Answer::Fenced;
        }
        if let Some(id) = self.conflict(&batch.steps) {
            return Answer::Conflict(id);
        }
        for step in batch.steps {
            self.apply(batch.shard, step);
        }
        Answer::Committed
    }

    /// The first step that cannot be taken: the batch is looked at whole before anything is written.
    fn conflict(&self, steps: &[Step]) -> Option<Id> {
        let mut names = BTreeSet::new();
        for step in steps {
            let seq = self.values.get(&step.id).map_or(Seq(0), |value| value.seq);
            let taken = step.claims.iter().any(|name| self.claims.contains(name) || !names.insert(name));
            if seq != step.expected || taken {
                return Some(step.id);
            }
        }
        None
    }

    fn apply(&mut self, shard: ShardId, step: Step) {
        let until = step.until();
        let Step {
            id,
            kind,
            expected: _,
            header,
            chunks,
            snapshot,
            timers_set,
            timers_cleared,
            owes,
            index_put,
            index_deleted,
            claims,
        } = step;
        self.values.entry(id).or_insert_with(|| Value::new(kind)).apply(until, header, chunks, snapshot);
        self.apply_timers(shard, id, &timers_set, &timers_cleared);
        self.apply_index(index_put, index_deleted);
        self.claims.extend(claims);
        match owes {
            Some(true) => _ = self.owing.insert((shard, id)),
            Some(false) => _ = self.owing.remove(&(shard, id)),
            None => {}
        }
    }

    fn apply_timers(&mut self, shard: ShardId, id: Id, set: &[Timer], cleared: &[Timer]) {
        let due = |timer: &Timer| Due { due: timer.due, id, timer: timer.timer };
        let timers = self.timers.entry(shard).or_default();
        for timer in cleared {
            timers.remove(&due(timer));
        }
        timers.extend(set.iter().map(due));
    }

    fn apply_index(&mut self, put: Vec<IndexRow>, deleted: Vec<IndexKey>) {
        for IndexKey { list, key } in deleted {
            if let Some(rows) = self.index.get_mut(&list) {
                rows.remove(&key);
            }
        }
        for IndexRow { at: IndexKey { list, key }, value } in put {
            self.index.entry(list).or_default().insert(key, value);
        }
    }

    fn index(&self, list: &Bytes, after: Option<Bytes>, direction: Direction, limit: u32) -> Vec<IndexRow> {
        let Some(rows) = self.index.get(list) else { return vec![] };
        let row = |(key, value): (&Bytes, &Bytes)| IndexRow {
            at: IndexKey { list: list.clone(), key: key.clone() },
            value: value.clone(),
        };
        let beyond = after.map_or(Bound::Unbounded, Bound::Excluded);
        match direction {
            Direction::Forward => rows.range((beyond, Bound::Unbounded)).take(limit as usize).map(row).collect(),
            Direction::Backward => rows.range((Bound::Unbounded, beyond)).rev().take(limit as usize).map(row).collect(),
        }
    }

    fn timers(&self, shard: ShardId, after: Option<Due>, limit: u32) -> Vec<Due> {
        let Some(timers) = self.timers.get(&shard) else { return vec![] };
        let beyond = after.map_or(Bound::Unbounded, Bound::Excluded);
        timers.range((beyond, Bound::Unbounded)).take(limit as usize).copied().collect()
    }

    fn owing(&self, shard: ShardId, after: Option<Id>, limit: u32) -> Vec<Id> {
        let beyond = after.map_or(Bound::Included((shard, Id(0))), |id| Bound::Excluded((shard, id)));
        let end = Bound::Included((shard, Id(u128::MAX)));
        self.owing.range((beyond, end)).take(limit as usize).map(|(_, id)| *id).collect()
    }
}

impl Value {
    fn new(kind: Kind) -> Value {
        Value { kind, seq: Seq(0), header: Bytes::new(), snapshot: None, chunks: vec![] }
    }

    fn apply(&mut self, until: Seq, header: Bytes, chunks: Vec<Chunk>, snapshot: Option<Snapshot>) {
        self.seq = until;
        self.header = header;
        self.chunks.extend(chunks);
        if snapshot.is_some() {
            self.snapshot = snapshot;
        }
    }

    fn head(&self) -> Head {
        Head { kind: self.kind, seq: self.seq, header: self.header.clone() }
    }

    fn load(&self) -> Loaded {
        let since = self.snapshot.as_ref().map_or(Seq(0), |snapshot| snapshot.at);
        let chunks = self.chunks[self.holding(since)..].to_vec();
        Loaded { kind: self.kind, seq: self.seq, header: self.header.clone(), snapshot: self.snapshot.clone(), chunks }
    }

    fn chunks(&self, from: Seq, direction: Direction, events: u32) -> Vec<Chunk> {
        let first = self.holding(from);
        match direction {
            Direction::Forward => {
                take_events(self.chunks[first..].iter(), events, |chunk| chunk.until().0 - chunk.first.0.max(from.0))
            }
            Direction::Backward => {
                let end = self.chunks.len().min(first + 1);
                take_events(self.chunks[..end].iter().rev(), events, |chunk| {
                    chunk.until().0.min(from.0.saturating_add(1)) - chunk.first.0
                })
            }
        }
    }

    /// The position of the chunk that holds event `at`, or the end if there is no such event yet.
    fn holding(&self, at: Seq) -> usize {
        self.chunks.partition_point(|chunk| chunk.until() <= at)
    }
}

/// Whole chunks until `events` events that were asked for (`wanted` of each) are among them.
fn take_events<'a>(chunks: impl Iterator<Item = &'a Chunk>, events: u32, wanted: impl Fn(&Chunk) -> u64) -> Vec<Chunk> {
    let mut have = 0;
    let mut taken = vec![];
    for chunk in chunks {
        if have >= u64::from(events) {
            break;
        }
        have += wanted(chunk);
        taken.push(chunk.clone());
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::MemoryStore;
    use crate::Store;

    fn with_store(test: &mut dyn FnMut(&dyn Store)) {
        test(&MemoryStore::new());
    }

    crate::conformance_tests!(with_store);
}
