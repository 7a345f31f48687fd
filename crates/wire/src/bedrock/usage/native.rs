//! Native answers and stream chunks. The families' member names do not collide, so one reader serves
//! all of them, known or not.

use super::counts;
use super::tally::{Tally, owned};
use crate::json;

const NAMES: &[&str] = &[
    "usage",                            // 0: Anthropic, Nova, OpenAI's form
    "amazon-bedrock-invocationMetrics", // 1: the last chunk of all
    "stop_reason",                      // 2: Anthropic, Llama
    "stopReason",                       // 3: Nova
    "finish_reason",                    // 4: Cohere
    "completionReason",                 // 5: Titan chunks
    "choices",                          // 6: OpenAI's form, Mistral, AI21, DeepSeek
    "outputs",                          // 7: Mistral's prompt form
    "results",                          // 8: Titan
    "inputTextTokenCount",              // 9: Titan
    "totalOutputTextTokenCount",        // 10: Titan chunks
    "prompt_token_count",               // 11: Llama
    "generation_token_count",           // 12: Llama
    "message",                          // 13: Anthropic `message_start`
    "delta",                            // 14: Anthropic `message_delta`
    "metadata",                         // 15: Nova chunks
    "messageStop",                      // 16: Nova chunks
    "finishReason",                     // 17: TwelveLabs
    "amazon-bedrock-trace",             // 18: what guardrails used
    "service_tier",                     // 19: OpenAI's API
];

/// Words for service tiers that OpenAI and AWS share.
const TIERS: [&str; 3] = ["default", "flex", "priority"];

/// Reads what a native object says into `tally`.
pub(super) fn read(text: &str, tally: &mut Tally) {
    let Ok(picked) = json::pick(text, NAMES) else { return };
    for (place, list) in [(6, "choices"), (7, "outputs"), (8, "results")] {
        if let Some(text) = picked.text(place) {
            self::list(list, text, tally);
        }
    }
    if let Some(message) = picked.text(13).filter(|t| t.starts_with('{')) {
        begin(message, tally);
    }
    if let Some(usage) = picked.text(0) {
        tally.usage(usage);
        // only `message_start`, which nests it, tells a count of output that is not final
        tally.complete = true;
    }
    number(picked.text(9), &mut tally.counts.input, &mut tally.broken);
    number(picked.text(11), &mut tally.counts.input, &mut tally.broken);
    number(picked.text(10), &mut tally.counts.output, &mut tally.broken);
    number(picked.text(12), &mut tally.counts.output, &mut tally.broken);
    for place in [2, 3, 4, 5, 17] {
        stop(picked.text(place), tally);
    }
    for place in [14, 16] {
        if let Some(inner) = picked.text(place).filter(|t| t.starts_with('{'))
            && let Ok(inner) = json::pick(inner, &["stop_reason", "stopReason"])
        {
            stop(inner.text(0), tally);
            stop(inner.text(1), tally);
        }
    }
    // a count beside a reason to stop is the last one
    tally.complete |= [2, 5].iter().any(|p| picked.text(*p).is_some()) && tally.counts.output.is_some();
    if let Some(metadata) = picked.text(15).filter(|t| t.starts_with('{')) {
        tally.converse(metadata);
    }
    if let Some(trace) = picked.text(18).filter(|t| t.starts_with('{')) {
        tally.trace(trace);
    }
    if tally.tier.is_none() {
        tally.tier = picked.text(19).and_then(owned).filter(|tier| TIERS.contains(&tier.as_str()));
    }
    if let Some(metrics) = picked.text(1) {
        tally.metrics(metrics);
    }
}

/// The message that `message_start` begins with: its prompt is counted, its output hardly begun.
fn begin(message: &str, tally: &mut Tally) {
    if let Ok(picked) = json::pick(message, &["usage"])
        && let Some(usage) = picked.text(0)
    {
        tally.usage(usage);
    }
}

/// `choices`, `outputs`, `results`: the first reason to stop, and the sum of token counts.
fn list(name: &str, text: &str, tally: &mut Tally) {
    const NAMES: &[&str] = &["finish_reason", "stop_reason", "completionReason", "tokenCount"];
    let Ok(elements) = serde_json::from_str::<Vec<&serde_json::value::RawValue>>(text) else { return };
    let mut sum: Option<u64> = None;
    for element in elements {
        let Ok(picked) = json::pick(element.get(), NAMES) else { continue };
        for place in 0..3 {
            stop(picked.text(place), tally);
        }
        if let Some(text) = picked.text(3).filter(|_| name == "results") {
            let mut n = None;
            number(Some(text), &mut n, &mut tally.broken);
            sum = Some(sum.unwrap_or(0).saturating_add(n.unwrap_or(0)));
        }
    }
    tally.counts.output = sum.or(tally.counts.output);
}

fn number(text: Option<&str>, into: &mut Option<u64>, broken: &mut bool) {
    if let Some(text) = text {
        match counts::number(text) {
            Some(n) => *into = Some(n),
            None => *broken = true,
        }
    }
}

fn stop(text: Option<&str>, tally: &mut Tally) {
    if let Some(reason) = text.and_then(owned) {
        tally.stop_reason = Some(reason);
    }
}
