//! Calls, by the admin API.

use axum::Json;
use axum::extract::State;
use bedplate_core::call::CallId;
use bedplate_core::key::KeyId;
use bedplate_core::ports::CallFilter;
use bedplate_core::record::{Ending, Outcome};
use bedplate_core::refusal::Code;
use serde::{Deserialize, Serialize};

use super::asked::{Moment, Named, Queried};
use super::error::Problem;
use crate::routes::{App, Shared};

/// How many calls a page holds when nobody says, and at most.
const USUAL: u32 = 100;
const MOST: u32 = 1_000;
/// How many calls may begin in one microsecond and still not be torn apart by the end of a page.
const TIES: u32 = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    limit: Option<u32>,
    team: Option<String>,
    feature: Option<String>,
    key: Option<KeyId>,
    chain: Option<String>,
    code: Option<Code>,
    ending: Option<Ending>,
    since: Option<Moment>,
    until: Option<Moment>,
    after: Option<CallId>,
}

#[derive(Serialize)]
pub(crate) struct Page {
    /// Newest first, as the ledger keeps them.
    calls: Vec<Outcome>,
    /// Ask again with this as `until` for the calls before these; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_until: Option<String>,
}

/// `GET /admin/v1/calls`
pub(crate) async fn list(State(app): Shared, Queried(query): Queried<Query>) -> Result<Json<Page>, Problem> {
    let limit = query.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::bad_request(format!("`limit` is {limit}: it may be 1 to {MOST}")));
    }
    let filter = filter(query, &app);
    let mut calls = app.parts.ledger.recent(&filter, limit + TIES).await?;
    let next_until = cut(&mut calls, limit as usize);
    Ok(Json(Page { calls, next_until }))
}

fn filter(query: Query, app: &App) -> CallFilter {
    let on = |moment: Moment| moment.on(&*app.parts.clock);
    CallFilter {
        since: query.since.map(on),
        until: query.until.map(on),
        team: query.team,
        feature: query.feature,
        key: query.key,
        chain: query.chain,
        code: query.code,
        ending: query.ending,
        after: query.after,
    }
}

/// Cuts a page off, never between calls of one microsecond: `until` could not tell them apart.
fn cut(calls: &mut Vec<Outcome>, limit: usize) -> Option<String> {
    let last = calls.get(limit - 1)?.call.admitted_at;
    let end = calls.iter().skip(limit).take_while(|o| o.call.admitted_at == last).count() + limit;
    let more = calls.len() > end;
    calls.truncate(end);
    more.then(|| last.to_string())
}

/// `GET /admin/v1/calls/{id}`
pub(crate) async fn one(State(app): Shared, Named(id): Named) -> Result<Json<Outcome>, Problem> {
    find(&app, &id).await.map(Json)
}

/// A call in the ledger, or one that is on its way there.
pub(crate) async fn find(app: &App, id: &str) -> Result<Outcome, Problem> {
    let id: CallId = id.parse().map_err(|_| Problem::bad_request(format!("`{id}` is no call id")))?;
    if let Some(outcome) = app.parts.ledger.call(id).await? {
        return Ok(outcome);
    }
    let recent = app.parts.live.recent(crate::live::KEPT);
    let found = recent.iter().find(|o| o.call.id == id).map(|o| Outcome::clone(o));
    found.ok_or_else(|| Problem::not_found(format!("the ledger has no call {id}")))
}
