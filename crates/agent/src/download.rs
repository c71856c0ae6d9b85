//! `aws:downloadContent`: brings files to where a plan wants them.
//!
//! What comes from a bucket was fetched before the attempt was accepted ([`crate::journal::Journal::keep_content`]): here
//! it is only put in its place, so that nothing but this host decides how a step ends.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use api::agent::{Failure, failure};
use document::{Download, Source};

use crate::journal;
use crate::steps::because;

/// Files of one download, and how deep directories may lie in each other.
pub const FILES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 64;

/// Puts what is wanted in its place. `step` is the plan's, where it is one: only for those was anything fetched. `work` is
/// where relative destinations begin. Gives what is said of it.
pub(crate) fn perform(wanted: &Download, attempt: &Path, step: Option<usize>, work: &Path) -> Result<String, Failure> {
    let to = Destination { path: work.join(&wanted.destination), directory: means_directory(&wanted.destination) };
    match &wanted.source {
        Source::S3 { key, .. } => match step {
            Some(step) => fetched(attempt, step, key.is_empty() || key.ends_with('/'), &to),
            None => Err(because(failure::CONTENT_MISSING, "a document on the host brings nothing from a bucket")),
        },
        Source::Local { path } => local(&work.join(path), &to),
        Source::Document { file, text } => {
            let at = to.of_file(Path::new(file).file_name().map_or(file.as_ref(), Path::new));
            place(&at, &to, |at| fs::write(at, text)).map(|()| said(&at))
        }
    }
}

/// Where the content goes.
struct Destination {
    path: PathBuf,
    directory: bool,
}

impl Destination {
    /// A directory takes a file under its own name; any other destination is the file.
    fn of_file(&self, name: &Path) -> PathBuf {
        if self.directory || self.path.is_dir() { self.path.join(name) } else { self.path.clone() }
    }
}

fn means_directory(destination: &str) -> bool {
    destination.is_empty() || destination.ends_with('/')
}

fn fetched(attempt: &Path, step: usize, all: bool, to: &Destination) -> Result<String, Failure> {
    let unreadable = |error| because(failure::CONTENT_MISSING, format!("content cannot be read: {error}"));
    let content = journal::content(attempt, step).map_err(unreadable)?;
    if let Some(failure) = content.failure {
        return Err(failure);
    }
    if content.files.is_empty() {
        return Err(because(failure::CONTENT_MISSING, "there is no content"));
    }
    let mut words = String::new();
    for (name, file) in &content.files {
        let name = inside(name).ok_or_else(|| {
            because(failure::CONTENT_MISSING, format!("content has a name that leads elsewhere: {name:?}"))
        })?;
        let at = match all {
            true => to.path.join(name),
            false => to.of_file(name.file_name().map_or(&*name, Path::new)),
        };
        place(&at, to, |at| fs::copy(file, at).map(|_| ()))?;
        words += &said(&at);
    }
    Ok(words)
}

/// A path that stays below where it begins.
pub(crate) fn inside(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_))) && !name.is_empty();
    (stays && !name.contains('\0')).then(|| path.to_owned())
}

fn local(from: &Path, to: &Destination) -> Result<String, Failure> {
    let missing =
        |error: io::Error| because(failure::CONTENT_MISSING, format!("{} cannot be read: {error}", from.display()));
    if fs::metadata(from).map_err(missing)?.is_file() {
        let at = to.of_file(from.file_name().map_or(from, Path::new));
        return place(&at, to, |at| fs::copy(from, at).map(|_| ())).map(|()| said(&at));
    }
    let mut files = vec![];
    walk(from, Path::new(""), 0, &mut files).map_err(missing)?;
    let mut words = String::new();
    for file in files {
        let at = to.path.join(&file);
        place(&at, to, |at| fs::copy(from.join(&file), at).map(|_| ()))?;
        words += &said(&at);
    }
    Ok(words)
}

/// Every file below a directory, by its path in it. What is neither file nor directory is left out.
fn walk(top: &Path, below: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(top.join(below))? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, below.join(entry.file_name()));
        if kind.is_file() {
            files.push(path);
        } else if kind.is_dir() && depth < DEPTH_MAX {
            walk(top, &path, depth + 1, files)?;
        }
        if files.len() > FILES_MAX {
            return Err(io::Error::other(format!("there are more than {FILES_MAX} files")));
        }
    }
    Ok(())
}

/// Puts a file where it belongs. Below a destination that is a directory no link is followed: whoever runs as another
/// user may have made it, to have us write elsewhere.
fn place(at: &Path, to: &Destination, put: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), Failure> {
    let parent = at.parent().map_or(Ok(()), fs::create_dir_all);
    parent
        .and_then(|()| {
            if at == to.path || stays(at, &to.path)? { Ok(()) } else { Err(io::Error::other("a link leads elsewhere")) }
        })
        .and_then(|()| put(at))
        .map_err(|error| because(failure::CONTENT_MISSING, format!("{} cannot be written: {error}", at.display())))
}

/// Whether a file whose directory is there lies below `top`, and is no link.
fn stays(at: &Path, top: &Path) -> io::Result<bool> {
    let is_link = fs::symlink_metadata(at).is_ok_and(|there| there.is_symlink());
    let parent = fs::canonicalize(at.parent().unwrap_or(at))?;
    Ok(!is_link && parent.starts_with(fs::canonicalize(top)?))
}

fn said(at: &Path) -> String {
    format!("Content downloaded to {}\n", at.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;

    #[test]
    fn no_link_below_a_destination_is_followed() {
        let root = std::env::temp_dir().join(format!("agent-download-{:x}", host::random().expect("random")));
        let (work, outside) = (root.join("work"), root.join("outside"));
        fs::create_dir_all(work.join("sub")).expect("a directory");
        fs::create_dir_all(&outside).expect("a directory");
        fs::write(outside.join("kept"), "as it was").expect("a file");
        std::os::unix::fs::symlink(outside.join("kept"), work.join("link")).expect("a link");
        std::os::unix::fs::symlink(&outside, work.join("sub/out")).expect("a link");
        let to = Destination { path: work.clone(), directory: true };
        let put = |name: &str| place(&work.join(name), &to, |at| fs::write(at, "new")).is_ok();
        assert!(put("file") && put("file") && put("sub/deep/file"));
        assert!(!put("link") && !put("sub/out/kept") && !put("sub/out/new"));
        assert_eq!(fs::read_to_string(outside.join("kept")).expect("a file"), "as it was");
        assert!(!outside.join("new").exists());
        // Where the destination is the file, whoever wrote the plan named the link itself.
        let file = Destination { path: work.join("file"), directory: false };
        assert!(place(&file.path, &file, |at| fs::write(at, "new")).is_ok());
        fs::remove_dir_all(&root).expect("remove");
    }
}
