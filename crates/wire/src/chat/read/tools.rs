//! Tools, and how they are chosen.

use std::collections::HashSet;

use bedplate_core::conversation::{CachePoint, Conversation, Json, Rest, Text, Tool, ToolChoice, ToolItem};
use serde_json::value::RawValue;

use super::{Marked, Request, Unknown};
use crate::chat::Chat;
use crate::json::object::{Bad, List, object, read};

object!(Item {
    "type" => kind: Text<'a>,
    "function" => function: Function<'a>,
    "cache_control" => cache: Marked<'a>,
});
object!(Function {
    "name" => name: Text<'a>,
    "description" => description: Text<'a>,
    "parameters" => parameters: &'a RawValue,
    "strict" => strict: bool,
    "cache_control" => cache: Marked<'a>,
});
object!(Chosen {
    "type" => kind: Text<'a>,
    "function" => function: Named<'a>,
    "allowed_tools" => allowed: Allowed<'a>,
});
object!(Allowed { "mode" => mode: Text<'a>, "tools" => tools: List<Chosen<'a>> });
object!(Named { "name" => name: Text<'a> });

pub(super) fn read_all<'a>(
    chat: Chat,
    r: &mut Request<'a>,
    c: &mut Conversation<'a>,
    unknown: &mut Unknown<'_, 'a>,
) -> Result<(), Bad> {
    let tools = r.tools.take().map(|list| list.0).unwrap_or_default();
    for (at, raw) in tools.into_iter().enumerate() {
        tool(chat, raw.get(), c, unknown).map_err(|e| e.within(format_args!("tools[{at}]")))?;
    }
    if let Some(raw) = r.tool_choice {
        choice(raw.get(), c, unknown).map_err(|e| e.within("tool_choice"))?;
    }
    c.parallel_tools = r.parallel_tool_calls;
    Ok(())
}

fn tool<'a>(
    chat: Chat,
    raw: &'a str,
    c: &mut Conversation<'a>,
    unknown: &mut Unknown<'_, 'a>,
) -> Result<(), Bad> {
    let item: Item<'a> = read(raw)?;
    let Some(kind) = &item.kind else {
        let other = |name: &str| item.rest.iter().any(|member| member.name == name);
        return Err(match (other("input_schema"), other("toolSpec")) {
            (true, _) => Bad::value("input_schema", "mixed dialects: it belongs to Anthropic's messages"),
            (_, true) => Bad::value("toolSpec", "mixed dialects: it belongs to Bedrock's Converse"),
            _ => Bad::value("type", "it must be there: `function`"),
        });
    };
    if !kind.is("function") {
        c.tools.push(ToolItem::Foreign { form: chat.form(), tool: Json::from_raw(raw) });
        return Ok(());
    }
    let function = item.function.ok_or_else(|| Bad::value("function", "it must be there"))?;
    let name = function.name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Bad::value("function.name", "it must be there"))?;
    let schema = match function.parameters.map(RawValue::get) {
        Some(raw) if !raw.starts_with('{') => {
            return Err(Bad::value("function.parameters", "expected a schema: an object"));
        }
        raw => raw.map(Json::from_raw),
    };
    c.tools.push(ToolItem::Tool(Tool {
        name,
        description: function.description,
        schema,
        strict: function.strict,
        rest: Rest::of(chat.form(), function.rest),
    }));
    unknown.within("tools", item.rest);
    if let Some(mark) = item.cache.or(function.cache) {
        c.tools.push(ToolItem::CachePoint(cache_point(mark)?));
    }
    Ok(())
}

/// What `cache_control` says.
pub(super) fn cache_point(mark: Marked<'_>) -> Result<CachePoint<'_>, Bad> {
    match mark.kind {
        Some(kind) if kind.is("ephemeral") => Ok(CachePoint { ttl: mark.ttl }),
        _ => Err(Bad::value("cache_control.type", "expected `ephemeral`")),
    }
}

fn choice<'a>(raw: &'a str, c: &mut Conversation<'a>, unknown: &mut Unknown<'_, 'a>) -> Result<(), Bad> {
    c.tool_choice = Some(match raw.starts_with('"') {
        true => mode(&Text::from_raw(raw)).map_err(|why| Bad::value("", why))?,
        false => {
            let chosen: Chosen<'a> = read(raw)?;
            match chosen.kind.as_ref().map(Text::decode).as_deref() {
                Some("function") => ToolChoice::Named(name(chosen.function)?),
                Some("allowed_tools") => allowed(chosen.allowed, c).map_err(|e| e.within("allowed_tools"))?,
                Some("custom") => {
                    unknown.keep("tool_choice", Json::from_raw(raw));
                    return Ok(());
                }
                _ => return Err(Bad::value("type", "expected `function` or `allowed_tools`")),
            }
        }
    });
    match &c.tool_choice {
        Some(ToolChoice::Any | ToolChoice::Named(_)) if c.tools.is_empty() => {
            Err(Bad::value("", "there are no tools to choose from"))
        }
        Some(ToolChoice::Named(name)) if !c.tools.iter().any(|item| is_named(item, &name.decode())) => {
            Err(Bad::value("function.name", "there is no tool of this name"))
        }
        _ => Ok(()),
    }
}

fn mode<'a>(word: &Text<'_>) -> Result<ToolChoice<'a>, &'static str> {
    match &*word.decode() {
        "auto" => Ok(ToolChoice::Auto),
        // the second is Mistral's
        "required" | "any" => Ok(ToolChoice::Any),
        "none" => Ok(ToolChoice::Never),
        _ => Err("expected `auto`, `required`, `none` or an object"),
    }
}

fn name(named: Option<Named<'_>>) -> Result<Text<'_>, Bad> {
    named.and_then(|named| named.name).ok_or_else(|| Bad::value("function.name", "it must be there"))
}

/// The others are taken out: no other dialect has a word for tools that are there and may not be used.
fn allowed<'a>(allowed: Option<Allowed<'a>>, c: &mut Conversation<'a>) -> Result<ToolChoice<'a>, Bad> {
    let allowed = allowed.ok_or_else(|| Bad::value("", "it must be there"))?;
    let mut names = HashSet::new();
    for (at, tool) in allowed.tools.unwrap_or_default().0.into_iter().enumerate() {
        let name = name(tool.function).map_err(|e| e.within(format_args!("tools[{at}]")))?;
        let name = name.decode().into_owned();
        names.insert(name);
    }
    c.tools.retain(|item| match item {
        ToolItem::Tool(tool) => names.contains(&*tool.name.decode()),
        ToolItem::System(_) | ToolItem::CachePoint(_) | ToolItem::Foreign { .. } => true,
    });
    match allowed.mode {
        Some(word) if word.is("auto") || word.is("required") => {
            mode(&word).map_err(|why| Bad::value("mode", why))
        }
        _ => Err(Bad::value("mode", "expected `auto` or `required`")),
    }
}

fn is_named(item: &ToolItem<'_>, name: &str) -> bool {
    matches!(item, ToolItem::Tool(tool) if tool.name.is(name))
}
