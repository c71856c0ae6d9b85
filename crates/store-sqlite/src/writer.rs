//! The one thread that writes.
//!
//! It takes what has queued, makes one transaction of it, and answers each batch by itself. Under load the queue is
//! what came while the last flush ran, so that the flush is shared by as many as there are; alone, nobody waits.
//!
//! **Invariant:** an answer is sent only after the transaction that it speaks of has ended.
//!
//! The queue has no end of its own: each shard has at most a few batches under way.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base::Id;
use rusqlite::{Connection, DEFAULT_NAME, ErrorCode, wal};
use store::{Answer, Answering, Batch, Epoch, Error, ShardId, Step};
use tokio::sync::{oneshot, watch};

use crate::directory::Directory;
use crate::schema::{self, PAGE_BYTES};
use crate::table::{Cost, Refusal, Tables};
use crate::{OpenError, Written};

/// A transaction ends when it has this many steps, or this many bytes, so that nobody waits long for others.
const TRANSACTION_STEPS_MAX: usize = 2_000;
const TRANSACTION_BYTES_MAX: usize = 8 << 20;

/// The log is carried over when it has so much that is not, at a quiet moment or at once. The second is a compromise:
/// twice as much is a tenth more steps a second, and commits wait twice as long meanwhile (20 ms for these).
const LOG_BYTES_QUIET: u64 = 1 << 20;
const LOG_BYTES_BUSY: u64 = 8 << 20;
/// Readers can keep the log from starting over; when it has become this large, they are waited for.
const LOG_BYTES_MAX: u64 = 256 << 20;

const QUIET: Duration = Duration::from_millis(10);
const LOOK_EVERY: Duration = Duration::from_millis(250);

enum Job {
    Commit { batch: Batch, reply: oneshot::Sender<Answer> },
    Acquire { shard: ShardId, reply: oneshot::Sender<Result<Epoch, Error>> },
}

/// What to say to a job once the transaction has ended well.
enum Outcome {
    Committed,
    Fenced,
    Refused(Refusal),
    Full,
    Acquired(Epoch),
}

/// Why a transaction did not end well. Nothing of it is there, or ([`Failed::Broken`]) nobody knows.
enum Failed {
    Full,
    Broken(Broken),
}

/// The disk, or the library, did what we cannot answer for.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
struct Broken(Arc<str>);

#[derive(Debug, thiserror::Error)]
#[error("value {0} has all the events it can have")]
struct TooLong(Id);

#[derive(Debug, thiserror::Error)]
#[error("the store is closed")]
struct Closed;

#[derive(Debug, Default)]
pub(crate) struct Counters {
    rows: AtomicU64,
    bytes: AtomicU64,
    batches: AtomicU64,
    commits: AtomicU64,
    pages: AtomicU64,
    checkpoints: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> Written {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Written {
            rows: read(&self.rows),
            bytes: read(&self.bytes),
            batches: read(&self.batches),
            commits: read(&self.commits),
            pages: read(&self.pages),
            checkpoints: read(&self.checkpoints),
        }
    }
}

/// The way to the thread. Dropping it lets the thread end its queue, and waits for that.
pub(crate) struct Writer {
    queue: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
    poisoned: watch::Receiver<bool>,
}

impl Writer {
    pub(crate) fn start(connection: Connection, directory: Arc<Directory>) -> Result<Writer, OpenError> {
        let path = directory.path().to_owned();
        let (queue, jobs) = channel();
        let (ready, started) = channel();
        let (poison, poisoned) = watch::channel(false);
        let counters = Arc::new(Counters::default());
        let of_thread = (Arc::clone(&counters), poison);
        let run = move || match Work::prepare(&connection, jobs, directory, of_thread) {
            Ok(mut work) => {
                _ = ready.send(Ok(()));
                work.run();
            }
            Err(error) => _ = ready.send(Err(error)),
        };
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(run);
        let thread = thread.map_err(|source| OpenError::Io { directory: path.clone(), source })?;
        match started.recv() {
            Ok(Ok(())) => Ok(Writer { queue: Some(queue), thread: Some(thread), counters, poisoned }),
            Ok(Err(source)) => Err(OpenError::Database { directory: path, source }),
            Err(_) => Err(OpenError::Io { directory: path, source: io::Error::other("the writer thread ended") }),
        }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn poisoned(&self) -> watch::Receiver<bool> {
        self.poisoned.clone()
    }

    pub(crate) fn commit(&self, batch: Batch) -> Answering<'_, Answer> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Commit { batch, reply });
        Box::pin(async { answer.await.unwrap_or_else(|_| Answer::Unknown(closed("commit"))) })
    }

    pub(crate) fn acquire(&self, shard: ShardId) -> Answering<'_, Result<Epoch, Error>> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Acquire { shard, reply });
        Box::pin(async { answer.await.unwrap_or_else(|_| Err(closed("take a shard"))) })
    }

    /// A job that cannot be sent is dropped, and its reply with it: that is how the asker learns.
    fn send(&self, job: Job) {
        if let Some(queue) = &self.queue {
            _ = queue.send(job);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

fn closed(doing: &'static str) -> Error {
    Error { doing, source: Box::new(Closed) }
}

/// What the thread has.
struct Work<'c> {
    connection: &'c Connection,
    tables: Tables<'c>,
    jobs: Receiver<Job>,
    directory: Arc<Directory>,
    looked: Instant,
    /// As in the table: nobody else writes it.
    epochs: HashMap<ShardId, Epoch>,
    counters: Arc<Counters>,
    poison: watch::Sender<bool>,
    broken: Option<Broken>,
    log: Log,
}

/// How long the log is, and how much of it is in the database too.
#[derive(Debug, Clone, Copy, Default)]
struct Log {
    pages: u64,
    pages_done: u64,
}

impl Log {
    fn bytes_owed(self) -> u64 {
        self.pages.saturating_sub(self.pages_done) * PAGE_BYTES
    }
}

/// A thread that ends in a panic has written what nobody was told of.
impl Drop for Work<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            _ = self.poison.send(true);
        }
    }
}

impl<'c> Work<'c> {
    fn prepare(
        connection: &'c Connection,
        jobs: Receiver<Job>,
        directory: Arc<Directory>,
        (counters, poison): (Arc<Counters>, watch::Sender<bool>),
    ) -> rusqlite::Result<Work<'c>> {
        let tables = Tables::prepare(connection)?;
        let epochs = tables.epochs()?.into_iter().collect();
        let log = Log::default();
        Ok(Work {
            connection,
            tables,
            jobs,
            directory,
            looked: Instant::now(),
            epochs,
            counters,
            poison,
            broken: None,
            log,
        })
    }

    fn run(&mut self) {
        while let Some(jobs) = self.gather() {
            self.write(jobs);
            self.tidy();
        }
    }

    /// Everything that has queued, as far as one transaction may go. Nothing, when nobody can ask any more.
    fn gather(&mut self) -> Option<Vec<Job>> {
        let mut jobs = vec![self.first()?];
        let (mut steps, mut bytes) = jobs[0].size();
        while steps < TRANSACTION_STEPS_MAX && bytes < TRANSACTION_BYTES_MAX {
            let Ok(job) = self.jobs.try_recv() else { break };
            let size = job.size();
            (steps, bytes) = (steps + size.0, bytes + size.1);
            jobs.push(job);
        }
        Some(jobs)
    }

    fn first(&mut self) -> Option<Job> {
        match self.jobs.try_recv() {
            Ok(job) => return Some(job),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {}
        }
        if self.log.bytes_owed() >= LOG_BYTES_QUIET {
            match self.jobs.recv_timeout(QUIET) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.checkpoint(),
            }
        }
        self.jobs.recv().ok()
    }

    fn write(&mut self, jobs: Vec<Job>) {
        if let Some(broken) = &self.broken {
            jobs.into_iter().for_each(|job| job.unknown(broken));
            return;
        }
        match self.transact(&jobs) {
            Ok(outcomes) => jobs.into_iter().zip(outcomes).for_each(|(job, outcome)| job.answer(outcome)),
            Err(Failed::Full) if self.directory.ballast_release() => self.write(jobs),
            // One by one: what needs little room should not fall with what needs much.
            Err(Failed::Full) if jobs.len() > 1 => jobs.into_iter().for_each(|job| self.write(vec![job])),
            Err(Failed::Full) => jobs.into_iter().for_each(|job| job.answer(Outcome::Full)),
            Err(Failed::Broken(broken)) => {
                // First, so that whoever has the answer can see why.
                self.poison(broken.clone());
                jobs.into_iter().for_each(|job| job.unknown(&broken));
            }
        }
    }

    /// One transaction for all the jobs, with an outcome for each.
    fn transact(&mut self, jobs: &[Job]) -> Result<Vec<Outcome>, Failed> {
        match self.try_transact(jobs) {
            Ok(outcomes) => Ok(outcomes),
            Err(error) => Err(self.take_back(error)),
        }
    }

    fn try_transact(&mut self, jobs: &[Job]) -> rusqlite::Result<Vec<Outcome>> {
        self.tables.begin()?;
        let outcomes = jobs.iter().map(|job| self.job(job)).collect::<rusqlite::Result<Vec<Outcome>>>()?;
        if !self.tables.has_written() {
            self.tables.rollback()?;
            return Ok(outcomes);
        }
        let cost = self.tables.commit()?;
        self.count(cost, &outcomes);
        Ok(outcomes)
    }

    fn job(&mut self, job: &Job) -> rusqlite::Result<Outcome> {
        match job {
            Job::Commit { batch, .. } => self.batch(batch),
            Job::Acquire { shard, .. } => self.acquire(*shard),
        }
    }

    fn acquire(&mut self, shard: ShardId) -> rusqlite::Result<Outcome> {
        let epoch = Epoch(self.epochs.get(&shard).map_or(0, |epoch| epoch.0) + 1);
        self.tables.epoch_put(shard, epoch)?;
        self.epochs.insert(shard, epoch);
        Ok(Outcome::Acquired(epoch))
    }

    fn batch(&mut self, batch: &Batch) -> rusqlite::Result<Outcome> {
        if self.epochs.get(&batch.shard) != Some(&batch.epoch) {
            return Ok(Outcome::Fenced);
        }
        let founds = match self.tables.find(&batch.steps)? {
            Ok(founds) => founds,
            Err(refusal) => return Ok(Outcome::Refused(refusal)),
        };
        if !self.directory.has_room() && founds.iter().any(Option::is_none) {
            return Ok(Outcome::Full);
        }
        for (step, found) in batch.steps.iter().zip(founds) {
            self.tables.put(batch.shard, step, found)?;
        }
        Ok(Outcome::Committed)
    }

    /// Ends a transaction that failed, and says how bad it is.
    fn take_back(&mut self, error: rusqlite::Error) -> Failed {
        let back = self.tables.rollback().and_then(|()| self.tables.epochs());
        match back {
            Ok(epochs) if schema::is_full(&error) => {
                self.epochs = epochs.into_iter().collect();
                Failed::Full
            }
            Ok(_) | Err(_) => Failed::Broken(Broken(error.to_string().into())),
        }
    }

    fn count(&mut self, cost: Cost, outcomes: &[Outcome]) {
        let before = self.log.pages;
        self.measure_log();
        // A log that started over is shorter than it was.
        let pages = self.log.pages.checked_sub(before).unwrap_or(self.log.pages);
        let batches = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Committed)).count();
        let add = |counter: &AtomicU64, n: u64| _ = counter.fetch_add(n, Ordering::Relaxed);
        add(&self.counters.rows, cost.rows);
        add(&self.counters.bytes, cost.bytes);
        add(&self.counters.batches, batches as u64);
        add(&self.counters.commits, 1);
        add(&self.counters.pages, pages);
    }

    fn measure_log(&mut self) {
        if let Ok((pages, pages_done)) = self.connection.wal_checkpoint_v2(DEFAULT_NAME, wal::CheckpointMode::NOOP) {
            let count = |pages: i32| u64::try_from(pages).unwrap_or(0);
            self.log = Log { pages: count(pages), pages_done: count(pages_done) };
        }
    }

    /// What is better done between transactions.
    fn tidy(&mut self) {
        if self.log.bytes_owed() >= LOG_BYTES_BUSY {
            self.checkpoint();
        }
        if self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            self.directory.look();
        }
    }

    fn checkpoint(&mut self) {
        let mode = match self.log.pages * PAGE_BYTES >= LOG_BYTES_MAX {
            true => wal::CheckpointMode::TRUNCATE,
            false => wal::CheckpointMode::PASSIVE,
        };
        match self.connection.wal_checkpoint_v2(DEFAULT_NAME, mode) {
            Ok(_) => _ = self.counters.checkpoints.fetch_add(1, Ordering::Relaxed),
            Err(error) => self.checkpoint_failed(&error),
        }
        self.measure_log();
    }

    /// The log has what the database has not, so a full disk or a busy reader only puts it off.
    fn checkpoint_failed(&mut self, error: &rusqlite::Error) {
        match error.sqlite_error_code() {
            _ if schema::is_full(error) => _ = self.directory.ballast_release(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {}
            _ => self.poison(Broken(error.to_string().into())),
        }
    }

    fn poison(&mut self, broken: Broken) {
        tracing::error!(error = %broken, directory = %self.directory.path().display(), "the store cannot go on");
        self.broken = Some(broken);
        _ = self.poison.send(true);
    }
}

impl Job {
    /// How many steps and how many bytes, roughly.
    fn size(&self) -> (usize, usize) {
        match self {
            Job::Commit { batch, .. } => (batch.steps.len(), batch.steps.iter().map(step_size).sum()),
            Job::Acquire { .. } => (1, 0),
        }
    }

    fn answer(self, outcome: Outcome) {
        match self {
            Job::Commit { reply, .. } => _ = reply.send(outcome.of_commit()),
            Job::Acquire { reply, .. } => _ = reply.send(outcome.of_acquire()),
        }
    }

    fn unknown(self, broken: &Broken) {
        match self {
            Job::Commit { reply, .. } => {
                _ = reply.send(Answer::Unknown(Error { doing: "commit", source: Box::new(broken.clone()) }))
            }
            Job::Acquire { reply, .. } => {
                _ = reply.send(Err(Error { doing: "take a shard", source: Box::new(broken.clone()) }))
            }
        }
    }
}

fn step_size(step: &Step) -> usize {
    let chunks: usize = step.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
    let rows: usize = step.index_put.iter().map(|row| row.value.len()).sum();
    step.header.len() + chunks + rows + step.snapshot.as_ref().map_or(0, |snapshot| snapshot.bytes.len())
}

impl Outcome {
    fn of_commit(self) -> Answer {
        match self {
            Outcome::Committed => Answer::Committed,
            Outcome::Fenced => Answer::Fenced,
            Outcome::Refused(Refusal::Conflict(id)) => Answer::Conflict(id),
            Outcome::Refused(Refusal::TooLong(id)) => {
                Answer::Unknown(Error { doing: "commit", source: Box::new(TooLong(id)) })
            }
            Outcome::Full => Answer::Full,
            Outcome::Acquired(_) => unreachable!("a commit takes no shard"),
        }
    }

    fn of_acquire(self) -> Result<Epoch, Error> {
        match self {
            Outcome::Acquired(epoch) => Ok(epoch),
            Outcome::Full => {
                Err(Error { doing: "take a shard", source: Box::new(io::Error::from(io::ErrorKind::StorageFull)) })
            }
            Outcome::Committed | Outcome::Fenced | Outcome::Refused(_) => {
                unreachable!("a shard is taken whatever was committed")
            }
        }
    }
}
