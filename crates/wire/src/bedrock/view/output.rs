//! Bounding an answer's length where the caller left it open.

use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;

use bedplate_core::content::Content;
use bedplate_core::view::Edits;

use super::limits::{self, Limit};
use crate::bedrock::Family;
use crate::json;

/// Where a body would say how many tokens may come out. The body is read again only when it is bounded, which is
/// seldom.
pub(super) struct Output {
    body: Content,
    limit: &'static Limit,
}

impl Output {
    pub(super) fn converse(body: &Content) -> Self {
        Self { body: body.clone(), limit: &Limit::In("inferenceConfig", "maxTokens") }
    }

    /// `None` for models whose bodies we do not know, and for those that write nothing.
    pub(super) fn native(family: Family, body: &Content) -> Option<Self> {
        if family == Family::Unknown {
            return None;
        }
        Some(Self { body: body.clone(), limit: limits::of(family).first()? })
    }

    /// Asks for a service tier, unless the body has a member for it.
    pub(super) fn ask_tier(&self, tier: &str, edits: &mut Edits) -> bool {
        let Ok(text) = std::str::from_utf8(self.body.expose()) else { return false };
        let there = json::pick(text, &["serviceTier"]).is_ok_and(|p| p.text(0).is_some_and(|v| v != "null"));
        let tier = serde_json::Value::from(tier).to_string();
        !there && put(text, 0, &["serviceTier", "type"], &tier, edits)
    }

    /// Says `tokens`; `false`, and nothing changed, when the body has no place for it.
    pub(super) fn bound(&self, tokens: u64, edits: &mut Edits) -> bool {
        let Ok(text) = std::str::from_utf8(self.body.expose()) else { return false };
        match *self.limit {
            Limit::Top(name) => put(text, 0, &[name], &tokens.to_string(), edits),
            Limit::In(outer, inner) => put(text, 0, &[outer, inner], &tokens.to_string(), edits),
        }
    }
}

/// Puts JSON at `path` into the object `text`, which begins at `start` of the body. `null` is replaced.
fn put(text: &str, start: usize, path: &[&'static str], what: &str, edits: &mut Edits) -> bool {
    let [name, rest @ ..] = path else { return false };
    let Ok(picked) = json::pick(text, &[name]) else { return false };
    let value = rest.iter().rev().fold(what.to_owned(), |inner, name| format!("{{\"{name}\":{inner}}}"));
    match picked.values.first().copied().flatten().map(RawValue::get) {
        Some(there) if there != "null" && !rest.is_empty() => {
            put(there, start + json::range_in(text, there).start, rest, what, edits)
        }
        Some(there) => {
            let range = json::range_in(text, there);
            edits.splice(start + range.start..start + range.end, Bytes::from(value));
            true
        }
        // an empty body may be edited at the same place by others, who could not know of the comma
        None if picked.empty && start == 0 => false,
        None => {
            let inner = inside(text);
            let cleared = picked.empty || edits.clears(&text.as_bytes()[inner.clone()], start + inner.start);
            let (end, comma) = (start + inner.end, if cleared { "" } else { "," });
            edits.splice(end..end, Bytes::from(format!("{comma}\"{name}\":{value}")));
            true
        }
    }
}

/// What stands between the braces of an object.
fn inside(object: &str) -> Range<usize> {
    let open = object.find('{').map_or(0, |at| at + 1);
    open..object.trim_ascii_end().len().saturating_sub(1).max(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded(output: impl Fn(&Content) -> Option<Output>, body: &str) -> Option<String> {
        let body = Content::new(Bytes::from(body.to_owned()));
        let mut edits = Edits::default();
        output(&body)?.bound(64, &mut edits).then(|| {
            let text = String::from_utf8(edits.apply(&body).concat()).unwrap();
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
            text
        })
    }

    #[test]
    fn converse_bodies_are_bounded_in_their_inference_config() {
        let converse = |body: &str| bounded(|b| Some(Output::converse(b)), body);
        let messages = r#""messages":[]"#;
        assert_eq!(
            converse(&format!("{{{messages}}} ")).unwrap(),
            format!(r#"{{{messages},"inferenceConfig":{{"maxTokens":64}}}} "#)
        );
        assert_eq!(
            converse(r#"{"inferenceConfig": { }, "messages":[]}"#).unwrap(),
            r#"{"inferenceConfig": { "maxTokens":64}, "messages":[]}"#
        );
        assert_eq!(
            converse(r#"{"inferenceConfig":{"temperature":0,"maxTokens":null}}"#).unwrap(),
            r#"{"inferenceConfig":{"temperature":0,"maxTokens":64}}"#
        );
        assert_eq!(
            converse(r#"{"inferenceConfig":null}"#).unwrap(),
            r#"{"inferenceConfig":{"maxTokens":64}}"#
        );
        assert_eq!(converse("{}"), None);
    }

    #[test]
    fn native_bodies_are_bounded_in_their_familys_member() {
        let native = |family, body: &str| bounded(|b| Output::native(family, b), body);
        assert_eq!(native(Family::Llama, r#"{"prompt":"x"}"#).unwrap(), r#"{"prompt":"x","max_gen_len":64}"#);
        assert_eq!(
            native(Family::TitanText, r#"{"inputText":"x"}"#).unwrap(),
            r#"{"inputText":"x","textGenerationConfig":{"maxTokenCount":64}}"#
        );
        assert_eq!(native(Family::TitanEmbed, r#"{"inputText":"x"}"#), None);
        assert_eq!(native(Family::Unknown, r#"{"prompt":"x"}"#), None);
    }
}
