//! Reads a whole answer.

use bedplate_core::conversation::{Answer, Block, Choice, Json, Stop, Text};
use serde_json::value::RawValue;

use crate::chat::read::{Call, Thought, Unknown, parts, reasoning, tool_use};
use crate::chat::usage::{Counts, Metrics};
use crate::chat::{Chat, inline, stop, tier, usage};
use crate::json::object::{Bad, List, object, read as object};

object!(Whole {
    "id" => id: Text<'a>,
    "created" => created: u64,
    "model" => model: Text<'a>,
    "choices" => choices: List<One<'a>>,
    "usage" => usage: Counts<'a>,
    "service_tier" => tier: Text<'a>,
    "amazon-bedrock-invocationMetrics" => metrics: Metrics<'a>,
});
object!(One {
    "message" => message: Message<'a>,
    "finish_reason" => finish: Text<'a>,
    "stop_reason" => stop: &'a RawValue,
    "logprobs" => logprobs: Json<'a>,
});
object!(Message {
    "content" => content: &'a RawValue,
    "refusal" => refusal: Text<'a>,
    "reasoning_content" => reasoning_content: Text<'a>,
    "reasoning" => reasoning: Text<'a>,
    "thinking_blocks" => thoughts: List<Thought<'a>>,
    "tool_calls" => calls: List<Call<'a>>,
});

pub(in crate::chat) fn read(chat: Chat, body: &str) -> Result<Answer<'_>, Bad> {
    let whole: Whole<'_> = object(body)?;
    let choices = whole.choices.filter(|choices| !choices.0.is_empty());
    let choices = choices.ok_or_else(|| Bad::value("choices", "it must be there"))?.0;
    let choices = choices
        .into_iter()
        .enumerate()
        .map(|(at, one)| choice(chat, one).map_err(|e| e.within(format_args!("choices[{at}]"))));
    Ok(Answer {
        id: whole.id,
        model: whole.model,
        created: whole.created,
        choices: choices.collect::<Result<_, _>>()?,
        usage: usage::read(whole.usage.as_ref(), whole.metrics.as_ref()),
        latency_ms: whole.metrics.and_then(|metrics| metrics.latency_ms),
        // words that are none are not the caller's fault
        tier: whole.tier.and_then(|tier| tier::read(&tier.decode()).ok().flatten()),
        ..Answer::default()
    })
}

fn choice(chat: Chat, one: One<'_>) -> Result<Choice<'_>, Bad> {
    let message = one.message.ok_or_else(|| Bad::value("message", "it must be there"))?;
    let mut blocks = Vec::new();
    let told = message.reasoning_content.as_ref().or(message.reasoning.as_ref());
    reasoning(message.thoughts.as_ref().map(|list| &list.0[..]), told, &mut blocks)
        .map_err(|e| e.within("message"))?;
    let thought = !blocks.is_empty();
    if let Some(raw) = message.content {
        said(chat, raw, thought, &mut blocks).map_err(|e| e.within("message.content"))?;
    }
    if let Some(refusal) = message.refusal.filter(|refusal| !refusal.is_empty()) {
        blocks.push(Block::Refusal(refusal));
    }
    let calls = message.calls.unwrap_or_default().0;
    let called = !calls.is_empty();
    let mut malformed = false;
    for (at, call) in calls.into_iter().enumerate() {
        let id = call.id.clone().filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| Text::of(&format!("call_{at}")));
        let (used, is_json) =
            tool_use(call, id).map_err(|e| e.within(format_args!("message.tool_calls[{at}]")))?;
        malformed |= !is_json;
        blocks.push(Block::ToolUse(used));
    }
    // vLLM gives the number of a token as well
    let other = one.stop.map(RawValue::get).filter(|raw| raw.starts_with('"')).map(Text::from_raw);
    let (stop, stopped_by) = match malformed {
        true => (Stop::MalformedToolUse, None),
        false => stop::read(one.finish, other, called),
    };
    Ok(Choice { content: blocks, stop, stopped_by, logprobs: one.logprobs })
}

fn said<'a>(chat: Chat, raw: &'a RawValue, thought: bool, blocks: &mut Vec<Block<'a>>) -> Result<(), Bad> {
    let before = blocks.len();
    parts(raw, blocks, &mut Unknown::of(chat, &mut Vec::new()))?;
    if !thought
        && let [Block::Text(text)] = &blocks[before..]
        && let Some((reasoning, rest)) = inline::split(text)
    {
        blocks.truncate(before);
        blocks.push(Block::Reasoning(bedplate_core::conversation::Reasoning::Text {
            text: reasoning,
            signature: None,
        }));
        blocks.push(Block::Text(rest));
    }
    blocks.retain(|block| !matches!(block, Block::Text(text) if text.is_empty()));
    Ok(())
}
