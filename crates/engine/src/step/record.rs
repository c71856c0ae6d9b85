//! What deciding is made of: what a state sees, what it may give, and how facts are recorded.

use std::sync::Arc;

use asl::{BlockId, Flow, Payload, State};
use base::{Json, Timestamp};

use super::{Go, QUERY_ERROR, Run, Stop};
use crate::Effect;
use crate::data::{self, Fault};
use crate::event::{Alarm, Event, Fact, Failure};
use crate::execution::Attempt;
use crate::id::{FrameId, TimerId};
use crate::scope::View;

impl<'a> Run<'a> {
    pub(super) fn state(&self, frame: FrameId) -> &'a State {
        let block = BlockId(self.execution.frame(frame).block);
        self.machine.state(block, &self.execution.visit(frame).name)
    }

    pub(super) fn raw(&self, frame: FrameId) -> Json {
        self.execution.visit(frame).input.clone()
    }

    pub(super) fn view<'v>(&'v self, frame: FrameId, input: &'v Json) -> View<'v> {
        View::new(self.execution, frame, input, self.chance, self.env.now)
    }

    /// The effective input: `InputPath` of the raw one.
    pub(super) fn input(&self, frame: FrameId, state: &State) -> Result<Json, Stop> {
        let raw = self.raw(frame);
        match &state.flow {
            Flow::JsonPath { input, .. } => Ok(data::select(input, &self.view(frame, &raw))?),
            Flow::Jsonata { .. } => Ok(raw),
        }
    }

    /// `OutputPath` or `Output`, within the limit on payloads. `placed` is what the state gives without.
    pub(super) fn output(&self, frame: FrameId, state: &State, placed: Json) -> Result<Json, Stop> {
        let output = match &state.flow {
            Flow::JsonPath { output, .. } => data::select(output, &self.view(frame, &placed))?,
            Flow::Jsonata { output } => output.as_ref().map_or(placed, data::evaluate),
        };
        self.computed(frame, state, output)
    }

    /// An output, within the limit on payloads.
    pub(super) fn computed(&self, frame: FrameId, state: &State, output: Json) -> Result<Json, Stop> {
        if output.same(&self.execution.visit(frame).input) {
            return Ok(output);
        }
        self.within_limit(output, &state.name).map_err(Stop::Failure)
    }

    /// What a template makes, within the limit on payloads: a small definition can make much of a large input.
    pub(super) fn payload(&self, state: &State, template: Option<&Payload>, view: &View<'_>) -> Result<Json, Stop> {
        let made = data::payload(template, view)?;
        match template {
            Some(_) => self.within_limit(made, &state.name).map_err(Stop::Failure),
            None => Ok(made),
        }
    }

    pub(super) fn within_limit(&self, output: Json, of: &str) -> Result<Json, Failure> {
        within_limit(output, of, self.env.limits.payload_bytes_max)
    }

    /// The work's value, or how the state fails.
    pub(super) fn decide<T>(&self, frame: FrameId, work: impl FnOnce(&Self) -> Result<T, Stop>) -> Result<T, Go> {
        work(self).map_err(|stop| match stop {
            Stop::Failure(failure) => Go::Fail { failure, also: None },
            Stop::Fault(Fault::Runtime(text)) => {
                Go::Fail { failure: self.failure(frame, "States.Runtime", &text), also: None }
            }
            Stop::Fault(Fault::Query { text, location }) => Go::EvaluationFailed {
                failure: self.failure(frame, QUERY_ERROR, &text),
                location: location.map(Arc::from),
            },
        })
    }

    /// A failure of ours, which names the state.
    pub(super) fn failure(&self, frame: FrameId, error: &str, text: &str) -> Failure {
        let visit = self.execution.visit(frame);
        let (name, entered) = (&visit.name, visit.entered);
        Failure::new(
            error,
            format!(
                "An error occurred while executing the state '{name}' (entered at the event id #{entered}). {text}"
            ),
        )
    }

    pub(super) fn decided(&self, frame: FrameId, work: impl FnOnce(&Self) -> Result<Go, Stop>) -> Go {
        self.decide(frame, work).unwrap_or_else(|go| go)
    }

    pub(super) fn alarm_in(&self, seconds: u64) -> Alarm {
        self.alarm_at(self.env.now.plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)))
    }

    pub(super) fn alarm_at(&self, due: Timestamp) -> Alarm {
        Alarm { timer: TimerId(self.execution.next_timer), due }
    }

    pub(super) fn clear_alarms(&mut self, attempt: &Attempt) {
        self.step.effects.extend([attempt.timeout, attempt.heartbeat].into_iter().flatten().map(Effect::ClearTimer));
    }

    /// The execution ends; everything that is still asked for is withdrawn.
    pub(super) fn end(&mut self, previous: u64, fact: Fact) {
        let withdrawn: Vec<Effect> = self.execution.outstanding().into_iter().map(withdrawal).collect();
        self.step.effects.extend(withdrawn);
        self.record(FrameId::ROOT, previous, fact);
        self.step.effects.push(Effect::Ended);
    }

    /// A fact that follows the frame's last.
    pub(super) fn record_here(&mut self, frame: FrameId, fact: Fact) {
        self.record(frame, self.execution.frame(frame).last, fact);
    }

    /// A fact that AWS's history does not have.
    pub(super) fn record_ours(&mut self, frame: FrameId, fact: Fact) {
        self.push(Event { at: self.env.now, frame, id: 0, previous: 0, fact });
    }

    pub(super) fn record(&mut self, frame: FrameId, previous: u64, fact: Fact) {
        let id = self.execution.last_id + 1;
        if self.overflown.is_some() && !fact.ends_execution() {
            return;
        }
        // A history has at least a beginning and an end.
        let begins = matches!(fact, Fact::ExecutionStarted { .. });
        if id >= self.env.limits.history_events_max && !fact.ends_execution() && !begins {
            self.overflown = Some(frame);
            return;
        }
        self.push(Event { at: self.env.now, frame, id, previous, fact });
    }

    pub(super) fn push(&mut self, event: Event) {
        self.execution.apply(&event);
        self.step.events.push(event);
    }
}

pub(crate) fn within_limit(output: Json, of: &str, bytes_max: usize) -> Result<Json, Failure> {
    // What nests too deeply could be written and never be read again. Size first: it ends the walk early.
    if output.fits(bytes_max) && !output.is_too_deep() {
        return Ok(output);
    }
    let cause = format!(
        "The state/task '{of}' returned a result with a size exceeding the maximum number of bytes service limit."
    );
    Err(Failure::new("States.DataLimitExceeded", cause))
}

fn withdrawal(effect: Effect) -> Effect {
    match effect {
        Effect::RunTask { task, resource, .. } => Effect::AbandonTask { task, resource },
        Effect::SetTimer(alarm) => Effect::ClearTimer(alarm),
        other @ (Effect::AbandonTask { .. } | Effect::ClearTimer(_) | Effect::Ended) => other,
    }
}

/// How `States.DataLimitExceeded` names a task: a Lambda function by its ARN, a service by its name.
pub(super) fn data_name(resource: &str) -> String {
    match asl::Resource::parse(resource) {
        Some(asl::Resource::Service { service, .. }) => service.to_string(),
        _ => resource.to_owned(),
    }
}
