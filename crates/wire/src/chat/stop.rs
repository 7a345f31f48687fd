//! Why an answer ended.

use std::borrow::Cow;

use bedplate_core::conversation::{Stop, Text};

/// What `finish_reason` and `stop_reason` say, and the sequence that stopped the answer. The second word is the only
/// one in bodies of some models; vLLM says there which sequence it was.
pub(super) fn read<'a>(
    finish: Option<Text<'a>>,
    other: Option<Text<'a>>,
    calls: bool,
) -> (Stop<'a>, Option<Text<'a>>) {
    let (said, other) = match finish {
        Some(finish) => (Some(finish), other),
        None => (other, None),
    };
    let sequence = other.filter(|other| !is_word(&other.decode()));
    let stop = match said.as_ref().map(Text::decode).as_deref() {
        Some("tool_calls" | "function_call" | "tool_use") => Stop::ToolUse,
        Some("stop" | "end_turn" | "eos") | None if calls => Stop::ToolUse,
        Some("stop") if sequence.is_some() => return (Stop::StopSequence, sequence),
        Some("stop" | "end_turn" | "eos") | None => Stop::EndTurn,
        Some("length" | "max_tokens" | "model_length") => Stop::MaxTokens,
        Some("content_filter") => Stop::Filtered,
        Some(word) => Stop::Other(Cow::Owned(word.to_owned())),
    };
    (stop, None)
}

fn is_word(said: &str) -> bool {
    matches!(said, "stop" | "length" | "tool_calls" | "end_turn" | "max_tokens" | "content_filter")
}

/// The value of `finish_reason`.
pub(super) fn word(stop: &Stop<'_>, calls: bool, refuses: bool) -> &'static str {
    match stop {
        Stop::ToolUse => "tool_calls",
        Stop::EndTurn if calls => "tool_calls",
        Stop::MaxTokens | Stop::ContextWindow => "length",
        Stop::Guardrail | Stop::Filtered => "content_filter",
        // a refusal that is told is an answer
        Stop::Refused if !refuses => "content_filter",
        Stop::EndTurn
        | Stop::StopSequence
        | Stop::Refused
        | Stop::Paused
        | Stop::MalformedOutput
        | Stop::MalformedToolUse
        | Stop::Other(_) => "stop",
    }
}
