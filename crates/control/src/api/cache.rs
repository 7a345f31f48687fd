//! The cache of answers, by the admin API.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bedplate_core::cache::{CacheError, Gauges, Purge, Stats};
use bedplate_cost::named;
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::error::Problem;
use crate::cache::CacheCounts;
use crate::routes::Shared;

#[derive(Serialize)]
pub(crate) struct Shown {
    #[serde(flatten)]
    stats: Stats,
    #[serde(flatten)]
    gauges: Gauges,
    /// By this process, since its start.
    #[serde(flatten)]
    counts: CacheCounts,
}

/// `GET /admin/v1/cache`
pub(crate) async fn show(State(app): Shared) -> Result<Json<Shown>, Problem> {
    let desk = &app.parts.cache;
    let stats = desk.cache.stats().await?;
    Ok(Json(Shown { stats, gauges: desk.cache.gauges(), counts: desk.tally.counts() }))
}

/// Exactly one of these.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct What {
    all: bool,
    team: Option<String>,
    feature: Option<String>,
    model: Option<String>,
}

impl What {
    fn purge(self) -> Option<Purge> {
        match self {
            Self { all: true, team: None, feature: None, model: None } => Some(Purge::All),
            Self { all: false, team: Some(team), feature: None, model: None } => Some(Purge::Team(team)),
            Self { all: false, team: None, feature: Some(feature), model: None } => {
                Some(Purge::Feature(feature))
            }
            Self { all: false, team: None, feature: None, model: Some(model) } => {
                // answers are kept under the id that an ARN says
                Some(Purge::Model(named(&model).unwrap_or(&model).to_owned()))
            }
            _ => None,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Purged {
    purged: u64,
}

/// `POST /admin/v1/cache/purge`
pub(crate) async fn purge(State(app): Shared, Asked(what): Asked<What>) -> Result<Json<Purged>, Problem> {
    let what = what.purge().ok_or_else(|| {
        Problem::bad_request("a purge takes exactly one of `all`, `team`, `feature` and `model`")
    })?;
    let purged = app.parts.cache.cache.purge(&what).await?;
    tracing::info!(?what, purged, "the cache was purged");
    Ok(Json(Purged { purged }))
}

impl From<CacheError> for Problem {
    fn from(e: CacheError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "cache_unavailable", e.to_string())
    }
}
