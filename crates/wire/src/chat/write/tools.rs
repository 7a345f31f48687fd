//! Tools, and how they are chosen.

use bedplate_core::conversation::{Conversation, Tool, ToolChoice, ToolItem};

use super::part::mark;
use crate::chat::Chat;
use crate::json::write::Object;

pub(super) fn write(chat: Chat, c: &Conversation<'_>, o: &mut Object<'_>) {
    if c.tools.iter().any(|item| matches!(item, ToolItem::Tool(_) | ToolItem::Foreign { .. })) {
        let mut list = o.list("tools");
        let mut items = c.tools.iter().peekable();
        while let Some(item) = items.next() {
            let point = match items.peek() {
                Some(ToolItem::CachePoint(point)) => Some(point),
                _ => None,
            };
            match item {
                ToolItem::Tool(tool) => {
                    let mut o = list.object();
                    o.raw("type", "\"function\"");
                    function(chat, tool, &mut o.object("function"));
                    mark(point, &mut o);
                }
                ToolItem::Foreign { tool, .. } => drop(list.raw(tool.raw())),
                ToolItem::System(_) | ToolItem::CachePoint(_) => {}
            }
        }
    }
    match &c.tool_choice {
        Some(ToolChoice::Auto) => drop(o.raw("tool_choice", "\"auto\"")),
        Some(ToolChoice::Any) if chat == Chat::Mistral => drop(o.raw("tool_choice", "\"any\"")),
        Some(ToolChoice::Any) => drop(o.raw("tool_choice", "\"required\"")),
        Some(ToolChoice::Never) => drop(o.raw("tool_choice", "\"none\"")),
        Some(ToolChoice::Named(name)) => {
            let mut o = o.object("tool_choice");
            o.raw("type", "\"function\"").object("function").text("name", name);
        }
        None => {}
    }
    o.maybe_bool("parallel_tool_calls", c.parallel_tools);
}

fn function(chat: Chat, tool: &Tool<'_>, o: &mut Object<'_>) {
    o.text("name", &tool.name).maybe_text("description", tool.description.as_ref());
    o.maybe_json("parameters", tool.schema.as_ref()).maybe_bool("strict", tool.strict);
    for member in tool.rest.to(chat.form()) {
        o.member(member);
    }
}
