//! What happened: the facts of a history.
//!
//! Stored for as long as a history is kept. **Add to these types, never alter or remove**; what earlier versions stored
//! is test data (`what_was_stored_before_is_read`).

use std::sync::Arc;

use asl::StateKind;
use base::{Json, Timestamp, limits};
use serde::{Deserialize, Serialize};

use crate::Identity;
use crate::id::{FrameId, TaskId, TimerId};
use crate::map_run::MapPlan;

/// One fact. `D` is what stands for a payload: the value itself, or (packed) its place in a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event<D = Json> {
    #[serde(rename = "t")]
    pub at: Timestamp,
    /// Which part of the execution it happened in.
    #[serde(rename = "f", default, skip_serializing_if = "FrameId::is_root")]
    pub frame: FrameId,
    /// The number that `GetExecutionHistory` shows, from 1 without gaps; 0 for facts of our own, which AWS
    /// does not have.
    #[serde(rename = "i", default, skip_serializing_if = "is_zero")]
    pub id: u64,
    #[serde(rename = "p", default, skip_serializing_if = "is_zero")]
    pub previous: u64,
    #[serde(rename = "e")]
    pub fact: Fact<D>,
}

/// What happened, in AWS's terms where AWS has one. Tasks of Lambda functions and activities are Tasks here;
/// their [`Resource`](asl::Resource) tells which events AWS would show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Fact<D = Json> {
    ExecutionStarted {
        identity: Identity,
        input: D,
        /// Ours: the input as it was written, where that is not its compact text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<Arc<str>>,
        /// Ours: the block of the definition that it runs, where that is not the machine itself.
        #[serde(default, skip_serializing_if = "is_first")]
        block: u32,
        /// Ours: when the whole machine's `TimeoutSeconds` ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<Alarm>,
    },
    ExecutionSucceeded {
        output: D,
    },
    ExecutionFailed {
        failure: Failure,
    },
    ExecutionAborted {
        failure: Failure,
    },
    ExecutionTimedOut {
        failure: Failure,
    },
    /// It goes on from where it failed. `count` is 1 the first time.
    ExecutionRedriven {
        count: u64,
        /// Ours: what makes asking twice the same as asking once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Arc<str>>,
        /// Ours: when the whole machine's `TimeoutSeconds` ends, counted anew.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<Alarm>,
    },

    StateEntered {
        kind: Kind,
        name: Arc<str>,
        input: D,
    },
    StateExited {
        kind: Kind,
        name: Arc<str>,
        output: D,
        /// What `Assign` gave, where there is one: each variable with its value.
        #[serde(skip_serializing_if = "Option::is_none")]
        assigned: Option<Vec<(Arc<str>, D)>>,
    },
    /// Given up because something else failed.
    StateAborted {
        kind: Kind,
        name: Arc<str>,
    },
    /// A field of a JSONata state has no value that it may have; `location` is the field, where it is one.
    EvaluationFailed {
        state: Arc<str>,
        failure: Failure,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<Arc<str>>,
    },

    TaskScheduled {
        task: TaskId,
        resource: Arc<str>,
        parameters: D,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_seconds: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heartbeat_seconds: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        credentials: Option<D>,
        /// Ours: what whoever does the work has to show, where the outcome comes from outside.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Arc<str>>,
        /// Ours: when it times out, and when the first heartbeat is due.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<Alarm>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heartbeat: Option<Alarm>,
    },
    TaskStarted {
        task: TaskId,
        resource: Arc<str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker: Option<Arc<str>>,
        /// Ours: an activity's times begin when a worker takes the task.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout: Option<Alarm>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heartbeat: Option<Alarm>,
    },
    TaskSubmitted {
        task: TaskId,
        resource: Arc<str>,
        output: D,
    },
    TaskSucceeded {
        task: TaskId,
        resource: Arc<str>,
        output: D,
    },
    TaskFailed {
        task: TaskId,
        resource: Arc<str>,
        failure: Failure,
    },
    TaskTimedOut {
        task: TaskId,
        resource: Arc<str>,
        failure: Failure,
    },
    /// Ours: the outcome was told before the call that had been given the token came back. AWS shows it after
    /// `TaskSubmitted`, and so it waits for that.
    TaskAnswered {
        task: TaskId,
        outcome: Result<D, Failure>,
    },
    /// Ours: a heartbeat came; the next is due at `next`.
    TaskHeartbeat {
        task: TaskId,
        next: Alarm,
    },

    /// Ours: one frame for each branch, numbered from `first`, and the block of the definition it runs.
    ParallelStarted {
        input: D,
        first: FrameId,
        blocks: Vec<u32>,
    },
    ParallelSucceeded,
    ParallelFailed,

    MapStarted {
        items: D,
        length: u64,
        /// Ours: at most so many at a time.
        concurrency: u64,
        /// Ours: the block of the definition that an iteration runs.
        block: u32,
    },
    MapIterationStarted {
        name: Arc<str>,
        index: u64,
        input: D,
        /// The frame that it runs in.
        child: FrameId,
    },
    MapIterationSucceeded {
        name: Arc<str>,
        index: u64,
    },
    MapIterationFailed {
        name: Arc<str>,
        index: u64,
    },
    MapIterationAborted {
        name: Arc<str>,
        index: u64,
    },
    MapSucceeded,
    MapFailed,

    /// A Map in distributed mode begins: AWS's `MapStateStarted`.
    MapDistributed {
        length: u64,
    },
    MapRunStarted {
        arn: Arc<str>,
        /// Ours: by which its end is told.
        task: TaskId,
        /// Ours: what it was asked to do.
        plan: Box<MapPlan<D>>,
    },
    MapRunSucceeded {
        task: TaskId,
    },
    MapRunFailed {
        task: TaskId,
        failure: Failure,
    },
    MapRunAborted,
    /// The run goes on with what did not succeed.
    MapRunRedriven {
        arn: Arc<str>,
        /// How often it has been redriven, this time included.
        count: u64,
        /// Ours: by which its end is told.
        task: TaskId,
    },

    /// Ours: a Wait state began to wait.
    WaitStarted {
        alarm: Alarm,
    },
    /// Ours: a retrier was chosen and its delay began.
    RetryScheduled {
        retrier: u32,
        alarm: Alarm,
    },
    /// Ours: a branch or an iteration is over and its frame is gone. `output` is its result; `failed` says that
    /// its own failure ended it, rather than a sibling's.
    FrameEnded {
        #[serde(skip_serializing_if = "Option::is_none")]
        output: Option<D>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        failed: bool,
    },
    /// Ours: the step was long enough; the next one begins at the alarm, which is due at once.
    StepPaused {
        alarm: Alarm,
        /// Frames with the state that each enters next and its input.
        entering: Vec<(FrameId, Arc<str>, D)>,
        /// Tasks that were scheduled and are not yet said to have started.
        starting: Vec<TaskId>,
    },
    /// Ours: the next step began with what was left to do.
    StepResumed,
}

/// When, and which alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    pub timer: TimerId,
    pub due: Timestamp,
}

/// Why a state failed, in the States Language's own terms. Data, not a Rust error.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failure {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Arc<str>>,
}

impl Failure {
    pub fn new(error: &str, cause: impl Into<Arc<str>>) -> Failure {
        Failure { error: Some(error.into()), cause: Some(cause.into()) }
    }

    /// Within AWS's limits on an error's name and its cause; what is beyond is left out.
    pub(crate) fn cut(self) -> Failure {
        let cut = |text: Arc<str>, chars_max: usize| match text.char_indices().nth(chars_max) {
            Some((end, _)) => Arc::from(&text[..end]),
            None => text,
        };
        Failure {
            error: self.error.map(|error| cut(error, limits::ERROR_CHARS_MAX)),
            cause: self.cause.map(|cause| cut(cause, limits::CAUSE_CHARS_MAX)),
        }
    }

    /// With a name and no cause, as AWS reports a task's timeout.
    pub fn named(error: &str) -> Failure {
        Failure { error: Some(error.into()), cause: None }
    }
}

/// A state's type, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Pass,
    Task,
    Choice,
    Wait,
    Succeed,
    Fail,
    Parallel,
    Map,
}

impl Kind {
    /// As the `Type` field and the history write it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Pass => "Pass",
            Kind::Task => "Task",
            Kind::Choice => "Choice",
            Kind::Wait => "Wait",
            Kind::Succeed => "Succeed",
            Kind::Fail => "Fail",
            Kind::Parallel => "Parallel",
            Kind::Map => "Map",
        }
    }
}

impl From<StateKind> for Kind {
    fn from(kind: StateKind) -> Kind {
        match kind {
            StateKind::Pass => Kind::Pass,
            StateKind::Task => Kind::Task,
            StateKind::Choice => Kind::Choice,
            StateKind::Wait => Kind::Wait,
            StateKind::Succeed => Kind::Succeed,
            StateKind::Fail => Kind::Fail,
            StateKind::Parallel => Kind::Parallel,
            StateKind::Map => Kind::Map,
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_first(block: &u32) -> bool {
    *block == 0
}

impl<D> Event<D> {
    /// Whether `GetExecutionHistory` shows it.
    pub fn is_aws(&self) -> bool {
        self.id != 0
    }

    /// The same fact with each payload replaced by what `to` makes of it.
    pub fn map<E, X>(self, to: &mut impl FnMut(D) -> Result<E, X>) -> Result<Event<E>, X> {
        let Event { at, frame, id, previous, fact } = self;
        Ok(Event { at, frame, id, previous, fact: fact.map(to)? })
    }
}

impl<D> Fact<D> {
    /// Whether the execution is over with it: nothing follows.
    pub fn ends_execution(&self) -> bool {
        matches!(
            self,
            Fact::ExecutionSucceeded { .. }
                | Fact::ExecutionFailed { .. }
                | Fact::ExecutionAborted { .. }
                | Fact::ExecutionTimedOut { .. }
        )
    }

    fn map<E, X>(self, to: &mut impl FnMut(D) -> Result<E, X>) -> Result<Fact<E>, X> {
        use Fact::*;
        Ok(match self {
            ExecutionStarted { identity, input, text, block, timeout } => {
                ExecutionStarted { identity, input: to(input)?, text, block, timeout }
            }
            ExecutionSucceeded { output } => ExecutionSucceeded { output: to(output)? },
            ExecutionFailed { failure } => ExecutionFailed { failure },
            ExecutionAborted { failure } => ExecutionAborted { failure },
            ExecutionTimedOut { failure } => ExecutionTimedOut { failure },
            ExecutionRedriven { count, token, timeout } => ExecutionRedriven { count, token, timeout },
            StateEntered { kind, name, input } => StateEntered { kind, name, input: to(input)? },
            StateExited { kind, name, output, assigned } => {
                let output = to(output)?;
                let assigned = assigned.map(|variables| {
                    variables.into_iter().map(|(name, value)| Ok((name, to(value)?))).collect::<Result<_, X>>()
                });
                StateExited { kind, name, output, assigned: assigned.transpose()? }
            }
            StateAborted { kind, name } => StateAborted { kind, name },
            EvaluationFailed { state, failure, location } => EvaluationFailed { state, failure, location },
            TaskScheduled {
                task,
                resource,
                parameters,
                timeout_seconds,
                heartbeat_seconds,
                credentials,
                token,
                timeout,
                heartbeat,
            } => TaskScheduled {
                task,
                resource,
                parameters: to(parameters)?,
                timeout_seconds,
                heartbeat_seconds,
                credentials: credentials.map(&mut *to).transpose()?,
                token,
                timeout,
                heartbeat,
            },
            TaskStarted { task, resource, worker, timeout, heartbeat } => {
                TaskStarted { task, resource, worker, timeout, heartbeat }
            }
            TaskSubmitted { task, resource, output } => TaskSubmitted { task, resource, output: to(output)? },
            TaskSucceeded { task, resource, output } => TaskSucceeded { task, resource, output: to(output)? },
            TaskFailed { task, resource, failure } => TaskFailed { task, resource, failure },
            TaskTimedOut { task, resource, failure } => TaskTimedOut { task, resource, failure },
            TaskAnswered { task, outcome } => TaskAnswered {
                task,
                outcome: match outcome {
                    Ok(output) => Ok(to(output)?),
                    Err(failure) => Err(failure),
                },
            },
            TaskHeartbeat { task, next } => TaskHeartbeat { task, next },
            ParallelStarted { input, first, blocks } => ParallelStarted { input: to(input)?, first, blocks },
            ParallelSucceeded => ParallelSucceeded,
            ParallelFailed => ParallelFailed,
            MapStarted { items, length, concurrency, block } => {
                MapStarted { items: to(items)?, length, concurrency, block }
            }
            MapIterationStarted { name, index, input, child } => {
                MapIterationStarted { name, index, input: to(input)?, child }
            }
            MapIterationSucceeded { name, index } => MapIterationSucceeded { name, index },
            MapIterationFailed { name, index } => MapIterationFailed { name, index },
            MapIterationAborted { name, index } => MapIterationAborted { name, index },
            MapSucceeded => MapSucceeded,
            MapFailed => MapFailed,
            MapDistributed { length } => MapDistributed { length },
            MapRunStarted { arn, task, plan } => MapRunStarted { arn, task, plan: Box::new(plan.map(to)?) },
            MapRunSucceeded { task } => MapRunSucceeded { task },
            MapRunFailed { task, failure } => MapRunFailed { task, failure },
            MapRunAborted => MapRunAborted,
            MapRunRedriven { arn, count, task } => MapRunRedriven { arn, count, task },
            WaitStarted { alarm } => WaitStarted { alarm },
            RetryScheduled { retrier, alarm } => RetryScheduled { retrier, alarm },
            FrameEnded { output, failed } => FrameEnded { output: output.map(to).transpose()?, failed },
            StepPaused { alarm, entering, starting } => {
                let entering = entering.into_iter().map(|(frame, name, input)| Ok((frame, name, to(input)?)));
                StepPaused { alarm, entering: entering.collect::<Result<_, X>>()?, starting }
            }
            StepResumed => StepResumed,
        })
    }
}
