//! What texts rest on: reading and writing.

use bedplate_core::conversation::{Block, Citation, Location, Member, Rest, Text};
use bedplate_core::form::Form;

use super::known::{Not, must, only};
use super::media::texts;
use crate::json::object::{Bad, List, object, read};
use crate::json::one::One;
use crate::json::write::{Items, Object};

object!(CitedBody { "content" => content: List<One<'a>>, "citations" => citations: List<CitationBody<'a>> });
object!(CitationBody {
    "title" => title: Text<'a>,
    "source" => source: Text<'a>,
    "sourceContent" => cited: List<One<'a>>,
    "location" => location: One<'a>,
});
object!(WebBody { "url" => url: Text<'a>, "domain" => domain: Text<'a> });
object!(PlaceBody {
    "documentIndex" => document: u64,
    "searchResultIndex" => result: u64,
    "start" => start: u64,
    "end" => end: u64,
});

pub(super) fn cited(form: Form, value: &str) -> Result<Block<'_>, Not> {
    let body: CitedBody<'_> = read(value)?;
    only(&body.rest)?;
    let content = texts(&body.content.unwrap_or_default().0).map_err(|not| not.within("content"))?;
    let mut citations = Vec::new();
    for (at, body) in body.citations.unwrap_or_default().0.into_iter().enumerate() {
        citations.push(citation(form, body).map_err(|not| not.within(format_args!("citations[{at}]")))?);
    }
    Ok(Block::Cited { content, citations })
}

/// One of a stream.
///
/// # Errors
/// What is wrong with it.
pub(super) fn one(form: Form, value: &str) -> Result<Citation<'_>, Not> {
    citation(form, read(value)?)
}

fn citation<'a>(form: Form, body: CitationBody<'a>) -> Result<Citation<'a>, Not> {
    let mut rest = body.rest;
    let mut location = None;
    if let Some(one) = body.location {
        match place(&one) {
            Ok(place) => location = Some(place),
            Err(Not::Bad(bad)) => return Err(Not::Bad(bad.within(&one.name).within("location"))),
            Err(Not::Modelled) => rest.push(Member { name: "location".into(), value: one.whole() }),
        }
    }
    Ok(Citation {
        title: body.title,
        source: body.source,
        cited: texts(&body.cited.unwrap_or_default().0).map_err(|not| not.within("sourceContent"))?,
        location,
        rest: Rest::of(form, rest),
    })
}

fn place<'a>(one: &One<'a>) -> Result<Location<'a>, Not> {
    if one.name == "web" {
        let body: WebBody<'a> = read(one.value)?;
        only(&body.rest)?;
        return body.url.map(|url| Location::Web { url, domain: body.domain }).ok_or(Not::Modelled);
    }
    let body: PlaceBody<'a> = read(one.value)?;
    only(&body.rest)?;
    let (start, end) = (body.start.unwrap_or(0), must(body.end, "end")?);
    let document = |n: Option<u64>| -> Result<u64, Bad> { must(n, "documentIndex") };
    Ok(match &*one.name {
        "documentChar" => Location::Chars { document: document(body.document)?, start, end },
        "documentPage" => Location::Pages { document: document(body.document)?, start, end },
        "documentChunk" => Location::Parts { document: document(body.document)?, start, end },
        "searchResultLocation" => {
            Location::SearchResult { result: must(body.result, "searchResultIndex")?, start, end }
        }
        _ => return Err(Not::Modelled),
    })
}

pub(super) fn write_cited(content: &[Text<'_>], citations: &[Citation<'_>], form: Form, o: &mut Object<'_>) {
    if !content.is_empty() {
        write_texts(content, o.list("content"));
    }
    if !citations.is_empty() {
        let mut list = o.list("citations");
        for citation in citations {
            write(citation, form, &mut list.object());
        }
    }
}

pub(super) fn write(citation: &Citation<'_>, form: Form, o: &mut Object<'_>) {
    o.maybe_text("title", citation.title.as_ref()).maybe_text("source", citation.source.as_ref());
    if !citation.cited.is_empty() {
        write_texts(&citation.cited, o.list("sourceContent"));
    }
    if let Some(location) = &citation.location {
        write_place(location, &mut o.object("location"));
    }
    for member in citation.rest.to(form) {
        o.member(member);
    }
}

pub(super) fn write_texts(texts: &[Text<'_>], mut list: Items<'_>) {
    for text in texts {
        list.object().text("text", text);
    }
}

fn write_place(location: &Location<'_>, o: &mut Object<'_>) {
    let mut place = |name, index, n: u64, start: u64, end: u64| {
        o.object(name).number(index, n).number("start", start).number("end", end);
    };
    match location {
        Location::Chars { document, start, end } => {
            place("documentChar", "documentIndex", *document, *start, *end);
        }
        Location::Pages { document, start, end } => {
            place("documentPage", "documentIndex", *document, *start, *end);
        }
        Location::Parts { document, start, end } => {
            place("documentChunk", "documentIndex", *document, *start, *end);
        }
        Location::SearchResult { result, start, end } => {
            place("searchResultLocation", "searchResultIndex", *result, *start, *end);
        }
        Location::Web { url, domain } => {
            o.object("web").text("url", url).maybe_text("domain", domain.as_ref());
        }
    }
}
