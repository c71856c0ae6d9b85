//! Kill -9 at any moment: what was acknowledged is there, and a batch is there whole or not at all.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use store::conformance::block_on;
use store::{Answer, Store};
use store_sqlite::SqliteStore;

use crate::common::{TempDir, acquire, again, commit, id, options, step};

const WRITE: &str = "STORE_TEST_WRITE";

/// `STORE_KILLS` for more of them.
#[test]
fn what_was_acknowledged_survives_a_kill() {
    let kills = std::env::var("STORE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let dir = TempDir::new();
    let mut seed = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").subsec_nanos();
    let mut acknowledged = 0;
    for kill in 0..kills {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        acknowledged = write_and_kill(dir.path(), Duration::from_micros(u64::from(seed % 60_000))).max(acknowledged);
        let there = look(&dir.open());
        // One more may have been committed than was heard of.
        assert!(
            there == acknowledged || there == acknowledged + 1,
            "kill {kill}: {acknowledged} acknowledged, {there} there"
        );
        acknowledged = there;
    }
    assert!(acknowledged > 0, "nothing was ever written");
}

/// How many steps the child acknowledged before it was killed, some time after the first.
fn write_and_kill(dir: &Path, after: Duration) -> u64 {
    let mut child = again("crash::write", WRITE, &dir.display().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output is ours")).lines().map_while(Result::ok);
    let number = |line: &String| line.strip_prefix("acknowledged ")?.parse().ok();
    let first: Option<u64> = lines.by_ref().find_map(|line| number(&line));
    std::thread::sleep(after);
    child.kill().expect("it dies");
    child.wait().expect("it has died");
    lines.filter_map(|line| number(&line)).last().or(first).expect("the child has written something")
}

/// How many steps are there, once everything about them has been found in agreement.
fn look(store: &SqliteStore) -> u64 {
    let one = block_on(store.load(id("one"))).expect("it is read").expect("it is there");
    let other = block_on(store.load(id("other"))).expect("it is read").expect("it is there");
    assert_eq!(one.seq, other.seq, "a batch is there whole");
    assert_eq!(one.chunks.len() as u64, one.seq.0);
    one.seq.0
}

/// Not a test of its own: commits until it is killed.
#[test]
#[expect(clippy::print_stdout, reason = "its parent listens")]
fn write() {
    let Ok(dir) = std::env::var(WRITE) else { return };
    let store = SqliteStore::open(dir.as_ref(), options()).expect("the store opens");
    let epoch = acquire(&store);
    let begin = block_on(store.head(id("one"))).expect("it is read").map_or(0, |head| head.seq.0);
    println!();
    for expected in begin.. {
        let answer = commit(&store, epoch, vec![step("one", expected, 300), step("other", expected, 9_000)]);
        assert!(matches!(answer, Answer::Committed), "{answer:?}");
        println!("acknowledged {}", expected + 1);
    }
}
