//! A directory of a test's own, gone when the test is.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use store_sqlite::{Options, SqliteStore};

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
