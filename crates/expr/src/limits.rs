//! The ends of what an expression may use up.

/// Intrinsic functions inside one another.
pub const INTRINSIC_DEPTH_MAX: usize = 10;

/// Items that `States.ArrayRange` may give.
pub const ARRAY_RANGE_MAX: usize = 1_000;

/// Characters that `States.Base64Encode`, `States.Base64Decode` and `States.Hash` take.
pub const ENCODE_CHARS_MAX: usize = 10_000;

/// Bytes of a text that an intrinsic function makes. Far above a payload, because the text may be an
/// argument on its way to something smaller.
pub const TEXT_BYTES_MAX: usize = 4 * base::limits::PAYLOAD_BYTES_MAX;

/// Steps of one path.
pub const PATH_STEPS_MAX: usize = 256;

/// Parentheses, negations and paths inside one another in a filter.
pub const FILTER_DEPTH_MAX: usize = 32;

/// Values that one evaluation of a path may look at: `$..*..*..*` has to end somewhere.
pub const PATH_VISITS_MAX: usize = 4_000_000;

/// Levels that a path may go down in a document.
pub const PATH_DEPTH_MAX: usize = 512;

/// Bytes of a compiled regular expression.
pub const PATTERN_BYTES_MAX: usize = 16_384;
