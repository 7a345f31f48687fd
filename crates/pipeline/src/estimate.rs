//! How many tokens a prompt probably has, before anybody counts them: learned of each model from what upstreams told.
//!
//! A model's tokenizer, the language that callers write, and how much of a request is not text decide how many bytes make a
//! token; and requests of one size come from one application more often than not. So the mean of the last requests of
//! a size is kept for every model, and of a model or size that nobody called yet what is nearest to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use foldhash::fast::FixedState;

/// What was learned of all models, by this process.
#[derive(Default)]
pub struct Estimates {
    models: ArcSwap<HashMap<Arc<str>, Arc<Learned>, FixedState>>,
}

/// A prompt of so many bytes, and the tokens that it probably has.
#[derive(Clone)]
pub(crate) struct Estimate {
    /// At least 1.
    pub(crate) tokens: u64,
    model: Arc<str>,
    bytes: u64,
    learned: Option<Arc<Learned>>,
}

/// By size; [`Mean`] packed.
type Learned = [AtomicU64; SIZES];

/// From 64 bytes to 16 MiB by fours.
const SIZES: usize = 12;
/// Of a model that nobody called: English has about four bytes to the token.
const USUAL: f32 = 0.25;
/// Names that nobody vouches for must not grow the table.
const MODELS: usize = 1_000;

impl Estimates {
    /// What `bytes` of a request to `model` probably are in tokens.
    pub(crate) fn of(&self, model: &Arc<str>, bytes: u64) -> Estimate {
        let learned = self.models.load().get(model).map(Arc::clone);
        let mean = learned.as_deref().and_then(|sizes| nearest(sizes, size(bytes)));
        Estimate {
            tokens: tokens(bytes, mean.map_or(USUAL, |mean| mean.rate)),
            model: Arc::clone(model),
            bytes,
            learned,
        }
    }

    /// The upstream says how many tokens the prompt had.
    pub(crate) fn learn(&self, estimate: &Estimate, told: u64) {
        if told == 0 || estimate.bytes == 0 {
            return;
        }
        let learned = estimate.learned.clone().or_else(|| self.entry(&estimate.model));
        if let Some(sizes) = learned {
            observe(&sizes[size(estimate.bytes)], estimate.bytes, told);
        }
    }

    /// The place of a model; `None` when there is no room for another.
    fn entry(&self, model: &Arc<str>) -> Option<Arc<Learned>> {
        self.models.rcu(|models| {
            if models.contains_key(model) || models.len() >= MODELS {
                return Arc::clone(models);
            }
            let mut models = HashMap::clone(models);
            models.insert(Arc::clone(model), Arc::default());
            Arc::new(models)
        });
        self.models.load().get(model).map(Arc::clone)
    }
}

/// The mean rate of tokens to bytes, and how many requests it is of.
#[derive(Clone, Copy)]
struct Mean {
    rate: f32,
    of: u32,
}

/// A mean is of about this many requests: it follows when an application changes.
const MEMORY: u32 = 32;

impl Mean {
    fn unpack(bits: u64) -> Option<Self> {
        let [rate, of] =
            [bits >> 32, bits & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or(0));
        (of > 0).then_some(Self { rate: f32::from_bits(rate), of })
    }

    fn pack(self) -> u64 {
        u64::from(self.rate.to_bits()) << 32 | u64::from(self.of)
    }

    #[expect(clippy::cast_precision_loss, reason = "a weight of at most 32")]
    fn with(self, rate: f32) -> Self {
        let of = (self.of + 1).min(MEMORY);
        Self { rate: self.rate + (rate - self.rate) / of as f32, of }
    }
}

/// Two calls at once may count as one: nothing depends on it.
#[expect(clippy::cast_precision_loss, reason = "a mean is a guess")]
fn observe(place: &AtomicU64, bytes: u64, told: u64) {
    let rate = told as f32 / bytes as f32;
    let before = Mean::unpack(place.load(Ordering::Relaxed));
    let now = before.map_or(Mean { rate, of: 1 }, |mean| mean.with(rate));
    place.store(now.pack(), Ordering::Relaxed);
}

fn nearest(sizes: &Learned, size: usize) -> Option<Mean> {
    let at = |size: usize| Mean::unpack(sizes.get(size)?.load(Ordering::Relaxed));
    (0..SIZES).find_map(|far| at(size + far).or_else(|| at(size.checked_sub(far)?)))
}

fn size(bytes: u64) -> usize {
    let power = 63 - (bytes | 1).leading_zeros() as usize;
    (power.saturating_sub(4) / 2).min(SIZES - 1)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a guess; the cast saturates"
)]
fn tokens(bytes: u64, rate: f32) -> u64 {
    ((bytes as f32 * rate).round() as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> Arc<str> {
        name.into()
    }

    #[test]
    fn what_was_told_is_expected_of_the_model_from_then_on() {
        let estimates = Estimates::default();
        let nova = model("amazon.nova-lite-v1:0");
        let first = estimates.of(&nova, 1_000);
        assert_eq!(first.tokens, 250);
        estimates.learn(&first, 200);
        assert_eq!(estimates.of(&nova, 1_000).tokens, 200);
        assert_eq!(estimates.of(&nova, 5_000_000).tokens, 1_000_000, "by the nearest size");
        assert_eq!(estimates.of(&nova, 0).tokens, 1);
        assert_eq!(estimates.of(&model("another"), 1_000).tokens, 250);
    }

    #[test]
    fn each_size_has_a_rate_of_its_own() {
        let estimates = Estimates::default();
        let m = model("m");
        // small requests are mostly JSON, large ones mostly pictures
        for (bytes, told) in [(100, 10), (2_000_000, 1_600)] {
            estimates.learn(&estimates.of(&m, bytes), told);
        }
        assert_eq!(estimates.of(&m, 100).tokens, 10);
        assert_eq!(estimates.of(&m, 2_000_000).tokens, 1_600);
        assert_eq!(estimates.of(&m, 1_000).tokens, 100, "the nearest");
    }

    #[test]
    fn it_follows_a_change_and_does_not_jump() {
        let estimates = Estimates::default();
        let m = model("m");
        let learn = |told| estimates.learn(&estimates.of(&m, 1_000), told);
        (0..100).for_each(|_| learn(250));
        learn(500);
        let after_one = estimates.of(&m, 1_000).tokens;
        assert!((251..=260).contains(&after_one), "{after_one}");
        (0..200).for_each(|_| learn(500));
        assert!(estimates.of(&m, 1_000).tokens >= 495);
    }

    #[test]
    fn names_do_not_grow_the_table_without_end() {
        let estimates = Estimates::default();
        for n in 0..MODELS + 10 {
            let name = model(&format!("m{n}"));
            estimates.learn(&estimates.of(&name, 400), 400);
        }
        assert_eq!(estimates.models.load().len(), MODELS);
        assert_eq!(estimates.of(&model("m0"), 400).tokens, 400);
        assert_eq!(estimates.of(&model(&format!("m{}", MODELS + 1)), 400).tokens, 100);
    }

    proptest::proptest! {
        /// On prompts of one kind with noise the error gets small, whatever the tokenizer.
        #[test]
        fn it_comes_close(rate in 0.05f64..1.2, seed in proptest::collection::vec((64u64..4_000, -10i64..=10), 200)) {
            let estimates = Estimates::default();
            let m = model("m");
            let mut missed = 0.0;
            for (n, (bytes, noise)) in seed.iter().enumerate() {
                let told = (*bytes as f64 * rate * (1.0 + *noise as f64 / 100.0)).round().max(1.0);
                let estimate = estimates.of(&m, *bytes);
                if n >= 100 {
                    missed += (estimate.tokens as f64 - told).abs() / told;
                }
                estimates.learn(&estimate, told as u64);
            }
            proptest::prop_assert!(missed / 100.0 < 0.15, "{}", missed / 100.0);
        }
    }
}
