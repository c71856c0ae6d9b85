//! Run Command and Parameter Store, of Systems Manager.

mod commands;
mod instances;
mod parameters;
pub(crate) mod encode;

use runtime::Page;

use crate::error::Error;
use crate::operation::{Operation, Service};
use crate::shape::{ANY_TEXT, Member, Shape, list, optional, pattern, required, sensitive, text};
use crate::value::Input;

/// `AWS Systems Manager API Reference`, 2014-11-06: the parts that run commands and keep parameters.
pub(crate) const SERVICE: Service = Service {
    name: "ssm",
    target: "AmazonSSM",
    content_type: "application/x-amz-json-1.1",
    sdk: "ssm",
    prefix: "Ssm",
    operations: OPERATIONS,
    later: &[],
    invalid_token: || Error::new("InvalidNextToken", "The specified token is not valid."),
    internal: "InternalServerError",
};

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "SendCommand",
        input: &[
            optional("InstanceIds", list(&INSTANCE_ID, 0, 50)),
            optional("Targets", list(&TARGET, 0, 5)),
            required("DocumentName", pattern(0, usize::MAX, r"^[a-zA-Z0-9_\-.:/]{3,128}$", is_document)),
            optional("DocumentVersion", pattern(0, usize::MAX, "([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$)", is_version)),
            optional("DocumentHash", text(0, 256)),
            optional("DocumentHashType", Shape::Enum(&["Sha256", "Sha1"])),
            optional("TimeoutSeconds", Shape::Integer { min: 30, max: 2_592_000 }),
            optional("Comment", text(0, 100)),
            optional("Parameters", Shape::Map(&TEXTS)),
            optional("OutputS3Region", text(3, 20)),
            optional("OutputS3BucketName", text(3, 63)),
            optional("OutputS3KeyPrefix", text(0, 500)),
            optional(
                "MaxConcurrency",
                pattern(1, 7, "^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$", |text| {
                    fleet::Rate::parse_concurrency(text).is_some()
                }),
            ),
            optional(
                "MaxErrors",
                pattern(1, 7, "^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$", |text| {
                    fleet::Rate::parse_errors(text).is_some()
                }),
            ),
            optional("ServiceRoleArn", ANY_TEXT),
            optional("NotificationConfig", NOTIFICATION),
            optional(
                "CloudWatchOutputConfig",
                Shape::Structure(&[
                    optional("CloudWatchLogGroupName", text(1, 512)),
                    optional("CloudWatchOutputEnabled", Shape::Boolean),
                ]),
            ),
            optional("AlarmConfiguration", Shape::Structure(ALARMS)),
        ],
        run: |call| Box::pin(commands::send(call)),
    },
    Operation {
        name: "CancelCommand",
        input: &[required("CommandId", COMMAND_ID), optional("InstanceIds", list(&INSTANCE_ID, 0, 50))],
        run: |call| Box::pin(commands::cancel(call)),
    },
    Operation {
        name: "ListCommands",
        input: &[
            optional("CommandId", COMMAND_ID),
            optional("InstanceId", INSTANCE_ID),
            optional("MaxResults", Shape::Integer { min: 1, max: 50 }),
            optional("NextToken", ANY_TEXT),
            optional("Filters", list(&FILTER, 1, 5)),
        ],
        run: |call| Box::pin(commands::list(call)),
    },
    Operation {
        name: "ListCommandInvocations",
        input: &[
            optional("CommandId", COMMAND_ID),
            optional("InstanceId", INSTANCE_ID),
            optional("MaxResults", Shape::Integer { min: 1, max: 50 }),
            optional("NextToken", ANY_TEXT),
            optional("Filters", list(&FILTER, 1, 5)),
            optional("Details", Shape::Boolean),
        ],
        run: |call| Box::pin(commands::list_invocations(call)),
    },
    Operation {
        name: "GetCommandInvocation",
        input: &[
            required("CommandId", COMMAND_ID),
            required("InstanceId", INSTANCE_ID),
            optional("PluginName", text(4, usize::MAX)),
        ],
        run: |call| Box::pin(commands::get_invocation(call)),
    },
    Operation {
        name: "DescribeInstanceInformation",
        input: &[
            optional("InstanceInformationFilterList", list(&OLD_INSTANCE_FILTER, 0, usize::MAX)),
            optional("Filters", list(&INSTANCE_FILTER, 0, usize::MAX)),
            optional("MaxResults", Shape::Integer { min: 5, max: 50 }),
            optional("NextToken", ANY_TEXT),
        ],
        run: |call| Box::pin(instances::describe(call)),
    },
    parameters::PUT,
    parameters::GET,
    parameters::GET_MANY,
    parameters::GET_BY_PATH,
    parameters::DELETE,
    parameters::DELETE_MANY,
    parameters::DESCRIBE,
    parameters::HISTORY,
    parameters::LABEL,
    parameters::UNLABEL,
];

const COMMAND_ID: Shape = text(36, 36);
const INSTANCE_ID: Shape = pattern(0, usize::MAX, r"(^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)", is_instance);
const TEXTS: Shape = list(&ANY_TEXT, 0, usize::MAX);
const TARGET: Shape = Shape::Structure(&[optional("Key", text(1, 163)), optional("Values", list(&ANY_TEXT, 0, 50))]);
const FILTER: Shape = Shape::Structure(&[
    required("key", Shape::Enum(&["InvokedAfter", "InvokedBefore", "Status", "ExecutionStage", "DocumentName"])),
    required("value", text(1, 128)),
]);
const NOTIFICATION: Shape = Shape::Structure(&[
    optional("NotificationArn", ANY_TEXT),
    optional(
        "NotificationEvents",
        list(&Shape::Enum(&["All", "InProgress", "Success", "TimedOut", "Cancelled", "Failed"]), 0, usize::MAX),
    ),
    optional("NotificationType", Shape::Enum(&["Command", "Invocation"])),
]);
const ALARMS: &[Member] = &[
    optional("IgnorePollAlarmFailure", Shape::Boolean),
    required("Alarms", list(&Shape::Structure(&[required("Name", sensitive(1, 255))]), 1, 1)),
];
const INSTANCE_FILTER: Shape =
    Shape::Structure(&[required("Key", text(1, usize::MAX)), required("Values", list(&text(1, usize::MAX), 1, 100))]);
const OLD_INSTANCE_FILTER: Shape =
    Shape::Structure(&[required("key", text(1, usize::MAX)), required("valueSet", list(&text(1, usize::MAX), 1, 100))]);

fn is_document(text: &str) -> bool {
    (3..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte))
}

fn is_version(text: &str) -> bool {
    let number = !text.starts_with('0') && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    number || matches!(text, "$LATEST" | "$DEFAULT")
}

fn is_instance(text: &str) -> bool {
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match (text.strip_prefix("i-"), text.strip_prefix("mi-")) {
        (Some(rest), _) => matches!(rest.len(), 8 | 17) && is_word(rest),
        (None, Some(rest)) => rest.len() == 17 && is_word(rest),
        (None, None) => false,
    }
}

/// `MaxResults` and `NextToken`.
fn page(input: &mut Input<'_>) -> Page {
    const USUAL: u32 = 50;
    let limit = input.integer("MaxResults").and_then(|limit| u32::try_from(limit).ok());
    // An empty token asks for the first page, as on AWS.
    Page { limit: limit.unwrap_or(USUAL), token: input.text("NextToken").filter(|token| !token.is_empty()) }
}
