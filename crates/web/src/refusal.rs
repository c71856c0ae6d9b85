//! What somebody is told instead of an answer.

use api::Code;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base::Arn;
use runtime::Refusal;
use runtime::refusal::{AgentRefusal, CommandRefusal, DocumentRefusal, EnrolmentRefusal, TaskRefusal};

/// An error on its way out.
#[derive(Debug)]
pub struct Refused(pub Box<api::Error>);

/// What handlers give.
pub type Answer<T> = Result<axum::Json<T>, Refused>;

impl From<api::Error> for Refused {
    fn from(error: api::Error) -> Refused {
        Refused(Box::new(error))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        // The rest of such a request is not read: whoever sent it needs another connection.
        let unread = matches!(self.0.code, Code::TooLarge | Code::TooSlow);
        let mut response = (status(self.0.code), axum::Json(*self.0)).into_response();
        if unread {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn status(code: Code) -> StatusCode {
    match code {
        Code::Malformed | Code::Usage | Code::Ambiguous | Code::UrlInvalid => StatusCode::BAD_REQUEST,
        Code::NoSuchRoute => StatusCode::NOT_FOUND,
        Code::NoSuchMethod => StatusCode::METHOD_NOT_ALLOWED,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::TooSlow => StatusCode::REQUEST_TIMEOUT,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::NotPermitted => StatusCode::FORBIDDEN,
        Code::ExecutionNotFound
        | Code::DefinitionNotFound
        | Code::InstanceNotFound
        | Code::CommandNotFound
        | Code::DocumentNotFound => StatusCode::NOT_FOUND,
        Code::AgentGroupNotFound | Code::AgentNameNotFound => StatusCode::NOT_FOUND,
        Code::AgentNameTaken | Code::AgentNameInUse | Code::AgentTakesNoJobs => StatusCode::CONFLICT,
        Code::ActivationNotFound => StatusCode::NOT_FOUND,
        Code::ActivationOver => StatusCode::CONFLICT,
        Code::ExecutionExists
        | Code::DefinitionExists
        | Code::DefinitionDeleting
        | Code::ExecutionNotRunning
        | Code::ExecutionNotRedrivable => StatusCode::CONFLICT,
        Code::DefinitionInvalid
        | Code::InputInvalid
        | Code::NameInvalid
        | Code::ArnInvalid
        | Code::TokenInvalid
        | Code::ValueInvalid
        | Code::DocumentInvalid
        | Code::FileUnreadable
        | Code::TableInvalid => StatusCode::UNPROCESSABLE_ENTITY,
        Code::StoreFull | Code::Unknown | Code::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
        Code::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Code::Internal | Code::AnswerStrange => StatusCode::INTERNAL_SERVER_ERROR,
        Code::TimedOut => StatusCode::GATEWAY_TIMEOUT,
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        let message = refusal.to_string();
        let new = |code| api::Error::new(code, &message);
        let error = match refusal {
            Refusal::InvalidArn(_) | Refusal::InvalidRoleArn(_) => new(Code::ArnInvalid),
            Refusal::InvalidName(name) => new(Code::NameInvalid).about(name),
            Refusal::InvalidDefinition(findings) => {
                let findings = findings.iter().map(|finding| {
                    // The JSON parser says where in its own words.
                    let place = finding.location.as_deref().filter(|place| !finding.message.contains(place));
                    let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
                    format!("{}: {}{place}", finding.code, finding.message)
                });
                api::Error::new(Code::DefinitionInvalid, "the definition is not valid").findings(findings.collect())
            }
            Refusal::InvalidExecutionInput(why) => api::Error::new(Code::InputInvalid, why),
            Refusal::InvalidToken => new(Code::TokenInvalid),
            Refusal::InvalidLoggingConfiguration(_)
            | Refusal::InvalidTracingConfiguration(_)
            | Refusal::InvalidEncryptionConfiguration(_)
            | Refusal::MissingRequiredParameter
            | Refusal::StateMachineTypeNotSupported
            | Refusal::TooManyTags(_)
            | Refusal::Log(_)
            | Refusal::Parameter(_)
            | Refusal::Conflict(_)
            | Refusal::Validation(_)
            | Refusal::ValidationFor { .. } => new(Code::ValueInvalid),
            Refusal::ReferenceNotFound => new(Code::DefinitionNotFound),
            Refusal::StateMachineDoesNotExist(arn) | Refusal::ResourceNotFound(arn) => {
                new(Code::DefinitionNotFound).about(name_in(&arn))
            }
            Refusal::StateMachineAlreadyExists(arn) => new(Code::DefinitionExists).about(name_in(&arn)),
            Refusal::StateMachineDeleting(arn) => new(Code::DefinitionDeleting).about(name_in(&arn)),
            Refusal::ExecutionDoesNotExist(arn) => new(Code::ExecutionNotFound).about(name_in(&arn)),
            Refusal::ExecutionAlreadyExists(arn) => new(Code::ExecutionExists).about(name_in(&arn)),
            Refusal::ExecutionNotRedrivable(_) => new(Code::ExecutionNotRedrivable),
            Refusal::ExecutionLimitExceeded | Refusal::StateMachineLimitExceeded | Refusal::QuotaExceeded(_) => {
                new(Code::TooMany)
            }
            Refusal::Task(TaskRefusal::ActivityWorkerLimitExceeded) => new(Code::TooMany),
            Refusal::Task(_) => new(Code::ValueInvalid),
            Refusal::Document(refusal) => new(document(&refusal)),
            Refusal::Command(refusal) => command(refusal, &message),
            Refusal::Agent(refusal) => agent(refusal, &message),
            Refusal::Enrolment(refusal) => new(enrolment(refusal)),
            Refusal::Full => new(Code::StoreFull),
            Refusal::Unknown => new(Code::Unknown),
            Refusal::Internal(source) => {
                tracing::error!(error = &*source as &dyn std::error::Error, "internal failure");
                new(Code::Internal)
            }
        };
        error.into()
    }
}

fn enrolment(refusal: EnrolmentRefusal) -> Code {
    match refusal {
        EnrolmentRefusal::ActivationUnknown => Code::ActivationNotFound,
        EnrolmentRefusal::ActivationExpired | EnrolmentRefusal::ActivationUsedUp => Code::ActivationOver,
        EnrolmentRefusal::AgentRefused => Code::NotPermitted,
        EnrolmentRefusal::TooManyTags => Code::ValueInvalid,
        EnrolmentRefusal::InstanceUnknown => Code::InstanceNotFound,
    }
}

fn command(refusal: CommandRefusal, message: &str) -> api::Error {
    let new = |code| api::Error::new(code, message);
    match refusal {
        CommandRefusal::InvalidInstanceId(ids) => new(Code::InstanceNotFound).about(ids.join(", ")),
        CommandRefusal::InvalidCommandId(id) => new(Code::CommandNotFound).about(id),
        CommandRefusal::InvocationDoesNotExist => new(Code::CommandNotFound),
        CommandRefusal::InvalidNextToken => new(Code::TokenInvalid),
        CommandRefusal::InvalidDocument(name) => new(Code::DocumentNotFound).about(name),
        CommandRefusal::InvalidDocumentVersion(version) => new(Code::DocumentNotFound).about(version),
        CommandRefusal::InvalidParameters(_)
        | CommandRefusal::DuplicateInstanceId
        | CommandRefusal::UnsupportedPlatformType { .. }
        | CommandRefusal::InvalidFilter(_)
        | CommandRefusal::InvalidPluginName(_)
        | CommandRefusal::DocumentHashMismatch(_)
        | CommandRefusal::InvalidNotificationConfig(_)
        | CommandRefusal::InvalidRole
        | CommandRefusal::InvalidOutputFolder(_) => new(Code::ValueInvalid),
    }
}

fn agent(refusal: AgentRefusal, message: &str) -> api::Error {
    let new = |code| api::Error::new(code, message);
    match refusal {
        AgentRefusal::GroupMissing(name) => new(Code::AgentGroupNotFound).about(name),
        AgentRefusal::NameMissing(name) => new(Code::AgentNameNotFound).about(name),
        AgentRefusal::NameTaken(name) => new(Code::AgentNameTaken).about(name),
        AgentRefusal::NameInUse { name, .. } => new(Code::AgentNameInUse).about(name),
        AgentRefusal::TakesNoJobs(name) => new(Code::AgentTakesNoJobs).about(name),
        AgentRefusal::TooMany => new(Code::TooMany),
    }
}

fn document(refusal: &DocumentRefusal) -> Code {
    match refusal {
        DocumentRefusal::InvalidContent(_) | DocumentRefusal::InvalidSchemaVersion(_) | DocumentRefusal::TooLarge => {
            Code::DocumentInvalid
        }
        DocumentRefusal::TooManyDocuments(_) | DocumentRefusal::TooManyVersions => Code::TooMany,
        DocumentRefusal::AlreadyExists(_)
        | DocumentRefusal::NotTheLatest(_)
        | DocumentRefusal::SameContent
        | DocumentRefusal::VersionNameTaken
        | DocumentRefusal::InvalidOperation(_)
        | DocumentRefusal::SharedWithTooMany
        | DocumentRefusal::TooManyTags
        | DocumentRefusal::InvalidResourceType
        | DocumentRefusal::InvalidResourceId
        | DocumentRefusal::InvalidFilterKey(_) => Code::ValueInvalid,
    }
}

/// What people call the thing that an ARN names.
fn name_in(arn: &str) -> String {
    Arn::parse(arn).map_or(arn, |arn| arn.resource_parts().1).to_owned()
}
