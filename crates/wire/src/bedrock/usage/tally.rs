//! What was heard of an answer so far, and what it comes to.

use bedplate_core::call::Headers;
use bedplate_core::usage::{Unit, Usage};

use super::{Metered, counts, guardrail};
use crate::json;

/// Token counts; what was not said is `None`.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) input: Option<u64>,
    pub(super) output: Option<u64>,
    pub(super) read: Option<u64>,
    /// All cache writes.
    pub(super) write: Option<u64>,
    /// Those with the lifetime of one hour.
    pub(super) write_1h: Option<u64>,
    pub(super) reasoning: Option<u64>,
}

impl Counts {
    /// Takes over what `newer` says: counts in streams are cumulative, not to be added.
    fn update(&mut self, newer: Counts) {
        self.input = newer.input.or(self.input);
        self.output = newer.output.or(self.output);
        self.read = newer.read.or(self.read);
        self.write = newer.write.or(self.write);
        self.write_1h = newer.write_1h.or(self.write_1h);
        self.reasoning = newer.reasoning.or(self.reasoning);
    }

    /// Takes over what was not said before.
    fn fill(&mut self, other: Counts) {
        let mut filled = other;
        filled.update(*self);
        *self = filled;
    }
}

#[derive(Default)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    pub(super) units: Vec<(Unit, u64)>,
    pub(super) tier: Option<String>,
    /// `performanceConfig.latency`.
    pub(super) latency: Option<String>,
    /// The model that a prompt router chose.
    pub(super) model: Option<String>,
    pub(super) stop_reason: Option<String>,
    pub(super) latency_ms: Option<u64>,
    /// A number was said that cannot be: the usage is unknown.
    pub(super) broken: bool,
    /// The output count heard is the final one.
    pub(super) complete: bool,
}

impl Tally {
    /// Takes over a `usage` object.
    pub(super) fn usage(&mut self, text: &str) {
        match counts::usage(text) {
            Some(newer) => self.counts.update(newer),
            None => self.broken = true,
        }
    }

    /// Takes over `amazon-bedrock-invocationMetrics`. Where the body told its final counts they stand:
    /// only they say what was cached in every family.
    pub(super) fn metrics(&mut self, text: &str) {
        match counts::metrics(text) {
            Some((newer, latency)) => {
                if self.complete {
                    self.counts.fill(newer)
                } else {
                    self.counts.update(newer)
                }
                self.latency_ms = latency.or(self.latency_ms);
                self.complete |= newer.output.is_some();
            }
            None => self.broken = true,
        }
    }

    /// Reads a whole Converse answer, or a `metadata` event.
    pub(super) fn converse(&mut self, text: &str) {
        const NAMES: &[&str] =
            &["usage", "metrics", "stopReason", "serviceTier", "trace", "performanceConfig"];
        let Ok(picked) = json::pick(text, NAMES) else { return };
        if let Some(usage) = picked.text(0) {
            self.usage(usage);
            self.complete = true;
        }
        let inside = |place, name| {
            picked.text(place).and_then(|text| json::pick(text, &[name]).ok()).and_then(|p| p.text(0))
        };
        self.latency_ms = inside(1, "latencyMs").and_then(counts::number).or(self.latency_ms);
        self.stop_reason = picked.text(2).and_then(owned).or(self.stop_reason.take());
        self.tier = inside(3, "type").and_then(owned).or(self.tier.take());
        self.latency = inside(5, "latency").and_then(owned).or(self.latency.take());
        if let Some(trace) = picked.text(4) {
            self.trace(trace);
        }
    }

    /// Takes over a `trace`: what guardrails used, and which model a prompt router chose.
    pub(super) fn trace(&mut self, text: &str) {
        if let Some(units) = guardrail::traced(text) {
            self.units = units;
        }
        let router = json::pick(text, &["promptRouter"]).ok().and_then(|picked| picked.text(0));
        let model = router.and_then(|router| json::pick(router, &["invokedModelId"]).ok()?.text(0));
        self.model = model.and_then(name).or(self.model.take());
    }

    /// Takes over the counts that InvokeModel's answer has in its headers, where the body told none.
    pub(super) fn headers(&mut self, headers: &Headers) {
        self.served(headers);
        let mut number = |name| match headers.text(name).map(str::trim) {
            None => None,
            Some(text) => {
                let n = text.parse().ok().filter(|n| *n <= counts::MOST);
                self.broken |= n.is_none();
                n
            }
        };
        let newer = Counts {
            input: number("x-amzn-bedrock-input-token-count"),
            output: number("x-amzn-bedrock-output-token-count"),
            read: number("x-amzn-bedrock-cache-read-input-token-count"),
            write: number("x-amzn-bedrock-cache-write-input-token-count"),
            ..Counts::default()
        };
        self.counts.fill(newer);
        let latency = headers.text("x-amzn-bedrock-invocation-latency").and_then(|t| t.trim().parse().ok());
        self.latency_ms = latency.or(self.latency_ms);
    }

    /// Takes over how a native call was served, which its headers say.
    pub(super) fn served(&mut self, headers: &Headers) {
        let said = |name| headers.text(name).map(str::to_owned);
        self.tier = said("x-amzn-bedrock-service-tier").or(self.tier.take());
        self.latency = said("x-amzn-bedrock-performanceconfig-latency").or(self.latency.take());
    }

    /// The sum. With `cached_within` the input count may hold the cached tokens, as the streams of
    /// OpenAI's models do.
    pub(super) fn metered(self, cached_within: bool) -> Metered {
        let counted = (!self.broken).then(|| self.prompt(cached_within)).flatten();
        let (usage, prompt) = match (counted, self.counts.output) {
            (Some(prompt), Some(output)) => {
                (Some(Usage { output, reasoning: self.reasoning(), units: self.units, ..prompt }), None)
            }
            // whatever output there was is not known yet: the guardrail's units are no whole usage
            (Some(prompt), None) => (None, Some(Usage { units: self.units, ..prompt })),
            (None, _) if self.broken || self.units.is_empty() => (None, None),
            (None, _) => (Some(Usage { units: self.units, ..Usage::default() }), None),
        };
        Metered {
            prompt,
            usage,
            tier: self.tier,
            latency: self.latency,
            model: self.model,
            stop_reason: self.stop_reason,
            latency_ms: self.latency_ms,
            output_bytes: 0,
        }
    }

    fn prompt(&self, cached_within: bool) -> Option<Usage> {
        let c = &self.counts;
        let mut input = c.input?;
        let (read, write) = (c.read.unwrap_or(0), c.write.unwrap_or(0));
        if cached_within && input >= read + write {
            input -= read + write;
        }
        let hour = c.write_1h.unwrap_or(0).min(write);
        Some(Usage {
            input,
            cache_read: read,
            cache_write_5m: write - hour,
            cache_write_1h: hour,
            ..Usage::default()
        })
    }

    /// A part of the output; a larger number is no part and is left out.
    fn reasoning(&self) -> Option<u64> {
        self.counts.reasoning.filter(|r| Some(*r) <= self.counts.output)
    }
}

/// A string, copied; the longest stop reasons have some thirty characters.
pub(super) fn owned(text: &str) -> Option<String> {
    json::string(text).filter(|s| s.len() <= 256).map(|s| s.into_owned())
}

/// A model's name, which may be a long ARN.
fn name(text: &str) -> Option<String> {
    json::string(text).filter(|s| s.len() <= 2_048).map(|s| s.into_owned())
}
