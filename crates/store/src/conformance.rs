//! What every store must do. Each function is one claim, about a store that has nothing in it yet.
//!
//! An implementation says how a test gets its store, and has all the claims for tests:
//!
//! ```ignore
//! fn with_store(test: &mut dyn FnMut(&dyn Store)) {
//!     test(&MemoryStore::new());
//! }
//! store::conformance_tests!(with_store);
//! ```
//!
//! A claim that is missing here is added here, and in the list of [`conformance_tests`](crate::conformance_tests).

pub mod model;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use base::{Id, Timestamp};
use bytes::Bytes;

use crate::{
    Answer, Answering, Batch, Chunk, Direction, Due, Epoch, IndexKey, IndexRow, Kind, Seq, ShardId, Snapshot, Step,
    Store, Timer,
};

/// One test for each claim. `$with` is a function that calls the test with a new store.
#[macro_export]
macro_rules! conformance_tests {
    ($with:path) => {
        $crate::conformance_tests!($with:
            a_value_is_read_as_it_was_written,
            what_was_never_written_is_not_there,
            a_stale_commit_conflicts,
            of_two_creations_one_lands,
            a_batch_is_all_or_nothing,
            an_older_epoch_is_fenced,
            a_shard_that_nobody_took_is_fenced,
            epochs_of_shards_are_apart,
            fenced_comes_before_conflict,
            a_claimed_name_is_taken_for_good,
            a_name_claimed_twice_in_a_batch_conflicts,
            the_kind_is_that_of_the_first_step,
            load_gives_snapshot_and_what_came_since,
            a_later_snapshot_replaces,
            chunks_page_both_ways,
            chunks_end_where_the_events_end,
            timers_come_in_order_of_due,
            timers_page_without_gap_or_repeat,
            a_timer_is_set_once_and_cleared_once,
            index_rows_page_both_ways_and_can_be_deleted,
            an_index_row_put_again_is_replaced,
            lists_are_apart,
            owing_lists_what_owes,
            an_empty_batch_commits,
            large_payloads_come_back_whole,
            concurrent_batches_of_several_shards_all_land,
            of_concurrent_steps_of_one_value_one_lands,
            a_commit_whose_answer_nobody_waits_for_happens_whole,
            a_random_stream_is_answered_as_memory_answers_it,
        );
    };
    ($with:path: $($claim:ident),* $(,)?) => {
        $(
            #[test]
            fn $claim() {
                $with(&mut |store: &dyn $crate::Store| $crate::conformance::block_on($crate::conformance::$claim(store)));
            }
        )*
    };
}

/// Runs a future to its end on this thread, for tests that need no more of a runtime than that.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Waits for all of several answers, all of them under way at once.
pub async fn all<T>(mut asked: Vec<Answering<'_, T>>) -> Vec<T> {
    let mut answers: Vec<Option<T>> = asked.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (answering, answer) in asked.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(value) = Pin::new(answering).poll(context)
            {
                *answer = Some(value);
            }
        }
        match answers.iter().all(Option::is_some) {
            true => Poll::Ready(answers.drain(..).flatten().collect()),
            false => Poll::Pending,
        }
    })
    .await
}

const SHARD: ShardId = ShardId(1);

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn id(name: &str) -> Id {
    Id::of("conformance", name)
}

fn chunk(first: u64, count: u32, text: &str) -> Chunk {
    Chunk { first: Seq(first), count, bytes: bytes(text) }
}

/// A step of one event that says where it stands.
fn step(name: &str, expected: u64) -> Step {
    Step {
        id: id(name),
        kind: Kind(1),
        expected: Seq(expected),
        header: bytes(&format!("{name} after {expected}")),
        chunks: vec![chunk(expected, 1, &format!("{name} {expected}"))],
        ..Step::default()
    }
}

/// One owner of one shard, for tests that are about what it commits.
struct Owner<'a> {
    store: &'a dyn Store,
    shard: ShardId,
    epoch: Epoch,
}

impl<'a> Owner<'a> {
    async fn of(store: &'a dyn Store, shard: ShardId) -> Owner<'a> {
        let epoch = store.acquire(shard).await.expect("the shard is taken");
        Owner { store, shard, epoch }
    }

    fn ask(&self, steps: Vec<Step>) -> Answering<'a, Answer> {
        self.store.commit(Batch { shard: self.shard, epoch: self.epoch, steps })
    }

    async fn commit(&self, steps: Vec<Step>) {
        let answer = self.ask(steps).await;
        assert!(matches!(answer, Answer::Committed), "{answer:?}");
    }

    async fn conflicts(&self, steps: Vec<Step>, with: &str) {
        let answer = self.ask(steps).await;
        assert!(matches!(answer, Answer::Conflict(at) if at == id(with)), "{answer:?}, not a conflict with {with}");
    }
}

async fn seq(store: &dyn Store, name: &str) -> Option<u64> {
    store.head(id(name)).await.expect("heads are read").map(|head| head.seq.0)
}

pub async fn a_value_is_read_as_it_was_written(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    let first = Step { chunks: vec![chunk(0, 2, "ab"), chunk(2, 1, "c")], ..step("a", 0) };
    owner.commit(vec![first]).await;
    owner.commit(vec![step("a", 3)]).await;

    let head = store.head(id("a")).await.expect("heads are read").expect("there is one");
    assert_eq!((head.kind, head.seq, &head.header[..]), (Kind(1), Seq(4), &b"a after 3"[..]));
    let loaded = store.load(id("a")).await.expect("values are read").expect("there is one");
    assert_eq!((loaded.kind, loaded.seq, loaded.header, loaded.snapshot), (head.kind, head.seq, head.header, None));
    assert_eq!(loaded.chunks, [chunk(0, 2, "ab"), chunk(2, 1, "c"), chunk(3, 1, "a 3")]);
}

pub async fn what_was_never_written_is_not_there(store: &dyn Store) {
    assert_eq!(store.head(id("a")).await.expect("read"), None);
    assert_eq!(store.load(id("a")).await.expect("read"), None);
    assert_eq!(store.chunks(id("a"), Seq(0), Direction::Forward, 10).await.expect("read"), []);
    assert_eq!(store.chunks(id("a"), Seq(9), Direction::Backward, 10).await.expect("read"), []);
    assert_eq!(store.index(bytes("list"), None, Direction::Forward, 10).await.expect("read"), []);
    assert_eq!(store.timers(SHARD, None, 10).await.expect("read"), []);
    assert_eq!(store.owing(SHARD, None, 10).await.expect("read"), []);
}

pub async fn a_stale_commit_conflicts(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    owner.commit(vec![step("a", 0)]).await;
    owner.commit(vec![step("a", 1)]).await;
    owner.conflicts(vec![step("a", 1)], "a").await;
    owner.conflicts(vec![step("a", 3)], "a").await;
    owner.conflicts(vec![step("never", 1)], "never").await;
    assert_eq!((seq(store, "a").await, seq(store, "never").await), (Some(2), None));
}

pub async fn of_two_creations_one_lands(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    let answers = all(vec![owner.ask(vec![step("a", 0)]), owner.ask(vec![step("a", 0)])]).await;
    let landed = answers.iter().filter(|answer| matches!(answer, Answer::Committed)).count();
    let refused = answers.iter().filter(|answer| matches!(answer, Answer::Conflict(at) if *at == id("a"))).count();
    assert_eq!((landed, refused), (1, 1), "{answers:?}");
}

/// Whichever step conflicts, and whatever it had with it, nothing of the batch is to be seen.
pub async fn a_batch_is_all_or_nothing(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    owner.commit(vec![step("old", 0)]).await;
    let full = Step {
        snapshot: Some(Snapshot { at: Seq(1), bytes: bytes("snapshot") }),
        timers_set: vec![Timer { due: Timestamp(1), timer: 1 }],
        owes: Some(true),
        index_put: vec![IndexRow { at: IndexKey { list: bytes("list"), key: bytes("key") }, value: bytes("value") }],
        claims: vec![bytes("name")],
        ..step("new", 0)
    };
    owner.conflicts(vec![full.clone(), step("old", 0)], "old").await;
    owner.conflicts(vec![step("old", 1), full.clone(), step("gone", 7)], "gone").await;

    assert_eq!((seq(store, "new").await, seq(store, "old").await), (None, Some(1)));
    assert_eq!(store.index(bytes("list"), None, Direction::Forward, 10).await.expect("read"), []);
    assert_eq!(store.timers(SHARD, None, 10).await.expect("read"), []);
    assert_eq!(store.owing(SHARD, None, 10).await.expect("read"), []);
    owner.commit(vec![full, step("old", 1)]).await;
    assert_eq!((seq(store, "new").await, seq(store, "old").await), (Some(1), Some(2)));
}

pub async fn an_older_epoch_is_fenced(store: &dyn Store) {
    let before = Owner::of(store, SHARD).await;
    before.commit(vec![step("a", 0)]).await;
    let after = Owner::of(store, SHARD).await;
    assert!(after.epoch > before.epoch);
    let answer = before.ask(vec![step("a", 1)]).await;
    assert!(matches!(answer, Answer::Fenced), "{answer:?}");
    assert_eq!(seq(store, "a").await, Some(1));
    after.commit(vec![step("a", 1)]).await;
}

pub async fn a_shard_that_nobody_took_is_fenced(store: &dyn Store) {
    for epoch in [Epoch(0), Epoch(1)] {
        let answer = Owner { store, shard: SHARD, epoch }.ask(vec![step("a", 0)]).await;
        assert!(matches!(answer, Answer::Fenced), "{answer:?}");
    }
}

pub async fn epochs_of_shards_are_apart(store: &dyn Store) {
    let one = Owner::of(store, ShardId(1)).await;
    let other = Owner::of(store, ShardId(2)).await;
    let _ = Owner::of(store, ShardId(2)).await;
    one.commit(vec![step("a", 0)]).await;
    let answer = other.ask(vec![step("b", 0)]).await;
    assert!(matches!(answer, Answer::Fenced), "{answer:?}");
}

pub async fn fenced_comes_before_conflict(store: &dyn Store) {
    let before = Owner::of(store, SHARD).await;
    before.commit(vec![step("a", 0)]).await;
    let _ = Owner::of(store, SHARD).await;
    let answer = before.ask(vec![step("a", 0)]).await;
    assert!(matches!(answer, Answer::Fenced), "{answer:?}");
}

pub async fn a_claimed_name_is_taken_for_good(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    let other = Owner::of(store, ShardId(2)).await;
    let claiming = |name: &str, expected: u64| Step { claims: vec![bytes("the name")], ..step(name, expected) };
    owner.commit(vec![claiming("a", 0)]).await;
    owner.conflicts(vec![claiming("b", 0)], "b").await;
    other.conflicts(vec![claiming("c", 0)], "c").await;
    owner.conflicts(vec![claiming("a", 1)], "a").await;
    assert_eq!((seq(store, "a").await, seq(store, "b").await, seq(store, "c").await), (Some(1), None, None));
}

pub async fn a_name_claimed_twice_in_a_batch_conflicts(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    let claiming = |name: &str| Step { claims: vec![bytes("the name")], ..step(name, 0) };
    owner.conflicts(vec![claiming("a"), step("b", 0), claiming("c")], "c").await;
    owner.commit(vec![claiming("a")]).await;
}

pub async fn the_kind_is_that_of_the_first_step(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    owner.commit(vec![Step { kind: Kind(7), ..step("a", 0) }]).await;
    owner.commit(vec![Step { kind: Kind(8), ..step("a", 1) }]).await;
    let head = store.head(id("a")).await.expect("read").expect("there");
    assert_eq!(head.kind, Kind(7));
}

pub async fn load_gives_snapshot_and_what_came_since(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    owner.commit(vec![step("a", 0)]).await;
    let snapshot = Snapshot { at: Seq(2), bytes: bytes("of two") };
    owner.commit(vec![Step { snapshot: Some(snapshot.clone()), ..step("a", 1) }]).await;
    let loaded = store.load(id("a")).await.expect("read").expect("there");
    assert_eq!((loaded.snapshot, loaded.chunks), (Some(snapshot.clone()), vec![]));

    owner.commit(vec![step("a", 2)]).await;
    owner.commit(vec![step("a", 3)]).await;
    let loaded = store.load(id("a")).await.expect("read").expect("there");
    assert_eq!((loaded.seq, loaded.snapshot), (Seq(4), Some(snapshot)));
    assert_eq!(loaded.chunks, [chunk(2, 1, "a 2"), chunk(3, 1, "a 3")]);
}

/// A snapshot may be of an earlier moment than the step that brings it, and end inside a chunk.
pub async fn a_later_snapshot_replaces(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    let brings =
        |at: u64, text: &str, step: Step| Step { snapshot: Some(Snapshot { at: Seq(at), bytes: bytes(text) }), ..step };
    owner.commit(vec![brings(1, "one", step("a", 0))]).await;
    let long = Step { chunks: vec![chunk(1, 4, "bcde")], ..step("a", 1) };
    owner.commit(vec![brings(3, "two", long)]).await;
    let loaded = store.load(id("a")).await.expect("read").expect("there");
    assert_eq!(loaded.snapshot, Some(Snapshot { at: Seq(3), bytes: bytes("two") }));
    assert_eq!(loaded.chunks, [chunk(1, 4, "bcde")]);
}

/// Events 0 to 9 in chunks of 3, 1, 4 and 2.
async fn ten_events(owner: &Owner<'_>) {
    owner.commit(vec![Step { chunks: vec![chunk(0, 3, "abc"), chunk(3, 1, "d")], ..step("a", 0) }]).await;
    owner.commit(vec![Step { chunks: vec![chunk(4, 4, "efgh"), chunk(8, 2, "ij")], ..step("a", 4) }]).await;
}

async fn chunks(store: &dyn Store, from: u64, direction: Direction, events: u32) -> String {
    let chunks = store.chunks(id("a"), Seq(from), direction, events).await.expect("read");
    let texts: Vec<String> = chunks.iter().map(|chunk| String::from_utf8_lossy(&chunk.bytes).into_owned()).collect();
    texts.join(" ")
}

pub async fn chunks_page_both_ways(store: &dyn Store) {
    use Direction::{Backward, Forward};
    ten_events(&Owner::of(store, SHARD).await).await;
    // The neighbours of a value are not its own.
    Owner::of(store, SHARD).await.commit(vec![step("before", 0), step("behind", 0)]).await;

    assert_eq!(chunks(store, 0, Forward, 3).await, "abc");
    assert_eq!(chunks(store, 0, Forward, 4).await, "abc d");
    assert_eq!(chunks(store, 2, Forward, 1).await, "abc");
    assert_eq!(chunks(store, 2, Forward, 3).await, "abc d efgh");
    assert_eq!(chunks(store, 5, Forward, 100).await, "efgh ij");
    assert_eq!(chunks(store, 9, Backward, 2).await, "ij");
    assert_eq!(chunks(store, 8, Backward, 2).await, "ij efgh");
    assert_eq!(chunks(store, 5, Backward, 2).await, "efgh");
    assert_eq!(chunks(store, 5, Backward, 3).await, "efgh d");
    assert_eq!(chunks(store, 3, Backward, 100).await, "d abc");
}

pub async fn chunks_end_where_the_events_end(store: &dyn Store) {
    use Direction::{Backward, Forward};
    ten_events(&Owner::of(store, SHARD).await).await;
    assert_eq!(chunks(store, 10, Forward, 5).await, "");
    assert_eq!(chunks(store, u64::MAX, Forward, 5).await, "");
    assert_eq!(chunks(store, 10, Backward, 2).await, "ij");
    assert_eq!(chunks(store, u64::MAX, Backward, 3).await, "ij efgh");
    assert_eq!(chunks(store, 0, Forward, 0).await, "");
    assert_eq!(chunks(store, 9, Backward, 0).await, "");
    assert_eq!(chunks(store, 0, Forward, u32::MAX).await, "abc d efgh ij");
    assert_eq!(chunks(store, 0, Backward, u32::MAX).await, "abc");
}

fn timer(due: i64, timer: u64) -> Timer {
    Timer { due: Timestamp(due), timer }
}

async fn timers(store: &dyn Store, after: Option<Due>, limit: u32) -> Vec<Due> {
    store.timers(SHARD, after, limit).await.expect("timers are read")
}

pub async fn timers_come_in_order_of_due(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    let other = Owner::of(store, ShardId(2)).await;
    owner
        .commit(vec![Step { timers_set: vec![timer(30, 1), timer(10, 2), timer(-5, u64::MAX)], ..step("a", 0) }])
        .await;
    owner.commit(vec![Step { timers_set: vec![timer(20, 0), timer(10, 2)], ..step("b", 0) }]).await;
    other.commit(vec![Step { timers_set: vec![timer(1, 1)], ..step("c", 0) }]).await;

    let due = |due: i64, name: &str, timer: u64| Due { due: Timestamp(due), id: id(name), timer };
    let mut expected = vec![due(-5, "a", u64::MAX), due(10, "a", 2), due(10, "b", 2), due(20, "b", 0), due(30, "a", 1)];
    expected.sort();
    assert_eq!(timers(store, None, 100).await, expected);
    assert_eq!(timers(store, None, 2).await, expected[..2]);
}

pub async fn timers_page_without_gap_or_repeat(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    for name in ["a", "b", "c"] {
        let timers_set = (0..7).map(|n| timer(n / 3, n.unsigned_abs())).collect();
        owner.commit(vec![Step { timers_set, ..step(name, 0) }]).await;
    }
    let whole = timers(store, None, 100).await;
    let mut paged: Vec<Due> = vec![];
    loop {
        let page = timers(store, paged.last().copied(), 4).await;
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!((paged.len(), paged), (21, whole));
}

pub async fn a_timer_is_set_once_and_cleared_once(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    owner.commit(vec![Step { timers_set: vec![timer(1, 1), timer(2, 1)], ..step("a", 0) }]).await;
    owner.commit(vec![Step { timers_set: vec![timer(1, 1)], timers_cleared: vec![timer(7, 7)], ..step("a", 1) }]).await;
    assert_eq!(timers(store, None, 10).await.len(), 2);
    owner.commit(vec![Step { timers_cleared: vec![timer(1, 1)], ..step("a", 2) }]).await;
    assert_eq!(timers(store, None, 10).await, [Due { due: Timestamp(2), id: id("a"), timer: 1 }]);
    let again = Step { timers_set: vec![timer(2, 1)], timers_cleared: vec![timer(2, 1)], ..step("a", 3) };
    owner.commit(vec![again]).await;
    assert_eq!(timers(store, None, 10).await.len(), 1, "what is both cleared and set stands");
}

fn key(list: &str, key: &str) -> IndexKey {
    IndexKey { list: bytes(list), key: bytes(key) }
}

fn row(list: &str, at: &str, value: &str) -> IndexRow {
    IndexRow { at: key(list, at), value: bytes(value) }
}

async fn keys(store: &dyn Store, list: &str, after: Option<&str>, direction: Direction, limit: u32) -> String {
    let rows = store.index(bytes(list), after.map(bytes), direction, limit).await.expect("rows are read");
    assert!(rows.iter().all(|row| row.at.list == list));
    let texts: Vec<String> = rows.iter().map(|row| String::from_utf8_lossy(&row.at.key).into_owned()).collect();
    texts.join(" ")
}

pub async fn index_rows_page_both_ways_and_can_be_deleted(store: &dyn Store) {
    use Direction::{Backward, Forward};
    let owner = Owner::of(store, SHARD).await;
    let index_put = ["b", "a", "ab", "d", "c"].map(|at| row("list", at, "")).to_vec();
    owner.commit(vec![Step { index_put, ..step("a", 0) }]).await;

    assert_eq!(keys(store, "list", None, Forward, 10).await, "a ab b c d");
    assert_eq!(keys(store, "list", None, Forward, 2).await, "a ab");
    assert_eq!(keys(store, "list", Some("ab"), Forward, 2).await, "b c");
    assert_eq!(keys(store, "list", Some("aa"), Forward, 1).await, "ab", "the place paged from may be gone");
    assert_eq!(keys(store, "list", Some("d"), Forward, 2).await, "");
    assert_eq!(keys(store, "list", None, Backward, 2).await, "d c");
    assert_eq!(keys(store, "list", Some("c"), Backward, 2).await, "b ab");
    assert_eq!(keys(store, "list", Some("a"), Backward, 2).await, "");
    assert_eq!(keys(store, "list", None, Forward, 0).await, "");

    owner.commit(vec![Step { index_deleted: vec![key("list", "b"), key("list", "no such")], ..step("a", 1) }]).await;
    assert_eq!(keys(store, "list", None, Forward, 10).await, "a ab c d");
    assert_eq!(keys(store, "list", Some("b"), Backward, 10).await, "ab a");
}

pub async fn an_index_row_put_again_is_replaced(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    owner.commit(vec![Step { index_put: vec![row("list", "a", "old")], ..step("a", 0) }]).await;
    owner
        .commit(vec![Step {
            index_put: vec![row("list", "a", "new")],
            index_deleted: vec![key("list", "a")],
            ..step("b", 0)
        }])
        .await;
    let rows = store.index(bytes("list"), None, Direction::Forward, 10).await.expect("read");
    assert_eq!(rows, [row("list", "a", "new")]);
}

pub async fn lists_are_apart(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    let index_put = vec![
        row("", "empty", ""),
        row("a", "1", ""),
        row("aa", "2", ""),
        row("a\0", "3", ""),
        row("a", "", ""),
        row("b", "4", ""),
    ];
    owner.commit(vec![Step { index_put, ..step("a", 0) }]).await;
    assert_eq!(keys(store, "a", None, Direction::Forward, 10).await, " 1");
    assert_eq!(keys(store, "a", None, Direction::Backward, 10).await, "1 ");
    assert_eq!(keys(store, "a", Some(""), Direction::Forward, 10).await, "1");
    assert_eq!(keys(store, "a\0", None, Direction::Backward, 10).await, "3");
    assert_eq!(keys(store, "", None, Direction::Forward, 10).await, "empty");
}

pub async fn owing_lists_what_owes(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    let other = Owner::of(store, ShardId(2)).await;
    let owes = |owes: Option<bool>, step: Step| Step { owes, ..step };
    owner.commit(vec![owes(Some(true), step("a", 0)), owes(Some(false), step("b", 0)), owes(None, step("c", 0))]).await;
    owner.commit(vec![owes(Some(true), step("d", 0)), owes(Some(true), step("b", 1)), owes(None, step("a", 1))]).await;
    other.commit(vec![owes(Some(true), step("elsewhere", 0))]).await;
    let mut expected = vec![id("a"), id("b"), id("d")];
    expected.sort();
    assert_eq!(store.owing(SHARD, None, 10).await.expect("read"), expected);
    assert_eq!(store.owing(SHARD, None, 2).await.expect("read"), expected[..2]);
    assert_eq!(store.owing(SHARD, Some(expected[0]), 10).await.expect("read"), expected[1..]);
    assert_eq!(store.owing(SHARD, Some(Id(u128::MAX)), 10).await.expect("read"), []);

    owner.commit(vec![owes(Some(false), step("a", 2)), owes(Some(true), step("d", 1))]).await;
    expected.retain(|owing| *owing != id("a"));
    assert_eq!(store.owing(SHARD, None, 10).await.expect("read"), expected);
    assert_eq!(store.owing(ShardId(2), None, 10).await.expect("read"), [id("elsewhere")]);
}

pub async fn an_empty_batch_commits(store: &dyn Store) {
    Owner::of(store, SHARD).await.commit(vec![]).await;
}

pub async fn large_payloads_come_back_whole(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    let large = Bytes::from((0..3_000_000_u32).map(|n| (n % 251) as u8).collect::<Vec<u8>>());
    let empty = Chunk { first: Seq(0), count: 1, bytes: Bytes::new() };
    let chunks = vec![empty, Chunk { first: Seq(1), count: 1_000_000, bytes: large.clone() }];
    let snapshot = Some(Snapshot { at: Seq(1), bytes: large.clone() });
    let index_put = vec![IndexRow { at: key("list", "large"), value: large.slice(..100_000) }];
    let step = Step {
        header: large.slice(..200_000),
        chunks: chunks.clone(),
        snapshot,
        index_put: index_put.clone(),
        ..step("a", 0)
    };
    owner.commit(vec![step]).await;
    let loaded = store.load(id("a")).await.expect("read").expect("there");
    assert!(
        loaded.header == large[..200_000]
            && loaded.chunks == chunks[1..]
            && loaded.snapshot.is_some_and(|snapshot| snapshot.bytes == large)
    );
    assert!(store.chunks(id("a"), Seq(0), Direction::Forward, 2).await.expect("read") == chunks);
    assert!(store.index(bytes("list"), None, Direction::Forward, 2).await.expect("read") == index_put);
}

/// Batches that are under way together share what they can; each has its own answer.
pub async fn concurrent_batches_of_several_shards_all_land(store: &dyn Store) {
    const SHARDS: u16 = 4;
    const VALUES: u64 = 50;
    let mut owners = vec![];
    for shard in 0..SHARDS {
        owners.push(Owner::of(store, ShardId(shard)).await);
    }
    let name = |owner: &Owner<'_>, value: u64| format!("{} of {}", value, owner.shard.0);
    for round in 0..3 {
        let ask = |value: u64| {
            owners.iter().map(move |owner| {
                owner.ask(vec![step(&name(owner, value), round), step(&format!("{}'", name(owner, value)), round)])
            })
        };
        let doomed =
            owners.iter().map(|owner| owner.ask(vec![step(&name(owner, VALUES + round), 0), step("no such", 99)]));
        let (mut asked, mut doomed): (Vec<_>, Vec<_>) = ((0..VALUES).flat_map(ask).collect(), doomed.collect());
        let expected = asked.len();
        asked.append(&mut doomed);
        let answers = all(asked).await;
        assert!(answers[..expected].iter().all(|answer| matches!(answer, Answer::Committed)), "{answers:?}");
        assert!(
            answers[expected..].iter().all(|answer| matches!(answer, Answer::Conflict(at) if *at == id("no such"))),
            "{answers:?}"
        );
    }
    for owner in &owners {
        for value in 0..VALUES {
            assert_eq!(seq(store, &name(owner, value)).await, Some(3));
            assert_eq!(seq(store, &format!("{}'", name(owner, value))).await, Some(3));
        }
        assert_eq!(seq(store, &name(owner, VALUES)).await, None);
    }
}

pub async fn of_concurrent_steps_of_one_value_one_lands(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    for expected in 0..20 {
        let answers = all((0..10).map(|_| owner.ask(vec![step("a", expected)])).collect()).await;
        let landed = answers.iter().filter(|answer| matches!(answer, Answer::Committed)).count();
        assert_eq!(landed, 1, "{answers:?}");
    }
    let loaded = store.load(id("a")).await.expect("read").expect("there");
    assert_eq!((loaded.seq, loaded.chunks.len()), (Seq(20), 20));
}

/// Whoever stops waiting has an [`Answer::Unknown`] of their own making: it is there whole, or not at all.
pub async fn a_commit_whose_answer_nobody_waits_for_happens_whole(store: &dyn Store) {
    let owner = Owner::of(store, SHARD).await;
    drop(owner.ask(vec![step("a", 0), step("b", 0)]));
    owner.commit(vec![step("c", 0)]).await;
    assert_eq!(seq(store, "a").await, seq(store, "b").await);
}

pub async fn a_random_stream_is_answered_as_memory_answers_it(store: &dyn Store) {
    model::agrees_with_memory(store, 1, 2_000).await;
}
