//! Keys, by the admin API.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bedplate_core::key::KeyId;
use bedplate_core::setting::Span;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, Named};
use super::error::Problem;
use crate::keys::{Issued, KeyRequest, KeyView};
use crate::routes::Shared;

/// How long a rotated key goes on when nobody says.
const OVERLAP: Span = Span(Duration::from_secs(24 * 3_600));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Create {
    team: String,
    #[serde(default = "default_feature")]
    feature: String,
    #[serde(default = "default_environment")]
    environment: String,
    #[serde(default = "default_risk_profile")]
    risk_profile: String,
    #[serde(default)]
    features: Vec<String>,
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    expires_in: Option<Span>,
}

fn default_feature() -> String {
    "default".into()
}

fn default_environment() -> String {
    "dev".into()
}

fn default_risk_profile() -> String {
    "internal".into()
}

/// `POST /admin/v1/keys`
pub(crate) async fn create(
    State(app): Shared,
    Asked(new): Asked<Create>,
) -> Result<(StatusCode, Json<Issued>), Problem> {
    let request = KeyRequest {
        team: new.team,
        feature: new.feature,
        environment: new.environment,
        risk_profile: new.risk_profile,
        features: new.features,
        models: new.models,
        expires_in: new.expires_in.map(|s| s.0),
    };
    Ok((StatusCode::CREATED, Json(app.parts.keymaker.create(&request).await?)))
}

#[derive(Serialize)]
pub(crate) struct List {
    keys: Vec<KeyView>,
}

/// `GET /admin/v1/keys`
pub(crate) async fn list(State(app): Shared) -> Result<Json<List>, Problem> {
    let now = app.parts.clock.now();
    let keys = app.parts.keymaker.list().await?;
    Ok(Json(List { keys: keys.iter().map(|k| KeyView::of(k, now)).collect() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

#[derive(Serialize)]
pub(crate) struct Disabled {
    key_id: KeyId,
    disabled: bool,
}

/// `POST /admin/v1/keys/{id}/disable`
pub(crate) async fn disable(
    State(app): Shared,
    Named(id): Named,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<Disabled>, Problem> {
    let key_id = KeyId(id.into());
    app.parts.keymaker.disable(&key_id).await?;
    Ok(Json(Disabled { key_id, disabled: true }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotate {
    #[serde(default)]
    overlap: Option<Span>,
}

/// `POST /admin/v1/keys/{id}/rotate`
pub(crate) async fn rotate(
    State(app): Shared,
    Named(id): Named,
    Asked(how): Asked<Rotate>,
) -> Result<(StatusCode, Json<Issued>), Problem> {
    let overlap = how.overlap.unwrap_or(OVERLAP);
    let issued = app.parts.keymaker.rotate(&KeyId(id.into()), overlap.0).await?;
    Ok((StatusCode::CREATED, Json(issued)))
}
