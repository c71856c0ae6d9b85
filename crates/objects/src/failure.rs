//! What went wrong: of a store, and of a state.

use std::fmt;

/// Why a store did not do what it was asked, in S3's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store answered, and the answer is no.
    #[error("{message}{}", service(*status, request.as_deref(), host.as_deref()))]
    Refused {
        /// S3's code: `NoSuchKey`, `NoSuchBucket`, `AccessDenied`.
        code: String,
        message: String,
        status: u16,
        /// `x-amz-request-id`.
        request: Option<String>,
        /// `x-amz-id-2`.
        host: Option<String>,
    },
    /// Nobody answered, or the answer broke off; asked several times.
    #[error("Unable to execute HTTP request: {reason}")]
    Unreachable { reason: String },
    /// Neither a folder nor an endpoint is configured for the bucket.
    #[error(
        "Bucket \"{bucket}\" has no place: it is mapped to no folder, and no S3 endpoint is configured for the others"
    )]
    NoPlace { bucket: String },
    /// The folder's file system did not do it.
    #[error("{doing} in the folder of bucket \"{bucket}\": {reason}")]
    Folder { doing: String, bucket: String, reason: String },
}

/// As AWS's SDK for Java puts it behind a service's message.
fn service(status: u16, request: Option<&str>, host: Option<&str>) -> String {
    let request = request.unwrap_or("null");
    match host {
        None => format!(" (Service: S3, Status Code: {status}, Request ID: {request})"),
        Some(host) => {
            format!(" (Service: S3, Status Code: {status}, Request ID: {request}, Extended Request ID: {host})")
        }
    }
}

impl StoreError {
    /// A refusal of a store that is no S3, in S3's words.
    pub(crate) fn refused(code: &str, status: u16, message: &str) -> StoreError {
        StoreError::Refused { code: code.to_owned(), message: message.to_owned(), status, request: None, host: None }
    }

    pub(crate) fn no_such_key() -> StoreError {
        StoreError::refused("NoSuchKey", 404, "The specified key does not exist.")
    }

    /// An answer to `HEAD` has no body that could tell more than its status: AWS's SDK takes an object that is not there
    /// for granted, and has no words.
    pub(crate) fn of_head(self) -> StoreError {
        match self {
            StoreError::Refused { status: 404, request, host, .. } => StoreError::Refused {
                code: "NoSuchKey".to_owned(),
                message: "null".to_owned(),
                status: 404,
                request,
                host,
            },
            other => other,
        }
    }

    /// S3's code, when a store answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            StoreError::Refused { code, .. } => Some(code),
            StoreError::Unreachable { .. } | StoreError::NoPlace { .. } | StoreError::Folder { .. } => None,
        }
    }
}

/// Why a Map state fails: an error's name and its cause, as Step Functions shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub error: FailureName,
    pub cause: String,
}

/// The errors that reading, batching and writing give (Developer Guide, "Error names").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureName {
    ItemReaderFailed,
    ResultWriterFailed,
    DataLimitExceeded,
}

impl FailureName {
    pub fn as_str(self) -> &'static str {
        match self {
            FailureName::ItemReaderFailed => "States.ItemReaderFailed",
            FailureName::ResultWriterFailed => "States.ResultWriterFailed",
            FailureName::DataLimitExceeded => "States.DataLimitExceeded",
        }
    }
}

impl Failure {
    pub(crate) fn reader(cause: impl Into<String>) -> Failure {
        Failure { error: FailureName::ItemReaderFailed, cause: cause.into() }
    }

    pub(crate) fn writer(cause: impl Into<String>) -> Failure {
        Failure { error: FailureName::ResultWriterFailed, cause: cause.into() }
    }

    pub(crate) fn unread(error: &StoreError) -> Failure {
        Failure::reader(error.to_string())
    }

    pub(crate) fn unwritten(error: &StoreError) -> Failure {
        Failure::writer(error.to_string())
    }
}

/// `States.ItemReaderFailed: The specified key does not exist. (…)`
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error.as_str(), self.cause)
    }
}

impl std::error::Error for Failure {}
