//! A calendar as it is written and kept, checked for itself.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::date::{DATE_MAX, DATE_MIN, WeekdayName, YearDay};
use crate::month::OperationalMonths;
use crate::zone::Zone;

/// How long a name may be, how many exact dates a calendar has, how many others it names, and how long its text is.
pub const NAME_CHARS_MAX: usize = 128;
pub const DATES_MAX: usize = 10_000;
pub const NAMED_MAX: usize = 16;
pub const DEFINITION_BYTES_MAX: usize = 1 << 20;
/// By how many days a calendar may be that of another, moved.
pub const MOVED_DAYS_MAX: i32 = 366;

/// A business calendar, as its text has it. [`Definition::check`] says whether it can be one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    pub name: String,
    #[serde(default = "Zone::utc")]
    pub time_zone: Zone,
    /// When a business day begins (基準時刻).
    #[serde(default = "midnight")]
    pub day_start: Clock,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operational_month: Option<OperationalMonths>,
    /// The calendar that speaks where this one is silent, level by level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<Weekly>,
    /// Feeds whose holidays are closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    #[serde(default = "Level::empty", skip_serializing_if = "Level::is_empty")]
    pub yearly: Level<YearDay>,
    #[serde(default = "Level::empty", skip_serializing_if = "Level::is_empty")]
    pub dates: Level<Date>,
    /// A calendar made of others, which then has no days of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub combine: Option<Combine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_through: Option<Date>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Calendar,
}

/// Which days of the week are open; the others are closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Weekly {
    Open(Vec<WeekdayName>),
    Closed(Vec<WeekdayName>),
}

/// What is open and what is closed at one level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, bound(deserialize = "T: Deserialize<'de> + Ord"))]
pub struct Level<T: Ord> {
    #[serde(default = "BTreeSet::new", skip_serializing_if = "BTreeSet::is_empty")]
    pub open: BTreeSet<T>,
    #[serde(default = "BTreeSet::new", skip_serializing_if = "BTreeSet::is_empty")]
    pub closed: BTreeSet<T>,
}

/// Calendars as sets of their open days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Combine {
    /// Open where any is.
    Union(Vec<String>),
    /// Open where all are.
    Intersect(Vec<String>),
    /// Open where the first is and none of the others.
    Minus(Vec<String>),
    /// Open so many days after a day that is open in another.
    Offset { of: String, days: i32 },
}

/// Why a text is not a calendar.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    #[error("a calendar's text has at most {DEFINITION_BYTES_MAX} bytes")]
    TooLong,
    #[error("read the calendar")]
    Json(#[source] serde_json::Error),
    #[error("a name has 1 to {NAME_CHARS_MAX} characters and no control characters")]
    Name,
    #[error("{day} is both open and closed")]
    Both { day: String },
    #[error("{date} is beyond validThrough {through} (L6)")]
    BeyondHorizon { date: Date, through: Date },
    #[error("{date} is not within {DATE_MIN} and {DATE_MAX}")]
    Date { date: Date },
    #[error("a calendar has at most {DATES_MAX} dates, and names at most {NAMED_MAX} others")]
    TooMany,
    #[error("a calendar made of others has no weekly, yearly, dates, include or base of its own")]
    CombinedAndOwn,
    #[error("{what} needs at least {least} calendars")]
    TooFew { what: &'static str, least: usize },
    #[error("a calendar is moved by at most {MOVED_DAYS_MAX} days")]
    MovedTooFar,
    #[error("dayStart is 00:00 to 23:59")]
    DayStart,
}

fn midnight() -> Clock {
    Clock::MIDNIGHT
}

impl Definition {
    /// A calendar with nothing but a name.
    pub fn named(name: &str) -> Definition {
        Definition {
            kind: None,
            name: name.to_owned(),
            time_zone: Zone::utc(),
            day_start: Clock::MIDNIGHT,
            operational_month: None,
            base: None,
            weekly: None,
            include: vec![],
            yearly: Level::empty(),
            dates: Level::empty(),
            combine: None,
            valid_through: None,
        }
    }

    /// Reads a calendar's JSON, and checks it.
    pub fn parse(text: &str) -> Result<Definition, DefinitionError> {
        if text.len() > DEFINITION_BYTES_MAX {
            return Err(DefinitionError::TooLong);
        }
        let definition: Definition = serde_json::from_str(text).map_err(DefinitionError::Json)?;
        definition.check()?;
        Ok(definition)
    }

    /// Whether it says one thing of each day. What it names is looked up later, by [`crate::Shelf`].
    pub fn check(&self) -> Result<(), DefinitionError> {
        if !is_name(&self.name) {
            return Err(DefinitionError::Name);
        }
        if self.day_start.to_string().starts_with('+') || self.day_start.seconds() >= 24 * 3600 {
            return Err(DefinitionError::DayStart);
        }
        if self.dates.len() + self.yearly.len() > DATES_MAX || self.include.len() > NAMED_MAX {
            return Err(DefinitionError::TooMany);
        }
        self.yearly.one_thing(|day| String::from(*day))?;
        self.dates.one_thing(Date::to_string)?;
        for date in self.dates.open.iter().chain(&self.dates.closed).chain(&self.valid_through) {
            self.date(*date)?;
        }
        self.combine.as_ref().map_or(Ok(()), |combine| self.combined(combine))
    }

    fn date(&self, date: Date) -> Result<(), DefinitionError> {
        match self.valid_through {
            _ if !(DATE_MIN..=DATE_MAX).contains(&date) => Err(DefinitionError::Date { date }),
            Some(through) if date > through => Err(DefinitionError::BeyondHorizon { date, through }),
            Some(_) | None => Ok(()),
        }
    }

    fn combined(&self, combine: &Combine) -> Result<(), DefinitionError> {
        let own = self.weekly.is_some() || self.base.is_some() || !self.include.is_empty();
        if own || self.yearly.len() + self.dates.len() > 0 {
            return Err(DefinitionError::CombinedAndOwn);
        }
        let (what, names, least) = match combine {
            Combine::Union(names) => ("union", names.len(), 1),
            Combine::Intersect(names) => ("intersect", names.len(), 1),
            Combine::Minus(names) => ("minus", names.len(), 2),
            Combine::Offset { days, .. } if days.saturating_abs() > MOVED_DAYS_MAX => {
                return Err(DefinitionError::MovedTooFar);
            }
            Combine::Offset { .. } => ("offset", 1, 1),
        };
        match names {
            names if names < least => Err(DefinitionError::TooFew { what, least }),
            names if names > NAMED_MAX => Err(DefinitionError::TooMany),
            _ => Ok(()),
        }
    }
}

impl Weekly {
    pub fn is_open(&self, weekday: Weekday) -> bool {
        let among = |days: &[WeekdayName]| days.iter().any(|day| day.0 == weekday);
        match self {
            Weekly::Open(days) => among(days),
            Weekly::Closed(days) => !among(days),
        }
    }
}

impl<T: Ord> Level<T> {
    pub fn empty() -> Level<T> {
        Level { open: BTreeSet::new(), closed: BTreeSet::new() }
    }

    pub fn len(&self) -> usize {
        self.open.len() + self.closed.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Open, closed, or nothing said.
    pub fn says(&self, day: &T) -> Option<bool> {
        if self.open.contains(day) { Some(true) } else { self.closed.contains(day).then_some(false) }
    }

    fn one_thing(&self, name: impl Fn(&T) -> String) -> Result<(), DefinitionError> {
        match self.open.intersection(&self.closed).next() {
            Some(both) => Err(DefinitionError::Both { day: name(both) }),
            None => Ok(()),
        }
    }
}

/// A calendar that can no longer be changed, under its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    pub number: u32,
    pub definition: Definition,
}

/// A name that can be printed in one line.
pub(crate) fn is_name(name: &str) -> bool {
    let chars = name.chars().count();
    (1..=NAME_CHARS_MAX).contains(&chars) && !name.chars().any(char::is_control)
}

/// Dates with what they are called, as imports give them.
pub type Named = BTreeMap<Date, String>;
