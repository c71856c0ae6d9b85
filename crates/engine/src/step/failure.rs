//! Failure: retry, else catch, else the parent.

use std::sync::Arc;

use asl::{Body, Catcher, Flow, Jitter, Retrier, State, Then};
use base::Timestamp;

use super::{Go, Next, QUERY_ERROR, Run, Stop};
use crate::Effect;
use crate::data::{self};
use crate::event::{Fact, Failure, Kind};
use crate::execution::{Doing, Place};
use crate::id::FrameId;

impl Run<'_> {
    pub(super) fn evaluation_failed(&mut self, frame: FrameId, failure: Failure, location: Option<Arc<str>>) -> Next {
        self.record_evaluation_failed(frame, &failure, location);
        Some((frame, Go::Fail { failure, also: None }))
    }

    /// Told apart from the failure that follows. As the event before it AWS names the one before the state was
    /// entered, except in a Wait.
    fn record_evaluation_failed(&mut self, frame: FrameId, failure: &Failure, location: Option<Arc<str>>) {
        let last = self.execution.frame(frame).last;
        let visit = self.execution.visit(frame);
        let previous = if last == visit.entered && visit.kind != Kind::Wait { visit.entered_from } else { last };
        let state = visit.name.clone();
        self.record(frame, previous, Fact::EvaluationFailed { state, failure: failure.clone(), location });
    }

    pub(super) fn fail(&mut self, frame: FrameId, failure: Failure, also: Option<&'static str>) -> Next {
        let state = self.state(frame);
        let (retriers, catchers) = (state.retriers(), state.catchers());
        let names = ErrorNames { error: failure.error.as_deref(), also };
        self.abort_children(frame, None);
        let retrier = (0..).zip(retriers).find(|(_, retrier)| names.are_in_retry(&retrier.error_equals));
        if let Some((index, retrier)) = retrier
            && let Some(delay_ms) = self.retry_delay(frame, index, retrier)
        {
            let alarm = self.alarm_at(Timestamp(self.env.now.0.saturating_add(delay_ms)));
            self.record_ours(frame, Fact::RetryScheduled { retrier: index, alarm });
            self.step.effects.push(Effect::SetTimer(alarm));
            return None;
        }
        self.record_children_failed(frame, state, &failure);
        let catcher = (0..).zip(catchers).find(|(_, catcher)| names.are_in_catch(&catcher.error_equals));
        match catcher {
            Some((index, catcher)) => match self.catch(frame, state, &failure, index, catcher) {
                // A failure to catch is not caught: it could go on for ever.
                Go::Fail { failure, also } => self.give_up(frame, failure, also),
                Go::EvaluationFailed { failure, location } => {
                    self.record_evaluation_failed(frame, &failure, location);
                    self.give_up(frame, failure, None)
                }
                go => Some((frame, go)),
            },
            None => self.give_up(frame, failure, also),
        }
    }

    /// `MapStateFailed`, `ParallelStateFailed`: a state with children that is not tried again.
    pub(super) fn record_children_failed(&mut self, frame: FrameId, state: &State, failure: &Failure) {
        let unevaluated = failure.error.as_deref() == Some(QUERY_ERROR);
        match (&state.body, &self.execution.visit(frame).doing) {
            (Body::Parallel(_), Doing::Branches(_)) => self.record_here(frame, Fact::ParallelFailed),
            (Body::Map(_), Doing::Iterations(_) | Doing::MapRunFailed { .. }) => {
                self.record_here(frame, Fact::MapFailed)
            }
            // AWS ends a Map so whose items could not be told, though it never began.
            (Body::Map(_), _) if unevaluated => self.record_here(frame, Fact::MapFailed),
            _ => (),
        }
    }

    /// How long to wait before the next attempt, in milliseconds; none when the retrier is used up.
    pub(super) fn retry_delay(&self, frame: FrameId, index: u32, retrier: &Retrier) -> Option<i64> {
        let used = self.execution.visit(frame).retries.get(&index).copied().unwrap_or(0);
        let delay = delay_seconds(retrier, used)?;
        let jittered = match retrier.jitter {
            Jitter::None => delay,
            Jitter::Full => delay * self.chance.fraction(),
        };
        Some((jittered * 1000.0).ceil() as i64)
    }

    pub(super) fn catch(
        &mut self,
        frame: FrameId,
        state: &State,
        failure: &Failure,
        index: usize,
        catcher: &Catcher,
    ) -> Go {
        self.decided(frame, |run| {
            let (raw, error) = (run.raw(frame), data::error_output(failure));
            let view = match &state.flow {
                Flow::JsonPath { .. } => run.view(frame, &error),
                Flow::Jsonata { .. } => run.view(frame, &raw).with_error_output(error.clone()),
            };
            let field = |name: &str| format!("Catch[{index}]/{name}");
            let assigned = run.assign(frame, catcher.assign.as_ref(), &field("Assign"), &view)?;
            let output = data::caught(&catcher.output, &field("Output"), &raw, error, &view)?;
            let output = run.within_limit(output, &run.execution.visit(frame).name).map_err(Stop::Failure)?;
            Ok(Go::Exit { output, assigned, then: Then::Next(catcher.next.clone()) })
        })
    }

    /// Nobody here catches: the execution fails, or the parent decides.
    pub(super) fn give_up(&mut self, frame: FrameId, failure: Failure, also: Option<&'static str>) -> Next {
        match self.execution.frame(frame).place {
            Place::Machine => {
                let last = self.execution.frame(frame).last;
                self.end(last, Fact::ExecutionFailed { failure });
                None
            }
            Place::Branch { of, .. } | Place::Iteration { of, .. } => {
                Some((of, Go::ChildFailed { child: frame, failure, also }))
            }
        }
    }

    /// One child's failure ends all the others; what follows names the child's last event.
    pub(super) fn child_failed(
        &mut self,
        frame: FrameId,
        child: FrameId,
        failure: Failure,
        also: Option<&'static str>,
    ) -> Next {
        self.abort_children(frame, Some(child));
        Some((frame, Go::Fail { failure, also }))
    }
}

/// How long a retrier that was used so often waits, before jitter; none when it is used up.
pub(crate) fn delay_seconds(retrier: &Retrier, used: u32) -> Option<f64> {
    if u64::from(used) >= retrier.max_attempts {
        return None;
    }
    let most = retrier.max_delay_seconds.unwrap_or(base::limits::TIMEOUT_SECONDS_MAX) as f64;
    Some((retrier.interval_seconds as f64 * retrier.backoff_rate.powf(f64::from(used))).min(most))
}

/// The names that one error answers to.
pub(crate) struct ErrorNames<'a> {
    pub(crate) error: Option<&'a str>,
    pub(crate) also: Option<&'static str>,
}

impl ErrorNames<'_> {
    pub(crate) fn are_in_catch(&self, error_equals: &[Arc<str>]) -> bool {
        error_equals.iter().any(|wanted| self.is(wanted))
    }

    /// A retry of what may have run already, or may run still, has to be asked for by name: `States.ALL` includes
    /// neither `Agent.Indeterminate` nor `Agent.Lost`.
    pub(crate) fn are_in_retry(&self, error_equals: &[Arc<str>]) -> bool {
        let may_have_run = matches!(self.error, Some("Agent.Indeterminate" | "Agent.Lost"));
        error_equals.iter().any(|wanted| match &**wanted {
            "States.ALL" | "States.TaskFailed" if may_have_run => false,
            _ => self.is(wanted),
        })
    }

    /// `States.Runtime` is never handled; `States.DataLimitExceeded` only by its own name
    /// (Developer Guide, "Handling errors").
    pub(super) fn is(&self, wanted: &str) -> bool {
        let runtime = self.error == Some("States.Runtime");
        let data_limit = self.error == Some("States.DataLimitExceeded");
        match wanted {
            _ if runtime => false,
            "States.ALL" => !data_limit,
            "States.TaskFailed" => !data_limit && self.error != Some("States.Timeout"),
            _ => self.error == Some(wanted) || self.also == Some(wanted),
        }
    }
}
