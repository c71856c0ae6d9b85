//! Steps 2 and 3, shift and offset: where a nominal date goes.

use jiff::civil::Date;

use super::anchor::period;
use super::definition::{Offset, OnClosed, ReShift, Rule, Shift};
use crate::date::plus;
use crate::month::OperationalMonths;
use crate::shelf::{Business, State, Walk};

/// Where a step leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Moved {
    To(Date),
    /// It depends on this day, which is unknown.
    Unknown(Date),
    /// No open day within the days that it may move.
    Nowhere,
    /// The rule does not run on closed days.
    Cancelled,
}

/// Step 2: what happens when `nominal` is closed.
pub(super) fn shifted(rule: &Rule, calendar: &Business, nominal: Date) -> Moved {
    let OnClosed { shift, max_shift } = rule.on_closed;
    match (shift, calendar.state(nominal)) {
        // It runs whatever the day is, so nobody has to know.
        (Shift::None, _) | (_, State::Open) => Moved::To(nominal),
        (_, State::Unknown) => Moved::Unknown(nominal),
        (Shift::Cancel, State::Closed) => Moved::Cancelled,
        (Shift::Before, State::Closed) => walked(calendar, nominal, -1, max_shift),
        (Shift::After, State::Closed) => walked(calendar, nominal, 1, max_shift),
        (Shift::Nearest, State::Closed) => nearest(calendar, nominal, max_shift),
        (Shift::BeforeWithinMonth, State::Closed) => {
            within_month(calendar, period(&rule.anchor, calendar), nominal, -1, max_shift)
        }
        (Shift::AfterWithinMonth, State::Closed) => {
            within_month(calendar, period(&rule.anchor, calendar), nominal, 1, max_shift)
        }
    }
}

fn walked(calendar: &Business, from: Date, step: i32, days_max: u32) -> Moved {
    match calendar.open_beyond(from, step, days_max) {
        Walk::Open(date) => Moved::To(date),
        Walk::Unknown(date) => Moved::Unknown(date),
        Walk::Nothing => Moved::Nowhere,
    }
}

/// Outwards, the day before first: of two that are as near, the earlier counts.
fn nearest(calendar: &Business, nominal: Date, days_max: u32) -> Moved {
    for distance in 1..=days_max as i32 {
        for date in [plus(nominal, -distance), plus(nominal, distance)] {
            match calendar.state(date) {
                State::Open => return Moved::To(date),
                State::Unknown => return Moved::Unknown(date),
                State::Closed => {}
            }
        }
    }
    Moved::Nowhere
}

/// In one direction as far as the month goes, then in the other.
fn within_month(calendar: &Business, whose: OperationalMonths, nominal: Date, step: i32, days_max: u32) -> Moved {
    let month = whose.days(whose.of(nominal));
    for step in [step, -step] {
        let mut left_month = false;
        for distance in 1..=days_max as i32 {
            let date = plus(nominal, step * distance);
            match calendar.state(date) {
                _ if !month.contains(date) => {
                    left_month = true;
                    break;
                }
                State::Open => return Moved::To(date),
                State::Unknown => return Moved::Unknown(date),
                State::Closed => {}
            }
        }
        if !left_month {
            return Moved::Nowhere;
        }
    }
    Moved::Nowhere
}

/// Step 3: so many days on from where the shift led, and the days that were counted. Day 0 is not counted.
pub(super) fn offset(rule: &Rule, calendar: &Business, from: Date) -> (Moved, Vec<Date>) {
    match rule.offset {
        None => (Moved::To(from), vec![]),
        Some(Offset::Open { open_days, search_days }) => by_open_days(calendar, from, open_days, search_days),
        Some(Offset::Calendar { calendar_days, re_shift }) => {
            let date = plus(from, calendar_days);
            (shifted_again(rule, calendar, date, re_shift), vec![date])
        }
    }
}

fn by_open_days(calendar: &Business, from: Date, open_days: i32, search_days: u32) -> (Moved, Vec<Date>) {
    let mut counted = vec![];
    let mut date = from;
    for _ in 0..search_days {
        if counted.len() as u32 == open_days.unsigned_abs() {
            break;
        }
        date = plus(date, open_days.signum());
        match calendar.state(date) {
            State::Open => counted.push(date),
            State::Closed => {}
            State::Unknown => return (Moved::Unknown(date), counted),
        }
    }
    let moved = match counted.last() {
        _ if counted.len() as u32 != open_days.unsigned_abs() => Moved::Nowhere,
        Some(last) => Moved::To(*last),
        None => Moved::To(from),
    };
    (moved, counted)
}

fn shifted_again(rule: &Rule, calendar: &Business, date: Date, again: Option<ReShift>) -> Moved {
    let step = match again {
        None => return Moved::To(date),
        Some(ReShift::Before) => -1,
        Some(ReShift::After) => 1,
    };
    match calendar.state(date) {
        State::Open => Moved::To(date),
        State::Unknown => Moved::Unknown(date),
        State::Closed => walked(calendar, date, step, rule.on_closed.max_shift),
    }
}
