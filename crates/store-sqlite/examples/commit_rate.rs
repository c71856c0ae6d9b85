//! How many steps a second are made durable, for 1, 10, 100 and 1,000 under way at once.
//!
//! ```text
//! cargo run --release -p store-sqlite --example commit_rate [directory] [seconds] [shape] [flying]
//! ```
//!
//! A step is what an execution of one Pass state is: a new value, a chunk of a kilobyte, two index rows. Each has its
//! own batch, as if each were of another shard. `update` has the second step of such a value; `batched` has the same
//! steps in batches of up to 100, as a busy shard sends them; `read` reads headers instead, while one commit after
//! another is made.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base::Id;
use bytes::Bytes;
use store::{Answer, Batch, Chunk, Epoch, IndexKey, IndexRow, Kind, Seq, ShardId, Step, Store};
use store_sqlite::{Options, SqliteStore, Written};

const SHARD: ShardId = ShardId(0);
const READ_VALUES: u64 = 10_000;

fn main() {
    let mut arguments = env::args().skip(1);
    let dir = arguments.next().map_or_else(|| env::temp_dir().join("commit-rate"), PathBuf::from);
    let seconds = arguments.next().map_or(3.0, |text| text.parse().expect("a number of seconds"));
    let only = |shape: Shape, wanted: &Option<String>| wanted.as_ref().is_none_or(|wanted| *wanted == shape.name());
    let (shape_wanted, flying_wanted) =
        (arguments.next(), arguments.next().map(|text| text.parse().expect("a number under way")));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime starts");
    println!(
        "{:>8} {:>8} {:>11} {:>9} {:>9} {:>8} {:>8} {:>7} {:>9}",
        "what", "flying", "steps/s", "commits/s", "per flush", "p50 ms", "p99 ms", "max ms", "pages/step"
    );
    for shape in [Shape::Create, Shape::Update, Shape::Batched, Shape::Read]
        .into_iter()
        .filter(|shape| only(*shape, &shape_wanted))
    {
        for flying in flying_wanted.map_or(vec![1, 10, 100, 1000], |flying| vec![flying]) {
            runtime.block_on(measure(&dir, shape, flying, Duration::from_secs_f64(seconds)));
        }
    }
    _ = std::fs::remove_dir_all(&dir);
}

#[derive(Debug, Clone, Copy)]
enum Shape {
    Create,
    Update,
    Batched,
    Read,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Shape::Create => "create",
            Shape::Update => "update",
            Shape::Batched => "batched",
            Shape::Read => "read",
        }
    }
}

async fn measure(dir: &Path, shape: Shape, flying: usize, lasting: Duration) {
    _ = std::fs::remove_dir_all(dir);
    let store =
        Arc::new(SqliteStore::open(dir, Options { ballast_bytes: 0, ..Options::default() }).expect("the store opens"));
    let epoch = store.acquire(SHARD).await.expect("the shard is taken");
    let number = Arc::new(AtomicU64::new(0));
    let (workers, per_batch) = match shape {
        Shape::Create | Shape::Update | Shape::Read => (flying, 1),
        Shape::Batched => (flying.div_ceil(100), flying.min(100)),
    };
    if matches!(shape, Shape::Read) {
        let steps = (0..READ_VALUES).map(|_| step(number.fetch_add(1, Ordering::Relaxed), 0)).collect();
        store.commit(Batch { shard: SHARD, epoch, steps }).await;
        tokio::spawn(work(Arc::clone(&store), epoch, Arc::clone(&number), Shape::Create, 1, Instant::now() + lasting));
    }
    let (before, began) = (store.written(), Instant::now());
    let worker = |_| match shape {
        Shape::Create | Shape::Update | Shape::Batched => {
            tokio::spawn(work(Arc::clone(&store), epoch, Arc::clone(&number), shape, per_batch, began + lasting))
        }
        Shape::Read => tokio::spawn(read(Arc::clone(&store), Arc::clone(&number), began + lasting)),
    };
    let tasks: Vec<_> = (0..workers).map(worker).collect();
    let mut times = vec![];
    for task in tasks {
        times.extend(task.await.expect("the work is done"));
    }
    report(shape, flying, per_batch, times, began.elapsed(), before, store.written());
}

async fn work(
    store: Arc<SqliteStore>,
    epoch: Epoch,
    number: Arc<AtomicU64>,
    shape: Shape,
    per_batch: usize,
    until: Instant,
) -> Vec<Duration> {
    let mut times = vec![];
    while Instant::now() < until {
        let numbers: Vec<u64> = (0..per_batch).map(|_| number.fetch_add(1, Ordering::Relaxed)).collect();
        let mut commits = vec![numbers.iter().map(|number| step(*number, 0)).collect::<Vec<Step>>()];
        if matches!(shape, Shape::Update) {
            commits.push(numbers.iter().map(|number| step(*number, 1)).collect());
        }
        for steps in commits {
            let asked = Instant::now();
            let answer = store.commit(Batch { shard: SHARD, epoch, steps }).await;
            assert!(matches!(answer, Answer::Committed), "{answer:?}");
            times.push(asked.elapsed());
        }
    }
    times
}

async fn read(store: Arc<SqliteStore>, number: Arc<AtomicU64>, until: Instant) -> Vec<Duration> {
    let mut times = vec![];
    while Instant::now() < until {
        let wanted =
            number.load(Ordering::Relaxed).wrapping_mul(7_919).wrapping_add(times.len() as u64 * 104_729) % READ_VALUES;
        let asked = Instant::now();
        let head = store.head(Id::of("execution", &wanted.to_string())).await.expect("it is read");
        assert!(head.is_some());
        times.push(asked.elapsed());
    }
    times
}

fn step(number: u64, expected: u64) -> Step {
    let id = Id::of("execution", &number.to_string());
    let row = |list: &'static str| IndexRow {
        at: IndexKey { list: Bytes::from_static(list.as_bytes()), key: Bytes::from(format!("{number:016}{id}")) },
        value: Bytes::from_static(&[7; 200]),
    };
    Step {
        id,
        kind: Kind(1),
        expected: Seq(expected),
        header: Bytes::from_static(&[1; 200]),
        chunks: vec![Chunk { first: Seq(expected), count: 1, bytes: Bytes::from_static(&[2; 1000]) }],
        index_put: vec![
            row("executions/000000000000/eu-central-1/machine/one"),
            row("executions/000000000000/eu-central-1/machine/one/SUCCEEDED"),
        ],
        ..Step::default()
    }
}

fn report(
    shape: Shape,
    flying: usize,
    per_batch: usize,
    mut times: Vec<Duration>,
    took: Duration,
    before: Written,
    after: Written,
) {
    times.sort_unstable();
    let ms = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    let steps = (times.len() * per_batch) as f64;
    let commits = (after.commits - before.commits) as f64;
    let pages = (after.pages - before.pages) as f64;
    println!(
        "{:>8} {flying:>8} {:>11.0} {:>9.0} {:>9.1} {:>8.2} {:>8.2} {:>7.1} {:>9.2}",
        shape.name(),
        steps / took.as_secs_f64(),
        commits / took.as_secs_f64(),
        steps / commits,
        ms(0.5),
        ms(0.99),
        ms(1.0),
        pages / steps,
    );
}
