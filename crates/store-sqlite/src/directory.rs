//! The directory: who may use it, and how much room it has.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::posix_fallocate;
use nix::sys::statvfs::statvfs;

use crate::{OpenError, Options};

pub(crate) struct Directory {
    path: PathBuf,
    /// Held, never read: the lock goes when the file is closed, which a dying process does too.
    _lock: File,
    free_bytes_min: u64,
    ballast_bytes: u64,
    room: AtomicBool,
}

impl Directory {
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Directory, OpenError> {
        let io = |source| OpenError::Io { directory: path.to_owned(), source };
        make(path).map_err(io)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { directory: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let directory = Directory {
            path: path.to_owned(),
            _lock: lock,
            free_bytes_min: options.free_bytes_min,
            ballast_bytes: options.ballast_bytes,
            room: AtomicBool::new(true),
        };
        directory.look();
        Ok(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("dandori.db")
    }

    /// Makes the names in the directory durable, beside what the files hold.
    pub(crate) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.room.load(Ordering::Relaxed)
    }

    /// Looks how much room there is, and takes the ballast up again when there is plenty.
    pub(crate) fn look(&self) {
        // A file system that does not say is taken to have room: writing will tell.
        let free =
            statvfs(&self.path).map_or(u64::MAX, |stat| stat.blocks_available().saturating_mul(stat.fragment_size()));
        let room = free >= self.free_bytes_min;
        if self.room.swap(room, Ordering::Relaxed) != room {
            tracing::warn!(free, floor = self.free_bytes_min, room, "room for new work");
        }
        let plenty = free / 2 >= self.free_bytes_min.max(self.ballast_bytes);
        if plenty && self.ballast_bytes > 0 && !self.ballast().exists() {
            self.ballast_take();
        }
    }

    /// Gives the ballast up, for what is under way and not for new work. Whether there was any.
    pub(crate) fn ballast_release(&self) -> bool {
        let released = fs::remove_file(self.ballast()).is_ok();
        if released {
            self.room.store(false, Ordering::Relaxed);
        }
        tracing::error!(released, directory = %self.path.display(), "the disk is full");
        released
    }

    fn ballast_take(&self) {
        let length = i64::try_from(self.ballast_bytes).unwrap_or(i64::MAX);
        let taken =
            File::create(self.ballast()).and_then(|file| posix_fallocate(&file, 0, length).map_err(io::Error::from));
        if let Err(error) = taken {
            tracing::warn!(%error, "no ballast: a full disk will stop all work at once");
            _ = fs::remove_file(self.ballast());
        }
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

/// Makes the directory for its owner only: it holds what executions hold.
fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // The name of a new directory is durable only when its parent is.
    match path.canonicalize()?.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
