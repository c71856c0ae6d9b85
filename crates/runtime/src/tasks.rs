//! The port through which tasks reach services.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use base::{Caller, Id, Json};
use engine::{Failure, TaskId};

use crate::Runtime;
use crate::executions::{Execution, Waits};

/// One attempt at a task. May come twice after a crash: what it starts must carry an identity made of
/// `execution` and `task`, so that starting it twice is starting it once.
#[derive(Debug, Clone)]
pub struct TaskCall {
    /// The account and region of the execution.
    pub caller: Caller,
    pub execution: Id,
    pub execution_arn: Arc<str>,
    pub task: TaskId,
    pub resource: asl::Resource,
    pub parameters: Json,
    pub credentials: Option<Json>,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskReply {
    Succeeded(Json),
    Failed(Failure),
    /// A job was started (`.sync`); its end will be told by other means.
    Submitted(Json),
    /// This server cannot say whether it was done, or has no room for it now: call again. Nothing is done twice,
    /// because what the call starts carries its identity.
    Again,
}

pub type Replying<'a> = Pin<Box<dyn Future<Output = TaskReply> + Send + 'a>>;

/// Whoever performs tasks. Implemented at the edge, so that a task goes through the same decoding as a client.
pub trait TaskPort: Send + Sync + 'static {
    fn call<'a>(&'a self, runtime: &'a Runtime, call: TaskCall) -> Replying<'a>;

    /// Nobody waits for this task any more: cancel its job if that can be done.
    fn abandon<'a>(&'a self, runtime: &'a Runtime, call: TaskCall) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

    /// What a `.sync` task gives when the command that it started has ended.
    fn command_ended(&self, run: &fleet::Run) -> Result<Json, Failure>;

    /// What a `.sync` task gives when the execution that it started has ended: by itself the output, or the failure.
    fn execution_ended(&self, execution: &Execution, _: Waits) -> Result<Json, Failure> {
        match (&execution.output, &execution.failure) {
            (Some(output), _) => Ok(Json::parse(output).unwrap_or_default()),
            (None, failure) => Err(failure.clone().unwrap_or_default()),
        }
    }
}
