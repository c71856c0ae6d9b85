//! What holds for any calendar and any rule.

use std::collections::BTreeMap;

use calendar::date::{Date, Days, parse_date, plus};
use calendar::rule::{Occurrence, Outcome, Schedule, ScheduleDefinition};
use calendar::{Definition, Shelf};
use proptest::prelude::*;
use serde_json::{Value, json};

fn day(offset: i32) -> Date {
    plus(parse_date("2026-01-01").expect("a date"), offset)
}

fn calendars() -> impl Strategy<Value = Value> {
    let week = proptest::sample::subsequence(vec!["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], 0..=7);
    let closed = proptest::collection::btree_set(0..700_i32, 0..120);
    (week, closed, proptest::option::of(300..700_i32), 1..=31_i8, any::<bool>()).prop_map(
        |(week, closed, horizon, base_day, next)| {
            let horizon = horizon.map(day);
            let closed: Vec<String> = closed
                .into_iter()
                .map(day)
                .filter(|date| horizon.is_none_or(|end| *date <= end))
                .map(|date| date.to_string())
                .collect();
            let mut text = json!({
                "name": "c",
                "weekly": { "open": week },
                "dates": { "closed": closed },
                "operationalMonth": { "baseDay": base_day, "label": if next { "next" } else { "this" } },
            });
            if let Some(horizon) = horizon {
                text["validThrough"] = json!(horizon.to_string());
            }
            text
        },
    )
}

fn anchors() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1..=31_u8).prop_map(|day| json!({ "day": day })),
        (0..=27_u8).prop_map(|back| json!({ "day": format!("end-{back}") })),
        (1..=23_u8).prop_map(|nth| json!({ "openDay": nth })),
        (0..=20_u8).prop_map(|back| json!({ "openDay": format!("end-{back}") })),
        (1..=12_u8).prop_map(|nth| json!({ "closedDay": nth, "period": "calendarMonth" })),
        (1..=31_u8).prop_map(|nth| json!({ "opDay": nth, "missingDay": "last" })),
        (1..=5_u8).prop_map(|nth| json!({ "weekday": { "day": "Tue", "nth": nth } })),
        Just(json!({ "weekday": { "day": "Sat" } })),
        (1..=40_u16).prop_map(|n| json!({ "every": { "n": n, "unit": "day", "from": "2026-01-31" } })),
        (1..=5_u16).prop_map(|n| json!({ "every": { "n": n, "unit": "month", "from": "2025-12-31" } })),
        Just(json!({ "each": "openDay" })),
        Just(json!({ "each": "day" })),
        Just(json!({ "cron": "? * 2#1 *" })),
        Just(json!({ "rrule": { "rule": "FREQ=MONTHLY;BYDAY=-1FR", "from": "2026-01-01" } })),
    ]
}

fn rules() -> impl Strategy<Value = Value> {
    let shift = prop_oneof![
        Just("none"),
        Just("cancel"),
        Just("before"),
        Just("after"),
        Just("nearest"),
        Just("beforeWithinMonth"),
        Just("afterWithinMonth"),
    ];
    let offset = prop_oneof![
        2 => Just(Value::Null),
        1 => (-20..=20_i32).prop_map(|days| json!({ "openDays": days })),
        1 => (-20..=20_i32).prop_map(|days| json!({ "calendarDays": days, "reShift": "after" })),
    ];
    (anchors(), shift, 0..=31_u32, offset, any::<bool>()).prop_map(|(anchor, shift, max, offset, each)| {
        let mut rule = json!({ "id": 1, "anchor": anchor, "onClosed": { "shift": shift, "maxShift": max }, "merge": if each { "each" } else { "sameDate" }, "times": ["26:00"] });
        if !offset.is_null() {
            rule["offset"] = offset;
        }
        rule
    })
}

fn schedule(calendar: &Value, rules: &[Value]) -> Schedule {
    let mut shelf = Shelf::default();
    shelf.put(1, Definition::parse(&calendar.to_string()).expect("a calendar")).expect("a calendar");
    let text = json!({ "net": "/n", "calendar": "c", "rules": rules });
    ScheduleDefinition::parse(&text.to_string()).expect("a schedule").on(&shelf).expect("a schedule")
}

fn project(schedule: &Schedule, from: i32, to: i32) -> Vec<Occurrence> {
    schedule.project(Days::new(day(from), day(to)), &|_, _| false)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn i_in_two_parts_is_at_once(calendar in calendars(), rule in rules(), from in 0..400, one in 0..120, two in 1..120) {
        let mut second = rule.clone();
        second["id"] = json!(2);
        second["times"] = json!(["02:00"]);
        let schedule = schedule(&calendar, &[rule, second]);
        let parts = [project(&schedule, from, from + one), project(&schedule, from + one + 1, from + one + two)].concat();
        prop_assert_eq!(parts, project(&schedule, from, from + one + two));
    }

    #[test]
    fn ii_a_nominal_date_comes_to_one_business_date(calendar in calendars(), rule in rules(), from in 0..400) {
        let mut dates: BTreeMap<Date, Date> = BTreeMap::new();
        for occurrence in project(&schedule(&calendar, &[rule]), from, from + 300) {
            for nominal in occurrence.nominal() {
                prop_assert_eq!(dates.insert(nominal, occurrence.date), None);
            }
        }
    }

    #[test]
    fn iii_what_is_shifted_is_open_and_unknown_is_never_open(calendar in calendars(), rule in rules(), from in 0..600) {
        let shift = rule["onClosed"]["shift"].as_str().expect("a shift").to_owned();
        let by_open_days = rule.get("offset").is_none_or(|offset| offset.get("openDays").is_some());
        let schedule = schedule(&calendar, &[rule]);
        for occurrence in project(&schedule, from, from + 200) {
            let runs = matches!(occurrence.outcome, Outcome::Planned { .. });
            if runs && by_open_days && shift != "none" {
                prop_assert!(schedule.calendar.is_open(occurrence.date), "{:?}", occurrence);
            }
            if let Outcome::Held { unknown } = occurrence.outcome {
                prop_assert!(schedule.calendar.horizon().is_some_and(|end| unknown > end));
            }
        }
    }

    #[test]
    fn iv_before_is_not_after_and_after_is_not_before(calendar in calendars(), mut rule in rules(), from in 0..400) {
        rule.as_object_mut().expect("a rule").remove("offset");
        let shift = rule["onClosed"]["shift"].as_str().expect("a shift").to_owned();
        for occurrence in project(&schedule(&calendar, &[rule]), from, from + 200) {
            for nominal in occurrence.nominal() {
                prop_assert!(shift != "before" || occurrence.date <= nominal);
                prop_assert!(shift != "after" || occurrence.date >= nominal);
            }
        }
    }

    #[test]
    fn v_a_change_far_away_changes_nothing(calendar in calendars(), rule in rules(), from in 0..200, far in 200..400) {
        let before = project(&schedule(&calendar, std::slice::from_ref(&rule)), from, from + 60);
        let date = day(from + 60 + far);
        let mut changed = calendar.clone();
        let beyond = changed.get("validThrough").and_then(Value::as_str).and_then(parse_date).is_some_and(|end| date > end);
        if !beyond {
            changed["dates"]["closed"].as_array_mut().expect("dates").push(json!(date.to_string()));
        }
        prop_assert_eq!(project(&schedule(&changed, &[rule]), from, from + 60), before);
    }

    #[test]
    fn the_next_are_the_first_of_all(calendar in calendars(), rule in rules(), from in 0..400, count in 1..20_usize) {
        let schedule = schedule(&calendar, &[rule]);
        let next = schedule.next(day(from), count, &|_, _| false);
        let all = project(&schedule, from, from + 3_659);
        prop_assert_eq!(&next[..], &all[..count.min(all.len())]);
    }
}
