//! How often calls may be asked again, and how long to wait before: a bucket of tokens, as AWS SDKs have it.
//!
//! In an outage the bucket runs empty and stays so, since only answers fill it: then each call is asked once, and a
//! storm of retries does not come on top of what is wrong.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Shared by the calls of one alias.
#[derive(Debug)]
pub(crate) struct Retries {
    tokens: AtomicU32,
}

const FULL: u32 = 500;
/// The price of asking again.
const COST: u32 = 5;
/// The same after a timeout, which took the upstream longer.
const TIMEOUT_COST: u32 = 10;
/// What an answer without a retry earns.
const EARNED: u32 = 1;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

impl Default for Retries {
    fn default() -> Self {
        Self { tokens: AtomicU32::new(FULL) }
    }
}

impl Retries {
    /// Takes what another attempt costs; `None` when there is not so much.
    pub(crate) fn take(&self, after_timeout: bool) -> Option<u32> {
        let cost = if after_timeout { TIMEOUT_COST } else { COST };
        let taken =
            self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| tokens.checked_sub(cost));
        taken.is_ok().then_some(cost)
    }

    /// An answer came: the last retry gets its cost back, a call without one earns a little.
    pub(crate) fn answered(&self, cost: Option<u32>) {
        let back = cost.unwrap_or(EARNED);
        // read first: full is what it nearly always is, and nobody writes then
        if self.tokens.load(Ordering::Relaxed) < FULL {
            let fill = |tokens: u32| Some((tokens + back).min(FULL));
            let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fill);
        }
    }
}

/// How long to wait before attempt `n` (from 2) at the same target: anything up to twice as long as the time before,
/// unless the upstream said how long. `chance` is any number.
pub(crate) fn backoff(n: u32, chance: u32, hint: Option<Duration>) -> Duration {
    if let Some(hint) = hint {
        return hint;
    }
    let most = FIRST.saturating_mul(1 << n.saturating_sub(1).min(10)).min(LONGEST);
    most.mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_empties_the_bucket_and_answers_fill_it() {
        let retries = Retries::default();
        let taken = (0..10_000).filter(|_| retries.take(false).is_some()).count();
        assert_eq!(taken, 100);
        (0..5).for_each(|_| retries.answered(None));
        assert_eq!(retries.take(true), None);
        assert_eq!(retries.take(false), Some(5));
        retries.answered(Some(5));
        assert_eq!(retries.take(false), Some(5));
        (0..1_000).for_each(|_| retries.answered(None));
        assert_eq!((0..1_000).filter(|_| retries.take(true).is_some()).count(), 50, "never more than full");
    }

    #[test]
    fn waits_grow_are_spread_and_give_way_to_a_hint() {
        assert_eq!(backoff(2, u32::MAX, None), Duration::from_millis(100));
        assert_eq!(backoff(3, u32::MAX, None), Duration::from_millis(200));
        assert_eq!(backoff(60, u32::MAX, None), LONGEST);
        assert_eq!(backoff(5, 0, None), Duration::ZERO);
        assert_eq!(backoff(2, 7, Some(Duration::from_secs(3))), Duration::from_secs(3));
    }
}
