//! Signing in with the local admin key, and out.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use bedplate_core::call::CallId;
use bedplate_core::secret::Secret;
use serde::Deserialize;

use super::render;
use crate::api::error::Problem;
use crate::gate::{Barred, Pass, same};
use crate::routes::{App, Peer, Shared};

#[derive(Template)]
#[template(path = "login.html")]
pub(super) struct Login {
    token: String,
    /// The call that the browser wanted to see.
    call: String,
    /// What was wrong with the last try; empty when there was none.
    wrong: &'static str,
}

/// Where to go afterwards. A call id and nothing else: an address could lead anywhere.
#[derive(Deserialize)]
pub(crate) struct Next {
    call: Option<String>,
}

/// `GET /login`
pub(crate) async fn form(
    State(app): Shared,
    headers: HeaderMap,
    next: Result<Query<Next>, QueryRejection>,
) -> Response {
    let call = next.ok().and_then(|Query(next)| next.call?.parse().ok());
    if app.gate.has_session(&headers) {
        return onward(call);
    }
    ask(&app, &headers, call, StatusCode::OK, "")
}

#[derive(Deserialize)]
pub(crate) struct Entry {
    key: String,
    token: String,
    #[serde(default)]
    call: String,
}

/// `POST /login`
pub(crate) async fn enter(
    State(app): Shared,
    Extension(Peer(from)): Extension<Peer>,
    headers: HeaderMap,
    entry: Result<Form<Entry>, FormRejection>,
) -> Response {
    let Ok(Form(entry)) = entry else {
        return ask(&app, &headers, None, StatusCode::BAD_REQUEST, "The form was not filled in.");
    };
    let (key, call) = (Secret::new(entry.key), entry.call.parse().ok());
    let ours =
        app.gate.jar.login(&headers).is_some_and(|nonce| same(&app.gate.login_token(&nonce), &entry.token));
    if !ours {
        let stale = "This form is too old, or was not made here. Please try again.";
        return ask(&app, &headers, call, StatusCode::FORBIDDEN, stale);
    }
    match app.gate.try_key(key.expose().trim().as_bytes(), from) {
        Ok(()) => {
            let mut response = onward(call);
            app.gate.jar.signed_in(app.gate.open().expose()).set(response.headers_mut());
            response
        }
        Err(Barred::Wait(_)) => {
            let wait = "Too many wrong keys. Please wait a minute.";
            ask(&app, &headers, call, StatusCode::TOO_MANY_REQUESTS, wait)
        }
        Err(_) => ask(&app, &headers, call, StatusCode::UNAUTHORIZED, "That is not the admin key."),
    }
}

#[derive(Deserialize)]
pub(crate) struct Leaving {
    token: String,
}

/// `POST /logout`
pub(crate) async fn leave(
    State(app): Shared,
    Extension(pass): Extension<Pass>,
    form: Result<Form<Leaving>, FormRejection>,
) -> Response {
    if let Pass::Session(session) = &pass {
        if !form.is_ok_and(|Form(f)| same(&f.token, &session.csrf)) {
            return Problem::forgeable().into_response();
        }
        app.gate.close(session);
    }
    let mut response = Redirect::to("/login").into_response();
    app.gate.jar.signed_out().set(response.headers_mut());
    response
}

fn ask(
    app: &Arc<App>,
    headers: &HeaderMap,
    call: Option<CallId>,
    status: StatusCode,
    wrong: &'static str,
) -> Response {
    // a second tab must not make the first one's form stale
    let nonce = app.gate.jar.login(headers).filter(|n| is_nonce(n)).unwrap_or_else(|| app.gate.nonce());
    let call = call.map_or_else(String::new, |id| id.to_string());
    let mut response = render(status, &Login { token: app.gate.login_token(&nonce), call, wrong });
    app.gate.jar.asked(&nonce).set(response.headers_mut());
    response
}

/// Whether a cookie can be one of ours: it is sent back as it came.
fn is_nonce(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn onward(call: Option<CallId>) -> Response {
    Redirect::to(&call.map_or_else(|| "/".into(), |id| format!("/calls/{id}"))).into_response()
}

#[cfg(test)]
impl Login {
    pub(super) fn sample() -> Self {
        Self { token: "abc".into(), call: String::new(), wrong: "That is not the admin key." }
    }
}
