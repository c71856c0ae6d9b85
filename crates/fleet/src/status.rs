//! Where an invocation and a command stand, in AWS's words.

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
}

impl InvocationStatus {
    pub fn of(outcome: &Outcome) -> InvocationStatus {
        let code = match &outcome.ended {
            Ended::ExitCode(0) => return InvocationStatus::Success,
            Ended::ExitCode(_) => return InvocationStatus::Failed,
            Ended::Failure(failure) => failure.code,
        };
        match code {
            FailureCode::TimedOut => InvocationStatus::ExecutionTimedOut,
            FailureCode::DeliveryTimedOut => InvocationStatus::DeliveryTimedOut,
            FailureCode::Cancelled => InvocationStatus::Cancelled,
            FailureCode::Terminated => InvocationStatus::Terminated,
            FailureCode::Undeliverable => InvocationStatus::Undeliverable,
            FailureCode::ExitCode
            | FailureCode::Killed
            | FailureCode::Indeterminate
            | FailureCode::ScriptMissing
            | FailureCode::NotExecutable
            | FailureCode::WorkingDirectoryMissing
            | FailureCode::StartFailed
            | FailureCode::AccessDenied
            | FailureCode::UserMissing
            | FailureCode::ContentMissing
            | FailureCode::LimitExceeded
            | FailureCode::Abnormal
            | FailureCode::InvalidPlatform
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
            InvocationStatus::Failed | InvocationStatus::Undeliverable => "Failed",
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
            | InvocationStatus::Terminated => true,
        }
    }

    /// Whether it counts towards `MaxErrors` and `ErrorCount`.
    pub fn is_error(self) -> bool {
        matches!(self, InvocationStatus::Failed | InvocationStatus::ExecutionTimedOut)
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
}

impl CommandStatus {
    /// AWS's `Status`.
    pub fn status(self) -> &'static str {
        match self {
            CommandStatus::Pending | CommandStatus::Delayed => "Pending",
            CommandStatus::InProgress => "InProgress",
            CommandStatus::Cancelling => "Cancelling",
            CommandStatus::Success => "Success",
            CommandStatus::Failed | CommandStatus::Incomplete => "Failed",
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
            | CommandStatus::Cancelled => true,
        }
    }

    /// The command's status over those of its invocations. `errors_max` is what `MaxErrors` comes to.
    ///
    /// A command has failed when `MaxErrors` or more invocations failed (and at least one); with fewer it is
    /// incomplete. Those that could not be delivered count for neither, unless there is nothing else.
    pub fn of(invocations: &[InvocationStatus], errors_max: usize, cancelled_whole: bool) -> CommandStatus {
        let count = |status: InvocationStatus| invocations.iter().filter(|one| **one == status).count();
        let all_terminal = invocations.iter().all(|status| status.is_terminal());
        if !all_terminal {
            return CommandStatus::of_open(invocations, cancelled_whole);
        }
        let enough = |count: usize| count >= errors_max.max(1);
        let failed = count(InvocationStatus::Failed);
        let execution_timed_out = count(InvocationStatus::ExecutionTimedOut);
        let undeliverable = count(InvocationStatus::Undeliverable);
        if count(InvocationStatus::Success) + undeliverable == invocations.len() {
            let success = undeliverable < invocations.len();
            return if success { CommandStatus::Success } else { CommandStatus::Failed };
        }
        if cancelled_whole && count(InvocationStatus::Cancelled) > 0
            || count(InvocationStatus::Cancelled) == invocations.len()
        {
            return CommandStatus::Cancelled;
        }
        if enough(failed) {
            CommandStatus::Failed
        } else if enough(execution_timed_out) {
            CommandStatus::ExecutionTimedOut
        } else if enough(failed + execution_timed_out) {
            CommandStatus::Failed
        } else if enough(count(InvocationStatus::DeliveryTimedOut)) {
            CommandStatus::DeliveryTimedOut
        } else {
            CommandStatus::Incomplete
        }
    }

    fn of_open(invocations: &[InvocationStatus], cancelled_whole: bool) -> CommandStatus {
        let any = |status: InvocationStatus| invocations.contains(&status);
        if cancelled_whole {
            CommandStatus::Cancelling
        } else if invocations.iter().any(|status| status.is_terminal())
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
        let check = |invocations: &[InvocationStatus], errors_max: usize, expected: CommandStatus| {
            assert_eq!(CommandStatus::of(invocations, errors_max, false), expected, "{invocations:?} {errors_max}");
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
        assert_eq!(CommandStatus::of(&[InProgress, Cancelled], 0, true), CommandStatus::Cancelling);
        assert_eq!(CommandStatus::of(&[Success, Cancelled], 0, true), CommandStatus::Cancelled);
    }
}
