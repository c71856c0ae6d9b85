//! Run Command, its documents, and Parameter Store, of Systems Manager.

mod commands;
mod activations;
mod documents;
mod instances;
mod parameters;
mod tags;
pub(crate) mod encode;

use runtime::Page;

use crate::error::Error;
use crate::operation::{Operation, Service};
use crate::shape::{ANY_TEXT, Member, Shape, list, optional, pattern, required, text};
use crate::value::Input;

/// `AWS Systems Manager API Reference`, 2014-11-06: the parts that run commands, and keep documents and parameters.
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
    Operation {
        name: "DescribeInstanceProperties",
        input: &[
            optional("InstancePropertyFilterList", list(&PROPERTY_FILTER, 1, 40)),
            optional("FiltersWithOperator", list(&PROPERTY_FILTER_WITH_OPERATOR, 1, 40)),
            optional("MaxResults", Shape::Integer { min: 5, max: 1000 }),
            optional("NextToken", ANY_TEXT),
        ],
        run: |call| Box::pin(instances::properties(call)),
    },
    Operation {
        name: "GetConnectionStatus",
        input: &[required("Target", text(1, 400))],
        run: |call| Box::pin(instances::connection(call)),
    },
    Operation {
        name: "DeregisterManagedInstance",
        input: &[required("InstanceId", MANAGED_INSTANCE_ID)],
        run: |call| Box::pin(instances::deregister(call)),
    },
    Operation {
        name: "UpdateManagedInstanceRole",
        input: &[required("InstanceId", MANAGED_INSTANCE_ID), required("IamRole", text(0, 64))],
        run: |call| Box::pin(instances::change_role(call)),
    },
    Operation {
        name: "CreateActivation",
        input: &[
            optional("Description", text(0, 256)),
            optional("DefaultInstanceName", pattern(0, 256, TAG_PATTERN, is_tag)),
            required("IamRole", text(0, 64)),
            optional("RegistrationLimit", Shape::Integer { min: 1, max: 1000 }),
            optional("ExpirationDate", Shape::Integer { min: 0, max: 253_402_300_799 }),
            optional("Tags", list(&ACTIVATION_TAG, 0, 1000)),
            optional("RegistrationMetadata", list(&REGISTRATION_METADATA, 0, usize::MAX)),
        ],
        run: |call| Box::pin(activations::create(call)),
    },
    Operation {
        name: "DescribeActivations",
        input: &[
            optional("Filters", list(&ACTIVATION_FILTER, 0, usize::MAX)),
            optional("MaxResults", Shape::Integer { min: 1, max: 50 }),
            optional("NextToken", ANY_TEXT),
        ],
        run: |call| Box::pin(activations::describe(call)),
    },
    Operation {
        name: "DeleteActivation",
        input: &[required(
            "ActivationId",
            pattern(0, usize::MAX, "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", is_uuid),
        )],
        run: |call| Box::pin(activations::delete(call)),
    },
    documents::CREATE,
    documents::UPDATE,
    documents::SET_DEFAULT,
    documents::DESCRIBE,
    documents::GET,
    documents::LIST,
    documents::LIST_VERSIONS,
    documents::DELETE,
    documents::SHARE,
    documents::SHARES,
    tags::ADD,
    tags::REMOVE,
    tags::LIST,
];

const COMMAND_ID: Shape = text(36, 36);
const INSTANCE_ID: Shape = pattern(0, usize::MAX, r"(^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)", is_instance);
const TEXTS: Shape = list(&ANY_TEXT, 0, usize::MAX);
const TARGET: Shape = Shape::Structure(&[
    optional(
        "Key",
        pattern(
            1,
            163,
            r"^[\p{L}\p{Z}\p{N}_.:/=\-@]*$|resource-groups:ResourceTypeFilters|resource-groups:Name",
            is_target_key,
        ),
    ),
    optional("Values", list(&ANY_TEXT, 0, 50)),
]);
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
    required(
        "Alarms",
        list(&Shape::Structure(&[required("Name", pattern(1, 255, r"^(?!\s*$).+", is_not_blank))]), 1, 1),
    ),
];
const INSTANCE_FILTER: Shape =
    Shape::Structure(&[required("Key", text(1, usize::MAX)), required("Values", list(&text(1, usize::MAX), 1, 100))]);
const OLD_INSTANCE_FILTER: Shape = Shape::Structure(&[
    required(
        "key",
        Shape::Enum(&[
            "InstanceIds",
            "AgentVersion",
            "PingStatus",
            "PlatformTypes",
            "ActivationIds",
            "IamRole",
            "ResourceType",
            "AssociationStatus",
        ]),
    ),
    required("valueSet", list(&text(1, usize::MAX), 1, 100)),
]);

const PROPERTY_FILTER: Shape = Shape::Structure(&[
    required(
        "key",
        Shape::Enum(&[
            "InstanceIds",
            "AgentVersion",
            "PingStatus",
            "PlatformTypes",
            "DocumentName",
            "ActivationIds",
            "IamRole",
            "ResourceType",
            "AssociationStatus",
        ]),
    ),
    required("valueSet", list(&text(1, 100_000), 1, 40)),
]);
const PROPERTY_FILTER_WITH_OPERATOR: Shape = Shape::Structure(&[
    required("Key", text(1, 100_000)),
    required("Values", list(&text(1, 100_000), 1, 40)),
    optional("Operator", Shape::Enum(&["Equal", "NotEqual", "BeginWith", "LessThan", "GreaterThan"])),
]);
const MANAGED_INSTANCE_ID: Shape =
    pattern(20, 124, r"(^mi-[0-9a-f]{17}$)|(^eks_c:[0-9A-Za-z][A-Za-z0-9\-_]{0,99}_\w{17}$)", is_managed_instance);
const ACTIVATION_FILTER: Shape = Shape::Structure(&[
    optional("FilterKey", Shape::Enum(&["ActivationIds", "DefaultInstanceName", "IamRole"])),
    optional("FilterValues", list(&ANY_TEXT, 0, usize::MAX)),
]);
const TAG_PATTERN: &str = r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$";
const ACTIVATION_TAG: Shape = Shape::Structure(&[
    required("Key", pattern(1, 128, TAG_PATTERN, is_tag)),
    required("Value", pattern(0, 256, TAG_PATTERN, is_tag)),
]);
const REGISTRATION_METADATA: Shape = Shape::Structure(&[
    required("Key", pattern(1, 128, r"^(?!\s*$).+", is_not_blank)),
    required("Value", pattern(1, 2048, r"^(?!\s*$).+", is_not_blank)),
]);

fn is_managed_instance(text: &str) -> bool {
    let digits = text.strip_prefix("mi-");
    digits.is_some_and(|digits| {
        digits.len() == 17 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// As a tag, without its plus sign.
fn is_target_key(text: &str) -> bool {
    is_tag(text) && !text.contains('+')
}

/// What a tag's key and value may be made of.
fn is_tag(text: &str) -> bool {
    text.chars()
        .all(|char| char.is_alphanumeric() || char.is_whitespace() && !char.is_control() || "_.:/=+-@".contains(char))
}

fn is_not_blank(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains('\n')
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}

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
