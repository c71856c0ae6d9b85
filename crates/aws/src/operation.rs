//! Services and their operations, as tables.
//!
//! A new operation is one row in its service's table: its name, its members and their constraints, and the
//! function that decodes, calls one use case and encodes. Clients and tasks then reach it alike.

use std::future::Future;
use std::pin::Pin;

use base::{Caller, Id};
use engine::TaskId;
use runtime::executions::{Starter, Waits};
use runtime::{Refusal, Runtime};

use crate::error::Error;
use crate::shape::{self, Member};
use crate::value::{Input, Members};
use crate::write::Writer;

/// One of AWS's services that speak JSON.
#[derive(Debug)]
pub(crate) struct Service {
    /// As in a signature's scope.
    pub name: &'static str,
    /// What `X-Amz-Target` has before the operation's name.
    pub target: &'static str,
    /// `application/x-amz-json-1.0`
    pub content_type: &'static str,
    /// As in `arn:aws:states:::aws-sdk:sfn:startExecution`, and before a task's error names.
    pub sdk: &'static str,
    pub prefix: &'static str,
    pub operations: &'static [Operation],
    /// Operations that AWS has and this version does not.
    pub later: &'static [&'static str],
    pub invalid_token: fn() -> Error,
    /// What an internal failure is called.
    pub internal: &'static str,
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub name: &'static str,
    pub input: &'static [Member],
    pub run: for<'a> fn(Call<'a>) -> Answering<'a>,
}

/// What an operation answers is in the call's writer.
pub(crate) type Answering<'a> = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'a>>;

/// One call of an operation; its input fits the operation's shape.
pub(crate) struct Call<'a> {
    pub runtime: &'a Runtime,
    pub caller: &'a Caller,
    pub input: Input<'a>,
    pub out: &'a mut Writer,
    /// The task that calls, if it is one.
    pub task: Option<Origin>,
}

/// The task that an operation is done for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub execution: Id,
    pub task: TaskId,
    /// Whether it waits for the end of what it starts (`.sync`).
    pub waits: bool,
}

impl Origin {
    /// An identity for what the task makes: the same when the task comes twice.
    pub(crate) fn id(&self, kind: &str) -> String {
        Id::of(kind, &format!("{}/{}", self.execution, self.task)).to_uuid()
    }

    /// As the execution that it starts remembers it.
    pub(crate) fn starter(&self, waits: Option<Waits>) -> Starter {
        Starter { task: fleet::Waiter { execution: self.execution, task: self.task.0 }, waits }
    }
}

/// Why an operation was not done: by the edge, or by the use case.
#[derive(Debug)]
pub(crate) enum Fault {
    Error(Error),
    Refusal(Refusal),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Error(error)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        Fault::Refusal(refusal)
    }
}

impl Service {
    pub(crate) fn operation(&self, name: &str) -> Result<&'static Operation, Error> {
        match self.operations.iter().find(|operation| operation.name == name) {
            Some(operation) => Ok(operation),
            None if self.later.contains(&name) => {
                Err(Error::unknown_operation(format!("{name} is not available in this version of Dandori")))
            }
            None => Err(Error::unknown_operation(format!("The operation {name} is not known"))),
        }
    }

    /// CloudWatch Logs has a name of its own for a request that breaks constraints; the words are the same.
    fn misshapen(&self, error: Error) -> Error {
        match (self.name, &*error.code) {
            ("logs", "ValidationException") => Error { code: "InvalidParameterException".into(), ..error },
            _ => error,
        }
    }

    /// Checks the input and runs the operation.
    pub(crate) async fn run(
        &self,
        operation: &Operation,
        caller: &Caller,
        runtime: &Runtime,
        input: Members<'_>,
        out: &mut Writer,
        task: Option<Origin>,
    ) -> Result<(), Error> {
        shape::check(operation.input, &input).map_err(|error| self.misshapen(error))?;
        let call = Call { runtime, caller, input: Input::new(input), out, task };
        (operation.run)(call).await.map_err(|fault| match fault {
            Fault::Error(error) => error,
            Fault::Refusal(refusal) => Error::of(refusal, self, caller),
        })
    }
}
