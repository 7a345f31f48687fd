//! Mistral's prompt form, and DeepSeek R1, which differs only in its answer.

use serde_json::{Value, json};

use super::{Chunk, count, malformed, required, strings};
use crate::answer::Stop;
use crate::complete::Completion;
use crate::errors::AwsError;
use crate::prompt::Prompt;
use crate::stream::pieces;

pub(super) fn read(body: &Value) -> Result<Prompt, AwsError> {
    let prompt = required(body, "prompt")?;
    let text = prompt.as_str().ok_or_else(|| {
        malformed(&format!("#/prompt: expected type: String, found: {}", super::kind(prompt)))
    })?;
    let most = count(body, "max_tokens", 1, 32_768)?.unwrap_or(512);
    Ok(Prompt { max_tokens: Some(most), stops: strings(&body["stop"]), ..Prompt::of_text(text) })
}

pub(super) fn whole(done: &Completion) -> Value {
    json!({ "outputs": [{ "text": done.answer.text(), "stop_reason": reason(done.answer.stop) }] })
}

pub(super) fn chunks(done: &Completion) -> Vec<Chunk> {
    parts(done, |text, stop| json!({ "outputs": [{ "text": text, "stop_reason": stop }] }))
}

pub(super) fn deepseek(done: &Completion) -> Value {
    json!({ "choices": [{ "text": done.answer.text(), "stop_reason": reason(done.answer.stop) }] })
}

pub(super) fn deepseek_chunks(done: &Completion) -> Vec<Chunk> {
    parts(done, |text, stop| json!({ "choices": [{ "text": text, "stop_reason": stop }] }))
}

fn parts(done: &Completion, chunk: impl Fn(String, Value) -> Value) -> Vec<Chunk> {
    let parts = pieces(&done.answer.text(), done.seed);
    let mut out: Vec<Chunk> = parts.into_iter().map(|(text, n)| (chunk(text, Value::Null), n)).collect();
    out.push((chunk(String::new(), json!(reason(done.answer.stop))), 0));
    out
}

fn reason(stop: Stop) -> &'static str {
    if stop == Stop::MaxTokens { "length" } else { "stop" }
}
