//! Brings the outputs of invocations that have ended to a bucket and to a log group.
//!
//! **Invariant:** what is owed is a fact of the run: a server that ends in the midst of it begins again. An object that
//! is written again is the same object; of a log stream, what is there already is not written again.
//!
//! **Invariant:** nothing here changes what became of a command: what cannot be brought is recorded beside it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Caller, Id};
use fleet::{InstanceId, destination};
use objects::StoreError;
use objects::source::BucketName;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Stream;
use super::read::Place;
use crate::logs::{LogGroupCreate, LogLine, LogWindow};
use crate::refusal::{LogRefusal, Refusal};
use crate::shard::{Ask, Refused};
use crate::{Runtime, keys};

/// Outputs that are brought at a time.
const DELIVERIES_MAX: usize = 8;

/// How often one is tried that nobody takes, and how long between.
const TRIES: u32 = 5;
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// A log event: a longer line becomes several. And what goes at once.
const LINE_BYTES_MAX: usize = 256 << 10;
const BATCH_LINES_MAX: usize = 1_000;
const BATCH_BYTES_MAX: usize = 512 << 10;

/// Which outputs are under way, and room for them.
pub(crate) struct Deliveries {
    under_way: Mutex<BTreeSet<(Id, InstanceId)>>,
    room: Arc<Semaphore>,
}

impl Default for Deliveries {
    fn default() -> Deliveries {
        Deliveries { under_way: Mutex::default(), room: Arc::new(Semaphore::new(DELIVERIES_MAX)) }
    }
}

impl Deliveries {
    fn begin(&self, key: &(Id, InstanceId)) -> bool {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone())
    }

    fn end(&self, key: &(Id, InstanceId)) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Why an output is not where it was wanted.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("bucket {bucket}: {source}")]
    Bucket { bucket: String, source: StoreError },
    #[error("log group {group}: {source}")]
    Logs { group: String, source: Refusal },
    #[error("read the output: {0}")]
    Read(#[from] Refusal),
}

impl Problem {
    fn may_pass(&self) -> bool {
        match self {
            Problem::Bucket { source: StoreError::Unreachable { .. }, .. } => true,
            Problem::Bucket { source: StoreError::Refused { status, .. }, .. } => *status >= 500,
            Problem::Bucket { .. } => false,
            Problem::Logs { source, .. } | Problem::Read(source) => {
                matches!(source, Refusal::Full | Refusal::Unknown | Refusal::Internal(_))
            }
        }
    }
}

impl Runtime {
    /// Brings what an ended invocation has written to where the run wants it, and tells the run.
    pub(crate) async fn deliver_output(self, caller: Caller, run: Box<fleet::Run>, instance: InstanceId) {
        let Some((send, _)) = run.sent() else { return };
        let key = (keys::run(&caller, &send.command.0), instance);
        let deliveries = &self.inner.world.outputs.deliveries;
        if !deliveries.begin(&key) {
            return;
        }
        let delivery = Delivery { runtime: &self, caller: &caller, run: &run, instance: &key.1 };
        let problem = delivery.deliver().await.err().map(|problem| problem.to_string());
        if let Some(problem) = &problem {
            tracing::warn!(command = %send.command, instance = %key.1, problem, "an output was not delivered");
        }
        loop {
            let delivered = fleet::Command::OutputDelivered { instance: key.1.clone(), problem: problem.clone() };
            match self.inner.world.ask(key.0, Ask::Run(delivered)).await {
                Ok(_) | Err(Refused::Run(_) | Refused::Missing) => break,
                Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
            }
        }
        deliveries.end(&key);
    }
}

enum To {
    Bucket,
    /// Of this group.
    Logs(String),
}

struct Delivery<'a> {
    runtime: &'a Runtime,
    caller: &'a Caller,
    run: &'a fleet::Run,
    instance: &'a InstanceId,
}

impl Delivery<'_> {
    async fn deliver(&self) -> Result<(), Problem> {
        let Some((send, _)) = self.run.sent() else { return Ok(()) };
        for place in self.places(send) {
            self.wait(place).await?;
        }
        let _room = self.runtime.inner.world.outputs.deliveries.room.acquire().await;
        for place in self.places(send) {
            if self.length(place).await? > 0 {
                if !send.destinations.bucket.is_empty() {
                    self.bring(send, To::Bucket, place).await?;
                }
                if let Some(group) = &send.destinations.log_group {
                    let default = destination::log_group_default(&send.document_name);
                    let group = if group.is_empty() { default } else { group.clone() };
                    self.bring(send, To::Logs(group), place).await?;
                }
            }
        }
        Ok(())
    }

    fn places(&self, send: &fleet::Send) -> impl Iterator<Item = Place> + use<> {
        let steps = u32::try_from(send.plan.steps.len()).unwrap_or(u32::MAX);
        (0..steps).flat_map(|step| [Stream::Stdout, Stream::Stderr].map(|stream| Place { step, stream, attempt: None }))
    }

    /// Until all of it is there, or nobody will bring the rest.
    async fn wait(&self, place: Place) -> Result<(), Refusal> {
        const LOOK_EVERY: Duration = Duration::from_secs(1);
        let source = self.runtime.output_place(self.caller, self.run, self.instance, place)?;
        let grown = self.runtime.output_grows(&source);
        loop {
            let notified = grown.notified();
            if self.runtime.output_part(source.clone(), 0, 0).await?.complete {
                return Ok(());
            }
            let _grown = timeout(LOOK_EVERY, notified).await;
        }
    }

    async fn length(&self, place: Place) -> Result<u64, Refusal> {
        let source = self.runtime.output_place(self.caller, self.run, self.instance, place)?;
        Ok(self.runtime.output_part(source, 0, 0).await?.total)
    }

    async fn read(&self, place: Place, from: u64) -> Result<Vec<u8>, Refusal> {
        let source = self.runtime.output_place(self.caller, self.run, self.instance, place)?;
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        Ok(self.runtime.output_part(source, from, CHUNK).await?.bytes)
    }

    /// Tries again what may only have had a bad moment.
    async fn bring(&self, send: &fleet::Send, to: To, place: Place) -> Result<(), Problem> {
        let mut tries = 1;
        loop {
            let brought = match &to {
                To::Bucket => self.to_bucket(send, place).await,
                To::Logs(group) => self.to_logs(send, group, place).await,
            };
            match brought {
                Err(problem) if problem.may_pass() && tries < TRIES => {
                    tokio::time::sleep(AGAIN_AFTER * tries).await;
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    async fn to_bucket(&self, send: &fleet::Send, place: Place) -> Result<(), Problem> {
        let name = &send.destinations.bucket;
        let problem = |source| Problem::Bucket { bucket: name.clone(), source };
        let key = destination::object_key(send, self.instance, place.step_number(), place.stream);
        let bucket = self.runtime.buckets().bucket(&BucketName::new(name)).map_err(problem)?;
        let mut upload = bucket.upload(&key).await.map_err(problem)?;
        let mut at = 0;
        loop {
            let bytes = match self.read(place, at).await {
                Ok(bytes) => bytes,
                Err(refusal) => {
                    upload.abort().await;
                    return Err(refusal.into());
                }
            };
            if bytes.is_empty() {
                return upload.finish().await.map_err(problem);
            }
            if let Err(error) = upload.write(&bytes).await {
                upload.abort().await;
                return Err(problem(error));
            }
            at += bytes.len() as u64;
        }
    }

    async fn to_logs(&self, send: &fleet::Send, group: &str, place: Place) -> Result<(), Problem> {
        let stream = destination::log_stream(send, self.instance, place.step_number(), place.stream);
        let problem = |source| Problem::Logs { group: group.to_owned(), source };
        // Nobody else writes to this stream: what is in it are the first of these lines.
        let mut there = self.log_place(group, &stream).await.map_err(problem)?;
        let (mut lines, mut batch, mut at) = (Lines::default(), vec![], 0);
        loop {
            let bytes = self.read(place, at).await?;
            at += bytes.len() as u64;
            let more = if bytes.is_empty() { lines.rest() } else { lines.feed(&bytes) };
            for line in more {
                match there {
                    0 => batch.push(line),
                    _ => there -= 1,
                }
            }
            while batch.len() >= BATCH_LINES_MAX || (bytes.is_empty() && !batch.is_empty()) {
                self.log(group, &stream, &mut batch).await.map_err(problem)?;
            }
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }

    /// Makes the group and the stream where they are missing; how many events are in the stream.
    async fn log_place(&self, group: &str, stream: &str) -> Result<usize, Refusal> {
        let create = LogGroupCreate { name: group.to_owned(), class: None, tags: vec![] };
        match self.runtime.log_group_create(self.caller, create).await {
            Ok(()) | Err(Refusal::Log(LogRefusal::GroupExists)) => (),
            Err(refusal) => return Err(refusal),
        }
        match self.runtime.log_stream_create(self.caller, group, stream).await {
            Ok(()) => Ok(0),
            Err(Refusal::Log(LogRefusal::StreamExists)) => self.logged(group, stream).await,
            Err(refusal) => Err(refusal),
        }
    }

    async fn logged(&self, group: &str, stream: &str) -> Result<usize, Refusal> {
        let mut window = LogWindow { from_head: true, ..LogWindow::default() };
        let mut count = 0;
        loop {
            let page = self.runtime.log_events_get(self.caller, group, stream, window.clone()).await?;
            if page.events.is_empty() {
                return Ok(count);
            }
            count += page.events.len();
            window.token = Some(page.forward);
        }
    }

    /// Writes as many lines as go at once.
    async fn log(&self, group: &str, stream: &str, batch: &mut Vec<String>) -> Result<(), Refusal> {
        let (mut bytes, at) = (0, self.runtime.inner.world.now());
        let fits = |line: &&String| {
            bytes += line.len();
            bytes <= BATCH_BYTES_MAX
        };
        let count = batch.iter().take(BATCH_LINES_MAX).take_while(fits).count().max(1);
        let lines = batch.iter().take(count).map(|line| LogLine { at, message: line.clone() }).collect();
        self.runtime.log_events_put(self.caller, group, stream, lines).await?;
        batch.drain(..count);
        Ok(())
    }
}

/// Bytes as lines, of which no empty one is a log event.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = vec![];
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") {
                lines.extend(self.rest());
            }
            while self.begun.len() > LINE_BYTES_MAX {
                let end = character_end(&self.begun, LINE_BYTES_MAX);
                let first: Vec<u8> = self.begun.drain(..end).collect();
                lines.push(String::from_utf8_lossy(&first).into_owned());
            }
        }
        lines
    }

    /// What has begun, as whole lines.
    fn rest(&mut self) -> Vec<String> {
        let begun = std::mem::take(&mut self.begun);
        let line = begun.strip_suffix(b"\n").unwrap_or(&begun);
        let mut line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut lines = vec![];
        while !line.is_empty() {
            let (first, rest) = line.split_at(character_end(line, LINE_BYTES_MAX));
            lines.push(String::from_utf8_lossy(first).into_owned());
            line = rest;
        }
        lines
    }
}

/// The end of the last whole character within so many bytes.
fn character_end(bytes: &[u8], max: usize) -> usize {
    if bytes.len() <= max {
        return bytes.len();
    }
    let within = |end: &usize| bytes.get(*end).is_none_or(|byte| !(0x80..0xc0).contains(byte));
    (max.saturating_sub(3)..=max).rev().find(within).unwrap_or(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let text = "one\r\n\ntwo 夜\nthree".as_bytes();
        for cut in 0..=text.len() {
            let mut lines = Lines::default();
            let mut all = lines.feed(&text[..cut]);
            all.extend(lines.feed(&text[cut..]));
            all.extend(lines.rest());
            assert_eq!(all, ["one", "two 夜", "three"], "{cut}");
        }
    }

    #[test]
    fn a_line_without_end_becomes_several() {
        let text = "夜".repeat(LINE_BYTES_MAX);
        let mut lines = Lines::default();
        let mut all: Vec<String> = text.as_bytes().chunks(1_000).flat_map(|chunk| lines.feed(chunk)).collect();
        all.extend(lines.rest());
        assert!(all.iter().all(|line| line.len() <= LINE_BYTES_MAX));
        assert_eq!(all.concat(), text);
    }
}
