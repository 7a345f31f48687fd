//! Errors of servers that speak as OpenAI or Anthropic do, in AWS's words.

use bytes::{Bytes, BytesMut};

use crate::json::write::object;
use crate::json::{self, pick};
use crate::sse;

/// An error, as AWS would have it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    pub status: u16,
    /// `ThrottlingException`
    pub name: &'static str,
    pub message: String,
}

impl Failure {
    /// Of an error answer.
    pub fn of_answer(status: u16, body: &[u8]) -> Self {
        let said = json::utf8(body).ok().and_then(Said::read);
        let message = said.and_then(|said| said.message).filter(|message| !message.is_empty());
        let unsaid = || format!("the model's server answered with status {status}");
        Self::of(status, message.unwrap_or_else(unsaid))
    }

    /// Of an event of a stream; `None` when it is none.
    pub fn of_event(data: &[u8]) -> Option<Self> {
        memchr::memmem::find(data, b"\"error\"")?;
        let said = Said::read(json::utf8(data).ok()?).filter(|said| said.is_error)?;
        let message = said.message.unwrap_or_else(|| "the model's server broke off".to_owned());
        Some(Self::of(said.status.unwrap_or(500), message))
    }

    /// As an event of OpenAI's stream that says it in AWS's words.
    pub fn event(&self) -> Bytes {
        let mut data = String::new();
        {
            let mut whole = object(&mut data);
            whole.object("error").string("message", &self.message).string("type", self.name);
        }
        let mut out = BytesMut::new();
        sse::write("", &data, &mut out);
        out.freeze()
    }

    /// `{"message":"…"}`
    pub fn body(&self) -> String {
        let mut out = String::from("{\"message\":");
        json::write::string(&mut out, &self.message);
        out.push('}');
        out
    }

    fn of(status: u16, message: String) -> Self {
        let (name, status) = match status {
            429 => ("ThrottlingException", 429),
            401 | 403 => ("AccessDeniedException", 403),
            404 => ("ResourceNotFoundException", 404),
            408 | 504 => ("ModelTimeoutException", 408),
            503 | 529 => ("ServiceUnavailableException", 503),
            400..500 => ("ValidationException", 400),
            _ => ("InternalServerException", 500),
        };
        Self { status, name, message }
    }
}

struct Said {
    is_error: bool,
    message: Option<String>,
    status: Option<u16>,
}

impl Said {
    /// `{"error":{"message":…,"type":…,"code":…}}`; or the same without `error` around it, as older servers have it;
    /// `{"error":"…"}`; `{"detail":"…"}` of frameworks.
    fn read(text: &str) -> Option<Self> {
        let outer = pick(text, &["error", "message", "detail"]).ok()?;
        let own = |place| outer.text(place).and_then(json::string).map(std::borrow::Cow::into_owned);
        let Some(error) = outer.text(0) else {
            return Some(Self { is_error: false, message: own(1).or_else(|| own(2)), status: None });
        };
        if let Some(message) = json::string(error) {
            return Some(Self { is_error: true, message: Some(message.into_owned()), status: None });
        }
        let inner = pick(error, &["message", "type", "code"]).ok()?;
        let text = |place| inner.text(place).and_then(json::string);
        let number =
            inner.text(2).and_then(|code| code.parse().ok()).filter(|code| (400..600).contains(code));
        let word = |place: usize| text(place).and_then(|word| by_word(&word));
        Some(Self {
            is_error: true,
            message: text(0).map(std::borrow::Cow::into_owned),
            status: number.or_else(|| word(2)).or_else(|| word(1)),
        })
    }
}

/// The status that goes with a type or code of an error.
fn by_word(word: &str) -> Option<u16> {
    Some(match word {
        "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" | "requests" | "tokens" => 429,
        "invalid_request_error" | "BadRequestError" | "context_length_exceeded" => 400,
        "authentication_error" | "invalid_api_key" => 401,
        "permission_error" => 403,
        "not_found_error" | "NotFoundError" | "model_not_found" => 404,
        "timeout_error" | "timeout" => 408,
        "overloaded_error" | "unavailable_error" => 503,
        "api_error" | "server_error" | "internal_server_error" | "InternalServerError" => 500,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_become_exceptions_with_the_servers_own_words() {
        let none = |status| format!("the model's server answered with status {status}");
        for (status, body, name, of_aws, message) in [
            (429, r#"{"error":{"message":"slow down"}}"#, "ThrottlingException", 429, "slow down".to_owned()),
            (400, r#"{"error":{"message":"long","code":400}}"#, "ValidationException", 400, "long".into()),
            (422, r#"{"detail":"no field"}"#, "ValidationException", 400, "no field".into()),
            (401, r#"{"error":"who?"}"#, "AccessDeniedException", 403, "who?".into()),
            (404, r#"{"message":"no model"}"#, "ResourceNotFoundException", 404, "no model".into()),
            (408, "", "ModelTimeoutException", 408, none(408)),
            (503, "<html>", "ServiceUnavailableException", 503, none(503)),
            (502, "{}", "InternalServerException", 500, none(502)),
        ] {
            let want = Failure { status: of_aws, name, message };
            assert_eq!(Failure::of_answer(status, body.as_bytes()), want);
        }
    }

    #[test]
    fn errors_in_streams_are_known_and_words_about_errors_are_not() {
        let read = |data: &str| Failure::of_event(data.as_bytes()).map(|f| (f.name, f.message));
        let said = |name, message: &str| Some((name, message.to_owned()));
        assert_eq!(read(r#"{"error":{"message":"m","code":400}}"#), said("ValidationException", "m"));
        let limited = r#"{"error":{"message":"m","code":null,"type":"rate_limit_error"}}"#;
        assert_eq!(read(limited), said("ThrottlingException", "m"));
        let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        assert_eq!(read(overloaded), said("ServiceUnavailableException", "Overloaded"));
        assert_eq!(read(r#"{"error":"gone"}"#), said("InternalServerException", "gone"));
        assert_eq!(read(r#"{"choices":[{"delta":{"content":"an \"error\""}}],"error":null}"#), None);
        assert_eq!(read("[DONE]"), None);
        let written = Failure::of_event(overloaded.as_bytes()).unwrap().event();
        assert_eq!(
            written,
            "data: {\"error\":{\"message\":\"Overloaded\",\"type\":\"ServiceUnavailableException\"}}\n\n"
        );
    }
}
