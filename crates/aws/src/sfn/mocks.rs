//! What mocked results are compared with: the answers of services, as AWS publishes them.
//!
//! A result of a service or an operation that is not listed here is let pass, and so is every field that AWS does not
//! list, whatever the mode (recorded). The names of fields are those of AWS's SDK for Java.

use asl::tree::Body;
use asl::{Pattern, Resource};
use base::Json;

use crate::write::capitalized;

/// `fieldValidationMode`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// What is there has to fit, and what AWS always gives has to be there.
    Strict,
    /// What is there has to fit.
    Present,
    None,
}

impl Mode {
    pub(super) fn of(text: Option<&str>) -> Mode {
        match text {
            Some("NONE") => Mode::None,
            Some("PRESENT") => Mode::Present,
            _ => Mode::Strict,
        }
    }
}

#[derive(Debug)]
struct Field {
    name: &'static str,
    /// Whether AWS always gives it.
    always: bool,
    of: Of,
}

#[derive(Debug)]
enum Of {
    /// Times and bytes too.
    Text,
    Number,
    Boolean,
    Enum(&'static [&'static str]),
    List(&'static Of),
    /// Keys are data.
    Map,
    Structure(&'static [Field]),
}

const fn field(name: &'static str, of: Of) -> Field {
    Field { name, always: false, of }
}

const fn text(name: &'static str) -> Field {
    field(name, Of::Text)
}

const fn number(name: &'static str) -> Field {
    field(name, Of::Number)
}

const fn boolean(name: &'static str) -> Field {
    field(name, Of::Boolean)
}

const fn always(field: Field) -> Field {
    Field { always: true, ..field }
}

/// Service, as `aws-sdk` names it; operation; what it answers.
const ANSWERS: &[(&str, &str, &[Field])] = &[
    ("sfn", "StartExecution", &[always(text("ExecutionArn")), always(text("StartDate"))]),
    ("sfn", "StopExecution", &[always(text("StopDate"))]),
    ("sfn", "DescribeExecution", EXECUTION),
    ("eventbridge", "PutEvents", &[number("FailedEntryCount"), field("Entries", Of::List(&Of::Structure(PUT_ENTRY)))]),
    ("sns", "Publish", &[text("MessageId"), text("SequenceNumber")]),
    ("sqs", "SendMessage", SENT_MESSAGE),
    ("lambda", "Invoke", INVOKED),
    ("ssm", "SendCommand", &[field("Command", Of::Structure(COMMAND))]),
    ("ssm", "GetCommandInvocation", INVOCATION),
    ("s3", "GetObject", OBJECT),
    ("s3", "HeadObject", OBJECT),
    ("s3", "PutObject", WRITTEN),
    ("s3", "ListObjectsV2", LISTED),
    ("dynamodb", "GetItem", &[field("Item", Of::Map), field("ConsumedCapacity", Of::Structure(CAPACITY))]),
    ("dynamodb", "PutItem", CHANGED_ITEM),
    ("dynamodb", "UpdateItem", CHANGED_ITEM),
    ("dynamodb", "DeleteItem", CHANGED_ITEM),
    ("kms", "Encrypt", &[text("CiphertextBlob"), text("KeyId"), field("EncryptionAlgorithm", Of::Enum(ALGORITHMS))]),
    ("kms", "Decrypt", &[text("KeyId"), text("Plaintext"), field("EncryptionAlgorithm", Of::Enum(ALGORITHMS))]),
];

const EXECUTION: &[Field] = &[
    always(text("ExecutionArn")),
    always(text("StateMachineArn")),
    text("Name"),
    always(field("Status", Of::Enum(&["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"]))),
    always(text("StartDate")),
    text("StopDate"),
    text("TraceHeader"),
    text("MapRunArn"),
    text("Error"),
    text("Cause"),
    text("StateMachineVersionArn"),
    text("StateMachineAliasArn"),
    number("RedriveCount"),
    text("RedriveDate"),
    text("RedriveStatusReason"),
];

const PUT_ENTRY: &[Field] = &[text("EventId"), text("ErrorCode"), text("ErrorMessage")];

const SENT_MESSAGE: &[Field] = &[
    text("MD5OfMessageBody"),
    text("MD5OfMessageAttributes"),
    text("MD5OfMessageSystemAttributes"),
    text("MessageId"),
    text("SequenceNumber"),
];

/// A payload is whatever the function gave.
const INVOKED: &[Field] = &[number("StatusCode"), text("FunctionError"), text("LogResult"), text("ExecutedVersion")];

const COMMAND: &[Field] = &[
    text("CommandId"),
    text("DocumentName"),
    text("DocumentVersion"),
    text("Comment"),
    text("ExpiresAfter"),
    field("Parameters", Of::Map),
    field("InstanceIds", Of::List(&Of::Text)),
    text("RequestedDateTime"),
    field("Status", Of::Enum(&["Pending", "InProgress", "Success", "Cancelled", "Failed", "TimedOut", "Cancelling"])),
    text("StatusDetails"),
    text("MaxConcurrency"),
    text("MaxErrors"),
    number("TargetCount"),
    number("CompletedCount"),
    number("ErrorCount"),
    number("DeliveryTimedOutCount"),
    number("TimeoutSeconds"),
];

const INVOCATION: &[Field] = &[
    text("CommandId"),
    text("InstanceId"),
    text("Comment"),
    text("DocumentName"),
    text("DocumentVersion"),
    text("PluginName"),
    number("ResponseCode"),
    text("ExecutionStartDateTime"),
    text("ExecutionElapsedTime"),
    text("ExecutionEndDateTime"),
    field(
        "Status",
        Of::Enum(&["Pending", "InProgress", "Delayed", "Success", "Cancelled", "TimedOut", "Failed", "Cancelling"]),
    ),
    text("StatusDetails"),
    text("StandardOutputContent"),
    text("StandardOutputUrl"),
    text("StandardErrorContent"),
    text("StandardErrorUrl"),
];

const OBJECT: &[Field] = &[
    boolean("DeleteMarker"),
    text("AcceptRanges"),
    text("Expiration"),
    text("Restore"),
    text("LastModified"),
    number("ContentLength"),
    text("ETag"),
    number("MissingMeta"),
    text("VersionId"),
    text("CacheControl"),
    text("ContentDisposition"),
    text("ContentEncoding"),
    text("ContentLanguage"),
    text("ContentType"),
    field("ServerSideEncryption", ENCRYPTION),
    field("Metadata", Of::Map),
    text("SSEKMSKeyId"),
    boolean("BucketKeyEnabled"),
    field("StorageClass", STORAGE_CLASS),
    number("PartsCount"),
    number("TagCount"),
];

const WRITTEN: &[Field] = &[
    text("Expiration"),
    text("ETag"),
    field("ServerSideEncryption", ENCRYPTION),
    text("VersionId"),
    text("SSEKMSKeyId"),
    boolean("BucketKeyEnabled"),
];

const ENCRYPTION: Of = Of::Enum(&["AES256", "aws:fsx", "aws:kms", "aws:kms:dsse"]);

const STORAGE_CLASS: Of = Of::Enum(&[
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "GLACIER_IR",
    "SNOW",
    "EXPRESS_ONEZONE",
    "FSX_OPENZFS",
    "FSX_ONTAP",
]);

const LISTED: &[Field] = &[
    boolean("IsTruncated"),
    field("Contents", Of::List(&Of::Structure(&[text("Key"), text("LastModified"), text("ETag"), number("Size")]))),
    text("Name"),
    text("Prefix"),
    text("Delimiter"),
    number("MaxKeys"),
    field("CommonPrefixes", Of::List(&Of::Structure(&[text("Prefix")]))),
    number("KeyCount"),
    text("ContinuationToken"),
    text("NextContinuationToken"),
    text("StartAfter"),
];

const CHANGED_ITEM: &[Field] = &[field("Attributes", Of::Map), field("ConsumedCapacity", Of::Structure(CAPACITY))];

const CAPACITY: &[Field] =
    &[text("TableName"), number("CapacityUnits"), number("ReadCapacityUnits"), number("WriteCapacityUnits")];

const ALGORITHMS: &[&str] = &["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"];

/// Optimized integrations whose services `aws-sdk` names otherwise.
const RENAMED: &[(&str, &str)] = &[("states", "sfn"), ("events", "eventbridge")];

/// AWS's words for a mocked result that the state's task cannot have. What is no definition or no JSON is refused elsewhere.
pub(super) fn check(definition: &str, state: Option<&str>, mode: Mode, result: &str) -> Result<(), String> {
    let (Ok(lone), Ok(result)) = (asl::parse_state(definition, state), Json::parse(result)) else { return Ok(()) };
    let Body::Task(task) = &lone.state.body else { return Ok(()) };
    match answer(&task.resource) {
        Some(fields) if mode != Mode::None => {
            check_fields(fields, mode, &result).map_err(|why| format!("Mock result schema validation error: {why}"))
        }
        _ => Ok(()),
    }
}

/// What a call's result holds. With a pattern, the result is somebody else's.
fn answer(resource: &Resource) -> Option<&'static [Field]> {
    let Resource::Service { service, action, pattern: Pattern::RequestResponse, .. } = resource else { return None };
    let service = service.strip_prefix("aws-sdk:").unwrap_or(service);
    let service = RENAMED.iter().find(|(name, _)| *name == service).map_or(service, |(_, renamed)| *renamed);
    let operation = capitalized(action);
    ANSWERS.iter().find(|(of, name, _)| *of == service && *name == operation).map(|(_, _, fields)| *fields)
}

fn check_fields(fields: &[Field], mode: Mode, given: &Json) -> Result<(), String> {
    for field in fields {
        match given.get(field.name) {
            Some(value) => check_value(field.name, &field.of, mode, value)?,
            None if field.always && mode == Mode::Strict => {
                return Err(format!("Required field '{}' is missing", field.name));
            }
            None => {}
        }
    }
    Ok(())
}

fn check_value(name: &str, of: &Of, mode: Mode, value: &Json) -> Result<(), String> {
    let must_be = |what| Err(format!("Field '{name}' must be {what}"));
    match (of, value) {
        (Of::Text, Json::String(_)) | (Of::Number, Json::Number(_)) | (Of::Boolean, Json::Bool(_)) => Ok(()),
        (Of::Map, Json::Object(_)) => Ok(()),
        (Of::Enum(known), Json::String(text)) if known.contains(&&**text) => Ok(()),
        (Of::Enum(_), Json::String(_)) => Err(format!("Field '{name}' is not an expected value")),
        (Of::List(of), Json::Array(items)) => items.iter().try_for_each(|item| check_value(name, of, mode, item)),
        (Of::Structure(fields), Json::Object(_)) => check_fields(fields, mode, value),
        (Of::Text | Of::Enum(_), _) => must_be("a string"),
        (Of::Number, _) => must_be("a number"),
        (Of::Boolean, _) => must_be("a boolean"),
        (Of::List(_), _) => must_be("an array"),
        (Of::Map | Of::Structure(_), _) => must_be("an object"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn told(resource: &str, mode: Mode, result: &str) -> String {
        let definition = format!(r#"{{"Type":"Task","Resource":"arn:aws:states:::{resource}","End":true}}"#);
        check(&definition, None, mode, result).err().unwrap_or_default()
    }

    #[test]
    fn what_is_there_has_to_fit() {
        let both = |resource: &str, result: &str, expected: &str| {
            for mode in [Mode::Strict, Mode::Present] {
                let told = told(resource, mode, result);
                assert_eq!(told.strip_prefix("Mock result schema validation error: ").unwrap_or(&told), expected);
            }
            assert_eq!(told(resource, Mode::None, result), "");
        };
        both("events:putEvents", r#"{"Entries":"a"}"#, "Field 'Entries' must be an array");
        both("events:putEvents", r#"{"Entries":[{"EventId":"a"},{"EventId":[]}]}"#, "Field 'EventId' must be a string");
        both("events:putEvents", r#"{"other":1}"#, "");
        both("aws-sdk:s3:getObject", r#"{"ContentLength":"9"}"#, "Field 'ContentLength' must be a number");
        both("aws-sdk:s3:getObject", r#"{"StorageClass":"Papyrus"}"#, "Field 'StorageClass' is not an expected value");
        both("lambda:invoke", r#"{"Payload":[1],"StatusCode":200}"#, "");
        both("ssm:sendCommand", r#"{"Command":{"TargetCount":"1"}}"#, "Field 'TargetCount' must be a number");
        both("aws-sdk:ec2:describeInstances", r#"{"Reservations":1}"#, "");
    }

    #[test]
    fn what_aws_always_gives_has_to_be_there_when_strict() {
        let result = r#"{"executionArn":"a"}"#;
        let missing = "Mock result schema validation error: Required field 'ExecutionArn' is missing";
        assert_eq!(told("states:startExecution", Mode::Strict, result), missing);
        assert_eq!(told("aws-sdk:sfn:startExecution", Mode::Strict, result), missing);
        assert_eq!(told("states:startExecution", Mode::Present, result), "");
        assert_eq!(told("states:startExecution.sync", Mode::Strict, result), "");
    }
}
