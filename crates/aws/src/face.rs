//! Requests in, answers out: who asks, which operation is meant, and the form of the answer.
//!
//! What is meant follows from the signature's scope, then `X-Amz-Target`, then `Action`; never from the host, which
//! a proxy or an endpoint prefix may change.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use base::{Caller, Id, Json, Timestamp};
use bytes::Bytes;
use runtime::Runtime;

use crate::door::{self, Stranger};
use crate::error::Error;
use crate::http::{Request, Response};
use crate::operation::Service;
use crate::value::{Members, Value};
use crate::write::{Style, Writer};
use crate::{logs, sfn, ssm, sts};

/// Who may come in, and how much they may bring.
#[derive(Debug, Clone)]
pub struct Config {
    /// By access key. While there are none, anybody on this host is let in, and nobody else.
    pub keys: HashMap<String, Key>,
    /// How far a signature's time may be off, in minutes.
    pub skew_minutes: i64,
    pub body_bytes_max: usize,
    /// What time it is.
    pub clock: fn() -> Timestamp,
}

/// An access key's secret, and the account that it acts for.
#[derive(Debug, Clone)]
pub struct Key {
    pub secret: sigv4::Secret,
    pub account: String,
}

/// A signature's time may be off by so much. AWS allows 15.
pub const SKEW_MINUTES: i64 = 5;

/// A definition or an input whose every character is escaped fits.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// AWS's services, as this server offers them.
pub struct Face {
    runtime: Runtime,
    config: Config,
    ids: Ids,
}

impl Config {
    /// Open to this host only.
    pub fn open(clock: fn() -> Timestamp) -> Config {
        Config { keys: HashMap::new(), skew_minutes: SKEW_MINUTES, body_bytes_max: BODY_BYTES_MAX, clock }
    }
}

impl Face {
    pub fn new(runtime: Runtime, config: Config) -> Face {
        Face { runtime, config, ids: Ids::default() }
    }

    /// Answers one request. Whatever comes, there is an answer.
    pub async fn handle(&self, request: Request<'_>) -> Response {
        let id = self.ids.next();
        let route = if request.body.len() > self.config.body_bytes_max { Err(too_large()) } else { route(&request) };
        let (form, answer) = match route {
            Ok(Route::Json(service, operation)) => {
                (Form::Json(service.content_type), self.json(&request, service, operation).await)
            }
            Ok(Route::Sts(action)) => {
                (Form::Query, who(&self.config, &request).and_then(|caller| sts::answer(&action, &caller, &id)))
            }
            Err(error) => (form_asked(&request), Err(error)),
        };
        match answer {
            Ok(body) => respond(200, form, body, id),
            Err(error) => respond(form.status(&error), form, form.error(&error, &id), id),
        }
    }

    async fn json(&self, request: &Request<'_>, service: &Service, operation: &str) -> Result<Vec<u8>, Error> {
        let caller = who(&self.config, request)?;
        let operation = service.operation(operation)?;
        let input = read(&request.body)?;
        let mut out = Writer::new(Style::Client);
        service.run(operation, &caller, &self.runtime, input, &mut out, None).await?;
        Ok(out.finish())
    }
}

/// The form in which a client understands that what it asks is not here: those of S3 and of the query protocol read
/// XML alone, and would show only the status.
fn form_asked(request: &Request<'_>) -> Form {
    let scope = request.header("authorization").and_then(sigv4::credential_scope);
    if scope.is_some_and(|scope| scope.service == "s3") || action(request).is_some() {
        Form::Query
    } else {
        Form::Json(sfn::SERVICE.content_type)
    }
}

fn too_large() -> Error {
    Error::new("RequestEntityTooLargeException", "Request is too large.").with_status(413)
}

/// Which service and operation a request means.
enum Route<'a> {
    Json(&'static Service, &'a str),
    Sts(String),
}

fn route<'a>(request: &Request<'a>) -> Result<Route<'a>, Error> {
    let target = request.header("x-amz-target");
    match request.header("authorization").and_then(sigv4::credential_scope).map(|scope| scope.service) {
        Some(sts::NAME) => action(request).map(Route::Sts).ok_or_else(unsupported),
        Some(name) => match SERVICES.into_iter().find(|service| service.name == name) {
            Some(service) => route_json(request, service, target),
            None => {
                Err(Error::unknown_operation(format!("The service {name} is not available in this version of Dandori")))
            }
        },
        None => match (
            SERVICES.into_iter().find(|service| target.is_some_and(|target| operation_of(service, target).is_some())),
            target,
        ) {
            (Some(service), target) => route_json(request, service, target),
            (None, Some(target)) => Err(unknown(target)),
            (None, None) => action(request).map(Route::Sts).ok_or_else(unsupported),
        },
    }
}

fn route_json<'a>(
    request: &Request<'a>,
    service: &'static Service,
    target: Option<&'a str>,
) -> Result<Route<'a>, Error> {
    let target = target.filter(|_| is_json(request)).ok_or_else(unsupported)?;
    operation_of(service, target).map(|operation| Route::Json(service, operation)).ok_or_else(|| unknown(target))
}

fn unknown(target: &str) -> Error {
    Error::unknown_operation(format!("The operation {target} is not known"))
}

/// Those that speak JSON. A new service is one more here.
pub(crate) const SERVICES: [&Service; 3] = [&sfn::SERVICE, &ssm::SERVICE, &logs::SERVICE];

fn operation_of<'a>(service: &Service, target: &'a str) -> Option<&'a str> {
    target.strip_prefix(service.target)?.strip_prefix('.')
}

/// AWS finds no operation either when it does not know the form of the request.
fn unsupported() -> Error {
    Error::unknown_operation("The request has no X-Amz-Target and Content-Type of an operation").with_status(404)
}

fn is_json(request: &Request<'_>) -> bool {
    let content_type = request.header("content-type").unwrap_or("");
    let media = content_type.split(';').next().unwrap_or("").trim();
    request.method == "POST"
        && ["application/x-amz-json-1.0", "application/x-amz-json-1.1"]
            .iter()
            .any(|known| media.eq_ignore_ascii_case(known))
}

/// The `Action` of the query protocol, in the form or in the query.
fn action(request: &Request<'_>) -> Option<String> {
    let form = std::str::from_utf8(&request.body).ok().filter(|_| request.method == "POST").unwrap_or("");
    let pairs = form.split('&').chain(request.query.split('&'));
    let value = pairs.filter_map(|pair| pair.strip_prefix("Action=")).next()?;
    value.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| value.to_owned())
}

/// On whose behalf the request comes, in AWS's words where nobody can tell.
fn who(config: &Config, request: &Request<'_>) -> Result<Caller, Error> {
    door::caller(config, request).map(|(caller, _)| caller).map_err(|stranger| match stranger {
        Stranger::FromElsewhere => {
            Error::new("AccessDeniedException", "This server has no access keys, and so serves its own host only.")
                .with_status(403)
        }
        Stranger::Region(region) => Error::new(
            "InvalidSignatureException",
            format!("Credential should be scoped to a valid region, not '{region}'. "),
        ),
        Stranger::Signature(refusal) => Error::new(refusal.code(), refusal.to_string()),
    })
}

/// The members of the JSON object that a body holds.
fn read(body: &[u8]) -> Result<Members<'_>, Error> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Error::serialization("Unexpected value type in payload")),
        Err(_) if body.is_empty() => Err(Error::serialization("Request body is missing")),
        Err(error) => Err(Error::serialization(match std::str::from_utf8(body).map(Json::parse) {
            Ok(Err(error)) => error.message,
            _ => error.to_string(),
        })),
    }
}

/// How answers of a protocol look.
#[derive(Debug, Clone, Copy)]
enum Form {
    Json(&'static str),
    Query,
}

impl Form {
    fn content_type(self) -> &'static str {
        match self {
            Form::Json(content_type) => content_type,
            Form::Query => "text/xml",
        }
    }

    fn status(self, error: &Error) -> u16 {
        match self {
            Form::Json(_) => error.status,
            Form::Query => sts::status(error),
        }
    }

    fn error(self, error: &Error, id: &str) -> Vec<u8> {
        match self {
            Form::Json(_) => {
                let mut out = Writer::new(Style::Client);
                out.text("__type", &error.code);
                out.text_if("message", error.message.as_deref());
                out.text_if("resourceName", error.resource.as_deref());
                out.text_if("reason", error.reason);
                out.finish()
            }
            Form::Query => sts::error(error, id),
        }
    }
}

fn respond(status: u16, form: Form, body: Vec<u8>, id: String) -> Response {
    let headers = vec![("x-amzn-RequestId", id), ("Content-Type", form.content_type().to_owned())];
    Response { status, headers, body: Bytes::from(body) }
}

/// Names for requests: all different, and not to be guessed.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    chance: RandomState,
    count: AtomicU64,
}

impl Ids {
    pub(crate) fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let (high, low) = (self.chance.hash_one((count, 0)), self.chance.hash_one((count, 1)));
        Id(u128::from(high) << 64 | u128::from(low)).to_uuid()
    }
}

#[cfg(test)]
mod tests;
