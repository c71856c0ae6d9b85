//! Everything that can grow has a named end. The defaults are AWS's.

/// Instances named in one command.
pub const INSTANCES_MAX: usize = 50;

/// Places of one command, however they were found.
pub const PLACES_MAX: usize = 10_000;

/// How long the candidate that was asked has to accept before the next is asked, in seconds. It doubles with each round
/// in which nobody did, up to an hour.
pub const FAILOVER_SECONDS: u32 = 30;
pub const FAILOVER_SECONDS_MAX: u32 = 3_600;

/// A script's text, in bytes: the size of an AWS document.
pub const SCRIPT_BYTES_MAX: usize = 65_536;

/// Characters of a working directory's path.
pub const WORKING_DIRECTORY_CHARS_MAX: usize = 4096;

/// Characters of a command's comment.
pub const COMMENT_CHARS_MAX: usize = 100;

/// Characters of a standard output and a standard error that are kept and shown.
pub const STDOUT_CHARS_MAX: usize = 24_000;
pub const STDERR_CHARS_MAX: usize = 8_000;

/// Characters of the two together, as `ListCommandInvocations` shows them.
pub const PLUGIN_OUTPUT_CHARS_MAX: usize = 2_500;

/// Steps of an outcome, and characters of a step's name.
pub const STEPS_MAX: usize = 100;
pub const NAME_CHARS_MAX: usize = 128;

/// Characters of a failure's cause.
pub const CAUSE_CHARS_MAX: usize = 2_048;

/// How long an agent has to accept, in seconds.
pub const TIMEOUT_SECONDS_DEFAULT: u32 = 3_600;
pub const TIMEOUT_SECONDS_MIN: u32 = 30;
pub const TIMEOUT_SECONDS_MAX: u32 = 2_592_000;

/// How long a script may run, in seconds.
pub const EXECUTION_TIMEOUT_SECONDS_DEFAULT: u32 = 3_600;
pub const EXECUTION_TIMEOUT_SECONDS_MAX: u32 = 172_800;

/// How much longer than the agent the server waits before it gives up knowing, in seconds: enough for an agent
/// to kill, to write its result and to come back from a short absence.
pub const BACKSTOP_SECONDS: u32 = 120;

/// An agent unheard of for so long is lost.
pub const LOST_AFTER_SECONDS: u32 = 60;
