//! The answer to Converse in one piece.

use serde_json::{Map, Value, json};

use crate::answer::{Block, Stop};
use crate::complete::Completion;

/// The response body.
pub(crate) fn answer(done: &Completion, body: &Value) -> Value {
    let content: Vec<Value> = done.answer.blocks.iter().map(block).collect();
    let mut out = json!({
        "output": { "message": { "role": "assistant", "content": content } },
        "stopReason": stop_reason(done.answer.stop),
        "usage": usage(done),
        "metrics": { "latencyMs": done.latency_ms() },
    });
    if let Some(fields) = additional(done, body) {
        out["additionalModelResponseFields"] = fields;
    }
    tail(done, body, &mut out);
    out
}

/// What stands beside usage and metrics, here and in a stream's last event.
pub(super) fn tail(done: &Completion, body: &Value, out: &mut Value) {
    let traced = matches!(body["guardrailConfig"]["trace"].as_str(), Some("enabled" | "enabled_full"));
    if let Some(trace) = done.guardrail_trace.as_ref().filter(|_| traced) {
        out["trace"] = json!({ "guardrail": trace });
    }
    for echoed in ["performanceConfig", "serviceTier"] {
        if body[echoed].is_object() {
            out[echoed] = body[echoed].clone();
        }
    }
}

/// The members that `additionalModelResponseFieldPaths` asks for, from a native-looking body.
pub(super) fn additional(done: &Completion, body: &Value) -> Option<Value> {
    let native = json!({
        "stopReason": stop_reason(done.answer.stop),
        "stop_reason": stop_reason(done.answer.stop),
        "stop_sequence": done.answer.stop_sequence,
        "usage": { "input_tokens": done.split.input, "output_tokens": done.output },
    });
    let mut out = Map::new();
    for path in body["additionalModelResponseFieldPaths"].as_array()?.iter().filter_map(Value::as_str) {
        let Some(found) = native.pointer(path) else { continue };
        let names: Vec<&str> = path.split('/').skip(1).collect();
        place(&mut out, &names, found.clone());
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

/// Puts a value at a path of members.
fn place(out: &mut Map<String, Value>, names: &[&str], value: Value) {
    match names {
        [] => {}
        [last] => {
            out.insert((*last).to_string(), value);
        }
        [first, rest @ ..] => {
            if let Value::Object(inner) = out.entry(*first).or_insert_with(|| json!({})) {
                place(inner, rest, value);
            }
        }
    }
}

/// `usage`, with the cache members when the request had checkpoints.
pub(super) fn usage(done: &Completion) -> Value {
    let s = &done.split;
    let total = s.input + s.read + s.write() + done.output;
    let mut usage = json!({ "inputTokens": s.input, "outputTokens": done.output, "totalTokens": total });
    if s.marked {
        usage["cacheReadInputTokens"] = json!(s.read);
        usage["cacheWriteInputTokens"] = json!(s.write());
        let details: Vec<Value> = [("1h", s.write_1h), ("5m", s.write_5m)]
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(ttl, n)| json!({ "ttl": ttl, "inputTokens": n }))
            .collect();
        if !details.is_empty() {
            usage["cacheDetails"] = json!(details);
        }
    }
    usage
}

pub(crate) fn stop_reason(stop: Stop) -> &'static str {
    match stop {
        Stop::EndTurn => "end_turn",
        Stop::MaxTokens => "max_tokens",
        Stop::Sequence => "stop_sequence",
        Stop::ToolUse => "tool_use",
        Stop::Guardrail => "guardrail_intervened",
    }
}

fn block(block: &Block) -> Value {
    match block {
        Block::Thought { text, signature } => {
            json!({ "reasoningContent": { "reasoningText": { "text": text, "signature": signature } } })
        }
        Block::Text(text) => json!({ "text": text }),
        Block::Call { id, name, input } => {
            json!({ "toolUse": { "toolUseId": id, "name": name, "input": input } })
        }
    }
}
