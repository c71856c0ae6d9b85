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
        Server { asked: 0, face: Face::new(runtime, Config::open(|| Timestamp(0))), turns }
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
