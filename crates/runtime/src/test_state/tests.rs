//! What is asked in, what is refused out; what a state sees where the test does not say.

use expect_test::{Expect, expect};

use super::*;

const TASK: &str = r#"{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sfn:listStateMachines","End":true}"#;
const ARN: &str = "arn:aws:states:us-east-1:111111111111:express:m:n";

fn role() -> Option<String> {
    Some("arn:aws:iam::111111111111:role/r".into())
}

fn asked() -> StateTest {
    StateTest { definition: r#"{"Type":"Pass","End":true}"#.into(), ..StateTest::default() }
}

fn result(text: &str) -> Option<StateMock> {
    Some(StateMock { result: Some(text.into()), failure: None })
}

fn read(request: StateTest) -> Result<Test, Refusal> {
    test(&Caller::new("111111111111", "us-east-1"), ARN, request, Timestamp(0), 1_000)
}

#[track_caller]
fn check_refused(request: StateTest, expected: Expect) {
    expected.assert_eq(
        &read(request).map_or_else(|refusal| refusal.to_string(), |test| format!("a test of {}", test.state.name)),
    );
}

#[track_caller]
fn check_context(state: &str, context: &str, expected: Expect) {
    check_refused(
        StateTest { definition: state.into(), context: Some(context.into()), role_arn: role(), ..asked() },
        expected,
    );
}

#[test]
fn a_test_says_one_thing() {
    check_refused(asked(), expect!["a test of StateName"]);
    check_refused(
        StateTest { mock: Some(StateMock::default()), ..asked() },
        expect!["A test mock should have only one of the following fields: [result, errorOutput]."],
    );
    check_refused(
        StateTest { mock: Some(StateMock { result: Some("1".into()), failure: Some(Failure::default()) }), ..asked() },
        expect!["A test mock should have only one of the following fields: [result, errorOutput]."],
    );
    check_refused(StateTest { mock: result("text"), ..asked() }, expect!["Mocked result must be valid JSON"]);
    check_refused(
        StateTest { mock: result("1"), reveal_secrets: true, ..asked() },
        expect!["TestState does not support RevealSecrets when a mock is specified."],
    );
    check_refused(
        StateTest { input: Some("text".into()), ..asked() },
        expect![
            "invalid execution input: Unrecognized token 'text': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
        ],
    );
    check_refused(
        StateTest { variables: Some("[]".into()), ..asked() },
        expect!["Variables must be a valid JSON object"],
    );
    check_refused(
        StateTest { map_item_reader_data: Some("[]".into()), ..asked() },
        expect!["TestState does not support MapItemReaderData when the state is not a Map state with an ItemReader."],
    );
    check_refused(
        StateTest { definition: "{}".into(), ..asked() },
        expect![
            "invalid definition: Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [Type] at /States/StateName'"
        ],
    );
}

#[test]
fn a_state_is_named_in_its_machine() {
    let machine = |name: &str| StateTest {
        definition: r#"{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}"#.into(),
        state_name: Some(name.into()),
        ..asked()
    };
    check_refused(machine("A"), expect!["a test of A"]);
    check_refused(machine("B"), expect!["State not found in definition"]);
}

#[test]
fn a_task_has_a_role_or_a_mock() {
    let task = || StateTest { definition: TASK.into(), ..asked() };
    check_refused(task(), expect!["RoleArn must be specified when testing a Task state"]);
    check_refused(StateTest { mock: result("{}"), ..task() }, expect!["a test of StateName"]);
    check_refused(StateTest { role_arn: role(), ..task() }, expect!["a test of StateName"]);
    check_refused(StateTest { role_arn: Some("r".into()), ..task() }, expect!["not the ARN of a role: r"]);
}

#[test]
fn an_error_is_caused_by_a_state_inside() {
    let parallel = |name: &str, mock: StateMock| StateTest {
        definition: r#"{"Type":"Parallel","End":true,"Branches":[{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}]}"#
            .into(),
        mock: Some(mock),
        error_caused_by: Some(name.into()),
        ..asked()
    };
    let failure = || StateMock { failure: Some(Failure::named("E")), result: None };
    check_refused(parallel("B", failure()), expect!["a test of StateName"]);
    check_refused(parallel("C", failure()), expect!["State 'C' of ErrorCausedByState not found in the tested state"]);
    check_refused(
        parallel("B", StateMock { result: Some("[1]".into()), failure: None }),
        expect!["TestState does not support ErrorCausedByState when an errorOutput is not mocked."],
    );
}

#[test]
fn a_context_has_its_members() {
    check_context(
        TASK,
        r#"{"Execution":{"Id":"e","Input":[1],"RedriveCount":0},"State":{},"StateMachine":{"Name":"m"}}"#,
        expect!["a test of StateName"],
    );
    check_context(TASK, "[]", expect!["Invalid Context object provided: must be a valid JSON object"]);
    check_context(TASK, r#"{"Execution":1}"#, expect!["Invalid Context object provided: Execution must be an object"]);
    check_context(
        TASK,
        r#"{"Execution":{"Id":1}}"#,
        expect!["Invalid Context object provided: Execution.Id must be a string"],
    );
    check_context(
        TASK,
        r#"{"State":{"RetryCount":"1"}}"#,
        expect!["Invalid Context object provided: State.RetryCount must be a number"],
    );
    check_context(
        TASK,
        r#"{"Execution":{"Other":1}}"#,
        expect!["Invalid Context object provided: Field 'Other' is not allowed"],
    );
    check_context(TASK, r#"{"Other":{}}"#, expect!["Invalid Context object provided: Field 'Other' is not allowed"]);
    check_context(
        TASK,
        r#"{"Map":{}}"#,
        expect!["Invalid Context object provided: 'Map' field is not supported when mocking a Context object"],
    );
    check_context(
        TASK,
        r#"{"Task":{"Token":"t"}}"#,
        expect![
            "Invalid Context object provided: Context object contains 'Task' when state is not a Task state with a '.sync' or '.waitForTaskToken' service integration pattern"
        ],
    );
    check_context(
        r#"{"Type":"Task","Resource":"arn:aws:states:::ssm:sendCommand.sync","End":true}"#,
        r#"{"Task":{"Token":"t"}}"#,
        expect!["a test of StateName"],
    );
}

#[test]
fn a_context_is_made_up() {
    let context = |request: StateTest| read(request).expect("a test").context.to_string();
    let pass = context(StateTest { input: Some("[1]".into()), ..asked() });
    expect![[r#"{"Execution":{"Id":"arn:aws:states:us-east-1:111111111111:express:m:n","Input":[1],"Name":"n","RoleArn":null,"StartTime":"1970-01-01T00:00:00.000Z"},"StateMachine":{"Id":"arn:aws:states:us-east-1:111111111111:stateMachine:m","Name":"m"},"State":{"Name":"StateName","EnteredTime":"1970-01-01T00:00:00.000Z"}}"#]].assert_eq(&pass);
    let task = context(StateTest { definition: TASK.into(), role_arn: role(), retrier_retry_count: 2, ..asked() });
    expect![[r#"{"Execution":{"Id":"arn:aws:states:us-east-1:111111111111:express:m:n","Input":{},"Name":"n","RoleArn":"arn:aws:iam::111111111111:role/r","StartTime":"1970-01-01T00:00:00.000Z"},"StateMachine":{"Id":"arn:aws:states:us-east-1:111111111111:stateMachine:m","Name":"m"},"State":{"Name":"StateName","EnteredTime":"1970-01-01T00:00:00.000Z","RetryCount":2}}"#]].assert_eq(&task);
}
