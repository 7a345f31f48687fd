//! Refusals as Anthropic says them.

use bedplate_core::refusal::{Code, Refusal};
use bytes::{Bytes, BytesMut};

use crate::bedrock::refuse::sentence;
use crate::json::write::object;
use crate::sse;

/// An error answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    pub status: u16,
    /// What stands in `error.type`.
    pub kind: &'static str,
    /// `{"type":"error","error":{"type":"…","message":"…"},"request_id":"…"}`
    pub body: Bytes,
    /// For the header `x-should-retry`, where the client's own rule would say otherwise.
    pub should_retry: Option<bool>,
}

/// Said to a body with `thread`. Clients send the whole conversation instead when the answer has the code that Anthropic
/// gives such refusals; the tool runners of their SDKs begin with `thread` and rely on it.
pub const UNTHREADED: &str =
    "`thread`: bedplate holds no conversations, send the whole one with every request";

/// The error answer for a refusal of the call `call`.
pub fn error(refusal: &Refusal, call: &str) -> Error {
    let (status, kind) = shape(refusal.code);
    // a 429 is tried again by every client: a rate that can never be met is not to be
    let should_retry = matches!(refusal.code, Code::RateTooLow | Code::TooLarge).then_some(false);
    let details = (refusal.said == UNTHREADED).then_some("thread_unsupported_request");
    Error { status, kind, body: body(&sentence(&refusal.said), kind, details, call).into(), should_retry }
}

/// The event that ends a stream which has begun.
pub fn event(refusal: &Refusal, call: &str) -> Bytes {
    let (_, kind) = shape(refusal.code);
    let mut out = BytesMut::new();
    sse::write("error", &body(&sentence(&refusal.said), kind, None, call), &mut out);
    out.freeze()
}

/// An error of Bedrock's in Anthropic's words, by its name: `ThrottlingException`.
pub fn upstream(status: u16, name: &str, message: &str, call: &str) -> Error {
    let (status, kind) = match name {
        "ThrottlingException" | "ModelNotReadyException" => (429, "rate_limit_error"),
        "ServiceQuotaExceededException" => (400, "billing_error"),
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "ExpiredTokenException" => (403, "permission_error"),
        "ResourceNotFoundException" => (404, "not_found_error"),
        "ValidationException" if message.contains("model identifier") => (404, "not_found_error"),
        "ValidationException" => (400, "invalid_request_error"),
        "ServiceUnavailableException" => (529, "overloaded_error"),
        "ModelTimeoutException" => (504, "timeout_error"),
        // a fault of the model's and not of the request; clients do not try this status again, as AWS's do not
        "ModelErrorException" | "ModelStreamErrorException" => (424, "api_error"),
        _ if status < 500 => (status, "invalid_request_error"),
        _ => (status, "api_error"),
    };
    Error { status, kind, body: body(message, kind, None, call).into(), should_retry: None }
}

fn body(message: &str, kind: &str, details: Option<&str>, call: &str) -> String {
    let mut out = String::new();
    let mut whole = object(&mut out);
    whole.string("type", "error");
    let mut error = whole.object("error");
    error.string("type", kind).string("message", message);
    if let Some(code) = details {
        error.object("details").string("error_code", code);
    }
    drop(error);
    whole.string("request_id", call);
    drop(whole);
    out
}

/// Status and type.
fn shape(code: Code) -> (u16, &'static str) {
    match code {
        Code::NoCredentials
        | Code::BadAuthorization
        | Code::UnknownKey
        | Code::BadSignature
        | Code::ClockSkew
        | Code::BadBearer
        | Code::KeyExpired
        | Code::SessionToken => (401, "authentication_error"),
        Code::ModelNotAllowed | Code::FeatureNotAllowed | Code::OperationNotAllowed => {
            (403, "permission_error")
        }
        Code::UnknownOperation | Code::UnknownModel => (404, "not_found_error"),
        Code::BodyTooLarge => (413, "request_too_large"),
        Code::BadBody | Code::BadValue | Code::ReservedMetadata => (400, "invalid_request_error"),
        Code::BodyTimeout => (408, "invalid_request_error"),
        // clients try 408, 409, 429 and 5xx again, and no other
        Code::BudgetSpent | Code::BudgetUnpriced => (400, "billing_error"),
        Code::BudgetHeld
        | Code::SoftBudgetSpent
        | Code::RateExceeded
        | Code::TokenRateExceeded
        | Code::RateTooLow
        | Code::TooLarge
        | Code::SlotsTaken
        | Code::NoRoom => (429, "rate_limit_error"),
        Code::LedgerUnavailable | Code::Overloaded | Code::BudgetUnreachable => (529, "overloaded_error"),
        Code::ConnectTimeout | Code::FirstTokenTimeout | Code::IdleTimeout | Code::TotalTimeout => {
            (504, "timeout_error")
        }
        Code::Unreachable | Code::BrokenAnswer | Code::UpstreamError => (502, "api_error"),
        Code::NoUpstreamCredentials | Code::Bug => (500, "api_error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_learn_from_the_code_that_conversations_are_not_held() {
        let error = error(&Refusal::new(Code::BadValue, UNTHREADED), "c1");
        let body: serde_json::Value = serde_json::from_slice(&error.body).unwrap();
        assert_eq!((error.status, &body["error"]["type"]), (400, &"invalid_request_error".into()));
        assert_eq!(body["error"]["details"]["error_code"], "thread_unsupported_request");
        let other = super::error(&Refusal::new(Code::BadValue, "`model`: expected a string"), "c1");
        assert!(!other.body.windows(7).any(|bytes| bytes == b"details"));
    }
}
