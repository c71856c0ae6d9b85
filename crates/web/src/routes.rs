//! Every route of ours, and who may ask it.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};

use crate::refusal::Refused;
use crate::{
    State, agents, aws_door, commands, definitions, documents, enrolment, executions, gate, live, metrics, operators,
    outputs, page,
};

/// Who may ask a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody: it tells nothing.
    Anybody,
    /// Whoever is on this host, about all accounts: its operators and their scrapers.
    ThisHost,
    /// Whoever the gate lets in, about what is theirs.
    Caller,
    /// Hosts: by an activation's code, or by the key that they registered with.
    Host,
}

/// One route.
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub access: Access,
    handler: MethodRouter<State>,
}

/// All of them. What is not here is AWS's.
pub fn routes() -> Vec<Route> {
    let caller = |method, path, handler| Route { method, path, access: Access::Caller, handler };
    let anybody = |method, path, handler| Route { method, path, access: Access::Anybody, handler };
    vec![
        anybody("GET", "/", get(page::home).fallback(aws_door::handle)),
        anybody("GET", "/healthz", get(page::health)),
        Route { method: "GET", path: "/metrics", access: Access::ThisHost, handler: get(metrics::metrics) },
        caller("GET", "/api/v1/executions", get(executions::list)),
        caller("POST", "/api/v1/executions", post(executions::start)),
        caller("GET", "/api/v1/executions/{id}", get(executions::show)),
        caller("POST", "/api/v1/executions/{id}/stop", post(executions::stop)),
        caller("GET", "/api/v1/executions/{id}/states", get(executions::states)),
        caller("GET", "/api/v1/executions/{id}/events", get(live::events)),
        caller("GET", "/api/v1/definitions", get(definitions::list)),
        caller("GET", "/api/v1/definitions/{id}", get(definitions::show)),
        caller("PUT", "/api/v1/definitions/{id}", put(definitions::put)),
        caller("GET", "/api/v1/instances", get(commands::instances)),
        caller("GET", "/api/v1/commands", get(commands::list)),
        caller("POST", "/api/v1/commands", post(commands::send)),
        caller("GET", "/api/v1/commands/{id}", get(commands::show)),
        caller("POST", "/api/v1/commands/{id}/cancel", post(commands::cancel)),
        caller("GET", "/api/v1/commands/{id}/invocations/{instance}/output", get(outputs::read)),
        caller("GET", "/api/v1/commands/{id}/invocations/{instance}/output/live", get(outputs::live)),
        caller("GET", "/api/v1/agents", get(operators::agents)),
        caller("GET", "/api/v1/agents/{id}", get(operators::show)),
        caller("DELETE", "/api/v1/agents/{id}", delete(operators::remove)),
        caller("POST", "/api/v1/agents/{id}/drain", post(operators::drain)),
        caller("POST", "/api/v1/agents/{id}/resume", post(operators::resume)),
        caller("PUT", "/api/v1/agents/{id}/limit", put(operators::limit)),
        caller("GET", "/api/v1/agent-names", get(operators::names)),
        caller("GET", "/api/v1/agent-names/{name}", get(operators::name_show)),
        caller("PUT", "/api/v1/agent-names/{name}", put(operators::name_put)),
        caller("DELETE", "/api/v1/agent-names/{name}", delete(operators::name_remove)),
        caller("GET", "/api/v1/agent-groups", get(operators::groups)),
        caller("GET", "/api/v1/agent-groups/{name}", get(operators::group_show)),
        caller("PUT", "/api/v1/agent-groups/{name}", put(operators::group_put)),
        caller("DELETE", "/api/v1/agent-groups/{name}", delete(operators::group_remove)),
        caller("GET", "/api/v1/activations", get(enrolment::list)),
        caller("POST", "/api/v1/activations", post(enrolment::create)),
        caller("DELETE", "/api/v1/activations/{id}", delete(enrolment::remove)),
        Route {
            method: "POST",
            path: api::agent::REGISTER_PATH,
            access: Access::Host,
            handler: post(enrolment::register),
        },
        Route { method: "GET", path: api::agent::CONNECT_PATH, access: Access::Host, handler: get(agents::connect) },
        caller("GET", "/api/v1/documents", get(documents::list)),
        caller("GET", "/api/v1/documents/{id}", get(documents::show)),
        caller("PUT", "/api/v1/documents/{id}", put(documents::put)),
        caller("DELETE", "/api/v1/documents/{id}", delete(documents::delete)),
    ]
}

/// The whole server, but for its connections.
pub fn router(state: State) -> Router {
    let (mut open, mut near, mut closed, mut hosts) = (Router::new(), Router::new(), Router::new(), Router::new());
    for route in routes() {
        match route.access {
            Access::Anybody => open = open.route(route.path, route.handler),
            Access::ThisHost => near = near.route(route.path, route.handler),
            Access::Caller => closed = closed.route(route.path, route.handler),
            Access::Host => hosts = hosts.route(route.path, route.handler),
        }
    }
    let closed = closed
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(state.clone(), gate::pass))
        // The gate has read the body, to its own limit.
        .layer(DefaultBodyLimit::disable());
    let near = near.method_not_allowed_fallback(no_such_method).layer(from_fn(gate::pass_near));
    let hosts = hosts
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(state.clone(), gate::pass_hosts))
        .layer(DefaultBodyLimit::disable());
    open.merge(near).merge(closed).merge(hosts).fallback(elsewhere).with_state(state)
}

async fn no_such_method() -> Refused {
    api::Error::new(api::Code::NoSuchMethod, "this route has no such method").into()
}

/// What is no route of ours is AWS's, unless it says that it is ours.
async fn elsewhere(state: axum::extract::State<State>, request: Request) -> Response {
    if request.uri().path().starts_with(api::ROOT) {
        return Refused::from(api::Error::new(api::Code::NoSuchRoute, "there is no such route")).into_response();
    }
    aws_door::handle(state, request).await
}
