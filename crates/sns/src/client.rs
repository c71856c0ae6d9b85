//! One request of SNS, `Publish`, in its Query protocol.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use runtime::announce::Announced;
use tokio::time::timeout;

use crate::message::Message;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Of an answer; SNS's are shorter by far.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Where topics are, and as whom we come.
#[derive(Debug, Clone)]
pub struct Topics {
    /// One server for all topics; Amazon's own, each in its topic's region, where there is none.
    pub endpoint: Option<String>,
    /// What requests are signed for; the topic's region where there is none.
    pub region: Option<String>,
    /// Without keys nothing is signed.
    pub keys: Option<Keys>,
}

#[derive(Debug, Clone)]
pub struct Keys {
    pub access_key: String,
    pub secret: sigv4::Secret,
    pub session_token: Option<String>,
}

/// Why topics cannot be reached at all.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("use \"{0}\" as an SNS endpoint: it is no http:// or https:// URL")]
    Url(String),
    #[error("load this host's certificate authorities")]
    Authorities(#[source] std::io::Error),
}

/// Publishes to topics.
pub struct Sns {
    topics: Topics,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl fmt::Debug for Sns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sns").field("topics", &self.topics).finish_non_exhaustive()
    }
}

impl Sns {
    pub fn new(topics: Topics) -> Result<Sns, EndpointError> {
        if let Some(url) = &topics.endpoint {
            address(url).ok_or_else(|| EndpointError::Url(url.clone()))?;
        }
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let provider = rustls::crypto::ring::default_provider();
        let builder = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(EndpointError::Authorities)?;
        let connector = builder.https_or_http().enable_http1().wrap_connector(connector);
        Ok(Sns { topics, client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    pub(crate) async fn publish(&self, topic: &str, message: &Message) -> Announced {
        let request = match self.request(topic, message) {
            Ok(request) => request,
            Err(why) => return Announced::Refused(why),
        };
        match timeout(ANSWER_TIMEOUT, self.client.request(request)).await {
            Err(_) => Announced::Again("the answer took too long".to_owned()),
            Ok(Err(error)) => Announced::Again(chain(&error)),
            Ok(Ok(response)) if response.status().is_success() => Announced::Done,
            Ok(Ok(response)) => refused(response).await,
        }
    }

    fn request(&self, topic: &str, message: &Message) -> Result<Request<Full<Bytes>>, String> {
        let region = topic.split(':').nth(3).unwrap_or_default();
        let url = match &self.topics.endpoint {
            Some(url) => url.clone(),
            None => amazon(region),
        };
        let Address { scheme, authority, path } = address(&url).ok_or("the topic's ARN has no region")?;
        let body = form(topic, message);
        let hash = sigv4::BodyHash::of(&body);
        let headers =
            [("host", authority.as_str()), ("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{scheme}://{authority}{path}"))
            .header(CONTENT_TYPE, headers[1].1);
        if let Some(keys) = &self.topics.keys {
            let signing = sigv4::Request { method: "POST", path: &path, query: "", headers: &headers };
            let keys = sigv4::Keys {
                access_key: &keys.access_key,
                secret: &keys.secret,
                session_token: keys.session_token.as_deref(),
            };
            let seconds = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
            let now = sigv4::Time(i64::try_from(seconds).unwrap_or(i64::MAX));
            let region = self.topics.region.as_deref().unwrap_or(region);
            for (name, value) in sigv4::sign(&signing, &hash, &keys, region, "sns", now) {
                request = request.header(name, value);
            }
        }
        request.body(Full::new(body)).map_err(|error| error.to_string())
    }
}

/// Amazon's own.
fn amazon(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://sns.{region}.{suffix}")
}

struct Address {
    scheme: String,
    authority: String,
    path: String,
}

fn address(url: &str) -> Option<Address> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    Some(Address { scheme: scheme.to_owned(), authority: uri.authority()?.to_string(), path: path.to_owned() })
}

/// What AWS leaves as it is.
const IN_FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn form(topic: &str, message: &Message) -> Bytes {
    let members = [
        ("Action", "Publish"),
        ("Version", "2010-03-31"),
        ("TopicArn", topic),
        ("Subject", &message.subject),
        ("Message", &message.text),
    ];
    let members = members.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, IN_FORM)));
    members.join("&").into()
}

/// Whether asking again may help: where SNS has no room or no answer, and where it does not know us, which an operator
/// may mend.
async fn refused(response: Response<hyper::body::Incoming>) -> Announced {
    let status = response.status().as_u16();
    let read = timeout(ANSWER_TIMEOUT, Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect()).await;
    let body = read.ok().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let code = within(&text, "<Code>", "</Code>").unwrap_or_default();
    let why = format!("{status} {code}: {}", within(&text, "<Message>", "</Message>").unwrap_or_default());
    let passing = status >= 500 || [401, 403, 408, 429].contains(&status) || code.contains("Throttl");
    if passing { Announced::Again(why) } else { Announced::Refused(why) }
}

fn within<'t>(text: &'t str, begin: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(begin)?;
    rest.split_once(end).map(|(within, _)| within)
}

/// An error with all that caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-west-1:000000000000:night";

    fn keys() -> Keys {
        Keys { access_key: "AKIA".to_owned(), secret: sigv4::Secret::new("canary"), session_token: None }
    }

    /// Publishes to a server that answers so, and shows what it was asked and what came of it.
    async fn publish(answer: &'static str) -> (String, Announced) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut asked = vec![];
            // The message's last bytes.
            while !asked.ends_with(b"%7D") {
                assert_ne!(stream.read_buf(&mut asked).await.expect("a request"), 0);
            }
            stream.write_all(answer.as_bytes()).await.expect("an answer");
            String::from_utf8_lossy(&asked).into_owned()
        });
        let topics = Topics { endpoint: Some(endpoint), region: None, keys: Some(keys()) };
        let sns = Sns::new(topics).expect("an endpoint");
        let message = Message { subject: "EC2 Run".to_owned(), text: r#"{"a":"b&c"}"#.to_owned() };
        let answered = sns.publish(TOPIC, &message).await;
        (server.await.expect("no panic"), answered)
    }

    #[tokio::test]
    async fn a_message_is_published_as_sns_wants_it() {
        let (asked, answered) = publish("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(answered, Announced::Done);
        let (head, body) = asked.split_once("\r\n\r\n").expect("a request");
        assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
        let scope = head.split("Credential=AKIA/").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or(head);
        assert!(scope.ends_with("/eu-west-1/sns/aws4_request"), "{head}");
        expect![[r#"Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A000000000000%3Anight&Subject=EC2%20Run&Message=%7B%22a%22%3A%22b%26c%22%7D"#]].assert_eq(body);
    }

    #[tokio::test]
    async fn what_may_go_better_is_tried_again() {
        let (_, missing) = publish("HTTP/1.1 404 Not Found\r\nContent-Length: 79\r\n\r\n<ErrorResponse><Error><Code>NotFound</Code><Message>none</Message></Error></Err").await;
        assert_eq!(missing, Announced::Refused("404 NotFound: none".to_owned()));
        let (_, full) = publish("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(full, Announced::Again("503 : ".to_owned()));
        let (_, slow) = publish("HTTP/1.1 400 Bad\r\nContent-Length: 23\r\n\r\n<Code>Throttling</Code>").await;
        assert_eq!(slow, Announced::Again("400 Throttling: ".to_owned()));
    }

    #[test]
    fn an_endpoint_is_a_url_and_a_secret_never_shows() {
        let with = |url: &str| Sns::new(Topics { endpoint: Some(url.to_owned()), region: None, keys: Some(keys()) });
        assert!(matches!(with("sns.example"), Err(EndpointError::Url(_))));
        let sns = with("http://sns.example:4566/base").expect("a URL");
        assert!(!format!("{sns:?}").contains("canary"));
        assert_eq!(amazon("cn-north-1"), "https://sns.cn-north-1.amazonaws.com.cn");
    }
}
