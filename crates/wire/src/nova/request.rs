//! Requests.

use bedplate_core::conversation::{Conversation, Json, Rest, Text};
use bedplate_core::form::Form;
use serde_json::value::RawValue;

use crate::converse::blocks::blocks;
use crate::converse::fields::{reasoning_nova, top_k};
use crate::converse::ids::Ids;
use crate::converse::known::must;
use crate::converse::request::{InferenceBody, MessageBody, inference_config, messages, unmixed};
use crate::converse::tools::{ToolsBody, tools};
use crate::converse::write::{self, beside, fields, has_beside, write_blocks};
use crate::json::object::{Bad, List, object, read};
use crate::json::one::One;
use crate::json::write::object;

object!(RequestBody {
    "schemaVersion" => schema: Text<'a>,
    "messages" => messages: List<MessageBody<'a>>,
    "system" => system: List<One<'a>>,
    "inferenceConfig" => inference: NumbersBody<'a>,
    "toolConfig" => tools: ToolsBody<'a>,
    "reasoningConfig" => reasoning: &'a RawValue,
});
object!(NumbersBody {
    "maxTokens" => max_tokens: u64,
    "temperature" => temperature: Json<'a>,
    "topP" => top_p: Json<'a>,
    "topK" => top_k: &'a RawValue,
    "stopSequences" => stop: List<Text<'a>>,
    "reasoningConfig" => reasoning: &'a RawValue,
});

/// Members of other dialects: a body with one of them was written for another door.
const OTHERS: &[&str] = &[
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "anthropic_version",
    "guardrailConfig",
    "max_completion_tokens",
    "max_tokens",
    "outputConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "response_format",
    "serviceTier",
    "stop",
    "stop_sequences",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

pub(super) fn read_request(body: &str) -> Result<Conversation<'_>, Bad> {
    let body: RequestBody<'_> = read(body)?;
    unmixed(&body.rest, OTHERS)?;
    if body.schema.is_some_and(|schema| !schema.is("messages-v1")) {
        return Err(Bad::value("schemaVersion", "expected `messages-v1`"));
    }
    let mut c = Conversation::default();
    let mut rest = body.rest;
    messages(Form::Nova, must(body.messages, "messages")?, &mut c, &mut rest)?;
    if let Some(list) = body.system {
        c.system = blocks(Form::Nova, &list.0).map_err(|bad| bad.within("system"))?;
    }
    if let Some(body) = body.tools {
        tools(Form::Nova, body, &mut c, &mut rest).map_err(|bad| bad.within("toolConfig"))?;
    }
    let mut reasoning = body.reasoning;
    if let Some(numbers) = body.inference {
        let NumbersBody { max_tokens, temperature, top_p, stop, rest: more, .. } = numbers;
        reasoning = reasoning.or(numbers.reasoning);
        let shared = InferenceBody { max_tokens, temperature, top_p, stop, rest: more };
        inference_config(shared, &mut c, &mut rest).map_err(|bad| bad.within("inferenceConfig"))?;
        if let Some(said) = numbers.top_k
            && top_k(said.get(), &mut c).is_none()
        {
            return Err(Bad::value("inferenceConfig.topK", "expected a number"));
        }
    }
    if let Some(said) = reasoning
        && reasoning_nova(said.get(), &mut c).is_none()
    {
        return Err(Bad::value(
            "reasoningConfig",
            "expected a `type`, `enabled` or `disabled`, and its effort",
        ));
    }
    c.rest = Rest::of(Form::Nova, rest);
    Ok(c)
}

pub(super) fn write_request(c: &Conversation<'_>, out: &mut String) {
    let mut o = object(out);
    o.raw("schemaVersion", "\"messages-v1\"");
    write::messages(Form::Nova, c, &mut o);
    if !c.system.is_empty() {
        write_blocks(Form::Nova, &c.system, &mut Ids::default(), &mut o.list("system"));
    }
    let s = &c.sampling;
    let numbers = c.max_tokens.is_some() || s.temperature.is_some() || s.top_p.is_some() || s.top_k.is_some();
    if numbers || !c.stop.is_empty() || has_beside(&c.rest, Form::Nova, "inferenceConfig.") {
        let mut o = o.object("inferenceConfig");
        write::numbers(c, &mut o);
        o.maybe_json("topK", s.top_k.as_ref());
        beside(&c.rest, Form::Nova, |name| name.strip_prefix("inferenceConfig."), &mut o);
    }
    write::tools(Form::Nova, c, &mut o);
    fields::reasoning_nova(c.thinking, c.effort.as_ref(), "reasoningConfig", &mut o);
    for field in &c.fields {
        o.member(field);
    }
    write::unknown(Form::Nova, &c.rest, &mut o);
}
