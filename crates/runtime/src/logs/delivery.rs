//! The logs of executions: each event of a history, once it is durable, as a log event of its machine's group.
//!
//! **Invariant:** nothing here holds an execution up. What does not fit into the queue, and what its group does not
//! take, is dropped and counted: logs are told as well as can be, as on AWS.
//!
//! **Invariant:** the events of one execution are logged in their order, since one queue takes them and one task
//! writes them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use base::{Arn, Caller, Json, Timestamp};
use engine::Event;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::stream::{Command, Home, Line};
use crate::refusal::Refusal;
use crate::shard::Ask;
use crate::{Inner, Runtime, clock};

/// Steps that wait to be logged, and the bytes of their events.
const QUEUE_MAX: usize = 8_192;
const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Steps taken from the queue at a time, and bytes written at once.
const TAKEN_MAX: usize = 256;
const WRITTEN_BYTES_MAX: usize = 1024 * 1024;

/// A machine's events go to one stream for so long.
const STREAM_MS: i64 = 60 * 60 * 1000;

/// Streams written to at a time; the rest begin new ones.
const OPEN_MAX: usize = 1_000;

/// Writes an event of a history as a log event, if its level is wanted: how AWS writes it is not known here.
pub type LogForm = fn(&Event, &LogAbout<'_>) -> Option<String>;

/// What a log event tells beside its event.
#[derive(Debug, Clone, Copy)]
pub struct LogAbout<'a> {
    pub execution_arn: &'a str,
    /// How often the execution was redriven.
    pub redrives: u64,
    pub region: &'a str,
    pub level: LogLevel,
    pub with_data: bool,
}

/// Which events are logged (`LoggingConfiguration`, level); `OFF` is the absence of [`Logging`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogLevel {
    All,
    Error,
    Fatal,
}

/// Where the events of an execution are logged: from its machine's `loggingConfiguration`, for all of its life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Logging {
    level: LogLevel,
    with_data: bool,
    /// The group's ARN, without `:*`.
    group: Arc<str>,
}

impl Logging {
    /// None where nothing is to be logged.
    pub(crate) fn of(configuration: Option<&Json>) -> Option<Arc<Logging>> {
        let configuration = configuration?;
        let level = match configuration.get("level").and_then(Json::as_str) {
            Some("ALL") => LogLevel::All,
            Some("ERROR") => LogLevel::Error,
            Some("FATAL") => LogLevel::Fatal,
            _ => return None,
        };
        let destination = configuration.get("destinations")?.as_array()?.first()?;
        let arn = destination.get("cloudWatchLogsLogGroup")?.get("logGroupArn")?.as_str()?;
        Some(Arc::new(Logging {
            level,
            with_data: configuration.get("includeExecutionData").and_then(Json::as_bool).unwrap_or(false),
            group: arn.strip_suffix(":*").unwrap_or(arn).into(),
        }))
    }

    /// Whose group it is, and its name.
    fn group(&self) -> Option<(Caller, &str)> {
        let arn = Arn::parse(&self.group).filter(|arn| arn.service == "logs")?;
        let name = arn.resource.strip_prefix("log-group:").filter(|name| !name.is_empty())?;
        Some((Caller::new(arn.account, arn.region), name))
    }
}

/// What one step of an execution recorded.
pub(crate) struct Logged {
    pub(crate) logging: Arc<Logging>,
    pub(crate) execution_arn: Arc<str>,
    pub(crate) redrives: u64,
    pub(crate) events: Arc<Vec<Event>>,
    /// About how many bytes its events have.
    pub(crate) bytes: usize,
}

/// The queue's entry.
pub(crate) struct Delivery {
    queue: mpsc::Sender<Logged>,
    counts: Arc<Counts>,
}

/// How the queue stands, and what became of what went in: log events.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    waiting_bytes: AtomicUsize,
    pub(crate) waiting: AtomicUsize,
    pub(crate) written: AtomicU64,
    pub(crate) dropped: AtomicU64,
}

impl Counts {
    fn taken(&self, bytes: usize, events: usize) {
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.waiting.fetch_sub(events, Ordering::Relaxed);
    }
}

/// The queue's other end.
pub(crate) struct Writing {
    queue: mpsc::Receiver<Logged>,
    counts: Arc<Counts>,
}

/// A queue for log events.
pub(crate) fn queue() -> (Delivery, Writing) {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    let counts = Arc::new(Counts::default());
    (Delivery { queue: sender, counts: counts.clone() }, Writing { queue: receiver, counts })
}

impl Delivery {
    /// Queues what a step recorded, after its commit.
    pub(crate) fn log(&self, logged: Logged) {
        let counts = &self.counts;
        let (bytes, events) = (logged.bytes, logged.events.len());
        // Counted first: the other end takes off what it takes.
        let waiting_bytes = counts.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        counts.waiting.fetch_add(events, Ordering::Relaxed);
        if waiting_bytes > QUEUE_BYTES_MAX || self.queue.try_send(logged).is_err() {
            counts.taken(bytes, events);
            counts.dropped.fetch_add(events as u64, Ordering::Relaxed);
        }
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// A stream that is written to at present.
struct Open {
    name: Arc<str>,
    since: Timestamp,
}

/// Lines for one stream of one group.
struct Batch {
    group: Arc<str>,
    stream: Arc<str>,
    lines: Vec<Line>,
    bytes: usize,
}

/// Writes what is queued, for as long as the server runs.
pub(crate) async fn write(mut writing: Writing, inner: Weak<Inner>, form: LogForm) {
    let mut open = HashMap::new();
    let mut taken = Vec::with_capacity(TAKEN_MAX);
    while writing.queue.recv_many(&mut taken, TAKEN_MAX).await > 0 {
        let Some(inner) = inner.upgrade() else { return };
        let runtime = Runtime { inner };
        let now = runtime.inner.world.now();
        let mut batches: Vec<Batch> = vec![];
        for logged in taken.drain(..) {
            writing.counts.taken(logged.bytes, logged.events.len());
            add(&mut batches, &logged, &mut open, now, form);
            if batches.iter().map(|batch| batch.bytes).sum::<usize>() > WRITTEN_BYTES_MAX {
                runtime.append_all(std::mem::take(&mut batches), &writing.counts).await;
            }
        }
        runtime.append_all(batches, &writing.counts).await;
    }
}

fn add(
    batches: &mut Vec<Batch>,
    logged: &Logged,
    open: &mut HashMap<(Arc<str>, String), Open>,
    now: Timestamp,
    form: LogForm,
) {
    let Some(arn) = Arn::parse(&logged.execution_arn) else { return };
    let about = LogAbout {
        execution_arn: &logged.execution_arn,
        redrives: logged.redrives,
        region: arn.region,
        level: logged.logging.level,
        with_data: logged.logging.with_data,
    };
    let shown = logged.events.iter().filter(|event| event.is_aws());
    let lines = shown.filter_map(|event| Some(Line { at: event.at, message: form(event, &about)?.into() }));
    let lines: Vec<Line> = lines.collect();
    if lines.is_empty() {
        return;
    }
    let (_, name) = arn.resource_parts();
    let machine = name.split([':', '/']).next().unwrap_or_default();
    let group = &logged.logging.group;
    let stream = stream_of(open, group, machine, now);
    let bytes = lines.iter().map(Line::weight).sum::<usize>();
    match batches.iter_mut().find(|batch| batch.group == *group && batch.stream == stream) {
        Some(batch) => {
            batch.lines.extend(lines);
            batch.bytes += bytes;
        }
        None => batches.push(Batch { group: group.clone(), stream, lines, bytes }),
    }
}

/// `states/MACHINE/YYYY-MM-DD-HH-MM/ID`: by when it was begun, and told from those of other servers.
fn stream_of(
    open: &mut HashMap<(Arc<str>, String), Open>,
    group: &Arc<str>,
    machine: &str,
    now: Timestamp,
) -> Arc<str> {
    if open.len() > OPEN_MAX {
        open.clear();
    }
    let begin = || {
        let minute: String =
            now.to_string().chars().take(16).map(|c| if matches!(c, 'T' | ':') { '-' } else { c }).collect();
        let id = clock::entropy() & 0xffff_ffff;
        Open { name: format!("states/{machine}/{minute}/{id:08x}").into(), since: now }
    };
    let stream = open.entry((group.clone(), machine.to_owned())).or_insert_with(begin);
    if now.0 - stream.since.0 > STREAM_MS {
        *stream = begin();
    }
    stream.name.clone()
}

impl Runtime {
    async fn append_all(&self, batches: Vec<Batch>, counts: &Counts) {
        let appended = batches.into_iter().map(|batch| async move {
            let lines = batch.lines.len() as u64;
            let count = match self.append(batch).await {
                true => &counts.written,
                false => &counts.dropped,
            };
            count.fetch_add(lines, Ordering::Relaxed);
        });
        join_all(appended).await;
    }

    /// Whether the lines were taken. A group that was deleted takes none, and no execution minds.
    async fn append(&self, mut batch: Batch) -> bool {
        let logging = Logging { level: LogLevel::All, with_data: false, group: batch.group };
        let Some((caller, name)) = logging.group() else { return false };
        let group = match self.log_group(&caller, name).await {
            Ok(group) => group,
            Err(refusal) => {
                tracing::debug!(group = %logging.group, %refusal, "events of executions are not logged");
                return false;
            }
        };
        batch.lines.sort_by_key(|line| line.at);
        let home = Home::new(group.life(), &batch.stream);
        let ask = Ask::LogStream(Command::Append(home.clone(), batch.lines));
        match self.inner.world.ask(home.id(), ask).await {
            Ok(_) => true,
            Err(refused) => {
                tracing::warn!(group = %logging.group, refused = %Refusal::from(refused), "events of executions were not logged");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_says_where_and_what() {
        let of = |text: &str| Logging::of(Some(&Json::parse(text).expect("JSON")));
        let full = r#"{"level":"ERROR","includeExecutionData":true,"destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":"arn:aws:logs:us-east-1:111111111111:log-group:/a/b:*"}}]}"#;
        let logging = of(full).expect("there");
        assert_eq!((logging.level, logging.with_data), (LogLevel::Error, true));
        assert_eq!(logging.group(), Some((Caller::new("111111111111", "us-east-1"), "/a/b")));
        assert_eq!(of(&full.replace("ERROR", "OFF")), None);
        assert_eq!(of(r#"{"level":"ALL"}"#), None);
    }

    #[test]
    fn a_machine_has_one_stream_for_an_hour() {
        let mut open = HashMap::new();
        let group: Arc<str> = "g".into();
        let at = Timestamp(1_551_225_271_984);
        let first = stream_of(&mut open, &group, "net", at);
        assert!(first.starts_with("states/net/2019-02-26-23-54/") && first.len() == 36, "{first}");
        assert_eq!(stream_of(&mut open, &group, "net", Timestamp(at.0 + STREAM_MS)), first);
        assert_ne!(stream_of(&mut open, &group, "other", at), first);
        assert_ne!(stream_of(&mut open, &group, "net", Timestamp(at.0 + STREAM_MS + 1)), first);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (delivery, _writing) = queue();
        let event = Event {
            at: Timestamp(0),
            frame: engine::FrameId::ROOT,
            id: 1,
            previous: 0,
            fact: engine::Fact::MapSucceeded,
        };
        let logging = Arc::new(Logging { level: LogLevel::All, with_data: false, group: "g".into() });
        for _ in 0..QUEUE_MAX + 3 {
            let events = Arc::new(vec![event.clone()]);
            delivery.log(Logged { logging: logging.clone(), execution_arn: "a".into(), redrives: 0, events, bytes: 1 });
        }
        assert_eq!(delivery.counts.dropped.load(Ordering::Relaxed), 3);
        assert_eq!(delivery.counts.waiting.load(Ordering::Relaxed), QUEUE_MAX);
    }
}
