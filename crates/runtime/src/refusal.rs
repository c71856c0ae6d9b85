//! Why a request was refused: values that the faces match on and put into their own words.

use crate::parameter::{self, Tier};

/// A refusal of ours. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The text is what follows `Invalid Arn: `, without its quotes.
    #[error("invalid ARN: {0}")]
    InvalidArn(String),
    #[error("not the ARN of a role: {0}")]
    InvalidRoleArn(String),
    #[error("invalid name: {0}")]
    InvalidName(String),
    #[error("invalid definition: {}", asl::refusal(.0))]
    InvalidDefinition(Vec<asl::Diagnostic>),
    /// The text is the JSON parser's.
    #[error("invalid execution input: {0}")]
    InvalidExecutionInput(String),
    #[error("invalid logging configuration: {0}")]
    InvalidLoggingConfiguration(String),
    #[error("invalid tracing configuration: {0}")]
    InvalidTracingConfiguration(String),
    #[error("invalid encryption configuration: {0}")]
    InvalidEncryptionConfiguration(String),
    #[error("invalid pagination token")]
    InvalidToken,
    #[error("neither definition nor role nor logging nor tracing was given")]
    MissingRequiredParameter,
    #[error("state machine {0} does not exist")]
    StateMachineDoesNotExist(String),
    #[error("state machine {0} exists already and differs")]
    StateMachineAlreadyExists(String),
    #[error("state machine {0} is being deleted")]
    StateMachineDeleting(String),
    #[error("too many state machines")]
    StateMachineLimitExceeded,
    #[error("not supported by this type of state machine")]
    StateMachineTypeNotSupported,
    #[error("execution {0} does not exist")]
    ExecutionDoesNotExist(String),
    #[error("execution {0} exists already")]
    ExecutionAlreadyExists(String),
    /// With AWS's reason.
    #[error("execution cannot be redriven: {0}")]
    ExecutionNotRedrivable(String),
    #[error("too many open executions")]
    ExecutionLimitExceeded,
    #[error("resource {0} not found")]
    ResourceNotFound(String),
    #[error("too many tags on {0}")]
    TooManyTags(String),
    /// What a request leads to is not there.
    #[error("the request refers to a resource that does not exist")]
    ReferenceNotFound,
    /// AWS's `ConflictException`; the text is complete.
    #[error("{0}")]
    Conflict(String),
    /// AWS's `ServiceQuotaExceededException`; the text is complete.
    #[error("{0}")]
    QuotaExceeded(String),
    /// AWS's `ValidationException`; the text is complete.
    #[error("{0}")]
    Validation(String),
    /// The same, where AWS gives its reason a name.
    #[error("{why}")]
    ValidationFor { reason: ValidationReason, why: String },
    /// Refusals about activities and task tokens.
    #[error(transparent)]
    Task(#[from] TaskRefusal),
    /// Run Command's refusals.
    #[error(transparent)]
    Command(#[from] CommandRefusal),
    /// Refusals about activations and instances.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentRefusal),
    /// About agents, their names and groups.
    #[error(transparent)]
    Agent(#[from] AgentRefusal),
    /// CloudWatch Logs' refusals.
    #[error(transparent)]
    Log(#[from] LogRefusal),
    /// Parameter Store's refusals.
    #[error(transparent)]
    Parameter(#[from] ParameterRefusal),
    /// Refusals about documents.
    #[error(transparent)]
    Document(#[from] DocumentRefusal),
    /// The store is full: new work is refused, old work goes on.
    #[error("the store is full")]
    Full,
    /// This server cannot say whether it happened; asking again is safe.
    #[error("the store cannot say whether it happened")]
    Unknown,
    /// The machinery failed.
    #[error("internal failure")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// `ValidationException`, reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValidationReason {
    LabelledArn,
    MissingParameter,
    Routing,
    /// `CANNOT_UPDATE_COMPLETED_MAP_RUN`
    CompletedMapRun,
}

/// Why nothing was done about an activity or a task's outcome.
#[derive(Debug, thiserror::Error)]
pub enum TaskRefusal {
    #[error("activity {0} does not exist")]
    ActivityDoesNotExist(String),
    #[error("activity {0} exists already and differs")]
    ActivityAlreadyExists(String),
    #[error("the account has as many activities as it may have")]
    ActivityLimitExceeded,
    #[error("too many workers ask for this activity's tasks")]
    ActivityWorkerLimitExceeded,
    /// The execution is there and does not wait for this task any more.
    #[error("the task has ended or timed out")]
    TaskTimedOut,
    /// The execution that the token names is not there.
    #[error("the task does not exist")]
    TaskDoesNotExist,
    /// The text is the JSON parser's.
    #[error("the output is not JSON: {0}")]
    InvalidOutput(String),
}

/// Why nothing was done about agents, their names and groups.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentRefusal {
    #[error("there is no agent group {0}")]
    GroupMissing(String),
    #[error("there is no agent of the name {0}")]
    NameMissing(String),
    #[error("{0} is the name of an agent and of a group: it can be one only")]
    NameTaken(String),
    #[error("agent name {name} is a member of {}", .groups.join(", "))]
    NameInUse { name: String, groups: Vec<String> },
    /// By its restriction, or those of all members of a group.
    #[error("{0} takes no jobs")]
    TakesNoJobs(String),
    #[error("there are as many of these as there may be")]
    TooMany,
}

/// Why Run Command refused (`SSM API reference, SendCommand, Errors`).
#[derive(Debug, thiserror::Error)]
pub enum CommandRefusal {
    #[error("document {0} is not known")]
    InvalidDocument(String),
    #[error("document version {0} is not known")]
    InvalidDocumentVersion(String),
    #[error("{0}")]
    InvalidParameters(String),
    /// Instances that are not registered, in the order given.
    #[error("instances {0:?} are not registered")]
    InvalidInstanceId(Vec<String>),
    #[error("an instance was named twice")]
    DuplicateInstanceId,
    /// The document is not for an instance that was named.
    #[error("document is not for {platform}, which is the platform of {instance}")]
    UnsupportedPlatformType { instance: String, platform: String },
    #[error("{0}")]
    InvalidFilter(String),
    #[error("command {0} is not known")]
    InvalidCommandId(String),
    #[error("plugin {0} is not known")]
    InvalidPluginName(String),
    #[error("there is no such invocation")]
    InvocationDoesNotExist,
    #[error("invalid next token")]
    InvalidNextToken,
    #[error("the text of document {0} does not come to the hash that was given")]
    DocumentHashMismatch(String),
    /// The text is complete.
    #[error("{0}")]
    InvalidNotificationConfig(&'static str),
    #[error("notifications are published as a role, and no valid one was given")]
    InvalidRole,
    /// The text is complete.
    #[error("{0}")]
    InvalidOutputFolder(String),
}

/// Why nothing was done about a document. The texts are AWS's where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentRefusal {
    #[error("Document with same name {0} already exists")]
    AlreadyExists(String),
    #[error("The content for the document isn't valid: {0}")]
    InvalidContent(String),
    /// The text is complete.
    #[error("{0}")]
    InvalidSchemaVersion(String),
    #[error("The size limit of a document is 64 KB.")]
    TooLarge,
    #[error("You can have at most {0} active SSM documents.")]
    TooManyDocuments(u64),
    #[error("The document has too many versions. Delete one or more document versions and try again.")]
    TooManyVersions,
    #[error(
        "Version provided for document {0} is not latest. Please provide the latest version to update document {0}"
    )]
    NotTheLatest(String),
    #[error(
        "The content of the association document matches another document. Change the content of the document and try again."
    )]
    SameContent,
    #[error(
        "The version name has already been used in this document. Specify a different version name, and then try again."
    )]
    VersionNameTaken,
    /// The text is complete.
    #[error("{0}")]
    InvalidOperation(&'static str),
    #[error("The document can't be shared with more Amazon Web Services accounts.")]
    SharedWithTooMany,
    #[error("the document has too many tags")]
    TooManyTags,
    #[error("resources of this type have no tags here")]
    InvalidResourceType,
    #[error("there is no such resource")]
    InvalidResourceId,
    /// The text is complete.
    #[error("{0}")]
    InvalidFilterKey(String),
}

/// Why Parameter Store refused. The texts are AWS's where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterRefusal {
    #[error("the parameter does not exist")]
    NotFound,
    #[error("Systems Manager could not find version {version} of {name}. Verify the version and try again.")]
    VersionNotFound { version: u64, name: String },
    #[error("Systems Manager could not find label {label} of {name}. Verify the label and try again.")]
    LabelNotFound { label: String, name: String },
    #[error("The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")]
    AlreadyExists,
    #[error(
        "You have reached the maximum number of {} parameters for this AWS account and Region ({max}). To add more parameters, {}.",
        .tier.name().to_lowercase(),
        match .tier {
            Tier::Standard => "either delete existing parameters or upgrade to the advanced-parameter tier",
            Tier::Advanced => "delete existing parameters",
        }
    )]
    LimitExceeded { tier: Tier, max: u64 },
    #[error(
        "You attempted to create a new version of {name} by calling the PutParameter API with the overwrite flag. Version {oldest}, the \
         oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the \
         parameter, and try again."
    )]
    TooManyVersions { name: String, oldest: u64 },
    #[error(
        "A parameter version can have maximum 10 labels. Move one or more labels to another version and try again."
    )]
    TooManyLabels,
    #[error("the parameter has too many tags")]
    TooManyTags,
    #[error(
        "Parameter Store doesn't support changing a parameter type in a hierarchy: this parameter is of the type {was}, not {wanted}. \
         Create a new, unique parameter."
    )]
    TypeMismatch { was: &'static str, wanted: &'static str },
    #[error("A hierarchy can have a maximum of 15 levels.")]
    TooManyLevels,
    /// The name is not for users.
    #[error("No access to reserved parameter name: {0}.")]
    Reserved(String),
    /// The text is complete.
    #[error("{0}")]
    InvalidAllowedPattern(String),
    #[error("Parameter value, cannot be validated against allowedPattern: {0}")]
    PatternMismatch(String),
    #[error("Version {version} of {name} cannot be decrypted: {why}.")]
    InvalidKeyId { version: u64, name: String, why: &'static str },
    #[error("You specified more than the maximum number of allowed policies for the parameter. The maximum is 10.")]
    TooManyPolicies,
    #[error(
        "There is a conflict in the policies specified for this parameter. You can't, for example, specify two Expiration policies for \
         a parameter. Review your policies, and try again."
    )]
    IncompatiblePolicy,
    /// The text is complete.
    #[error("{0}")]
    InvalidPolicyType(String),
    /// The text is complete.
    #[error("{0}")]
    InvalidPolicyAttribute(String),
    /// The text is complete.
    #[error("{0}")]
    InvalidFilterKey(String),
    /// The text is complete.
    #[error("{0}")]
    InvalidFilterOption(String),
    /// The text is complete.
    #[error("{0}")]
    InvalidFilterValue(String),
    /// Others change it all the time.
    #[error("There are concurrent updates for a resource that supports one update at a time.")]
    TooManyUpdates,
}

/// Why a host was not enrolled, or an instance not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentRefusal {
    /// There is none, or its code is another: who asks does not learn which.
    #[error("the activation is not valid: it may have been deleted, or the id and the code do not match")]
    ActivationUnknown,
    #[error("the activation has expired")]
    ActivationExpired,
    #[error("the activation has been used by as many hosts as it was made for")]
    ActivationUsedUp,
    /// The agent is told this and nothing else, whatever the reason.
    #[error("this server does not take this agent")]
    AgentRefused,
    #[error("an instance has too many tags")]
    TooManyTags,
    #[error("there is no such instance")]
    InstanceUnknown,
}

/// Why CloudWatch Logs refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogRefusal {
    #[error("the log group exists already")]
    GroupExists,
    #[error("the log stream exists already")]
    StreamExists,
    #[error("there is no such log group")]
    GroupMissing,
    #[error("there is no such log stream")]
    StreamMissing,
    /// The text is complete.
    #[error("{0}")]
    InvalidParameter(String),
    #[error("too many tags on a log group")]
    TooManyTags,
}

impl Refusal {
    pub(crate) fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Refusal {
        Refusal::Internal(error.into())
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Refusal {
        Refusal::internal(error)
    }
}

/// What a shard refused and no use case has better words for.
impl From<crate::Refused> for Refusal {
    fn from(refused: crate::Refused) -> Refusal {
        use crate::Refused;
        match refused {
            Refused::Full => Refusal::Full,
            Refused::MapRun => Refusal::ValidationFor {
                reason: ValidationReason::CompletedMapRun,
                why: "Map Run is completed and cannot be updated".to_owned(),
            },
            Refused::Run(refusal) => refusal.into(),
            Refused::Log(refusal) => refusal.into(),
            Refused::Directory(refusal) => refusal.into(),
            Refused::Parameter(parameter::Refused::For(refusal)) => refusal,
            Refused::Internal(error) => Refusal::Internal(error),
            Refused::Activation(refusal) => match refusal {
                crate::activation::Refusal::DoesNotExist | crate::activation::Refusal::WrongCode => {
                    EnrolmentRefusal::ActivationUnknown.into()
                }
                crate::activation::Refusal::Expired => EnrolmentRefusal::ActivationExpired.into(),
                crate::activation::Refusal::UsedUp => EnrolmentRefusal::ActivationUsedUp.into(),
            },
            Refused::Instance(refusal) => match refusal {
                crate::instance::Refusal::DoesNotExist => EnrolmentRefusal::InstanceUnknown.into(),
                crate::instance::Refusal::TooManyTags => EnrolmentRefusal::TooManyTags.into(),
                crate::instance::Refusal::WentBack
                | crate::instance::Refusal::Unknown
                | crate::instance::Refusal::NotProven
                | crate::instance::Refusal::Deregistered
                | crate::instance::Refusal::Suspended => EnrolmentRefusal::AgentRefused.into(),
            },
            Refused::Unknown
            | Refused::Machine(_)
            | Refused::Activity(_)
            | Refused::Document(_)
            | Refused::Parameter(parameter::Refused::NeedsPlace(_))
            | Refused::Token
            | Refused::Execution(_)
            | Refused::Exists
            | Refused::Missing => Refusal::Unknown,
        }
    }
}
