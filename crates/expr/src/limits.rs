//! The ends of what an expression may use up.

/// Intrinsic functions inside one another.
pub const INTRINSIC_DEPTH_MAX: usize = 10;

/// Items that `States.ArrayRange` may give.
pub const ARRAY_RANGE_MAX: usize = 1_000;

/// Characters that `States.Base64Encode`, `States.Base64Decode` and `States.Hash` take.
pub const ENCODE_CHARS_MAX: usize = 10_000;
