//! Where an invocation and a command stand, in AWS's words.

use std::collections::BTreeMap;

use ::document::Verdict;
use serde::{Deserialize, Serialize};

use crate::message::{Ended, FailureCode, Outcome};

/// One invocation: AWS's `Status` and `StatusDetails` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum InvocationStatus {
    Pending,
    InProgress,
    Delayed,
    Cancelling,
    Success,
    DeliveryTimedOut,
    ExecutionTimedOut,
    Failed,
    Undeliverable,
    Cancelled,
    Terminated,
    AccessDenied,
    InvalidPlatform,
}

impl InvocationStatus {
    pub fn of(outcome: &Outcome) -> InvocationStatus {
        let code = match &outcome.ended {
            Ended::ExitCode(_) if outcome.verdict < Verdict::Abnormal => return InvocationStatus::Success,
            Ended::ExitCode(_) => return InvocationStatus::Failed,
            Ended::Failure(failure) => failure.code,
        };
        match code {
            FailureCode::TimedOut => InvocationStatus::ExecutionTimedOut,
            FailureCode::DeliveryTimedOut => InvocationStatus::DeliveryTimedOut,
            FailureCode::Cancelled => InvocationStatus::Cancelled,
            FailureCode::Terminated => InvocationStatus::Terminated,
            FailureCode::Undeliverable => InvocationStatus::Undeliverable,
            FailureCode::AccessDenied => InvocationStatus::AccessDenied,
            FailureCode::InvalidPlatform => InvocationStatus::InvalidPlatform,
            FailureCode::ExitCode
            | FailureCode::Killed
            | FailureCode::Indeterminate
            | FailureCode::ScriptMissing
            | FailureCode::NotExecutable
            | FailureCode::WorkingDirectoryMissing
            | FailureCode::StartFailed
            | FailureCode::UserMissing
            | FailureCode::ContentMissing
            | FailureCode::LimitExceeded
            | FailureCode::Abnormal
            | FailureCode::Lost
            | FailureCode::Failed => InvocationStatus::Failed,
        }
    }

    /// AWS's `Status`.
    pub fn status(self) -> &'static str {
        match self {
            InvocationStatus::Pending => "Pending",
            InvocationStatus::InProgress => "InProgress",
            InvocationStatus::Delayed => "Delayed",
            InvocationStatus::Cancelling => "Cancelling",
            InvocationStatus::Success => "Success",
            InvocationStatus::DeliveryTimedOut | InvocationStatus::ExecutionTimedOut => "TimedOut",
            InvocationStatus::Failed
            | InvocationStatus::Undeliverable
            | InvocationStatus::AccessDenied
            | InvocationStatus::InvalidPlatform => "Failed",
            InvocationStatus::Cancelled | InvocationStatus::Terminated => "Cancelled",
        }
    }

    /// AWS's `StatusDetails`.
    pub fn details(self) -> &'static str {
        match self {
            InvocationStatus::Pending => "Pending",
            InvocationStatus::InProgress => "InProgress",
            InvocationStatus::Delayed => "Delayed",
            InvocationStatus::Cancelling => "Cancelling",
            InvocationStatus::Success => "Success",
            InvocationStatus::DeliveryTimedOut => "DeliveryTimedOut",
            InvocationStatus::ExecutionTimedOut => "ExecutionTimedOut",
            InvocationStatus::Failed => "Failed",
            InvocationStatus::Undeliverable => "Undeliverable",
            InvocationStatus::Cancelled => "Cancelled",
            InvocationStatus::Terminated => "Terminated",
            InvocationStatus::AccessDenied => "AccessDenied",
            InvocationStatus::InvalidPlatform => "InvalidPlatform",
        }
    }

    pub fn is_terminal(self) -> bool {
        match self {
            InvocationStatus::Pending
            | InvocationStatus::InProgress
            | InvocationStatus::Delayed
            | InvocationStatus::Cancelling => false,
            InvocationStatus::Success
            | InvocationStatus::DeliveryTimedOut
            | InvocationStatus::ExecutionTimedOut
            | InvocationStatus::Failed
            | InvocationStatus::Undeliverable
            | InvocationStatus::Cancelled
            | InvocationStatus::Terminated
            | InvocationStatus::AccessDenied
            | InvocationStatus::InvalidPlatform => true,
        }
    }

    /// Whether it counts towards `MaxErrors` and `ErrorCount`.
    pub fn is_error(self) -> bool {
        matches!(self, InvocationStatus::Failed | InvocationStatus::ExecutionTimedOut)
    }

    /// Whether nothing ran for a reason that is the instance's: it counts for nothing, unless there is nothing else.
    fn is_elsewhere(self) -> bool {
        matches!(
            self,
            InvocationStatus::Undeliverable | InvocationStatus::AccessDenied | InvocationStatus::InvalidPlatform
        )
    }
}

/// How many invocations have each status.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tally(BTreeMap<InvocationStatus, usize>);

impl Tally {
    pub fn add(&mut self, status: InvocationStatus) {
        *self.0.entry(status).or_default() += 1;
    }

    pub fn remove(&mut self, status: InvocationStatus) {
        if let Some(count) = self.0.get_mut(&status) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&status);
            }
        }
    }

    /// How many have a status of this kind.
    pub fn count(&self, kind: impl Fn(InvocationStatus) -> bool) -> usize {
        self.0.iter().filter(|(status, _)| kind(**status)).map(|(_, count)| count).sum()
    }

    /// Those that any has.
    pub fn statuses(&self) -> impl Iterator<Item = InvocationStatus> {
        self.0.keys().copied()
    }

    fn of(&self, status: InvocationStatus) -> usize {
        self.0.get(&status).copied().unwrap_or(0)
    }

    pub(crate) fn total(&self) -> usize {
        self.0.values().sum()
    }
}

impl FromIterator<InvocationStatus> for Tally {
    fn from_iter<I: IntoIterator<Item = InvocationStatus>>(statuses: I) -> Tally {
        let mut tally = Tally::default();
        statuses.into_iter().for_each(|status| tally.add(status));
        tally
    }
}

/// A command across its instances: AWS's `Status` and `StatusDetails` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CommandStatus {
    Pending,
    InProgress,
    Delayed,
    Cancelling,
    Success,
    Failed,
    ExecutionTimedOut,
    DeliveryTimedOut,
    Incomplete,
    Cancelled,
    /// More instances were targeted than one command may have.
    RateExceeded,
    /// Its sender may not reach what it targets.
    AccessDenied,
    /// No instance matches what was targeted.
    NoInstancesInTag,
}

impl CommandStatus {
    /// AWS's `Status`.
    pub fn status(self) -> &'static str {
        match self {
            CommandStatus::Pending | CommandStatus::Delayed => "Pending",
            CommandStatus::InProgress => "InProgress",
            CommandStatus::Cancelling => "Cancelling",
            CommandStatus::Success | CommandStatus::NoInstancesInTag => "Success",
            CommandStatus::Failed
            | CommandStatus::Incomplete
            | CommandStatus::RateExceeded
            | CommandStatus::AccessDenied => "Failed",
            CommandStatus::ExecutionTimedOut | CommandStatus::DeliveryTimedOut => "TimedOut",
            CommandStatus::Cancelled => "Cancelled",
        }
    }

    /// AWS's `StatusDetails`.
    pub fn details(self) -> &'static str {
        match self {
            CommandStatus::Pending => "Pending",
            CommandStatus::InProgress => "InProgress",
            CommandStatus::Delayed => "Delayed",
            CommandStatus::Cancelling => "Cancelling",
            CommandStatus::Success => "Success",
            CommandStatus::Failed => "Failed",
            CommandStatus::ExecutionTimedOut => "ExecutionTimedOut",
            CommandStatus::DeliveryTimedOut => "DeliveryTimedOut",
            CommandStatus::Incomplete => "Incomplete",
            CommandStatus::Cancelled => "Cancelled",
            CommandStatus::RateExceeded => "RateExceeded",
            CommandStatus::AccessDenied => "AccessDenied",
            CommandStatus::NoInstancesInTag => "NoInstancesInTag",
        }
    }

    pub fn is_terminal(self) -> bool {
        match self {
            CommandStatus::Pending | CommandStatus::InProgress | CommandStatus::Delayed | CommandStatus::Cancelling => {
                false
            }
            CommandStatus::Success
            | CommandStatus::Failed
            | CommandStatus::ExecutionTimedOut
            | CommandStatus::DeliveryTimedOut
            | CommandStatus::Incomplete
            | CommandStatus::Cancelled
            | CommandStatus::RateExceeded
            | CommandStatus::AccessDenied
            | CommandStatus::NoInstancesInTag => true,
        }
    }

    /// The command's status over those of its invocations. `errors_max` is what `MaxErrors` comes to.
    ///
    /// A command has failed when `MaxErrors` or more invocations failed (and at least one); with fewer it is
    /// incomplete. Those that could not be delivered count for neither, unless there is nothing else.
    pub fn of(tally: &Tally, errors_max: usize, cancelled_whole: bool) -> CommandStatus {
        let total = tally.total();
        if tally.count(InvocationStatus::is_terminal) < total {
            return CommandStatus::of_open(tally, cancelled_whole);
        }
        let enough = |count: usize| count >= errors_max.max(1);
        let (failed, cancelled) = (tally.of(InvocationStatus::Failed), tally.of(InvocationStatus::Cancelled));
        let execution_timed_out = tally.of(InvocationStatus::ExecutionTimedOut);
        let elsewhere = tally.count(InvocationStatus::is_elsewhere);
        if tally.of(InvocationStatus::Success) + elsewhere == total {
            return if elsewhere < total { CommandStatus::Success } else { CommandStatus::Failed };
        }
        if cancelled_whole && cancelled > 0 || cancelled == total {
            return CommandStatus::Cancelled;
        }
        if enough(failed) {
            CommandStatus::Failed
        } else if enough(execution_timed_out) {
            CommandStatus::ExecutionTimedOut
        } else if enough(failed + execution_timed_out) {
            CommandStatus::Failed
        } else if enough(tally.of(InvocationStatus::DeliveryTimedOut)) {
            CommandStatus::DeliveryTimedOut
        } else {
            CommandStatus::Incomplete
        }
    }

    fn of_open(tally: &Tally, cancelled_whole: bool) -> CommandStatus {
        let any = |status: InvocationStatus| tally.of(status) > 0;
        if cancelled_whole {
            CommandStatus::Cancelling
        } else if tally.count(InvocationStatus::is_terminal) > 0
            || any(InvocationStatus::InProgress)
            || any(InvocationStatus::Cancelling)
        {
            CommandStatus::InProgress
        } else if any(InvocationStatus::Delayed) {
            CommandStatus::Delayed
        } else {
            CommandStatus::Pending
        }
    }
}

#[cfg(test)]
mod tests {
    use super::InvocationStatus::*;
    use super::*;

    #[test]
    fn a_command_is_as_its_invocations_together() {
        let of = |invocations: &[InvocationStatus], errors_max: usize, cancelled_whole: bool| {
            CommandStatus::of(&invocations.iter().copied().collect(), errors_max, cancelled_whole)
        };
        let check = |invocations: &[InvocationStatus], errors_max: usize, expected: CommandStatus| {
            assert_eq!(of(invocations, errors_max, false), expected, "{invocations:?} {errors_max}");
        };
        check(&[Success, Success], 0, CommandStatus::Success);
        check(&[Success, Failed], 0, CommandStatus::Failed);
        check(&[Success, Failed], 1, CommandStatus::Failed);
        check(&[Success, Failed], 2, CommandStatus::Incomplete);
        check(&[Success, ExecutionTimedOut], 0, CommandStatus::ExecutionTimedOut);
        check(&[Success, DeliveryTimedOut], 0, CommandStatus::DeliveryTimedOut);
        check(&[Failed, ExecutionTimedOut], 2, CommandStatus::Failed);
        check(&[Success, Undeliverable], 0, CommandStatus::Success);
        check(&[Undeliverable, Undeliverable], 0, CommandStatus::Failed);
        check(&[Failed, Terminated], 0, CommandStatus::Failed);
        check(&[Success, Cancelled], 0, CommandStatus::Incomplete);
        check(&[Cancelled, Cancelled], 0, CommandStatus::Cancelled);
        check(&[Pending, Pending], 0, CommandStatus::Pending);
        check(&[Delayed, Pending], 0, CommandStatus::Delayed);
        check(&[Success, Pending], 0, CommandStatus::InProgress);
        check(&[InProgress, Pending], 0, CommandStatus::InProgress);
        check(&[AccessDenied, Undeliverable, InvalidPlatform], 0, CommandStatus::Failed);
        check(&[AccessDenied, InvalidPlatform, Success], 0, CommandStatus::Success);
        check(&[AccessDenied, Failed, Success], 2, CommandStatus::Incomplete);
        assert_eq!(of(&[InProgress, Cancelled], 0, true), CommandStatus::Cancelling);
        assert_eq!(of(&[Success, Cancelled], 0, true), CommandStatus::Cancelled);
    }
}
