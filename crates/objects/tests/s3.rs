//! The same over a real endpoint, which the environment names:
//!
//! ```sh
//! OBJECTS_S3_ENDPOINT=http://127.0.0.1:9000 OBJECTS_S3_BUCKET=objects-test \
//!     AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… cargo test -p objects --test s3 -- --ignored
//! ```
//!
//! Everything is written under a prefix of its own, which is left there.

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use base::{Json, Timestamp};
use objects::s3::{Addressing, Keys};
use objects::source::{BucketName, Call};
use objects::writer::ChildStatus;
use objects::{Bucket, Buckets, Child, Cursor, Endpoint, ItemReader, Reader, ResultWriter, Source, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} says where the endpoint is; see the head of this file"))
}

fn at(url: &str) -> Buckets {
    let keys = Keys {
        access_key: variable("AWS_ACCESS_KEY_ID"),
        secret: sigv4::Secret::new(variable("AWS_SECRET_ACCESS_KEY")),
        session_token: None,
    };
    let region = env::var("AWS_REGION").unwrap_or_else(|_| "us-east-1".to_owned());
    let endpoint = Endpoint { url: url.to_owned(), region, keys: Some(keys), addressing: Addressing::Path };
    Buckets::none().with_endpoint(endpoint).expect("an endpoint")
}

/// Buckets, the one of the tests, and a prefix that nobody else has.
fn place() -> (Buckets, Bucket, String) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let buckets = at(&variable("OBJECTS_S3_ENDPOINT"));
    let bucket = buckets.bucket(&BucketName::new(variable("OBJECTS_S3_BUCKET"))).expect("a bucket");
    let nanos = UNIX_EPOCH.elapsed().expect("it is later").as_nanos();
    (buckets, bucket, format!("test-{nanos}-{}/", COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// The values of the items, one on each line; then what failed.
async fn read(buckets: &Buckets, call: Call, arguments: &[(&str, &str)], config: &str) -> String {
    let bucket = variable("OBJECTS_S3_BUCKET");
    let arguments = [("Bucket", bucket.as_str())].iter().chain(arguments).copied().collect::<Vec<_>>();
    let arguments = Json::object(arguments.into_iter().map(|(name, value)| (name, Json::from(value))));
    let config = Json::parse(config).expect("JSON");
    let reader = ItemReader { call, arguments: &arguments, config: &config, items_max: None };
    let source = Source::of(&reader).expect("a source");
    let mut text = String::new();
    let mut reader = match Reader::resume(buckets, &source, Cursor(0)).await {
        Ok(reader) => reader,
        Err(failure) => return failure.to_string(),
    };
    loop {
        match reader.next().await {
            Ok(Some(item)) => text += &format!("{}\n", item.value),
            Ok(None) => return text,
            Err(failure) => return text + &failure.to_string(),
        }
    }
}

#[tokio::test]
#[ignore = "needs an S3 endpoint"]
async fn whatever_the_key() {
    let (buckets, bucket, prefix) = place();
    let mut names = ["plain", "a b+c/あ", "a%2Fb&c=d;e", "x//y", "q?r#s", "~tilde'(*)!", "<&>\"", "dots/../up"];
    for name in names {
        bucket
            .put(&format!("{prefix}{name}"), Json::array([Json::from(name)]).to_string().into())
            .await
            .expect("a put");
    }
    for name in names {
        let key = format!("{prefix}{name}");
        let text = read(&buckets, Call::GetObject, &[("Key", &key)], r#"{"InputType":"JSON"}"#).await;
        assert_eq!(text, format!("{}\n", Json::from(name)), "{name}");
    }
    let mut listing = bucket.list(&prefix);
    let mut keys = vec![];
    while let Some(page) = listing.next().await.expect("a page") {
        keys.extend(page.into_iter().map(|object| object.key.strip_prefix(&prefix).expect("the prefix").to_owned()));
    }
    names.sort();
    assert_eq!(keys, names);
}

#[tokio::test]
#[ignore = "needs an S3 endpoint"]
async fn a_listing_of_several_pages() {
    let (buckets, bucket, prefix) = place();
    for number in 0..1_005 {
        bucket.put(&format!("{prefix}{number:04}"), "[1]".into()).await.expect("a put");
    }
    let listed = read(&buckets, Call::ListObjects, &[("Prefix", &prefix)], "null").await;
    assert_eq!(listed.lines().count(), 1_005);
    let first = Json::parse(listed.lines().next().expect("an object")).expect("JSON");
    assert_eq!(first.get("Size").and_then(Json::as_i64), Some(3));
    assert_eq!(first.get("StorageClass").and_then(Json::as_str), Some("STANDARD"));
    assert_eq!(first.get("Etag").and_then(Json::as_str), Some("\"35dba5d75538a9bbe0b4da4422759a0e\""));
    assert!(first.get("LastModified").and_then(Json::as_i64) > Some(1_700_000_000));
    let config = r#"{"Transformation":"LOAD_AND_FLATTEN","InputType":"JSON"}"#;
    let loaded = read(&buckets, Call::ListObjects, &[("Prefix", &format!("{prefix}000"))], config).await;
    assert_eq!(loaded, "1\n".repeat(10));
}

#[tokio::test]
#[ignore = "needs an S3 endpoint"]
async fn what_is_not_there() {
    let (buckets, _, prefix) = place();
    let text = read(&buckets, Call::GetObject, &[("Key", &format!("{prefix}none"))], r#"{"InputType":"JSON"}"#).await;
    let said =
        "States.ItemReaderFailed: The specified key does not exist. (Service: S3, Status Code: 404, Request ID: ";
    assert!(text.starts_with(said), "{text}");
    let arguments = [("Key", "none"), ("Bucket", "no-such-bucket-of-these-tests")];
    let text = read(&buckets, Call::GetObject, &arguments, r#"{"InputType":"JSON"}"#).await;
    let said =
        "States.ItemReaderFailed: The specified bucket does not exist (Service: S3, Status Code: 404, Request ID: ";
    assert!(text.starts_with(said), "{text}");
    let text = read(&at("http://127.0.0.1:1"), Call::GetObject, &[("Key", "a")], r#"{"InputType":"JSON"}"#).await;
    assert!(text.starts_with("States.ItemReaderFailed: Unable to execute HTTP request: "), "{text}");
}

/// Twenty megabytes go there in parts, and come back over connections that break off after each megabyte.
#[tokio::test]
#[ignore = "needs an S3 endpoint"]
async fn a_body_that_breaks_off_goes_on() {
    let (_, bucket, prefix) = place();
    let key = format!("{prefix}large.jsonl");
    let line = format!("{{\"text\":\"{}\"}}\n", "x".repeat(1_000));
    let mut upload = bucket.upload(&key).await.expect("an upload");
    for _ in 0..20_000 {
        upload.write(line.as_bytes()).await.expect("a part");
    }
    upload.finish().await.expect("an object");

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let buckets = at(&format!("http://{}", listener.local_addr().expect("an address")));
    tokio::spawn(break_off(listener));
    let text = read(&buckets, Call::GetObject, &[("Key", &key)], r#"{"InputType":"JSONL"}"#).await;
    assert_eq!(text.len(), 20_000 * line.len(), "{}", text.lines().last().unwrap_or_default());
}

/// Passes connections on to the endpoint, a megabyte of each answer.
async fn break_off(listener: TcpListener) {
    let url = variable("OBJECTS_S3_ENDPOINT");
    let endpoint = url.strip_prefix("http://").expect("no TLS").to_owned();
    while let Ok((client, _)) = listener.accept().await {
        let server = TcpStream::connect(&endpoint).await.expect("the endpoint");
        tokio::spawn(async move {
            let (mut from_client, mut to_client) = client.into_split();
            let (from_server, mut to_server) = server.into_split();
            let asking = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
            let _ = copy(&mut from_server.take(1_000_000), &mut to_client).await;
            let _ = to_client.shutdown().await;
            asking.abort();
        });
    }
}

#[tokio::test]
#[ignore = "needs an S3 endpoint"]
async fn results_of_a_map() {
    let (buckets, _, prefix) = place();
    let arguments = Json::object([
        ("Bucket", Json::from(variable("OBJECTS_S3_BUCKET"))),
        ("Prefix", Json::from(prefix.trim_end_matches('/'))),
    ]);
    let config = Json::parse(r#"{"OutputType":"JSONL","Transformation":"FLATTEN"}"#).expect("JSON");
    let run = "arn:aws:states:us-east-1:111111111111:mapRun:m/Map:ad9b5f27-090b-3ac6-9beb-243cd77144a7";
    let target = Target::of(&arguments, &config, run).expect("a target");
    let mut writer = ResultWriter::open(&buckets, target).await.expect("a bucket");
    for number in 0..30u64 {
        let output = Json::array([Json::from("y".repeat(500_000)), Json::from(number)]);
        let child = Child {
            status: ChildStatus::Succeeded,
            execution_arn: "arn:aws:states:us-east-1:111111111111:execution:m/Map:c".to_owned(),
            name: "c".to_owned(),
            state_machine_arn: "arn:aws:states:us-east-1:111111111111:stateMachine:m/Map".to_owned(),
            input: Json::Null,
            output: Some(output),
            error: None,
            cause: None,
            start: Some(Timestamp(0)),
            stop: Some(Timestamp(1)),
            redrive_count: 0,
            redrive_status: None,
            redrive_status_reason: None,
        };
        writer.write(&child).await.expect("a result");
    }
    let output = writer.finish().await.expect("a manifest");
    let manifest = output.get("ResultWriterDetails").and_then(|details| details.get("Key")).and_then(Json::as_str);
    let manifest = [("Key", manifest.expect("a key"))];
    let pointer = r#"{"InputType":"JSON","ItemsPointer":"/ResultFiles/SUCCEEDED"}"#;
    let files = read(&buckets, Call::GetObject, &manifest, pointer).await;
    let file = Json::parse(files.trim_end()).expect("one file");
    assert_eq!(file.get("Size").and_then(Json::as_i64), Some(30 * 500_003 + 10 * 2 + 20 * 3));
    let key = [("Key", file.get("Key").and_then(Json::as_str).expect("a key"))];
    let items = read(&buckets, Call::GetObject, &key, r#"{"InputType":"JSONL"}"#).await;
    assert_eq!(items.lines().count(), 60);
    assert_eq!(items.lines().last(), Some("29"));
}
