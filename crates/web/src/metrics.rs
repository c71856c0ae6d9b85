//! `/metrics`, for Prometheus.

use axum::extract::State as Extracted;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::State;

pub(crate) async fn metrics(Extracted(state): Extracted<State>) -> Response {
    ([(CONTENT_TYPE, runtime::metrics::CONTENT_TYPE)], state.runtime.metrics()).into_response()
}
