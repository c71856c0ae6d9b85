//! What the command ends with: the codes that scripts are written against. Never changed.

use std::process::ExitCode;

use api::error::Class;
use api::{Code, Command, Status};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It worked; the execution that was followed succeeded.
    Ok,
    /// The execution that was followed failed or timed out.
    ExecutionFailed,
    /// Typed wrongly, or a question was answered with no.
    Usage,
    NotFound,
    /// The execution succeeded, but a state was left by a Catch. Only with `--warn-exit`.
    Warning,
    Permission,
    Conflict,
    /// The server could not be reached, did not answer in time, or cannot take it now.
    Unreachable,
    /// It was not waited for long enough; the execution still runs.
    StillRunning,
    /// The execution was stopped.
    Stopped,
    /// What was given does not hold.
    Invalid,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::ExecutionFailed => 1,
            Exit::Usage => 2,
            Exit::NotFound => 3,
            Exit::Warning => 4,
            Exit::Permission => 5,
            Exit::Conflict => 6,
            Exit::Unreachable => 7,
            Exit::StillRunning => 8,
            Exit::Stopped => 9,
            Exit::Invalid => 10,
            Exit::Interrupted => 130,
        }
    }

    /// For an execution that was followed to where it stands.
    pub fn of_status(status: Status) -> Exit {
        match status {
            Status::Running => Exit::StillRunning,
            Status::Succeeded => Exit::Ok,
            Status::Failed | Status::TimedOut => Exit::ExecutionFailed,
            Status::Aborted => Exit::Stopped,
        }
    }

    /// For a command that was followed to where it stands. A command to nobody has not failed; it has not been run
    /// either.
    pub fn of_command(command: &Command) -> Exit {
        match (&*command.status, &*command.status_details) {
            (_, "NoInstancesInTag") => Exit::NotFound,
            ("Success", _) => Exit::Ok,
            ("Cancelled", _) => Exit::Stopped,
            ("Pending" | "InProgress" | "Cancelling", _) => Exit::StillRunning,
            _ => Exit::ExecutionFailed,
        }
    }

    pub fn of_error(code: Code) -> Exit {
        match code.class() {
            Class::Malformed => Exit::Usage,
            Class::Permission => Exit::Permission,
            Class::NotFound => Exit::NotFound,
            Class::Conflict => Exit::Conflict,
            Class::Invalid => Exit::Invalid,
            Class::Unavailable | Class::Unreachable | Class::Internal => Exit::Unreachable,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executions_end_is_the_commands_end() {
        let codes = Status::ALL.map(|status| (status.name(), Exit::of_status(status).code()));
        assert_eq!(codes, [("running", 8), ("succeeded", 0), ("failed", 1), ("timed_out", 1), ("aborted", 9)]);
    }

    #[test]
    fn a_commands_end_is_the_commands_end() {
        let of = |status: &str, status_details: &str| {
            let command = Command {
                id: String::new(),
                document: String::new(),
                comment: String::new(),
                status: status.to_owned(),
                status_details: status_details.to_owned(),
                requested: base::Timestamp(0),
                ended: None,
                invocations: vec![],
            };
            Exit::of_command(&command).code()
        };
        for (status, details, code) in [
            ("Success", "Success", 0),
            ("Success", "NoInstancesInTag", 3),
            ("Failed", "Failed", 1),
            ("Failed", "Incomplete", 1),
            ("TimedOut", "DeliveryTimedOut", 1),
            ("Cancelled", "Cancelled", 9),
            ("InProgress", "InProgress", 8),
        ] {
            assert_eq!(of(status, details), code, "{details}");
        }
    }

    #[test]
    fn errors_end_as_the_manual_says() {
        let table = [
            (Code::Usage, 2),
            (Code::Ambiguous, 2),
            (Code::ExecutionNotFound, 3),
            (Code::Unauthenticated, 5),
            (Code::ExecutionExists, 6),
            (Code::Unreachable, 7),
            (Code::NoSuchRoute, 7),
            (Code::StoreFull, 7),
            (Code::DefinitionInvalid, 10),
        ];
        for (code, exit) in table {
            assert_eq!(Exit::of_error(code).code(), exit, "{code}");
        }
        // 0, 1, 4, 8, 9 and 130 tell of executions and of people, never of errors.
        for &code in Code::ALL {
            assert!([2, 3, 5, 6, 7, 10].contains(&Exit::of_error(code).code()), "{code}");
        }
    }
}
