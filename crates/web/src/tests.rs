use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use base::Timestamp;
use expect_test::{Expect, expect};
use http_body_util::BodyExt;
use runtime::Runtime;
use store::memory::MemoryStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tower::ServiceExt;

use crate::State;
use crate::gate::Peer;
use crate::routes::{Access, router, routes};

const NOW: Timestamp = Timestamp(1_795_402_800_000);
const PASS: &str =
    r#"{"StartAt":"a","States":{"a":{"Type":"Pass","Next":"b"},"b":{"Type":"Wait","Seconds":1,"End":true}}}"#;
const ALICE: &str = "111111111111";
const BOB: &str = "222222222222";

async fn runtime() -> Runtime {
    Runtime::open(runtime::Config::default(), Arc::new(MemoryStore::default()), Arc::new(aws::Tasks::default()))
        .await
        .expect("an empty store opens")
}

fn open() -> crate::Config {
    crate::Config::fleeting(aws::Config::open(|| NOW))
}

/// Alice and Bob have a key each, named like their account and with the secret `s`.
fn closed() -> crate::Config {
    let key =
        |account: &str| (account.to_owned(), aws::Key { secret: sigv4::Secret::new("s"), account: account.to_owned() });
    crate::Config::fleeting(aws::Config { keys: HashMap::from([key(ALICE), key(BOB)]), ..aws::Config::open(|| NOW) })
}

/// Who asks, and from where.
#[derive(Debug, Clone, Copy)]
struct Asker {
    account: Option<&'static str>,
    secret: &'static str,
    service: &'static str,
    peer: &'static str,
    host: &'static str,
    origin: Option<&'static str>,
}

const LOCAL: Asker = Asker {
    account: None,
    secret: "s",
    service: api::SIGNING_NAME,
    peer: "127.0.0.1:5",
    host: "127.0.0.1:8333",
    origin: None,
};

fn signed_by(account: &'static str) -> Asker {
    Asker { account: Some(account), ..LOCAL }
}

async fn ask(router: &Router, asker: Asker, method: &str, target: &str, body: &str) -> (StatusCode, String) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = vec![("host", asker.host)];
    headers.extend((!body.is_empty()).then_some(("content-type", "application/json")));
    headers.extend(asker.origin.map(|origin| ("origin", origin)));
    let secret = sigv4::Secret::new(asker.secret);
    let unsigned = sigv4::Request { method, path, query, headers: &headers };
    let signature = asker.account.map(|access_key| {
        let keys = sigv4::Keys { access_key, secret: &secret, session_token: None };
        sigv4::sign(
            &unsigned,
            &sigv4::BodyHash::of(body.as_bytes()),
            &keys,
            "us-east-1",
            asker.service,
            sigv4::Time(NOW.0 / 1000),
        )
    });
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    for (name, value) in signature.unwrap_or_default() {
        request = request.header(name, value);
    }
    let peer: SocketAddr = asker.peer.parse().expect("an address");
    let request = request.extension(Peer(peer)).body(Body::from(body.to_owned())).expect("a request");
    let response = router.clone().oneshot(request).await.expect("infallible");
    let status = response.status();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
}

/// `status` and, for an error, its code.
fn told((status, body): &(StatusCode, String)) -> String {
    let error: Option<api::Error> = serde_json::from_str(body).ok();
    error.map_or(status.as_u16().to_string(), |error| format!("{} {}", status.as_u16(), error.code))
}

/// A request that a route understands, to which Alice's things are there.
fn example(route: &str) -> (&'static str, String, String) {
    let arn = format!("arn%3Aaws%3Astates%3Aus-east-1%3A{ALICE}%3Aexecution%3Anet%3Anight-1");
    let (method, path, body) = match route {
        "GET /" => ("GET", "/".to_owned(), ""),
        "GET /healthz" => ("GET", "/healthz".to_owned(), ""),
        "GET /metrics" => ("GET", "/metrics".to_owned(), ""),
        "GET /api/v1/executions" => ("GET", "/api/v1/executions?limit=5&status=running".to_owned(), ""),
        "POST /api/v1/executions" => ("POST", "/api/v1/executions".to_owned(), r#"{"definition":"net","input":"{}"}"#),
        "GET /api/v1/executions/{id}" => ("GET", format!("/api/v1/executions/{arn}"), ""),
        "POST /api/v1/executions/{id}/stop" => ("POST", format!("/api/v1/executions/{arn}/stop"), "{}"),
        "GET /api/v1/executions/{id}/states" => ("GET", format!("/api/v1/executions/{arn}/states"), ""),
        "GET /api/v1/executions/{id}/events" => ("GET", format!("/api/v1/executions/{arn}/events"), ""),
        "GET /api/v1/definitions" => ("GET", "/api/v1/definitions".to_owned(), ""),
        "GET /api/v1/definitions/{id}" => ("GET", "/api/v1/definitions/net".to_owned(), ""),
        "PUT /api/v1/definitions/{id}" => (
            "PUT",
            "/api/v1/definitions/net2".to_owned(),
            r#"{"definition":"{\"StartAt\":\"a\",\"States\":{\"a\":{\"Type\":\"Succeed\"}}}"}"#,
        ),
        "GET /api/v1/instances" => ("GET", "/api/v1/instances".to_owned(), ""),
        "GET /api/v1/commands" => ("GET", "/api/v1/commands".to_owned(), ""),
        "GET /api/v1/commands/{id}" => ("GET", "/api/v1/commands/7f1c".to_owned(), ""),
        "POST /api/v1/commands" => (
            "POST",
            "/api/v1/commands".to_owned(),
            r#"{"document":"AWS-RunShellScript","parameters":{"commands":["true"]},"targets":[{"key":"group","values":["all"]}]}"#,
        ),
        "POST /api/v1/commands/{id}/cancel" => {
            ("POST", "/api/v1/commands/7f1c/cancel".to_owned(), r#"{"instances":[],"reason":"r"}"#)
        }
        "GET /api/v1/documents" => ("GET", "/api/v1/documents".to_owned(), ""),
        "GET /api/v1/documents/{id}" => ("GET", "/api/v1/documents/AWS-RunShellScript?format=yaml".to_owned(), ""),
        "PUT /api/v1/documents/{id}" => ("PUT", "/api/v1/documents/Greet".to_owned(), GREET),
        "DELETE /api/v1/documents/{id}" => ("DELETE", "/api/v1/documents/Greet?version=7".to_owned(), ""),
        "GET /api/v1/commands/{id}/invocations/{instance}/output" => {
            ("GET", "/api/v1/commands/7f1c/invocations/mi-1/output?step=0&stream=stderr&from=-5".to_owned(), "")
        }
        "GET /api/v1/commands/{id}/invocations/{instance}/output/live" => {
            ("GET", "/api/v1/commands/7f1c/invocations/mi-1/output/live".to_owned(), "")
        }
        "GET /api/v1/agents/connect" => ("GET", "/api/v1/agents/connect".to_owned(), ""),
        "GET /api/v1/agents" => ("GET", "/api/v1/agents?limit=5".to_owned(), ""),
        "GET /api/v1/agents/{id}" => ("GET", "/api/v1/agents/mi-00000000000000001".to_owned(), ""),
        "POST /api/v1/agents/{id}/drain" => {
            ("POST", "/api/v1/agents/mi-00000000000000001/drain".to_owned(), r#"{"reason":"r"}"#)
        }
        "POST /api/v1/agents/{id}/resume" => ("POST", "/api/v1/agents/mi-00000000000000001/resume".to_owned(), "{}"),
        "PUT /api/v1/agents/{id}/limit" => {
            ("PUT", "/api/v1/agents/mi-00000000000000001/limit".to_owned(), r#"{"limit":2}"#)
        }
        "DELETE /api/v1/agents/{id}" => ("DELETE", "/api/v1/agents/mi-00000000000000001?dry_run=true".to_owned(), ""),
        "GET /api/v1/agent-names" => ("GET", "/api/v1/agent-names".to_owned(), ""),
        "GET /api/v1/agent-names/{name}" => ("GET", "/api/v1/agent-names/web".to_owned(), ""),
        "PUT /api/v1/agent-names/{name}" => {
            ("PUT", "/api/v1/agent-names/web".to_owned(), r#"{"instance_id":"mi-00000000000000001"}"#)
        }
        "DELETE /api/v1/agent-names/{name}" => ("DELETE", "/api/v1/agent-names/web?reason=r".to_owned(), ""),
        "GET /api/v1/agent-groups" => ("GET", "/api/v1/agent-groups".to_owned(), ""),
        "GET /api/v1/agent-groups/{name}" => ("GET", "/api/v1/agent-groups/all".to_owned(), ""),
        "PUT /api/v1/agent-groups/{name}" => {
            ("PUT", "/api/v1/agent-groups/all".to_owned(), r#"{"members":[{"agent":"mi-00000000000000001"}]}"#)
        }
        "DELETE /api/v1/agent-groups/{name}" => ("DELETE", "/api/v1/agent-groups/all".to_owned(), ""),
        "GET /api/v1/activations" => ("GET", "/api/v1/activations".to_owned(), ""),
        "POST /api/v1/activations" => ("POST", "/api/v1/activations".to_owned(), r#"{"name":"web"}"#),
        "DELETE /api/v1/activations/{id}" => ("DELETE", "/api/v1/activations/7f1c".to_owned(), ""),
        "POST /api/v1/agents/register" => (
            "POST",
            "/api/v1/agents/register".to_owned(),
            r#"{"activation_id":"7f1c","activation_code":"x","public_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"#,
        ),
        _ => panic!("{route} has no row here: add a request for it"),
    };
    (method, path, body.to_owned())
}

const AGENT: &str = "mi-00000000000000001";

/// An agent of Alice's that takes up to `concurrency_max`; dropping the link is its end.
async fn connected(runtime: &Runtime, concurrency_max: u32) -> runtime::agents::AgentLink {
    let hello = api::agent::Hello {
        protocol: api::agent::PROTOCOL,
        instance_id: AGENT.into(),
        name: "web-1".into(),
        agent_version: "0.1.0".into(),
        platform_type: "Linux".into(),
        platform_name: "Debian GNU/Linux".into(),
        platform_version: "13".into(),
        ip: None,
        computer_name: "web-1".into(),
        boot_id: "b".into(),
        incarnation: 1,
        concurrency_max: Some(concurrency_max),
        attempts: vec![],
        credentials: None,
    };
    let alice = base::Caller::new(ALICE, "us-east-1");
    runtime.agent_connect(&alice, hello, runtime::agents::Comes::FromThisHost).await.expect("the agent is let in")
}

/// Alice's agent with the name `web`, and her group `all` of it.
async fn prepare_agents(router: &Router, runtime: &Runtime) {
    drop(connected(runtime, 5).await);
    let name = format!(r#"{{"instance_id":"{AGENT}"}}"#);
    assert_eq!(ask(router, signed_by(ALICE), "PUT", "/api/v1/agent-names/web", &name).await.0, StatusCode::OK);
    let group = format!(r#"{{"members":[{{"agent":"{AGENT}"}}]}}"#);
    assert_eq!(ask(router, signed_by(ALICE), "PUT", "/api/v1/agent-groups/all", &group).await.0, StatusCode::OK);
}

const GREET: &str = r#"{"format":"json","text":"{\"schemaVersion\":\"2.2\",\"mainSteps\":[{\"action\":\"aws:runShellScript\",\"name\":\"greet\",\"inputs\":{\"runCommand\":[\"echo hello\"]}}]}"}"#;

/// Alice's definition `net` and its execution `night-1`.
async fn prepare(router: &Router) {
    let put =
        serde_json::to_string(&api::DefinitionPut { definition: PASS.to_owned(), role_arn: None }).expect("a text");
    assert_eq!(ask(router, signed_by(ALICE), "PUT", "/api/v1/definitions/net", &put).await.0, StatusCode::OK);
    let start = r#"{"definition":"net","name":"night-1"}"#;
    assert_eq!(ask(router, signed_by(ALICE), "POST", "/api/v1/executions", start).await.0, StatusCode::OK);
}

/// Who may ask what: one row for each route, one column for each kind of caller.
#[tokio::test]
async fn each_route_lets_in_whom_it_should() {
    let (of_guarded, of_unguarded) = (runtime().await, runtime().await);
    let guarded = router(State::new(of_guarded.clone(), &closed()));
    prepare(&guarded).await;
    prepare_agents(&guarded, &of_guarded).await;
    let (unguarded, elsewhere) = (router(State::new(of_unguarded.clone(), &open())), "192.0.2.7:5");
    prepare(&unguarded).await;
    prepare_agents(&unguarded, &of_unguarded).await;
    let callers = [
        ("owner", &guarded, signed_by(ALICE)),
        ("other", &guarded, signed_by(BOB)),
        ("unsigned", &guarded, LOCAL),
        ("forged", &guarded, Asker { secret: "wrong", ..signed_by(ALICE) }),
        ("for-aws", &guarded, Asker { service: "states", ..signed_by(ALICE) }),
        ("open-local", &unguarded, signed_by(ALICE)),
        ("open-remote", &unguarded, Asker { peer: elsewhere, ..signed_by(ALICE) }),
        ("open-rebound", &unguarded, Asker { host: "evil.example:8333", ..LOCAL }),
        ("open-page", &unguarded, Asker { origin: Some("http://evil.example"), ..LOCAL }),
    ];
    let mut table = String::new();
    for route in routes() {
        let name = format!("{} {}", route.method, route.path);
        let (method, target, body) = example(&name);
        table += &format!("{name}\n");
        for (caller, server, asker) in callers {
            let answer = ask(server, asker, method, &target, &body).await;
            table += &format!("    {caller}: {}\n", told(&answer));
            let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&answer.0);
            let kept_out = match route.access {
                Access::Anybody => false,
                Access::ThisHost => ["open-remote", "open-rebound", "open-page"].contains(&caller),
                Access::Host => ["open-remote", "open-rebound", "open-page"].contains(&caller),
                Access::Caller => !["owner", "other", "open-local"].contains(&caller),
            };
            assert_eq!(refused, kept_out, "{name} for {caller}");
        }
    }
    expect![[r#"
        GET /
            owner: 400
            other: 400
            unsigned: 200
            forged: 400
            for-aws: 404
            open-local: 400
            open-remote: 400
            open-rebound: 200
            open-page: 200
        GET /healthz
            owner: 200
            other: 200
            unsigned: 200
            forged: 200
            for-aws: 200
            open-local: 200
            open-remote: 200
            open-rebound: 200
            open-page: 200
        GET /metrics
            owner: 200
            other: 200
            unsigned: 200
            forged: 200
            for-aws: 200
            open-local: 200
            open-remote: 403 DN0202
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/executions
            owner: 200
            other: 200
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        POST /api/v1/executions
            owner: 200
            other: 404 DN0302
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/executions/{id}
            owner: 200
            other: 404 DN0301
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        POST /api/v1/executions/{id}/stop
            owner: 200
            other: 404 DN0301
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/executions/{id}/states
            owner: 200
            other: 404 DN0301
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/executions/{id}/events
            owner: 200
            other: 404 DN0301
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/definitions
            owner: 200
            other: 200
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/definitions/{id}
            owner: 200
            other: 404 DN0302
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        PUT /api/v1/definitions/{id}
            owner: 200
            other: 200
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/instances
            owner: 200
            other: 200
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/commands
            owner: 200
            other: 200
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        POST /api/v1/commands
            owner: 200
            other: 404 DN0321
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/commands/{id}
            owner: 404 DN0304
            other: 404 DN0304
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 404 DN0304
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        POST /api/v1/commands/{id}/cancel
            owner: 404 DN0304
            other: 404 DN0304
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 404 DN0304
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/commands/{id}/invocations/{instance}/output
            owner: 404 DN0304
            other: 404 DN0304
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 404 DN0304
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/commands/{id}/invocations/{instance}/output/live
            owner: 404 DN0304
            other: 404 DN0304
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 404 DN0304
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/agents
            owner: 200
            other: 200
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/agents/{id}
            owner: 200
            other: 404 DN0303
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        DELETE /api/v1/agents/{id}
            owner: 200
            other: 404 DN0303
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        POST /api/v1/agents/{id}/drain
            owner: 200
            other: 404 DN0303
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        POST /api/v1/agents/{id}/resume
            owner: 200
            other: 404 DN0303
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        PUT /api/v1/agents/{id}/limit
            owner: 200
            other: 404 DN0303
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/agent-names
            owner: 200
            other: 200
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/agent-names/{name}
            owner: 200
            other: 404 DN0322
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        PUT /api/v1/agent-names/{name}
            owner: 200
            other: 404 DN0303
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        DELETE /api/v1/agent-names/{name}
            owner: 200
            other: 404 DN0322
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/agent-groups
            owner: 200
            other: 200
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/agent-groups/{name}
            owner: 200
            other: 404 DN0321
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        PUT /api/v1/agent-groups/{name}
            owner: 200
            other: 404 DN0303
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        DELETE /api/v1/agent-groups/{name}
            owner: 200
            other: 404 DN0321
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/activations
            owner: 200
            other: 200
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        POST /api/v1/activations
            owner: 200
            other: 200
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        DELETE /api/v1/activations/{id}
            owner: 404 DN0311
            other: 404 DN0311
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 404 DN0311
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        POST /api/v1/agents/register
            owner: 404 DN0311
            other: 404 DN0311
            unsigned: 404 DN0311
            forged: 404 DN0311
            for-aws: 404 DN0311
            open-local: 404 DN0311
            open-remote: 403 DN0202
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/agents/connect
            owner: 400 DN0101
            other: 400 DN0101
            unsigned: 400 DN0101
            forged: 400 DN0101
            for-aws: 400 DN0101
            open-local: 400 DN0101
            open-remote: 403 DN0202
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/documents
            owner: 200
            other: 200
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        GET /api/v1/documents/{id}
            owner: 200
            other: 200
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        PUT /api/v1/documents/{id}
            owner: 200
            other: 200
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 200
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
        DELETE /api/v1/documents/{id}
            owner: 404 DN0312
            other: 404 DN0312
            unsigned: 401 DN0201
            forged: 401 DN0201
            for-aws: 401 DN0201
            open-local: 404 DN0312
            open-remote: 401 DN0201
            open-rebound: 403 DN0202
            open-page: 403 DN0202
    "#]]
    .assert_eq(&table);
}

/// The text without the moments that the store's clock put into it.
fn timeless(body: &str) -> String {
    let mut parts = body.split("\"20");
    let first = parts.next().unwrap_or("").to_owned();
    parts.fold(first, |text, part| text + "\"…" + part.split_once('Z').map_or(part, |(_, rest)| rest))
}

async fn check(target: &str, expect: Expect) {
    let router = router(State::new(runtime().await, &open()));
    prepare(&router).await;
    let mut text = String::new();
    for line in target.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.splitn(3, ' ');
        let (method, path, body) = (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next().unwrap_or(""));
        let (status, body) = ask(&router, signed_by(ALICE), method, path, body).await;
        text += &format!("{} {}\n", status.as_u16(), timeless(&body));
    }
    expect.assert_eq(&text);
}

#[tokio::test]
async fn what_is_wrong_is_said_in_our_own_form() {
    check(
        r#"
        POST /api/v1/executions {"definition":"net","nmae":"x"}
        POST /api/v1/executions {"definition":"nobody"}
        POST /api/v1/executions {"definition":"net","input":"{"}
        POST /api/v1/executions {"definition":"net","name":"a b"}
        POST /api/v1/executions
        GET /api/v1/executions?status=odd
        GET /api/v1/executions?token=odd
        GET /api/v1/executions/night-1
        DELETE /api/v1/executions
        GET /api/v1/nowhere
        PUT /api/v1/definitions/net {"definition":"{\"StartAt\":\"a\",\"States\":{\"a\":{\"Type\":\"Pass\",\"Next\":\"b\"}}}"}
        "#,
        expect![[r#"
            400 {"code":"DN0101","message":"unknown field `nmae`, expected one of `definition`, `name`, `input` at line 1 column 26"}
            404 {"code":"DN0302","message":"state machine arn:aws:states:us-east-1:111111111111:stateMachine:nobody does not exist","subject":"nobody"}
            422 {"code":"DN0502","message":"Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)\"{\"; line: 1, column: 1])"}
            422 {"code":"DN0503","message":"invalid name: a b","subject":"a b"}
            400 {"code":"DN0101","message":"the Content-Type is not application/json"}
            400 {"code":"DN0101","message":"Failed to deserialize query string: status: unknown variant `odd`, expected one of `running`, `succeeded`, `failed`, `timed_out`, `aborted`"}
            422 {"code":"DN0505","message":"invalid pagination token"}
            422 {"code":"DN0504","message":"invalid ARN: Invalid ARN prefix: night-1"}
            405 {"code":"DN0103","message":"this route has no such method"}
            404 {"code":"DN0102","message":"there is no such route"}
            422 {"code":"DN0501","message":"the definition is not valid","findings":["MISSING_TRANSITION_TARGET: Missing 'Next' target: b (/States/a/Next)","MISSING_END_STATE: Workflow has no terminal state"]}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_definition_is_created_then_updated() {
    check(
        r#"
        PUT /api/v1/definitions/n {"definition":"{\"StartAt\":\"a\",\"States\":{\"a\":{\"Type\":\"Succeed\"}}}","role_arn":"arn:aws:iam::111111111111:role/r"}
        PUT /api/v1/definitions/n {"definition":"{\"StartAt\":\"b\",\"States\":{\"b\":{\"Type\":\"Succeed\"}}}"}
        "#,
        expect![[r#"
            200 {"name":"n","arn":"arn:aws:states:us-east-1:111111111111:stateMachine:n","type":"STANDARD","created":"…","updated":"…","role_arn":"arn:aws:iam::111111111111:role/r","definition":"{\"StartAt\":\"a\",\"States\":{\"a\":{\"Type\":\"Succeed\"}}}"}
            200 {"name":"n","arn":"arn:aws:states:us-east-1:111111111111:stateMachine:n","type":"STANDARD","created":"…","updated":"…","role_arn":"arn:aws:iam::111111111111:role/r","definition":"{\"StartAt\":\"b\",\"States\":{\"b\":{\"Type\":\"Succeed\"}}}"}
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_not_ours_goes_to_aws_as_it_came() {
    let router = router(State::new(runtime().await, &open()));
    let (status, body) = ask(&router, LOCAL, "POST", "/", "{}").await;
    assert_eq!((status.as_u16(), body.contains("UnknownOperationException")), (404, true), "{body}");
    let (status, body) = ask(&router, LOCAL, "GET", "/?Action=GetCallerIdentity", "").await;
    assert_eq!((status.as_u16(), body.contains("<Account>000000000000</Account>")), (200, true), "{body}");
}

/// A real port, and what ends the server behind it.
async fn serve() -> (SocketAddr, Runtime, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let runtime = runtime().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(crate::serve(listener, runtime.clone(), open(), async { drop(stopped.await) }));
    (address, runtime, stop, ended)
}

/// What comes back for `request`, until the server closes the connection.
async fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a server");
    stream.write_all(request).await.expect("taken");
    let mut answer = vec![];
    // A server that refuses the rest of a request may cut it off.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(path: &str, more: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{more}\r\n").into_bytes()
}

#[tokio::test]
async fn a_client_that_hangs_costs_others_nothing() {
    let (address, _runtime, stop, ended) = serve().await;
    let mut hanging = vec![];
    for _ in 0..50 {
        let mut stream = TcpStream::connect(address).await.expect("a server");
        stream
            .write_all(b"POST /api/v1/executions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\n{")
            .await
            .expect("taken");
        hanging.push(stream);
    }
    assert!(raw(address, &get("/healthz", "")).await.starts_with("HTTP/1.1 200"));
    drop(hanging);
    stop.send(()).expect("it runs");
    ended.await.expect("it ends");
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let (address, _runtime, _stop, _ended) = serve().await;
    let headers = format!("x: {}\r\n", "a".repeat(100_000));
    // What nobody reads may be cut off before the answer arrives.
    assert!(!raw(address, &get("/healthz", &headers)).await.contains(" 200 "));
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    assert!(raw(address, &get("/healthz", &many)).await.starts_with("HTTP/1.1 431"));

    // The same connection serves the next request.
    let mut stream = TcpStream::connect(address).await.expect("a server");
    let large = 10 * 1024 * 1024;
    let head = format!("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: {large}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("taken");
    stream.write_all(&vec![b'x'; large]).await.expect("taken");
    stream.write_all(&get("/healthz", "")).await.expect("taken");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.expect("answers");
    assert!(answers.starts_with("HTTP/1.1 413") && answers.contains("HTTP/1.1 200"), "{answers}");

    let (router, body) = (router(State::new(runtime().await, &open())), "x".repeat(crate::gate::BODY_BYTES_MAX + 1));
    let (status, _) = ask(&router, LOCAL, "PUT", "/api/v1/definitions/big", &body).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, answer) = ask(&router, Asker { host: "h", ..LOCAL }, "POST", "/", &body).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}");
}

#[tokio::test]
async fn events_stream_to_the_end_and_resume_where_they_broke() {
    let (address, runtime, stop, ended) = serve().await;
    prepare(&router(State::new(runtime, &open()))).await;
    let path = format!("/api/v1/executions/arn:aws:states:us-east-1:{ALICE}:execution:net:night-1/events?follow=true");
    let signed = format!(
        "authorization: AWS4-HMAC-SHA256 Credential={ALICE}/20261123/us-east-1/dandori/aws4_request, SignedHeaders=host, Signature=00\r\n"
    );
    let kinds = |answer: &str| -> Vec<String> {
        let events = answer.lines().filter_map(|line| line.strip_prefix("data: "));
        events
            .map(|data| serde_json::from_str::<api::Event>(data).map_or("end".to_owned(), |event| event.kind))
            .collect()
    };
    let whole = raw(address, &get(&path, &signed)).await;
    let all = kinds(&whole);
    assert_eq!(
        all,
        [
            "ExecutionStarted",
            "PassStateEntered",
            "PassStateExited",
            "WaitStateEntered",
            "WaitStarted",
            "WaitStateExited",
            "ExecutionSucceeded",
            "end"
        ],
        "{whole}"
    );
    let rest = raw(address, &get(&path, &format!("{signed}last-event-id: 5\r\n"))).await;
    assert_eq!(kinds(&rest), all[5..]);
    stop.send(()).expect("it runs");
    ended.await.expect("it ends");
}

#[tokio::test]
async fn the_server_ends_though_somebody_listens() {
    let (address, runtime, stop, ended) = serve().await;
    prepare(&router(State::new(runtime, &open()))).await;
    let path = format!("/api/v1/executions/arn:aws:states:us-east-1:{ALICE}:execution:net:night-1/events?follow=true");
    let signed = format!(
        "authorization: AWS4-HMAC-SHA256 Credential={ALICE}/20261123/us-east-1/dandori/aws4_request, SignedHeaders=host, Signature=00\r\n"
    );
    let listening = tokio::spawn(async move { raw(address, &get(&path, &signed)).await });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    stop.send(()).expect("it runs");
    let ending = tokio::time::timeout(std::time::Duration::from_secs(3), ended);
    ending.await.expect("it ends in time").expect("it ends");
    assert!(!listening.await.expect("an answer").contains("event: end"));
}

fn without_times(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) if Timestamp::parse_rfc3339(text).is_some() => *text = "T".to_owned(),
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_times),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(without_times),
        _ => (),
    }
}

/// Asks as Alice, and shows what came back without what differs from run to run.
async fn said(router: &Router, method: &str, target: &str, body: &str) -> String {
    let (status, text) = ask(router, signed_by(ALICE), method, target, body).await;
    let mut answer: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    without_times(&mut answer);
    format!("{method} {target} {body}\n  {} {answer}\n", status.as_u16())
}

#[tokio::test]
async fn what_operators_set_is_told_to_the_agent_and_shown() {
    use api::agent::{Settings, ToAgent};

    let runtime = runtime().await;
    let router = router(State::new(runtime.clone(), &open()));
    let mut link = connected(&runtime, 5).await;
    let agent = format!("/api/v1/agents/{AGENT}");
    let mut told = String::new();
    for (method, target, body) in [
        ("POST", &*format!("{agent}/drain"), r#"{"reason":"patches","dry_run":true}"#),
        ("POST", &*format!("{agent}/drain"), r#"{"reason":"patches"}"#),
        ("GET", "/api/v1/agents", ""),
        ("POST", &*format!("{agent}/resume"), "{}"),
        ("PUT", &*format!("{agent}/limit"), r#"{"limit":3}"#),
        ("PUT", "/api/v1/agent-names/web", &*format!(r#"{{"instance_id":"{AGENT}","limit":2,"restriction":"hold"}}"#)),
        ("GET", "/api/v1/agents/web", ""),
        ("PUT", "/api/v1/agent-groups/pool", r#"{"members":[{"agent":"web","priority":3}],"policy":"failover"}"#),
        ("PUT", "/api/v1/agent-groups/pool", r#"{"members":[{"agent":"db"}]}"#),
        ("PUT", "/api/v1/agent-groups/web", r#"{"members":[{"agent":"web"}]}"#),
        ("DELETE", "/api/v1/agent-names/web", ""),
        ("GET", "/api/v1/agent-groups?limit=1", ""),
        ("DELETE", "/api/v1/agent-groups/pool?dry_run=true", ""),
        ("DELETE", "/api/v1/agent-groups/pool", ""),
        ("DELETE", "/api/v1/agent-names/web", ""),
        ("GET", "/api/v1/agents/web", ""),
        ("PUT", "/api/v1/agent-names/mi-00000000000000002", &*format!(r#"{{"instance_id":"{AGENT}"}}"#)),
        ("PUT", "/api/v1/agent-names/db", r#"{"instance_id":"mi-00000000000000009"}"#),
        ("DELETE", &*agent, ""),
        ("GET", &*agent, ""),
    ] {
        told += &said(&router, method, target, body).await;
    }
    expect![[r#"
        POST /api/v1/agents/mi-00000000000000001/drain {"reason":"patches","dry_run":true}
          200 {"id":"mi-00000000000000001","name":"web-1","status":"up","names":[],"groups":[],"tags":{},"computer_name":"web-1","platform_type":"Linux","platform":"Debian GNU/Linux 13","agent_version":"0.1.0","ip_address":"","running":0,"queued":0,"limit":5,"last_heard":"T","registered":"T","pending":[]}
        POST /api/v1/agents/mi-00000000000000001/drain {"reason":"patches"}
          200 {"id":"mi-00000000000000001","name":"web-1","status":"draining","names":[],"groups":[],"tags":{},"computer_name":"web-1","platform_type":"Linux","platform":"Debian GNU/Linux 13","agent_version":"0.1.0","ip_address":"","running":0,"queued":0,"limit":5,"drained":{"since":"T","reason":"patches"},"last_heard":"T","registered":"T","pending":[]}
        GET /api/v1/agents 
          200 {"items":[{"id":"mi-00000000000000001","name":"web-1","status":"draining","names":[],"groups":[],"tags":{},"computer_name":"web-1","platform_type":"Linux","platform":"Debian GNU/Linux 13","agent_version":"0.1.0","ip_address":"","running":0,"queued":0,"limit":5,"drained":{"since":"T","reason":"patches"},"last_heard":"T","registered":"T"}]}
        POST /api/v1/agents/mi-00000000000000001/resume {}
          200 {"id":"mi-00000000000000001","name":"web-1","status":"up","names":[],"groups":[],"tags":{},"computer_name":"web-1","platform_type":"Linux","platform":"Debian GNU/Linux 13","agent_version":"0.1.0","ip_address":"","running":0,"queued":0,"limit":5,"last_heard":"T","registered":"T","pending":[]}
        PUT /api/v1/agents/mi-00000000000000001/limit {"limit":3}
          200 {"id":"mi-00000000000000001","name":"web-1","status":"up","names":[],"groups":[],"tags":{},"computer_name":"web-1","platform_type":"Linux","platform":"Debian GNU/Linux 13","agent_version":"0.1.0","ip_address":"","running":0,"queued":0,"limit":3,"limit_set":3,"last_heard":"T","registered":"T","pending":[]}
        PUT /api/v1/agent-names/web {"instance_id":"mi-00000000000000001","limit":2,"restriction":"hold"}
          200 {"name":"web","instance_id":"mi-00000000000000001","limit":2,"restriction":"hold"}
        GET /api/v1/agents/web 
          200 {"id":"mi-00000000000000001","name":"web-1","status":"draining","names":["web"],"groups":[],"tags":{},"computer_name":"web-1","platform_type":"Linux","platform":"Debian GNU/Linux 13","agent_version":"0.1.0","ip_address":"","running":0,"queued":0,"limit":2,"limit_set":3,"held_by":"web","last_heard":"T","registered":"T","pending":[]}
        PUT /api/v1/agent-groups/pool {"members":[{"agent":"web","priority":3}],"policy":"failover"}
          200 {"name":"pool","members":[{"agent":"web","priority":3}],"policy":"failover"}
        PUT /api/v1/agent-groups/pool {"members":[{"agent":"db"}]}
          404 {"code":"DN0322","message":"there is no agent of the name db","subject":"db"}
        PUT /api/v1/agent-groups/web {"members":[{"agent":"web"}]}
          409 {"code":"DN0421","message":"web is the name of an agent and of a group: it can be one only","subject":"web"}
        DELETE /api/v1/agent-names/web 
          409 {"code":"DN0422","message":"agent name web is a member of pool","subject":"web"}
        GET /api/v1/agent-groups?limit=1 
          200 {"items":[{"name":"pool","members":[{"agent":"web","priority":3}],"policy":"failover"}]}
        DELETE /api/v1/agent-groups/pool?dry_run=true 
          200 {}
        DELETE /api/v1/agent-groups/pool 
          200 {}
        DELETE /api/v1/agent-names/web 
          200 {}
        GET /api/v1/agents/web 
          404 {"code":"DN0322","message":"there is no agent of the name web","subject":"web"}
        PUT /api/v1/agent-names/mi-00000000000000002 {"instance_id":"mi-00000000000000001"}
          422 {"code":"DN0503","message":"invalid name: mi-00000000000000002","subject":"mi-00000000000000002"}
        PUT /api/v1/agent-names/db {"instance_id":"mi-00000000000000009"}
          404 {"code":"DN0303","message":"instances [\"mi-00000000000000009\"] are not registered","subject":"mi-00000000000000009"}
        DELETE /api/v1/agents/mi-00000000000000001 
          200 {}
        GET /api/v1/agents/mi-00000000000000001 
          404 {"code":"DN0303","message":"instances [\"mi-00000000000000001\"] are not registered","subject":"mi-00000000000000001"}
    "#]].assert_eq(&told);

    let mut settings = vec![];
    while let Some(message) = link.outgoing.recv().await {
        match message {
            ToAgent::Welcome(welcome) => settings.push(welcome.settings),
            ToAgent::Settings(changed) => settings.push(changed),
            other => panic!("{other:?}"),
        }
    }
    let set = |concurrency_max, draining| Settings { concurrency_max, draining };
    assert_eq!(
        settings,
        [
            set(None, false),
            set(None, true),
            set(None, false),
            set(Some(3), false),
            set(Some(2), true),
            set(Some(3), false)
        ]
    );
}

/// A server for Alice and Bob on a port of its own, and what an agent needs to know of it.
struct Door {
    address: SocketAddr,
    runtime: Runtime,
    server: identity::PublicKey,
    _stop: oneshot::Sender<()>,
}

type Spoken = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>;

impl Door {
    async fn open(config: crate::Config) -> Door {
        let (runtime, server) = (runtime().await, config.identity.public());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async { drop(stopped.await) };
        let served = runtime.clone();
        tokio::spawn(async move { crate::serve(listener, served, config, until).await });
        Door { address, runtime, server, _stop: stop }
    }

    /// A host of Alice's that registers.
    async fn register(&self, pair: &identity::KeyPair) -> String {
        let alice = base::Caller::new(ALICE, "us-east-1");
        let create = runtime::activations::ActivationCreate { iam_role: "r".to_owned(), ..Default::default() };
        let activation = self.runtime.activation_create(&alice, create).await.expect("an activation");
        let register = format!(
            r#"{{"activation_id":"{}","activation_code":"{}","public_key":"{}"}}"#,
            activation.activation_id,
            activation.code,
            pair.public()
        );
        let register = serde_json::from_str(&register).expect("a request");
        self.runtime.agent_register(register).await.expect("registered").instance_id
    }

    /// Connects, and believes the server when it shows its key.
    async fn connect(&self) -> (Spoken, identity::Session) {
        use futures_util::StreamExt;
        use tokio_tungstenite::tungstenite::client::IntoClientRequest;

        let agent = identity::Nonce::draw();
        let url = format!("ws://{}{}", self.address, api::agent::CONNECT_PATH);
        let mut request = url.into_client_request().expect("a request");
        request.headers_mut().insert(api::agent::NONCE_HEADER, agent.to_string().parse().expect("a header"));
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("a connection");
        let first = socket.next().await.expect("a message").expect("a message").into_text().expect("a text");
        let api::agent::ToAgent::Challenge(challenge) = serde_json::from_str(&first).expect("a message") else {
            panic!("a challenge comes first, not {first}")
        };
        let session = identity::Session { agent, server: identity::Nonce::parse(&challenge.nonce).expect("a nonce") };
        assert!(self.server.verifies(&identity::Statement::Challenge { session }, &challenge.signature));
        (socket, session)
    }

    /// Says hello as `instance_id`, with a proof by `pair` that was made for `of`. Returns the answer.
    async fn hello(
        &self,
        instance_id: &str,
        pair: Option<&identity::KeyPair>,
        of: Option<identity::Session>,
        incarnation: u64,
    ) -> String {
        use api::agent::PROTOCOL;
        use futures_util::{SinkExt, StreamExt};

        let (mut socket, session) = self.connect().await;
        let statement = identity::Statement::Hello {
            session: of.unwrap_or(session),
            server: self.server,
            instance_id,
            account: ALICE,
            region: "us-east-1",
            incarnation,
        };
        let proof = pair
            .map(|pair| format!(r#","proof":{{"key":"{}","signature":"{}"}}"#, pair.public(), pair.sign(&statement)));
        let hello = format!(
            r#"{{"type":"hello","protocol":{PROTOCOL},"instance_id":"{instance_id}","name":"n","agent_version":"0","platform_type":"Linux","platform_name":"","platform_version":"","computer_name":"c","boot_id":"b","incarnation":{incarnation},"attempts":[],"credentials":{{"account":"{ALICE}","region":"us-east-1","life":"l"{}}}}}"#,
            proof.unwrap_or_default()
        );
        socket.send(tokio_tungstenite::tungstenite::Message::text(hello)).await.expect("said");
        let answer =
            socket.next().await.expect("an answer").expect("an answer").into_text().expect("a text").to_string();
        if answer.contains(r#""welcome""#) { "welcome".to_owned() } else { answer }
    }
}

#[tokio::test]
async fn who_is_not_let_in_learns_nothing() {
    let door = Door::open(closed()).await;
    let (pair, other) = (identity::KeyPair::generate(), identity::KeyPair::generate());
    let (instance, another) = (door.register(&pair).await, door.register(&other).await);
    let (_socket, stale) = door.connect().await;
    assert_eq!(door.hello(&instance, Some(&pair), None, 5).await, "welcome");
    let gone = door.register(&identity::KeyPair::generate()).await;
    let alice = base::Caller::new(ALICE, "us-east-1");
    door.runtime.instance_deregister(&alice, &gone).await.expect("deregistered");
    let refused = r#"{"type":"refused","code":"Agent.Refused","message":"this server does not take this agent"}"#;
    for (why, instance_id, pair, of, incarnation) in [
        ("unknown", "mi-00000000000000000", Some(&pair), None, 9),
        ("no instance id", "../../etc", Some(&pair), None, 9),
        ("no proof", instance.as_str(), None, None, 9),
        ("another's key", instance.as_str(), Some(&other), None, 9),
        ("another's instance", another.as_str(), Some(&pair), None, 9),
        ("another connection's proof", instance.as_str(), Some(&pair), Some(stale), 9),
        ("deregistered", gone.as_str(), Some(&pair), None, 9),
        ("a start that is over", instance.as_str(), Some(&pair), None, 4),
        ("suspended by that", instance.as_str(), Some(&pair), None, 9),
    ] {
        assert_eq!(door.hello(instance_id, pair, of, incarnation).await, refused, "{why}");
    }
    let shown = door.runtime.agent(&alice, &instance).await.expect("it is there");
    assert_eq!(shown.status, runtime::overview::AgentStatus::Suspended);
    assert_eq!(shown.instance.ping, runtime::instances::Ping::ConnectionLost);
    let send = runtime::commands::CommandSend {
        document_name: "AWS-RunShellScript".to_owned(),
        parameters: [("commands".to_owned(), vec!["true".to_owned()])].into(),
        instance_ids: vec![instance.clone()],
        ..Default::default()
    };
    let refusal = door.runtime.command_send(&alice, send).await.expect_err("nobody knows which of two is meant");
    assert!(
        matches!(&refusal, runtime::Refusal::Command(runtime::refusal::CommandRefusal::InvalidInstanceId(ids)) if ids[..] == [instance]),
        "{refusal:?}"
    );
    assert_eq!(door.hello(&another, Some(&other), None, 1).await, "welcome");
}

#[tokio::test]
async fn without_keys_an_agent_may_choose_its_id_but_not_anothers() {
    let door = Door::open(open()).await;
    let pair = identity::KeyPair::generate();
    let instance = door.register(&pair).await;
    assert_eq!(door.hello("mi-00000000000000000", None, None, 1).await, "welcome");
    assert!(door.hello(&instance, None, None, 1).await.contains("Agent.Refused"));
    assert_eq!(door.hello(&instance, Some(&pair), None, 1).await, "welcome");
}
