//! Feeds: lists of holidays that someone else keeps, by year. A year counts when someone here has approved it.
//!
//! **Invariant:** a day of a year that is not approved is unknown. It is never taken for a day without a holiday.

mod csv;
pub mod law;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use csv::{CSV_BYTES_MAX, CsvError};

/// The name of the feed with Japan's national holidays.
pub const JAPAN: &str = "jp-national";

/// Which list of the Cabinet Office `data/holidays-jp.csv` is: that published in this month.
const JAPAN_VERSION: &str = "2026-02";
const JAPAN_CSV: &str = include_str!("../../data/holidays-jp.csv");

/// How many years, and how many holidays a year, a feed may have.
pub const FEED_YEARS_MAX: usize = 300;
pub const FEED_HOLIDAYS_MAX: usize = 366;
/// How long a feed's text may be.
pub const FEED_BYTES_MAX: usize = 4 << 20;

/// Holidays by year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Feed {
    pub name: String,
    pub version: String,
    pub years: BTreeMap<i16, Year>,
}

/// The holidays of a year, and whether they count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Year {
    #[serde(default)]
    pub approved: bool,
    pub holidays: BTreeMap<Date, String>,
}

/// What a feed says of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says<'a> {
    Holiday(&'a str),
    Nothing,
    Unknown,
}

/// A feed's text is not one.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    #[error("a feed has at most {FEED_BYTES_MAX} bytes")]
    TooLong,
    #[error("read the feed")]
    Json(#[source] serde_json::Error),
    #[error("a feed has at most {FEED_YEARS_MAX} years, and a year at most {FEED_HOLIDAYS_MAX} holidays")]
    TooMany,
    #[error("{date} is listed in the year {year}")]
    Elsewhere { date: Date, year: i16 },
    #[error(transparent)]
    Csv(#[from] CsvError),
}

/// A day in which two versions of a feed differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub date: Date,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Feed {
    /// Reads a feed's JSON.
    pub fn parse(text: &str) -> Result<Feed, FeedError> {
        if text.len() > FEED_BYTES_MAX {
            return Err(FeedError::TooLong);
        }
        let feed: Feed = serde_json::from_str(text).map_err(FeedError::Json)?;
        if feed.years.len() > FEED_YEARS_MAX || feed.years.values().any(|year| year.holidays.len() > FEED_HOLIDAYS_MAX)
        {
            return Err(FeedError::TooMany);
        }
        for (year, list) in &feed.years {
            if let Some(date) = list.holidays.keys().find(|date| date.year() != *year) {
                return Err(FeedError::Elsewhere { date: *date, year: *year });
            }
        }
        Ok(feed)
    }

    /// Reads a list as the Cabinet Office publishes it; its years are not approved yet.
    pub fn from_csv(name: &str, version: &str, text: &str) -> Result<Feed, FeedError> {
        let mut years: BTreeMap<i16, Year> = BTreeMap::new();
        for (date, holiday) in csv::parse(text)? {
            years.entry(date.year()).or_default().holidays.insert(date, holiday);
        }
        if years.len() > FEED_YEARS_MAX {
            return Err(FeedError::TooMany);
        }
        Ok(Feed { name: name.to_owned(), version: version.to_owned(), years })
    }

    /// Japan's national holidays as published, 2020 to 2027.
    pub fn japan() -> Feed {
        let feed = Feed::from_csv(JAPAN, JAPAN_VERSION, JAPAN_CSV).expect("the list that is compiled in can be read");
        let years = feed.years.keys().copied().collect::<Vec<_>>();
        years.into_iter().fold(feed, Feed::approved)
    }

    /// With the years after its last one, through `last`, as the law would have them. They are not approved.
    pub fn with_proposals(mut self, last: i16) -> Feed {
        let first = self.years.keys().next_back().map_or(law::YEAR_MIN, |year| year.saturating_add(1));
        for year in first..=last.min(law::YEAR_MAX) {
            if let Some(holidays) = law::holidays(year) {
                self.years.insert(year, Year { approved: false, holidays });
            }
        }
        self
    }

    /// With `year` approved, where it has it.
    pub fn approved(mut self, year: i16) -> Feed {
        if let Some(list) = self.years.get_mut(&year) {
            list.approved = true;
        }
        self
    }

    /// What it says of `date`.
    pub fn says(&self, date: Date) -> Says<'_> {
        match self.years.get(&date.year()) {
            Some(Year { approved: true, holidays }) => match holidays.get(&date) {
                Some(name) => Says::Holiday(name),
                None => Says::Nothing,
            },
            Some(Year { approved: false, .. }) | None => Says::Unknown,
        }
    }

    /// The last day that is known: that of the last approved year before the first gap.
    pub fn horizon(&self) -> Option<Date> {
        let mut known = self.years.iter().filter(|(_, list)| list.approved).map(|(year, _)| *year);
        let mut last = known.next()?;
        for year in known {
            if year != last + 1 {
                break;
            }
            last = year;
        }
        Date::new(last, 12, 31).ok()
    }

    /// Where `newer` differs from this one, approved or not.
    pub fn changes(&self, newer: &Feed) -> Vec<Change> {
        let all = |feed: &Feed| -> BTreeMap<Date, String> {
            feed.years.values().flat_map(|year| year.holidays.clone()).collect()
        };
        let (before, after) = (all(self), all(newer));
        let dates: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
        let change = |date| {
            let (before, after) = (before.get(&date).cloned(), after.get(&date).cloned());
            (before != after).then_some(Change { date, before, after })
        };
        dates.into_iter().filter_map(change).collect()
    }
}
