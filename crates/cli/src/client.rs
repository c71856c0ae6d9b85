//! Speaks `/api/v1` with one server, over HTTP or HTTPS, a connection for each request.
//!
//! Every request is signed: with the keys of the environment, or, where there are none, with names that nobody
//! has, which a server on loopback without keys takes for what they say about the region.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use api::Code;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::args::{Global, REGION_DEFAULT, URL_DEFAULT};
use crate::fault::Fault;
use crate::lang::Lang;
use crate::tls;
use crate::words::Say;

const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// A live stream says something at least this often, if only that it lives.
const SILENCE_MAX: Duration = Duration::from_secs(45);
const ANSWER_BYTES_MAX: usize = 64 << 20;
const STREAM_EVENT_BYTES_MAX: usize = 4 << 20;

/// A server, and who asks it.
#[derive(Debug, Clone)]
pub struct Client {
    url: Url,
    region: String,
    access_key: String,
    secret: sigv4::Secret,
    lang: Lang,
    /// Where the address says that connections are encrypted.
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl Client {
    pub fn new(global: &Global, variable: impl Fn(&str) -> Option<String>) -> Result<Client, Fault> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let lang = Lang::choose(global.lang, &variable);
        let url =
            Url::parse(global.endpoint_url.as_deref().filter(|url| !url.is_empty()).unwrap_or(URL_DEFAULT), lang)?;
        let region = global.region.clone().or_else(|| given("AWS_REGION")).or_else(|| given("AWS_DEFAULT_REGION"));
        let keys = given("AWS_ACCESS_KEY_ID").zip(given("AWS_SECRET_ACCESS_KEY"));
        let tls = url.encrypted.then(|| tls::config(global.ca.as_deref())).transpose()?;
        let (access_key, secret) = keys.unwrap_or_else(|| ("anonymous".to_owned(), "anonymous".to_owned()));
        Ok(Client {
            url,
            region: region.unwrap_or_else(|| REGION_DEFAULT.to_owned()),
            access_key,
            secret: sigv4::Secret::new(secret),
            lang,
            tls,
        })
    }

    /// The server's address, as it was given.
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Fault> {
        let body = serde_json::to_vec(body).expect("a wire type has a text");
        self.ask(method, path, body.into()).await
    }

    pub async fn delete(&self, path: &str) -> Result<(), Fault> {
        self.ask::<serde::de::IgnoredAny>(Method::DELETE, path, Bytes::new()).await.map(drop)
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, Fault> {
        let answer = async {
            let response = self.open(method, path, body, &[]).await?;
            let ok = response.status().is_success();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
                .collect()
                .await
                .map_err(|error| self.strange(&error.to_string()))?;
            Ok::<_, Fault>((ok, body.to_bytes()))
        };
        let (ok, body) = timeout(ANSWER_TIME_MAX, answer).await.map_err(|_| self.silent())??;
        if ok {
            return serde_json::from_slice(&body).map_err(|error| self.strange(&error.to_string()));
        }
        Err(self.refused(&body))
    }

    /// A stream of events, from after the event that `last` names.
    pub async fn stream(&self, path: &str, last: Option<&str>) -> Result<Stream, Fault> {
        let resume = last.map(|last| ("last-event-id", last));
        let response = timeout(ANSWER_TIME_MAX, self.open(Method::GET, path, Bytes::new(), resume.as_slice()))
            .await
            .map_err(|_| self.silent())??;
        if !response.status().is_success() {
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
            let body = timeout(ANSWER_TIME_MAX, body)
                .await
                .map_err(|_| self.silent())?
                .map_err(|error| self.strange(&error.to_string()))?;
            return Err(self.refused(&body.to_bytes()));
        }
        Ok(Stream { body: response.into_body(), parser: Parser::default(), ready: vec![].into() })
    }

    /// Bytes of any number, as they come.
    pub async fn download(&self, path: &str) -> Result<Download, Fault> {
        let response = timeout(ANSWER_TIME_MAX, self.open(Method::GET, path, Bytes::new(), &[]))
            .await
            .map_err(|_| self.silent())??;
        if !response.status().is_success() {
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
            let body = timeout(ANSWER_TIME_MAX, body)
                .await
                .map_err(|_| self.silent())?
                .map_err(|error| self.strange(&error.to_string()))?;
            return Err(self.refused(&body.to_bytes()));
        }
        Ok(Download { client: self.clone(), body: response.into_body() })
    }

    async fn open(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        extra: &[(&str, &str)],
    ) -> Result<Response<Incoming>, Fault> {
        let unreachable = |why: String| Fault::new(Code::Unreachable, &self.url.to_string(), why);
        let connecting = TcpStream::connect((self.url.host.as_str(), self.url.port));
        let stream = timeout(CONNECT_TIME_MAX, connecting)
            .await
            .map_err(|_| unreachable(String::new()))?
            .map_err(|error| unreachable(error.to_string()))?;
        let request = self.request(method, path, body, extra)?;
        let Some(tls) = &self.tls else { return self.exchange(stream, request).await };
        let name = ServerName::try_from(self.url.host.clone()).map_err(|error| unreachable(error.to_string()))?;
        let stream = timeout(CONNECT_TIME_MAX, TlsConnector::from(tls.clone()).connect(name, stream))
            .await
            .map_err(|_| unreachable(String::new()))?
            .map_err(|error| unreachable(error.to_string()))?;
        self.exchange(stream, request).await
    }

    async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Fault> {
        let unreachable = |why: String| Fault::new(Code::Unreachable, &self.url.to_string(), why);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(|error| unreachable(error.to_string()))
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        extra: &[(&str, &str)],
    ) -> Result<Request<Full<Bytes>>, Fault> {
        let target = format!("{}{}{path}", self.url.base, api::ROOT);
        let (plain, query) = target.split_once('?').unwrap_or((&target, ""));
        let host = self.url.authority();
        let mut headers = vec![("host", host.as_str()), ("accept-language", self.lang.tag())];
        headers.extend((!body.is_empty()).then_some(("content-type", "application/json")));
        headers.extend_from_slice(extra);

        let keys = sigv4::Keys { access_key: &self.access_key, secret: &self.secret, session_token: None };
        let signed = sigv4::Request { method: method.as_str(), path: plain, query, headers: &headers };
        let signature =
            sigv4::sign(&signed, &sigv4::BodyHash::of(&body), &keys, &self.region, api::SIGNING_NAME, now());

        let mut request = Request::builder()
            .method(method)
            .uri(&target)
            .header("user-agent", concat!("dandori/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for (name, value) in signature {
            request = request.header(name, value);
        }
        request.body(Full::new(body)).map_err(|error| Fault::new(Code::Usage, "", error.to_string()))
    }

    fn refused(&self, body: &[u8]) -> Fault {
        match serde_json::from_slice::<api::Error>(body) {
            Ok(error) => error.into(),
            Err(error) => self.strange(&error.to_string()),
        }
    }

    fn strange(&self, why: &str) -> Fault {
        Fault::new(Code::AnswerStrange, &self.url.to_string(), why)
    }

    fn silent(&self) -> Fault {
        Fault::new(Code::TimedOut, &self.url.to_string(), "")
    }
}

fn now() -> sigv4::Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    sigv4::Time(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// The text with everything percent-encoded that means something in a path or a query.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `http://HOST[:PORT][/BASE]`, or with `https`
#[derive(Debug, Clone, PartialEq, Eq)]
struct Url {
    host: String,
    port: u16,
    /// Without a slash at its end.
    base: String,
    encrypted: bool,
}

impl Url {
    fn parse(text: &str, lang: Lang) -> Result<Url, Fault> {
        let bad = || Fault::new(Code::UrlInvalid, "", Say::BadUrl { url: text }.text(lang));
        let encrypted = text.starts_with("https://");
        let scheme = if encrypted { "https://" } else { "http://" };
        let rest = text.strip_prefix(scheme).ok_or_else(bad)?;
        let (authority, base) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (host, port) = match authority.strip_prefix('[') {
            Some(six) => {
                let (host, rest) = six.split_once(']').ok_or_else(bad)?;
                (host, rest.strip_prefix(':'))
            }
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(if encrypted { 443 } else { 80 }), str::parse).map_err(|_| bad())?;
        let sound = !host.is_empty()
            && !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '@'));
        if !sound {
            return Err(bad());
        }
        Ok(Url { host: host.to_owned(), port, base: base.trim_end_matches('/').to_owned(), encrypted })
    }

    fn port_default(&self) -> u16 {
        if self.encrypted { 443 } else { 80 }
    }

    fn authority(&self) -> String {
        let six = self.host.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6());
        let host = if six { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.port_default() { host } else { format!("{host}:{}", self.port) }
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.encrypted { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.base)
    }
}

/// Bytes that come one part after another.
pub struct Download {
    client: Client,
    body: Incoming,
}

impl Download {
    /// The next part; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let frame = timeout(ANSWER_TIME_MAX, self.body.frame()).await.map_err(|_| self.client.silent())?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| self.client.strange(&error.to_string()))?;
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
    }
}

/// What a server says as it happens.
pub struct Stream {
    body: Incoming,
    parser: Parser,
    ready: std::collections::VecDeque<Message>,
}

impl Stream {
    /// The next message; none when the connection is gone, or has been silent for too long.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            let frame = timeout(SILENCE_MAX, self.body.frame()).await.ok()??.ok()?;
            if let Ok(bytes) = frame.into_data() {
                self.ready.extend(self.parser.feed(&bytes)?);
            }
        }
    }
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    pub kind: String,
    pub id: Option<String>,
    pub data: String,
}

/// Takes a stream of server-sent events apart (`HTML, Server-sent events`), however it was cut on the way.
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    message: Message,
}

impl Parser {
    /// None when a line never ends.
    fn feed(&mut self, bytes: &[u8]) -> Option<Vec<Message>> {
        let mut messages = vec![];
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let line = String::from_utf8_lossy(&self.line).trim_end_matches('\r').to_owned();
            self.line.clear();
            messages.extend(self.take(&line));
        }
        (self.line.len() + self.message.data.len() <= STREAM_EVENT_BYTES_MAX).then_some(messages)
    }

    fn take(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            return (!message.data.is_empty()).then_some(message);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" if self.message.data.is_empty() => self.message.data = value.to_owned(),
            "data" => self.message.data += &format!("\n{value}"),
            "event" => self.message.kind = value.to_owned(),
            "id" => self.message.id = Some(value.to_owned()),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Option<String> {
        Url::parse(text, Lang::En).ok().map(|url| format!("{} {} {} {}", url.host, url.port, url.base, url.authority()))
    }

    #[test]
    fn addresses() {
        assert_eq!(url("http://127.0.0.1:8333").as_deref(), Some("127.0.0.1 8333  127.0.0.1:8333"));
        assert_eq!(url("http://[::1]:8333/d/").as_deref(), Some("::1 8333 /d [::1]:8333"));
        assert_eq!(url("http://jobs").as_deref(), Some("jobs 80  jobs"));
        assert_eq!(url("https://jobs:80").as_deref(), Some("jobs 80  jobs:80"));
        assert_eq!(url("https://jobs").as_deref(), Some("jobs 443  jobs"));
        for bad in
            ["", "127.0.0.1:8333", "https://", "http://", "http://a:b", "http://a b", "http://user@host", "http://[::1"]
        {
            assert_eq!(url(bad), None, "{bad}");
        }
    }

    #[test]
    fn messages_come_whole_however_they_were_cut() {
        let text = ": alive\r\n\r\nevent: event\nid: 7\ndata: {\"a\":\ndata: \"夜\"}\n\ndata: x\n\nid: 8\n\n";
        let whole = [
            Message { kind: "event".into(), id: Some("7".into()), data: "{\"a\":\n\"夜\"}".into() },
            Message { data: "x".into(), ..Message::default() },
        ];
        for cut in 1..text.len() {
            let mut parser = Parser::default();
            let got: Vec<_> =
                text.as_bytes().chunks(cut).flat_map(|bytes| parser.feed(bytes).expect("short")).collect();
            assert_eq!(got, whole, "cut every {cut}");
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut parser = Parser::default();
        assert!(parser.feed(&vec![b'x'; STREAM_EVENT_BYTES_MAX]).is_some());
        assert!(parser.feed(b"x").is_none());
    }

    #[test]
    fn what_means_something_in_a_path_is_encoded() {
        assert_eq!(encoded("arn:a/夜 ?"), "arn%3Aa%2F%E5%A4%9C%20%3F");
    }
}
