//! The spool: all that a step writes, on disk as it comes.
//!
//! **Invariant:** whoever writes is never held up by anything but the disk: what finds no room goes by, and is marked.
//!
//! **Invariant:** after [`Spool::close`] nothing is added, whoever still holds the pipe.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::fcntl::{FcntlArg, fcntl};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::judge::Lines;

/// Bytes that all steps of an attempt may keep together.
pub const OUTPUT_BYTES_MAX_DEFAULT: u64 = 4 << 30;

/// Bytes that are read at a time, and that a pipe may hold where the host allows it.
const PIECE_BYTES: usize = 64 * 1024;
const PIPE_BYTES: i32 = 1024 * 1024;

/// What was kept of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) bytes: u64,
    /// More was written.
    #[serde(default)]
    pub(crate) cut: bool,
}

/// The bytes that an attempt may still keep, in all its streams.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<AtomicU64>);

/// One stream of one step.
#[derive(Debug, Clone)]
pub(crate) struct Spool(Arc<Mutex<Keeper>>);

#[derive(Debug)]
struct Keeper {
    /// None when it could not be made, or is closed.
    file: Option<File>,
    room: Room,
    kept: Kept,
    /// What the running program's lines are looked at for.
    lines: Option<Lines>,
}

impl Room {
    pub(crate) fn new(bytes: u64) -> Room {
        Room(Arc::new(AtomicU64::new(bytes)))
    }

    /// As much of `wanted` as there is.
    fn take(&self, wanted: usize) -> usize {
        let take = |left: u64| Some(left.saturating_sub(wanted as u64));
        let before = self.0.fetch_update(Relaxed, Relaxed, take).unwrap_or_default();
        wanted.min(usize::try_from(before).unwrap_or(usize::MAX))
    }
}

impl Spool {
    /// A new stream in `path`. Where there can be none, all that is written goes by.
    pub(crate) fn create(path: &Path, room: Room) -> Spool {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).ok();
        Spool(Arc::new(Mutex::new(Keeper { file, room, kept: Kept::default(), lines: None })))
    }

    /// Has the lines that come from now on looked at.
    pub(crate) fn watch(&self, lines: Option<Lines>) {
        self.keeper().lines = lines;
    }

    /// What was found in the lines since [`Spool::watch`].
    pub(crate) fn watched(&self) -> Option<Lines> {
        self.keeper().lines.take()
    }

    pub(crate) fn say(&self, text: &str) {
        self.keeper().keep(text.as_bytes());
    }

    /// Keeps all that comes out of `pipe`, beside whatever else is done. Tells when nothing more can come.
    pub(crate) fn capture(&self, mut pipe: impl Read + AsFd + Send + 'static) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        let spool = self.clone();
        // As large as we may: whoever writes then rarely waits for us.
        let _smaller_will_do = fcntl(pipe.as_fd(), FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
        thread::spawn(move || {
            let mut buffer = vec![0; PIECE_BYTES];
            loop {
                match pipe.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => spool.keeper().keep(&buffer[..count]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => break,
                }
            }
            let _nobody_waits = tell.send(());
        });
        told
    }

    /// Ends the stream: what was kept is on disk.
    pub(crate) fn close(&self) -> Kept {
        let mut keeper = self.keeper();
        // Where nothing was written there is nothing to lose.
        if let Some(file) = keeper.file.take().filter(|_| keeper.kept.bytes > 0) {
            // Before the result is: what it stands on must be there after a power cut too.
            let _best_effort = file.sync_data();
        }
        keeper.kept
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        // Nothing in here is half done when a thread dies.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper {
    fn keep(&mut self, bytes: &[u8]) {
        if let Some(lines) = &mut self.lines {
            lines.take(bytes);
        }
        let room = if self.kept.cut { 0 } else { self.room.take(bytes.len()) };
        let kept = &bytes[..room];
        // A stream with a hole in it would be another one: it ends where the disk first refuses.
        let written = self.file.as_mut().is_some_and(|file| file.write_all(kept).is_ok());
        if written {
            self.kept.bytes += kept.len() as u64;
        }
        self.kept.cut |= room < bytes.len() || !written;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_goes_by_and_is_marked() {
        let directory = std::env::temp_dir().join(format!("agent-spool-{:x}", crate::host::random().expect("random")));
        std::fs::create_dir_all(&directory).expect("a directory");
        let room = Room::new(10);
        let (out, err) =
            (Spool::create(&directory.join("out"), room.clone()), Spool::create(&directory.join("err"), room));
        out.say("123456");
        err.say("12345678");
        out.say("7");
        assert_eq!((out.close(), err.close()), (Kept { bytes: 6, cut: true }, Kept { bytes: 4, cut: true }));
        // Closed: whoever still holds the pipe adds nothing.
        out.say("more");
        assert_eq!(std::fs::read(directory.join("out")).expect("a file"), b"123456");
        std::fs::remove_dir_all(&directory).expect("remove");
    }
}
