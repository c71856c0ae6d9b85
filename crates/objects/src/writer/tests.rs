use expect_test::{Expect, expect};

use super::*;
use crate::testing::TempDir;

const RUN: &str = "arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7";

fn child(number: u64, status: ChildStatus, output: Option<&str>) -> Child {
    let failed = output.is_none() && status != ChildStatus::Pending;
    Child {
        status,
        execution_arn: format!("arn:aws:states:us-east-1:111111111111:execution:csvProcess/Map:{number}"),
        name: number.to_string(),
        state_machine_arn: "arn:aws:states:us-east-1:111111111111:stateMachine:csvProcess/Map".to_owned(),
        input: Json::object([("n", Json::from(number))]),
        output: output.map(|text| Json::parse(text).expect("JSON")),
        error: failed.then(|| "Boom".to_owned()),
        cause: failed.then(|| "it broke".to_owned()),
        start: (status != ChildStatus::Pending).then_some(Timestamp(1_700_000_000_000)),
        stop: (status != ChildStatus::Pending).then_some(Timestamp(1_700_000_001_500)),
        redrive_count: 0,
        redrive_status: Some("NOT_REDRIVABLE".to_owned()),
        redrive_status_reason: None,
    }
}

fn children() -> Vec<Child> {
    vec![
        child(0, ChildStatus::Succeeded, Some("[1,[2]]")),
        child(1, ChildStatus::Failed, None),
        child(2, ChildStatus::Succeeded, Some(r#"{"a":1}"#)),
        child(3, ChildStatus::Pending, None),
        child(4, ChildStatus::TimedOut, None),
        child(5, ChildStatus::Succeeded, Some("[]")),
    ]
}

async fn check(config: &str, file_bytes_max: u64, children: &[Child], expected: Expect) {
    let dir = TempDir::new();
    let buckets = Buckets::none().with_folder("out", dir.path()).expect("a folder");
    let arguments = Json::parse(r#"{"Bucket":"out","Prefix":"csvProcessJobs/"}"#).expect("JSON");
    let target = Target::of(&arguments, &Json::parse(config).expect("JSON"), RUN).expect("a target");
    let mut writer = ResultWriter::open(&buckets, Target { file_bytes_max, ..target }).await.expect("a bucket");
    for child in children {
        writer.write(child).await.expect("a result");
    }
    let output = writer.finish().await.expect("a manifest");
    let files = dir.files().into_iter().map(|(name, text)| format!("{name}\n{text}\n"));
    expected.assert_eq(&files.chain([output.to_string()]).collect::<String>());
}

#[tokio::test]
async fn all_that_is_known_of_children() {
    check("null", FILE_BYTES_MAX, &children(), expect![[r#"
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/FAILED_0.json
        [{"Cause":"it broke","Error":"Boom","ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:csvProcess/Map:1","Input":"{\"n\":1}","InputDetails":{"Included":true},"Name":"1","RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","StartDate":"2023-11-14T22:13:20.000Z","StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:csvProcess/Map","Status":"FAILED","StopDate":"2023-11-14T22:13:21.500Z"},{"Cause":"it broke","Error":"Boom","ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:csvProcess/Map:4","Input":"{\"n\":4}","InputDetails":{"Included":true},"Name":"4","RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","StartDate":"2023-11-14T22:13:20.000Z","StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:csvProcess/Map","Status":"TIMED_OUT","StopDate":"2023-11-14T22:13:21.500Z"}]
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/PENDING_0.json
        [{"ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:csvProcess/Map:3","Input":"{\"n\":3}","InputDetails":{"Included":true},"Name":"3","RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:csvProcess/Map","Status":"PENDING"}]
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_0.json
        [{"ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:csvProcess/Map:0","Input":"{\"n\":0}","InputDetails":{"Included":true},"Name":"0","Output":"[1,[2]]","OutputDetails":{"Included":true},"RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","StartDate":"2023-11-14T22:13:20.000Z","StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:csvProcess/Map","Status":"SUCCEEDED","StopDate":"2023-11-14T22:13:21.500Z"},{"ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:csvProcess/Map:2","Input":"{\"n\":2}","InputDetails":{"Included":true},"Name":"2","Output":"{\"a\":1}","OutputDetails":{"Included":true},"RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","StartDate":"2023-11-14T22:13:20.000Z","StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:csvProcess/Map","Status":"SUCCEEDED","StopDate":"2023-11-14T22:13:21.500Z"},{"ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:csvProcess/Map:5","Input":"{\"n\":5}","InputDetails":{"Included":true},"Name":"5","Output":"[]","OutputDetails":{"Included":true},"RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","StartDate":"2023-11-14T22:13:20.000Z","StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:csvProcess/Map","Status":"SUCCEEDED","StopDate":"2023-11-14T22:13:21.500Z"}]
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json
        {"DestinationBucket":"out","MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultFiles":{"FAILED":[{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/FAILED_0.json","Size":830}],"PENDING":[{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/PENDING_0.json","Size":304}],"SUCCEEDED":[{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_0.json","Size":1303}]}}
        {"MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultWriterDetails":{"Bucket":"out","Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json"}}"#]]).await;
}

#[tokio::test]
async fn outputs_alone() {
    check(r#"{"Transformation":"COMPACT"}"#, FILE_BYTES_MAX, &children(), expect![[r#"
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/FAILED_0.json
        [{"Cause":"it broke","Error":"Boom","ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:csvProcess/Map:1","Input":"{\"n\":1}","InputDetails":{"Included":true},"Name":"1","RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","StartDate":"2023-11-14T22:13:20.000Z","StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:csvProcess/Map","Status":"FAILED","StopDate":"2023-11-14T22:13:21.500Z"},{"Cause":"it broke","Error":"Boom","ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:csvProcess/Map:4","Input":"{\"n\":4}","InputDetails":{"Included":true},"Name":"4","RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","StartDate":"2023-11-14T22:13:20.000Z","StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:csvProcess/Map","Status":"TIMED_OUT","StopDate":"2023-11-14T22:13:21.500Z"}]
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/PENDING_0.json
        [{"ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:csvProcess/Map:3","Input":"{\"n\":3}","InputDetails":{"Included":true},"Name":"3","RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:csvProcess/Map","Status":"PENDING"}]
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_0.json
        [[1,[2]],{"a":1},[]]
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json
        {"DestinationBucket":"out","MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultFiles":{"FAILED":[{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/FAILED_0.json","Size":830}],"PENDING":[{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/PENDING_0.json","Size":304}],"SUCCEEDED":[{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_0.json","Size":20}]}}
        {"MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultWriterDetails":{"Bucket":"out","Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json"}}"#]]).await;
}

#[tokio::test]
async fn outputs_flattened_on_lines() {
    check(r#"{"Transformation":"FLATTEN","OutputType":"JSONL"}"#, FILE_BYTES_MAX, &children(), expect![[r#"
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/FAILED_0.jsonl
        {"Cause":"it broke","Error":"Boom","ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:csvProcess/Map:1","Input":"{\"n\":1}","InputDetails":{"Included":true},"Name":"1","RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","StartDate":"2023-11-14T22:13:20.000Z","StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:csvProcess/Map","Status":"FAILED","StopDate":"2023-11-14T22:13:21.500Z"}
        {"Cause":"it broke","Error":"Boom","ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:csvProcess/Map:4","Input":"{\"n\":4}","InputDetails":{"Included":true},"Name":"4","RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","StartDate":"2023-11-14T22:13:20.000Z","StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:csvProcess/Map","Status":"TIMED_OUT","StopDate":"2023-11-14T22:13:21.500Z"}

        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/PENDING_0.jsonl
        {"ExecutionArn":"arn:aws:states:us-east-1:111111111111:execution:csvProcess/Map:3","Input":"{\"n\":3}","InputDetails":{"Included":true},"Name":"3","RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:csvProcess/Map","Status":"PENDING"}

        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_0.jsonl
        1
        [2]
        {"a":1}

        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json
        {"DestinationBucket":"out","MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultFiles":{"FAILED":[{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/FAILED_0.jsonl","Size":829}],"PENDING":[{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/PENDING_0.jsonl","Size":303}],"SUCCEEDED":[{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_0.jsonl","Size":14}]}}
        {"MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultWriterDetails":{"Bucket":"out","Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json"}}"#]]).await;
}

/// `[[1,[2]]]` has 9 bytes, and `[[1,[2]],{"a":1}]` 17.
#[tokio::test]
async fn files_have_an_end() {
    let compact = r#"{"Transformation":"COMPACT"}"#;
    let two = [&children()[0], &children()[2]].map(Child::clone);
    check(compact, 17, &two, expect![[r#"
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_0.json
        [[1,[2]],{"a":1}]
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json
        {"DestinationBucket":"out","MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultFiles":{"FAILED":[],"PENDING":[],"SUCCEEDED":[{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_0.json","Size":17}]}}
        {"MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultWriterDetails":{"Bucket":"out","Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json"}}"#]]).await;
    check(compact, 16, &two, expect![[r#"
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_0.json
        [[1,[2]]]
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_1.json
        [{"a":1}]
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json
        {"DestinationBucket":"out","MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultFiles":{"FAILED":[],"PENDING":[],"SUCCEEDED":[{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_0.json","Size":9},{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_1.json","Size":9}]}}
        {"MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultWriterDetails":{"Bucket":"out","Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json"}}"#]]).await;
    check(compact, 1, &two, expect![[r#"
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_0.json
        [[1,[2]]]
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_1.json
        [{"a":1}]
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json
        {"DestinationBucket":"out","MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultFiles":{"FAILED":[],"PENDING":[],"SUCCEEDED":[{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_0.json","Size":9},{"Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/SUCCEEDED_1.json","Size":9}]}}
        {"MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultWriterDetails":{"Bucket":"out","Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json"}}"#]]).await;
}

#[tokio::test]
async fn no_children() {
    check("null", FILE_BYTES_MAX, &[], expect![[r#"
        csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json
        {"DestinationBucket":"out","MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultFiles":{"FAILED":[],"PENDING":[],"SUCCEEDED":[]}}
        {"MapRunArn":"arn:aws:states:us-east-1:111111111111:mapRun:csvProcess/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7","ResultWriterDetails":{"Bucket":"out","Key":"csvProcessJobs/ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json"}}"#]]).await;
}

#[tokio::test]
async fn nothing_is_left_of_what_was_given_up() {
    let dir = TempDir::new();
    let buckets = Buckets::none().with_folder("out", dir.path()).expect("a folder");
    let target = Target::of(&Json::object([("Bucket", Json::from("out"))]), &Json::Null, RUN).expect("a target");
    let mut writer = ResultWriter::open(&buckets, target).await.expect("a bucket");
    writer.write(&children()[0]).await.expect("a result");
    writer.abort().await;
    let names: Vec<String> = dir.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["ad9b5f27-090b-3ac6-9beb-243cd77144a7/manifest.json"]);
}

#[tokio::test]
async fn a_bucket_without_a_place_fails_before_the_work() {
    let target = Target::of(&Json::object([("Bucket", Json::from("out"))]), &Json::Null, RUN).expect("a target");
    let failure = ResultWriter::open(&Buckets::none(), target).await.err().expect("no bucket");
    expect![[r#"States.ResultWriterFailed: Failed to write a test manifest into the specified output bucket. | Message from S3: Bucket "out" has no place: it is mapped to no folder, and no S3 endpoint is configured for the others"#]].assert_eq(&failure.to_string());
}

#[test]
fn fields_that_are_missing_or_strange() {
    let of = |arguments: &str, config: &str| {
        let json = |text| Json::parse(text).expect("JSON");
        Target::of(&json(arguments), &json(config), RUN).err().map(|failure| failure.to_string()).unwrap_or_default()
    };
    expect!["States.ResultWriterFailed: The field 'Bucket' is required but was missing"].assert_eq(&of("{}", "null"));
    expect!["States.ResultWriterFailed: The value for the field 'Bucket' must be a STRING"]
        .assert_eq(&of(r#"{"Bucket":1}"#, "null"));
    expect!["States.ResultWriterFailed: The value 'ZIP' for the field 'Transformation' is not supported here"]
        .assert_eq(&of(r#"{"Bucket":"b"}"#, r#"{"Transformation":"ZIP"}"#));
    expect!["States.ResultWriterFailed: The value 'CSV' for the field 'OutputType' is not supported here"]
        .assert_eq(&of(r#"{"Bucket":"b"}"#, r#"{"OutputType":"CSV"}"#));
}
