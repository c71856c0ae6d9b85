//! What an execution remembers: the fold of its events.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Json, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::{Alarm, Event, Fact, Failure, Kind};
use crate::id::{FrameId, TaskId, TimerId};
use crate::map_run::MapPlan;
use crate::token::is_activity;
use crate::variables::Variables;
use crate::{Effect, Identity, MAP_RUN_REDRIVES_MAX};

/// One run of a state machine, as of its latest event.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Execution {
    pub(crate) identity: Identity,
    pub(crate) input: Json,
    /// As it was written, where that is not its compact text.
    #[serde(default)]
    pub(crate) text: Option<Arc<str>>,
    pub(crate) status: Status,
    pub(crate) started: Timestamp,
    /// The machine's own `TimeoutSeconds`.
    pub(crate) timeout: Option<Alarm>,
    /// Everything that is going on. Empty once the execution has ended.
    pub(crate) frames: BTreeMap<FrameId, Frame>,
    /// What was going on when it failed, timed out or was stopped: where a redrive begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stopped: Option<Box<Stopped>>,
    #[serde(default, skip_serializing_if = "Redrives::is_none")]
    pub(crate) redrives: Redrives,
    /// Where each outstanding task and each alarm belongs.
    pub(crate) tasks: BTreeMap<TaskId, FrameId>,
    pub(crate) timers: BTreeMap<TimerId, FrameId>,
    /// What a step left to do that was long enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paused: Option<Paused>,
    /// What the variables of all frames take, in bytes.
    #[serde(default)]
    pub(crate) variables_bytes: i64,
    pub(crate) next_frame: u32,
    pub(crate) next_task: u64,
    pub(crate) next_timer: u64,
    /// The number of the last event that AWS would show.
    pub(crate) last_id: u64,
    /// All events, our own included.
    pub(crate) seq: u64,
}

/// What stood still when a run ended otherwise than well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stopped {
    pub(crate) frames: BTreeMap<FrameId, Frame>,
    /// States that were still to be entered: a paused step's.
    pub(crate) entering: Vec<(FrameId, Arc<str>, Json)>,
}

impl Stopped {
    /// The block that the execution runs.
    pub(crate) fn block(&self) -> Option<u32> {
        self.frames.get(&FrameId::ROOT).map(|root| root.block)
    }
}

/// How often it was redriven, and what is remembered of that.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Redrives {
    pub count: u64,
    pub last: Option<Timestamp>,
    /// The last client tokens, each with its time: the newest last.
    pub tokens: Vec<(Arc<str>, Timestamp)>,
}

impl Redrives {
    /// Client tokens that are remembered (API reference, `RedriveExecution`).
    const TOKENS_MAX: usize = 10;

    /// How long a client token is remembered.
    const TOKEN_MS: i64 = 15 * 60 * 1000;

    fn is_none(&self) -> bool {
        self.count == 0
    }

    /// Whether a redrive with this token was asked for lately.
    pub fn remembers(&self, token: &str, now: Timestamp) -> bool {
        self.tokens.iter().any(|(known, at)| **known == *token && now.0.saturating_sub(at.0) < Redrives::TOKEN_MS)
    }

    fn note(&mut self, at: Timestamp, count: u64, token: Option<&Arc<str>>) {
        self.count = count;
        self.last = Some(at);
        self.tokens.extend(token.map(|token| (token.clone(), at)));
        let surplus = self.tokens.len().saturating_sub(Redrives::TOKENS_MAX);
        self.tokens.drain(..surplus);
    }
}

/// Where a run stands. Each variant holds exactly what that stand needs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum Status {
    #[default]
    New,
    Running,
    Ended {
        at: Timestamp,
        outcome: Outcome,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    Succeeded { output: Json },
    Failed { failure: Failure },
    TimedOut { failure: Failure },
    Aborted { failure: Failure },
}

/// What an execution wants to hear of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaits {
    /// Nothing: it is not the current attempt.
    Nothing,
    /// Whether its job was accepted, or its end.
    Submission,
    /// Only its end.
    End,
}

/// One part of an execution that moves on its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    pub(crate) place: Place,
    /// Index of the block of the definition whose states it runs.
    pub(crate) block: u32,
    /// What the next event here names as its `previousEventId`.
    pub(crate) last: u64,
    /// The state it is in; none between two states.
    pub(crate) visit: Option<Visit>,
    /// Those of its own scope; it reads its parents' as well.
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub(crate) variables: Variables,
}

/// What the next step goes on with, at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Paused {
    pub(crate) alarm: Alarm,
    /// Frames with the state that each enters next and its input, in their order.
    pub(crate) entering: Vec<(FrameId, Arc<str>, Json)>,
    /// Tasks that were scheduled and are not yet said to have started.
    pub(crate) starting: Vec<TaskId>,
}

/// What a frame is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    Machine,
    Branch { of: FrameId, index: u32 },
    Iteration { of: FrameId, index: u64 },
}

/// One stay in one state, all its retries included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Visit {
    pub(crate) name: Arc<str>,
    pub(crate) kind: Kind,
    /// The raw input.
    pub(crate) input: Json,
    /// The number of its `StateEntered`.
    pub(crate) entered: u64,
    /// What that event named as the one before it.
    #[serde(default)]
    pub(crate) entered_from: u64,
    pub(crate) entered_at: Timestamp,
    /// How often each retrier was used, by its place in the list.
    pub(crate) retries: BTreeMap<u32, u32>,
    pub(crate) doing: Doing,
}

/// What a state is waiting for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Doing {
    /// Nothing: the step that is being decided goes on from here.
    Deciding,
    Task(Attempt),
    Waiting {
        alarm: Alarm,
    },
    Retrying {
        alarm: Alarm,
    },
    Branches(Branches),
    Iterations(Iterations),
    MapRun(MapRun),
    /// A Map run failed: what remains is to tell, or to try again. A redrive goes on with it, or with a new one where
    /// there is none.
    MapRunFailed {
        run: Option<MapRun>,
    },
}

/// A Map run that the state waits for, or waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MapRun {
    pub(crate) task: TaskId,
    pub(crate) arn: Arc<str>,
    pub(crate) plan: Box<MapPlan>,
    /// How often it was redriven.
    #[serde(default)]
    pub(crate) redrives: u64,
}

/// An outstanding task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) task: TaskId,
    pub(crate) resource: Arc<str>,
    pub(crate) parameters: Json,
    pub(crate) credentials: Option<Json>,
    pub(crate) timeout: Option<Alarm>,
    pub(crate) heartbeat: Option<Alarm>,
    pub(crate) heartbeat_seconds: Option<u64>,
    #[serde(default)]
    pub(crate) timeout_seconds: Option<u64>,
    /// Its job was accepted; only its end is awaited.
    pub(crate) submitted: bool,
    /// What whoever tells its outcome has to show, where the outcome comes from outside.
    #[serde(default)]
    pub(crate) token: Option<Arc<str>>,
    /// `TaskStarted` was recorded: of an activity, that a worker has it.
    #[serde(default)]
    pub(crate) started: bool,
    /// The outcome that came before its job was accepted.
    #[serde(default)]
    pub(crate) answer: Option<Result<Json, Failure>>,
}

/// What each child gave; none for those that have not ended well, and for those that gave null.
type Outputs = Vec<Option<Json>>;

/// A Parallel's branches. Branch `n` is frame `first + n` while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Branches {
    pub(crate) first: FrameId,
    pub(crate) open: u32,
    pub(crate) outputs: Outputs,
    /// Branches that failed or were given up, by their place, as they were.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) stopped: BTreeMap<u32, Frame>,
}

/// A Map's iterations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Iterations {
    pub(crate) items: Json,
    pub(crate) concurrency: u64,
    pub(crate) block: u32,
    /// The next item to start.
    pub(crate) next: u64,
    pub(crate) open: BTreeMap<u64, FrameId>,
    pub(crate) outputs: Outputs,
    /// Iterations that failed or were given up, by their place, as they were.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) stopped: BTreeMap<u64, (FrameId, Frame)>,
}

/// What all children together gave, once all have ended well.
pub(crate) fn whole(outputs: &[Option<Json>]) -> Json {
    Json::array(outputs.iter().map(|output| output.clone().unwrap_or(Json::Null)))
}

impl Execution {
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Execution {
        let mut execution = Execution::default();
        for event in events {
            execution.apply(event);
        }
        execution
    }

    pub fn status(&self) -> &Status {
        &self.status
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn input(&self) -> &Json {
        &self.input
    }

    /// The input as it was written.
    pub fn input_text(&self) -> Arc<str> {
        self.text.clone().unwrap_or_else(|| self.input.to_string().into())
    }

    pub fn started(&self) -> Timestamp {
        self.started
    }

    pub fn redrives(&self) -> &Redrives {
        &self.redrives
    }

    /// How many events AWS's history of it has.
    pub fn history_len(&self) -> u64 {
        self.last_id
    }

    /// How many events it has, our own included.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    pub fn has_ended(&self) -> bool {
        matches!(self.status, Status::Ended { .. })
    }

    /// Whether something in it stands still that can go on.
    pub(crate) fn is_redrivable(&self) -> bool {
        self.stopped.as_ref().is_some_and(|stopped| stopped.frames.values().all(Frame::is_redrivable))
    }

    /// Whether a task's outcome is awaited: whether somebody outside is at work for this execution.
    pub fn awaits_tasks(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Whether `task` is the current attempt of a state, and whether its job was accepted.
    pub fn awaits(&self, task: TaskId) -> Awaits {
        let visit =
            self.tasks.get(&task).and_then(|frame| self.frames.get(frame)).and_then(|frame| frame.visit.as_ref());
        match visit.map(|visit| &visit.doing) {
            Some(Doing::Task(attempt)) if attempt.submitted => Awaits::End,
            Some(Doing::Task(_)) => Awaits::Submission,
            Some(Doing::MapRun(_)) => Awaits::End,
            _ => Awaits::Nothing,
        }
    }

    /// What a worker is given of a task: its token and its input.
    pub fn task_of_worker(&self, task: TaskId) -> Option<(Arc<str>, Json)> {
        let frame = self.frames.get(self.tasks.get(&task)?)?;
        match &frame.visit.as_ref()?.doing {
            Doing::Task(attempt) => Some((attempt.token.clone()?, attempt.parameters.clone())),
            _ => None,
        }
    }

    /// Every effect still owed. What a restarted server dispatches.
    pub fn outstanding(&self) -> Vec<Effect> {
        let machine =
            self.timeout.into_iter().chain(self.paused.iter().map(|paused| paused.alarm)).map(Effect::SetTimer);
        machine.chain(self.frames.values().flat_map(Frame::outstanding)).collect()
    }

    /// Folds one event in. Total: every event of a well-formed history applies.
    pub fn apply(&mut self, event: &Event) {
        self.seq += 1;
        if event.is_aws() {
            self.last_id = event.id;
            if event.fact.moves_its_frame_on()
                && let Some(frame) = self.frames.get_mut(&event.frame)
            {
                frame.last = event.id;
            }
        }
        match &event.fact {
            Fact::ExecutionStarted { identity, input, text, block, timeout } => {
                self.text = text.clone();
                self.start(event.at, identity, input, *block, *timeout);
            }
            Fact::ExecutionSucceeded { output } => self.end(event.at, Outcome::Succeeded { output: output.clone() }),
            Fact::ExecutionFailed { failure } => self.end(event.at, Outcome::Failed { failure: failure.clone() }),
            Fact::ExecutionAborted { failure } => self.end(event.at, Outcome::Aborted { failure: failure.clone() }),
            Fact::ExecutionTimedOut { failure } => self.end(event.at, Outcome::TimedOut { failure: failure.clone() }),
            Fact::ExecutionRedriven { count, token, timeout } => {
                self.redrives.note(event.at, *count, token.as_ref());
                self.redrive(event.id, *timeout);
            }
            Fact::StateEntered { kind, name, input } => {
                let visit = Visit {
                    name: name.clone(),
                    kind: *kind,
                    input: input.clone(),
                    entered: event.id,
                    entered_from: event.previous,
                    entered_at: event.at,
                    retries: BTreeMap::new(),
                    doing: Doing::Deciding,
                };
                if let Some(frame) = self.frames.get_mut(&event.frame) {
                    frame.visit = Some(visit);
                }
            }
            Fact::StateExited { assigned, .. } => {
                let Some(frame) = self.frames.get_mut(&event.frame) else { return };
                let left = frame.visit.take();
                self.variables_bytes += frame.variables.assign(assigned.as_deref().unwrap_or_default());
                if let Some(visit) = left {
                    self.forget(&visit.doing);
                }
            }
            Fact::StateAborted { .. } | Fact::EvaluationFailed { .. } => (),
            Fact::TaskScheduled {
                task,
                resource,
                parameters,
                timeout_seconds,
                heartbeat_seconds,
                credentials,
                token,
                timeout,
                heartbeat,
            } => {
                let attempt = Attempt {
                    task: *task,
                    resource: resource.clone(),
                    parameters: parameters.clone(),
                    credentials: credentials.clone(),
                    timeout: *timeout,
                    heartbeat: *heartbeat,
                    heartbeat_seconds: *heartbeat_seconds,
                    timeout_seconds: *timeout_seconds,
                    submitted: false,
                    token: token.clone(),
                    started: false,
                    answer: None,
                };
                self.begin(event.frame, Doing::Task(attempt));
            }
            Fact::TaskStarted { task, timeout, heartbeat, .. } => {
                if let Some(paused) = &mut self.paused {
                    paused.starting.retain(|starting| starting != task);
                }
                self.task_started(event.frame, *task, *timeout, *heartbeat);
            }
            Fact::TaskSubmitted { .. } => {
                if let Some(Doing::Task(attempt)) = self.doing_mut(event.frame) {
                    attempt.submitted = true;
                }
            }
            Fact::TaskAnswered { outcome, .. } => {
                if let Some(Doing::Task(attempt)) = self.doing_mut(event.frame) {
                    attempt.answer = Some(outcome.clone());
                }
            }
            Fact::TaskHeartbeat { next, .. } => self.heartbeat(event.frame, *next),
            Fact::TaskSucceeded { .. } | Fact::TaskFailed { .. } | Fact::TaskTimedOut { .. } => {
                self.begin(event.frame, Doing::Deciding);
            }
            Fact::ParallelStarted { first, blocks, .. } => self.branch(event, *first, blocks),
            Fact::MapStarted { items, length, concurrency, block } => {
                let outputs = vec![None; usize::try_from(*length).unwrap_or(0)];
                let iterations = Iterations {
                    items: items.clone(),
                    concurrency: *concurrency,
                    block: *block,
                    next: 0,
                    open: BTreeMap::new(),
                    outputs,
                    stopped: BTreeMap::new(),
                };
                self.begin(event.frame, Doing::Iterations(iterations));
            }
            Fact::MapIterationStarted { index, child, .. } => self.iterate(event, *index, *child),
            Fact::MapIterationSucceeded { .. }
            | Fact::MapIterationFailed { .. }
            | Fact::MapIterationAborted { .. }
            | Fact::ParallelSucceeded
            | Fact::ParallelFailed
            | Fact::MapSucceeded
            | Fact::MapFailed
            | Fact::MapDistributed { .. }
            | Fact::MapRunAborted => (),
            Fact::MapRunStarted { arn, task, plan } => {
                let run = MapRun { task: *task, arn: arn.clone(), plan: plan.clone(), redrives: 0 };
                self.begin(event.frame, Doing::MapRun(run));
            }
            Fact::MapRunRedriven { count, task, .. } => {
                if let Some(Doing::MapRunFailed { run: Some(run) }) = self.doing_mut(event.frame) {
                    let run = MapRun { task: *task, redrives: *count, ..run.clone() };
                    self.begin(event.frame, Doing::MapRun(run));
                }
            }
            Fact::MapRunSucceeded { .. } => self.begin(event.frame, Doing::Deciding),
            Fact::MapRunFailed { failure, .. } => {
                let run = match self.doing_mut(event.frame) {
                    Some(Doing::MapRun(run)) if is_redriven_after(failure) => Some(run.clone()),
                    _ => None,
                };
                self.begin(event.frame, Doing::MapRunFailed { run });
            }
            Fact::WaitStarted { alarm } => self.begin(event.frame, Doing::Waiting { alarm: *alarm }),
            Fact::RetryScheduled { retrier, alarm } => {
                self.begin(event.frame, Doing::Retrying { alarm: *alarm });
                if let Some(visit) = self.visit_mut(event.frame) {
                    *visit.retries.entry(*retrier).or_default() += 1;
                }
            }
            Fact::FrameEnded { output, failed } => self.end_frame(event.frame, output.clone(), *failed),
            Fact::StepPaused { alarm, entering, starting } => self.pause(*alarm, entering, starting),
            Fact::StepResumed => self.resume(),
        }
    }

    fn start(&mut self, at: Timestamp, identity: &Identity, input: &Json, block: u32, timeout: Option<Alarm>) {
        self.identity = identity.clone();
        self.input = input.clone();
        self.started = at;
        self.status = Status::Running;
        self.timeout = timeout;
        if let Some(alarm) = timeout {
            self.keep_timer(FrameId::ROOT, alarm);
        }
        // The first state's `previousEventId` is 0, not the id of ExecutionStarted.
        self.frames.insert(FrameId::ROOT, Frame::new(Place::Machine, block, 0));
        self.next_frame = 1;
    }

    fn end(&mut self, at: Timestamp, outcome: Outcome) {
        let frames = std::mem::take(&mut self.frames);
        let entering = self.paused.take().map(|paused| paused.entering).unwrap_or_default();
        self.stopped = match outcome {
            Outcome::Succeeded { .. } => None,
            Outcome::Failed { .. } | Outcome::TimedOut { .. } | Outcome::Aborted { .. } => {
                Some(Box::new(Stopped { frames, entering }))
            }
        };
        self.status = Status::Ended { at, outcome };
        self.timeout = None;
        self.variables_bytes = 0;
        self.tasks.clear();
        self.timers.clear();
    }

    /// Everything that failed or was given up stands again where it stood, with nothing begun in it. What was still to
    /// be entered is entered by whoever goes on.
    fn redrive(&mut self, id: u64, timeout: Option<Alarm>) {
        self.status = Status::Running;
        self.timeout = timeout;
        if let Some(alarm) = timeout {
            self.keep_timer(FrameId::ROOT, alarm);
        }
        let frames = match self.stopped.take() {
            Some(stopped) if self.identity.express => {
                let block = stopped.block().unwrap_or(0);
                BTreeMap::from([(FrameId::ROOT, Frame::new(Place::Machine, block, id))])
            }
            Some(stopped) => stopped.frames,
            None => BTreeMap::new(),
        };
        let mut waiting: Vec<(FrameId, Frame)> = frames.into_iter().collect();
        while let Some((at, mut frame)) = waiting.pop() {
            waiting.extend(frame.revive(id));
            self.variables_bytes += frame.variables.bytes();
            self.frames.insert(at, frame);
        }
    }

    /// The state of `frame` turns to something else; what it waited for before is forgotten.
    fn begin(&mut self, frame: FrameId, doing: Doing) {
        match &doing {
            Doing::Task(attempt) => {
                self.tasks.insert(attempt.task, frame);
                self.next_task = self.next_task.max(attempt.task.0 + 1);
                for alarm in [attempt.timeout, attempt.heartbeat].into_iter().flatten() {
                    self.keep_timer(frame, alarm);
                }
            }
            Doing::MapRun(run) => {
                self.tasks.insert(run.task, frame);
                self.next_task = self.next_task.max(run.task.0 + 1);
            }
            Doing::Waiting { alarm } | Doing::Retrying { alarm } => self.keep_timer(frame, *alarm),
            Doing::Deciding | Doing::Branches(_) | Doing::Iterations(_) | Doing::MapRunFailed { .. } => (),
        }
        let Some(visit) = self.visit_mut(frame) else { return };
        let before = std::mem::replace(&mut visit.doing, doing);
        self.forget(&before);
    }

    fn forget(&mut self, doing: &Doing) {
        match doing {
            Doing::Task(attempt) => {
                self.tasks.remove(&attempt.task);
                for alarm in [attempt.timeout, attempt.heartbeat].into_iter().flatten() {
                    self.timers.remove(&alarm.timer);
                }
            }
            Doing::Waiting { alarm } | Doing::Retrying { alarm } => {
                self.timers.remove(&alarm.timer);
            }
            Doing::MapRun(run) => {
                self.tasks.remove(&run.task);
            }
            Doing::Deciding | Doing::Branches(_) | Doing::Iterations(_) | Doing::MapRunFailed { .. } => (),
        }
    }

    fn keep_timer(&mut self, frame: FrameId, alarm: Alarm) {
        self.timers.insert(alarm.timer, frame);
        self.next_timer = self.next_timer.max(alarm.timer.0 + 1);
    }

    fn task_started(&mut self, frame: FrameId, task: TaskId, timeout: Option<Alarm>, heartbeat: Option<Alarm>) {
        let Some(Doing::Task(attempt)) = self.doing_mut(frame) else { return };
        if attempt.task != task {
            return;
        }
        attempt.started = true;
        attempt.timeout = attempt.timeout.or(timeout);
        attempt.heartbeat = attempt.heartbeat.or(heartbeat);
        for alarm in [timeout, heartbeat].into_iter().flatten() {
            self.keep_timer(frame, alarm);
        }
    }

    fn heartbeat(&mut self, frame: FrameId, next: Alarm) {
        let Some(Doing::Task(attempt)) = self.doing_mut(frame) else { return };
        let before = attempt.heartbeat.replace(next);
        if let Some(alarm) = before {
            self.timers.remove(&alarm.timer);
        }
        self.keep_timer(frame, next);
    }

    fn branch(&mut self, event: &Event, first: FrameId, blocks: &[u32]) {
        let open = u32::try_from(blocks.len()).expect("a definition has fewer branches than that");
        self.begin(
            event.frame,
            Doing::Branches(Branches { first, open, outputs: vec![None; blocks.len()], stopped: BTreeMap::new() }),
        );
        for (index, block) in (0..).zip(blocks) {
            let place = Place::Branch { of: event.frame, index };
            self.frames.insert(FrameId(first.0 + index), Frame::new(place, *block, event.id));
        }
        self.next_frame = self.next_frame.max(first.0 + open);
    }

    fn iterate(&mut self, event: &Event, index: u64, child: FrameId) {
        let Some(Doing::Iterations(iterations)) = self.doing_mut(event.frame) else { return };
        iterations.open.insert(index, child);
        iterations.next = index + 1;
        let block = iterations.block;
        let place = Place::Iteration { of: event.frame, index };
        self.frames.insert(child, Frame::new(place, block, event.id));
        self.next_frame = self.next_frame.max(child.0 + 1);
    }

    /// A branch or an iteration is over: its result goes to its parent, which goes on from its last event.
    fn end_frame(&mut self, id: FrameId, output: Option<Json>, failed: bool) {
        let Some(frame) = self.frames.remove(&id) else { return };
        self.variables_bytes -= frame.variables.bytes();
        if let Some(visit) = &frame.visit {
            self.forget(&visit.doing);
        }
        let of = match frame.place {
            Place::Machine => return,
            Place::Branch { of, .. } | Place::Iteration { of, .. } => of,
        };
        let Some(parent) = self.frames.get_mut(&of) else { return };
        if output.is_some() || failed {
            parent.last = frame.last;
        }
        // A snapshot cannot tell null from nothing; when all have given something, nothing is null.
        let kept = output.clone().filter(|output| !output.is_null());
        match (&mut parent.visit.as_mut().map(|visit| &mut visit.doing), frame.place) {
            (Some(Doing::Branches(branches)), Place::Branch { index, .. }) => {
                branches.open -= 1;
                if output.is_none() {
                    branches.stopped.insert(index, frame);
                }
                branches.outputs[index as usize] = kept;
            }
            (Some(Doing::Iterations(iterations)), Place::Iteration { index, .. }) => {
                iterations.open.remove(&index);
                if output.is_none() {
                    iterations.stopped.insert(index, (id, frame));
                }
                iterations.outputs[index as usize] = kept;
            }
            _ => (),
        }
    }

    /// What there was to go on with stays in front of what came now; its alarm is theirs.
    fn pause(&mut self, alarm: Alarm, entering: &[(FrameId, Arc<str>, Json)], starting: &[TaskId]) {
        let paused = self.paused.get_or_insert(Paused { alarm, entering: vec![], starting: vec![] });
        paused.entering.extend(entering.iter().cloned());
        paused.starting.extend(starting);
        self.keep_timer(FrameId::ROOT, alarm);
    }

    fn resume(&mut self) {
        if let Some(paused) = self.paused.take() {
            self.timers.remove(&paused.alarm.timer);
        }
    }

    /// Where an outstanding task belongs, and what does it.
    pub(crate) fn resource(&self, task: TaskId) -> Option<(FrameId, TaskId, Arc<str>)> {
        let frame = *self.tasks.get(&task)?;
        match &self.frames.get(&frame)?.visit.as_ref()?.doing {
            Doing::Task(attempt) => Some((frame, task, attempt.resource.clone())),
            _ => None,
        }
    }

    /// The variable that `frame` sees by this name: its own, else the nearest around it.
    pub(crate) fn variable(&self, frame: FrameId, name: &str) -> Option<&Json> {
        let mut frame = self.frames.get(&frame)?;
        loop {
            if let Some(value) = frame.variables.get(name) {
                return Some(value);
            }
            match frame.place {
                Place::Machine => return None,
                Place::Branch { of, .. } | Place::Iteration { of, .. } => frame = self.frames.get(&of)?,
            }
        }
    }

    /// Frames that are in a state which has begun nothing, or whose Map run has failed, in the order in which they were
    /// made.
    pub(crate) fn idle(&self) -> Vec<FrameId> {
        let is_idle = |doing: &Doing| matches!(doing, Doing::Deciding | Doing::MapRunFailed { .. });
        let idle = |frame: &Frame| frame.visit.as_ref().is_some_and(|visit| is_idle(&visit.doing));
        self.frames.iter().filter(|(_, frame)| idle(frame)).map(|(id, _)| *id).collect()
    }

    pub(crate) fn frame(&self, id: FrameId) -> &Frame {
        self.frames.get(&id).expect("only frames that run are asked for")
    }

    pub(crate) fn visit(&self, id: FrameId) -> &Visit {
        self.frame(id).visit.as_ref().expect("the frame is in a state")
    }

    pub(crate) fn doing_mut(&mut self, id: FrameId) -> Option<&mut Doing> {
        self.visit_mut(id).map(|visit| &mut visit.doing)
    }

    fn visit_mut(&mut self, id: FrameId) -> Option<&mut Visit> {
        self.frames.get_mut(&id)?.visit.as_mut()
    }
}

impl Frame {
    /// Whether its Map run, and all those below it, may be redriven once more.
    fn is_redrivable(&self) -> bool {
        match self.visit.as_ref().map(|visit| &visit.doing) {
            Some(Doing::MapRun(run) | Doing::MapRunFailed { run: Some(run) }) => run.redrives < MAP_RUN_REDRIVES_MAX,
            Some(Doing::Branches(branches)) => branches.stopped.values().all(Frame::is_redrivable),
            Some(Doing::Iterations(iterations)) => iterations.stopped.values().all(|(_, frame)| frame.is_redrivable()),
            Some(
                Doing::Deciding
                | Doing::Task(_)
                | Doing::Waiting { .. }
                | Doing::Retrying { .. }
                | Doing::MapRunFailed { run: None },
            )
            | None => true,
        }
    }

    /// Stands again where it stood, after the event `id`; gives its children, which do the same.
    fn revive(&mut self, id: u64) -> Vec<(FrameId, Frame)> {
        let Some(visit) = &mut self.visit else { return vec![] };
        visit.retries.clear();
        let children: Vec<(FrameId, Frame)> = match &mut visit.doing {
            Doing::Branches(branches) => {
                let first = branches.first.0;
                let stopped = std::mem::take(&mut branches.stopped);
                branches.open += u32::try_from(stopped.len()).expect("a definition has fewer branches than that");
                stopped.into_iter().map(|(index, frame)| (FrameId(first + index), frame)).collect()
            }
            Doing::Iterations(iterations) => {
                let stopped = std::mem::take(&mut iterations.stopped);
                iterations.open.extend(stopped.iter().map(|(index, (at, _))| (*index, *at)));
                stopped.into_values().collect()
            }
            Doing::Deciding
            | Doing::Task(_)
            | Doing::Waiting { .. }
            | Doing::Retrying { .. }
            | Doing::MapRun(_)
            | Doing::MapRunFailed { .. } => vec![],
        };
        let run = match &visit.doing {
            Doing::Branches(branches) if branches.open > 0 => return children,
            Doing::Iterations(iterations) if !iterations.open.is_empty() => return children,
            Doing::MapRun(run) => Some(run.clone()),
            Doing::MapRunFailed { run } => run.clone(),
            Doing::Deciding
            | Doing::Task(_)
            | Doing::Waiting { .. }
            | Doing::Retrying { .. }
            | Doing::Branches(_)
            | Doing::Iterations(_) => None,
        };
        // A state whose children have all succeeded failed by what it made of them: all of it is done again.
        visit.doing = run.map_or(Doing::Deciding, |run| Doing::MapRunFailed { run: Some(run) });
        self.last = id;
        children
    }

    fn new(place: Place, block: u32, last: u64) -> Frame {
        Frame { place, block, last, visit: None, variables: Variables::default() }
    }

    fn outstanding(&self) -> Vec<Effect> {
        let Some(visit) = &self.visit else { return vec![] };
        match &visit.doing {
            Doing::Task(attempt) => {
                let alarms = [attempt.timeout, attempt.heartbeat].into_iter().flatten();
                std::iter::once(attempt.effect()).chain(alarms.map(Effect::SetTimer)).collect()
            }
            Doing::Waiting { alarm } | Doing::Retrying { alarm } => vec![Effect::SetTimer(*alarm)],
            Doing::MapRun(run) => vec![run.effect()],
            Doing::Deciding | Doing::Branches(_) | Doing::Iterations(_) | Doing::MapRunFailed { .. } => vec![],
        }
    }
}

impl MapRun {
    pub(crate) fn effect(&self) -> Effect {
        let (task, arn, plan) = (self.task, self.arn.clone(), self.plan.clone());
        match self.redrives {
            0 => Effect::StartMapRun { task, arn, plan },
            _ => Effect::RedriveMapRun { task, arn, plan },
        }
    }
}

/// A run that failed by what its state is is begun anew ("Redriving Map Runs", Developer Guide).
fn is_redriven_after(failure: &Failure) -> bool {
    !matches!(failure.error.as_deref(), Some("States.DataLimitExceeded" | "States.Runtime"))
}

impl Attempt {
    pub(crate) fn effect(&self) -> Effect {
        Effect::RunTask {
            task: self.task,
            resource: self.resource.clone(),
            parameters: self.parameters.clone(),
            credentials: self.credentials.clone(),
            submitted: self.submitted || (self.started && is_activity(&self.resource)),
        }
    }

    pub(crate) fn abandon(&self) -> Effect {
        Effect::AbandonTask {
            task: self.task,
            resource: self.resource.clone(),
            parameters: self.parameters.clone(),
            credentials: self.credentials.clone(),
        }
    }
}

impl<D> Fact<D> {
    /// Whether the next event of the same frame names this one as its `previousEventId`. AWS's exceptions are
    /// siblings of what follows: `ParallelStateSucceeded` and `ParallelStateExited` name the same event.
    fn moves_its_frame_on(&self) -> bool {
        match self {
            Fact::ParallelSucceeded
            | Fact::MapSucceeded
            | Fact::MapRunAborted
            | Fact::StateAborted { .. }
            | Fact::MapIterationStarted { .. }
            | Fact::MapIterationFailed { .. }
            | Fact::MapIterationAborted { .. } => false,
            Fact::ExecutionStarted { .. }
            | Fact::ExecutionSucceeded { .. }
            | Fact::ExecutionFailed { .. }
            | Fact::ExecutionAborted { .. }
            | Fact::ExecutionTimedOut { .. }
            | Fact::ExecutionRedriven { .. }
            | Fact::StateEntered { .. }
            | Fact::StateExited { .. }
            | Fact::EvaluationFailed { .. }
            | Fact::TaskScheduled { .. }
            | Fact::TaskStarted { .. }
            | Fact::TaskSubmitted { .. }
            | Fact::TaskSucceeded { .. }
            | Fact::TaskFailed { .. }
            | Fact::TaskTimedOut { .. }
            | Fact::TaskAnswered { .. }
            | Fact::TaskHeartbeat { .. }
            | Fact::ParallelStarted { .. }
            | Fact::ParallelFailed
            | Fact::MapStarted { .. }
            | Fact::MapIterationSucceeded { .. }
            | Fact::MapFailed
            | Fact::MapDistributed { .. }
            | Fact::MapRunStarted { .. }
            | Fact::MapRunSucceeded { .. }
            | Fact::MapRunFailed { .. }
            | Fact::MapRunRedriven { .. }
            | Fact::WaitStarted { .. }
            | Fact::RetryScheduled { .. }
            | Fact::FrameEnded { .. }
            | Fact::StepPaused { .. }
            | Fact::StepResumed => true,
        }
    }
}
