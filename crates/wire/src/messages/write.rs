//! Writing requests.

use bedplate_core::conversation::{Conversation, Output, Role, Thinking};
use bedplate_core::form::Form;

use super::put::{Marked, blocks, gather, mark_last, says};
use super::{VERSION, tools};
use crate::json::write::{Object, object};
use crate::translate::Wanted;

/// The most tokens of output where the caller leaves it open: the vendor wants a number, and every model takes this one.
const MOST: u64 = 4_096;

pub(super) fn request(form: Form, c: &Conversation<'_>, wanted: &Wanted<'_>, out: &mut String) {
    let mut body = object(out);
    match form {
        Form::Claude => {
            body.string("anthropic_version", VERSION);
            if !c.betas.is_empty() {
                let mut list = body.list("anthropic_beta");
                for beta in &c.betas {
                    list.text(beta);
                }
            }
        }
        _ => {
            body.string("model", wanted.model);
            if wanted.stream {
                body.bool("stream", true);
            }
        }
    }
    body.number("max_tokens", c.max_tokens.unwrap_or_else(|| most(c)));
    turns(&mut body, c);
    let s = &c.sampling;
    body.maybe_json("temperature", s.temperature.as_ref()).maybe_json("top_p", s.top_p.as_ref());
    body.maybe_json("top_k", s.top_k.as_ref());
    if !c.stop.is_empty() {
        let mut list = body.list("stop_sequences");
        for stop in &c.stop {
            list.text(stop);
        }
    }
    tools::write(&mut body, c);
    tools::write_choice(&mut body, c);
    thinking(&mut body, c);
    output(&mut body, c);
    if has(c, "metadata.") || c.user.is_some() {
        let mut o = body.object("metadata");
        o.maybe_text("user_id", c.user.as_ref());
        tools::within(&mut o, "metadata", &c.rest);
    }
    // settled: AWS's other words have no place in it
    let tier = c.service.tier.as_deref().or(wanted.tier);
    if form == Form::Messages && tier == Some("default") {
        body.string("service_tier", "standard_only");
    }
    for member in c.rest.members.iter().filter(|member| !inner(&member.name)) {
        body.member(member);
    }
    for member in c.fields.iter().filter(|member| !modelled(c, &member.name)) {
        body.member(member);
    }
}

/// Thinking counts against the most tokens of output.
fn most(c: &Conversation<'_>) -> u64 {
    match c.thinking {
        Some(Thinking::On { budget: Some(budget) }) => budget.saturating_add(MOST),
        _ => MOST,
    }
}

/// Parts that are modelled, of which members that are not have been kept by their path.
fn inner(name: &str) -> bool {
    const PARTS: &[&str] = &["thinking.", "tool_choice.", "output_config.", "output_format.", "metadata."];
    PARTS.iter().any(|part| name.starts_with(part))
}

fn has(c: &Conversation<'_>, part: &str) -> bool {
    c.rest.members.iter().any(|member| member.name.starts_with(part))
}

/// Whether a member of this name has been written.
fn modelled(c: &Conversation<'_>, name: &str) -> bool {
    match name {
        "anthropic_version" | "model" | "stream" | "max_tokens" | "messages" => true,
        "anthropic_beta" => !c.betas.is_empty(),
        "system" => !c.system.is_empty(),
        "temperature" => c.sampling.temperature.is_some(),
        "top_p" => c.sampling.top_p.is_some(),
        "top_k" => c.sampling.top_k.is_some(),
        "stop_sequences" => !c.stop.is_empty(),
        "tools" => !c.tools.is_empty(),
        "tool_choice" => c.tool_choice.is_some() || c.parallel_tools.is_some() && !c.tools.is_empty(),
        "thinking" => c.thinking.is_some(),
        "output_config" => c.output.is_some() || c.effort.is_some(),
        "metadata" => c.user.is_some(),
        name => c.rest.members.iter().any(|member| member.name == name),
    }
}

/// The system prompt and the turns. Turns of one role become one; marks at the beginning of a turn go to the one before.
fn turns(body: &mut Object<'_>, c: &Conversation<'_>) {
    let mut system = Vec::with_capacity(c.system.len());
    gather(&c.system, &mut system);
    let mut turns: Vec<(Role, Vec<Marked<'_, '_>>)> = Vec::with_capacity(c.messages.len());
    for message in c.messages.iter().filter(|message| message.content.iter().any(says)) {
        if turns.last().is_none_or(|(role, _)| *role != message.role) {
            turns.push((message.role, Vec::with_capacity(message.content.len())));
        }
        let Some((last, before)) = turns.split_last_mut() else { break };
        if let Some(point) = gather(&message.content, &mut last.1) {
            let before = before.last_mut().map_or(&mut system, |(_, turn)| turn);
            mark_last(before, point);
        }
    }
    if !system.is_empty() {
        blocks(&mut body.list("system"), &system);
    }
    let mut list = body.list("messages");
    for (role, turn) in &turns {
        let mut o = list.object();
        o.string(
            "role",
            match role {
                Role::User => "user",
                Role::Assistant => "assistant",
                Role::System => "system",
            },
        );
        blocks(&mut o.list("content"), turn);
    }
}

fn thinking(body: &mut Object<'_>, c: &Conversation<'_>) {
    let Some(thinking) = c.thinking else { return };
    let (kind, budget) = match thinking {
        Thinking::Off => ("disabled", None),
        Thinking::Adaptive | Thinking::On { budget: None } => ("adaptive", None),
        Thinking::On { budget } => ("enabled", budget),
    };
    let mut o = body.object("thinking");
    o.string("type", kind).maybe_number("budget_tokens", budget);
    tools::within(&mut o, "thinking", &c.rest);
}

fn output(body: &mut Object<'_>, c: &Conversation<'_>) {
    if c.output.is_none() && c.effort.is_none() && !has(c, "output_config.") {
        return;
    }
    let mut o = body.object("output_config");
    if let Some(Output::Schema { schema, .. }) = &c.output {
        o.object("format").string("type", "json_schema").json("schema", schema);
    }
    o.maybe_text("effort", c.effort.as_ref());
    tools::within(&mut o, "output_config", &c.rest);
}
