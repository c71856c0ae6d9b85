//! Step 1, anchor: which nominal dates a rule names.

use jiff::civil::Date;

use super::definition::{Anchor, AnchorKind, Each, MissingDay, Nth, NthWeekday, Period, Unit};
use crate::date::{Days, Month, day_of, days_between, plus};
use crate::month::OperationalMonths;
use crate::shelf::{Business, State};

/// A date that an anchor names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Nominal {
    pub(super) date: Date,
    /// Which day has to be known before this can be said: the date is then the best that can be said.
    pub(super) unknown: Option<Date>,
}

/// The nominal dates within `days`, in order.
pub(super) fn nominal_dates(anchor: &Anchor, calendar: &Business, days: Days) -> Vec<Nominal> {
    let mut dates: Vec<Nominal> = match &anchor.kind {
        AnchorKind::Day(day) => {
            sure(months(OperationalMonths::CALENDAR, days).filter_map(|(month, _)| numbered(anchor, month, *day)))
        }
        AnchorKind::DayFromEnd(back) => sure(periods(anchor, calendar, days).filter_map(|(_, period)| {
            let date = plus(period.to, -i32::from(*back));
            period.contains(date).then_some(date)
        })),
        AnchorKind::OpDay(day) => sure(periods(anchor, calendar, days).filter_map(|(_, period)| {
            let date = plus(period.from, i32::from(*day) - 1);
            if period.contains(date) {
                Some(date)
            } else {
                (anchor.missing_day == Some(MissingDay::Last)).then_some(period.to)
            }
        })),
        AnchorKind::OpenDay(nth) => periods(anchor, calendar, days)
            .filter_map(|(_, period)| counted(calendar, period, *nth, State::Open))
            .collect(),
        AnchorKind::ClosedDay(nth) => periods(anchor, calendar, days)
            .filter_map(|(_, period)| counted(calendar, period, *nth, State::Closed))
            .collect(),
        AnchorKind::Weekday(NthWeekday::Every, weekday) => sure(days.iter().filter(|date| date.weekday() == *weekday)),
        AnchorKind::Weekday(nth, weekday) => sure(periods(anchor, calendar, days).filter_map(|(_, period)| {
            let all: Vec<Date> = period.iter().filter(|date| date.weekday() == *weekday).collect();
            match nth {
                NthWeekday::Nth(nth) => all.get(usize::from(*nth) - 1).copied(),
                NthWeekday::Last | NthWeekday::Every => all.last().copied(),
            }
        })),
        AnchorKind::Every { n, unit, from } => sure(every(anchor, i32::from(*n), *unit, *from, days).into_iter()),
        AnchorKind::Dates(dates) => sure(dates.range(days.from..=days.to.max(days.from)).copied()),
        AnchorKind::Each(each) => days.iter().filter_map(|date| each_day(*each, calendar, date)).collect(),
        AnchorKind::Cron(cron) => sure(cron.from(days.from).take_while(|date| *date <= days.to)),
        AnchorKind::Rrule { rule, from } => sure(rule.dates(*from, days)),
    };
    dates.retain(|nominal| days.contains(nominal.date) && in_months(anchor, calendar, nominal.date));
    dates.sort_unstable();
    dates.dedup_by_key(|nominal| nominal.date);
    dates
}

fn sure(dates: impl Iterator<Item = Date>) -> Vec<Nominal> {
    dates.map(|date| Nominal { date, unknown: None }).collect()
}

/// The filter by months: those within which the anchor counts, else those of the calendar.
fn in_months(anchor: &Anchor, calendar: &Business, date: Date) -> bool {
    let whose = if anchor.counts_within_months() { period(anchor, calendar) } else { OperationalMonths::CALENDAR };
    anchor.months.is_empty() || anchor.months.contains(&whose.of(date).month)
}

pub(super) fn period(anchor: &Anchor, calendar: &Business) -> OperationalMonths {
    match anchor.period {
        Period::OperationalMonth => calendar.months,
        Period::CalendarMonth => OperationalMonths::CALENDAR,
    }
}

fn periods(anchor: &Anchor, calendar: &Business, days: Days) -> impl Iterator<Item = (Month, Days)> {
    months(period(anchor, calendar), days)
}

/// The months that have a day within `days`, and their days.
fn months(whose: OperationalMonths, days: Days) -> impl Iterator<Item = (Month, Days)> {
    let (first, last) = (whose.of(days.from), whose.of(days.to.max(days.from)));
    (0..=first.until(last)).map(move |number| first.plus(number)).map(move |month| (month, whose.days(month)))
}

fn numbered(anchor: &Anchor, month: Month, day: i8) -> Option<Date> {
    day_of(month, day).or_else(|| (anchor.missing_day == Some(MissingDay::Last)).then(|| month.day_or_last(day)))
}

/// The nth day of a period in a state. A day that is unknown could be one of them: from there on nothing is sure.
fn counted(calendar: &Business, period: Days, nth: Nth, wanted: State) -> Option<Nominal> {
    let (mut left, mut date, step) = match nth {
        Nth::FromStart(nth) => (u32::from(nth.max(1)), period.from, 1),
        Nth::FromEnd(back) => (u32::from(back) + 1, period.to, -1),
    };
    while period.contains(date) {
        match calendar.state(date) {
            State::Unknown => return Some(Nominal { date, unknown: Some(date) }),
            state if state == wanted => left -= 1,
            State::Open | State::Closed => {}
        }
        if left == 0 {
            return Some(Nominal { date, unknown: None });
        }
        date = plus(date, step);
    }
    None
}

fn every(anchor: &Anchor, n: i32, unit: Unit, from: Date, days: Days) -> Vec<Date> {
    let by_days = |step: i32| {
        let passed = days_between(from, days.from.max(from));
        let first = (passed / i64::from(step)) as i32;
        (first..)
            .map(move |number| plus(from, number.saturating_mul(step)))
            .take_while(|date| *date <= days.to)
            .collect()
    };
    let by_months = |step: i32| {
        let passed = Month::of(from).until(Month::of(days.from.max(from)));
        let months = (passed / step..).map(move |number| Month::of(from).plus(number.saturating_mul(step)));
        let within = months.take_while(|month| month.day_or_last(1) <= days.to);
        within.filter_map(|month| numbered(anchor, month, from.day())).collect()
    };
    match unit {
        Unit::Day => by_days(n),
        Unit::Week => by_days(7 * n),
        Unit::Month => by_months(n),
        Unit::Year => by_months(12 * n),
    }
}

fn each_day(each: Each, calendar: &Business, date: Date) -> Option<Nominal> {
    let named = |unknown| Some(Nominal { date, unknown });
    match (each, calendar.state(date)) {
        (Each::Day, _) | (Each::OpenDay, State::Open) | (Each::ClosedDay, State::Closed) => named(None),
        (Each::OpenDay | Each::ClosedDay, State::Unknown) => named(Some(date)),
        (Each::OpenDay, State::Closed) | (Each::ClosedDay, State::Open) => None,
    }
}
