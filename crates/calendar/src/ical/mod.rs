//! iCalendar (RFC 5545): what a calendar file says, as events that can be asked for any stretch of time.
//!
//! Ours, because what is needed is small, and has to end: no file is longer than [`ICAL_BYTES_MAX`], no rule recurs more
//! often than daily, and nothing is expanded that nobody asked for.

mod event;
mod recur;
mod text;

use std::collections::BTreeMap;

use jiff::civil::Date;

pub use event::{Event, Interval};
pub use recur::{COUNT_MAX, INTERVAL_MAX, Recur, RecurError};

use crate::date::{DAYS_MAX, Days};
use crate::definition::Named;
use crate::zone::{UnknownZone, Zone};

/// How long a file may be, how many events it may have, and how many of them may end by a COUNT.
pub const ICAL_BYTES_MAX: usize = 4 << 20;
pub const EVENTS_MAX: usize = 5_000;
pub const COUNTED_MAX: usize = 100;

/// A calendar file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ical {
    /// `X-CALENDAR-TYPE`, as Change Calendar has it.
    pub kind: Option<String>,
    pub description: Option<String>,
    pub zone: Zone,
    pub events: Vec<Event>,
}

/// Why a file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IcalError {
    #[error("an iCalendar file has at most {ICAL_BYTES_MAX} bytes")]
    TooLong,
    #[error("an iCalendar file has at most {EVENTS_MAX} events, {COUNTED_MAX} of them with a COUNT")]
    TooMany,
    #[error("line {line} is not iCalendar")]
    Line { line: usize },
    #[error("the text has no VCALENDAR that ends")]
    NoCalendar,
    #[error("event {uid:?}: {what} is missing or cannot be read")]
    Event { uid: String, what: &'static str },
    #[error("event {uid:?}: {source}")]
    Recur {
        uid: String,
        #[source]
        source: RecurError,
    },
    #[error(transparent)]
    Zone(#[from] UnknownZone),
}

/// The zones that a file names, and its own, which holds where none is named.
struct Zones {
    own: Zone,
    named: BTreeMap<String, Zone>,
}

impl Zones {
    fn named(&self, name: &str) -> Result<Zone, IcalError> {
        self.named.get(name).cloned().map_or_else(|| zone(name), Ok)
    }
}

/// A zone by its name, or by that which Outlook gives it.
fn zone(name: &str) -> Result<Zone, IcalError> {
    let iana = match name {
        "Tokyo Standard Time" => "Asia/Tokyo",
        "GMT Standard Time" => "Europe/London",
        "W. Europe Standard Time" => "Europe/Berlin",
        "Eastern Standard Time" => "America/New_York",
        "Pacific Standard Time" => "America/Los_Angeles",
        "China Standard Time" => "Asia/Shanghai",
        "Singapore Standard Time" => "Asia/Singapore",
        "India Standard Time" => "Asia/Kolkata",
        name => name,
    };
    Ok(Zone::named(iana)?)
}

impl Ical {
    /// Reads a file.
    pub fn parse(text: &str) -> Result<Ical, IcalError> {
        let calendar = text::parse(text)?;
        let own = calendar
            .value("X-WR-TIMEZONE")
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map_or(Ok(Zone::utc()), zone)?;
        let mut zones = Zones { own, named: BTreeMap::new() };
        for described in calendar.all("VTIMEZONE") {
            if let (Some(id), Some(location)) = (described.value("TZID"), described.value("X-LIC-LOCATION")) {
                zones.named.insert(id.to_owned(), zone(location)?);
            }
        }
        let (mut events, mut counted) = (vec![], 0);
        for component in calendar.all("VEVENT") {
            events.extend(Event::read(component, &zones, &mut counted)?);
            if events.len() > EVENTS_MAX {
                return Err(IcalError::TooMany);
            }
        }
        replace(&mut events);
        let kind = calendar.value("X-CALENDAR-TYPE").map(|kind| kind.trim().to_owned());
        let description = calendar.value("X-WR-CALDESC").map(text::unescaped);
        Ok(Ical { kind, description, zone: zones.own, events })
    }

    /// The days within `days` that its events of whole days touch, with the events' names: an import of holidays.
    /// What lasts for hours only is no holiday, and is left out, as are events that only inform.
    pub fn whole_days(&self, days: Days) -> Named {
        let days = Days::new(days.from, days.to.min(crate::date::plus(days.from, DAYS_MAX as i32)));
        let mut named: BTreeMap<Date, String> = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.all_day && !event.advisory) {
            for date in event.whole_days(days) {
                named.entry(date).or_insert_with(|| event.summary.clone());
            }
        }
        named
    }
}

/// An event that stands for an occurrence of another takes its place.
fn replace(events: &mut [Event]) {
    let replaced: Vec<_> = events.iter().filter_map(|event| Some((event.uid.clone(), event.replaces?))).collect();
    let mut by_uid: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, event) in events.iter().enumerate().filter(|(_, event)| event.replaces.is_none()) {
        by_uid.entry(event.uid.clone()).or_default().push(place);
    }
    for (uid, occurrence) in replaced {
        for place in by_uid.get(&uid).into_iter().flatten() {
            events[*place].leave_out(occurrence);
        }
    }
}
