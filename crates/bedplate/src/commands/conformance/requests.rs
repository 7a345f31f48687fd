//! The bodies that checks send. Short prompts, few tokens: what is answered does not matter.

use serde_json::{Value, json};

/// Output tokens of a check that wants text.
pub(super) const SHORT: u64 = 16;
/// Output tokens of a check that wants a tool call or JSON, which must not be cut.
pub(super) const ENOUGH: u64 = 160;

const QUESTION: &str = "Name one colour.";

pub(super) fn converse(max_tokens: u64) -> Value {
    json!({
        "messages": [{ "role": "user", "content": [{ "text": QUESTION }] }],
        "inferenceConfig": { "maxTokens": max_tokens },
    })
}

pub(super) fn converse_tool() -> Value {
    let schema =
        json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
    json!({
        "messages": [{ "role": "user", "content": [{ "text": "What is the weather in Paris?" }] }],
        "inferenceConfig": { "maxTokens": ENOUGH },
        "toolConfig": {
            "tools": [{ "toolSpec": {
                "name": "get_weather",
                "description": "Gives the weather in a city",
                "inputSchema": { "json": schema },
            } }],
            "toolChoice": { "any": {} },
        },
    })
}

pub(super) fn converse_structured() -> Value {
    let schema = json!({
        "type": "object",
        "properties": {
            "sentiment": { "type": "string", "enum": ["good", "bad", "mixed"] },
            "topics": { "type": "array", "items": { "type": "string" } },
        },
        "required": ["sentiment", "topics"],
        "additionalProperties": false,
    });
    let text = "Review: the delivery was fast, the box was crushed.";
    json!({
        "messages": [{ "role": "user", "content": [{ "text": text }] }],
        "inferenceConfig": { "maxTokens": ENOUGH },
        "outputConfig": { "textFormat": {
            "type": "json_schema",
            "structure": { "jsonSchema": { "name": "review", "schema": schema.to_string() } },
        } },
    })
}

pub(super) fn anthropic(max_tokens: u64) -> Value {
    json!({
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": max_tokens,
        "messages": [{ "role": "user", "content": QUESTION }],
    })
}

pub(super) fn nova(max_tokens: u64) -> Value {
    json!({
        "schemaVersion": "messages-v1",
        "messages": [{ "role": "user", "content": [{ "text": QUESTION }] }],
        "inferenceConfig": { "maxTokens": max_tokens },
    })
}

pub(super) fn titan_embed() -> Value {
    json!({ "inputText": "bed plate", "dimensions": 256, "normalize": true })
}

pub(super) fn count_tokens() -> Value {
    let messages = json!([{ "role": "user", "content": [{ "text": QUESTION }] }]);
    json!({ "input": { "converse": { "messages": messages } } })
}

/// One text unit of each kind of check, with an address to be found.
pub(super) fn guardrail_checks() -> Value {
    json!({
        "messages": [{ "role": "user", "content": [{ "text": "Write to anna@example.com about it." }] }],
        "checks": {
            "contentFilter": { "categories": [{ "category": "VIOLENCE" }] },
            "promptAttack": { "categories": [{ "category": "JAILBREAK" }] },
            "sensitiveInformation": { "entities": [{ "type": "EMAIL" }] },
        },
    })
}

pub(super) fn apply_guardrail() -> Value {
    json!({ "source": "INPUT", "content": [{ "text": { "text": QUESTION } }] })
}
