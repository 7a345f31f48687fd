//! What can be seen of an answer from outside, without what a model said in it.

use std::collections::BTreeMap;
use std::time::Duration;

use bedplate_core::call::Headers;
use bedplate_pipeline::{Answer, AnswerBody, Failed, Metered};
use serde_json::Value;

use super::shape::Shape;
use super::stream::Stream;

/// One answer as it is compared.
#[derive(Clone, Debug, Default)]
pub(super) struct Observation {
    /// 0 when no answer came.
    pub(super) status: u16,
    /// The error's AWS name; or, when no answer came, why.
    pub(super) error: Option<String>,
    /// Headers that matter, and what kind of value each has.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Body,
    /// Tells how long to wait, when the answer says.
    pub(super) retry_after: Option<Duration>,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Body {
    #[default]
    None,
    Json(Box<Shape>),
    /// Bytes that are no JSON.
    Other,
    Stream(Box<Stream>),
}

impl Observation {
    /// Reads an answer to its end. With `json_text` the texts of its content are JSON, and are compared as
    /// such.
    pub(super) async fn of(answer: Answer, idle: Duration, json_text: bool) -> (Self, Metered) {
        let headers = headers(&answer.headers);
        let retry_after = retry_after(&answer.headers);
        let (body, metered) = match answer.body {
            AnswerBody::Whole(content, metered) => {
                (body(content.expose(), answer.status, json_text), metered)
            }
            AnswerBody::Stream(flow) => {
                let (stream, metered) = Stream::read(flow, idle).await;
                (Body::Stream(Box::new(stream)), metered)
            }
        };
        (Self { status: answer.status, error: answer.error, headers, body, retry_after }, metered)
    }

    /// No answer: the other side cannot be read, which is an observation too.
    pub(super) fn none(failed: &Failed) -> Self {
        Self { error: Some(format!("no answer: {} ({})", failed.cause, failed.code)), ..Self::default() }
    }

    /// Whether asking again may help.
    pub(super) fn throttled(&self) -> bool {
        self.status == 429
    }
}

fn body(bytes: &[u8], status: u16, json_text: bool) -> Body {
    if bytes.is_empty() {
        return Body::None;
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut value) => {
            // clients read an error's text from either name
            if let (true, Value::Object(members)) = (status >= 400, &mut value)
                && let Some(text) = members.remove("Message")
            {
                members.insert("message".into(), text);
            }
            if json_text {
                unwrap_texts(&mut value);
            }
            Body::Json(Box::new(Shape::of(&value)))
        }
        Err(_) => Body::Other,
    }
}

/// Puts the JSON that Converse's texts hold in the place of the texts; text that is no JSON stays.
fn unwrap_texts(value: &mut Value) {
    let content = value.pointer_mut("/output/message/content").and_then(Value::as_array_mut);
    for block in content.into_iter().flatten() {
        if let Some(text) = block.get_mut("text")
            && let Some(inner) = text.as_str().and_then(|t| serde_json::from_str(t).ok())
        {
            *text = inner;
        }
    }
}

/// The headers that clients read, by name, each with the kind of its value.
fn headers(all: &Headers) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    for (name, value) in all.iter() {
        let (Ok(name), Ok(value)) = (std::str::from_utf8(name), std::str::from_utf8(value)) else { continue };
        let said = match name {
            "content-type" => value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase(),
            "x-amzn-errortype" => "an error's name".to_owned(),
            "x-amzn-requestid" => kind(value),
            "x-amz-retry-after" | "retry-after" if kind(value) == A_NUMBER => kind(value),
            // a hint that clients cannot read is none; its own name, so that nothing excuses it
            "x-amz-retry-after" | "retry-after" => {
                seen.insert(format!("{name} (no whole number)"), kind(value));
                continue;
            }
            _ if name.starts_with("x-amzn-bedrock-") => kind(value),
            _ => continue,
        };
        seen.insert(name.to_owned(), said);
    }
    seen
}

const A_NUMBER: &str = "a number";

fn kind(value: &str) -> String {
    let uuid = value.len() == 36
        && value.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        });
    let kind = match value {
        _ if uuid => "a UUID",
        "application/json" => "application/json",
        v if !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()) => A_NUMBER,
        _ => "text",
    };
    kind.to_owned()
}

/// `x-amz-retry-after` is in milliseconds, `Retry-After` in seconds.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let number = |name: &str| headers.text(name)?.trim().parse::<u64>().ok();
    let millis = number("x-amz-retry-after").map(Duration::from_millis);
    millis.or_else(|| number("retry-after").map(Duration::from_secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_seen_by_name_and_kind() {
        let mut all = Headers::default();
        all.push("content-type", "application/json; charset=utf-8");
        all.push("x-amzn-requestid", "7c9e0000-1111-4222-8333-444455556666");
        all.push("x-amzn-bedrock-input-token-count", "19");
        all.push("server", "whoever");
        let seen = headers(&all);
        let all: Vec<_> = seen.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            all,
            [
                ("content-type", "application/json"),
                ("x-amzn-bedrock-input-token-count", "a number"),
                ("x-amzn-requestid", "a UUID")
            ]
        );
    }
}
