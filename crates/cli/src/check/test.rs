//! `dandori definition test FILE…`

use std::path::Path;

use asl::{Machine, MachineKind};
use base::Json;
use rehearsal::{Mismatch, Suite};
use serde::Serialize;

use super::words;
use crate::args::{DefinitionTest, Format};
use crate::execution::read_file;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::lang::Lang;
use crate::output::Out;
use crate::table::clean;

/// One case, as programs read it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    machine: String,
    case: String,
    passed: bool,
    virtual_ms: i64,
    path: Vec<String>,
    mismatches: Vec<Line>,
}

/// One expectation that was not met.
#[derive(Debug, Clone, Serialize)]
struct Line {
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<String>,
}

pub fn run(out: &Out, command: &DefinitionTest) -> Result<Exit, Fault> {
    let mut reports = vec![];
    for file in &command.files {
        reports.extend(reports_of(file, command, out.look.lang)?);
    }
    if let (true, Some(part)) = (reports.is_empty(), &command.case) {
        return Err(Fault::new(api::Code::Usage, "", words::no_such_case(part, out.look.lang)));
    }
    match out.format {
        Format::Table => reports.iter().try_for_each(|report| out.data(&lines(report, out.look.lang)))?,
        Format::Tsv => reports.iter().try_for_each(|report| out.data(&tabbed(report)))?,
        Format::Json => out.json(&reports)?,
        Format::Jsonl => reports.iter().try_for_each(|report| out.json_line(report))?,
    }
    let failed = reports.iter().filter(|report| !report.passed).count();
    if out.format == Format::Table {
        out.message(&words::summary(reports.len() - failed, failed, out.look.lang));
    }
    Ok(if failed == 0 { Exit::Ok } else { Exit::ExecutionFailed })
}

fn reports_of(file: &str, command: &DefinitionTest, lang: Lang) -> Result<Vec<Report>, Fault> {
    let suite = Suite::parse(&read_file(file)?).map_err(|errors| {
        let findings =
            errors.iter().map(|error| format!("{}: {}", place(&error.at), words::problem(&error.problem, lang)));
        Fault::from(api::Error::new(api::Code::TableInvalid, "").about(file).findings(findings.collect()))
    })?;
    let mut reports = vec![];
    for cases in &suite.machines {
        let wanted = |name: &str| command.case.as_ref().is_none_or(|part| name.contains(part.as_str()));
        let chosen: Vec<_> = cases.cases.iter().filter(|case| wanted(&case.name)).collect();
        if chosen.is_empty() {
            continue;
        }
        let definition = match (&cases.definition, &command.definition) {
            (_, Some(given)) => given.clone(),
            (Some(beside), None) => beside_of(file, beside),
            (None, None) => {
                return Err(Fault::new(api::Code::TableInvalid, file, words::no_definition(&cases.name, lang)));
            }
        };
        let machine = machine(&definition)?;
        reports.extend(chosen.into_iter().map(|case| {
            let performance = rehearsal::run(&machine, &cases.name, case);
            let mismatches = rehearsal::judge(case, &performance);
            Report {
                machine: cases.name.to_string(),
                case: case.name.to_string(),
                passed: mismatches.is_empty(),
                virtual_ms: performance.took_ms,
                path: performance.path.iter().map(ToString::to_string).collect(),
                mismatches: mismatches.iter().map(|mismatch| line(mismatch, lang)).collect(),
            }
        }));
    }
    Ok(reports)
}

fn place(at: &str) -> &str {
    if at.is_empty() { "/" } else { at }
}

/// A definition's path is relative to the table that names it.
fn beside_of(table: &str, definition: &str) -> String {
    let folder = Path::new(table).parent().unwrap_or(Path::new(""));
    folder.join(definition).to_string_lossy().into_owned()
}

fn machine(file: &str) -> Result<Machine, Fault> {
    let parsed = asl::parse(&read_file(file)?, MachineKind::Standard);
    let findings = parsed
        .diagnostics
        .iter()
        .map(|it| format!("{}: {} at {}", it.code, it.message, it.location.as_deref().unwrap_or("/")));
    let findings = findings.collect();
    parsed
        .machine
        .ok_or_else(|| api::Error::new(api::Code::DefinitionInvalid, "").about(file).findings(findings).into())
}

fn line(mismatch: &Mismatch, lang: Lang) -> Line {
    let json = |value: &Json| Some(value.to_string());
    let names = |names: &[std::sync::Arc<str>]| Some(names.join(" → "));
    let (expected, was) = match mismatch {
        Mismatch::Status { expected, was } => (Some(expected.to_string()), Some((*was).to_owned())),
        Mismatch::Output { expected, was } => (json(expected), was.as_ref().and_then(json)),
        Mismatch::Error { expected, was } | Mismatch::Cause { expected, was } => {
            (Some(expected.to_string()), was.as_ref().map(ToString::to_string))
        }
        Mismatch::Path { expected, was } => (names(expected), names(was)),
        Mismatch::Calls { expected, was, .. } => (Some(expected.to_string()), Some(was.to_string())),
        Mismatch::Parameters { expected, was, .. } => (json(expected), was.as_ref().and_then(json)),
        Mismatch::Seconds { expected, was } => (Some(expected.to_string()), Some(was.to_string())),
        Mismatch::NoAnswer { .. } | Mismatch::Endless => (None, None),
    };
    Line { what: words::expected(mismatch, lang), expected, was }
}

fn lines(report: &Report, lang: Lang) -> String {
    let mark = if report.passed { '✓' } else { '✕' };
    let (machine, case) = (clean(&report.machine), clean(&report.case));
    let mut text = format!("{mark} {machine} / {case}  ({})\n", words::took(report.virtual_ms, lang));
    let (expected, was) = words::expected_and_was(lang);
    for line in &report.mismatches {
        text += &format!("    {}\n", clean(&line.what));
        if let Some(value) = &line.expected {
            text += &format!("      {expected}: {}\n", clean(value));
            text += &format!("      {was}: {}\n", clean(line.was.as_deref().unwrap_or("-")));
        }
    }
    text
}

fn tabbed(report: &Report) -> String {
    let outcome = if report.passed { "passed" } else { "failed" };
    let what: Vec<String> = report.mismatches.iter().map(|line| clean(&line.what)).collect();
    format!(
        "{outcome}\t{}\t{}\t{}\t{}\n",
        clean(&report.machine),
        clean(&report.case),
        report.virtual_ms,
        what.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_table_is_run_beside_its_definition() {
        let folder = std::env::temp_dir().join(format!("dandori-table-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
        write(
            "net.asl.json",
            r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true}}}"#,
        );
        write(
            "net.test.json",
            r#"{"StateMachines":{"net":{"Definition":"net.asl.json","TestCases":{
                "good":{"A":"Ok"},"bad":{"Mocks":{"A":"Ok"},"Expect":{"Output":2,"Calls":{"A":2}}},"silent":{"Mocks":{}, "Expect":{"Output":1}}}}},
                "MockedResponses":{"Ok":{"0":{"Return":1,"After":90}}}}"#,
        );
        let table = folder.join("net.test.json").to_string_lossy().into_owned();
        let command = DefinitionTest { files: vec![], definition: None, case: None };
        let reports = reports_of(&table, &command, Lang::En).expect("a good table");
        let text: String = reports.iter().map(|report| lines(report, Lang::En)).collect();
        std::fs::remove_dir_all(&folder).expect("the folder goes");
        expect![[r#"
            ✓ net / good  (1m30s of virtual time)
            ✕ net / bad  (1m30s of virtual time)
                Output
                  expected: 2
                  was: 1
                calls of A
                  expected: 2
                  was: 1
            ✕ net / silent  (0.0s of virtual time)
                A called its task and the case does not say what call 0 answers
        "#]]
        .assert_eq(&text);
    }
}
