//! What bounds calls, by the admin API.

use axum::Json;
use axum::extract::State;
use bedplate_core::pace::LimitStands;

use crate::routes::Shared;

/// `GET /admin/v1/limits`
pub(crate) async fn list(State(app): Shared) -> Json<LimitStands> {
    Json((app.parts.limits)().await)
}
