//! Where images and documents come from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bedplate_core::conversation::{Document, Media, Source, Text};
use serde_json::value::RawValue;

use super::read::missing;
use crate::json::object::{Bad, List, object, read};
use crate::json::write::Object;

object!(RawSource {
    "type" => kind: Text<'a>,
    "media_type" => media: Text<'a>,
    "data" => data: Text<'a>,
    "url" => url: Text<'a>,
    "file_id" => file: Text<'a>,
    "content" => content: &'a RawValue,
});
object!(Part { "type" => kind: Text<'a>, "text" => text: Text<'a> });

/// What the vendor calls the formats of images, and what Converse does.
const IMAGES: &[(&str, &str)] =
    &[("image/png", "png"), ("image/jpeg", "jpeg"), ("image/gif", "gif"), ("image/webp", "webp")];

/// Documents that are no text.
const DOCUMENTS: &[(&str, &str)] = &[("application/pdf", "pdf")];

/// Documents that are text, whatever they are called.
const PLAIN: &[&str] = &["txt", "md", "csv", "html"];

/// Whether the vendor takes images of a format.
pub(super) fn is_image(format: &Text<'_>) -> bool {
    IMAGES.iter().any(|(_, name)| format.is(name))
}

/// Whether the vendor takes documents of a format, as they are or as texts.
pub(super) fn is_document(format: &Text<'_>) -> bool {
    DOCUMENTS.iter().any(|(_, name)| format.is(name)) || PLAIN.iter().any(|name| format.is(name))
}

/// An image; `None` when the form does not model where it comes from.
pub(super) fn image(raw: &RawValue) -> Result<Option<Media<'_>>, Bad> {
    let source: RawSource<'_> = parse(raw)?;
    found(source, IMAGES, "expected `image/png`, `image/jpeg`, `image/gif` or `image/webp`")
        .map(|found| found.map(|(format, source)| Media { format, source, detail: None }))
        .map_err(|bad| bad.within("source"))
}

/// A document without what stands beside its source; `None` when the form does not model where it comes from.
pub(super) fn document(raw: &RawValue) -> Result<Option<Document<'_>>, Bad> {
    let mut source: RawSource<'_> = parse(raw)?;
    let found = match source.kind.as_ref().map(Text::decode).as_deref() {
        Some("text") => match (source.data.take(), &source.media) {
            (Some(data), Some(media)) if media.is("text/plain") => {
                Ok(Some((Text::from_raw("\"txt\""), Source::Text(data))))
            }
            (None, _) => Err(missing("data")),
            _ => Err(Bad::value("media_type", "expected `text/plain`")),
        },
        Some("content") => match source.content {
            Some(content) => parts(content.get())
                .map_err(|bad| bad.within("content"))
                .map(|parts| parts.map(|parts| (Text::from_raw("\"txt\""), Source::Parts(parts)))),
            None => Err(missing("content")),
        },
        _ => found(source, DOCUMENTS, "expected `application/pdf`"),
    };
    let found = found.map_err(|bad| bad.within("source"))?;
    Ok(found.map(|(format, source)| Document {
        name: None,
        format: (!format.is_empty()).then_some(format),
        source,
        context: None,
        cite: None,
    }))
}

/// A string, or a list of texts; `None` when there is more in it than texts.
pub(super) fn parts(raw: &str) -> Result<Option<Vec<Text<'_>>>, Bad> {
    if raw.starts_with('"') {
        return Ok(Some(vec![Text::from_raw(raw)]));
    }
    let list: List<Part<'_>> = read(raw)?;
    let mut parts = Vec::with_capacity(list.0.len());
    for (at, part) in list.0.into_iter().enumerate() {
        match (part.kind, part.text) {
            (Some(kind), Some(text)) if kind.is("text") && part.rest.is_empty() => parts.push(text),
            (Some(kind), None) if kind.is("text") => {
                return Err(missing("text").within(format_args!("[{at}]")));
            }
            (None, _) => return Err(missing("type").within(format_args!("[{at}]"))),
            _ => return Ok(None),
        }
    }
    Ok(Some(parts))
}

fn parse(raw: &RawValue) -> Result<RawSource<'_>, Bad> {
    read(raw.get()).map_err(|bad| bad.within("source"))
}

fn found<'a>(
    source: RawSource<'a>,
    formats: &[(&str, &'static str)],
    expected: &str,
) -> Result<Option<(Text<'a>, Source<'a>)>, Bad> {
    let kind = source.kind.ok_or_else(|| missing("type"))?;
    let format =
        |media: &str| formats.iter().find(|(name, _)| *name == media).map(|(_, format)| Text::of(format));
    match &*kind.decode() {
        "base64" => {
            let media = source.media.ok_or_else(|| missing("media_type"))?;
            let format = format(&media.decode()).ok_or_else(|| Bad::value("media_type", expected))?;
            Ok(Some((format, Source::Bytes(source.data.ok_or_else(|| missing("data"))?))))
        }
        "url" => {
            let url = source.url.ok_or_else(|| missing("url"))?;
            let decoded = url.decode();
            if let Some(data) = decoded.strip_prefix("data:") {
                let (media, data) = data
                    .split_once(";base64,")
                    .ok_or_else(|| Bad::value("url", "expected `data:TYPE;base64,…`"))?;
                let format = format(media).ok_or_else(|| Bad::value("url", expected))?;
                return Ok(Some((format, Source::Bytes(Text::of(data)))));
            }
            let s3 = decoded.starts_with("s3://");
            drop(decoded);
            Ok(Some((
                Text::from_raw("\"\""),
                if s3 { Source::S3 { uri: url, owner: None } } else { Source::Url(url) },
            )))
        }
        "file" => {
            let file = source.file.ok_or_else(|| missing("file_id"))?;
            Ok(Some((Text::from_raw("\"\""), Source::File(file))))
        }
        _ => Ok(None),
    }
}

/// Writes the source of an image.
pub(super) fn write_image(block: &mut Object<'_>, media: &Media<'_>) {
    let mut o = block.object("source");
    match &media.source {
        Source::Bytes(data) => {
            o.string("type", "base64").string("media_type", &kind("image", &media.format, IMAGES));
            o.text("data", data);
        }
        other => elsewhere(&mut o, other),
    }
}

/// Writes the source of a document. Texts in bytes are written as texts: the vendor takes no others.
pub(super) fn write_document(block: &mut Object<'_>, document: &Document<'_>) {
    let mut o = block.object("source");
    let format = document.format.as_ref().map(Text::decode);
    match &document.source {
        Source::Bytes(data) => match (format.as_deref(), plain(format.as_deref(), data)) {
            (_, Some(text)) => {
                o.string("type", "text").string("media_type", "text/plain").string("data", &text);
            }
            (format, None) => {
                let media = format.map_or_else(
                    || "application/pdf".to_owned(),
                    |format| kind("application", &Text::of(format), DOCUMENTS),
                );
                o.string("type", "base64").string("media_type", &media).text("data", data);
            }
        },
        Source::Text(text) => {
            o.string("type", "text").string("media_type", "text/plain").text("data", text);
        }
        Source::Parts(parts) => {
            o.string("type", "content");
            let mut list = o.list("content");
            for part in parts {
                list.object().string("type", "text").text("text", part);
            }
        }
        other => elsewhere(&mut o, other),
    }
}

fn elsewhere(o: &mut Object<'_>, source: &Source<'_>) {
    match source {
        Source::File(id) => o.string("type", "file").text("file_id", id),
        Source::Url(url) | Source::S3 { uri: url, .. } => o.string("type", "url").text("url", url),
        Source::Bytes(_) | Source::Text(_) | Source::Parts(_) => o,
    };
}

fn kind(class: &str, format: &Text<'_>, formats: &[(&str, &str)]) -> String {
    match formats.iter().find(|(_, name)| format.is(name)) {
        Some((media, _)) => (*media).to_owned(),
        // the vendor says what it thinks of it
        None => format!("{class}/{}", format.decode()),
    }
}

/// The text that bytes of a textual format are.
fn plain(format: Option<&str>, data: &Text<'_>) -> Option<String> {
    format.filter(|format| PLAIN.contains(format))?;
    String::from_utf8(STANDARD.decode(&*data.decode()).ok()?).ok()
}
