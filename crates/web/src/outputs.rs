//! Whole outputs of commands: in ranges, and as they grow.

use std::convert::Infallible;
use std::time::Duration;

use api::{OutputEnd, OutputPiece};
use axum::body::Body;
use axum::extract::State as Extracted;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{AppendHeaders, IntoResponse, Response, sse};
use base::Caller;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream;
use runtime::Refusal;
use runtime::outputs::{OutputFollow, OutputOf, OutputPart, Stream};
use serde::Deserialize;
use tokio::sync::watch;

use crate::State;
use crate::extract::{Asked, Names, Who};
use crate::gate::header;
use crate::refusal::Refused;
use crate::serve::ended;

/// How often a live stream says that it lives.
const ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    step: Option<String>,
    #[serde(default)]
    stream: Which,
    attempt: Option<u32>,
    /// Counted from the end when negative.
    #[serde(default)]
    from: i64,
    max: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    #[default]
    Stdout,
    Stderr,
}

impl Wanted {
    fn of(&self, (command_id, instance_id): (String, String)) -> OutputOf {
        OutputOf {
            command_id,
            instance_id,
            step: self.step.clone(),
            stream: match self.stream {
                Which::Stdout => Stream::Stdout,
                Which::Stderr => Stream::Stderr,
            },
            attempt: self.attempt,
        }
    }
}

/// What of an output is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    /// Counted from the end when negative.
    from: i64,
    max: u64,
    /// By HTTP's own means, and so answered by them.
    is_range: bool,
}

pub(crate) async fn read(
    Extracted(state): Extracted<State>,
    Who(caller): Who,
    Names(names): Names,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Refused> {
    let of = wanted.of(names);
    let asked = Span { from: wanted.from, max: wanted.max.unwrap_or(u64::MAX), is_range: false };
    let span = header(&headers, "range").and_then(range).unwrap_or(asked);
    let first = usize::try_from(span.max).unwrap_or(usize::MAX).min(CHUNK);
    let part = state.runtime.output_read(&caller, &of, span.from, first).await?;
    let length = span.max.min(part.total - part.from);
    if span.is_range && length == 0 {
        let range = format!("bytes */{}", part.total);
        return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(CONTENT_RANGE, range)]).into_response());
    }
    let mut headers = told(&of, &part, length);
    if span.is_range {
        let range = format!("bytes {}-{}/{}", part.from, part.from + length - 1, part.total);
        headers.push((CONTENT_RANGE, range));
    }
    let status = if span.is_range { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let body = Body::from_stream(Rest { state, caller, of, at: part.from, left: length, ready: Some(part) }.stream());
    Ok((status, AppendHeaders(headers), body).into_response())
}

/// What comes from a host is never a page in a browser: it is a text, or a file to keep.
fn told(of: &OutputOf, part: &OutputPart, length: u64) -> Vec<(axum::http::HeaderName, String)> {
    let kind = match is_text(&part.bytes) {
        true => "text/plain; charset=utf-8",
        false => "application/octet-stream",
    };
    let stream = match of.stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    let plain =
        |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect::<String>();
    let file = format!("{}-{}-{stream}.txt", plain(&of.command_id), plain(&of.instance_id));
    let own = |name| axum::http::HeaderName::from_static(name);
    vec![
        (CONTENT_TYPE, kind.to_owned()),
        (CONTENT_LENGTH, length.to_string()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (own("x-dandori-from"), part.from.to_string()),
        (own("x-dandori-total"), part.total.to_string()),
        (own("x-dandori-complete"), part.complete.to_string()),
        (own("x-dandori-cut"), part.cut.to_string()),
    ]
}

/// Whether it is UTF-8, but for characters that were cut at its ends.
fn is_text(bytes: &[u8]) -> bool {
    let head = bytes.iter().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
    match std::str::from_utf8(&bytes[head..]) {
        Ok(text) => !text.contains('\0'),
        Err(error) => error.error_len().is_none(),
    }
}

/// One range of HTTP. What is none, or is several, is as if nobody had asked.
fn range(text: &str) -> Option<Span> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let span = |from, max| Some(Span { from, max, is_range: true });
    match (first, last) {
        ("", suffix) => span(-suffix.parse::<i64>().ok().filter(|suffix| *suffix > 0)?, u64::MAX),
        (first, "") => span(number(first)?, u64::MAX),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            span(first, u64::try_from(last.checked_sub(first)?).ok()?.checked_add(1)?)
        }
    }
}

fn number(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A body, chunk after chunk: only one is in memory.
struct Rest {
    state: State,
    caller: Caller,
    of: OutputOf,
    at: u64,
    left: u64,
    ready: Option<OutputPart>,
}

impl Rest {
    fn stream(self) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> + Send {
        stream::unfold(self, |mut rest| async move {
            let chunk = rest.next().await.transpose()?;
            Some((chunk.map_err(|refusal| std::io::Error::other(refusal.to_string())), rest))
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        if self.left == 0 {
            return Ok(None);
        }
        let part = match self.ready.take() {
            Some(part) => part,
            None => {
                let max = usize::try_from(self.left).unwrap_or(usize::MAX).min(CHUNK);
                let from = i64::try_from(self.at).unwrap_or(i64::MAX);
                self.state.runtime.output_read(&self.caller, &self.of, from, max).await?
            }
        };
        let mut bytes = Bytes::from(part.bytes);
        bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        if bytes.is_empty() {
            return Err(Refusal::Unknown);
        }
        self.at += bytes.len() as u64;
        self.left -= bytes.len() as u64;
        Ok(Some(bytes))
    }
}

/// The output as it grows. Each message's id is where the next one begins, so that a client can ask for the rest.
pub(crate) async fn live(
    Extracted(state): Extracted<State>,
    Who(caller): Who,
    Names(names): Names,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Refused> {
    let of = wanted.of(names);
    let from = match header(&headers, "last-event-id").and_then(|id| id.parse().ok()) {
        Some(from) => from,
        None => state.runtime.output_read(&caller, &of, wanted.from, 0).await?.from,
    };
    let follow = state.runtime.output_follow(&caller, of, from).await?;
    let live = Live { follow, ending: state.ending.subscribe(), end: None, over: false };
    let messages = stream::unfold(live, |mut live| async move {
        let message = live.next().await?;
        Some((Ok::<_, Infallible>(message), live))
    });
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(ALIVE_INTERVAL)).into_response())
}

struct Live {
    follow: OutputFollow,
    ending: watch::Receiver<bool>,
    /// All has been said but that it is all.
    end: Option<OutputEnd>,
    over: bool,
}

impl Live {
    /// A stream that ends without saying `end` is asked for again.
    async fn next(&mut self) -> Option<sse::Event> {
        if self.over {
            return None;
        }
        if let Some(end) = self.end.take() {
            self.over = true;
            return Some(message("end", &end));
        }
        let part = tokio::select! {
            part = self.follow.next() => part.ok()??,
            () = ended(&mut self.ending) => return None,
        };
        let next = part.from + part.bytes.len() as u64;
        self.end = part.complete.then_some(OutputEnd { total: part.total, cut: part.cut });
        let piece = OutputPiece { offset: part.from, data: BASE64_STANDARD.encode(&part.bytes) };
        Some(message("output", &piece).id(next.to_string()))
    }
}

fn message(kind: &str, data: &impl serde::Serialize) -> sse::Event {
    sse::Event::default().event(kind).data(serde_json::to_string(data).expect("a wire type has a text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood() {
        let span = |from, max| Some(Span { from, max, is_range: true });
        for (text, expected) in [
            ("bytes=0-0", span(0, 1)),
            ("bytes=5-", span(5, u64::MAX)),
            ("bytes=-7", span(-7, u64::MAX)),
            ("bytes=0-9223372036854775807", span(0, 1 << 63)),
            ("bytes=-0", None),
            ("bytes=5-4", None),
            ("bytes=--5", None),
            ("bytes=+5-6", None),
            ("bytes=0-1,3-4", None),
            ("bytes=99999999999999999999-", None),
            ("lines=0-1", None),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_may_be_cut_anywhere() {
        let text = "夜のジョブ".as_bytes();
        for cut in 0..text.len() {
            assert!(is_text(&text[cut..]) && is_text(&text[..cut]), "{cut}");
        }
        assert!(!is_text(b"\xff\xfe") && !is_text(b"a\0b") && is_text(b""));
    }
}
