//! How many calls of an alias may be asked a second time while the first request is on its way.
//!
//! A bucket of tokens, as retries have one: calls fill it by the percent that the alias allows, so that in an hour in
//! which everything is slow no more than that is added.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// When a second request is sent, and of how many calls.
pub(crate) struct Hedge {
    pub(crate) after: Duration,
    /// Percent of calls.
    pub(crate) most: u8,
    pub(crate) hedges: Arc<Hedges>,
}

/// What calls have earned, and how it went. Shared by the calls of one alias.
pub(crate) struct Hedges {
    tokens: AtomicU32,
    /// By [`Won`].
    went: [AtomicU64; 3],
}

/// Whose answer the caller got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Won {
    First,
    Second,
    /// Both failed, or the caller left.
    Neither,
}

impl Won {
    pub(crate) const ALL: [Self; 3] = [Self::First, Self::Second, Self::Neither];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
            Self::Neither => "neither",
        }
    }
}

/// A second request that was sent. Dropped it is counted.
pub(crate) struct Bet {
    hedges: Arc<Hedges>,
    pub(crate) won: Won,
}

/// What a second request costs; a call earns its percent of it.
const COST: u32 = 100;
/// So many may come one after the other.
const FULL: u32 = 10 * COST;

impl Default for Hedges {
    fn default() -> Self {
        Self { tokens: AtomicU32::new(COST), went: Default::default() }
    }
}

impl Hedges {
    /// How many there were whose answer was that one's.
    pub(crate) fn went(&self, won: Won) -> u64 {
        self.went[won as usize].load(Ordering::Relaxed)
    }
}

impl Hedge {
    /// A call is asked.
    pub(crate) fn earn(&self) {
        // full is what it nearly always is, and nobody writes then
        if self.hedges.tokens.load(Ordering::Relaxed) < FULL {
            let fill = |tokens: u32| Some((tokens + u32::from(self.most)).min(FULL));
            let _ = self.hedges.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fill);
        }
    }

    /// Whether one may be sent, as things stand.
    pub(crate) fn may(&self) -> bool {
        self.hedges.tokens.load(Ordering::Relaxed) >= COST
    }

    /// Takes what one costs.
    pub(crate) fn take(&self) -> Option<Bet> {
        let less = |tokens: u32| tokens.checked_sub(COST);
        let taken = self.hedges.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.ok().map(|_| Bet { hedges: Arc::clone(&self.hedges), won: Won::Neither })
    }
}

impl Drop for Bet {
    fn drop(&mut self) {
        self.hedges.went[self.won as usize].fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_earn_their_percent_and_never_more_than_is_kept() {
        let hedge = Hedge { after: Duration::from_secs(1), most: 5, hedges: Arc::default() };
        assert!(hedge.take().is_some() && hedge.take().is_none(), "the first is there from the start");
        let sent = (0..1_000).filter(|_| {
            hedge.earn();
            hedge.take().is_some()
        });
        assert_eq!(sent.count(), 50);
        (0..100_000).for_each(|_| hedge.earn());
        assert_eq!((0..1_000).filter(|_| hedge.take().is_some()).count(), 10);
        assert!(!hedge.may());
        assert_eq!(Won::ALL.map(|won| hedge.hedges.went(won)), [0, 0, 61]);
        hedge.earn();
    }
}
