//! Counting tokens: `POST /v1/messages/count_tokens` by Bedrock's CountTokens.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bedplate_core::content::Content;
use bedplate_core::form::Form;
use bedplate_core::refusal::{Code, Refusal};
use bytes::Bytes;

use crate::bedrock::Family;
use crate::json::object::{Bad, object as reading, read};
use crate::json::write::object;
use crate::json::{pick, utf8};
use crate::messages::splice::native;
use crate::translate::{self, Translated, Wanted};

reading!(Thought { "thinking" => thinking: Thinking<'a> });
reading!(Thinking { "budget_tokens" => budget: u64 });
reading!(Counted { "inputTokens" => tokens: u64 });

/// Members of a conversation that are counted.
const COUNTED: &[&str] = &["messages", "system", "toolConfig", "additionalModelRequestFields"];

/// What is counted of an answer that may be this long: nothing. Bodies must say it all the same.
const MOST: u64 = 4_096;

/// The body of CountTokens for a body of `count_tokens`, which is one of messages that need not say `max_tokens`. Claude
/// counts it as it is; other families as a conversation.
///
/// # Errors
/// What is wrong with the body, by its member; or what the model cannot do.
pub fn request(body: &[u8], wanted: Wanted<'_>) -> Result<Translated, Refusal> {
    let text = utf8(body).map_err(Bad::from)?;
    let thought: Thought<'_> = read(text)?;
    let budget = thought.thinking.and_then(|thinking| thinking.budget).unwrap_or(0);
    let edits = native(text, wanted.betas, Some(budget.saturating_add(MOST)))?;
    let whole = edits.apply(&Content::new(Bytes::copy_from_slice(body))).concat();
    // what the dialect refuses is refused here, whoever counts
    let said = std::str::from_utf8(&whole).map_err(|_| Refusal::of(Code::Bug))?;
    translate::read(Form::Claude, said)?;
    let mut out = String::with_capacity(whole.len() * 4 / 3 + 64);
    let mut o = object(&mut out);
    let mut input = o.object("input");
    let mut dropped = Vec::new();
    match Family::of(wanted.model) {
        Family::Anthropic => {
            input.object("invokeModel").string("body", &STANDARD.encode(&whole));
        }
        _ => {
            let conversation = translate::request(Form::Claude, Form::Converse, &whole, wanted)?;
            let text = utf8(&conversation.body).map_err(Bad::from)?;
            let picked = pick(text, COUNTED).map_err(Bad::from)?;
            let mut converse = input.object("converse");
            for (place, name) in COUNTED.iter().enumerate() {
                if let Some(value) = picked.text(place) {
                    converse.raw(name, value);
                }
            }
            dropped = conversation.dropped;
        }
    }
    drop(input);
    drop(o);
    Ok(Translated { body: out.into(), dropped })
}

/// The answer of `count_tokens` for CountTokens' own.
///
/// # Errors
/// `BP4006` when it does not say how many.
pub fn answer(body: &[u8]) -> Result<Bytes, Refusal> {
    let counted: Option<Counted<'_>> = utf8(body).ok().and_then(|text| read(text).ok());
    match counted.and_then(|counted| counted.tokens) {
        Some(tokens) => Ok(say(tokens)),
        None => Err(Refusal::of(Code::BrokenAnswer).because("CountTokens did not say how many tokens")),
    }
}

/// The answer of `count_tokens` for a number that is known otherwise.
pub fn say(tokens: u64) -> Bytes {
    format!("{{\"input_tokens\":{tokens}}}").into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(body: &Value, model: &str) -> Result<Value, Refusal> {
        let wanted = Wanted { model, betas: "b1", ..Wanted::default() };
        request(body.to_string().as_bytes(), wanted)
            .map(|translated| serde_json::from_slice(&translated.body).unwrap())
    }

    #[test]
    fn claude_counts_native_bodies() {
        let body = json!({"model": "alias", "messages": [{"role": "user", "content": "How long?"}],
            "thinking": {"type": "enabled", "budget_tokens": 2000}, "stream": false});
        let asked = asked(&body, "us.anthropic.claude-haiku-4-5-20251001-v1:0").unwrap();
        let native = STANDARD.decode(asked["input"]["invokeModel"]["body"].as_str().unwrap()).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&native).unwrap(),
            json!({"anthropic_version": "bedrock-2023-05-31", "anthropic_beta": ["b1"], "max_tokens": 6096,
                "messages": [{"role": "user", "content": "How long?"}],
                "thinking": {"type": "enabled", "budget_tokens": 2000}})
        );
    }

    #[test]
    fn what_the_dialect_refuses_is_refused_before_it_is_counted() {
        let body = json!({"model": "alias", "messages": [{"role": "robot", "content": "x"}]});
        let refusal = asked(&body, "anthropic.claude").unwrap_err();
        assert_eq!(refusal.said, "`messages[0].role`: expected `user`, `assistant` or `system`");
    }

    #[test]
    fn answers_say_how_many() {
        assert_eq!(&answer(br#"{"inputTokens":7}"#).unwrap()[..], br#"{"input_tokens":7}"#);
        for bad in ["{}", r#"{"inputTokens":"7"}"#, "", "7"] {
            assert!(answer(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
