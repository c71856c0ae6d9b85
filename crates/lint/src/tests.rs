use expect_test::{Expect, expect};

use crate::lint;

/// The findings in a machine with these states; the first named `A`.
fn check(states: &str, expected: Expect) {
    let definition = format!(r#"{{"StartAt":"A","States":{{{states}}}}}"#);
    let parsed = asl::parse(&definition, asl::MachineKind::Standard);
    let machine = parsed.machine.unwrap_or_else(|| panic!("a valid definition: {:?}", parsed.diagnostics));
    let findings = lint(&machine);
    let lines = findings.iter().map(|it| format!("{} {} {:?}\n", it.at, it.doubt.code(), it.doubt));
    expected.assert_eq(&lines.collect::<String>());
}

const END: &str = r#""Z":{"Type":"Succeed"}"#;

#[test]
fn a_choice_should_have_a_default() {
    check(
        &format!(r#""A":{{"Type":"Choice","Choices":[{{"Variable":"$.x","NumericEquals":1,"Next":"Z"}}]}},{END}"#),
        expect![[r#"
            /States/A CHOICE_WITHOUT_DEFAULT ChoiceWithoutDefault
        "#]],
    );
}

#[test]
fn errors_that_never_come() {
    let task = |handlers: &str| {
        format!(r#""A":{{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true,{handlers}}},{END}"#)
    };
    check(
        &task(
            r#""Catch":[{"ErrorEquals":["Boom","States.Runtime"],"Next":"Z"},{"ErrorEquals":["States.TaskFailed"],"Next":"Z"},
               {"ErrorEquals":["Boom","States.Timeout"],"Next":"Z"},{"ErrorEquals":["States.HeartbeatTimeout","Lambda.Unknown"],"Next":"Z"}]"#,
        ),
        expect![[r#"
            /States/A/Catch[0]/ErrorEquals[1] ERROR_NEVER_MATCHES NeverMatches { error: "States.Runtime", because: NeverHandled }
            /States/A/Catch[2]/ErrorEquals[0] ERROR_NEVER_MATCHES NeverMatches { error: "Boom", because: Earlier }
            /States/A/Catch[3]/ErrorEquals[0] ERROR_NEVER_MATCHES NeverMatches { error: "States.HeartbeatTimeout", because: NeverRaised }
            /States/A/Catch[3]/ErrorEquals[1] ERROR_NEVER_MATCHES NeverMatches { error: "Lambda.Unknown", because: Earlier }
        "#]],
    );
}

#[test]
fn what_only_a_dead_catch_leads_to_is_unreachable() {
    check(
        r#""A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true,"Catch":[{"ErrorEquals":["States.Runtime"],"Next":"B"}]},
           "B":{"Type":"Pass","Next":"Z"},"Z":{"Type":"Succeed"}"#,
        expect![[r#"
            /States/A/Catch[0]/ErrorEquals[0] ERROR_NEVER_MATCHES NeverMatches { error: "States.Runtime", because: NeverHandled }
            /States/B STATE_UNREACHABLE Unreachable
            /States/Z STATE_UNREACHABLE Unreachable
        "#]],
    );
}

#[test]
fn a_retry_may_do_the_work_twice() {
    let task = |resource: &str, parameters: &str, errors: &str| {
        format!(
            r#""A":{{"Type":"Task","Resource":"arn:aws:states:::{resource}","Parameters":{parameters},"End":true,
               "Retry":[{{"ErrorEquals":[{errors}]}}]}}"#
        )
    };
    check(
        &task("sqs:sendMessage", "{}", r#""States.Timeout","Mine""#),
        expect![[r#"
        /States/A/Retry[0]/ErrorEquals[0] RETRY_MAY_REPEAT RetryMayRepeat { resource: "arn:aws:states:::sqs:sendMessage", error: "States.Timeout" }
    "#]],
    );
    check(&task("states:startExecution.sync:2", r#"{"Name.$":"$.name"}"#, r#""States.ALL""#), expect![[""]]);
    check(&task("lambda:invoke", "{}", r#""States.ALL""#), expect![[""]]);
}

#[test]
fn paths_that_nobody_writes() {
    check(
        r#""A":{"Type":"Pass","Parameters":{"n":1,"in.$":"$.whatever"},"Next":"B"},
           "B":{"Type":"Choice","Choices":[{"Variable":"$.m","NumericEquals":1,"Next":"C"},{"Variable":"$.p","IsPresent":true,"Next":"C"},
                {"And":[{"Variable":"$.q.r","IsPresent":true},{"Variable":"$.q.r","NumericEquals":2}],"Next":"C"},
                {"Variable":"$.in.deep","NumericEquals":1,"Next":"C"}],"Default":"D"},
           "C":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"x.$":"States.Format('{}', $.gone)","y.$":"$.n"},"ResultPath":"$.result","Next":"D"},
           "D":{"Type":"Pass","InputPath":"$.result.x","Next":"E"},
           "E":{"Type":"Wait","SecondsPath":"$.wait","Next":"Z"},"Z":{"Type":"Succeed"}"#,
        expect![[r#"
            /States/B/Choices[0] PATH_NEVER_WRITTEN NeverWritten { path: "$.m" }
            /States/C/Parameters PATH_NEVER_WRITTEN NeverWritten { path: "$.gone" }
        "#]],
    );
}

#[test]
fn loops_and_branches_are_followed() {
    check(
        r#""A":{"Type":"Pass","Result":{"count":0},"Next":"B"},
           "B":{"Type":"Pass","Parameters":{"count.$":"States.MathAdd($.count, 1)","last.$":"$.item"},"Next":"C"},
           "C":{"Type":"Choice","Choices":[{"Variable":"$.count","NumericLessThan":3,"Next":"D"}],"Default":"P"},
           "D":{"Type":"Pass","Result":1,"ResultPath":"$.item","Next":"B"},
           "P":{"Type":"Parallel","Next":"M","Branches":[{"StartAt":"L","States":{"L":{"Type":"Pass","InputPath":"$.none","End":true}}}]},
           "M":{"Type":"Map","ItemSelector":{"v.$":"$$.Map.Item.Value"},"End":true,
                "ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass","InputPath":"$.w","End":true}}}}"#,
        expect![[r#"
            /States/M/ItemProcessor/States/I/InputPath PATH_NEVER_WRITTEN NeverWritten { path: "$.w" }
            /States/P/Branches[0]/States/L/InputPath PATH_NEVER_WRITTEN NeverWritten { path: "$.none" }
        "#]],
    );
}
