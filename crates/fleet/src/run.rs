//! What a run remembers: the fold of its events.
//!
//! **Invariant:** one event costs the same however many invocations there are: what is asked at every step is counted
//! and indexed as invocations change, by [`Run::change`] alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::message::{Announcement, AttemptId, Decider, Effect, Event, InstanceId, Outcome, Place, Send};
use crate::output;
use crate::status::{CommandStatus, InvocationStatus, Tally};

/// One command, as of its latest event. The default is one that has not been sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "StoredRun")]
pub struct Run {
    pub(crate) sent: Option<Sent>,
    /// In the order of the places.
    pub(crate) invocations: Vec<Invocation>,
    pub(crate) next_timer: u64,
    pub(crate) cancelled_whole: bool,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) notified: bool,
    /// What became of outputs that were wanted elsewhere.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) deliveries: BTreeMap<InstanceId, Delivery>,
    /// Those that nobody has been told yet.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) announcements: BTreeMap<u64, Announcement>,
    pub(crate) next_announcement: u64,
    #[serde(skip)]
    pub(crate) index: Index,
}

/// A [`Run`] as any version has stored it.
#[derive(Deserialize)]
struct StoredRun {
    sent: Option<Sent>,
    invocations: Vec<Invocation>,
    next_timer: u64,
    #[serde(default)]
    cancelled_whole: bool,
    ended_at: Option<Timestamp>,
    notified: bool,
    #[serde(default)]
    deliveries: BTreeMap<InstanceId, Delivery>,
    #[serde(default)]
    announcements: BTreeMap<u64, Announcement>,
    #[serde(default)]
    next_announcement: u64,
}

impl From<StoredRun> for Run {
    fn from(stored: StoredRun) -> Run {
        let mut run = Run {
            sent: stored.sent,
            invocations: vec![],
            next_timer: stored.next_timer,
            cancelled_whole: stored.cancelled_whole,
            ended_at: stored.ended_at,
            notified: stored.notified,
            deliveries: stored.deliveries,
            announcements: stored.announcements,
            next_announcement: stored.next_announcement,
            index: Index::default(),
        };
        run.index.candidates = run.sent.as_ref().map(|sent| alternatives(&sent.send.places)).unwrap_or_default();
        for mut invocation in stored.invocations {
            // Before there were retries each had one attempt.
            invocation.offers = invocation.offers.max(u32::from(invocation.stage.attempt().is_some()));
            run.add(invocation);
        }
        run
    }
}

/// What follows from the rest, and would cost too much to look for at every step.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Index {
    by_instance: BTreeMap<InstanceId, u32>,
    timers: BTreeMap<u64, u32>,
    /// Not sent yet: waiting for their turn, or for a slot.
    pub(crate) queued: BTreeSet<u32>,
    pub(crate) awaiting_slot: BTreeSet<u32>,
    releasing: BTreeSet<u32>,
    undelivered: BTreeSet<u32>,
    tally: Tally,
    /// Neither queued nor ended: what `MaxConcurrency` limits.
    pub(crate) taken: usize,
    /// Instances that places with several candidates may move to.
    candidates: BTreeSet<InstanceId>,
    /// The greatest number that an attempt has had.
    pub(crate) number: u32,
}

/// An output is where it was wanted, or is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub at: Timestamp,
    /// Why it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) at: Timestamp,
    pub(crate) send: Box<Send>,
}

/// A command on one of its instances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    pub instance: InstanceId,
    pub stage: Stage,
    /// The last attempt's number; 0 before the first.
    #[serde(default)]
    pub(crate) offers: u32,
    /// Attempts after which another was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<Attempt>,
    /// None where none is needed, and when it has been given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) slot: Option<Slot>,
    /// While it awaits a slot: when its time for delivery ends. None in what was stored before it had an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) slot_until: Option<Alarm>,
}

/// An attempt that ended, and after which another was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    pub attempt: AttemptId,
    pub at: Timestamp,
    /// Without its output.
    pub outcome: Arc<Outcome>,
}

/// How it stands with the slot of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Slot {
    Asked,
    Held,
    /// To be given back.
    Leaving,
}

/// Where an invocation stands. Each variant holds exactly what that stand needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    /// `MaxConcurrency` lets no more be offered.
    Queued,
    /// Its group lets no more run.
    AwaitingSlot,
    /// The agent is asked to take it. Nothing has begun, and nothing will before it is accepted.
    Offered {
        attempt: AttemptId,
        alarm: Alarm,
        lost_since: Option<Timestamp>,
        /// Where there are other candidates: when the time for delivery ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// The agent accepted and was told to go: it may have begun.
    Begun {
        attempt: AttemptId,
        /// The backstop: then we give up knowing. While the agent is unheard of, perhaps earlier.
        alarm: Alarm,
        accepted_at: Timestamp,
        /// None until the agent says that it has begun.
        started_at: Option<Timestamp>,
        cancelling: bool,
        /// Set while the agent is unheard of: what becomes of it is not known, and may stay so.
        lost_since: Option<Timestamp>,
        /// The backstop where `alarm` goes off before it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backstop: Option<Timestamp>,
    },
    /// The attempt has ended, and the next is made when the alarm goes off.
    Waiting { attempt: AttemptId, alarm: Alarm },
    Ended {
        /// None when it was never offered.
        attempt: Option<AttemptId>,
        at: Timestamp,
        decider: Decider,
        outcome: Arc<Outcome>,
        /// What the agent said after we had decided.
        late: Option<Arc<Outcome>>,
    },
}

/// When the run wants to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    pub timer: u64,
    pub due: Timestamp,
}

/// AWS's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub target: usize,
    pub completed: usize,
    pub error: usize,
    pub delivery_timed_out: usize,
}

/// Whose an attempt is.
pub(crate) enum Owner {
    /// The one that its invocation has now, or had last.
    Present(u32),
    /// One that was withdrawn, or after which another was made.
    Past,
}

impl Run {
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Run {
        let mut run = Run::default();
        for event in events {
            run.apply(event);
        }
        run
    }

    /// What was asked for, and when.
    pub fn sent(&self) -> Option<(&Send, Timestamp)> {
        self.sent.as_ref().map(|sent| (&*sent.send, sent.at))
    }

    pub fn invocations(&self) -> &[Invocation] {
        (0..self.invocations.len()).for_each(|_| look());
        &self.invocations
    }

    /// The invocation that runs on `instance`, or last did.
    pub fn invocation(&self, instance: &InstanceId) -> Option<&Invocation> {
        self.at(self.place_of(instance)?)
    }

    pub fn status(&self) -> CommandStatus {
        match &self.sent {
            None => CommandStatus::Pending,
            Some(sent) if sent.send.rate_exceeded => CommandStatus::RateExceeded,
            Some(_) if self.invocations.is_empty() => CommandStatus::NoInstancesInTag,
            Some(_) => CommandStatus::of(&self.index.tally, self.errors_max(), self.cancelled_whole),
        }
    }

    pub fn counts(&self) -> Counts {
        let tally = &self.index.tally;
        Counts {
            target: self.invocations.len(),
            completed: tally.count(InvocationStatus::is_terminal),
            error: tally.count(InvocationStatus::is_error),
            delivery_timed_out: tally.count(|status| status == InvocationStatus::DeliveryTimedOut),
        }
    }

    /// The statuses that there are among its invocations.
    pub fn statuses(&self) -> impl Iterator<Item = InvocationStatus> {
        self.index.tally.statuses()
    }

    /// When every invocation had ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    pub fn is_terminal(&self) -> bool {
        self.ended_at.is_some()
    }

    /// Whether it owes the world anything, or waits for it.
    pub fn owes(&self) -> bool {
        let owed = self.notification().is_some()
            || !self.announcements.is_empty()
            || !self.index.releasing.is_empty()
            || !self.index.undelivered.is_empty();
        self.sent.is_some() && (!self.is_terminal() || owed)
    }

    /// AWS's `ExpiresAfter`: when it was asked for, and its delivery and execution timeouts.
    pub fn expires_after(&self) -> Option<Timestamp> {
        let (send, at) = self.sent()?;
        Some(at.plus_seconds(i64::from(send.timeout_seconds) + i64::from(send.plan.execution_timeout_seconds())))
    }

    /// The attempt that `instance` holds or is asked to hold: what its agent must report when it comes back.
    pub fn attempt_at(&self, instance: &InstanceId) -> Option<&AttemptId> {
        match &self.invocation(instance)?.stage {
            Stage::Offered { attempt, .. } | Stage::Begun { attempt, .. } => Some(attempt),
            Stage::Queued | Stage::AwaitingSlot | Stage::Waiting { .. } | Stage::Ended { .. } => None,
        }
    }

    /// Folds one event in. Total: every event of a well-formed history applies.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Sent { at, send } => {
                self.index.candidates = alternatives(&send.places);
                self.sent = Some(Sent { at: *at, send: send.clone() });
                let firsts = send.places.iter().filter_map(|place| place.candidates.first());
                firsts.for_each(|instance| self.add(Invocation::queued(instance.clone())));
            }
            Event::Offered { instance, attempt, timer, due, until, .. } => {
                let alarm = self.alarm(*timer, *due);
                let number = attempt.number();
                self.index.number = self.index.number.max(number);
                self.change_at(instance, |invocation| {
                    invocation.offers = number;
                    // The same offer, looked at again.
                    let lost_since = match &invocation.stage {
                        Stage::Offered { attempt: now, lost_since, .. } if now == attempt => *lost_since,
                        _ => None,
                    };
                    invocation.stage = Stage::Offered { attempt: attempt.clone(), alarm, lost_since, until: *until };
                    invocation.slot_until = None;
                });
            }
            Event::Accepted { at, instance, timer, due } => {
                let alarm = self.alarm(*timer, *due);
                self.set(instance, |stage| match stage.attempt().cloned() {
                    Some(attempt) => Stage::Begun {
                        attempt,
                        alarm,
                        accepted_at: *at,
                        started_at: None,
                        cancelling: false,
                        lost_since: None,
                        backstop: None,
                    },
                    None => stage,
                });
            }
            Event::Started { at, instance, timer, due } => {
                let next = self.alarm(*timer, *due);
                self.set(instance, |mut stage| {
                    if let Stage::Begun { alarm, started_at, lost_since, backstop, .. } = &mut stage {
                        (*alarm, *started_at, *lost_since, *backstop) = (next, Some(*at), None, None);
                    }
                    stage
                });
            }
            Event::Returned { instance, timer, due, .. } => {
                let alarm = self.alarm(*timer, *due);
                self.set(instance, |stage| match stage.attempt().cloned() {
                    Some(attempt) => Stage::Offered { attempt, alarm, lost_since: None, until: None },
                    None => stage,
                });
            }
            Event::Lost { at, instance, alarm } => self.set_lost(instance, Some(*at), *alarm),
            Event::Found { instance, alarm, .. } => self.set_lost(instance, None, *alarm),
            Event::Withdrawn { instance, next, .. } => self.change_at(instance, |invocation| {
                invocation.instance = next.clone();
                invocation.stage = Stage::Queued;
            }),
            Event::AttemptEnded { at, instance, outcome, timer, due } => {
                let alarm = self.alarm(*timer, *due);
                self.change_at(instance, |invocation| {
                    if let Some(attempt) = invocation.stage.attempt().cloned() {
                        invocation.attempts.push(Attempt {
                            attempt: attempt.clone(),
                            at: *at,
                            outcome: outcome.clone(),
                        });
                        invocation.stage = Stage::Waiting { attempt, alarm };
                    }
                });
            }
            Event::SlotAsked { place, alarm, .. } => {
                let alarm = alarm.map(|alarm| self.alarm(alarm.timer, alarm.due));
                self.change(*place, |invocation| {
                    (invocation.stage, invocation.slot) = (Stage::AwaitingSlot, Some(Slot::Asked));
                    invocation.slot_until = alarm;
                });
            }
            Event::SlotGranted { place, .. } => self.change(*place, |invocation| invocation.slot = Some(Slot::Held)),
            Event::SlotReleased { place, .. } => self.change(*place, |invocation| invocation.slot = None),
            Event::CancelRequested { instance, .. } => self.set(instance, |mut stage| {
                if let Stage::Begun { cancelling, .. } = &mut stage {
                    *cancelling = true;
                }
                stage
            }),
            Event::CancelRequestedWhole { .. } => self.cancelled_whole = true,
            Event::Finished { at, instance, decider, outcome } => self.change_at(instance, |invocation| {
                invocation.stage = Stage::Ended {
                    attempt: invocation.stage.attempt().cloned(),
                    at: *at,
                    decider: *decider,
                    outcome: outcome.clone(),
                    late: None,
                };
                invocation.slot = invocation.slot.map(|_| Slot::Leaving);
                invocation.slot_until = None;
            }),
            Event::ReportedLate { instance, outcome, .. } => self.set(instance, |mut stage| {
                if let Stage::Ended { late, .. } = &mut stage {
                    *late = Some(outcome.clone());
                }
                stage
            }),
            Event::Ended { at, .. } => self.ended_at = Some(*at),
            Event::Notified { .. } => self.notified = true,
            Event::StatusReached { announcement } => {
                self.next_announcement = announcement.number + 1;
                self.announcements.insert(announcement.number, announcement.clone());
            }
            Event::Announced { number, .. } => drop(self.announcements.remove(number)),
            Event::OutputDelivered { at, instance, problem } => {
                self.deliveries.insert(instance.clone(), Delivery { at: *at, problem: problem.clone() });
                self.change_at(instance, |_| ());
            }
        }
    }

    /// Every effect still owed: what a restarted server dispatches.
    pub fn outstanding(&self) -> Vec<Effect> {
        let places = 0..u32::try_from(self.invocations.len()).unwrap_or(u32::MAX);
        let mut owed: Vec<Effect> = places.flat_map(|place| self.owed_for(place)).collect();
        owed.extend(self.announcements.values().cloned().map(|announcement| Effect::Announce { announcement }));
        owed.extend(self.notification());
        owed
    }

    /// What is owed to one agent: what it is sent when it comes back.
    pub fn outstanding_for(&self, instance: &InstanceId) -> Vec<Effect> {
        let mut owed: Vec<Effect> = self.place_of(instance).map(|place| self.owed_for(place)).unwrap_or_default();
        owed.retain(|effect| {
            matches!(
                effect,
                Effect::Offer { .. } | Effect::Go { .. } | Effect::Cancel { .. } | Effect::Acknowledge { .. }
            )
        });
        owed
    }

    fn owed_for(&self, place: u32) -> Vec<Effect> {
        let Some(invocation) = self.at(place) else { return vec![] };
        let instance = &invocation.instance;
        let mut owed = match &invocation.stage {
            Stage::Queued => vec![],
            Stage::AwaitingSlot => invocation.alarm().map(Alarm::set).into_iter().collect(),
            Stage::Ended { .. } => self.undelivered(invocation).into_iter().collect(),
            Stage::Waiting { alarm, .. } => vec![alarm.set()],
            Stage::Offered { attempt, alarm, until, .. } => {
                self.offer(instance, attempt, until.unwrap_or(alarm.due)).into_iter().chain([alarm.set()]).collect()
            }
            Stage::Begun { attempt, alarm, started_at, cancelling, .. } => {
                let (instance, attempt) = (instance.clone(), attempt.clone());
                match (cancelling, started_at) {
                    (true, _) => vec![Effect::Cancel { instance, attempt }, alarm.set()],
                    (false, None) => vec![Effect::Go { instance, attempt }, alarm.set()],
                    (false, Some(_)) => vec![alarm.set()],
                }
            }
        };
        owed.extend(self.slot_owed(place));
        owed
    }

    /// What is to be asked of the group's semaphore.
    pub(crate) fn slot_owed(&self, place: u32) -> Option<Effect> {
        let group = self.wanted(place)?.group.clone()?;
        match self.at(place)?.slot? {
            Slot::Asked => Some(Effect::AcquireSlot { place, group }),
            Slot::Held => None,
            Slot::Leaving => Some(Effect::ReleaseSlot { place, group }),
        }
    }

    pub(crate) fn offer(&self, instance: &InstanceId, attempt: &AttemptId, expires_at: Timestamp) -> Option<Effect> {
        let plan = self.sent.as_ref()?.send.plan.clone();
        Some(Effect::Offer { instance: instance.clone(), attempt: attempt.clone(), plan, expires_at })
    }

    pub(crate) fn notification(&self) -> Option<Effect> {
        let waiter = self.sent.as_ref()?.send.waiter?;
        (self.is_terminal() && !self.notified).then_some(Effect::Notify { waiter })
    }

    /// An output that has to be brought somewhere: of an invocation that has ended and may have begun.
    pub(crate) fn undelivered(&self, invocation: &Invocation) -> Option<Effect> {
        let wanted = self.sent.as_ref().is_some_and(|sent| !sent.send.destinations.is_empty());
        match &invocation.stage {
            Stage::Ended { attempt: Some(attempt), .. }
                if wanted && !self.deliveries.contains_key(&invocation.instance) =>
            {
                Some(Effect::DeliverOutput { instance: invocation.instance.clone(), attempt: attempt.clone() })
            }
            Stage::Queued
            | Stage::AwaitingSlot
            | Stage::Offered { .. }
            | Stage::Begun { .. }
            | Stage::Waiting { .. }
            | Stage::Ended { .. } => None,
        }
    }

    /// What became of an instance's output, where it was wanted elsewhere and that has been done.
    pub fn delivery(&self, instance: &InstanceId) -> Option<&Delivery> {
        self.deliveries.get(instance)
    }

    pub(crate) fn errors_max(&self) -> usize {
        self.sent.as_ref().map_or(0, |sent| sent.send.max_errors.errors(self.invocations.len()))
    }

    pub(crate) fn concurrency_max(&self) -> usize {
        self.sent.as_ref().map_or(0, |sent| sent.send.max_concurrency.concurrency(self.invocations.len()))
    }

    pub(crate) fn at(&self, place: u32) -> Option<&Invocation> {
        look();
        self.invocations.get(place as usize)
    }

    /// The place as it was asked for.
    pub(crate) fn wanted(&self, place: u32) -> Option<&Place> {
        self.sent.as_ref()?.send.places.get(place as usize)
    }

    pub(crate) fn place_of(&self, instance: &InstanceId) -> Option<u32> {
        self.index.by_instance.get(instance).copied()
    }

    pub(crate) fn place_of_timer(&self, timer: u64) -> Option<u32> {
        self.index.timers.get(&timer).copied()
    }

    /// Whether an instance is one that a place of this run may move to.
    pub(crate) fn is_candidate(&self, instance: &InstanceId) -> bool {
        self.index.candidates.contains(instance)
    }

    /// The candidate after the present one, in turn, that the run is not on already.
    pub(crate) fn next_candidate(&self, place: u32) -> Option<InstanceId> {
        let candidates = &self.wanted(place)?.candidates;
        let present = &self.at(place)?.instance;
        let from = candidates.iter().position(|candidate| candidate == present).map_or(0, |at| at + 1);
        let in_turn = candidates.iter().cycle().skip(from).take(candidates.len());
        in_turn.into_iter().find(|candidate| !self.index.by_instance.contains_key(*candidate)).cloned()
    }

    /// Whose `attempt` is; none when it never was this run's.
    pub(crate) fn owner_of(&self, attempt: &AttemptId) -> Option<Owner> {
        let (command, instance) = attempt.parts()?;
        if command != self.sent.as_ref()?.send.command {
            return None;
        }
        let present = self.place_of(&instance);
        match present.and_then(|place| Some((place, self.at(place)?))) {
            Some((place, invocation)) if invocation.stage.present() == Some(attempt) => Some(Owner::Present(place)),
            Some((_, invocation)) if (1..=invocation.offers).contains(&attempt.number()) => Some(Owner::Past),
            Some(_) | None => self.is_candidate(&instance).then_some(Owner::Past),
        }
    }

    /// An alarm as an event records it. Numbers are never used again.
    fn alarm(&mut self, timer: u64, due: Timestamp) -> Alarm {
        self.next_timer = timer + 1;
        Alarm { timer, due }
    }

    fn set(&mut self, instance: &InstanceId, next: impl FnOnce(Stage) -> Stage) {
        self.change_at(instance, |invocation| {
            invocation.stage = next(std::mem::replace(&mut invocation.stage, Stage::Queued));
        });
    }

    fn set_lost(&mut self, instance: &InstanceId, since: Option<Timestamp>, moved: Option<Alarm>) {
        let moved = moved.map(|moved| self.alarm(moved.timer, moved.due));
        self.set(instance, |mut stage| {
            match &mut stage {
                Stage::Offered { lost_since, .. } => *lost_since = since,
                Stage::Begun { lost_since, alarm, backstop, .. } => {
                    *lost_since = since;
                    if let Some(moved) = moved {
                        *backstop = since.map(|_| backstop.unwrap_or(alarm.due));
                        *alarm = moved;
                    }
                }
                Stage::Queued | Stage::AwaitingSlot | Stage::Waiting { .. } | Stage::Ended { .. } => (),
            }
            stage
        });
    }

    fn add(&mut self, invocation: Invocation) {
        let place = u32::try_from(self.invocations.len()).expect("a command has fewer places");
        self.index.number = self.index.number.max(invocation.offers);
        self.invocations.push(invocation);
        self.note(place);
    }

    fn change_at(&mut self, instance: &InstanceId, change: impl FnOnce(&mut Invocation)) {
        if let Some(place) = self.place_of(instance) {
            self.change(place, change);
        }
    }

    /// The one way in which an invocation changes: the index follows.
    fn change(&mut self, place: u32, change: impl FnOnce(&mut Invocation)) {
        self.forget(place);
        if let Some(invocation) = self.invocations.get_mut(place as usize) {
            change(invocation);
        }
        self.note(place);
    }

    fn forget(&mut self, place: u32) {
        let Some(invocation) = self.invocations.get(place as usize) else { return };
        let index = &mut self.index;
        index.by_instance.remove(&invocation.instance);
        if let Some(alarm) = invocation.alarm() {
            index.timers.remove(&alarm.timer);
        }
        for set in [&mut index.queued, &mut index.awaiting_slot, &mut index.releasing, &mut index.undelivered] {
            set.remove(&place);
        }
        index.tally.remove(invocation.status());
        index.taken -= usize::from(invocation.stage.is_taken());
    }

    fn note(&mut self, place: u32) {
        let Some(invocation) = self.invocations.get(place as usize) else { return };
        let undelivered = self.undelivered(invocation).is_some();
        let index = &mut self.index;
        index.by_instance.insert(invocation.instance.clone(), place);
        if let Some(alarm) = invocation.alarm() {
            index.timers.insert(alarm.timer, place);
        }
        if invocation.stage == Stage::Queued {
            index.queued.insert(place);
        }
        if invocation.stage == Stage::AwaitingSlot {
            index.awaiting_slot.insert(place);
        }
        if invocation.slot == Some(Slot::Leaving) {
            index.releasing.insert(place);
        }
        if undelivered {
            index.undelivered.insert(place);
        }
        index.tally.add(invocation.status());
        index.taken += usize::from(invocation.stage.is_taken());
    }
}

#[cfg(test)]
thread_local! {
    static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many invocations this thread has looked at: what a step costs.
#[cfg(test)]
pub(crate) fn looked_at() -> usize {
    LOOKED_AT.get()
}

fn look() {
    #[cfg(test)]
    LOOKED_AT.set(LOOKED_AT.get() + 1);
}

/// Every instance of places that have several.
fn alternatives(places: &[Place]) -> BTreeSet<InstanceId> {
    places
        .iter()
        .filter(|place| place.candidates.len() > 1)
        .flat_map(|place| place.candidates.iter().cloned())
        .collect()
}

impl Invocation {
    fn queued(instance: InstanceId) -> Invocation {
        Invocation { instance, stage: Stage::Queued, offers: 0, attempts: vec![], slot: None, slot_until: None }
    }

    pub fn status(&self) -> InvocationStatus {
        match &self.stage {
            Stage::Queued | Stage::AwaitingSlot | Stage::Offered { lost_since: None, .. } => InvocationStatus::Pending,
            Stage::Offered { lost_since: Some(_), .. } => InvocationStatus::Delayed,
            Stage::Begun { cancelling: false, .. } | Stage::Waiting { .. } => InvocationStatus::InProgress,
            Stage::Begun { cancelling: true, .. } => InvocationStatus::Cancelling,
            Stage::Ended { outcome, .. } => InvocationStatus::of(outcome),
        }
    }

    /// When the run wants to be woken for it.
    pub(crate) fn alarm(&self) -> Option<Alarm> {
        self.stage.alarm().or(self.slot_until)
    }

    /// Whether it may have begun on an agent that is unheard of. If that lasts, it ends as `Agent.Lost`.
    pub fn is_pending_indeterminate(&self) -> bool {
        matches!(self.stage, Stage::Begun { lost_since: Some(_), .. })
    }

    /// Earlier attempts, after each of which another was made.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The attempt that it is offered as, or that it began or ended with; none when it was never offered.
    pub fn attempt(&self) -> Option<&AttemptId> {
        self.stage.attempt()
    }

    /// When its end was decided here.
    pub fn ended_at(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Ended { at, .. } => Some(*at),
            Stage::Queued
            | Stage::AwaitingSlot
            | Stage::Offered { .. }
            | Stage::Begun { .. }
            | Stage::Waiting { .. } => None,
        }
    }

    /// How it ended.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.stage {
            Stage::Ended { outcome, .. } => Some(outcome),
            Stage::Queued
            | Stage::AwaitingSlot
            | Stage::Offered { .. }
            | Stage::Begun { .. }
            | Stage::Waiting { .. } => None,
        }
    }

    /// What its agent said of the end after we had decided it.
    pub fn late(&self) -> Option<&Outcome> {
        match &self.stage {
            Stage::Ended { late, .. } => late.as_deref(),
            Stage::Queued
            | Stage::AwaitingSlot
            | Stage::Offered { .. }
            | Stage::Begun { .. }
            | Stage::Waiting { .. } => None,
        }
    }

    /// AWS's `ResponseCode`: −1 until there is one.
    pub fn response_code(&self) -> i64 {
        self.outcome().map_or(-1, Outcome::response_code)
    }

    /// AWS's `ExecutionStartDateTime`: of the last attempt.
    pub fn started_at(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Begun { started_at, .. } => *started_at,
            Stage::Ended { outcome, .. } => outcome.started_at,
            Stage::Waiting { .. } => self.attempts.last().and_then(|attempt| attempt.outcome.started_at),
            Stage::Queued | Stage::AwaitingSlot | Stage::Offered { .. } => None,
        }
    }

    /// AWS's `ExecutionEndDateTime`; none when it never began.
    pub fn finished_at(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Ended { at, outcome, .. } => outcome.started_at.map(|_| outcome.finished_at.unwrap_or(*at)),
            Stage::Queued
            | Stage::AwaitingSlot
            | Stage::Offered { .. }
            | Stage::Begun { .. }
            | Stage::Waiting { .. } => None,
        }
    }

    /// AWS's `CommandPlugins[].Output`.
    pub fn plugin_output(&self) -> String {
        self.outcome().map(output::plugin_output).unwrap_or_default()
    }
}

impl Stage {
    /// The attempt that it is about, or was last.
    pub(crate) fn attempt(&self) -> Option<&AttemptId> {
        match self {
            Stage::Queued | Stage::AwaitingSlot => None,
            Stage::Offered { attempt, .. } | Stage::Begun { attempt, .. } | Stage::Waiting { attempt, .. } => {
                Some(attempt)
            }
            Stage::Ended { attempt, .. } => attempt.as_ref(),
        }
    }

    /// The same, without one that has been followed by a wait.
    fn present(&self) -> Option<&AttemptId> {
        match self {
            Stage::Waiting { .. } => None,
            stage => stage.attempt(),
        }
    }

    pub(crate) fn alarm(&self) -> Option<Alarm> {
        match self {
            Stage::Offered { alarm, .. } | Stage::Begun { alarm, .. } | Stage::Waiting { alarm, .. } => Some(*alarm),
            Stage::Queued | Stage::AwaitingSlot | Stage::Ended { .. } => None,
        }
    }

    /// Whether it takes one of the places that `MaxConcurrency` gives.
    fn is_taken(&self) -> bool {
        match self {
            Stage::Queued | Stage::Ended { .. } => false,
            Stage::AwaitingSlot | Stage::Offered { .. } | Stage::Begun { .. } | Stage::Waiting { .. } => true,
        }
    }
}

impl Alarm {
    pub(crate) fn set(self) -> Effect {
        Effect::SetTimer { timer: self.timer, due: self.due }
    }

    pub(crate) fn clear(self) -> Effect {
        Effect::ClearTimer { timer: self.timer, due: self.due }
    }
}
