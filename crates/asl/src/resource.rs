//! What the `Resource` of a Task means.

use std::sync::Arc;

use base::Arn;

const PARTITIONS: [&str; 3] = ["aws", "aws-cn", "aws-us-gov"];

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
    /// Takes an ARN apart; nothing when it is not one that a Task can run.
    pub fn parse(text: &str) -> Option<Resource> {
        let arn = Arn::parse(text).filter(|arn| PARTITIONS.contains(&arn.partition))?;
        let located = is_word(arn.region) && is_word(arn.account);
        match (arn.service, arn.resource_parts()) {
            ("states", ("activity", name)) if located && is_activity_name(name) => {
                Some(Resource::Activity { arn: text.into() })
            }
            ("states", ("aws-sdk", call)) if is_service(&arn) => sdk(text, call),
            ("states", (service, call)) if is_service(&arn) => optimized(text, service, call),
            ("lambda", ("function", name)) if located && is_function_name(name) => {
                Some(Resource::Lambda { arn: text.into() })
            }
            _ => None,
        }
    }

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

/// What an optimized integration can do besides request and response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Does {
    sync: bool,
    sync2: bool,
    token: bool,
}

const R: Does = Does { sync: false, sync2: false, token: false };
const RS: Does = Does { sync: true, ..R };
const RT: Does = Does { token: true, ..R };
const RST: Does = Does { token: true, ..RS };

/// The optimized integrations: service, action, patterns. `ssm:sendCommand` is ours.
const OPTIMIZED: &[(&str, &str, Does)] = &[
    ("apigateway", "invoke", RT),
    ("athena", "getQueryExecution", R),
    ("athena", "getQueryResults", R),
    ("athena", "startQueryExecution", RS),
    ("athena", "stopQueryExecution", R),
    ("batch", "submitJob", RS),
    ("bedrock", "createModelCustomizationJob", RS),
    ("bedrock", "invokeModel", R),
    ("codebuild", "batchDeleteBuilds", R),
    ("codebuild", "batchGetReports", R),
    ("codebuild", "deleteBuildBatch", R),
    ("codebuild", "retryBuildBatch", RS),
    ("codebuild", "startBuild", RS),
    ("codebuild", "startBuildBatch", RS),
    ("codebuild", "stopBuild", R),
    ("codebuild", "stopBuildBatch", R),
    ("databrew", "startJobRun", RS),
    ("dynamodb", "deleteItem", R),
    ("dynamodb", "getItem", R),
    ("dynamodb", "putItem", R),
    ("dynamodb", "updateItem", R),
    ("ecs", "runTask", RST),
    ("eks", "call", R),
    ("eks", "createCluster", RS),
    ("eks", "createFargateProfile", RS),
    ("eks", "createNodegroup", RS),
    ("eks", "deleteCluster", RS),
    ("eks", "deleteFargateProfile", RS),
    ("eks", "deleteNodegroup", RS),
    ("eks", "runJob", RS),
    ("elasticmapreduce", "addStep", RS),
    ("elasticmapreduce", "cancelStep", R),
    ("elasticmapreduce", "createCluster", RS),
    ("elasticmapreduce", "modifyInstanceFleetByName", R),
    ("elasticmapreduce", "modifyInstanceGroupByName", R),
    ("elasticmapreduce", "setClusterTerminationProtection", R),
    ("elasticmapreduce", "terminateCluster", RS),
    ("emr-containers", "createVirtualCluster", R),
    ("emr-containers", "deleteVirtualCluster", RS),
    ("emr-containers", "startJobRun", RS),
    ("emr-serverless", "cancelJobRun", RS),
    ("emr-serverless", "createApplication", RS),
    ("emr-serverless", "deleteApplication", RS),
    ("emr-serverless", "startApplication", RS),
    ("emr-serverless", "startJobRun", RS),
    ("emr-serverless", "stopApplication", RS),
    ("events", "putEvents", RT),
    ("glue", "startJobRun", RS),
    ("http", "invoke", R),
    ("lambda", "invoke", RT),
    ("mediaconvert", "createJob", RS),
    ("sagemaker", "createEndpoint", R),
    ("sagemaker", "createEndpointConfig", R),
    ("sagemaker", "createHyperParameterTuningJob", RS),
    ("sagemaker", "createLabelingJob", RS),
    ("sagemaker", "createModel", R),
    ("sagemaker", "createProcessingJob", RS),
    ("sagemaker", "createTrainingJob", RS),
    ("sagemaker", "createTransformJob", RS),
    ("sagemaker", "updateEndpoint", R),
    ("sns", "publish", RT),
    ("sqs", "sendMessage", RT),
    ("ssm", "sendCommand", RS),
    ("states", "startExecution", Does { sync2: true, ..RST }),
];

/// `arn:aws:states:::…`: no region and no account.
fn is_service(arn: &Arn) -> bool {
    arn.region.is_empty() && arn.account.is_empty()
}

fn optimized(arn: &str, service: &str, call: &str) -> Option<Resource> {
    let (action, pattern) = take_pattern(call)?;
    let (_, _, does) = OPTIMIZED.iter().find(|(name, does, _)| (*name, *does) == (service, action))?;
    let possible = match pattern {
        Pattern::RequestResponse => true,
        Pattern::Sync => does.sync,
        Pattern::Sync2 => does.sync2,
        Pattern::WaitForTaskToken => does.token,
    };
    possible.then(|| Resource::Service { arn: arn.into(), service: service.into(), action: action.into(), pattern })
}

/// Any action of any service: the agents know which there are.
fn sdk(arn: &str, call: &str) -> Option<Resource> {
    let (service, call) = call.split_once(':')?;
    let (action, pattern) = take_pattern(call)?;
    let possible = match pattern {
        Pattern::RequestResponse | Pattern::WaitForTaskToken => true,
        Pattern::Sync | Pattern::Sync2 => false,
    };
    let sane = is_service_name(service) && is_action_name(action);
    (possible && sane).then(|| Resource::Service {
        arn: arn.into(),
        service: format!("aws-sdk:{service}").into(),
        action: action.into(),
        pattern,
    })
}

fn take_pattern(call: &str) -> Option<(&str, Pattern)> {
    let (action, suffix) = call.split_at(call.find('.').unwrap_or(call.len()));
    let patterns = [Pattern::RequestResponse, Pattern::Sync, Pattern::Sync2, Pattern::WaitForTaskToken];
    let pattern = patterns.into_iter().find(|pattern| pattern.suffix() == suffix)?;
    Some((action, pattern))
}

fn is_service_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_action_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A function's name, maybe with a version or an alias.
fn is_function_name(name: &str) -> bool {
    match name.split_once(':') {
        None => is_word(name),
        Some((name, qualifier)) => is_word(name) && (qualifier == "$LATEST" || is_word(qualifier)),
    }
}

fn is_activity_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(is_banned)
}

/// What no name of AWS's may hold (API reference, `CreateActivity`); a Map's `Label` neither.
pub(crate) fn is_banned(character: char) -> bool {
    character.is_whitespace() || character.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(character)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(arns: &str, expected: Expect) {
        let lines: Vec<String> = arns.lines().map(|arn| describe(arn.trim())).collect();
        expected.assert_eq(&lines.join("\n"));
    }

    fn describe(arn: &str) -> String {
        match Resource::parse(arn) {
            None => "not recognized".into(),
            Some(Resource::Service { service, action, pattern, .. }) => format!("{service} | {action} | {pattern:?}"),
            Some(Resource::Lambda { .. }) => "lambda".into(),
            Some(Resource::Activity { .. }) => "activity".into(),
        }
    }

    #[test]
    fn an_optimized_integration_has_the_patterns_of_its_table() {
        check(
            "arn:aws:states:::lambda:invoke
             arn:aws:states:::lambda:invoke.waitForTaskToken
             arn:aws:states:::lambda:invoke.sync
             arn:aws:states:::states:startExecution.sync:2
             arn:aws:states:::ecs:runTask.sync:2
             arn:aws:states:::ssm:sendCommand.sync
             arn:aws:states:::ssm:sendCommand
             arn:aws:states:::dynamodb:query
             arn:aws:states:::s3:getObject",
            expect![[r#"
                lambda | invoke | RequestResponse
                lambda | invoke | WaitForTaskToken
                not recognized
                states | startExecution | Sync2
                not recognized
                ssm | sendCommand | Sync
                ssm | sendCommand | RequestResponse
                not recognized
                not recognized"#]],
        );
    }

    #[test]
    fn an_sdk_integration_takes_any_service_but_no_sync() {
        check(
            "arn:aws:states:::aws-sdk:ssm:sendCommand
             arn:aws-us-gov:states:::aws-sdk:sfn:startExecution.waitForTaskToken
             arn:aws:states:::aws-sdk:ecs:runTask.sync
             arn:aws:states:::aws-sdk:ecs:RunTask
             arn:aws:states:::aws-sdk:ecs
             arn:aws:states:us-east-1::aws-sdk:ssm:sendCommand
             arn:else:states:::aws-sdk:ssm:sendCommand",
            expect![[r#"
                aws-sdk:ssm | sendCommand | RequestResponse
                aws-sdk:sfn | startExecution | WaitForTaskToken
                not recognized
                not recognized
                not recognized
                not recognized
                not recognized"#]],
        );
    }

    #[test]
    fn functions_and_activities_have_a_place() {
        check(
            "arn:aws:lambda:us-east-1:111111111111:function:f
             arn:aws:lambda:us-east-1:111111111111:function:f:$LATEST
             arn:aws-cn:lambda:cn-north-1:111111111111:function:f:live
             arn:aws:lambda:us-east-1:111111111111:function:
             arn:aws:lambda:us-east-1:111111111111:layer:f
             arn:aws:states:us-east-1:111111111111:activity:a.b
             arn:aws:states:us-east-1:111111111111:activity:a:b
             arn:aws:states:us-east-1:111111111111:stateMachine:m
             createToken
             ",
            expect![[r#"
                lambda
                lambda
                lambda
                not recognized
                not recognized
                activity
                not recognized
                not recognized
                not recognized
                not recognized"#]],
        );
    }
}
