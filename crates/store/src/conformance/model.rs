//! A random stream of operations, asked of [`MemoryStore`] and of the store under test alike.

use base::{Id, Timestamp};
use bytes::Bytes;

use crate::memory::MemoryStore;
use crate::{
    Answer, Batch, Chunk, Direction, Due, Epoch, IndexKey, IndexRow, Kind, Seq, ShardId, Snapshot, Step, Store, Timer,
};

const SHARDS: u64 = 3;
const VALUES: u64 = 12;
const LISTS: u64 = 3;
const KEYS: u64 = 20;
const NAMES: u64 = 200;
const TIMES: u64 = 10;

/// Asks `operations` random things of both, the same ones for the same `seed`, and panics where the answers differ.
/// The store must have nothing in it yet.
pub async fn agrees_with_memory(store: &dyn Store, seed: u64, operations: u32) {
    let memory = MemoryStore::new();
    let mut model = Model {
        chance: Chance(seed),
        memory: &memory,
        store,
        epochs: vec![Epoch(0); SHARDS as usize],
        seqs: vec![0; VALUES as usize],
    };
    for operation in 0..operations {
        let (expected, answered) = model.operation().await;
        assert_eq!(answered, expected, "operation {operation} of seed {seed}");
    }
    for value in 0..VALUES {
        let (expected, answered) = model.load(id(value)).await;
        assert_eq!(answered, expected, "value {value} at the end of seed {seed}");
    }
}

/// The same numbers for the same seed, everywhere and for ever (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn times<T>(&mut self, end: u64, mut make: impl FnMut(&mut Chance) -> T) -> Vec<T> {
        (0..self.below(end)).map(|_| make(self)).collect()
    }

    fn bytes(&mut self) -> Bytes {
        let length = match self.one_in(20) {
            true => self.below(20_000),
            false => self.below(40),
        };
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn limit(&mut self) -> u32 {
        self.below(8) as u32
    }

    fn direction(&mut self) -> Direction {
        match self.one_in(2) {
            true => Direction::Forward,
            false => Direction::Backward,
        }
    }
}

fn id(value: u64) -> Id {
    Id::of("model", &value.to_string())
}

fn shard_of(value: u64) -> ShardId {
    ShardId((value % SHARDS) as u16)
}

/// What was expected and what was answered, as text.
type Answers = (String, String);

struct Model<'a> {
    chance: Chance,
    memory: &'a MemoryStore,
    store: &'a dyn Store,
    epochs: Vec<Epoch>,
    /// Where the values stand, as far as this owner knows.
    seqs: Vec<u64>,
}

/// Asks both and writes both answers down.
macro_rules! ask_both {
    ($model:ident, $method:ident($($argument:expr),*)) => {{
        let expected = $model.memory.$method($($argument.clone()),*).await;
        let answered = $model.store.$method($($argument.clone()),*).await;
        (format!("{expected:?}"), format!("{answered:?}"))
    }};
}

impl Model<'_> {
    async fn operation(&mut self) -> Answers {
        match self.chance.below(100) {
            0..2 => self.acquire().await,
            2..60 => self.commit().await,
            60..68 => self.chunks().await,
            68..80 => self.index().await,
            80..88 => self.timers().await,
            88..94 => self.owing().await,
            94..97 => {
                let id = self.any_id();
                ask_both!(self, head(id))
            }
            _ => {
                let id = self.any_id();
                self.load(id).await
            }
        }
    }

    async fn acquire(&mut self) -> Answers {
        let shard = self.any_shard();
        let expected = self.memory.acquire(shard).await.expect("memory does not fail");
        // Sometimes the owner does not hear of it, and is fenced from then on until it asks again.
        if !self.chance.one_in(4) {
            self.epochs[usize::from(shard.0)] = expected;
        }
        (format!("{:?}", Ok::<Epoch, ()>(expected)), format!("{:?}", self.store.acquire(shard).await))
    }

    async fn commit(&mut self) -> Answers {
        let shard = self.any_shard();
        let steps = self.steps(shard);
        let batch = Batch { shard, epoch: self.epochs[usize::from(shard.0)], steps };
        let expected = self.memory.commit(batch.clone()).await;
        let answered = self.store.commit(batch.clone()).await;
        if matches!(expected, Answer::Committed) {
            for value in 0..VALUES {
                if let Some(step) = batch.steps.iter().find(|step| step.id == id(value)) {
                    self.seqs[value as usize] = step.until().0;
                }
            }
        }
        (format!("{expected:?}"), format!("{answered:?}"))
    }

    /// Up to all of the shard's values, each once.
    fn steps(&mut self, shard: ShardId) -> Vec<Step> {
        let mut steps = vec![];
        for value in (0..VALUES).filter(|value| shard_of(*value) == shard) {
            if self.chance.one_in(3) {
                steps.push(self.step(value));
            }
        }
        if self.chance.one_in(2) {
            steps.reverse();
        }
        steps
    }

    fn step(&mut self, value: u64) -> Step {
        let known = self.seqs[value as usize];
        let chance = &mut self.chance;
        let expected = match chance.one_in(30) {
            true => chance.below(known + 2),
            false => known,
        };
        let mut until = expected;
        let mut chunks = vec![];
        for _ in 0..1 + chance.below(3) {
            let count = 1 + chance.below(5) as u32;
            chunks.push(Chunk { first: Seq(until), count, bytes: chance.bytes() });
            until += u64::from(count);
        }
        Step {
            id: id(value),
            kind: Kind(value as u8),
            expected: Seq(expected),
            header: chance.bytes(),
            chunks,
            snapshot: chance.one_in(4).then(|| Snapshot { at: Seq(chance.below(until + 1)), bytes: chance.bytes() }),
            timers_set: chance.times(3, timer),
            timers_cleared: chance.times(3, timer),
            owes: chance.one_in(2).then(|| chance.one_in(2)),
            index_put: chance.times(4, |chance| IndexRow { at: index_key(chance), value: chance.bytes() }),
            index_deleted: chance.times(3, index_key),
            claims: match chance.one_in(6) {
                true => vec![Bytes::from(chance.below(NAMES).to_string())],
                false => vec![],
            },
        }
    }

    async fn load(&mut self, id: Id) -> Answers {
        ask_both!(self, load(id))
    }

    async fn chunks(&mut self) -> Answers {
        let value = self.chance.below(VALUES);
        let from = Seq(self.chance.below(self.seqs[value as usize] + 3));
        let (direction, events) = (self.chance.direction(), self.chance.limit() * 2);
        ask_both!(self, chunks(id(value), from, direction, events))
    }

    async fn index(&mut self) -> Answers {
        let IndexKey { list, key } = index_key(&mut self.chance);
        let after = self.chance.one_in(2).then_some(key);
        let (direction, limit) = (self.chance.direction(), self.chance.limit());
        ask_both!(self, index(list, after, direction, limit))
    }

    async fn timers(&mut self) -> Answers {
        let (shard, limit, id) = (self.any_shard(), self.chance.limit(), self.any_id());
        let Timer { due, timer } = timer(&mut self.chance);
        let after = self.chance.one_in(2).then_some(Due { due, id, timer });
        ask_both!(self, timers(shard, after, limit))
    }

    async fn owing(&mut self) -> Answers {
        let (shard, limit, id) = (self.any_shard(), self.chance.limit(), self.any_id());
        let after = self.chance.one_in(2).then_some(id);
        ask_both!(self, owing(shard, after, limit))
    }

    fn any_shard(&mut self) -> ShardId {
        shard_of(self.chance.below(SHARDS))
    }

    /// Of a value that there may be, or sometimes of one that there never is.
    fn any_id(&mut self) -> Id {
        id(self.chance.below(VALUES + 1))
    }
}

fn timer(chance: &mut Chance) -> Timer {
    Timer { due: Timestamp(chance.below(TIMES).cast_signed() - 3), timer: chance.below(3).wrapping_sub(1) }
}

fn index_key(chance: &mut Chance) -> IndexKey {
    IndexKey { list: Bytes::from(chance.below(LISTS).to_string()), key: Bytes::from(chance.below(KEYS).to_string()) }
}
