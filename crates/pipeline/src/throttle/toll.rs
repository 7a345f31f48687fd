//! What a call took from rates, until it is settled.

use std::sync::Arc;

use bedplate_core::rate::{Correction, CountId, Kind, Level, Origin, Rates, Taken};
use bedplate_core::usage::Usage;

/// How the tightest counts of a call stood when it was decided: what the caller is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rated {
    pub requests: Option<Level>,
    pub tokens: Option<Level>,
}

impl Rated {
    /// The counts of which the least remains.
    pub(super) fn of<'a>(taken: &Taken, kinds: impl Iterator<Item = &'a Kind>) -> Self {
        let mut rated = Self::default();
        for (level, kind) in taken.levels.iter().zip(kinds) {
            let place = match kind {
                Kind::Requests => &mut rated.requests,
                Kind::Tokens => &mut rated.tokens,
            };
            let tighter = |there: &Level| (level.remaining, there.full_in) < (there.remaining, level.full_in);
            if place.as_ref().is_none_or(tighter) {
                *place = Some(*level);
            }
        }
        rated
    }
}

/// Tokens that were taken on arrival, by a guess. Dropped without being settled it gives them all back.
pub(crate) struct Toll {
    pub(super) rates: Arc<dyn Rates>,
    pub(super) from: Origin,
    /// Counts and their limits.
    pub(super) counts: Vec<(CountId, u64)>,
    /// Of each.
    pub(super) taken: u64,
}

impl Toll {
    /// Corrects the guess to what was used.
    pub(crate) fn settle(mut self, used: u64) {
        self.correct(used);
    }

    fn correct(&mut self, used: u64) {
        let more = whole(used) - whole(self.taken);
        let counts = std::mem::take(&mut self.counts);
        if more == 0 || counts.is_empty() {
            return;
        }
        let correction = |(count, limit)| Correction { count, limit, more };
        self.rates.settle(self.from, counts.into_iter().map(correction).collect());
    }
}

impl Drop for Toll {
    fn drop(&mut self) {
        self.correct(0);
    }
}

/// What counts of what was used: all of the prompt that was not read from the prompt cache, and the output.
pub(crate) fn counted(usage: &Usage) -> u64 {
    // what an upstream says it used may be any number
    let prompt = usage.input.saturating_add(usage.cache_write_5m).saturating_add(usage.cache_write_1h);
    prompt.saturating_add(usage.output)
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_tightest_is_told_of_each_kind() {
        let level = |remaining, secs| Level { limit: 10, remaining, full_in: Duration::from_secs(secs) };
        let levels = vec![level(3, 1), level(9, 9), level(2, 1), level(2, 5)];
        let taken = Taken { levels, short: None, from: Origin::Shared };
        let kinds = [Kind::Requests, Kind::Tokens, Kind::Requests, Kind::Requests];
        let rated = Rated::of(&taken, kinds.iter());
        assert_eq!((rated.requests, rated.tokens), (Some(level(2, 5)), Some(level(9, 9))));
    }
}
