//! A folder as a bucket.
//!
//! A key is the path of a file below the folder, character by character; a key that is no such path (`a//b`, `../a`,
//! `/a`, `a/`) names nothing. What a link points to is there only if it lies in the folder: the operating system is asked
//! to resolve paths beneath it (`cap-std`), so no race leads out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use base::Timestamp;
use bytes::{Bytes, BytesMut};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::spawn_blocking;

use crate::failure::StoreError;
use crate::store::{Headers, Listed};

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;

/// Objects in a page of a listing, as in S3.
const PAGE: usize = 1000;

/// How the names of files begin that are not yet whole. No key has a part that begins so.
const UNFINISHED: &str = ".dandori-upload-";

/// A folder that is a bucket.
#[derive(Debug, Clone)]
pub struct Folder {
    bucket: Arc<str>,
    dir: Arc<Dir>,
}

impl Folder {
    pub(crate) fn open(bucket: String, path: &Path) -> io::Result<Folder> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())?;
        Ok(Folder { bucket: bucket.into(), dir: Arc::new(dir) })
    }

    pub(crate) async fn get(&self, key: &str, version: Option<&str>) -> Result<Body, StoreError> {
        // A bucket without versions has one of each object, whose name is `null`.
        if version.is_some_and(|version| version != "null") {
            return Err(invalid_version());
        }
        let (path, key) = (path(key).ok_or_else(StoreError::no_such_key)?, key.to_owned());
        let (file, headers) = self
            .blocking("read", move |dir| {
                let file = open_file(dir, &path)?;
                let listed = listed(dir, key).ok_or(io::ErrorKind::NotFound)?;
                Ok((file, headers(&listed)))
            })
            .await?;
        Ok(Body { bucket: self.bucket.clone(), file, headers })
    }

    pub(crate) async fn delete(&self, key: &str, version: Option<&str>) -> Result<(), StoreError> {
        if version.is_some_and(|version| version != "null") {
            return Err(invalid_version());
        }
        let Some(path) = path(key) else { return Ok(()) };
        self.blocking("delete", move |dir| match dir.remove_file(path) {
            Err(error) if is_absent(&error) => Ok(()),
            removed => removed,
        })
        .await
    }

    pub(crate) async fn upload(&self, key: &str) -> Result<Upload, StoreError> {
        let path = path(key).ok_or_else(|| self.fault("write", "the key is not the path of a file"))?;
        let unfinished = path.with_file_name(unfinished());
        let at = unfinished.clone();
        let file = self.blocking("write", move |dir| create_file(dir, &at)).await?;
        Ok(Upload { folder: self.clone(), unfinished: Some(unfinished), path, file })
    }

    pub(crate) fn list(&self, prefix: &str) -> Listing {
        let first = Level { base: String::new(), entries: None };
        let walk = Walk { prefix: prefix.to_owned(), levels: vec![first] };
        Listing { folder: self.clone(), walk: Some(walk) }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        doing: &str,
        work: impl FnOnce(&Dir) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let dir = self.dir.clone();
        match spawn_blocking(move || work(&dir)).await {
            Ok(result) => result.map_err(|error| self.refused(doing, &error)),
            Err(stopped) => Err(self.fault(doing, &stopped.to_string())),
        }
    }

    /// What S3 would say, where S3 has words for it.
    fn refused(&self, doing: &str, error: &io::Error) -> StoreError {
        match error.kind() {
            _ if doing == "read" && is_absent(error) => StoreError::no_such_key(),
            io::ErrorKind::PermissionDenied => StoreError::refused("AccessDenied", 403, "Access Denied"),
            _ => self.fault(doing, &error.to_string()),
        }
    }

    fn fault(&self, doing: &str, reason: &str) -> StoreError {
        StoreError::Folder { doing: doing.to_owned(), bucket: self.bucket.to_string(), reason: reason.to_owned() }
    }
}

fn invalid_version() -> StoreError {
    StoreError::refused("InvalidArgument", 400, "Invalid version id specified")
}

/// Whether there is no file of that name.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory)
}

/// What S3 says of an object, as far as a file has it.
fn headers(listed: &Listed) -> Headers {
    let headers = [
        ("accept-ranges", "bytes".to_owned()),
        ("content-length", listed.size.to_string()),
        ("content-type", "binary/octet-stream".to_owned()),
        ("etag", listed.etag.clone()),
        ("last-modified", listed.modified.to_http_date()),
    ];
    Headers::new(headers.map(|(name, value)| (name.to_owned(), value)))
}

/// The path that `key` is, if it is one.
fn path(key: &str) -> Option<PathBuf> {
    let is_name = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && !part.contains('\0') && !part.starts_with(UNFINISHED)
    };
    key.split('/').all(is_name).then(|| PathBuf::from(key))
}

fn open_file(dir: &Dir, path: &Path) -> io::Result<File> {
    // Asked before it is opened: opening a pipe would wait for its other end.
    if !dir.metadata(path)?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(File::from_std(dir.open(path)?.into_std()))
}

fn create_file(dir: &Dir, path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("")) {
        dir.create_dir_all(parent)?;
    }
    Ok(File::from_std(dir.open_with(path, OpenOptions::new().write(true).create_new(true))?.into_std()))
}

/// Renames a file, and puts on disk that it is renamed.
fn give_name(dir: &Dir, from: &Path, to: &Path) -> io::Result<()> {
    dir.rename(from, dir, to)?;
    let parent = to.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    dir.open(parent)?.sync_all()
}

/// A name that no other upload of this process or another has.
fn unfinished() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let nanos = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
    format!("{UNFINISHED}{}-{nanos}-{count}", std::process::id())
}

pub struct Body {
    bucket: Arc<str>,
    file: File,
    headers: Headers,
}

impl Body {
    pub(crate) fn headers(&self) -> &Headers {
        &self.headers
    }

    pub(crate) fn into_headers(self) -> Headers {
        self.headers
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        match self.file.read_buf(&mut chunk).await {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(chunk.freeze())),
            Err(error) => Err(StoreError::Folder {
                doing: "read".to_owned(),
                bucket: self.bucket.to_string(),
                reason: error.to_string(),
            }),
        }
    }
}

/// A file under another name, until it is whole.
pub struct Upload {
    folder: Folder,
    /// Where the bytes are; nothing when they have their own name.
    unfinished: Option<PathBuf>,
    path: PathBuf,
    file: File,
}

impl Upload {
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).await.map_err(|error| self.folder.refused("write", &error))
    }

    pub(crate) async fn finish(mut self) -> Result<(), StoreError> {
        let flushed = async {
            self.file.flush().await?;
            self.file.sync_all().await
        };
        flushed.await.map_err(|error| self.folder.refused("write", &error))?;
        let (from, to) = (self.unfinished.clone().unwrap_or_default(), self.path.clone());
        self.folder.blocking("write", move |dir| give_name(dir, &from, &to)).await?;
        self.unfinished = None;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(path) = self.unfinished.take() {
            // What cannot be removed is not listed, and in nobody's way.
            let _ = self.folder.dir.remove_file(path);
        }
    }
}

pub struct Listing {
    folder: Folder,
    /// Nothing while a page is being read, and after one that could not be.
    walk: Option<Walk>,
}

/// Where a listing is: the folders that are open, from the outside in.
struct Walk {
    prefix: String,
    levels: Vec<Level>,
}

struct Level {
    /// How the keys in it begin: empty, or with a slash at the end.
    base: String,
    /// What is left of it, last first; not read yet when there is nothing.
    entries: Option<Vec<Entry>>,
}

struct Entry {
    name: String,
    is_folder: bool,
}

impl Entry {
    /// What comes first in the order of keys: all keys in a folder have a slash after its name.
    fn order(&self) -> impl Iterator<Item = u8> + '_ {
        self.name.bytes().chain(self.is_folder.then_some(b'/'))
    }
}

impl Listing {
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Listed>>, StoreError> {
        let walk = self.walk.take();
        let mut walk = walk.ok_or_else(|| self.folder.fault("list", "an earlier page could not be read"))?;
        let (walk, page) = self
            .folder
            .blocking("list", move |dir| {
                let page = walk.page(dir)?;
                Ok((walk, page))
            })
            .await?;
        let is_end = page.is_empty() && walk.levels.is_empty();
        self.walk = Some(walk);
        Ok((!is_end).then_some(page))
    }
}

impl Walk {
    fn page(&mut self, dir: &Dir) -> io::Result<Vec<Listed>> {
        let mut page = vec![];
        while page.len() < PAGE {
            let Some(level) = self.levels.last_mut() else { break };
            let entries = match &mut level.entries {
                Some(entries) => entries,
                unread => unread.insert(read_level(dir, &level.base)?),
            };
            match entries.pop() {
                None => drop(self.levels.pop()),
                Some(entry) => {
                    let key = format!("{}{}", level.base, entry.name);
                    if entry.is_folder {
                        self.enter(format!("{key}/"));
                    } else if key.starts_with(&self.prefix) {
                        page.extend(listed(dir, key));
                    }
                }
            }
        }
        Ok(page)
    }

    fn enter(&mut self, base: String) {
        if base.starts_with(&self.prefix) || self.prefix.starts_with(&base) {
            self.levels.push(Level { base, entries: None });
        }
    }
}

/// Files and folders in a folder, last first. What has no name that a key could have is not there, nor is what a link
/// to a folder leads to: it might lead back.
fn read_level(dir: &Dir, base: &str) -> io::Result<Vec<Entry>> {
    let read = match base.is_empty() {
        true => dir.entries(),
        false => dir.read_dir(base),
    };
    let read = match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        read => read?,
    };
    let mut entries = vec![];
    for entry in read {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !name.starts_with(UNFINISHED) {
            entries.push(Entry { name, is_folder: entry.file_type()?.is_dir() });
        }
    }
    entries.sort_by(|one, other| other.order().cmp(one.order()));
    Ok(entries)
}

/// What a listing says of a file; nothing when it is none, or gone meanwhile.
fn listed(dir: &Dir, key: String) -> Option<Listed> {
    let metadata = dir.metadata(&key).ok().filter(Metadata::is_file)?;
    let since = metadata.modified().ok()?.into_std().duration_since(UNIX_EPOCH).unwrap_or_default();
    Some(Listed {
        key,
        etag: format!("\"{:x}-{:x}\"", metadata.len(), since.as_nanos()),
        size: metadata.len(),
        modified: Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        storage_class: "STANDARD".to_owned(),
    })
}

#[cfg(test)]
mod tests;
