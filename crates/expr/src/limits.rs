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

/// Steps of one JSONata expression: about a tenth of a second. AWS ends an expression after five seconds.
pub const JSONATA_STEPS_MAX: u64 = 2_000_000;

/// Bytes that the values of one JSONata expression may hold at a time, counted as they are made.
pub const JSONATA_BYTES_MAX: usize = 28 * 1024 * 1024;

/// Nodes and functions inside one another while a JSONata expression is evaluated, as on AWS.
pub const JSONATA_DEPTH_MAX: usize = 100;

/// Items that `[1..n]` and `$range` may give, as on AWS.
pub const JSONATA_RANGE_MAX: usize = 360_145;

/// Bytes of one value that a JSONata expression makes, as on AWS.
pub const JSONATA_VALUE_BYTES_MAX: usize = 6_990_256;

/// Parentheses, operators and functions inside one another in the text of a JSONata expression.
pub const JSONATA_TREE_DEPTH_MAX: usize = 100;

/// Arrays and objects inside one another that a JSONata expression may make.
pub const JSONATA_VALUE_DEPTH_MAX: usize = base::json::DEPTH_MAX;

/// Functions of a JSONata expression that hold functions.
pub const JSONATA_FUNCTION_DEPTH_MAX: usize = 500;

/// Bytes of a compiled regular expression in JSONata.
pub const JSONATA_PATTERN_BYTES_MAX: usize = 131_072;
