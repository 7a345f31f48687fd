//! Blocks of content, as far as an adaptation must know them.

use serde_json::{Value, json};

use crate::json;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Reasoning,
    CachePoint,
    ToolUse,
    ToolResult,
    Other,
}

pub(super) struct Block<'a> {
    pub(super) kind: Kind,
    /// The value of the member that says the kind.
    value: &'a str,
}

impl<'a> Block<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let mut found = Self { kind: Kind::Other, value: "null" };
        // what is no object is Bedrock's to refuse
        let _ = json::each(text, &mut |name, value| {
            let kind = match name {
                "reasoningContent" => Kind::Reasoning,
                "cachePoint" => Kind::CachePoint,
                "toolUse" => Kind::ToolUse,
                "toolResult" => Kind::ToolResult,
                _ => return,
            };
            if value.get() != "null" {
                found = Self { kind, value: value.get() };
            }
        });
        found
    }
}

/// A use of a tool, or its result, as a block of text; `None` for other blocks.
pub(super) fn told(block: &Block<'_>) -> Option<String> {
    let value = || serde_json::from_str::<Value>(block.value).ok();
    let text = match block.kind {
        Kind::ToolUse => {
            let value = value()?;
            format!(
                "I asked the tool {} with {}.",
                value["name"].as_str().unwrap_or_default(),
                value["input"]
            )
        }
        Kind::ToolResult => {
            let value = value()?;
            let parts = value["content"].as_array().into_iter().flatten().filter_map(part);
            format!("The tool answered: {}", parts.collect::<Vec<_>>().join("\n"))
        }
        Kind::Reasoning | Kind::CachePoint | Kind::Other => return None,
    };
    Some(json!({ "text": text }).to_string())
}

fn part(content: &Value) -> Option<String> {
    let text = content["text"].as_str().map(str::to_owned);
    text.or_else(|| content.get("json").map(Value::to_string))
}
