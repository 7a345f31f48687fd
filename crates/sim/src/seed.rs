//! Chance that can be repeated: everything is drawn from a seed and the request.

/// Mixes a text into a seed (FNV-1a, then a finaliser so that near texts differ everywhere).
pub(crate) fn mix(seed: u64, text: &[u8]) -> u64 {
    let mut h = seed ^ 0xcbf2_9ce4_8422_2325;
    for b in text {
        h = (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
    }
    finish(h)
}

/// Numbers from a seed (splitmix64).
#[derive(Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        finish(self.0)
    }

    /// A number below `n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n.max(1)).unwrap_or(1);
        usize::try_from(self.next() % n).unwrap_or(0)
    }

    /// A number from 0 up to but not including 1.
    pub(crate) fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly")]
        let n = (self.next() >> 11) as f64;
        n / 9_007_199_254_740_992.0
    }

    /// `n` characters of `alphabet`.
    pub(crate) fn text(&mut self, alphabet: &[u8], n: usize) -> String {
        (0..n).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }
}

pub(crate) const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
pub(crate) const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

fn finish(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let mut a = Rng::new(mix(1, b"x"));
        let mut b = Rng::new(mix(1, b"x"));
        assert_eq!(
            (0..9).map(|_| a.next()).collect::<Vec<_>>(),
            (0..9).map(|_| b.next()).collect::<Vec<_>>()
        );
        assert_ne!(mix(1, b"x"), mix(1, b"y"));
        assert_ne!(mix(1, b"x"), mix(2, b"x"));
    }

    #[test]
    fn units_spread_evenly() {
        let mut r = Rng::new(7);
        let low = (0..10_000).filter(|_| r.unit() < 0.1).count();
        assert!((900..1100).contains(&low), "{low}");
    }
}
