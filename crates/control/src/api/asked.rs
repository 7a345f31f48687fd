//! What was asked: bodies and queries, with every mistake named.

use std::error::Error;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::setting::Span;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::Problem;

/// A JSON body; no body is an empty object.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, state).await.map_err(|e| {
            let code =
                if e.status() == StatusCode::PAYLOAD_TOO_LARGE { "body_too_large" } else { "bad_request" };
            Problem::new(e.status(), code, "the body cannot be read: it is too large or broke off")
        })?;
        let body = if body.is_empty() { b"{}" } else { &*body };
        let value = serde_json::from_slice(body);
        value.map(Self).map_err(|e| Problem::bad_request(format!("the body is not what this takes: {e}")))
    }
}

/// The query of an address.
pub(crate) struct Queried<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Queried<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(value)| Self(value))
            .map_err(|e| Problem::bad_request(format!("the query is not what this takes: {}", innermost(&e))))
    }
}

/// The one name in an address.
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        name.map(|Path(name)| Self(name)).map_err(|_| Problem::bad_request("the path is not UTF-8"))
    }
}

/// A moment: RFC 3339, or how long ago (`1h`).
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Moment {
    At(Timestamp),
    Ago(Span),
}

impl Moment {
    pub(crate) fn on(self, clock: &dyn Clock) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(span) => clock.now().minus(span.0),
        }
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Ok(at) = Timestamp::parse(&text) {
            return Ok(Self::At(at));
        }
        text.parse().map(Self::Ago).map_err(|_| {
            format!("not a moment: `{text}`; write RFC 3339 (`2026-11-22T12:00:00Z`) or how long ago (`1h`)")
        })
    }
}

fn innermost(e: &dyn Error) -> String {
    let mut e = e;
    while let Some(source) = e.source() {
        e = source;
    }
    e.to_string()
}
