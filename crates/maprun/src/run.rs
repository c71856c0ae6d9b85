//! What a run remembers: the fold of its events.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base::Timestamp;
use engine::{Failure, MapRunOutcome, TaskId};
use serde::{Deserialize, Serialize};

use crate::message::{Begin, Counts, Effect, Event, Fate, Found, Input, Outcome, Update};
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
    /// Children that were asked to start when the run gave up, and never did.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) missing: BTreeMap<u32, Input>,
    /// What was read and had not been asked to start when the run gave up: children, and their items.
    #[serde(default)]
    dropped: (u64, u64),
    #[serde(default)]
    pub(crate) redrives: Redrives,
    executions: Counts,
    items: Counts,
    written: u64,
    concurrency: u64,
    tolerated_count: Option<u64>,
    tolerated_percentage: Option<f64>,
}

/// How often a run was redriven, and how far it is with that.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Redrives {
    pub(crate) count: u64,
    pub(crate) last: Option<Timestamp>,
    /// The first child that was not looked at, and the first that need not be: nobody remembers who did not succeed.
    pub(crate) survey: Option<(u32, u32)>,
    /// Children that did not succeed, and were not yet asked to go on.
    pub(crate) found: BTreeMap<u32, Revival>,
    /// Children that were asked to go on, and nobody said yet that they have.
    pub(crate) asked: BTreeMap<u32, Revival>,
    /// How often each child that is active was redriven, if it was.
    pub(crate) lives: BTreeMap<u32, u64>,
}

/// A child that is to be redriven.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Revival {
    pub(crate) items: u32,
    /// How often it has been redriven then.
    pub(crate) life: u64,
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

    pub fn redrive_count(&self) -> u64 {
        self.redrives.count
    }

    /// When it was last redriven.
    pub fn redriven(&self) -> Option<Timestamp> {
        self.redrives.last
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
                let redrives = self.redrives.asked.iter();
                let redrives = redrives.map(|(index, child)| Effect::Redrive { index: *index, life: child.life });
                let asks = self.running.keys().map(ask);
                let pieces = read.into_iter().chain(self.surveys());
                [Effect::AskParent].into_iter().chain(pieces).chain(starts).chain(redrives).chain(asks).collect()
            }
            // Nothing is started that was not: whoever stopped the run meant that.
            Stage::Stopping { .. } => {
                let stops = self.running.keys().map(|index| Effect::Stop { index: *index });
                let unanswered = self.asked.keys().chain(self.redrives.asked.keys());
                unanswered.chain(self.running.keys()).map(ask).chain(stops).collect()
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

    /// Where to look on for children that did not succeed, if more of them are wanted.
    pub(crate) fn surveys(&self) -> Option<Effect> {
        let room = self.redrives.found.len() < WINDOW_CHILDREN_MAX;
        let (from, until) = self.redrives.survey.filter(|_| self.stage == Stage::Running && room)?;
        Some(Effect::Survey { from, until })
    }

    /// Children that did not succeed before and were not found yet.
    pub(crate) fn unfound(&self) -> u64 {
        self.executions.pending_redrive - self.redrives.found.len() as u64
    }

    /// Children that were asked to start or to go on, and have not ended.
    pub(crate) fn active(&self) -> usize {
        self.asked.len() + self.redrives.asked.len() + self.running.len()
    }

    /// Whether nobody waits to be started or to go on.
    pub(crate) fn has_asked_all(&self) -> bool {
        let redriven = self.redrives.survey.is_none() && self.redrives.found.is_empty();
        self.read && self.window.is_empty() && self.missing.is_empty() && redriven
    }

    /// How often an active child was redriven.
    pub(crate) fn life(&self, index: u32) -> u64 {
        self.redrives.lives.get(&index).copied().unwrap_or(0)
    }

    /// Whether `told` is what a child was before it was asked to go on, as it is still when that was not done.
    pub(crate) fn is_as_before(&self, told: &crate::Told) -> bool {
        self.redrives.asked.get(&told.index).is_some_and(|child| child.life == told.life + 1)
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
                let items = self.window.iter().map(|child| u64::from(child.items)).sum();
                self.dropped = (self.window.len() as u64, items);
                self.window.clear();
                self.window_bytes = 0;
                self.redrives.survey = None;
                self.redrives.found.clear();
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
            Event::Redriven { at, task } => self.redrive(*at, *task),
            Event::Surveyed { until, found, .. } => self.surveyed(*until, found),
            Event::AskedAgain { start, redrive, .. } => {
                for index in start {
                    let Some(child) = self.missing.remove(index) else { continue };
                    self.asked_bytes += child.input.text_len();
                    self.shift(child.items, |counts| &mut counts.pending, |counts| &mut counts.running);
                    self.asked.insert(*index, child);
                }
                for index in redrive {
                    let Some(child) = self.redrives.found.remove(index) else { continue };
                    self.shift(child.items, |counts| &mut counts.pending_redrive, |counts| &mut counts.running);
                    self.redrives.asked.insert(*index, child);
                    self.redrives.lives.insert(*index, child.life);
                }
            }
        }
    }

    /// What did not succeed waits to be found; what was read and not asked to start is read again.
    fn redrive(&mut self, at: Timestamp, task: TaskId) {
        if let Some(begin) = &mut self.begin {
            Arc::make_mut(begin).task = task;
        }
        let (children, items) = std::mem::take(&mut self.dropped);
        self.read &= children == 0;
        for (counts, dropped) in [(&mut self.executions, children), (&mut self.items, items)] {
            counts.pending -= dropped;
            counts.pending_redrive += counts.unsuccessful();
            (counts.failed, counts.timed_out, counts.aborted, counts.not_redrivable) = (0, 0, 0, 0);
        }
        self.stage = Stage::Running;
        (self.stopped, self.written) = (None, 0);
        (self.redrives.count, self.redrives.last) = (self.redrives.count + 1, Some(at));
        self.redrives.survey = (self.executions.pending_redrive > 0).then_some((0, self.next));
    }

    fn surveyed(&mut self, until: u32, found: &[Found]) {
        for Found { index, items, life, fate, is_final } in found.iter().copied() {
            match end_of(fate) {
                Some(place) if is_final => {
                    self.shift(items, |counts| &mut counts.pending_redrive, place);
                    self.executions.not_redrivable += 1;
                    self.items.not_redrivable += u64::from(items);
                }
                Some(_) => drop(self.redrives.found.insert(index, Revival { items, life: life + 1 })),
                // It went on after the run had given it up.
                None => {
                    self.shift(items, |counts| &mut counts.pending_redrive, |counts| &mut counts.running);
                    self.running.insert(index, items);
                    self.redrives.lives.insert(index, life);
                }
            }
        }
        let end = self.redrives.survey.map_or(until, |(_, end)| end);
        self.redrives.survey = (until < end && self.unfound() > 0).then_some((until, end));
        if self.redrives.survey.is_none() {
            self.count_rest_as_succeeded();
        }
    }

    /// Who was given up and is not found has succeeded all the same.
    fn count_rest_as_succeeded(&mut self) {
        let items = self.redrives.found.values().map(|child| u64::from(child.items)).sum();
        let waiting = [self.redrives.found.len() as u64, items];
        for (counts, waiting) in [&mut self.executions, &mut self.items].into_iter().zip(waiting) {
            counts.succeeded += counts.pending_redrive - waiting;
            counts.pending_redrive = waiting;
        }
    }

    fn told(&mut self, index: u32, fate: Fate) {
        match fate {
            Fate::Running => {
                if let Some(items) = self.answered(index) {
                    self.running.insert(index, items);
                }
            }
            Fate::Missing => {
                if let Some(child) = self.asked.remove(&index) {
                    self.asked_bytes -= child.input.text_len();
                    self.shift(child.items, |counts| &mut counts.running, |counts| &mut counts.pending);
                    self.missing.insert(index, child);
                }
            }
            Fate::Succeeded | Fate::Failed | Fate::TimedOut | Fate::Aborted => {
                let place = end_of(fate).unwrap_or(|counts| &mut counts.succeeded);
                if let Some(items) = self.answered(index).or_else(|| self.running.remove(&index)) {
                    self.shift(items, |counts| &mut counts.running, place);
                    self.redrives.lives.remove(&index);
                }
            }
        }
    }

    /// The number of items of a child that need not be asked again to start or to go on.
    fn answered(&mut self, index: u32) -> Option<u32> {
        if let Some(child) = self.redrives.asked.remove(&index) {
            return Some(child.items);
        }
        let child = self.asked.remove(&index)?;
        self.asked_bytes -= child.input.text_len();
        Some(child.items)
    }

    /// Moves one child and its items from one count to another.
    fn shift(&mut self, items: u32, from: Place, to: Place) {
        for (counts, number) in [(&mut self.executions, 1), (&mut self.items, u64::from(items))] {
            *from(counts) -= number;
            *to(counts) += number;
        }
    }
}

type Place = fn(&mut Counts) -> &mut u64;

/// Where a child is counted that has ended otherwise than well.
fn end_of(fate: Fate) -> Option<Place> {
    match fate {
        Fate::Failed => Some(|counts| &mut counts.failed),
        Fate::TimedOut => Some(|counts| &mut counts.timed_out),
        Fate::Aborted => Some(|counts| &mut counts.aborted),
        Fate::Running | Fate::Succeeded | Fate::Missing => None,
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
