//! What the admin API says when it cannot: `{"error":{"code":"…","message":"…"}}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bedplate_core::ports::StoreError;
use serde::Serialize;

use crate::budgets::BudgetError;
use crate::keys::KeyError;

/// A request that could not be done, and why.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn unauthenticated(wrong: bool) -> Self {
        let message = match wrong {
            true => "this is not the local admin key",
            false => "the local admin key is needed: send `authorization: Bearer KEY`",
        };
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
    }

    pub(crate) fn too_many() -> Self {
        let message = "too many wrong admin keys from this address: wait before you try again";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_failures", message)
    }

    pub(crate) fn forgeable() -> Self {
        let message = "the request does not carry the token of its session: another site may have made it";
        Self::new(StatusCode::FORBIDDEN, "no_session_token", message)
    }

    pub(crate) fn slow() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_slow", "the request took too long")
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<StoreError> for Problem {
    fn from(e: StoreError) -> Self {
        let (status, code) = match &e {
            StoreError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "ledger_unavailable"),
            StoreError::ReadOnly(_) => (StatusCode::SERVICE_UNAVAILABLE, "ledger_read_only"),
            StoreError::Corrupt(_) => (StatusCode::INTERNAL_SERVER_ERROR, "ledger_corrupt"),
            StoreError::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
        };
        Self::new(status, code, e.to_string())
    }
}

impl From<KeyError> for Problem {
    fn from(e: KeyError) -> Self {
        let (status, code) = match e {
            KeyError::Store(e) => return e.into(),
            KeyError::Seal(..) => (StatusCode::INTERNAL_SERVER_ERROR, "sealed"),
            KeyError::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            KeyError::Disabled(_) | KeyError::Rotated(..) => (StatusCode::CONFLICT, "conflict"),
            KeyError::Name(_)
            | KeyError::Model(_)
            | KeyError::Expiry
            | KeyError::AccessKeyId(_)
            | KeyError::Short(_)
            | KeyError::Secret => (StatusCode::BAD_REQUEST, "bad_request"),
        };
        Self::new(status, code, e.to_string())
    }
}

impl From<BudgetError> for Problem {
    fn from(e: BudgetError) -> Self {
        let (status, code) = match e {
            BudgetError::Store(e) => return e.into(),
            BudgetError::NotFound(_) | BudgetError::NoCall(_) => (StatusCode::NOT_FOUND, "not_found"),
            BudgetError::Configured(_)
            | BudgetError::Taken(_)
            | BudgetError::Unreadable(..)
            | BudgetError::NotBlocked(..)
            | BudgetError::NothingUnknown(..)
            | BudgetError::Several(..)
            | BudgetError::Changed => (StatusCode::CONFLICT, "conflict"),
            BudgetError::Bad(_) | BudgetError::Amount(_) => (StatusCode::BAD_REQUEST, "bad_request"),
        };
        Self::new(status, code, e.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: Error,
        }
        #[derive(Serialize)]
        struct Error {
            code: &'static str,
            message: String,
        }
        let body = Body { error: Error { code: self.code, message: self.message } };
        (self.status, Json(body)).into_response()
    }
}
