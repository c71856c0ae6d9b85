//! What a run remembers: the fold of its events.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::message::{AttemptId, Decider, Effect, Event, InstanceId, Outcome, Send};
use crate::output;
use crate::status::{CommandStatus, InvocationStatus};

/// One command, as of its latest event. The default is one that has not been sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Run {
    pub(crate) sent: Option<Sent>,
    /// In the order in which the instances were named.
    pub(crate) invocations: Vec<Invocation>,
    pub(crate) next_timer: u64,
    #[serde(default)]
    pub(crate) cancelled_whole: bool,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) notified: bool,
    /// What became of outputs that were wanted elsewhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) deliveries: BTreeMap<InstanceId, Delivery>,
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
}

/// Where an invocation stands. Each variant holds exactly what that stand needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    /// `MaxConcurrency` lets no more be offered.
    Queued,
    /// The agent is asked to take it. Nothing has begun, and nothing will before it is accepted.
    Offered { attempt: AttemptId, alarm: Alarm, lost_since: Option<Timestamp> },
    /// The agent accepted and was told to go: it may have begun.
    Begun {
        attempt: AttemptId,
        /// The backstop: then we give up knowing.
        alarm: Alarm,
        accepted_at: Timestamp,
        /// None until the agent says that it has begun.
        started_at: Option<Timestamp>,
        cancelling: bool,
        /// Set while the agent is unheard of: what becomes of it is not known, and may stay so.
        lost_since: Option<Timestamp>,
    },
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
        &self.invocations
    }

    pub fn invocation(&self, instance: &InstanceId) -> Option<&Invocation> {
        self.invocations.iter().find(|invocation| invocation.instance == *instance)
    }

    pub fn status(&self) -> CommandStatus {
        let statuses: Vec<InvocationStatus> = self.invocations.iter().map(Invocation::status).collect();
        match &self.sent {
            Some(_) => CommandStatus::of(&statuses, self.errors_max(), self.cancelled_whole),
            None => CommandStatus::Pending,
        }
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts { target: self.invocations.len(), ..Counts::default() };
        for status in self.invocations.iter().map(Invocation::status) {
            counts.completed += usize::from(status.is_terminal());
            counts.error += usize::from(status.is_error());
            counts.delivery_timed_out += usize::from(status == InvocationStatus::DeliveryTimedOut);
        }
        counts
    }

    /// When every invocation had ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    pub fn is_terminal(&self) -> bool {
        self.ended_at.is_some()
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
            Stage::Queued | Stage::Ended { .. } => None,
        }
    }

    /// Folds one event in. Total: every event of a well-formed history applies.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Sent { at, send } => {
                let queued = |instance: &InstanceId| Invocation { instance: instance.clone(), stage: Stage::Queued };
                self.invocations = send.instances.iter().map(queued).collect();
                self.sent = Some(Sent { at: *at, send: send.clone() });
            }
            Event::Offered { instance, attempt, timer, due, .. } => {
                let alarm = self.alarm(*timer, *due);
                self.set(instance, |_| Stage::Offered { attempt: attempt.clone(), alarm, lost_since: None });
            }
            Event::Accepted { at, instance, timer, due } => {
                let alarm = self.alarm(*timer, *due);
                self.set(instance, |stage| match stage.attempt() {
                    Some(attempt) => Stage::Begun {
                        attempt,
                        alarm,
                        accepted_at: *at,
                        started_at: None,
                        cancelling: false,
                        lost_since: None,
                    },
                    None => stage,
                });
            }
            Event::Started { at, instance, timer, due } => {
                let next = self.alarm(*timer, *due);
                self.set(instance, |mut stage| {
                    if let Stage::Begun { alarm, started_at, lost_since, .. } = &mut stage {
                        (*alarm, *started_at, *lost_since) = (next, Some(*at), None);
                    }
                    stage
                });
            }
            Event::Returned { instance, timer, due, .. } => {
                let alarm = self.alarm(*timer, *due);
                self.set(instance, |stage| match stage.attempt() {
                    Some(attempt) => Stage::Offered { attempt, alarm, lost_since: None },
                    None => stage,
                });
            }
            Event::Lost { at, instance, .. } => self.set_lost(instance, Some(*at)),
            Event::Found { instance, .. } => self.set_lost(instance, None),
            Event::CancelRequested { instance, .. } => self.set(instance, |mut stage| {
                if let Stage::Begun { cancelling, .. } = &mut stage {
                    *cancelling = true;
                }
                stage
            }),
            Event::CancelRequestedWhole { .. } => self.cancelled_whole = true,
            Event::Finished { at, instance, decider, outcome } => self.set(instance, |stage| Stage::Ended {
                attempt: stage.attempt(),
                at: *at,
                decider: *decider,
                outcome: outcome.clone(),
                late: None,
            }),
            Event::ReportedLate { instance, outcome, .. } => self.set(instance, |mut stage| {
                if let Stage::Ended { late, .. } = &mut stage {
                    *late = Some(outcome.clone());
                }
                stage
            }),
            Event::Ended { at, .. } => self.ended_at = Some(*at),
            Event::Notified { .. } => self.notified = true,
            Event::Withdrawn { .. }
            | Event::AttemptEnded { .. }
            | Event::SlotAsked { .. }
            | Event::SlotGranted { .. }
            | Event::SlotReleased { .. }
            | Event::StatusReached { .. }
            | Event::Announced { .. } => (),
            Event::OutputDelivered { at, instance, problem } => {
                self.deliveries.insert(instance.clone(), Delivery { at: *at, problem: problem.clone() });
            }
        }
    }

    /// Every effect still owed: what a restarted server dispatches.
    pub fn outstanding(&self) -> Vec<Effect> {
        let mut owed: Vec<Effect> = self.invocations.iter().flat_map(|invocation| self.owed_for(invocation)).collect();
        owed.extend(self.invocations.iter().filter_map(|invocation| self.undelivered(invocation)));
        owed.extend(self.notification());
        owed
    }

    /// What is owed to one agent: what it is sent when it comes back.
    pub fn outstanding_for(&self, instance: &InstanceId) -> Vec<Effect> {
        let mut owed: Vec<Effect> =
            self.invocation(instance).map(|invocation| self.owed_for(invocation)).unwrap_or_default();
        owed.retain(|effect| !matches!(effect, Effect::SetTimer { .. }));
        owed
    }

    fn owed_for(&self, invocation: &Invocation) -> Vec<Effect> {
        let instance = &invocation.instance;
        match &invocation.stage {
            Stage::Queued | Stage::Ended { .. } => vec![],
            Stage::Offered { attempt, alarm, .. } => {
                self.offer(instance, attempt, *alarm).into_iter().chain([alarm.set()]).collect()
            }
            Stage::Begun { attempt, alarm, started_at, cancelling, .. } => {
                let (instance, attempt) = (instance.clone(), attempt.clone());
                match (cancelling, started_at) {
                    (true, _) => vec![Effect::Cancel { instance, attempt }, alarm.set()],
                    (false, None) => vec![Effect::Go { instance, attempt }, alarm.set()],
                    (false, Some(_)) => vec![alarm.set()],
                }
            }
        }
    }

    pub(crate) fn offer(&self, instance: &InstanceId, attempt: &AttemptId, alarm: Alarm) -> Option<Effect> {
        let plan = self.sent.as_ref()?.send.plan.clone();
        Some(Effect::Offer { instance: instance.clone(), attempt: attempt.clone(), plan, expires_at: alarm.due })
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
            Stage::Queued | Stage::Offered { .. } | Stage::Begun { .. } | Stage::Ended { .. } => None,
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

    /// An alarm as an event records it. Numbers are never used again.
    fn alarm(&mut self, timer: u64, due: Timestamp) -> Alarm {
        self.next_timer = timer + 1;
        Alarm { timer, due }
    }

    fn set(&mut self, instance: &InstanceId, next: impl FnOnce(Stage) -> Stage) {
        if let Some(invocation) = self.invocations.iter_mut().find(|invocation| invocation.instance == *instance) {
            invocation.stage = next(std::mem::replace(&mut invocation.stage, Stage::Queued));
        }
    }

    fn set_lost(&mut self, instance: &InstanceId, since: Option<Timestamp>) {
        self.set(instance, |mut stage| {
            match &mut stage {
                Stage::Offered { lost_since, .. } | Stage::Begun { lost_since, .. } => *lost_since = since,
                Stage::Queued | Stage::Ended { .. } => (),
            }
            stage
        });
    }
}

impl Invocation {
    pub fn status(&self) -> InvocationStatus {
        match &self.stage {
            Stage::Queued | Stage::Offered { lost_since: None, .. } => InvocationStatus::Pending,
            Stage::Offered { lost_since: Some(_), .. } => InvocationStatus::Delayed,
            Stage::Begun { cancelling: false, .. } => InvocationStatus::InProgress,
            Stage::Begun { cancelling: true, .. } => InvocationStatus::Cancelling,
            Stage::Ended { outcome, .. } => InvocationStatus::of(outcome),
        }
    }

    /// Whether it may have begun on an agent that is unheard of. If that lasts, it ends as `Agent.Indeterminate`.
    pub fn is_pending_indeterminate(&self) -> bool {
        matches!(self.stage, Stage::Begun { lost_since: Some(_), .. })
    }

    /// The attempt that it is offered as, or that it began or ended with; none when it was never offered.
    pub fn attempt(&self) -> Option<&AttemptId> {
        match &self.stage {
            Stage::Queued => None,
            Stage::Offered { attempt, .. } | Stage::Begun { attempt, .. } => Some(attempt),
            Stage::Ended { attempt, .. } => attempt.as_ref(),
        }
    }

    /// When its end was decided here.
    pub fn ended_at(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Ended { at, .. } => Some(*at),
            Stage::Queued | Stage::Offered { .. } | Stage::Begun { .. } => None,
        }
    }

    /// How it ended.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.stage {
            Stage::Ended { outcome, .. } => Some(outcome),
            Stage::Queued | Stage::Offered { .. } | Stage::Begun { .. } => None,
        }
    }

    /// AWS's `ResponseCode`: −1 until there is one.
    pub fn response_code(&self) -> i64 {
        self.outcome().map_or(-1, Outcome::response_code)
    }

    /// AWS's `ExecutionStartDateTime`.
    pub fn started_at(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Begun { started_at, .. } => *started_at,
            Stage::Ended { outcome, .. } => outcome.started_at,
            Stage::Queued | Stage::Offered { .. } => None,
        }
    }

    /// AWS's `ExecutionEndDateTime`; none when it never began.
    pub fn finished_at(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Ended { at, outcome, .. } => outcome.started_at.map(|_| outcome.finished_at.unwrap_or(*at)),
            Stage::Queued | Stage::Offered { .. } | Stage::Begun { .. } => None,
        }
    }

    /// AWS's `CommandPlugins[].Output`.
    pub fn plugin_output(&self) -> String {
        self.outcome().map(output::plugin_output).unwrap_or_default()
    }
}

impl Stage {
    pub(crate) fn attempt(&self) -> Option<AttemptId> {
        match self {
            Stage::Queued => None,
            Stage::Offered { attempt, .. } | Stage::Begun { attempt, .. } => Some(attempt.clone()),
            Stage::Ended { attempt, .. } => attempt.clone(),
        }
    }

    pub(crate) fn alarm(&self) -> Option<Alarm> {
        match self {
            Stage::Offered { alarm, .. } | Stage::Begun { alarm, .. } => Some(*alarm),
            Stage::Queued | Stage::Ended { .. } => None,
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
