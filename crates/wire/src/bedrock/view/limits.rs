//! Where native bodies say how many tokens may come out.

use bedplate_core::refusal::Refusal;

use super::{bad_body, bad_value};
use crate::bedrock::Family;
use crate::json::{self, Fault};

/// Where the limit stands.
pub(super) enum Limit {
    Top(&'static str),
    In(&'static str, &'static str),
}

/// Members of native bodies that are read or will be; none may stand in a body twice.
pub(super) const NATIVE: &[&str] = &[
    "max_tokens",
    "max_tokens_to_sample",
    "max_completion_tokens",
    "max_gen_len",
    "inferenceConfig",
    "textGenerationConfig",
    "messages",
    "system",
    "prompt",
    "inputText",
    "inputImage",
    "message",
    "tools",
    "toolConfig",
    "documents",
    "query",
    "texts",
    "images",
    "inputs",
    "model",
    "amazon-bedrock-guardrailConfig",
    "n",
    "num_generations",
];

const ANTHROPIC: &[Limit] = &[Limit::Top("max_tokens"), Limit::Top("max_tokens_to_sample")];
const NOVA: &[Limit] =
    &[Limit::In("inferenceConfig", "maxTokens"), Limit::In("inferenceConfig", "max_new_tokens")];
const TITAN: &[Limit] = &[Limit::In("textGenerationConfig", "maxTokenCount")];
const LLAMA: &[Limit] = &[Limit::Top("max_gen_len")];
const PLAIN: &[Limit] = &[Limit::Top("max_tokens")];
const CHAT: &[Limit] = &[Limit::Top("max_completion_tokens"), Limit::Top("max_tokens")];

/// Where a family says its limit, first where we say it; when several are given the largest counts. Of a model that we
/// do not know no member is believed: it may mean anything there, and money is held by it.
pub(super) fn of(family: Family) -> &'static [Limit] {
    match family {
        Family::Anthropic => ANTHROPIC,
        Family::Nova => NOVA,
        Family::TitanText => TITAN,
        Family::Llama => LLAMA,
        Family::Mistral | Family::Ai21 | Family::DeepSeek | Family::CohereCommand => PLAIN,
        Family::OpenAi | Family::OpenAiForm => CHAT,
        Family::Unknown
        | Family::AmazonImage
        | Family::NovaEmbed
        | Family::TitanEmbed
        | Family::AmazonRerank
        | Family::CohereEmbed
        | Family::CohereRerank
        | Family::Stability
        | Family::TwelveLabsEmbed
        | Family::TwelveLabsText
        | Family::Luma => &[],
    }
}

/// How a family is asked for several answers, each as long as the limit.
pub(super) fn answers(family: Family) -> Option<&'static str> {
    match family {
        Family::Ai21 | Family::Mistral | Family::DeepSeek | Family::OpenAi | Family::OpenAiForm => Some("n"),
        Family::CohereCommand => Some("num_generations"),
        _ => None,
    }
}

/// The place of a name in [`NATIVE`].
pub(super) fn native(name: &str) -> Option<usize> {
    NATIVE.iter().position(|n| *n == name)
}

/// The largest of the members `names` of the object that stands at `outer`.
pub(super) fn nested(outer: &str, text: &str, names: &[&'static str]) -> Result<Option<u64>, Refusal> {
    let picked = json::pick(text, names).map_err(|fault| match fault {
        Fault::NotAnObject => bad_value(format!("`{outer}` is not an object")),
        fault => bad_body(fault),
    })?;
    let mut most = None;
    for (place, name) in names.iter().enumerate() {
        if let Some(value) = picked.text(place) {
            most = most.max(Some(whole_number(name, value)?));
        }
    }
    Ok(most)
}

/// A whole number that is not negative, also as `200.0` or `2e2`.
pub(super) fn whole_number(name: &str, text: &str) -> Result<u64, Refusal> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    let lenient = |text: &str| {
        let n: f64 = serde_json::from_str(text).ok()?;
        // checked: whole, and within what a double counts exactly
        (n.fract() == 0.0 && (0.0..=MOST).contains(&n)).then_some(n as u64)
    };
    text.parse()
        .ok()
        .or_else(|| lenient(text))
        .ok_or_else(|| bad_value(format!("`{name}` is not a whole number of tokens")))
}
