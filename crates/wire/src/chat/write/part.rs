//! The parts that contents are made of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bedplate_core::conversation::{Block, CachePoint, Document, Media, Source, Text};
use bedplate_core::form::Form;

use crate::chat::Chat;
use crate::json::write::{Items, Object};

/// Writes the member `content`: a string when there is one text, else a list of parts.
pub(super) fn content<'b>(
    chat: Chat,
    blocks: impl Iterator<Item = &'b Block<'b>> + Clone,
    o: &mut Object<'_>,
) {
    let mut ahead = blocks.clone();
    match (ahead.next(), ahead.next()) {
        (None, _) => drop(o.raw("content", "\"\"")),
        (Some(Block::Text(text)), None) => drop(o.text("content", text)),
        // Jamba's contents are strings
        _ if chat == Chat::Jamba => {
            let texts = blocks.filter_map(|block| match block {
                Block::Text(text) => Some(text.inner()),
                _ => None,
            });
            let between = texts.enumerate().flat_map(|(at, text)| [if at == 0 { "" } else { "\\n" }, text]);
            o.pieces("content", between);
        }
        _ => {
            let mut list = o.list("content");
            let mut blocks = blocks.peekable();
            while let Some(block) = blocks.next() {
                let mark = match blocks.peek() {
                    Some(Block::CachePoint(point)) => Some(point),
                    _ => None,
                };
                part(block, mark, &mut list);
            }
        }
    }
}

/// What `cache_control` says.
pub(super) fn mark(point: Option<&CachePoint<'_>>, o: &mut Object<'_>) {
    if let Some(point) = point {
        o.object("cache_control").raw("type", "\"ephemeral\"").maybe_text("ttl", point.ttl.as_ref());
    }
}

fn part(block: &Block<'_>, point: Option<&CachePoint<'_>>, list: &mut Items<'_>) {
    match block {
        Block::Text(text) => {
            let mut o = list.object();
            o.raw("type", "\"text\"").text("text", text);
            mark(point, &mut o);
        }
        Block::Json(json) => {
            let mut o = list.object();
            o.raw("type", "\"text\"").string("text", json.raw());
            mark(point, &mut o);
        }
        Block::Refusal(text) => {
            let mut o = list.object();
            o.raw("type", "\"refusal\"").text("refusal", text);
            mark(point, &mut o);
        }
        Block::Image(media) => located("image", media, point, list),
        Block::Video(media) => located("video", media, point, list),
        Block::Audio(media) => sound(media, point, list),
        Block::Document(document) => file(document, point, list),
        Block::Foreign { form: Form::Chat | Form::MistralChat | Form::Jamba, block } => {
            list.raw(block.raw());
        }
        // a mark belongs to the part before it; the others have their own places or were taken out
        Block::CachePoint(_)
        | Block::Cited { .. }
        | Block::ToolUse(_)
        | Block::ToolResult(_)
        | Block::Reasoning(_)
        | Block::SearchResult(_)
        | Block::Guarded(_)
        | Block::ToolChange { .. }
        | Block::Foreign { .. } => {}
    }
}

/// `image_url` and `video_url`.
fn located(kind: &str, media: &Media<'_>, point: Option<&CachePoint<'_>>, list: &mut Items<'_>) {
    let name = match kind {
        "video" => "video_url",
        "audio" => "audio_url",
        _ => "image_url",
    };
    let mut o = list.object();
    o.string("type", name);
    {
        let mut o = o.object(name);
        url("url", &media.source, &[kind, "/", media.format.inner()], &mut o);
        o.maybe_text("detail", media.detail.as_ref());
    }
    mark(point, &mut o);
}

fn url(name: &str, source: &Source<'_>, mime: &[&str], o: &mut Object<'_>) {
    match source {
        Source::Bytes(data) => {
            let mime = mime.iter().copied();
            o.pieces(name, ["data:"].into_iter().chain(mime).chain([";base64,", data.inner()]));
        }
        Source::S3 { uri, .. } => drop(o.text(name, uri)),
        Source::Url(url) => drop(o.text(name, url)),
        Source::File(id) => drop(o.text(name, id)),
        Source::Text(text) => encoded(name, std::slice::from_ref(text), o),
        Source::Parts(parts) => encoded(name, parts, o),
    }
}

/// A text as a file.
fn encoded(name: &str, parts: &[Text<'_>], o: &mut Object<'_>) {
    let text: Vec<_> = parts.iter().map(Text::decode).collect();
    o.pieces(name, ["data:text/plain;base64,", &STANDARD.encode(text.join("\n"))]);
}

/// Bytes are `input_audio`; there is no such part for what lies elsewhere, but vLLM's.
fn sound(media: &Media<'_>, point: Option<&CachePoint<'_>>, list: &mut Items<'_>) {
    let Source::Bytes(data) = &media.source else { return located("audio", media, point, list) };
    let mut o = list.object();
    o.raw("type", "\"input_audio\"");
    o.object("input_audio").text("data", data).text("format", &media.format);
    mark(point, &mut o);
}

fn file(document: &Document<'_>, point: Option<&CachePoint<'_>>, list: &mut Items<'_>) {
    let mut o = list.object();
    o.raw("type", "\"file\"");
    {
        let mut o = o.object("file");
        o.maybe_text("filename", document.name.as_ref());
        match &document.source {
            Source::File(id) => drop(o.text("file_id", id)),
            source => {
                let format = document.format.as_ref().map_or("", |format| format.inner());
                url("file_data", source, &[mime(format)], &mut o);
            }
        }
    }
    mark(point, &mut o);
}

/// Of one of Converse's names.
fn mime(format: &str) -> &str {
    match format {
        "pdf" => "application/pdf",
        "csv" => "text/csv",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls" => "application/vnd.ms-excel",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "html" => "text/html",
        "txt" => "text/plain",
        "md" => "text/markdown",
        _ => "application/octet-stream",
    }
}
