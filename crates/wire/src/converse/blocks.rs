//! Reading blocks.

use bedplate_core::conversation::{Block, CachePoint, Json, Reasoning, Text, ToolResult, ToolUse};
use bedplate_core::form::Form;

use super::known::{Not, must, only};
use super::{citations, media};
use crate::json::object::{Bad, List, object, read};
use crate::json::one::One;

object!(ToolUseBody {
    "toolUseId" => id: Text<'a>,
    "name" => name: Text<'a>,
    "input" => input: Json<'a>,
    "type" => kind: Text<'a>,
});
object!(ToolResultBody {
    "toolUseId" => id: Text<'a>,
    "content" => content: List<One<'a>>,
    "status" => status: Text<'a>,
    "type" => kind: Text<'a>,
});
object!(CachePointBody { "type" => kind: Text<'a>, "ttl" => ttl: Text<'a> });
object!(ReasoningBody { "text" => text: Text<'a>, "signature" => signature: Text<'a> });

/// Reads the blocks of a message.
///
/// # Errors
/// What is wrong with one of them.
pub(crate) fn blocks<'a>(form: Form, list: &[One<'a>]) -> Result<Vec<Block<'a>>, Bad> {
    each(form, list, known)
}

/// Reads blocks; one that says more than the normal form models is kept as it stood.
fn each<'a>(form: Form, list: &[One<'a>], known: Known<'a>) -> Result<Vec<Block<'a>>, Bad> {
    let mut blocks = Vec::with_capacity(list.len());
    for (at, one) in list.iter().enumerate() {
        blocks.push(match known(form, one) {
            Ok(block) => block,
            Err(Not::Bad(bad)) => return Err(bad.within(&one.name).within(format_args!("[{at}]"))),
            Err(Not::Modelled) => Block::Foreign { form, block: one.whole() },
        });
    }
    Ok(blocks)
}

type Known<'a> = fn(Form, &One<'a>) -> Result<Block<'a>, Not>;

fn known<'a>(form: Form, one: &One<'a>) -> Result<Block<'a>, Not> {
    Ok(match &*one.name {
        "audio" => Block::Audio(media::media(one.value)?),
        "guardContent" => Block::Guarded(media::guarded(one.value)?),
        "toolUse" => Block::ToolUse(tool_use(one.value)?),
        "toolResult" => Block::ToolResult(tool_result(form, one.value)?),
        "reasoningContent" => Block::Reasoning(reasoning(one.value)?),
        "citationsContent" => citations::cited(form, one.value)?,
        "cachePoint" => Block::CachePoint(cache_point(one.value)?),
        "toolAddition" => Block::ToolChange { adds: true, tool: Json::from_raw(one.value) },
        "toolRemoval" => Block::ToolChange { adds: false, tool: Json::from_raw(one.value) },
        "json" => return Err(Not::Modelled),
        _ => return found(form, one),
    })
}

/// What a tool may have found: of a result there is no other within it.
fn found<'a>(_form: Form, one: &One<'a>) -> Result<Block<'a>, Not> {
    Ok(match &*one.name {
        "text" => Block::Text(one.text()?),
        "json" => Block::Json(Json::from_raw(one.value)),
        "image" => Block::Image(media::media(one.value)?),
        "video" => Block::Video(media::media(one.value)?),
        "document" => Block::Document(media::document(one.value)?),
        "searchResult" => Block::SearchResult(media::search_result(one.value)?),
        _ => return Err(Not::Modelled),
    })
}

pub(super) fn cache_point(value: &str) -> Result<CachePoint<'_>, Not> {
    let body: CachePointBody<'_> = read(value)?;
    only(&body.rest)?;
    match must(body.kind, "type")?.is("default") {
        true => Ok(CachePoint { ttl: body.ttl }),
        false => Err(Not::Modelled),
    }
}

fn tool_use(value: &str) -> Result<ToolUse<'_>, Not> {
    let body: ToolUseBody<'_> = read(value)?;
    only(&body.rest)?;
    let by_server = match body.kind {
        None => false,
        Some(kind) if kind.is("server_tool_use") => true,
        Some(_) => return Err(Not::Modelled),
    };
    let (id, name) = (must(body.id, "toolUseId")?, must(body.name, "name")?);
    Ok(ToolUse { id, name, input: must(body.input, "input")?, by_server })
}

fn tool_result(form: Form, value: &str) -> Result<ToolResult<'_>, Not> {
    let body: ToolResultBody<'_> = read(value)?;
    only(&body.rest)?;
    let failed = match body.status {
        None => None,
        Some(status) if status.is("success") => Some(false),
        Some(status) if status.is("error") => Some(true),
        Some(_) => return Err(Bad::value("status", "expected `success` or `error`").into()),
    };
    let id = must(body.id, "toolUseId")?;
    let content = must(body.content, "content")?.0;
    let content = each(form, &content, found).map_err(|bad| bad.within("content"))?;
    Ok(ToolResult { id, content, failed, kind: body.kind })
}

fn reasoning(value: &str) -> Result<Reasoning<'_>, Not> {
    let one: One<'_> = read(value)?;
    match &*one.name {
        "reasoningText" => {
            let body: ReasoningBody<'_> = read(one.value).map_err(|bad| bad.within("reasoningText"))?;
            only(&body.rest)?;
            let text = must(body.text, "reasoningText.text")?;
            Ok(Reasoning::Text { text, signature: body.signature })
        }
        "redactedContent" => {
            Ok(Reasoning::Redacted(one.text().map_err(|bad| bad.within("redactedContent"))?))
        }
        _ => Err(Not::Modelled),
    }
}
