//! An execution as a value: a pure function from a command to facts and requests.
//!
//! ```text
//! Command ──► step(machine, execution, command, env) ──► Step { events, effects }
//!                              ▲                                │
//!                              └────── Execution::apply ◄───────┘
//! ```
//!
//! [`step`] decides, [`Execution::apply`] remembers, and nothing here performs.
//!
//! **It does not know** stores, agents, HTTP or AWS's wire; nor what a task does.
//!
//! **Invariant:** no IO, no clock, no randomness, no async. Time and chance come in through [`Env`] and leave
//! as recorded facts, so replaying a history needs neither.
//!
//! **Invariant:** an execution changes only through [`Execution::apply`]. Whoever holds the events holds the
//! execution.
//!
//! **Invariant:** one step runs to quiescence: as far as it goes without the outside world. A step that is long enough
//! pauses between two states, with an alarm that is due at once.
//!
//! **Invariant:** an effect is never the only trace of a decision. [`Execution::outstanding`] rebuilds every
//! effect still owed, which is how a restarted server picks up.
//!
//! In reading order: [`id`], [`event`] (what happened), [`Command`] and [`Effect`] below, `execution` (what it
//! remembers), [`token`] (who may tell a task's outcome), `variables`, `scope` (what expressions see), `data` (what a
//! state makes of its input), `quantity`, `choice`, `step` (what
//! it decides), [`map_run`] (what a distributed Map asks for), [`test_state`] (one state by itself), [`pack`] (how events are kept).

pub mod id;
pub mod event;
pub mod map_run;
mod execution;
mod variables;
pub mod token;
mod scope;
mod data;
mod quantity;
mod choice;
mod step;
pub mod test_state;
pub mod pack;

pub use event::{Alarm, Event, Fact, Failure, Kind};
pub use execution::{Awaits, Execution, Frame, Outcome, Redrives, Status};
pub use id::{FrameId, TaskId, TimerId};
pub use map_run::{MapPlan, MapRunOutcome};
pub use step::step;

use std::sync::Arc;

use base::{Json, Timestamp};

/// Redrives of one Map run (Developer Guide, "Quotas related to Map Runs").
pub const MAP_RUN_REDRIVES_MAX: u64 = 1_000;

/// Something asked of an execution. May be refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Start(Start),
    /// A task's outcome. Refused unless that attempt is the current one.
    Complete {
        task: TaskId,
        outcome: Result<Json, Failure>,
    },
    /// A `.sync` task's job was accepted; `output` is the answer that accepted it.
    Submit {
        task: TaskId,
        output: Json,
    },
    /// The job that a task started tells its end, maybe before the task has heard that it began.
    JobEnded {
        task: TaskId,
        outcome: Result<Json, Failure>,
    },
    /// Whoever holds a task's token tells its outcome (`SendTaskSuccess`, `SendTaskFailure`).
    Answer {
        task: TaskId,
        token: Arc<str>,
        outcome: Result<Json, Failure>,
    },
    /// Whoever holds a task's token is still at it (`SendTaskHeartbeat`).
    Heartbeat {
        task: TaskId,
        token: Arc<str>,
    },
    /// A worker takes an activity's task. Refused once it was taken.
    Take {
        task: TaskId,
        worker: Option<Arc<str>>,
    },
    /// An alarm went off. Refused unless it is still wanted.
    Fire {
        timer: TimerId,
    },
    /// `RedriveExecution`: goes on from where it failed. Refused unless it has ended otherwise than well.
    Redrive {
        token: Option<Arc<str>>,
        /// Only if it is redriven for the so-manieth time by that.
        nth: Option<u64>,
    },
    /// A Map run has ended. Refused unless the state still waits for it.
    MapRunEnded {
        task: TaskId,
        outcome: MapRunOutcome,
    },
    /// `StopExecution`.
    Stop {
        failure: Failure,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Who this is: what the context object shows. Kept in the execution.
    pub identity: Identity,
    pub input: Json,
    /// The input as it was written, where that is not its compact text.
    pub text: Option<Arc<str>>,
    /// Which block of the definition it runs: the machine itself, or what a distributed Map does with an item.
    pub block: asl::BlockId,
}

/// The part of the context object that does not change (`$$.Execution`, `$$.StateMachine`).
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    pub execution_arn: Arc<str>,
    pub name: Arc<str>,
    pub machine_arn: Arc<str>,
    pub machine_name: Arc<str>,
    pub role_arn: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_arn: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_arn: Option<Arc<str>>,
    /// Which revision of the definition it runs, for whoever keeps definitions.
    pub definition: Arc<str>,
    /// The Map run that it is a child of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map_run_arn: Option<Arc<str>>,
    /// Whether it is an Express execution: its context object does not tell redrives.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub express: bool,
}

/// Something the outside world is asked to do. Delivered at least once, after the commit that records it.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Have a task done; its outcome comes back as [`Command::Complete`] with the same id. An activity's task waits until
    /// a worker asks for it: [`Command::Take`].
    RunTask {
        task: TaskId,
        resource: Arc<str>,
        parameters: Json,
        credentials: Option<Json>,
        /// Its job was accepted, or a worker has taken it: only its end is awaited.
        submitted: bool,
    },
    /// Nobody waits for this task any more.
    AbandonTask {
        task: TaskId,
        resource: Arc<str>,
        parameters: Json,
        credentials: Option<Json>,
    },
    /// Have a Map run begin; asking for the same `arn` again asks for nothing. Its end comes back as
    /// [`Command::MapRunEnded`] with the same task.
    StartMapRun {
        task: TaskId,
        arn: Arc<str>,
        plan: Box<MapPlan>,
    },
    /// Have a Map run go on with what did not succeed, or begin if it never did; asking for the same `task` again asks
    /// for nothing. Its end comes back as [`Command::MapRunEnded`] with the same task.
    RedriveMapRun {
        task: TaskId,
        arn: Arc<str>,
        plan: Box<MapPlan>,
    },
    /// Nobody waits for this Map run any more.
    StopMapRun {
        task: TaskId,
        arn: Arc<str>,
    },
    SetTimer(Alarm),
    ClearTimer(Alarm),
    /// The execution has ended: whoever waits for it may be told.
    Ended,
}

/// What a decision may depend on besides the execution itself.
#[derive(Debug, Clone, Copy)]
pub struct Env<'a> {
    pub now: Timestamp,
    /// Chance, for jitter and `States.UUID`: the seed of everything random in this step.
    pub entropy: u64,
    pub limits: Limits,
    pub activities: &'a dyn Activities,
}

/// Which activities there are: a Task of one that does not exist is not scheduled.
pub trait Activities: std::fmt::Debug {
    fn exist(&self, arn: &str) -> bool;
}

/// As if every activity existed: for whoever only plays.
#[derive(Debug, Clone, Copy)]
pub struct EveryActivity;

impl Activities for EveryActivity {
    fn exist(&self, _: &str) -> bool {
        true
    }
}

/// Ends that configuration may move. The defaults are AWS's quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub history_events_max: u64,
    pub payload_bytes_max: usize,
    pub map_concurrency_max: u64,
    /// States that one step enters, at most: a loop holds nobody up.
    pub step_states_max: u64,
    /// Steps of JSONata expressions that one step takes before it pauses; a state's own come on top.
    pub step_work_max: u64,
    /// Beyond so many the expressions of the state that is being worked on fail as those do that do not end: one state may
    /// have thousands of them.
    pub step_work_end: u64,
    /// Bytes of payloads that one step makes before it pauses; a state's own come on top.
    pub step_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            history_events_max: base::limits::HISTORY_EVENTS_MAX,
            payload_bytes_max: base::limits::PAYLOAD_BYTES_MAX,
            map_concurrency_max: base::limits::MAP_CONCURRENCY_INLINE_MAX as u64,
            step_states_max: STEP_STATES_MAX,
            step_work_max: STEP_WORK_MAX,
            step_work_end: STEP_WORK_END,
            step_bytes_max: STEP_BYTES_MAX,
        }
    }
}

/// A few milliseconds of states that do little.
const STEP_STATES_MAX: u64 = 1_000;

/// As much as one expression may take: about a tenth of a second.
const STEP_WORK_MAX: u64 = expr::limits::JSONATA_STEPS_MAX;

/// A few seconds: all the iterations that a Map begins at once may each take an expression's all.
const STEP_WORK_END: u64 = 50 * STEP_WORK_MAX;

/// With what the last state of a step may add (a Map's first iterations) the payloads of one commit stay below 16 MiB.
const STEP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What followed from one command: facts that are already applied, then requests to send once they are
/// durable.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    pub events: Vec<Event>,
    pub effects: Vec<Effect>,
}

/// Why a command was refused. The execution is untouched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("execution has already started")]
    AlreadyStarted,
    #[error("execution is not running")]
    NotRunning,
    #[error("execution is running or has succeeded")]
    NotRedrivable,
    #[error("{0} is not outstanding")]
    UnknownTask(TaskId),
    #[error("the token is not that of {0}")]
    WrongToken(TaskId),
    #[error("{0} is not outstanding")]
    UnknownTimer(TimerId),
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod laws;
