//! Sends the traces of executions that have ended, for as long as the server runs.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use runtime::Runtime;
use runtime::observe::Ended;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::otlp;
use crate::span::{Span, spans};

/// Spans of one request.
const BATCH_SPANS: usize = 512;

/// Executions taken from the queue at a time.
const TAKEN_MAX: usize = 64;

/// How long one request may take, and how often it is sent where a failure is a passing one.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPTS_MAX: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);

/// An answer is read as far as this, to use the connection again.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Where traces go.
pub struct Collector {
    url: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    #[error("use the collector '{0}': it has to be an http or https URL")]
    Url(String),
    #[error("use the header '{0}' for the collector")]
    Header(String),
    #[error("read the certificate authorities of this host")]
    Authorities(#[source] std::io::Error),
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the collector cannot be reached")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("the collector did not answer in time")]
    Slow,
    #[error("the collector answered {0}")]
    Status(StatusCode),
}

impl Collector {
    /// `endpoint` is the base URL of the collector, as in `OTEL_EXPORTER_OTLP_ENDPOINT`: traces go to `/v1/traces` there.
    pub fn new(endpoint: &str, headers: &[(String, String)]) -> Result<Collector, CollectorError> {
        let bad = || CollectorError::Url(endpoint.to_owned());
        let url: Uri = format!("{}/v1/traces", endpoint.trim_end_matches('/')).parse().map_err(|_| bad())?;
        if !matches!(url.scheme_str(), Some("http" | "https")) || url.authority().is_none() {
            return Err(bad());
        }
        let header = |(name, value): &(String, String)| {
            let bad = || CollectorError::Header(name.clone());
            let parsed: HeaderName = name.parse().map_err(|_| bad())?;
            let mut value: HeaderValue = value.parse().map_err(|_| bad())?;
            value.set_sensitive(true);
            Ok((parsed, value))
        };
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.enforce_http(false);
        let provider = rustls::crypto::ring::default_provider();
        let builder = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(CollectorError::Authorities)?;
        let connector = builder.https_or_http().enable_http1().wrap_connector(connector);
        Ok(Collector {
            url,
            headers: headers.iter().map(header).collect::<Result<_, _>>()?,
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// Whether the spans were taken.
    async fn send(&self, spans: &[Span]) -> bool {
        let body = Bytes::from(otlp::encode(spans));
        for attempt in 1.. {
            match self.send_once(body.clone()).await {
                Ok(()) => return true,
                Err(error) if attempt < ATTEMPTS_MAX && is_passing(&error) => {
                    sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, spans = spans.len(), "traces were not taken");
                    return false;
                }
            }
        }
        false
    }

    async fn send_once(&self, body: Bytes) -> Result<(), SendError> {
        let mut request = Request::post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .expect("the URL and the headers were parsed");
        request.headers_mut().extend(self.headers.iter().cloned());
        let sent = async {
            let answer = self.client.request(request).await.map_err(SendError::Unreachable)?;
            let status = answer.status();
            let _unread = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
            if status.is_success() { Ok(()) } else { Err(SendError::Status(status)) }
        };
        timeout(SEND_TIMEOUT, sent).await.unwrap_or(Err(SendError::Slow))
    }
}

/// Whether sending again may help (`OTLP/HTTP, Failures`).
fn is_passing(error: &SendError) -> bool {
    match error {
        SendError::Unreachable(_) | SendError::Slow => true,
        SendError::Status(status) => matches!(status.as_u16(), 429 | 502 | 503 | 504),
    }
}

/// Sends what ends to the collector, until the server is gone.
pub async fn export(runtime: Runtime, mut ended: mpsc::Receiver<Ended>, collector: Collector) {
    let mut taken = Vec::with_capacity(TAKEN_MAX);
    while ended.recv_many(&mut taken, TAKEN_MAX).await > 0 {
        let mut batch = vec![];
        for one in taken.drain(..) {
            match runtime.execution_events(&one).await {
                Ok(events) => batch.extend(spans(&events, one.trace_header.as_deref())),
                Err(refusal) => {
                    tracing::warn!(execution = %one.execution_arn, %refusal, "an execution is not traced");
                }
            }
            while batch.len() >= BATCH_SPANS {
                let rest = batch.split_off(BATCH_SPANS);
                deliver(&runtime, &collector, &batch).await;
                batch = rest;
            }
        }
        if !batch.is_empty() {
            deliver(&runtime, &collector, &batch).await;
        }
    }
}

async fn deliver(runtime: &Runtime, collector: &Collector, batch: &[Span]) {
    let taken = collector.send(batch).await;
    runtime.count_spans(batch.len(), taken);
}
