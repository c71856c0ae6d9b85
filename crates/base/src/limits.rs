//! Everything that can grow has a named end. The defaults are AWS's quotas
//! (Step Functions Developer Guide, "Service quotas").

/// A definition's text, in bytes.
pub const DEFINITION_BYTES_MAX: usize = 1_048_576;

/// A payload (input, output, result) in bytes of UTF-8.
pub const PAYLOAD_BYTES_MAX: usize = 262_144;

/// What one `Assign` may give, all its variables together, and so each of them; in bytes.
pub const ASSIGN_BYTES_MAX: usize = 262_144;

/// What all variables of one execution may take together, in bytes.
pub const VARIABLES_BYTES_MAX: u64 = 10_485_760;

/// Events in one execution's history.
pub const HISTORY_EVENTS_MAX: u64 = 25_000;

/// An execution's or a task's longest time, in seconds: the default of `TimeoutSeconds`.
pub const TIMEOUT_SECONDS_MAX: u64 = 99_999_999;

/// An Express execution's longest time, in seconds.
pub const EXPRESS_SECONDS_MAX: u64 = 300;

/// Iterations of one inline Map that run at a time, whatever `MaxConcurrency` says.
pub const MAP_CONCURRENCY_INLINE_MAX: usize = 40;

/// A Wait's longest time, in days, when it names a moment.
pub const WAIT_DAYS_MAX: i64 = 24_855;

/// Bytes of an error's name and of its cause in the history.
pub const ERROR_CHARS_MAX: usize = 256;
pub const CAUSE_CHARS_MAX: usize = 32_768;

/// Tags on one resource.
pub const TAGS_MAX: usize = 50;

/// Versions of one state machine.
pub const VERSIONS_MAX: usize = 1_000;

/// Aliases of one state machine.
pub const ALIASES_MAX: usize = 100;

/// State machines of one account in one region.
pub const STATE_MACHINES_MAX: u64 = 100_000;

/// Activities of one account in one region.
pub const ACTIVITIES_MAX: u64 = 100_000;

/// Executions of one account in one region that run at a time.
pub const OPEN_EXECUTIONS_MAX: u64 = 1_000_000;

/// Documents of one account in one region (`DocumentLimitExceeded`).
pub const DOCUMENTS_MAX: u64 = 500;

/// A document's text in bytes (`MaxDocumentSizeExceeded`).
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

/// Versions of one document (`Systems Manager endpoints and quotas`).
pub const DOCUMENT_VERSIONS_MAX: usize = 1_000;

/// Accounts that one document is shared with, and documents of one account that are shared with all (`DocumentPermissionLimit`).
pub const DOCUMENT_SHARES_MAX: usize = 1_000;
pub const PUBLIC_DOCUMENTS_MAX: usize = 5;

/// Parameters of the standard tier of one account in one region (`Parameter Store, Managing parameter tiers`).
pub const STANDARD_PARAMETERS_MAX: u64 = 10_000;

/// Parameters of the advanced tier of one account in one region.
pub const ADVANCED_PARAMETERS_MAX: u64 = 100_000;

/// A parameter's value in bytes of UTF-8, in the standard and in the advanced tier.
pub const STANDARD_VALUE_BYTES_MAX: usize = 4_096;
pub const ADVANCED_VALUE_BYTES_MAX: usize = 8_192;

/// Versions of one parameter that are kept.
pub const PARAMETER_VERSIONS_MAX: usize = 100;

/// Labels of one version of a parameter.
pub const PARAMETER_LABELS_MAX: usize = 10;

/// Levels of a parameter's name.
pub const PARAMETER_LEVELS_MAX: usize = 15;

/// Characters of a parameter's ARN.
pub const PARAMETER_ARN_CHARS_MAX: usize = 1_011;

/// Policies of one parameter.
pub const PARAMETER_POLICIES_MAX: usize = 10;
