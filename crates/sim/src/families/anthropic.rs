//! Anthropic Messages.

use serde_json::{Value, json};

use super::{Chunk, list, malformed, required, strings};
use crate::answer::{Block, Stop};
use crate::catalogue::Target;
use crate::complete::Completion;
use crate::converse::read::thinks;
use crate::errors::AwsError;
use crate::prompt::{Choice, Offer, Piece, Prompt, Role, Ttl, Turn};
use crate::seed::{ALPHANUMERIC, Rng, mix};
use crate::stream::pieces;
use crate::tokens;

/// Bedrock's own word, or the date of an API version: what Anthropic's client for Bedrock sends since 2.12.
fn is_version(version: &Value) -> bool {
    let is_date = |text: &str| {
        let digits = |part: &str, n: usize| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
        matches!(text.split('-').collect::<Vec<_>>()[..], [y, m, d] if digits(y, 4) && digits(m, 2) && digits(d, 2))
    };
    version.as_str().is_some_and(|text| text == "bedrock-2023-05-31" || is_date(text))
}

pub(super) fn read(body: &Value, target: &Target) -> Result<Prompt, AwsError> {
    if !is_version(required(body, "anthropic_version")?) {
        return Err(AwsError::validation("anthropic_version: Input should be 'bedrock-2023-05-31'"));
    }
    for extraneous in ["model", "stream"] {
        if body.get(extraneous).is_some() {
            return Err(malformed(&format!("#: extraneous key [{extraneous}] is not permitted")));
        }
    }
    let most = required(body, "max_tokens")?
        .as_u64()
        .ok_or_else(|| AwsError::validation("max_tokens: Input should be a valid integer"))?;
    if most == 0 {
        return Err(AwsError::validation("max_tokens: must be greater than or equal to 1"));
    }
    if most > target.max_output() {
        return Err(AwsError::validation(format!(
            "max_tokens: {most} > {}, which is the maximum allowed number of output tokens for {}",
            target.max_output(),
            target.base()
        )));
    }
    let messages = required(body, "messages")?;
    if list(messages).next().is_none() {
        return Err(AwsError::validation("messages: at least one message is required"));
    }
    if messages[0]["role"] != "user" {
        return Err(AwsError::validation("messages: first message must use the \"user\" role"));
    }
    let last = list(messages).last().map(|m| m["role"].clone());
    if last == Some(json!("assistant")) && target.model.supports.assistant_prefill == Some(false) {
        return Err(AwsError::validation(
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        ));
    }
    let format = &body["output_config"]["format"];
    let schema = if format["type"] == "json_schema" { format.get("schema").cloned() } else { None };
    Ok(Prompt {
        offers: list(&body["tools"]).flat_map(offers).collect(),
        choice: match body["tool_choice"]["type"].as_str() {
            Some("any") => Choice::Any,
            Some("none") => Choice::Never,
            Some("tool") => Choice::Tool(text(&body["tool_choice"]["name"])),
            _ => Choice::Auto,
        },
        system: blocks(&body["system"]),
        turns: list(messages).map(turn).collect::<Result<_, _>>()?,
        max_tokens: Some(most),
        stops: strings(&body["stop_sequences"]),
        schema,
        thinks: thinks(body),
    })
}

fn turn(message: &Value) -> Result<Turn, AwsError> {
    let role = match message["role"].as_str() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        _ => {
            return Err(AwsError::validation(
                "messages: Unexpected role. Allowed roles are \"user\" or \"assistant\"",
            ));
        }
    };
    Ok(Turn { role, pieces: blocks(&message["content"]) })
}

/// Blocks of a content: a string or a list. A cache mark follows the block that carries it.
fn blocks(content: &Value) -> Vec<Piece> {
    if let Some(text) = content.as_str() {
        return vec![Piece::Text(text.to_string())];
    }
    let mut out = Vec::new();
    for b in list(content) {
        out.extend(piece(b));
        out.extend(mark(b).map(Piece::Mark));
    }
    out
}

fn piece(b: &Value) -> Option<Piece> {
    Some(match b["type"].as_str()? {
        "text" => Piece::Text(text(&b["text"])),
        "image" => Piece::Media { tokens: tokens::IMAGE, digest: mix(0, b["source"].to_string().as_bytes()) },
        "document" => match (b["source"]["type"].as_str(), b["source"]["data"].as_str()) {
            (Some("text"), Some(data)) => Piece::Passage { title: text(&b["title"]), text: data.to_string() },
            (_, Some(data)) => {
                Piece::Media { tokens: tokens::binary(data.len() * 3 / 4), digest: mix(0, data.as_bytes()) }
            }
            _ => Piece::Passage { title: text(&b["title"]), text: texts(&b["source"]["content"]) },
        },
        "search_result" => Piece::Passage { title: text(&b["title"]), text: texts(&b["content"]) },
        "tool_use" => Piece::Call { id: text(&b["id"]), name: text(&b["name"]), input: b["input"].clone() },
        "tool_result" => Piece::Outcome {
            id: text(&b["tool_use_id"]),
            content: match &b["content"] {
                Value::String(s) => vec![json!(s)],
                many => list(many).filter_map(|c| c.get("text").cloned()).collect(),
            },
        },
        "thinking" => Piece::Thought(text(&b["thinking"])),
        "redacted_thinking" => Piece::Thought(text(&b["data"])),
        _ => return None,
    })
}

fn offers(tool: &Value) -> Vec<Offer> {
    let offer = Offer::Tool {
        name: text(&tool["name"]),
        description: text(&tool["description"]),
        schema: tool["input_schema"].clone(),
    };
    [Some(offer), mark(tool).map(Offer::Mark)].into_iter().flatten().collect()
}

fn mark(b: &Value) -> Option<Ttl> {
    let control = b.get("cache_control").filter(|c| c.is_object())?;
    Some(if control["ttl"] == "1h" { Ttl::Long } else { Ttl::Short })
}

pub(super) fn whole(done: &Completion) -> Value {
    let content: Vec<Value> = done.answer.blocks.iter().map(block).collect();
    let mut out = message(done);
    out["content"] = json!(content);
    out["stop_reason"] = json!(stop_reason(done.answer.stop));
    out["stop_sequence"] = json!(done.answer.stop_sequence);
    out["usage"]["output_tokens"] = json!(done.output);
    out
}

/// The message before anything is written.
fn message(done: &Completion) -> Value {
    let id = Rng::new(done.seed ^ 0x1d).text(ALPHANUMERIC, 24);
    let s = &done.split;
    let mut usage = json!({
        "input_tokens": s.input,
        "cache_creation_input_tokens": s.write(),
        "cache_read_input_tokens": s.read,
        "cache_creation": { "ephemeral_5m_input_tokens": s.write_5m, "ephemeral_1h_input_tokens": s.write_1h },
    });
    usage["output_tokens"] = json!(1);
    json!({
        "id": format!("msg_bdrk_{id}"),
        "type": "message",
        "role": "assistant",
        "model": done.model.strip_prefix("anthropic.").unwrap_or(&done.model),
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage,
    })
}

fn block(b: &Block) -> Value {
    match b {
        Block::Thought { text, signature } => {
            json!({ "type": "thinking", "thinking": text, "signature": signature })
        }
        Block::Text(text) => json!({ "type": "text", "text": text }),
        Block::Call { id, name, input } => {
            json!({ "type": "tool_use", "id": id.replace("tooluse_", "toolu_bdrk_"), "name": name, "input": input })
        }
    }
}

pub(super) fn chunks(done: &Completion) -> Vec<Chunk> {
    let mut out = vec![(json!({ "type": "message_start", "message": message(done) }), 0)];
    for (i, b) in done.answer.blocks.iter().enumerate() {
        let (start, deltas) = deltas(b, done.seed);
        out.push((json!({ "type": "content_block_start", "index": i, "content_block": start }), 0));
        for (delta, n) in deltas {
            out.push((json!({ "type": "content_block_delta", "index": i, "delta": delta }), n));
        }
        out.push((json!({ "type": "content_block_stop", "index": i }), 0));
    }
    let end =
        json!({ "stop_reason": stop_reason(done.answer.stop), "stop_sequence": done.answer.stop_sequence });
    out.push((
        json!({ "type": "message_delta", "delta": end, "usage": { "output_tokens": done.output } }),
        0,
    ));
    out.push((json!({ "type": "message_stop" }), 0));
    out
}

fn deltas(b: &Block, seed: u64) -> (Value, Vec<Chunk>) {
    match b {
        Block::Text(text) => (
            json!({ "type": "text", "text": "" }),
            pieces(text, seed)
                .into_iter()
                .map(|(t, n)| (json!({ "type": "text_delta", "text": t }), n))
                .collect(),
        ),
        Block::Thought { text, signature } => {
            let mut all: Vec<Chunk> = pieces(text, seed)
                .into_iter()
                .map(|(t, n)| (json!({ "type": "thinking_delta", "thinking": t }), n))
                .collect();
            all.push((json!({ "type": "signature_delta", "signature": signature }), 0));
            (json!({ "type": "thinking", "thinking": "", "signature": "" }), all)
        }
        Block::Call { input, .. } => {
            let mut start = block(b);
            start["input"] = json!({});
            let all = pieces(&input.to_string(), seed).into_iter();
            (start, all.map(|(t, n)| (json!({ "type": "input_json_delta", "partial_json": t }), n)).collect())
        }
    }
}

fn stop_reason(stop: Stop) -> &'static str {
    match stop {
        Stop::EndTurn | Stop::Guardrail => "end_turn",
        Stop::MaxTokens => "max_tokens",
        Stop::Sequence => "stop_sequence",
        Stop::ToolUse => "tool_use",
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

fn texts(content: &Value) -> String {
    list(content).filter_map(|c| c["text"].as_str()).collect::<Vec<_>>().join("\n")
}
