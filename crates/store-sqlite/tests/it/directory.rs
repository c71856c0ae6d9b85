//! Opening, closing, opening again.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use store::conformance::block_on;
use store::{Answer, Store};
use store_sqlite::{OpenError, SqliteStore};

use crate::common::{SHARD, TempDir, acquire, again, commit, id, options, step};

#[test]
fn everything_is_there_when_opened_again() {
    let dir = TempDir::new();
    let store = dir.open();
    let epoch = acquire(&store);
    assert!(matches!(commit(&store, epoch, vec![step("a", 0, 10), step("b", 0, 10)]), Answer::Committed));
    let before = block_on(store.load(id("a"))).expect("read");
    drop(store);

    let store = dir.open();
    assert_eq!(block_on(store.load(id("a"))).expect("read"), before);
    assert!(matches!(commit(&store, epoch, vec![step("a", 1, 10)]), Answer::Committed), "nobody took the shard");
    assert!(acquire(&store) > epoch);
    assert!(matches!(commit(&store, epoch, vec![step("a", 2, 10)]), Answer::Fenced));
}

#[test]
fn what_was_asked_before_closing_is_done() {
    let dir = TempDir::new();
    let store = dir.open();
    let epoch = acquire(&store);
    for n in 0..100 {
        drop(store.commit(store::Batch { shard: SHARD, epoch, steps: vec![step(&n.to_string(), 0, 10)] }));
    }
    drop(store);
    let head = block_on(dir.open().head(id("99"))).expect("read");
    assert!(head.is_some());
}

#[test]
fn a_second_opener_is_refused() {
    let dir = TempDir::new();
    let store = dir.open();
    let error = SqliteStore::open(dir.path(), options()).expect_err("it is in use");
    assert!(matches!(error, OpenError::InUse { .. }));
    assert_eq!(error.to_string(), format!("open {}: another process has it open", dir.path().display()));
    drop(store);
    drop(dir.open());
}

const HOLD: &str = "STORE_TEST_HOLD";

#[test]
fn the_lock_dies_with_its_process() {
    let dir = TempDir::new();
    let mut child = again("directory::hold", HOLD, &dir.path().display().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child starts");
    let lines = BufReader::new(child.stdout.take().expect("its output is ours")).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("held")));
    assert!(matches!(SqliteStore::open(dir.path(), options()), Err(OpenError::InUse { .. })));
    child.kill().expect("it dies");
    child.wait().expect("it has died");
    drop(dir.open());
}

#[test]
#[expect(clippy::print_stdout, reason = "its parent listens")]
fn hold() {
    let Ok(dir) = std::env::var(HOLD) else { return };
    let _store = SqliteStore::open(dir.as_ref(), options()).expect("the store opens");
    println!("\nheld");
    std::thread::sleep(std::time::Duration::from_secs(60));
}

#[test]
fn a_directory_of_a_later_version_is_refused() {
    let dir = TempDir::new();
    drop(dir.open());
    let database = rusqlite::Connection::open(dir.path().join("dandori.db")).expect("it opens");
    database.pragma_update(None, "user_version", 999).expect("it is written");
    drop(database);
    let error = SqliteStore::open(dir.path(), options()).expect_err("it is of another time");
    assert!(matches!(error, OpenError::Newer { found: 999, .. }), "{error}");
}
