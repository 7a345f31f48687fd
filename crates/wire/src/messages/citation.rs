//! What texts rest on.

use bedplate_core::conversation::{Citation, Json, Location, Member, Rest, Text};
use bedplate_core::form::Form;

use super::read::missing;
use crate::json::object::{Bad, List, object, read};
use crate::json::write::Object;

object!(RawCitation {
    "type" => kind: Text<'a>,
    "cited_text" => cited: Text<'a>,
    "document_title" => document_title: Text<'a>,
    "title" => title: Text<'a>,
    "source" => source: Text<'a>,
    "url" => url: Text<'a>,
    "document_index" => document: u64,
    "search_result_index" => result: u64,
    "start_char_index" => start_char: u64,
    "end_char_index" => end_char: u64,
    "start_page_number" => start_page: u64,
    "end_page_number" => end_page: u64,
    "start_block_index" => start_block: u64,
    "end_block_index" => end_block: u64,
});

/// Reads a list of citations.
pub(super) fn read_all(raw: &str) -> Result<Vec<Citation<'_>>, Bad> {
    let list: List<RawCitation<'_>> = read(raw)?;
    let mut citations = Vec::with_capacity(list.0.len());
    for (at, one) in list.0.into_iter().enumerate() {
        citations.push(citation(one).map_err(|bad| bad.within(format_args!("[{at}]")))?);
    }
    Ok(citations)
}

/// Reads one citation.
pub(super) fn read_one(raw: &str) -> Result<Citation<'_>, Bad> {
    citation(read(raw)?)
}

fn citation(raw: RawCitation<'_>) -> Result<Citation<'_>, Bad> {
    let need = |value: Option<u64>, member: &str| value.ok_or_else(|| missing(member));
    let kind = raw.kind.ok_or_else(|| missing("type"))?;
    let mut rest = raw.rest;
    let location = match &*kind.decode() {
        "char_location" => Some(Location::Chars {
            document: need(raw.document, "document_index")?,
            start: need(raw.start_char, "start_char_index")?,
            end: need(raw.end_char, "end_char_index")?,
        }),
        "page_location" => Some(Location::Pages {
            document: need(raw.document, "document_index")?,
            start: need(raw.start_page, "start_page_number")?,
            end: need(raw.end_page, "end_page_number")?,
        }),
        "content_block_location" => Some(Location::Parts {
            document: need(raw.document, "document_index")?,
            start: need(raw.start_block, "start_block_index")?,
            end: need(raw.end_block, "end_block_index")?,
        }),
        "search_result_location" => Some(Location::SearchResult {
            result: need(raw.result, "search_result_index")?,
            start: need(raw.start_block, "start_block_index")?,
            end: need(raw.end_block, "end_block_index")?,
        }),
        "web_search_result_location" => {
            Some(Location::Web { url: raw.url.ok_or_else(|| missing("url"))?, domain: None })
        }
        _ => None,
    };
    if location.is_none() {
        // a kind of the vendor's next: its numbers are lost with it, its name is not
        rest.push(Member { name: "type".into(), value: kind.into() });
    }
    Ok(Citation {
        title: raw.document_title.or(raw.title),
        source: raw.source,
        cited: raw.cited.into_iter().collect(),
        location,
        rest: Rest::of(Form::Messages, rest),
    })
}

/// Whether the form has words for it: it says of each citation where it was cited from.
pub(super) fn has_place(citation: &Citation<'_>) -> bool {
    citation.location.is_some()
}

/// Writes the members of a citation that [`has_place`].
pub(super) fn write(o: &mut Object<'_>, citation: &Citation<'_>) {
    const NULL: &Json<'static> = &Json::NULL;
    let cited = match &*citation.cited {
        [one] => one.clone(),
        parts => Text::of(&parts.iter().map(Text::decode).collect::<String>()),
    };
    let title = citation.title.clone().map(Json::from);
    let title = title.as_ref().unwrap_or(NULL);
    let Some(location) = &citation.location else { return };
    match location {
        Location::Chars { document, start, end } => o
            .string("type", "char_location")
            .json("document_title", title)
            .number("document_index", *document)
            .number("start_char_index", *start)
            .number("end_char_index", *end),
        Location::Pages { document, start, end } => o
            .string("type", "page_location")
            .json("document_title", title)
            .number("document_index", *document)
            .number("start_page_number", *start)
            .number("end_page_number", *end),
        Location::Parts { document, start, end } => o
            .string("type", "content_block_location")
            .json("document_title", title)
            .number("document_index", *document)
            .number("start_block_index", *start)
            .number("end_block_index", *end),
        Location::SearchResult { result, start, end } => o
            .string("type", "search_result_location")
            .json("title", title)
            .text("source", citation.source.as_ref().unwrap_or(&Text::from_raw("\"\"")))
            .number("search_result_index", *result)
            .number("start_block_index", *start)
            .number("end_block_index", *end),
        Location::Web { url, .. } => {
            o.string("type", "web_search_result_location").json("title", title).text("url", url)
        }
    };
    o.text("cited_text", &cited);
    for member in citation.rest.to(Form::Messages) {
        o.member(member);
    }
}
