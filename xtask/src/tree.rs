//! The files of the project, as the checks read them.

use std::fs;
use std::path::{Path, PathBuf};

/// Built or fetched, not written.
const NOT_OURS: &[&str] = &["target", "node_modules", "__pycache__"];

/// The directory that holds everything.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root")
}

/// A file below the root: its path from there, and its text.
pub(crate) struct Text {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Every text file with one of these extensions (no extension given: every text file), in order of path.
pub(crate) fn texts(extensions: &[&str]) -> Vec<Text> {
    let mut paths = vec![];
    walk(root(), &mut paths);
    paths.sort();
    paths
        .iter()
        .filter(|path| extensions.is_empty() || extensions.iter().any(|it| has_extension(path, it)))
        .filter_map(|path| read(path))
        .collect()
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|it| it == extension)
}

fn read(path: &Path) -> Option<Text> {
    let text = String::from_utf8(fs::read(path).ok()?).ok()?;
    let path = path.strip_prefix(root()).expect("it was found below the root").to_owned();
    Some(Text { path, text })
}

fn walk(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of the project can be read").flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let hidden = name.starts_with('.') && !matches!(&*name, ".ci" | ".cargo");
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !hidden && !NOT_OURS.contains(&&*name) => walk(&entry.path(), into),
            Ok(kind) if kind.is_file() && !hidden => into.push(entry.path()),
            _ => {}
        }
    }
}

/// Fails with every fault on its own line, so that one run shows them all.
#[track_caller]
pub(crate) fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n  {}\n", faults.join("\n  "));
}
