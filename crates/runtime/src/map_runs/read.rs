//! How a Map run's items become its children's inputs: read, selected, put together.
//!
//! A reader that is in the midst of its objects waits for the next time; if it is gone, as after a restart, another
//! reads up to there again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::{Id, Json};
use engine::map_run::{MapItem, MapSource, child_input, members};
use engine::{EveryActivity, Failure};
use maprun::{Begin, Command, Input, Read};
use objects::reader::Cursor;
use objects::source::Call;
use objects::{Batcher, Batching, Buckets, ItemReader, Reader, Source};

use super::steps::Shared;
use crate::shard::Ask;
use crate::{Runtime, clock};

/// Readers that wait, by their runs. One that is not there begins anew.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<HashMap<Id, Items>>);

/// Readers that wait at a time: each holds a connection and a piece of its object.
const WAITING_MAX: usize = 64;

impl Waiting {
    fn take(&self, run: Id, taken: u64) -> Option<Items> {
        self.lock().remove(&run).filter(|items| items.taken == taken)
    }

    fn put(&self, run: Id, items: Items) {
        let mut waiting = self.lock();
        if waiting.len() >= WAITING_MAX {
            let any = waiting.keys().next().copied();
            any.and_then(|any| waiting.remove(&any));
        }
        waiting.insert(run, items);
    }

    /// Its run wants no more.
    pub(super) fn drop(&self, run: Id) {
        self.lock().remove(&run);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Id, Items>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The items of a run, from the first that is in no child's input yet.
struct Items {
    from: From,
    batcher: Option<Batcher>,
    /// How many items are in the inputs that were given.
    taken: u64,
}

enum From {
    Data(std::vec::IntoIter<Item>),
    Objects(Box<Reader>),
}

struct Item {
    index: u64,
    key: Option<Arc<str>>,
    value: Json,
    source: Arc<str>,
}

impl Items {
    async fn open(buckets: &Buckets, begin: &Begin, taken: u64) -> Result<Items, Failure> {
        let from = match &begin.plan.source {
            MapSource::Items(items) => From::Data(items_of(items, taken).into_iter()),
            MapSource::Reader { listing, arguments, config, items_max } => {
                let call = if *listing { Call::ListObjects } else { Call::GetObject };
                let reader = ItemReader { call, arguments, config, items_max: *items_max };
                let source = Source::of(&reader).map_err(failure)?;
                let reader = Reader::resume(buckets, &source, Cursor(taken)).await.map_err(failure)?;
                From::Objects(Box::new(reader))
            }
        };
        let batcher = begin.plan.batching.as_ref().map(|batching| {
            Batcher::new(Batching {
                items_max: batching.items_max,
                bytes_max: batching.bytes_max,
                input: batching.input.clone(),
            })
        });
        Ok(Items { from, batcher, taken })
    }

    async fn next(&mut self) -> Result<Option<Item>, Failure> {
        match &mut self.from {
            From::Data(items) => Ok(items.next()),
            From::Objects(reader) => {
                let item = reader.next().await.map_err(failure)?;
                Ok(item.map(|item| Item { index: item.index, key: item.key, value: item.value, source: item.source }))
            }
        }
    }

    /// What `input` completes: itself, or a batch.
    fn add(&mut self, input: Json) -> Result<Option<Input>, Failure> {
        match &mut self.batcher {
            None => Ok(Some(Input { input, items: 1 })),
            Some(batcher) => Ok(batcher.push(input).map_err(failure)?.map(batch)),
        }
    }
}

/// The items of the state's own data, beyond so many.
fn items_of(items: &Json, taken: u64) -> Vec<Item> {
    let source: Arc<str> = "STATE_DATA".into();
    let item = |(index, (key, value)): (u64, (Option<&str>, &Json))| Item {
        index,
        key: key.map(Arc::from),
        value: value.clone(),
        source: source.clone(),
    };
    (0..).zip(members(items)).skip(usize::try_from(taken).unwrap_or(usize::MAX)).map(item).collect()
}

fn batch(batch: Json) -> Input {
    let items = batch.get("Items").and_then(Json::as_array).map_or(0, <[Json]>::len);
    Input { items: u32::try_from(items).unwrap_or(u32::MAX), input: batch }
}

pub(super) fn failure(failure: objects::Failure) -> Failure {
    Failure::new(failure.error.as_str(), failure.cause)
}

impl Runtime {
    /// Reads the next items and makes inputs of them.
    pub(super) async fn read_items(&self, id: Id, begin: &Shared, from: u64) {
        let command = match self.inputs(id, begin, from).await {
            Ok(read) => Command::Read(read),
            Err(failure) => Command::ReadFailed { from, failure },
        };
        self.inner.world.tell(id, Ask::MapRun(command));
    }

    async fn inputs(&self, id: Id, begin: &Begin, from: u64) -> Result<Read, Failure> {
        let world = &self.inner.world;
        let definition = world.definitions.get(self.store(), &begin.parent.definition).await;
        let machine = definition.map_err(|error| Failure::new("States.Runtime", error.to_string()))?;
        let mut items = match world.waiting.take(id, from) {
            Some(items) => items,
            None => Items::open(&world.buckets, begin, from).await?,
        };
        let (now, entropy) = (world.now(), clock::entropy());
        let (mut read, mut bytes) = (Read { from, children: vec![], end: false }, 0);
        while let Some(item) = items.next().await? {
            let Item { index, key, value, source } = item;
            let item = MapItem { index, key: key.as_deref(), value: &value, source: &source };
            // Each item has chance of its own.
            let entropy = entropy ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let env = engine::Env { now, entropy, limits: world.limits, activities: &EveryActivity };
            let input = child_input(&machine, &begin.plan, &item, env)?;
            if let Some(input) = items.add(input)? {
                items.taken += u64::from(input.items);
                bytes += input.input.text_len();
                read.children.push(input);
            }
            if read.children.len() >= maprun::WINDOW_CHILDREN_MAX || bytes >= maprun::WINDOW_BYTES_MAX {
                world.waiting.put(id, items);
                return Ok(read);
            }
        }
        let last = items.batcher.take().and_then(Batcher::finish);
        read.children.extend(last.map(batch));
        read.end = true;
        Ok(read)
    }
}
