//! Worked examples: Japan's holidays in 2026 and 2027, and what schedule rules make of them.

use base::Timestamp;
use calendar::clock::{Clock, business_date};
use calendar::date::{Date, Days, Month, parse_date, plus};
use calendar::holiday::{self, Feed};
use calendar::month::{Label, OperationalMonths};
use calendar::rule::lint::{Code, Doubt, Net, Wait, ahead, lint, lint_nets};
use calendar::rule::{Occurrence, Outcome, Reason, Schedule, ScheduleDefinition};
use calendar::shelf::{Because, Business, ShelfError, State, Unplanned, Walk};
use calendar::{Definition, Shelf};
use serde_json::{Value, json};

/// NAT: Saturdays, Sundays and national holidays are closed. BANK: and the turn of the year.
fn shelf() -> Shelf {
    let mut shelf = Shelf::default();
    shelf.put_feed(Feed::japan());
    put(
        &mut shelf,
        json!({ "name": "NAT", "timeZone": "Asia/Tokyo", "weekly": { "closed": ["Sat", "Sun"] }, "include": ["jp-national"] }),
    );
    put(
        &mut shelf,
        json!({ "name": "BANK", "timeZone": "Asia/Tokyo", "base": "NAT", "yearly": { "closed": ["12-31", "01-02", "01-03"] } }),
    );
    put(
        &mut shelf,
        json!({ "name": "BOOKS", "timeZone": "Asia/Tokyo", "dayStart": "06:00", "base": "BANK", "operationalMonth": { "baseDay": 21, "label": "next" } }),
    );
    put(&mut shelf, json!({ "name": "NIGHT", "timeZone": "Asia/Tokyo", "base": "NAT", "dayStart": "06:00" }));
    shelf
}

fn put(shelf: &mut Shelf, text: Value) {
    shelf.put(1, Definition::parse(&text.to_string()).expect("a calendar")).expect("a calendar");
}

fn day(text: &str) -> Date {
    parse_date(text).expect(text)
}

fn days(from: &str, to: &str) -> Days {
    Days::new(day(from), day(to))
}

const BOTH_YEARS: (&str, &str) = ("2026-01-01", "2027-12-31");

fn nobody(_: &str, _: Date) -> bool {
    false
}

fn schedule(calendar: &str, rules: Value) -> Schedule {
    let text = json!({ "net": "/pay", "calendar": calendar, "rules": rules });
    ScheduleDefinition::parse(&text.to_string()).expect("a schedule").on(&shelf()).expect("a schedule")
}

fn one(calendar: &str, mut rule: Value) -> Schedule {
    rule["id"] = json!(1);
    schedule(calendar, json!([rule]))
}

/// `nominal>business` of what runs; of what does not, the reason.
fn run(calendar: &str, rule: Value, from: &str, to: &str) -> Vec<String> {
    one(calendar, rule).project(days(from, to), &nobody).iter().map(shown).collect()
}

fn shown(occurrence: &Occurrence) -> String {
    let nominal: Vec<String> = occurrence.nominal().map(|date| date.strftime("%m-%d").to_string()).collect();
    let what = match &occurrence.outcome {
        Outcome::Planned { .. } => occurrence.date.strftime("%m-%d").to_string(),
        Outcome::Held { unknown } => format!("HELD {unknown}"),
        Outcome::NotGenerated { reason } => reason.to_string(),
    };
    format!("{}>{what}", nominal.join("+"))
}

fn businesses(calendar: &str, rule: Value, from: &str, to: &str) -> Vec<String> {
    let all = one(calendar, rule).project(days(from, to), &nobody);
    all.iter().map(|occurrence| occurrence.date.to_string()).collect()
}

fn moved(calendar: &str, rule: Value) -> Vec<String> {
    let all = one(calendar, rule).project(days("2025-12-01", "2027-12-31"), &nobody);
    let moved = all.iter().filter(|run| run.nominal().any(|nominal| nominal != run.date && nominal.year() >= 2026));
    moved.map(shown).collect()
}

#[test]
fn t0_what_the_calendars_say() {
    let shelf = shelf();
    let (nat, bank) = (shelf.calendar("NAT").expect("NAT"), shelf.calendar("BANK").expect("BANK"));
    let open = |calendar: &Business, year: i16| -> Vec<u32> {
        let month = |month| OperationalMonths::CALENDAR.days(Month { year, month });
        (1..=12).map(|number| calendar.open_days(month(number)).expect("known")).collect()
    };
    assert_eq!(open(&nat, 2026), [20, 18, 21, 21, 18, 22, 22, 20, 19, 21, 19, 23]);
    assert_eq!(open(&bank, 2026), [19, 18, 21, 21, 18, 22, 22, 20, 19, 21, 19, 22]);
    assert_eq!(open(&nat, 2027), [19, 18, 22, 21, 18, 22, 21, 21, 20, 20, 20, 23]);
    assert_eq!(open(&bank, 2027)[11], 22);
    let longest = |from, to| nat.longest_closed(days(from, to)).expect("a run");
    assert_eq!(longest("2026-01-01", "2026-08-31"), days("2026-05-02", "2026-05-06"));
    assert_eq!(longest("2026-08-01", "2026-12-31"), days("2026-09-19", "2026-09-23"));
    assert_eq!(longest("2027-01-01", "2027-12-31"), days("2027-05-01", "2027-05-05"));
    assert_eq!(
        nat.day(day("2026-09-22")).because,
        Because::Holiday { feed: "jp-national".into(), name: "休日".into() }
    );
    assert_eq!(nat.day(day("2026-09-26")).because, Because::Weekly { calendar: "NAT".into() });
    assert_eq!(bank.day(day("2026-12-31")).because, Because::Yearly { calendar: "BANK".into() });
}

#[test]
fn the_law_gives_what_was_published_and_proposes_what_comes() {
    let published = Feed::japan();
    for year in holiday::law::YEAR_MIN..=2027 {
        let law = holiday::law::holidays(year).expect("a year of the law");
        assert_eq!(published.years[&year].holidays, law, "{year}");
    }
    let proposed = published.clone().with_proposals(2032);
    assert!(!proposed.years[&2028].approved);
    let names = |feed: &Feed, date: &str| feed.years[&day(date).year()].holidays.get(&day(date)).cloned();
    assert_eq!(names(&proposed, "2032-09-21").as_deref(), Some("休日"), "between two national holidays");
    assert_eq!(names(&proposed, "2029-02-12").as_deref(), Some("休日"), "the 11th is a Sunday");
    assert_eq!(names(&proposed, "2028-03-20").as_deref(), Some("春分の日"));
    assert_eq!(names(&proposed, "2028-09-22").as_deref(), Some("秋分の日"));
    assert_eq!(published.horizon(), Some(day("2027-12-31")));
    assert_eq!(proposed.horizon(), Some(day("2027-12-31")), "nobody has approved 2028");
    assert_eq!(proposed.approved(2028).horizon(), Some(day("2028-12-31")));
    assert!(holiday::law::holidays(2100).is_none());
}

#[test]
fn t1_payday_and_its_calculation() {
    let pay = json!({ "anchor": { "day": 25 }, "onClosed": { "shift": "before", "maxShift": 10 } });
    assert_eq!(
        businesses("BANK", pay.clone(), BOTH_YEARS.0, BOTH_YEARS.1).iter().map(|date| &date[2..]).collect::<Vec<_>>(),
        [
            "26-01-23", "26-02-25", "26-03-25", "26-04-24", "26-05-25", "26-06-25", "26-07-24", "26-08-25", "26-09-25",
            "26-10-23", "26-11-25", "26-12-25", "27-01-25", "27-02-25", "27-03-25", "27-04-23", "27-05-25", "27-06-25",
            "27-07-23", "27-08-25", "27-09-24", "27-10-25", "27-11-25", "27-12-24",
        ]
    );
    let mut calculation = pay;
    calculation["offset"] = json!({ "openDays": -2 });
    assert_eq!(
        businesses("BANK", calculation, BOTH_YEARS.0, BOTH_YEARS.1).iter().map(|date| &date[2..]).collect::<Vec<_>>(),
        [
            "26-01-21", "26-02-20", "26-03-23", "26-04-22", "26-05-21", "26-06-23", "26-07-22", "26-08-21", "26-09-18",
            "26-10-21", "26-11-20", "26-12-23", "27-01-21", "27-02-22", "27-03-23", "27-04-21", "27-05-21", "27-06-23",
            "27-07-21", "27-08-23", "27-09-21", "27-10-21", "27-11-22", "27-12-22",
        ]
    );
    let fifteenth = json!({ "anchor": { "day": 15, "months": [2, 5, 6, 12] }, "onClosed": { "shift": "before" }, "offset": { "openDays": -2 } });
    let found = run("NAT", fifteenth, BOTH_YEARS.0, BOTH_YEARS.1);
    for expected in ["02-15>02-10", "06-15>06-11", "12-15>12-11", "05-15>05-12"] {
        assert!(found.contains(&expected.to_owned()), "{expected} in {found:?}");
    }
}

#[test]
fn t2_month_ends() {
    let end = |shift: &str| json!({ "anchor": { "day": "end" }, "onClosed": { "shift": shift } });
    assert_eq!(
        moved("NAT", end("before")),
        [
            "01-31>01-30",
            "02-28>02-27",
            "05-31>05-29",
            "10-31>10-30",
            "01-31>01-29",
            "02-28>02-26",
            "07-31>07-30",
            "10-31>10-29"
        ]
    );
    assert_eq!(
        moved("NAT", end("after")),
        [
            "01-31>02-02",
            "02-28>03-02",
            "05-31>06-01",
            "10-31>11-02",
            "01-31>02-01",
            "02-28>03-01",
            "07-31>08-02",
            "10-31>11-01"
        ]
    );
    assert_eq!(moved("NAT", end("afterWithinMonth")), moved("NAT", end("before")));
    assert!(moved("BANK", end("before")).contains(&"12-31>12-30".to_owned()));
    assert!(moved("BANK", end("after")).contains(&"12-31>01-04".to_owned()));
    let first = |shift: &str| json!({ "anchor": { "day": 1 }, "onClosed": { "shift": shift } });
    assert_eq!(moved("BANK", first("before"))[0], "01-01>12-30");
    assert_eq!(moved("BANK", first("after"))[0], "01-01>01-05");
}

#[test]
fn t3_a_shift_goes_as_far_as_it_may() {
    let on = |date: &str, shift: &str, max: u32| {
        run(
            "NAT",
            json!({ "anchor": { "dates": [date] }, "onClosed": { "shift": shift, "maxShift": max } }),
            "2026-01-01",
            "2027-12-31",
        )
    };
    assert_eq!(on("2026-05-06", "before", 5), ["05-06>05-01"]);
    assert_eq!(on("2026-05-06", "before", 4), ["05-06>SHIFT_EXHAUSTED"]);
    assert_eq!(on("2026-09-19", "after", 5), ["09-19>09-24"]);
    assert_eq!(on("2026-09-19", "after", 4), ["09-19>SHIFT_EXHAUSTED"]);
    assert_eq!(on("2027-03-20", "after", 3), ["03-20>03-23"]);
}

#[test]
fn t4_four_modes_on_one_date() {
    let on = |date: &str, shift: &str| {
        run("NAT", json!({ "anchor": { "dates": [date] }, "onClosed": { "shift": shift } }), "2026-01-01", "2026-12-31")
    };
    assert_eq!(on("2026-09-22", "none"), ["09-22>09-22"]);
    assert_eq!(on("2026-09-22", "cancel"), ["09-22>CANCELLED_BY_RULE"]);
    assert_eq!(on("2026-09-22", "before"), ["09-22>09-18"]);
    assert_eq!(on("2026-09-22", "after"), ["09-22>09-24"]);
    assert_eq!(on("2026-09-22", "nearest"), ["09-22>09-24"]);
    assert_eq!(on("2026-09-21", "nearest"), ["09-21>09-18"], "as near in both directions: before");
}

#[test]
fn t5_the_nth_open_day() {
    let nth = |calendar: &str, month: &str| -> Vec<String> {
        let at = |count: Value| {
            businesses(
                calendar,
                json!({ "anchor": { "openDay": count } }),
                &format!("{month}-01"),
                &format!("{month}-28"),
            )
        };
        let end = |count: &str| {
            let last = Month { year: month[..4].parse().expect("a year"), month: month[5..].parse().expect("a month") }
                .day_or_last(31);
            businesses(calendar, json!({ "anchor": { "openDay": count } }), &format!("{month}-01"), &last.to_string())
        };
        [at(json!(1)), at(json!(3)), at(json!(5)), end("end"), end("end-1")]
            .concat()
            .iter()
            .map(|date| date[5..].to_owned())
            .collect()
    };
    assert_eq!(nth("NAT", "2026-01"), ["01-02", "01-06", "01-08", "01-30", "01-29"]);
    assert_eq!(nth("BANK", "2026-01"), ["01-05", "01-07", "01-09", "01-30", "01-29"]);
    assert_eq!(nth("NAT", "2026-05"), ["05-01", "05-08", "05-12", "05-29", "05-28"]);
    assert_eq!(nth("BANK", "2026-09"), ["09-01", "09-03", "09-07", "09-30", "09-29"]);
    assert_eq!(nth("NAT", "2026-12"), ["12-01", "12-03", "12-07", "12-31", "12-30"]);
    assert_eq!(nth("BANK", "2026-12"), ["12-01", "12-03", "12-07", "12-30", "12-29"]);
    assert_eq!(nth("BANK", "2027-05"), ["05-06", "05-10", "05-12", "05-31", "05-28"]);
    let nineteenth = one("NAT", json!({ "anchor": { "openDay": 19 } }));
    assert!(nineteenth.project(days("2026-05-01", "2026-05-31"), &nobody).is_empty(), "May has 18");
    let findings = lint(&nineteenth, days("2026-01-01", "2026-12-31"), &nobody);
    assert!(
        findings
            .iter()
            .any(|finding| finding.doubt == Doubt::NothingInMonth
                && finding.dates == [day("2026-02-01"), day("2026-05-01")]),
        "{findings:?}"
    );
}

#[test]
fn t6_every_monday() {
    let monday = |shift: &str| json!({ "anchor": { "weekday": { "day": "Mon" } }, "onClosed": { "shift": shift } , "merge": "each" });
    assert_eq!(
        moved("NAT", monday("before")),
        [
            "01-12>01-09",
            "02-23>02-20",
            "05-04>05-01",
            "07-20>07-17",
            "09-21>09-18",
            "10-12>10-09",
            "11-23>11-20",
            "01-11>01-08",
            "03-22>03-19",
            "05-03>04-30",
            "07-19>07-16",
            "09-20>09-17",
            "10-11>10-08",
        ]
    );
    assert_eq!(moved("NAT", monday("after"))[..4], ["01-12>01-13", "02-23>02-24", "05-04>05-07", "07-20>07-21"]);
}

#[test]
fn t7_operational_months() {
    let shelf = shelf();
    let books = shelf.calendar("BOOKS").expect("BOOKS");
    let month = |year, month| books.months.days(Month { year, month });
    assert_eq!(month(2026, 1), days("2025-12-21", "2026-01-20"));
    assert_eq!(month(2027, 3), days("2027-02-21", "2027-03-20"));
    assert_eq!([books.open_days(month(2026, 5)), books.open_days(month(2026, 9))], [Ok(18), Ok(21)]);
    assert_eq!(books.month(day("2026-09-21")).to_string(), "2026-10");
    assert_eq!(books.month(day("2026-09-20")).to_string(), "2026-09");
    let this = OperationalMonths::new(21, Label::This).expect("a base day");
    assert_eq!(
        [this.of(day("2026-09-21")), this.of(day("2026-09-20"))].map(|month| month.to_string()),
        ["2026-09", "2026-08"]
    );
    let first = |anchor: Value| businesses("BOOKS", json!({ "anchor": anchor }), "2026-09-21", "2026-10-20");
    assert_eq!(first(json!({ "openDay": 1 })), ["2026-09-24"]);
    assert_eq!(first(json!({ "openDay": 5 })), ["2026-09-30"]);
    assert_eq!(first(json!({ "openDay": "end" })), ["2026-10-20"]);
    assert_eq!(first(json!({ "closedDay": 1 })), ["2026-09-21"]);
    assert_eq!(first(json!({ "opDay": 10 })), ["2026-09-30"]);
    assert_eq!(first(json!({ "openDay": 1, "period": "calendarMonth" })), ["2026-10-01"]);
    // A base day that a month does not have is its last.
    let late = OperationalMonths::new(31, Label::This).expect("a base day");
    assert_eq!(late.days(Month { year: 2026, month: 2 }), days("2026-02-28", "2026-03-30"));
}

#[test]
fn t8_fives_and_tens() {
    let all = |shift: &str, from: &str, to: &str| -> Vec<String> {
        let on = |anchor: Value| json!({ "anchor": anchor, "onClosed": { "shift": shift } });
        let anchors = [
            json!({ "day": 5 }),
            json!({ "day": 10 }),
            json!({ "day": 15 }),
            json!({ "day": 20 }),
            json!({ "day": 25 }),
            json!({ "day": "end" }),
        ];
        let rules: Vec<Value> = anchors
            .into_iter()
            .enumerate()
            .map(|(id, anchor)| {
                let mut rule = on(anchor);
                rule["id"] = json!(id);
                rule
            })
            .collect();
        schedule("NAT", json!(rules))
            .project(days(from, to), &nobody)
            .iter()
            .map(|run| run.date.strftime("%m-%d").to_string())
            .collect()
    };
    assert_eq!(all("before", "2026-09-01", "2026-09-30"), ["09-04", "09-10", "09-15", "09-18", "09-25", "09-30"]);
    assert_eq!(all("before", "2026-10-01", "2026-10-31"), ["10-05", "10-09", "10-15", "10-20", "10-23", "10-30"]);
    assert_eq!(
        all("before", "2027-04-30", "2027-05-31"),
        ["04-30", "04-30", "05-10", "05-14", "05-20", "05-25", "05-31"]
    );
    assert_eq!(all("after", "2027-05-01", "2027-05-31"), ["05-06", "05-10", "05-17", "05-20", "05-25", "05-31"]);
}

#[test]
fn t9_what_comes_to_one_day_is_one_run() {
    let on = |dates: &[&str], shift: &str, merge: &str| {
        run(
            "NAT",
            json!({ "anchor": { "dates": dates }, "onClosed": { "shift": shift }, "merge": merge }),
            "2026-09-01",
            "2026-09-30",
        )
    };
    let six = ["2026-09-18", "2026-09-19", "2026-09-20", "2026-09-21", "2026-09-22", "2026-09-23"];
    assert_eq!(on(&six, "before", "sameDate"), ["09-18+09-19+09-20+09-21+09-22+09-23>09-18"]);
    assert_eq!(on(&six[1..], "after", "sameDate"), ["09-19+09-20+09-21+09-22+09-23>09-24"]);
    assert_eq!(on(&six, "before", "each").len(), 6);
    assert_eq!(on(&six[1..], "after", "each").len(), 5);
}

#[test]
fn t10_a_cycle_goes_on_from_its_nominal_dates() {
    let rule = json!({ "anchor": { "every": { "n": 14, "unit": "day", "from": "2026-01-05" } }, "onClosed": { "shift": "after" } });
    let found = run("NAT", rule, "2026-01-01", "2026-12-31");
    let moved: Vec<_> = found.iter().filter(|run| run[..5] != run[6..]).collect();
    assert_eq!(moved, ["07-20>07-21", "10-12>10-13", "11-23>11-24"]);
    assert!(found.contains(&"08-03>08-03".to_owned()));
}

#[test]
fn t11_the_open_day_before() {
    let shelf = shelf();
    let before =
        |calendar: &str, date: &str| shelf.calendar(calendar).expect("a calendar").open_beyond(day(date), -1, 31);
    assert_eq!(before("NAT", "2026-01-05"), Walk::Open(day("2026-01-02")));
    // Holidays of 2025 are known too, so the turn of the year can be looked back over.
    assert_eq!(before("BANK", "2026-01-05"), Walk::Open(day("2025-12-30")));
    assert_eq!(before("NAT", "2026-05-07"), Walk::Open(day("2026-05-01")));
    assert_eq!(before("BANK", "2027-01-04"), Walk::Open(day("2026-12-30")));
}

#[test]
fn t12_quarter_ends_and_three_open_days() {
    let rule = json!({ "anchor": { "day": "end", "months": [3, 6, 9, 12] }, "onClosed": { "shift": "before" }, "offset": { "openDays": 3 } });
    assert_eq!(
        businesses("BANK", rule, "2026-02-01", "2027-04-30"),
        ["2026-04-03", "2026-07-03", "2026-10-05", "2027-01-06", "2027-04-05"]
    );
}

#[test]
fn t13_clocks_go_beyond_midnight() {
    let shelf = shelf();
    let zone = &shelf.calendar("NAT").expect("NAT").zone;
    let clock = |text: &str| Clock::parse(text).expect("a clock");
    let local = |day_start, date, at| zone.local(clock(at).instant(day(date), clock(day_start), zone)).to_string();
    assert_eq!(local("00:00", "2026-05-01", "26:00"), "2026-05-02T02:00:00");
    assert_eq!(local("06:00", "2026-09-18", "02:00"), "2026-09-19T02:00:00");
    assert_eq!(local("06:00", "2026-09-18", "26:00"), "2026-09-19T02:00:00");
    assert_eq!(local("06:00", "2026-09-18", "06:00"), "2026-09-18T06:00:00");
    assert_eq!(local("06:00", "2026-09-18", "+20:00"), "2026-09-19T02:00:00");
    assert_eq!(local("06:00", "2026-09-18", "31:00"), "2026-09-19T07:00:00");
    let unplanned = |at: &str| business_date(Timestamp::parse_rfc3339(at).expect("an instant"), clock("06:00"), zone);
    assert_eq!(unplanned("2026-09-19T03:00:00+09:00"), day("2026-09-18"));
    assert_eq!(unplanned("2026-09-19T06:00:00+09:00"), day("2026-09-19"));
    let night = shelf.calendar("NIGHT").expect("NIGHT");
    let saturday = Timestamp::parse_rfc3339("2026-09-19T06:00:00+09:00").expect("an instant");
    assert_eq!(night.unplanned(saturday, Unplanned::Same), Walk::Open(day("2026-09-19")));
    assert_eq!(night.unplanned(saturday, Unplanned::NextOpen), Walk::Open(day("2026-09-24")));
    assert_eq!(night.unplanned(saturday, Unplanned::PreviousOpen), Walk::Open(day("2026-09-18")));
    for refused in ["72:00", "24:60", "1:00", "-01:00", "", "+", "00:00:60", "aa:bb", "00:00:00:00"] {
        assert_eq!(Clock::parse(refused), None, "{refused}");
    }
    // Friday's 26:00 runs although Saturday is closed; Saturday has none.
    let night = json!({ "anchor": { "each": "day" }, "onClosed": { "shift": "cancel" }, "times": ["26:00"] });
    assert_eq!(run("NAT", night, "2026-05-01", "2026-05-02"), ["05-01>05-01", "05-02>CANCELLED_BY_RULE"]);
}

#[test]
fn a_clock_that_is_never_shown_is_the_end_of_the_jump_and_one_shown_twice_the_first() {
    let zone = calendar::zone::Zone::named("America/New_York").expect("a zone");
    let at = |date, clock: &str| {
        Clock::parse(clock).expect("a clock").instant(day(date), Clock::MIDNIGHT, &zone).to_string()
    };
    assert_eq!(at("2026-03-08", "02:30"), "2026-03-08T07:00:00.000Z");
    assert_eq!(at("2026-11-01", "01:30"), "2026-11-01T05:30:00.000Z");
}

#[test]
fn t18_what_is_not_known_holds_the_run() {
    let daily = json!({ "anchor": { "each": "openDay" } });
    assert_eq!(run("NAT", daily, "2027-12-31", "2028-01-01"), ["12-31>12-31", "01-01>HELD 2028-01-01"]);
    let pay = json!({ "anchor": { "day": 25 }, "onClosed": { "shift": "before" } });
    assert_eq!(run("BANK", pay, "2027-12-01", "2028-01-31"), ["12-25>12-24", "01-25>HELD 2028-01-25"]);
    let end = json!({ "anchor": { "day": "end" }, "onClosed": { "shift": "after" } });
    assert_eq!(run("BANK", end, "2027-12-01", "2027-12-31"), ["12-31>HELD 2028-01-01"]);
    let nat = shelf().calendar("NAT").expect("NAT");
    assert_eq!(nat.day(day("2028-01-04")).because, Because::Horizon { through: day("2027-12-31") });
    assert_eq!(nat.state(day("2019-06-03")), State::Unknown, "before the feed begins");
    // Who runs whatever the day is does not have to know.
    assert_eq!(run("NAT", json!({ "anchor": { "day": 4 } }), "2028-01-01", "2028-01-31"), ["01-04>01-04"]);
}

fn found(schedule: &Schedule, code: Code, from: &str, to: &str) -> Vec<Date> {
    let findings = lint(schedule, days(from, to), &nobody);
    findings.into_iter().filter(|finding| finding.doubt.code() == code).flat_map(|finding| finding.dates).collect()
}

#[test]
fn t19_lint() {
    let short =
        |shift: &str| one("NAT", json!({ "anchor": { "each": "day" }, "onClosed": { "shift": shift, "maxShift": 2 } }));
    let dates = |list: &[&str]| list.iter().map(|date| day(date)).collect::<Vec<_>>();
    assert_eq!(
        found(&short("before"), Code::L1, BOTH_YEARS.0, BOTH_YEARS.1),
        dates(&[
            "2026-01-12",
            "2026-02-23",
            "2026-03-22",
            "2026-05-04",
            "2026-05-05",
            "2026-05-06",
            "2026-07-20",
            "2026-09-21",
            "2026-09-22",
            "2026-09-23",
            "2026-10-12",
            "2026-11-23",
            "2027-01-03",
            "2027-01-11",
            "2027-03-22",
            "2027-05-03",
            "2027-05-04",
            "2027-05-05",
            "2027-07-19",
            "2027-09-20",
            "2027-10-11",
        ])
    );
    assert_eq!(
        found(&short("after"), Code::L1, BOTH_YEARS.0, BOTH_YEARS.1),
        dates(&[
            "2026-01-10",
            "2026-02-21",
            "2026-03-20",
            "2026-05-02",
            "2026-05-03",
            "2026-05-04",
            "2026-07-18",
            "2026-09-19",
            "2026-09-20",
            "2026-09-21",
            "2026-10-10",
            "2026-11-21",
            "2027-01-01",
            "2027-01-09",
            "2027-03-20",
            "2027-05-01",
            "2027-05-02",
            "2027-05-03",
            "2027-07-17",
            "2027-09-18",
            "2027-10-09",
        ])
    );
    let thirty_first = one("NAT", json!({ "anchor": { "day": 31 } }));
    assert_eq!(found(&thirty_first, Code::L7, "2026-01-01", "2026-12-31").len(), 5, "7 runs a year");
    let said = one("NAT", json!({ "anchor": { "day": 31, "missingDay": "skip" } }));
    assert_eq!(found(&said, Code::L7, "2026-01-01", "2026-12-31"), []);
    let end = one("NAT", json!({ "anchor": { "day": "end" }, "onClosed": { "shift": "after" } }));
    assert_eq!(found(&end, Code::L4, BOTH_YEARS.0, BOTH_YEARS.1).len(), 8);
    let week =
        one("NAT", json!({ "anchor": { "dates": ["2026-09-18", "2026-09-19"] }, "onClosed": { "shift": "before" } }));
    assert_eq!(found(&week, Code::L3, "2026-09-01", "2026-09-30"), dates(&["2026-09-18"]));
    let late = one("NIGHT", json!({ "anchor": { "each": "openDay" }, "times": ["31:00"] }));
    assert_eq!(found(&late, Code::L5, "2026-09-18", "2026-09-30"), dates(&["2026-09-18"]));
    let never = one("NAT", json!({ "anchor": { "day": 31, "months": [2] } }));
    assert_eq!(found(&never, Code::L2, "2026-01-01", "2027-01-31"), dates(&["2026-01-01"]));
    assert_eq!(found(&end, Code::L6, "2027-01-01", "2028-01-31"), dates(&["2027-12-31"]));
    assert_eq!(found(&end, Code::L6, "2026-01-01", "2027-01-31"), []);
    let calendar_month = one("BOOKS", json!({ "anchor": { "openDay": 1, "period": "calendarMonth" } }));
    assert_eq!(found(&calendar_month, Code::L11, "2026-01-01", "2026-12-31").len(), 1);
    assert_eq!(ahead(day("2026-01-31")), days("2026-01-31", "2027-02-28"));
}

#[test]
fn t19_two_rules_at_one_instant_are_one_run() {
    let same = |times: Value| {
        schedule(
            "NIGHT",
            json!([
                { "id": 7, "anchor": { "dates": ["2026-09-18"] }, "times": times },
                { "id": 3, "anchor": { "dates": ["2026-09-18"] }, "times": ["26:00"] },
            ]),
        )
    };
    assert_eq!(found(&same(json!(["02:00"])), Code::L12, "2026-09-01", "2026-09-30"), [day("2026-09-18")]);
    assert_eq!(found(&same(json!(["03:00"])), Code::L12, "2026-09-01", "2026-09-30"), []);
    let both = same(json!(["02:00", "03:00"])).project(days("2026-09-18", "2026-09-18"), &nobody);
    let merged: Vec<_> = both
        .iter()
        .map(|run| match &run.outcome {
            Outcome::Planned { slots } => slots.iter().map(|slot| slot.merged_into).collect(),
            _ => vec![],
        })
        .collect();
    assert_eq!(merged, [vec![None], vec![Some(3), None]]);
    // Also over midnight: 26:00 of one day and 02:00 of the next.
    let days_apart = schedule(
        "NAT",
        json!([
            { "id": 1, "anchor": { "dates": ["2026-09-17"] }, "times": ["26:00"] },
            { "id": 2, "anchor": { "dates": ["2026-09-18"] }, "times": ["02:00"] },
        ]),
    );
    assert_eq!(found(&days_apart, Code::L12, "2026-09-18", "2026-09-18"), [day("2026-09-18")]);
}

#[test]
fn t19_what_shows_between_nets() {
    let net = |name: &str, anchor: Value| {
        let text =
            json!({ "net": name, "calendar": "NAT", "rules": [{ "id": 1, "anchor": anchor, "times": ["20:00"] }] });
        ScheduleDefinition::parse(&text.to_string()).expect("a schedule").on(&shelf()).expect("a schedule")
    };
    let (monday, tuesday) =
        (net("/a", json!({ "weekday": { "day": "Mon" } })), net("/b", json!({ "weekday": { "day": "Tue" } })));
    let wait = |net: &str| vec![Wait { net: net.to_owned(), same_date: true }];
    let nets = [
        Net { schedule: &monday, waits: wait("/b"), seconds: Some(3 * 3600), end_by: Clock::parse("22:00") },
        Net { schedule: &tuesday, waits: wait("/a"), seconds: Some(3600), end_by: Clock::parse("22:00") },
    ];
    let found = lint_nets(&nets, days("2026-09-01", "2026-09-14"), &nobody);
    let codes: Vec<_> =
        found.iter().map(|(net, finding)| (net.as_str(), finding.doubt.code(), finding.dates.len())).collect();
    assert_eq!(codes, [("/a", Code::L8, 2), ("/a", Code::L10, 2), ("/b", Code::L8, 2), ("/a", Code::L9, 1)]);
    assert!(found.iter().any(|(_, finding)| finding.doubt == Doubt::WaitCycle { way: vec!["/a".into(), "/b".into()] }));
}

#[test]
fn a_date_explains_itself() {
    let schedule = schedule(
        "BANK",
        json!([
            { "id": 1, "anchor": { "day": 25 }, "onClosed": { "shift": "before", "maxShift": 10 }, "offset": { "openDays": -2 }, "times": ["20:00"] },
            { "id": 2, "anchor": { "day": 22 }, "onClosed": { "shift": "cancel" } },
            { "id": 3, "anchor": { "dates": ["2026-09-18"] }, "exclude": [{ "dates": ["2026-09-18"] }] },
            { "id": 4, "anchor": { "each": "openDay" }, "valid": { "from": "2027-01-01" } },
            { "id": 5, "anchor": { "weekday": { "day": "Sun" } } },
        ]),
    );
    expect_test::expect![[r#"
        /pay 2026-09-18 (Fri) open month 2026-09
        rule 1: anchor 2026-09-25 (Fri) open → shift – → offset -2 od: 9/24, 9/18 → business 2026-09-18 → 20:00 Asia/Tokyo
        rule 2: –
        rule 3: anchor 2026-09-18 (Fri) open → shift – → NOT_GENERATED/EXCLUDED:date
        rule 4: anchor 2026-09-18 (Fri) open → shift – → NOT_GENERATED/NOT_VALID
        rule 5: –
    "#]].assert_eq(&schedule.explain(day("2026-09-18"), &nobody).to_string());
    expect_test::expect![[r#"
        /pay 2026-09-22 (Tue) closed month 2026-09
        rule 1: –
        rule 2: anchor 2026-09-22 (Tue) closed → NOT_GENERATED/CANCELLED_BY_RULE
        rule 3: –
        rule 4: –
        rule 5: –
    "#]]
    .assert_eq(&schedule.explain(day("2026-09-22"), &nobody).to_string());
    // From the nominal date one sees where it went.
    let nominal = schedule.explain(day("2026-09-25"), &nobody).to_string();
    assert!(nominal.contains("business 2026-09-18"), "{nominal}");
}

#[test]
fn exclusions_drop_and_do_not_move() {
    let mut shelf = shelf();
    put(
        &mut shelf,
        json!({ "name": "freeze", "weekly": { "open": [] }, "dates": { "open": ["2026-09-18"] }, "validThrough": "2026-12-31" }),
    );
    let text = json!({ "net": "/pay", "calendar": "NAT", "rules": [
        { "id": 1, "anchor": { "each": "openDay" }, "exclude": [
            { "calendar": "freeze" },
            { "netPlanned": "/yearend" },
            { "suspended": { "from": "2026-10-01", "to": "2026-12-31" } },
        ] },
    ] });
    let schedule = ScheduleDefinition::parse(&text.to_string()).expect("a schedule").on(&shelf).expect("a schedule");
    let yearend = |net: &str, date: Date| net == "/yearend" && date == day("2026-09-24");
    let reasons = |from, to| -> Vec<String> { schedule.project(days(from, to), &yearend).iter().map(shown).collect() };
    assert_eq!(
        reasons("2026-09-17", "2026-09-25"),
        ["09-17>09-17", "09-18>EXCLUDED:freeze", "09-24>EXCLUDED:/yearend", "09-25>09-25"]
    );
    assert_eq!(reasons("2026-10-01", "2026-10-01"), ["10-01>EXCLUDED:suspended until 2026-12-31"]);
    assert_eq!(reasons("2027-01-04", "2027-01-04"), ["01-04>HELD 2027-01-04"], "nobody knows what is frozen then");
    let rule = json!({ "anchor": { "day": 25 }, "valid": { "from": "2026-03-01", "until": "2026-04-24" } });
    assert_eq!(run("NAT", rule, BOTH_YEARS.0, BOTH_YEARS.1), ["03-25>03-25"]);
}

#[test]
fn the_next_dates_come_with_their_reasons() {
    let pay = one("BANK", json!({ "anchor": { "day": 25 }, "onClosed": { "shift": "before" } }));
    let next: Vec<String> = pay.next(day("2027-10-01"), 4, &nobody).iter().map(shown).collect();
    assert_eq!(next, ["10-25>10-25", "11-25>11-25", "12-25>12-24", "01-25>HELD 2028-01-25"]);
    let never = one("BANK", json!({ "anchor": { "day": 31, "months": [2] } }));
    assert_eq!(never.next(day("2026-01-01"), 4, &nobody), []);
}

#[test]
fn calendars_are_combined_by_name() {
    let mut shelf = shelf();
    put(
        &mut shelf,
        json!({ "name": "ny", "weekly": { "closed": ["Sat", "Sun"] }, "dates": { "closed": ["2026-11-26"] }, "validThrough": "2026-12-31" }),
    );
    for (name, combine) in [
        ("any", json!({ "union": ["NAT", "ny"] })),
        ("all", json!({ "intersect": ["NAT", "ny"] })),
        ("only", json!({ "minus": ["NAT", "ny"] })),
        ("after", json!({ "offset": { "of": "NAT", "days": 1 } })),
    ] {
        put(&mut shelf, json!({ "name": name, "combine": combine }));
    }
    let state = |name: &str, date: &str| shelf.calendar(name).expect("a calendar").state(day(date));
    // Thanksgiving there, a holiday here, a day like any other, and a day that only one of them knows.
    let states = |name: &str| ["2026-11-26", "2026-11-23", "2026-11-24", "2027-02-01"].map(|date| state(name, date));
    assert_eq!(states("any"), [State::Open, State::Open, State::Open, State::Open]);
    assert_eq!(states("all"), [State::Closed, State::Closed, State::Open, State::Unknown]);
    assert_eq!(states("only"), [State::Open, State::Closed, State::Closed, State::Unknown]);
    assert_eq!(state("after", "2026-11-28"), State::Open);
    assert_eq!(state("after", "2026-11-24"), State::Closed);
    assert_eq!(shelf.calendar("all").expect("all").horizon(), Some(day("2026-12-31")));
}

#[test]
fn exact_dates_win_and_a_child_wins_level_by_level() {
    let mut shelf = shelf();
    put(
        &mut shelf,
        json!({ "name": "child", "base": "BANK", "dates": { "open": ["2026-09-22"], "closed": ["2026-09-17"] }, "yearly": { "open": ["12-31"] } }),
    );
    let child = shelf.calendar("child").expect("child");
    assert_eq!(
        [day("2026-09-22"), day("2026-09-17"), day("2026-12-31"), day("2026-09-21")].map(|date| child.state(date)),
        [State::Open, State::Closed, State::Open, State::Closed]
    );
    assert_eq!(child.horizon(), Some(day("2027-12-31")));
}

#[test]
fn a_calendar_that_is_none_is_refused() {
    let refused = |text: Value| Definition::parse(&text.to_string()).expect_err("refused").to_string();
    assert_eq!(
        refused(json!({ "name": "c", "dates": { "open": ["2026-01-01"], "closed": ["2026-01-01"] } })),
        "2026-01-01 is both open and closed"
    );
    assert_eq!(
        refused(json!({ "name": "c", "dates": { "open": ["2027-01-01"] }, "validThrough": "2026-12-31" })),
        "2027-01-01 is beyond validThrough 2026-12-31 (L6)"
    );
    for text in [
        json!({ "name": "c", "timeZone": "Asia/Edo" }),
        json!({ "name": "c", "weekly": { "open": ["Someday"] } }),
        json!({ "name": "c", "yearly": { "closed": ["02-30"] } }),
        json!({ "name": "c", "dates": { "closed": ["2026-02-29"] } }),
        json!({ "name": "c", "dayStart": "24:00" }),
        json!({ "name": "c", "operationalMonth": { "baseDay": 32 } }),
        json!({ "name": "" }),
        json!({ "name": "c", "surprise": 1 }),
        json!({ "name": "c", "combine": { "minus": ["a"] } }),
        json!({ "name": "c", "combine": { "union": ["a"] }, "weekly": { "open": [] } }),
    ] {
        assert!(Definition::parse(&text.to_string()).is_err(), "{text}");
    }
    let mut shelf = Shelf::default();
    put(&mut shelf, json!({ "name": "a", "base": "b" }));
    put(&mut shelf, json!({ "name": "b", "base": "a" }));
    put(&mut shelf, json!({ "name": "c", "base": "gone" }));
    put(&mut shelf, json!({ "name": "d" }));
    put(&mut shelf, json!({ "name": "e", "include": ["gone"], "weekly": { "open": [] } }));
    let error = |shelf: &Shelf, name: &str| shelf.calendar(name).expect_err("refused");
    assert!(matches!(error(&shelf, "a"), ShelfError::Cycle { way, .. } if way == ["a", "b", "a"]));
    assert!(matches!(error(&shelf, "c"), ShelfError::NoCalendar { name } if name == "gone"));
    assert!(matches!(error(&shelf, "d"), ShelfError::NoWeek { .. }));
    assert!(matches!(error(&shelf, "e"), ShelfError::NoFeed { .. }));
    // Each names the one before twice: what would be 2^15 calendars is refused.
    put(&mut shelf, json!({ "name": "0", "weekly": { "open": [] } }));
    for level in 1..15 {
        let below = (level - 1).to_string();
        put(&mut shelf, json!({ "name": level.to_string(), "combine": { "union": [below, below] } }));
    }
    assert!(matches!(error(&shelf, "14"), ShelfError::TooDeep { .. }));
}

#[test]
fn a_rule_that_is_none_is_refused() {
    let refused = |rule: Value| {
        let text = json!({ "net": "/n", "calendar": "NAT", "rules": [rule] }).to_string();
        ScheduleDefinition::parse(&text).and_then(|schedule| schedule.on(&shelf())).expect_err("refused");
    };
    for anchor in [
        json!({}),
        json!({ "day": 1, "openDay": 1 }),
        json!({ "day": 0 }),
        json!({ "day": 32 }),
        json!({ "day": "end-31" }),
        json!({ "weekday": { "day": "Mon", "nth": 6 } }),
        json!({ "every": { "n": 0, "unit": "day", "from": "2026-01-01" } }),
        json!({ "cron": "0 9 * * ? *" }),
        json!({ "rrule": { "rule": "FREQ=SECONDLY", "from": "2026-01-01" } }),
        json!({ "dates": ["0001-01-01"] }),
        json!({ "day": 1, "months": [13] }),
    ] {
        refused(json!({ "id": 1, "anchor": anchor }));
    }
    for more in [
        json!({ "onClosed": { "shift": "before", "maxShift": 32 } }),
        json!({ "offset": { "openDays": 63 } }),
        json!({ "offset": { "openDays": 1, "calendarDays": 1 } }),
        json!({ "times": ["72:00"] }),
        json!({ "times": { "everyMinutes": 0, "from": "09:00", "to": "10:00" } }),
        json!({ "valid": { "from": "2026-02-01", "until": "2026-01-01" } }),
        json!({ "exclude": [{ "calendar": "gone" }] }),
    ] {
        let mut rule = json!({ "id": 1, "anchor": { "day": 1 } });
        rule.as_object_mut().expect("a rule").extend(more.as_object().expect("more").clone());
        refused(rule);
    }
}

#[test]
fn a_net_has_at_most_a_time_for_each_minute() {
    let on = |minutes: &[Value]| {
        let rule = |(id, times): (usize, &Value)| json!({ "id": id, "anchor": { "day": 1 }, "times": times });
        let rules: Vec<Value> = minutes.iter().enumerate().map(rule).collect();
        let text = json!({ "net": "/n", "calendar": "NAT", "rules": rules }).to_string();
        ScheduleDefinition::parse(&text).and_then(|schedule| schedule.on(&shelf()))
    };
    let day = json!({ "everyMinutes": 1, "from": "00:00", "to": "23:59" });
    assert!(on(std::slice::from_ref(&day)).is_ok());
    assert!(on(&[day, json!(["24:00"])]).is_err());
    assert!(on(&[json!({ "everyMinutes": 1, "from": "00:00", "to": "24:00" })]).is_err());
}

#[test]
fn what_is_written_is_read_again() {
    let rules = json!([
        { "id": 1, "anchor": { "day": "end-2", "months": [3] }, "onClosed": { "shift": "nearest" }, "offset": { "calendarDays": -3, "reShift": "after" }, "times": { "everyMinutes": 30, "from": "20:00", "to": "26:00" } },
        { "id": 2, "anchor": { "weekday": { "day": "Fri", "nth": "last" } }, "exclude": [{ "netPlanned": "/x" }], "times": ["+01:00"] },
        { "id": 3, "anchor": { "rrule": { "rule": "FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", "from": "2026-01-01" } }, "missed": { "policy": "hold", "until": "+02:00" } },
        { "id": 4, "anchor": { "cron": "LW * ? *" }, "overlap": "skip" },
        { "id": 5, "anchor": { "opDay": 3, "missingDay": "last" } },
    ]);
    let text = json!({ "kind": "Schedule", "net": "/n", "calendar": "NAT", "rules": rules }).to_string();
    let definition = ScheduleDefinition::parse(&text).expect("a schedule");
    let written = serde_json::to_string(&definition).expect("it can be written");
    let again = ScheduleDefinition::parse(&written).expect("a schedule");
    assert_eq!(again, definition);
    let schedule = again.on(&shelf()).expect("a schedule");
    let third: Vec<_> = schedule
        .project(days("2026-01-01", "2026-12-31"), &nobody)
        .into_iter()
        .filter(|run| run.rule == 3)
        .map(|run| run.date)
        .collect();
    assert_eq!(third, [day("2026-01-30"), day("2026-02-27"), day("2026-03-27")]);
    let calendar = json!({ "kind": "Calendar", "name": "c", "timeZone": "Asia/Tokyo", "dayStart": "06:00", "operationalMonth": { "baseDay": 21, "label": "next" }, "weekly": { "open": ["Mon"] }, "yearly": { "closed": ["02-29"] }, "validThrough": "2027-12-31" });
    let definition = Definition::parse(&calendar.to_string()).expect("a calendar");
    assert_eq!(
        Definition::parse(&serde_json::to_string(&definition).expect("written")).expect("a calendar"),
        definition
    );
}

#[test]
fn slots_come_in_order() {
    let every = one(
        "NIGHT",
        json!({ "anchor": { "dates": ["2026-09-18"] }, "times": { "everyMinutes": 600, "from": "09:00", "to": "31:00" } }),
    );
    let slots: Vec<String> = every
        .project(days("2026-09-18", "2026-09-18"), &nobody)
        .iter()
        .flat_map(|run| match &run.outcome {
            Outcome::Planned { slots } => {
                slots.iter().filter_map(|slot| slot.at).map(|(clock, at)| format!("{clock} {at}")).collect()
            }
            _ => vec![],
        })
        .collect();
    assert_eq!(
        slots,
        ["09:00 2026-09-18T00:00:00.000Z", "19:00 2026-09-18T10:00:00.000Z", "29:00 2026-09-18T20:00:00.000Z"]
    );
}

#[test]
fn imports_and_what_they_refuse() {
    let csv = "国民の祝日・休日月日,国民の祝日・休日名称\n2028/1/1,元日\n2028/1/10,成人の日\n";
    let feed = Feed::from_csv("jp", "2027-02", csv).expect("a list");
    assert_eq!(feed.years[&2028].holidays.len(), 2);
    assert!(!feed.years[&2028].approved, "someone has to approve it");
    let proposed = Feed {
        years: Feed::japan().with_proposals(2028).years.into_iter().filter(|(year, _)| *year == 2028).collect(),
        ..feed.clone()
    };
    assert_eq!(proposed.changes(&feed).len(), proposed.years[&2028].holidays.len() - 2);
    for refused in ["x\n2028/1/1,元日\n2028/1/1,again", "2028/13/1,x", "2028/1/1,", "2028/1/1", "date,name\nlater,x"]
    {
        assert!(Feed::from_csv("jp", "1", refused).is_err(), "{refused:?}");
    }
    let text = json!({ "name": "jp", "version": "1", "years": { "2028": { "approved": true, "holidays": { "2028-01-01": "元日" } } } }).to_string();
    assert_eq!(Feed::parse(&text).expect("a feed").horizon(), Some(day("2028-12-31")));
    assert!(Feed::parse(&text.replace("2028-01-01", "2027-01-01")).is_err());
    assert!(Feed::parse("{}").is_err());
}

#[test]
fn the_ends_of_time_are_no_panic() {
    let daily = one(
        "NIGHT",
        json!({ "anchor": { "each": "day" }, "onClosed": { "shift": "none" }, "offset": { "calendarDays": 62 }, "times": ["71:59"] }),
    );
    for date in [Date::MIN, Date::MAX, day("2199-12-31"), day("1900-01-01")] {
        let _ = daily.project(Days::new(date, plus(date, 40)), &nobody);
        let _ = daily.project(Days::new(plus(date, -40), date), &nobody);
        let _ = (daily.explain(date, &nobody), daily.next(date, 5, &nobody));
    }
    let monthly = one("BOOKS", json!({ "anchor": { "openDay": "end" }, "onClosed": { "shift": "nearest" } }));
    for date in [Date::MIN, Date::MAX] {
        let _ = (monthly.explain(date, &nobody), monthly.next(date, 5, &nobody));
    }
    assert!(monthly.project(days("2026-02-01", "2026-01-01"), &nobody).is_empty());
    let reason = Outcome::NotGenerated { reason: Reason::NotValid };
    assert_ne!(reason, Outcome::Held { unknown: Date::MIN });
}
