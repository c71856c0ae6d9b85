//! Definition in, findings out. The texts are AWS's where AWS's are known.

use asl::{MachineKind, Parsed};
use expect_test::{Expect, expect};

/// The findings, one a line; "ok" when there is a machine and nothing to say.
fn check(definition: &str, expected: Expect) {
    expected.assert_eq(&describe(&asl::parse(definition, MachineKind::Standard)));
}

fn check_express(definition: &str, expected: Expect) {
    expected.assert_eq(&describe(&asl::parse(definition, MachineKind::Express)));
}

/// One state `S` around `fields`, which ends unless it says otherwise.
fn check_state(fields: &str, expected: Expect) {
    check(&machine(&format!(r#""S":{{{fields}}}"#)), expected);
}

/// A Choice `S` with these rules.
fn check_rules(rules: &str, expected: Expect) {
    check(
        &machine(&format!(r#""S":{{"Type":"Choice","Choices":[{rules}],"Default":"D"}},"D":{{"Type":"Succeed"}}"#)),
        expected,
    );
}

fn machine(states: &str) -> String {
    format!(r#"{{"StartAt":"S","States":{{{states}}}}}"#)
}

fn describe(parsed: &Parsed) -> String {
    let is_wrong = parsed.diagnostics.iter().any(|found| found.severity == asl::Severity::Error);
    assert_eq!(parsed.machine.is_none(), is_wrong, "a machine exactly when nothing is wrong");
    if parsed.diagnostics.is_empty() {
        return "ok".into();
    }
    let line = |found: &asl::Diagnostic| {
        let code = match (found.severity, found.code) {
            (asl::Severity::Warning, code) => format!("warning {code}"),
            (asl::Severity::Error, "SCHEMA_VALIDATION_FAILED") => String::new(),
            (asl::Severity::Error, code) => code.to_owned(),
        };
        format!("{} {} {}", found.location.as_deref().unwrap_or("null"), code, found.message).replace("  ", " ")
    };
    parsed.diagnostics.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_text_that_is_not_json_is_located() {
    let text = "not a definition";
    let error = base::Json::parse(text).expect_err("not JSON");
    let source = format!("[Source: (String)\"{text}\"; line: {}, column: {}]", error.line, error.column);
    let found = asl::parse(text, MachineKind::Standard).diagnostics.remove(0);
    assert_eq!(found.code, "INVALID_JSON_DESCRIPTION");
    assert_eq!(found.message, format!("{error}\n at {source}"));
    assert_eq!(found.location, Some(source));
}

#[test]
fn a_definition_is_an_object() {
    check("", expect!["null Definition must be a valid JSON object"]);
    check(" \n", expect!["null Definition must be a valid JSON object"]);
    check("[]", expect!["null Definition must be a valid JSON object"]);
    check("null", expect!["null Definition must be a valid JSON object"]);
}

#[test]
fn a_long_source_is_cut_as_jackson_cuts_it() {
    let parsed = asl::parse(&format!("\u{7}{}é", "x".repeat(600)), MachineKind::Standard);
    let location = parsed.diagnostics[0].location.clone().expect("a source");
    assert!(location.starts_with("[Source: (String)\"\\u0007xxx"), "{location}");
    assert!(location.contains("x\"[truncated 102 chars]; line: 1, column: "), "{location}");
}

#[test]
fn a_refusal_is_one_sentence() {
    let text =
        r#"{"StartAt":"pass1","States":{"pass1":{"Type":"Pass","Next":"pass3"},"pass2":{"Type":"Pass","End":true}}}"#;
    let parsed = asl::parse(text, MachineKind::Standard);
    expect![[r#"Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: pass3 at /States/pass1/Next, MISSING_TRANSITION_TARGET: State "pass2" is not reachable. at /States/pass2'"#]].assert_eq(&asl::refusal(&parsed.diagnostics));
    let parsed = asl::parse(&machine(r#""S":{"Type":"Pass","Next":"S"}"#), MachineKind::Standard);
    expect!["Invalid State Machine Definition: 'MISSING_END_STATE: Workflow has no terminal state at null'"]
        .assert_eq(&asl::refusal(&parsed.diagnostics));
}

#[test]
fn the_top_has_its_fields() {
    check("{}", expect!["/ These fields are required: [States, StartAt]"]);
    check(r#"{"Comment":"c","StartAt":"S"}"#, expect!["/ These fields are required: [States]"]);
    check(
        r#"{"StartAt":1,"States":[],"Comment":1,"Version":1.0,"TimeoutSeconds":0,"Extra":1}"#,
        expect![[r#"
            / Field 'Extra' is not supported
            /Comment Expected value of type [STRING]
            /Version Expected value of type [STRING]
            /TimeoutSeconds Minimum value is 1
            /States Expected value of type [OBJECT]
            /StartAt Expected value of type [STRING]"#]],
    );
    check(r#"{"StartAt":"S","States":{}}"#, expect!["/States Value cannot be empty"]);
    check(
        r#"{"Version":"1.0","TimeoutSeconds":99999999,"StartAt":"S","States":{"S":{"Type":"Succeed","Comment":"c"}}}"#,
        expect!["ok"],
    );
    check(
        r#"{"TimeoutSeconds":1.5,"StartAt":"S","States":{"S":{"Type":"Succeed"}}}"#,
        expect!["/TimeoutSeconds Expected value of type [INTEGER]"],
    );
}

#[test]
fn a_state_has_a_type() {
    check_state(
        r#""Type":"None","End":true"#,
        expect![
            "/States/S/Type The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map]"
        ],
    );
    check_state(r#""End":true"#, expect!["/States/S These fields are required: [Type]"]);
    check_state(r#""Type":3"#, expect!["/States/S/Type Expected value of type [STRING]"]);
    check(&machine(r#""S":[]"#), expect!["/States/S Expected value of type [OBJECT]"]);
}

#[test]
fn a_field_stands_where_its_state_allows_it() {
    check_state(
        r#""Type":"Pass","End":true,"TimeoutSeconds":1,"Retry":[],"Catch":[]"#,
        expect![[r#"
        /States/S Field 'TimeoutSeconds' is not supported
        /States/S Field 'Retry' is not supported
        /States/S Field 'Catch' is not supported"#]],
    );
    check_state(r#""Type":"Succeed","End":true"#, expect!["/States/S Field 'End' is not supported"]);
    check_state(
        r#""Type":"Fail","InputPath":"$","OutputPath":"$","Next":"S""#,
        expect![[r#"
        /States/S Field 'InputPath' is not supported
        /States/S Field 'OutputPath' is not supported
        /States/S Field 'Next' is not supported"#]],
    );
    check_state(
        r#""Type":"Wait","Seconds":1,"ResultPath":"$.a","Parameters":{},"End":true"#,
        expect![[r#"
        /States/S Field 'ResultPath' is not supported
        /States/S Field 'Parameters' is not supported"#]],
    );
}

#[test]
fn a_target_exists() {
    check(
        r#"{"StartAt":"Not sure","States":{"Pass One":{"Type":"Pass","Next":"Success"},"Success":{"Type":"Succeed"}}}"#,
        expect![[r#"
            /StartAt MISSING_TRANSITION_TARGET Missing 'Next' target: Not sure
            /States/Pass One MISSING_TRANSITION_TARGET State "Pass One" is not reachable."#]],
    );
    check(
        &machine(
            r#""S":{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true,"Next":"X"}],"Default":"Y"},
               "T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true,
                    "Catch":[{"ErrorEquals":["States.ALL"],"Next":"Z"}]}"#,
        ),
        expect![[r#"
            /States/S/Choices[0]/Next MISSING_TRANSITION_TARGET Missing 'Next' target: X
            /States/S/Default MISSING_TRANSITION_TARGET Missing 'Next' target: Y
            /States/T/Catch[0]/Next MISSING_TRANSITION_TARGET Missing 'Next' target: Z
            /States/T MISSING_TRANSITION_TARGET State "T" is not reachable."#]],
    );
}

#[test]
fn a_target_is_in_the_same_block() {
    check_state(
        r#""Type":"Parallel","End":true,"Branches":[
            {"StartAt":"A","States":{"A":{"Type":"Pass","Next":"S"}}},
            {"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}}]"#,
        expect![[r#"
            /States/S/Branches[0]/States/A/Next MISSING_TRANSITION_TARGET Missing 'Next' target: S
            /States/S/Branches[0] MISSING_END_STATE Workflow has no terminal state"#]],
    );
}

#[test]
fn something_leads_to_every_state() {
    check(
        &machine(r#""S":{"Type":"Pass","End":true},"U":{"Type":"Pass","Next":"S"}"#),
        expect![[r#"/States/U MISSING_TRANSITION_TARGET State "U" is not reachable."#]],
    );
    check_state(
        r#""Type":"Map","End":true,"ItemProcessor":{"StartAt":"A","States":{"A":{"Type":"Succeed"},"B":{"Type":"Succeed"}}}"#,
        expect![[r#"/States/S/ItemProcessor/States/B MISSING_TRANSITION_TARGET State "B" is not reachable."#]],
    );
}

#[test]
fn a_machine_can_end() {
    check(
        &machine(r#""S":{"Type":"Pass","Next":"T"},"T":{"Type":"Pass","Next":"S"}"#),
        expect!["null MISSING_END_STATE Workflow has no terminal state"],
    );
    // A state that nothing leads to is then not worth a word.
    check(
        &machine(r#""S":{"Type":"Pass","Next":"S"},"U":{"Type":"Pass","Next":"S"}"#),
        expect!["null MISSING_END_STATE Workflow has no terminal state"],
    );
    check(
        &machine(r#""S":{"Type":"Pass","Next":"S"},"U":{"Type":"Pass","End":true}"#),
        expect![[r#"/States/U MISSING_TRANSITION_TARGET State "U" is not reachable."#]],
    );
    check(
        &machine(r#""S":{"Type":"Pass","Next":"NOPE"}"#),
        expect![[r#"
        /States/S/Next MISSING_TRANSITION_TARGET Missing 'Next' target: NOPE
        null MISSING_END_STATE Workflow has no terminal state"#]],
    );
}

#[test]
fn a_state_goes_on_or_ends() {
    check_state(r#""Type":"Pass""#, expect!["/States/S One of these fields is required: [Next, End]"]);
    check_state(r#""Type":"Pass","End":false"#, expect!["/States/S These fields are required: [Next]"]);
    check_state(r#""Type":"Pass","End":"yes""#, expect!["/States/S/End Expected value of type [BOOLEAN]"]);
    check_state(r#""Type":"Pass","Next":1"#, expect!["/States/S/Next Expected value of type [STRING]"]);
    check(
        &machine(r#""S":{"Type":"Pass","Next":"T","End":true},"T":{"Type":"Succeed"}"#),
        expect!["/States/S Only one of these fields is allowed: [Next, End]"],
    );
    check(&machine(r#""S":{"Type":"Pass","Next":"T","End":false},"T":{"Type":"Succeed"}"#), expect!["ok"]);
}

#[test]
fn a_name_is_short_and_unique_in_the_machine() {
    let name = "n".repeat(80);
    check(&format!(r#"{{"StartAt":"{name}","States":{{"{name}":{{"Type":"Succeed"}}}}}}"#), expect!["ok"]);
    let name = "n".repeat(81);
    check(
        &format!(r#"{{"StartAt":"{name}","States":{{"{name}":{{"Type":"Succeed"}}}}}}"#),
        expect![
            "/States/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn INVALID_STATE_NAME Invalid State name: State 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn' exceeds the 80-character limit allowed by the service"
        ],
    );
    check(
        r#"{"StartAt":"","States":{"":{"Type":"Succeed"}}}"#,
        expect!["/States/ INVALID_STATE_NAME Invalid State name: a State name cannot be empty"],
    );
    check_state(
        r#""Type":"Map","End":true,"Iterator":{"StartAt":"S","States":{"S":{"Type":"Succeed"}}}"#,
        expect!["/States/S/Iterator/States/S DUPLICATE_STATE_NAME Duplicate State name: S"],
    );
}

#[test]
fn a_state_is_written_once() {
    check(
        &machine(
            r#""S":{"Type":"Pass","Result":{"States":{"x":1,"x":2}},"Next":"P"},
               "P":{"Type":"Parallel","End":true,"Branches":[
                   {"StartAt":"A","States":{"A":{"Type":"Succeed"}}},
                   {"StartAt":"B","States":{"B":{"Type":"Wait","Seconds":1,"End":true},"\u0042":{"Type":"Succeed"}}}]},
               "S":{"Type":"Pass","Next":"P"}"#,
        ),
        expect![[r#"
            /States/P/Branches[1]/States/B DUPLICATE_STATE_NAME Duplicate State name: B
            /States/S DUPLICATE_STATE_NAME Duplicate State name: S"#]],
    );
}

#[test]
fn paths_are_paths() {
    check_state(
        r#""Type":"Pass","InputPath":"a","OutputPath":7,"ResultPath":"$$.x","End":true"#,
        expect![[r#"
            /States/S The value for the field 'InputPath' must be a valid JSONPath
            /States/S/OutputPath Expected value of type [STRING]
            /States/S The value for the field 'ResultPath' must be a valid Reference Path"#]],
    );
    check_state(r#""Type":"Pass","InputPath":null,"OutputPath":null,"ResultPath":null,"End":true"#, expect!["ok"]);
    check_state(
        r#""Type":"Pass","ResultPath":"$.a[*]","End":true"#,
        expect!["/States/S The value for the field 'ResultPath' must be a valid Reference Path"],
    );
}

#[test]
fn templates_are_compiled() {
    check_state(
        r#""Type":"Pass","Parameters":{"parsed.$":"States.StringToJson('\\x')","a":{"b.$":"plain"},"c.$":"$.ok"},"End":true"#,
        expect![[r#"
            /States/S/Parameters The value for the field 'parsed.$' must be a valid JSONPath or a valid intrinsic function call
            /States/S/Parameters/a The value for the field 'b.$' must be a valid JSONPath or a valid intrinsic function call"#]],
    );
    check_state(
        r#""Type":"Pass","Parameters":"text","End":true"#,
        expect!["/States/S/Parameters Expected value of type [OBJECT]"],
    );
}

#[test]
fn a_wait_waits_for_one_thing() {
    check_state(
        r#""Type":"Wait","End":true"#,
        expect!["/States/S One of these fields is required: [Seconds, SecondsPath, Timestamp, TimestampPath]"],
    );
    check_state(
        r#""Type":"Wait","Seconds":1,"SecondsPath":"$.a","End":true"#,
        expect!["/States/S Only one of these fields is allowed: [Seconds, SecondsPath, Timestamp, TimestampPath]"],
    );
    check_state(
        r#""Type":"Wait","Seconds":10000000000000000,"End":true"#,
        expect!["/States/S/Seconds Maximum value is 99999999"],
    );
    check_state(r#""Type":"Wait","Seconds":-1,"End":true"#, expect!["/States/S/Seconds Minimum value is 0"]);
    check_state(
        r#""Type":"Wait","Seconds":"1","End":true"#,
        expect!["/States/S/Seconds Expected value of type [INTEGER]"],
    );
    check_state(
        r#""Type":"Wait","Timestamp":"2016-12-05 21:29:29Z","End":true"#,
        expect!["/States/S/Timestamp String does not match RFC3339 timestamp"],
    );
    check_state(r#""Type":"Wait","Timestamp":"2016-12-05T21:29:29Z","End":true"#, expect!["ok"]);
}

#[test]
fn a_fail_says_each_thing_once() {
    check_state(r#""Type":"Fail""#, expect!["ok"]);
    check_state(
        r#""Type":"Fail","Error":"E","ErrorPath":"$.e","Cause":"C","CausePath":"$.c""#,
        expect![[r#"
        /States/S Only one of these fields is allowed: [Error, ErrorPath]
        /States/S Only one of these fields is allowed: [Cause, CausePath]"#]],
    );
    check_state(r#""Type":"Fail","ErrorPath":"States.Format('{}', $.e)","CausePath":"$$.State.Name""#, expect!["ok"]);
    check_state(
        r#""Type":"Fail","ErrorPath":"States.Array(1)","CausePath":"text""#,
        expect![[r#"
        /States/S The value for the field 'ErrorPath' must be a valid JSONPath or a valid intrinsic function call
        /States/S The value for the field 'CausePath' must be a valid JSONPath"#]],
    );
}

#[test]
fn a_task_has_a_resource() {
    check_state(r#""Type":"Task","End":true"#, expect!["/States/S These fields are required: [Resource]"]);
    check_state(
        r#""Type":"Task","Resource":"arn:aws:states:::dynamodb:query","End":true"#,
        expect![
            "/States/S/Resource The resource provided arn:aws:states:::dynamodb:query is not recognized. The value is not a valid resource ARN, or the resource is not available in this region."
        ],
    );
    check_state(
        r#""Type":"Task","Resource":"arn:aws:states:::aws-sdk:s3:getObject","Credentials":{},"End":true"#,
        expect!["/States/S/Credentials The field 'RoleArn' is required but was missing"],
    );
}

#[test]
fn a_task_has_sane_times() {
    check_state(
        r#""Type":"Task","Resource":"arn:aws:states:::lambda:invoke","TimeoutSeconds":5,"HeartbeatSeconds":5,"End":true"#,
        expect!["/States/S The value for the field 'HeartbeatSeconds' must be less than 'TimeoutSeconds'"],
    );
    check_state(
        r#""Type":"Task","Resource":"arn:aws:states:::lambda:invoke","TimeoutSeconds":0,"HeartbeatSeconds":100000000,"End":true"#,
        expect![[r#"
            /States/S/TimeoutSeconds Minimum value is 1
            /States/S/HeartbeatSeconds Maximum value is 99999999"#]],
    );
    check_state(
        r#""Type":"Task","Resource":"arn:aws:states:::lambda:invoke","TimeoutSeconds":5,"TimeoutSecondsPath":"$.t","End":true"#,
        expect!["/States/S Only one of these fields is allowed: [TimeoutSeconds, TimeoutSecondsPath]"],
    );
}

#[test]
fn an_express_machine_does_not_wait_for_others() {
    for resource in [
        "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "arn:aws:states:::states:startExecution.sync",
        "arn:aws:states:us-east-1:111111111111:activity:a",
    ] {
        check(&machine(&format!(r#""S":{{"Type":"Task","Resource":"{resource}","End":true}}"#)), expect!["ok"]);
    }
    let task = |resource: &str| machine(&format!(r#""S":{{"Type":"Task","Resource":"{resource}","End":true}}"#));
    check_express(
        &task("arn:aws:states:::sqs:sendMessage.waitForTaskToken"),
        expect!["/States/S/Resource Express state machine does not support '.waitForTaskToken' service integration "],
    );
    check_express(
        &task("arn:aws:states:::states:startExecution.sync"),
        expect!["/States/S/Resource Express state machine does not support '.sync' service integration"],
    );
    check_express(
        &task("arn:aws:states:us-east-1:111111111111:activity:a"),
        expect!["/States/S/Resource Express state machine does not support Activity ARN"],
    );
    check_express(&task("arn:aws:states:::lambda:invoke"), expect!["ok"]);
}

#[test]
fn the_children_of_a_map_are_express_where_it_says_so() {
    check_state(
        r#""Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},
            "StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync","End":true}}}"#,
        expect![
            "/States/S/ItemProcessor/States/T/Resource Express state machine does not support '.sync' service integration"
        ],
    );
    check_express(
        &machine(
            r#""S":{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},
                "StartAt":"T","States":{"T":{"Type":"Succeed"}}}}"#,
        ),
        expect![
            "/States/S/ItemProcessor/ProcessorConfig/Mode Express state machine does not support Map state with 'DISTRIBUTED' mode"
        ],
    );
}

#[test]
fn retriers_are_in_range() {
    check_state(
        r#""Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true,"Retry":[
            {"ErrorEquals":[]},
            {"ErrorEquals":["A",1],"IntervalSeconds":0,"MaxAttempts":-1,"BackoffRate":0.5,"MaxDelaySeconds":31622401,"JitterStrategy":"HALF"},
            {},
            {"ErrorEquals":["A"],"Next":"S"},
            "x"]"#,
        expect![[r#"
            /States/S/Retry[0]/ErrorEquals Value cannot be empty
            /States/S/Retry[1]/ErrorEquals[1] Expected value of type [STRING]
            /States/S/Retry[1]/IntervalSeconds Minimum value is 1
            /States/S/Retry[1]/MaxAttempts Minimum value is 0
            /States/S/Retry[1]/BackoffRate Minimum value is 1.0
            /States/S/Retry[1]/MaxDelaySeconds Maximum value is 31622400
            /States/S/Retry[1]/JitterStrategy Value should be one of the following: [FULL, NONE]
            /States/S/Retry[2] These fields are required: [ErrorEquals]
            /States/S/Retry[3] Field 'Next' is not supported
            /States/S/Retry[4] Expected value of type [OBJECT]"#]],
    );
    check_state(
        r#""Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true,"Retry":[
            {"ErrorEquals":["A"],"IntervalSeconds":1,"MaxAttempts":0,"BackoffRate":1,"MaxDelaySeconds":60,"JitterStrategy":"FULL","Comment":"c"}]"#,
        expect!["ok"],
    );
}

#[test]
fn states_all_is_alone_and_last() {
    check_state(
        r#""Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true,
            "Retry":[{"ErrorEquals":["States.ALL"]},{"ErrorEquals":["A"]}],
            "Catch":[{"ErrorEquals":["A","States.ALL"],"Next":"S"}]"#,
        expect![[r#"
            /States/S/Retry[0]/ErrorEquals 'States.ALL' must be in the last element of the list
            /States/S/Catch[0]/ErrorEquals 'States.ALL' must appear alone in 'ErrorEquals'"#]],
    );
}

#[test]
fn a_rule_has_one_operator() {
    check_rules(
        r#"{"Variable":"$.a","IsNull":true,"IsString":true,"Next":"D"}"#,
        expect!["/States/S/Choices[0] Only one of these fields is allowed: [IsNull, IsString]"],
    );
    check_rules(r#"{"Variable":"$.a","Next":"D"}"#, expect!["/States/S/Choices[0] A comparison operator is required"]);
    check_rules(
        r#"{"StringEquals":"a","Next":"D"}"#,
        expect!["/States/S/Choices[0] These fields are required: [Variable]"],
    );
    check_rules(
        r#"{"Variable":"$.a","Equals":1,"Next":"D"}"#,
        expect![[r#"
        /States/S/Choices[0] Field 'Equals' is not supported
        /States/S/Choices[0] A comparison operator is required"#]],
    );
    check_rules(
        r#"{"Variable":"$","StringMatches":"a*"}"#,
        expect!["/States/S/Choices[0] These fields are required: [Next]"],
    );
    check_rules("", expect!["/States/S/Choices Value cannot be empty"]);
}

#[test]
fn an_operand_is_of_the_operators_type() {
    check_rules(
        r#"{"Variable":"$.a","StringEquals":1,"Next":"D"},
           {"Variable":"$.a","NumericEquals":"1","Next":"D"},
           {"Variable":"$.a","BooleanEquals":"true","Next":"D"},
           {"Variable":"$.a","TimestampEquals":"today","Next":"D"},
           {"Variable":"$.a","IsPresent":1,"Next":"D"},
           {"Variable":"$.a","NumericLessThanPath":1,"Next":"D"},
           {"Variable":"$.a","NumericLessThanPath":"b","Next":"D"}"#,
        expect![[r#"
            /States/S/Choices[0]/StringEquals Expected value of type [STRING]
            /States/S/Choices[1]/NumericEquals Expected value of type [NUMBER]
            /States/S/Choices[2]/BooleanEquals Expected value of type [BOOLEAN]
            /States/S/Choices[3]/TimestampEquals String does not match RFC3339 timestamp
            /States/S/Choices[4]/IsPresent Expected value of type [BOOLEAN]
            /States/S/Choices[5]/NumericLessThanPath Expected value of type [STRING]
            /States/S/Choices[6] The value for the field 'NumericLessThanPath' must be a valid JSONPath"#]],
    );
}

#[test]
fn nested_rules_lead_nowhere() {
    check_rules(
        r#"{"And":[{"Variable":"$.a","IsNull":false},{"Not":{"Variable":"$.a","NumericGreaterThanEqualsPath":"$.b"}}],"Next":"D"}"#,
        expect!["ok"],
    );
    check_rules(
        r#"{"Or":[{"Variable":"$.a","IsNull":false,"Next":"D"}],"Next":"D"},{"And":[],"Next":"D"},
           {"Variable":"$.a","Not":{"Variable":"$.a","IsNull":true},"Next":"D"}"#,
        expect![[r#"
            /States/S/Choices[0]/Or[0] Field 'Next' is not supported
            /States/S/Choices[1]/And Value cannot be empty
            /States/S/Choices[2] Field 'Variable' is not supported together with 'Not'"#]],
    );
}

#[test]
fn a_parallel_has_branches() {
    check_state(r#""Type":"Parallel","Branches":[],"End":true"#, expect!["/States/S/Branches Value cannot be empty"]);
    check_state(r#""Type":"Parallel","End":true"#, expect!["/States/S These fields are required: [Branches]"]);
    check_state(
        r#""Type":"Parallel","Branches":[1,{"StartAt":"A"}],"End":true"#,
        expect![[r#"
        /States/S/Branches[0] Expected value of type [OBJECT]
        /States/S/Branches[1] These fields are required: [States]"#]],
    );
}

#[test]
fn a_map_has_one_processor() {
    let processor = r#"{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#;
    check_state(r#""Type":"Map","End":true"#, expect!["/States/S These fields are required: [ItemProcessor]"]);
    check_state(
        &format!(r#""Type":"Map","ItemProcessor":{processor},"Iterator":{processor},"End":true"#),
        expect!["/States/S Only one of these fields is allowed: [ItemProcessor, Iterator]"],
    );
    check_state(
        &format!(
            r#""Type":"Map","Iterator":{processor},"Parameters":{{}},"ItemSelector":{{}},"MaxConcurrency":-1,"ItemsPath":"x","End":true"#
        ),
        expect![[r#"
            /States/S The value for the field 'ItemsPath' must be a valid Reference Path
            /States/S Only one of these fields is allowed: [ItemSelector, Parameters]
            /States/S/MaxConcurrency Minimum value is 0"#]],
    );
    check_state(
        &format!(r#""Type":"Map","Iterator":{processor},"MaxConcurrency":1,"MaxConcurrencyPath":"$.n","End":true"#),
        expect!["/States/S Only one of these fields is allowed: [MaxConcurrency, MaxConcurrencyPath]"],
    );
    check_state(
        r#""Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"OUTLINE","ExecutionType":"SLOW","X":1},
            "QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#,
        expect![[r#"
            /States/S/ItemProcessor/ProcessorConfig Field 'X' is not supported
            /States/S/ItemProcessor/ProcessorConfig/ExecutionType Value should be one of the following: [STANDARD, EXPRESS]
            /States/S/ItemProcessor/ProcessorConfig/Mode Value should be one of the following: [INLINE, DISTRIBUTED]
            /States/S/ItemProcessor Field 'QueryLanguage' is not supported"#]],
    );
}

/// A Map `S` in distributed mode with these fields.
fn check_distributed(fields: &str, expected: Expect) {
    check_state(
        &format!(
            r#""Type":"Map","End":true,"ItemProcessor":{{"ProcessorConfig":{{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"}},
               "StartAt":"A","States":{{"A":{{"Type":"Succeed"}}}}}}{fields}"#
        ),
        expected,
    );
}

#[test]
fn a_distributed_map_has_fields_of_its_own() {
    check_distributed("", expect!["ok"]);
    check_distributed(
        r#","Label":"nightly","MaxConcurrency":1000,"ToleratedFailureCount":1,"ToleratedFailurePercentagePath":"$.p",
           "ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key.$":"$.k"},
               "ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["a"],"CSVDelimiter":"TAB","MaxItemsPath":"$.n"}},
           "ItemBatcher":{"MaxItemsPerBatch":10,"MaxInputBytesPerBatch":262144,"BatchInput":{"a.$":"$.a"}},
           "ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b"},
               "WriterConfig":{"OutputType":"JSONL","Transformation":"FLATTEN"}}"#,
        expect!["ok"],
    );
    let inline = r#""Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"INLINE"},"StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#;
    check_state(
        &format!(
            r#"{inline},"Label":"l","ItemReader":{{}},"ItemBatcher":{{}},"ResultWriter":{{}},"ToleratedFailureCount":1"#
        ),
        expect![[r#"
            /States/S Field 'Label' is only supported for a Map state with 'DISTRIBUTED' mode
            /States/S Field 'ItemReader' is only supported for a Map state with 'DISTRIBUTED' mode
            /States/S Field 'ItemBatcher' is only supported for a Map state with 'DISTRIBUTED' mode
            /States/S Field 'ResultWriter' is only supported for a Map state with 'DISTRIBUTED' mode"#]],
    );
    check_state(
        r#""Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED"},"StartAt":"A","States":{"A":{"Type":"Succeed"}}}"#,
        expect!["/States/S/ItemProcessor/ProcessorConfig These fields are required: [ExecutionType]"],
    );
}

#[test]
fn a_label_is_a_part_of_a_name() {
    check_distributed(&format!(r#","Label":"{}""#, "l".repeat(40)), expect!["ok"]);
    check_distributed(
        &format!(r#","Label":"{}""#, "l".repeat(41)),
        expect!["/States/S/Label Label cannot exceed 40 characters"],
    );
    check_distributed(r#","Label":"""#, expect!["/States/S/Label Label cannot be empty"]);
    check_distributed(r#","Label":"a/b""#, expect!["/States/S/Label Label contains invalid character: '/'"]);
    check_distributed(
        r#","Label":"a\u0085b""#,
        expect![[r#"/States/S/Label Label contains invalid character: '\u{85}'"#]],
    );
    check_distributed(r#","Label":7"#, expect!["/States/S/Label Expected value of type [STRING]"]);
    let map = |name: &str, next: &str| {
        format!(
            r#""{name}":{{"Type":"Map","Label":"l",{next},"ItemProcessor":{{"ProcessorConfig":{{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"}},
               "StartAt":"{name}1","States":{{"{name}1":{{"Type":"Succeed"}}}}}}}}"#
        )
    };
    check(
        &machine(&format!("{},{}", map("S", r#""Next":"T""#), map("T", r#""End":true"#))),
        expect!["/States/T/Label Label must be unique in the state machine: 'l'"],
    );
}

#[test]
fn items_are_read_as_what_they_are() {
    let reader = |fields: &str| format!(r#","ItemReader":{{{fields}}}"#);
    check_distributed(
        &reader(""),
        expect![[r#"
        /States/S/ItemReader These fields are required: [Resource]
        /States/S/ItemReader These fields are required: [Parameters]"#]],
    );
    check_distributed(
        &reader(r#""Resource":"arn:aws:states:::s3:putObject","Parameters":{}"#),
        expect![
            "/States/S/ItemReader/Resource The resource provided arn:aws:states:::s3:putObject is not recognized. The value is not a valid resource ARN, or the resource is not available in this region."
        ],
    );
    let object = |config: &str| {
        reader(&format!(r#""Resource":"arn:aws:states:::s3:getObject","Parameters":{{}},"ReaderConfig":{{{config}}}"#))
    };
    check_distributed(&object(""), expect!["/States/S/ItemReader/ReaderConfig These fields are required: [InputType]"]);
    check_distributed(&object(r#""ManifestType":"S3_INVENTORY""#), expect!["ok"]);
    check_distributed(
        &object(r#""ManifestType":"S3_INVENTORY","InputType":"CSV""#),
        expect![
            "/States/S/ItemReader/ReaderConfig Field 'InputType' is not supported when 'ManifestType' is 'S3_INVENTORY'"
        ],
    );
    check_distributed(
        &object(r#""InputType":"XML","ManifestType":"NONE","Transformation":"LOAD""#),
        expect![[r#"
        /States/S/ItemReader/ReaderConfig/ManifestType Value should be one of the following: [ATHENA_DATA, S3_INVENTORY]
        /States/S/ItemReader/ReaderConfig/Transformation Value should be one of the following: [NONE, LOAD_AND_FLATTEN]
        /States/S/ItemReader/ReaderConfig/InputType Value should be one of the following: [CSV, JSON, JSONL, PARQUET, MANIFEST]"#]],
    );
    check_distributed(
        &object(r#""InputType":"JSON","CSVDelimiter":"COMMA","CSVHeaderLocation":"FIRST_ROW","CSVHeaders":["a"]"#),
        expect![[r#"
            /States/S/ItemReader/ReaderConfig Field 'CSVHeaders' is not supported when 'CSVHeaderLocation' is 'FIRST_ROW'
            /States/S/ItemReader/ReaderConfig Field 'CSVDelimiter' is only supported when 'InputType' is 'CSV'
            /States/S/ItemReader/ReaderConfig Field 'CSVHeaderLocation' is only supported when 'InputType' is 'CSV'
            /States/S/ItemReader/ReaderConfig Field 'CSVHeaders' is only supported when 'InputType' is 'CSV'"#]],
    );
    check_distributed(
        &object(r#""InputType":"CSV","CSVHeaderLocation":"GIVEN""#),
        expect!["/States/S/ItemReader/ReaderConfig These fields are required: [CSVHeaders]"],
    );
    check_distributed(
        &object(r#""InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":[1]"#),
        expect!["/States/S/ItemReader/ReaderConfig/CSVHeaders[0] Expected value of type [STRING]"],
    );
    check_distributed(
        &object(r#""InputType":"JSON","ItemsPointer":"a","MaxItems":1,"MaxItemsPath":"$.n""#),
        expect![[r#"
            /States/S/ItemReader/ReaderConfig Only one of these fields is allowed: [MaxItems, MaxItemsPath]
            /States/S/ItemReader/ReaderConfig The value for the field 'ItemsPointer' must be a valid JSON Pointer"#]],
    );
    check_distributed(
        &object(r#""InputType":"JSON","MaxItems":100000001"#),
        expect!["/States/S/ItemReader/ReaderConfig/MaxItems Maximum value is 100000000"],
    );
    let listing = |config: &str| {
        reader(&format!(
            r#""Resource":"arn:aws:states:::s3:listObjectsV2","Parameters":{{}},"ReaderConfig":{{{config}}}"#
        ))
    };
    check_distributed(&listing(r#""MaxItems":0"#), expect!["ok"]);
    check_distributed(
        &listing(r#""Transformation":"LOAD_AND_FLATTEN""#),
        expect!["/States/S/ItemReader/ReaderConfig These fields are required: [InputType]"],
    );
    check_distributed(&listing(r#""Transformation":"LOAD_AND_FLATTEN","InputType":"JSONL""#), expect!["ok"]);
    check_distributed(
        &reader(r#""Resource":"arn:aws:states:::s3:listObjectsV2","Arguments":{}"#),
        expect![
            "/States/S/ItemReader The QueryLanguage is set to 'JSONPath', but field 'Arguments' is only supported for the 'JSONata' QueryLanguage"
        ],
    );
}

#[test]
fn batches_and_thresholds_have_limits() {
    check_distributed(
        r#","ItemBatcher":{"MaxItemsPerBatch":0,"MaxInputBytesPerBatch":262145}"#,
        expect![[r#"
        /States/S/ItemBatcher/MaxItemsPerBatch Minimum value is 1
        /States/S/ItemBatcher/MaxInputBytesPerBatch Maximum value is 262144"#]],
    );
    check_distributed(
        r#","ItemBatcher":{"MaxItemsPerBatch":1,"MaxItemsPerBatchPath":"$.n","Size":1}"#,
        expect![[r#"
        /States/S/ItemBatcher Field 'Size' is not supported
        /States/S/ItemBatcher Only one of these fields is allowed: [MaxItemsPerBatch, MaxItemsPerBatchPath]"#]],
    );
    check_distributed(
        r#","ToleratedFailurePercentage":100.5"#,
        expect!["/States/S/ToleratedFailurePercentage Maximum value is 100.0"],
    );
    check_distributed(
        r#","ToleratedFailurePercentage":-1,"ToleratedFailureCount":-1"#,
        expect![[r#"
        /States/S/ToleratedFailureCount Minimum value is 0
        /States/S/ToleratedFailurePercentage Minimum value is 0.0"#]],
    );
    check_distributed(
        r#","ToleratedFailureCount":1,"ToleratedFailureCountPath":"$.n""#,
        expect!["/States/S Only one of these fields is allowed: [ToleratedFailureCount, ToleratedFailureCountPath]"],
    );
    check_distributed(
        r#","ToleratedFailureCountPath":"n""#,
        expect!["/States/S The value for the field 'ToleratedFailureCountPath' must be a valid Reference Path"],
    );
    check_distributed(
        r#","ItemBatcher":{"BatchInput":{}}"#,
        expect![
            "/States/S/ItemBatcher One of these fields is required: [MaxItemsPerBatch, MaxItemsPerBatchPath, MaxInputBytesPerBatch, MaxInputBytesPerBatchPath]"
        ],
    );
    check_distributed(
        r#","ItemReader":{"Resource":"arn:aws:states:::s3:listObjectsV2"}"#,
        expect!["/States/S/ItemReader These fields are required: [Parameters]"],
    );
    check_distributed(
        r#","ResultWriter":{"Resource":"arn:aws:states:::s3:putObject"}"#,
        expect!["/States/S/ResultWriter These fields are required: [Parameters]"],
    );
    check_distributed(
        r#","ResultWriter":{"Parameters":{"Bucket":"b"},"WriterConfig":{"OutputType":"JSON"}}"#,
        expect!["/States/S/ResultWriter These fields are required: [Resource]"],
    );
    check_distributed(r#","ResultWriter":{"WriterConfig":{}}"#, expect!["ok"]);
    check_distributed(
        r#","ResultWriter":{}"#,
        expect!["/States/S/ResultWriter One of these fields is required: [Resource, WriterConfig]"],
    );
    check_distributed(
        r#","ResultWriter":{"Resource":"arn:aws:states:::s3:getObject","WriterConfig":{"OutputType":"CSV","Transformation":"ALL"}}"#,
        expect![[r#"
            /States/S/ResultWriter/Resource The resource provided arn:aws:states:::s3:getObject is not recognized. The value is not a valid resource ARN, or the resource is not available in this region.
            /States/S/ResultWriter These fields are required: [Parameters]
            /States/S/ResultWriter/WriterConfig/OutputType Value should be one of the following: [JSON, JSONL]
            /States/S/ResultWriter/WriterConfig/Transformation Value should be one of the following: [NONE, COMPACT, FLATTEN]"#]],
    );
}

#[test]
fn variables_have_names() {
    check_state(r#""Type":"Pass","Assign":{"a":1,"été.$":"$.a","b2":{"c.$":"$x"}},"End":true"#, expect!["ok"]);
    check_state(r#""Type":"Pass","Assign":[],"End":true"#, expect!["/States/S/Assign Expected value of type [OBJECT]"]);
    check_state(
        r#""Type":"Pass","Assign":{"x.y":1,"x[1]":1,"1a":1,"":1,"a b":1,"states":1,"_a":1,"x-y.$":"$.a"},"End":true"#,
        expect![[r#"
            /States/S/Assign Variable name 'x.y' is not a valid identifier
            /States/S/Assign Variable name 'x[1]' is not a valid identifier
            /States/S/Assign Variable name '1a' is not a valid identifier
            /States/S/Assign Variable name '' is not a valid identifier
            /States/S/Assign Variable name 'a b' is not a valid identifier
            /States/S/Assign Variable name 'states' is reserved
            /States/S/Assign Variable name '_a' is not a valid identifier
            /States/S/Assign Variable name 'x-y' is not a valid identifier"#]],
    );
    check_state(
        &format!(r#""Type":"Pass","Assign":{{"{}":1,"{}":1}},"End":true"#, "v".repeat(80), "w".repeat(81)),
        expect![
            "/States/S/Assign Variable name 'wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww' exceeds the 80-character limit"
        ],
    );
    check_state(r#""Type":"Fail","Assign":{}"#, expect!["/States/S Field 'Assign' is not supported"]);
    check_state(r#""Type":"Succeed","Assign":{}"#, expect!["/States/S Field 'Assign' is not supported"]);
    check_rules(
        r#"{"Variable":"$a","IsNull":true,"Assign":{"b c":1},"Next":"D"}"#,
        expect!["/States/S/Choices[0]/Assign Variable name 'b c' is not a valid identifier"],
    );
    check_state(
        r#""Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true,
           "Catch":[{"ErrorEquals":["States.ALL"],"Assign":{"e.$":"$.Error","f.$":"nothing"},"Next":"S"}]"#,
        expect![
            "/States/S/Catch[0]/Assign The value for the field 'f.$' must be a valid JSONPath or a valid intrinsic function call"
        ],
    );
    check_state(
        r#""Type":"Pass","QueryLanguage":"JSONata","Assign":{"a.$":1},"End":true"#,
        expect!["/States/S/Assign Variable name 'a.$' is not a valid identifier"],
    );
}

#[test]
fn an_inner_scope_leaves_outer_variables_alone() {
    let machine = |mode: &str| {
        machine(&format!(
            r#""S":{{"Type":"Map","Next":"T","ItemProcessor":{{{mode}"StartAt":"A","States":{{
                 "A":{{"Type":"Pass","Assign":{{"x":1,"y":1}},"Next":"B"}},
                 "B":{{"Type":"Parallel","Branches":[
                     {{"StartAt":"C","States":{{"C":{{"Type":"Pass","Assign":{{"y":1,"z":1}},"End":true}}}}}},
                     {{"StartAt":"D","States":{{"D":{{"Type":"Pass","Assign":{{"z":1}},"End":true}}}}}}],"End":true}}}}}}}},
               "T":{{"Type":"Pass","Assign":{{"x":2}},"End":true}}"#
        ))
    };
    check(
        &machine(""),
        expect![[r#"
        /States/S/ItemProcessor/States/A/Assign Variable 'x' is already assigned in an outer scope
        /States/S/ItemProcessor/States/B/Branches[0]/States/C/Assign Variable 'y' is already assigned in an outer scope"#]],
    );
    check(
        &machine(r#""ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"#),
        expect![
            "/States/S/ItemProcessor/States/B/Branches[0]/States/C/Assign Variable 'y' is already assigned in an outer scope"
        ],
    );
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    check_state(
        r#""Type":"Pass","Parameters":{"a":"$.b","c":["$$.x",{"d":"States.UUID()"}],"e":"$5","f":"costs $x","g.$":"$.g"},
           "Result":{"a.$":"$.b","c":"$.d"},"End":true"#,
        expect![[r#"
            /States/S/Parameters/a warning NO_DOLLAR No '.$' on the field 'a', whose value appears to be a JSONPath or an intrinsic function
            /States/S/Parameters/c[1]/d warning NO_DOLLAR No '.$' on the field 'd', whose value appears to be a JSONPath or an intrinsic function
            /States/S/Result/a.$ warning PASS_RESULT_IS_STATIC The field 'a.$' is not evaluated: the 'Result' of a Pass state is static"#]],
    );
    check_state(
        r#""Type":"Fail","Error":"$.error","Cause":"costs $5""#,
        expect![
            "/States/S/Error warning NO_PATH The value of the field 'Error' looks like a path, but the field is not 'ErrorPath'"
        ],
    );
    check_rules(
        r#"{"Variable":"$.a","StringEquals":"$.b","Next":"D"}"#,
        expect![
            "/States/S/Choices[0]/StringEquals warning NO_PATH The value of the field 'StringEquals' looks like a path, but the field is not 'StringEqualsPath'"
        ],
    );
    check_state(r#""Type":"Pass","QueryLanguage":"JSONata","Output":{"a":"$.b"},"End":true"#, expect!["ok"]);
}

#[test]
fn an_expression_looks_for_what_is_there() {
    let jsonata = |states: &str| format!(r#"{{"QueryLanguage":"JSONata","StartAt":"S","States":{{{states}}}}}"#);
    check(
        &jsonata(r#""S":{"Type":"Pass","Output":{"v":"{% phone %}","w":["{% $$.a %}"],"x":"{% $ %}"},"End":true}"#),
        expect![[r#"
            /States/S/Output/v UNSUPPORTED_JSONATA_EXPRESSION Reference to 'phone' at the top level is not supported.
            /States/S/Output/w[0] UNSUPPORTED_JSONATA_EXPRESSION Reference to '$$' is not supported.
            /States/S/Output/x UNSUPPORTED_JSONATA_EXPRESSION Reference to '$' at the top level is not supported."#]],
    );
    check(
        &jsonata(
            r#""S":{"Type":"Pass","Output":"{% $states.result %}","Assign":{"a":"{% $states.errorOutput %}","b":"{% $states.inputs %}"},"End":true}"#,
        ),
        expect![[r#"
            /States/S/Output UNSUPPORTED_JSONATA_EXPRESSION Field '$states.result' does not exist.
            /States/S/Assign/a UNSUPPORTED_JSONATA_EXPRESSION Field '$states.errorOutput' does not exist.
            /States/S/Assign/b UNSUPPORTED_JSONATA_EXPRESSION Field '$states.inputs' does not exist."#]],
    );
    check(
        &jsonata(
            r#""S":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Arguments":"{% $states.result %}","TimeoutSeconds":"{% $states.result %}",
                "Output":"{% $states.result %}","Assign":{"a":"{% $states.result & $states.errorOutput %}"},"End":true,
                "Catch":[{"ErrorEquals":["E"],"Output":"{% $states.errorOutput %}","Assign":{"b":"{% $states.result %}"},"Next":"S"}]}"#,
        ),
        expect![[r#"
            /States/S/Assign/a UNSUPPORTED_JSONATA_EXPRESSION Field '$states.errorOutput' does not exist.
            /States/S/Arguments UNSUPPORTED_JSONATA_EXPRESSION Field '$states.result' does not exist.
            /States/S/TimeoutSeconds UNSUPPORTED_JSONATA_EXPRESSION Field '$states.result' does not exist.
            /States/S/Catch[0]/Assign/b UNSUPPORTED_JSONATA_EXPRESSION Field '$states.result' does not exist."#]],
    );
    check(
        &jsonata(
            r#""S":{"Type":"Choice","Choices":[{"Condition":"{% $states.result %}","Next":"D"}],"Default":"D"},"D":{"Type":"Succeed","Output":"{% a %}"}"#,
        ),
        expect![[r#"
            /States/S/Choices[0]/Condition UNSUPPORTED_JSONATA_EXPRESSION Field '$states.result' does not exist.
            /States/D/Output UNSUPPORTED_JSONATA_EXPRESSION Reference to 'a' at the top level is not supported."#]],
    );
    check(
        r#"{"QueryLanguage":"JSONata","TimeoutSeconds":"{% $states.input.t %}","StartAt":"S","States":{"S":{"Type":"Succeed"}}}"#,
        expect!["/TimeoutSeconds UNSUPPORTED_JSONATA_EXPRESSION Field '$states.input' does not exist."],
    );
}

#[test]
fn an_expression_is_one() {
    let output = |text: &str| {
        format!(
            r#"{{"QueryLanguage":"JSONata","StartAt":"S","States":{{"S":{{"Type":"Succeed","Output":{{"a":["{text}"]}}}}}}}}"#
        )
    };
    check(
        &output("{% 1 + %}"),
        expect!["/States/S/Output/a[0] INVALID_JSONATA_EXPRESSION Unexpected end of expression"],
    );
    check(
        r#"{"QueryLanguage":"JSONata","StartAt":"S","States":{"S":{"Type":"Succeed","Output":[1,["{% ( %}"]]}}}"#,
        expect![[r#"/States/S/Output[1][0] INVALID_JSONATA_EXPRESSION Expected ")" before end of expression"#]],
    );
    check(&output("{% %}"), expect!["/States/S/Output/a[0] INVALID_JSONATA_EXPRESSION Unexpected end of expression"]);
    check(&output(" {% 1 + %}"), expect!["ok"]);
    check(&output("{% 1 +"), expect!["ok"]);
    check(
        r#"{"QueryLanguage":"JSONata","StartAt":"S","States":{"S":{"Type":"Wait","Seconds":" {% 1 %}","Next":"T"},
            "T":{"Type":"Map","Items":"all","MaxConcurrency":"1","ToleratedFailureCount":"{% 1","ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Succeed"}}},"End":true}}}"#,
        expect![[r#"
            /States/S/Seconds Expected value of type [INTEGER]
            /States/T/Items Expected value of type [ARRAY]
            /States/T/MaxConcurrency Expected value of type [INTEGER]
            /States/T/ToleratedFailureCount Expected value of type [INTEGER]"#]],
    );
}

#[test]
fn the_variables_that_states_look_at_are_known() {
    let text = r#"{"StartAt":"S","States":{
        "S":{"Type":"Pass","InputPath":"$a.b","Parameters":{"c.$":"States.Format('{}{}', $c, $.c)"},"OutputPath":"$","Assign":{"q.$":"$z"},"Next":"C"},
        "C":{"Type":"Choice","Choices":[{"And":[{"Variable":"$d","NumericEqualsPath":"$e"}],"Next":"M"}],"Default":"W"},
        "M":{"Type":"Map","ItemsPath":"$f","MaxConcurrencyPath":"$g","ItemProcessor":{"StartAt":"I","States":{
            "I":{"Type":"Pass","QueryLanguage":"JSONata","Output":"{% $h & $states.input & ($i := 1; $i) %}","End":true}}},"Next":"W"},
        "W":{"Type":"Wait","SecondsPath":"$j","Next":"F"},
        "F":{"Type":"Fail","ErrorPath":"$k","CausePath":"States.JsonToString($l)"}}}"#;
    let machine = asl::parse(text, MachineKind::Standard).machine.expect("valid");
    let lines: Vec<String> =
        machine.variable_references().iter().map(|(state, names)| format!("{state} {names:?}")).collect();
    expect![[r#"
        C {"d", "e"}
        F {"k", "l"}
        I {"h"}
        M {"f", "g"}
        S {"a", "c", "z"}
        W {"j"}"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_state_in_jsonata_has_its_own_fields() {
    check(
        r#"{"QueryLanguage":"JSONata","TimeoutSeconds":9,"StartAt":"S","States":{
            "S":{"Type":"Task","Resource":"arn:aws:states:::ssm:sendCommand.sync","Arguments":{"a.$":"$.b"," c":" {% 1 %}"},"TimeoutSeconds":5,
                 "Credentials":{"RoleArn":"r"},"Retry":[{"ErrorEquals":["E"]}],"Output":[1,{"a":"{%"}],
                 "Catch":[{"ErrorEquals":["States.ALL"],"Output":{"x":1},"Next":"C"}],"Next":"M"},
            "M":{"Type":"Map","Items":[1],"ItemSelector":1,"MaxConcurrency":2,"ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass","Output":1,"End":true}}},"Next":"P"},
            "P":{"Type":"Parallel","Arguments":1,"Branches":[{"StartAt":"B","States":{"B":{"Type":"Succeed","Output":null}}}],"Next":"W"},
            "W":{"Type":"Wait","Timestamp":"2026-01-01T00:00:00Z","Output":"s","Next":"C"},
            "C":{"Type":"Choice","Choices":[{"Condition":true,"Next":"E","Output":1}],"Default":"E","Output":2},
            "E":{"Type":"Fail","Error":"e","Cause":" {% 'c' %}"}}}"#,
        expect!["ok"],
    );
    check_state(
        r#""Type":"Pass","QueryLanguage":"JSONata","Output":1,"InputPath":"$","Next":"X""#,
        expect![[r#"
        /States/S The QueryLanguage is set to 'JSONata', but field 'InputPath' is only supported for the 'JSONPath' QueryLanguage
        /States/S/Next MISSING_TRANSITION_TARGET Missing 'Next' target: X
        null MISSING_END_STATE Workflow has no terminal state"#]],
    );
    check_state(
        r#""Type":"Pass","Output":"{% 1 %}","End":true"#,
        expect![
            "/States/S The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage"
        ],
    );
    check_state(
        r#""Type":"Map","QueryLanguage":"JSONata","Items":1,"Iterator":{"StartAt":"A","States":{"A":{"Type":"Succeed"}}},"End":true"#,
        expect!["/States/S/Items Expected value of type [ARRAY]"],
    );
    check_state(
        r#""Type":"Map","QueryLanguage":"JSONata","Items":{},"Iterator":{"StartAt":"A","States":{"A":{"Type":"Succeed"}}},"End":true"#,
        expect!["ok"],
    );
}

#[test]
fn a_rule_in_jsonata_has_a_condition() {
    let rules = |rules: &str| {
        machine(&format!(
            r#""S":{{"Type":"Choice","QueryLanguage":"JSONata","Choices":[{rules}],"Default":"D"}},"D":{{"Type":"Succeed"}}"#
        ))
    };
    check(&rules(r#"{"Condition":false,"Comment":"c","Next":"D"}"#), expect!["ok"]);
    check(
        &rules(r#"{"Variable":"$.a","IsNull":true,"Next":"D"}"#),
        expect![[r#"
        /States/S/Choices[0] The QueryLanguage is set to 'JSONata', but field 'Variable' is only supported for the 'JSONPath' QueryLanguage
        /States/S/Choices[0] The QueryLanguage is set to 'JSONata', but field 'IsNull' is only supported for the 'JSONPath' QueryLanguage
        /States/S/Choices[0] These fields are required: [Condition]"#]],
    );
    check_rules(
        r#"{"Condition":true,"Next":"D"}"#,
        expect![[r#"
        /States/S/Choices[0] The QueryLanguage is set to 'JSONPath', but field 'Condition' is only supported for the 'JSONata' QueryLanguage
        /States/S/Choices[0] A comparison operator is required"#]],
    );
}

#[test]
fn an_expression_stands_wherever_a_value_does() {
    check(
        r#"{"QueryLanguage":"JSONata","TimeoutSeconds":"{% 1 %}","StartAt":"S","States":{
            "S":{"Type":"Wait","Seconds":"{% 1 %}","Output":{"a":[1,{"b":"{% 1 %}"}]},"Next":"T"},
            "T":{"Type":"Task","Resource":"arn:aws:states:::ssm:sendCommand.sync","Arguments":"{% $states.input %}","TimeoutSeconds":"{% 1 %}",
                 "HeartbeatSeconds":"{% 1 %}","Credentials":{"RoleArn":"{% 'r' %}"},"Catch":[{"ErrorEquals":["States.ALL"],"Output":"{% 1 %}","Next":"C"}],"Next":"M"},
            "M":{"Type":"Map","Items":"{% [] %}","ItemSelector":["{% 1 %}"],"MaxConcurrency":"{% 1 %}",
                 "ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass","Output":"{% 1 %}","End":true}}},"Next":"W"},
            "W":{"Type":"Wait","Timestamp":"{% 1 %}","Next":"C"},
            "C":{"Type":"Choice","Choices":[{"Condition":"{% true %}","Next":"E","Output":"{% 1 %}"}],"Default":"E"},
            "E":{"Type":"Fail","Error":"{% 'e' %}","Cause":"{% 'c' %}"}}}"#,
        expect!["ok"],
    );
}

#[test]
fn a_machine_in_jsonata_has_no_states_in_jsonpath() {
    check_state(
        r#""Type":"Pass","QueryLanguage":"SQL","End":true"#,
        expect!["/States/S/QueryLanguage Value should be one of the following: [JSONPath, JSONata]"],
    );
    check(
        r#"{"StartAt":"Pass","States":{"Pass":{"Type":"Pass","End":true,"QueryLanguage":"JSONPath"}},"QueryLanguage":"JSONata"}"#,
        expect!["/States/Pass 'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"],
    );
    // What a state holds is in the machine's language, not in the state's.
    check_state(
        r#""Type":"Map","QueryLanguage":"JSONata","ItemProcessor":{"StartAt":"A","States":{"A":{"Type":"Pass","InputPath":"$","End":true}}},"End":true"#,
        expect!["ok"],
    );
}
