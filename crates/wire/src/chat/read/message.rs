//! The turns of a conversation.

use std::borrow::Cow;
use std::collections::HashMap;

use bedplate_core::conversation::{
    Block, Conversation, Json, Message, Reasoning, Role, Text, ToolResult, ToolUse,
};
use bedplate_core::form::Form;
use serde_json::value::RawValue;

use super::{Marked, Unknown, parts, tools};
use crate::json::object::{Bad, List, object, read};

object!(Turn {
    "role" => role: Text<'a>,
    "content" => content: &'a RawValue,
    "name" => name: Text<'a>,
    "tool_calls" => tool_calls: List<&'a RawValue>,
    "tool_call_id" => tool_call_id: Text<'a>,
    "refusal" => refusal: Text<'a>,
    "reasoning_content" => reasoning_content: Text<'a>,
    "reasoning" => reasoning: Text<'a>,
    "thinking_blocks" => thoughts: List<Thought<'a>>,
    "function_call" => function_call: &'a RawValue,
    "cache_control" => cache: Marked<'a>,
});
object!(Thought {
    "type" => kind: Text<'a>,
    "thinking" => thinking: Text<'a>,
    "signature" => signature: Text<'a>,
    "data" => data: Text<'a>,
});
object!(Call { "id" => id: Text<'a>, "type" => kind: Text<'a>, "function" => function: Called<'a> });
object!(Called { "name" => name: Text<'a>, "arguments" => arguments: &'a RawValue });

pub(super) fn read_all<'a>(
    turns: Option<List<Turn<'a>>>,
    c: &mut Conversation<'a>,
    unknown: &mut Unknown<'_, 'a>,
) -> Result<(), Bad> {
    let turns = turns.ok_or_else(|| Bad::value("messages", "it must be there"))?.0;
    if turns.is_empty() {
        return Err(Bad::value("messages", "expected one or more"));
    }
    c.messages.reserve(turns.len());
    let mut open = Open::default();
    for (at, turn) in turns.into_iter().enumerate() {
        read_one(turn, c, &mut open, unknown).map_err(|e| e.within(format_args!("messages[{at}]")))?;
    }
    Ok(())
}

/// Tools that the last assistant wants used, and whose results have not come.
#[derive(Default)]
struct Open<'a> {
    ids: HashMap<Cow<'a, str>, usize>,
}

/// Who speaks.
enum Speaker {
    Of(Role),
    Tool,
}

fn speaker(role: Option<&Text<'_>>) -> Result<Speaker, Bad> {
    match role.map(Text::decode).as_deref() {
        Some("system" | "developer") => Ok(Speaker::Of(Role::System)),
        Some("user") => Ok(Speaker::Of(Role::User)),
        Some("assistant") => Ok(Speaker::Of(Role::Assistant)),
        Some("tool") => Ok(Speaker::Tool),
        Some("function") => {
            Err(Bad::value("role", "the `function` role is the old way of using tools: send `tool` messages"))
        }
        Some(_) => Err(Bad::value("role", "expected `system`, `developer`, `user`, `assistant` or `tool`")),
        None => Err(Bad::value("role", "it must be there")),
    }
}

fn read_one<'a>(
    turn: Turn<'a>,
    c: &mut Conversation<'a>,
    open: &mut Open<'a>,
    unknown: &mut Unknown<'_, 'a>,
) -> Result<(), Bad> {
    let role = match speaker(turn.role.as_ref())? {
        Speaker::Tool => return result(turn, c, open, unknown),
        Speaker::Of(role) => role,
    };
    if !open.ids.is_empty() {
        let why = "the tool calls before it want a `tool` message each, with their `tool_call_id`, first";
        return Err(Bad::value("role", why));
    }
    let mut content = Vec::new();
    match role {
        Role::Assistant => assistant(&turn, &mut content, open, unknown)?,
        Role::User | Role::System => said(&turn, &mut content, unknown)?,
    }
    let is_instruction = |block: &Block<'_>| matches!(block, Block::Text(_) | Block::CachePoint(_));
    if role == Role::System && !content.iter().all(is_instruction) {
        return Err(Bad::value("content", "instructions are text"));
    }
    if let Some(mark) = turn.cache {
        content.push(Block::CachePoint(tools::cache_point(mark)?));
    }
    unknown.within("messages", turn.rest);
    // instructions before anybody has spoken
    match role == Role::System && c.messages.is_empty() {
        true => c.system.append(&mut content),
        false => c.messages.push(Message { role, name: turn.name, content }),
    }
    Ok(())
}

fn said<'a>(turn: &Turn<'a>, blocks: &mut Vec<Block<'a>>, unknown: &mut Unknown<'_, 'a>) -> Result<(), Bad> {
    let raw = turn.content.ok_or_else(|| Bad::value("content", "it must be there"))?;
    parts(raw, blocks, unknown).map_err(|e| e.within("content"))?;
    match (blocks.is_empty(), &turn.tool_calls) {
        (true, _) => Err(Bad::value("content", "expected one part or more")),
        (_, Some(calls)) if !calls.0.is_empty() => {
            Err(Bad::value("tool_calls", "only assistants call tools"))
        }
        _ => Ok(()),
    }
}

fn assistant<'a>(
    turn: &Turn<'a>,
    blocks: &mut Vec<Block<'a>>,
    open: &mut Open<'a>,
    unknown: &mut Unknown<'_, 'a>,
) -> Result<(), Bad> {
    if turn.function_call.is_some() {
        return Err(Bad::value("function_call", "it is the old way of using tools: send `tool_calls`"));
    }
    let told = turn.reasoning_content.as_ref().or(turn.reasoning.as_ref());
    reasoning(turn.thoughts.as_ref().map(|list| &list.0[..]), told, blocks)?;
    let calls = turn.tool_calls.as_ref().map_or(&[][..], |list| &list.0);
    let before = blocks.len();
    if let Some(raw) = turn.content
        && (calls.is_empty() || raw.get() != "\"\"")
    {
        parts(raw, blocks, unknown).map_err(|e| e.within("content"))?;
    }
    if let Some(refusal) = &turn.refusal {
        blocks.push(Block::Refusal(refusal.clone()));
    }
    if calls.is_empty() && blocks.len() == before {
        return Err(Bad::value("content", "it must be there, or `tool_calls`"));
    }
    for (at, raw) in calls.iter().enumerate() {
        let (block, id) =
            call(raw.get(), unknown.form).map_err(|e| e.within(format_args!("tool_calls[{at}]")))?;
        *open.ids.entry(id).or_default() += 1;
        blocks.push(block);
    }
    Ok(())
}

/// `thinking_blocks` say all that `reasoning_content` does.
pub(in crate::chat) fn reasoning<'a>(
    thoughts: Option<&[Thought<'a>]>,
    told: Option<&Text<'a>>,
    blocks: &mut Vec<Block<'a>>,
) -> Result<(), Bad> {
    for (at, thought) in thoughts.unwrap_or_default().iter().enumerate() {
        let bad = |member: &str, why| Err(Bad::value(format!("thinking_blocks[{at}].{member}"), why));
        let kind = thought.kind.as_ref().map(Text::decode);
        blocks.push(Block::Reasoning(match (kind.as_deref(), &thought.thinking, &thought.data) {
            (Some("thinking"), Some(text), _) => {
                Reasoning::Text { text: text.clone(), signature: thought.signature.clone() }
            }
            (Some("redacted_thinking"), _, Some(data)) => Reasoning::Redacted(data.clone()),
            (Some("thinking"), None, _) => return bad("thinking", "it must be there"),
            (Some("redacted_thinking"), _, None) => return bad("data", "it must be there"),
            _ => return bad("type", "expected `thinking` or `redacted_thinking`"),
        }));
    }
    let said = blocks.iter().any(|block| matches!(block, Block::Reasoning(Reasoning::Text { .. })));
    if let Some(text) = told.filter(|text| !said && !text.is_empty()) {
        blocks.push(Block::Reasoning(Reasoning::Text { text: text.clone(), signature: None }));
    }
    Ok(())
}

/// A use of a tool, and its id.
fn call(raw: &str, form: Form) -> Result<(Block<'_>, Cow<'_, str>), Bad> {
    let call: Call<'_> = read(raw)?;
    let id = call.id.clone().filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Bad::value("id", "it must be there"))?;
    let key = key(&id);
    match call.kind.as_ref().map(Text::decode).as_deref() {
        None | Some("function") => {
            let (used, is_json) = tool_use(call, id)?;
            match is_json {
                true => Ok((Block::ToolUse(used), key)),
                false => Err(Bad::value("function.arguments", "what the string holds is not JSON")),
            }
        }
        Some("custom") => Ok((Block::Foreign { form, block: Json::from_raw(raw) }, key)),
        Some(_) => Err(Bad::value("type", "expected `function` or `custom`")),
    }
}

fn key<'a>(id: &Text<'a>) -> Cow<'a, str> {
    Cow::Owned(id.decode().into_owned())
}

/// The use that a call is, and whether its arguments are JSON: if not, they are a string.
pub(in crate::chat) fn tool_use<'a>(call: Call<'a>, id: Text<'a>) -> Result<(ToolUse<'a>, bool), Bad> {
    let function = call.function.ok_or_else(|| Bad::value("function", "it must be there"))?;
    let name = function.name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Bad::value("function.name", "it must be there"))?;
    let (input, is_json) = arguments(function.arguments)?;
    Ok((ToolUse { id, name, input, by_server: false }, is_json))
}

/// The JSON in a string: as it stands there. No JSON at all is an empty object; what is none is a string.
pub(in crate::chat) fn arguments(raw: Option<&RawValue>) -> Result<(Json<'_>, bool), Bad> {
    let nothing = || (Json::from_raw("{}"), true);
    let Some(raw) = raw.map(RawValue::get) else { return Ok(nothing()) };
    // some models' servers do not put it into a string
    if raw.starts_with('{') {
        return Ok((Json::from_raw(raw), true));
    }
    let inner = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
    let inner = inner.ok_or_else(|| Bad::value("function.arguments", "expected a string"))?;
    let said = match inner.contains('\\') {
        false => Cow::Borrowed(inner),
        true => Cow::Owned(Text::from_raw(raw).decode().into_owned()),
    };
    if said.trim_ascii().is_empty() {
        return Ok(nothing());
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(&said) {
        Ok(_) => Ok((Json::from_raw(said), true)),
        Err(_) => Ok((Json::from(Text::from_raw(raw)), false)),
    }
}

fn result<'a>(
    turn: Turn<'a>,
    c: &mut Conversation<'a>,
    open: &mut Open<'a>,
    unknown: &mut Unknown<'_, 'a>,
) -> Result<(), Bad> {
    let id = turn.tool_call_id.ok_or_else(|| Bad::value("tool_call_id", "it must be there"))?;
    let waits = open.ids.get_mut(&*id.decode()).map(|waits| {
        *waits -= 1;
        *waits
    });
    match waits {
        Some(0) => drop(open.ids.remove(&*id.decode())),
        Some(_) => {}
        None => {
            let why = "no tool call before it has this id and waits for its result";
            return Err(Bad::value("tool_call_id", why));
        }
    }
    let raw = turn.content.ok_or_else(|| Bad::value("content", "it must be there"))?;
    let mut content = Vec::new();
    parts(raw, &mut content, unknown).map_err(|e| e.within("content"))?;
    let mut blocks = vec![Block::ToolResult(ToolResult { id, content, failed: None, kind: None })];
    if let Some(mark) = turn.cache {
        blocks.push(Block::CachePoint(tools::cache_point(mark)?));
    }
    unknown.within("messages", turn.rest);
    c.messages.push(Message { role: Role::User, name: turn.name, content: blocks });
    Ok(())
}
