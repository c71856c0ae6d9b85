//! Time and chance: the only place that asks the machine for either.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use base::Timestamp;

/// The wall clock, but never backwards: when it is set back, time goes on from where it was at its own pace, so that
/// no history has a later event with an earlier time and no wait stands still.
#[derive(Debug)]
pub(crate) struct Clock {
    anchor: Mutex<(Instant, i64)>,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock { anchor: Mutex::new((Instant::now(), wall())) }
    }
}

impl Clock {
    pub(crate) fn now(&self) -> Timestamp {
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = i64::try_from(anchor.0.elapsed().as_millis()).unwrap_or(i64::MAX);
        let (steady, wall) = (anchor.1.saturating_add(elapsed), wall());
        if wall > steady {
            *anchor = (Instant::now(), wall);
        }
        Timestamp(wall.max(steady))
    }
}

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Random bytes taken from the operating system at a time.
const DRAWN: usize = 512;

thread_local! {
    static DRAW: RefCell<([u8; DRAWN], usize)> = const { RefCell::new(([0; DRAWN], DRAWN)) };
}

/// 64 random bits from the operating system, drawn many at a time.
pub(crate) fn entropy() -> u64 {
    DRAW.with_borrow_mut(|(drawn, used)| {
        if *used == DRAWN {
            getrandom::fill(drawn).expect("the operating system gives random bits");
            *used = 0;
        }
        let bytes = drawn[*used..*used + 8].try_into().expect("eight bytes are eight bytes");
        *used += 8;
        u64::from_ne_bytes(bytes)
    })
}

/// A random UUID.
pub(crate) fn uuid() -> String {
    let bits = u128::from(entropy()) << 64 | u128::from(entropy());
    base::Id(bits).to_uuid()
}

/// A random UUID that begins with its time.
pub(crate) fn uuid_of_now(now: Timestamp) -> String {
    base::Id(u128::from(entropy()) << 64 | u128::from(entropy())).to_uuid_at(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_of_now_begins_with_its_time() {
        let (early, late) = (uuid_of_now(Timestamp(1_700_000_000_000)), uuid_of_now(Timestamp(1_700_000_000_001)));
        assert!(early < late, "{early} {late}");
        assert_eq!((early.len(), &early[14..15]), (36, "7"));
        assert!("89ab".contains(&early[19..20]), "{early}");
    }
}
