//! What one combination counts between two flushes.

use bedplate_core::money::Nanos;
use bedplate_core::record::{Ending, Outcome};
use bedplate_core::refusal::Code;
use bedplate_core::usage::Usage;

/// At most so many values of one kind are kept; EMF takes a hundred of them.
const KEPT: usize = 10_000;

#[derive(Default)]
pub(crate) struct Group {
    pub(crate) calls: u64,
    /// Calls that did not end well for a reason that is not the caller's hanging up.
    pub(crate) errors: u64,
    pub(crate) refusals: u64,
    /// Upstream requests that were throttled.
    pub(crate) throttles: u64,
    /// By phase: connect, first token, idle, total.
    pub(crate) timeouts: [u64; 4],
    pub(crate) usage: Usage,
    pub(crate) cost: Nanos,
    pub(crate) unpriced: u64,
    pub(crate) latency: Values,
    pub(crate) first_token: Values,
    pub(crate) overhead: Values,
}

impl Group {
    pub(crate) fn count(&mut self, outcome: &Outcome) {
        let call = &outcome.call;
        self.calls += 1;
        self.errors += u64::from(matches!(call.ending, Ending::Failed | Ending::Cut | Ending::Refused));
        self.refusals += u64::from(call.ending == Ending::Refused);
        self.usage.add(&call.usage);
        self.cost = self.cost.saturating_add(call.cost.priced());
        self.unpriced += u64::from(!call.cost.is_known());
        self.overhead.add(call.timings.overhead);
        if !outcome.attempts.is_empty() {
            self.latency.add(call.timings.total);
        }
        if let Some(first) = call.timings.first_token {
            self.first_token.add(first);
        }
        let mut codes: Vec<Code> = Vec::new();
        for attempt in &outcome.attempts {
            let throttled = attempt.status == 429 || attempt.error.as_deref() == Some("ThrottlingException");
            self.throttles += u64::from(throttled);
            codes.extend(attempt.code);
        }
        if !codes.iter().any(|c| c.timeout_phase().is_some()) {
            codes.extend(call.code);
        }
        for phase in codes.into_iter().filter_map(Code::timeout_phase) {
            self.timeouts[match phase {
                "connect" => 0,
                "first_token" => 1,
                "idle" => 2,
                _ => 3,
            }] += 1;
        }
    }
}

/// Values, from which a hundred are shown.
#[derive(Default)]
pub(crate) struct Values {
    kept: Vec<u64>,
    seen: u64,
}

impl Values {
    pub(crate) fn add(&mut self, value: u64) {
        self.seen += 1;
        if self.kept.len() < KEPT {
            self.kept.push(value);
        } else {
            // each of the many has the same chance; a stride is chance enough for a percentile
            let at = self.seen.wrapping_mul(0x9e37_79b9_7f4a_7c15) % self.seen;
            if let Some(slot) = usize::try_from(at).ok().and_then(|at| self.kept.get_mut(at)) {
                *slot = value;
            }
        }
    }

    /// At most a hundred, each divided by `unit`: all when there are no more, else those at even
    /// percentiles. Percentiles hold; a count of them does not, which is what `Calls` is for.
    pub(crate) fn shown(&mut self, unit: f64) -> Vec<f64> {
        const MOST: usize = 100;
        #[expect(clippy::cast_precision_loss, reason = "CloudWatch values are floats by nature")]
        let shown = |value: u64| value as f64 / unit;
        if self.kept.len() <= MOST {
            return self.kept.iter().map(|v| shown(*v)).collect();
        }
        self.kept.sort_unstable();
        let n = self.kept.len();
        (0..MOST).map(|i| shown(self.kept[i * (n - 1) / (MOST - 1)])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_values_keep_the_percentiles_and_the_ends() {
        let mut values = Values::default();
        (1..=5_000).rev().for_each(|ms| values.add(ms * 1_000));
        let shown = values.shown(1e3);
        assert_eq!((shown.len(), shown[0], shown[99]), (100, 1.0, 5_000.0));
        assert!((2_450.0..2_550.0).contains(&shown[49]), "{}", shown[49]);
        (0..100_000).for_each(|_| values.add(7_000));
        assert_eq!(values.kept.len(), KEPT);
        let sevens = values.kept.iter().filter(|v| **v == 7_000).count();
        assert!(sevens > KEPT * 8 / 10, "later values take their share: {sevens}");
    }
}
