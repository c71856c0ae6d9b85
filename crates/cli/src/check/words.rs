//! The catalogue of what checks say: doubts with their hints, and expectations that were not met.

use ::lint::{Doubt, Unmatched};
use asl::Severity;
use rehearsal::Mismatch;
use rehearsal::suite::Problem;

use crate::lang::Lang;
use crate::time::duration;

pub fn severity(severity: Severity, lang: Lang) -> &'static str {
    match (severity, lang) {
        (Severity::Error, Lang::En) => "error",
        (Severity::Warning, Lang::En) => "warning",
        (Severity::Error, Lang::Ja) => "エラー",
        (Severity::Warning, Lang::Ja) => "警告",
    }
}

pub fn hint(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "hint",
        Lang::Ja => "対処",
    }
}

/// What is doubtful.
pub fn doubt(doubt: &Doubt, lang: Lang) -> String {
    match lang {
        Lang::En => match doubt {
            Doubt::ChoiceWithoutDefault => {
                "no Default: an execution fails here when no rule holds, and nothing can catch that".into()
            }
            Doubt::NeverMatches { error, because } => match because {
                Unmatched::Earlier => format!("{error} never comes to here: an entry before takes it"),
                Unmatched::NeverHandled => format!("{error} is neither retried nor caught"),
                Unmatched::NeverRaised => format!("{error} is never raised by this state"),
            },
            Doubt::NeverWritten { path } => format!("{path} is read, and nothing that leads here writes it"),
            Doubt::RetryMayRepeat { resource, error } => {
                format!("after {error} nobody knows whether {resource} was done: a retry may do it twice")
            }
            Doubt::Unreachable => "no way leads here but a Catch that never matches".into(),
        },
        Lang::Ja => match doubt {
            Doubt::ChoiceWithoutDefault => {
                "Default がありません。どの規則も成り立たないと実行は失敗し、Catch もできません".into()
            }
            Doubt::NeverMatches { error, because } => match because {
                Unmatched::Earlier => format!("{error} はここまで来ません。前の要素が先に一致します"),
                Unmatched::NeverHandled => format!("{error} は再試行も捕捉もされません"),
                Unmatched::NeverRaised => format!("このステートは {error} を起こしません"),
            },
            Doubt::NeverWritten { path } => format!("{path} を読んでいますが、ここに至るどのステートも書いていません"),
            Doubt::RetryMayRepeat { resource, error } => {
                format!("{error} では {resource} が済んだか分かりません。再試行で二重に行われるおそれがあります")
            }
            Doubt::Unreachable => "一致することのない Catch のほかに、ここへ至る道がありません".into(),
        },
    }
}

/// What to do about it.
pub fn next(doubt: &Doubt, lang: Lang) -> &'static str {
    match lang {
        Lang::En => match doubt {
            Doubt::ChoiceWithoutDefault => "add a Default, if only to a Fail state that says why",
            Doubt::NeverMatches { .. } => "remove the name, or put its entry first",
            Doubt::NeverWritten { .. } => "write it with ResultPath, Parameters or Result before, or correct the path",
            Doubt::RetryMayRepeat { .. } => "name the errors that are safe to retry, or make the call idempotent",
            Doubt::Unreachable => "remove it, or correct the Catch that should lead here",
        },
        Lang::Ja => match doubt {
            Doubt::ChoiceWithoutDefault => "Default を加えてください。理由を示す Fail ステートへ送るだけでも構いません",
            Doubt::NeverMatches { .. } => "その名前を除くか、要素を前に移してください",
            Doubt::NeverWritten { .. } => {
                "手前で ResultPath、Parameters、Result のいずれかで書くか、パスを直してください"
            }
            Doubt::RetryMayRepeat { .. } => "再試行してよいエラーだけを挙げるか、呼び出しを冪等にしてください",
            Doubt::Unreachable => "除くか、ここへ来るはずの Catch を直してください",
        },
    }
}

/// What is wrong with a table.
pub fn problem(problem: &Problem, lang: Lang) -> String {
    match lang {
        Lang::En => match problem {
            Problem::NotJson(why) => format!("not JSON: {why}"),
            Problem::Missing(field) => format!("{field} is missing"),
            Problem::Unknown(field) => format!("there is no such field: {field}"),
            Problem::Expected(what) => format!("expected {what}"),
            Problem::NoSuchResponse(name) => format!("MockedResponses has no {name}"),
            Problem::NoCallNumber(key) => format!("{key} is not the number of a call, as 0 or 1-3"),
            Problem::Overlap(key) => format!("{key} has an answer already"),
            Problem::Empty => "there is no test case in it".into(),
        },
        Lang::Ja => match problem {
            Problem::NotJson(why) => format!("JSON ではありません: {why}"),
            Problem::Missing(field) => format!("{field} がありません"),
            Problem::Unknown(field) => format!("{field} という項目はありません"),
            Problem::Expected(what) => format!("値が正しくありません（{what}）"),
            Problem::NoSuchResponse(name) => format!("MockedResponses に {name} がありません"),
            Problem::NoCallNumber(key) => format!("{key} は呼び出しの番号（0 や 1-3）ではありません"),
            Problem::Overlap(key) => format!("{key} の応答はすでにあります"),
            Problem::Empty => "テストケースがありません".into(),
        },
    }
}

/// The name of what was expected.
pub fn expected(mismatch: &Mismatch, lang: Lang) -> String {
    let of = |english: &str, japanese: &str, state: &str| match lang {
        Lang::En => format!("{english} {state}"),
        Lang::Ja => format!("{state} {japanese}"),
    };
    match mismatch {
        Mismatch::Status { .. } => "Status".into(),
        Mismatch::Output { .. } => "Output".into(),
        Mismatch::Error { .. } => "Error".into(),
        Mismatch::Cause { .. } => "Cause".into(),
        Mismatch::Path { .. } => "Path".into(),
        Mismatch::Seconds { .. } => "Seconds".into(),
        Mismatch::Calls { state, .. } => of("calls of", "の呼び出し回数", state),
        Mismatch::Parameters { state, .. } => of("parameters of", "の引数", state),
        Mismatch::NoAnswer { state, call } => match lang {
            Lang::En => format!("{state} called its task and the case does not say what call {call} answers"),
            Lang::Ja => format!("{state} がタスクを呼びましたが、{call} 番の呼び出しへの応答がありません"),
        },
        Mismatch::Endless => match lang {
            Lang::En => "it does not come to an end".into(),
            Lang::Ja => "終わりません".into(),
        },
    }
}

pub fn expected_and_was(lang: Lang) -> (&'static str, &'static str) {
    match lang {
        Lang::En => ("expected", "was"),
        Lang::Ja => ("期待", "実際"),
    }
}

/// `3 passed, 1 failed`
pub fn summary(passed: usize, failed: usize, lang: Lang) -> String {
    match lang {
        Lang::En => format!("{passed} passed, {failed} failed"),
        Lang::Ja => format!("成功 {passed} 件、失敗 {failed} 件"),
    }
}

/// How much time passed on the virtual clock.
pub fn took(ms: i64, lang: Lang) -> String {
    let length = duration(ms);
    match lang {
        Lang::En => format!("{length} of virtual time"),
        Lang::Ja => format!("仮想時間 {length}"),
    }
}

pub fn no_findings(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "no findings",
        Lang::Ja => "指摘はありません",
    }
}

pub fn no_definition(machine: &str, lang: Lang) -> String {
    match lang {
        Lang::En => format!("{machine} names no Definition: add it to the table, or say --definition FILE"),
        Lang::Ja => format!("{machine} に Definition がありません。表に加えるか、--definition で指定してください"),
    }
}

pub fn no_such_case(part: &str, lang: Lang) -> String {
    match lang {
        Lang::En => format!("no case has \"{part}\" in its name"),
        Lang::Ja => format!("名前に「{part}」を含むケースはありません"),
    }
}
