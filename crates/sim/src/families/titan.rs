//! Amazon Titan text.

use serde_json::{Value, json};

use super::{Chunk, count, malformed, required, strings};
use crate::answer::Stop;
use crate::complete::Completion;
use crate::errors::AwsError;
use crate::prompt::Prompt;
use crate::stream::pieces;

pub(super) fn read(body: &Value) -> Result<Prompt, AwsError> {
    let text = required(body, "inputText")?
        .as_str()
        .filter(|t| !t.is_empty())
        .ok_or_else(|| malformed("#/inputText: expected minLength: 1, actual: 0"))?;
    let config = &body["textGenerationConfig"];
    Ok(Prompt {
        max_tokens: count(config, "maxTokenCount", 0, 32_000)?.filter(|n| *n > 0),
        stops: strings(&config["stopSequences"]),
        ..Prompt::of_text(text)
    })
}

pub(super) fn whole(done: &Completion) -> Value {
    json!({
        "inputTextTokenCount": done.split.input,
        "results": [{
            "tokenCount": done.output,
            "outputText": done.answer.text(),
            "completionReason": reason(done.answer.stop),
        }],
    })
}

pub(super) fn chunks(done: &Completion) -> Vec<Chunk> {
    let parts = pieces(&done.answer.text(), done.seed);
    let last = parts.len().saturating_sub(1);
    let each = parts.into_iter().enumerate().map(|(i, (text, n))| {
        let chunk = json!({
            "outputText": text,
            "index": 0,
            "totalOutputTextTokenCount": if i == last { json!(done.output) } else { Value::Null },
            "completionReason": if i == last { json!(reason(done.answer.stop)) } else { Value::Null },
            "inputTextTokenCount": if i == 0 { json!(done.split.input) } else { Value::Null },
        });
        (chunk, n)
    });
    each.collect()
}

fn reason(stop: Stop) -> &'static str {
    match stop {
        Stop::EndTurn | Stop::ToolUse => "FINISH",
        Stop::MaxTokens => "LENGTH",
        Stop::Sequence => "STOP_CRITERIA_MET",
        Stop::Guardrail => "CONTENT_FILTERED",
    }
}
