//! Damage is detected, not served.

use store::conformance::block_on;
use store::{Answer, Direction, Seq, Snapshot, Step, Store};

use crate::common::{TempDir, acquire, commit, id, step};

/// Does `sql` to a closed store that holds three steps of one value, and gives what loading it says then.
fn load_after(sql: &str) -> String {
    let dir = TempDir::new();
    let store = dir.open();
    let epoch = acquire(&store);
    for expected in 0..3 {
        let snapshot = (expected == 0).then(|| Snapshot { at: Seq(0), bytes: vec![1, 2, 3].into() });
        assert!(matches!(commit(&store, epoch, vec![Step { snapshot, ..step("a", expected, 50) }]), Answer::Committed));
    }
    drop(store);
    let database = rusqlite::Connection::open(dir.path().join("dandori.db")).expect("it opens");
    assert!(database.execute(sql, []).expect("the damage is done") > 0);
    drop(database);
    let store = dir.open();
    let loaded = block_on(store.load(id("a")));
    let listed = block_on(store.index("list".into(), None, Direction::Forward, 10));
    match (loaded, listed) {
        (Err(error), _) | (_, Err(error)) => {
            let source = std::error::Error::source(&error).expect("it has a cause").to_string();
            format!("{error}: {source}").replace(&id("a").to_string(), "a")
        }
        (Ok(_), Ok(_)) => "nothing".to_owned(),
    }
}

#[test]
fn a_record_that_changed_is_named() {
    let changed = load_after("UPDATE chunk SET bytes = zeroblob(50) WHERE place & 0xffffff = 1");
    assert_eq!(changed, "failed to load a value: the chunk at event 1 of a is damaged");
    assert_eq!(load_after("UPDATE value SET header = x'00'"), "failed to load a value: the header of a is damaged");
    assert_eq!(load_after("UPDATE value SET seq = 2"), "failed to load a value: the header of a is damaged");
    assert_eq!(
        load_after("UPDATE snapshot SET bytes = x'010204'"),
        "failed to load a value: the snapshot of a is damaged"
    );
    assert_eq!(load_after("UPDATE idx SET value = x'00'"), "failed to read an index: row a of index list is damaged");
}

#[test]
fn a_record_that_is_missing_or_elsewhere_is_noticed() {
    let gap = "failed to load a value: the sequence of events of a is damaged";
    assert_eq!(load_after("DELETE FROM chunk WHERE place & 0xffffff = 1"), gap);
    assert_eq!(load_after("DELETE FROM chunk WHERE place & 0xffffff = 0"), gap);
    assert_eq!(load_after("DELETE FROM chunk WHERE place & 0xffffff = 2"), gap);
    assert_eq!(load_after("DELETE FROM chunk"), gap);
    let moved = load_after("UPDATE chunk SET place = place + 1 WHERE place & 0xffffff = 2");
    assert_eq!(moved, "failed to load a value: the chunk at event 3 of a is damaged");
}
