//! What every crate says of itself before anything else.

use std::fs;
use std::path::{Path, PathBuf};

use crate::tree::{none, root};

/// The `//!` lines that a file begins with.
fn opening(text: &str) -> String {
    text.lines()
        .take_while(|line| line.starts_with("//!"))
        .map(|line| line.trim_start_matches("//!").trim())
        .collect::<Vec<_>>()
        .join("\n")
}

fn has_modules(text: &str) -> bool {
    text.lines().any(|line| line.ends_with(';') && line.trim_start_matches("pub ").starts_with("mod "))
}

fn libraries() -> Vec<(PathBuf, String)> {
    let mut found: Vec<_> = fs::read_dir(root().join("crates"))
        .expect("there are crates")
        .flatten()
        .map(|entry| Path::new("crates").join(entry.file_name()).join("src/lib.rs"))
        .filter_map(|path| fs::read_to_string(root().join(&path)).ok().map(|text| (path, text)))
        .collect();
    found.sort();
    found
}

#[test]
fn every_library_says_what_it_is_and_what_it_is_not() {
    let mut faults = vec![];
    for (path, text) in libraries() {
        let path = path.display();
        let says = opening(&text);
        if says.is_empty() {
            faults.push(format!("{path} does not begin with //! lines: say in a sentence what the crate is"));
            continue;
        }
        if !says.to_lowercase().contains("it does not know") {
            faults
                .push(format!("{path}: add `//! **It does not know** …`, the rule that keeps other things out of it"));
        }
        if !says.contains("**Invariant:**") {
            faults.push(format!("{path}: add `//! **Invariant:** …`, what a change must not break"));
        }
        if has_modules(&text) && !says.to_lowercase().contains("reading order") {
            faults.push(format!(
                "{path}: add `//! In reading order: …`, each module with a few words, as the `mod` lines stand"
            ));
        }
    }
    none(&faults);
}

/// A lint that a crate does not inherit is a lint that it does not have.
#[test]
fn every_crate_inherits_the_lints() {
    let mut faults = vec![];
    for (path, _) in libraries() {
        let manifest = path.parent().and_then(Path::parent).expect("crates/NAME/src/lib.rs").join("Cargo.toml");
        let text = fs::read_to_string(root().join(&manifest)).expect("a crate has a manifest");
        if !text.contains("[lints]\nworkspace = true") {
            faults.push(format!("{}: add `[lints]` with `workspace = true`", manifest.display()));
        }
    }
    none(&faults);
}
