//! `TestState` as clients see it, against a whole server with a store in memory.

use std::sync::Arc;

use aws::{Config, Face, Request, Tasks};
use base::{Json, Timestamp};
use bytes::Bytes;
use expect_test::{Expect, expect};
use runtime::Runtime;
use store::memory::MemoryStore;

const SCOPE: &str =
    "AWS4-HMAC-SHA256 Credential=111111111111/20150830/us-east-1/states/aws4_request, SignedHeaders=host, Signature=00";
const CHOICE: &str =
    r#"{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true,"Next":"Null"}],"Default":"Other"}"#;
const MOCKED: &str = r#"{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","ResultPath":"$.r","End":true,
    "Retry":[{"ErrorEquals":["R"],"IntervalSeconds":3}],"Catch":[{"ErrorEquals":["C"],"Next":"Caught"}]}"#;

async fn face() -> Face {
    let runtime =
        Runtime::open(runtime::Config::default(), Arc::new(MemoryStore::new()), Arc::new(Tasks::default())).await;
    Face::new(runtime.expect("a store in memory opens"), Config::open(|| Timestamp(0)))
}

/// Tests `state`; `request` is the rest of what is asked.
async fn check(state: &str, request: &str, expect: Expect) {
    let request = Json::parse(request).expect("JSON");
    let members = request.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone()));
    let body = Json::object(members.chain([("definition".into(), state.into())])).to_string();
    let headers = vec![
        ("content-type", "application/x-amz-json-1.0"),
        ("x-amz-target", "AWSStepFunctions.TestState"),
        ("authorization", SCOPE),
    ];
    let request =
        Request { method: "POST", path: "/", query: "", headers, body: Bytes::from(body), peer_is_loopback: true };
    let response = face().await.handle(request).await;
    expect.assert_eq(&format!("{} {}", response.status, String::from_utf8_lossy(&response.body)));
}

#[tokio::test]
async fn a_state_is_tested() {
    check(
        CHOICE,
        r#"{"input":"{\"a\":null}"}"#,
        expect![[r#"200 {"output":"{\"a\": null}","nextState":"Null","status":"SUCCEEDED"}"#]],
    )
    .await;
    check(CHOICE, r#"{"input":"{}","inspectionLevel":"DEBUG"}"#, expect![[r#"200 {"error":"States.Runtime","cause":"Invalid path '$.a': The choice state's condition path references an invalid value.","status":"FAILED","inspectionData":{"input":"{}","afterInputPath":"{}"}}"#]]).await;
    check(r#"{"Type":"Pass","Result":[1,{"b":2}],"Next":"N"}"#, r#"{"inspectionLevel":"TRACE"}"#, expect![[r#"200 {"output":"[1, {\"b\": 2}]","nextState":"N","status":"SUCCEEDED","inspectionData":{"input":"{}","result":"[1, {\"b\": 2}]","afterResultSelector":"[1, {\"b\": 2}]","afterResultPath":"[1, {\"b\": 2}]"}}"#]]).await;
    check(
        r#"{"Type":"Wait","Seconds":301,"Next":"N"}"#,
        "{}",
        expect![[r#"200 {"error":"States.Timeout","status":"FAILED"}"#]],
    )
    .await;
}

#[tokio::test]
async fn a_mock_stands_for_a_service() {
    check(
        MOCKED,
        r#"{"input":"{}","mock":{"result":"[1]","fieldValidationMode":"NONE"}}"#,
        expect![[r#"200 {"output":"{\"r\": [1]}","status":"SUCCEEDED"}"#]],
    )
    .await;
    check(MOCKED, r#"{"inspectionLevel":"DEBUG","stateConfiguration":{"retrierRetryCount":1},"mock":{"errorOutput":{"error":"R","cause":"c"}}}"#, expect![[r#"200 {"error":"R","cause":"c","status":"RETRIABLE","inspectionData":{"input":"{}","afterInputPath":"{}","afterParameters":"{}","errorDetails":{"retryIndex":0,"retryBackoffIntervalSeconds":6}}}"#]]).await;
    check(MOCKED, r#"{"inspectionLevel":"DEBUG","mock":{"errorOutput":{"error":"C"}}}"#, expect![[r#"200 {"output":"{\"Error\": \"C\"}","error":"C","nextState":"Caught","status":"CAUGHT_ERROR","inspectionData":{"input":"{}","afterInputPath":"{}","afterParameters":"{}","errorDetails":{"catchIndex":0}}}"#]]).await;
    check(MOCKED, r#"{"mock":{"errorOutput":{}}}"#, expect![[r#"200 {"status":"FAILED"}"#]]).await;
}

#[tokio::test]
async fn a_task_without_a_mock_calls_its_service() {
    let task = r#"{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:sfn:listStateMachines","Parameters":{"MaxResults":5},"End":true}"#;
    check(task, r#"{"roleArn":"arn:aws:iam::111111111111:role/r","inspectionLevel":"DEBUG"}"#, expect![[r#"200 {"output":"{\"StateMachines\": []}","status":"SUCCEEDED","inspectionData":{"input":"{}","afterInputPath":"{}","afterParameters":"{\"MaxResults\": 5}","result":"{\"StateMachines\": []}","afterResultSelector":"{\"StateMachines\": []}","afterResultPath":"{\"StateMachines\": []}"}}"#]]).await;
    check(MOCKED, r#"{"roleArn":"arn:aws:iam::111111111111:role/r"}"#, expect![[r#"200 {"error":"States.Runtime","cause":"The resource arn:aws:states:::lambda:invoke is not available in this version of Dandori.","status":"FAILED"}"#]]).await;
}

#[tokio::test]
async fn what_cannot_be_tested_is_refused() {
    check(
        MOCKED,
        "{}",
        expect![[
            r#"400 {"__type":"ValidationException","message":"RoleArn must be specified when testing a Task state"}"#
        ]],
    )
    .await;
    check(r#"{"Type":"Parallel","Branches":[{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}],"End":true}"#, "{}", expect![[r#"400 {"__type":"InvalidDefinition","message":"TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]"}"#]]).await;
    check(
        r#"{"Type":"Pass","QueryLanguage":"JSONata","Output":"{% 1 %}","End":true}"#,
        "{}",
        expect![[r#"200 {"output":"1","status":"SUCCEEDED"}"#]],
    )
    .await;
    check(CHOICE, r#"{"inspectionLevel":"ALL","stateConfiguration":{"retrierRetryCount":-1},"mock":{"fieldValidationMode":"SOME"}}"#, expect![[r#"400 {"__type":"ValidationException","message":"3 validation errors detected: Value 'ALL' at 'inspectionLevel' failed to satisfy constraint: Member must satisfy enum value set: [INFO, DEBUG, TRACE]; Value 'SOME' at 'mock.fieldValidationMode' failed to satisfy constraint: Member must satisfy enum value set: [STRICT, PRESENT, NONE]; Value '-1' at 'stateConfiguration.retrierRetryCount' failed to satisfy constraint: Member must have value greater than or equal to 0"}"#]]).await;
    check(
        CHOICE,
        r#"{"mock":1}"#,
        expect![[r#"400 {"__type":"SerializationException","message":"Expected map or null"}"#]],
    )
    .await;
}
