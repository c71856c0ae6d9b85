//! Texts in, texts out: documents with what is given for them, and the plans or refusals that come of it.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use crate::{Context, Document, Format, owned};

fn given(values: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    values.iter().map(|(name, values)| ((*name).to_owned(), list(values))).collect()
}

fn resolved(document: &Document, name: &str, values: &[(&str, &[&str])]) -> String {
    let cx = Context { name: name.to_owned(), ..Context::default() };
    match document.resolve(&given(values), &cx) {
        Ok(plan) => format!("{plan:?}"),
        Err(refusal) => format!("{}: {refusal}", refusal.code()),
    }
}

fn check_owned(name: &str, values: &[(&str, &[&str])], expect: Expect) {
    let owned = owned::find(name).expect("one of ours");
    expect.assert_eq(&resolved(&owned.document, owned.name, values));
}

#[test]
fn commands_are_the_lines_of_the_file() {
    check_owned(
        "AWS-RunShellScript",
        &[("commands", &["cd /tmp", "echo '$HOME' \"; rm -rf /\""])],
        expect![[
            r#"Plan { steps: [Step { name: "aws:runShellScript", platform: None, never: false, on_failure: Next, on_success: Next, finally: false, action: Shell(Script { text: "cd /tmp\necho '$HOME' \"; rm -rf /\"\n", working_directory: "", execution_timeout_seconds: 3600, environment: [] }) }] }"#
        ]],
    );
    check_owned(
        "arn:aws:ssm:us-east-1::document/AWS-RunShellScript",
        &[("commands", &["true"]), ("workingDirectory", &["/srv"]), ("executionTimeout", &["172800"])],
        expect![[
            r#"Plan { steps: [Step { name: "aws:runShellScript", platform: None, never: false, on_failure: Next, on_success: Next, finally: false, action: Shell(Script { text: "true\n", working_directory: "/srv", execution_timeout_seconds: 172800, environment: [] }) }] }"#
        ]],
    );
}

#[test]
fn what_the_document_does_not_say_is_refused() {
    for (values, expect) in [
        (&[][..], expect!["InvalidParameters: parameter commands is required"]),
        (&[("commands", &[][..])], expect!["InvalidParameters: parameter commands is required"]),
        (
            &[("commands", &["true"]), ("shell", &["zsh"])],
            expect!["InvalidParameters: parameter shell is not defined in document AWS-RunShellScript"],
        ),
        (
            &[("commands", &["true"]), ("workingDirectory", &["/a", "/b"])],
            expect!["InvalidParameters: parameter workingDirectory is a String and takes one value, not 2"],
        ),
    ] {
        check_owned("AWS-RunShellScript", values, expect);
    }
    for timeout in ["0", "01", "", "-1", "+1", "1.5", "172801", "99999999999", "1h"] {
        let document = &owned::find("AWS-RunShellScript").expect("ours").document;
        let refused = resolved(document, "x", &[("commands", &["true"]), ("executionTimeout", &[timeout])]);
        assert_eq!(
            refused,
            format!("InvalidParameters: parameter executionTimeout does not match the allowed pattern: {timeout}")
        );
    }
}

#[test]
fn a_script_ends_where_a_document_does() {
    let document = &owned::find("AWS-RunShellScript").expect("ours").document;
    let fits = "x".repeat(crate::CONTENT_BYTES_MAX - 1);
    assert!(document.resolve(&given(&[("commands", &[&fits])]), &Context::default()).is_ok());
    let refusal = document.resolve(&given(&[("commands", &[&(fits + "x")])]), &Context::default());
    expect!["parameter commands holds 65537 bytes, and at most 65536 are allowed"]
        .assert_eq(&refusal.expect_err("too long").to_string());
}

#[test]
fn ours_are_documents() {
    for owned in owned::all() {
        let again = Document::parse(owned.text, Format::Json).expect("a document");
        assert_eq!(again.parameters().len(), owned.document.parameters().len());
    }
}
