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
        children: Vec<Told>,
    },
    /// `UpdateMapRun`.
    Update(Update),
    /// Nobody waits any more for what it does for `task`.
    Stop {
        task: TaskId,
    },
    /// Goes on, for `task`, with what did not succeed. Refused until the run has ended and told so; asked for again, it
    /// changes nothing.
    Redrive {
        task: TaskId,
    },
    /// What [`Effect::Survey`] asked for.
    Surveyed(Surveyed),
    /// What [`Effect::Gather`] asked for.
    Gathered {
        task: TaskId,
        outcome: MapRunOutcome,
        /// Results that were written to a bucket.
        written: u64,
    },
    /// Whoever waited for the run has heard of its end.
    Notified {
        task: TaskId,
    },
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

/// How one child stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub index: u32,
    /// How often it had been redriven by then: what is told late is not taken for the end of a later life.
    pub life: u64,
    pub fate: Fate,
}

/// Which children of a piece did not succeed.
#[derive(Debug, Clone, PartialEq)]
pub struct Surveyed {
    pub from: u32,
    /// The first child that was not looked at.
    pub until: u32,
    pub found: Vec<Found>,
}

/// A child that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    #[serde(rename = "c")]
    pub index: u32,
    /// How many items are in its input.
    #[serde(rename = "n", default = "one", skip_serializing_if = "is_one")]
    pub items: u32,
    /// How often it was redriven before.
    #[serde(rename = "l", default, skip_serializing_if = "is_zero")]
    pub life: u64,
    #[serde(rename = "f")]
    pub fate: Fate,
    /// It can be redriven no more.
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_final: bool,
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
    /// It goes on, for `task`, with what did not succeed.
    Redriven {
        at: Timestamp,
        task: TaskId,
    },
    /// Every child below `until` was looked at, and these did not succeed.
    Surveyed {
        at: Timestamp,
        until: u32,
        found: Vec<Found>,
    },
    /// Children that have an index already were asked to start at last, or were asked to go on.
    AskedAgain {
        at: Timestamp,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        start: Vec<u32>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        redrive: Vec<u32>,
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
    /// Redrive a child for the `life`th time; one that has been, is not again.
    Redrive { index: u32, life: u64 },
    /// Look which of the children from here on have not succeeded, until `until` or before.
    Survey { from: u32, until: u32 },
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
    /// They did not succeed, and wait to be redriven.
    #[serde(default)]
    pub pending_redrive: u64,
    /// Of those that failed, timed out or were aborted: those that cannot be redriven.
    #[serde(default)]
    pub not_redrivable: u64,
}

impl Counts {
    pub fn total(&self) -> u64 {
        self.pending + self.running + self.pending_redrive + self.unsuccessful() + self.succeeded
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
    #[error("the Map run has not ended yet")]
    NotYet,
}
