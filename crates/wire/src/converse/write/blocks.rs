//! Writing blocks.

use bedplate_core::conversation::{
    Block, CachePoint, Document, Guarded, Media, Reasoning, SearchResult, Source, ToolResult, ToolUse,
};
use bedplate_core::form::Form;

use crate::converse::citations::{write_cited, write_texts};
use crate::converse::ids::Ids;
use crate::json::write::{Items, Object};

pub(crate) fn blocks<'t>(form: Form, blocks: &'t [Block<'_>], ids: &mut Ids<'t>, list: &mut Items<'_>) {
    for one in blocks {
        block(form, one, ids, list);
    }
}

/// Writes a block; nothing when the form has no place for it.
pub(crate) fn block<'t>(form: Form, block: &'t Block<'_>, ids: &mut Ids<'t>, list: &mut Items<'_>) {
    match block {
        Block::Text(text) | Block::Refusal(text) => {
            list.object().text("text", text);
        }
        Block::Cited { content, citations } => {
            write_cited(content, citations, form, &mut list.object().object("citationsContent"));
        }
        Block::Image(it) if written(&it.source) => media(it, &mut list.object().object("image")),
        Block::Video(it) if written(&it.source) => media(it, &mut list.object().object("video")),
        Block::Audio(it) if written(&it.source) => media(it, &mut list.object().object("audio")),
        Block::Document(it) if written(&it.source) => document(it, &mut list.object().object("document")),
        Block::Image(_) | Block::Video(_) | Block::Audio(_) | Block::Document(_) => {}
        Block::ToolUse(used) => tool_use(used, ids, &mut list.object().object("toolUse")),
        Block::ToolResult(result) => tool_result(form, result, ids, &mut list.object().object("toolResult")),
        Block::Json(json) => {
            list.object().json("json", json);
        }
        Block::Reasoning(it) => reasoning(it, &mut list.object().object("reasoningContent")),
        Block::SearchResult(found) => search_result(found, &mut list.object().object("searchResult")),
        Block::Guarded(it) => guarded(it, &mut list.object().object("guardContent")),
        Block::CachePoint(point) => cache_point(point, &mut list.object()),
        Block::ToolChange { adds, tool } => {
            list.object().json(if *adds { "toolAddition" } else { "toolRemoval" }, tool);
        }
        Block::Foreign { form: of, block } => {
            if *of == form {
                list.raw(block.raw());
            }
        }
    }
}

pub(crate) fn cache_point(point: &CachePoint<'_>, o: &mut Object<'_>) {
    o.object("cachePoint").raw("type", "\"default\"").maybe_text("ttl", point.ttl.as_ref());
}

/// Whether there is a way to write where it lies.
fn written(source: &Source<'_>) -> bool {
    !matches!(source, Source::Url(_) | Source::File(_))
}

fn media(media: &Media<'_>, o: &mut Object<'_>) {
    o.text("format", &media.format);
    write_source(&media.source, o);
}

fn document(document: &Document<'_>, o: &mut Object<'_>) {
    match &document.name {
        Some(name) => o.text("name", name),
        // it must have one, and what stands there is read by the model: a neutral word
        None => o.raw("name", "\"document\""),
    };
    o.maybe_text("format", document.format.as_ref());
    write_source(&document.source, o);
    o.maybe_text("context", document.context.as_ref());
    cite(document.cite, o);
}

fn cite(cite: Option<bool>, o: &mut Object<'_>) {
    if let Some(cite) = cite {
        o.object("citations").bool("enabled", cite);
    }
}

fn write_source(source: &Source<'_>, o: &mut Object<'_>) {
    let mut o = o.object("source");
    match source {
        Source::Bytes(bytes) => {
            o.text("bytes", bytes);
        }
        Source::S3 { uri, owner } => {
            o.object("s3Location").text("uri", uri).maybe_text("bucketOwner", owner.as_ref());
        }
        Source::Text(text) => {
            o.text("text", text);
        }
        Source::Parts(parts) => write_texts(parts, o.list("content")),
        Source::Url(_) | Source::File(_) => {}
    }
}

fn tool_use<'t>(used: &'t ToolUse<'_>, ids: &mut Ids<'t>, o: &mut Object<'_>) {
    o.string("toolUseId", &ids.of_use(&used.id)).text("name", &used.name).json("input", &used.input);
    if used.by_server {
        o.raw("type", "\"server_tool_use\"");
    }
}

fn tool_result<'t>(form: Form, result: &'t ToolResult<'_>, ids: &mut Ids<'t>, o: &mut Object<'_>) {
    o.string("toolUseId", &ids.of_result(&result.id));
    blocks(form, &result.content, ids, &mut o.list("content"));
    if let Some(failed) = result.failed {
        o.raw("status", if failed { "\"error\"" } else { "\"success\"" });
    }
    o.maybe_text("type", result.kind.as_ref());
}

fn reasoning(reasoning: &Reasoning<'_>, o: &mut Object<'_>) {
    match reasoning {
        Reasoning::Text { text, signature } => {
            o.object("reasoningText").text("text", text).maybe_text("signature", signature.as_ref());
        }
        Reasoning::Redacted(bytes) => {
            o.text("redactedContent", bytes);
        }
    }
}

fn search_result(found: &SearchResult<'_>, o: &mut Object<'_>) {
    o.text("source", &found.source).text("title", &found.title);
    write_texts(&found.content, o.list("content"));
    cite(found.cite, o);
}

fn guarded(guarded: &Guarded<'_>, o: &mut Object<'_>) {
    match guarded {
        Guarded::Text { text, qualifiers } => {
            let mut o = o.object("text");
            o.text("text", text);
            if !qualifiers.is_empty() {
                let mut list = o.list("qualifiers");
                for qualifier in qualifiers {
                    list.text(qualifier);
                }
            }
        }
        Guarded::Image(image) => media(image, &mut o.object("image")),
    }
}
