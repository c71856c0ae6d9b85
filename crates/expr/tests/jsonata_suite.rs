//! The official suite of JSONata, where it lies beside the checkout.

use std::path::{Path, PathBuf};

use base::{Json, Object, Timestamp};
use expr::jsonata::plain::Plain;

/// Where the suite is looked for, from here upwards.
const SUITE: &str = "shared/conformance/jsonata";

/// Of a hundred cases, how many have to be right.
const SHARE_MIN: f64 = 99.8;

fn suite() -> Option<PathBuf> {
    let start = Path::new(env!("CARGO_MANIFEST_DIR"));
    start.ancestors().map(|folder| folder.join(SUITE)).find(|folder| folder.is_dir())
}

fn json(text: &str) -> Json {
    Json::parse(text).expect("the suite is JSON")
}

/// What is wrong with a case; nothing when it is right.
fn miss(case: &Json, datasets: &Json) -> Option<String> {
    let text = |key: &str| case.get(key).and_then(Json::as_str);
    let expression = text("expr").expect("a case has an expression");
    let document = match text("dataset") {
        Some(name) => datasets.get(name),
        None => case.get("data"),
    };
    let none = Object::new();
    let bindings = case.get("bindings").and_then(Json::as_object).unwrap_or(&none);
    let depth_max = case.get("depth").and_then(Json::as_i64).map_or(500, |depth| depth as usize);
    let plain = Plain { document, bindings, now: Timestamp(1_600_000_000_000), depth_max };
    let code = text("code").or_else(|| case.get("error")?.get("code")?.as_str());
    let outcome = plain.eval(expression);
    let right = match (&outcome, code) {
        (Err(error), Some(code)) => error.code.unwrap_or("U1001") == code,
        (Ok(None), None) => case.get("undefinedResult").is_some() || case.get("result").is_none(),
        (Ok(Some(value)), None) => case.get("result").is_some_and(|wanted| same(value, wanted, is_unordered(case))),
        (_, _) => false,
    };
    if right {
        return None;
    }
    let got = match outcome {
        Ok(Some(value)) => value.to_string().chars().take(300).collect(),
        Ok(None) => "nothing".to_owned(),
        Err(error) => error.text(),
    };
    let wanted = match (code, case.get("result")) {
        (Some(code), _) => code.to_owned(),
        (None, Some(result)) => result.to_string().chars().take(300).collect(),
        (None, None) => "nothing".to_owned(),
    };
    Some(format!("{}: {expression}\n    wanted {wanted}\n    got    {got}", text("id").unwrap_or_default()))
}

fn is_unordered(case: &Json) -> bool {
    case.get("unordered").is_some()
}

/// Equal by value: 1 is 1.0, and the order of members is nothing.
fn same(left: &Json, right: &Json, unordered: bool) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => left.as_f64() == right.as_f64(),
        (Json::Array(left), Json::Array(right)) if unordered => {
            left.len() == right.len() && left.iter().all(|item| right.iter().any(|other| same(item, other, false)))
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right.iter()).all(|(left, right)| same(left, right, false))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| same(value, other, false)))
        }
        (left, right) => left == right,
    }
}

/// The suite's functions nest deeper than a state machine's may, which takes more than a test's stack.
#[test]
fn the_official_suite_passes() {
    let suite = std::thread::Builder::new().stack_size(64 * 1024 * 1024).spawn(run).expect("a thread");
    suite.join().expect("the suite passes");
}

#[expect(clippy::print_stderr, reason = "says what is missing, and that nothing was tested")]
fn run() {
    let Some(folder) = suite() else {
        eprintln!("no suite at {SUITE} beside the checkout: nothing is tested here");
        return;
    };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("the suite's files are readable");
    let (cases, datasets) = (read("cases.jsonl"), json(&read("datasets.json")));
    // Half of a surrogate pair has no place in our texts.
    let outcome = |line| Json::parse(line).map_or(Some(format!("not JSON: {line}")), |case| miss(&case, &datasets));
    let misses: Vec<String> = cases.lines().filter_map(outcome).collect();
    let count = cases.lines().count();
    let share = 100.0 * (count - misses.len()) as f64 / count as f64;
    eprintln!("{} of {count} cases pass ({share:.2} %)\n{}", count - misses.len(), misses.join("\n"));
    assert!(share >= SHARE_MIN, "less than {SHARE_MIN} % of the suite");
}
