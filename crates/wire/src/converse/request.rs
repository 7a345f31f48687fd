//! Reading requests.

use std::borrow::Cow;
use std::collections::HashSet;

use bedplate_core::conversation::{
    Block, Conversation, Json, Member, Message, Output, Rest, Role, Text, ToolResult, ToolUse,
};
use bedplate_core::form::Form;
use serde_json::value::RawValue;

use super::blocks::blocks;
use super::fields::fields;
use super::known::must;
use super::tools::{ToolsBody, tools};
use crate::json::object::{Bad, List, object, read};
use crate::json::one::One;

object!(RequestBody {
    "messages" => messages: List<MessageBody<'a>>,
    "system" => system: List<One<'a>>,
    "inferenceConfig" => inference: InferenceBody<'a>,
    "toolConfig" => tools: ToolsBody<'a>,
    "guardrailConfig" => guardrail: Json<'a>,
    "additionalModelRequestFields" => fields: &'a RawValue,
    "additionalModelResponseFieldPaths" => paths: List<Text<'a>>,
    "requestMetadata" => metadata: Pairs<'a>,
    "performanceConfig" => performance: PerformanceBody<'a>,
    "serviceTier" => tier: TierBody<'a>,
    "outputConfig" => output: OutputBody<'a>,
});
object!(
    /// One turn.
    MessageBody { "role" => role: Text<'a>, "content" => content: List<One<'a>> }
);
object!(InferenceBody {
    "maxTokens" => max_tokens: u64,
    "temperature" => temperature: Json<'a>,
    "topP" => top_p: Json<'a>,
    "stopSequences" => stop: List<Text<'a>>,
});
object!(Pairs {});
object!(PerformanceBody { "latency" => latency: Text<'a> });
object!(TierBody { "type" => kind: Text<'a> });
object!(OutputBody { "textFormat" => format: &'a RawValue, "effort" => effort: Text<'a> });
object!(FormatBody { "type" => kind: Text<'a>, "structure" => structure: One<'a> });
object!(SchemaBody { "schema" => schema: Text<'a>, "name" => name: Text<'a>, "description" => description: Text<'a> });

/// Members of other dialects: a body with one of them was written for another door.
const OTHERS: &[&str] = &[
    "anthropic_beta",
    "anthropic_version",
    "frequency_penalty",
    "inferenceParameters",
    "max_completion_tokens",
    "max_tokens",
    "presence_penalty",
    "prompt",
    "reasoning_effort",
    "response_format",
    "schemaVersion",
    "stop",
    "stop_sequences",
    "stream",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// Pairs of metadata that a request may have.
pub(super) const MOST_PAIRS: usize = 16;

/// # Errors
/// What is wrong with it, by its member.
pub(super) fn request(body: &str) -> Result<Conversation<'_>, Bad> {
    let body: RequestBody<'_> = read(body)?;
    unmixed(&body.rest, OTHERS)?;
    let mut c = Conversation::default();
    let mut rest = body.rest;
    if let Some(list) = body.messages {
        messages(Form::Converse, list, &mut c, &mut rest)?;
    }
    if let Some(list) = body.system {
        c.system = blocks(Form::Converse, &list.0).map_err(|bad| bad.within("system"))?;
    }
    if let Some(inference) = body.inference {
        inference_config(inference, &mut c, &mut rest).map_err(|bad| bad.within("inferenceConfig"))?;
    }
    if let Some(body) = body.tools {
        tools(Form::Converse, body, &mut c, &mut rest).map_err(|bad| bad.within("toolConfig"))?;
    }
    if let Some(output) = body.output {
        output_config(output, &mut c, &mut rest).map_err(|bad| bad.within("outputConfig"))?;
    }
    if let Some(value) = body.fields {
        fields(value.get(), &mut c).map_err(|bad| bad.within("additionalModelRequestFields"))?;
    }
    c.field_paths = body.paths.unwrap_or_default().0;
    if let Some(pairs) = body.metadata {
        c.metadata = metadata(pairs).map_err(|bad| bad.within("requestMetadata"))?;
    }
    if let Some(performance) = body.performance {
        c.service.latency = performance.latency.map(|latency| Cow::Owned(latency.decode().into_owned()));
        beside("performanceConfig", performance.rest, &mut rest);
    }
    if let Some(tier) = body.tier {
        let kind = must(tier.kind, "serviceTier.type")?;
        c.service.tier = Some(Cow::Owned(kind.decode().into_owned()));
        beside("serviceTier", tier.rest, &mut rest);
    }
    c.service.guardrail = body.guardrail;
    c.rest = Rest::of(Form::Converse, rest);
    Ok(c)
}

/// # Errors
/// When a member is another dialect's.
pub(crate) fn unmixed(rest: &[Member<'_>], others: &[&str]) -> Result<(), Bad> {
    match rest.iter().find(|member| others.contains(&&*member.name)) {
        Some(member) => Err(Bad::value(&*member.name, "another dialect's member: the body mixes dialects")),
        None => Ok(()),
    }
}

/// Adds what an inner object says beside the form's members, by its path.
pub(crate) fn beside<'a>(object: &str, members: Vec<Member<'a>>, rest: &mut Vec<Member<'a>>) {
    rest.extend(
        members
            .into_iter()
            .map(|member| Member { name: format!("{object}.{}", member.name).into(), value: member.value }),
    );
}

/// # Errors
/// What is wrong with one of them.
pub(crate) fn messages<'a>(
    form: Form,
    list: List<MessageBody<'a>>,
    c: &mut Conversation<'a>,
    rest: &mut Vec<Member<'a>>,
) -> Result<(), Bad> {
    if list.0.is_empty() {
        return Err(Bad::value("messages", "it holds nothing"));
    }
    c.messages.reserve(list.0.len());
    let mut calls = Calls::default();
    for (at, body) in list.0.into_iter().enumerate() {
        if !body.rest.is_empty() {
            beside(&format!("messages[{at}]"), body.rest, rest);
        }
        let message = message(form, body.role, body.content)
            .and_then(|message| calls.follow(&message.content).map(|()| message))
            .map_err(|bad| bad.within(format_args!("messages[{at}]")))?;
        c.messages.push(message);
    }
    Ok(())
}

fn message<'a>(
    form: Form,
    role: Option<Text<'a>>,
    content: Option<List<One<'a>>>,
) -> Result<Message<'a>, Bad> {
    let role = match &*must(role, "role")?.decode() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(Bad::value("role", "expected `user`, `assistant` or `system`")),
    };
    let content = must(content, "content")?.0;
    if content.is_empty() {
        return Err(Bad::value("content", "it holds nothing"));
    }
    Ok(Message { role, name: None, content: blocks(form, &content).map_err(|bad| bad.within("content"))? })
}

/// Which tools were used so far: a result belongs to a use.
#[derive(Default)]
struct Calls<'a> {
    ids: HashSet<Text<'a>>,
    /// There was a block that the form does not model: it may have used tools too.
    unsure: bool,
}

impl<'a> Calls<'a> {
    fn follow(&mut self, content: &[Block<'a>]) -> Result<(), Bad> {
        for (at, block) in content.iter().enumerate() {
            match block {
                Block::ToolUse(ToolUse { id, .. }) => {
                    self.ids.insert(id.clone());
                }
                Block::Foreign { .. } => self.unsure = true,
                Block::ToolResult(ToolResult { id, .. }) if !self.unsure && !self.knows(id) => {
                    return Err(Bad::value(
                        format!("content[{at}].toolResult.toolUseId"),
                        "no use of a tool before it has this id",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The same id may be written with other escapes.
    fn knows(&self, id: &Text<'a>) -> bool {
        self.ids.contains(id)
            || id.raw().contains('\\') && self.ids.iter().any(|other| other.is(&id.decode()))
    }
}

/// # Errors
/// What is wrong with it.
pub(crate) fn inference_config<'a>(
    body: InferenceBody<'a>,
    c: &mut Conversation<'a>,
    rest: &mut Vec<Member<'a>>,
) -> Result<(), Bad> {
    if body.max_tokens == Some(0) {
        return Err(Bad::value("maxTokens", "expected at least 1"));
    }
    c.max_tokens = body.max_tokens;
    c.sampling.temperature = number(body.temperature, "temperature")?;
    c.sampling.top_p = number(body.top_p, "topP")?;
    c.stop = body.stop.unwrap_or_default().0;
    beside("inferenceConfig", body.rest, rest);
    Ok(())
}

fn number<'a>(value: Option<Json<'a>>, name: &str) -> Result<Option<Json<'a>>, Bad> {
    match value {
        Some(json) if !json.raw().starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
            Err(Bad::value(name, "expected a number"))
        }
        value => Ok(value),
    }
}

fn output_config<'a>(
    body: OutputBody<'a>,
    c: &mut Conversation<'a>,
    rest: &mut Vec<Member<'a>>,
) -> Result<(), Bad> {
    c.effort = body.effort;
    if let Some(format) = body.format.map(RawValue::get) {
        match text_format(format).map_err(|bad| bad.within("textFormat"))? {
            Some(output) => c.output = Some(output),
            None => {
                rest.push(Member { name: "outputConfig.textFormat".into(), value: Json::from_raw(format) })
            }
        }
    }
    beside("outputConfig", body.rest, rest);
    Ok(())
}

/// `None` when the normal form does not model it.
fn text_format(value: &str) -> Result<Option<Output<'_>>, Bad> {
    let body: FormatBody<'_> = read(value)?;
    let (kind, structure) = (must(body.kind, "type")?, must(body.structure, "structure")?);
    if !kind.is("json_schema") || structure.name != "jsonSchema" || !body.rest.is_empty() {
        return Ok(None);
    }
    let within = |bad: Bad| bad.within("structure.jsonSchema");
    let body: SchemaBody<'_> = read(structure.value).map_err(within)?;
    if !body.rest.is_empty() {
        return Ok(None);
    }
    let schema = must(body.schema, "schema").map_err(within)?.decode().into_owned();
    if read::<Pairs<'_>>(&schema).is_err() {
        return Err(within(Bad::value("schema", "expected an object of JSON, written as a string")));
    }
    let bare = body.name.is_none() && body.description.is_none();
    if bare && schema == super::ANY_OBJECT {
        return Ok(Some(Output::Json));
    }
    let schema = Json::from_raw(schema);
    Ok(Some(Output::Schema { name: body.name, description: body.description, schema, strict: None }))
}

fn metadata(pairs: Pairs<'_>) -> Result<Vec<(Text<'_>, Text<'_>)>, Bad> {
    let pairs = pairs.rest;
    if pairs.len() > MOST_PAIRS {
        return Err(Bad::value("", format!("expected at most {MOST_PAIRS} pairs")));
    }
    let mut metadata = Vec::with_capacity(pairs.len());
    for (at, Member { name, value }) in pairs.iter().enumerate() {
        if pairs.iter().take(at).any(|other| other.name == *name) {
            return Err(Bad::value("", "a key stands there twice"));
        }
        let Ok(text) = read::<String>(value.raw()) else {
            return Err(Bad::value("", "expected strings"));
        };
        metadata.push((Text::of(name), Text::of(&text)));
    }
    Ok(metadata)
}
