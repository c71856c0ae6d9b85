//! Everything that is not ours goes to AWS's face as it came.

use axum::body::Body;
use axum::extract::{Request, State as Extracted};
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::State;
use crate::gate::{BODY_BYTES_MAX, BODY_TIME_MAX, Peer, not_from_a_foreign_page, texts};
use crate::refusal::Refused;

pub(crate) async fn handle(Extracted(state): Extracted<State>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(refused) = not_from_a_foreign_page(&parts.headers) {
        return refused.into_response();
    }
    let (body, rest) = match timeout(BODY_TIME_MAX, read(body)).await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => {
            return Refused::from(api::Error::new(api::Code::Malformed, error.to_string())).into_response();
        }
        Err(_) => {
            return Refused::from(api::Error::new(api::Code::TooSlow, "the body did not arrive in time"))
                .into_response();
        }
    };
    let request = aws::Request {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or(""),
        headers: texts(&parts.headers),
        body,
        peer_is_loopback: parts.extensions.get::<Peer>().is_some_and(|peer| peer.is_loopback()),
    };
    let answer = state.face.handle(request).await;
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    if rest == Rest::Unread {
        response = response.header(CONNECTION, "close");
    }
    response
        .body(Body::from(answer.body))
        .unwrap_or_else(|error| Refused::from(api::Error::new(api::Code::Internal, error.to_string())).into_response())
}

/// Bytes of a body that is too long that are read and dropped: a client that still sends sees no answer, and one whose
/// body was not read cannot use its connection again.
const DROPPED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What came after the part of a body that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Nothing, or nothing that anybody reads.
    Over,
    Unread,
}

/// The body, or so much of it that the face sees that it is too long.
async fn read(mut body: Body) -> Result<(Bytes, Rest), axum::Error> {
    let (mut bytes, mut dropped) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        match bytes.len() > BODY_BYTES_MAX {
            false => bytes.extend_from_slice(&data),
            true => dropped += data.len(),
        }
        if dropped > DROPPED_BYTES_MAX {
            return Ok((bytes.freeze(), Rest::Unread));
        }
    }
    Ok((bytes.freeze(), Rest::Over))
}
