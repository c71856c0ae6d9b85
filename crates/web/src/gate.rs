//! Who asks: the same rule as at AWS's door, for requests that are signed for us.
//!
//! While the server has no keys, anybody on this host is who they say, and nobody else is let in. With keys, a
//! request is believed by its signature alone.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aws::Config;
use aws::door::Stranger;
use axum::body::Body;
use axum::extract::{Request, State as Extracted};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::Caller;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use runtime::agents::Comes;
use tokio::time::timeout;

use crate::State;
use crate::refusal::Refused;

/// A definition of 1 MiB, each of its characters escaped, and what is around it.
pub const BODY_BYTES_MAX: usize = aws::face::BODY_BYTES_MAX + 64 * 1024;

/// How long a body may take to arrive.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(60);

/// Where a request came from. Put into each by whoever took the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

impl Peer {
    pub fn is_loopback(self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }
}

/// The keys that open it.
pub struct Gate {
    config: Config,
}

impl Gate {
    pub(crate) fn new(config: Config) -> Gate {
        Gate { config }
    }

    /// What an agent that shows nothing comes from.
    pub(crate) fn stranger(&self, parts: &Parts) -> Comes {
        let near = is_near(&parts.headers, &parts.extensions);
        if self.config.keys.is_empty() && near { Comes::FromThisHost } else { Comes::FromElsewhere }
    }

    /// Returns who asks.
    fn caller(&self, parts: &Parts, body: &Bytes) -> Result<Caller, Refused> {
        let request = aws::Request {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or(""),
            headers: texts(&parts.headers),
            body: body.clone(),
            peer_is_loopback: parts.extensions.get::<Peer>().is_some_and(|peer| peer.is_loopback()),
        };
        // A page from elsewhere, open in a browser on this host, is not somebody on this host.
        if self.config.keys.is_empty() && request.peer_is_loopback && !is_local_name(&parts.headers) {
            return Err(not_permitted("this server has no access keys, and so answers to local names only"));
        }
        let (caller, service) = aws::door::caller(&self.config, &request).map_err(|stranger| match stranger {
            Stranger::FromElsewhere => {
                unauthenticated("this server has no access keys, and so serves its own host only")
            }
            Stranger::Region(_) => unauthenticated("the signature's scope names no region"),
            Stranger::Signature(refusal) => unauthenticated(&refusal.to_string()),
        })?;
        match service {
            // A signature made for another service is no request of ours.
            Some(service) if service != api::SIGNING_NAME => {
                Err(unauthenticated("the signature is for another service"))
            }
            Some(_) | None => Ok(caller),
        }
    }
}

/// On this host, by a local name, and not handed on by a proxy for somebody else.
fn is_near(headers: &HeaderMap, extensions: &axum::http::Extensions) -> bool {
    let near = extensions.get::<Peer>().is_some_and(|peer| peer.is_loopback());
    let handed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name));
    near && !handed_on && is_local_name(headers)
}

/// Lets a request through with its [`Caller`], its body read.
pub(crate) async fn pass(Extracted(state): Extracted<State>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let admitted = async {
        from_here(&parts.headers)?;
        let body = whole(body).await?;
        let caller = state.gate.caller(&parts, &body)?;
        Ok::<_, Refused>((caller, body))
    };
    match admitted.await {
        Ok((caller, body)) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, Body::from(body))).await
        }
        Err(refused) => refused.into_response(),
    }
}

/// Lets a request through that is for hosts, which have no keys of ours, with its body read: whoever answers it asks for
/// what they have.
pub(crate) async fn pass_hosts(Extracted(state): Extracted<State>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let admitted = async {
        from_here(&parts.headers)?;
        if state.gate.config.keys.is_empty() && !is_near(&parts.headers, &parts.extensions) {
            return Err(not_permitted("this server has no access keys, and so serves its own host only"));
        }
        whole(body).await
    };
    match admitted.await {
        Ok(body) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(refused) => refused.into_response(),
    }
}

/// Lets a request through that comes from this host itself: by a local name, not by a page of another, and not
/// handed on by a proxy for somebody else.
pub(crate) async fn pass_near(request: Request, next: Next) -> Response {
    let headers = request.headers();
    match is_near(headers, request.extensions()) {
        true => match from_here(headers) {
            Ok(()) => next.run(request).await,
            Err(refused) => refused.into_response(),
        },
        false => not_permitted("only this host itself may ask that").into_response(),
    }
}

/// The body, when all of it comes in time.
async fn whole(body: Body) -> Result<Bytes, Refused> {
    let reading = Limited::new(body, BODY_BYTES_MAX).collect();
    match timeout(BODY_TIME_MAX, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(api::Error::new(api::Code::TooLarge, format!("a body may have {BODY_BYTES_MAX} bytes")).into())
        }
        Ok(Err(error)) => Err(api::Error::new(api::Code::Malformed, error.to_string()).into()),
        Err(_) => Err(api::Error::new(api::Code::TooSlow, "the body did not arrive in time").into()),
    }
}

/// Browsers say which page asks. Only our own may.
fn from_here(headers: &HeaderMap) -> Result<(), Refused> {
    let Some(origin) = headers.get("origin") else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("");
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    match authority == header(headers, "host") {
        true => Ok(()),
        false => Err(not_permitted("the request comes from a page of another origin")),
    }
}

/// A page in a browser always says its origin when it posts; AWS's tools never do. Only a page of this host's own is
/// let in, under a name that no other host can take: a name that was made to point here is not one.
pub(crate) fn not_from_a_foreign_page(headers: &HeaderMap) -> Result<(), Refused> {
    if !headers.contains_key("origin") {
        return Ok(());
    }
    from_here(headers)?;
    is_local_name(headers).then_some(()).ok_or_else(|| not_permitted("the request comes from a page of another origin"))
}

/// Whether the request was sent to a name that can only mean this host, or to an address.
fn is_local_name(headers: &HeaderMap) -> bool {
    let host = header(headers, "host").unwrap_or("");
    let name = match host.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    name.is_empty()
        || name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok()
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// All headers that are text. What is not cannot have been signed.
pub(crate) fn texts(headers: &HeaderMap) -> Vec<(&str, &str)> {
    headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?)))
        .collect()
}

fn unauthenticated(why: &str) -> Refused {
    api::Error::new(api::Code::Unauthenticated, why).into()
}

fn not_permitted(why: &str) -> Refused {
    api::Error::new(api::Code::NotPermitted, why).into()
}
