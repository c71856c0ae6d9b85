//! A full disk, and one that fails.

use std::process::Command;

use store::conformance::block_on;
use store::{Answer, Step, Store};
use store_sqlite::{Options, SqliteStore};

use crate::common::{TempDir, acquire, again, commit, id, options, step};

fn small(dir: &TempDir, database_bytes_max: u64) -> SqliteStore {
    let options = Options { database_bytes_max: Some(database_bytes_max), ..options() };
    SqliteStore::open(dir.path(), options).expect("the store opens")
}

#[test]
fn a_full_store_says_so_and_goes_on_when_there_is_room() {
    let dir = TempDir::new();
    let store = small(&dir, 2 << 20);
    let epoch = acquire(&store);
    let answer_of = |store: &SqliteStore, n: u32| commit(store, epoch, vec![step(&n.to_string(), 0, 20_000)]);
    let landed = (0..1_000).take_while(|n| matches!(answer_of(&store, *n), Answer::Committed)).count() as u32;
    assert!((20..200).contains(&landed), "{landed}");
    let answer = answer_of(&store, landed);
    assert!(matches!(answer, Answer::Full), "{answer:?}");
    assert!(!*store.poisoned().borrow());
    for n in 0..landed {
        assert!(block_on(store.load(id(&n.to_string()))).expect("it can be read").is_some());
    }
    assert!(block_on(store.head(id(&landed.to_string()))).expect("it can be read").is_none());
    // What needs no room is still done.
    let answer = commit(
        &store,
        epoch,
        vec![Step {
            chunks: vec![store::Chunk { first: store::Seq(1), count: 1, bytes: "e".into() }],
            ..step("0", 1, 1)
        }],
    );
    assert!(matches!(answer, Answer::Committed), "{answer:?}");

    drop(store);
    let store = small(&dir, 3 << 20);
    let answer = answer_of(&store, landed);
    assert!(matches!(answer, Answer::Committed), "{answer:?}");
}

#[test]
fn of_batches_that_share_a_transaction_those_that_fit_land() {
    let dir = TempDir::new();
    let store = small(&dir, 1 << 20);
    let epoch = acquire(&store);
    let ask = |name: &str, size: usize| {
        store.commit(store::Batch { shard: crate::common::SHARD, epoch, steps: vec![step(name, 0, size)] })
    };
    let answers = block_on(store::conformance::all(vec![
        ask("first", 100),
        ask("small", 100),
        ask("large", 5_000_000),
        ask("late", 100),
    ]));
    let shown: Vec<String> = answers.iter().map(|answer| format!("{answer:?}")).collect();
    assert_eq!(shown, ["Committed", "Committed", "Full", "Committed"]);
}

/// The floor is above any disk: nothing new begins, and what there is goes on.
#[test]
fn below_the_floor_only_new_values_are_refused() {
    let dir = TempDir::new();
    let store = dir.open();
    let epoch = acquire(&store);
    assert!(matches!(commit(&store, epoch, vec![step("old", 0, 10)]), Answer::Committed));
    assert!(store.has_room());
    drop(store);

    let floor = Options { free_bytes_min: u64::MAX, ..options() };
    let store = SqliteStore::open(dir.path(), floor).expect("the store opens");
    assert!(!store.has_room());
    assert!(matches!(commit(&store, epoch, vec![step("new", 0, 10)]), Answer::Full));
    assert!(matches!(commit(&store, epoch, vec![step("old", 1, 10), step("new", 0, 10)]), Answer::Full));
    assert!(matches!(commit(&store, epoch, vec![step("old", 1, 10)]), Answer::Committed));
}

#[test]
fn the_ballast_is_taken_where_there_is_plenty() {
    let dir = TempDir::new();
    let ballast = || std::fs::metadata(dir.path().join("ballast")).map(|ballast| ballast.len()).ok();
    drop(SqliteStore::open(dir.path(), Options { ballast_bytes: 100_000, ..options() }).expect("the store opens"));
    assert_eq!(ballast(), Some(100_000));
}

/// On a file system of some 40 MB that `STORE_SMALL_DISK` names, which this fills to the last block.
#[test]
#[ignore = "needs a small disk of its own"]
fn a_full_disk_ends_new_work_and_lets_old_work_end() {
    let Ok(disk) = std::env::var("STORE_SMALL_DISK") else { return };
    let dir = std::path::Path::new(&disk).join("store");
    let open = || SqliteStore::open(&dir, Options { ballast_bytes: 4 << 20, ..options() }).expect("the store opens");
    let store = open();
    let epoch = acquire(&store);
    let mut landed = 0;
    while matches!(commit(&store, epoch, vec![step(&landed.to_string(), 0, 50_000)]), Answer::Committed) {
        landed += 1;
    }
    assert!(landed > 50 && !dir.join("ballast").exists() && !*store.poisoned().borrow(), "{landed}");
    for n in 0..10 {
        let answer = commit(&store, epoch, vec![step(&n.to_string(), 1, 1_000)]);
        assert!(matches!(answer, Answer::Committed), "the ballast is for old work: {answer:?}");
    }

    let filler = std::path::Path::new(&disk).join("filler");
    let filled = std::fs::write(&filler, vec![0; 64 << 20]);
    assert!(filled.is_err(), "the disk is not small");
    let refused = (0..landed)
        .map(|n| commit(&store, epoch, vec![step(&format!("{n}'"), 0, 50_000)]))
        .filter(|answer| matches!(answer, Answer::Full))
        .count();
    assert!(refused > 0 && !*store.poisoned().borrow());
    for n in 0..landed {
        assert!(block_on(store.load(id(&n.to_string()))).expect("it can be read").is_some());
    }

    std::fs::remove_file(&filler).expect("there is room again");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(matches!(commit(&store, epoch, vec![step("0", 2, 1_000)]), Answer::Committed));
    drop(store);
    let store = open();
    assert!((0..landed).all(|n| block_on(store.load(id(&n.to_string()))).expect("it can be read").is_some()));
}

const FAIL: &str = "STORE_TEST_FAIL";

/// The shell's limit on the size of a file makes a write fail in a way that is not a full disk.
#[test]
fn after_a_failed_write_nothing_is_acknowledged_again() {
    let dir = TempDir::new();
    let child = again("full::write_until_it_fails", FAIL, &dir.path().display().to_string());
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f 4000; exec \"$0\" \"$@\""])
        .arg(child.get_program())
        .args(child.get_args());
    shell.env(FAIL, dir.path());
    let output = shell.output().expect("a child runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && text.contains("poisoned after"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let landed = text
        .split("poisoned after ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .expect("it said how many");

    let store = dir.open();
    let there = |n: u32| block_on(store.load(id(&n.to_string()))).expect("it can be read").is_some();
    assert!((0..landed).all(there), "what was acknowledged is there");
}

#[test]
#[expect(clippy::print_stdout, reason = "its parent listens")]
fn write_until_it_fails() {
    let Ok(dir) = std::env::var(FAIL) else { return };
    let store = SqliteStore::open(dir.as_ref(), options()).expect("the store opens");
    let epoch = acquire(&store);
    let poisoned = store.poisoned();
    let landed = (0..1_000)
        .take_while(|n| matches!(commit(&store, epoch, vec![step(&n.to_string(), 0, 20_000)]), Answer::Committed))
        .count();
    assert!(*poisoned.borrow());
    for name in ["new", "0"] {
        let answer = commit(&store, epoch, vec![step(name, 0, 1)]);
        assert!(matches!(answer, Answer::Unknown(_)), "{answer:?}");
    }
    assert!(block_on(store.acquire(crate::common::SHARD)).is_err());
    println!("poisoned after {landed} steps");
}
