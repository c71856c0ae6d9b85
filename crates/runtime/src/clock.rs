//! Time and chance: the only place that asks the machine for either.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base::Timestamp;

/// The wall clock, but never backwards: a clock that is set back stands still until it has caught up, so that no
/// history has a later event with an earlier time.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: AtomicI64,
}

impl Clock {
    pub(crate) fn now(&self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        Timestamp(self.last.fetch_max(wall, Ordering::Relaxed).max(wall))
    }
}

/// 64 random bits from the operating system.
pub(crate) fn entropy() -> u64 {
    getrandom::u64().expect("the operating system gives random bits")
}

/// A random UUID.
pub(crate) fn uuid() -> String {
    let bits = u128::from(entropy()) << 64 | u128::from(entropy());
    base::Id(bits).to_uuid()
}
