//! Task tokens: what whoever does a task's work shows together with its outcome.
//!
//! A token names its execution and its task, so that no index of tokens is needed; the random bits in front of them are
//! compared with those that were recorded, so that it cannot be guessed. Every attempt has a token of its own (Developer
//! Guide, "Wait for a Callback with Task Token").

use std::sync::Arc;

use asl::{Pattern, Resource};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::id::TaskId;
use crate::scope::Chance;

/// What a token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub execution_arn: Arc<str>,
    pub task: TaskId,
}

const SECRET_BYTES: usize = 16;

impl Token {
    /// Takes a token's text apart; nothing when it is not one of ours. Whether it is the right one its execution knows.
    pub fn parse(text: &str) -> Option<Token> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (task, arn) = bytes.get(SECRET_BYTES..)?.split_first_chunk::<8>()?;
        let arn = std::str::from_utf8(arn).ok().filter(|arn| base::Arn::parse(arn).is_some())?;
        Some(Token { execution_arn: arn.into(), task: TaskId(u64::from_be_bytes(*task)) })
    }

    /// The text of a new token.
    pub(crate) fn make(execution_arn: &str, task: TaskId, chance: &Chance) -> Arc<str> {
        let secret = [chance.next().to_be_bytes(), chance.next().to_be_bytes()].concat();
        let bytes = [&secret[..], &task.0.to_be_bytes(), execution_arn.as_bytes()].concat();
        URL_SAFE_NO_PAD.encode(bytes).into()
    }
}

/// Whether a task's outcome is told by somebody who holds a token.
pub(crate) fn has_token(resource: &Resource) -> bool {
    match resource {
        Resource::Service { pattern, .. } => *pattern == Pattern::WaitForTaskToken,
        Resource::Activity { .. } => true,
        Resource::Lambda { .. } => false,
    }
}

/// Whether a Task's `Resource` is an activity, which workers ask for.
pub(crate) fn is_activity(resource: &str) -> bool {
    resource.split(':').nth(5) == Some("activity")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:states:us-east-1:111111111111:execution:net:run";

    #[test]
    fn a_token_names_its_execution_and_its_task() {
        let token = Token::make(ARN, TaskId(7), &Chance::new(1));
        assert_eq!(Token::parse(&token), Some(Token { execution_arn: ARN.into(), task: TaskId(7) }));
        assert_ne!(token, Token::make(ARN, TaskId(7), &Chance::new(2)), "the same task has another token elsewhere");
        for garbage in ["", "NoSuchTaskToken", "あ", &token[2..], &token[..20]] {
            assert_eq!(Token::parse(garbage), None, "{garbage}");
        }
    }
}
