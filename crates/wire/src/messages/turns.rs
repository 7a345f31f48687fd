//! Reading what turns are made of.

use std::collections::HashSet;

use bedplate_core::conversation::{
    Block, CachePoint, Json, Member, Reasoning, Role, SearchResult, Text, ToolResult, ToolUse,
};
use bedplate_core::form::Form;
use serde_json::value::RawValue;

use super::read::missing;
use super::{citation, source};
use crate::json::object::{Bad, List, object, read};

object!(RawBlock {
    "type" => kind: Text<'a>,
    "text" => text: Text<'a>,
    "citations" => citations: &'a RawValue,
    "source" => source: &'a RawValue,
    "title" => title: Text<'a>,
    "context" => context: Text<'a>,
    "thinking" => thinking: Text<'a>,
    "signature" => signature: Text<'a>,
    "data" => data: Text<'a>,
    "id" => id: Text<'a>,
    "name" => name: Text<'a>,
    "input" => input: &'a RawValue,
    "tool_use_id" => tool_use_id: Text<'a>,
    "content" => content: &'a RawValue,
    "is_error" => is_error: bool,
    "cache_control" => cache: Cache<'a>,
});
object!(Cache { "type" => kind: Text<'a>, "ttl" => ttl: Text<'a> });
object!(Enabled { "enabled" => enabled: bool });

/// Types of blocks in other dialects.
const ELSEWHERE: &[&str] = &[
    "image_url",
    "input_text",
    "input_image",
    "input_audio",
    "input_file",
    "output_text",
    "file",
    "function",
];

/// Reads turns one after the other, and remembers what tools were used.
pub(super) struct Turns {
    form: Form,
    uses: HashSet<String>,
}

/// A block that the form does not model.
struct Unmodelled;

impl Turns {
    pub(super) fn new(form: Form) -> Self {
        Self { form, uses: HashSet::new() }
    }

    /// A string or a list of texts.
    pub(super) fn texts<'a>(&mut self, raw: &'a RawValue) -> Result<Vec<Block<'a>>, Bad> {
        let blocks = self.content(raw, Role::System)?;
        match blocks
            .iter()
            .position(|block| !matches!(block, Block::Text(_) | Block::Cited { .. } | Block::CachePoint(_)))
        {
            Some(_) => Err(Bad::value("", "expected blocks of type `text` only")),
            None => Ok(blocks),
        }
    }

    /// A string or a list of blocks.
    pub(super) fn content<'a>(&mut self, raw: &'a RawValue, role: Role) -> Result<Vec<Block<'a>>, Bad> {
        let list: List<RawBlock<'_>> = match raw.get().as_bytes().first() {
            Some(b'"') => return Ok(vec![Block::Text(Text::from_raw(raw.get()))]),
            Some(b'[') => read(raw.get())?,
            _ => return Err(Bad::value("", "expected a string or a list of blocks")),
        };
        let mut blocks = Vec::with_capacity(list.0.len() + 1);
        // as they stood: found again when the form does not model one
        let mut stood: Option<Vec<&RawValue>> = None;
        for (at, block) in list.0.into_iter().enumerate() {
            let cache = block.cache.as_ref().map(Cache::point).transpose();
            let cache = cache.map_err(|bad| bad.within(format_args!("[{at}].cache_control")))?;
            match self.block(block, role).map_err(|bad| bad.within(format_args!("[{at}]")))? {
                Ok(block) => {
                    blocks.push(block);
                    blocks.extend(cache.map(Block::CachePoint));
                }
                Err(Unmodelled) => {
                    let stood =
                        stood.get_or_insert_with(|| serde_json::from_str(raw.get()).unwrap_or_default());
                    if let Some(block) = stood.get(at) {
                        blocks.push(Block::Foreign { form: self.form, block: Json::from_raw(block.get()) });
                    }
                }
            }
        }
        Ok(blocks)
    }

    fn block<'a>(&mut self, mut raw: RawBlock<'a>, role: Role) -> Result<Result<Block<'a>, Unmodelled>, Bad> {
        let kind = raw.kind.take().ok_or_else(|| missing("type"))?;
        let kind = kind.decode();
        if ELSEWHERE.contains(&&*kind) {
            return Err(Bad::value("type", "mixed dialects: it is a type of OpenAI's"));
        }
        let beside = raw.rest.iter().any(|member| !says_nothing(member));
        if beside || raw.cache.as_ref().is_some_and(|cache| !cache.rest.is_empty()) {
            self.used(&kind, raw.id.as_ref());
            return Ok(Err(Unmodelled));
        }
        let block = match &*kind {
            "text" => text(&mut raw)?,
            "image" => match source::image(raw.source.take().ok_or_else(|| missing("source"))?)? {
                Some(image) => Block::Image(image),
                None => return Ok(Err(Unmodelled)),
            },
            "document" => match document(&mut raw)? {
                Some(document) => document,
                None => return Ok(Err(Unmodelled)),
            },
            "thinking" | "redacted_thinking" => {
                only(role, Role::Assistant, "assistant")?;
                if raw.cache.is_some() {
                    return Err(Bad::value(
                        "cache_control",
                        "reasoning takes no mark: mark the block after it",
                    ));
                }
                reasoning(&kind, &mut raw)?
            }
            "tool_use" | "server_tool_use" => {
                only(role, Role::Assistant, "assistant")?;
                self.used(&kind, raw.id.as_ref());
                tool_use(&kind, &mut raw)?
            }
            "tool_result" => {
                only(role, Role::User, "user")?;
                self.tool_result(&mut raw)?
            }
            kind if kind.ends_with("_tool_result") && kind != "mcp_tool_result" => {
                server_result(kind, &mut raw)?
            }
            "search_result" => match search_result(&mut raw)? {
                Some(result) => result,
                None => return Ok(Err(Unmodelled)),
            },
            _ => return Ok(Err(Unmodelled)),
        };
        match raw.left() {
            Some(member) => Err(Bad::value(member, "a block of this type has no such member")),
            None => Ok(Ok(block)),
        }
    }

    fn used(&mut self, kind: &str, id: Option<&Text<'_>>) {
        if let Some(id) = id.filter(|_| kind.ends_with("tool_use")) {
            self.uses.insert(id.decode().into_owned());
        }
    }

    fn tool_result<'a>(&mut self, raw: &mut RawBlock<'a>) -> Result<Block<'a>, Bad> {
        let id = raw.tool_use_id.take().ok_or_else(|| missing("tool_use_id"))?;
        if !self.uses.contains(&*id.decode()) {
            return Err(Bad::value("tool_use_id", "no `tool_use` before it has this id"));
        }
        let content = match raw.content.take() {
            Some(content) => self.content(content, Role::System).map_err(|bad| bad.within("content"))?,
            None => Vec::new(),
        };
        Ok(Block::ToolResult(ToolResult { id, content, failed: raw.is_error.take(), kind: None }))
    }
}

impl RawBlock<'_> {
    /// A member that was not taken.
    fn left(&self) -> Option<&'static str> {
        let all = [
            ("text", self.text.is_some()),
            ("citations", self.citations.is_some()),
            ("source", self.source.is_some()),
            ("title", self.title.is_some()),
            ("context", self.context.is_some()),
            ("thinking", self.thinking.is_some()),
            ("signature", self.signature.is_some()),
            ("data", self.data.is_some()),
            ("id", self.id.is_some()),
            ("name", self.name.is_some()),
            ("input", self.input.is_some()),
            ("tool_use_id", self.tool_use_id.is_some()),
            ("content", self.content.is_some()),
            ("is_error", self.is_error.is_some()),
        ];
        all.iter().find(|(_, there)| *there).map(|(name, _)| *name)
    }
}

impl Cache<'_> {
    pub(super) fn point(&self) -> Result<CachePoint<'static>, Bad> {
        match &self.kind {
            Some(kind) if kind.is("ephemeral") => {}
            _ => return Err(Bad::value("type", "expected `ephemeral`")),
        }
        match &self.ttl {
            None => Ok(CachePoint::default()),
            Some(ttl) if ttl.is("5m") => Ok(CachePoint { ttl: Some(Text::from_raw("\"5m\"")) }),
            Some(ttl) if ttl.is("1h") => Ok(CachePoint { ttl: Some(Text::from_raw("\"1h\"")) }),
            Some(_) => Err(Bad::value("ttl", "expected `5m` or `1h`")),
        }
    }
}

/// Members that say what would hold without them.
fn says_nothing(member: &Member<'_>) -> bool {
    let value = member.value.raw();
    value == "null" || member.name == "caller" && value.replace([' ', '\n'], "") == r#"{"type":"direct"}"#
}

fn only(role: Role, wanted: Role, name: &str) -> Result<(), Bad> {
    match role == wanted {
        true => Ok(()),
        false => Err(Bad::value("type", format!("blocks of this type stand in messages of `{name}` only"))),
    }
}

fn text<'a>(raw: &mut RawBlock<'a>) -> Result<Block<'a>, Bad> {
    let text = raw.text.take().ok_or_else(|| missing("text"))?;
    let citations = match raw.citations.take() {
        Some(citations) => citation::read_all(citations.get()).map_err(|bad| bad.within("citations"))?,
        None => Vec::new(),
    };
    Ok(match citations.is_empty() {
        true => Block::Text(text),
        false => Block::Cited { content: vec![text], citations },
    })
}

fn cite(raw: Option<&RawValue>) -> Result<Option<bool>, Bad> {
    let Some(raw) = raw else { return Ok(None) };
    let enabled: Enabled<'_> = read(raw.get()).map_err(|bad| bad.within("citations"))?;
    Ok(enabled.enabled)
}

fn document<'a>(raw: &mut RawBlock<'a>) -> Result<Option<Block<'a>>, Bad> {
    let source = raw.source.take().ok_or_else(|| missing("source"))?;
    let Some(mut document) = source::document(source)? else { return Ok(None) };
    document.name = raw.title.take();
    document.context = raw.context.take();
    document.cite = cite(raw.citations.take())?;
    Ok(Some(Block::Document(document)))
}

fn reasoning<'a>(kind: &str, raw: &mut RawBlock<'a>) -> Result<Block<'a>, Bad> {
    Ok(Block::Reasoning(match kind {
        "thinking" => Reasoning::Text {
            text: raw.thinking.take().ok_or_else(|| missing("thinking"))?,
            signature: Some(raw.signature.take().ok_or_else(|| missing("signature"))?),
        },
        _ => Reasoning::Redacted(raw.data.take().ok_or_else(|| missing("data"))?),
    }))
}

fn tool_use<'a>(kind: &str, raw: &mut RawBlock<'a>) -> Result<Block<'a>, Bad> {
    let input = raw.input.take().ok_or_else(|| missing("input"))?;
    if !input.get().starts_with('{') {
        return Err(Bad::value("input", "expected an object"));
    }
    Ok(Block::ToolUse(ToolUse {
        id: raw.id.take().ok_or_else(|| missing("id"))?,
        name: raw.name.take().ok_or_else(|| missing("name"))?,
        input: Json::from_raw(input.get()),
        by_server: kind == "server_tool_use",
    }))
}

/// What a tool of the vendor's gave: a value of its own kind.
fn server_result<'a>(kind: &str, raw: &mut RawBlock<'a>) -> Result<Block<'a>, Bad> {
    let content = raw.content.take().ok_or_else(|| missing("content"))?;
    Ok(Block::ToolResult(ToolResult {
        id: raw.tool_use_id.take().ok_or_else(|| missing("tool_use_id"))?,
        content: vec![Block::Json(Json::from_raw(content.get()))],
        failed: None,
        kind: Some(Text::of(kind)),
    }))
}

fn search_result<'a>(raw: &mut RawBlock<'a>) -> Result<Option<Block<'a>>, Bad> {
    let source = raw.source.take().ok_or_else(|| missing("source"))?;
    if !source.get().starts_with('"') {
        return Err(Bad::value("source", "expected a string"));
    }
    let content = raw.content.take().ok_or_else(|| missing("content"))?;
    let Some(content) = source::parts(content.get()).map_err(|bad| bad.within("content"))? else {
        return Ok(None);
    };
    Ok(Some(Block::SearchResult(SearchResult {
        source: Text::from_raw(source.get()),
        title: raw.title.take().ok_or_else(|| missing("title"))?,
        content,
        cite: cite(raw.citations.take())?,
    })))
}
