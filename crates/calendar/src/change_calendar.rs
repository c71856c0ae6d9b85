//! Change Calendar of Systems Manager: a document of iCalendar text that is open or closed at any instant.
//!
//! Source: the user guide, "AWS Systems Manager Change Calendar", and `GetCalendarState` of the API.

use base::Timestamp;
use jiff::civil::Date;

use crate::date::{Days, plus};
use crate::ical::{Ical, IcalError, Interval};
use crate::shelf::{Business, State};
use crate::zone::Zone;

/// How far ahead the next transition is looked for, in days, and in how many stretches.
const AHEAD_DAYS_MAX: i64 = 3_660;
const STRETCH_DAYS_MAX: i64 = 366;
/// How many transitions of single calendars are followed to find one of several together.
const TRANSITIONS_MAX: usize = 10_000;

/// Whether actions may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarState {
    Open,
    Closed,
}

impl CalendarState {
    /// The word of the API.
    pub fn name(self) -> &'static str {
        match self {
            CalendarState::Open => "OPEN",
            CalendarState::Closed => "CLOSED",
        }
    }

    fn other(self) -> CalendarState {
        match self {
            CalendarState::Open => CalendarState::Closed,
            CalendarState::Closed => CalendarState::Open,
        }
    }
}

/// A change calendar, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeCalendar {
    default: CalendarState,
    ical: Ical,
}

/// Why a text is not a change calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeCalendarError {
    #[error(transparent)]
    Ical(#[from] IcalError),
    #[error("X-CALENDAR-TYPE is DEFAULT_OPEN or DEFAULT_CLOSED")]
    Kind,
}

/// The state at an instant, and when it changes next, where it does within ten years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    pub state: CalendarState,
    pub next_transition: Option<Timestamp>,
}

impl ChangeCalendar {
    /// Reads a document's content.
    pub fn parse(text: &str) -> Result<ChangeCalendar, ChangeCalendarError> {
        let ical = Ical::parse(text)?;
        let default = match ical.kind.as_deref() {
            Some("DEFAULT_OPEN") => CalendarState::Open,
            Some("DEFAULT_CLOSED") => CalendarState::Closed,
            Some(_) | None => return Err(ChangeCalendarError::Kind),
        };
        Ok(ChangeCalendar { default, ical })
    }

    pub fn zone(&self) -> &Zone {
        &self.ical.zone
    }

    /// Its state at `instant`: the other one than its default while an event lasts.
    pub fn state(&self, instant: Timestamp) -> CalendarState {
        let until = Timestamp(instant.0.saturating_add(1));
        if self.busy(instant, until).is_empty() { self.default } else { self.default.other() }
    }

    /// When its state changes after `instant`.
    pub fn next_transition(&self, instant: Timestamp) -> Option<Timestamp> {
        let busy_now = self.state(instant) != self.default;
        let end = instant.plus_seconds(AHEAD_DAYS_MAX * 86_400);
        let mut now = instant;
        let mut days = 8;
        while now < end {
            let until = now.plus_seconds(days * 86_400);
            let busy = self.busy(now, until);
            match (busy_now, busy.first()) {
                (false, Some(first)) => return Some(first.from.max(now)),
                (false, None) => {}
                (true, Some(first)) if first.from > now => return Some(now),
                (true, Some(first)) if first.to < until => return Some(first.to),
                (true, Some(_)) => {}
                (true, None) => return Some(now),
            }
            now = until;
            days = (days * 4).min(STRETCH_DAYS_MAX);
        }
        None
    }

    /// The stretches from `from` to `to` that events fill, joined, in order.
    fn busy(&self, from: Timestamp, to: Timestamp) -> Vec<Interval> {
        let events = self.ical.events.iter().filter(|event| !event.advisory);
        let mut all: Vec<Interval> = events.flat_map(|event| event.occurrences(from, to)).collect();
        all.sort_unstable();
        let mut joined: Vec<Interval> = vec![];
        for interval in all {
            match joined.last_mut() {
                Some(last) if interval.from <= last.to => last.to = last.to.max(interval.to),
                _ => joined.push(interval),
            }
        }
        joined
    }

    /// The days within `days` on which it is closed from the first moment to the last, as a business calendar's closed
    /// days. (A day that is open at some moment is open.)
    pub fn closed_days(&self, days: Days) -> Vec<Date> {
        let closed = |date: &Date| {
            let midnight = |date: Date| self.zone().shown_or_jumped(date.at(0, 0, 0, 0));
            let (from, to) = (midnight(*date), midnight(plus(*date, 1)));
            let next = self.next_transition(from);
            self.state(from) == CalendarState::Closed && next.is_none_or(|next| next >= to)
        };
        days.iter().take(crate::date::DAYS_MAX as usize).filter(closed).collect()
    }
}

/// The state of several calendars together: open where all are.
pub fn together(calendars: &[ChangeCalendar], instant: Timestamp) -> At {
    let at = |instant: Timestamp| {
        let all_open = calendars.iter().all(|calendar| calendar.state(instant) == CalendarState::Open);
        if all_open { CalendarState::Open } else { CalendarState::Closed }
    };
    let state = at(instant);
    let mut next: Vec<Option<Timestamp>> = calendars.iter().map(|calendar| calendar.next_transition(instant)).collect();
    for _ in 0..TRANSITIONS_MAX {
        let Some(soonest) = next.iter().flatten().min().copied() else { break };
        if at(soonest) != state {
            return At { state, next_transition: Some(soonest) };
        }
        if soonest > instant.plus_seconds(AHEAD_DAYS_MAX * 86_400) {
            break;
        }
        for (calendar, next) in calendars.iter().zip(&mut next).filter(|(_, next)| **next == Some(soonest)) {
            *next = calendar.next_transition(soonest);
        }
    }
    At { state, next_transition: None }
}

/// A business calendar as a change calendar: open by default, with an event for each run of days within `days` that are
/// not open. What is unknown is closed, for nobody may take it for open.
pub fn from_business(calendar: &Business, days: Days) -> String {
    let mut text = format!(
        "BEGIN:VCALENDAR\r\nPRODID:-//AWS//Change Calendar 1.0//EN\r\nVERSION:2.0\r\nX-CALENDAR-TYPE:DEFAULT_OPEN\r\n\
         X-WR-CALDESC:\r\nX-CALENDAR-CMEVENTS:DISABLED\r\nX-WR-TIMEZONE:{}\r\n",
        calendar.zone.name()
    );
    let mut run: Option<Days> = None;
    for date in days.iter().take(crate::date::DAYS_MAX as usize).chain([plus(days.to, 1)]) {
        let closed = days.contains(date) && calendar.state(date) != State::Open;
        run = match (run, closed) {
            (None, true) => Some(Days::new(date, date)),
            (Some(run), true) => Some(Days::new(run.from, date)),
            (Some(run), false) => {
                text.push_str(&event(run));
                None
            }
            (None, false) => None,
        };
    }
    text.push_str("END:VCALENDAR\r\n");
    text
}

fn event(run: Days) -> String {
    let (from, to) = (run.from.strftime("%Y%m%d"), plus(run.to, 1).strftime("%Y%m%d"));
    format!(
        "BEGIN:VEVENT\r\nUID:closed-{from}\r\nDTSTAMP:{from}T000000Z\r\nDTSTART;VALUE=DATE:{from}\r\n\
         DTEND;VALUE=DATE:{to}\r\nSUMMARY:closed\r\nX-EVENT-TYPE:STANDARD\r\nEND:VEVENT\r\n"
    )
}
