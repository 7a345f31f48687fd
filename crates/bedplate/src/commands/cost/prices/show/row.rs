//! One standing of a model: a tier, or a prompt beyond a threshold.

use bedplate_core::record::OPTIMIZED;
use bedplate_cost::{Counter, Entry, Quote};

use super::Asked;

pub(super) struct Row {
    /// Empty for the standard tier.
    pub(super) tier: String,
    /// Prompts of more tokens than this.
    pub(super) above: Option<u64>,
    pub(super) quote: Quote,
}

impl Row {
    pub(super) fn of(asked: &Asked<'_>, model: &str, tier: &str, above: Option<u64>) -> Self {
        let prompt = above.map_or(0, |above| above.saturating_add(1));
        let quote = asked.book.quote(model, asked.region, tier, prompt);
        Self { tier: tier.to_owned(), above, quote }
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        match (self.above, &*self.tier) {
            (Some(above), _) => format!("prompts above {above} tokens"),
            (None, "") => "standard".to_owned(),
            (None, OPTIMIZED) => "latency-optimised".to_owned(),
            (None, tier) => tier.to_owned(),
        }
    }

    /// Which price it is, or why none.
    pub(super) fn basis(&self) -> String {
        let writes = if self.quote.writes_as_input { "; cache writes as plain input" } else { "" };
        format!("{}{writes}", self.quote.said())
    }
}

/// The counters that a model can use: all of text for a model that talks, and whatever has a price.
pub(super) fn counters(entry: &Entry, rows: &[Row]) -> Vec<Counter> {
    let text = |counter| {
        use Counter::{CacheRead, CacheWrite1h, CacheWrite5m, Input, Output};
        matches!(counter, Input | Output | CacheRead | CacheWrite5m | CacheWrite1h)
    };
    let talks = matches!(&*entry.mode, "" | "chat");
    let priced = |counter| rows.iter().any(|row| row.quote.rates.get(counter).is_some());
    Counter::ALL.into_iter().filter(|counter| (talks && text(*counter)) || priced(*counter)).collect()
}

/// What a price is for.
pub(super) fn unit(counter: Counter) -> &'static str {
    if counter.places() == 6 { "million tokens" } else { "piece" }
}
