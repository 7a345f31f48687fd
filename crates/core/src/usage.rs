//! What a call used, as disjoint counters: no token is counted in two of them.

use serde::{Deserialize, Serialize};

/// Tokens and other units. The whole prompt is `input + cache_read + cache_write_5m +
/// cache_write_1h`; `reasoning` alone overlaps: it is a part of `output`, where the model says it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Prompt tokens that were neither read from nor written to the prompt cache.
    pub input: u64,
    pub cache_read: u64,
    /// Cache writes with the five-minute lifetime, and writes whose lifetime is not said.
    pub cache_write_5m: u64,
    pub cache_write_1h: u64,
    pub output: u64,
    /// The part of `output` that was reasoning; `None` when the model does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<u64>,
    /// What is not counted in tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<(Unit, u64)>,
}

impl Usage {
    /// All prompt tokens, cached or not (what OpenTelemetry calls input tokens).
    pub fn prompt(&self) -> u64 {
        self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h
    }

    /// Prompt and output tokens.
    pub fn total(&self) -> u64 {
        self.prompt() + self.output
    }

    pub fn is_empty(&self) -> bool {
        self.total() == 0 && self.units.iter().all(|(_, n)| *n == 0)
    }

    pub fn add(&mut self, other: &Usage) {
        self.input += other.input;
        self.cache_read += other.cache_read;
        self.cache_write_5m += other.cache_write_5m;
        self.cache_write_1h += other.cache_write_1h;
        self.output += other.output;
        if let Some(r) = other.reasoning {
            *self.reasoning.get_or_insert(0) += r;
        }
        for (unit, n) in &other.units {
            match self.units.iter_mut().find(|(u, _)| u == unit) {
                Some((_, sum)) => *sum += n,
                None => self.units.push((*unit, *n)),
            }
        }
    }
}

/// Things priced by the piece.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A rerank query: up to 100 documents.
    Query,
    InputImage,
    OutputImage,
    InputVideoSecond,
    InputAudioSecond,
    /// Guardrail text units, 1,000 characters each, by policy.
    GuardrailContent,
    GuardrailTopic,
    GuardrailWord,
    GuardrailSensitive,
    GuardrailSensitiveFree,
    GuardrailGrounding,
    GuardrailReasoning,
    GuardrailImage,
}

impl Unit {
    /// Whether it is a guardrail's, and not a model's.
    pub fn is_guardrail(self) -> bool {
        match self {
            Self::Query
            | Self::InputImage
            | Self::OutputImage
            | Self::InputVideoSecond
            | Self::InputAudioSecond => false,
            Self::GuardrailContent
            | Self::GuardrailTopic
            | Self::GuardrailWord
            | Self::GuardrailSensitive
            | Self::GuardrailSensitiveFree
            | Self::GuardrailGrounding
            | Self::GuardrailReasoning
            | Self::GuardrailImage => true,
        }
    }
}

/// How a [`Usage`] came to be known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageBasis {
    /// Nothing was used, or nothing is metered: refused calls, catalogue reads.
    #[default]
    None,
    /// The upstream said it.
    Reported,
    /// The stream ended without usage: output is inferred from bytes, bounded by maxTokens.
    Estimated,
    /// The operation was passed on without being metered, because configuration allows it.
    Unmetered,
}
