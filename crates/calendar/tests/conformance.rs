//! The collection of calendar and rule cases, where it is there.

use calendar::date::{Date, Days, Month, parse_date};
use calendar::definition::Definition;
use calendar::month::{Label, OperationalMonths};
use calendar::rule::{Occurrence, Outcome, ScheduleDefinition};
use calendar::shelf::{Business, Shelf, Walk};
use serde_json::{Value, json};

const COLLECTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/calendar/cases.json");

#[test]
fn every_case_of_the_collection_passes() {
    let Ok(text) = std::fs::read_to_string(COLLECTION) else { return };
    let collection: Value = serde_json::from_str(&text).expect("the collection is JSON");
    let mut shelf = Shelf::default();
    for (name, calendar) in collection["calendars"].as_object().expect("calendars") {
        shelf.put(1, definition(name, calendar)).expect("a calendar");
    }
    let mut faults = vec![];
    let cases = collection["cases"].as_array().expect("cases");
    for case in cases {
        let calendar = shelf.calendar(case["calendar"].as_str().expect("a name")).expect("a calendar");
        let found = found(case, &calendar, &shelf);
        if found != case["expected"] {
            faults.push(format!("{case}\n  found {found}"));
        }
    }
    assert!(!cases.is_empty());
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

fn definition(name: &str, calendar: &Value) -> Definition {
    let mut text = json!({ "name": name, "dates": { "closed": calendar["closed"] } });
    if let Some(days) = calendar.get("weeklyClosed") {
        text["weekly"] = json!({ "closed": days });
    }
    if let Some(base) = calendar.get("base") {
        text["base"] = base.clone();
    }
    Definition::parse(&text.to_string()).expect("a calendar")
}

fn found(case: &Value, calendar: &Business, shelf: &Shelf) -> Value {
    let (rule, nominal) = (&case["rule"], case["nominal"].as_str().expect("a nominal date"));
    if rule.get("previousOpenDay").is_some() {
        let date = parse_date(nominal).expect("a date");
        return match calendar.open_beyond(date, -1, 31) {
            Walk::Open(date) => json!(date.to_string()),
            Walk::Unknown(_) | Walk::Nothing => Value::Null,
        };
    }
    if let Some(base_day) = rule.get("baseDay") {
        let months = OperationalMonths::new(base_day.as_i64().expect("a day") as i8, Label::Next).expect("a base day");
        return operational_month(calendar, months.days(month(nominal)));
    }
    if rule["openDay"] == "count" {
        let month = OperationalMonths::CALENDAR.days(month(nominal));
        return json!(calendar.open_days(month).expect("known days"));
    }
    let text = json!({ "net": "/n", "calendar": calendar.name, "rules": [native(rule, nominal)] });
    let schedule = ScheduleDefinition::parse(&text.to_string()).expect("a schedule").on(shelf).expect("a schedule");
    let around = match parse_date(nominal) {
        Some(date) => Days::new(date, date).widened(100),
        None => OperationalMonths::CALENDAR.days(month(nominal)),
    };
    let all = schedule.project(around, &|_, _| false);
    let wanted = |occurrence: &&Occurrence| occurrence.nominal().any(|date| date.to_string().starts_with(nominal));
    match all.iter().find(wanted).map(|occurrence| (&occurrence.outcome, occurrence.date)) {
        Some((Outcome::Planned { .. }, date)) => json!(date.to_string()),
        // Nothing runs, and there is an entry that says why.
        Some((Outcome::NotGenerated { .. }, _)) => Value::Null,
        other => json!(format!("{other:?}")),
    }
}

fn native(rule: &Value, nominal: &str) -> Value {
    let anchor = if let Some(day) = rule.get("day") {
        json!({ "day": day })
    } else if let Some(nth) = rule.get("openDay") {
        json!({ "openDay": nth })
    } else if let Some(back) = rule.get("openDayFromEnd") {
        json!({ "openDay": format!("end-{back}") })
    } else if let Some(weekday) = rule.get("weekday") {
        json!({ "weekday": { "day": weekday } })
    } else if rule.get("every").is_some() {
        json!({ "every": { "n": 14, "unit": "day", "from": rule["from"] } })
    } else {
        // Without an anchor it is about the one nominal date.
        json!({ "dates": [nominal] })
    };
    let mut native = json!({ "id": 1, "anchor": anchor, "onClosed": { "shift": rule.get("shift").cloned().unwrap_or(json!("none")) } });
    if let Some(max) = rule.get("maxShift") {
        native["onClosed"]["maxShift"] = max.clone();
    }
    if let Some(days) = rule.get("offsetOpenDays") {
        native["offset"] = json!({ "openDays": days });
    }
    native
}

fn month(text: &str) -> Month {
    let (year, month) = text.split_once('-').expect("a month");
    Month { year: year.parse().expect("a year"), month: month[..2].parse().expect("a month") }
}

fn operational_month(calendar: &Business, days: Days) -> Value {
    let open: Vec<Date> = days.iter().filter(|date| calendar.is_open(*date)).collect();
    json!({
        "from": days.from.to_string(),
        "to": days.to.to_string(),
        "open": open.len(),
        "first": open[0].to_string(),
        "fifth": open[4].to_string(),
        "last": open[open.len() - 1].to_string(),
    })
}
