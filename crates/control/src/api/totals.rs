//! What calls came to by day, by the admin API.

use axum::Json;
use axum::extract::State;
use bedplate_core::clock::Timestamp;
use bedplate_core::money::Cost;
use bedplate_core::ports::Total;
use bedplate_core::usage::Usage;
use serde::{Deserialize, Serialize};

use super::asked::{Moment, Queried};
use super::error::Problem;
use crate::routes::Shared;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    since: Option<Moment>,
    until: Option<Moment>,
}

#[derive(Serialize)]
pub(crate) struct Totals {
    totals: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    /// `2026-11-22`, UTC.
    day: String,
    team: String,
    feature: String,
    environment: String,
    model: String,
    calls: u64,
    refused: u64,
    usage: Usage,
    cost: Cost,
    unpriced: u64,
}

/// `GET /admin/v1/totals`: whole days, today when nobody says.
pub(crate) async fn list(
    State(app): Shared,
    Queried(query): Queried<Query>,
) -> Result<Json<Totals>, Problem> {
    let clock = &*app.parts.clock;
    let until = query.until.map_or_else(|| clock.now(), |m| m.on(clock));
    let since = query.since.map_or_else(|| midnight(clock.now()), |m| m.on(clock));
    if since > until {
        return Err(Problem::bad_request(format!("`since` ({since}) is later than `until` ({until})")));
    }
    let totals = app.parts.ledger.totals(since, until).await?;
    Ok(Json(Totals { totals: totals.into_iter().map(line).collect() }))
}

/// The beginning of the day, UTC.
pub(crate) fn midnight(at: Timestamp) -> Timestamp {
    Timestamp::from_secs(at.secs() - at.secs().rem_euclid(86_400))
}

fn line(total: Total) -> Line {
    let Total { day, team, feature, environment, model, calls, refused, usage, cost, unpriced } = total;
    let day = day.utc().date().to_string();
    Line { day, team, feature, environment, model, calls, refused, usage, cost, unpriced }
}
