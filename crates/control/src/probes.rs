//! What machines ask without a key: is it alive, is it ready, how is it doing.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Serialize;

use crate::health::Part;
use crate::routes::Shared;

/// 200 for as long as the process serves.
pub(crate) async fn livez() -> &'static str {
    "alive\n"
}

/// 200 when calls can be served, else 503; either way what each part says.
pub(crate) async fn readyz(State(app): Shared) -> impl IntoResponse {
    let readiness = app.parts.health.ready();
    let ready = readiness.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, version: app.parts.version, parts: readiness.parts }))
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    version: &'static str,
    parts: Vec<Part>,
}

/// The Prometheus text format.
pub(crate) async fn metrics(State(app): Shared) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (app.parts.metrics)())
}
