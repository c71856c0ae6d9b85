//! Texts in, texts out: documents with what is given for them, and the plans or refusals that come of it.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use crate::{Action, Context, Document, Format, NextStep, Step, Variable, owned};

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

/// What a document says for what is given; with `{{p}}` and its like in the text of its steps.
fn check(text: &str, values: &[(&str, &[&str])], expect: Expect) {
    expect.assert_eq(&outcome(text, values, &Context::default()));
}

fn outcome(text: &str, values: &[(&str, &[&str])], cx: &Context) -> String {
    let cx = Context { name: "Doc".to_owned(), ..cx.clone() };
    let format = if text.trim_start().starts_with('{') { Format::Json } else { Format::Yaml };
    match Document::parse(text, format) {
        Err(error) => format!("{}: {error}", error.code()),
        Ok(document) => match document.resolve(&given(values), &cx) {
            Err(refusal) => format!("{}: {refusal}", refusal.code()),
            Ok(plan) => plan.steps.iter().map(|step| format!("{}\n", told(step))).collect(),
        },
    }
}

/// A step in a few words: only what is not as usual.
fn told(step: &Step) -> String {
    let mut told = format!("{}: ", step.name);
    match &step.action {
        Action::Shell(script) | Action::PowerShell(script) => {
            told += &format!("{} {:?}", step.action.name(), script.text);
            if !script.working_directory.is_empty() {
                told += &format!(" in {}", script.working_directory);
            }
            if script.execution_timeout_seconds != 3_600 {
                told += &format!(" for {} s", script.execution_timeout_seconds);
            }
            for Variable { name, value } in &script.environment {
                told += &format!(" {name}={value:?}");
            }
        }
        Action::Job(job) => told += &format!("{job:?}"),
        Action::Download(download) => told += &format!("{:?} to {:?}", download.source, download.destination),
        Action::Document(document) => told += &format!("{document:?}"),
    }
    if let Some(platform) = step.platform {
        told += &format!(" on {platform:?}");
    }
    for (is, word) in [(step.never, " never"), (step.finally, " finally")] {
        told += if is { word } else { "" };
    }
    if (step.on_failure, step.on_success) != (NextStep::Next, NextStep::Next) {
        told += &format!(" then {:?}, {:?}", step.on_failure, step.on_success);
    }
    told
}

/// A document with the parameters and steps of a line each.
fn document(parameters: &str, steps: &str) -> String {
    format!(r#"{{"schemaVersion":"2.2","parameters":{{{parameters}}},"mainSteps":[{steps}]}}"#)
}

/// One step that runs the line.
fn line(parameters: &str, line: &str) -> String {
    let line = line.replace('"', "\\\"");
    document(
        parameters,
        &format!(r#"{{"action":"aws:runShellScript","name":"run","inputs":{{"runCommand":["{line}"]}}}}"#),
    )
}

const P: &str = r#""p":{"type":"String"}"#;

#[test]
fn a_document_in_yaml_is_the_same_as_in_json() {
    let yaml = r#"---
schemaVersion: '2.2'
description: "cross-platform"
parameters:
  greeting: {type: String, default: hello}
mainSteps:
- action: aws:runShellScript
  name: onLinux
  precondition:
    StringEquals: [platformType, Linux]
  inputs:
    timeoutSeconds: 60
    runCommand:
    - |
      if true; then
        echo {{ greeting }}
      fi
    - echo '{{greeting}}'
- action: aws:runPowerShellScript
  name: onWindows
  precondition: {StringEquals: [platformType, Windows]}
  inputs:
    runCommand: ["Write-Output {{ greeting }}"]
    onFailure: exit
"#;
    check(
        yaml,
        &[("greeting", &["it's"])],
        expect![[r#"
        onLinux: aws:runShellScript "if true; then\n  echo 'it'\\''s'\nfi\n\necho 'it'\\''s'\n" for 60 s on Linux
        onWindows: aws:runPowerShellScript "Write-Output 'it''s'\n" on Windows then Exit, Next
    "#]],
    );
    let json = as_json(yaml);
    assert_eq!(outcome(yaml, &[], &Context::default()), outcome(&json, &[], &Context::default()));
}

fn as_json(yaml: &str) -> String {
    crate::content::read(yaml, Format::Yaml).expect("YAML").to_string()
}

#[test]
fn yaml_is_bounded() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e]\n";
    check(bomb, &[], expect!["InvalidDocumentContent: the document stands for more than 65536 values"]);
    check(
        &"[".repeat(1_000),
        &[],
        expect!["InvalidDocumentContent: YAML not well-formed: recursion limit exceeded. at Line: 1, Column: 256"],
    );
    check(&"- ".repeat(1_000), &[], expect!["InvalidDocumentContent: objects and arrays may nest 32 levels deep"]);
    check("a: &a [*a]", &[], expect!["InvalidDocumentContent: an alias of what has not ended. at Line: 1, Column: 8"]);
    check("a: 1\na: 2", &[], expect!["InvalidDocumentContent: the same key a second time. at Line: 2, Column: 1"]);
    check(
        "a: [1",
        &[],
        expect![
            "InvalidDocumentContent: YAML not well-formed: while parsing a flow sequence, expected ',' or ']'. at Line: 2, Column: 1"
        ],
    );
    check("? [a]\n: 1", &[], expect!["InvalidDocumentContent: a key has to be a text. at Line: 1, Column: 5"]);
    check(
        "a: 1\n---\nb: 2",
        &[],
        expect!["InvalidDocumentContent: only one YAML document is allowed. at Line: 2, Column: 1"],
    );
    check("", &[], expect!["InvalidDocumentContent: the document is empty"]);
    check(
        &"#".repeat(65_537),
        &[],
        expect!["MaxDocumentSizeExceeded: the document holds 65537 bytes, and at most 65536 are allowed"],
    );
    check(
        &format!(r#"{{"a":{}{}}}"#, "[".repeat(40), "]".repeat(40)),
        &[],
        expect!["InvalidDocumentContent: objects and arrays may nest 32 levels deep"],
    );
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let run = r#"{"action":"aws:runShellScript","name":"run","inputs":{"runCommand":["true"]}}"#;
    let cases = [
        ("{".to_owned(), expect!["InvalidDocumentContent: JSON not well-formed. at Line: 1, Column: 2"]),
        ("[]".to_owned(), expect!["InvalidDocumentContent: a document has to be an object"]),
        ("{}".to_owned(), expect!["InvalidDocumentContent: schemaVersion is missing"]),
        (
            r#"{"schemaVersion":"0.3","mainSteps":[]}"#.to_owned(),
            expect![
                "InvalidDocumentSchemaVersion: schemaVersion 0.3 is not one of those of a Command document: 1.2, 2.0, 2.2"
            ],
        ),
        (
            r#"{"schemaVersion":"2.2","mainSteps":[]}"#.to_owned(),
            expect!["InvalidDocumentContent: mainSteps has to be a list of steps at /mainSteps"],
        ),
        (
            r#"{"schemaVersion":"2.2","runtimeConfig":{}}"#.to_owned(),
            expect!["InvalidDocumentContent: unknown field runtimeConfig of the document at /runtimeConfig"],
        ),
        (
            document("", &format!("{run},{run}")),
            expect!["InvalidDocumentContent: there are two steps named run at /mainSteps/1/name"],
        ),
        (
            document("", &run.replace("runShellScript", "configurePackage")),
            expect![
                "InvalidDocumentContent: action aws:configurePackage is not one of those that are run: aws:runShellScript, aws:runPowerShellScript, aws:downloadContent, aws:runDocument, dandori:runJob at /mainSteps/0/action"
            ],
        ),
        (
            document("", &run.replace(r#""run""#, r#""a b c""#)),
            expect![[
                r#"InvalidDocumentContent: the step's name "a b c" does not match ^[a-zA-Z0-9_-]{3,128}$ at /mainSteps/0/name"#
            ]],
        ),
        (
            document("", &run.replace("runCommand", "commands")),
            expect!["InvalidDocumentContent: unknown input commands at /mainSteps/0/inputs/commands"],
        ),
        (
            document("", &run.replace(r#"{"runCommand":["true"]}"#, "{}")),
            expect!["InvalidDocumentContent: input runCommand is missing at /mainSteps/0/inputs"],
        ),
        (
            document("", &run.replace(r#"["true"]"#, r#"{"a":1}"#)),
            expect![
                "InvalidDocumentContent: runCommand has to be a text or a list of texts, or a parameter of the type String or StringList at /mainSteps/0/inputs/runCommand"
            ],
        ),
        (
            document("", &run.replace(r#""inputs""#, r#""isCritical":true,"inputs""#)),
            expect!["InvalidDocumentContent: unknown field isCritical of a step at /mainSteps/0/isCritical"],
        ),
        (
            document("", &run.replace(r#"["true"]"#, r#"["true"],"onFailure":"retry""#)),
            expect![
                "InvalidDocumentContent: onFailure has to be exit or successAndExit at /mainSteps/0/inputs/onFailure"
            ],
        ),
        (
            document(
                "",
                &format!(
                    "{},{}",
                    run.replace(r#"["true"]"#, r#"["true"],"finallyStep":true"#),
                    run.replace(r#""run""#, r#""run2""#)
                ),
            ),
            expect!["InvalidDocumentContent: only the last step may be the finallyStep at /mainSteps/0/inputs"],
        ),
        (
            line("", "echo {{ q }}"),
            expect![[r#"InvalidDocumentContent: Parameter "q" is not declared at /mainSteps/0/inputs/runCommand/0"#]],
        ),
        (
            line(r#""p":{"type":"Integer"}"#, "{{ p }}"),
            expect![
                "InvalidDocumentContent: runCommand has to be a text or a list of texts, or a parameter of the type String or StringList at /mainSteps/0/inputs/runCommand"
            ],
        ),
        (
            line(r#""p":{"type":"Number"}"#, "x"),
            expect![
                "InvalidDocumentContent: the type of parameter p has to be one of String, StringList, Boolean, Integer, MapList, StringMap at /parameters/p/type"
            ],
        ),
        (
            line(r#""p":{"type":"String","default":3}"#, "x"),
            expect!["InvalidDocumentContent: the default of parameter p is not a String at /parameters/p/default"],
        ),
        (
            line(r#""p":{"type":"String","allowedPattern":"("}"#, "x"),
            expect![
                "InvalidDocumentContent: the pattern of parameter p is not a regular expression: found open group without closing ')' at /parameters/p/allowedPattern"
            ],
        ),
        (
            line(r#""p":{"type":"String","allowedPattern":"a)(b"}"#, "x"),
            expect![
                "InvalidDocumentContent: the pattern of parameter p is not a regular expression: found closing ')' without matching '(' at /parameters/p/allowedPattern"
            ],
        ),
        (
            line(r#""p":{"type":"String","allowedPattern":"(a{1000}){1000}"}"#, "x"),
            expect![
                "InvalidDocumentContent: the pattern of parameter p is not a regular expression: compiled regex exceeded size limit at /parameters/p/allowedPattern"
            ],
        ),
        (
            line(r#""p":{"type":"String","allowedValues":[1]}"#, "x"),
            expect![
                "InvalidDocumentContent: the allowed value 1 of parameter p is not a String at /parameters/p/allowedValues/0"
            ],
        ),
        (
            line(r#""p":{"type":"String","minChars":3,"maxChars":2}"#, "x"),
            expect!["InvalidDocumentContent: minChars is more than maxChars at /parameters/p/minChars"],
        ),
        (
            line(r#""p":{"type":"String","required":true}"#, "x"),
            expect!["InvalidDocumentContent: unknown field required of parameter p at /parameters/p/required"],
        ),
        (
            line(r#""a b":{"type":"String"}"#, "x"),
            expect![[
                r#"InvalidDocumentContent: parameter name "a b" may have letters, digits, `_` and `-` at /parameters/a b"#
            ]],
        ),
        (
            document("", &run.replace(r#""inputs""#, r#""precondition":{"StringEquals":["a","b"]},"inputs""#)),
            expect![
                "InvalidDocumentContent: one of the two texts has to be platformType or to have a parameter at /mainSteps/0/precondition"
            ],
        ),
        (
            document("", r#"{"action":"aws:downloadContent","name":"get","inputs":{"sourceType":"S3"}}"#),
            expect!["InvalidDocumentContent: input sourceInfo is missing at /mainSteps/0/inputs"],
        ),
        (
            document("", r#"{"action":"dandori:runJob","name":"job","inputs":{}}"#),
            expect![
                "InvalidDocumentContent: one of the inputs script, program and commandLine is needed at /mainSteps/0/inputs"
            ],
        ),
        (
            document("", run).replace("2.2", "2.0").replace("aws:runShellScript", "dandori:runJob"),
            expect!["InvalidDocumentContent: action dandori:runJob takes schemaVersion 2.2 at /mainSteps/0/action"],
        ),
    ];
    for (text, expect) in cases {
        check(&text, &[], expect);
    }
}

#[test]
fn each_value_fits_what_is_declared() {
    let cases: Vec<(&str, &[&str], Expect)> = vec![
        (
            r#""type":"String","allowedValues":["a","b"]"#,
            &["c"],
            expect!["InvalidParameters: parameter p is not one of the allowed values a, b: c"],
        ),
        (
            r#""type":"String","allowedPattern":"[a-z]+""#,
            &["abc\n"],
            expect![[r#"
            InvalidParameters: parameter p does not match the allowed pattern: abc
        "#]],
        ),
        (
            r#""type":"String","allowedPattern":"a|b""#,
            &["ab"],
            expect!["InvalidParameters: parameter p does not match the allowed pattern: ab"],
        ),
        (
            r#""type":"String","allowedPattern":"^[a-z]+$""#,
            &["abc"],
            expect![[r#"
            run: aws:runShellScript "echo abc\n"
        "#]],
        ),
        (
            r#""type":"String","minChars":2"#,
            &["あ"],
            expect!["InvalidParameters: parameter p is shorter than 2 characters"],
        ),
        (
            r#""type":"String","maxChars":2"#,
            &["あいう"],
            expect!["InvalidParameters: parameter p is longer than 2 characters"],
        ),
        (r#""type":"String""#, &["a\0b"], expect!["InvalidParameters: parameter p has a NUL character"]),
        (
            r#""type":"StringList","maxItems":1"#,
            &["a", "b"],
            expect!["InvalidParameters: parameter p has 2 items, more than 1"],
        ),
        (
            r#""type":"StringList","minItems":3"#,
            &["a", "b"],
            expect!["InvalidParameters: parameter p has 2 items, fewer than 3"],
        ),
        (
            r#""type":"StringList","allowedValues":["a"]"#,
            &["a", "b"],
            expect!["InvalidParameters: parameter p is not one of the allowed values a: b"],
        ),
        (r#""type":"Boolean""#, &["yes"], expect!["InvalidParameters: parameter p is not of the type Boolean: yes"]),
        (
            r#""type":"Boolean""#,
            &["true"],
            expect![[r#"
            run: aws:runShellScript "echo true\n"
        "#]],
        ),
        (r#""type":"Integer""#, &["3.5"], expect!["InvalidParameters: parameter p is not of the type Integer: 3.5"]),
        (
            r#""type":"Integer","allowedValues":[3]"#,
            &["3"],
            expect![[r#"
            run: aws:runShellScript "echo 3\n"
        "#]],
        ),
        (
            r#""type":"StringMap""#,
            &["[1]"],
            expect!["InvalidParameters: parameter p is not of the type StringMap: [1]"],
        ),
        (
            r#""type":"StringMap""#,
            &["{\"a\":\"b\\u0000\"}"],
            expect!["InvalidParameters: parameter p has a NUL character"],
        ),
        (
            r#""type":"StringMap""#,
            &["{\"a\":\"b\"}"],
            expect![[r#"
            run: aws:runShellScript "echo '{\"a\":\"b\"}'\n"
        "#]],
        ),
        (
            r#""type":"MapList""#,
            &["{\"a\":\"b\"}", "{}"],
            expect![[r#"
            run: aws:runShellScript "echo '[{\"a\":\"b\"},{}]'\n"
        "#]],
        ),
        (
            r#""type":"MapList""#,
            &["[{\"a\":\"b\"}]"],
            expect![[r#"
            run: aws:runShellScript "echo '[{\"a\":\"b\"}]'\n"
        "#]],
        ),
        (
            r#""type":"MapList","minItems":2"#,
            &["[{\"a\":\"b\"}]"],
            expect!["InvalidParameters: parameter p has 1 items, fewer than 2"],
        ),
        (
            r#""type":"String","default":"x""#,
            &[],
            expect![[r#"
            run: aws:runShellScript "echo x\n"
        "#]],
        ),
        (
            r#""type":"String","default":"","allowedPattern":"x""#,
            &[],
            expect![[r#"
            run: aws:runShellScript "echo ''\n"
        "#]],
        ),
    ];
    for (declared, values, expect) in cases {
        check(&line(&format!(r#""p":{{{declared}}}"#), "echo {{p}}"), &[("p", values)], expect);
    }
    check(&line("", "true"), &[("p", &["x"])], expect!["InvalidParameters: document Doc does not support parameters."]);
}

#[test]
fn a_reference_that_is_all_of_a_line_is_script_and_any_other_is_data() {
    let both = r#""p":{"type":"String"},"list":{"type":"StringList"}"#;
    let steps = r#"{"action":"aws:runShellScript","name":"run","inputs":{"runCommand":["{{ list }}","{{p}}","echo {{p}} {{list}}","docker ps --format '{{.Names}}' {{{p}}} {{ no such }}"]}}"#;
    let values: &[(&str, &[&str])] = &[("p", &["a; b"]), ("list", &["cd /", "ls | {{p}} {{global:DATE}}"])];
    check(
        &document(both, steps),
        values,
        expect![[r#"
        run: aws:runShellScript "cd /\nls | {{p}} {{global:DATE}}\na; b\necho 'a; b' '[\"cd /\",\"ls | {{p}} {{global:DATE}}\"]'\ndocker ps --format '{{.Names}}' {'a; b'} {{ no such }}\n"
    "#]],
    );
    check(
        &line(P, "cat <<EOF"),
        &[("p", &["x"])],
        expect![[r#"
        run: aws:runShellScript "cat <<EOF\n"
    "#]],
    );
    check(
        &line(P, "# {{p}}"),
        &[("p", &["x\ntouch owned"])],
        expect![
            "InvalidParameters: parameter p cannot be put in a comment of step run as data: its value has characters that would mean something there"
        ],
    );
}

#[test]
fn a_variable_is_never_text() {
    let text = line(
        r#""p":{"type":"String","interpolationType":"ENV_VAR"},"q":{"type":"StringList","interpolationType":"ENV_VAR","default":[]}"#,
        "echo {{p}} \"{{p}}\" '{{p}}' $SSM_p",
    );
    check(
        &text,
        &[("p", &["$(touch owned)"])],
        expect![[r#"
        run: aws:runShellScript "echo \"${SSM_p}\" \"${SSM_p}\" ''\"${SSM_p}\"'' $SSM_p\n" SSM_p="$(touch owned)" SSM_q="[]"
    "#]],
    );
    check(
        &line(r#""p":{"type":"String","interpolationType":"ENV_VAR"}"#, "{{p}}"),
        &[("p", &["x"])],
        expect![[r#"
        run: aws:runShellScript "\"${SSM_p}\"\n" SSM_p="x"
    "#]],
    );
    check(
        &line(r#""p":{"type":"String","interpolationType":"ENV_VAR"}"#, "eval {{p}}"),
        &[("p", &["x"])],
        expect![
            "InvalidParameters: parameter SSM_p cannot be put to a command that runs its arguments of step run as data: its value has characters that would mean something there"
        ],
    );
}

#[test]
fn the_parameter_store_is_looked_up_where_it_is_named() {
    let text = line(
        r#""p":{"type":"StringList","default":["{{ ssm:/lines }}"]},"q":{"type":"Integer","default":"{{ssm:number}}"}"#,
        "echo {{ ssm:/a/b:3 }} {{p}} {{q}}",
    );
    let document = Document::parse(&text, Format::Json).expect("a document");
    let values = given(&[("p", &["echo {{ssm:/word}}", "{{ssm:/lines}}"])]);
    let mut cx = Context { name: "Doc".to_owned(), ..Context::default() };
    expect![[r#"["/a/b:3", "/lines", "/word", "number"]"#]]
        .assert_eq(&format!("{:?}", document.ssm_references(&values)));
    expect![[r#"Ok(Wants { ssm: {"/a/b:3", "/lines", "number"}, documents: {} })"#]]
        .assert_eq(&format!("{:?}", document.wants(&given(&[]), &cx)));
    for (name, values) in
        [("/a/b:3", &["it's {{p}}"][..]), ("/lines", &["ls", "pwd"]), ("/word", &["x; y"]), ("number", &["7"])]
    {
        cx.ssm.insert(name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect());
    }
    assert!(document.wants(&values, &cx).expect("nothing").is_empty());
    expect![[r#"
        run: aws:runShellScript "echo 'it'\\''s {{p}}' '[\"ls\",\"pwd\"]' 7\n"
    "#]]
    .assert_eq(&outcome(&text, &[], &cx));
    let commands = owned::find("AWS-RunShellScript").expect("ours").text;
    expect![[r#"
        aws:runShellScript: aws:runShellScript "echo 'x; y'\nls\npwd\n"
    "#]]
    .assert_eq(&outcome(commands, &[("commands", &["echo {{ssm:/word}}", "{{ssm:/lines}}"])], &cx));
    expect!["InvalidParameters: the Parameter Store has no parameter /none"].assert_eq(&outcome(
        commands,
        &[("commands", &["echo {{ssm:/none}}"])],
        &cx,
    ));
}

#[test]
fn the_time_comes_in() {
    let cx = Context { now: base::Timestamp(1_551_225_271_984), region: "eu-west-1".to_owned(), ..Context::default() };
    expect![[r#"
        run: aws:runShellScript "echo 2019-02-26 2019-02-26_23.54.31 eu-west-1 {{global:X}}\n"
    "#]]
    .assert_eq(&outcome(
        &line("", "echo {{ global:DATE }} {{global:DATE_TIME}} {{global:REGION}} {{global:X}}"),
        &[],
        &cx,
    ));
}

#[test]
fn preconditions_are_decided_as_far_as_they_can_be() {
    let step = |left: &str, right: &str| {
        document(
            P,
            &format!(
                r#"{{"action":"aws:runShellScript","name":"run","precondition":{{"StringEquals":["{left}","{right}"]}},"inputs":{{"runCommand":["true"]}}}}"#
            ),
        )
    };
    check(
        &step("platformType", "Windows"),
        &[("p", &["x"])],
        expect![[r#"
        run: aws:runShellScript "true\n" on Windows
    "#]],
    );
    check(
        &step("platformType", "{{p}}"),
        &[("p", &["MacOS"])],
        expect![[r#"
        run: aws:runShellScript "true\n" on MacOS
    "#]],
    );
    check(
        &step("platformType", "BeOS"),
        &[("p", &["x"])],
        expect![[r#"
        run: aws:runShellScript "true\n" never
    "#]],
    );
    check(
        &step("{{p}}", "x"),
        &[("p", &["x"])],
        expect![[r#"
        run: aws:runShellScript "true\n"
    "#]],
    );
    check(
        &step("x", "{{p}}"),
        &[("p", &["y"])],
        expect![[r#"
        run: aws:runShellScript "true\n" never
    "#]],
    );
    let text = step("platformType", "Windows");
    assert_eq!(Document::parse(&text, Format::Json).expect("a document").platform_types(), ["Windows"]);
    assert_eq!(owned::find("AWS-RunShellScript").expect("ours").document.platform_types(), ["Linux", "MacOS"]);
}

#[test]
fn content_comes_from_s3_the_host_or_a_document() {
    let get = |kind: &str, info: &str| {
        document(
            "",
            &format!(
                r#"{{"action":"aws:downloadContent","name":"get","inputs":{{"sourceType":"{kind}","sourceInfo":{info},"destinationPath":"d"}}}}"#
            ),
        )
    };
    for (kind, info, expect) in [
        (
            "S3",
            r#"{"path":"https://s3.amazonaws.com/bucket/a/b%20c.sh"}"#,
            expect![[r#"
            get: S3 { bucket: "bucket", key: "a/b c.sh" } to "d"
        "#]],
        ),
        (
            "S3",
            r#"{"path":"https://s3.eu-west-1.amazonaws.com/bucket/a/"}"#,
            expect![[r#"
            get: S3 { bucket: "bucket", key: "a/" } to "d"
        "#]],
        ),
        (
            "S3",
            r#"{"path":"https://my.bucket.s3.eu-west-1.amazonaws.com/a.sh"}"#,
            expect![[r#"
            get: S3 { bucket: "my.bucket", key: "a.sh" } to "d"
        "#]],
        ),
        (
            "S3",
            r#""{\"path\":\"s3://bucket/a.sh\"}""#,
            expect![[r#"
            get: S3 { bucket: "bucket", key: "a.sh" } to "d"
        "#]],
        ),
        (
            "S3",
            r#"{"path":"https://example.com/bucket/a"}"#,
            expect!["InvalidParameters: sourceInfo has no address of an object in S3: https://example.com/bucket/a"],
        ),
        (
            "S3",
            r#"{"path":"s3://bucket"}"#,
            expect!["InvalidParameters: sourceInfo has no address of an object in S3: s3://bucket"],
        ),
        ("S3", r#"{}"#, expect!["InvalidParameters: sourceInfo of step get has no path"]),
        (
            "LocalPath",
            r#"{"path":"/srv/a"}"#,
            expect![[r#"
            get: Local { path: "/srv/a" } to "d"
        "#]],
        ),
        (
            "GitHub",
            r#"{"owner":"o"}"#,
            expect!["InvalidParameters: sourceType GitHub is not supported: use S3, SSMDocument or LocalPath"],
        ),
        ("Floppy", r#"{}"#, expect!["InvalidParameters: sourceType Floppy is not one of S3, SSMDocument, LocalPath"]),
        ("SSMDocument", r#"{"name":"Other:3"}"#, expect!["InvalidDocument: document Other does not exist"]),
    ] {
        check(&get(kind, info), &[], expect);
    }
    let mut cx = Context::default();
    cx.documents.insert(("Other".to_owned(), "3".to_owned()), ("{}".to_owned(), Format::Json));
    expect![[r#"
        get: Document { file: "Other.json", text: "{}" } to "d"
    "#]]
    .assert_eq(&outcome(&get("SSMDocument", r#"{"name":"Other:3"}"#), &[], &cx));
}

fn run_document(path: &str, parameters: &str, more: &str) -> String {
    let inputs =
        format!(r#""documentType":"SSMDocument","documentPath":"{path}","documentParameters":{parameters}{more}"#);
    document(P, &format!(r#"{{"action":"aws:runDocument","name":"outer","inputs":{{{inputs}}}}}"#))
}

fn stored(texts: &[(&str, &str)]) -> Context {
    let one =
        |(name, text): &(&str, &str)| (((*name).to_owned(), "$DEFAULT".to_owned()), ((*text).to_owned(), Format::Json));
    Context { documents: texts.iter().map(one).collect(), ..Context::default() }
}

#[test]
fn a_document_runs_documents_in_its_place() {
    let child = line(r#""q":{"type":"String"}"#, "echo {{q}}");
    let values: &[(&str, &[&str])] = &[("p", &["it's \" {{ssm:/secret}}"])];
    let outer = run_document("Child", r#"{"q":"{{p}}"}"#, "");
    let document = Document::parse(&outer, Format::Json).expect("a document");
    let cx = Context { ssm: [("/secret".to_owned(), vec!["s".to_owned()])].into(), ..Context::default() };
    expect![[r#"Ok([("Child", "$DEFAULT")])"#]].assert_eq(&format!("{:?}", document.documents(&given(values), &cx)));
    let cx = Context { ssm: cx.ssm, ..stored(&[("Child", &child)]) };
    assert!(document.wants(&given(values), &cx).expect("nothing").is_empty());
    expect![[r#"
        outer.run: aws:runShellScript "echo 'it'\\''s \" s'\n"
    "#]]
    .assert_eq(&outcome(&outer, values, &cx));
    // The same, with the parameters as a text of JSON: no value ends the text in which it stands.
    let outer = run_document("Child", r#""{\"q\":\"x {{p}}\"}""#, "");
    expect![[r#"
        outer.run: aws:runShellScript "echo 'x it'\\''s \" s'\n"
    "#]]
    .assert_eq(&outcome(&outer, values, &cx));
    let outer = run_document("Child", r#""{\"q\":{{p}}}""#, "");
    expect![[r#"
        outer.run: aws:runShellScript "echo 'it'\\''s \" s'\n"
    "#]]
    .assert_eq(&outcome(&outer, values, &cx));
    let outer = run_document("Child", "{}", "");
    expect!["InvalidParameters: parameter q is required"].assert_eq(&outcome(&outer, values, &cx));
    let outer = run_document("None", "{}", "");
    expect!["InvalidDocument: document None does not exist"].assert_eq(&outcome(&outer, values, &cx));
}

#[test]
fn documents_in_documents_end() {
    let values: &[(&str, &[&str])] = &[("p", &["x"])];
    let itself = run_document("Doc", r#"{"p":"x"}"#, "");
    expect!["InvalidParameters: document Doc runs itself"].assert_eq(&outcome(
        &itself,
        values,
        &stored(&[("Doc", &itself)]),
    ));
    let to = |name: &str| run_document(name, r#"{"p":"x"}"#, "");
    let cx = stored(&[("A", &to("B")), ("B", &to("C")), ("C", &to("D")), ("D", &line(P, "true"))]);
    expect!["InvalidParameters: documents may run documents 3 levels deep"].assert_eq(&outcome(&to("A"), values, &cx));
    expect![[r#"
        outer.outer.outer.run: aws:runShellScript "true\n"
    "#]]
    .assert_eq(&outcome(&to("B"), values, &cx));
    expect!["InvalidDocumentContent: document A: schemaVersion is missing"].assert_eq(&outcome(
        &to("A"),
        values,
        &stored(&[("A", "{}")]),
    ));
}

#[test]
fn what_follows_a_step_goes_with_it() {
    let two = document(
        "",
        r#"{"action":"aws:runShellScript","name":"one","inputs":{"runCommand":["true"],"onFailure":"successAndExit"}},
        {"action":"aws:runShellScript","name":"two","inputs":{"runCommand":["true"],"onSuccess":"exit","finallyStep":"true"}}"#,
    );
    check(
        &two,
        &[],
        expect![[r#"
        one: aws:runShellScript "true\n" then SuccessAndExit, Next
        two: aws:runShellScript "true\n" finally then Next, Exit
    "#]],
    );
    let values: &[(&str, &[&str])] = &[("p", &["x"])];
    let one = line("", "true");
    let plain = two.replace(r#","onFailure":"successAndExit""#, "").replace(r#""onSuccess":"exit","#, "");
    let finally = run_document("Plain", "{}", r#","finallyStep":true"#);
    expect![[r#"
        outer.one: aws:runShellScript "true\n" finally
        outer.two: aws:runShellScript "true\n" finally
    "#]]
    .assert_eq(&outcome(&finally, values, &stored(&[("Plain", &plain)])));
    let end = r#",{"action":"aws:runShellScript","name":"end","inputs":{"runCommand":["true"]}}]}"#;
    let before = run_document("Plain", "{}", "").replace("]}", end);
    expect![[r#"
        outer.one: aws:runShellScript "true\n"
        outer.two: aws:runShellScript "true\n"
        end: aws:runShellScript "true\n"
    "#]]
    .assert_eq(&outcome(&before, values, &stored(&[("Plain", &plain)])));
    expect!["InvalidParameters: step outer runs document Plain, which may exit: that is for the last step, where it is no finallyStep"].assert_eq(&outcome(&before, values, &stored(&[("Plain", &two)])));
    expect![[r#"
        outer.run: aws:runShellScript "true\n" then Exit, Next
    "#]]
    .assert_eq(&outcome(&run_document("One", "{}", r#","onFailure":"exit""#), values, &stored(&[("One", &one)])));
    expect![
        "InvalidParameters: step outer runs document Two, of several steps: onFailure and onSuccess stand in those"
    ]
    .assert_eq(&outcome(&run_document("Two", "{}", r#","onFailure":"exit""#), values, &stored(&[("Two", &two)])));
    expect![[r#"
        outer.one: aws:runShellScript "true\n" then SuccessAndExit, Next
        outer.two: aws:runShellScript "true\n" finally then Next, Exit
    "#]]
    .assert_eq(&outcome(&run_document("Two", "{}", ""), values, &stored(&[("Two", &two)])));
}

#[test]
fn a_document_on_the_host_is_read_there() {
    let text = document(
        P,
        r#"{"action":"aws:runDocument","name":"run","inputs":{"documentType":"LocalPath","documentPath":"d/{{p}}.yaml","documentParameters":{"a":["{{p}}"]}}}"#,
    );
    check(
        &text,
        &[("p", &["x\""])],
        expect![[r#"
        run: LocalDocument { path: "d/x\".yaml", parameters: "{\"a\":[\"x\\\"\"]}", depth: 1 }
    "#]],
    );
}

#[test]
fn a_job_has_what_schedulers_have() {
    let job =
        |inputs: &str| document(P, &format!(r#"{{"action":"dandori:runJob","name":"job","inputs":{{{inputs}}}}}"#));
    let values: &[(&str, &[&str])] = &[("p", &["a b;c"])];
    check(
        &job(r#""program":"/bin/ls","arguments":["-l","{{p}}"]"#),
        values,
        expect![[r#"
        job: Job { program: File("/bin/ls"), arguments: ["-l", "a b;c"], user: None, working_directory: "", environment: [], secrets: [], stdin: None, execution_timeout_seconds: 3600, limits: Limits { cpu_seconds: None, cpu_percent: None, memory_mib: None, processes: None }, judgement: Judgement { normal: Ranges([(0, 0)]), warning: Ranges([]), rules: [] }, retry: None, lost_after_seconds: None }
    "#]],
    );
    check(
        &job(
            r#""script":["set -e","echo {{p}}"],"user":"batch","workingDirectory":"/srv","environment":{"A":"{{p}}","N":3},
            "secrets":{"PASS":"/db/pass"},"stdin":"in","timeoutSeconds":"90","normal":"0, 3-7,-5--1","warning":"8-4294967295","abnormalIfFileMissing":["/x"],
            "abnormalIfFileNotModified":"/y","warningIfOutput":"WARN","abnormalIfOutput":["ERR.*"],"cpuSeconds":1,"cpuPercent":"250","memoryMiB":64,
            "processes":9,"retryCodes":"3-7","retryTimes":2,"retryIntervalSeconds":"60","lostAfterSeconds":300"#,
        ),
        values,
        expect![[r#"
            job: Job { program: Script("set -e\necho 'a b;c'\n"), arguments: [], user: Some("batch"), working_directory: "/srv", environment: [Variable { name: "A", value: "a b;c" }, Variable { name: "N", value: "3" }], secrets: [Secret { name: "PASS", parameter: "/db/pass" }], stdin: Some("in"), execution_timeout_seconds: 90, limits: Limits { cpu_seconds: Some(1), cpu_percent: Some(250), memory_mib: Some(64), processes: Some(9) }, judgement: Judgement { normal: Ranges([(0, 0), (3, 7), (-5, -1)]), warning: Ranges([(8, 4294967295)]), rules: [FileMissing { path: "/x", verdict: Abnormal }, FileNotModified { path: "/y", verdict: Abnormal }, Output { stream: Stdout, pattern: "WARN", verdict: Warning }, Output { stream: Stderr, pattern: "WARN", verdict: Warning }, Output { stream: Stdout, pattern: "ERR.*", verdict: Abnormal }, Output { stream: Stderr, pattern: "ERR.*", verdict: Abnormal }] }, retry: Some(Retry { codes: Ranges([(3, 7)]), times: 2, interval_seconds: 60 }), lost_after_seconds: Some(300) }
        "#]],
    );
    for (inputs, expect) in [
        (
            r#""commandLine":"python3 'a b.py' x\\ y \"$HOME {{p}}\" '' # no comment""#,
            expect![[r##"
            job: Job { program: File("python3"), arguments: ["a b.py", "x y", "$HOME a b;c", "", "#", "no", "comment"], user: None, working_directory: "", environment: [], secrets: [], stdin: None, execution_timeout_seconds: 3600, limits: Limits { cpu_seconds: None, cpu_percent: None, memory_mib: None, processes: None }, judgement: Judgement { normal: Ranges([(0, 0)]), warning: Ranges([]), rules: [] }, retry: None, lost_after_seconds: None }
        "##]],
        ),
        (r#""commandLine":"a 'b""#, expect!["InvalidParameters: commandLine of step job ends within quotes"]),
        (r#""commandLine":" ""#, expect!["InvalidParameters: commandLine of step job names no program"]),
        (
            r#""program":"a","script":"b""#,
            expect!["InvalidParameters: step job takes one of script, program and commandLine"],
        ),
        (
            r#""program":"a","normal":"7-3""#,
            expect![
                "InvalidParameters: normal of step job has to be exit codes and ranges of them, such as 0,3-7: 7-3"
            ],
        ),
        (
            r#""program":"a","normal":"4294967296""#,
            expect![
                "InvalidParameters: normal of step job has to be exit codes and ranges of them, such as 0,3-7: 4294967296"
            ],
        ),
        (
            r#""program":"a","retryTimes":"13","retryCodes":"1""#,
            expect!["InvalidParameters: input retryTimes of step job has to be a number from 1 to 12"],
        ),
        (r#""program":"a","retryTimes":"1""#, expect!["InvalidParameters: retryTimes of step job needs retryCodes"]),
        (
            r#""program":"a","timeoutSeconds":"0""#,
            expect!["InvalidParameters: input timeoutSeconds of step job has to be a number from 1 to 172800"],
        ),
        (
            r#""program":"a","environment":{"A B":"x"}"#,
            expect![[r#"InvalidParameters: "A B" is no name of an environment variable"#]],
        ),
        (
            r#""program":"a","secrets":{"A":""}"#,
            expect!["InvalidParameters: the secret A has to name a parameter of the Parameter Store"],
        ),
        (
            r#""program":"a","abnormalIfOutput":"(""#,
            expect![
                "InvalidParameters: abnormalIfOutput of step job is not a regular expression: found open group without closing ')'"
            ],
        ),
        (
            r#""program":"a","alwaysNormal":"maybe""#,
            expect!["InvalidParameters: input alwaysNormal of step job has to be true or false"],
        ),
        (
            r#""program":"a","alwaysNormal":true"#,
            expect![[r#"
            job: Job { program: File("a"), arguments: [], user: None, working_directory: "", environment: [], secrets: [], stdin: None, execution_timeout_seconds: 3600, limits: Limits { cpu_seconds: None, cpu_percent: None, memory_mib: None, processes: None }, judgement: Judgement { normal: Ranges([(-2147483648, 4294967295)]), warning: Ranges([]), rules: [] }, retry: None, lost_after_seconds: None }
        "#]],
        ),
    ] {
        check(&job(inputs), values, expect);
    }
    let two = r#"{"action":"dandori:runJob","name":"one","inputs":{"program":"a","retryCodes":"1"}},{"action":"dandori:runJob","name":"two","inputs":{"program":"a"}}"#;
    check(
        &document("", two),
        &[],
        expect!["InvalidParameters: a job is tried again only where it is the document's one step"],
    );
}

#[test]
fn our_other_documents_do_as_theirs() {
    let text = |name: &str| owned::find(name).expect("ours").text;
    check(
        text("AWS-RunPowerShellScript"),
        &[("commands", &["Get-Date"])],
        expect![[r#"
        aws:runPowerShellScript: aws:runPowerShellScript "Get-Date\n"
    "#]],
    );
    let remote: &[(&str, &[&str])] = &[
        ("sourceType", &["S3"]),
        ("sourceInfo", &[r#"{"path":"https://s3.amazonaws.com/b/hello.sh"}"#]),
        ("commandLine", &["hello.sh a 'b c' $(touch owned)"]),
    ];
    check(
        text("AWS-RunRemoteScript"),
        remote,
        expect![[r#"
            downloadContent: S3 { bucket: "b", key: "hello.sh" } to ""
            runScript: Job { program: File("./hello.sh"), arguments: ["a", "b c", "$(touch", "owned)"], user: None, working_directory: "", environment: [], secrets: [], stdin: None, execution_timeout_seconds: 3600, limits: Limits { cpu_seconds: None, cpu_percent: None, memory_mib: None, processes: None }, judgement: Judgement { normal: Ranges([(0, 0)]), warning: Ranges([]), rules: [] }, retry: None, lost_after_seconds: None }
        "#]],
    );
    check(
        text("AWS-RunRemoteScript"),
        &[("sourceType", &["GitHub"]), ("sourceInfo", &["{}"]), ("commandLine", &["x"])],
        expect!["InvalidParameters: sourceType GitHub is not supported: use S3, SSMDocument or LocalPath"],
    );
    let child = line(P, "echo {{p}}");
    let values: &[(&str, &[&str])] = &[("documentName", &["Child"]), ("documentParameters", &[r#"{"p":["a b"]}"#])];
    expect![[r#"
        runDocument.run: aws:runShellScript "echo 'a b'\n"
    "#]]
    .assert_eq(&outcome(text("AWS-RunDocument"), values, &stored(&[("Child", &child)])));
    let job: &[(&str, &[&str])] = &[
        ("script", &["echo $PASS", "exit 4"]),
        ("warning", &["4"]),
        ("secrets", &[r#"{"PASS":"/p"}"#]),
        ("retryCodes", &["5-9"]),
    ];
    check(
        text("Dandori-RunJob"),
        job,
        expect![[r#"
        runJob: Job { program: Script("echo $PASS\nexit 4\n"), arguments: [], user: None, working_directory: "", environment: [], secrets: [Secret { name: "PASS", parameter: "/p" }], stdin: None, execution_timeout_seconds: 3600, limits: Limits { cpu_seconds: None, cpu_percent: None, memory_mib: None, processes: None }, judgement: Judgement { normal: Ranges([(0, 0)]), warning: Ranges([(4, 4)]), rules: [] }, retry: Some(Retry { codes: Ranges([(5, 9)]), times: 1, interval_seconds: 0 }), lost_after_seconds: None }
    "#]],
    );
    check(
        text("Dandori-RunJob"),
        &[],
        expect!["InvalidParameters: step runJob takes one of script, program and commandLine"],
    );
    let parameters = owned::find("AWS-RunShellScript").expect("ours").document.parameters();
    let shown: Vec<_> = parameters.iter().map(|one| (one.name.as_str(), one.kind.name(), one.default_text())).collect();
    expect![[r#"[("commands", "StringList", None), ("workingDirectory", "String", Some("")), ("executionTimeout", "String", Some("3600"))]"#]].assert_eq(&format!("{shown:?}"));
}

#[test]
fn a_few_references_that_stand_for_much_are_refused() {
    let much = "x'".repeat(32_000);
    let values: &[(&str, &[&str])] = &[("p", &[&much])];
    check(
        &line(P, &"{{p}}".repeat(1_000)),
        values,
        expect!["InvalidParameters: the references of the document stand for more than 4194304 bytes"],
    );
    check(
        &line(P, &"{{p}} ".repeat(14)),
        values,
        expect!["InvalidParameters: the document with its parameters holds more than 1048576 bytes"],
    );
    let items = vec![r#""{{p}}""#; 1_000].join(",");
    let job = format!(r#"{{"action":"dandori:runJob","name":"job","inputs":{{"program":"x","arguments":[{items}]}}}}"#);
    check(
        &document(P, &job),
        values,
        expect!["InvalidParameters: the references of the document stand for more than 4194304 bytes"],
    );
    let braces = "{".repeat(65_000);
    assert!(outcome(&line(P, "echo {{p}}"), &[("p", &[&braces])], &Context::default()).len() > 65_000);
    // Each of a hundred steps runs a document of a hundred, and so on.
    let step = |nth: usize, name: &str| {
        format!(
            r#"{{"action":"aws:runDocument","name":"step{nth}","inputs":{{"documentType":"SSMDocument","documentPath":"{name}"}}}}"#
        )
    };
    let many = |name: &str| document("", &(0..100).map(|nth| step(nth, name)).collect::<Vec<_>>().join(","));
    let cx = stored(&[("A", &many("B")), ("B", &many("C")), ("C", &line("", "true"))]);
    let top = Document::parse(&many("A"), Format::Json).expect("a document");
    expect![[r#"Err("the document runs more than 200 documents")"#]]
        .assert_eq(&format!("{:?}", top.wants(&given(&[]), &cx).map_err(|refusal| refusal.to_string())));
    expect!["InvalidParameters: the document runs more than 200 steps"].assert_eq(&outcome(&many("A"), &[], &cx));
}

#[test]
fn hashes_are_those_of_the_text() {
    assert_eq!(crate::sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(crate::sha1("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
}
