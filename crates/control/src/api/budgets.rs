//! Budgets, by the admin API.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::setting::Span;
use bedplate_cost::budget::BudgetConfig;
use serde::{Deserialize, Serialize};

use super::asked::{Asked, Moment, Named, Queried};
use super::error::Problem;
use crate::budgets::{BudgetView, Explained, History, Reconciled, Status, UnknownSlice, Unreadable, Which};
use crate::routes::Shared;

/// How many accounts of each budget a list shows when nobody says, and one budget.
const FEW: usize = 20;
const MANY: usize = 1_000;
/// How far back history goes when nobody says.
const BACK: Span = Span::secs(90 * 86_400);

/// `POST /admin/v1/budgets`: the members of `[[budget]]`.
pub(crate) async fn create(
    State(app): Shared,
    Asked(config): Asked<BudgetConfig>,
) -> Result<(StatusCode, Json<BudgetView>), Problem> {
    Ok((StatusCode::CREATED, Json(app.parts.treasurer.create(&config).await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accounts {
    accounts: Option<usize>,
}

#[derive(Serialize)]
pub(crate) struct List {
    budgets: Vec<Status>,
    /// Those that are not in force because they cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<Unreadable>,
}

/// `GET /admin/v1/budgets`
pub(crate) async fn list(
    State(app): Shared,
    Queried(Accounts { accounts }): Queried<Accounts>,
) -> Result<Json<List>, Problem> {
    let budgets = app.parts.treasurer.status(None, accounts.unwrap_or(FEW)).await?;
    Ok(Json(List { budgets, unreadable: app.parts.treasurer.unreadable().await? }))
}

/// `GET /admin/v1/budgets/{name}`
pub(crate) async fn one(
    State(app): Shared,
    Named(name): Named,
    Queried(Accounts { accounts }): Queried<Accounts>,
) -> Result<Json<Status>, Problem> {
    let mut found = app.parts.treasurer.status(Some(&name), accounts.unwrap_or(MANY)).await?;
    found.pop().map(Json).ok_or_else(|| Problem::not_found(format!("there is no budget `{name}`")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

#[derive(Serialize)]
pub(crate) struct Removed {
    name: String,
    removed: bool,
}

/// `POST /admin/v1/budgets/{name}/remove`
pub(crate) async fn remove(
    State(app): Shared,
    Named(name): Named,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<Removed>, Problem> {
    app.parts.treasurer.remove(&name).await?;
    Ok(Json(Removed { name, removed: true }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Back {
    since: Option<Moment>,
}

/// `GET /admin/v1/budgets/{name}/history`
pub(crate) async fn history(
    State(app): Shared,
    Named(name): Named,
    Queried(Back { since }): Queried<Back>,
) -> Result<Json<History>, Problem> {
    let since = since.unwrap_or(Moment::Ago(BACK)).on(&*app.parts.clock);
    Ok(Json(app.parts.treasurer.history(&name, since).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    node: Option<String>,
    window: Option<String>,
    account: Option<String>,
}

impl Part {
    fn which(self) -> Result<Which, Problem> {
        let window = match self.window {
            None => None,
            Some(text) => Some(Timestamp::parse(&text).map_err(|_| {
                Problem::bad_request(format!("`window` is the beginning of one, in RFC 3339: not `{text}`"))
            })?),
        };
        Ok(Which { node: self.node, window, account: self.account })
    }
}

#[derive(Serialize)]
pub(crate) struct Unknown {
    unknown: Vec<UnknownSlice>,
}

/// `GET /admin/v1/budgets/{name}/unknown`
pub(crate) async fn unknown(
    State(app): Shared,
    Named(name): Named,
    Queried(part): Queried<Part>,
) -> Result<Json<Unknown>, Problem> {
    let unknown = app.parts.treasurer.unknown(&name, &part.which()?).await?;
    Ok(Json(Unknown { unknown }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    spent: String,
    node: Option<String>,
    window: Option<String>,
    account: Option<String>,
}

/// `POST /admin/v1/budgets/{name}/reconcile`
pub(crate) async fn reconcile(
    State(app): Shared,
    Named(name): Named,
    Asked(Decision { spent, node, window, account }): Asked<Decision>,
) -> Result<Json<Reconciled>, Problem> {
    let which = Part { node, window, account }.which()?;
    Ok(Json(app.parts.treasurer.reconcile(&name, &which, &spent).await?))
}

/// `GET /admin/v1/calls/{id}/blocked`
pub(crate) async fn why_blocked(State(app): Shared, Named(id): Named) -> Result<Json<Explained>, Problem> {
    let id: CallId = id.parse().map_err(|_| Problem::bad_request(format!("`{id}` is no call id")))?;
    Ok(Json(app.parts.treasurer.why_blocked(id).await?))
}
