//! What deciding is made of: what a state sees, what it may give, and how facts are recorded.

use std::convert::Infallible;
use std::sync::Arc;

use asl::{BlockId, Flow, Payload, State};
use base::{Json, Timestamp, limits};

use super::{Go, QUERY_ERROR, Run, Stop};
use crate::Effect;
use crate::data::{self, Fault};
use crate::event::{Alarm, Event, Fact, Failure};
use crate::execution::Attempt;
use crate::id::{FrameId, TimerId};
use crate::scope::View;
use crate::variables::Assigned;

/// The first events of a step cannot hold much, and most steps have no more.
const EVENTS_UNCOUNTED: usize = 8;

impl<'a> Run<'a> {
    pub(super) fn state(&self, frame: FrameId) -> &'a State {
        let block = BlockId(self.execution.frame(frame).block);
        self.machine.state(block, &self.execution.visit(frame).name)
    }

    pub(super) fn raw(&self, frame: FrameId) -> Json {
        self.execution.visit(frame).input.clone()
    }

    pub(super) fn view(&self, frame: FrameId, input: &Json) -> View<'_> {
        View::new(self.execution, frame, input.clone(), self.chance, self.env.now)
            .counted(&self.spent.work, self.env.limits.step_work_end)
    }

    /// What a state sees once its work has given `result`: `$`, or `$states.result` beside its input.
    pub(super) fn result_view(&self, frame: FrameId, state: &State, result: &Json) -> View<'_> {
        match &state.flow {
            Flow::JsonPath { .. } => self.view(frame, result),
            Flow::Jsonata { .. } => self.view(frame, &self.raw(frame)).with_result(result.clone()),
        }
    }

    /// The effective input: `InputPath` of the raw one.
    pub(super) fn input(&self, frame: FrameId, state: &State) -> Result<Json, Stop> {
        let raw = self.raw(frame);
        match &state.flow {
            Flow::JsonPath { input, .. } => Ok(data::select(input, &self.view(frame, &raw))?),
            Flow::Jsonata { .. } => Ok(raw),
        }
    }

    /// `OutputPath` or `Output`, within the limit on payloads. `placed` is what the state gives without; `view` is
    /// what `Output` sees.
    pub(super) fn output(&self, frame: FrameId, state: &State, placed: Json, view: &View<'_>) -> Result<Json, Stop> {
        let output = match &state.flow {
            Flow::JsonPath { output, .. } => data::select(output, &self.view(frame, &placed))?,
            Flow::Jsonata { output: Some(output) } => data::evaluate(output, "Output", view)?,
            Flow::Jsonata { output: None } => placed,
        };
        self.computed(frame, state, output)
    }

    /// What an `Assign` gives, within the limits on variables; `field` says where it stands. AWS's words for what is
    /// beyond them are not known: it is a result like any other that is too large.
    pub(super) fn assign(
        &self,
        frame: FrameId,
        assign: Option<&Payload>,
        field: &str,
        view: &View<'_>,
    ) -> Result<Assigned, Stop> {
        let Some(assign) = assign else { return Ok(None) };
        let made = data::payload(Some(assign), field, view)?;
        let name = &self.execution.visit(frame).name;
        let made = within_limit(made, name, limits::ASSIGN_BYTES_MAX).map_err(Stop::Failure)?;
        let members = made.as_object().into_iter().flatten();
        let assigned: Vec<_> = members.map(|(name, value)| (name.clone(), value.clone())).collect();
        let stored = self.execution.variables_bytes + self.execution.frame(frame).variables.growth(&assigned);
        if u64::try_from(stored).is_ok_and(|stored| stored > limits::VARIABLES_BYTES_MAX) {
            return Err(Stop::Failure(too_large(name)));
        }
        Ok(Some(assigned).filter(|assigned| !assigned.is_empty()))
    }

    /// An output, within the limit on payloads.
    pub(super) fn computed(&self, frame: FrameId, state: &State, output: Json) -> Result<Json, Stop> {
        if output.same(&self.execution.visit(frame).input) {
            return Ok(output);
        }
        self.within_limit(output, &state.name).map_err(Stop::Failure)
    }

    /// What a template makes, within the limit on payloads: a small definition can make much of a large input.
    pub(super) fn payload(
        &self,
        state: &State,
        template: Option<&Payload>,
        field: &str,
        view: &View<'_>,
    ) -> Result<Json, Stop> {
        let made = data::payload(template, field, view)?;
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

    /// A task's timeout and its first missed heartbeat, from now.
    pub(super) fn alarms_in(&self, timeout: Option<u64>, heartbeat: Option<u64>) -> (Option<Alarm>, Option<Alarm>) {
        let timeout = timeout.map(|seconds| self.alarm_in(seconds));
        let after = u64::from(timeout.is_some());
        let heartbeat = heartbeat
            .map(|seconds| Alarm { timer: TimerId(self.execution.next_timer + after), ..self.alarm_in(seconds) });
        (timeout, heartbeat)
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
        self.keep_for_redrive(&fact);
        self.record(FrameId::ROOT, previous, fact);
        self.step.effects.push(Effect::Ended);
    }

    /// What was still to be entered stands still with the rest: a redrive enters it. No alarm is set for it.
    fn keep_for_redrive(&mut self, end: &Fact) {
        let entering: Vec<_> = self.agenda.drain(..).collect();
        if !entering.is_empty() && !matches!(end, Fact::ExecutionSucceeded { .. }) {
            let alarm = self.alarm_at(self.env.now);
            self.record_ours(FrameId::ROOT, Fact::StepPaused { alarm, entering, starting: vec![] });
        }
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
        // Express has no end of events (Service quotas): its five minutes are one.
        let is_full = id >= self.env.limits.history_events_max && !self.execution.identity.express;
        if is_full && !fact.ends_execution() && !begins {
            self.overflown = Some(frame);
            return;
        }
        self.push(Event { at: self.env.now, frame, id, previous, fact });
    }

    pub(super) fn push(&mut self, event: Event) {
        self.execution.apply(&event);
        if self.step.events.len() >= EVENTS_UNCOUNTED {
            self.count(event.clone());
        }
        self.step.events.push(event);
    }

    /// Counts what the payloads of one event take, each once, as it is packed.
    fn count(&mut self, event: Event) {
        let spent = &mut self.spent;
        let counted: Result<Event, Infallible> = event.map(&mut |payload| {
            if payload.address().is_some_and(|address| spent.counted.insert(address)) {
                spent.bytes += payload.text_len();
            }
            Ok(payload)
        });
        match counted {
            Ok(_) => (),
        }
    }
}

pub(crate) fn within_limit(output: Json, of: &str, bytes_max: usize) -> Result<Json, Failure> {
    // What nests too deeply could be written and never be read again. Size first: it ends the walk early.
    if output.fits(bytes_max) && !output.is_too_deep() {
        return Ok(output);
    }
    Err(too_large(of))
}

pub(crate) fn too_large(of: &str) -> Failure {
    let cause = format!(
        "The state/task '{of}' returned a result with a size exceeding the maximum number of bytes service limit."
    );
    Failure::new("States.DataLimitExceeded", cause)
}

fn withdrawal(effect: Effect) -> Effect {
    match effect {
        Effect::RunTask { task, resource, parameters, credentials, .. } => {
            Effect::AbandonTask { task, resource, parameters, credentials }
        }
        Effect::SetTimer(alarm) => Effect::ClearTimer(alarm),
        Effect::StartMapRun { task, arn, .. } | Effect::RedriveMapRun { task, arn, .. } => {
            Effect::StopMapRun { task, arn }
        }
        other @ (Effect::AbandonTask { .. } | Effect::StopMapRun { .. } | Effect::ClearTimer(_) | Effect::Ended) => {
            other
        }
    }
}

/// How `States.DataLimitExceeded` names a task: a Lambda function by its ARN, a service by its name.
pub(super) fn data_name(resource: &str) -> String {
    match asl::Resource::parse(resource) {
        Some(asl::Resource::Service { service, .. }) => service.to_string(),
        _ => resource.to_owned(),
    }
}
