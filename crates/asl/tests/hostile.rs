//! Definitions that want to hurt: large, deep, broken.

use asl::{BlockId, Machine, MachineKind, Then};
use proptest::prelude::*;

fn parse(text: &str) -> Result<Machine, String> {
    let parsed = asl::parse(text, MachineKind::Standard);
    parsed.machine.ok_or_else(|| asl::refusal(&parsed.diagnostics))
}

/// `depth` Parallels around a Succeed.
fn nested(depth: usize) -> String {
    let open =
        |level| format!(r#"{{"StartAt":"P{level}","States":{{"P{level}":{{"Type":"Parallel","End":true,"Branches":["#);
    let parallels: String = (1..=depth).rev().map(open).collect();
    let innermost = r#"{"StartAt":"P0","States":{"P0":{"Type":"Succeed"}}}"#;
    format!("{parallels}{innermost}{}", "]}}}".repeat(depth))
}

#[test]
fn twenty_five_parallels_are_fine() {
    let machine = parse(&nested(25)).expect("not too deep");
    assert_eq!(machine.blocks.len(), 26);
    assert_eq!(&*machine.block(BlockId(25)).start_at, "P0");
}

#[test]
fn the_depth_has_an_end() {
    assert!(parse(&nested(29)).is_ok());
    for depth in [30, 1_000, 100_000] {
        assert!(parse(&nested(depth)).is_err());
    }
}

#[test]
fn rules_have_a_depth_too() {
    let machine = |depth: usize| {
        let test = (1..depth)
            .fold(r#""Variable":"$.a","IsNull":true"#.to_string(), |inner, _| format!(r#""Not":{{{inner}}}"#));
        format!(
            r#"{{"StartAt":"S","States":{{"S":{{"Type":"Choice","Choices":[{{{test},"Next":"D"}}]}},"D":{{"Type":"Succeed"}}}}}}"#
        )
    };
    assert!(parse(&machine(50)).is_ok());
    assert!(parse(&machine(51)).expect_err("too deep").contains("TOO_DEEPLY_NESTED"));
    assert!(parse(&machine(10_000)).is_err());
}

#[test]
fn a_hundred_thousand_states_are_fine() {
    let last = 99_999;
    let states: Vec<String> = (0..last).map(|i| format!(r#""s{i}":{{"Type":"Pass","Next":"s{}"}}"#, i + 1)).collect();
    let text = format!(r#"{{"StartAt":"s0","States":{{{},"s{last}":{{"Type":"Succeed"}}}}}}"#, states.join(","));
    let machine = parse(&text).expect("valid");
    assert_eq!(machine.block(Machine::ROOT).states.len(), last + 1);
}

#[test]
fn the_list_of_findings_has_an_end() {
    let states: Vec<String> = (0..100_000).map(|i| format!(r#""s{i}":0"#)).collect();
    let text = format!(r#"{{"StartAt":"s0","States":{{{}}}}}"#, states.join(","));
    assert_eq!(asl::parse(&text, MachineKind::Standard).diagnostics.len(), 1_000);
}

#[test]
fn blocks_are_numbered_depth_first_in_document_order() {
    let leaf = |name: &str| format!(r#"{{"StartAt":"{name}","States":{{"{name}":{{"Type":"Succeed"}}}}}}"#);
    let text = format!(
        r#"{{"StartAt":"A","States":{{
            "A":{{"Type":"Parallel","Next":"B","Branches":[
                {{"StartAt":"A1","States":{{"A1":{{"Type":"Map","ItemProcessor":{},"End":true}}}}}},
                {}]}},
            "B":{{"Type":"Map","ItemProcessor":{},"End":true}}}}}}"#,
        leaf("A1x"),
        leaf("A2"),
        leaf("B1"),
    );
    let machine = parse(&text).expect("valid");
    let starts: Vec<&str> = machine.blocks.iter().map(|block| &*block.start_at).collect();
    assert_eq!(starts, ["A", "A1", "A1x", "A2", "B1"]);
}

#[test]
fn a_machine_is_what_the_text_says() {
    let machine =
        parse(r#"{"StartAt":"S","TimeoutSeconds":9,"States":{"S":{"Type":"Pass","Next":"T"},"T":{"Type":"Succeed"}}}"#);
    let machine = machine.expect("valid");
    assert!(matches!(machine.timeout, Some(asl::MachineTimeout::Literal(9))));
    let asl::Body::Pass(pass) = &machine.state(Machine::ROOT, "S").body else { panic!("a Pass") };
    assert_eq!(pass.then, Then::Next("T".into()));
}

/// Words that make a random text look like a definition.
fn word() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "StartAt",
        "States",
        "Type",
        "Pass",
        "Task",
        "Choice",
        "Wait",
        "Map",
        "Parallel",
        "Fail",
        "Succeed",
        "Next",
        "End",
        "S",
        "T",
        "Branches",
        "ItemProcessor",
        "Choices",
        "Variable",
        "IsNull",
        "And",
        "Not",
        "Retry",
        "Catch",
        "ErrorEquals",
        "States.ALL",
        "Parameters",
        "a.$",
        "$.a",
        "$$",
        "$",
        "States.Format('{}', $.a)",
        "States.Array(",
        "InputPath",
        "ResultPath",
        "Seconds",
        "Timestamp",
        "2016-12-05T21:29:29Z",
        "Resource",
        "arn:aws:states:::lambda:invoke",
        "QueryLanguage",
        "JSONata",
        "Default",
        "ProcessorConfig",
        "Mode",
        "DISTRIBUTED",
        "Assign",
        "$[?(@.a == 1)]",
        "é\\u0000",
        "Output",
        "Arguments",
        "Condition",
        "Items",
        "{% 1 %}",
        "TimeoutSeconds",
        "ItemSelector",
        "MaxConcurrency",
        "Credentials",
    ];
    prop_oneof![9 => proptest::sample::select(WORDS).prop_map(String::from), 1 => "[ -~]{0,8}".prop_filter("plain", |text| !text.contains(['"', '\\']))]
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => word().prop_map(|word| format!("\"{word}\"")),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| number.to_string()),
        1 => proptest::sample::select(["true", "false", "null", "1e999", "-0"].as_slice()).prop_map(String::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        let member = (word(), inner.clone()).prop_map(|(key, value)| format!("\"{key}\":{value}"));
        prop_oneof![
            1 => proptest::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            3 => proptest::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// A state of some type with some fields.
fn state() -> impl Strategy<Value = String> {
    const KINDS: &[&str] = &["Pass", "Task", "Choice", "Wait", "Map", "Parallel", "Fail", "Succeed"];
    let members =
        proptest::collection::vec((word(), json()).prop_map(|(key, value)| format!(",\"{key}\":{value}")), 0..5);
    (proptest::sample::select(KINDS), members)
        .prop_map(|(kind, members)| format!(r#"{{"Type":"{kind}"{}}}"#, members.concat()))
}

fn tell(text: &str) {
    for kind in [MachineKind::Standard, MachineKind::Express] {
        let parsed = asl::parse(text, kind);
        assert_eq!(
            parsed.machine.is_none(),
            parsed.diagnostics.iter().any(|found| found.severity == asl::Severity::Error)
        );
    }
}

/// A state stands alone, or there is a reason.
fn tell_alone(text: &str, name: Option<&str>) {
    if let Err(asl::StateRefusal::Invalid(diagnostics)) = asl::parse_state(text, name) {
        assert!(diagnostics.iter().any(|found| found.severity == asl::Severity::Error));
    }
}

proptest! {
    #[test]
    fn any_text_gives_a_machine_or_a_reason(text in ".{0,60}") {
        tell(&text);
    }

    #[test]
    fn any_json_gives_a_machine_or_a_reason(text in json()) {
        tell(&text);
    }

    #[test]
    fn any_states_give_a_machine_or_a_reason(one in state(), other in state()) {
        tell(&format!(r#"{{"StartAt":"S","States":{{"S":{one},"T":{other}}}}}"#));
        tell(&format!(r#"{{"QueryLanguage":"JSONata","StartAt":"S","States":{{"S":{one},"T":{other}}}}}"#));
    }

    #[test]
    fn any_state_stands_alone_or_there_is_a_reason(one in state(), other in state()) {
        tell_alone(&one, None);
        tell_alone(&format!(r#"{{"StartAt":"S","States":{{"S":{one},"T":{other}}}}}"#), Some("T"));
    }
}
