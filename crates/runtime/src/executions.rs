//! Use cases about executions.

use base::{Caller, Timestamp};
use engine::{Event, Failure};

use crate::page::{Page, Paged};
use crate::refusal::Refusal;
use crate::Runtime;

/// `StartExecution`.
#[derive(Debug, Clone)]
pub struct ExecutionStart {
    pub machine_arn: String,
    /// Made up when not given.
    pub name: Option<String>,
    /// Verbatim text; `{}` when not given.
    pub input: Option<String>,
    pub trace_header: Option<String>,
}

#[derive(Debug, Clone)]
pub struct ExecutionStarted {
    pub arn: String,
    pub started: Timestamp,
}

/// An execution's status, by AWS's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionStatus {
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

impl ExecutionStatus {
    pub const ALL: [ExecutionStatus; 5] = [
        ExecutionStatus::Running,
        ExecutionStatus::Succeeded,
        ExecutionStatus::Failed,
        ExecutionStatus::TimedOut,
        ExecutionStatus::Aborted,
    ];

    /// As on the wire: `TIMED_OUT`.
    pub fn name(self) -> &'static str {
        match self {
            ExecutionStatus::Running => "RUNNING",
            ExecutionStatus::Succeeded => "SUCCEEDED",
            ExecutionStatus::Failed => "FAILED",
            ExecutionStatus::TimedOut => "TIMED_OUT",
            ExecutionStatus::Aborted => "ABORTED",
        }
    }
}

/// `DescribeExecution`.
#[derive(Debug, Clone)]
pub struct Execution {
    pub summary: ExecutionSummary,
    /// The text of the input, as it was given.
    pub input: String,
    pub output: Option<String>,
    pub failure: Option<Failure>,
    pub trace_header: Option<String>,
}

/// One line of `ListExecutions`.
#[derive(Debug, Clone)]
pub struct ExecutionSummary {
    pub arn: String,
    pub machine_arn: String,
    pub name: String,
    pub status: ExecutionStatus,
    pub started: Timestamp,
    pub stopped: Option<Timestamp>,
}

/// Which executions are wanted; newest first.
#[derive(Debug, Clone, Default)]
pub struct ExecutionFilter {
    /// All of the account's machines when not given.
    pub machine_arn: Option<String>,
    pub status: Option<ExecutionStatus>,
}

/// An execution's events as they become durable. Ends after the execution's last.
pub struct Watch {
    pub events: tokio::sync::mpsc::Receiver<Vec<Event>>,
}

impl Runtime {
    /// Starts an execution. The same name and input while it runs give the same execution.
    pub async fn execution_start(&self, caller: &Caller, start: ExecutionStart) -> Result<ExecutionStarted, Refusal> {
        let _ = (caller, start);
        unimplemented!()
    }

    pub async fn execution(&self, caller: &Caller, arn: &str) -> Result<Execution, Refusal> {
        let _ = (caller, arn);
        unimplemented!()
    }

    /// Stops an execution and says when it ended; one that has ended stays as it is.
    pub async fn execution_stop(&self, caller: &Caller, arn: &str, failure: Failure) -> Result<Timestamp, Refusal> {
        let _ = (caller, arn, failure);
        unimplemented!()
    }

    pub async fn execution_list(&self, caller: &Caller, filter: ExecutionFilter, page: Page) -> Result<Paged<ExecutionSummary>, Refusal> {
        let _ = (caller, filter, page);
        unimplemented!()
    }

    /// The history, facts of our own included (see [`Event::is_aws`]); `limit` counts AWS's events.
    pub async fn execution_history(&self, caller: &Caller, arn: &str, reverse: bool, page: Page) -> Result<Paged<Event>, Refusal> {
        let _ = (caller, arn, reverse, page);
        unimplemented!()
    }

    /// Everything that happened and everything that will, until the execution ends.
    pub async fn execution_watch(&self, caller: &Caller, arn: &str) -> Result<Watch, Refusal> {
        let _ = (caller, arn);
        unimplemented!()
    }
}
