//! What is asked of a run, what happened, and what it asks for.
//!
//! Events are stored for as long as a run is kept. **Add to them, never alter or remove.**

use std::sync::Arc;

use base::{Json, Timestamp};
use engine::{Failure, Identity, MapPlan, MapRunOutcome, TaskId};
use serde::{Deserialize, Serialize};

/// Something asked of a run. May be refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Begin(Box<Begin>),
    /// What [`Effect::Read`] asked for.
    Read(Read),
    /// Items cannot be read, or one cannot become an input. Refused unless `from` is where the run stands.
    ReadFailed {
        from: u64,
        failure: Failure,
    },
    /// What became of children, in any order and as often as it is known.
    Told {
        children: Vec<(u32, Fate)>,
    },
    /// `UpdateMapRun`.
    Update(Update),
    /// Nobody waits for it any more.
    Stop,
    /// What [`Effect::Gather`] asked for.
    Gathered {
        outcome: MapRunOutcome,
        /// Results that were written to a bucket.
        written: u64,
    },
    /// Whoever waited for the run has heard of its end.
    Notified,
}

/// What a run is to do, and for whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    pub arn: Arc<str>,
    /// The execution whose state waits for it.
    pub parent: Identity,
    pub task: TaskId,
    pub plan: MapPlan,
}

/// The next children's inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// How many items had been read before.
    pub from: u64,
    pub children: Vec<Input>,
    /// There are no more.
    pub end: bool,
}

/// What one child gets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    #[serde(rename = "i")]
    pub input: Json,
    /// How many items are in it: more than one only with an `ItemBatcher`.
    #[serde(rename = "n", default = "one", skip_serializing_if = "is_one")]
    pub items: u32,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_one(items: &u32) -> bool {
    *items == 1
}

/// What became of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It was started, and had not ended then.
    #[serde(rename = "r")]
    Running,
    #[serde(rename = "s")]
    Succeeded,
    #[serde(rename = "f")]
    Failed,
    #[serde(rename = "t")]
    TimedOut,
    #[serde(rename = "a")]
    Aborted,
    /// There is no such child, and nobody is starting it.
    #[serde(rename = "m")]
    Missing,
}

/// What `UpdateMapRun` changes; what is not given stays.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Update {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerated_count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerated_percentage: Option<f64>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    Succeeded {
        output: Json,
    },
    /// All went well, and the results are too much for the state.
    TooLarge,
    Failed {
        failure: Failure,
    },
    /// Whoever waited for it went on without it.
    Aborted,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    Begun {
        at: Timestamp,
        begin: Box<Begin>,
    },
    Read {
        at: Timestamp,
        children: Vec<Input>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        end: bool,
    },
    /// Every child below `until` was asked to start.
    Asked {
        at: Timestamp,
        until: u32,
    },
    Told {
        at: Timestamp,
        children: Vec<(u32, Fate)>,
    },
    Updated {
        at: Timestamp,
        update: Update,
    },
    /// Nothing more is started, and what runs is stopped: for this failure, or because nobody waits any more.
    GaveUp {
        at: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
    /// Every child that was started has ended, and their results are being gathered.
    Gathering {
        at: Timestamp,
    },
    Ended {
        at: Timestamp,
        outcome: Outcome,
        #[serde(default, skip_serializing_if = "is_zero")]
        written: u64,
    },
    Notified {
        at: Timestamp,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Something the outside world is asked to do. Delivered at least once, after the commit that records it.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Read on after so many items.
    Read { from: u64 },
    /// Start a child; starting it again is starting it once.
    Start { index: u32, input: Input },
    /// Stop a child.
    Stop { index: u32 },
    /// Find out what became of a child.
    Ask { index: u32 },
    /// Bring the results of so many children together.
    Gather { children: u32 },
    /// Find out whether the run is still waited for.
    AskParent,
    /// Tell whoever waits for the run of its end.
    Notify { outcome: MapRunOutcome },
}

/// What a decision may depend on besides the run itself.
#[derive(Debug, Clone, Copy)]
pub struct Env {
    pub now: Timestamp,
    pub limits: Limits,
}

/// Ends that configuration may move. The default is AWS's quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Children of one run at a time, whatever `MaxConcurrency` says.
    pub children_max: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { children_max: 10_000 }
    }
}

/// How many items or executions there are in each status, as `DescribeMapRun` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    pub pending: u64,
    pub running: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub timed_out: u64,
    pub aborted: u64,
}

impl Counts {
    pub fn total(&self) -> u64 {
        self.pending + self.running + self.unsuccessful() + self.succeeded
    }

    /// Those that count against what is tolerated.
    pub fn unsuccessful(&self) -> u64 {
        self.failed + self.timed_out + self.aborted
    }
}

/// What followed from one command: facts that are already applied, then requests to send once they are durable.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    pub events: Vec<Event>,
    pub effects: Vec<Effect>,
}

/// Why a command was refused. The run is untouched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the Map run has already begun")]
    AlreadyBegun,
    #[error("the Map run has not begun")]
    NotBegun,
    #[error("the Map run does not want that now")]
    NotWanted,
    #[error("the Map run has ended or is ending")]
    Over,
}
