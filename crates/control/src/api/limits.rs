//! What bounds calls, by the admin API.

use axum::Json;
use axum::extract::State;
use bedplate_core::pace::LaneStand;
use serde::Serialize;

use crate::routes::Shared;

#[derive(Serialize)]
pub(crate) struct Limits {
    /// Where calls wait for room.
    lanes: Vec<LaneStand>,
}

/// `GET /admin/v1/limits`
pub(crate) async fn list(State(app): Shared) -> Json<Limits> {
    Json(Limits { lanes: (app.parts.lanes)() })
}
