//! How long an answer takes: time to the first token, then a pace, both with seeded jitter.

use std::time::Duration;

use crate::answer::traits::Traits;
use crate::config::Config;
use crate::seed::Rng;

/// The times of one answer, already divided by the time scale.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    pub(crate) first: Duration,
    pub(crate) per_token: Duration,
}

impl Pace {
    pub(crate) fn of(config: &Config, traits: &Traits, seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x1a7e_9c1e);
        let mut jitter = || (0.8 + 0.5 * rng.unit()) / config.time_scale;
        Self { first: traits.first_token.mul_f64(jitter()), per_token: traits.per_token.mul_f64(jitter()) }
    }

    /// The time that `tokens` output tokens take after the first.
    pub(crate) fn tokens(&self, tokens: u64) -> Duration {
        self.per_token.saturating_mul(u32::try_from(tokens).unwrap_or(u32::MAX))
    }
}
