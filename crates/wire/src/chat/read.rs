//! Reads a request.

mod media;
mod message;
mod options;
mod part;
mod tools;

use std::borrow::Cow;

use bedplate_core::conversation::{Conversation, Json, Member, Rest, Text};
use bedplate_core::form::Form;
use serde_json::value::RawValue;

use super::Chat;
use crate::json::object::{Bad, List, object, read};

pub(super) use message::{Call, Thought, reasoning, tool_use};
pub(super) use part::{Part, parts};

object!(Request {
    "model" => model: Text<'a>,
    "messages" => messages: List<message::Turn<'a>>,
    "stream" => stream: bool,
    "stream_options" => stream_options: options::StreamOptions<'a>,
    "tools" => tools: List<&'a RawValue>,
    "tool_choice" => tool_choice: &'a RawValue,
    "parallel_tool_calls" => parallel_tool_calls: bool,
    "max_tokens" => max_tokens: u64,
    "max_completion_tokens" => max_completion_tokens: u64,
    "temperature" => temperature: Json<'a>,
    "top_p" => top_p: Json<'a>,
    "top_k" => top_k: Json<'a>,
    "frequency_penalty" => frequency_penalty: Json<'a>,
    "presence_penalty" => presence_penalty: Json<'a>,
    "seed" => seed: Json<'a>,
    "logit_bias" => logit_bias: &'a RawValue,
    "logprobs" => logprobs: bool,
    "top_logprobs" => top_logprobs: u64,
    "stop" => stop: &'a RawValue,
    "n" => n: u64,
    "response_format" => response_format: options::Format<'a>,
    "reasoning_effort" => reasoning_effort: Text<'a>,
    "thinking" => thinking: options::Wish<'a>,
    "service_tier" => service_tier: Text<'a>,
    "user" => user: Text<'a>,
    "safety_identifier" => safety_identifier: Text<'a>,
    "metadata" => metadata: options::Pairs<'a>,
});

// of what stands before it in the prompt: as LiteLLM's and OpenRouter's users say it
object!(Marked { "type" => kind: Text<'a>, "ttl" => ttl: Text<'a> });

pub(super) fn conversation(chat: Chat, body: &str) -> Result<Conversation<'_>, Bad> {
    let mut request: Request<'_> = read(body)?;
    let mut c = Conversation::default();
    let mut rest = others(std::mem::take(&mut request.rest))?;
    let mut unknown = Unknown::of(chat, &mut rest);
    message::read_all(request.messages.take(), &mut c, &mut unknown)?;
    tools::read_all(chat, &mut request, &mut c, &mut unknown)?;
    options::read_all(request, &mut c, &mut unknown)?;
    c.rest = Rest::of(chat.form(), rest);
    Ok(c)
}

/// Members within a request that the form does not model: each name is kept once, so that it can be said that it was
/// left out.
pub(super) struct Unknown<'r, 'a> {
    form: Form,
    members: &'r mut Vec<Member<'a>>,
}

/// Stands in names of members within lists: they are never written.
const INNER: &str = "[].";

/// More of them are not told apart.
const NAMED: usize = 32;

impl<'r, 'a> Unknown<'r, 'a> {
    pub(super) fn of(chat: Chat, members: &'r mut Vec<Member<'a>>) -> Self {
        Self { form: chat.form(), members }
    }

    fn keep(&mut self, name: &'static str, value: Json<'a>) {
        self.members.push(Member { name: Cow::Borrowed(name), value });
    }

    /// Members that are null or empty say nothing.
    fn within(&mut self, list: &str, members: Vec<Member<'a>>) {
        for member in members {
            if matches!(member.value.raw(), "null" | "[]" | "{}" | "false") {
                continue;
            }
            let name = format!("{list}{INNER}{}", member.name);
            let mut inner = self.members.iter().filter(|known| known.name.contains(INNER));
            if inner.clone().count() < NAMED && !inner.any(|known| known.name == name) {
                self.members.push(Member { name: name.into(), value: member.value });
            }
        }
    }
}

/// Whether a member is written into a request.
pub(super) fn is_own(member: &Member<'_>) -> bool {
    !member.name.contains(INNER)
}

/// # Errors
/// For words of other dialects, and for words of this one that it has no more.
fn others(members: Vec<Member<'_>>) -> Result<Vec<Member<'_>>, Bad> {
    for member in &members {
        let whose = match &*member.name {
            "functions" | "function_call" => {
                return Err(Bad::value(&*member.name, "it is the old way of using tools: send `tools`"));
            }
            "inferenceConfig"
            | "toolConfig"
            | "additionalModelRequestFields"
            | "guardrailConfig"
            | "outputConfig" => "Bedrock's Converse",
            "system" | "stop_sequences" | "anthropic_version" | "output_config" | "anthropic_beta" => {
                "Anthropic's messages"
            }
            "input" | "instructions" | "max_output_tokens" | "previous_response_id" => "OpenAI's responses",
            "prompt" | "inputText" | "max_gen_len" | "textGenerationConfig" | "schemaVersion" => {
                "bodies of `InvokeModel`"
            }
            _ => continue,
        };
        let why = format!("mixed dialects: chat completions do not know it, it belongs to {whose}");
        return Err(Bad::value(&*member.name, why));
    }
    Ok(members)
}
