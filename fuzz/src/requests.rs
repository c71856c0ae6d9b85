//! Requests of AWS's clients: a line with method and target, headers, an empty line, the body.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use aws::{Config, Face, Request, Response, Tasks};
use base::{Json, Timestamp};
use bytes::Bytes;
use runtime::Runtime;
use store::memory::MemoryStore;

use crate::parts;

/// Whatever comes, an answer in AWS's form goes out, and it is never that we do not know what happened.
pub fn http(bytes: &[u8]) {
    let (head, body) = parts(bytes);
    let Ok(head) = std::str::from_utf8(head) else { return };
    let mut lines = head.lines();
    let (method, target) = lines.next().and_then(|line| line.split_once(' ')).unwrap_or(("POST", "/"));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines.filter_map(|line| line.split_once(": ")).collect();
    let request = Request { method, path, query, headers, body: Bytes::copy_from_slice(body), peer_is_loopback: true };
    if let Some(response) = SERVER.with_borrow_mut(|server| server.ask(request)) {
        judge(&response);
    }
}

fn judge(response: &Response) {
    let text = String::from_utf8_lossy(&response.body);
    assert!((200..500).contains(&response.status), "{} {text}", response.status);
    let is_json = response.headers.iter().any(|(_, value)| value.starts_with("application/x-amz-json"));
    assert!(!is_json || Json::parse(&text).is_ok(), "{text}");
}

thread_local! {
    static SERVER: RefCell<Server> = RefCell::new(Server::open());
}

/// A whole server without a port, its store in memory.
struct Server {
    asked: usize,
    face: Face,
    turns: tokio::runtime::Runtime,
}

/// What is there before anything is asked, so that requests find something.
const PRESENT: &[(&str, &str, &str)] = &[
    (
        "states",
        "AWSStepFunctions.CreateStateMachine",
        r#"{"name":"net","definition":"{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"Next\":\"W\"},\"W\":{\"Type\":\"Wait\",\"Seconds\":9,\"End\":true}}}","roleArn":"arn:aws:iam::111111111111:role/r","publish":true}"#,
    ),
    (
        "states",
        "AWSStepFunctions.StartExecution",
        r#"{"stateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:net","name":"n"}"#,
    ),
    ("states", "AWSStepFunctions.CreateActivity", r#"{"name":"w"}"#),
    ("ssm", "AmazonSSM.PutParameter", r#"{"Name":"/net/a","Value":"v","Type":"SecureString"}"#),
    ("ssm", "AmazonSSM.LabelParameterVersion", r#"{"Name":"/net/a","Labels":["prod"]}"#),
    ("logs", "Logs_20140328.CreateLogGroup", r#"{"logGroupName":"g"}"#),
    ("logs", "Logs_20140328.CreateLogStream", r#"{"logGroupName":"g","logStreamName":"s"}"#),
    (
        "logs",
        "Logs_20140328.PutLogEvents",
        r#"{"logGroupName":"g","logStreamName":"s","logEvents":[{"timestamp":0,"message":"{\"a\":1,\"b\":\"xyz\"}"}]}"#,
    ),
];

/// Requests until there is a new server: what was made until then is forgotten.
const REQUESTS_MAX: usize = 500;

/// How long a request may wait for something to happen: long polling ends here.
const PATIENCE: Duration = Duration::from_millis(30);

impl Server {
    fn open() -> Server {
        let turns = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let store = Arc::new(MemoryStore::new());
        let runtime = turns
            .block_on(Runtime::open(runtime::Config::default(), store, Arc::new(Tasks::default())))
            .expect("a store in memory opens");
        let mut server = Server { asked: 0, face: Face::new(runtime, Config::open(|| Timestamp(0))), turns };
        PRESENT.iter().for_each(|(service, target, body)| server.make(service, target, body));
        server
    }

    fn make(&mut self, service: &str, target: &str, body: &'static str) {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=111111111111/20150830/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
        );
        let headers = vec![
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
            ("authorization", scope.as_str()),
        ];
        let body = Bytes::from_static(body.as_bytes());
        let request = Request { method: "POST", path: "/", query: "", headers, body, peer_is_loopback: true };
        let status = self.ask(request).map(|answer| answer.status);
        assert_eq!(status, Some(200), "{target} makes what the seeds ask for");
    }

    /// The answer; none where it is still waited for.
    fn ask(&mut self, request: Request<'_>) -> Option<Response> {
        if self.asked == REQUESTS_MAX {
            *self = Server::open();
        }
        self.asked += 1;
        let answer = self.face.handle(request);
        self.turns.block_on(async { tokio::time::timeout(PATIENCE, answer).await.ok() })
    }
}
