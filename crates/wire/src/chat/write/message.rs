//! The turns of a conversation.

use bedplate_core::conversation::{Block, CachePoint, Reasoning, Text, ToolResult};

use super::part;
use crate::chat::Chat;
use crate::json::pick;
use crate::json::write::{Items, Object};

pub(super) fn system(chat: Chat, blocks: &[Block<'_>], list: &mut Items<'_>) {
    if !blocks.is_empty() {
        let mut o = list.object();
        o.raw("role", "\"system\"");
        part::content(chat, blocks.iter(), &mut o);
    }
}

/// Results of tools are messages of their own, and stand right behind the calls; what else was said follows.
pub(super) fn user(chat: Chat, name: Option<&Text<'_>>, blocks: &[Block<'_>], list: &mut Items<'_>) {
    for (at, block) in blocks.iter().enumerate() {
        if let Block::ToolResult(ToolResult { id, content, .. }) = block {
            let mut o = list.object();
            o.raw("role", "\"tool\"").text("tool_call_id", id).maybe_text("name", name);
            match &content[..] {
                [Block::Json(json)] => drop(o.string("content", json.raw())),
                content => part::content(chat, content.iter(), &mut o),
            }
            part::mark(mark_at(blocks, at + 1), &mut o);
        }
    }
    let said =
        blocks.iter().enumerate().filter(|(at, block)| !of_results(blocks, *at, block)).map(|(_, b)| b);
    if said.clone().next().is_some() {
        let mut o = list.object();
        o.raw("role", "\"user\"").maybe_text("name", name);
        part::content(chat, said, &mut o);
    }
}

fn mark_at<'b>(blocks: &'b [Block<'b>], at: usize) -> Option<&'b CachePoint<'b>> {
    match blocks.get(at) {
        Some(Block::CachePoint(point)) => Some(point),
        _ => None,
    }
}

/// Whether a block belongs to a message of a tool's result.
fn of_results(blocks: &[Block<'_>], at: usize, block: &Block<'_>) -> bool {
    let after = at.checked_sub(1).and_then(|before| blocks.get(before));
    match block {
        Block::ToolResult(_) => true,
        Block::CachePoint(_) => matches!(after, Some(Block::ToolResult(_)) | None),
        _ => false,
    }
}

/// Writes the members of an assistant's message but its role.
pub(in crate::chat) fn assistant(chat: Chat, blocks: &[Block<'_>], o: &mut Object<'_>) {
    reasoning(blocks, o);
    let texts = blocks.iter().filter(|block| match block {
        Block::Text(_) | Block::Json(_) | Block::CachePoint(_) => true,
        block => is_part(block),
    });
    let mut said = texts.clone().filter(|block| !matches!(block, Block::CachePoint(_)));
    let has_calls = blocks.iter().any(|block| matches!(block, Block::ToolUse(_)) || is_call(block));
    let refuses = blocks.iter().any(|block| matches!(block, Block::Refusal(_)));
    // a mark behind calls, or behind nothing that is a part, is the message's
    let point =
        blocks.last().filter(|_| has_calls || refuses).and_then(|_| mark_at(blocks, blocks.len() - 1));
    let texts = texts.filter(|block| match (block, point) {
        (Block::CachePoint(one), Some(point)) => !std::ptr::eq(one, point),
        _ => true,
    });
    match said.next() {
        Some(_) => part::content(chat, texts, o),
        None if has_calls || refuses => drop(o.raw("content", "null")),
        None => drop(o.raw("content", "\"\"")),
    }
    refusal(blocks, o);
    if has_calls {
        calls(blocks, o);
    }
    part::mark(point, o);
}

fn reasoning(blocks: &[Block<'_>], o: &mut Object<'_>) {
    let thoughts = blocks.iter().filter_map(|block| match block {
        Block::Reasoning(reasoning) => Some(reasoning),
        _ => None,
    });
    let texts = thoughts.clone().filter_map(|thought| match thought {
        Reasoning::Text { text, .. } => Some(text.inner()),
        Reasoning::Redacted(_) => None,
    });
    if texts.clone().next().is_some() {
        o.pieces("reasoning_content", texts.clone());
    }
    let signed = |thought: &Reasoning<'_>| !matches!(thought, Reasoning::Text { signature: None, .. });
    if thoughts.clone().any(signed) || texts.count() > 1 {
        let mut list = o.list("thinking_blocks");
        for thought in thoughts {
            let mut o = list.object();
            match thought {
                Reasoning::Text { text, signature } => {
                    o.raw("type", "\"thinking\"").text("thinking", text);
                    o.maybe_text("signature", signature.as_ref());
                }
                Reasoning::Redacted(data) => {
                    o.raw("type", "\"redacted_thinking\"").text("data", data);
                }
            }
        }
    }
}

fn refusal(blocks: &[Block<'_>], o: &mut Object<'_>) {
    let refusals = blocks.iter().filter_map(|block| match block {
        Block::Refusal(text) => Some(text.inner()),
        _ => None,
    });
    if refusals.clone().next().is_some() {
        o.pieces("refusal", refusals);
    }
}

/// Whether it is a call of a tool that the form does not model: no part has this type.
fn is_call(block: &Block<'_>) -> bool {
    match block {
        Block::Foreign { block, .. } => {
            pick(block.raw(), &["type"]).is_ok_and(|found| found.text(0) == Some("\"custom\""))
        }
        _ => false,
    }
}

fn is_part(block: &Block<'_>) -> bool {
    matches!(block, Block::Foreign { .. }) && !is_call(block)
}

fn calls(blocks: &[Block<'_>], o: &mut Object<'_>) {
    let mut list = o.list("tool_calls");
    for block in blocks {
        match block {
            Block::ToolUse(used) => {
                let mut o = list.object();
                o.text("id", &used.id).raw("type", "\"function\"");
                o.object("function").text("name", &used.name).string("arguments", used.input.raw());
            }
            Block::Foreign { block: call, .. } if is_call(block) => drop(list.raw(call.raw())),
            _ => {}
        }
    }
}
