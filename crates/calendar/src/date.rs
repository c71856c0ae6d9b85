//! Dates, months and stretches of days.

use std::fmt;

pub use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

/// The first and the last date that anything here names. AWS's cron ends with the year 2199.
pub const DATE_MIN: Date = Date::constant(1900, 1, 1);
pub const DATE_MAX: Date = Date::constant(2199, 12, 31);

/// How many days one question may be about: ten years.
pub const DAYS_MAX: i64 = 3_660;

/// Later by `days`, or earlier; stays at the end of time instead of wrapping.
pub fn plus(date: Date, days: i32) -> Date {
    date.saturating_add(jiff::SignedDuration::from_hours(24 * i64::from(days)))
}

/// How many days `to` is after `from`.
pub fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

/// The day `day` of a month, where it has one.
pub fn day_of(month: Month, day: i8) -> Option<Date> {
    Date::new(month.year, month.month, day).ok()
}

/// The days from `from` through `to`; none where `to` is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Days {
    pub from: Date,
    pub to: Date,
}

impl Days {
    pub fn new(from: Date, to: Date) -> Days {
        Days { from, to }
    }

    /// `from` and the days after it, `count` in all.
    pub fn starting(from: Date, count: u32) -> Days {
        Days { from, to: plus(from, i32::try_from(count).unwrap_or(i32::MAX).saturating_sub(1).min(1_000_000)) }
    }

    pub fn contains(self, date: Date) -> bool {
        self.from <= date && date <= self.to
    }

    pub fn count(self) -> i64 {
        (days_between(self.from, self.to) + 1).max(0)
    }

    /// Wider by `days` at both ends.
    pub fn widened(self, days: i32) -> Days {
        Days { from: plus(self.from, -days), to: plus(self.to, days) }
    }

    pub fn iter(self) -> impl Iterator<Item = Date> {
        let mut next = Some(self.from).filter(|from| *from <= self.to);
        std::iter::from_fn(move || {
            let date = next?;
            next = date.tomorrow().ok().filter(|date| *date <= self.to);
            Some(date)
        })
    }
}

/// A month of a year: of the calendar, or an operational one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Month {
    pub year: i16,
    pub month: i8,
}

impl Month {
    pub fn of(date: Date) -> Month {
        Month { year: date.year(), month: date.month() }
    }

    /// Later by `months`; stays within the years that dates have.
    pub fn plus(self, months: i32) -> Month {
        let all = (i32::from(self.year) * 12 + i32::from(self.month) - 1).saturating_add(months);
        let year = all.div_euclid(12).clamp(-9999, 9999);
        Month { year: year as i16, month: (all.rem_euclid(12) + 1) as i8 }
    }

    /// The months from this one to `other`, negative where that is earlier.
    pub fn until(self, other: Month) -> i32 {
        (i32::from(other.year) - i32::from(self.year)) * 12 + i32::from(other.month) - i32::from(self.month)
    }

    pub fn last_day(self) -> i8 {
        Date::new(self.year, self.month, 1).map_or(28, Date::days_in_month)
    }

    /// Its day `day`, or its last where it is shorter.
    pub fn day_or_last(self, day: i8) -> Date {
        Date::new(self.year, self.month, day.clamp(1, self.last_day())).expect("a month of a date has this day")
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// The days of the week in the order of AWS's numbers: 1 is Sunday.
pub const WEEK: [(Weekday, &str); 7] = [
    (Weekday::Sunday, "Sun"),
    (Weekday::Monday, "Mon"),
    (Weekday::Tuesday, "Tue"),
    (Weekday::Wednesday, "Wed"),
    (Weekday::Thursday, "Thu"),
    (Weekday::Friday, "Fri"),
    (Weekday::Saturday, "Sat"),
];

/// `Sun`, `Mon` …
pub fn weekday_name(day: Weekday) -> &'static str {
    WEEK[day.to_sunday_zero_offset() as usize].1
}

/// Reads `Mon` or `monday`, in any case.
pub fn parse_weekday(text: &str) -> Option<Weekday> {
    WEEK.iter().find_map(|(day, name)| {
        let whole = format!("{day:?}");
        (text.eq_ignore_ascii_case(name) || text.eq_ignore_ascii_case(&whole)).then_some(*day)
    })
}

/// A day of the week as it is written: `Mon`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WeekdayName(pub Weekday);

impl TryFrom<String> for WeekdayName {
    type Error = String;

    fn try_from(text: String) -> Result<WeekdayName, String> {
        parse_weekday(&text).map(WeekdayName).ok_or_else(|| format!("there is no day of the week {text:?}"))
    }
}

impl From<WeekdayName> for String {
    fn from(day: WeekdayName) -> String {
        weekday_name(day.0).to_owned()
    }
}

/// A day of each year, written `12-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct YearDay {
    pub month: i8,
    pub day: i8,
}

impl YearDay {
    pub fn of(date: Date) -> YearDay {
        YearDay { month: date.month(), day: date.day() }
    }
}

impl TryFrom<String> for YearDay {
    type Error = String;

    fn try_from(text: String) -> Result<YearDay, String> {
        let read = || {
            let (month, day) = text.split_once('-')?;
            let (month, day) = (two_digits(month)?, two_digits(day)?);
            // A leap year, so that there is a 29th of February.
            Date::new(2024, month, day).ok().map(|_| YearDay { month, day })
        };
        read().ok_or_else(|| format!("there is no day {text:?} in a year: it is written as 12-31"))
    }
}

impl From<YearDay> for String {
    fn from(day: YearDay) -> String {
        format!("{:02}-{:02}", day.month, day.day)
    }
}

pub(crate) fn two_digits(text: &str) -> Option<i8> {
    (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Reads `2026-09-25` and nothing else.
pub fn parse_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let digits = |from: usize, to: usize| text.get(from..to).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let year = digits(0, 4)?.parse().ok()?;
    Date::new(year, digits(5, 7)?.parse().ok()?, digits(8, 10)?.parse().ok()?).ok()
}
