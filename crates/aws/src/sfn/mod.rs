//! Step Functions.

mod machines;
mod versions;
mod aliases;
mod executions;
mod sync;
mod map_runs;
mod activities;
mod task_results;
mod history;
mod test_state;
mod mocks;
mod validate;

pub use history::log_event;

use runtime::Page;

use crate::error::Error;
use crate::operation::{Operation, Service};
use crate::shape::{ANY_TEXT, Member, Shape, list, optional, pattern, required, sensitive, text};
use crate::value::Input;

/// `AWS Step Functions API Reference`, 2016-11-23.
pub(crate) const SERVICE: Service = Service {
    name: "states",
    target: "AWSStepFunctions",
    content_type: "application/x-amz-json-1.0",
    sdk: "sfn",
    prefix: "Sfn",
    operations: OPERATIONS,
    later: LATER,
    invalid_token: || Error::new("InvalidToken", "Invalid Token: 'Invalid token'"),
    internal: "InternalFailure",
};

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "StartExecution",
        input: &[
            required("stateMachineArn", ARN),
            optional("name", NAME),
            optional("input", DATA),
            optional("traceHeader", TRACE_HEADER),
        ],
        run: |call| Box::pin(executions::start(call)),
    },
    Operation {
        name: "DescribeExecution",
        input: &[required("executionArn", ARN), optional("includedData", INCLUDED_DATA)],
        run: |call| Box::pin(executions::describe(call)),
    },
    Operation {
        name: "GetExecutionHistory",
        input: &[
            required("executionArn", ARN),
            optional("maxResults", PAGE_SIZE),
            optional("reverseOrder", Shape::Boolean),
            optional("nextToken", text(1, 1024)),
            optional("includeExecutionData", Shape::Boolean),
        ],
        run: |call| Box::pin(executions::history(call)),
    },
    Operation {
        name: "ListExecutions",
        input: &[
            optional("stateMachineArn", ARN),
            optional(
                "statusFilter",
                Shape::Enum(&["SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"]),
            ),
            optional("maxResults", PAGE_SIZE),
            optional("nextToken", text(1, 3096)),
            optional("mapRunArn", LONG_ARN),
            optional("redriveFilter", Shape::Enum(&["REDRIVEN", "NOT_REDRIVEN"])),
        ],
        run: |call| Box::pin(executions::list(call)),
    },
    Operation {
        name: "RedriveExecution",
        input: &[required("executionArn", ARN), optional("clientToken", CLIENT_TOKEN)],
        run: |call| Box::pin(executions::redrive(call)),
    },
    Operation {
        name: "DescribeMapRun",
        input: &[required("mapRunArn", LONG_ARN)],
        run: |call| Box::pin(map_runs::describe(call)),
    },
    Operation {
        name: "ListMapRuns",
        input: &[
            required("executionArn", ARN),
            optional("maxResults", PAGE_SIZE),
            optional("nextToken", text(1, 1024)),
        ],
        run: |call| Box::pin(map_runs::list(call)),
    },
    Operation {
        name: "UpdateMapRun",
        input: &[
            required("mapRunArn", LONG_ARN),
            optional("maxConcurrency", Shape::Integer { min: 0, max: i64::MAX }),
            // A number with a fraction, which is looked at once more.
            optional("toleratedFailurePercentage", Shape::Integer { min: 0, max: 100 }),
            optional("toleratedFailureCount", Shape::Integer { min: 0, max: i64::MAX }),
        ],
        run: |call| Box::pin(map_runs::update(call)),
    },
    Operation {
        name: "StopExecution",
        input: &[
            required("executionArn", ARN),
            optional("error", sensitive(0, 256)),
            optional("cause", sensitive(0, 32_768)),
        ],
        run: |call| Box::pin(executions::stop(call)),
    },
    Operation {
        name: "CreateStateMachine",
        input: &[
            required("name", NAME),
            required("definition", DEFINITION),
            required("roleArn", ARN),
            optional("type", Shape::Enum(&["STANDARD", "EXPRESS"])),
            optional("loggingConfiguration", LOGGING),
            optional("tags", TAGS),
            optional("tracingConfiguration", TRACING),
            optional("publish", Shape::Boolean),
            optional("versionDescription", DESCRIPTION),
            optional("encryptionConfiguration", ENCRYPTION),
        ],
        run: |call| Box::pin(machines::create(call)),
    },
    Operation {
        name: "DescribeStateMachine",
        input: &[required("stateMachineArn", ARN), optional("includedData", INCLUDED_DATA)],
        run: |call| Box::pin(machines::describe(call)),
    },
    Operation {
        name: "DescribeStateMachineForExecution",
        input: &[required("executionArn", ARN), optional("includedData", INCLUDED_DATA)],
        run: |call| Box::pin(machines::describe_for_execution(call)),
    },
    Operation {
        name: "UpdateStateMachine",
        input: &[
            required("stateMachineArn", ARN),
            optional("definition", DEFINITION),
            optional("roleArn", ARN),
            optional("loggingConfiguration", LOGGING),
            optional("tracingConfiguration", TRACING),
            optional("publish", Shape::Boolean),
            optional("versionDescription", DESCRIPTION),
            optional("encryptionConfiguration", ENCRYPTION),
        ],
        run: |call| Box::pin(machines::update(call)),
    },
    Operation {
        name: "DeleteStateMachine",
        input: &[required("stateMachineArn", ARN)],
        run: |call| Box::pin(machines::delete(call)),
    },
    Operation {
        name: "ListStateMachines",
        input: &[optional("maxResults", PAGE_SIZE), optional("nextToken", text(1, 1024))],
        run: |call| Box::pin(machines::list(call)),
    },
    Operation {
        name: "PublishStateMachineVersion",
        input: &[
            required("stateMachineArn", ARN),
            optional("revisionId", ANY_TEXT),
            optional("description", DESCRIPTION),
        ],
        run: |call| Box::pin(versions::publish(call)),
    },
    Operation {
        name: "ListStateMachineVersions",
        input: &[
            required("stateMachineArn", ARN),
            optional("nextToken", text(1, 1024)),
            optional("maxResults", PAGE_SIZE),
        ],
        run: |call| Box::pin(versions::list(call)),
    },
    Operation {
        name: "DeleteStateMachineVersion",
        input: &[required("stateMachineVersionArn", LONG_ARN)],
        run: |call| Box::pin(versions::delete(call)),
    },
    Operation {
        name: "CreateStateMachineAlias",
        input: &[
            optional("description", DESCRIPTION),
            required("name", ALIAS_NAME),
            required("routingConfiguration", ROUTING),
        ],
        run: |call| Box::pin(aliases::create(call)),
    },
    Operation {
        name: "UpdateStateMachineAlias",
        input: &[
            required("stateMachineAliasArn", ARN),
            optional("description", DESCRIPTION),
            optional("routingConfiguration", ROUTING),
        ],
        run: |call| Box::pin(aliases::update(call)),
    },
    Operation {
        name: "DescribeStateMachineAlias",
        input: &[required("stateMachineAliasArn", ARN)],
        run: |call| Box::pin(aliases::describe(call)),
    },
    Operation {
        name: "DeleteStateMachineAlias",
        input: &[required("stateMachineAliasArn", ARN)],
        run: |call| Box::pin(aliases::delete(call)),
    },
    Operation {
        name: "ListStateMachineAliases",
        input: &[
            required("stateMachineArn", ARN),
            optional("nextToken", text(1, 1024)),
            optional("maxResults", PAGE_SIZE),
        ],
        run: |call| Box::pin(aliases::list(call)),
    },
    Operation {
        name: "TagResource",
        input: &[required("resourceArn", ARN), required("tags", TAGS)],
        run: |call| Box::pin(machines::tag(call)),
    },
    Operation {
        name: "UntagResource",
        input: &[required("resourceArn", ARN), required("tagKeys", list(&TAG_KEY, 0, usize::MAX))],
        run: |call| Box::pin(machines::untag(call)),
    },
    Operation {
        name: "ListTagsForResource",
        input: &[required("resourceArn", ARN)],
        run: |call| Box::pin(machines::tags(call)),
    },
    Operation {
        name: "ValidateStateMachineDefinition",
        input: validate::MEMBERS,
        run: |call| Box::pin(validate::validate(call)),
    },
    Operation {
        name: "CreateActivity",
        input: &[required("name", NAME), optional("tags", TAGS), optional("encryptionConfiguration", ENCRYPTION)],
        run: |call| Box::pin(activities::create(call)),
    },
    Operation {
        name: "DescribeActivity",
        input: &[required("activityArn", ARN)],
        run: |call| Box::pin(activities::describe(call)),
    },
    Operation {
        name: "DeleteActivity",
        input: &[required("activityArn", ARN)],
        run: |call| Box::pin(activities::delete(call)),
    },
    Operation {
        name: "ListActivities",
        input: &[optional("maxResults", PAGE_SIZE), optional("nextToken", text(1, 1024))],
        run: |call| Box::pin(activities::list(call)),
    },
    Operation {
        name: "GetActivityTask",
        input: &[required("activityArn", ARN), optional("workerName", NAME)],
        run: |call| Box::pin(activities::task(call)),
    },
    Operation {
        name: "SendTaskSuccess",
        input: &[required("taskToken", TASK_TOKEN), required("output", DATA)],
        run: |call| Box::pin(task_results::success(call)),
    },
    Operation {
        name: "SendTaskFailure",
        input: &[
            required("taskToken", TASK_TOKEN),
            optional("error", sensitive(0, 256)),
            optional("cause", sensitive(0, 32_768)),
        ],
        run: |call| Box::pin(task_results::failure(call)),
    },
    Operation {
        name: "SendTaskHeartbeat",
        input: &[required("taskToken", TASK_TOKEN)],
        run: |call| Box::pin(task_results::heartbeat(call)),
    },
    Operation {
        name: "StartSyncExecution",
        input: &[
            required("stateMachineArn", ARN),
            optional("name", NAME),
            optional("input", DATA),
            optional("traceHeader", TRACE_HEADER),
            optional("includedData", INCLUDED_DATA),
        ],
        run: |call| Box::pin(sync::start(call)),
    },
    Operation { name: "TestState", input: test_state::MEMBERS, run: |call| Box::pin(test_state::test_state(call)) },
];

/// `StartExecution`, for tasks that reach it by its own integration.
pub(crate) fn execution_start() -> &'static Operation {
    &OPERATIONS[0]
}

const LATER: &[&str] = &[];

const ARN: Shape = text(1, 256);
const LONG_ARN: Shape = text(1, 2000);
const NAME: Shape = text(1, 80);
const ALIAS_NAME: Shape = pattern(1, 80, r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$", is_alias_name);
const DESCRIPTION: Shape = sensitive(0, 256);
const ROUTING: Shape = list(&ROUTE, 1, 2);
const ROUTE: Shape = Shape::Record { name: "RoutingConfigurationListItem", members: ROUTE_MEMBERS };
const ROUTE_MEMBERS: &[Member] =
    &[required("stateMachineVersionArn", ARN), required("weight", Shape::Integer { min: 0, max: 100 })];
/// What is checked only: nothing at all is a finding like others.
const DEFINITION_OR_NOTHING: Shape = sensitive(0, base::limits::DEFINITION_BYTES_MAX);
const DEFINITION: Shape = sensitive(1, base::limits::DEFINITION_BYTES_MAX);
const TASK_TOKEN: Shape = sensitive(1, 2048);
const DATA: Shape = sensitive(0, base::limits::PAYLOAD_BYTES_MAX);
const TRACE_HEADER: Shape = pattern(0, 256, r"\p{ASCII}*", str::is_ascii);
const CLIENT_TOKEN: Shape = pattern(1, 64, "[!-~]+", is_client_token);
const INCLUDED_DATA: Shape = Shape::Enum(&["ALL_DATA", "METADATA_ONLY"]);
const PAGE_SIZE: Shape = Shape::Integer { min: 0, max: 1000 };
const TAG_KEY: Shape = text(1, 128);
const TAG: Shape = Shape::Structure(&[optional("key", TAG_KEY), optional("value", text(0, 256))]);
const TAGS: Shape = list(&TAG, 0, usize::MAX);
const TRACING: Shape = Shape::Structure(&[optional("enabled", Shape::Boolean)]);
const ENCRYPTION: Shape = Shape::Structure(ENCRYPTION_MEMBERS);
const ENCRYPTION_MEMBERS: &[Member] = &[
    optional("kmsKeyId", text(1, 2048)),
    optional("kmsDataKeyReusePeriodSeconds", Shape::Integer { min: 60, max: 900 }),
    required("type", Shape::Enum(&["AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY"])),
];
const LOGGING: Shape = Shape::Structure(&[
    optional("level", Shape::Enum(&["ALL", "ERROR", "FATAL", "OFF"])),
    optional("includeExecutionData", Shape::Boolean),
    optional("destinations", list(&DESTINATION, 0, usize::MAX)),
]);
const DESTINATION: Shape =
    Shape::Structure(&[optional("cloudWatchLogsLogGroup", Shape::Structure(&[optional("logGroupArn", ARN)]))]);

/// Letters, digits, `_`, `-`, `.`; not digits alone, so that no alias looks like a version.
fn is_alias_name(name: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphabetic() || b"_-.".contains(&byte);
    name.bytes().all(|byte| byte.is_ascii_digit() || sign(byte)) && name.bytes().any(sign)
}

fn is_client_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `maxResults` and `nextToken`; 0 means as many as is usual.
fn page(input: &mut Input<'_>) -> Page {
    const USUAL: u32 = 100;
    let limit = input.integer("maxResults").and_then(|limit| u32::try_from(limit).ok()).filter(|limit| *limit > 0);
    Page { limit: limit.unwrap_or(USUAL), token: input.text("nextToken") }
}

/// Whether the caller wants only what is not a payload.
fn metadata_only(input: &mut Input<'_>) -> bool {
    input.text("includedData").as_deref() == Some("METADATA_ONLY")
}
