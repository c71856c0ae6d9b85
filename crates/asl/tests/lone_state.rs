//! One state in, by itself or out of a machine.

use asl::StateRefusal;
use expect_test::{Expect, expect};

fn check(definition: &str, name: Option<&str>, expected: Expect) {
    let text = match asl::parse_state(definition, name) {
        Ok(lone) => format!("{} {} inner: {:?}", lone.state.kind().name(), lone.state.name, lone.inner),
        Err(StateRefusal::NotFound) => "not found".to_owned(),
        Err(StateRefusal::Invalid(diagnostics)) => asl::refusal(&diagnostics),
    };
    expected.assert_eq(&text);
}

#[test]
fn a_state_alone_may_lead_anywhere() {
    check(r#"{"Type":"Pass","Next":"Nowhere"}"#, None, expect!["Pass StateName inner: {}"]);
    check(
        r#"{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true,"Next":"X"}],"Default":"Y"}"#,
        None,
        expect!["Choice StateName inner: {}"],
    );
    check(
        r#"{"Type":"Parallel","Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","Next":"C"}}}],"End":true}"#,
        None,
        expect![
            "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: C at /States/StateName/Branches[0]/States/B/Next, MISSING_END_STATE: Workflow has no terminal state at /States/StateName/Branches[0]'"
        ],
    );
    check(
        r#"{"Type":"Parallel","Branches":[],"End":true}"#,
        None,
        expect![
            "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/StateName/Branches'"
        ],
    );
    check(
        r#"{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}"#,
        None,
        expect![
            "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [Type] at /States/StateName'"
        ],
    );
    check(
        "[]",
        None,
        expect![
            "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object at null'"
        ],
    );
}

#[test]
fn a_state_is_found_at_any_depth() {
    let machine = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"M"},"M":{"Type":"Map","Next":"P",
        "ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass","End":true}}}},
        "P":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}]}}}"#;
    for (name, expected) in [
        ("A", expect!["Pass A inner: {}"]),
        ("M", expect![[r#"Map M inner: {"I"}"#]]),
        ("I", expect!["Pass I inner: {}"]),
        ("B", expect!["Succeed B inner: {}"]),
        ("States", expect!["not found"]),
    ] {
        check(machine, Some(name), expected);
    }
}

#[test]
fn the_machine_around_it_is_valid() {
    let machine = r#"{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Pass","Output":"{% 1 %}","Next":"B"},"B":{"Type":"Pass","Output":2,"End":true}}}"#;
    check(machine, Some("A"), expect!["Pass A inner: {}"]);
    check(
        &machine.replace("\"End\":true", "\"Next\":\"C\""),
        Some("A"),
        expect![
            "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: C at /States/B/Next, MISSING_END_STATE: Workflow has no terminal state at null'"
        ],
    );
}
