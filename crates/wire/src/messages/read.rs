//! Reading requests.

use bedplate_core::conversation::{
    Block, CachePoint, Conversation, Json, Member, Message, Output, Rest, Role, Sampling, Service, Text,
    Thinking,
};
use bedplate_core::form::Form;
use serde_json::value::RawValue;

use super::tools;
use super::turns::{self, Turns};
use crate::json::object::{Bad, List, object, read};

object!(Body {
    "model" => model: Text<'a>,
    "stream" => stream: bool,
    "anthropic_version" => version: Text<'a>,
    "anthropic_beta" => betas: List<Text<'a>>,
    "max_tokens" => max_tokens: u64,
    "messages" => messages: List<Turn<'a>>,
    "system" => system: &'a RawValue,
    "temperature" => temperature: Json<'a>,
    "top_p" => top_p: Json<'a>,
    "top_k" => top_k: Json<'a>,
    "stop_sequences" => stop: List<Text<'a>>,
    "tools" => tools: List<&'a RawValue>,
    "tool_choice" => tool_choice: tools::RawChoice<'a>,
    "thinking" => thinking: &'a RawValue,
    "output_config" => output: OutputConfig<'a>,
    "output_format" => format: Format<'a>,
    "metadata" => metadata: Metadata<'a>,
    "service_tier" => tier: Text<'a>,
    "cache_control" => cache: turns::Cache<'a>,
});
object!(Turn { "role" => role: Text<'a>, "content" => content: &'a RawValue });
object!(RawThinking { "type" => kind: Text<'a>, "budget_tokens" => budget: u64 });
object!(OutputConfig { "format" => format: Format<'a>, "effort" => effort: Text<'a> });
object!(Format { "type" => kind: Text<'a>, "schema" => schema: Json<'a> });
object!(Metadata { "user_id" => user: Text<'a> });

/// Members of other dialects, and whose they are.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (
        &[
            "max_completion_tokens",
            "max_output_tokens",
            "response_format",
            "reasoning_effort",
            "parallel_tool_calls",
            "functions",
            "function_call",
            "frequency_penalty",
            "presence_penalty",
            "logit_bias",
            "logprobs",
            "top_logprobs",
            "seed",
            "stop",
            "n",
            "stream_options",
        ],
        "OpenAI's chat completions",
    ),
    (
        &[
            "inferenceConfig",
            "toolConfig",
            "additionalModelRequestFields",
            "additionalModelResponseFieldPaths",
            "guardrailConfig",
            "performanceConfig",
            "requestMetadata",
            "serviceTier",
            "outputConfig",
            "modelId",
        ],
        "Bedrock's Converse",
    ),
    (&["max_tokens_to_sample", "prompt"], "Anthropic's old text completions"),
];

/// Reads a request.
///
/// # Errors
/// What the vendor would refuse, by its member.
pub(super) fn request(form: Form, body: &str) -> Result<Conversation<'_>, Bad> {
    let body: Body<'_> = read(body)?;
    ours(form, &body)?;
    let mut rest = body.rest;
    let max_tokens = body.max_tokens.ok_or_else(|| missing("max_tokens"))?;
    let sampling = Sampling {
        temperature: number("temperature", body.temperature, 1.0)?,
        top_p: number("top_p", body.top_p, 1.0)?,
        top_k: number("top_k", body.top_k, f64::MAX)?,
        ..Sampling::default()
    };
    let mut turns = Turns::new(form);
    let mut messages = messages(&mut turns, body.messages)?;
    if let Some(cache) = body.cache {
        mark_last(&mut messages, cache.point().map_err(|bad| bad.within("cache_control"))?);
    }
    let system = match body.system {
        Some(raw) => turns.texts(raw).map_err(|bad| bad.within("system"))?,
        None => Vec::new(),
    };
    let (tool_choice, parallel_tools) =
        tools::read_choice(body.tool_choice, &mut rest).map_err(|bad| bad.within("tool_choice"))?;
    let tools = tools::read(form, body.tools.map(|tools| tools.0).unwrap_or_default())?;
    tools::choosable(tool_choice.as_ref(), &tools, &messages)?;
    let (output, effort) = output(body.output, body.format, &mut rest)?;
    let user = body.metadata.and_then(|metadata| {
        keep("metadata", metadata.rest, &mut rest);
        metadata.user
    });
    Ok(Conversation {
        system,
        messages,
        tools,
        tool_choice,
        parallel_tools,
        sampling,
        max_tokens: Some(max_tokens),
        stop: body.stop.map(|stop| stop.0).unwrap_or_default(),
        output,
        effort,
        thinking: thinking(body.thinking, &mut rest)?,
        service: Service { tier: tier(body.tier, &mut rest)?, ..Service::default() },
        user,
        betas: body.betas.map(|betas| betas.0).unwrap_or_default(),
        rest: Rest::of(form, rest),
        ..Conversation::default()
    })
}

/// A member that must be there.
pub(super) fn missing(member: &str) -> Bad {
    Bad::value(member, "it must be there")
}

/// Whether it is written in this form, and not in another.
fn ours(form: Form, body: &Body<'_>) -> Result<(), Bad> {
    for (names, whose) in ELSEWHERE {
        if let Some(member) = body.rest.iter().find(|member| names.contains(&&*member.name)) {
            return Err(Bad::value(&*member.name, format!("mixed dialects: it is a member of {whose}")));
        }
    }
    if form == Form::Messages {
        return match (&body.model, &body.version) {
            (_, Some(_)) => Err(Bad::value(
                "anthropic_version",
                "mixed dialects: bodies of `InvokeModel` have it; here it is a header",
            )),
            (None, _) => Err(missing("model")),
            (Some(_), None) => Ok(()),
        };
    }
    let elsewhere = "mixed dialects: with `InvokeModel` the path says it";
    match (&body.version, &body.model, body.stream) {
        (_, Some(_), _) => Err(Bad::value("model", elsewhere)),
        (_, _, Some(_)) => Err(Bad::value("stream", elsewhere)),
        (None, ..) => Err(missing("anthropic_version")),
        // which versions there are is Bedrock's to say: clients send their own since 2026
        (Some(_), ..) => Ok(()),
    }
}

fn messages<'a>(turns: &mut Turns, list: Option<List<Turn<'a>>>) -> Result<Vec<Message<'a>>, Bad> {
    let list = list.ok_or_else(|| missing("messages"))?.0;
    if list.is_empty() {
        return Err(Bad::value("messages", "there must be at least one"));
    }
    let mut messages = Vec::with_capacity(list.len());
    for (at, turn) in list.into_iter().enumerate() {
        messages.push(message(turns, turn).map_err(|bad| bad.within(format_args!("messages[{at}]")))?);
    }
    Ok(messages)
}

fn message<'a>(turns: &mut Turns, turn: Turn<'a>) -> Result<Message<'a>, Bad> {
    if let Some(member) = turn.rest.first() {
        return Err(Bad::value(&*member.name, "messages have `role` and `content` only"));
    }
    let content = turn.content.ok_or_else(|| missing("content"))?;
    let role = match turn.role.ok_or_else(|| missing("role"))? {
        role if role.is("user") => Role::User,
        role if role.is("assistant") => Role::Assistant,
        role if role.is("system") => Role::System,
        _ => return Err(Bad::value("role", "expected `user`, `assistant` or `system`")),
    };
    let content = match role {
        Role::System => turns.texts(content),
        Role::User | Role::Assistant => turns.content(content, role),
    };
    Ok(Message { role, name: None, content: content.map_err(|bad| bad.within("content"))? })
}

/// A mark on the whole request is one on its last block.
fn mark_last(messages: &mut [Message<'_>], point: CachePoint<'static>) {
    if let Some(last) = messages.last_mut()
        && !matches!(last.content.last(), None | Some(Block::CachePoint(_)))
    {
        last.content.push(Block::CachePoint(point));
    }
}

fn number<'a>(name: &str, value: Option<Json<'a>>, most: f64) -> Result<Option<Json<'a>>, Bad> {
    match value.as_ref().map(Json::number) {
        Some(None) => Err(Bad::value(name, "expected a number")),
        Some(Some(n)) if n < 0.0 || n > most => Err(Bad::value(name, format!("expected 0 to {most}"))),
        _ => Ok(value),
    }
}

fn output<'a>(
    config: Option<OutputConfig<'a>>,
    older: Option<Format<'a>>,
    rest: &mut Vec<Member<'a>>,
) -> Result<(Option<Output<'a>>, Option<Text<'a>>), Bad> {
    let config = config.unwrap_or_default();
    keep("output_config", config.rest, rest);
    let (at, format) = match (config.format, older) {
        (Some(_), Some(_)) => {
            return Err(Bad::value("output_format", "`output_config.format` says it already"));
        }
        (Some(format), None) => ("output_config.format", format),
        (None, Some(format)) => ("output_format", format),
        (None, None) => return Ok((None, config.effort)),
    };
    match format.kind {
        Some(kind) if kind.is("json_schema") => {}
        _ => return Err(Bad::value(format!("{at}.type"), "expected `json_schema`")),
    }
    let schema = format.schema.filter(|schema| schema.raw().starts_with('{'));
    let schema = schema.ok_or_else(|| Bad::value(format!("{at}.schema"), "expected an object"))?;
    keep(at, format.rest, rest);
    Ok((Some(Output::Schema { name: None, description: None, schema, strict: None }), config.effort))
}

fn thinking<'a>(raw: Option<&'a RawValue>, rest: &mut Vec<Member<'a>>) -> Result<Option<Thinking>, Bad> {
    let Some(raw) = raw else { return Ok(None) };
    let thinking: RawThinking<'_> = read(raw.get()).map_err(|bad| bad.within("thinking"))?;
    let kind = thinking.kind.ok_or_else(|| missing("thinking.type"))?;
    let wanted = match (&*kind.decode(), thinking.budget) {
        ("enabled", Some(budget)) => Thinking::On { budget: Some(budget) },
        ("enabled", None) => return Err(missing("thinking.budget_tokens")),
        ("adaptive", None) => Thinking::Adaptive,
        ("disabled", None) => Thinking::Off,
        ("adaptive" | "disabled", Some(_)) => {
            return Err(Bad::value("thinking.budget_tokens", "only `enabled` takes it"));
        }
        _ => {
            // the vendor's next kind of thinking
            rest.push(Member { name: "thinking".into(), value: Json::from_raw(raw.get()) });
            return Ok(None);
        }
    };
    keep("thinking", thinking.rest, rest);
    Ok(Some(wanted))
}

/// `auto` is whatever the account has: AWS has no word for it.
fn tier<'a>(
    tier: Option<Text<'a>>,
    rest: &mut Vec<Member<'a>>,
) -> Result<Option<std::borrow::Cow<'a, str>>, Bad> {
    match tier {
        None => Ok(None),
        Some(tier) if tier.is("standard_only") => Ok(Some("default".into())),
        Some(tier) if tier.is("auto") => {
            rest.push(Member { name: "service_tier".into(), value: tier.into() });
            Ok(None)
        }
        Some(_) => Err(Bad::value("service_tier", "expected `auto` or `standard_only`")),
    }
}

/// Members of a part that is modelled, by their path.
pub(super) fn keep<'a>(part: &str, members: Vec<Member<'a>>, rest: &mut Vec<Member<'a>>) {
    rest.extend(
        members
            .into_iter()
            .map(|member| Member { name: format!("{part}.{}", member.name).into(), value: member.value }),
    );
}
