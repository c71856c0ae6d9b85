//! AWS's schedule expressions: when they fire, and which are refused.

use base::Timestamp;
use calendar::date::{Date, Days, Weekday, parse_date};
use calendar::zone::Zone;
use calendar::{Dialect, Expression};

fn rule(text: &str) -> Expression {
    Expression::parse(text, Dialect::Rules).expect(text)
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect(text)
}

/// The firings after `from`, `count` of them, as local times.
fn firings(text: &str, from: &str, count: usize, zone: &str) -> Vec<String> {
    let expression = Expression::parse(text, Dialect::Scheduler).expect(text);
    let zone = Zone::named(zone).expect("a zone");
    let mut now = at(from);
    let mut found = vec![];
    while let Some(next) = expression.next(now, at(from), &zone).filter(|_| found.len() < count) {
        assert!(next > now);
        found.push(zone.local(next).to_string());
        now = next;
    }
    found
}

/// Against a walk over every minute of 2026 and 2027.
fn fires_exactly(text: &str, when: impl Fn(Date, i8, i8) -> bool) {
    let expression = rule(text);
    let utc = Zone::utc();
    let mut now = Timestamp(at("2026-01-01T00:00:00Z").0 - 1);
    let days = Days::new(Date::constant(2026, 1, 1), Date::constant(2027, 12, 31));
    for date in days.iter() {
        for minute in 0..24 * 60_i16 {
            let (hour, minute) = ((minute / 60) as i8, (minute % 60) as i8);
            if when(date, hour, minute) {
                let expected = utc.shown_or_jumped(date.at(hour, minute, 0, 0));
                now = expression.next(now, now, &utc).expect("it fires again");
                assert_eq!(now, expected, "{text}");
            }
        }
    }
    let after = expression.next(now, now, &utc).expect("it fires again");
    assert!(after >= at("2028-01-01T00:00:00Z"), "{text} fires at {after} as well");
}

fn works(date: Date) -> bool {
    !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

#[test]
fn the_eight_examples_fire_exactly_so_for_two_years() {
    fires_exactly("cron(0 10 * * ? *)", |_, hour, minute| (hour, minute) == (10, 0));
    fires_exactly("cron(15 12 * * ? *)", |_, hour, minute| (hour, minute) == (12, 15));
    fires_exactly("cron(0 18 ? * MON-FRI *)", |date, hour, minute| works(date) && (hour, minute) == (18, 0));
    fires_exactly("cron(0 8 1 * ? *)", |date, hour, minute| date.day() == 1 && (hour, minute) == (8, 0));
    fires_exactly("cron(0/15 * * * ? *)", |_, _, minute| minute % 15 == 0);
    fires_exactly("cron(0/10 * ? * MON-FRI *)", |date, _, minute| works(date) && minute % 10 == 0);
    fires_exactly("cron(0/5 8-17 ? * MON-FRI *)", |date, hour, minute| {
        works(date) && (8..=17).contains(&hour) && minute % 5 == 0
    });
    // The range runs over midnight, on each day that the day field names.
    fires_exactly("cron(0/30 20-2 ? * MON-FRI *)", |date, hour, minute| {
        works(date) && (hour >= 20 || hour <= 2) && minute % 30 == 0
    });
}

#[test]
fn days_are_named_in_many_ways() {
    let days = |text: &str, count| -> Vec<String> {
        firings(text, "2026-01-01T00:00:00Z", count, "UTC").iter().map(|at| at[..10].to_owned()).collect()
    };
    assert_eq!(days("cron(0 9 L * ? *)", 3), ["2026-01-31", "2026-02-28", "2026-03-31"]);
    assert_eq!(days("cron(0 9 LW * ? *)", 3), ["2026-01-30", "2026-02-27", "2026-03-31"]);
    assert_eq!(days("cron(0 9 ? * 6L *)", 3), ["2026-01-30", "2026-02-27", "2026-03-27"]);
    assert_eq!(days("cron(0 9 ? * FRIL *)", 1), ["2026-01-30"]);
    assert_eq!(days("cron(0 9 ? * L *)", 2), ["2026-01-03", "2026-01-10"]);
    assert_eq!(days("cron(0 9 ? * 3#2 *)", 3), ["2026-01-13", "2026-02-10", "2026-03-10"]);
    assert_eq!(days("cron(0 9 ? * mon#5 *)", 2), ["2026-03-30", "2026-06-29"]);
    // 2026-03-01 is a Sunday, 2026-08-01 a Saturday, 2026-05-31 a Sunday.
    assert_eq!(days("cron(0 9 1W 3,8 ? 2026)", 3), ["2026-03-02", "2026-08-03"]);
    assert_eq!(days("cron(0 9 31W 5 ? 2026)", 3), ["2026-05-29"]);
    assert_eq!(days("cron(0 9 15W 2 ? 2026)", 3), ["2026-02-16"]);
    assert_eq!(
        days("cron(0 9 ? * FRI-MON *)", 5),
        ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05", "2026-01-09"]
    );
    assert_eq!(days("cron(0 9 1 NOV-FEB ? *)", 4), ["2026-01-01", "2026-02-01", "2026-11-01", "2026-12-01"]);
    assert_eq!(days("cron(0 9 29 2 ? *)", 2), ["2028-02-29", "2032-02-29"]);
    assert_eq!(days("cron(0 9 1 1 ? 2027/2)", 2), ["2027-01-01", "2029-01-01"]);
    assert_eq!(days("cron(0 9 1 1 ? 2199)", 2), ["2199-01-01"]);
    assert!(days("cron(0 9 31 2 ? *)", 1).is_empty());
    assert!(days("cron(0 9 1 1 ? 2025)", 1).is_empty());
    assert_eq!(days("cron(0 9 1 1 ?)", 1), ["2026-01-01"], "Scheduler's guide lets the year be left out");
}

#[test]
fn a_skipped_time_is_skipped_and_a_repeated_one_runs_once() {
    let new_york = |text, from, count| firings(text, from, count, "America/New_York");
    assert_eq!(
        new_york("cron(30 2 * * ? *)", "2026-03-07T12:00:00Z", 2),
        ["2026-03-09T02:30:00", "2026-03-10T02:30:00"]
    );
    let repeated = Expression::parse("cron(0/30 * * * ? *)", Dialect::Scheduler).expect("an expression");
    let zone = Zone::named("America/New_York").expect("a zone");
    // 01:30 in summer time, then 02:00 in winter time: the second 01:00 and 01:30 are not.
    let first = repeated.next(at("2026-11-01T05:00:00Z"), Timestamp(0), &zone).expect("a firing");
    assert_eq!(first, at("2026-11-01T05:30:00Z"));
    assert_eq!(repeated.next(first, Timestamp(0), &zone), Some(at("2026-11-01T07:00:00Z")));
    assert_eq!(repeated.next(at("2026-11-01T06:15:00Z"), Timestamp(0), &zone), Some(at("2026-11-01T07:00:00Z")));
    // Half an hour, at Lord Howe.
    let lord_howe = |text, from| firings(text, from, 2, "Australia/Lord_Howe");
    assert_eq!(lord_howe("cron(15 2 * * ? *)", "2026-10-02T20:00:00Z"), ["2026-10-05T02:15:00", "2026-10-06T02:15:00"]);
}

#[test]
fn a_rate_counts_from_its_beginning() {
    let rate = rule("rate(5 minutes)");
    let begin = at("2026-01-01T00:00:30Z");
    assert_eq!(rate.next(begin, begin, &Zone::utc()), Some(at("2026-01-01T00:05:30Z")));
    assert_eq!(rate.next(Timestamp(begin.0 - 1), begin, &Zone::utc()), Some(begin));
    assert_eq!(rate.next(at("2026-01-01T01:00:00Z"), begin, &Zone::utc()), Some(at("2026-01-01T01:00:30Z")));
    assert_eq!(rate.next(at("2025-01-01T00:00:00Z"), begin, &Zone::utc()), Some(begin));
    // A day is 24 hours, whatever the clocks do.
    assert_eq!(
        firings("rate(1 day)", "2026-03-07T12:00:00Z", 2, "America/New_York"),
        ["2026-03-08T08:00:00", "2026-03-09T08:00:00"]
    );
}

#[test]
fn what_is_to_happen_once_happens_once() {
    assert_eq!(firings("at(2026-09-25T20:00:00)", "2026-01-01T00:00:00Z", 3, "Asia/Tokyo"), ["2026-09-25T20:00:00"]);
    assert!(firings("at(2026-09-25T20:00:00)", "2026-09-25T11:00:00Z", 3, "Asia/Tokyo").is_empty());
    assert_eq!(
        firings("at(2026-03-08T02:30:00)", "2026-01-01T00:00:00Z", 3, "America/New_York"),
        ["2026-03-08T03:00:00"]
    );
}

#[test]
fn what_aws_refuses_is_refused_in_its_words() {
    let refused = [
        "cron(0 1 * * * *)",
        "cron(0 1 ? * ? *)",
        "cron(7 20 * * NOT *)",
        "cron(INVALID)",
        "cron(0 dummy ? * MON-FRI *)",
        "cron(71 8 1 * ? *)",
        "cron()",
        "rate(10 seconds)",
        "rate(10 years)",
        "rate()",
        "rate(10)",
        "rate(10 minutess)",
        "rate(foo minutes)",
        "rate(-10 minutes)",
        "rate(0 minutes)",
        "rate( 10 minutes )",
        " rate(10 minutes)",
        "at(2021-12-31T23:59:59Z)",
        "at(2021-12-31)",
        "at(2021-02-30T00:00:00)",
        "cron(0 24 * * ? *)",
        "cron(0 0 32 * ? *)",
        "cron(0 0 0 * ? *)",
        "cron(0 0 ? * 0 *)",
        "cron(0 0 ? * 3#6 *)",
        "cron(0 0 ? * 3#2,4#1 *)",
        "cron(0 0 * 13 ? *)",
        "cron(0 0 1 1 ? 1969)",
        "cron(0 0 1 1 ? 2200)",
        "cron(0 0 1 1 ? 2030-2020)",
        "cron(0/0 0 * * ? *)",
        "cron(, 0 * * ? *)",
        "cron(0 0 L-3 * ? *)",
        "cron(0 0 1,LW * ? *)",
        "",
    ];
    for text in refused {
        for dialect in [Dialect::Scheduler, Dialect::Rules] {
            let error = Expression::parse(text, dialect).expect_err(text).to_string();
            let expected = match dialect {
                Dialect::Scheduler => format!("Invalid Schedule Expression {text}."),
                Dialect::Rules => "Parameter ScheduleExpression is not valid.".to_owned(),
            };
            assert_eq!(error, expected);
        }
    }
    for text in ["rate(1 minutes)", "rate(2 minute)", "at(2026-01-01T00:00:00)", "cron(0 9 1 1 ?)"] {
        assert!(Expression::parse(text, Dialect::Rules).is_err(), "{text}");
        assert!(Expression::parse(text, Dialect::Scheduler).is_ok(), "{text}");
    }
    for text in
        ["cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)", "cron(*/15 * * * ? *)", "cron(0-59/10 0-23/2 ? * * *)", "rate(1 day)"]
    {
        assert!(
            Expression::parse(text, Dialect::Rules).is_ok() && Expression::parse(text, Dialect::Scheduler).is_ok(),
            "{text}"
        );
    }
    assert!(Expression::parse(&format!("cron({} 0 * * ? *)", "0,".repeat(200)), Dialect::Rules).is_err());
}

#[test]
fn the_next_firing_is_found_at_once_however_far_it_is() {
    let rare = rule("cron(0 0 29 2 ? 2196)");
    for _ in 0..1_000 {
        assert_eq!(rare.next(Timestamp(0), Timestamp(0), &Zone::utc()), Some(at("2196-02-29T00:00:00Z")));
    }
    for edge in [i64::MIN, i64::MAX] {
        for text in ["cron(* * * * ? *)", "rate(1 minute)", "at(2026-01-01T00:00:00)"] {
            let expression = Expression::parse(text, Dialect::Scheduler).expect(text);
            let _ = expression.next(Timestamp(edge), Timestamp(-edge.saturating_add(1)), &Zone::utc());
        }
    }
    assert!(parse_date("2026-9-1").is_none() && parse_date("2026-09-31").is_none());
}
