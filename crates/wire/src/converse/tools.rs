//! Reading tools.

use bedplate_core::conversation::{Conversation, Json, Member, Rest, Text, Tool, ToolChoice, ToolItem};
use bedplate_core::form::Form;

use super::blocks::cache_point;
use super::known::{Not, must, only};
use crate::json::object::{Bad, List, object, read};
use crate::json::one::One;

object!(ToolsBody { "tools" => tools: List<One<'a>>, "toolChoice" => choice: One<'a> });
object!(SpecBody {
    "name" => name: Text<'a>,
    "description" => description: Text<'a>,
    "inputSchema" => schema: One<'a>,
    "strict" => strict: bool,
});
object!(NameBody { "name" => name: Text<'a> });

/// Reads `toolConfig`; what it says beside the form's members is added to `rest` by its path.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn tools<'a>(
    form: Form,
    body: ToolsBody<'a>,
    c: &mut Conversation<'a>,
    rest: &mut Vec<Member<'a>>,
) -> Result<(), Bad> {
    let list = must(body.tools, "tools")?.0;
    if list.is_empty() {
        return Err(Bad::value("tools", "it holds nothing: leave `toolConfig` out"));
    }
    c.tools.reserve(list.len());
    for (at, one) in list.iter().enumerate() {
        c.tools.push(match item(form, one) {
            Ok(item) => item,
            Err(Not::Bad(bad)) => return Err(bad.within(&one.name).within(format_args!("tools[{at}]"))),
            Err(Not::Modelled) => ToolItem::Foreign { form, tool: one.whole() },
        });
    }
    if let Some(one) = body.choice {
        match choice(&one, c) {
            Ok(choice) => c.tool_choice = Some(choice),
            Err(Not::Bad(bad)) => return Err(bad.within(&one.name).within("toolChoice")),
            Err(Not::Modelled) => {
                rest.push(Member { name: "toolConfig.toolChoice".into(), value: one.whole() });
            }
        }
    }
    super::request::beside("toolConfig", body.rest, rest);
    Ok(())
}

fn item<'a>(form: Form, one: &One<'a>) -> Result<ToolItem<'a>, Not> {
    match &*one.name {
        "toolSpec" => {
            let body: SpecBody<'a> = read(one.value)?;
            let schema = must(body.schema, "inputSchema")?;
            if schema.name != "json" {
                return Err(Not::Modelled);
            }
            if !schema.value.starts_with('{') {
                return Err(Bad::value("inputSchema.json", "expected an object").into());
            }
            Ok(ToolItem::Tool(Tool {
                name: must(body.name, "name")?,
                description: body.description,
                schema: Some(Json::from_raw(schema.value)),
                strict: body.strict,
                rest: Rest::of(form, body.rest),
            }))
        }
        "systemTool" => {
            let body: NameBody<'a> = read(one.value)?;
            only(&body.rest)?;
            Ok(ToolItem::System(must(body.name, "name")?))
        }
        "cachePoint" => cache_point(one.value).map(ToolItem::CachePoint),
        _ => Err(Not::Modelled),
    }
}

fn choice<'a>(one: &One<'a>, c: &Conversation<'a>) -> Result<ToolChoice<'a>, Not> {
    let body: NameBody<'a> = read(one.value)?;
    only(&body.rest)?;
    match &*one.name {
        "auto" => Ok(ToolChoice::Auto),
        "any" => Ok(ToolChoice::Any),
        "tool" => {
            let name = must(body.name, "name")?;
            let there = c.tools.iter().any(|item| match item {
                ToolItem::Tool(Tool { name: other, .. }) | ToolItem::System(other) => {
                    other == &name || other.is(&name.decode())
                }
                ToolItem::Foreign { .. } => true,
                ToolItem::CachePoint(_) => false,
            });
            match there {
                true => Ok(ToolChoice::Named(name)),
                false => Err(Bad::value("name", "no tool of the list has this name").into()),
            }
        }
        _ => Err(Not::Modelled),
    }
}
