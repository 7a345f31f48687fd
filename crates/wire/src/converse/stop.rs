//! Why answers end, in Converse's words.

use std::borrow::Cow;

use bedplate_core::conversation::{Stop, Text};

const WORDS: &[(&str, Stop<'static>)] = &[
    ("end_turn", Stop::EndTurn),
    ("tool_use", Stop::ToolUse),
    ("max_tokens", Stop::MaxTokens),
    ("stop_sequence", Stop::StopSequence),
    ("guardrail_intervened", Stop::Guardrail),
    ("content_filtered", Stop::Filtered),
    ("malformed_model_output", Stop::MalformedOutput),
    ("malformed_tool_use", Stop::MalformedToolUse),
    ("model_context_window_exceeded", Stop::ContextWindow),
];

pub(crate) fn read<'a>(word: &Text<'a>) -> Stop<'a> {
    match WORDS.iter().find(|(known, _)| word.is(known)) {
        Some((_, stop)) => stop.clone(),
        None => Stop::Other(Cow::Owned(word.decode().into_owned())),
    }
}

pub(crate) fn word<'s>(stop: &'s Stop<'_>) -> &'s str {
    match stop {
        // Converse has one word for whoever would not
        Stop::Refused => "content_filtered",
        // and none for an answer that goes on when it is sent again
        Stop::Paused => "end_turn",
        Stop::Other(word) => word,
        stop => WORDS.iter().find(|(_, known)| known == stop).map_or("end_turn", |(word, _)| word),
    }
}
