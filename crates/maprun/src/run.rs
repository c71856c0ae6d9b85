//! What a run remembers: the fold of its events.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base::Timestamp;
use engine::{Failure, MapRunOutcome};
use serde::{Deserialize, Serialize};

use crate::message::{Begin, Counts, Effect, Event, Fate, Input, Outcome, Update};
use crate::{WINDOW_BYTES_MAX, WINDOW_CHILDREN_MAX};

/// One Map run, as of its latest event.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Run {
    pub(crate) begin: Option<Arc<Begin>>,
    pub(crate) stage: Stage,
    pub(crate) started: Timestamp,
    pub(crate) stopped: Option<Timestamp>,
    /// There is nothing more to read.
    pub(crate) read: bool,
    /// Inputs that were read; the first is that of child `next`.
    pub(crate) window: VecDeque<Input>,
    pub(crate) window_bytes: usize,
    /// The first child that was not asked to start.
    pub(crate) next: u32,
    /// Children that were asked to start, and nobody said yet that they have.
    pub(crate) asked: BTreeMap<u32, Input>,
    pub(crate) asked_bytes: usize,
    /// Children that run, with the number of their items.
    pub(crate) running: BTreeMap<u32, u32>,
    executions: Counts,
    items: Counts,
    written: u64,
    concurrency: u64,
    tolerated_count: Option<u64>,
    tolerated_percentage: Option<f64>,
}

/// Where a run stands. Each variant holds exactly what that stand needs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) enum Stage {
    #[default]
    New,
    Running,
    /// Children are being stopped: for a failure, or because nobody waits for the run.
    Stopping {
        failure: Option<Failure>,
    },
    /// The children's results are being gathered; `failure` is why the run fails, whatever they are.
    Gathering {
        failure: Option<Failure>,
    },
    Ended {
        outcome: Outcome,
        told: bool,
    },
}

/// `DescribeMapRun`'s status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Running,
    Succeeded,
    Failed,
    Aborted,
}

impl Run {
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Run {
        let mut run = Run::default();
        events.into_iter().for_each(|event| run.apply(event));
        run
    }

    /// What it was asked to do; nothing when it has not begun.
    pub fn begin(&self) -> Option<&Arc<Begin>> {
        self.begin.as_ref()
    }

    pub fn status(&self) -> Status {
        match &self.stage {
            Stage::New | Stage::Running | Stage::Stopping { .. } | Stage::Gathering { .. } => Status::Running,
            Stage::Ended { outcome: Outcome::Succeeded { .. } | Outcome::TooLarge, .. } => Status::Succeeded,
            Stage::Ended { outcome: Outcome::Failed { .. }, .. } => Status::Failed,
            Stage::Ended { outcome: Outcome::Aborted, .. } => Status::Aborted,
        }
    }

    /// Whether it owes the world nothing any more.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::New | Stage::Ended { told: true, .. })
    }

    pub fn started(&self) -> Timestamp {
        self.started
    }

    pub fn stopped(&self) -> Option<Timestamp> {
        self.stopped
    }

    pub fn executions(&self) -> Counts {
        self.executions
    }

    pub fn items(&self) -> Counts {
        self.items
    }

    /// Results that were written to a bucket.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// `MaxConcurrency`, as it is now; 0 is as many as may be.
    pub fn concurrency(&self) -> u64 {
        self.concurrency
    }

    pub fn tolerated_count(&self) -> Option<u64> {
        self.tolerated_count
    }

    pub fn tolerated_percentage(&self) -> Option<f64> {
        self.tolerated_percentage
    }

    /// Every effect still owed. What a restarted server dispatches.
    pub fn outstanding(&self) -> Vec<Effect> {
        let ask = |index: &u32| Effect::Ask { index: *index };
        match &self.stage {
            Stage::New | Stage::Ended { told: true, .. } => vec![],
            Stage::Running => {
                let read = self.wants().map(|from| Effect::Read { from });
                let starts =
                    self.asked.iter().map(|(index, input)| Effect::Start { index: *index, input: input.clone() });
                let asks = self.running.keys().map(ask);
                [Effect::AskParent].into_iter().chain(read).chain(starts).chain(asks).collect()
            }
            // Nothing is started that was not: whoever stopped the run meant that.
            Stage::Stopping { .. } => {
                let stops = self.running.keys().map(|index| Effect::Stop { index: *index });
                self.asked.keys().map(ask).chain(self.running.keys().map(ask)).chain(stops).collect()
            }
            Stage::Gathering { .. } => vec![Effect::AskParent, Effect::Gather { children: self.next }],
            Stage::Ended { outcome, told: false } => outcome.notify().into_iter().collect(),
        }
    }

    /// After how many items to read on, if more inputs are wanted.
    pub(crate) fn wants(&self) -> Option<u64> {
        let room = self.window.len() < WINDOW_CHILDREN_MAX && self.window_bytes < WINDOW_BYTES_MAX;
        (self.stage == Stage::Running && !self.read && room).then(|| self.items.total())
    }

    /// Children that were asked to start and have not ended.
    pub(crate) fn active(&self) -> usize {
        self.asked.len() + self.running.len()
    }

    /// Folds one event in. Total: every event of a well-formed history applies.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Begun { at, begin } => {
                self.stage = Stage::Running;
                self.started = *at;
                self.concurrency = begin.plan.concurrency;
                self.tolerated_count = begin.plan.tolerated_count;
                self.tolerated_percentage = begin.plan.tolerated_percentage;
                self.begin = Some(Arc::new((**begin).clone()));
            }
            Event::Read { children, end, .. } => {
                self.read = *end;
                for child in children {
                    self.executions.pending += 1;
                    self.items.pending += u64::from(child.items);
                    self.window_bytes += child.input.text_len();
                    self.window.push_back(child.clone());
                }
            }
            Event::Asked { until, .. } => {
                while self.next < *until
                    && let Some(child) = self.window.pop_front()
                {
                    let bytes = child.input.text_len();
                    self.window_bytes -= bytes;
                    self.asked_bytes += bytes;
                    self.shift(child.items, |counts| &mut counts.pending, |counts| &mut counts.running);
                    self.asked.insert(self.next, child);
                    self.next += 1;
                }
            }
            Event::Told { children, .. } => children.iter().for_each(|(index, fate)| self.told(*index, *fate)),
            Event::Updated { update, .. } => {
                let Update { concurrency, tolerated_count, tolerated_percentage } = *update;
                self.concurrency = concurrency.unwrap_or(self.concurrency);
                self.tolerated_count = tolerated_count.or(self.tolerated_count);
                self.tolerated_percentage = tolerated_percentage.or(self.tolerated_percentage);
            }
            Event::GaveUp { failure, .. } => {
                self.stage = Stage::Stopping { failure: failure.clone() };
                self.window.clear();
                self.window_bytes = 0;
            }
            Event::Gathering { .. } => {
                let failure = match &self.stage {
                    Stage::Stopping { failure } => failure.clone(),
                    Stage::New | Stage::Running | Stage::Gathering { .. } | Stage::Ended { .. } => None,
                };
                self.stage = Stage::Gathering { failure };
            }
            Event::Ended { at, outcome, written } => {
                self.stopped = Some(*at);
                self.written = *written;
                // Of a run that nobody waits for nobody needs to hear.
                self.stage = Stage::Ended { outcome: outcome.clone(), told: outcome.notify().is_none() };
            }
            Event::Notified { .. } => {
                if let Stage::Ended { told, .. } = &mut self.stage {
                    *told = true;
                }
            }
        }
    }

    fn told(&mut self, index: u32, fate: Fate) {
        let place: fn(&mut Counts) -> &mut u64 = match fate {
            Fate::Running => {
                if let Some(items) = self.answered(index) {
                    self.running.insert(index, items);
                }
                return;
            }
            Fate::Missing => |counts| &mut counts.pending,
            Fate::Succeeded => |counts| &mut counts.succeeded,
            Fate::Failed => |counts| &mut counts.failed,
            Fate::TimedOut => |counts| &mut counts.timed_out,
            Fate::Aborted => |counts| &mut counts.aborted,
        };
        if let Some(items) = self.answered(index).or_else(|| self.running.remove(&index)) {
            self.shift(items, |counts| &mut counts.running, place);
        }
    }

    /// The number of items of a child that need not be asked again to start.
    fn answered(&mut self, index: u32) -> Option<u32> {
        let child = self.asked.remove(&index)?;
        self.asked_bytes -= child.input.text_len();
        Some(child.items)
    }

    /// Moves one child and its items from one count to another.
    fn shift(&mut self, items: u32, from: fn(&mut Counts) -> &mut u64, to: fn(&mut Counts) -> &mut u64) {
        for (counts, number) in [(&mut self.executions, 1), (&mut self.items, u64::from(items))] {
            *from(counts) -= number;
            *to(counts) += number;
        }
    }
}

impl Outcome {
    pub(crate) fn notify(&self) -> Option<Effect> {
        let outcome = match self {
            Outcome::Succeeded { output } => MapRunOutcome::Succeeded { output: output.clone() },
            Outcome::TooLarge => MapRunOutcome::TooLarge,
            Outcome::Failed { failure } => MapRunOutcome::Failed { failure: failure.clone() },
            Outcome::Aborted => return None,
        };
        Some(Effect::Notify { outcome })
    }
}
