//! Change calendars: their state at any instant, and what is refused.

use base::Timestamp;
use calendar::change_calendar::{CalendarState, ChangeCalendar, from_business, together};
use calendar::date::{Days, parse_date};
use calendar::holiday::Feed;
use calendar::ical::{Ical, Recur};
use calendar::{Definition, Shelf};

fn text(kind: &str, events: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nPRODID:-//AWS//Change Calendar 1.0//EN\r\nVERSION:2.0\r\nX-CALENDAR-TYPE:{kind}\r\n\
         X-WR-CALDESC:\r\nX-CALENDAR-CMEVENTS:DISABLED\r\nX-WR-TIMEZONE:Asia/Tokyo\r\nBEGIN:VTODO\r\n\
         SUMMARY:Add events to this calendar.\r\nEND:VTODO\r\n{events}END:VCALENDAR\r\n"
    )
}

fn event(lines: &str) -> String {
    let lines = lines.replace('\n', "\r\n");
    format!("BEGIN:VEVENT\r\nUID:u\r\n{lines}\r\nEND:VEVENT\r\n")
}

fn calendar(kind: &str, events: &str) -> ChangeCalendar {
    ChangeCalendar::parse(&text(kind, events)).expect("a change calendar")
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect(text)
}

/// `STATE until`, as GetCalendarState would say it.
fn state(calendars: &[ChangeCalendar], when: &str) -> String {
    let at = together(calendars, at(when));
    let next = at.next_transition.map_or("-".to_owned(), |next| next.to_string()[..16].to_owned());
    format!("{} {next}", at.state.name())
}

#[test]
fn an_event_closes_what_is_open_and_opens_what_is_closed() {
    let freeze = event("DTSTART;TZID=Asia/Tokyo:20261229T000000\nDTEND;TZID=Asia/Tokyo:20270104T000000");
    let open = [calendar("DEFAULT_OPEN", &freeze)];
    assert_eq!(state(&open, "2026-12-01T00:00:00Z"), "OPEN 2026-12-28T15:00");
    assert_eq!(state(&open, "2026-12-28T15:00:00Z"), "CLOSED 2027-01-03T15:00");
    assert_eq!(state(&open, "2027-01-03T15:00:00Z"), "OPEN -");
    let closed = [calendar("DEFAULT_CLOSED", &freeze)];
    assert_eq!(state(&closed, "2026-12-01T00:00:00Z"), "CLOSED 2026-12-28T15:00");
    assert_eq!(state(&closed, "2026-12-30T00:00:00Z"), "OPEN 2027-01-03T15:00");
    assert_eq!(state(&[calendar("DEFAULT_OPEN", "")], "2026-12-01T00:00:00Z"), "OPEN -");
}

#[test]
fn events_recur_in_their_own_zone() {
    let nightly = event("DTSTART;TZID=America/New_York:20261030T220000\nDURATION:PT2H\nRRULE:FREQ=DAILY;COUNT=4");
    let one = [calendar("DEFAULT_CLOSED", &nightly)];
    // The clocks go back on 1 November: 22:00 is 02:00Z before, 03:00Z after.
    assert_eq!(state(&one, "2026-10-31T02:30:00Z"), "OPEN 2026-10-31T04:00");
    assert_eq!(state(&one, "2026-11-02T02:30:00Z"), "CLOSED 2026-11-02T03:00");
    assert_eq!(state(&one, "2026-11-04T00:00:00Z"), "CLOSED -");
    let weekly = event(
        "DTSTART;TZID=Asia/Tokyo:20260501T080000\nDTEND;TZID=Asia/Tokyo:20260501T180000\nRRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,TU,WE,TH,FR\nX-EVENT-TYPE:STANDARD",
    );
    assert_eq!(state(&[calendar("DEFAULT_CLOSED", &weekly)], "2026-05-01T10:00:00Z"), "CLOSED 2026-05-03T23:00");
    let days = event("DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY\nEXDATE;VALUE=DATE:20260105");
    assert_eq!(state(&[calendar("DEFAULT_OPEN", &days)], "2026-01-02T00:00:00Z"), "CLOSED 2026-01-04T15:00");
    assert_eq!(state(&[calendar("DEFAULT_OPEN", &days)], "2026-01-06T00:00:00Z"), "CLOSED -", "for ten years at least");
    let until = event("DTSTART:20260101T000000Z\nDTEND:20260101T010000Z\nRRULE:FREQ=DAILY;UNTIL=20260103T000000Z");
    assert_eq!(state(&[calendar("DEFAULT_OPEN", &until)], "2026-01-03T00:30:00Z"), "CLOSED 2026-01-03T01:00");
    assert_eq!(state(&[calendar("DEFAULT_OPEN", &until)], "2026-01-03T02:00:00Z"), "OPEN -");
}

#[test]
fn an_occurrence_may_be_replaced_cancelled_or_only_inform() {
    let series = event("DTSTART:20260101T000000Z\nDTEND:20260101T010000Z\nRRULE:FREQ=DAILY;COUNT=3");
    let moved = event("RECURRENCE-ID:20260102T000000Z\nDTSTART:20260102T050000Z\nDTEND:20260102T060000Z");
    let both = [calendar("DEFAULT_OPEN", &(series.clone() + &moved))];
    assert_eq!(state(&both, "2026-01-01T02:00:00Z"), "OPEN 2026-01-02T05:00");
    let advisory = event("DTSTART:20260101T000000Z\nDTEND:20260102T000000Z\nX-EVENT-TYPE:ADVISORY");
    assert_eq!(state(&[calendar("DEFAULT_OPEN", &advisory)], "2026-01-01T02:00:00Z"), "OPEN -");
    let cancelled = event("DTSTART:20260101T000000Z\nDTEND:20260102T000000Z\nSTATUS:CANCELLED");
    assert_eq!(state(&[calendar("DEFAULT_OPEN", &cancelled)], "2026-01-01T02:00:00Z"), "OPEN -");
}

#[test]
fn several_are_open_where_all_are() {
    let one = calendar("DEFAULT_OPEN", &event("DTSTART:20260101T000000Z\nDTEND:20260101T060000Z"));
    let other = calendar("DEFAULT_OPEN", &event("DTSTART:20260101T040000Z\nDTEND:20260101T090000Z"));
    let window = calendar("DEFAULT_CLOSED", &event("DTSTART:20251231T000000Z\nDTEND:20260101T120000Z"));
    let all = [one, other, window];
    assert_eq!(state(&all, "2025-12-31T12:00:00Z"), "OPEN 2026-01-01T00:00");
    assert_eq!(state(&all, "2026-01-01T00:00:00Z"), "CLOSED 2026-01-01T09:00");
    assert_eq!(state(&all, "2026-01-01T10:00:00Z"), "OPEN 2026-01-01T12:00");
    assert_eq!(state(&all, "2026-01-01T12:00:00Z"), "CLOSED -");
}

#[test]
fn what_could_not_be_expanded_is_refused() {
    let refused = |events: &str| ChangeCalendar::parse(&text("DEFAULT_OPEN", events)).expect_err("refused").to_string();
    let with = |rule: &str| refused(&event(&format!("DTSTART:20260101T000000Z\nDTEND:20260101T000001Z\nRRULE:{rule}")));
    assert_eq!(with("FREQ=SECONDLY"), "event \"u\": the rule recurs more often than daily: SECONDLY");
    for rule in [
        "FREQ=HOURLY",
        "FREQ=DAILY;BYSECOND=1",
        "FREQ=DAILY;COUNT=1000000",
        "FREQ=DAILY;INTERVAL=0",
        "COUNT=1",
        "FREQ=DAILY;COUNT=1;UNTIL=20270101",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=YEARLY;BYWEEKNO=1",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;X",
    ] {
        assert!(!with(rule).is_empty());
    }
    assert_eq!(refused(&" x".repeat(5 << 20)), "an iCalendar file has at most 4194304 bytes");
    assert_eq!(refused(&event("DTSTART;TZID=Asia/Edo:20260101T000000")), "there is no time zone \"Asia/Edo\"");
    assert_eq!(refused(&event("SUMMARY:x")), "event \"u\": DTSTART is missing or cannot be read");
    assert_eq!(
        refused(&event("DTSTART:20260101T000000Z\nDTEND:20251231T000000Z")),
        "event \"u\": DTEND or DURATION is missing or cannot be read"
    );
    assert_eq!(refused("BEGIN:VEVENT\r\n"), "line 12 is not iCalendar");
    assert_eq!(
        refused(&event("DTSTART:20260101T000000Z").repeat(5_001)),
        "an iCalendar file has at most 5000 events, 100 of them with a COUNT"
    );
    assert_eq!(
        ChangeCalendar::parse(&text("OPEN", "")).expect_err("refused").to_string(),
        "X-CALENDAR-TYPE is DEFAULT_OPEN or DEFAULT_CLOSED"
    );
    let counted = event("DTSTART:20260101T000000Z\nRRULE:FREQ=DAILY;COUNT=1");
    assert!(ChangeCalendar::parse(&text("DEFAULT_OPEN", &counted.repeat(100))).is_ok());
    assert!(ChangeCalendar::parse(&text("DEFAULT_OPEN", &counted.repeat(101))).is_err());
    for text in ["", "BEGIN:VCALENDAR", "END:VCALENDAR", "x", "BEGIN:VTODO\nEND:VTODO"] {
        assert!(Ical::parse(text).is_err(), "{text}");
    }
}

#[test]
fn recurrence_rules_name_their_days() {
    let days = |rule: &str, count: usize| -> Vec<String> {
        let start = parse_date("2026-01-01").expect("a date");
        let all = Recur::parse(rule).expect(rule).beginning(start);
        let within = Days::new(start, parse_date("2199-12-31").expect("a date"));
        all.dates(start, within).take(count).map(|date| date.to_string()[2..].to_owned()).collect()
    };
    assert_eq!(days("FREQ=MONTHLY;BYDAY=-1FR", 3), ["26-01-30", "26-02-27", "26-03-27"]);
    assert_eq!(days("FREQ=MONTHLY;BYMONTHDAY=-1", 3), ["26-01-31", "26-02-28", "26-03-31"]);
    assert_eq!(days("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", 2), ["26-01-30", "26-02-27"]);
    assert_eq!(days("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", 3), ["26-02-13", "26-03-13", "26-11-13"]);
    assert_eq!(days("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", 2), ["26-11-26", "27-11-25"]);
    assert_eq!(days("FREQ=MONTHLY;BYDAY=5TH,-5TH", 3), ["26-01-01", "26-01-29", "26-04-02"]);
    assert_eq!(days("FREQ=YEARLY;BYDAY=20MO", 1), ["26-05-18"]);
    assert_eq!(days("FREQ=YEARLY;BYYEARDAY=-1,100", 2), ["26-04-10", "26-12-31"]);
    assert_eq!(days("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU", 3), ["26-01-11", "26-01-13", "26-01-25"]);
    assert_eq!(days("FREQ=DAILY;INTERVAL=10;COUNT=3", 9), ["26-01-01", "26-01-11", "26-01-21"]);
    assert_eq!(days("FREQ=MONTHLY;BYMONTHDAY=31", 3), ["26-01-31", "26-03-31", "26-05-31"]);
    assert!(days("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", 1).is_empty());
}

#[test]
fn a_business_calendar_and_a_change_calendar_are_each_other() {
    let mut shelf = Shelf::default();
    shelf.put_feed(Feed::japan());
    let nat = r#"{"name": "NAT", "timeZone": "Asia/Tokyo", "weekly": {"closed": ["Sat", "Sun"]}, "include": ["jp-national"]}"#;
    shelf.put(1, Definition::parse(nat).expect("a calendar")).expect("a calendar");
    let nat = shelf.calendar("NAT").expect("NAT");
    let days = Days::new(parse_date("2026-04-01").expect("a date"), parse_date("2026-05-31").expect("a date"));
    let text = from_business(&nat, days);
    let change = ChangeCalendar::parse(&text).expect("a change calendar");
    assert_eq!(change.state(at("2026-05-06T12:00:00+09:00")), CalendarState::Closed);
    assert_eq!(state(std::slice::from_ref(&change), "2026-05-02T00:00:00+09:00"), "CLOSED 2026-05-06T15:00");
    let closed: Vec<_> = days.iter().filter(|date| !nat.is_open(*date)).collect();
    assert_eq!(change.closed_days(days), closed);
    assert_eq!(Ical::parse(&text).expect("a file").whole_days(days).into_keys().collect::<Vec<_>>(), closed);
}
