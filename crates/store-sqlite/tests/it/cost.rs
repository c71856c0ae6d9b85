//! What a step costs.

use store::Answer;
use store::conformance::{all, block_on};
use store::{Batch, Seq, Snapshot, Step, Store};
use store_sqlite::{SqliteStore, Written};

use crate::common::{SHARD, TempDir, acquire, commit, step};

fn spent(before: Written, after: Written) -> (u64, u64) {
    (after.rows - before.rows, after.bytes - before.bytes)
}

#[test]
fn a_step_costs_the_same_however_old_the_value_is() {
    let dir = TempDir::new();
    let store = dir.open();
    let epoch = acquire(&store);
    let mut costs = vec![];
    let mut pages = vec![];
    for expected in 0..10_000 {
        // A snapshot now and then, as large as ever: it is the step that pays for it, and no other.
        let snapshot = (expected % 100 == 0).then(|| Snapshot { at: Seq(expected), bytes: vec![0; 1000].into() });
        let before = store.written();
        let answer = commit(&store, epoch, vec![Step { snapshot, ..step("old", expected, 300) }]);
        assert!(matches!(answer, Answer::Committed), "{answer:?}");
        costs.push(spent(before, store.written()));
        pages.push(store.written().pages - before.pages);
    }
    assert_eq!(costs[10], costs[9_999]);
    assert_eq!(costs[100], costs[9_900]);
    // On disk too, but for a tree that is one or two levels deeper.
    let mean = |pages: &[u64]| pages.iter().sum::<u64>() as f64 / pages.len() as f64;
    assert!(
        mean(&pages[9_000..]) < mean(&pages[..1_000]) + 2.0,
        "{} then {}",
        mean(&pages[..1_000]),
        mean(&pages[9_000..])
    );
}

#[test]
fn batches_that_queue_share_a_flush() {
    let dir = TempDir::new();
    let store = dir.open();
    let epoch = acquire(&store);
    let before = store.written();
    let ask = |n: u32| store.commit(Batch { shard: SHARD, epoch, steps: vec![step(&n.to_string(), 0, 300)] });
    let answers = block_on(all((0..1_000).map(ask).collect()));
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Committed)));
    let after = store.written();
    assert_eq!(after.batches - before.batches, 1_000);
    assert!(after.commits - before.commits < 200, "{} flushes", after.commits - before.commits);
}

#[test]
fn what_is_refused_costs_no_flush() {
    let dir = TempDir::new();
    let store: SqliteStore = dir.open();
    let epoch = acquire(&store);
    let before = store.written();
    let answer = commit(&store, epoch, vec![step("new", 0, 300), step("never", 5, 300)]);
    assert!(matches!(answer, Answer::Conflict(_)), "{answer:?}");
    assert_eq!(store.written(), before);
}

#[test]
fn the_log_is_carried_over_and_starts_again() {
    let dir = TempDir::new();
    let store = dir.open();
    let epoch = acquire(&store);
    for n in 0..200 {
        let answer = commit(&store, epoch, vec![step(&n.to_string(), 0, 500_000)]);
        assert!(matches!(answer, Answer::Committed), "{answer:?}");
    }
    let log = std::fs::metadata(dir.path().join("dandori.db-wal")).expect("there is a log").len();
    assert!(store.written().checkpoints > 2 && log < 40_000_000, "{log} after {:?}", store.written());
}
