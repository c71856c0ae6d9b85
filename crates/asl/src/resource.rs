//! What the `Resource` of a Task means.

use std::sync::Arc;

/// A Task's target, taken apart once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// `arn:aws:states:::SERVICE:ACTION[.PATTERN]`, also `aws-sdk:SERVICE:ACTION`.
    Service {
        arn: Arc<str>,
        /// `ssm`, `aws-sdk:ssm`: the history's `resourceType`.
        service: Arc<str>,
        /// `sendCommand`, without the pattern.
        action: Arc<str>,
        pattern: Pattern,
    },
    /// `arn:aws:lambda:…:function:NAME`
    Lambda { arn: Arc<str> },
    /// `arn:aws:states:REGION:ACCOUNT:activity:NAME`
    Activity { arn: Arc<str> },
}

/// How long a service task takes part in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// The answer is the result.
    RequestResponse,
    /// `.sync`: the job's end is the result.
    Sync,
    /// `.sync:2`: the same with parsed output.
    Sync2,
    /// `.waitForTaskToken`: whoever holds the token gives the result.
    WaitForTaskToken,
}

impl Resource {
    /// The whole ARN, as written.
    pub fn arn(&self) -> &Arc<str> {
        match self {
            Resource::Service { arn, .. } | Resource::Lambda { arn } | Resource::Activity { arn } => arn,
        }
    }
}

impl Pattern {
    /// The suffix in the ARN, with its dot; empty for request-response.
    pub fn suffix(self) -> &'static str {
        match self {
            Pattern::RequestResponse => "",
            Pattern::Sync => ".sync",
            Pattern::Sync2 => ".sync:2",
            Pattern::WaitForTaskToken => ".waitForTaskToken",
        }
    }
}
