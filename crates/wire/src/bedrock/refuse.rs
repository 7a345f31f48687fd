//! Refusals as AWS says them.

use bytes::Bytes;

use bedplate_core::call::Operation;
use bedplate_core::clock::Timestamp;
use bedplate_core::refusal::{Code, Refusal};

use crate::eventstream::encode_exception;
use crate::json;
use crate::sigv4::amz_date;

/// An error answer. The name belongs in the header `x-amzn-errortype`; the body has it too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsError {
    pub status: u16,
    pub error_type: &'static str,
    /// `{"message":"…","__type":"…"}`
    pub body: Bytes,
}

/// The error answer for a refusal.
pub fn aws_error(refusal: &Refusal) -> AwsError {
    let (error_type, status, message) = shape(refusal.code);
    let message = message.map_or_else(|| sentence(&refusal.said), str::to_owned);
    let body = serde_json::json!({ "message": message, "__type": error_type });
    AwsError { status, error_type, body: body.to_string().into() }
}

/// What an error answer of AWS says, of its body; empty when it says nothing.
pub fn message(body: &[u8]) -> String {
    let text = || {
        let picked = json::pick(json::utf8(body).ok()?, &["message", "Message"]).ok()?;
        json::string(picked.text(0).or(picked.text(1))?).map(std::borrow::Cow::into_owned)
    };
    text().unwrap_or_default()
}

/// The frame that ends a stream which has begun, as one of the exceptions that the stream models.
pub fn exception_frame(refusal: &Refusal, operation: Operation) -> Bytes {
    let name = exception_name(refusal.code, operation);
    let (_, _, message) = shape(refusal.code);
    let message = message.map_or_else(|| sentence(&refusal.said), str::to_owned);
    encode_exception(name, serde_json::json!({ "message": message }).to_string().as_bytes())
}

/// AWS's words for a signature that is too old or of the future, for [`Refusal::said`].
pub fn skew_said(signed: Timestamp, now: Timestamp, window: std::time::Duration) -> String {
    let minutes = window.as_secs() / 60;
    let (at, now_text) = (amz_date(signed), amz_date(now));
    if signed < now {
        let bound = amz_date(now.minus(window));
        format!("Signature expired: {at} is now earlier than {bound} ({now_text} - {minutes} min.)")
    } else {
        let bound = amz_date(now.plus(window));
        format!("Signature not yet current: {at} is still later than {bound} ({now_text} + {minutes} min.)")
    }
}

/// Name, status, and the message where AWS always says the same.
fn shape(code: Code) -> (&'static str, u16, Option<&'static str>) {
    const TOKEN: &str = "The security token included in the request is invalid.";
    match code {
        Code::NoCredentials => {
            ("MissingAuthenticationTokenException", 403, Some("Missing Authentication Token"))
        }
        Code::UnknownKey | Code::SessionToken => ("UnrecognizedClientException", 403, Some(TOKEN)),
        Code::BadSignature => (
            "InvalidSignatureException",
            403,
            Some(
                "The request signature we calculated does not match the signature you provided. Check your AWS \
                 Secret Access Key and signing method. Consult the service documentation for details.",
            ),
        ),
        Code::ClockSkew => ("InvalidSignatureException", 403, None),
        Code::KeyExpired => {
            ("ExpiredTokenException", 403, Some("The security token included in the request is expired"))
        }
        Code::BadAuthorization => ("IncompleteSignature", 400, None),
        Code::BadBearer | Code::ModelNotAllowed | Code::FeatureNotAllowed | Code::OperationNotAllowed => {
            ("AccessDeniedException", 403, None)
        }
        Code::UnknownOperation => ("UnknownOperationException", 404, None),
        Code::BodyTooLarge => ("RequestEntityTooLargeException", 413, None),
        Code::BadBody => ("SerializationException", 400, None),
        Code::BodyTimeout => ("RequestTimeoutException", 408, None),
        Code::BadValue | Code::ReservedMetadata => ("ValidationException", 400, None),
        Code::UnknownModel => ("ValidationException", 400, Some("The provided model identifier is invalid.")),
        // SDKs do not retry the first, and do retry the second
        Code::BudgetSpent | Code::BudgetUnpriced | Code::RateTooLow | Code::TooLarge => {
            ("ServiceQuotaExceededException", 400, None)
        }
        Code::Overloaded
        | Code::BudgetHeld
        | Code::SoftBudgetSpent
        | Code::RateExceeded
        | Code::TokenRateExceeded
        | Code::SlotsTaken
        | Code::NoRoom => ("ThrottlingException", 429, None),
        Code::BudgetUnreachable
        | Code::LedgerUnavailable
        | Code::ConnectTimeout
        | Code::Unreachable
        | Code::NoUpstreamCredentials => ("ServiceUnavailableException", 503, None),
        Code::FirstTokenTimeout | Code::IdleTimeout | Code::TotalTimeout => {
            ("ModelTimeoutException", 408, None)
        }
        Code::BrokenAnswer | Code::UpstreamError | Code::Bug => ("InternalServerException", 500, None),
    }
}

/// ConverseStream models no timeout; what cannot happen once a stream has begun is a fault of ours.
fn exception_name(code: Code, operation: Operation) -> &'static str {
    match code {
        Code::FirstTokenTimeout | Code::IdleTimeout | Code::TotalTimeout => match operation {
            Operation::InvokeModelWithResponseStream => "modelTimeoutException",
            _ => "modelStreamErrorException",
        },
        Code::BrokenAnswer | Code::UpstreamError => "modelStreamErrorException",
        Code::Overloaded
        | Code::BudgetHeld
        | Code::SoftBudgetSpent
        | Code::RateExceeded
        | Code::TokenRateExceeded
        | Code::SlotsTaken
        | Code::NoRoom => "throttlingException",
        Code::BudgetUnreachable
        | Code::LedgerUnavailable
        | Code::ConnectTimeout
        | Code::Unreachable
        | Code::NoUpstreamCredentials => "serviceUnavailableException",
        Code::NoCredentials
        | Code::UnknownKey
        | Code::BadSignature
        | Code::ClockSkew
        | Code::BadBearer
        | Code::KeyExpired
        | Code::BadAuthorization
        | Code::SessionToken
        | Code::ModelNotAllowed
        | Code::FeatureNotAllowed
        | Code::OperationNotAllowed
        | Code::UnknownOperation
        | Code::BodyTooLarge
        | Code::BadBody
        | Code::BodyTimeout
        | Code::BadValue
        | Code::UnknownModel
        | Code::BudgetSpent
        | Code::BudgetUnpriced
        | Code::RateTooLow
        | Code::TooLarge
        | Code::ReservedMetadata => "validationException",
        Code::Bug => "internalServerException",
    }
}

/// House style to AWS's: a capital at the start, a full stop at the end.
pub(crate) fn sentence(said: &str) -> String {
    let mut chars = said.chars();
    let mut out = String::with_capacity(said.len() + 1);
    out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
    out.push_str(chars.as_str());
    if !out.ends_with(['.', '!', '?', ')']) {
        out.push('.');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventstream::{Kind, Scanner};
    use std::time::Duration;

    #[test]
    fn every_code_gives_an_error_that_parses() {
        for code in Code::ALL {
            let e = aws_error(&Refusal::new(*code, "a `\"quoted\"\n` thing"));
            let body: serde_json::Value = serde_json::from_slice(&e.body).unwrap();
            assert_eq!(body["__type"], e.error_type);
            assert!(!body["message"].as_str().unwrap().is_empty());
            assert!((400..=503).contains(&e.status));
        }
    }

    #[test]
    fn frames_carry_only_exceptions_that_the_stream_models() {
        let both = [
            "internalServerException",
            "modelStreamErrorException",
            "validationException",
            "throttlingException",
            "serviceUnavailableException",
        ];
        for code in Code::ALL {
            for op in [Operation::ConverseStream, Operation::InvokeModelWithResponseStream] {
                let mut scanner = Scanner::new(true);
                scanner.feed(exception_frame(&Refusal::of(*code), op));
                let frame = scanner.next_frame().unwrap().unwrap();
                let Kind::Exception(name) = frame.kind() else { panic!("{code}") };
                let timeout =
                    op == Operation::InvokeModelWithResponseStream && name == "modelTimeoutException";
                assert!(both.contains(&name) || timeout, "{code} {name}");
            }
        }
    }

    #[test]
    fn skew_is_said_in_the_words_of_aws() {
        let now = Timestamp::parse("2026-11-22T12:00:00Z").unwrap();
        let window = Duration::from_secs(300);
        assert_eq!(
            skew_said(now.minus(Duration::from_secs(301)), now, window),
            "Signature expired: 20261122T115459Z is now earlier than 20261122T115500Z (20261122T120000Z - 5 min.)"
        );
        assert!(
            skew_said(now.plus(Duration::from_secs(301)), now, window)
                .starts_with("Signature not yet current: 20261122T120501Z")
        );
    }

    #[test]
    fn house_style_becomes_a_sentence() {
        assert_eq!(sentence("the body is too large"), "The body is too large.");
        assert_eq!(sentence(""), ".");
    }
}
