//! Recurrence rules (RRULE of RFC 5545), by the day: from yearly to daily.

use jiff::civil::{Date, DateTime, Weekday};

use super::event::{self, When};
use crate::date::{DATE_MAX, Days, Month, day_of, days_between, plus};
use crate::zone::Zone;

/// How often a rule with COUNT may recur, and how long one takes from one period to the next.
pub const COUNT_MAX: u32 = 10_000;
pub const INTERVAL_MAX: i32 = 1_000;
/// How many entries a part of a rule may have, and BYDAY among them.
const LIST_MAX: usize = 400;
const WEEKDAYS_MAX: usize = 35;

/// A recurrence rule, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recur {
    text: String,
    frequency: Frequency,
    interval: i32,
    /// The last day on which it can recur.
    last: Option<Date>,
    /// And the last local time on that day, where the rule says so.
    until: Option<When>,
    count: Option<u32>,
    months: Vec<i8>,
    month_days: Vec<i8>,
    year_days: Vec<i16>,
    weekdays: Vec<(Option<i8>, Weekday)>,
    positions: Vec<i16>,
    week_start: Weekday,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// Why a rule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecurError {
    #[error("the rule recurs more often than daily: {0}")]
    TooOften(String),
    #[error("{0} is not supported in a recurrence rule")]
    Unsupported(String),
    #[error("{0:?} is not a part of a recurrence rule")]
    Part(String),
    #[error("a rule recurs at most {COUNT_MAX} times by COUNT, at intervals of at most {INTERVAL_MAX}")]
    TooMany,
    #[error("a recurrence rule has a FREQ, and not both COUNT and UNTIL")]
    Shape,
}

impl Recur {
    /// Reads `FREQ=MONTHLY;BYDAY=-1FR`.
    pub fn parse(text: &str) -> Result<Recur, RecurError> {
        let mut recur = Recur {
            text: text.trim().to_ascii_uppercase(),
            frequency: Frequency::Daily,
            interval: 1,
            last: None,
            until: None,
            count: None,
            months: vec![],
            month_days: vec![],
            year_days: vec![],
            weekdays: vec![],
            positions: vec![],
            week_start: Weekday::Monday,
        };
        let parts = recur.text.clone();
        let mut frequency = None;
        for part in parts.split(';').filter(|part| !part.is_empty()) {
            let wrong = || RecurError::Part(part.chars().take(64).collect());
            let (key, value) = part.split_once('=').ok_or_else(wrong)?;
            match key {
                "FREQ" => frequency = Some(Frequency::parse(value)?),
                "INTERVAL" => recur.interval = interval(value)?,
                "COUNT" => recur.count = Some(count(value)?),
                "UNTIL" => recur.until = Some(event::when(value).ok_or_else(wrong)?),
                "BYMONTH" => {
                    recur.months = numbers(value, 1, 12).ok_or_else(wrong)?.into_iter().map(|n| n as i8).collect()
                }
                "BYMONTHDAY" => {
                    recur.month_days = signed(value, 31).ok_or_else(wrong)?.into_iter().map(|n| n as i8).collect()
                }
                "BYYEARDAY" => recur.year_days = signed(value, 366).ok_or_else(wrong)?,
                "BYSETPOS" => recur.positions = signed(value, 366).ok_or_else(wrong)?,
                "BYDAY" => {
                    recur.weekdays = value
                        .split(',')
                        .map(weekday)
                        .collect::<Option<_>>()
                        .filter(|all: &Vec<_>| all.len() <= WEEKDAYS_MAX)
                        .ok_or_else(wrong)?
                }
                "WKST" => recur.week_start = weekday(value).map(|(_, day)| day).ok_or_else(wrong)?,
                "BYSECOND" | "BYMINUTE" | "BYHOUR" => return Err(RecurError::TooOften(key.to_owned())),
                "BYWEEKNO" => return Err(RecurError::Unsupported(key.to_owned())),
                _ => return Err(wrong()),
            }
        }
        recur.frequency = frequency.ok_or(RecurError::Shape)?;
        let ordinals = recur.weekdays.iter().any(|(nth, _)| nth.is_some());
        let by_month = matches!(recur.frequency, Frequency::Monthly | Frequency::Yearly);
        if (recur.count.is_some() && recur.until.is_some()) || (ordinals && !by_month) {
            return Err(RecurError::Shape);
        }
        if !recur.year_days.is_empty() && recur.frequency != Frequency::Yearly {
            return Err(RecurError::Unsupported("BYYEARDAY".to_owned()));
        }
        recur.last = recur.until.as_ref().map(|until| plus(until.local.date(), 1));
        Ok(recur)
    }

    /// The rule that begins on `start`: its COUNT becomes the day on which it ends, so that nobody counts again.
    pub fn beginning(mut self, start: Date) -> Recur {
        if let Some(count) = self.count.take() {
            let days = Days::new(start, DATE_MAX);
            let last = self.dates(start, days).nth(count as usize - 1);
            self.last = last.or(Some(DATE_MAX));
        }
        self
    }

    /// The dates within `days` on which it recurs, where it begins on `start`; in order.
    pub fn dates(&self, start: Date, days: Days) -> impl Iterator<Item = Date> {
        let to = days.to.min(self.last.unwrap_or(DATE_MAX)).min(DATE_MAX);
        let from = days.from.max(start);
        let first = self.first_period(start, from);
        (first..)
            .map(move |period| (self.begin(start, period), period))
            .take_while(move |(begin, _)| *begin <= to)
            .flat_map(move |(_, period)| self.period(start, period))
            .filter(move |date| *date >= from && *date <= to)
    }

    /// Whether it ends after so many times, which have to be counted once.
    pub(super) fn counts(&self) -> bool {
        self.count.is_some()
    }

    /// Whether `local`, a time on one of its dates, is not after its UNTIL.
    pub(super) fn reaches(&self, local: DateTime, zone: &Zone) -> bool {
        match &self.until {
            None => true,
            Some(When { local: until, date_only: true, .. }) => local.date() <= until.date(),
            Some(When { local: until, utc: true, .. }) => {
                zone.shown_or_jumped(local) <= Zone::utc().shown_or_jumped(*until)
            }
            Some(When { local: until, .. }) => local <= *until,
        }
    }

    /// A period that is not after the one in which `from` lies.
    fn first_period(&self, start: Date, from: Date) -> i32 {
        let periods = match self.frequency {
            Frequency::Daily => days_between(start, from),
            Frequency::Weekly => days_between(start, from) / 7,
            Frequency::Monthly => i64::from(Month::of(start).until(Month::of(from))),
            Frequency::Yearly => i64::from(from.year()) - i64::from(start.year()),
        };
        (periods / i64::from(self.interval) - 1).clamp(0, 1_000_000) as i32
    }

    /// The first day that a period can have.
    fn begin(&self, start: Date, period: i32) -> Date {
        let step = period.saturating_mul(self.interval);
        match self.frequency {
            Frequency::Daily => plus(start, step),
            Frequency::Weekly => plus(self.week_of(start), step.saturating_mul(7)),
            Frequency::Monthly => Month::of(start).plus(step).day_or_last(1),
            Frequency::Yearly => Month { year: start.year(), month: 1 }.plus(step.saturating_mul(12)).day_or_last(1),
        }
    }

    fn week_of(&self, date: Date) -> Date {
        let back = date.weekday().to_monday_zero_offset() - self.week_start.to_monday_zero_offset();
        plus(date, -i32::from(back.rem_euclid(7)))
    }

    fn period(&self, start: Date, period: i32) -> Vec<Date> {
        let begin = self.begin(start, period);
        let mut dates = match self.frequency {
            Frequency::Daily => vec![begin],
            Frequency::Weekly => self.week(start, begin),
            Frequency::Monthly => self.month(start, Month::of(begin)),
            Frequency::Yearly => self.year(start, begin),
        };
        dates.retain(|date| self.lets_through(*date));
        dates.sort_unstable();
        dates.dedup();
        if self.positions.is_empty() { dates } else { self.chosen(&dates) }
    }

    fn week(&self, start: Date, begin: Date) -> Vec<Date> {
        let days = Days::starting(begin, 7).iter();
        if self.weekdays.is_empty() {
            days.filter(|date| date.weekday() == start.weekday()).collect()
        } else {
            days.collect()
        }
    }

    fn month(&self, start: Date, month: Month) -> Vec<Date> {
        if !self.month_days.is_empty() {
            return self.month_days.iter().filter_map(|day| from_either_end(month, *day)).collect();
        }
        if self.weekdays.is_empty() {
            return day_of(month, start.day()).into_iter().collect();
        }
        self.weekdays_within(Days::new(month.day_or_last(1), month.day_or_last(31)))
    }

    fn year(&self, start: Date, begin: Date) -> Vec<Date> {
        let year = Days::new(begin, begin.last_of_year());
        if !self.year_days.is_empty() {
            let day = |nth: &i16| {
                if *nth > 0 { plus(year.from, i32::from(*nth) - 1) } else { plus(year.to, i32::from(*nth) + 1) }
            };
            return self.year_days.iter().map(day).filter(|date| year.contains(*date)).collect();
        }
        if self.months.is_empty() && self.month_days.is_empty() && !self.weekdays.is_empty() {
            return self.weekdays_within(year);
        }
        let months: Vec<i8> = match (self.months.is_empty(), self.month_days.is_empty()) {
            (false, _) => self.months.clone(),
            (true, true) => vec![start.month()],
            (true, false) => (1..=12).collect(),
        };
        months.into_iter().flat_map(|month| self.month(start, Month { year: begin.year(), month })).collect()
    }

    fn weekdays_within(&self, days: Days) -> Vec<Date> {
        let mut dates = vec![];
        for (nth, weekday) in &self.weekdays {
            let to_first = weekday.to_monday_zero_offset() - days.from.weekday().to_monday_zero_offset();
            let first = plus(days.from, to_first.rem_euclid(7).into());
            let count = (days_between(first, days.to) / 7 + 1) as i32;
            let place = match nth {
                None => 0..count,
                Some(nth) if *nth > 0 => i32::from(*nth) - 1..count.min(i32::from(*nth)),
                Some(nth) => (count + i32::from(*nth)).max(0)..(count + i32::from(*nth) + 1).max(0),
            };
            dates.extend(place.map(|week| plus(first, 7 * week)));
        }
        dates
    }

    /// The parts that only take away.
    fn lets_through(&self, date: Date) -> bool {
        let month = self.months.is_empty() || self.months.contains(&date.month());
        let last = Month::of(date).last_day();
        let month_day = self.month_days.is_empty()
            || self.month_days.contains(&date.day())
            || self.month_days.contains(&(date.day() - last - 1));
        let narrows = self.frequency == Frequency::Daily
            || self.frequency == Frequency::Weekly
            || !self.month_days.is_empty()
            || !self.year_days.is_empty();
        let weekday =
            self.weekdays.is_empty() || !narrows || self.weekdays.iter().any(|(_, day)| *day == date.weekday());
        month && month_day && weekday
    }

    fn chosen(&self, dates: &[Date]) -> Vec<Date> {
        let mut chosen: Vec<Date> = self.positions.iter().filter_map(|nth| at(dates, *nth)).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }
}

impl std::fmt::Display for Recur {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Frequency {
    fn parse(text: &str) -> Result<Frequency, RecurError> {
        match text {
            "DAILY" => Ok(Frequency::Daily),
            "WEEKLY" => Ok(Frequency::Weekly),
            "MONTHLY" => Ok(Frequency::Monthly),
            "YEARLY" => Ok(Frequency::Yearly),
            "SECONDLY" | "MINUTELY" | "HOURLY" => Err(RecurError::TooOften(text.to_owned())),
            other => Err(RecurError::Part(other.chars().take(64).collect())),
        }
    }
}

fn interval(text: &str) -> Result<i32, RecurError> {
    text.parse().ok().filter(|interval| (1..=INTERVAL_MAX).contains(interval)).ok_or(RecurError::TooMany)
}

fn count(text: &str) -> Result<u32, RecurError> {
    text.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count)).ok_or(RecurError::TooMany)
}

fn numbers(text: &str, min: i16, max: i16) -> Option<Vec<i16>> {
    let number = |part: &str| part.parse().ok().filter(|number| (min..=max).contains(number));
    text.split(',').map(number).collect::<Option<Vec<_>>>().filter(|all| all.len() <= LIST_MAX)
}

fn signed(text: &str, max: i16) -> Option<Vec<i16>> {
    numbers(text, -max, max).filter(|all| !all.contains(&0))
}

/// `MO`, `2TU`, `-1FR`
fn weekday(text: &str) -> Option<(Option<i8>, Weekday)> {
    let at = text.len().checked_sub(2)?;
    let (nth, name) = (text.get(..at)?, text.get(at..)?);
    let weekday = match name {
        "SU" => Weekday::Sunday,
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        _ => return None,
    };
    let nth = match nth {
        "" => None,
        nth => Some(nth.parse::<i8>().ok().filter(|nth| *nth != 0 && nth.unsigned_abs() <= 53)?),
    };
    Some((nth, weekday))
}

fn from_either_end(month: Month, day: i8) -> Option<Date> {
    if day > 0 { day_of(month, day) } else { day_of(month, month.last_day() + 1 + day) }
}

/// The nth from the beginning, or from the end.
fn at(dates: &[Date], nth: i16) -> Option<Date> {
    let place =
        if nth > 0 { usize::try_from(nth - 1).ok() } else { dates.len().checked_sub(usize::from(nth.unsigned_abs())) };
    dates.get(place?).copied()
}
