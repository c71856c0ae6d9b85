//! Use cases of whoever holds a task token: the outcome of a task, told from outside.

use base::{Arn, Caller, Json};
use engine::token::Token;
use engine::{Command, Failure};

use crate::machines::owned;
use crate::refusal::{Refusal, TaskRefusal};
use crate::shard::{Ask, Refused};
use crate::{Runtime, keys};

impl Runtime {
    /// `SendTaskSuccess`; `output` is JSON text.
    pub async fn task_succeed(&self, caller: &Caller, token: &str, output: &str) -> Result<(), Refusal> {
        // The token comes first, as AWS tells a call whose token and output are both wrong.
        let named = named(caller, token)?;
        let output = Json::parse(output).map_err(|error| TaskRefusal::InvalidOutput(error.to_string()))?;
        self.task_answer(named, token, Ok(output)).await
    }

    /// `SendTaskFailure`.
    pub async fn task_fail(&self, caller: &Caller, token: &str, failure: Failure) -> Result<(), Refusal> {
        self.task_answer(named(caller, token)?, token, Err(failure)).await
    }

    /// `SendTaskHeartbeat`.
    pub async fn task_heartbeat(&self, caller: &Caller, token: &str) -> Result<(), Refusal> {
        let named = named(caller, token)?;
        let heartbeat = Command::Heartbeat { task: named.task, token: token.into() };
        self.task_ask(named, heartbeat).await
    }

    async fn task_answer(&self, named: Token, token: &str, outcome: Result<Json, Failure>) -> Result<(), Refusal> {
        let answer = Command::Answer { task: named.task, token: token.into(), outcome };
        self.task_ask(named, answer).await
    }

    async fn task_ask(&self, named: Token, command: Command) -> Result<(), Refusal> {
        match self.ask(keys::execution(&named.execution_arn), Ask::Execution(command)).await {
            Ok(_) => Ok(()),
            Err(Refused::Token) => Err(Refusal::InvalidToken),
            Err(Refused::Execution(_)) => Err(TaskRefusal::TaskTimedOut.into()),
            Err(Refused::Missing) => Err(TaskRefusal::TaskDoesNotExist.into()),
            Err(refused) => Err(refused.into()),
        }
    }
}

/// What a token names. Tokens work in the account that they were made in ("Wait for a Callback with Task Token").
fn named(caller: &Caller, token: &str) -> Result<Token, Refusal> {
    let named = Token::parse(token).ok_or(Refusal::InvalidToken)?;
    let ours = Arn::parse(&named.execution_arn).is_some_and(|arn| owned(caller, &arn));
    ours.then_some(named).ok_or(Refusal::InvalidToken)
}
