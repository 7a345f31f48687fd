//! Amazon Nova: Converse's parts, with cache counts of other names.

use serde_json::{Value, json};

use super::{Chunk, list, malformed, required};
use crate::answer::Block;
use crate::complete::Completion;
use crate::converse::{read as converse_read, stop_reason};
use crate::errors::AwsError;
use crate::prompt::Prompt;
use crate::stream::pieces;

pub(super) fn read(body: &Value) -> Result<Prompt, AwsError> {
    let messages = required(body, "messages")?;
    if list(messages).next().is_none() {
        return Err(malformed("#/messages: expected minimum item count: 1, found: 0"));
    }
    for (i, m) in list(messages).enumerate() {
        if !matches!(m["role"].as_str(), Some("user" | "assistant")) {
            return Err(malformed(&format!("#/messages/{i}/role: {} is not a valid enum value", m["role"])));
        }
        if !m["content"].is_array() {
            return Err(malformed(&format!(
                "#/messages/{i}/content: expected type: JSONArray, found: {}",
                super::kind(&m["content"])
            )));
        }
    }
    if messages[0]["role"] != "user" {
        return Err(malformed("#/messages/0/role: the first message must be from the user"));
    }
    let inference = &body["inferenceConfig"];
    let most = match super::count(inference, "maxTokens", 1, 65_536)? {
        None => super::count(inference, "max_new_tokens", 1, 65_536)?,
        most => most,
    };
    Ok(Prompt { max_tokens: most, ..converse_read::prompt(body)? })
}

pub(super) fn whole(done: &Completion) -> Value {
    let content: Vec<Value> = done.answer.blocks.iter().map(block).collect();
    json!({
        "output": { "message": { "role": "assistant", "content": content } },
        "stopReason": stop_reason(done.answer.stop),
        "usage": usage(done),
    })
}

fn usage(done: &Completion) -> Value {
    let s = &done.split;
    json!({
        "inputTokens": s.input,
        "outputTokens": done.output,
        "totalTokens": s.input + s.read + s.write() + done.output,
        "cacheReadInputTokenCount": s.read,
        "cacheWriteInputTokenCount": s.write(),
    })
}

fn block(b: &Block) -> Value {
    match b {
        Block::Text(text) => json!({ "text": text }),
        Block::Thought { text, signature } => {
            json!({ "reasoningContent": { "reasoningText": { "text": text, "signature": signature } } })
        }
        Block::Call { id, name, input } => {
            json!({ "toolUse": { "toolUseId": id, "name": name, "input": input } })
        }
    }
}

pub(super) fn chunks(done: &Completion) -> Vec<Chunk> {
    let mut out = vec![(json!({ "messageStart": { "role": "assistant" } }), 0)];
    for (i, b) in done.answer.blocks.iter().enumerate() {
        let mut delta = |d: Value, n| {
            out.push((json!({ "contentBlockDelta": { "delta": d, "contentBlockIndex": i } }), n));
        };
        match b {
            Block::Text(text) => {
                pieces(text, done.seed).into_iter().for_each(|(t, n)| delta(json!({ "text": t }), n))
            }
            Block::Thought { text, .. } => {
                for (t, n) in pieces(text, done.seed) {
                    delta(json!({ "reasoningContent": { "reasoningText": { "text": t } } }), n);
                }
            }
            Block::Call { id, name, input } => {
                let start = json!({ "toolUse": { "toolUseId": id, "name": name } });
                out.push((json!({ "contentBlockStart": { "start": start, "contentBlockIndex": i } }), 0));
                // Nova sends a tool's whole input in one delta
                let delta = json!({ "toolUse": { "input": input.to_string() } });
                out.push((
                    json!({ "contentBlockDelta": { "delta": delta, "contentBlockIndex": i } }),
                    b.tokens(),
                ));
            }
        }
        out.push((json!({ "contentBlockStop": { "contentBlockIndex": i } }), 0));
    }
    out.push((json!({ "messageStop": { "stopReason": stop_reason(done.answer.stop) } }), 0));
    out.push((json!({ "metadata": { "usage": usage(done), "metrics": {}, "trace": {} } }), 0));
    out
}
