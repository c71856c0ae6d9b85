//! Definitions that were recorded on AWS, where the collection is at hand.

use std::fs;
use std::path::{Path, PathBuf};

use asl::{Diagnostic, MachineKind, Parsed, Severity};
use base::Json;

const COLLECTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/asl");

const FOLDERS: [&str; 3] = ["pure", "services", "driven"];

#[test]
fn every_definition_that_aws_ran_is_accepted() {
    let refused: Vec<String> = cases().iter().filter(|case| was_run(case)).filter_map(refusal).collect();
    assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n"));
}

#[test]
fn every_state_that_aws_tested_is_accepted() {
    let mut wrong = Vec::new();
    for case in cases().iter().filter(|case| text(case, "kind") == "test_state") {
        let name = case.get("request").and_then(|request| request.get("stateName")).and_then(Json::as_str);
        if let Err(refusal) = asl::parse_state(text(case, "definition"), name) {
            wrong.push(format!("{}: {refusal:?}", text(case, "id")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_aws_refuses_is_refused_in_its_words() {
    let mut wrong = Vec::new();
    for case in cases().iter().filter(|case| text(case, "kind") == "error") {
        let said = case.get("expected").map(Json::to_string).unwrap_or_default().replace("<partition>", "aws");
        // A TestState case holds one state, not a machine.
        let is_machine = Json::parse(text(case, "definition")).is_ok_and(|definition| definition.get("Type").is_none());
        if is_machine && said.contains("Invalid State Machine Definition: ") {
            let ours = refusal(case).unwrap_or_default();
            if ours.is_empty() || !said.contains(&ours.replace('"', "\\\"")) {
                wrong.push(format!("{}\n  AWS: {said}\n  we: {ours}", text(case, "id")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_aws_validates_gives_its_findings() {
    for case in cases().iter().filter(|case| text(case, "kind") == "validate") {
        let parsed = asl::parse(text(case, "definition"), kind(case));
        let ours: Vec<Json> = errors(&parsed).map(finding).collect();
        let expected =
            case.get("expected").and_then(|expected| expected.get("diagnostics")).expect("recorded findings");
        assert_eq!(Json::array(ours).to_string(), expected.to_string(), "{}", text(case, "id"));
    }
}

fn finding(found: &Diagnostic) -> Json {
    let location = found.location.as_deref().map(|location| ("location", Json::from(location)));
    let before = [("code", Json::from(found.code))];
    let after = [("message", found.message.as_str().into()), ("severity", "ERROR".into())];
    Json::object(before.into_iter().chain(location).chain(after))
}

fn errors(parsed: &Parsed) -> impl Iterator<Item = &Diagnostic> {
    parsed.diagnostics.iter().filter(|found| found.severity == Severity::Error)
}

fn kind(case: &Json) -> MachineKind {
    let asked = case.get("request").map(|request| text(request, "type"));
    match asked {
        Some("EXPRESS") => MachineKind::Express,
        _ => MachineKind::Standard,
    }
}

fn was_run(case: &Json) -> bool {
    matches!(text(case, "kind"), "execution" | "output" | "sync")
}

fn refusal(case: &Json) -> Option<String> {
    let parsed = asl::parse(text(case, "definition"), kind(case));
    let errors: Vec<Diagnostic> = errors(&parsed).cloned().collect();
    (!errors.is_empty()).then(|| asl::refusal(&errors))
}

fn text<'a>(case: &'a Json, name: &str) -> &'a str {
    case.get(name).and_then(Json::as_str).unwrap_or_default()
}

#[expect(clippy::print_stderr, reason = "the collection is not part of the repository")]
fn cases() -> Vec<Json> {
    let collection = Path::new(COLLECTION);
    if !collection.is_dir() {
        eprintln!("skipped: no collection of recorded definitions at {COLLECTION}");
        return Vec::new();
    }
    let folders = FOLDERS.iter().map(|folder| fs::read_dir(collection.join(folder)).expect("a folder"));
    let mut files: Vec<PathBuf> = folders.flatten().map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> Json {
    let text = fs::read_to_string(file).expect("a readable file");
    Json::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
