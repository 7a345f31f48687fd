//! What an answer used. `prompt_tokens` counts all of the prompt; which of it came from the cache, and which was written
//! to it, is said beside, with LiteLLM's names where OpenAI has none.

use bedplate_core::usage::Usage;

use crate::json::object::object;
use crate::json::write::Object;

object!(Counts {
    "prompt_tokens" => prompt: u64,
    "completion_tokens" => completion: u64,
    "prompt_tokens_details" => prompt_details: PromptDetails<'a>,
    "completion_tokens_details" => completion_details: CompletionDetails<'a>,
    "cache_read_input_tokens" => cache_read: u64,
    "cache_creation_input_tokens" => cache_write: u64,
    "prompt_cache_hit_tokens" => cache_hit: u64,
});
object!(PromptDetails {
    "cached_tokens" => cached: u64,
    "cache_creation_tokens" => created: u64,
    "cache_write_tokens" => written: u64,
    "cache_creation_token_details" => lifetimes: Lifetimes<'a>,
});
object!(Lifetimes { "ephemeral_1h_input_tokens" => hour: u64 });
object!(CompletionDetails { "reasoning_tokens" => reasoning: u64 });
// what InvokeModel adds to bodies of every family
object!(Metrics {
    "inputTokenCount" => input: u64,
    "outputTokenCount" => output: u64,
    "cacheReadInputTokenCount" => cache_read: u64,
    "cacheWriteInputTokenCount" => cache_write: u64,
    "invocationLatency" => latency_ms: u64,
});

pub(super) fn read(counts: Option<&Counts<'_>>, metrics: Option<&Metrics<'_>>) -> Usage {
    match (counts, metrics) {
        (Some(counts), _) if counts.prompt.is_some() || counts.completion.is_some() => said(counts),
        (_, Some(metrics)) => Usage {
            input: metrics.input.unwrap_or(0),
            output: metrics.output.unwrap_or(0),
            cache_read: metrics.cache_read.unwrap_or(0),
            cache_write_5m: metrics.cache_write.unwrap_or(0),
            ..Usage::default()
        },
        _ => Usage::default(),
    }
}

fn said(counts: &Counts<'_>) -> Usage {
    let details = counts.prompt_details.as_ref();
    let cache_read = details.and_then(|d| d.cached).or(counts.cache_read).or(counts.cache_hit).unwrap_or(0);
    let written = details.and_then(|d| d.created.or(d.written)).or(counts.cache_write).unwrap_or(0);
    let hour = details.and_then(|d| d.lifetimes.as_ref()).and_then(|l| l.hour).unwrap_or(0).min(written);
    Usage {
        input: counts.prompt.unwrap_or(0).saturating_sub(cache_read).saturating_sub(written),
        cache_read,
        cache_write_5m: written - hour,
        cache_write_1h: hour,
        output: counts.completion.unwrap_or(0),
        reasoning: counts.completion_details.as_ref().and_then(|d| d.reasoning),
        units: Vec::new(),
    }
}

pub(super) fn write(usage: &Usage, o: &mut Object<'_>) {
    let mut o = o.object("usage");
    o.number("prompt_tokens", usage.prompt())
        .number("completion_tokens", usage.output)
        .number("total_tokens", usage.total());
    let written = usage.cache_write_5m + usage.cache_write_1h;
    {
        let mut details = o.object("prompt_tokens_details");
        details.number("cached_tokens", usage.cache_read);
        if written > 0 {
            details.number("cache_creation_tokens", written);
        }
        if usage.cache_write_1h > 0 {
            details
                .object("cache_creation_token_details")
                .number("ephemeral_5m_input_tokens", usage.cache_write_5m)
                .number("ephemeral_1h_input_tokens", usage.cache_write_1h);
        }
    }
    if let Some(reasoning) = usage.reasoning {
        o.object("completion_tokens_details").number("reasoning_tokens", reasoning);
    }
    if written > 0 {
        o.number("cache_creation_input_tokens", written).number("cache_read_input_tokens", usage.cache_read);
    }
}
