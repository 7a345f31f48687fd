//! The OpenAI chat form: gpt-oss, newer Mistral, AI21, DeepSeek V3, Qwen and others.

use serde_json::{Value, json};

use super::{Chunk, count, list, malformed, required, strings};
use crate::answer::{Block, Stop};
use crate::catalogue::Target;
use crate::complete::Completion;
use crate::errors::AwsError;
use crate::prompt::{Choice, Offer, Piece, Prompt, Role, Turn};
use crate::seed::{LOWER, Rng, mix};
use crate::stream::pieces;
use crate::tokens;

/// A fixed time of creation, so that answers stay the same.
const CREATED: u64 = 1_767_225_600;

pub(super) fn read(body: &Value, target: &Target) -> Result<Prompt, AwsError> {
    if let Some(model) = body["model"].as_str()
        && model != target.asked
        && model != target.base()
    {
        return Err(AwsError::validation(format!(
            "The model '{model}' in the body does not match the model in the URL."
        )));
    }
    let messages = required(body, "messages")?;
    if list(messages).next().is_none() {
        return Err(malformed("#/messages: expected minimum item count: 1, found: 0"));
    }
    let most = target.max_output();
    let max_tokens = match count(body, "max_completion_tokens", 1, most)? {
        None => count(body, "max_tokens", 1, most)?,
        some => some,
    };
    let format = &body["response_format"];
    let schema = match format["type"].as_str() {
        // gpt-oss ignores response_format
        _ if target.base().contains("gpt-oss") => None,
        Some("json_schema") => format["json_schema"].get("schema").cloned(),
        Some("json_object") => Some(
            json!({ "type": "object", "properties": { "answer": { "type": "string" } }, "required": ["answer"] }),
        ),
        _ => None,
    };
    let effort = body["reasoning_effort"].as_str();
    Ok(Prompt {
        offers: list(&body["tools"]).filter_map(offer).collect(),
        choice: choice(&body["tool_choice"]),
        system: Vec::new(),
        turns: list(messages).map(turn).collect::<Result<_, _>>()?,
        max_tokens,
        stops: strings(&body["stop"]),
        schema,
        thinks: target.base().contains("gpt-oss") && effort != Some("none"),
    })
}

fn turn(message: &Value) -> Result<Turn, AwsError> {
    let text = match &message["content"] {
        Value::String(s) => vec![Piece::Text(s.clone())],
        parts => list(parts).filter_map(part).collect(),
    };
    let (role, pieces) = match message["role"].as_str() {
        Some("system" | "developer") => (Role::System, text),
        Some("user") => (Role::User, text),
        Some("assistant") => {
            let calls = list(&message["tool_calls"]).map(|c| Piece::Call {
                id: string(&c["id"]),
                name: string(&c["function"]["name"]),
                input: c["function"]["arguments"]
                    .as_str()
                    .and_then(|a| serde_json::from_str(a).ok())
                    .unwrap_or_default(),
            });
            (Role::Assistant, text.into_iter().chain(calls).collect())
        }
        Some("tool") => {
            let content = text.iter().map(|p| Value::String(p.text())).collect();
            (Role::User, vec![Piece::Outcome { id: string(&message["tool_call_id"]), content }])
        }
        _ => {
            return Err(malformed(&format!(
                "#/messages/0/role: {} is not a valid enum value",
                message["role"]
            )));
        }
    };
    Ok(Turn { role, pieces })
}

fn part(part: &Value) -> Option<Piece> {
    match part["type"].as_str()? {
        "text" => Some(Piece::Text(string(&part["text"]))),
        _ => Some(Piece::Media { tokens: tokens::IMAGE, digest: mix(0, part.to_string().as_bytes()) }),
    }
}

fn offer(tool: &Value) -> Option<Offer> {
    let f = tool.get("function")?;
    Some(Offer::Tool {
        name: string(&f["name"]),
        description: string(&f["description"]),
        schema: f["parameters"].clone(),
    })
}

fn choice(choice: &Value) -> Choice {
    match choice {
        Value::String(s) if s == "none" => Choice::Never,
        Value::String(s) if s == "required" || s == "any" => Choice::Any,
        Value::Object(_) => Choice::Tool(string(&choice["function"]["name"])),
        _ => Choice::Auto,
    }
}

/// Text as this form writes it: thoughts stand inline, before the answer.
fn content(done: &Completion) -> String {
    let blocks = done.answer.blocks.iter();
    blocks
        .map(|b| match b {
            Block::Thought { text, .. } => format!("<reasoning>{text}</reasoning>"),
            Block::Text(text) => text.clone(),
            Block::Call { .. } => String::new(),
        })
        .collect()
}

fn calls(done: &Completion) -> Vec<Value> {
    let calls = done.answer.blocks.iter().filter_map(|b| match b {
        Block::Call { id, name, input } => Some(json!({
            "id": id.replace("tooluse_", "chatcmpl-tool-"),
            "type": "function",
            "function": { "name": name, "arguments": input.to_string() },
        })),
        _ => None,
    });
    calls.collect()
}

pub(super) fn whole(done: &Completion, target: &Target) -> Value {
    let calls = calls(done);
    let text = content(done);
    let mut message =
        json!({ "role": "assistant", "content": if text.is_empty() { Value::Null } else { json!(text) } });
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    let mut choice = json!({ "index": 0, "message": message });
    choice[stop_member(target)] = json!(finish(done.answer.stop));
    let s = &done.split;
    let prompt = s.input + s.read + s.write();
    json!({
        "id": id(done),
        "object": "chat.completion",
        "created": CREATED,
        "model": done.model,
        "choices": [choice],
        "usage": { "prompt_tokens": prompt, "completion_tokens": done.output, "total_tokens": prompt + done.output },
    })
}

pub(super) fn chunks(done: &Completion, target: &Target) -> Vec<Chunk> {
    let chunk = |delta: Value, stop: Value| {
        let mut choice = json!({ "index": 0, "delta": delta });
        choice[stop_member(target)] = stop;
        json!({ "id": id(done), "object": "chat.completion.chunk", "created": CREATED, "model": done.model, "choices": [choice] })
    };
    let mut out = vec![(chunk(json!({ "role": "assistant", "content": "" }), Value::Null), 0)];
    for (text, n) in pieces(&content(done), done.seed) {
        out.push((chunk(json!({ "content": text }), Value::Null), n));
    }
    for (i, mut call) in calls(done).into_iter().enumerate() {
        call["index"] = json!(i);
        let n = tokens::json(&call["function"]);
        out.push((chunk(json!({ "tool_calls": [call] }), Value::Null), n));
    }
    out.push((chunk(json!({}), json!(finish(done.answer.stop))), 0));
    out
}

/// Mistral on Bedrock writes `stop_reason` where others write `finish_reason`.
fn stop_member(target: &Target) -> &'static str {
    let older = ["mistral-large-2407", "pixtral-large-2502"];
    if older.iter().any(|m| target.base().contains(m)) { "stop_reason" } else { "finish_reason" }
}

fn finish(stop: Stop) -> &'static str {
    match stop {
        Stop::EndTurn | Stop::Sequence => "stop",
        Stop::MaxTokens => "length",
        Stop::ToolUse => "tool_calls",
        Stop::Guardrail => "content_filter",
    }
}

fn id(done: &Completion) -> String {
    format!("chatcmpl-{}", Rng::new(done.seed ^ 0x1d).text(LOWER, 24))
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}
