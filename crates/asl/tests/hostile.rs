//! Definitions that want to hurt: large, deep, broken.

use asl::{BlockId, Machine, MachineKind, Then};
use base::Json;
use expect_test::expect;
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
        let places = asl::locate(text, &parsed.diagnostics);
        for (found, place) in parsed.diagnostics.iter().zip(places) {
            // Where a text is no JSON is for its reader to say.
            if found.code != "INVALID_JSON_DESCRIPTION" {
                let is_whole = matches!(found.location.as_deref(), None | Some("/"));
                assert_eq!(place == asl::Place::START, is_whole, "{found:?}");
            }
        }
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

/// What a finding says, and whether there is a machine beside it.
fn told(text: &str) -> String {
    let parsed = asl::parse(text, MachineKind::Standard);
    let errors = parsed.diagnostics.iter().map(|found| format!("{} {}", found.code, found.message));
    errors.collect::<Vec<_>>().join("\n")
}

#[test]
fn depth_of_any_kind_is_a_finding() {
    let deep = 10_000;
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"{"States":"#, "}"), (r#"{"a":["#, "]}")] {
        let text = format!("{}1{}", open.repeat(deep), close.repeat(deep));
        assert!(told(&text).contains("nesting depth"), "{open}: {}", told(&text));
        let state = machine_of(&format!(r#"{{"Type":"Pass","Result":{text},"End":true}}"#));
        assert!(told(&state).contains("nesting depth"), "{open}");
    }
    let choice = |rule: &str| machine_of(&format!(r#"{{"Type":"Choice","Choices":[{{{rule},"Next":"S"}}]}}"#));
    let rules = format!("{}{}{}", r#""Not":{"#.repeat(60), r#""Variable":"$.a","IsNull":true"#, "}".repeat(60));
    assert!(told(&choice(&rules)).contains("TOO_DEEPLY_NESTED"));
}

#[test]
fn deep_expressions_are_a_finding() {
    let deep = 10_000;
    let path = format!("$.a{}", "[?(@.a".repeat(deep));
    let call = format!("{}1{}", "States.Array(".repeat(deep), ")".repeat(deep));
    for value in [path, call] {
        let state = format!(r#"{{"Type":"Pass","Parameters":{{"a.$":"{value}"}},"End":true}}"#);
        assert!(told(&machine_of(&state)).contains("must be a valid JSONPath"));
    }
    for (open, close) in
        [("(", ")"), ("[", "]"), ("{'a':", "}"), ("-", ""), ("function($x){", "}"), ("1+(", ")"), ("$f(", ")")]
    {
        let expression = format!("{}1{}", open.repeat(deep), close.repeat(deep));
        let state =
            format!(r#"{{"Type":"Pass","QueryLanguage":"JSONata","Output":"{{% {expression} %}}","End":true}}"#);
        assert!(told(&machine_of(&state)).contains("INVALID_JSONATA_EXPRESSION"), "{open}");
    }
}

/// Each ends, one way or the other.
#[test]
fn long_expressions_end() {
    let len = 200_000;
    for (first, again) in [
        ("1", "+1"),
        ("$x", ".a"),
        ("$x", "[0]"),
        ("$x", "($y)"),
        ("$x", " ~> $f"),
        ("$x", "{'a':$}"),
        ("$x", "^(a)"),
        ("1", "?1:1"),
        ("$x", ":=$x"),
        ("1", ",1"),
        ("1", ";1"),
        ("'a'", "&'a'"),
        ("$x", "@$y"),
        ("$x", "#$y"),
        ("1", " and 1"),
        ("-", "-"),
        ("", "("),
        ("", "[["),
        ("", "%"),
        ("", "*"),
        ("", "$"),
        ("", "function($x){"),
    ] {
        for (open, close) in [("", ""), ("(", ")"), ("[", "]")] {
            let expression = format!("{open}{first}{}{close}", again.repeat(len / again.len()));
            let state =
                format!(r#"{{"Type":"Pass","QueryLanguage":"JSONata","Output":"{{% {expression} %}}","End":true}}"#);
            tell(&machine_of(&state));
        }
    }
    let path =
        |again: &str| format!(r#"{{"Type":"Pass","InputPath":"$.a{}","End":true}}"#, again.repeat(len / again.len()));
    for again in [".a", "[0]", "['a']", "..a", "[*]", "[?(@.a==1)]", "[0,1]"] {
        tell(&machine_of(&path(again)));
    }
}

#[test]
fn what_no_value_can_hold_is_a_finding() {
    let wait = |seconds: &str| machine_of(&format!(r#"{{"Type":"Wait","Seconds":{seconds},"End":true}}"#));
    let pass = |result: &str| machine_of(&format!(r#"{{"Type":"Pass","Result":{result},"End":true}}"#));
    let lines = [
        wait("1e999"),
        wait("-1e999"),
        wait("1e3"),
        wait("18446744073709551616"),
        wait("1.0"),
        pass("1e999"),
        pass(r#""\ud800""#),
        pass(r#""\udc00\ud800""#),
        pass(r#"{"\ud83d":1}"#),
        pass(r#""\ud83d\ude00""#),
        pass("123456789012345678901234567890"),
        pass("\"\u{0}\""),
    ];
    let told: Vec<String> = lines.iter().map(|text| told(text).lines().next().unwrap_or("ok").to_owned()).collect();
    expect![[r#"
        INVALID_JSON_DESCRIPTION number out of range
        INVALID_JSON_DESCRIPTION number out of range
        SCHEMA_VALIDATION_FAILED Expected value of type [INTEGER]
        SCHEMA_VALIDATION_FAILED Expected value of type [INTEGER]
        SCHEMA_VALIDATION_FAILED Expected value of type [INTEGER]
        INVALID_JSON_DESCRIPTION number out of range
        INVALID_JSON_DESCRIPTION unexpected end of hex escape
        INVALID_JSON_DESCRIPTION lone leading surrogate in hex escape
        INVALID_JSON_DESCRIPTION unexpected end of hex escape
        ok
        ok
        INVALID_JSON_DESCRIPTION Illegal unquoted character ((CTRL-CHAR, code 0)): has to be escaped using backslash to be included in string value"#]].assert_eq(&told.join("\n"));
}

fn machine_of(state: &str) -> String {
    format!(r#"{{"StartAt":"S","States":{{"S":{state}}}}}"#)
}

#[test]
fn warnings_hide_no_error() {
    let members: Vec<String> = (0..2_000).map(|index| format!(r#""m{index}":"$.a""#)).collect();
    let text = format!(
        r#"{{"StartAt":"S","States":{{"S":{{"Type":"Pass","Parameters":{{{}}},"Next":"T"}},"T":{{"Type":"Pass"}}}}}}"#,
        members.join(",")
    );
    let parsed = asl::parse(&text, MachineKind::Standard);
    assert_eq!(parsed.diagnostics.len(), 1_001);
    assert!(asl::refusal(&parsed.diagnostics).contains("/States/T"));
}

/// Valid definitions in which everything occurs somewhere.
const VALID: [&str; 3] = [
    r#"{"Comment":"c","StartAt":"S","TimeoutSeconds":9,"States":{
        "S":{"Type":"Pass","InputPath":"$.a","Parameters":{"b.$":"States.Format('{}', $$.x)","c":"$.d"},"ResultPath":"$.r","Assign":{"x.$":"$.a"},"Next":"C"},
        "C":{"Type":"Choice","Choices":[{"And":[{"Variable":"$.a","NumericEqualsPath":"$x"},{"Not":{"Variable":"$.b","StringMatches":"a*"}}],"Next":"T","Assign":{"y":1}}],"Default":"W"},
        "T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","Parameters":{"a":{"b":[1,{"c.$":"$$.Task.Token"}]}},"TimeoutSecondsPath":"$.t","HeartbeatSeconds":2,
             "Credentials":{"RoleArn.$":"$.role"},"ResultSelector":{"r.$":"$.Payload"},
             "Retry":[{"ErrorEquals":["A","B"],"IntervalSeconds":2,"MaxAttempts":3,"BackoffRate":1.5,"MaxDelaySeconds":9,"JitterStrategy":"FULL"}],
             "Catch":[{"ErrorEquals":["States.ALL"],"ResultPath":null,"Assign":{"e.$":"$.Error"},"Next":"F"}],"Next":"W"},
        "W":{"Type":"Wait","TimestampPath":"$.until","OutputPath":null,"Next":"P"},
        "P":{"Type":"Parallel","Branches":[{"StartAt":"B","States":{"B":{"Type":"Succeed"}}},{"StartAt":"B2","States":{"B2":{"Type":"Wait","Seconds":0,"End":true}}}],"Next":"F"},
        "F":{"Type":"Fail","ErrorPath":"States.JsonToString($.e)","Cause":"c"}}}"#,
    r#"{"QueryLanguage":"JSONata","TimeoutSeconds":"{% 1 + 1 %}","StartAt":"S","States":{
        "S":{"Type":"Map","Items":{"a":1,"b":"{% $states.input.b %}"},"ItemSelector":{"i":"{% $states.context.Map.Item.Value %}"},"MaxConcurrency":"{% 2 %}","Output":"{% $states.result[0] %}",
             "ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass","Output":[1,"{% $v %}"],"End":true}}},"Assign":{"v":"{% $count($states.result) %}"},"Next":"C"},
        "C":{"Type":"Choice","Choices":[{"Condition":"{% $v > 1 %}","Output":1,"Assign":{"w":2},"Next":"T"}],"Default":"F"},
        "T":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:ssm:sendCommand","Arguments":{"a":"{% ($x := 1; $x) %}"},"TimeoutSeconds":"{% 9 %}","HeartbeatSeconds":1,
             "Catch":[{"ErrorEquals":["States.ALL"],"Output":"{% $states.errorOutput %}","Next":"F"}],"Next":"W"},
        "W":{"Type":"Wait","Timestamp":"{% $now() %}","Next":"F"},
        "F":{"Type":"Fail","Error":"{% 'e' %}","Cause":"c"}}}"#,
    r#"{"StartAt":"S","States":{"S":{"Type":"Map","Label":"l","End":true,"ItemsPath":"$.a","MaxConcurrencyPath":"$.n","ToleratedFailurePercentage":5.5,"ToleratedFailureCountPath":"$.c",
        "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"I","States":{"I":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:111111111111:function:f","End":true}}},
        "ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b"},"ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["h"],"MaxItems":7}},
        "ItemBatcher":{"MaxItemsPerBatch":2,"MaxInputBytesPerBatchPath":"$.m","BatchInput":{"x":1}},
        "ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b"},"WriterConfig":{"OutputType":"JSON","Transformation":"COMPACT"}}}}}"#,
];

#[test]
fn what_is_broken_below_was_valid() {
    for text in VALID {
        assert!(parse(text).is_ok(), "{:?}", parse(text).err());
    }
}

/// One of the valid definitions with another value somewhere, or without one.
fn changed() -> impl Strategy<Value = String> {
    let change = (any::<proptest::sample::Index>(), proptest::option::of(json()));
    (proptest::sample::select(VALID.as_slice()), proptest::collection::vec(change, 1..4)).prop_map(|(text, changes)| {
        let mut definition = Json::parse(text).expect("JSON");
        for (index, with) in changes {
            let with = with.and_then(|text| Json::parse(&text).ok());
            let mut left = index.index(count(&definition));
            definition = change_one(&definition, &mut left, with.as_ref()).unwrap_or_else(Json::empty_object);
        }
        definition.to_string()
    })
}

/// One of the valid definitions with a part of its text elsewhere, or gone.
fn scrambled() -> impl Strategy<Value = String> {
    let cut = (any::<proptest::sample::Index>(), 0..30_usize, any::<proptest::sample::Index>(), any::<bool>());
    (proptest::sample::select(VALID.as_slice()), proptest::collection::vec(cut, 1..3)).prop_map(|(text, cuts)| {
        let mut text = text.to_owned();
        for (from, len, to, keep) in cuts {
            let from = from.index(text.len());
            let part = text[from..text.len().min(from + len)].to_owned();
            if !keep {
                text.replace_range(from..from + part.len(), "");
            }
            let to = to.index(text.len() + 1);
            text.insert_str(to, &part);
        }
        text
    })
}

fn count(json: &Json) -> usize {
    1 + match json {
        Json::Array(items) => items.iter().map(count).sum(),
        Json::Object(members) => members.values().map(count).sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}

/// The same with another value, or none, `left` values further on.
fn change_one(json: &Json, left: &mut usize, with: Option<&Json>) -> Option<Json> {
    if *left == 0 {
        *left = usize::MAX;
        return with.cloned();
    }
    *left -= 1;
    Some(match json {
        Json::Array(items) => {
            Json::array(items.iter().filter_map(|item| change_one(item, left, with)).collect::<Vec<_>>())
        }
        Json::Object(members) => {
            let members = members.iter().filter_map(|(key, value)| Some((key.clone(), change_one(value, left, with)?)));
            Json::object(members.collect::<Vec<_>>())
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => json.clone(),
    })
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

    #[test]
    fn a_valid_definition_that_was_changed_gives_a_machine_or_a_reason(text in changed()) {
        tell(&text);
        tell_alone(&text, Some("T"));
    }

    #[test]
    fn a_valid_definition_that_was_scrambled_gives_a_machine_or_a_reason(text in scrambled()) {
        tell(&text);
    }
}
