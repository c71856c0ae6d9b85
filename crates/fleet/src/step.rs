//! Deciding: what a command means for a run right now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ::document::{Action, Plan, Verdict};
use base::Timestamp;

use crate::limits::{
    BACKSTOP_SECONDS, COMMENT_CHARS_MAX, FAILOVER_SECONDS, FAILOVER_SECONDS_MAX, INSTANCES_MAX, PLACES_MAX,
    SCRIPT_BYTES_MAX, TIMEOUT_SECONDS_MAX, TIMEOUT_SECONDS_MIN,
};
use crate::message::{
    Announcement, AttemptId, AttemptState, Command, Decider, Effect, Ended, Event, Failure, FailureCode, InstanceId,
    NotificationEvent, Outcome, Per, Refusal, Send, Waiter,
};
use crate::output;
use crate::run::{Alarm, Invocation, Owner, Run, Slot, Stage};
use crate::status::InvocationStatus;

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
    let status = run.sent.is_some().then(|| run.status());
    let mut cx = Cx { run, now: env.now, before: BTreeMap::new(), step: Step::default() };
    match command {
        Command::Send(send) => cx.send(send)?,
        _ if cx.run.sent.is_none() => return Err(Refusal::NotSent),
        Command::AgentAccepted { attempt } => cx.accepted(&attempt)?,
        Command::AgentStarted { attempt } => cx.started(&attempt)?,
        Command::AgentFinished { attempt, outcome } => cx.finished(&attempt, outcome)?,
        Command::AgentReported { attempt, state } => cx.reported(&attempt, state)?,
        Command::AgentLost { instance } => cx.lost(&instance)?,
        Command::Deregistered { instance } => cx.deregistered(&instance)?,
        Command::Hindered { attempt, failure } => cx.hindered(&attempt, failure)?,
        Command::Fire { timer } => cx.fire(timer)?,
        Command::Cancel { instances } => cx.cancel(&instances)?,
        Command::Notified { waiter } => cx.notified(waiter)?,
        Command::SlotGranted { place } => cx.slot_granted(place)?,
        Command::SlotReleased { place } => cx.slot_released(place)?,
        Command::Announced { number } => cx.announced(number),
        Command::OutputDelivered { instance, problem } => cx.output_delivered(&instance, problem)?,
    }
    cx.settle();
    cx.announce(status.map(|status| status.status()));
    Ok(cx.step)
}

/// The decision in progress. What may be refused is refused before anything is recorded.
struct Cx<'a> {
    run: &'a mut Run,
    now: Timestamp,
    /// The statuses that invocations had before this step changed them.
    before: BTreeMap<u32, InvocationStatus>,
    step: Step,
}

// What is asked.
impl Cx<'_> {
    fn send(&mut self, mut send: Box<Send>) -> Result<(), Refusal> {
        if self.run.sent.is_some() {
            return Err(Refusal::AlreadySent);
        }
        check_instances(&send.instances)?;
        check_places(&mut send)?;
        if !(TIMEOUT_SECONDS_MIN..=TIMEOUT_SECONDS_MAX).contains(&send.timeout_seconds) {
            return Err(Refusal::InvalidTimeout { seconds: send.timeout_seconds });
        }
        if send.plan.bytes() > SCRIPT_BYTES_MAX {
            return Err(Refusal::ScriptTooLong { bytes: send.plan.bytes() });
        }
        if send.comment.chars().count() > COMMENT_CHARS_MAX {
            return Err(Refusal::CommentTooLong);
        }
        let unfit = (0..).zip(&send.places).filter(|(_, place)| place.unfit).map(|(place, _)| place);
        let unfit: Vec<u32> = unfit.collect();
        self.record(Event::Sent { at: self.now, send });
        for place in unfit {
            self.decide(place, FailureCode::InvalidPlatform, "document is for another platform");
        }
        Ok(())
    }

    fn accepted(&mut self, attempt: &AttemptId) -> Result<(), Refusal> {
        let (place, instance) = match self.owner(attempt)? {
            Owner::Present(place) => (place, self.instance(place)),
            Owner::Past => return self.forgotten(attempt),
        };
        match self.stage(place) {
            Stage::Offered { alarm, until, .. } => self.begin(place, attempt, alarm, until),
            Stage::Begun { .. } => {
                self.found(place);
                self.answer(&instance);
            }
            Stage::Queued | Stage::AwaitingSlot | Stage::Waiting { .. } | Stage::Ended { .. } => {
                self.acknowledge(&instance, attempt);
            }
        }
        Ok(())
    }

    fn started(&mut self, attempt: &AttemptId) -> Result<(), Refusal> {
        let place = match self.owner(attempt)? {
            Owner::Present(place) => place,
            Owner::Past => return self.stray(attempt),
        };
        match self.stage(place) {
            // Nobody here remembers having said go, as after a restore. A fact is a fact.
            Stage::Offered { alarm, until, .. } => {
                self.accept(place, until.unwrap_or(alarm.due));
                self.start(place);
                self.request(alarm.clear());
            }
            Stage::Begun { started_at: None, .. } => self.start(place),
            Stage::Begun { started_at: Some(_), .. } => self.found(place),
            // Another attempt may be on its way: two must not run beside each other.
            Stage::Queued | Stage::AwaitingSlot | Stage::Waiting { .. } | Stage::Ended { .. } => self.stray(attempt)?,
        }
        Ok(())
    }

    fn finished(&mut self, attempt: &AttemptId, outcome: Outcome) -> Result<(), Refusal> {
        let (place, instance) = match self.owner(attempt)? {
            Owner::Present(place) => (place, self.instance(place)),
            Owner::Past => return self.forgotten(attempt),
        };
        let plan = self.run.sent.as_ref().map(|sent| sent.send.plan.clone()).unwrap_or_default();
        let outcome = output::bounded(judged(&plan, outcome), self.run.invocations.len());
        match self.stage(place) {
            Stage::Begun { cancelling: true, .. } => self.finish(place, Decider::Agent, outcome),
            Stage::Offered { .. } | Stage::Begun { .. } => match self.interval(place, &outcome) {
                Some(seconds) => self.wait(place, &outcome, seconds),
                None => self.finish(place, Decider::Agent, outcome),
            },
            Stage::Ended { decider: Decider::Server, late: None, .. } => {
                let (instance, outcome) = (instance.clone(), Arc::new(outcome));
                self.record(Event::ReportedLate { at: self.now, instance, outcome });
            }
            Stage::Ended { decider: Decider::Server | Decider::Agent, .. }
            | Stage::Queued
            | Stage::AwaitingSlot
            | Stage::Waiting { .. } => (),
        }
        self.acknowledge(&instance, attempt);
        Ok(())
    }

    /// The server decides only from what the agent knows.
    fn reported(&mut self, attempt: &AttemptId, state: AttemptState) -> Result<(), Refusal> {
        let (place, instance) = match (self.owner(attempt)?, state) {
            (Owner::Present(place), _) => (place, self.instance(place)),
            (Owner::Past, AttemptState::Running) => return self.stray(attempt),
            (Owner::Past, AttemptState::Finished | AttemptState::Unknown) => return Ok(()),
            (Owner::Past, AttemptState::NeverStarted | AttemptState::Accepted | AttemptState::Indeterminate) => {
                return self.forgotten(attempt);
            }
        };
        match (self.stage(place), state) {
            (Stage::Offered { .. }, AttemptState::NeverStarted | AttemptState::Unknown) => {
                self.found(place);
                self.answer(&instance);
            }
            (Stage::Offered { alarm, until, .. }, AttemptState::Accepted) => self.begin(place, attempt, alarm, until),
            (Stage::Offered { .. }, AttemptState::Running) => self.started(attempt)?,
            (Stage::Begun { alarm, .. }, AttemptState::NeverStarted) => self.return_to_offer(place, alarm),
            (Stage::Begun { started_at: None, .. }, AttemptState::Running) => self.start(place),
            (Stage::Begun { .. }, AttemptState::Accepted | AttemptState::Running) => {
                self.found(place);
                self.answer(&instance);
            }
            // It was on the agent's disk before we said go, and now it is not: that disk's word is lost.
            (Stage::Begun { .. }, AttemptState::Unknown) => {
                self.decide(place, FailureCode::Indeterminate, "agent no longer knows this attempt");
            }
            (Stage::Offered { .. } | Stage::Begun { .. }, AttemptState::Indeterminate) => {
                self.decide(place, FailureCode::Indeterminate, "agent cannot tell whether it ran to its end");
                self.acknowledge(&instance, attempt);
            }
            (Stage::Offered { .. } | Stage::Begun { .. }, AttemptState::Finished) => self.found(place),

            (
                Stage::Queued | Stage::AwaitingSlot | Stage::Waiting { .. } | Stage::Ended { .. },
                AttemptState::Running,
            ) => self.stray(attempt)?,
            (
                Stage::Queued | Stage::AwaitingSlot | Stage::Waiting { .. } | Stage::Ended { .. },
                AttemptState::NeverStarted | AttemptState::Accepted | AttemptState::Indeterminate,
            ) => self.acknowledge(&instance, attempt),
            (
                Stage::Queued | Stage::AwaitingSlot | Stage::Waiting { .. } | Stage::Ended { .. },
                AttemptState::Finished | AttemptState::Unknown,
            ) => (),
        }
        Ok(())
    }

    fn lost(&mut self, instance: &InstanceId) -> Result<(), Refusal> {
        let Some(place) = self.run.place_of(instance) else {
            let moved_on = self.run.is_candidate(instance);
            return if moved_on { Ok(()) } else { Err(Refusal::InvalidInstanceId(instance.clone())) };
        };
        match self.stage(place) {
            Stage::Offered { lost_since: None, until, .. } => match until.and_then(|_| self.untried(place)) {
                Some(next) => self.move_on(place, next),
                None => self.record(Event::Lost { at: self.now, instance: instance.clone(), alarm: None }),
            },
            Stage::Begun { lost_since: None, alarm, .. } => self.lose(place, alarm),
            Stage::Offered { lost_since: Some(_), .. } | Stage::Begun { lost_since: Some(_), .. } => (),
            Stage::Queued | Stage::AwaitingSlot | Stage::Waiting { .. } | Stage::Ended { .. } => (),
        }
        Ok(())
    }

    /// What may have begun is lost, and where another candidate can be asked it is.
    fn deregistered(&mut self, instance: &InstanceId) -> Result<(), Refusal> {
        let Some(place) = self.run.place_of(instance) else { return self.lost(instance) };
        let alone = self.run.wanted(place).is_none_or(|wanted| wanted.candidates.len() < 2);
        match self.stage(place) {
            Stage::Queued | Stage::AwaitingSlot | Stage::Offered { .. } if alone => {
                self.decide(place, FailureCode::Undeliverable, "instance was deregistered before it began");
            }
            Stage::Waiting { .. } => {
                self.decide(place, FailureCode::Undeliverable, "instance was deregistered before it was tried again");
            }
            Stage::Queued | Stage::AwaitingSlot | Stage::Offered { .. } | Stage::Begun { .. } | Stage::Ended { .. } => {
                self.lost(instance)?;
            }
        }
        Ok(())
    }

    /// Only where nobody has it yet: one that was made before may have begun.
    fn hindered(&mut self, attempt: &AttemptId, failure: Failure) -> Result<(), Refusal> {
        if let Owner::Present(place) = self.owner(attempt)?
            && matches!(self.stage(place), Stage::Offered { .. })
        {
            let instance = self.instance(place);
            let outcome = output::bounded(Outcome::of(Ended::Failure(failure)), self.run.invocations.len());
            self.finish(place, Decider::Server, outcome);
            self.acknowledge(&instance, attempt);
        }
        Ok(())
    }

    fn fire(&mut self, timer: u64) -> Result<(), Refusal> {
        let place = self.run.place_of_timer(timer).ok_or(Refusal::UnknownTimer(timer))?;
        let instance = self.instance(place);
        match self.stage(place) {
            Stage::Queued | Stage::Ended { .. } => {
                unreachable!("what has no alarm is not found by one")
            }
            Stage::AwaitingSlot => self.decide(place, FailureCode::DeliveryTimedOut, NO_SLOT),
            Stage::Offered { attempt, until: Some(until), .. } if self.now < until => {
                match self.run.next_candidate(place) {
                    Some(next) => self.move_on(place, next),
                    None => self.look_again(place, attempt, until),
                }
            }
            Stage::Offered { attempt, .. } => {
                self.decide(place, FailureCode::DeliveryTimedOut, "agent did not accept it in time");
                self.acknowledge(&instance, &attempt);
            }
            Stage::Waiting { .. } => self.offer(place),
            Stage::Begun { attempt, lost_since, .. } => {
                match lost_since {
                    Some(since) => {
                        let cause = format!("agent has been unheard of since {since}");
                        self.decide(place, FailureCode::Lost, &cause);
                    }
                    None => self.decide(place, FailureCode::Indeterminate, "agent did not tell how it ended"),
                }
                self.request(Effect::Cancel { instance, attempt });
            }
        }
        Ok(())
    }

    fn cancel(&mut self, instances: &[InstanceId]) -> Result<(), Refusal> {
        check_instances(instances)?;
        if let Some(stranger) = instances.iter().find(|instance| self.run.place_of(instance).is_none()) {
            return Err(Refusal::InvalidInstanceId(stranger.clone()));
        }
        if instances.is_empty() && !self.run.cancelled_whole && !self.run.is_terminal() {
            self.record(Event::CancelRequestedWhole { at: self.now });
        }
        let named: Vec<u32> = match instances.is_empty() {
            true => (0..).zip(&self.run.invocations).map(|(place, _)| place).collect(),
            false => instances.iter().filter_map(|instance| self.run.place_of(instance)).collect(),
        };
        for place in named {
            let instance = self.instance(place);
            match self.stage(place) {
                Stage::Queued | Stage::AwaitingSlot => {
                    self.decide(place, FailureCode::Cancelled, "cancelled before it was sent");
                }
                Stage::Offered { attempt, .. } => {
                    self.decide(place, FailureCode::Cancelled, "cancelled before it began");
                    self.acknowledge(&instance, &attempt);
                }
                Stage::Waiting { .. } => {
                    self.decide(place, FailureCode::Cancelled, "cancelled before it was tried again");
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

    fn slot_granted(&mut self, place: u32) -> Result<(), Refusal> {
        let invocation = self.run.at(place).ok_or(Refusal::UnknownPlace(place))?;
        match (invocation.slot, &invocation.stage) {
            (Some(Slot::Asked), Stage::AwaitingSlot) => {
                let until = invocation.slot_until.map(|alarm| alarm.due);
                self.record(Event::SlotGranted { at: self.now, place });
                match until.is_some_and(|until| until <= self.now) {
                    true => self.decide(place, FailureCode::DeliveryTimedOut, NO_SLOT),
                    false => self.offer_until(place, until),
                }
            }
            (Some(Slot::Held | Slot::Asked), _) => (),
            // It is not wanted any more: it is given back, however often it comes.
            (Some(Slot::Leaving) | None, _) => {
                let group = self.run.wanted(place).and_then(|wanted| wanted.group.clone());
                self.step.effects.extend(group.map(|group| Effect::ReleaseSlot { place, group }));
            }
        }
        Ok(())
    }

    fn slot_released(&mut self, place: u32) -> Result<(), Refusal> {
        let invocation = self.run.at(place).ok_or(Refusal::UnknownPlace(place))?;
        if invocation.slot == Some(Slot::Leaving) {
            self.record(Event::SlotReleased { at: self.now, place });
        }
        Ok(())
    }

    fn announced(&mut self, number: u64) {
        if self.run.announcements.contains_key(&number) {
            self.record(Event::Announced { at: self.now, number });
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
}

// What follows whatever happened.
impl Cx<'_> {
    /// Free places are filled, and when nothing is left the run ends.
    fn settle(&mut self) {
        if self.run.is_terminal() {
            return;
        }
        if self.run.counts().error > self.run.errors_max() {
            let unsent: Vec<u32> = self.run.index.queued.iter().chain(&self.run.index.awaiting_slot).copied().collect();
            for place in unsent {
                self.decide(place, FailureCode::Terminated, "too many other instances failed");
            }
        }
        while self.run.index.taken < self.run.concurrency_max()
            && let Some(place) = self.run.index.queued.first().copied()
        {
            match self.run.wanted(place).is_some_and(|wanted| wanted.limited && wanted.group.is_some()) {
                true => self.ask_for_slot(place),
                false => self.offer(place),
            }
        }
        let counts = self.run.counts();
        if counts.completed == counts.target {
            self.record(Event::Ended { at: self.now, status: self.run.status() });
            self.step.effects.extend(self.run.notification());
        }
    }

    /// What whoever wants to be notified has to be told of this step.
    fn announce(&mut self, before: Option<&'static str>) {
        let Some(per) = self.run.sent().and_then(|(send, _)| Some(send.notification.as_ref()?.per)) else { return };
        match per {
            Per::Command => {
                let (status, details) = (self.run.status().status(), self.run.status().details());
                if before != Some(status) {
                    self.reached(None, status, details);
                }
            }
            Per::Invocation => {
                for (place, before) in std::mem::take(&mut self.before) {
                    let Some(invocation) = self.run.at(place) else { continue };
                    let (instance, status) = (invocation.instance.clone(), invocation.status());
                    if before.status() != status.status() {
                        self.reached(Some(instance), status.status(), status.details());
                    }
                }
            }
        }
    }

    fn reached(&mut self, instance: Option<InstanceId>, status: &str, details: &str) {
        let Some(notification) = self.run.sent().and_then(|(send, _)| send.notification.clone()) else { return };
        if !notification.events.iter().any(|event| is_about(*event, status)) {
            return;
        }
        let (status, details) = (status.to_owned(), details.to_owned());
        let announcement = Announcement { number: self.run.next_announcement, at: self.now, instance, status, details };
        self.record(Event::StatusReached { announcement: announcement.clone() });
        self.request(Effect::Announce { announcement });
    }
}

// What becomes of one invocation.
impl Cx<'_> {
    fn ask_for_slot(&mut self, place: u32) {
        let alarm = self.next_alarm(self.now.plus_seconds(self.timeout_seconds()));
        self.record(Event::SlotAsked { at: self.now, place, alarm: Some(alarm) });
        self.step.effects.extend(self.run.slot_owed(place));
        self.request(alarm.set());
    }

    /// A new attempt where the invocation is now.
    fn offer(&mut self, place: u32) {
        self.offer_until(place, None);
    }

    /// The same, where some of the time for delivery may have gone.
    fn offer_until(&mut self, place: u32, until: Option<Timestamp>) {
        let Some(invocation) = self.run.at(place) else { return };
        let (number, before) = (invocation.offers + 1, invocation.alarm());
        let until = until.unwrap_or_else(|| self.now.plus_seconds(self.timeout_seconds()));
        self.offer_as(place, number, until);
        // What woke us is gone already; what did not is no longer wanted.
        self.step.effects.extend(before.map(Alarm::clear));
    }

    fn offer_as(&mut self, place: u32, number: u32, until: Timestamp) {
        let Some(sent) = &self.run.sent else { return };
        let instance = self.instance(place);
        let attempt = AttemptId::new(&sent.send.command, &instance, number);
        let moves = self.run.wanted(place).is_some_and(|wanted| wanted.candidates.len() > 1);
        let due = if moves { self.next_look(place, until) } else { until };
        let alarm = self.next_alarm(due);
        self.record(Event::Offered {
            at: self.now,
            instance: instance.clone(),
            attempt: attempt.clone(),
            timer: alarm.timer,
            due,
            until: moves.then_some(until),
        });
        self.step.effects.extend(self.run.offer(&instance, &attempt, until));
        self.request(alarm.set());
    }

    /// Nobody else can be asked now.
    fn look_again(&mut self, place: u32, attempt: AttemptId, until: Timestamp) {
        let due = self.next_look(place, until);
        let alarm = self.next_alarm(due);
        let instance = self.instance(place);
        let before = self.stage(place).alarm();
        self.record(Event::Offered { at: self.now, instance, attempt, timer: alarm.timer, due, until: Some(until) });
        self.step.effects.extend(before.map(Alarm::clear));
        self.request(alarm.set());
    }

    /// Withdraws the offer and makes it to the next candidate. The number is one that no attempt has had: whoever still
    /// holds an offer that was withdrawn cannot be taken for who holds this one.
    fn move_on(&mut self, place: u32, next: InstanceId) {
        let Stage::Offered { attempt, alarm, until, .. } = self.stage(place) else { return };
        let instance = self.instance(place);
        self.record(Event::Withdrawn { at: self.now, instance: instance.clone(), next });
        self.acknowledge(&instance, &attempt);
        self.request(alarm.clear());
        self.offer_as(place, self.run.index.number + 1, until.unwrap_or(alarm.due));
    }

    /// The next candidate while not all have had their turn: where all are lost, nobody is asked but by the clock.
    fn untried(&self, place: u32) -> Option<InstanceId> {
        let candidates = self.run.wanted(place)?.candidates.len();
        let offers = self.run.at(place)?.offers as usize;
        self.run.next_candidate(place).filter(|_| offers < candidates)
    }

    /// When the next candidate is asked: later with each round, since nobody was there in the last.
    fn next_look(&self, place: u32, until: Timestamp) -> Timestamp {
        let candidates = self.run.wanted(place).map_or(1, |wanted| wanted.candidates.len().max(1));
        let offers = self.run.at(place).map_or(0, |invocation| invocation.offers as usize);
        let rounds = u32::try_from(offers / candidates).unwrap_or(u32::MAX).min(31);
        let seconds = FAILOVER_SECONDS.saturating_mul(1 << rounds).min(FAILOVER_SECONDS_MAX);
        until.min(self.now.plus_seconds(i64::from(seconds)))
    }

    fn begin(&mut self, place: u32, attempt: &AttemptId, delivery: Alarm, until: Option<Timestamp>) {
        let backstop = self.accept(place, until.unwrap_or(delivery.due));
        self.request(Effect::Go { instance: self.instance(place), attempt: attempt.clone() });
        self.request(delivery.clear());
        self.request(backstop.set());
    }

    fn accept(&mut self, place: u32, until: Timestamp) -> Alarm {
        // Until its delivery time-out an agent may begin; what has not begun by then, it ends by itself.
        let backstop = self.next_alarm(self.backstop_from(self.now.max(until)));
        let instance = self.instance(place);
        self.record(Event::Accepted { at: self.now, instance, timer: backstop.timer, due: backstop.due });
        backstop
    }

    fn start(&mut self, place: u32) {
        let before = self.stage(place).alarm();
        let backstop = self.next_alarm(self.backstop_from(self.now));
        let instance = self.instance(place);
        self.record(Event::Started { at: self.now, instance, timer: backstop.timer, due: backstop.due });
        self.step.effects.extend(before.map(Alarm::clear));
        self.request(backstop.set());
    }

    /// The agent gave it back: it is offered again, for as long as it would have had to be accepted at first. To nobody
    /// else: this agent has been told to go.
    fn return_to_offer(&mut self, place: u32, backstop: Alarm) {
        if matches!(self.stage(place), Stage::Begun { cancelling: true, .. }) {
            return self.decide(place, FailureCode::Cancelled, "cancelled before it began");
        }
        let instance = self.instance(place);
        let due = self.now.plus_seconds(self.timeout_seconds());
        let alarm = self.next_alarm(due);
        self.record(Event::Returned { at: self.now, instance: instance.clone(), timer: alarm.timer, due });
        self.request(backstop.clear());
        self.request(alarm.set());
        self.answer(&instance);
    }

    /// Its agent is unheard of: patience may end before the backstop.
    fn lose(&mut self, place: u32, backstop: Alarm) {
        let patience = self.run.sent.as_ref().and_then(|sent| sent.send.plan.lost_after_seconds());
        let until = patience.map(|seconds| self.now.plus_seconds(i64::from(seconds)));
        let moved = until.filter(|until| *until < backstop.due).map(|until| self.next_alarm(until));
        let instance = self.instance(place);
        self.record(Event::Lost { at: self.now, instance, alarm: moved });
        if let Some(moved) = moved {
            self.request(backstop.clear());
            self.request(moved.set());
        }
    }

    fn found(&mut self, place: u32) {
        let (before, backstop) = match self.stage(place) {
            Stage::Offered { lost_since: Some(_), alarm, .. } => (alarm, None),
            Stage::Begun { lost_since: Some(_), alarm, backstop, .. } => (alarm, backstop),
            Stage::Queued
            | Stage::AwaitingSlot
            | Stage::Offered { .. }
            | Stage::Begun { .. }
            | Stage::Waiting { .. }
            | Stage::Ended { .. } => return,
        };
        let moved = backstop.map(|due| self.next_alarm(due));
        let instance = self.instance(place);
        self.record(Event::Found { at: self.now, instance, alarm: moved });
        if let Some(moved) = moved {
            self.request(before.clear());
            self.request(moved.set());
        }
    }

    /// How long until the next attempt, if one follows such an outcome.
    fn interval(&self, place: u32, outcome: &Outcome) -> Option<u32> {
        let retry = self.run.sent.as_ref()?.send.plan.retry()?;
        let failure = outcome.failure()?;
        let code = match failure.code {
            FailureCode::ExitCode | FailureCode::Abnormal => failure.exit_code?,
            _ => return None,
        };
        let left = self.run.at(place)?.attempts().len() < retry.times as usize;
        (left && retry.codes.has(code)).then_some(retry.interval_seconds)
    }

    fn wait(&mut self, place: u32, outcome: &Outcome, seconds: u32) {
        let before = self.stage(place).alarm();
        let alarm = self.next_alarm(self.now.plus_seconds(i64::from(seconds)));
        self.record(Event::AttemptEnded {
            at: self.now,
            instance: self.instance(place),
            outcome: Arc::new(output::without(outcome)),
            timer: alarm.timer,
            due: alarm.due,
        });
        self.step.effects.extend(before.map(Alarm::clear));
        self.request(alarm.set());
    }

    /// Ends an invocation by our own word.
    fn decide(&mut self, place: u32, code: FailureCode, cause: &str) {
        let started_at = self.run.at(place).and_then(Invocation::started_at);
        self.finish(place, Decider::Server, Outcome { started_at, ..Outcome::failed(code, cause) });
    }

    fn finish(&mut self, place: u32, decider: Decider, outcome: Outcome) {
        let alarm = self.invocation(place).alarm();
        let instance = self.instance(place);
        self.record(Event::Finished { at: self.now, instance, decider, outcome: Arc::new(outcome) });
        self.step.effects.extend(alarm.map(Alarm::clear));
        let ended = self.run.at(place);
        self.step.effects.extend(ended.and_then(|invocation| self.run.undelivered(invocation)));
        self.step.effects.extend(self.run.slot_owed(place));
    }

    /// Says again what this agent is owed: it asked.
    fn answer(&mut self, instance: &InstanceId) {
        let owed = self.run.outstanding_for(instance);
        self.step.effects.extend(owed);
    }

    /// Nothing of it is wanted any more: let the agent forget it.
    fn forgotten(&mut self, attempt: &AttemptId) -> Result<(), Refusal> {
        if let Some((_, instance)) = attempt.parts() {
            self.acknowledge(&instance, attempt);
        }
        Ok(())
    }

    /// It runs, and nobody wants it to.
    fn stray(&mut self, attempt: &AttemptId) -> Result<(), Refusal> {
        if let Some((_, instance)) = attempt.parts() {
            self.request(Effect::Cancel { instance, attempt: attempt.clone() });
        }
        Ok(())
    }

    fn acknowledge(&mut self, instance: &InstanceId, attempt: &AttemptId) {
        self.request(Effect::Acknowledge { instance: instance.clone(), attempt: attempt.clone() });
    }
}

// What is known, and what is put down.
impl Cx<'_> {
    fn owner(&self, attempt: &AttemptId) -> Result<Owner, Refusal> {
        self.run.owner_of(attempt).ok_or_else(|| Refusal::UnknownAttempt(attempt.clone()))
    }

    fn invocation(&self, place: u32) -> &Invocation {
        self.run.at(place).expect("a place that was found is there")
    }

    fn stage(&self, place: u32) -> Stage {
        self.invocation(place).stage.clone()
    }

    fn instance(&self, place: u32) -> InstanceId {
        self.invocation(place).instance.clone()
    }

    fn timeout_seconds(&self) -> i64 {
        self.run.sent.as_ref().map_or(0, |sent| i64::from(sent.send.timeout_seconds))
    }

    fn backstop_from(&self, start: Timestamp) -> Timestamp {
        let execution = self.run.sent.as_ref().map_or(0, |sent| sent.send.plan.execution_timeout_seconds());
        start.plus_seconds(i64::from(execution) + i64::from(BACKSTOP_SECONDS))
    }

    fn next_alarm(&self, due: Timestamp) -> Alarm {
        Alarm { timer: self.run.next_timer, due }
    }

    fn record(&mut self, event: Event) {
        if let Some((place, invocation)) = self.about(&event) {
            let status = invocation.status();
            self.before.entry(place).or_insert(status);
        }
        self.run.apply(&event);
        self.step.events.push(event);
    }

    /// Whose status an event may change.
    fn about(&self, event: &Event) -> Option<(u32, &Invocation)> {
        let place = match event {
            Event::Offered { instance, .. }
            | Event::Accepted { instance, .. }
            | Event::Started { instance, .. }
            | Event::Returned { instance, .. }
            | Event::Lost { instance, .. }
            | Event::Found { instance, .. }
            | Event::Withdrawn { instance, .. }
            | Event::AttemptEnded { instance, .. }
            | Event::CancelRequested { instance, .. }
            | Event::Finished { instance, .. } => self.run.place_of(instance)?,
            Event::Sent { .. }
            | Event::SlotAsked { .. }
            | Event::SlotGranted { .. }
            | Event::SlotReleased { .. }
            | Event::StatusReached { .. }
            | Event::Announced { .. }
            | Event::OutputDelivered { .. }
            | Event::CancelRequestedWhole { .. }
            | Event::ReportedLate { .. }
            | Event::Ended { .. }
            | Event::Notified { .. } => return None,
        };
        Some((place, self.run.at(place)?))
    }

    fn request(&mut self, effect: Effect) {
        self.step.effects.push(effect);
    }
}

const NO_SLOT: &str = "its group had no free slot in time";

/// Whether somebody who wants to hear of `event` wants to hear of `status`.
fn is_about(event: NotificationEvent, status: &str) -> bool {
    match event {
        NotificationEvent::All => ["InProgress", "Success", "TimedOut", "Cancelled", "Failed"].contains(&status),
        NotificationEvent::InProgress => status == "InProgress",
        NotificationEvent::Success => status == "Success",
        NotificationEvent::TimedOut => status == "TimedOut",
        NotificationEvent::Cancelled => status == "Cancelled",
        NotificationEvent::Failed => status == "Failed",
    }
}

/// An outcome whose verdicts are those of the plan: only a job's exit code is judged otherwise than by being 0.
fn judged(plan: &Plan, mut outcome: Outcome) -> Outcome {
    for step in &mut outcome.steps {
        let action = plan.steps.iter().find(|planned| planned.name == step.name).map(|planned| &planned.action);
        if let crate::StepEnded::ExitCode(code) = step.ended {
            step.verdict = verdict(action, code, step.verdict);
        }
    }
    let judging = plan.steps.iter().any(|step| matches!(step.action, Action::Job(_)));
    outcome.verdict = match (&outcome.ended, &*plan.steps) {
        (Ended::ExitCode(code), [only]) => verdict(Some(&only.action), *code, outcome.verdict),
        (Ended::ExitCode(_), _) if judging => outcome.verdict,
        (ended, _) => ended.verdict(),
    };
    outcome
}

/// The worse of what the code says and what the agent says.
fn verdict(action: Option<&Action>, code: i64, told: Verdict) -> Verdict {
    match action {
        Some(Action::Job(job)) => job.judgement.of_code(code).max(told),
        Some(Action::Shell(_) | Action::PowerShell(_) | Action::Download(_) | Action::Document(_)) | None => {
            Ended::ExitCode(code).verdict()
        }
    }
}

fn check_instances(instances: &[InstanceId]) -> Result<(), Refusal> {
    if instances.len() > INSTANCES_MAX {
        return Err(Refusal::TooManyInstances { count: instances.len() });
    }
    distinct(instances)
}

/// A command by targets may go to nobody, or be to more than may be: it is then there, and its status says so.
fn check_places(send: &mut Send) -> Result<(), Refusal> {
    let targeted = !send.targets.is_empty();
    let firsts: Vec<&InstanceId> = send.places.iter().filter_map(|place| place.candidates.first()).collect();
    if firsts.len() < send.places.len() || firsts.is_empty() && !targeted {
        return Err(Refusal::NoInstances);
    }
    distinct(firsts)?;
    match send.places.len() {
        count if count > PLACES_MAX && !targeted => Err(Refusal::TooManyPlaces { count }),
        count if count > PLACES_MAX => {
            send.places.clear();
            send.rate_exceeded = true;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn distinct<'a>(instances: impl IntoIterator<Item = &'a InstanceId>) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    match instances.into_iter().find(|instance| !seen.insert(*instance)) {
        Some(twice) => Err(Refusal::DuplicateInstanceId(twice.clone())),
        None => Ok(()),
    }
}
