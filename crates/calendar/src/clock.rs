//! Times of a business day, which has more than 24 hours: 00:00 to 71:59.

use std::fmt;

use base::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::date::plus;
use crate::zone::Zone;

/// The first second after the last that a clock shows: 72:00.
const CLOCK_SECONDS_MAX: u32 = 72 * 3600;

const DAY_SECONDS: u32 = 24 * 3600;

/// A time of a business day: `26:00` is two hours after its midnight has passed, `+20:00` twenty hours after its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Clock {
    since: Since,
    seconds: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Since {
    Midnight,
    DayStart,
}

impl Clock {
    pub const MIDNIGHT: Clock = Clock { since: Since::Midnight, seconds: 0 };

    /// Reads `HH:MM`, `HH:MM:SS`, or either with a `+` before it.
    pub fn parse(text: &str) -> Option<Clock> {
        let (since, digits) = match text.strip_prefix('+') {
            Some(rest) => (Since::DayStart, rest),
            None => (Since::Midnight, text),
        };
        let mut parts = digits.split(':');
        let mut part = || -> Option<Option<u32>> {
            let Some(part) = parts.next() else { return Some(None) };
            let shaped = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            shaped.then(|| part.parse().ok()).flatten().map(Some)
        };
        let (hours, minutes, seconds) = (part()??, part()??, part()?.unwrap_or(0));
        let all = hours * 3600 + minutes * 60 + seconds;
        let right = parts.next().is_none() && minutes < 60 && seconds < 60 && all < CLOCK_SECONDS_MAX;
        right.then_some(Clock { since, seconds: all })
    }

    /// A time counted from midnight; nothing from 72:00 on.
    pub fn from_seconds(seconds: u32) -> Option<Clock> {
        (seconds < CLOCK_SECONDS_MAX).then_some(Clock { since: Since::Midnight, seconds })
    }

    /// Later by `seconds`; stays at the last second that a clock shows.
    pub fn later(self, seconds: u32) -> Clock {
        Clock { seconds: self.seconds.saturating_add(seconds).min(CLOCK_SECONDS_MAX - 1), ..self }
    }

    pub fn seconds(self) -> u32 {
        self.seconds
    }

    /// Seconds from the midnight with which the date `D` begins, where business days start at `day_start`.
    ///
    /// A clock before the day's start belongs to the night after it: with 06:00, both 02:00 and 26:00 are the next
    /// morning.
    pub fn after_midnight(self, day_start: Clock) -> u32 {
        match self.since {
            Since::DayStart => day_start.seconds + self.seconds,
            Since::Midnight if self.seconds >= day_start.seconds => self.seconds,
            Since::Midnight => self.seconds + DAY_SECONDS,
        }
    }

    /// When it is this time of the business day `date`.
    pub fn instant(self, date: Date, day_start: Clock, zone: &Zone) -> Timestamp {
        let seconds = self.after_midnight(day_start);
        let (days, rest) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
        let local = plus(date, days as i32).at((rest / 3600) as i8, (rest / 60 % 60) as i8, (rest % 60) as i8, 0);
        zone.shown_or_jumped(local)
    }

    /// Whether the next business day has begun by then.
    pub fn is_after_the_day(self, day_start: Clock) -> bool {
        self.after_midnight(day_start) >= day_start.seconds + DAY_SECONDS
    }
}

/// The business day to which an instant belongs that nobody planned: a file came, someone pressed a button.
pub fn business_date(instant: Timestamp, day_start: Clock, zone: &Zone) -> Date {
    let local = zone.local(instant);
    let time = local.time();
    let seconds = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    if seconds < i64::from(day_start.seconds) { plus(local.date(), -1) } else { local.date() }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.since {
            Since::Midnight => "",
            Since::DayStart => "+",
        };
        write!(f, "{sign}{:02}:{:02}", self.seconds / 3600, self.seconds / 60 % 60)?;
        match self.seconds % 60 {
            0 => Ok(()),
            seconds => write!(f, ":{seconds:02}"),
        }
    }
}

impl TryFrom<String> for Clock {
    type Error = String;

    fn try_from(text: String) -> Result<Clock, String> {
        Clock::parse(&text).ok_or_else(|| format!("there is no time {text:?}: it is 00:00 to 71:59, or +HH:MM"))
    }
}

impl From<Clock> for String {
    fn from(clock: Clock) -> String {
        clock.to_string()
    }
}
