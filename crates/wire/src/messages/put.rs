//! Writing what turns are made of.

use bedplate_core::conversation::{Block, CachePoint, Reasoning, Text, ToolResult, ToolUse};
use bedplate_core::form::Form;

use super::{citation, source};
use crate::json::write::{Items, Object};

/// A block, and the mark that stands after it.
pub(super) type Marked<'b, 'a> = (&'b Block<'a>, Option<&'b CachePoint<'a>>);

/// Adds blocks to a turn. A mark goes to the last block before it that can have one; it is given back when there is
/// none.
pub(super) fn gather<'b, 'a>(
    blocks: &'b [Block<'a>],
    turn: &mut Vec<Marked<'b, 'a>>,
) -> Option<&'b CachePoint<'a>> {
    let mut left = None;
    for block in blocks {
        match block {
            Block::CachePoint(point) if !mark_last(turn, point) => left = Some(point),
            Block::CachePoint(_) => {}
            block if says(block) => turn.push((block, None)),
            _ => {}
        }
    }
    left
}

/// Whether there is anything to write. The vendor refuses texts that say nothing.
pub(super) fn says(block: &Block<'_>) -> bool {
    !matches!(block, Block::Text(text) if text.is_empty()) && writable(block)
}

/// Puts a mark on the last block that can have one.
pub(super) fn mark_last<'b, 'a>(turn: &mut [Marked<'b, 'a>], point: &'b CachePoint<'a>) -> bool {
    let last = turn
        .iter_mut()
        .rev()
        .find(|(block, _)| !matches!(block, Block::Reasoning(_) | Block::Foreign { .. }));
    if let Some((_, mark)) = last {
        *mark = Some(point);
        return true;
    }
    false
}

/// Writes a list of blocks.
pub(super) fn blocks(list: &mut Items<'_>, turn: &[Marked<'_, '_>]) {
    for (block, mark) in turn {
        put(list, block, *mark);
    }
}

pub(super) fn mark(o: &mut Object<'_>, point: &CachePoint<'_>) {
    o.object("cache_control").string("type", "ephemeral").maybe_text("ttl", point.ttl.as_ref());
}

/// Whether the form has such blocks.
fn writable(block: &Block<'_>) -> bool {
    match block {
        Block::Text(_)
        | Block::Cited { .. }
        | Block::Refusal(_)
        | Block::Image(_)
        | Block::Document(_)
        | Block::ToolUse(_)
        | Block::ToolResult(_)
        | Block::Json(_)
        | Block::Reasoning(_)
        | Block::SearchResult(_) => true,
        Block::Foreign { form, .. } => matches!(form, Form::Messages | Form::Claude),
        Block::Video(_)
        | Block::Audio(_)
        | Block::Guarded(_)
        | Block::CachePoint(_)
        | Block::ToolChange { .. } => false,
    }
}

fn put(list: &mut Items<'_>, block: &Block<'_>, point: Option<&CachePoint<'_>>) {
    if let Block::Foreign { block, .. } = block {
        list.raw(block.raw());
        return;
    }
    let mut o = list.object();
    match block {
        Block::Text(text) | Block::Refusal(text) => {
            o.string("type", "text").text("text", text);
        }
        Block::Json(value) => {
            o.string("type", "text").string("text", value.raw());
        }
        Block::Cited { content, citations } => {
            o.string("type", "text");
            joined(&mut o, content);
            let mut list = o.list("citations");
            for one in citations.iter().filter(|one| citation::has_place(one)) {
                citation::write(&mut list.object(), one);
            }
        }
        Block::Image(media) => source::write_image(o.string("type", "image"), media),
        Block::Document(document) => {
            source::write_document(o.string("type", "document"), document);
            o.maybe_text("title", document.name.as_ref()).maybe_text("context", document.context.as_ref());
            cite(&mut o, document.cite);
        }
        Block::ToolUse(used) => tool_use(&mut o, used),
        Block::ToolResult(result) => tool_result(&mut o, result),
        Block::Reasoning(Reasoning::Text { text, signature }) => {
            o.string("type", "thinking").text("thinking", text);
            o.text("signature", signature.as_ref().unwrap_or(&Text::from_raw("\"\"")));
        }
        Block::Reasoning(Reasoning::Redacted(data)) => {
            o.string("type", "redacted_thinking").text("data", data);
        }
        Block::SearchResult(result) => {
            o.string("type", "search_result").text("source", &result.source).text("title", &result.title);
            let mut list = o.list("content");
            for text in &result.content {
                list.object().string("type", "text").text("text", text);
            }
            drop(list);
            cite(&mut o, result.cite);
        }
        Block::Foreign { .. }
        | Block::Video(_)
        | Block::Audio(_)
        | Block::Guarded(_)
        | Block::CachePoint(_)
        | Block::ToolChange { .. } => {}
    }
    if let Some(point) = point {
        mark(&mut o, point);
    }
}

fn joined(o: &mut Object<'_>, parts: &[Text<'_>]) {
    match parts {
        [one] => o.text("text", one),
        parts => o.string("text", &parts.iter().map(Text::decode).collect::<String>()),
    };
}

fn cite(o: &mut Object<'_>, cite: Option<bool>) {
    if let Some(cite) = cite {
        o.object("citations").bool("enabled", cite);
    }
}

fn tool_use(o: &mut Object<'_>, used: &ToolUse<'_>) {
    let kind = if used.by_server { "server_tool_use" } else { "tool_use" };
    o.string("type", kind).text("id", &used.id).text("name", &used.name);
    // a call without arguments is nothing at all in some dialects
    match used.input.raw() {
        "null" | "\"\"" => o.raw("input", "{}"),
        input => o.raw("input", input),
    };
}

fn tool_result(o: &mut Object<'_>, result: &ToolResult<'_>) {
    match (&result.kind, &*result.content) {
        (Some(kind), [Block::Json(value)]) => {
            o.text("type", kind).text("tool_use_id", &result.id).json("content", value);
            return;
        }
        (Some(kind), _) => o.text("type", kind),
        (None, _) => o.string("type", "tool_result"),
    };
    o.text("tool_use_id", &result.id);
    let mut turn = Vec::with_capacity(result.content.len());
    gather(&result.content, &mut turn);
    if !turn.is_empty() {
        blocks(&mut o.list("content"), &turn);
    }
    o.maybe_bool("is_error", result.failed);
}
