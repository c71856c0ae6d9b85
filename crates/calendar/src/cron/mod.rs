//! Schedule expressions in AWS's dialect: `cron(…)`, `rate(…)`, and for EventBridge Scheduler `at(…)`.
//!
//! Nobody else's cron has this dialect: `?` in exactly one of two fields, Sunday as 1, ranges that run over the end, and
//! at a change of the clocks a time that is skipped where it does not exist, and happens once where it exists twice.

mod days;
mod field;

use std::fmt;

use base::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

pub use days::Days;
use field::{HOUR, MINUTE, Set};

use crate::zone::Zone;

/// How long an expression may be: as AWS has it.
pub const EXPRESSION_CHARS_MAX: usize = 256;

/// Whose expressions they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dialect {
    /// Scheduled rules of EventBridge: always in UTC, and no `at`.
    Rules,
    /// EventBridge Scheduler.
    Scheduler,
}

/// A schedule expression, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    Cron(Box<Cron>),
    Rate(Rate),
    At(DateTime),
}

/// `cron(minutes hours day-of-month month day-of-week year)`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    minutes: Set,
    hours: Set,
    days: Days,
}

/// `rate(value unit)`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub minutes: i64,
}

/// An expression is not valid; the text is AWS's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    pub dialect: Dialect,
    pub text: String,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dialect {
            Dialect::Rules => f.write_str("Parameter ScheduleExpression is not valid."),
            Dialect::Scheduler => write!(f, "Invalid Schedule Expression {}.", self.text),
        }
    }
}

impl std::error::Error for ExpressionError {}

impl Expression {
    /// Reads an expression of `dialect`.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Expression, ExpressionError> {
        let inside = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        let read = || {
            if text.chars().count() > EXPRESSION_CHARS_MAX {
                return None;
            }
            if let Some(fields) = inside("cron") {
                return Cron::parse(fields, dialect).map(Box::new).map(Expression::Cron);
            }
            if let Some(rate) = inside("rate") {
                return Rate::parse(rate, dialect).map(Expression::Rate);
            }
            match dialect {
                Dialect::Rules => None,
                Dialect::Scheduler => inside("at").and_then(at).map(Expression::At),
            }
        };
        let text = text.chars().take(EXPRESSION_CHARS_MAX).collect();
        read().ok_or(ExpressionError { dialect, text })
    }

    /// The first instant after `after` at which it fires; nothing where it never does again.
    ///
    /// `begin` is where a rate starts to count: it fires then, and so often after it. Whose first firing is one
    /// interval later (a rule's) asks for what comes after `begin`.
    pub fn next(&self, after: Timestamp, begin: Timestamp, zone: &Zone) -> Option<Timestamp> {
        match self {
            Expression::Cron(cron) => cron.next(after, zone),
            Expression::Rate(rate) => rate.next(after, begin),
            // What is to happen once is not lost to a change of the clocks.
            Expression::At(at) => Some(zone.shown_or_jumped(*at)).filter(|at| *at > after),
        }
    }
}

/// `yyyy-mm-ddThh:mm:ss`, and nothing else.
fn at(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_once('T')?;
    let date = crate::date::parse_date(date)?;
    let mut parts = time.split(':');
    let mut part = || crate::date::two_digits(parts.next()?);
    let (hour, minute, second) = (part()?, part()?, part()?);
    let right = parts.next().is_none() && second < 60;
    right.then(|| jiff::civil::Time::new(hour, minute, second, 0).ok()).flatten().map(|time| date.to_datetime(time))
}

impl Cron {
    fn parse(text: &str, dialect: Dialect) -> Option<Cron> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let (minutes, hours, day, month, weekday, year) = match (&fields[..], dialect) {
            ([minutes, hours, day, month, weekday, year], _) => (minutes, hours, day, month, weekday, *year),
            // The year may be left out, as Scheduler's guide says.
            ([minutes, hours, day, month, weekday], Dialect::Scheduler) => (minutes, hours, day, month, weekday, "*"),
            _ => return None,
        };
        Some(Cron {
            minutes: MINUTE.set(minutes)?,
            hours: HOUR.set(hours)?,
            days: Days::of(day, month, weekday, year)?,
        })
    }

    /// The first instant after `after` at which it fires.
    ///
    /// A local time that the clocks jump over is skipped; one that they show twice counts the first time. So instants
    /// come in the order of their local times, and whatever is shown no later than `after` has been.
    pub fn next(&self, after: Timestamp, zone: &Zone) -> Option<Timestamp> {
        let now = zone.local(after);
        for date in self.days.from(now.date()) {
            let today = date == now.date();
            for hour in self.hours.from(if today { now.hour() as u16 } else { 0 }) {
                let this_hour = today && hour == now.hour() as u16;
                for minute in self.minutes.from(if this_hour { now.minute() as u16 } else { 0 }) {
                    let at = date.at(hour as i8, minute as i8, 0, 0);
                    if let Some(instant) = zone.if_shown(at).filter(|instant| *instant > after) {
                        return Some(instant);
                    }
                }
            }
        }
        None
    }
}

impl Rate {
    /// `5 minutes`. Rules want the singular for one and the plural for more; Scheduler takes either.
    fn parse(text: &str, dialect: Dialect) -> Option<Rate> {
        let (value, unit) = text.split_once(' ')?;
        let digits = !value.is_empty() && value.len() <= 9 && value.bytes().all(|byte| byte.is_ascii_digit());
        let value: i64 = digits.then(|| value.parse().ok()).flatten().filter(|value| *value > 0)?;
        let singular = unit.strip_suffix('s').unwrap_or(unit);
        let minutes = match singular {
            "minute" => 1,
            "hour" => 60,
            "day" => 24 * 60,
            _ => return None,
        };
        let agrees = (value == 1) == (singular == unit);
        (agrees || dialect == Dialect::Scheduler).then_some(Rate { minutes: value * minutes })
    }

    fn next(self, after: Timestamp, begin: Timestamp) -> Option<Timestamp> {
        if begin > after {
            return Some(begin);
        }
        let interval = i128::from(self.minutes) * 60_000;
        let passed = (i128::from(after.0) - i128::from(begin.0)) / interval + 1;
        i64::try_from(i128::from(begin.0) + passed * interval).ok().map(Timestamp)
    }
}
