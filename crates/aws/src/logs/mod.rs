//! CloudWatch Logs: the part that keeps and shows log events.

mod groups;
mod streams;
mod events;

use base::Arn;
use runtime::Page;

use crate::error::Error;
use crate::operation::{Operation, Service};
use crate::shape::{ANY_TEXT, Shape, list, optional, pattern, required, text};
use crate::value::Input;

/// `Amazon CloudWatch Logs API Reference`, 2014-03-28.
pub(crate) const SERVICE: Service = Service {
    name: "logs",
    target: "Logs_20140328",
    content_type: "application/x-amz-json-1.1",
    sdk: "cloudwatchlogs",
    prefix: "CloudWatchLogs",
    operations: OPERATIONS,
    later: LATER,
    invalid_token: || invalid("The specified nextToken is invalid."),
    internal: "ServiceUnavailableException",
};

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "CreateLogGroup",
        input: &[
            required("logGroupName", GROUP),
            optional("kmsKeyId", text(0, 256)),
            optional("tags", TAGS),
            optional("logGroupClass", CLASS),
            optional("deletionProtectionEnabled", Shape::Boolean),
        ],
        run: |call| Box::pin(groups::create(call)),
    },
    Operation {
        name: "DeleteLogGroup",
        input: &[required("logGroupName", GROUP)],
        run: |call| Box::pin(groups::delete(call)),
    },
    Operation {
        name: "DescribeLogGroups",
        input: &[
            optional("accountIdentifiers", list(&ANY_TEXT, 0, 20)),
            optional("logGroupNamePrefix", GROUP),
            optional("logGroupNamePattern", pattern(0, 512, r"[\.\-_/#A-Za-z0-9]*", is_group)),
            optional("nextToken", text(1, usize::MAX)),
            optional("limit", LIMIT),
            optional("includeLinkedAccounts", Shape::Boolean),
            optional("logGroupClass", CLASS),
        ],
        run: |call| Box::pin(groups::describe(call)),
    },
    Operation {
        name: "PutRetentionPolicy",
        input: &[required("logGroupName", GROUP), required("retentionInDays", Shape::Integer { min: 0, max: 36_500 })],
        run: |call| Box::pin(groups::retain(call)),
    },
    Operation {
        name: "DeleteRetentionPolicy",
        input: &[required("logGroupName", GROUP)],
        run: |call| Box::pin(groups::retain(call)),
    },
    Operation {
        name: "TagResource",
        input: &[required("resourceArn", ARN), required("tags", TAGS)],
        run: |call| Box::pin(groups::tag(call)),
    },
    Operation {
        name: "UntagResource",
        input: &[required("resourceArn", ARN), required("tagKeys", TAG_KEYS)],
        run: |call| Box::pin(groups::untag(call)),
    },
    Operation {
        name: "ListTagsForResource",
        input: &[required("resourceArn", ARN)],
        run: |call| Box::pin(groups::tags(call)),
    },
    // The same by the group's name: older clients ask so.
    Operation {
        name: "TagLogGroup",
        input: &[required("logGroupName", GROUP), required("tags", TAGS)],
        run: |call| Box::pin(groups::tag(call)),
    },
    Operation {
        name: "UntagLogGroup",
        input: &[required("logGroupName", GROUP), required("tags", TAG_KEYS)],
        run: |call| Box::pin(groups::untag(call)),
    },
    Operation {
        name: "ListTagsLogGroup",
        input: &[required("logGroupName", GROUP)],
        run: |call| Box::pin(groups::tags(call)),
    },
    Operation {
        name: "CreateLogStream",
        input: &[required("logGroupName", GROUP), required("logStreamName", STREAM)],
        run: |call| Box::pin(streams::create(call)),
    },
    Operation {
        name: "DeleteLogStream",
        input: &[required("logGroupName", GROUP), required("logStreamName", STREAM)],
        run: |call| Box::pin(streams::delete(call)),
    },
    Operation {
        name: "DescribeLogStreams",
        input: &[
            optional("logGroupName", GROUP),
            optional("logGroupIdentifier", IDENTIFIER),
            optional("logStreamNamePrefix", STREAM),
            optional("orderBy", Shape::Enum(&["LogStreamName", "LastEventTime"])),
            optional("descending", Shape::Boolean),
            optional("nextToken", text(1, usize::MAX)),
            optional("limit", LIMIT),
        ],
        run: |call| Box::pin(streams::describe(call)),
    },
    Operation {
        name: "PutLogEvents",
        input: &[
            required("logGroupName", GROUP),
            required("logStreamName", STREAM),
            required("logEvents", list(&LINE, 1, 10_000)),
            optional("sequenceToken", text(1, usize::MAX)),
        ],
        run: |call| Box::pin(events::put(call)),
    },
    Operation {
        name: "GetLogEvents",
        input: &[
            optional("logGroupName", GROUP),
            optional("logGroupIdentifier", IDENTIFIER),
            required("logStreamName", STREAM),
            optional("startTime", TIME),
            optional("endTime", TIME),
            optional("nextToken", text(1, usize::MAX)),
            optional("limit", EVENTS_LIMIT),
            optional("startFromHead", Shape::Boolean),
            optional("unmask", Shape::Boolean),
        ],
        run: |call| Box::pin(events::get(call)),
    },
    Operation {
        name: "FilterLogEvents",
        input: &[
            optional("logGroupName", GROUP),
            optional("logGroupIdentifier", IDENTIFIER),
            optional("logStreamNames", list(&STREAM, 1, 100)),
            optional("logStreamNamePrefix", STREAM),
            optional("startTime", TIME),
            optional("endTime", TIME),
            optional("filterPattern", text(0, 1024)),
            optional("nextToken", text(1, usize::MAX)),
            optional("limit", EVENTS_LIMIT),
            optional("interleaved", Shape::Boolean),
            optional("unmask", Shape::Boolean),
        ],
        run: |call| Box::pin(events::filter(call)),
    },
];

const LATER: &[&str] = &[
    "AssociateKmsKey",
    "CreateExportTask",
    "DeleteMetricFilter",
    "DeleteResourcePolicy",
    "DeleteSubscriptionFilter",
    "DescribeMetricFilters",
    "DescribeQueries",
    "DescribeResourcePolicies",
    "DescribeSubscriptionFilters",
    "DisassociateKmsKey",
    "GetLogGroupFields",
    "GetLogRecord",
    "GetQueryResults",
    "PutMetricFilter",
    "PutResourcePolicy",
    "PutSubscriptionFilter",
    "StartLiveTail",
    "StartQuery",
    "StopQuery",
    "TestMetricFilter",
];

const GROUP: Shape = pattern(1, 512, r"[\.\-_/#A-Za-z0-9]+", is_group);
const STREAM: Shape = pattern(1, 512, "[^:*]*", |text| !text.contains([':', '*']));
const IDENTIFIER: Shape = pattern(1, 2048, r"[\w#+=/:,.@-]*", |text| {
    text.chars().all(|char| char.is_alphanumeric() || "_#+=/:,.@-*".contains(char))
});
const ARN: Shape = text(1, 1011);
const CLASS: Shape = Shape::Enum(&["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"]);
const TIME: Shape = Shape::Integer { min: 0, max: i64::MAX };
const LIMIT: Shape = Shape::Integer { min: 1, max: 50 };
const EVENTS_LIMIT: Shape = Shape::Integer { min: 1, max: 10_000 };
const TAGS: Shape = Shape::Map(&text(0, 256));
const TAG_KEYS: Shape = list(&text(1, 128), 0, 50);
const LINE: Shape = Shape::Structure(&[required("timestamp", TIME), required("message", text(1, usize::MAX))]);

fn is_group(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/#".contains(&byte))
}

fn invalid(why: impl Into<String>) -> Error {
    Error::new("InvalidParameterException", why)
}

/// `limit` and `nextToken`.
fn page(input: &mut Input<'_>, usual: u32) -> Page {
    let limit = input.integer("limit").and_then(|limit| u32::try_from(limit).ok());
    Page { limit: limit.unwrap_or(usual), token: input.text("nextToken") }
}

/// The group that is meant: `logGroupName`, or `logGroupIdentifier`, which is a name or an ARN.
fn group(input: &mut Input<'_>) -> Result<String, Error> {
    match (input.text("logGroupName"), input.text("logGroupIdentifier")) {
        (Some(_), Some(_)) => {
            Err(invalid("LogGroup name and LogGroup ARN are mutually exclusive parameters. Please provide only one."))
        }
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) => Ok(named(&identifier).unwrap_or(identifier)),
        (None, None) => Err(invalid("Either logGroupName or logGroupIdentifier is required.")),
    }
}

/// The name in a log group's ARN.
fn named(arn: &str) -> Option<String> {
    let parsed = Arn::parse(arn).filter(|arn| arn.service == "logs")?;
    let name = parsed.resource.strip_prefix("log-group:")?;
    Some(name.strip_suffix(":*").unwrap_or(name).to_owned())
}
