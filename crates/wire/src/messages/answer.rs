//! Whole answers.

use std::borrow::Cow;

use bedplate_core::conversation::{Answer, Choice, Rest, Role, Stop, Text, Told};
use bedplate_core::form::Form;
use bedplate_core::usage::Usage;
use serde_json::value::RawValue;

use super::put::{blocks, gather};
use super::read::missing;
use super::turns::Turns;
use super::usage::{self, RawUsage};
use crate::json::object::{Bad, object, read as parse};
use crate::json::write::{Object, object as writing};

object!(RawAnswer {
    "id" => id: Text<'a>,
    "type" => kind: Text<'a>,
    "role" => role: Text<'a>,
    "model" => model: Text<'a>,
    "content" => content: &'a RawValue,
    "stop_reason" => stop: Text<'a>,
    "stop_sequence" => stopped_by: Text<'a>,
    "usage" => usage: RawUsage<'a>,
    "amazon-bedrock-guardrailAction" => guardrail: Text<'a>,
});

/// Reads an answer.
///
/// # Errors
/// When it is none.
pub(super) fn read(form: Form, body: &str) -> Result<Answer<'_>, Bad> {
    let raw: RawAnswer<'_> = parse(body)?;
    let content = raw.content.ok_or_else(|| missing("content"))?;
    let content = Turns::new(form).content(content, Role::Assistant).map_err(|bad| bad.within("content"))?;
    let mut usage = Usage::default();
    let mut tier = None;
    if let Some(raw) = &raw.usage {
        raw.put(&mut usage);
        tier = raw.tier();
    }
    let intervened = raw.guardrail.is_some_and(|action| action.is("INTERVENED"));
    let stop = match raw.stop {
        _ if intervened => Stop::Guardrail,
        Some(stop) => stop_of(&stop),
        None => Stop::EndTurn,
    };
    let choice = Choice { content, stop, stopped_by: raw.stopped_by, logprobs: None };
    Ok(Answer {
        id: raw.id,
        model: raw.model,
        choices: vec![choice],
        usage,
        tier,
        rest: Rest::of(form, raw.rest),
        ..Answer::default()
    })
}

/// Writes an answer.
pub(super) fn write(answer: &Answer<'_>, told: &Told, out: &mut String) {
    let mut o = writing(out);
    head(&mut o, answer.id.as_ref(), told);
    let choice = answer.choices.first();
    let mut turn = Vec::new();
    if let Some(choice) = choice {
        gather(&choice.content, &mut turn);
    }
    blocks(&mut o.list("content"), &turn);
    stop(
        &mut o,
        choice.map_or(&Stop::EndTurn, |choice| &choice.stop),
        choice.and_then(|c| c.stopped_by.as_ref()),
    );
    usage::write(&mut o.object("usage"), &answer.usage, answer.tier.as_deref());
    for member in answer.rest.to(Form::Messages) {
        o.member(member);
    }
}

/// `id`, `type`, `role`, `model`.
pub(super) fn head(o: &mut Object<'_>, id: Option<&Text<'_>>, told: &Told) {
    match id.filter(|id| id.inner().starts_with("msg_")) {
        Some(id) => o.text("id", id),
        None => o.string("id", &format!("msg_{}", told.id)),
    };
    o.string("type", "message").string("role", "assistant").string("model", &told.model);
}

/// `stop_reason` and `stop_sequence`.
pub(super) fn stop(o: &mut Object<'_>, stop: &Stop<'_>, by: Option<&Text<'_>>) {
    o.string("stop_reason", word(stop));
    match by.filter(|_| *stop == Stop::StopSequence) {
        Some(by) => o.text("stop_sequence", by),
        None => o.raw("stop_sequence", "null"),
    };
}

pub(super) fn stop_of<'a>(word: &Text<'_>) -> Stop<'a> {
    match &*word.decode() {
        "end_turn" => Stop::EndTurn,
        "tool_use" => Stop::ToolUse,
        "max_tokens" => Stop::MaxTokens,
        "stop_sequence" => Stop::StopSequence,
        "refusal" => Stop::Refused,
        "pause_turn" => Stop::Paused,
        "model_context_window_exceeded" => Stop::ContextWindow,
        other => Stop::Other(Cow::Owned(other.to_owned())),
    }
}

/// SDKs know seven words: what has none of its own is the nearest of them.
fn word<'s>(stop: &'s Stop<'_>) -> &'s str {
    match stop {
        Stop::EndTurn => "end_turn",
        Stop::ToolUse => "tool_use",
        Stop::MaxTokens => "max_tokens",
        Stop::StopSequence => "stop_sequence",
        Stop::Guardrail | Stop::Filtered | Stop::Refused => "refusal",
        Stop::Paused => "pause_turn",
        Stop::ContextWindow => "model_context_window_exceeded",
        Stop::MalformedOutput | Stop::MalformedToolUse => "end_turn",
        Stop::Other(word) => word,
    }
}
