//! Outputs as files: one for each stream of each step of each attempt.
//!
//! ```text
//! DIRECTORY/3f/3f0c…  =  mark | mark | bytes of the stream …
//! ```
//!
//! A mark says how many of the bytes are certainly on the disk, and whether they are all. There are two, written in
//! turn, each with a checksum: a mark that was being written when the power went is not believed, and the one before it
//! is.
//!
//! **Invariant:** a file that is opened for adding is first cut back to its mark. What is beyond it may not be there
//! after a power cut, and whoever sent it has a copy until it hears that all is durable.
//!
//! **Invariant:** after a failed flush nothing that was in memory is believed: the file is opened anew.
//!
//! Everything here blocks.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, UNIX_EPOCH};

use base::{Id, Timestamp};
use tokio::sync::Notify;

/// Where the stream's bytes begin in its file.
const BYTES_BEGIN: u64 = 4_096;
/// Where the two marks are: far enough from each other that no write touches both.
const MARKS: [u64; 2] = [0, 512];
const MARK_BYTES: usize = 40;
const MAGIC: &[u8; 8] = b"DNOUT\0\0\x01";

/// Bytes that come between two marks.
const MARK_EVERY: u64 = 8 << 20;

/// Files that are open for adding.
const OPEN_MAX: usize = 256;

/// A stream that is silent for so long is marked and closed.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Bytes that one read gives.
pub(crate) const READ_BYTES_MAX: usize = 1 << 20;

/// The files of a server.
pub(crate) struct Keep {
    directory: PathBuf,
    /// Whether the directory ends with the server.
    temporary: bool,
    stream_bytes_max: u64,
    open: Mutex<HashMap<Id, Arc<Mutex<Adding>>>>,
    followers: Mutex<HashMap<Id, Weak<Notify>>>,
    /// Whether the disk was full when it was last written to.
    full: AtomicBool,
}

/// How much of a stream is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) bytes: u64,
    /// Nothing follows, and all of it is durable.
    pub(crate) complete: bool,
    /// More was written than is kept.
    pub(crate) cut: bool,
}

/// A part of a stream that is to be added.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) offset: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) end: bool,
    pub(crate) cut: bool,
}

/// A file that is open for adding.
struct Adding {
    id: Id,
    file: File,
    path: PathBuf,
    extent: Extent,
    marked: u64,
    /// Of the latest mark.
    number: u64,
    /// Its name may not be durable yet.
    is_new: bool,
    touched: Instant,
    /// A write has failed: what is here is not believed.
    broken: bool,
}

impl Keep {
    /// In `directory`; without one, in a directory that ends with the server.
    pub(crate) fn new(directory: Option<PathBuf>, stream_bytes_max: u64) -> Keep {
        let temporary = directory.is_none();
        let directory =
            directory.unwrap_or_else(|| std::env::temp_dir().join(format!("dandori-outputs-{}", crate::clock::uuid())));
        Keep {
            directory,
            temporary,
            stream_bytes_max,
            open: Mutex::default(),
            followers: Mutex::default(),
            full: AtomicBool::new(false),
        }
    }

    /// Whether it is being added to: whoever does so was let in.
    pub(crate) fn is_open(&self, id: Id) -> bool {
        lock(&self.open).contains_key(&id)
    }

    /// Adds a part that begins where the stream ends, and tells how much is there; one that does not begin there
    /// changes nothing. What is told as complete is durable.
    pub(crate) fn add(&self, id: Id, part: Part<'_>) -> io::Result<Extent> {
        // Most scripts write nothing to one of their streams.
        if part.end && !part.cut && part.offset == 0 && part.bytes.is_empty() && !self.exists(id) {
            return Ok(Extent { bytes: 0, complete: true, cut: false });
        }
        let adding = self.adding(id)?;
        let mut stream = lock(&adding);
        let added = stream.add(part, self.stream_bytes_max);
        if stream.broken || stream.extent.complete {
            self.forget(id, &adding);
        }
        drop(stream);
        self.tell_followers(id);
        self.note_room(&added);
        added
    }

    /// How much there is; none when nothing is.
    pub(crate) fn extent(&self, id: Id) -> io::Result<Option<Extent>> {
        Ok(self.read(id, 0, 0)?.map(|(_, extent)| extent))
    }

    /// At most [`READ_BYTES_MAX`] bytes from `from`; none when there is no such stream.
    pub(crate) fn read(&self, id: Id, from: u64, max: usize) -> io::Result<Option<(Vec<u8>, Extent)>> {
        let adding = lock(&self.open).get(&id).cloned();
        if let Some(adding) = adding {
            let stream = lock(&adding);
            if !stream.broken {
                return Ok(Some((read_at(&stream.file, stream.extent, from, max)?, stream.extent)));
            }
        }
        let file = match File::open(self.path(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let extent = latest_mark(&file, id)?.map_or(NOTHING, |mark| mark.extent);
        Ok(Some((read_at(&file, extent, from, max)?, extent)))
    }

    /// What is told whenever the stream grows.
    pub(crate) fn follow(&self, id: Id) -> Arc<Notify> {
        let mut followers = lock(&self.followers);
        followers.retain(|_, follower| follower.strong_count() > 0);
        if let Some(follower) = followers.get(&id).and_then(Weak::upgrade) {
            return follower;
        }
        let follower = Arc::new(Notify::new());
        followers.insert(id, Arc::downgrade(&follower));
        follower
    }

    /// Marks and closes what has been silent for a while.
    pub(crate) fn close_idle(&self) {
        let idle: Vec<_> = lock(&self.open)
            .iter()
            .filter(|(_, adding)| adding.try_lock().is_ok_and(|stream| stream.touched.elapsed() > IDLE_MAX))
            .map(|(id, adding)| (*id, adding.clone()))
            .collect();
        for (id, adding) in idle {
            self.close(id, &adding);
        }
    }

    /// Removes what nothing was added to since `before`; returns how many were removed.
    pub(crate) fn remove_older(&self, before: Timestamp) -> io::Result<u64> {
        let mut removed = 0;
        for shard in entries(&self.directory)? {
            for file in entries(&shard)? {
                let modified = fs::metadata(&file).and_then(|metadata| metadata.modified());
                let old = modified.is_ok_and(|at| {
                    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                    i64::try_from(since).unwrap_or(i64::MAX) < before.0
                });
                let id = file.file_name().and_then(|name| u128::from_str_radix(name.to_str()?, 16).ok()).map(Id);
                if old && id.is_some_and(|id| !self.is_open(id)) && fs::remove_file(&file).is_ok() {
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    fn exists(&self, id: Id) -> bool {
        self.is_open(id) || self.path(id).exists()
    }

    /// The name is a hash: nothing that anybody chose becomes a path.
    fn path(&self, id: Id) -> PathBuf {
        let name = id.to_string();
        self.directory.join(&name[..2]).join(name)
    }

    fn adding(&self, id: Id) -> io::Result<Arc<Mutex<Adding>>> {
        if let Some(adding) = lock(&self.open).get(&id) {
            return Ok(adding.clone());
        }
        self.make_room();
        let mut open = lock(&self.open);
        // Somebody else may have opened it meanwhile.
        if let Some(adding) = open.get(&id) {
            return Ok(adding.clone());
        }
        let adding = Arc::new(Mutex::new(Adding::open(id, self.path(id))?));
        open.insert(id, adding.clone());
        Ok(adding)
    }

    /// Closes the stream that has been silent for longest, when too many are open.
    fn make_room(&self) {
        let oldest = {
            let open = lock(&self.open);
            if open.len() < OPEN_MAX {
                return;
            }
            let touched = |adding: &Arc<Mutex<Adding>>| adding.try_lock().ok().map(|stream| stream.touched);
            let candidates = open.iter().filter_map(|(id, adding)| Some((touched(adding)?, *id, adding.clone())));
            candidates.min_by_key(|(touched, _, _)| *touched)
        };
        if let Some((_, id, adding)) = oldest {
            self.close(id, &adding);
        }
    }

    /// Marks it, and forgets it unless somebody adds to it meanwhile: two must not have it open beside each other.
    fn close(&self, id: Id, adding: &Arc<Mutex<Adding>>) {
        let mut stream = lock(adding);
        if let Err(error) = stream.mark() {
            tracing::warn!(%error, path = %stream.path.display(), "an output could not be made durable");
            stream.broken = true;
            return self.forget(id, adding);
        }
        let mut open = lock(&self.open);
        // The map's own, and the caller's.
        if Arc::strong_count(adding) == 2 {
            open.remove(&id);
        }
    }

    /// The next to add opens it anew. Whoever waits for this one finds it complete or broken, and adds nothing.
    fn forget(&self, id: Id, adding: &Arc<Mutex<Adding>>) {
        let mut open = lock(&self.open);
        if open.get(&id).is_some_and(|present| Arc::ptr_eq(present, adding)) {
            open.remove(&id);
        }
    }

    fn tell_followers(&self, id: Id) {
        let follower = lock(&self.followers).get(&id).and_then(Weak::upgrade);
        if let Some(follower) = follower {
            follower.notify_waiters();
        }
    }

    /// Says so when the disk becomes full, and when there is room again.
    fn note_room(&self, added: &io::Result<Extent>) {
        let full = added.as_ref().is_err_and(is_full);
        match (full, self.full.swap(full, Ordering::Relaxed)) {
            (true, false) => tracing::error!("the disk is full: outputs stay with their agents until there is room"),
            (false, true) => tracing::info!("there is room again for outputs"),
            (true, true) | (false, false) => (),
        }
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        if self.temporary {
            let _gone = fs::remove_dir_all(&self.directory);
        }
    }
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

const NOTHING: Extent = Extent { bytes: 0, complete: false, cut: false };

impl Adding {
    fn open(id: Id, path: PathBuf) -> io::Result<Adding> {
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        let mark = latest_mark(&file, id)?;
        // Whoever wrote a mark has flushed the name before.
        let is_new = mark.is_none();
        let (extent, number) = mark.map_or((NOTHING, 0), |mark| (mark.extent, mark.number));
        file.set_len(BYTES_BEGIN + extent.bytes)?;
        let marked = extent.bytes;
        Ok(Adding { id, file, path, extent, marked, number, is_new, touched: Instant::now(), broken: false })
    }

    fn add(&mut self, part: Part<'_>, bytes_max: u64) -> io::Result<Extent> {
        if self.broken {
            return Err(io::Error::other("an earlier write to this output has failed"));
        }
        self.touched = Instant::now();
        if self.extent.complete || part.offset != self.extent.bytes {
            return Ok(self.extent);
        }
        let room = usize::try_from(bytes_max.saturating_sub(self.extent.bytes)).unwrap_or(usize::MAX);
        let kept = part.bytes.get(..room).unwrap_or(part.bytes);
        let cut = part.cut || kept.len() < part.bytes.len();
        self.write(kept)?;
        let durable = match (part.end || cut, self.unmarked() >= MARK_EVERY) {
            (true, _) => self.complete(cut),
            (false, true) => self.mark(),
            (false, false) => Ok(()),
        };
        self.broken = durable.is_err();
        durable.map(|()| self.extent)
    }

    /// What could not be written is not there; what was written before is not in doubt.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = BYTES_BEGIN + self.extent.bytes;
        if let Err(error) = self.file.write_all_at(bytes, end) {
            self.broken = self.file.set_len(end).is_err();
            return Err(error);
        }
        self.extent.bytes += bytes.len() as u64;
        Ok(())
    }

    fn unmarked(&self) -> u64 {
        self.extent.bytes - self.marked
    }

    /// The bytes and the name first, then the mark that says that they are there.
    fn mark(&mut self) -> io::Result<()> {
        if self.unmarked() == 0 && !self.extent.complete {
            return Ok(());
        }
        self.file.sync_data()?;
        self.name()?;
        self.number += 1;
        let at = MARKS[usize::from(self.number.is_multiple_of(2))];
        self.file.write_all_at(&mark_text(self.id, self.number, self.extent), at)?;
        self.marked = self.extent.bytes;
        Ok(())
    }

    /// What comes out of this is told as durable.
    fn complete(&mut self, cut: bool) -> io::Result<()> {
        self.extent = Extent { complete: true, cut, ..self.extent };
        let durable = self.mark().and_then(|()| self.file.sync_all());
        if durable.is_err() {
            self.extent.complete = false;
        }
        durable
    }

    /// Puts on disk under which name the file is found.
    fn name(&mut self) -> io::Result<()> {
        if !self.is_new {
            return Ok(());
        }
        for directory in self.path.ancestors().skip(1).take(3).filter(|directory| *directory != Path::new("")) {
            File::open(directory)?.sync_all()?;
        }
        self.is_new = false;
        Ok(())
    }
}

struct Mark {
    number: u64,
    extent: Extent,
}

fn mark_text(id: Id, number: u64, extent: Extent) -> Vec<u8> {
    let flags = u64::from(extent.complete) | u64::from(extent.cut) << 1;
    let mut text = MAGIC.to_vec();
    text.extend((number << 8 | flags).to_be_bytes());
    text.extend(extent.bytes.to_be_bytes());
    text.extend(checksum(id, number, flags, extent.bytes).to_bytes());
    text
}

fn checksum(id: Id, number: u64, flags: u64, bytes: u64) -> Id {
    Id::of("output mark", &format!("{id}/{number}/{flags}/{bytes}"))
}

/// The later of the marks that can be believed.
fn latest_mark(file: &File, id: Id) -> io::Result<Option<Mark>> {
    let length = file.metadata()?.len();
    let mut latest: Option<Mark> = None;
    for at in MARKS {
        let mut text = [0; MARK_BYTES];
        match file.read_exact_at(&mut text, at) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            read => read?,
        }
        if let Some(mark) = read_mark(&text, id)
            && latest.as_ref().is_none_or(|latest| latest.number < mark.number)
        {
            latest = Some(mark);
        }
    }
    if let Some(mark) = &mut latest
        && length < BYTES_BEGIN + mark.extent.bytes
    {
        tracing::error!(%id, "an output is shorter than its mark says: the file was damaged");
        mark.extent.bytes = length.saturating_sub(BYTES_BEGIN);
        mark.extent.cut = true;
    }
    Ok(latest)
}

fn read_mark(text: &[u8; MARK_BYTES], id: Id) -> Option<Mark> {
    let number = |at: usize| Some(u64::from_be_bytes(text.get(at..at + 8)?.try_into().ok()?));
    let (numbered, bytes) = (number(8)?, number(16)?);
    let (number, flags) = (numbered >> 8, numbered & 0xff);
    let sound = text.starts_with(MAGIC) && text[24..] == checksum(id, number, flags, bytes).to_bytes();
    sound.then_some(Mark { number, extent: Extent { bytes, complete: flags & 1 != 0, cut: flags & 2 != 0 } })
}

fn read_at(file: &File, extent: Extent, from: u64, max: usize) -> io::Result<Vec<u8>> {
    let left = usize::try_from(extent.bytes.saturating_sub(from)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; left.min(max).min(READ_BYTES_MAX)];
    file.read_exact_at(&mut bytes, BYTES_BEGIN + from)?;
    Ok(bytes)
}

/// What is in a directory; nothing when there is none.
fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(vec![]),
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
