//! A Converse body as a prompt. Nova's native bodies have the same parts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::errors::AwsError;
use crate::prompt::{Choice, Offer, Piece, Prompt, Role, Ttl, Turn};
use crate::{seed, tokens};

/// Reads a body whose shape holds.
pub(crate) fn prompt(body: &Value) -> Result<Prompt, AwsError> {
    let inference = &body["inferenceConfig"];
    let extra = &body["additionalModelRequestFields"];
    let schema = match body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"].as_str() {
        Some(text) => serde_json::from_str(text).ok(),
        None => None,
    };
    Ok(Prompt {
        offers: offers(body),
        choice: choice(&body["toolConfig"]["toolChoice"]),
        system: list(&body["system"]).flat_map(pieces).collect(),
        turns: list(&body["messages"]).map(turn).collect(),
        max_tokens: inference["maxTokens"].as_u64(),
        stops: list(&inference["stopSequences"]).filter_map(|s| s.as_str().map(String::from)).collect(),
        schema,
        thinks: thinks(extra) || thinks(body),
    })
}

/// Whether free fields ask the model to think first.
pub(crate) fn thinks(extra: &Value) -> bool {
    let on = |v: &Value| v["type"] == "enabled" || v["type"] == "adaptive";
    let effort = |v: &Value| v.as_str().is_some_and(|e| e != "none");
    on(&extra["thinking"])
        || on(&extra["reasoningConfig"])
        || on(&extra["inferenceConfig"]["reasoningConfig"])
        || effort(&extra["reasoning_effort"])
        || effort(&extra["reasoning"]["effort"])
}

fn turn(message: &Value) -> Turn {
    let role = match message["role"].as_str() {
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        _ => Role::User,
    };
    Turn { role, pieces: list(&message["content"]).flat_map(pieces).collect() }
}

/// The tools in force at the end: `toolRemoval` and `toolAddition` change them on the way.
fn offers(body: &Value) -> Vec<Offer> {
    let mut gone: Vec<&str> = Vec::new();
    for block in list(&body["messages"]).flat_map(|m| list(&m["content"])) {
        if let Some(name) = block["toolRemoval"]["tool"]["name"].as_str() {
            gone.push(name);
        }
        if let Some(name) = block["toolAddition"]["tool"]["name"].as_str() {
            gone.retain(|g| *g != name);
        }
    }
    let here = |o: &Offer| !matches!(o, Offer::Tool { name, .. } if gone.contains(&name.as_str()));
    list(&body["toolConfig"]["tools"]).filter_map(offer).filter(here).collect()
}

fn offer(tool: &Value) -> Option<Offer> {
    if let Some(point) = tool.get("cachePoint") {
        return Some(Offer::Mark(ttl(point)));
    }
    let spec = tool.get("toolSpec").or_else(|| tool.get("systemTool"))?;
    Some(Offer::Tool {
        name: spec["name"].as_str()?.to_string(),
        description: spec["description"].as_str().unwrap_or_default().to_string(),
        schema: spec["inputSchema"]["json"].clone(),
    })
}

fn choice(choice: &Value) -> Choice {
    if choice.get("any").is_some() {
        Choice::Any
    } else if let Some(name) = choice["tool"]["name"].as_str() {
        Choice::Tool(name.to_string())
    } else {
        Choice::Auto
    }
}

/// The pieces of one block: none for what a reader would not see.
fn pieces(block: &Value) -> Vec<Piece> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
    let Some((kind, value)) = block.as_object().and_then(|o| o.iter().find(|(_, v)| !v.is_null())) else {
        return Vec::new();
    };
    vec![match kind.as_str() {
        "text" => Piece::Text(text(value)),
        "guardContent" if value.get("text").is_some() => Piece::Guarded(text(&value["text"]["text"])),
        "cachePoint" => Piece::Mark(ttl(value)),
        "document" => document(value),
        "searchResult" => Piece::Passage { title: text(&value["title"]), text: texts(&value["content"]) },
        "toolUse" => Piece::Call {
            id: text(&value["toolUseId"]),
            name: text(&value["name"]),
            input: value["input"].clone(),
        },
        "toolResult" => Piece::Outcome {
            id: text(&value["toolUseId"]),
            content: list(&value["content"])
                .filter_map(|c| c.get("json").or_else(|| c.get("text")).cloned().or_else(|| passage(c)))
                .collect(),
        },
        "reasoningContent" => Piece::Thought(text(&value["reasoningText"]["text"])),
        "citationsContent" => Piece::Text(texts(&value["content"])),
        "image" | "video" | "audio" | "guardContent" => {
            Piece::Media { tokens: tokens::IMAGE, digest: seed::mix(0, value.to_string().as_bytes()) }
        }
        _ => return Vec::new(),
    }]
}

fn passage(content: &Value) -> Option<Value> {
    let found = content.get("searchResult").map(|s| texts(&s["content"]));
    found.or_else(|| content.get("document").map(|d| document(d).text())).map(Value::String)
}

fn document(value: &Value) -> Piece {
    let title = value["name"].as_str().unwrap_or_default().to_string();
    let source = &value["source"];
    if let Some(text) = source["text"].as_str() {
        return Piece::Passage { title, text: text.to_string() };
    }
    if source.get("content").is_some() {
        return Piece::Passage { title, text: texts(&source["content"]) };
    }
    let bytes = source["bytes"].as_str().and_then(|b| STANDARD.decode(b).ok()).unwrap_or_default();
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') && !text.starts_with("%PDF") && !text.is_empty() => {
            Piece::Passage { title, text }
        }
        Ok(text) => binary(text.as_bytes()),
        Err(e) => binary(e.as_bytes()),
    }
}

fn binary(bytes: &[u8]) -> Piece {
    Piece::Media { tokens: tokens::binary(bytes.len()).max(1), digest: seed::mix(0, bytes) }
}

fn ttl(point: &Value) -> Ttl {
    if point["ttl"] == "1h" { Ttl::Long } else { Ttl::Short }
}

fn texts(content: &Value) -> String {
    list(content).filter_map(|c| c["text"].as_str()).collect::<Vec<_>>().join("\n")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
