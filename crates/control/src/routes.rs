//! Every path, who may ask for it, and what all answers share.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use bedplate_core::call::CallId;
use bedplate_core::ports::Total;

use crate::api::error::Problem;
use crate::api::{budgets, cache, calls, keys, limits, live, models, totals};
use crate::budgets::Status;
use crate::gate::{Barred, Gate, Jar, Pass, same};
use crate::pages::fresh::Fresh;
use crate::pages::{assets, call, console, login};
use crate::probes;
use crate::server::Parts;

/// What every handler may use.
pub(crate) struct App {
    pub(crate) parts: Parts,
    pub(crate) gate: Gate,
    pub(crate) today: Fresh<Vec<Total>>,
    pub(crate) standing: Fresh<Vec<Status>>,
}

pub(crate) type Shared = State<Arc<App>>;

/// The address that a connection came from.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The paths that need no key, each exactly as it stands here. Everything else does.
const OPEN: [&str; 6] = ["/livez", "/readyz", "/metrics", "/login", "/console.css", "/favicon.svg"];
/// The one path whose form brings its token in the body instead of a header.
const FORM: &str = "/logout";
/// Where a script puts the token of its session.
const CSRF: &str = "x-bedplate-csrf";
/// Bodies are small.
const LARGEST_BODY: usize = 64 * 1024;
/// How long a request may take, body included. The ledger has shorter deadlines of its own.
const LONGEST: Duration = Duration::from_secs(30);

pub(crate) fn routes(parts: Parts, port: u16, tls: bool) -> Router {
    let ids = Arc::clone(&parts.keymaker.ids);
    let gate = Gate::new(&parts.admin_key, ids, Arc::clone(&parts.clock), Jar::new(port, tls));
    let app = Arc::new(App { parts, gate, today: Fresh::default(), standing: Fresh::default() });
    Router::new()
        .route("/livez", get(probes::livez))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(probes::metrics))
        .route("/login", get(login::form).post(login::enter))
        .route("/logout", post(login::leave))
        .route("/console.css", get(assets::css))
        .route("/console.js", get(assets::js))
        .route("/favicon.svg", get(assets::icon))
        .route("/", get(console::page))
        .route("/fragment", get(console::fragment))
        .route("/calls/{id}", get(call::page))
        .route("/admin/v1/keys", get(keys::list).post(keys::create))
        .route("/admin/v1/keys/{id}/disable", post(keys::disable))
        .route("/admin/v1/keys/{id}/rotate", post(keys::rotate))
        .route("/admin/v1/budgets", get(budgets::list).post(budgets::create))
        .route("/admin/v1/budgets/{name}", get(budgets::one))
        .route("/admin/v1/budgets/{name}/remove", post(budgets::remove))
        .route("/admin/v1/budgets/{name}/history", get(budgets::history))
        .route("/admin/v1/budgets/{name}/unknown", get(budgets::unknown))
        .route("/admin/v1/budgets/{name}/reconcile", post(budgets::reconcile))
        .route("/admin/v1/calls", get(calls::list))
        .route("/admin/v1/calls/{id}", get(calls::one))
        .route("/admin/v1/calls/{id}/blocked", get(budgets::why_blocked))
        .route("/admin/v1/totals", get(totals::list))
        .route("/admin/v1/live", get(live::now))
        .route("/admin/v1/models", get(models::list))
        .route("/admin/v1/limits", get(limits::list))
        .route("/admin/v1/cache", get(cache::show))
        .route("/admin/v1/cache/purge", post(cache::purge))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(Arc::clone(&app), guard))
        .layer(from_fn(shield))
        .with_state(app)
}

/// Lets a request through to its path, if its path is open or it may pass.
async fn guard(
    State(app): Shared,
    Extension(Peer(from)): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if OPEN.contains(&path) {
        return next.run(request).await;
    }
    let pass = match app.gate.pass(request.headers(), from) {
        Ok(pass) => pass,
        Err(why) => return barred(why, path),
    };
    if let Pass::Session(session) = &pass
        && !matches!(*request.method(), Method::GET | Method::HEAD)
        && path != FORM
        && !has_token(request.headers(), &session.csrf)
    {
        return Problem::forgeable().into_response();
    }
    request.extensions_mut().insert(pass);
    next.run(request).await
}

/// A browser on its way to a page is asked to sign in; everybody else is told no.
fn barred(why: Barred, path: &str) -> Response {
    let call = path.strip_prefix("/calls/").and_then(|id| id.parse::<CallId>().ok());
    match (why, call) {
        (Barred::Nobody, Some(id)) => Redirect::to(&format!("/login?call={id}")).into_response(),
        (Barred::Nobody, None) if path == "/" => Redirect::to("/login").into_response(),
        (Barred::Wait(wait), _) => {
            let mut response = Problem::too_many().into_response();
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
            response
        }
        (Barred::Nobody | Barred::Wrong, _) => {
            let mut response = Problem::unauthenticated(why == Barred::Wrong).into_response();
            let challenge = HeaderValue::from_static("Bearer realm=\"bedplate control\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            response
        }
    }
}

fn has_token(headers: &HeaderMap, csrf: &str) -> bool {
    headers.get(CSRF).and_then(|v| v.to_str().ok()).is_some_and(|token| same(token, csrf))
}

/// Bounds every request in time, and says in every answer what browsers may do with it.
async fn shield(request: Request, next: Next) -> Response {
    let mut response = match tokio::time::timeout(LONGEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::slow().into_response(),
    };
    for (name, value) in SHIELDS {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

const SHIELDS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

async fn nowhere(request: Request) -> Problem {
    Problem::not_found(format!("there is nothing at `{}`", request.uri().path()))
}

async fn wrong_method(request: Request) -> Problem {
    let (method, path) = (request.method(), request.uri().path());
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("`{path}` does not take {method}"),
    )
}
