//! Model-native bodies for InvokeModel, one module a family.

mod anthropic;
mod chat;
mod command;
mod embed;
mod llama;
mod mistral;
mod nova;
mod picture;
mod rerank;
mod titan;

use serde_json::Value;

use crate::catalogue::{Model, Target};
use crate::complete::Completion;
use crate::errors::AwsError;
use crate::prompt::Prompt;

/// Which body a model speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    Anthropic,
    Nova,
    TitanText,
    Llama,
    /// `prompt` in, `outputs` out.
    MistralPrompt,
    /// `prompt` in, `choices[].text` out.
    DeepseekR1,
    /// OpenAI chat form: gpt-oss, newer Mistral, AI21, Qwen and others.
    Chat,
    Command,
    TitanEmbed,
    NovaEmbed,
    CohereEmbed,
    Marengo,
    Rerank,
    Picture,
    /// Speech over bidirectional streams, which the simulator does not speak.
    Realtime,
}

const MISTRAL_PROMPT: &[&str] = &["7b-instruct", "mixtral", "mistral-large-2402", "mistral-small-2402"];

impl Family {
    pub(crate) fn of(model: &Model) -> Self {
        let base = model.base_model_id.as_str();
        let has = |part: &str| base.contains(part);
        match (model.mode.as_str(), model.provider.as_str()) {
            ("image" | "image-edit", _) => Self::Picture,
            ("realtime", _) => Self::Realtime,
            ("rerank", _) => Self::Rerank,
            ("embedding", "cohere") => Self::CohereEmbed,
            ("embedding", "twelvelabs") => Self::Marengo,
            ("embedding", _) if has("nova") => Self::NovaEmbed,
            ("embedding", _) => Self::TitanEmbed,
            (_, "anthropic") => Self::Anthropic,
            (_, "amazon") if has("titan") => Self::TitanText,
            (_, "amazon") => Self::Nova,
            (_, "meta") => Self::Llama,
            (_, "mistral") if MISTRAL_PROMPT.iter().any(|p| has(p)) => Self::MistralPrompt,
            (_, "deepseek") if has("r1") => Self::DeepseekR1,
            (_, "cohere") => Self::Command,
            _ => Self::Chat,
        }
    }

    /// Whether it writes text, so that it goes through a completion.
    pub(crate) fn writes(self) -> bool {
        use Family::{Anthropic, Chat, Command, DeepseekR1, Llama, MistralPrompt, Nova, TitanText};
        matches!(self, Anthropic | Chat | Command | DeepseekR1 | Llama | MistralPrompt | Nova | TitanText)
    }

    /// Whether Bedrock tells token counts in headers for it.
    pub(crate) fn counts_in_headers(self) -> bool {
        !matches!(self, Self::Command | Self::Picture | Self::Rerank)
    }
}

/// Reads the body of a text model as a prompt.
pub(crate) fn read(body: &Value, target: &Target) -> Result<Prompt, AwsError> {
    if !body.is_object() {
        return Err(malformed("#: expected type: JSONObject, found: other"));
    }
    let prompt = match target.family {
        Family::Anthropic => anthropic::read(body, target)?,
        Family::Nova => nova::read(body)?,
        Family::TitanText => titan::read(body)?,
        Family::Llama => llama::read(body)?,
        Family::MistralPrompt => mistral::read(body)?,
        Family::DeepseekR1 => mistral::read(body)?,
        Family::Command => command::read(body, target)?,
        _ => chat::read(body, target)?,
    };
    crate::cache::check(&prompt, target)?;
    Ok(prompt)
}

/// The native response of a text model.
pub(crate) fn whole(done: &Completion, target: &Target) -> Value {
    match target.family {
        Family::Anthropic => anthropic::whole(done),
        Family::Nova => nova::whole(done),
        Family::TitanText => titan::whole(done),
        Family::Llama => llama::whole(done),
        Family::MistralPrompt => mistral::whole(done),
        Family::DeepseekR1 => mistral::deepseek(done),
        Family::Command => command::whole(done, target),
        _ => chat::whole(done, target),
    }
}

/// A native stream chunk with the output tokens it took.
pub(crate) type Chunk = (Value, u64);

/// The native chunks of a text model's stream.
pub(crate) fn chunks(done: &Completion, target: &Target) -> Vec<Chunk> {
    match target.family {
        Family::Anthropic => anthropic::chunks(done),
        Family::Nova => nova::chunks(done),
        Family::TitanText => titan::chunks(done),
        Family::Llama => llama::chunks(done),
        Family::MistralPrompt => mistral::chunks(done),
        Family::DeepseekR1 => mistral::deepseek_chunks(done),
        Family::Command => command::chunks(done, target),
        _ => chat::chunks(done, target),
    }
}

/// The response of a model that writes no text, and its input tokens.
pub(crate) fn direct(body: &Value, target: &Target, seed: u64) -> Result<(Value, u64), AwsError> {
    match target.family {
        Family::TitanEmbed => embed::titan(body, target),
        Family::NovaEmbed => embed::nova(body),
        Family::CohereEmbed => embed::cohere(body, target, seed),
        Family::Marengo => embed::marengo(body, target),
        Family::Rerank => rerank::rerank(body, target),
        Family::Picture => picture::draw(body),
        _ => Err(AwsError::validation(
            "This model does not support this operation. Use InvokeModelWithBidirectionalStream.",
        )),
    }
}

/// The text Bedrock wraps a native body's fault in.
fn malformed(what: &str) -> AwsError {
    AwsError::validation(format!(
        "Malformed input request: {what}, please reformat your input and try again."
    ))
}

/// A member that must be there.
fn required<'a>(body: &'a Value, name: &str) -> Result<&'a Value, AwsError> {
    body.get(name)
        .filter(|v| !v.is_null())
        .ok_or_else(|| malformed(&format!("#: required key [{name}] not found")))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        many => list(many).filter_map(|s| s.as_str().map(String::from)).collect(),
    }
}

/// A whole number within bounds, when the member is there.
fn count(body: &Value, name: &str, low: u64, high: u64) -> Result<Option<u64>, AwsError> {
    let value = &body[name];
    if value.is_null() {
        return Ok(None);
    }
    let n = value
        .as_u64()
        .ok_or_else(|| malformed(&format!("#/{name}: expected type: Integer, found: {}", kind(value))))?;
    if n < low {
        return Err(malformed(&format!("#/{name}: {n} is not greater or equal to {low}")));
    }
    if n > high {
        return Err(malformed(&format!("#/{name}: {n} is not less or equal to {high}")));
    }
    Ok(Some(n))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(_) => "Number",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    }
}
