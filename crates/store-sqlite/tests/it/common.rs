//! A directory of a test's own, gone when the test is; and the smallest things to commit to it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use base::Id;
use bytes::Bytes;
use store::conformance::block_on;
use store::{Answer, Batch, Chunk, Epoch, IndexKey, IndexRow, Seq, ShardId, Step, Store};
use store_sqlite::{Options, SqliteStore};

pub(crate) const SHARD: ShardId = ShardId(3);

pub(crate) struct TempDir {
    path: PathBuf,
}

impl TempDir {
    pub(crate) fn new() -> TempDir {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("store-sqlite-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        TempDir { path: std::env::temp_dir().join(name) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.path, options()).expect("the store opens")
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Without a floor or a ballast: the disk of whoever runs the tests may be small.
pub(crate) fn options() -> Options {
    Options { free_bytes_min: 0, ballast_bytes: 0, ..Options::default() }
}

pub(crate) fn id(name: &str) -> Id {
    Id::of("test", name)
}

pub(crate) fn acquire(store: &SqliteStore) -> Epoch {
    block_on(store.acquire(SHARD)).expect("the shard is taken")
}

pub(crate) fn commit(store: &SqliteStore, epoch: Epoch, steps: Vec<Step>) -> Answer {
    block_on(store.commit(Batch { shard: SHARD, epoch, steps }))
}

/// A step of one event of so many bytes, with one index row.
pub(crate) fn step(name: &str, expected: u64, size: usize) -> Step {
    Step {
        id: id(name),
        expected: Seq(expected),
        header: Bytes::from_static(b"header"),
        chunks: vec![Chunk { first: Seq(expected), count: 1, bytes: Bytes::from(vec![b'e'; size]) }],
        index_put: vec![IndexRow {
            at: IndexKey { list: Bytes::from_static(b"list"), key: Bytes::from(name.to_owned()) },
            value: Bytes::new(),
        }],
        ..Step::default()
    }
}

/// This test program again, for one of its tests that only does something with `variable` set.
pub(crate) fn again(test: &str, variable: &str, value: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test has a program"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(variable, value);
    command
}
