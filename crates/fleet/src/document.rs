//! Documents: what a command runs. So far the one that everybody uses, `AWS-RunShellScript`.
//!
//! **Invariant:** parameters never become shell text on our side beyond what the document says: the commands,
//! joined by newlines, are the file that the agent's shell reads.

use std::collections::BTreeMap;

use document::Script;

use crate::limits::{
    EXECUTION_TIMEOUT_SECONDS_DEFAULT, EXECUTION_TIMEOUT_SECONDS_MAX, SCRIPT_BYTES_MAX, WORKING_DIRECTORY_CHARS_MAX,
};

/// The document's name, and the plugin's in results.
pub const RUN_SHELL_SCRIPT: &str = "AWS-RunShellScript";
pub const RUN_SHELL_SCRIPT_PLUGIN: &str = "aws:runShellScript";

/// Why a document cannot be run, by the name of AWS's error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("document {name} does not exist")]
    InvalidDocument { name: String },
    #[error("document {name} has no version {version}")]
    InvalidDocumentVersion { name: String, version: String },
    #[error("{0}")]
    InvalidParameters(String),
}

impl Refusal {
    /// AWS's name of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::InvalidDocument { .. } => "InvalidDocument",
            Refusal::InvalidDocumentVersion { .. } => "InvalidDocumentVersion",
            Refusal::InvalidParameters(_) => "InvalidParameters",
        }
    }
}

/// Fills the document `name` (or its ARN) with `parameters`.
pub fn resolve(
    name: &str,
    version: Option<&str>,
    parameters: BTreeMap<String, Vec<String>>,
) -> Result<Script, Refusal> {
    if name.rsplit('/').next() != Some(RUN_SHELL_SCRIPT) || !(name == RUN_SHELL_SCRIPT || name.starts_with("arn:")) {
        return Err(Refusal::InvalidDocument { name: name.to_owned() });
    }
    match version {
        None | Some("" | "$DEFAULT" | "$LATEST" | "1") => run_shell_script(parameters),
        Some(version) => Err(Refusal::InvalidDocumentVersion { name: name.to_owned(), version: version.to_owned() }),
    }
}

fn run_shell_script(mut parameters: BTreeMap<String, Vec<String>>) -> Result<Script, Refusal> {
    let commands = parameters.remove("commands").filter(|commands| !commands.is_empty());
    let commands = commands.ok_or_else(|| invalid("parameter commands is required".to_owned()))?;
    let working_directory = one("workingDirectory", parameters.remove("workingDirectory"))?.unwrap_or_default();
    let execution_timeout = one("executionTimeout", parameters.remove("executionTimeout"))?;
    if let Some(unknown) = parameters.keys().next() {
        return Err(invalid(format!("parameter {unknown} is not defined in document {RUN_SHELL_SCRIPT}")));
    }

    let mut text = commands.join("\n");
    text.push('\n');
    if text.len() > SCRIPT_BYTES_MAX {
        return Err(invalid(format!(
            "parameter commands holds {} bytes, and at most {SCRIPT_BYTES_MAX} are allowed",
            text.len()
        )));
    }
    if working_directory.chars().count() > WORKING_DIRECTORY_CHARS_MAX {
        return Err(invalid(format!(
            "parameter workingDirectory is longer than {WORKING_DIRECTORY_CHARS_MAX} characters"
        )));
    }
    let execution_timeout_seconds = match execution_timeout {
        None => EXECUTION_TIMEOUT_SECONDS_DEFAULT,
        Some(text) => seconds(&text)
            .ok_or_else(|| invalid(format!("parameter executionTimeout does not match the allowed pattern: {text}")))?,
    };
    Ok(Script { text, working_directory, execution_timeout_seconds, environment: vec![] })
}

/// AWS's pattern, which says 1 to 172800 without a leading zero:
/// `([1-9][0-9]{0,4})|(1[0-6][0-9]{4})|(17[0-1][0-9]{3})|(172[0-7][0-9]{2})|(172800)`.
fn seconds(text: &str) -> Option<u32> {
    let digits = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: u32 = digits.then(|| text.parse().ok())??;
    (1..=EXECUTION_TIMEOUT_SECONDS_MAX).contains(&seconds).then_some(seconds)
}

/// A parameter of the type String: one value, though the wire has a list.
fn one(name: &str, values: Option<Vec<String>>) -> Result<Option<String>, Refusal> {
    let mut values = values.unwrap_or_default();
    match values.len() {
        0 | 1 => Ok(values.pop()),
        many => Err(invalid(format!("parameter {name} is a String and takes one value, not {many}"))),
    }
}

fn invalid(text: String) -> Refusal {
    Refusal::InvalidParameters(text)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(name: &str, version: Option<&str>, parameters: &[(&str, &[&str])], expect: Expect) {
        let parameters = parameters
            .iter()
            .map(|(key, values)| ((*key).to_owned(), values.iter().map(|value| (*value).to_owned()).collect()));
        let text = match resolve(name, version, parameters.collect()) {
            Ok(script) => format!("{script:?}"),
            Err(refusal) => format!("{}: {refusal}", refusal.code()),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn commands_are_the_lines_of_the_file() {
        check(
            "AWS-RunShellScript",
            None,
            &[("commands", &["cd /tmp", "echo '$HOME' \"; rm -rf /\""])],
            expect![[
                r#"Script { text: "cd /tmp\necho '$HOME' \"; rm -rf /\"\n", working_directory: "", execution_timeout_seconds: 3600, environment: [] }"#
            ]],
        );
        check(
            "arn:aws:ssm:us-east-1::document/AWS-RunShellScript",
            Some("$LATEST"),
            &[("commands", &["true"]), ("workingDirectory", &["/srv"]), ("executionTimeout", &["172800"])],
            expect![[
                r#"Script { text: "true\n", working_directory: "/srv", execution_timeout_seconds: 172800, environment: [] }"#
            ]],
        );
    }

    #[test]
    fn what_the_document_does_not_say_is_refused() {
        check("AWS-RunPython", None, &[], expect!["InvalidDocument: document AWS-RunPython does not exist"]);
        check(
            "x/AWS-RunShellScript",
            None,
            &[],
            expect!["InvalidDocument: document x/AWS-RunShellScript does not exist"],
        );
        check(
            "AWS-RunShellScript",
            Some("2"),
            &[],
            expect!["InvalidDocumentVersion: document AWS-RunShellScript has no version 2"],
        );
        check("AWS-RunShellScript", None, &[], expect!["InvalidParameters: parameter commands is required"]);
        check(
            "AWS-RunShellScript",
            None,
            &[("commands", &[])],
            expect!["InvalidParameters: parameter commands is required"],
        );
        check(
            "AWS-RunShellScript",
            None,
            &[("commands", &["true"]), ("shell", &["zsh"])],
            expect!["InvalidParameters: parameter shell is not defined in document AWS-RunShellScript"],
        );
        check(
            "AWS-RunShellScript",
            None,
            &[("commands", &["true"]), ("workingDirectory", &["/a", "/b"])],
            expect!["InvalidParameters: parameter workingDirectory is a String and takes one value, not 2"],
        );
        for timeout in ["0", "01", "", "-1", "+1", "1.5", "172801", "99999999999", "1h"] {
            let parameters = [("commands", vec!["true".to_owned()]), ("executionTimeout", vec![timeout.to_owned()])];
            let refusal =
                resolve(RUN_SHELL_SCRIPT, None, parameters.map(|(key, value)| (key.to_owned(), value)).into());
            assert_eq!(refusal.map_err(|refusal| refusal.code()), Err("InvalidParameters"), "{timeout}");
        }
    }

    #[test]
    fn a_script_ends_where_a_document_does() {
        let fits = "x".repeat(SCRIPT_BYTES_MAX - 1);
        assert!(resolve(RUN_SHELL_SCRIPT, None, [("commands".to_owned(), vec![fits.clone()])].into()).is_ok());
        assert!(resolve(RUN_SHELL_SCRIPT, None, [("commands".to_owned(), vec![fits + "x"])].into()).is_err());
    }
}
