//! Refusals as OpenAI says them.

use bedplate_core::refusal::{Code, Refusal};
use bytes::{Bytes, BytesMut};

use crate::bedrock::refuse::sentence;
use crate::json::write::object;
use crate::sse;

/// An error answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    pub status: u16,
    /// What stands in `type`.
    pub kind: &'static str,
    /// `{"error":{"message":"…","type":"…","param":null,"code":"…"}}`
    pub body: Bytes,
    /// For the header `x-should-retry`, where the client's own rule would say otherwise.
    pub should_retry: Option<bool>,
}

/// The error answer for a refusal.
pub fn error(refusal: &Refusal) -> Error {
    let (status, kind, code) = shape(refusal.code);
    // a 429 is tried again by every client: a hard budget is not to be
    let never =
        matches!(refusal.code, Code::BudgetSpent | Code::BudgetUnpriced | Code::RateTooLow | Code::TooLarge);
    let should_retry = never.then_some(false);
    Error {
        status,
        kind,
        body: body(&sentence(&refusal.said), kind, param(&refusal.said), code).into(),
        should_retry,
    }
}

/// The event that ends a stream which has begun.
pub fn event(refusal: &Refusal) -> Bytes {
    let (_, kind, code) = shape(refusal.code);
    let mut out = BytesMut::new();
    sse::write("", &body(&sentence(&refusal.said), kind, None, code), &mut out);
    out.freeze()
}

/// An error of Bedrock's in OpenAI's words, by its name: `ThrottlingException`.
pub fn upstream(status: u16, name: &str, message: &str) -> Error {
    let (status, kind, code) = upstream_shape(status, name, message);
    Error { status, kind, body: body(message, kind, None, code).into(), should_retry: None }
}

/// The payload of the event that says that the upstream broke off.
pub(crate) fn broken(name: &str, message: &str) -> String {
    let (_, kind, code) = upstream_shape(500, name, message);
    body(message, kind, None, code)
}

/// Status, type and code.
fn upstream_shape(status: u16, name: &str, message: &str) -> (u16, &'static str, Option<&'static str>) {
    match name {
        "ThrottlingException" | "ModelNotReadyException" => {
            (429, "rate_limit_error", Some("rate_limit_exceeded"))
        }
        "ServiceQuotaExceededException" => (429, "insufficient_quota", Some("insufficient_quota")),
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "ExpiredTokenException" => (403, "permission_error", None),
        "ResourceNotFoundException" => (404, "invalid_request_error", Some("model_not_found")),
        "ValidationException" if message.contains("model identifier") => {
            (404, "invalid_request_error", Some("model_not_found"))
        }
        "ValidationException" => (400, "invalid_request_error", None),
        "ModelErrorException" | "ModelStreamErrorException" => (502, "server_error", None),
        "ModelTimeoutException" => (408, "server_error", None),
        _ if status < 500 => (status, "invalid_request_error", None),
        _ => (status, "server_error", None),
    }
}

fn body(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> String {
    let mut out = String::new();
    let mut whole = object(&mut out);
    let mut error = whole.object("error");
    error.string("message", message).string("type", kind);
    match param {
        Some(param) => error.string("param", param),
        None => error.raw("param", "null"),
    };
    match code {
        Some(code) => error.string("code", code),
        None => error.raw("code", "null"),
    };
    drop(error);
    drop(whole);
    out
}

/// The member that a refusal is about: it begins with its path.
fn param(said: &str) -> Option<&str> {
    said.strip_prefix('`')?.split_once("`:").map(|(path, _)| path)
}

/// Status, type and code.
fn shape(code: Code) -> (u16, &'static str, Option<&'static str>) {
    match code {
        Code::NoCredentials | Code::BadAuthorization => (401, "invalid_request_error", None),
        Code::UnknownKey
        | Code::BadSignature
        | Code::ClockSkew
        | Code::BadBearer
        | Code::KeyExpired
        | Code::SessionToken => (401, "invalid_request_error", Some("invalid_api_key")),
        Code::ModelNotAllowed | Code::FeatureNotAllowed | Code::OperationNotAllowed => {
            (403, "permission_error", None)
        }
        Code::UnknownOperation => (404, "invalid_request_error", Some("unknown_url")),
        Code::BodyTooLarge => (413, "invalid_request_error", None),
        Code::BadBody | Code::BadValue | Code::ReservedMetadata => (400, "invalid_request_error", None),
        Code::BodyTimeout => (408, "invalid_request_error", None),
        Code::UnknownModel => (404, "invalid_request_error", Some("model_not_found")),
        Code::BudgetSpent | Code::BudgetUnpriced => (429, "insufficient_quota", Some("insufficient_quota")),
        Code::BudgetHeld | Code::SoftBudgetSpent => (429, "insufficient_quota", Some("rate_limit_exceeded")),
        Code::RateExceeded | Code::SlotsTaken | Code::NoRoom => {
            (429, "requests", Some("rate_limit_exceeded"))
        }
        Code::TokenRateExceeded | Code::RateTooLow | Code::TooLarge => {
            (429, "tokens", Some("rate_limit_exceeded"))
        }
        Code::LedgerUnavailable | Code::Overloaded | Code::BudgetUnreachable => (503, "server_error", None),
        Code::ConnectTimeout | Code::FirstTokenTimeout | Code::IdleTimeout | Code::TotalTimeout => {
            (504, "server_error", Some("timeout"))
        }
        Code::Unreachable | Code::BrokenAnswer | Code::UpstreamError => (502, "server_error", None),
        Code::NoUpstreamCredentials | Code::Bug => (500, "server_error", None),
    }
}
