//! Aliases, by the admin API.

use axum::Json;
use axum::extract::State;
use bedplate_core::route::AliasStand;

use crate::routes::Shared;

/// `GET /admin/v1/models`
pub(crate) async fn list(State(app): Shared) -> Json<Vec<AliasStand>> {
    Json((app.parts.models)())
}
