//! Requests: signed, sent, sent again, and what is wrong with their answers.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::http::request;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::{Addressing, Endpoint, EndpointError};
use crate::failure::StoreError;

/// How often a request is sent at most.
const ATTEMPTS_MAX: u32 = 4;

/// Before the second attempt; twice as much before each further one.
const PAUSE: Duration = Duration::from_millis(200);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Until an answer begins; the request's body is sent within it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Between the chunks of an answer.
pub(super) const CHUNK_TIMEOUT: Duration = Duration::from_secs(60);

/// Bytes of an answer that is read as a whole: a page of a listing with long keys, all of them encoded.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// An endpoint with its connections.
pub(crate) struct S3 {
    endpoint: Endpoint,
    scheme: String,
    authority: String,
    /// What stands before the bucket in a path; no slash at the end.
    base: String,
    client: Http,
}

enum Http {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A request before it is signed.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) bucket: &'a str,
    /// Empty for the bucket itself.
    pub(super) key: &'a str,
    pub(super) query: Vec<(&'a str, String)>,
    pub(super) headers: Vec<(&'a str, String)>,
    pub(super) body: Bytes,
}

impl S3 {
    pub(crate) fn new(endpoint: Endpoint) -> Result<S3, EndpointError> {
        let bad = || EndpointError::Url { url: endpoint.url.clone() };
        let url: Uri = endpoint.url.parse().map_err(|_| bad())?;
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else { return Err(bad()) };
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let builder = Client::builder(TokioExecutor::new());
        let client = match scheme {
            "http" => Http::Plain(builder.build(connector)),
            "https" => Http::Tls(builder.build(tls(connector).map_err(EndpointError::Authorities)?)),
            _ => return Err(bad()),
        };
        let base = url.path().trim_end_matches('/').to_owned();
        Ok(S3 { scheme: scheme.to_owned(), authority: authority.to_string(), base, client, endpoint })
    }

    /// The answer, when it is one of success. What failed for a passing reason is sent again.
    pub(super) async fn send(&self, ask: &Ask<'_>) -> Result<Response<Incoming>, StoreError> {
        let mut attempt = 1;
        loop {
            let error = match self.send_once(ask).await {
                Err(error) if attempt < ATTEMPTS_MAX && is_passing(&error) => error,
                answer => return answer,
            };
            drop(error);
            sleep(PAUSE * 2u32.pow(attempt - 1)).await;
            attempt += 1;
        }
    }

    /// The answer's body, as a whole.
    pub(super) async fn text(&self, ask: &Ask<'_>) -> Result<String, StoreError> {
        let bytes = whole(self.send(ask).await?.into_body()).await?;
        String::from_utf8(bytes.into()).map_err(|_| unreadable("it is not UTF-8"))
    }

    async fn send_once(&self, ask: &Ask<'_>) -> Result<Response<Incoming>, StoreError> {
        let request = self.request(ask)?;
        let sent = async {
            match &self.client {
                Http::Plain(client) => client.request(request).await,
                Http::Tls(client) => client.request(request).await,
            }
        };
        let response = match timeout(ANSWER_TIMEOUT, sent).await {
            Err(_) => return Err(unreachable("the answer took too long")),
            Ok(Err(error)) => return Err(unreachable(&chain(&error))),
            Ok(Ok(response)) => response,
        };
        match response.status().is_success() {
            true => Ok(response),
            false => Err(refusal(response).await),
        }
    }

    fn request(&self, ask: &Ask<'_>) -> Result<Request<Full<Bytes>>, StoreError> {
        let (host, path) = self.place(ask);
        let query = query(&ask.query);
        let hash = sigv4::BodyHash::of(&ask.body);
        let mut headers = vec![("host", host.clone()), ("x-amz-content-sha256", hash.to_string())];
        headers.extend(ask.headers.iter().cloned());
        let signed = self.sign(ask.method.as_str(), &path, &query, &headers, &hash);

        let question = if query.is_empty() { "" } else { "?" };
        let mut request = request::Builder::new()
            .method(ask.method.clone())
            .uri(format!("{}://{host}{path}{question}{query}", self.scheme));
        for (name, value) in headers.into_iter().chain(signed) {
            request = request.header(name, value);
        }
        request.body(Full::new(ask.body.clone())).map_err(|error| unreachable(&error.to_string()))
    }

    /// Host and path.
    fn place(&self, ask: &Ask<'_>) -> (String, String) {
        let key = utf8_percent_encode(ask.key, IN_PATH);
        match self.endpoint.addressing {
            Addressing::Host if !ask.bucket.contains('.') => {
                (format!("{}.{}", ask.bucket, self.authority), format!("{}/{key}", self.base))
            }
            Addressing::Host | Addressing::Path => {
                let slash = if ask.key.is_empty() { "" } else { "/" };
                (self.authority.clone(), format!("{}/{}{slash}{key}", self.base, ask.bucket))
            }
        }
    }

    fn sign(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&str, String)],
        hash: &sigv4::BodyHash,
    ) -> Vec<(&'static str, String)> {
        let Some(keys) = &self.endpoint.keys else { return vec![] };
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let request = sigv4::Request { method, path, query, headers: &headers };
        let keys = sigv4::Keys {
            access_key: &keys.access_key,
            secret: &keys.secret,
            session_token: keys.session_token.as_deref(),
        };
        let seconds = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
        let now = sigv4::Time(i64::try_from(seconds).unwrap_or(i64::MAX));
        sigv4::sign(&request, hash, &keys, &self.endpoint.region, "s3", now)
    }
}

fn tls(mut connector: HttpConnector) -> std::io::Result<HttpsConnector<HttpConnector>> {
    connector.enforce_http(false);
    let provider = rustls::crypto::ring::default_provider();
    let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
    Ok(builder.https_only().enable_http1().wrap_connector(connector))
}

/// What AWS leaves as it is.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const IN_PATH: &AsciiSet = &IN_QUERY.remove(b'/');

fn query(parameters: &[(&str, String)]) -> String {
    let parameters = parameters.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, IN_QUERY)));
    parameters.collect::<Vec<_>>().join("&")
}

/// Whether asking again may help.
fn is_passing(error: &StoreError) -> bool {
    match error {
        StoreError::Unreachable { .. } => true,
        StoreError::Refused { status, code, .. } => *status >= 500 || *status == 429 || code == "RequestTimeout",
        StoreError::NoPlace { .. } | StoreError::Folder { .. } => false,
    }
}

pub(super) fn unreachable(reason: &str) -> StoreError {
    StoreError::Unreachable { reason: reason.to_owned() }
}

pub(super) fn unreadable(reason: &str) -> StoreError {
    unreachable(&format!("the answer cannot be read: {reason}"))
}

/// An error with all that caused it: the first alone says only that a request failed.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

async fn whole(body: Incoming) -> Result<Bytes, StoreError> {
    match timeout(ANSWER_TIMEOUT, Limited::new(body, ANSWER_BYTES_MAX).collect()).await {
        Err(_) => Err(unreachable("the answer took too long")),
        Ok(Err(error)) => Err(unreadable(&error.to_string())),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

async fn refusal(response: Response<Incoming>) -> StoreError {
    let status = response.status();
    let header = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let (request, host) = (header("x-amz-request-id"), header("x-amz-id-2"));
    let text = whole(response.into_body()).await.unwrap_or_default();
    let said: Said = quick_xml::de::from_str(&String::from_utf8_lossy(&text)).unwrap_or_default();
    let code = said.code.unwrap_or_else(|| code(status));
    let message = said.message.unwrap_or_else(|| status.to_string());
    StoreError::Refused { message, code, status: status.as_u16(), request, host }
}

/// `<Error><Code>NoSuchKey</Code><Message>…</Message>…</Error>`
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Said {
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
}

fn code(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("Unknown").replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str, addressing: Addressing, bucket: &str, key: &str) -> String {
        let endpoint = Endpoint { url: url.to_owned(), region: "r".to_owned(), keys: None, addressing };
        match S3::new(endpoint) {
            Err(error) => error.to_string(),
            Ok(s3) => {
                let ask = Ask { method: Method::GET, bucket, key, query: vec![], headers: vec![], body: Bytes::new() };
                let (host, path) = s3.place(&ask);
                format!("{host} {path}")
            }
        }
    }

    #[test]
    fn where_buckets_and_keys_stand() {
        let (by_path, by_host) = (Addressing::Path, Addressing::Host);
        assert_eq!(place("http://127.0.0.1:9000", by_path, "b", "a b/あ"), "127.0.0.1:9000 /b/a%20b/%E3%81%82");
        assert_eq!(place("http://s3.local/base/", by_path, "b", ""), "s3.local /base/b");
        assert_eq!(place("http://s3.local", by_host, "b", "a//+~"), "b.s3.local /a//%2B~");
        assert_eq!(place("http://s3.local", by_host, "b", ""), "b.s3.local /");
        assert_eq!(place("http://s3.local", by_host, "b.c", "k"), "s3.local /b.c/k");
    }

    #[test]
    fn what_is_no_endpoint() {
        for url in ["", "s3.local", "ftp://s3.local", "http://"] {
            let text = place(url, Addressing::Path, "b", "k");
            assert_eq!(text, format!("use \"{url}\" as an S3 endpoint: it is no http:// or https:// URL"));
        }
    }

    #[test]
    fn queries_are_encoded() {
        let parameters = [("list-type", "2".to_owned()), ("prefix", "a b/+".to_owned()), ("uploads", String::new())];
        assert_eq!(query(&parameters), "list-type=2&prefix=a%20b%2F%2B&uploads=");
    }
}
