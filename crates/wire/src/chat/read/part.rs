//! The parts that contents are made of.

use bedplate_core::conversation::{Block, Document, Json, Media, Reasoning, Source, Text};
use serde_json::value::RawValue;

use super::{Marked, Unknown, media, tools};
use crate::json::object::{Bad, List, object, read};

object!(Part {
    "type" => kind: Text<'a>,
    "text" => text: Text<'a>,
    "image_url" => image: &'a RawValue,
    "input_audio" => audio: &'a RawValue,
    "audio_url" => audio_url: &'a RawValue,
    "video_url" => video_url: &'a RawValue,
    "file" => file: File<'a>,
    "refusal" => refusal: Text<'a>,
    "thinking" => thinking: List<Part<'a>>,
    "cache_control" => cache: Marked<'a>,
});
object!(Located { "url" => url: Text<'a>, "detail" => detail: Text<'a> });
object!(Sound { "data" => data: Text<'a>, "format" => format: Text<'a> });
object!(File { "file_data" => data: Text<'a>, "file_id" => id: Text<'a>, "filename" => name: Text<'a> });

/// Reads a content, a string or a list of parts, at the end of `blocks`.
pub(in crate::chat) fn parts<'a>(
    raw: &'a RawValue,
    blocks: &mut Vec<Block<'a>>,
    unknown: &mut Unknown<'_, 'a>,
) -> Result<(), Bad> {
    let raw = raw.get();
    match raw.as_bytes().first() {
        Some(b'"') => blocks.push(Block::Text(Text::from_raw(raw))),
        Some(b'[') => {
            let list: List<&'a RawValue> = read(raw)?;
            for (at, raw) in list.0.into_iter().enumerate() {
                part(raw.get(), blocks, unknown).map_err(|e| e.within(format_args!("[{at}]")))?;
            }
        }
        _ => return Err(Bad::value("", "expected a string or a list of parts")),
    }
    Ok(())
}

fn part<'a>(raw: &'a str, blocks: &mut Vec<Block<'a>>, unknown: &mut Unknown<'_, 'a>) -> Result<(), Bad> {
    let part: Part<'a> = read(raw)?;
    let Some(kind) = &part.kind else { return Err(Bad::value("type", "it must be there")) };
    blocks.push(match &*kind.decode() {
        "text" => Block::Text(there("text", part.text)?),
        "refusal" => Block::Refusal(there("refusal", part.refusal)?),
        "image_url" => {
            Block::Image(located(there("image_url", part.image)?).map_err(|e| e.within("image_url"))?)
        }
        "video_url" => {
            Block::Video(located(there("video_url", part.video_url)?).map_err(|e| e.within("video_url"))?)
        }
        "audio_url" => {
            Block::Audio(located(there("audio_url", part.audio_url)?).map_err(|e| e.within("audio_url"))?)
        }
        "input_audio" => {
            Block::Audio(sound(there("input_audio", part.audio)?).map_err(|e| e.within("input_audio"))?)
        }
        "file" => Block::Document(file(there("file", part.file)?).map_err(|e| e.within("file"))?),
        // Mistral's
        "thinking" => {
            let parts = there("thinking", part.thinking)?.0;
            let texts: Vec<_> = parts.iter().filter_map(|part| part.text.as_ref().map(Text::inner)).collect();
            Block::Reasoning(Reasoning::Text { text: Text::of_inner(&texts), signature: None })
        }
        "custom" => return Err(Bad::value("type", "it is a kind of tool, not of part")),
        "input_text" | "input_image" | "input_file" | "output_text" => {
            return Err(Bad::value("type", "mixed dialects: it belongs to OpenAI's responses"));
        }
        "image" | "document" | "tool_use" | "tool_result" | "redacted_thinking" => {
            return Err(Bad::value("type", "mixed dialects: it belongs to Anthropic's messages"));
        }
        _ => {
            blocks.push(Block::Foreign { form: unknown.form, block: Json::from_raw(raw) });
            return Ok(());
        }
    });
    unknown.within("messages", part.rest);
    if let Some(mark) = part.cache {
        blocks.push(Block::CachePoint(tools::cache_point(mark)?));
    }
    Ok(())
}

fn there<T>(name: &'static str, member: Option<T>) -> Result<T, Bad> {
    member.ok_or_else(|| Bad::value(name, "it must be there: `type` says so"))
}

/// `{url, detail}`, or the URL alone as Mistral has it.
fn located(raw: &RawValue) -> Result<Media<'_>, Bad> {
    let raw = raw.get();
    let (at, url, detail) = match raw.starts_with('"') {
        true => ("", Text::from_raw(raw), None),
        false => {
            let Located { url, detail, .. } = read(raw)?;
            ("url", there("url", url)?, detail)
        }
    };
    let found = media::url(url).map_err(|why| Bad::value(at, why))?;
    Ok(Media { format: found.format, source: found.source, detail })
}

/// `{data, format}`, or the data alone as Mistral has it.
fn sound(raw: &RawValue) -> Result<Media<'_>, Bad> {
    let raw = raw.get();
    let (at, data, format) = match raw.starts_with('"') {
        true => ("", Text::from_raw(raw), None),
        false => {
            let Sound { data, format, .. } = read(raw)?;
            ("data", there("data", data)?, Some(there("format", format)?))
        }
    };
    match data.inner().contains(':') {
        true => {
            let found = media::url(data).map_err(|why| Bad::value(at, why))?;
            Ok(Media { format: format.unwrap_or(found.format), source: found.source, detail: None })
        }
        false => {
            let format = format.unwrap_or_else(|| Text::of("wav"));
            Ok(Media { format, source: Source::Bytes(data), detail: None })
        }
    }
}

fn file(file: File<'_>) -> Result<Document<'_>, Bad> {
    let named = file.name.as_ref().map(|name| media::extension(&name.decode()));
    let (source, found) = match (file.data, file.id) {
        (Some(_), Some(_)) => {
            return Err(Bad::value("file_id", "there is `file_data` too: send one of them"));
        }
        (None, None) => return Err(Bad::value("file_data", "it must be there, or `file_id`")),
        (None, Some(id)) => (Source::File(id), None),
        (Some(data), None) if data.inner().contains(':') => {
            let found = media::url(data).map_err(|why| Bad::value("file_data", why))?;
            (found.source, Some(found.format))
        }
        (Some(data), None) => (Source::Bytes(data), None),
    };
    // a type that says nothing gives way to the name
    let known =
        |format: &Option<Text<'_>>| format.as_ref().is_some_and(|format| media::is_document(format.inner()));
    let format = match known(&named) && !known(&found) {
        true => named,
        false => found.filter(|format| !format.is_empty()).or(named).filter(|format| !format.is_empty()),
    };
    Ok(Document { name: file.name, format, source, context: None, cite: None })
}
