//! What documents claim: links lead somewhere, invariants name tests that exist, nothing speaks of one machine.

use std::path::{Component, Path, PathBuf};

use crate::tree::{none, root, texts};

/// The targets of `[text](target)`, without those inside code.
fn links(markdown: &str) -> Vec<&str> {
    let mut found = vec![];
    let mut fenced = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Odd parts lie between backquotes.
        for prose in line.split('`').step_by(2) {
            let mut rest = prose;
            while let Some(at) = rest.find("](") {
                rest = &rest[at + 2..];
                let end = rest.find(')').unwrap_or(rest.len());
                found.push(&rest[..end]);
                rest = &rest[end..];
            }
        }
    }
    found
}

/// `a/b/../c` is `a/c`; the file system is not asked, so that a link through a missing directory is a fault.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[test]
fn links_lead_to_files_that_exist() {
    let mut faults = vec![];
    for document in texts(&["md"]) {
        for link in links(&document.text) {
            let target = link.split('#').next().expect("split gives one part at least");
            if target.is_empty() || link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let path = plain(&document.path.parent().expect("a file has a parent").join(target));
            if !root().join(&path).exists() {
                faults.push(format!(
                    "{}: the link to {link} leads nowhere: correct it or write {}",
                    document.path.display(),
                    path.display()
                ));
            }
        }
    }
    none(&faults);
}

#[test]
fn links_are_found_outside_code_only() {
    assert_eq!(links("see [a](b.md) and [c](d.md#e), not `[f](g)`\n```\n[h](i)\n```\n"), ["b.md", "d.md#e"]);
}

/// The rows of the table below `## Invariants`: what is claimed, and the names in the last column.
fn invariants(architecture: &str) -> Vec<(&str, Vec<&str>)> {
    architecture
        .lines()
        .skip_while(|line| *line != "## Invariants")
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let tests = cells.last().map(|cell| cell.split('`').skip(1).step_by(2).collect()).unwrap_or_default();
            (cells.first().copied().unwrap_or_default(), tests)
        })
        .collect()
}

#[test]
fn an_invariants_tests_are_its_last_cell() {
    let text = "# A\n## Invariants\n\n| What | Tests |\n|---|---|\n| `x` holds | `a`, `b` |\n| none | |\n## Next\n| c | `d` |\n";
    assert_eq!(invariants(text), [("`x` holds", vec!["a", "b"]), ("none", vec![])]);
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let architecture = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let rows = invariants(&architecture);
    let sources = texts(&["rs", "py"]);
    let exists = |name: &str| {
        let (rust, python) = (format!("fn {name}("), format!("def {name}("));
        sources.iter().any(|source| source.text.contains(&rust) || source.text.contains(&python))
    };

    let mut faults = vec![];
    if rows.is_empty() {
        faults.push(
            "ARCHITECTURE.md has no table below `## Invariants`: each row is a claim, and the tests that hold it"
                .to_owned(),
        );
    }
    for (claim, tests) in rows {
        if tests.is_empty() {
            faults.push(format!("ARCHITECTURE.md: \"{claim}\" names no test: put its function's name into the last column, in backquotes"));
        }
        for test in tests.iter().filter(|test| !exists(test)) {
            faults.push(format!("ARCHITECTURE.md: \"{claim}\" names {test}, and no such function is in the tree: correct the name or write the test"));
        }
    }
    none(&faults);
}

/// Every file that ARCHITECTURE.md names in backquotes, from the root or from `crates/`, is there.
#[test]
fn files_that_the_architecture_names_exist() {
    let architecture = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let named = architecture.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let is_file = |it: &&str| {
        it.contains('/')
            && !it.contains([' ', '<', '*', '…', '{', '$'])
            && [".rs", ".md", ".py", ".json", ".toml"].iter().any(|end| it.ends_with(end))
    };
    let faults: Vec<String> = named
        .filter(is_file)
        .filter(|it| !root().join(it).exists() && !root().join("crates").join(it).exists())
        .map(|it| format!("ARCHITECTURE.md names {it}, which is not there: correct it"))
        .collect();
    none(&faults);
}

/// Directories of somebody's machine. Written in halves, so that this file may hold them.
const MACHINE: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Whether a path of a machine begins somewhere in the line, rather than being the middle of another path or address.
fn names_a_machine(line: &str) -> bool {
    let begins = |at: usize| !line[..at].ends_with(|it: char| it.is_alphanumeric() || "/.})_-~*".contains(it));
    MACHINE.iter().any(|path| line.match_indices(path).any(|(at, _)| begins(at)))
}

#[test]
fn a_path_of_a_machine_begins_at_its_root() {
    let home = concat!("/ho", "me/");
    assert!(
        names_a_machine(&format!("see {home}x")) && names_a_machine(&format!("\"{home}x\"")) && names_a_machine(home)
    );
    assert!(!names_a_machine(&format!("https://host{home}x")) && !names_a_machine(&format!("$SCRATCH}}{home}")));
}

#[test]
fn no_text_speaks_of_one_machine() {
    let mut faults = vec![];
    for file in texts(&[]) {
        for (number, line) in file.text.lines().enumerate().filter(|(_, line)| names_a_machine(line)) {
            faults.push(format!(
                "{}:{}: a path of one machine: write it from the project's root, or with a variable: {}",
                file.path.display(),
                number + 1,
                line.trim()
            ));
        }
    }
    none(&faults);
}
