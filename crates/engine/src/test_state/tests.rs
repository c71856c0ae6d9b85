//! A state and a test of it in, what came of it out.

use asl::parse_state;
use base::{Json, Timestamp};
use expect_test::{Expect, expect};

use super::{Inspection, Next, Outcome, Test, Tested, begin};
use crate::Failure;

/// `spec`: input, and maybe result, failure, answer (what a called task gives), retries, failed, read, variables.
#[track_caller]
fn check(state: &str, spec: &str, expected: Expect) {
    let spec = Json::parse(spec).expect("JSON");
    let test = test(state, &spec);
    let mut out = String::new();
    let tested = match begin(&test, Timestamp(0), 7) {
        Err(refusal) => return expected.assert_eq(&format!("refused: {refusal}")),
        Ok(Next::Over(tested)) => *tested,
        Ok(Next::Wait { trial, due }) => {
            out += &format!("wait until {}\n", due.0);
            trial.wait_over(Ok(()))
        }
        Ok(Next::Call { trial, call }) => {
            out += &format!("call {} {} timeout {:?}\n", call.resource.arn(), call.parameters, call.timeout_seconds);
            trial.task_over(
                failure(spec.get("error")).map_or_else(|| Ok(spec.get("answer").cloned().unwrap_or_default()), Err),
            )
        }
    };
    expected.assert_eq(&(out + &show(&tested)));
}

fn test(state: &str, spec: &Json) -> Test {
    let lone = parse_state(state, None).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let number = |name| spec.get(name).and_then(Json::as_i64).map(i64::unsigned_abs);
    let mock = spec.get("result").cloned().map(Ok).or_else(|| failure(spec.get("failure")).map(Err));
    Test {
        state: lone.state,
        input: spec.get("input").cloned().unwrap_or_default(),
        context: Json::object([("State", Json::object([("Name", Json::from("S"))]))]),
        variables: spec.get("variables").cloned().unwrap_or_else(Json::empty_object),
        mock,
        retries: number("retries").map_or(0, |retries| u32::try_from(retries).expect("few")),
        failed_iterations: number("failed"),
        read: spec.get("read").cloned(),
        payload_bytes_max: 100,
    }
}

fn failure(json: Option<&Json>) -> Option<Failure> {
    Some(Failure::new(json?.as_str()?, "why"))
}

fn show(tested: &Tested) -> String {
    let failed = |failure: &Failure| {
        format!("{}: {}", failure.error.as_deref().unwrap_or("-"), failure.cause.as_deref().unwrap_or("-"))
    };
    let outcome = match &tested.outcome {
        Outcome::Succeeded { output, next } => format!("succeeded {output} -> {}", next.as_deref().unwrap_or("end")),
        Outcome::Failed { failure } => format!("failed {}", failed(failure)),
        Outcome::Retriable { failure } => format!("retriable {}", failed(failure)),
        Outcome::Caught { failure, output, next } => format!("caught {} {output} -> {next}", failed(failure)),
    };
    format!("{outcome}\n{}", show_seen(&tested.seen))
}

fn show_seen(seen: &Inspection) -> String {
    let Inspection {
        input,
        after_arguments,
        after_input_path,
        after_parameters,
        after_items_path,
        after_item_selector,
        max_concurrency,
        tolerated_failure_count,
        tolerated_failure_percentage,
        result,
        after_result_selector,
        after_result_path,
        variables,
        catch_index,
        retry_index,
        retry_backoff_seconds,
    } = seen;
    let number = |number: &Option<u32>| number.map(|number| Json::from(u64::from(number)));
    let all = [
        ("input", Some(input.clone())),
        ("arguments", after_arguments.clone()),
        ("input path", after_input_path.clone()),
        ("parameters", after_parameters.clone()),
        ("items path", after_items_path.clone()),
        ("item selector", after_item_selector.clone()),
        ("concurrency", max_concurrency.map(Json::from)),
        ("tolerated", tolerated_failure_count.map(Json::from)),
        ("tolerated share", tolerated_failure_percentage.map(Json::from)),
        ("result", result.clone()),
        ("result selector", after_result_selector.clone()),
        ("result path", after_result_path.clone()),
        ("variables", variables.clone()),
        ("catch", number(catch_index)),
        ("retry", number(retry_index)),
        ("backoff", retry_backoff_seconds.map(Json::from)),
    ];
    all.into_iter().filter_map(|(name, value)| Some(format!("  {name} {}\n", value?))).collect()
}

const TASK: &str = r#"{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:ssm:sendCommand","InputPath":"$.i","Parameters":{"p.$":"$.x"},
    "ResultSelector":{"s.$":"$.r","state.$":"$$.State.Name"},"ResultPath":"$.o","OutputPath":"$.o","TimeoutSeconds":9,"Next":"N",
    "Retry":[{"ErrorEquals":["R"],"IntervalSeconds":2,"MaxAttempts":3,"MaxDelaySeconds":7}],
    "Catch":[{"ErrorEquals":["C"],"ResultPath":"$.e","Next":"H"},{"ErrorEquals":["States.ALL"],"Next":"A"}]}"#;

#[test]
fn a_pass_is_seen_at_every_station() {
    let pass = r#"{"Type":"Pass","InputPath":"$.i","Parameters":{"p.$":"$.x"},"ResultPath":"$.o","Next":"N"}"#;
    check(
        pass,
        r#"{"input":{"i":{"x":1}}}"#,
        expect![[r#"
        succeeded {"i":{"x":1},"o":{"p":1}} -> N
          input {"i":{"x":1}}
          input path {"x":1}
          parameters {"p":1}
          result selector {"p":1}
          result path {"i":{"x":1},"o":{"p":1}}
    "#]],
    );
    check(
        &pass.replace(r#""Next""#, r#""Result":7,"Next""#),
        r#"{"input":{"i":{"x":1}}}"#,
        expect![[r#"
        succeeded {"i":{"x":1},"o":7} -> N
          input {"i":{"x":1}}
          result 7
          result selector 7
          result path {"i":{"x":1},"o":7}
    "#]],
    );
    check(
        pass,
        r#"{"input":{"i":{}}}"#,
        expect![[r#"
        failed States.Runtime: The JSONPath '$.x' specified for the field 'p.$' could not be found in the input '{}'
          input {"i":{}}
          input path {}
    "#]],
    );
    check(
        r#"{"Type":"Pass","Parameters":{"v.$":"$v.x"},"End":true}"#,
        r#"{"input":1,"variables":{"v":{"x":2}}}"#,
        expect![[r#"
        succeeded {"v":2} -> end
          input 1
          input path 1
          parameters {"v":2}
          result selector {"v":2}
          result path {"v":2}
          variables {"v":{"x":2}}
    "#]],
    );
    check(
        r#"{"Type":"Pass","QueryLanguage":"JSONata","Output":[1],"End":true}"#,
        r#"{"input":0}"#,
        expect![[r#"
        succeeded [1] -> end
          input 0
    "#]],
    );
}

#[test]
fn states_that_only_lead_on() {
    check(
        r#"{"Type":"Succeed","OutputPath":"$.a"}"#,
        r#"{"input":{"a":1}}"#,
        expect![[r#"
        succeeded 1 -> end
          input {"a":1}
          input path {"a":1}
    "#]],
    );
    check(
        r#"{"Type":"Fail","Error":"E","CausePath":"$.c"}"#,
        r#"{"input":{"c":"why"}}"#,
        expect![[r#"
        failed E: why
          input {"c":"why"}
          input path {"c":"why"}
    "#]],
    );
    check(
        r#"{"Type":"Wait","SecondsPath":"$.s","Next":"N"}"#,
        r#"{"input":{"s":3}}"#,
        expect![[r#"
        wait until 3000
        succeeded {"s":3} -> N
          input {"s":3}
          input path {"s":3}
    "#]],
    );
    check(
        r#"{"Type":"Wait","Seconds":0,"Next":"N"}"#,
        r#"{"input":1}"#,
        expect![[r#"
        succeeded 1 -> N
          input 1
          input path 1
    "#]],
    );
    let choice = r#"{"Type":"Choice","Choices":[{"Variable":"$.a","NumericEquals":1,"Next":"One"}]}"#;
    check(
        choice,
        r#"{"input":{"a":1}}"#,
        expect![[r#"
        succeeded {"a":1} -> One
          input {"a":1}
          input path {"a":1}
    "#]],
    );
    check(
        choice,
        r#"{"input":{"a":2}}"#,
        expect![[r#"
        failed States.Runtime: Failed to transition out of the state. The state does not point to a next state.
          input {"a":2}
          input path {"a":2}
    "#]],
    );
    check(
        r#"{"Type":"Choice","QueryLanguage":"JSONata","Choices":[{"Condition":true,"Output":"o","Next":"One"}]}"#,
        r#"{"input":1}"#,
        expect![[r#"
        succeeded "o" -> One
          input 1
    "#]],
    );
}

#[test]
fn a_task_is_called_or_mocked() {
    check(
        TASK,
        r#"{"input":{"i":{"x":1}},"answer":{"r":2}}"#,
        expect![[r#"
        call arn:aws:states:::aws-sdk:ssm:sendCommand {"p":1} timeout Some(9)
        succeeded {"s":2,"state":"S"} -> N
          input {"i":{"x":1}}
          input path {"x":1}
          parameters {"p":1}
          result {"r":2}
          result selector {"s":2,"state":"S"}
          result path {"i":{"x":1},"o":{"s":2,"state":"S"}}
    "#]],
    );
    check(
        TASK,
        r#"{"input":{"i":{"x":1}},"result":{"r":2}}"#,
        expect![[r#"
        succeeded {"s":2,"state":"S"} -> N
          input {"i":{"x":1}}
          input path {"x":1}
          parameters {"p":1}
          result {"r":2}
          result selector {"s":2,"state":"S"}
          result path {"i":{"x":1},"o":{"s":2,"state":"S"}}
    "#]],
    );
    check(
        TASK,
        r#"{"input":{"i":{"x":1}},"error":"C"}"#,
        expect![[r#"
        call arn:aws:states:::aws-sdk:ssm:sendCommand {"p":1} timeout Some(9)
        caught C: why {"i":{"x":1},"e":{"Error":"C","Cause":"why"}} -> H
          input {"i":{"x":1}}
          input path {"x":1}
          parameters {"p":1}
          catch 0
    "#]],
    );
}

#[test]
fn what_handles_a_failure_is_told_and_not_done() {
    check(
        TASK,
        r#"{"input":{"i":{"x":1}},"failure":"R"}"#,
        expect![[r#"
        retriable R: why
          input {"i":{"x":1}}
          input path {"x":1}
          parameters {"p":1}
          retry 0
          backoff 2
    "#]],
    );
    check(
        TASK,
        r#"{"input":{"i":{"x":1}},"failure":"R","retries":2}"#,
        expect![[r#"
        retriable R: why
          input {"i":{"x":1}}
          input path {"x":1}
          parameters {"p":1}
          retry 0
          backoff 7
    "#]],
    );
    check(
        TASK,
        r#"{"input":{"i":{"x":1}},"failure":"R","retries":3}"#,
        expect![[r#"
        caught R: why {"Error":"R","Cause":"why"} -> A
          input {"i":{"x":1}}
          input path {"x":1}
          parameters {"p":1}
          catch 1
          retry 0
    "#]],
    );
    check(
        TASK,
        r#"{"input":{"i":{"x":1}},"failure":"C"}"#,
        expect![[r#"
        caught C: why {"i":{"x":1},"e":{"Error":"C","Cause":"why"}} -> H
          input {"i":{"x":1}}
          input path {"x":1}
          parameters {"p":1}
          catch 0
    "#]],
    );
    check(
        TASK,
        r#"{"input":{"i":{"x":1}},"failure":"States.Runtime"}"#,
        expect![[r#"
        failed States.Runtime: why
          input {"i":{"x":1}}
          input path {"x":1}
          parameters {"p":1}
    "#]],
    );
}

#[test]
fn a_mock_stands_for_branches_and_iterations() {
    let parallel = r#"{"Type":"Parallel","InputPath":"$.i","ResultPath":"$.o","End":true,"Branches":[{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}]}"#;
    check(
        parallel,
        r#"{"input":{"i":1},"result":[2]}"#,
        expect![[r#"
        succeeded {"i":1,"o":[2]} -> end
          input {"i":1}
          result selector [2]
          result path {"i":1,"o":[2]}
    "#]],
    );
    let map = r#"{"Type":"Map","ItemsPath":"$.l","ItemSelector":{"v.$":"$$.Map.Item.Value","n.$":"$$.State.Name"},"MaxConcurrency":2,"End":true,
        "ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Succeed"}}}}"#;
    check(
        map,
        r#"{"input":{"l":[1,2]},"result":[3,4],"failed":2}"#,
        expect![[r#"
        succeeded [3,4] -> end
          input {"l":[1,2]}
          input path {"l":[1,2]}
          items path [1,2]
          item selector [{"v":1,"n":"S"},{"v":2,"n":"S"}]
          concurrency 2
          result selector [3,4]
          result path [3,4]
    "#]],
    );
    check(
        map,
        r#"{"input":{"l":[1,2]},"failure":"E"}"#,
        expect![[r#"
        failed E: why
          input {"l":[1,2]}
          input path {"l":[1,2]}
          items path [1,2]
          item selector [{"v":1,"n":"S"},{"v":2,"n":"S"}]
          concurrency 2
    "#]],
    );
    check(
        map,
        r#"{"input":{"l":1},"result":[]}"#,
        expect![[r#"
        failed States.Runtime: Reference path "$.l" must point to array.
          input {"l":1}
          input path {"l":1}
          concurrency 2
    "#]],
    );
}

#[test]
fn a_test_that_contradicts_its_state_is_refused() {
    let parallel = r#"{"Type":"Parallel","End":true,"Branches":[{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}]}"#;
    let map = r#"{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Succeed"}}}}"#;
    check(
        parallel,
        r#"{"result":[1,2]}"#,
        expect!["refused: Mocked result must contain the same number of items as number of Parallel branches."],
    );
    check(parallel, r#"{"result":{}}"#, expect!["refused: Mocked result must be an array."]);
    check(
        parallel,
        "{}",
        expect![
            "refused: TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]"
        ],
    );
    check(
        map,
        "{}",
        expect![
            "refused: TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]"
        ],
    );
    check(
        map,
        r#"{"failed":1}"#,
        expect!["refused: TestState does not support MapIterationFailureCount when a mock is not specified."],
    );
    check(map, r#"{"result":1}"#, expect!["refused: Mocked result must be an array."]);
    let writing = r#"{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"I","States":{"I":{"Type":"Succeed"}}},"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b"}}}"#;
    check(writing, r#"{"result":[1]}"#, expect!["refused: Mocked result must be a JSON object."]);
    check(
        map,
        r#"{"result":[1],"failed":2}"#,
        expect!["refused: Map iteration failure count must be less than or equal to the number of Map iterations"],
    );
    check(
        r#"{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true,"Next":"X"}]}"#,
        r#"{"result":1}"#,
        expect!["refused: State type 'Choice' is not supported when a mock is specified"],
    );
    check(
        r#"{"Type":"Task","Resource":"arn:aws:states:::ssm:sendCommand.sync","End":true}"#,
        "{}",
        expect![
            "refused: TestState API does not support activities and the service integration patterns '.sync' and '.waitForTaskToken' when a mock is not specified"
        ],
    );
}

#[test]
fn an_output_has_an_end() {
    let input = "x".repeat(99);
    check(
        r#"{"Type":"Succeed"}"#,
        &format!(r#"{{"input":"{input}"}}"#),
        expect![[r#"
        failed States.DataLimitExceeded: The state/task 'StateName' returned a result with a size exceeding the maximum number of bytes service limit.
          input "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
          input path "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    "#]],
    );
}

#[test]
fn jsonata_shows_its_arguments_and_what_it_assigned() {
    let task = r#"{"Type":"Task","QueryLanguage":"JSONata","Resource":"arn:aws:states:::aws-sdk:ssm:sendCommand","Arguments":{"p":"{% $states.input.x + $v %}"},
        "Assign":{"w":"{% $states.result.r %}"},"Output":"{% $states.result.r & $states.input.x %}","Next":"N",
        "Catch":[{"ErrorEquals":["C"],"Assign":{"e":"{% $states.errorOutput.Cause %}"},"Output":"{% $states %}","Next":"H"}]}"#;
    check(
        task,
        r#"{"input":{"x":1},"variables":{"v":2},"result":{"r":"ok"}}"#,
        expect![[r#"
        succeeded "ok1" -> N
          input {"x":1}
          arguments {"p":3}
          result {"r":"ok"}
          variables {"v":2,"w":"ok"}
    "#]],
    );
    check(
        task,
        r#"{"input":{"x":1},"variables":{"v":2},"failure":"C"}"#,
        expect![[r#"
        caught C: why {"input":{"x":1},"errorOutput":{"Error":"C","Cause":"why"},"context":{"State":{"Name":"S"}}} -> H
          input {"x":1}
          arguments {"p":3}
          variables {"v":2,"e":"why"}
          catch 0
    "#]],
    );
    check(
        task,
        r#"{"input":{"x":1},"result":{"r":"ok"}}"#,
        expect![[r#"
        failed States.QueryEvaluationError: The JSONata expression '$states.input.x + $v' specified for the field 'Arguments/p' returned nothing (undefined).
          input {"x":1}
    "#]],
    );
    check(
        r#"{"Type":"Pass","Assign":{"a.$":"$.x","b.$":"$v"},"End":true}"#,
        r#"{"input":{"x":1},"variables":{"v":2}}"#,
        expect![[r#"
            succeeded {"x":1} -> end
              input {"x":1}
              input path {"x":1}
              parameters {"x":1}
              result selector {"x":1}
              result path {"x":1}
              variables {"v":2,"a":1,"b":2}
        "#]],
    );
    check(
        r#"{"Type":"Choice","QueryLanguage":"JSONata","Choices":[{"Condition":"{% $states.input.x > 1 %}","Output":"{% 'no' %}","Next":"A"},
            {"Condition":"{% $v = 2 %}","Assign":{"way":"second"},"Next":"B"}],"Default":"D"}"#,
        r#"{"input":{"x":1},"variables":{"v":2}}"#,
        expect![[r#"
            succeeded {"x":1} -> B
              input {"x":1}
              variables {"v":2,"way":"second"}
        "#]],
    );
}

#[test]
fn a_map_tolerates_what_it_says() {
    let map = r#"{"Type":"Map","QueryLanguage":"JSONata","Items":"{% $states.input %}","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
        "StartAt":"I","States":{"I":{"Type":"Pass","End":true}}},"ToleratedFailureCount":"{% 1 %}","ToleratedFailurePercentage":40,"End":true}"#;
    check(
        map,
        r#"{"input":[1,2,3],"failed":1,"result":[1,1,0]}"#,
        expect![[r#"
        succeeded [1,1,0] -> end
          input [1,2,3]
          concurrency 0
          tolerated 1
          tolerated share 40.0
    "#]],
    );
    check(
        map,
        r#"{"input":[1,2,3],"failed":2,"result":[1,0,0]}"#,
        expect![[r#"
        failed States.ExceedToleratedFailureThreshold: The specified tolerated failure threshold was exceeded
          input [1,2,3]
          concurrency 0
          tolerated 1
          tolerated share 40.0
    "#]],
    );
    check(
        map,
        r#"{"input":[1,2],"failed":1,"result":[1,0]}"#,
        expect![[r#"
        failed States.ExceedToleratedFailureThreshold: The specified tolerated failure threshold was exceeded
          input [1,2]
          concurrency 0
          tolerated 1
          tolerated share 40.0
    "#]],
    );
}

#[test]
fn what_a_reader_read_is_selected_from() {
    let map = r#"{"Type":"Map","QueryLanguage":"JSONata","ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSON"},"Arguments":{"Bucket":"b","Key":"k"}},
        "ItemSelector":{"n":"{% $states.context.Map.Item.Value %}"},"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
        "StartAt":"I","States":{"I":{"Type":"Pass","End":true}}},"End":true}"#;
    check(
        map,
        r#"{"input":{},"read":[1,2],"result":[5,6]}"#,
        expect![[r#"
        succeeded [5,6] -> end
          input {}
          item selector [{"n":1},{"n":2}]
          concurrency 0
    "#]],
    );
}

#[test]
fn the_members_of_an_object_are_items_of_a_distributed_map() {
    let map = r#"{"Type":"Map","QueryLanguage":"JSONata","Items":"{% $states.input %}","ItemSelector":"{% $states.context.Map.Item %}",
        "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"I","States":{"I":{"Type":"Pass","End":true}}},"End":true}"#;
    check(
        map,
        r#"{"input":{"a":1,"b":2},"result":[5,6]}"#,
        expect![[r#"
        succeeded [5,6] -> end
          input {"a":1,"b":2}
          item selector [{"Index":0,"Value":1,"Key":"a","Source":"STATE_DATA"},{"Index":1,"Value":2,"Key":"b","Source":"STATE_DATA"}]
          concurrency 0
    "#]],
    );
    check(
        map,
        r#"{"input":7,"result":[5,6]}"#,
        expect![[r#"
        failed States.QueryEvaluationError: The JSONata expression '$states.input' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'number' for value: 7
          input 7
          concurrency 0
    "#]],
    );
    let inline = map.replace("DISTRIBUTED", "INLINE").replace(r#","ExecutionType":"STANDARD""#, "");
    check(
        &inline,
        r#"{"input":{"a":1},"result":[5]}"#,
        expect![[r#"
        failed States.QueryEvaluationError: The JSONata expression '$states.input' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'object' for value: {"a":1}
          input {"a":1}
          concurrency 0
    "#]],
    );
}
