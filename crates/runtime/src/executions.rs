//! Use cases about executions.

use std::sync::Arc;

use base::{Caller, Id, Json, Timestamp, limits};
use bytes::Bytes;
use engine::{Event, Fact, Failure, Identity};
use serde::{Deserialize, Serialize};
use store::{Chunk, Direction, IndexRow, Seq};
use tokio::sync::mpsc;

use crate::logs::delivery::Logging;
use crate::machine::Registered;
use crate::machines::{Startable, owned, states_arn, valid_name, wrong_resource};
use crate::page::{Page, Paged};
use crate::qualified::{MachineArn, Part};
use crate::redrive::Redrivable;
use crate::refusal::Refusal;
use crate::shard::{Ask, Refused, Reply, Start};
use crate::value::{ExecutionHead, HeadStatus, Line};
use crate::{Runtime, clock, keys, token};

/// `StartExecution`.
#[derive(Debug, Clone)]
pub struct ExecutionStart {
    pub machine_arn: String,
    /// Made up when not given.
    pub name: Option<String>,
    /// Verbatim text; `{}` when not given.
    pub input: Option<String>,
    pub trace_header: Option<String>,
}

/// The task that starts an execution. Whoever starts it again with the same task meets the same execution, ended or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Starter {
    pub task: fleet::Waiter,
    /// Whether it waits for the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<Waits>,
}

/// How a task that waits for an execution sees its input and its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Waits {
    /// As text: `.sync`.
    Text,
    /// As the values that they are: `.sync:2`.
    Parsed,
}

/// What is about to be started.
pub(crate) struct Prepared {
    pub(crate) id: Id,
    pub(crate) machine: Arc<Registered>,
    pub(crate) start: engine::Start,
    pub(crate) compiled: Arc<asl::Machine>,
    pub(crate) logging: Option<Arc<Logging>>,
}

#[derive(Debug, Clone)]
pub struct ExecutionStarted {
    pub arn: String,
    pub started: Timestamp,
}

/// An execution's status, by AWS's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionStatus {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
    /// It did not succeed, and its Map run was redriven and has yet to go on with it.
    PendingRedrive,
}

impl ExecutionStatus {
    pub const ALL: [ExecutionStatus; 6] = [
        ExecutionStatus::Running,
        ExecutionStatus::Succeeded,
        ExecutionStatus::Failed,
        ExecutionStatus::TimedOut,
        ExecutionStatus::Aborted,
        ExecutionStatus::PendingRedrive,
    ];

    /// As on the wire: `TIMED_OUT`.
    pub fn name(self) -> &'static str {
        match self {
            ExecutionStatus::Running => "RUNNING",
            ExecutionStatus::Succeeded => "SUCCEEDED",
            ExecutionStatus::Failed => "FAILED",
            ExecutionStatus::TimedOut => "TIMED_OUT",
            ExecutionStatus::Aborted => "ABORTED",
            ExecutionStatus::PendingRedrive => "PENDING_REDRIVE",
        }
    }

    /// The lists in which it is found.
    fn kept(self) -> &'static [HeadStatus] {
        match self {
            ExecutionStatus::Running => &[HeadStatus::Running],
            ExecutionStatus::Succeeded => &[HeadStatus::Succeeded],
            ExecutionStatus::Failed => &[HeadStatus::Failed],
            ExecutionStatus::TimedOut => &[HeadStatus::TimedOut],
            ExecutionStatus::Aborted => &[HeadStatus::Aborted],
            ExecutionStatus::PendingRedrive => &[HeadStatus::Failed, HeadStatus::TimedOut, HeadStatus::Aborted],
        }
    }
}

/// `DescribeExecution`.
#[derive(Debug, Clone)]
pub struct Execution {
    pub summary: ExecutionSummary,
    /// The text of the input, as it was given.
    pub input: String,
    pub output: Option<String>,
    pub failure: Option<Failure>,
    pub trace_header: Option<String>,
    pub redrivable: Redrivable,
    pub map_run_arn: Option<String>,
}

/// One line of `ListExecutions`.
#[derive(Debug, Clone)]
pub struct ExecutionSummary {
    pub arn: String,
    pub machine_arn: String,
    /// What it was started by: a version alone, or by an alias that chose the version.
    pub version_arn: Option<String>,
    pub alias_arn: Option<String>,
    pub name: String,
    pub status: ExecutionStatus,
    pub started: Timestamp,
    pub stopped: Option<Timestamp>,
    /// How often it was redriven, and when last.
    pub redrives: u64,
    pub redriven: Option<Timestamp>,
    /// The Map run that it is a child of, and the number of items in it.
    pub map_run_arn: Option<String>,
    pub items: Option<u32>,
}

/// Which executions are wanted; newest first.
#[derive(Debug, Clone, Default)]
pub struct ExecutionFilter {
    /// A machine, one of its versions or one of its aliases; all of the account's machines when not given.
    pub machine_arn: Option<String>,
    /// Children of this Map run instead.
    pub map_run_arn: Option<String>,
    pub status: Option<ExecutionStatus>,
    /// Only those that were redriven, or that were not.
    pub redriven: Option<bool>,
}

/// An execution's events as they become durable. Ends after the execution's last.
pub struct Watch {
    pub events: mpsc::Receiver<Vec<Event>>,
}

/// Batches of events that a watcher may be behind.
const WATCH_BEHIND_MAX: usize = 64;

/// Events read at a time.
const HISTORY_PAGE: u32 = 1_000;

impl Runtime {
    /// Starts an execution. The same name and input while it runs give the same execution.
    pub async fn execution_start(&self, caller: &Caller, start: ExecutionStart) -> Result<ExecutionStarted, Refusal> {
        self.start(caller, start, None).await
    }

    /// Starts an execution for a task: once, however often the task comes.
    pub async fn execution_start_by(
        &self,
        caller: &Caller,
        start: ExecutionStart,
        starter: Starter,
    ) -> Result<ExecutionStarted, Refusal> {
        self.start(caller, start, Some(starter)).await
    }

    /// Stops the execution that a task started and waits for no longer; one that has another starter is left alone.
    pub async fn execution_abandon(
        &self,
        caller: &Caller,
        start: ExecutionStart,
        starter: Starter,
    ) -> Result<(), Refusal> {
        let machine = MachineArn::parse(caller, &start.machine_arn)?.machine;
        let machine = machine.rsplit(':').next().unwrap_or_default();
        let arn = base::arn::execution(caller, machine, &start.name.unwrap_or_default());
        let head = match self.execution_head(caller, &arn).await {
            Ok(head) => head,
            // It was never started.
            Err(Refusal::ExecutionDoesNotExist(_)) => return Ok(()),
            Err(refusal) => return Err(refusal),
        };
        if head.starter == Some(starter) {
            self.execution_stop(caller, &arn, Failure::default()).await?;
        }
        Ok(())
    }

    async fn start(
        &self,
        caller: &Caller,
        start: ExecutionStart,
        starter: Option<Starter>,
    ) -> Result<ExecutionStarted, Refusal> {
        let trace = start.trace_header.clone();
        let named = start.name.is_some();
        let Prepared { id, machine, start, compiled, logging } = self.prepare(caller, start, starter).await?;
        let arn = start.identity.execution_arn.to_string();
        let express = start.identity.express;
        // Which cannot be described cannot be waited for.
        if express && starter.is_some_and(|starter| starter.waits.is_some()) {
            return Err(Refusal::StateMachineTypeNotSupported);
        }
        let fresh = starter.is_none() && (express || !named);
        let ask = Start { start, machine: compiled, trace, logging, starter, fresh, items: None };
        // The quota is on Standard executions (Service quotas, "open executions").
        let place = if express { None } else { self.inner.open_executions.admit(self.store(), caller).await? };
        if !express && place.is_none() && (fresh || self.store().head(id).await?.is_none()) {
            return Err(Refusal::ExecutionLimitExceeded);
        }
        let answer = self.ask(id, Ask::Start(Box::new(ask))).await;
        drop(place);
        let started = match answer {
            Ok(Reply::Execution(head)) => ExecutionStarted { arn, started: head.started },
            Ok(_) => return Err(Refusal::Unknown),
            Err(Refused::Exists) => return Err(Refusal::ExecutionAlreadyExists(arn)),
            Err(refused) => return Err(refused.into()),
        };
        if let Some(refusal) = self.deleted_since(&machine).await {
            self.abort_of_deleted(id);
            return Err(refusal);
        }
        Ok(started)
    }

    /// Checks what is to be started and finds what it runs.
    pub(crate) async fn prepare(
        &self,
        caller: &Caller,
        start: ExecutionStart,
        starter: Option<Starter>,
    ) -> Result<Prepared, Refusal> {
        let machine = MachineArn::parse(caller, &start.machine_arn)?;
        let (input, text) = parse_input(start.input)?;
        start.name.as_deref().map(valid_name).transpose()?;
        let Startable { machine, definition, role_arn, version_arn, alias_arn } = self.startable(&machine).await?;
        let compiled = self.inner.world.definitions.get(self.store(), &definition).await.map_err(Refusal::internal)?;
        let uuid = || clock::uuid_of_now(self.inner.world.now());
        let name = start.name.unwrap_or_else(uuid);
        let express = machine.settings.express;
        let arn = match (express, starter) {
            (false, _) => base::arn::execution(caller, &machine.name, &name),
            // Names of Express executions are not unique: what follows them is. A task that comes again means the same.
            (true, None) => base::arn::express(caller, &machine.name, &name, &uuid()),
            (true, Some(Starter { task, .. })) => {
                let uuid = Id::of("express", &format!("{}/{}", task.execution, task.task)).to_uuid();
                base::arn::express(caller, &machine.name, &name, &uuid)
            }
        };
        let identity = Identity {
            execution_arn: arn.as_str().into(),
            name: name.into(),
            machine_arn: machine.arn.clone(),
            machine_name: machine.name.clone(),
            role_arn,
            version_arn,
            alias_arn,
            definition,
            map_run_arn: None,
            express,
        };
        Ok(Prepared {
            id: keys::execution(&arn),
            start: engine::Start { identity, input, text, block: asl::Machine::ROOT },
            compiled,
            logging: Logging::of(machine.settings.logging.as_ref()),
            machine,
        })
    }

    pub async fn execution(&self, caller: &Caller, arn: &str) -> Result<Execution, Refusal> {
        let head = self.execution_head(caller, arn).await?;
        let id = keys::execution(arn);
        let input = match &head.input {
            Some(input) => input.to_string(),
            None => self.input_of(id).await?,
        };
        let succeeded = ExecutionStatus::from(head.status) == ExecutionStatus::Succeeded;
        let output = match &head.output {
            None if succeeded => self.output_of(id).await?,
            output => output.clone(),
        };
        let pending = self.is_pending_redrive(&head).await?;
        let status = if pending { ExecutionStatus::PendingRedrive } else { head.status.into() };
        Ok(Execution {
            summary: ExecutionSummary { status, ..head.summary() },
            input,
            output,
            redrivable: Redrivable::of(&head, self.inner.world.now()),
            map_run_arn: head.map_run.as_deref().map(str::to_owned),
            failure: head.failure,
            trace_header: head.trace,
        })
    }

    /// Stops an execution and says when it ended; one that has ended stays as it is.
    pub async fn execution_stop(&self, caller: &Caller, arn: &str, failure: Failure) -> Result<Timestamp, Refusal> {
        execution_arn(caller, arn)?;
        let stop = engine::Command::Stop { failure };
        let head = match self.ask(keys::execution(arn), Ask::Execution(stop)).await {
            Ok(Reply::Execution(head)) => head,
            Err(Refused::Execution(Some(head))) => head,
            Ok(_) | Err(Refused::Missing | Refused::Execution(None)) => {
                return Err(Refusal::ExecutionDoesNotExist(arn.to_owned()));
            }
            Err(refused) => return Err(refused.into()),
        };
        Ok(head.stopped.unwrap_or(head.started))
    }

    pub async fn execution_list(
        &self,
        caller: &Caller,
        filter: ExecutionFilter,
        page: Page,
    ) -> Result<Paged<ExecutionSummary>, Refusal> {
        let machine = match &filter.machine_arn {
            None => None,
            Some(arn) => {
                let arn = MachineArn::parse(caller, arn)?;
                let now = self.registered_as(&arn).await?;
                if now.settings.express {
                    return Err(Refusal::StateMachineTypeNotSupported);
                }
                let there = match &arn.part {
                    Part::Whole => true,
                    Part::Version(number) => now.version(*number).is_some(),
                    Part::Alias(name) => now.alias(name).is_some(),
                    Part::Label(_) => false,
                };
                Some(there.then(|| arn.text()).ok_or_else(|| arn.missing())?)
            }
        };
        let statuses = match (filter.status, &filter.map_run_arn) {
            (None, _) => &HeadStatus::ALL[..],
            // Only the children of a Map run wait to be redriven.
            (Some(ExecutionStatus::PendingRedrive), None) => &[],
            (Some(status), _) => status.kept(),
        };
        let run_redriven = match &filter.map_run_arn {
            Some(map_run) => self.map_run(caller, map_run).await?.redriven,
            None => None,
        };
        let shown = |status: HeadStatus, line: &[u8]| match run_redriven {
            Some(at) if status.is_pending_redrive(Line::times(line), at) => ExecutionStatus::PendingRedrive,
            Some(_) | None => status.into(),
        };
        let (owner, whose) = (format!("{} {}", caller.account, caller.region), (&machine, &filter.map_run_arn));
        let question = format!("executions {owner} {whose:?} {:?} {:?}", filter.status, filter.redriven);
        let now = self.inner.world.now();
        let after = page.token.map(|token| token::read(&question, &token, now)).transpose()?.map(Bytes::from);
        let mut found = vec![];
        for status in statuses.iter().copied() {
            let list = match (&filter.map_run_arn, &machine) {
                (Some(map_run), _) => keys::children_of(map_run, status),
                (None, Some(machine)) => keys::executions_of(machine, status),
                (None, None) => keys::executions(caller, status),
            };
            let wanted = |row: &IndexRow| {
                filter.redriven.is_none_or(|redriven| Line::is_redriven(&row.value) == redriven)
                    && filter.status.is_none_or(|wanted| shown(status, &row.value) == wanted)
            };
            let rows = self.wanted_rows(list, after.clone(), page.limit + 1, wanted).await?;
            found.extend(rows.into_iter().map(|row| (row.at.key, shown(status, &row.value), row.value)));
        }
        found.sort_by(|left, right| left.0.cmp(&right.0));
        let more = found.len() > page.limit as usize;
        found.truncate(page.limit as usize);
        let next = found.last().filter(|_| more).map(|(key, ..)| token::write(&question, key, now));
        let items = found.into_iter().map(|(key, status, line)| {
            let line: Line = serde_json::from_slice(&line).map_err(Refusal::internal)?;
            let map_run_arn = filter.map_run_arn.clone();
            Ok(ExecutionSummary { map_run_arn, ..line.summary(status, keys::instant_of(&key)) })
        });
        Ok(Paged { items: items.collect::<Result<_, Refusal>>()?, next })
    }

    /// Rows of a list, and of them only those that are wanted.
    async fn wanted_rows(
        &self,
        list: Bytes,
        mut after: Option<Bytes>,
        count: u32,
        wanted: impl Fn(&IndexRow) -> bool,
    ) -> Result<Vec<IndexRow>, Refusal> {
        let mut found = vec![];
        loop {
            let rows = self.store().index(list.clone(), after, Direction::Forward, count).await?;
            let more = rows.len() == count as usize;
            after = rows.last().map(|row| row.at.key.clone());
            found.extend(rows.into_iter().filter(&wanted));
            if !more || found.len() >= count as usize {
                found.truncate(count as usize);
                return Ok(found);
            }
        }
    }

    /// The history, facts of our own included (see [`Event::is_aws`]); `limit` counts AWS's events.
    pub async fn execution_history(
        &self,
        caller: &Caller,
        arn: &str,
        reverse: bool,
        page: Page,
    ) -> Result<Paged<Event>, Refusal> {
        self.execution_head(caller, arn).await?;
        let question = format!("history {arn} {reverse}");
        let now = self.inner.world.now();
        let direction = if reverse { Direction::Backward } else { Direction::Forward };
        let mut from = match page.token {
            None if reverse => Seq(u64::MAX),
            None => Seq(0),
            Some(token) => place(&token::read(&question, &token, now)?)?,
        };
        let (mut items, mut shown) = (vec![], 0);
        loop {
            let chunks =
                self.store().chunks(keys::execution(arn), from, direction, page.limit.saturating_add(1)).await?;
            let events = events_from(&chunks, from, direction)?;
            if events.is_empty() {
                return Ok(Paged { items, next: None });
            }
            for (seq, event) in events {
                if event.is_aws() && shown == page.limit {
                    let next = token::write(&question, &seq.to_be_bytes(), now);
                    return Ok(Paged { items, next: Some(next) });
                }
                shown += u32::from(event.is_aws());
                items.push(event);
                from = match direction {
                    Direction::Forward => Seq(seq + 1),
                    Direction::Backward if seq == 0 => return Ok(Paged { items, next: None }),
                    Direction::Backward => Seq(seq - 1),
                };
            }
        }
    }

    /// Everything that happened and everything that will, until the execution ends.
    pub async fn execution_watch(&self, caller: &Caller, arn: &str) -> Result<Watch, Refusal> {
        self.execution_head(caller, arn).await?;
        let (sender, events) = mpsc::channel(WATCH_BEHIND_MAX);
        let (runtime, id, execution) = (self.clone(), keys::execution(arn), arn.to_owned());
        tokio::spawn(async move {
            if let Err(refusal) = runtime.follow(id, sender).await {
                tracing::warn!(execution, %refusal, "a watch ended early");
            }
        });
        Ok(Watch { events })
    }

    /// Reads the history, then hears what is added; a follower that fell behind reads again.
    async fn follow(&self, id: Id, sender: mpsc::Sender<Vec<Event>>) -> Result<(), Refusal> {
        let mut from = 0;
        loop {
            let (happens, mut happened) = mpsc::channel(WATCH_BEHIND_MAX);
            self.ask(id, Ask::Watch(happens)).await?;
            let mut over = false;
            loop {
                let chunks = self.store().chunks(id, Seq(from), Direction::Forward, HISTORY_PAGE).await?;
                let events = events_from(&chunks, Seq(from), Direction::Forward)?;
                let Some((last, _)) = events.last() else { break };
                from = last + 1;
                let events: Vec<Event> = events.into_iter().map(|(_, event)| event).collect();
                // What ended may have been redriven: the end is an end only where nothing follows.
                over = events.last().is_some_and(|event| event.fact.ends_execution());
                if sender.send(events).await.is_err() {
                    return Ok(());
                }
            }
            if over {
                return Ok(());
            }
            loop {
                // Whoever watched may leave while nothing happens.
                let next = tokio::select! {
                    next = happened.recv() => next,
                    () = sender.closed() => return Ok(()),
                };
                let Some((first, events)) = next else { break };
                let known = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX).min(events.len());
                from = from.max(first + events.len() as u64);
                let ended = events.iter().any(|event| event.fact.ends_execution());
                if sender.send(events[known..].to_vec()).await.is_err() || ended {
                    return Ok(());
                }
            }
            if sender.is_closed() {
                return Ok(());
            }
        }
    }

    pub(crate) async fn execution_head(&self, caller: &Caller, arn: &str) -> Result<ExecutionHead, Refusal> {
        execution_arn(caller, arn)?;
        let head = self.store().head(keys::execution(arn)).await?;
        let head = head.ok_or_else(|| Refusal::ExecutionDoesNotExist(arn.to_owned()))?;
        serde_json::from_slice(&head.header).map_err(Refusal::internal)
    }

    pub(crate) async fn input_of(&self, id: Id) -> Result<String, Refusal> {
        let chunks = self.store().chunks(id, Seq(0), Direction::Forward, 1).await?;
        let events = events_from(&chunks, Seq(0), Direction::Forward)?;
        match events.into_iter().next().map(|(_, event)| event.fact) {
            Some(Fact::ExecutionStarted { text: Some(text), .. }) => Ok(text.to_string()),
            Some(Fact::ExecutionStarted { input, .. }) => Ok(input.to_string()),
            _ => Err(Refusal::internal("an execution's first event is not its start".to_owned())),
        }
    }

    pub(crate) async fn output_of(&self, id: Id) -> Result<Option<String>, Refusal> {
        let chunks = self.store().chunks(id, Seq(u64::MAX), Direction::Backward, 1).await?;
        let events = events_from(&chunks, Seq(u64::MAX), Direction::Backward)?;
        match events.into_iter().next().map(|(_, event)| event.fact) {
            Some(Fact::ExecutionSucceeded { output }) => Ok(Some(output.to_string())),
            _ => Ok(None),
        }
    }
}

/// The events of `chunks` at and beyond `from`, with their places, in the direction of reading.
fn events_from(chunks: &[Chunk], from: Seq, direction: Direction) -> Result<Vec<(u64, Event)>, Refusal> {
    let mut all = vec![];
    for chunk in chunks {
        let events = engine::pack::decode(&chunk.bytes).map_err(Refusal::internal)?;
        let numbered = (chunk.first.0..).zip(events);
        match direction {
            Direction::Forward => all.extend(numbered.filter(|(seq, _)| *seq >= from.0)),
            Direction::Backward => {
                let wanted: Vec<_> = numbered.filter(|(seq, _)| *seq <= from.0).collect();
                all.extend(wanted.into_iter().rev());
            }
        }
    }
    Ok(all)
}

fn place(bytes: &[u8]) -> Result<Seq, Refusal> {
    bytes.try_into().map(|bytes| Seq(u64::from_be_bytes(bytes))).map_err(|_| Refusal::InvalidToken)
}

/// The value of an input's text, and the text where it is not the value's compact one.
fn parse_input(text: Option<String>) -> Result<(Json, Option<Arc<str>>), Refusal> {
    let Some(text) = text else { return Ok((Json::empty_object(), None)) };
    if text.is_empty() {
        return Err(Refusal::InvalidExecutionInput("Invalid execution input.".to_owned()));
    }
    if text.len() > limits::PAYLOAD_BYTES_MAX {
        return Err(Refusal::Validation(
            "1 validation error detected: Value at 'input' failed to satisfy constraint: Member must have length less than or equal to 262144".to_owned(),
        ));
    }
    let input = Json::parse(&text).map_err(|error| Refusal::InvalidExecutionInput(error.to_string()))?;
    let compact = input.to_string() == text;
    Ok((input, (!compact).then(|| text.into())))
}

/// Checks that an ARN is an execution's, and the caller's: another's does not exist for them.
fn execution_arn(caller: &Caller, arn: &str) -> Result<(), Refusal> {
    let parsed = states_arn(arn)?;
    match parsed.resource_parts() {
        ("execution", name) if name.contains(':') => (),
        (other, _) => return Err(wrong_resource(other)),
    }
    owned(caller, &parsed).then_some(()).ok_or_else(|| Refusal::ExecutionDoesNotExist(arn.to_owned()))
}
