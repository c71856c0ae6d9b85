//! Why a command could not be carried out, and how that is said: what, why, and the next command.

use api::Code;
use api::error::Class;

use crate::exit::Exit;
use crate::lang::Lang;
use crate::table::clean;
use crate::words::Say;

/// Why a command ended early.
#[derive(Debug)]
pub enum Fault {
    /// To be told.
    Error(Box<api::Error>),
    /// Whoever read our output has gone. Nothing to tell, nobody to tell it to.
    OutputClosed,
}

impl Fault {
    /// `why` is in the words of the catalogue, or of the system.
    pub fn new(code: Code, about: &str, why: impl Into<String>) -> Fault {
        api::Error::new(code, why).about(about).into()
    }

    pub fn exit(&self) -> Exit {
        match self {
            Fault::Error(error) => Exit::of_error(error.code),
            Fault::OutputClosed => Exit::Ok,
        }
    }

    /// The lines for standard error.
    pub fn lines(&self, lang: Lang) -> Vec<String> {
        match self {
            Fault::Error(error) => lines(error, lang),
            Fault::OutputClosed => vec![],
        }
    }
}

impl From<api::Error> for Fault {
    fn from(error: api::Error) -> Fault {
        Fault::Error(Box::new(error))
    }
}

fn lines(error: &api::Error, lang: Lang) -> Vec<String> {
    let about = clean(error.subject.as_deref().unwrap_or_default());
    let what = Say::Fault { code: error.code, about: &about }.text(lang);
    let mut lines = vec![format!("{}[{}]: {what}", Say::Error.text(lang), error.code)];
    // That something named is not there has been said in full, and findings say more than their sum.
    let says_more = !error.message.is_empty() && error.code.class() != Class::NotFound && error.findings.is_empty();
    lines.extend(says_more.then(|| format!("  {}", clean(&error.message))));
    lines.extend(error.findings.iter().map(|finding| format!("  {}", clean(finding))));
    lines.push(format!("{}: {}", Say::Hint.text(lang), Say::NextStep { code: error.code }.text(lang)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(error: api::Error, expected: Expect) {
        let fault = Fault::from(error);
        let said: Vec<String> = Lang::ALL.into_iter().flat_map(|lang| fault.lines(lang)).collect();
        expected.assert_eq(&format!("{}\nexit {}\n", said.join("\n"), fault.exit().code()));
    }

    #[test]
    fn what_why_and_the_next_command() {
        check(
            api::Error::new(Code::ExecutionNotFound, "execution night-1 does not exist").about("night-1"),
            expect![[r#"
            error[DN0301]: there is no execution "night-1"
            hint: dandori execution list
            エラー[DN0301]: 実行「night-1」はありません
            対処: dandori execution list
            exit 3
        "#]],
        );
        check(
            api::Error::new(Code::DefinitionInvalid, "the definition is not valid")
                .findings(vec!["MISSING_TRANSITION_TARGET: no such state \"B\" at /States/A/Next".into()]),
            expect![[r#"
                error[DN0501]: the definition is not valid
                  MISSING_TRANSITION_TARGET: no such state "B" at /States/A/Next
                hint: correct the definition and put it again
                エラー[DN0501]: 定義が正しくありません
                  MISSING_TRANSITION_TARGET: no such state "B" at /States/A/Next
                対処: 定義を直して、もう一度登録してください
                exit 10
            "#]],
        );
    }
}
