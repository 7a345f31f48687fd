//! Histograms over microseconds with fixed bounds: plain integers, one owner.

/// Bounds in microseconds for calls and first tokens: 0.01 s × 2ᵏ up to 655.36 s. Reasoning models
/// answer later than the 81.92 s where the conventions end.
pub(crate) const CALL: [u64; 17] = doubled::<17>(10_000);
/// Bounds in microseconds for the time of one output token.
pub(crate) const TOKEN: [u64; 13] = [
    10_000, 25_000, 50_000, 75_000, 100_000, 150_000, 200_000, 300_000, 400_000, 500_000, 750_000, 1_000_000,
    2_500_000,
];
/// Bounds in microseconds for what bedplate adds: 25 µs × 2ᵏ up to 0.8192 s.
pub(crate) const ADDED: [u64; 16] = doubled::<16>(25);

const fn doubled<const N: usize>(first: u64) -> [u64; N] {
    let mut bounds = [first; N];
    let mut i = 1;
    while i < N {
        bounds[i] = bounds[i - 1] * 2;
        i += 1;
    }
    bounds
}

/// Observations by bucket. `N` is one more than there are bounds: the last bucket has none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Histogram<const N: usize> {
    buckets: [u64; N],
    sum: u64,
}

pub(crate) type Calls = Histogram<{ CALL.len() + 1 }>;
pub(crate) type Tokens = Histogram<{ TOKEN.len() + 1 }>;
pub(crate) type Added = Histogram<{ ADDED.len() + 1 }>;

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { buckets: [0; N], sum: 0 }
    }
}

impl<const N: usize> Histogram<N> {
    pub(crate) fn observe(&mut self, bounds: &[u64], micros: u64) {
        let bucket = bounds.partition_point(|bound| *bound < micros);
        self.buckets[bucket.min(N - 1)] += 1;
        self.sum = self.sum.saturating_add(micros);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.buckets.iter_mut().zip(other.buckets) {
            *ours += theirs;
        }
        self.sum = self.sum.saturating_add(other.sum);
    }

    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// In seconds.
    pub(crate) fn sum(&self) -> f64 {
        seconds(self.sum)
    }

    /// Upper bounds in seconds, each with the observations between it and the one before.
    pub(crate) fn buckets(&self, bounds: &[u64]) -> Vec<(f64, u64)> {
        let bounds = bounds.iter().map(|b| seconds(*b)).chain([f64::INFINITY]);
        bounds.zip(self.buckets).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by nature")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let mut h = Calls::default();
        for micros in [0, 10_000, 10_001, 655_360_000, 655_360_001, u64::MAX] {
            h.observe(&CALL, micros);
        }
        let buckets = h.buckets(&CALL);
        assert_eq!((buckets[0], buckets[1], buckets[16]), ((0.01, 2), (0.02, 1), (655.36, 1)));
        assert_eq!(buckets[17], (f64::INFINITY, 2));
        assert_eq!(h.count(), 6);
    }
}
