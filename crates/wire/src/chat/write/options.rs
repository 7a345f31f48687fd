//! Everything of a request but messages and tools.

use bedplate_core::conversation::{Conversation, Output, Service, Text};

use crate::chat::Chat;
use crate::json::write::Object;
use crate::translate::Wanted;

pub(super) fn write(chat: Chat, c: &Conversation<'_>, wanted: &Wanted<'_>, o: &mut Object<'_>) {
    o.maybe_number(max_tokens(chat, wanted.model), c.max_tokens);
    let s = &c.sampling;
    o.maybe_json("temperature", s.temperature.as_ref())
        .maybe_json("top_p", s.top_p.as_ref())
        .maybe_json("top_k", s.top_k.as_ref())
        .maybe_json("frequency_penalty", s.frequency_penalty.as_ref())
        .maybe_json("presence_penalty", s.presence_penalty.as_ref())
        .maybe_json("seed", s.seed.as_ref())
        .maybe_json("logit_bias", s.logit_bias.as_ref());
    if let Some(top) = s.logprobs {
        o.raw("logprobs", "true").maybe_number("top_logprobs", (top > 0).then_some(top));
    }
    if !c.stop.is_empty() {
        let mut list = o.list("stop");
        for stop in &c.stop {
            list.text(stop);
        }
    }
    o.maybe_number("n", (c.answers > 0).then_some(c.answers));
    if let Some(output) = &c.output {
        format(output, &mut o.object("response_format"));
    }
    o.maybe_text("reasoning_effort", c.effort.as_ref());
    if let Some(tier) = tier(chat, &c.service, wanted) {
        o.string("service_tier", tier);
    }
    o.maybe_text("user", c.user.as_ref());
    if !c.metadata.is_empty() || !wanted.metadata.is_empty() {
        pairs(c, wanted, o);
    }
}

/// Of the two words, the one the model's servers know: OpenAI's newer models refuse the old one, and many servers of
/// other models do not know the new one.
fn max_tokens(chat: Chat, model: &str) -> &'static str {
    let known = model.rsplit('/').next().unwrap_or_default();
    let known = known.split_once("openai.").map_or(known, |(_, name)| name);
    let new = ["gpt-", "o1", "o3", "o4", "grok"].iter().any(|start| known.starts_with(start));
    match chat == Chat::OpenAi && new {
        true => "max_completion_tokens",
        false => "max_tokens",
    }
}

fn format(output: &Output<'_>, o: &mut Object<'_>) {
    match output {
        Output::Json => drop(o.raw("type", "\"json_object\"")),
        Output::Schema { name, description, schema, strict } => {
            let mut o = o.raw("type", "\"json_schema\"").object("json_schema");
            match name {
                Some(name) => o.text("name", name),
                None => o.raw("name", "\"answer\""),
            };
            o.maybe_text("description", description.as_ref());
            o.json("schema", schema).maybe_bool("strict", *strict);
        }
    }
}

fn tier<'t>(chat: Chat, service: &'t Service<'_>, wanted: &Wanted<'t>) -> Option<&'t str> {
    let tier = service.tier.as_deref().or(wanted.tier).filter(|_| chat == Chat::OpenAi)?;
    Some(crate::chat::tier::said(tier))
}

fn pairs(c: &Conversation<'_>, wanted: &Wanted<'_>, o: &mut Object<'_>) {
    let mut o = o.object("metadata");
    for (name, value) in &c.metadata {
        o.raw(name.inner(), value.raw());
    }
    for (name, value) in wanted.metadata {
        o.string(Text::of(name).inner(), value);
    }
}

/// Whether a field of the model's own is said already.
pub(super) fn is_said(c: &Conversation<'_>, field: &str) -> bool {
    let s = &c.sampling;
    match field {
        "model" | "messages" | "stream" | "stream_options" => true,
        "tools" => !c.tools.is_empty(),
        "tool_choice" => c.tool_choice.is_some(),
        "parallel_tool_calls" => c.parallel_tools.is_some(),
        "max_tokens" | "max_completion_tokens" => c.max_tokens.is_some(),
        "temperature" => s.temperature.is_some(),
        "top_p" => s.top_p.is_some(),
        "top_k" => s.top_k.is_some(),
        "frequency_penalty" => s.frequency_penalty.is_some(),
        "presence_penalty" => s.presence_penalty.is_some(),
        "seed" => s.seed.is_some(),
        "logit_bias" => s.logit_bias.is_some(),
        "logprobs" | "top_logprobs" => s.logprobs.is_some(),
        "stop" => !c.stop.is_empty(),
        "n" => c.answers > 0,
        "response_format" => c.output.is_some(),
        "reasoning_effort" => c.effort.is_some(),
        "service_tier" => c.service.tier.is_some(),
        "user" => c.user.is_some(),
        "metadata" => !c.metadata.is_empty(),
        _ => false,
    }
}
