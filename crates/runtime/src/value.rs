//! The kinds of durable values, behind one shape: what a shard loads, steps and commits.
//!
//! Pure: bytes in, values and [`store::Step`]s out. The rules of each kind are in its own place (`engine`,
//! `fleet`, [`machine`], [`instance`]); here is how each is kept: its header, its chunks, its index rows.

use std::sync::Arc;

use base::json::read_stored;
use base::{Arn, Caller, Id, Json, Timestamp};
use bytes::Bytes;
use engine::{Effect, Event, Execution, Failure, Outcome, Status};
use fleet::Waiter;
use serde::{Deserialize, Serialize};
use store::{Chunk, Kind, Loaded, Seq, Snapshot, Step, Timer};

use crate::directory::Directory;
use crate::executions::{ExecutionStatus, ExecutionSummary, Starter, Waits};
use crate::keys;
use crate::logs::delivery::Logging;
use crate::logs::{group, stream};
use crate::semaphore::Semaphore;
use crate::{activation, activity, instance, kept_document, machine, parameter};

pub(crate) const MACHINE: Kind = Kind(1);
pub(crate) const EXECUTION: Kind = Kind(2);
pub(crate) const RUN: Kind = Kind(3);
pub(crate) const INSTANCE: Kind = Kind(4);
pub(crate) const MAP_RUN: Kind = Kind(8);
pub(crate) const LOG_GROUP: Kind = Kind(20);
pub(crate) const LOG_STREAM: Kind = Kind(21);
pub(crate) const ACTIVITY: Kind = Kind(7);
pub(crate) const PARAMETER: Kind = Kind(30);
pub(crate) const DIRECTORY: Kind = Kind(45);
pub(crate) const SEMAPHORE: Kind = Kind(46);
pub(crate) const ACTIVATION: Kind = Kind(41);
pub(crate) const DOCUMENT: Kind = Kind(40);

/// Events of one chunk. A step that makes more is kept in several, so that a page of a long history does not
/// read all of it.
const CHUNK_EVENTS_MAX: usize = 500;

/// A snapshot is written once the events since the last weigh more than it, and more than this: so that all
/// snapshots together cost no more than the events.
const SNAPSHOT_BYTES_MIN: usize = 64 * 1024;

/// Inputs and outputs up to here are kept in the header as well, so that describing takes one read.
const HEADER_PAYLOAD_BYTES_MAX: usize = 1024;

/// A value in memory.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) what: What,
    /// Bytes of events since the last snapshot, and of that snapshot.
    since: usize,
    snapshot: usize,
}

#[derive(Debug)]
pub(crate) enum What {
    Machine(machine::Machine),
    Execution { execution: Box<Execution>, head: Box<ExecutionHead>, machine: Option<Arc<asl::Machine>> },
    Run { run: Box<fleet::Run>, head: RunHead, seq: u64 },
    Instance { instance: Box<instance::Instance>, head: InstanceHead },
    LogGroup(group::Group),
    LogStream(Box<stream::Stream>),
    Activity(activity::Activity),
    Parameter(parameter::Parameter),
    Activation(Box<activation::Activation>),
    Document(kept_document::KeptDocument),
    MapRun { run: Box<maprun::Run>, seq: u64 },
    Directory { directory: Arc<Directory>, head: InstanceHead },
    Semaphore(Box<Semaphore>),
}

/// What `DescribeExecution` and the lists need.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ExecutionHead {
    pub(crate) arn: Arc<str>,
    pub(crate) machine: Arc<str>,
    pub(crate) name: Arc<str>,
    /// What it was started by, where that was not the machine itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<Arc<str>>,
    pub(crate) definition: Arc<str>,
    pub(crate) status: HeadStatus,
    pub(crate) started: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stopped: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
    /// The task that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) starter: Option<Starter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) logging: Option<Arc<Logging>>,
    /// Of a Map run's child: how many items it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) items: Option<u32>,
    /// An Express execution stands in no list.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) express: bool,
    /// The input's text where it is short; else it is in the first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<Arc<str>>,
    /// The output's text where it is short; else it is in the last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<Failure>,
    /// The Map run that it is a child of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) map_run: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) redrives: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) redriven: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) redrive_tokens: Vec<String>,
    /// Events in AWS's history of it, once it has ended otherwise than well.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) events: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// [`ExecutionStatus`] as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum HeadStatus {
    #[default]
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

impl HeadStatus {
    pub(crate) const ALL: [HeadStatus; 5] =
        [HeadStatus::Running, HeadStatus::Succeeded, HeadStatus::Failed, HeadStatus::TimedOut, HeadStatus::Aborted];

    /// Whether a child of a Map run that was redriven at `at` has yet to go on; `times` are those at which it stopped and
    /// was last redriven.
    pub(crate) fn is_pending_redrive(self, times: (Option<Timestamp>, Option<Timestamp>), at: Timestamp) -> bool {
        let before = |moment: Option<Timestamp>| moment.is_none_or(|moment| moment < at);
        match self {
            HeadStatus::Running | HeadStatus::Succeeded => false,
            HeadStatus::Failed | HeadStatus::TimedOut | HeadStatus::Aborted => before(times.0) && before(times.1),
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RunHead {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) requested: Timestamp,
    /// How it stands; none before that was kept here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<fleet::CommandStatus>,
    /// How its invocations stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) invocations: Vec<fleet::InvocationStatus>,
}

impl RunHead {
    /// The head of a run that `run` has become.
    pub(crate) fn follow(&mut self, run: &fleet::Run) {
        self.status = Some(run.status());
        self.invocations = run.statuses().collect();
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct InstanceHead {
    pub(crate) account: String,
    pub(crate) region: String,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    #[error(transparent)]
    Pack(#[from] engine::pack::Damage),
    #[error("not the value's form")]
    Form(#[from] serde_json::Error),
    #[error("unknown kind of value {0}")]
    Kind(u8),
}

impl Value {
    pub(crate) fn new(what: What) -> Value {
        Value { what, since: 0, snapshot: 0 }
    }

    pub(crate) fn load(loaded: &Loaded) -> Result<Value, Damage> {
        let what = match loaded.kind {
            MACHINE => What::Machine(rebuild(loaded, |machine: &mut machine::Machine, event| machine.apply(event))?),
            EXECUTION => What::Execution {
                execution: Box::new(load_execution(loaded)?),
                head: serde_json::from_slice(&loaded.header)?,
                machine: None,
            },
            RUN => What::Run {
                run: Box::new(rebuild(loaded, |run: &mut fleet::Run, event| run.apply(event))?),
                head: serde_json::from_slice(&loaded.header)?,
                seq: loaded.seq.0,
            },
            INSTANCE => What::Instance {
                instance: Box::new(rebuild(loaded, |instance: &mut instance::Instance, event| instance.apply(event))?),
                head: serde_json::from_slice(&loaded.header)?,
            },
            // Its header says all of it.
            LOG_GROUP => What::LogGroup(serde_json::from_slice(&loaded.header)?),
            LOG_STREAM => What::LogStream(serde_json::from_slice(&loaded.header)?),
            ACTIVITY => {
                What::Activity(rebuild(loaded, |activity: &mut activity::Activity, event| activity.apply(event))?)
            }
            PARAMETER => {
                What::Parameter(rebuild(loaded, |parameter: &mut parameter::Parameter, event| parameter.apply(event))?)
            }
            ACTIVATION => {
                What::Activation(Box::new(rebuild(loaded, |activation: &mut activation::Activation, event| {
                    activation.apply(event)
                })?))
            }
            DOCUMENT => What::Document(rebuild(loaded, |document: &mut kept_document::KeptDocument, event| {
                document.apply(event);
            })?),
            MAP_RUN => What::MapRun {
                run: Box::new(rebuild(loaded, |run: &mut maprun::Run, event| run.apply(event))?),
                seq: loaded.seq.0,
            },
            SEMAPHORE => {
                What::Semaphore(Box::new(rebuild(loaded, |semaphore: &mut Semaphore, event| semaphore.apply(event))?))
            }
            DIRECTORY => What::Directory {
                directory: Arc::new(rebuild(loaded, |directory: &mut Directory, event| directory.apply(event))?),
                head: serde_json::from_slice(&loaded.header)?,
            },
            Kind(other) => return Err(Damage::Kind(other)),
        };
        let since = loaded.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        Ok(Value { what, since, snapshot: loaded.snapshot.as_ref().map_or(0, |snapshot| snapshot.bytes.len()) })
    }

    pub(crate) fn seq(&self) -> u64 {
        match &self.what {
            What::Machine(machine) => machine.seq,
            What::Execution { execution, .. } => execution.seq(),
            What::Run { seq, .. } => *seq,
            What::Instance { instance, .. } => instance.seq,
            What::LogGroup(group) => group.seq,
            What::LogStream(stream) => stream.seq,
            What::Activity(activity) => activity.seq,
            What::Parameter(parameter) => parameter.seq,
            What::Activation(activation) => activation.seq,
            What::Document(document) => document.seq,
            What::MapRun { seq, .. } => *seq,
            What::Directory { directory, .. } => directory.seq,
            What::Semaphore(semaphore) => semaphore.seq,
        }
    }

    /// Whether it need not be kept in memory: it has ended, or only an alarm will move it.
    pub(crate) fn is_over(&self) -> bool {
        match &self.what {
            What::Machine(machine) => machine.now.is_none(),
            What::Execution { execution, .. } => !execution.awaits_tasks(),
            What::Run { run, .. } => !run.owes(),
            What::Instance { instance, .. } => instance.now.is_none(),
            What::LogGroup(_) => true,
            What::LogStream(stream) => stream.now.is_none(),
            What::Activity(activity) => activity.now.is_none(),
            // Who reads it reads the store; it may be large, and changes seldom.
            What::Parameter(_) | What::Document(_) => true,
            What::Activation(activation) => activation.now.is_none(),
            What::MapRun { run, .. } => run.is_over(),
            What::Directory { directory, .. } => directory.seq == 0,
            What::Semaphore(semaphore) => !semaphore.is_used(),
        }
    }

    fn kind(&self) -> Kind {
        match &self.what {
            What::Machine(_) => MACHINE,
            What::Execution { .. } => EXECUTION,
            What::Run { .. } => RUN,
            What::Instance { .. } => INSTANCE,
            What::LogGroup(_) => LOG_GROUP,
            What::LogStream(_) => LOG_STREAM,
            What::Activity(_) => ACTIVITY,
            What::Parameter(_) => PARAMETER,
            What::Activation(_) => ACTIVATION,
            What::Document(_) => DOCUMENT,
            What::MapRun { .. } => MAP_RUN,
            What::Directory { .. } => DIRECTORY,
            What::Semaphore(_) => SEMAPHORE,
        }
    }

    /// The step that keeps `chunks`, which the value has already applied; without rows to find it by.
    pub(crate) fn step(&mut self, id: Id, chunks: Vec<Chunk>) -> Step {
        let expected = chunks.first().map_or(Seq(self.seq()), |chunk| chunk.first);
        self.since += chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>();
        Step {
            id,
            kind: self.kind(),
            expected,
            header: self.header(),
            chunks,
            snapshot: self.snapshot_if_due(),
            ..Step::default()
        }
    }

    fn header(&self) -> Bytes {
        let text = match &self.what {
            What::Machine(_)
            | What::Activity(_)
            | What::Parameter(_)
            | What::Activation(_)
            | What::Document(_)
            | What::Semaphore(_)
            | What::MapRun { .. } => Ok(vec![]),
            What::Execution { head, .. } => serde_json::to_vec(head),
            What::Run { head, .. } => serde_json::to_vec(head),
            What::Instance { head, .. } | What::Directory { head, .. } => serde_json::to_vec(head),
            What::LogGroup(group) => serde_json::to_vec(group),
            What::LogStream(stream) => serde_json::to_vec(stream),
        };
        text.expect("a header has a text").into()
    }

    fn snapshot_if_due(&mut self) -> Option<Snapshot> {
        if self.since < SNAPSHOT_BYTES_MIN.max(self.snapshot) {
            return None;
        }
        let bytes: Bytes = match &self.what {
            What::Machine(machine) => serde_json::to_vec(machine).expect("a value has a text"),
            // What has ended is read by its history, not loaded again.
            What::Execution { execution, .. } if execution.has_ended() => return None,
            What::Execution { execution, .. } => engine::pack::encode_snapshot(execution),
            What::Run { run, .. } => serde_json::to_vec(run).expect("a value has a text"),
            What::Instance { instance, .. } => serde_json::to_vec(instance).expect("a value has a text"),
            // Only to say that the chunks before it need not be read to load it.
            What::LogGroup(_) | What::LogStream(_) => vec![],
            What::Activity(activity) => serde_json::to_vec(activity).expect("a value has a text"),
            What::Parameter(parameter) => serde_json::to_vec(parameter).expect("a value has a text"),
            What::Activation(activation) => serde_json::to_vec(activation).expect("a value has a text"),
            What::Document(document) => serde_json::to_vec(document).expect("a value has a text"),
            What::MapRun { run, .. } => serde_json::to_vec(run).expect("a value has a text"),
            What::Semaphore(semaphore) => serde_json::to_vec(semaphore).expect("a value has a text"),
            What::Directory { directory, .. } => serde_json::to_vec(&**directory).expect("a value has a text"),
        }
        .into();
        self.since = 0;
        self.snapshot = bytes.len();
        Some(Snapshot { at: Seq(self.seq()), bytes })
    }
}

fn rebuild<V, E>(loaded: &Loaded, apply: impl Fn(&mut V, &E)) -> Result<V, Damage>
where
    V: Default + for<'de> Deserialize<'de>,
    E: for<'de> Deserialize<'de>,
{
    let mut value = match &loaded.snapshot {
        Some(snapshot) => read_stored(&snapshot.bytes)?,
        None => V::default(),
    };
    for chunk in &loaded.chunks {
        let events: Vec<E> = read_stored(&chunk.bytes)?;
        events.iter().for_each(|event| apply(&mut value, event));
    }
    Ok(value)
}

fn load_execution(loaded: &Loaded) -> Result<Execution, Damage> {
    let mut execution = match &loaded.snapshot {
        Some(snapshot) => engine::pack::decode_snapshot(&snapshot.bytes)?,
        None => Execution::default(),
    };
    for chunk in &loaded.chunks {
        engine::pack::decode(&chunk.bytes)?.iter().for_each(|event| execution.apply(event));
    }
    Ok(execution)
}

/// Events of a value whose events are plain JSON, as one chunk.
pub(crate) fn chunk<E: Serialize>(first: u64, events: &[E]) -> Vec<Chunk> {
    if events.is_empty() {
        return vec![];
    }
    let bytes = serde_json::to_vec(events).expect("events have a text").into();
    vec![Chunk { first: Seq(first), count: u32::try_from(events.len()).expect("a step has fewer events"), bytes }]
}

/// An execution's events, packed.
pub(crate) fn chunk_history(first: u64, events: &[Event]) -> Vec<Chunk> {
    let firsts = (first..).step_by(CHUNK_EVENTS_MAX);
    let pack = |(first, events): (u64, &[Event])| Chunk {
        first: Seq(first),
        count: u32::try_from(events.len()).expect("a chunk has fewer events"),
        bytes: engine::pack::encode(events).into(),
    };
    firsts.zip(events.chunks(CHUNK_EVENTS_MAX)).map(pack).collect()
}

impl ExecutionHead {
    /// The head of an execution that `execution` has become.
    pub(crate) fn follow(&mut self, execution: &Execution) {
        if self.redrives != execution.redrives().count {
            self.redrive(execution);
        }
        match execution.status() {
            Status::New => (),
            Status::Running => {
                if self.arn.is_empty() {
                    self.begin(execution);
                }
            }
            Status::Ended { at, outcome } => {
                if self.arn.is_empty() {
                    self.begin(execution);
                }
                self.stopped = Some(*at);
                (self.status, self.output, self.failure) = match outcome {
                    Outcome::Succeeded { output } => (HeadStatus::Succeeded, short(output), None),
                    Outcome::Failed { failure } => (HeadStatus::Failed, None, Some(failure.clone())),
                    Outcome::TimedOut { failure } => (HeadStatus::TimedOut, None, Some(failure.clone())),
                    Outcome::Aborted { failure } => (HeadStatus::Aborted, None, Some(failure.clone())),
                };
                if self.status != HeadStatus::Succeeded {
                    self.events = execution.history_len();
                }
            }
        }
    }

    fn redrive(&mut self, execution: &Execution) {
        let redrives = execution.redrives();
        (self.status, self.stopped, self.failure) = (HeadStatus::Running, None, None);
        (self.redrives, self.redriven, self.events) = (redrives.count, redrives.last, 0);
        self.redrive_tokens = redrives.tokens.iter().map(|(token, _)| token.to_string()).collect();
    }

    fn begin(&mut self, execution: &Execution) {
        let identity = execution.identity();
        self.arn = identity.execution_arn.clone();
        self.machine = identity.machine_arn.clone();
        self.name = identity.name.clone();
        self.version = identity.version_arn.clone();
        self.alias = identity.alias_arn.clone();
        self.definition = identity.definition.clone();
        self.map_run = identity.map_run_arn.clone();
        self.express = identity.express;
        self.started = execution.started();
        self.input = Some(execution.input_text()).filter(|text| text.len() <= HEADER_PAYLOAD_BYTES_MAX);
    }

    pub(crate) fn summary(&self) -> ExecutionSummary {
        ExecutionSummary {
            arn: self.arn.to_string(),
            machine_arn: self.machine.to_string(),
            version_arn: self.version.as_deref().map(str::to_owned),
            alias_arn: self.alias.as_deref().map(str::to_owned),
            name: self.name.to_string(),
            status: self.status.into(),
            started: self.started,
            stopped: self.stopped,
            redrives: self.redrives,
            redriven: self.redriven,
            map_run_arn: self.map_run.as_deref().map(str::to_owned),
            items: self.items,
        }
    }

    /// The lists that it stands in while it has this status: a child stands only in its Map run's.
    fn lists(&self, status: HeadStatus) -> Vec<Bytes> {
        match &self.map_run {
            _ if self.express => vec![],
            Some(map_run) => vec![keys::children_of(map_run, status)],
            None => keys::execution_lists(&caller_of(&self.arn), self.of(), status).collect(),
        }
    }

    /// The ARNs that it can be asked for by.
    fn of(&self) -> impl Iterator<Item = &str> {
        [Some(&self.machine), self.version.as_ref(), self.alias.as_ref()].into_iter().flatten().map(|arn| &**arn)
    }

    /// Who waits for its end, once it has ended.
    pub(crate) fn waiter(&self) -> Option<(Waiter, Waits)> {
        let starter = self.starter.filter(|_| self.status != HeadStatus::Running)?;
        Some((starter.task, starter.waits?))
    }

    /// The task that waits for its end, while it runs for that task: what was redriven runs for itself.
    pub(crate) fn awaited_by(&self) -> Option<Waiter> {
        let starter = self.starter.filter(|_| self.status == HeadStatus::Running && self.redrives == 0)?;
        starter.waits.map(|_| starter.task)
    }

    /// Whether a starting server has something to do for it: call its tasks, or see whether it is still waited for.
    pub(crate) fn owes(&self, execution: &Execution) -> bool {
        execution.awaits_tasks() || *execution.status() == Status::Running && self.awaited_by().is_some()
    }

    /// Puts the execution into the lists of what it is now, and takes it out of those of what it was.
    /// `before`: its status and how often it had been redriven.
    pub(crate) fn index(&self, id: Id, before: Option<(HeadStatus, u64)>, step: &mut Step) {
        if before == Some((self.status, self.redrives)) {
            return;
        }
        let key = keys::newest_first(self.started, id);
        if let Some((before, _)) = before {
            let lists = self.lists(before).into_iter();
            step.index_deleted.extend(lists.map(|list| store::IndexKey { list, key: key.clone() }));
        }
        let line = Bytes::from(serde_json::to_vec(&Line::of(self)).expect("a line has a text"));
        let lists = self.lists(self.status).into_iter();
        step.index_put.extend(
            lists.map(|list| store::IndexRow { at: store::IndexKey { list, key: key.clone() }, value: line.clone() }),
        );
    }
}

/// An execution's row in a list: its ARN, what it was started by, and when it stopped. The rest follows from the list
/// and the key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    a: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    v: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_zero")]
    r: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<Timestamp>,
    /// Of a Map run's child: how many items it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<u32>,
}

impl Line {
    fn of(head: &ExecutionHead) -> Line {
        Line {
            a: head.arn.clone(),
            v: head.version.clone(),
            l: head.alias.clone(),
            e: head.stopped,
            r: head.redrives,
            d: head.redriven,
            n: head.items,
        }
    }

    /// When it stopped, and when it was last redriven.
    pub(crate) fn times(line: &[u8]) -> (Option<Timestamp>, Option<Timestamp>) {
        serde_json::from_slice(line).map_or((None, None), |line: Line| (line.e, line.d))
    }

    pub(crate) fn is_redriven(line: &[u8]) -> bool {
        serde_json::from_slice(line).is_ok_and(|line: Line| line.r > 0)
    }

    pub(crate) fn summary(self, status: ExecutionStatus, started: Timestamp) -> ExecutionSummary {
        let mut parts = self.a.rsplitn(3, ':');
        let (name, machine) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        ExecutionSummary {
            arn: self.a.to_string(),
            machine_arn: base::arn::state_machine(&caller_of(&self.a), machine),
            version_arn: self.v.as_deref().map(str::to_owned),
            alias_arn: self.l.as_deref().map(str::to_owned),
            name: name.to_owned(),
            status,
            started,
            stopped: self.e,
            redrives: self.r,
            redriven: self.d,
            map_run_arn: None,
            items: self.n,
        }
    }
}

/// Whose an ARN of ours is.
pub(crate) fn caller_of(arn: &str) -> Caller {
    let arn = Arn::parse(arn).expect("ARNs of ours are well formed");
    Caller::new(arn.account, arn.region)
}

fn short(output: &Json) -> Option<String> {
    let text = output.to_string();
    (text.len() <= HEADER_PAYLOAD_BYTES_MAX).then_some(text)
}

/// Timers that an execution's effects set and clear, as rows.
pub(crate) fn alarms(effects: &[Effect], step: &mut Step) {
    for effect in effects {
        match effect {
            Effect::SetTimer(alarm) => step.timers_set.push(Timer { due: alarm.due, timer: alarm.timer.0 }),
            Effect::ClearTimer(alarm) => step.timers_cleared.push(Timer { due: alarm.due, timer: alarm.timer.0 }),
            Effect::RunTask { .. }
            | Effect::AbandonTask { .. }
            | Effect::StartMapRun { .. }
            | Effect::RedriveMapRun { .. }
            | Effect::StopMapRun { .. }
            | Effect::Ended => (),
        }
    }
}

/// Two steps of one value in one batch become one.
pub(crate) fn merge(first: &mut Step, next: Step) {
    first.header = next.header;
    first.chunks.extend(next.chunks);
    first.snapshot = next.snapshot.or(first.snapshot.take());
    for timer in next.timers_cleared {
        match first.timers_set.iter().position(|set| *set == timer) {
            Some(set) => drop(first.timers_set.swap_remove(set)),
            None => first.timers_cleared.push(timer),
        }
    }
    first.timers_set.extend(next.timers_set);
    first.owes = next.owes.or(first.owes);
    // Within a step rows are deleted before others are put.
    first.index_put.retain(|row| !next.index_deleted.contains(&row.at));
    first.index_deleted.extend(next.index_deleted);
    first.index_put.extend(next.index_put);
    first.claims.extend(next.claims);
}

impl From<HeadStatus> for ExecutionStatus {
    fn from(status: HeadStatus) -> ExecutionStatus {
        match status {
            HeadStatus::Running => ExecutionStatus::Running,
            HeadStatus::Succeeded => ExecutionStatus::Succeeded,
            HeadStatus::Failed => ExecutionStatus::Failed,
            HeadStatus::TimedOut => ExecutionStatus::TimedOut,
            HeadStatus::Aborted => ExecutionStatus::Aborted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the first version that had a form.
    #[test]
    fn what_was_stored_before_is_read() {
        let arn = "arn:aws:states:us-east-1:111111111111:execution:net:n";
        let head = format!(
            r#"{{"arn":"{arn}","machine":"arn:aws:states:us-east-1:111111111111:stateMachine:net","name":"n","definition":"d.0","status":"Failed","started":1,"stopped":2,"input":"{{}}","failure":{{"error":"E"}}}}"#
        );
        let head: ExecutionHead = serde_json::from_str(&head).expect("a head");
        assert_eq!((head.redrives, head.events, head.express, head.starter), (0, 0, false, None));
        let line: Line = serde_json::from_str(&format!(r#"{{"a":"{arn}","e":2}}"#)).expect("a line");
        let summary = line.summary(ExecutionStatus::Failed, Timestamp(1));
        assert_eq!((summary.machine_arn, summary.stopped), (head.machine.to_string(), Some(Timestamp(2))));
    }
}
