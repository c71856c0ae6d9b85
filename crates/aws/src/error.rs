//! Refusals in AWS's codes and words.

use std::borrow::Cow;

use base::Caller;
use runtime::Refusal;
use runtime::refusal::{
    CommandRefusal, DocumentRefusal, EnrolmentRefusal, LogRefusal, ParameterRefusal, TaskRefusal, ValidationReason,
};

use crate::operation::Service;

/// What a client, or a task, is told instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    pub status: u16,
    pub code: Cow<'static, str>,
    /// Some errors of Run Command say no more than their name.
    pub message: Option<String>,
    /// The member `resourceName` that a few errors have.
    pub resource: Option<String>,
    /// The member `reason` that some validation errors have.
    pub reason: Option<&'static str>,
}

impl Error {
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Error {
        Error { status: 400, code: code.into(), message: Some(message.into()), resource: None, reason: None }
    }

    pub(crate) fn bare(code: &'static str) -> Error {
        Error { status: 400, code: code.into(), message: None, resource: None, reason: None }
    }

    pub(crate) fn with_status(self, status: u16) -> Error {
        Error { status, ..self }
    }

    fn about(self, resource: String) -> Error {
        Error { resource: Some(resource), ..self }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Error {
        Error::new("ValidationException", message)
    }

    pub(crate) fn serialization(message: impl Into<String>) -> Error {
        Error::new("SerializationException", message)
    }

    pub(crate) fn unknown_operation(message: impl Into<String>) -> Error {
        Error::new("UnknownOperationException", message)
    }

    /// What `refusal` is called in `service`.
    pub(crate) fn of(refusal: Refusal, service: &Service, caller: &Caller) -> Error {
        match refusal {
            Refusal::InvalidArn(why) => Error::new("InvalidArn", format!("Invalid Arn: '{why}'")),
            Refusal::InvalidRoleArn(arn) => Error::new("InvalidArn", format!("Invalid Role Arn: '{arn}'")),
            Refusal::InvalidName(name) => Error::new("InvalidName", format!("Invalid Name: '{name}'")),
            Refusal::InvalidDefinition(diagnostics) => {
                Error::new("InvalidDefinition", asl::diagnostic::refusal(&diagnostics))
            }
            Refusal::InvalidExecutionInput(why) => {
                Error::new("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{why}'"))
            }
            Refusal::InvalidLoggingConfiguration(why) => {
                Error::new("InvalidLoggingConfiguration", format!("Invalid Logging Configuration: {why}"))
            }
            Refusal::InvalidTracingConfiguration(why) => {
                Error::new("InvalidTracingConfiguration", format!("Invalid Tracing Configuration: {why}"))
            }
            Refusal::InvalidEncryptionConfiguration(why) => {
                Error::new("InvalidEncryptionConfiguration", format!("Invalid Encryption Configuration: {why}"))
            }
            Refusal::InvalidToken => (service.invalid_token)(),
            Refusal::MissingRequiredParameter => Error::new(
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified",
            ),
            Refusal::StateMachineDoesNotExist(arn) => {
                Error::new("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'"))
            }
            Refusal::StateMachineAlreadyExists(arn) => {
                Error::new("StateMachineAlreadyExists", format!("State Machine Already Exists: '{arn}'"))
            }
            Refusal::StateMachineDeleting(arn) => {
                Error::new("StateMachineDeleting", format!("State Machine Deleting: '{arn}'"))
            }
            Refusal::StateMachineLimitExceeded => Error::new(
                "StateMachineLimitExceeded",
                "The maximum number of state machines has been reached. Existing state machines must be deleted before a new state machine can be created.",
            ),
            Refusal::StateMachineTypeNotSupported => Error::new(
                "StateMachineTypeNotSupported",
                "This operation is not supported by this type of state machine",
            ),
            Refusal::ExecutionDoesNotExist(arn) => {
                Error::new("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
            }
            Refusal::ExecutionAlreadyExists(arn) => {
                Error::new("ExecutionAlreadyExists", format!("Execution Already Exists: '{arn}'"))
            }
            Refusal::ExecutionNotRedrivable(reason) => {
                Error::new("ExecutionNotRedrivable", format!("Execution Not Redrivable: '{reason}'"))
            }
            Refusal::ExecutionLimitExceeded => Error::new(
                "ExecutionLimitExceeded",
                "The maximum number of running executions has been reached. Running executions must end or be stopped before a new execution can be started.",
            ),
            Refusal::ResourceNotFound(arn) => {
                Error::new("ResourceNotFound", format!("Resource not found: '{arn}'")).about(arn)
            }
            Refusal::TooManyTags(arn) => {
                Error::new("TooManyTags", "You've exceeded the number of tags allowed for a resource.").about(arn)
            }
            Refusal::ReferenceNotFound => {
                Error::new("ResourceNotFound", "Request references a resource that does not exist.")
            }
            Refusal::Conflict(why) => Error::new("ConflictException", why),
            Refusal::QuotaExceeded(why) => Error::new("ServiceQuotaExceededException", why).with_status(402),
            Refusal::Validation(why) => Error::validation(why),
            Refusal::ValidationFor { reason, why } => {
                Error { reason: Some(reason_name(reason)), ..Error::validation(why) }
            }
            Refusal::Task(refusal) => of_task(refusal),
            Refusal::Command(refusal) => of_command(refusal, caller),
            Refusal::Enrolment(refusal) => of_enrolment(refusal),
            // Names and groups of agents are ours: AWS has no words for them.
            Refusal::Agent(refusal) => Error::validation(refusal.to_string()),
            Refusal::Log(refusal) => of_log(refusal),
            Refusal::Parameter(refusal) => of_parameter(&refusal),
            Refusal::Document(refusal) => of_document(&refusal),
            Refusal::Full => Error::new(
                "ServiceUnavailable",
                "There is no room for new work. What has been accepted goes on; try again later.",
            )
            .with_status(503),
            Refusal::Unknown => {
                Error::new("ServiceUnavailable", "It is not known whether the request was carried out. Try again.")
                    .with_status(503)
            }
            Refusal::Internal(source) => {
                tracing::error!(error = &*source as &dyn std::error::Error, "internal failure");
                internal(service)
            }
        }
    }

    /// The error's name in a task's failure, after its service's prefix: AWS's SDK calls each `…Exception`.
    pub(crate) fn class(&self) -> String {
        match self.code.strip_suffix("Exception") {
            Some(_) => self.code.clone().into_owned(),
            None => format!("{}Exception", self.code),
        }
    }
}

fn reason_name(reason: ValidationReason) -> &'static str {
    match reason {
        ValidationReason::LabelledArn => "API_DOES_NOT_SUPPORT_LABELED_ARNS",
        ValidationReason::MissingParameter => "MISSING_REQUIRED_PARAMETER",
        ValidationReason::CompletedMapRun => "CANNOT_UPDATE_COMPLETED_MAP_RUN",
        ValidationReason::Routing => "INVALID_ROUTING_CONFIGURATION",
    }
}

fn internal(service: &Service) -> Error {
    let message = "The request processing has failed because of an unknown error, exception or failure.";
    Error::new(service.internal, message).with_status(500)
}

fn of_log(refusal: LogRefusal) -> Error {
    match refusal {
        LogRefusal::GroupExists => {
            Error::new("ResourceAlreadyExistsException", "The specified log group already exists")
        }
        LogRefusal::StreamExists => {
            Error::new("ResourceAlreadyExistsException", "The specified log stream already exists")
        }
        LogRefusal::GroupMissing => Error::new("ResourceNotFoundException", "The specified log group does not exist."),
        LogRefusal::StreamMissing => {
            Error::new("ResourceNotFoundException", "The specified log stream does not exist.")
        }
        LogRefusal::InvalidParameter(why) => Error::new("InvalidParameterException", why),
        LogRefusal::TooManyTags => {
            Error::new("TooManyTagsException", "The resource has more than the allowed number of tags.")
        }
    }
}

fn of_task(refusal: TaskRefusal) -> Error {
    match refusal {
        TaskRefusal::ActivityDoesNotExist(arn) => {
            Error::new("ActivityDoesNotExist", format!("Activity Does Not Exist: '{arn}'"))
        }
        TaskRefusal::ActivityAlreadyExists(arn) => {
            Error::new("ActivityAlreadyExists", format!("Activity Already Exists: '{arn}'"))
        }
        TaskRefusal::ActivityLimitExceeded => Error::new(
            "ActivityLimitExceeded",
            "The maximum number of activities has been reached. Existing activities must be deleted before a new activity can be created.",
        ),
        TaskRefusal::ActivityWorkerLimitExceeded => Error::new(
            "ActivityWorkerLimitExceeded",
            "The maximum number of workers concurrently polling for activity tasks has been reached.",
        ),
        TaskRefusal::TaskTimedOut => {
            Error::new("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
        }
        TaskRefusal::TaskDoesNotExist => {
            Error::new("TaskDoesNotExist", "Task Does Not Exist: 'Provided task does not exist anymore'")
        }
        TaskRefusal::InvalidOutput(why) => Error::new("InvalidOutput", format!("Invalid Output: '{why}'")),
    }
}

fn of_enrolment(refusal: EnrolmentRefusal) -> Error {
    match refusal {
        EnrolmentRefusal::ActivationUnknown => Error::new(
            "InvalidActivation",
            "The activation is not valid. The activation might have been deleted, or the ActivationId and the ActivationCode do not match.",
        ),
        EnrolmentRefusal::ActivationExpired | EnrolmentRefusal::ActivationUsedUp => {
            Error::new("InvalidActivation", refusal.to_string())
        }
        EnrolmentRefusal::AgentRefused => Error::new("AccessDeniedException", refusal.to_string()),
        EnrolmentRefusal::TooManyTags => {
            Error::new("TooManyTagsError", "The resource has more than the allowed number of tags.")
        }
        EnrolmentRefusal::InstanceUnknown => Error::new(
            "InvalidResourceId",
            "The resource ID is not valid. Verify that you entered the correct ID and try again.",
        ),
    }
}

fn of_command(refusal: CommandRefusal, caller: &Caller) -> Error {
    match refusal {
        CommandRefusal::InvalidDocument(name) => {
            Error::new("InvalidDocument", format!("Document with name {name} does not exist."))
        }
        CommandRefusal::InvalidDocumentVersion(version) => {
            Error::new("InvalidDocumentVersion", format!("Document version {version} is not valid or does not exist."))
        }
        CommandRefusal::InvalidParameters(why) => Error::new("InvalidParameters", why),
        CommandRefusal::InvalidInstanceId(ids) => Error::new(
            "InvalidInstanceId",
            format!("Instances [[{}]] not in a valid state for account {}", ids.join(", "), caller.account),
        ),
        CommandRefusal::UnsupportedPlatformType { instance, platform } => Error::new(
            "UnsupportedPlatformType",
            format!("Cannot perform operation for instance id {instance} of platform type {platform}"),
        ),
        CommandRefusal::DuplicateInstanceId => Error::bare("DuplicateInstanceId"),
        CommandRefusal::InvalidFilter(why) => Error::new("InvalidFilterKey", why),
        CommandRefusal::InvalidCommandId(_) => Error::bare("InvalidCommandId"),
        CommandRefusal::InvalidPluginName(_) => Error::bare("InvalidPluginName"),
        CommandRefusal::InvocationDoesNotExist => Error::bare("InvocationDoesNotExist"),
        CommandRefusal::InvalidNextToken => Error::new("InvalidNextToken", "The specified token is not valid."),
        CommandRefusal::DocumentHashMismatch(_) => Error::new("InvalidDocument", refusal.to_string()),
        CommandRefusal::InvalidNotificationConfig(why) => Error::new("InvalidNotificationConfig", why),
        CommandRefusal::InvalidRole => Error::new(
            "InvalidRole",
            "The role name can't contain invalid characters. Also verify that you specified an IAM role for notifications that includes the required trust policy.",
        ),
        CommandRefusal::InvalidOutputFolder(why) => Error::new("InvalidOutputFolder", why),
    }
}

/// The texts are the refusals' own.
fn of_parameter(refusal: &ParameterRefusal) -> Error {
    let code = match refusal {
        ParameterRefusal::NotFound => return Error::bare("ParameterNotFound"),
        ParameterRefusal::TooManyTags => return Error::bare("TooManyTagsError"),
        ParameterRefusal::VersionNotFound { .. } | ParameterRefusal::LabelNotFound { .. } => "ParameterVersionNotFound",
        ParameterRefusal::AlreadyExists => "ParameterAlreadyExists",
        ParameterRefusal::LimitExceeded { .. } => "ParameterLimitExceeded",
        ParameterRefusal::TooManyVersions { .. } => "ParameterMaxVersionLimitExceeded",
        ParameterRefusal::TooManyLabels => "ParameterVersionLabelLimitExceeded",
        ParameterRefusal::TypeMismatch { .. } => "HierarchyTypeMismatchException",
        ParameterRefusal::TooManyLevels => "HierarchyLevelLimitExceededException",
        ParameterRefusal::Reserved(_) => "AccessDeniedException",
        ParameterRefusal::InvalidAllowedPattern(_) => "InvalidAllowedPatternException",
        ParameterRefusal::PatternMismatch(_) => "ParameterPatternMismatchException",
        ParameterRefusal::InvalidKeyId { .. } => "InvalidKeyId",
        ParameterRefusal::TooManyPolicies => "PoliciesLimitExceededException",
        ParameterRefusal::IncompatiblePolicy => "IncompatiblePolicyException",
        ParameterRefusal::InvalidPolicyType(_) => "InvalidPolicyTypeException",
        ParameterRefusal::InvalidPolicyAttribute(_) => "InvalidPolicyAttributeException",
        ParameterRefusal::InvalidFilterKey(_) => "InvalidFilterKey",
        ParameterRefusal::InvalidFilterOption(_) => "InvalidFilterOption",
        ParameterRefusal::InvalidFilterValue(_) => "InvalidFilterValue",
        ParameterRefusal::TooManyUpdates => "TooManyUpdates",
    };
    Error::new(code, refusal.to_string())
}

/// The texts are the refusals' own.
fn of_document(refusal: &DocumentRefusal) -> Error {
    let code = match refusal {
        DocumentRefusal::TooManyTags => return Error::bare("TooManyTagsError"),
        DocumentRefusal::InvalidResourceType => return Error::bare("InvalidResourceType"),
        DocumentRefusal::InvalidResourceId => return Error::bare("InvalidResourceId"),
        DocumentRefusal::AlreadyExists(_) => "DocumentAlreadyExists",
        DocumentRefusal::InvalidContent(_) => "InvalidDocumentContent",
        DocumentRefusal::InvalidSchemaVersion(_) => "InvalidDocumentSchemaVersion",
        DocumentRefusal::TooLarge => "MaxDocumentSizeExceeded",
        DocumentRefusal::TooManyDocuments(_) => "DocumentLimitExceeded",
        DocumentRefusal::TooManyVersions => "DocumentVersionLimitExceeded",
        DocumentRefusal::NotTheLatest(_) => "InvalidDocumentVersion",
        DocumentRefusal::SameContent => "DuplicateDocumentContent",
        DocumentRefusal::VersionNameTaken => "DuplicateDocumentVersionName",
        DocumentRefusal::InvalidOperation(_) => "InvalidDocumentOperation",
        DocumentRefusal::SharedWithTooMany => "DocumentPermissionLimit",
        DocumentRefusal::InvalidFilterKey(_) => "InvalidFilterKey",
    };
    Error::new(code, refusal.to_string())
}
