//! Events: when they begin, how long they last, how they recur.

use base::Timestamp;
use jiff::civil::{Date, DateTime, Time};

use super::recur::Recur;
use super::text::{Component, Property, unescaped};
use super::{COUNTED_MAX, IcalError, Zones};
use crate::date::{DATE_MAX, DATE_MIN, Days, plus};
use crate::zone::Zone;

/// How long an event that recurs may last, and how long any.
const RECURRING_DAYS_MAX: i64 = 366;
const EVENT_DAYS_MAX: i64 = 36_600;
/// How many exceptions, and how many further dates, an event may have.
const EXTRA_MAX: usize = 1_000;
const SUMMARY_CHARS_MAX: usize = 500;

/// An event of an iCalendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub uid: String,
    pub summary: String,
    /// An event that only informs (`X-EVENT-TYPE:ADVISORY`): it changes no state.
    pub advisory: bool,
    pub all_day: bool,
    start: DateTime,
    zone: Zone,
    length: Length,
    recur: Option<Recur>,
    except: Vec<DateTime>,
    extra: Vec<DateTime>,
    /// Which occurrence of the event with the same uid this one stands for.
    pub(super) replaces: Option<DateTime>,
}

/// Days as the wall counts them, then seconds as they pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Length {
    days: i32,
    seconds: i64,
}

/// A date, a local time, or a time in UTC, as iCalendar writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    pub(super) local: DateTime,
    pub(super) date_only: bool,
    pub(super) utc: bool,
}

/// From an event's beginning until its end, which is no longer part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Event {
    /// Reads a VEVENT; nothing where it has been cancelled.
    pub(super) fn read(component: &Component, zones: &Zones, counted: &mut usize) -> Result<Option<Event>, IcalError> {
        if component.value("STATUS").is_some_and(|status| status.eq_ignore_ascii_case("CANCELLED")) {
            return Ok(None);
        }
        let uid: String = component.value("UID").unwrap_or_default().chars().take(SUMMARY_CHARS_MAX).collect();
        let wrong = |what: &'static str| IcalError::Event { uid: uid.clone(), what };
        let property = component.property("DTSTART").ok_or_else(|| wrong("DTSTART"))?;
        let (begin, zone) = zoned(property, zones)?.ok_or_else(|| wrong("DTSTART"))?;
        let recur = match component.value("RRULE") {
            Some(rule) => {
                let recur = Recur::parse(rule).map_err(|source| IcalError::Recur { uid: uid.clone(), source })?;
                *counted += usize::from(recur.counts());
                if *counted > COUNTED_MAX {
                    return Err(IcalError::TooMany);
                }
                Some(recur.beginning(begin.local.date()))
            }
            None => None,
        };
        let length = length(component, zones, &begin, &zone)?.ok_or_else(|| wrong("DTEND or DURATION"))?;
        let list = |name| times(component, name, &zone, zones).and_then(|list| list.ok_or_else(|| wrong(name)));
        let (except, extra) = (list("EXDATE")?, list("RDATE")?);
        let recurs = recur.is_some() || !extra.is_empty();
        let days_max = if recurs { RECURRING_DAYS_MAX } else { EVENT_DAYS_MAX };
        if i64::from(length.days) + length.seconds / 86_400 > days_max {
            return Err(wrong("length"));
        }
        let replaces = match component.property("RECURRENCE-ID") {
            Some(property) => Some(local_in(property, &zone, zones)?.ok_or_else(|| wrong("RECURRENCE-ID"))?),
            None => None,
        };
        Ok(Some(Event {
            summary: unescaped(component.value("SUMMARY").unwrap_or_default())
                .chars()
                .take(SUMMARY_CHARS_MAX)
                .collect(),
            advisory: component.value("X-EVENT-TYPE").is_some_and(|kind| kind.eq_ignore_ascii_case("ADVISORY")),
            all_day: begin.date_only,
            start: begin.local,
            uid,
            zone,
            length,
            recur,
            except,
            extra,
            replaces,
        }))
    }

    pub(super) fn leave_out(&mut self, occurrence: DateTime) {
        if self.except.len() < EXTRA_MAX {
            self.except.push(occurrence);
        }
    }

    /// Its occurrences that touch the time from `from` to `to`, in no order.
    pub fn occurrences(&self, from: Timestamp, to: Timestamp) -> Vec<Interval> {
        let before = i32::try_from(i64::from(self.length.days) + self.length.seconds / 86_400 + 2).unwrap_or(i32::MAX);
        let days = Days::new(plus(self.zone.local(from).date(), -before), plus(self.zone.local(to).date(), 1));
        self.starts(days)
            .into_iter()
            .map(|start| self.interval(start))
            .filter(|interval| interval.from < to && interval.to > from && interval.from < interval.to)
            .collect()
    }

    /// The days within `days` that its occurrences touch, for an event of whole days.
    pub(super) fn whole_days(&self, days: Days) -> Vec<Date> {
        let length = self.length.days.max(1);
        let starts = self.starts(Days::new(plus(days.from, -length), days.to));
        let touched = starts.into_iter().flat_map(|start| Days::starting(start.date(), length as u32).iter());
        touched.filter(|date| days.contains(*date)).collect()
    }

    fn starts(&self, days: Days) -> Vec<DateTime> {
        let mut starts: Vec<DateTime> = vec![];
        let once = std::iter::once(self.start).chain(self.extra.iter().copied());
        starts.extend(once.filter(|start| days.contains(start.date())));
        if let Some(recur) = &self.recur {
            let dates = recur.dates(self.start.date(), days);
            let at = dates.map(|date| date.to_datetime(self.start.time()));
            starts.extend(at.filter(|start| recur.reaches(*start, &self.zone)));
        }
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|start| !self.except.contains(start));
        starts
    }

    fn interval(&self, start: DateTime) -> Interval {
        let from = self.zone.shown_or_jumped(start);
        let day = plus(start.date(), self.length.days).to_datetime(start.time());
        let to = if self.length.days == 0 { from } else { self.zone.shown_or_jumped(day) };
        Interval { from, to: to.plus_seconds(self.length.seconds) }
    }
}

fn length(component: &Component, zones: &Zones, begin: &When, zone: &Zone) -> Result<Option<Length>, IcalError> {
    if let Some(property) = component.property("DTEND") {
        let Some((end, end_zone)) = zoned(property, zones)? else { return Ok(None) };
        if begin.date_only {
            let days = crate::date::days_between(begin.local.date(), end.local.date());
            return Ok(i32::try_from(days).ok().filter(|days| *days >= 0).map(|days| Length { days, seconds: 0 }));
        }
        let passed = end_zone.shown_or_jumped(end.local).0 - zone.shown_or_jumped(begin.local).0;
        return Ok((passed >= 0).then_some(Length { days: 0, seconds: passed / 1000 }));
    }
    Ok(match component.value("DURATION") {
        Some(text) => duration(text),
        None => Some(Length { days: i32::from(begin.date_only), seconds: 0 }),
    })
}

/// `P1DT2H`, `P2W`
fn duration(text: &str) -> Option<Length> {
    let text = text.trim().trim_start_matches('+').strip_prefix('P')?;
    let mut length = Length { days: 0, seconds: 0 };
    let mut number = String::new();
    for char in text.chars() {
        let value = || number.parse::<i32>().ok().filter(|value| *value <= 1_000_000);
        match char {
            'T' => continue,
            digit if digit.is_ascii_digit() && number.len() < 8 => {
                number.push(digit);
                continue;
            }
            'W' => length.days = length.days.checked_add(value()?.checked_mul(7)?)?,
            'D' => length.days = length.days.checked_add(value()?)?,
            'H' => length.seconds += i64::from(value()?) * 3600,
            'M' => length.seconds += i64::from(value()?) * 60,
            'S' => length.seconds += i64::from(value()?),
            _ => return None,
        }
        number.clear();
    }
    number.is_empty().then_some(length)
}

fn times(component: &Component, name: &str, zone: &Zone, zones: &Zones) -> Result<Option<Vec<DateTime>>, IcalError> {
    let mut all = vec![];
    for property in component.properties.iter().filter(|property| property.name == name) {
        for value in property.value.split(',') {
            let Some(local) = local_of(value, property, zone, zones)? else { return Ok(None) };
            all.push(local);
            if all.len() > EXTRA_MAX {
                return Err(IcalError::TooMany);
            }
        }
    }
    Ok(Some(all))
}

fn local_in(property: &Property, zone: &Zone, zones: &Zones) -> Result<Option<DateTime>, IcalError> {
    local_of(&property.value, property, zone, zones)
}

/// A time as a clock in the event's own zone shows it.
fn local_of(value: &str, property: &Property, zone: &Zone, zones: &Zones) -> Result<Option<DateTime>, IcalError> {
    let Some(when) = when(value) else { return Ok(None) };
    let theirs = zone_of(property, &when, zones)?;
    let same = when.date_only || theirs == *zone;
    Ok(Some(if same { when.local } else { zone.local(theirs.shown_or_jumped(when.local)) }))
}

fn zoned(property: &Property, zones: &Zones) -> Result<Option<(When, Zone)>, IcalError> {
    let Some(when) = when(&property.value) else { return Ok(None) };
    let zone = zone_of(property, &when, zones)?;
    Ok(Some((when, zone)))
}

fn zone_of(property: &Property, when: &When, zones: &Zones) -> Result<Zone, IcalError> {
    match property.parameter("TZID") {
        _ if when.utc => Ok(Zone::utc()),
        Some(name) => zones.named(name),
        None => Ok(zones.own.clone()),
    }
}

/// `20260925`, `20260925T200000`, `20260925T200000Z`
pub(super) fn when(text: &str) -> Option<When> {
    let text = text.trim();
    let (text, utc) = match text.strip_suffix(['Z', 'z']) {
        Some(text) => (text, true),
        None => (text, false),
    };
    let digits = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    let (date, time) = match text.split_once(['T', 't']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    if !digits(date, 8) || time.is_some_and(|time| !digits(time, 6)) || (utc && time.is_none()) {
        return None;
    }
    let part = |text: &str, from: usize, to: usize| text[from..to].parse::<i8>().ok();
    let day = Date::new(date[..4].parse().ok()?, part(date, 4, 6)?, part(date, 6, 8)?).ok()?;
    let clock = match time {
        // A leap second is the last second of its minute.
        Some(time) => Time::new(part(time, 0, 2)?, part(time, 2, 4)?, part(time, 4, 6)?.min(59), 0).ok()?,
        None => Time::midnight(),
    };
    let known = (DATE_MIN..=DATE_MAX).contains(&day);
    known.then(|| When { local: day.to_datetime(clock), date_only: time.is_none(), utc })
}
