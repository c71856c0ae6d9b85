//! `dandori definition lint FILE…`

use asl::{Diagnostic, MachineKind, Severity};
use serde::Serialize;

use super::words;
use crate::args::{DefinitionLint, Format, MachineType};
use crate::execution::read_file;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::lang::Lang;
use crate::output::Out;
use crate::table::clean;

/// One finding, as programs read it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    file: String,
    line: usize,
    column: usize,
    severity: &'static str,
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

pub fn run(out: &Out, command: &DefinitionLint) -> Result<Exit, Fault> {
    let kind = match command.kind {
        MachineType::Standard => MachineKind::Standard,
        MachineType::Express => MachineKind::Express,
    };
    let mut found = vec![];
    for file in &command.files {
        found.extend(findings(file, &read_file(file)?, kind, out.look.lang));
    }
    match out.format {
        Format::Table if found.is_empty() => out.message(words::no_findings(out.look.lang)),
        Format::Table => found.iter().try_for_each(|found| out.data(&lines(found, out.look.lang)))?,
        Format::Tsv => found.iter().try_for_each(|found| out.data(&tabbed(found)))?,
        Format::Json => out.json(&found)?,
        Format::Jsonl => found.iter().try_for_each(|found| out.json_line(found))?,
    }
    let wrong = |found: &Found| command.strict || found.severity == "ERROR";
    Ok(if found.iter().any(wrong) { Exit::Invalid } else { Exit::Ok })
}

/// AWS's diagnostics, and our doubts where the definition is valid; in the order of the text.
pub fn findings(file: &str, text: &str, kind: MachineKind, lang: Lang) -> Vec<Found> {
    let parsed = asl::parse(text, kind);
    let mut hints = vec![None; parsed.diagnostics.len()];
    let mut diagnostics = parsed.diagnostics;
    for finding in parsed.machine.iter().flat_map(::lint::lint) {
        hints.push(Some(words::next(&finding.doubt, lang)));
        diagnostics.push(Diagnostic {
            severity: Severity::Warning,
            code: finding.doubt.code(),
            message: words::doubt(&finding.doubt, lang),
            location: Some(finding.at),
        });
    }
    let places = asl::locate(text, &diagnostics);
    let mut found: Vec<Found> = diagnostics
        .into_iter()
        .zip(places)
        .zip(hints)
        .map(|((it, place), hint)| {
            let severity = match it.severity {
                Severity::Error => "ERROR",
                Severity::Warning => "WARNING",
            };
            let Diagnostic { code, message, location, .. } = it;
            let (file, asl::Place { line, column }) = (file.to_owned(), place);
            Found { file, line, column, severity, code, message, location, hint }
        })
        .collect();
    found.sort_by_key(|found| (found.line, found.column));
    found
}

fn lines(found: &Found, lang: Lang) -> String {
    let Found { file, line, column, severity, code, message, hint, .. } = found;
    let severity = words::severity(if *severity == "ERROR" { Severity::Error } else { Severity::Warning }, lang);
    let mut text = format!("{}:{line}:{column}: {severity} {code}: {}\n", clean(file), clean(message));
    if let Some(hint) = hint {
        text += &format!("  {}: {hint}\n", words::hint(lang));
    }
    text
}

fn tabbed(found: &Found) -> String {
    let Found { file, line, column, severity, code, message, location, .. } = found;
    let location = location.as_deref().unwrap_or_default();
    format!("{}\t{line}\t{column}\t{severity}\t{code}\t{}\t{}\n", clean(file), clean(location), clean(message))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, lang: Lang, expected: Expect) {
        let found = findings("net.asl.json", text, MachineKind::Standard, lang);
        expected.assert_eq(&found.iter().map(|found| lines(found, lang)).collect::<String>());
    }

    const DOUBTFUL: &str = r#"{
  "StartAt": "Pick",
  "States": {
    "Pick": {"Type": "Choice",
      "Choices": [{"Variable": "$.x", "NumericEquals": 1, "Next": "Send"}]},
    "Send": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": true,
      "Retry": [{"ErrorEquals": ["States.ALL"]}]}
  }
}"#;

    #[test]
    fn doubts_have_a_place_and_a_hint_in_both_languages() {
        check(
            DOUBTFUL,
            Lang::En,
            expect![[r#"
                net.asl.json:4:5: warning CHOICE_WITHOUT_DEFAULT: no Default: an execution fails here when no rule holds, and nothing can catch that
                  hint: add a Default, if only to a Fail state that says why
                net.asl.json:7:34: warning RETRY_MAY_REPEAT: after States.ALL nobody knows whether arn:aws:states:::sqs:sendMessage was done: a retry may do it twice
                  hint: name the errors that are safe to retry, or make the call idempotent
            "#]],
        );
        check(
            DOUBTFUL,
            Lang::Ja,
            expect![[r#"
                net.asl.json:4:5: 警告 CHOICE_WITHOUT_DEFAULT: Default がありません。どの規則も成り立たないと実行は失敗し、Catch もできません
                  対処: Default を加えてください。理由を示す Fail ステートへ送るだけでも構いません
                net.asl.json:7:34: 警告 RETRY_MAY_REPEAT: States.ALL では arn:aws:states:::sqs:sendMessage が済んだか分かりません。再試行で二重に行われるおそれがあります
                  対処: 再試行してよいエラーだけを挙げるか、呼び出しを冪等にしてください
            "#]],
        );
    }

    #[test]
    fn what_aws_says_has_a_place_too() {
        check(
            "{\n  \"StartAt\": \"A\",\n  \"States\": {\"A\": {\"Type\": \"Pass\", \"Next\": \"B\"}}}",
            Lang::En,
            expect![[r#"
                net.asl.json:1:1: error MISSING_END_STATE: Workflow has no terminal state
                net.asl.json:3:36: error MISSING_TRANSITION_TARGET: Missing 'Next' target: B
            "#]],
        );
        check(
            "{\n  \"StartAt\": ]}",
            Lang::En,
            expect![[r#"
            net.asl.json:2:14: error INVALID_JSON_DESCRIPTION: Unexpected character (']' (code 93)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')  at [Source: (String)"{   "StartAt": ]}"; line: 2, column: 14]
        "#]],
        );
        check(
            "[]",
            Lang::En,
            expect![[r#"
            net.asl.json:1:1: error SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object
        "#]],
        );
    }
}
