//! The date part of a cron expression: day of the month, month, day of the week, year.

use jiff::civil::{Date, Weekday};

use super::field::{DAY, MONTH, Set, WEEKDAY, YEAR};
use crate::date::{Month, WEEK, day_of};

/// Which dates are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Days {
    text: String,
    day: Day,
    months: Set,
    years: Set,
}

/// Exactly one of the two fields for days says something; the other is `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Day {
    OfMonth(Set),
    /// `L`
    Last,
    /// `LW`
    LastWeekday,
    /// `15W`: the weekday nearest to it, in the same month.
    NearestWeekday(i8),
    OfWeek(Set),
    /// `6L`: the last Friday.
    LastOfWeek(Weekday),
    /// `3#2`: the second Tuesday.
    NthOfWeek(Weekday, i8),
}

impl Days {
    /// Reads `day-of-month month day-of-week year`.
    pub fn parse(text: &str) -> Option<Days> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        match fields[..] {
            [day, month, weekday, year] => Days::of(day, month, weekday, year),
            _ => None,
        }
    }

    pub(super) fn of(day: &str, month: &str, weekday: &str, year: &str) -> Option<Days> {
        let text = [day, month, weekday, year].join(" ");
        let day = match (day, weekday) {
            ("?", "?") => return None,
            (day, "?") => of_month(day)?,
            ("?", weekday) => of_week(weekday)?,
            _ => return None,
        };
        Some(Days { text, day, months: MONTH.set(month)?, years: YEAR.set(year)? })
    }

    /// The dates from `from` on, in order, until the last year that cron has.
    pub fn from(&self, from: Date) -> impl Iterator<Item = Date> {
        let start = Month::of(from);
        let years = self.years.from(u16::try_from(from.year()).unwrap_or(0));
        let months = years.flat_map(move |year| {
            self.months.from(1).map(move |month| Month { year: year as i16, month: month as i8 })
        });
        months
            .filter(move |month| *month >= start)
            .flat_map(|month| self.in_month(month))
            .filter(move |date| *date >= from)
    }

    pub fn contains(&self, date: Date) -> bool {
        self.from(date).next() == Some(date)
    }

    fn in_month(&self, month: Month) -> Vec<Date> {
        let last = month.last_day();
        let all = |meant: &dyn Fn(Date) -> bool| {
            (1..=last).filter_map(|day| day_of(month, day)).filter(|date| meant(*date)).collect()
        };
        let one = |day: Option<i8>| day.and_then(|day| day_of(month, day)).into_iter().collect();
        match &self.day {
            Day::OfMonth(days) => all(&|date| days.contains(date.day() as u16)),
            Day::Last => one(Some(last)),
            Day::LastWeekday => one(nearest_weekday(month, last)),
            Day::NearestWeekday(day) => one(nearest_weekday(month, *day)),
            Day::OfWeek(days) => all(&|date| days.contains(date.weekday().to_sunday_zero_offset() as u16 + 1)),
            Day::LastOfWeek(weekday) => all(&|date| date.weekday() == *weekday && date.day() + 7 > last),
            Day::NthOfWeek(weekday, nth) => all(&|date| date.weekday() == *weekday && (date.day() - 1) / 7 + 1 == *nth),
        }
    }
}

impl std::fmt::Display for Days {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

fn of_month(text: &str) -> Option<Day> {
    match text {
        "L" | "l" => Some(Day::Last),
        "LW" | "lw" => Some(Day::LastWeekday),
        _ => match text.strip_suffix(['W', 'w']) {
            Some(day) => Some(Day::NearestWeekday(DAY.number(day)? as i8)),
            None => DAY.set(text).map(Day::OfMonth),
        },
    }
}

fn of_week(text: &str) -> Option<Day> {
    let weekday = |text: &str| WEEKDAY.number(text).map(|number| WEEK[usize::from(number - 1)].0);
    if let Some((day, nth)) = text.split_once('#') {
        let nth = match nth {
            "1" => 1,
            "2" => 2,
            "3" => 3,
            "4" => 4,
            "5" => 5,
            _ => return None,
        };
        return Some(Day::NthOfWeek(weekday(day)?, nth));
    }
    match text.strip_suffix(['L', 'l']) {
        // The last day of the week.
        Some("") => WEEKDAY.set("7").map(Day::OfWeek),
        Some(day) => Some(Day::LastOfWeek(weekday(day)?)),
        None => WEEKDAY.set(text).map(Day::OfWeek),
    }
}

/// The day from Monday to Friday that is nearest to `day`, without leaving the month; nothing where it has no such day.
fn nearest_weekday(month: Month, day: i8) -> Option<i8> {
    let last = month.last_day();
    let date = day_of(month, day)?;
    Some(match date.weekday() {
        Weekday::Saturday if day == 1 => 3,
        Weekday::Saturday => day - 1,
        Weekday::Sunday if day == last => day - 2,
        Weekday::Sunday => day + 1,
        Weekday::Monday | Weekday::Tuesday | Weekday::Wednesday | Weekday::Thursday | Weekday::Friday => day,
    })
}
