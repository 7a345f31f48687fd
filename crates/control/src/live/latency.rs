//! How long things took: distributions that can be merged.

use hdrhistogram::Histogram;
use serde::Serialize;

/// An hour; anything longer counts as an hour.
const LONGEST: u64 = 3_600_000_000;

/// A distribution of microseconds, to two digits. Takes no memory (13 KiB later) until something is
/// recorded.
#[derive(Clone, Default)]
pub(super) struct Latency(Option<Box<Histogram<u32>>>);

/// Microseconds; `None` when nothing was measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Quantiles {
    pub count: u64,
    pub p50_us: Option<u64>,
    pub p95_us: Option<u64>,
    pub p99_us: Option<u64>,
    pub max_us: Option<u64>,
}

impl Latency {
    pub(super) fn record(&mut self, us: u64) {
        if let Some(histogram) = self.made() {
            histogram.saturating_record(us.clamp(1, LONGEST));
        }
    }

    pub(super) fn add(&mut self, other: &Latency) {
        if let Some(theirs) = &other.0
            && let Some(ours) = self.made()
        {
            // cannot fail: both have the same bounds
            let _ = ours.add(&**theirs);
        }
    }

    pub(super) fn clear(&mut self) {
        if let Some(histogram) = &mut self.0 {
            histogram.reset();
        }
    }

    pub(super) fn quantiles(&self) -> Quantiles {
        let Some(h) = self.0.as_ref().filter(|h| !h.is_empty()) else {
            return Quantiles::default();
        };
        let at = |q| Some(h.value_at_quantile(q));
        Quantiles {
            count: h.len(),
            p50_us: at(0.5),
            p95_us: at(0.95),
            p99_us: at(0.99),
            max_us: Some(h.max()),
        }
    }

    /// How many lie between each two neighbours of `edges` (microseconds, growing).
    pub(super) fn bins(&self, edges: &[u64]) -> Vec<u64> {
        let Some(h) = &self.0 else {
            return vec![0; edges.len().saturating_sub(1)];
        };
        edges.windows(2).map(|e| h.count_between(e[0], e[1].saturating_sub(1))).collect()
    }

    fn made(&mut self) -> Option<&mut Histogram<u32>> {
        if self.0.is_none() {
            self.0 = Histogram::new_with_bounds(1, LONGEST, 2).ok().map(Box::new);
        }
        self.0.as_deref_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_two_digits_and_merge() {
        let (mut a, mut b) = (Latency::default(), Latency::default());
        (1..=500).for_each(|n| a.record(n * 1_000));
        (501..=1_000).for_each(|n| b.record(n * 1_000));
        a.add(&b);
        let q = a.quantiles();
        let near = |got: Option<u64>, want: u64| got.unwrap().abs_diff(want) * 100 <= want;
        assert_eq!(q.count, 1_000);
        assert!(near(q.p50_us, 500_000) && near(q.p95_us, 950_000) && near(q.p99_us, 990_000), "{q:?}");
        a.clear();
        assert_eq!(a.quantiles(), Quantiles::default());
    }

    #[test]
    fn what_is_too_long_counts_as_an_hour_and_nothing_as_a_microsecond() {
        let mut a = Latency::default();
        a.record(u64::MAX);
        a.record(0);
        assert_eq!(a.quantiles().count, 2);
        assert_eq!(a.bins(&[1, 10, LONGEST * 2]), [1, 1]);
    }
}
