//! Reading images, videos, sounds and documents.

use bedplate_core::conversation::{Document, Guarded, Media, SearchResult, Source, Text};

use super::known::{Not, must, only};
use crate::json::object::{Bad, List, object, read};
use crate::json::one::One;

object!(MediaBody { "format" => format: Text<'a>, "source" => source: One<'a> });
object!(S3Body { "uri" => uri: Text<'a>, "bucketOwner" => owner: Text<'a> });
object!(CiteBody { "enabled" => enabled: bool });
object!(DocumentBody {
    "name" => name: Text<'a>,
    "format" => format: Text<'a>,
    "source" => source: One<'a>,
    "context" => context: Text<'a>,
    "citations" => cite: CiteBody<'a>,
});
object!(SearchBody {
    "source" => source: Text<'a>,
    "title" => title: Text<'a>,
    "content" => content: List<One<'a>>,
    "citations" => cite: CiteBody<'a>,
});
object!(GuardedTextBody { "text" => text: Text<'a>, "qualifiers" => qualifiers: List<Text<'a>> });

pub(super) fn media(value: &str) -> Result<Media<'_>, Not> {
    let body: MediaBody<'_> = read(value)?;
    only(&body.rest)?;
    let format = must(body.format, "format")?;
    let source = source(&must(body.source, "source")?, false).map_err(|not| not.within("source"))?;
    Ok(Media { format, source, detail: None })
}

pub(super) fn document(value: &str) -> Result<Document<'_>, Not> {
    let body: DocumentBody<'_> = read(value)?;
    only(&body.rest)?;
    let source = source(&must(body.source, "source")?, true).map_err(|not| not.within("source"))?;
    let name = Some(must(body.name, "name")?);
    Ok(Document { name, format: body.format, source, context: body.context, cite: cite(body.cite)? })
}

pub(super) fn search_result(value: &str) -> Result<SearchResult<'_>, Not> {
    let body: SearchBody<'_> = read(value)?;
    only(&body.rest)?;
    Ok(SearchResult {
        source: must(body.source, "source")?,
        title: must(body.title, "title")?,
        content: texts(&must(body.content, "content")?.0).map_err(|not| not.within("content"))?,
        cite: cite(body.cite)?,
    })
}

pub(super) fn guarded(value: &str) -> Result<Guarded<'_>, Not> {
    let one: One<'_> = read(value)?;
    match &*one.name {
        "text" => {
            let body: GuardedTextBody<'_> = read(one.value).map_err(|bad| bad.within("text"))?;
            only(&body.rest)?;
            let text = must(body.text, "text.text")?;
            Ok(Guarded::Text { text, qualifiers: body.qualifiers.unwrap_or_default().0 })
        }
        "image" => media(one.value).map(Guarded::Image).map_err(|not| not.within("image")),
        _ => Err(Not::Modelled),
    }
}

/// Objects of a text each.
pub(super) fn texts<'a>(list: &[One<'a>]) -> Result<Vec<Text<'a>>, Not> {
    let mut texts = Vec::with_capacity(list.len());
    for (at, one) in list.iter().enumerate() {
        if one.name != "text" {
            return Err(Not::Modelled);
        }
        texts.push(one.text().map_err(|bad| bad.within(format_args!("[{at}].text")))?);
    }
    Ok(texts)
}

fn source<'a>(one: &One<'a>, of_document: bool) -> Result<Source<'a>, Not> {
    let within = |bad: Bad| bad.within(&one.name);
    match &*one.name {
        "bytes" => Ok(Source::Bytes(one.text().map_err(within)?)),
        "s3Location" => {
            let body: S3Body<'a> = read(one.value).map_err(within)?;
            only(&body.rest)?;
            Ok(Source::S3 { uri: must(body.uri, "s3Location.uri")?, owner: body.owner })
        }
        "text" if of_document => Ok(Source::Text(one.text().map_err(within)?)),
        "content" if of_document => {
            let list: List<One<'a>> = read(one.value).map_err(within)?;
            Ok(Source::Parts(texts(&list.0).map_err(|not| not.within("content"))?))
        }
        _ => Err(Not::Modelled),
    }
}

fn cite(body: Option<CiteBody<'_>>) -> Result<Option<bool>, Not> {
    let Some(body) = body else { return Ok(None) };
    only(&body.rest)?;
    Ok(Some(must(body.enabled, "citations.enabled")?))
}
