//! Whole answers, and what pieces of streams have in common with them.

use bedplate_core::conversation::{Answer, Block, Choice, Reasoning, Rest, Stop, Text, Told};
use bedplate_core::usage::Usage;

use super::Family;
use crate::json::object::{Bad, List, object, read as parse};
use crate::json::write::{Object, object as writing};

object!(Raw {
    // Llama; DeepSeek in streams, by some accounts
    "generation" => generation: Text<'a>,
    "prompt_token_count" => prompt_tokens: u64,
    "generation_token_count" => generated_tokens: u64,
    "stop_reason" => stop_reason: Text<'a>,
    // Mistral, DeepSeek
    "outputs" => outputs: List<Output<'a>>,
    "choices" => choices: List<Output<'a>>,
    // Titan
    "results" => results: List<Outcome<'a>>,
    "outputText" => output_text: Text<'a>,
    "inputTextTokenCount" => input_tokens: u64,
    "totalOutputTextTokenCount" => output_tokens: u64,
    "completionReason" => completion: Text<'a>,
    // Command
    "text" => text: Text<'a>,
    "event_type" => event: Text<'a>,
    "generation_id" => id: Text<'a>,
    "finish_reason" => finish: Text<'a>,
    // all
    "amazon-bedrock-invocationMetrics" => metrics: Metrics<'a>,
    "amazon-bedrock-guardrailAction" => guardrail: Text<'a>,
});
object!(Output { "text" => text: Text<'a>, "stop_reason" => stop: Text<'a> });
object!(Outcome { "outputText" => text: Text<'a>, "tokenCount" => tokens: u64, "completionReason" => stop: Text<'a> });
object!(Metrics {
    "inputTokenCount" => input: u64,
    "outputTokenCount" => output: u64,
    "cacheReadInputTokenCount" => read: u64,
    "cacheWriteInputTokenCount" => written: u64,
    "invocationLatency" => latency: u64,
});

/// What an answer or a piece of one says.
#[derive(Default)]
pub(super) struct Piece<'a> {
    pub(super) text: Option<Text<'a>>,
    pub(super) stop: Option<Stop<'static>>,
    pub(super) id: Option<Text<'a>>,
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) cached: Option<(u64, u64)>,
    pub(super) latency_ms: Option<u64>,
}

/// Reads an answer or a piece of one.
pub(super) fn piece(body: &str) -> Result<Piece<'_>, Bad> {
    let raw: Raw<'_> = parse(body)?;
    let output =
        raw.outputs.or(raw.choices).and_then(|outputs| outputs.0.into_iter().next()).unwrap_or_default();
    let outcome = raw.results.and_then(|results| results.0.into_iter().next()).unwrap_or_default();
    // the last event of Command says the whole text once more
    let last = raw.event.is_some_and(|event| event.is("stream-end"));
    let text = raw.generation.or(output.text).or(outcome.text).or(raw.output_text);
    let stop = raw.stop_reason.or(output.stop).or(outcome.stop).or(raw.completion).or(raw.finish);
    let metrics = raw.metrics.unwrap_or_default();
    let intervened = raw.guardrail.is_some_and(|action| action.is("INTERVENED"));
    let stop = stop.map(|stop| stop_of(&stop)).or(last.then_some(Stop::EndTurn));
    Ok(Piece {
        text: text.or(raw.text.filter(|_| !last)),
        stop: if intervened { Some(Stop::Guardrail) } else { stop },
        id: raw.id,
        input: metrics.input.or(raw.prompt_tokens).or(raw.input_tokens).map(bounded),
        output: metrics.output.or(raw.generated_tokens).or(raw.output_tokens).or(outcome.tokens).map(bounded),
        cached: metrics.read.map(bounded).zip(metrics.written.map(bounded)),
        latency_ms: metrics.latency,
    })
}

/// More than any call can use is cut, so that sums are sums.
fn bounded(tokens: u64) -> u64 {
    tokens.min(1 << 40)
}

/// Reads an answer.
///
/// # Errors
/// When it is none.
pub(super) fn read(family: Family, body: &str) -> Result<Answer<'_>, Bad> {
    let piece = piece(body)?;
    let text = piece.text.ok_or_else(|| Bad::value("", "it has no text"))?;
    let stop = piece.stop.unwrap_or(Stop::EndTurn);
    let content = match family {
        Family::DeepSeek => thought(text, stop == Stop::MaxTokens),
        _ => vec![Block::Text(text)],
    };
    let (cache_read, cache_write_5m) = piece.cached.unwrap_or_default();
    Ok(Answer {
        id: piece.id,
        choices: vec![Choice { content, stop, stopped_by: None, logprobs: None }],
        usage: Usage {
            input: piece.input.unwrap_or(0),
            output: piece.output.unwrap_or(0),
            cache_read,
            cache_write_5m,
            ..Usage::default()
        },
        latency_ms: piece.latency_ms,
        rest: Rest::default(),
        ..Answer::default()
    })
}

/// The mark after which the model answers.
pub(super) const THOUGHT: &str = "</think>";

/// What it thought and what it answers. A text that was cut off before the mark is all thought.
fn thought(text: Text<'_>, cut: bool) -> Vec<Block<'_>> {
    let decoded = text.decode();
    let Some((thought, answer)) = decoded.split_once(THOUGHT) else {
        let begun = cut || decoded.starts_with("<think>");
        drop(decoded);
        return vec![if begun {
            Block::Reasoning(Reasoning::Text { text, signature: None })
        } else {
            Block::Text(text)
        }];
    };
    let thought = thought.strip_prefix("<think>").unwrap_or(thought).trim_matches('\n');
    let answer = Text::of(answer.trim_start_matches('\n'));
    let mut content = Vec::with_capacity(2);
    if !thought.is_empty() {
        content.push(Block::Reasoning(Reasoning::Text { text: Text::of(thought), signature: None }));
    }
    content.push(Block::Text(answer));
    content
}

/// Writes an answer.
pub(super) fn write(family: Family, answer: &Answer<'_>, told: &Told, out: &mut String) {
    let mut text = String::from("\"");
    let choice = answer.choices.first();
    for block in choice.map(|choice| &*choice.content).unwrap_or_default() {
        match block {
            Block::Text(said) | Block::Refusal(said) => text.push_str(said.inner()),
            Block::Cited { content, .. } => content.iter().for_each(|said| text.push_str(said.inner())),
            Block::Reasoning(Reasoning::Text { text: thought, .. }) if family == Family::DeepSeek => {
                text.extend([thought.inner(), "\\n", THOUGHT, "\\n\\n"]);
            }
            _ => {}
        }
    }
    text.push('"');
    let stop = word(family, choice.map_or(&Stop::EndTurn, |choice| &choice.stop));
    let (input, output) = (answer.usage.prompt(), answer.usage.output);
    let mut o = writing(out);
    match family {
        Family::Llama => {
            o.raw("generation", &text).number("prompt_token_count", input);
            o.number("generation_token_count", output).string("stop_reason", stop);
        }
        Family::Mistral => {
            o.list("outputs").object().raw("text", &text).string("stop_reason", stop);
        }
        Family::DeepSeek => {
            o.list("choices").object().raw("text", &text).string("stop_reason", stop);
        }
        Family::Titan => {
            o.number("inputTextTokenCount", input);
            let mut list = o.list("results");
            list.object()
                .number("tokenCount", output)
                .raw("outputText", &text)
                .string("completionReason", stop);
        }
        Family::Command => {
            identity(&mut o, answer.id.as_ref(), &told.id);
            o.raw("text", &text).string("finish_reason", stop);
        }
    }
}

/// `generation_id`.
pub(super) fn identity(o: &mut Object<'_>, id: Option<&Text<'_>>, told: &str) {
    match id {
        Some(id) => o.text("generation_id", id),
        None => o.string("generation_id", told),
    };
}

fn stop_of(word: &Text<'_>) -> Stop<'static> {
    match &*word.decode() {
        "stop" | "FINISH" | "FINISHED" | "COMPLETE" => Stop::EndTurn,
        "length" | "LENGTH" | "MAX_TOKENS" => Stop::MaxTokens,
        "STOP_CRITERIA_MET" | "STOP_SEQUENCE" => Stop::StopSequence,
        "CONTENT_FILTERED" | "ERROR_TOXIC" => Stop::Filtered,
        "ERROR_LIMIT" => Stop::ContextWindow,
        other => Stop::Other(other.to_owned().into()),
    }
}

/// The family's word for an end.
pub(super) fn word(family: Family, stop: &Stop<'_>) -> &'static str {
    let long = matches!(stop, Stop::MaxTokens | Stop::ContextWindow);
    let filtered = matches!(stop, Stop::Guardrail | Stop::Filtered | Stop::Refused);
    match family {
        Family::Llama | Family::Mistral | Family::DeepSeek => {
            if long {
                "length"
            } else {
                "stop"
            }
        }
        Family::Titan if long => "LENGTH",
        Family::Titan if filtered => "CONTENT_FILTERED",
        Family::Titan if *stop == Stop::StopSequence => "STOP_CRITERIA_MET",
        Family::Titan => "FINISH",
        Family::Command if *stop == Stop::ContextWindow => "ERROR_LIMIT",
        Family::Command if long => "MAX_TOKENS",
        Family::Command if filtered => "ERROR_TOXIC",
        Family::Command => "COMPLETE",
    }
}
