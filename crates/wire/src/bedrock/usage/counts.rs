//! Token counts as the families write them.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::tally::Counts;

/// More tokens than any call can use: beyond it a number is a mistake.
pub(super) const MOST: u64 = 1 << 40;

/// A number of tokens that can be.
#[derive(Clone, Copy)]
pub(super) struct Count(pub(super) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of tokens")
            }

            fn visit_u64<E: Error>(self, n: u64) -> Result<Count, E> {
                if n <= MOST { Ok(Count(n)) } else { Err(E::custom("too many tokens")) }
            }
        }

        d.deserialize_u64(Reader)
    }
}

/// A `usage` object in any of its three forms; their names do not overlap.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Written {
    // Converse, Nova
    #[serde(rename = "inputTokens")]
    input: Option<Count>,
    #[serde(rename = "outputTokens")]
    output: Option<Count>,
    #[serde(rename = "cacheReadInputTokens", alias = "cacheReadInputTokenCount")]
    read: Option<Count>,
    #[serde(rename = "cacheWriteInputTokens", alias = "cacheWriteInputTokenCount")]
    write: Option<Count>,
    #[serde(rename = "cacheDetails")]
    details: Option<Vec<Detail>>,
    // Anthropic
    input_tokens: Option<Count>,
    output_tokens: Option<Count>,
    cache_read_input_tokens: Option<Count>,
    cache_creation_input_tokens: Option<Count>,
    cache_creation: Option<Creation>,
    // OpenAI
    prompt_tokens: Option<Count>,
    completion_tokens: Option<Count>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct Detail {
    ttl: Option<String>,
    #[serde(rename = "inputTokens")]
    tokens: Option<Count>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Creation {
    ephemeral_1h_input_tokens: Option<Count>,
    ephemeral_5m_input_tokens: Option<Count>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Option<Count>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Option<Count>,
}

/// `amazon-bedrock-invocationMetrics`: one shape for all families.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct InvocationMetrics {
    input_token_count: Option<Count>,
    output_token_count: Option<Count>,
    cache_read_input_token_count: Option<Count>,
    cache_write_input_token_count: Option<Count>,
    invocation_latency: Option<Count>,
}

/// Reads a `usage` object; `None` when a number in it cannot be.
pub(super) fn usage(text: &str) -> Option<Counts> {
    let w: Written = serde_json::from_str(text).ok()?;
    let n = |c: Option<Count>| c.map(|c| c.0);
    let mut counts = Counts {
        input: n(w.input.or(w.input_tokens)),
        output: n(w.output.or(w.output_tokens).or(w.completion_tokens)),
        read: n(w.read.or(w.cache_read_input_tokens)),
        write: n(w.write.or(w.cache_creation_input_tokens)),
        write_1h: None,
        reasoning: n(w.completion_tokens_details.and_then(|d| d.reasoning_tokens)),
    };
    if let Some(details) = w.details {
        let hour = details.iter().filter(|d| d.ttl.as_deref() == Some("1h"));
        let sum = |n: u64, d: &Detail| n.checked_add(d.tokens.map_or(0, |c| c.0));
        counts.write_1h = Some(hour.into_iter().try_fold(0, sum)?);
        let all = details.iter().try_fold(0, sum)?;
        counts.write = counts.write.or(Some(all));
    }
    if let Some(split) = w.cache_creation {
        let (hour, short) = (n(split.ephemeral_1h_input_tokens), n(split.ephemeral_5m_input_tokens));
        counts.write_1h = hour;
        counts.write = counts.write.or_else(|| Some(hour? + short?));
    }
    if let Some(prompt) = w.prompt_tokens {
        // OpenAI's form counts cached tokens as part of the prompt
        let cached = n(w.prompt_tokens_details.and_then(|d| d.cached_tokens)).unwrap_or(0);
        counts.input = Some(prompt.0.checked_sub(cached)?);
        counts.read = Some(cached);
    }
    Some(counts)
}

/// Reads `amazon-bedrock-invocationMetrics`: counts, and milliseconds.
pub(super) fn metrics(text: &str) -> Option<(Counts, Option<u64>)> {
    let m: InvocationMetrics = serde_json::from_str(text).ok()?;
    let n = |c: Option<Count>| c.map(|c| c.0);
    let counts = Counts {
        input: n(m.input_token_count),
        output: n(m.output_token_count),
        read: n(m.cache_read_input_token_count),
        write: n(m.cache_write_input_token_count),
        ..Counts::default()
    };
    Some((counts, n(m.invocation_latency)))
}

/// A number that stands by itself.
pub(super) fn number(text: &str) -> Option<u64> {
    serde_json::from_str::<Count>(text).ok().map(|c| c.0)
}
