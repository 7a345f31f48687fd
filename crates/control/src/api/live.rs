//! What the console shows, as data.

use axum::Json;
use axum::extract::State;

use crate::live::Picture;
use crate::routes::Shared;

/// `GET /admin/v1/live`
pub(crate) async fn now(State(app): Shared) -> Json<Picture> {
    Json(app.parts.live.picture())
}
