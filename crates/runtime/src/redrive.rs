//! Redriving: an execution that failed goes on from where it failed.
//!
//! Rules of the Developer Guide, "Restarting state machine executions with redrive".

use base::{Caller, Timestamp};

use crate::refusal::Refusal;
use crate::shard::{Ask, Refused, Reply};
use crate::value::{ExecutionHead, HeadStatus};
use crate::{Runtime, keys};

/// Whether an execution can be redriven now, as `DescribeExecution` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redrivable {
    Yes,
    /// It is a Map run's child: the run redrives it.
    ByMapRun,
    /// With AWS's reason.
    No(&'static str),
}

const DAY_MS: i64 = 86_400_000;

/// How long after its end.
const PERIOD_MS: i64 = 14 * DAY_MS;

/// How long after its beginning.
const OPEN_MS_MAX: i64 = 365 * DAY_MS;

/// Events that a history may have and still be added to.
const EVENTS_MAX: u64 = 24_999;

impl Redrivable {
    pub(crate) fn of(head: &ExecutionHead, now: Timestamp) -> Redrivable {
        let since = |moment: Timestamp| now.0.saturating_sub(moment.0);
        match head.status {
            HeadStatus::Running => Redrivable::No("Execution is RUNNING and cannot be redriven"),
            HeadStatus::Succeeded => Redrivable::No("Execution is SUCCEEDED and cannot be redriven"),
            HeadStatus::Failed | HeadStatus::TimedOut | HeadStatus::Aborted => match head.stopped {
                _ if head.events >= EVENTS_MAX => Redrivable::No("Execution history event limit exceeded"),
                _ if since(head.started) >= OPEN_MS_MAX => {
                    Redrivable::No("Execution has exceeded the max execution time")
                }
                Some(stopped) if since(stopped) > PERIOD_MS => Redrivable::No("Execution redrivable period exceeded"),
                Some(_) | None if head.map_run.is_some() => Redrivable::ByMapRun,
                Some(_) | None => Redrivable::Yes,
            },
        }
    }
}

const DELETING: &str = "State machine is in DELETING status";

impl Runtime {
    /// `RedriveExecution`: gives when it was redriven. With a token that was used lately nothing happens again.
    pub async fn execution_redrive(
        &self,
        caller: &Caller,
        arn: &str,
        token: Option<String>,
    ) -> Result<Timestamp, Refusal> {
        let head = self.execution_head(caller, arn).await?;
        let machine = match self.registered(unlabelled(&head.machine)).await {
            Ok(machine) if machine.deleting.is_none() => machine,
            Ok(_) | Err(Refusal::StateMachineDoesNotExist(_)) => return Err(not_redrivable(DELETING)),
            Err(refusal) => return Err(refusal),
        };
        let known = head.redrive_tokens.iter().any(|known| Some(known) == token.as_ref());
        match Redrivable::of(&head, self.inner.world.now()) {
            Redrivable::Yes => (),
            // The engine knows whether the token is still good.
            Redrivable::No(_) if known => (),
            Redrivable::No(reason) => return Err(not_redrivable(reason)),
            Redrivable::ByMapRun => return Err(not_redrivable("Execution is redrivable only by its Map Run")),
        }
        let redrive = engine::Command::Redrive { token: token.map(Into::into), nth: None };
        let place = self.inner.open_executions.admit(self.store(), caller).await?;
        if place.is_none() && !known {
            return Err(Refusal::ExecutionLimitExceeded);
        }
        let answer = self.ask(keys::execution(arn), Ask::Execution(redrive)).await;
        drop(place);
        match answer {
            Ok(Reply::Execution(head)) => match self.deleted_since(&machine).await {
                None => Ok(head.redriven.unwrap_or(head.started)),
                Some(_) => {
                    self.abort_of_deleted(keys::execution(arn));
                    Err(not_redrivable(DELETING))
                }
            },
            Err(Refused::Execution(Some(head))) => match Redrivable::of(&head, self.inner.world.now()) {
                Redrivable::No(reason) => Err(not_redrivable(reason)),
                // Of its Map runs one cannot be redriven any more.
                Redrivable::Yes | Redrivable::ByMapRun => Err(not_redrivable("Map Run redrive limit exceeded")),
            },
            Ok(_) => Err(Refusal::Unknown),
            Err(refused) => Err(refused.into()),
        }
    }
}

/// The machine itself of a Map run's child: `…:stateMachine:NAME/LABEL`.
fn unlabelled(machine: &str) -> &str {
    machine.rsplit_once('/').map_or(machine, |(machine, _)| machine)
}

fn not_redrivable(reason: &str) -> Refusal {
    Refusal::ExecutionNotRedrivable(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_redriven_and_why_not() {
        let head =
            |status, events| ExecutionHead { status, events, stopped: Some(Timestamp(5)), ..ExecutionHead::default() };
        let at = |head: &ExecutionHead, now: i64| Redrivable::of(head, Timestamp(now));
        let failed = head(HeadStatus::Failed, 7);
        assert_eq!(at(&failed, 6), Redrivable::Yes);
        assert_eq!(at(&failed, 5 + PERIOD_MS), Redrivable::Yes);
        assert_eq!(at(&failed, 6 + PERIOD_MS), Redrivable::No("Execution redrivable period exceeded"));
        assert_eq!(at(&failed, OPEN_MS_MAX), Redrivable::No("Execution has exceeded the max execution time"));
        assert_eq!(
            at(&head(HeadStatus::TimedOut, EVENTS_MAX), 6),
            Redrivable::No("Execution history event limit exceeded")
        );
        assert_eq!(at(&head(HeadStatus::Running, 1), 6), Redrivable::No("Execution is RUNNING and cannot be redriven"));
        let child = ExecutionHead { map_run: Some("r".into()), ..failed };
        assert_eq!(at(&child, 6), Redrivable::ByMapRun);
    }
}
