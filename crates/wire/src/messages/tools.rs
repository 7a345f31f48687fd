//! Tools, and how they are chosen.

use bedplate_core::conversation::{
    Block, Conversation, Json, Member, Message, Rest, Text, Tool, ToolChoice, ToolItem,
};
use bedplate_core::form::Form;
use serde_json::value::RawValue;

use super::put;
use super::read::{keep, missing};
use super::turns::Cache;
use crate::json::object::{Bad, object, read as parse};
use crate::json::write::Object;

object!(RawTool {
    "type" => kind: Text<'a>,
    "name" => name: Text<'a>,
    "description" => description: Text<'a>,
    "input_schema" => schema: Json<'a>,
    "strict" => strict: bool,
    "cache_control" => cache: Cache<'a>,
});
object!(RawChoice {
    "type" => kind: Text<'a>,
    "name" => name: Text<'a>,
    "disable_parallel_tool_use" => serial: bool,
});

/// What a tool of the caller's may say beside what every dialect knows.
const BESIDE: &[&str] =
    &["type", "allowed_callers", "defer_loading", "eager_input_streaming", "input_examples"];

pub(super) fn read(form: Form, list: Vec<&RawValue>) -> Result<Vec<ToolItem<'_>>, Bad> {
    let mut tools = Vec::with_capacity(list.len());
    for (at, raw) in list.into_iter().enumerate() {
        tool(form, raw.get(), &mut tools).map_err(|bad| bad.within(format_args!("tools[{at}]")))?;
    }
    Ok(tools)
}

fn tool<'a>(form: Form, raw: &'a str, tools: &mut Vec<ToolItem<'a>>) -> Result<(), Bad> {
    let mut tool: RawTool<'_> = parse(raw)?;
    let own = tool.kind.as_ref().is_none_or(|kind| kind.is("custom"));
    if let Some(member) = tool.rest.iter().find(|member| ["function", "toolSpec"].contains(&&*member.name)) {
        return Err(Bad::value(&*member.name, "mixed dialects: here tools have `name` and `input_schema`"));
    }
    if !own || tool.rest.iter().any(|member| !BESIDE.contains(&&*member.name)) {
        tools.push(ToolItem::Foreign { form, tool: Json::from_raw(raw) });
        return Ok(());
    }
    if let Some(kind) = tool.kind {
        tool.rest.push(Member { name: "type".into(), value: kind.into() });
    }
    let schema = tool.schema.ok_or_else(|| missing("input_schema"))?;
    if !schema.raw().starts_with('{') {
        return Err(Bad::value("input_schema", "expected an object"));
    }
    tools.push(ToolItem::Tool(Tool {
        name: tool.name.ok_or_else(|| missing("name"))?,
        description: tool.description,
        schema: Some(schema),
        strict: tool.strict,
        rest: Rest::of(form, tool.rest),
    }));
    if let Some(cache) = tool.cache {
        tools.push(ToolItem::CachePoint(cache.point().map_err(|bad| bad.within("cache_control"))?));
    }
    Ok(())
}

/// The choice, and whether several tools may be used in one turn.
pub(super) fn read_choice<'a>(
    choice: Option<RawChoice<'a>>,
    rest: &mut Vec<Member<'a>>,
) -> Result<(Option<ToolChoice<'a>>, Option<bool>), Bad> {
    let Some(choice) = choice else { return Ok((None, None)) };
    let kind = choice.kind.ok_or_else(|| missing("type"))?;
    let wanted = match (&*kind.decode(), choice.name) {
        ("auto", None) => ToolChoice::Auto,
        ("any", None) => ToolChoice::Any,
        ("none", None) if choice.serial.is_none() => ToolChoice::Never,
        ("none", None) => {
            return Err(Bad::value("disable_parallel_tool_use", "with `none` there is no tool use"));
        }
        ("tool", Some(name)) => ToolChoice::Named(name),
        ("tool", None) => return Err(missing("name")),
        ("auto" | "any" | "none", Some(_)) => return Err(Bad::value("name", "only `tool` takes it")),
        _ => return Err(Bad::value("type", "expected `auto`, `any`, `tool` or `none`")),
    };
    keep("tool_choice", choice.rest, rest);
    Ok((Some(wanted), choice.serial.map(|serial| !serial)))
}

/// Whether what is chosen is there. What is kept as it stood may be a tool of any name.
pub(super) fn choosable(
    choice: Option<&ToolChoice<'_>>,
    tools: &[ToolItem<'_>],
    messages: &[Message<'_>],
) -> Result<(), Bad> {
    let mut blocks = messages.iter().flat_map(|message| &message.content);
    let known = !tools.iter().any(|tool| matches!(tool, ToolItem::Foreign { .. }))
        && !blocks.any(|block| matches!(block, Block::Foreign { .. }));
    match choice {
        Some(ToolChoice::Any | ToolChoice::Named(_)) if known && tools.is_empty() => {
            Err(Bad::value("tool_choice", "there are no tools to choose from"))
        }
        Some(ToolChoice::Named(name)) if known => {
            let name = name.decode();
            match tools.iter().any(|item| matches!(item, ToolItem::Tool(tool) if tool.name.is(&name))) {
                true => Ok(()),
                false => Err(Bad::value("tool_choice.name", "there is no tool of this name")),
            }
        }
        _ => Ok(()),
    }
}

pub(super) fn write(body: &mut Object<'_>, conversation: &Conversation<'_>) {
    if conversation.tools.is_empty() {
        return;
    }
    let mut list = body.list("tools");
    for (at, item) in conversation.tools.iter().enumerate() {
        match item {
            ToolItem::Tool(tool) => {
                let mut o = list.object();
                o.text("name", &tool.name).maybe_text("description", tool.description.as_ref());
                match &tool.schema {
                    Some(schema) => o.json("input_schema", schema),
                    None => o.raw("input_schema", r#"{"type":"object","properties":{}}"#),
                };
                o.maybe_bool("strict", tool.strict);
                for member in tool.rest.to(Form::Messages) {
                    o.member(member);
                }
                if let Some(ToolItem::CachePoint(point)) = conversation.tools.get(at + 1) {
                    put::mark(&mut o, point);
                }
            }
            ToolItem::Foreign { tool, .. } => {
                list.raw(tool.raw());
            }
            // the first belongs to the tool before it; the second has been refused
            ToolItem::CachePoint(_) | ToolItem::System(_) => {}
        }
    }
}

pub(super) fn write_choice(body: &mut Object<'_>, conversation: &Conversation<'_>) {
    let parallel = conversation.parallel_tools;
    let choice = match &conversation.tool_choice {
        // without tools the vendor refuses it
        None if parallel.is_none() || conversation.tools.is_empty() => return,
        choice => choice.as_ref().unwrap_or(&ToolChoice::Auto),
    };
    let mut o = body.object("tool_choice");
    match choice {
        ToolChoice::Auto => o.string("type", "auto"),
        ToolChoice::Any => o.string("type", "any"),
        ToolChoice::Never => o.string("type", "none"),
        ToolChoice::Named(name) => o.string("type", "tool").text("name", name),
    };
    if *choice != ToolChoice::Never {
        o.maybe_bool("disable_parallel_tool_use", parallel.map(|parallel| !parallel));
    }
    within(&mut o, "tool_choice", &conversation.rest);
}

/// What was said in a part that is modelled, beside what is modelled.
pub(super) fn within(o: &mut Object<'_>, part: &str, rest: &Rest<'_>) {
    for member in &rest.members {
        if let Some(name) = member.name.strip_prefix(part).and_then(|name| name.strip_prefix('.')) {
            o.member(&Member { name: name.into(), value: member.value.clone() });
        }
    }
}
