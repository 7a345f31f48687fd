//! Writing tools.

use bedplate_core::conversation::{Conversation, Tool, ToolChoice, ToolItem};
use bedplate_core::form::Form;

use super::blocks::cache_point;
use super::{beside, has_beside};
use crate::json::write::Object;

/// Writes `toolConfig`, unless there are no tools.
pub(crate) fn tools(form: Form, c: &Conversation<'_>, o: &mut Object<'_>) {
    if c.tools.is_empty() {
        return;
    }
    let mut o = o.object("toolConfig");
    {
        let mut list = o.list("tools");
        for item in &c.tools {
            match item {
                ToolItem::Tool(tool) => spec(form, tool, &mut list.object().object("toolSpec")),
                ToolItem::System(name) => {
                    list.object().object("systemTool").text("name", name);
                }
                ToolItem::CachePoint(point) => cache_point(point, &mut list.object()),
                ToolItem::Foreign { form: of, tool } if *of == form => {
                    list.raw(tool.raw());
                }
                ToolItem::Foreign { .. } => {}
            }
        }
    }
    match &c.tool_choice {
        Some(ToolChoice::Auto) => drop(o.object("toolChoice").object("auto")),
        Some(ToolChoice::Any) => drop(o.object("toolChoice").object("any")),
        Some(ToolChoice::Named(name)) => {
            o.object("toolChoice").object("tool").text("name", name);
        }
        // without tools there is nothing to forbid: `settle` saw to it
        Some(ToolChoice::Never) | None => {}
    }
    if has_beside(&c.rest, form, "toolConfig.") {
        beside(&c.rest, form, |name| name.strip_prefix("toolConfig."), &mut o);
    }
}

fn spec(form: Form, tool: &Tool<'_>, o: &mut Object<'_>) {
    o.text("name", &tool.name);
    // an empty one is refused
    o.maybe_text("description", tool.description.as_ref().filter(|text| !text.is_empty()));
    {
        let mut schema = o.object("inputSchema");
        match &tool.schema {
            Some(json) => schema.json("json", json),
            None => schema.raw("json", crate::converse::ANY_OBJECT),
        };
    }
    o.maybe_bool("strict", tool.strict);
    for member in tool.rest.to(form) {
        o.member(member);
    }
}
