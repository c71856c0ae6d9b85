//! Calendars, schedule rules, expressions, and what is imported for them.

use base::Timestamp;
use calendar::change_calendar::together;
use calendar::clock::Clock;
use calendar::date::{Date, Days};
use calendar::ical::{Ical, Recur};
use calendar::rule::lint::lint;
use calendar::zone::Zone;
use calendar::{ChangeCalendar, Definition, Dialect, Expression, Feed, ScheduleDefinition, Shelf};

use crate::parts;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// A calendar and a schedule on it, both in JSON with an empty line between; or one text of any other kind. What is
/// refused has a reason; a firing is later than what it comes after; an answer ends with the days that were asked for.
pub fn calendar(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    expressions(text);
    files(text);
    let (first, rest) = parts(bytes);
    if let (Ok(calendar), Ok(schedule)) = (std::str::from_utf8(first), std::str::from_utf8(rest)) {
        rules(calendar, schedule);
    }
}

fn expressions(text: &str) {
    let zone = Zone::named("America/New_York").expect("a zone");
    for dialect in [Dialect::Rules, Dialect::Scheduler] {
        match Expression::parse(text, dialect) {
            Ok(expression) => {
                let mut now = NOW;
                for _ in 0..10 {
                    let Some(next) = expression.next(now, NOW, &zone) else { break };
                    assert!(next > now);
                    now = next;
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    if let Some(clock) = Clock::parse(text) {
        assert_eq!(Clock::parse(&clock.to_string()), Some(clock));
    }
    let days = days();
    if let Ok(recur) = Recur::parse(text) {
        assert!(recur.beginning(days.from).dates(days.from, days).take(1_000).all(|date| days.contains(date)));
    }
}

fn files(text: &str) {
    let days = days();
    match Ical::parse(text) {
        Ok(file) => assert!(file.whole_days(days).keys().all(|date| days.contains(*date))),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(calendar) = ChangeCalendar::parse(text) {
        let at = together(&[calendar], NOW);
        assert!(at.next_transition.is_none_or(|next| next > NOW));
    }
    let _ = (
        Feed::parse(text).map(|feed| feed.horizon()),
        Feed::from_csv("feed", "1", text).map(|feed| feed.with_proposals(2099)),
    );
}

fn rules(calendar: &str, schedule: &str) {
    let mut shelf = Shelf::default();
    shelf.put_feed(Feed::japan());
    let Ok(mut calendar) = Definition::parse(calendar) else { return };
    calendar.name = "c".to_owned();
    let (Ok(()), Ok(schedule)) = (shelf.put(1, calendar), ScheduleDefinition::parse(schedule)) else { return };
    match schedule.on(&shelf) {
        Ok(schedule) => {
            let days = days();
            let all = schedule.project(days, &|_, _| false);
            assert!(all.iter().all(|occurrence| days.contains(occurrence.date) && !occurrence.trails.is_empty()));
            let _ = (schedule.explain(days.from, &|_, _| false).to_string(), lint(&schedule, days, &|_, _| false));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Some weeks around the end of what Japan's feed knows.
fn days() -> Days {
    Days::new(Date::constant(2027, 11, 15), Date::constant(2028, 1, 15))
}
