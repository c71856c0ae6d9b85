//! Deciding: what a command means for a run right now.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::Timestamp;

use crate::limits::{
    BACKSTOP_SECONDS, COMMENT_CHARS_MAX, INSTANCES_MAX, SCRIPT_BYTES_MAX, TIMEOUT_SECONDS_MAX, TIMEOUT_SECONDS_MIN,
};
use crate::message::{
    AttemptId, AttemptState, Command, Decider, Effect, Event, FailureCode, InstanceId, Outcome, Refusal, Send, Waiter,
};
use crate::output;
use crate::run::{Alarm, Invocation, Run, Stage};

/// What a decision may depend on besides the run itself.
#[derive(Debug, Clone, Copy)]
pub struct Env {
    pub now: Timestamp,
}

/// What follows from one command: facts to record, then requests to send. One without events has nothing to
/// commit; its effects are answers to what was already recorded.
#[derive(Debug, Default, PartialEq)]
pub struct Step {
    pub events: Vec<Event>,
    pub effects: Vec<Effect>,
}

/// Decides what `command` means for `run`, and applies what follows. Refusal leaves no trace.
pub fn step(run: &mut Run, command: Command, env: Env) -> Result<Step, Refusal> {
    let mut cx = Cx { run, now: env.now, step: Step::default() };
    if let Command::Send(send) = command {
        cx.send(send)?;
        return Ok(cx.step);
    }
    if cx.run.sent.is_none() {
        return Err(Refusal::NotSent);
    }
    match command {
        Command::Send(_) => unreachable!("a Send was answered above"),
        Command::AgentAccepted { attempt } => cx.accepted(&attempt)?,
        Command::AgentStarted { attempt } => cx.started(&attempt)?,
        Command::AgentFinished { attempt, outcome } => cx.finished(&attempt, outcome)?,
        Command::AgentReported { attempt, state } => cx.reported(&attempt, state)?,
        Command::AgentLost { instance } => cx.lost(&instance)?,
        Command::Fire { timer } => cx.fire(timer)?,
        Command::Cancel { instances } => cx.cancel(&instances)?,
        Command::Notified { waiter } => cx.notified(waiter)?,
        Command::SlotGranted { place } | Command::SlotReleased { place } => return Err(Refusal::UnknownPlace(place)),
        Command::Announced { .. } => (),
        Command::OutputDelivered { instance, problem } => cx.output_delivered(&instance, problem)?,
    }
    cx.settle();
    Ok(cx.step)
}

/// The decision in progress. What may be refused is refused before anything is recorded.
struct Cx<'a> {
    run: &'a mut Run,
    now: Timestamp,
    step: Step,
}

impl Cx<'_> {
    fn send(&mut self, send: Box<Send>) -> Result<(), Refusal> {
        if self.run.sent.is_some() {
            return Err(Refusal::AlreadySent);
        }
        check_instances(&send.instances)?;
        if send.instances.is_empty() {
            return Err(Refusal::NoInstances);
        }
        if !(TIMEOUT_SECONDS_MIN..=TIMEOUT_SECONDS_MAX).contains(&send.timeout_seconds) {
            return Err(Refusal::InvalidTimeout { seconds: send.timeout_seconds });
        }
        if send.plan.bytes() > SCRIPT_BYTES_MAX {
            return Err(Refusal::ScriptTooLong { bytes: send.plan.bytes() });
        }
        if send.comment.chars().count() > COMMENT_CHARS_MAX {
            return Err(Refusal::CommentTooLong);
        }
        self.record(Event::Sent { at: self.now, send });
        self.settle();
        Ok(())
    }

    fn accepted(&mut self, attempt: &AttemptId) -> Result<(), Refusal> {
        let Invocation { instance, stage } = self.invocation(attempt)?;
        match stage {
            Stage::Queued => return Err(Refusal::UnknownAttempt(attempt.clone())),
            Stage::Offered { alarm, .. } => self.begin(&instance, attempt, alarm),
            Stage::Begun { .. } => {
                self.found(&instance);
                self.answer(&instance);
            }
            Stage::Ended { .. } => self.acknowledge(&instance, attempt),
        }
        Ok(())
    }

    fn started(&mut self, attempt: &AttemptId) -> Result<(), Refusal> {
        let Invocation { instance, stage } = self.invocation(attempt)?;
        match stage {
            Stage::Queued => return Err(Refusal::UnknownAttempt(attempt.clone())),
            // Nobody here remembers having said go, as after a restore. A fact is a fact.
            Stage::Offered { alarm, .. } => {
                self.accept(&instance, alarm);
                self.start(&instance);
            }
            Stage::Begun { started_at: None, .. } => self.start(&instance),
            Stage::Begun { started_at: Some(_), .. } => self.found(&instance),
            // Another attempt may be on its way: two must not run beside each other.
            Stage::Ended { .. } => self.request(Effect::Cancel { instance, attempt: attempt.clone() }),
        }
        Ok(())
    }

    fn finished(&mut self, attempt: &AttemptId, outcome: Outcome) -> Result<(), Refusal> {
        let Invocation { instance, stage } = self.invocation(attempt)?;
        let outcome = output::bounded(outcome);
        match stage {
            Stage::Queued => return Err(Refusal::UnknownAttempt(attempt.clone())),
            Stage::Offered { .. } | Stage::Begun { .. } => self.finish(&instance, Decider::Agent, outcome),
            Stage::Ended { decider: Decider::Server, late: None, .. } => {
                self.record(Event::ReportedLate {
                    at: self.now,
                    instance: instance.clone(),
                    outcome: Arc::new(outcome),
                });
            }
            Stage::Ended { decider: Decider::Server | Decider::Agent, .. } => (),
        }
        self.acknowledge(&instance, attempt);
        Ok(())
    }

    /// The server decides only from what the agent knows.
    fn reported(&mut self, attempt: &AttemptId, state: AttemptState) -> Result<(), Refusal> {
        let Invocation { instance, stage } = self.invocation(attempt)?;
        match (stage, state) {
            (Stage::Queued, _) => return Err(Refusal::UnknownAttempt(attempt.clone())),

            (Stage::Offered { .. }, AttemptState::NeverStarted | AttemptState::Unknown) => {
                self.found(&instance);
                self.answer(&instance);
            }
            (Stage::Offered { alarm, .. }, AttemptState::Accepted) => self.begin(&instance, attempt, alarm),
            (Stage::Offered { .. }, AttemptState::Running) => self.started(attempt)?,
            (Stage::Begun { alarm, .. }, AttemptState::NeverStarted) => self.return_to_offer(&instance, alarm),
            (Stage::Begun { started_at: None, .. }, AttemptState::Running) => self.start(&instance),
            (Stage::Begun { .. }, AttemptState::Accepted | AttemptState::Running) => {
                self.found(&instance);
                self.answer(&instance);
            }
            // It was on the agent's disk before we said go, and now it is not: that disk's word is lost.
            (Stage::Begun { .. }, AttemptState::Unknown) => {
                self.decide(&instance, FailureCode::Indeterminate, "agent no longer knows this attempt");
            }
            (Stage::Offered { .. } | Stage::Begun { .. }, AttemptState::Indeterminate) => {
                self.decide(&instance, FailureCode::Indeterminate, "agent cannot tell whether it ran to its end");
                self.acknowledge(&instance, attempt);
            }
            (Stage::Offered { .. } | Stage::Begun { .. }, AttemptState::Finished) => self.found(&instance),

            (Stage::Ended { .. }, AttemptState::Running) => {
                self.request(Effect::Cancel { instance, attempt: attempt.clone() })
            }
            (
                Stage::Ended { .. },
                AttemptState::NeverStarted | AttemptState::Accepted | AttemptState::Indeterminate,
            ) => {
                self.acknowledge(&instance, attempt);
            }
            (Stage::Ended { .. }, AttemptState::Finished | AttemptState::Unknown) => (),
        }
        Ok(())
    }

    fn lost(&mut self, instance: &InstanceId) -> Result<(), Refusal> {
        let invocation = self.run.invocation(instance).ok_or_else(|| Refusal::InvalidInstanceId(instance.clone()))?;
        match &invocation.stage {
            Stage::Offered { lost_since: None, .. } | Stage::Begun { lost_since: None, .. } => {
                self.record(Event::Lost { at: self.now, instance: instance.clone(), alarm: None });
            }
            Stage::Offered { lost_since: Some(_), .. } | Stage::Begun { lost_since: Some(_), .. } => (),
            Stage::Queued | Stage::Ended { .. } => (),
        }
        Ok(())
    }

    fn fire(&mut self, timer: u64) -> Result<(), Refusal> {
        let waits = |invocation: &&Invocation| invocation.stage.alarm().is_some_and(|alarm| alarm.timer == timer);
        let found = self.run.invocations.iter().find(waits).cloned();
        let Invocation { instance, stage } = found.ok_or(Refusal::UnknownTimer(timer))?;
        match stage {
            Stage::Queued | Stage::Ended { .. } => unreachable!("only what is offered or begun has an alarm"),
            Stage::Offered { attempt, .. } => {
                self.decide(&instance, FailureCode::DeliveryTimedOut, "agent did not accept it in time");
                self.acknowledge(&instance, &attempt);
            }
            Stage::Begun { attempt, lost_since, .. } => {
                let cause = match lost_since {
                    Some(since) => format!("agent has been unheard of since {since}"),
                    None => "agent did not tell how it ended".to_owned(),
                };
                self.decide(&instance, FailureCode::Indeterminate, &cause);
                self.request(Effect::Cancel { instance, attempt });
            }
        }
        Ok(())
    }

    fn cancel(&mut self, instances: &[InstanceId]) -> Result<(), Refusal> {
        check_instances(instances)?;
        if let Some(stranger) = instances.iter().find(|instance| self.run.invocation(instance).is_none()) {
            return Err(Refusal::InvalidInstanceId(stranger.clone()));
        }
        if instances.is_empty() && !self.run.cancelled_whole && !self.run.is_terminal() {
            self.record(Event::CancelRequestedWhole { at: self.now });
        }
        let named = |invocation: &&Invocation| instances.is_empty() || instances.contains(&invocation.instance);
        let named: Vec<Invocation> = self.run.invocations.iter().filter(named).cloned().collect();
        for Invocation { instance, stage } in named {
            match stage {
                Stage::Queued => self.decide(&instance, FailureCode::Cancelled, "cancelled before it was sent"),
                Stage::Offered { attempt, .. } => {
                    self.decide(&instance, FailureCode::Cancelled, "cancelled before it began");
                    self.acknowledge(&instance, &attempt);
                }
                Stage::Begun { attempt, cancelling: false, .. } => {
                    self.record(Event::CancelRequested { at: self.now, instance: instance.clone() });
                    self.request(Effect::Cancel { instance, attempt });
                }
                Stage::Begun { cancelling: true, .. } | Stage::Ended { .. } => (),
            }
        }
        Ok(())
    }

    fn notified(&mut self, waiter: Waiter) -> Result<(), Refusal> {
        match self.run.notification() {
            _ if self.run.sent.as_ref().and_then(|sent| sent.send.waiter) != Some(waiter) => {
                Err(Refusal::UnknownWaiter)
            }
            Some(_) => {
                self.record(Event::Notified { at: self.now });
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn output_delivered(&mut self, instance: &InstanceId, problem: Option<String>) -> Result<(), Refusal> {
        let invocation = self.run.invocation(instance).ok_or_else(|| Refusal::InvalidInstanceId(instance.clone()))?;
        if self.run.undelivered(invocation).is_some() {
            let problem = problem.map(output::cause);
            self.record(Event::OutputDelivered { at: self.now, instance: instance.clone(), problem });
        }
        Ok(())
    }

    /// What follows whatever happened: free places are filled, and when nothing is left the run ends.
    fn settle(&mut self) {
        if self.run.is_terminal() {
            return;
        }
        if self.run.counts().error > self.run.errors_max() {
            for instance in self.queued() {
                self.decide(&instance, FailureCode::Terminated, "too many other instances failed");
            }
        }
        let taken = |run: &Run| run.invocations.iter().filter(|invocation| invocation.stage.alarm().is_some()).count();
        let free = self.run.concurrency_max().saturating_sub(taken(self.run));
        for instance in self.queued().into_iter().take(free) {
            self.offer(&instance);
        }
        if self.run.invocations.iter().all(|invocation| invocation.status().is_terminal()) {
            self.record(Event::Ended { at: self.now, status: self.run.status() });
            self.step.effects.extend(self.run.notification());
        }
    }

    fn offer(&mut self, instance: &InstanceId) {
        let Some(sent) = &self.run.sent else { return };
        let attempt = AttemptId::new(&sent.send.command, instance, 1);
        let due = self.now.plus_seconds(i64::from(sent.send.timeout_seconds));
        let alarm = self.next_alarm(due);
        self.record(Event::Offered {
            at: self.now,
            instance: instance.clone(),
            attempt: attempt.clone(),
            timer: alarm.timer,
            due,
            until: None,
        });
        self.step.effects.extend(self.run.offer(instance, &attempt, alarm));
        self.request(alarm.set());
    }

    fn begin(&mut self, instance: &InstanceId, attempt: &AttemptId, delivery: Alarm) {
        let backstop = self.accept(instance, delivery);
        self.request(Effect::Go { instance: instance.clone(), attempt: attempt.clone() });
        self.request(delivery.clear());
        self.request(backstop.set());
    }

    fn accept(&mut self, instance: &InstanceId, delivery: Alarm) -> Alarm {
        // Until its delivery time-out an agent may begin; what has not begun by then, it ends by itself.
        let backstop = self.next_alarm(self.backstop_from(self.now.max(delivery.due)));
        self.record(Event::Accepted {
            at: self.now,
            instance: instance.clone(),
            timer: backstop.timer,
            due: backstop.due,
        });
        backstop
    }

    fn start(&mut self, instance: &InstanceId) {
        let before = self.run.invocation(instance).and_then(|invocation| invocation.stage.alarm());
        let backstop = self.next_alarm(self.backstop_from(self.now));
        self.record(Event::Started {
            at: self.now,
            instance: instance.clone(),
            timer: backstop.timer,
            due: backstop.due,
        });
        self.step.effects.extend(before.map(Alarm::clear));
        self.request(backstop.set());
    }

    /// The agent gave it back: it is offered again, for as long as it would have had to be accepted at first.
    fn return_to_offer(&mut self, instance: &InstanceId, backstop: Alarm) {
        let Some(sent) = &self.run.sent else { return };
        let due = self.now.plus_seconds(i64::from(sent.send.timeout_seconds));
        let cancelling = matches!(
            self.run.invocation(instance),
            Some(Invocation { stage: Stage::Begun { cancelling: true, .. }, .. })
        );
        if cancelling {
            return self.decide(instance, FailureCode::Cancelled, "cancelled before it began");
        }
        let alarm = self.next_alarm(due);
        self.record(Event::Returned { at: self.now, instance: instance.clone(), timer: alarm.timer, due });
        self.request(backstop.clear());
        self.request(alarm.set());
        self.answer(instance);
    }

    fn found(&mut self, instance: &InstanceId) {
        match self.run.invocation(instance).map(|invocation| &invocation.stage) {
            Some(Stage::Offered { lost_since: Some(_), .. } | Stage::Begun { lost_since: Some(_), .. }) => {
                self.record(Event::Found { at: self.now, instance: instance.clone(), alarm: None });
            }
            Some(Stage::Queued | Stage::Offered { .. } | Stage::Begun { .. } | Stage::Ended { .. }) | None => (),
        }
    }

    /// Ends an invocation by our own word.
    fn decide(&mut self, instance: &InstanceId, code: FailureCode, cause: &str) {
        let started_at = self.run.invocation(instance).and_then(Invocation::started_at);
        self.finish(instance, Decider::Server, Outcome { started_at, ..Outcome::failed(code, cause) });
    }

    fn finish(&mut self, instance: &InstanceId, decider: Decider, outcome: Outcome) {
        let alarm = self.run.invocation(instance).and_then(|invocation| invocation.stage.alarm());
        self.record(Event::Finished { at: self.now, instance: instance.clone(), decider, outcome: Arc::new(outcome) });
        self.step.effects.extend(alarm.map(Alarm::clear));
        let ended = self.run.invocation(instance);
        self.step.effects.extend(ended.and_then(|invocation| self.run.undelivered(invocation)));
    }

    /// Says again what this agent is owed: it asked.
    fn answer(&mut self, instance: &InstanceId) {
        let owed = self.run.outstanding_for(instance);
        self.step.effects.extend(owed);
    }

    fn acknowledge(&mut self, instance: &InstanceId, attempt: &AttemptId) {
        self.request(Effect::Acknowledge { instance: instance.clone(), attempt: attempt.clone() });
    }

    fn queued(&self) -> Vec<InstanceId> {
        let queued = self.run.invocations.iter().filter(|invocation| matches!(invocation.stage, Stage::Queued));
        queued.map(|invocation| invocation.instance.clone()).collect()
    }

    /// The invocation that `attempt` is of, as it stands.
    fn invocation(&self, attempt: &AttemptId) -> Result<Invocation, Refusal> {
        let of_it = |invocation: &&Invocation| invocation.stage.attempt().as_ref() == Some(attempt);
        self.run.invocations.iter().find(of_it).cloned().ok_or_else(|| Refusal::UnknownAttempt(attempt.clone()))
    }

    fn backstop_from(&self, start: Timestamp) -> Timestamp {
        let execution = self.run.sent.as_ref().map_or(0, |sent| sent.send.plan.execution_timeout_seconds());
        start.plus_seconds(i64::from(execution) + i64::from(BACKSTOP_SECONDS))
    }

    fn next_alarm(&self, due: Timestamp) -> Alarm {
        Alarm { timer: self.run.next_timer, due }
    }

    fn record(&mut self, event: Event) {
        self.run.apply(&event);
        self.step.events.push(event);
    }

    fn request(&mut self, effect: Effect) {
        self.step.effects.push(effect);
    }
}

fn check_instances(instances: &[InstanceId]) -> Result<(), Refusal> {
    if instances.len() > INSTANCES_MAX {
        return Err(Refusal::TooManyInstances { count: instances.len() });
    }
    let mut seen = BTreeSet::new();
    match instances.iter().find(|instance| !seen.insert(*instance)) {
        Some(twice) => Err(Refusal::DuplicateInstanceId(twice.clone())),
        None => Ok(()),
    }
}
