//! What rates have refused since the start.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};

use bedplate_core::rate::{CountId, Refused};
use foldhash::fast::FixedState;
use parking_lot::Mutex;

/// Refusals by count. Nobody who is let through comes by here.
#[derive(Default)]
pub struct TurnedAway {
    shards: [Mutex<HashMap<CountId, Refused, FixedState>>; SHARDS],
    /// Of counts that found no place.
    others: AtomicU64,
}

const SHARDS: usize = 16;
/// Counts that a shard remembers: callers may have as many names as they like.
const MOST: usize = 512;

impl TurnedAway {
    /// `too_large`: the call asked for more than a minute's limit.
    pub(super) fn count(&self, count: &CountId, too_large: bool) {
        let at = FixedState::default().hash_one(&*count.of) % SHARDS as u64;
        let mut shard = self.shards[usize::try_from(at).unwrap_or(0)].lock();
        if !shard.contains_key(count) && shard.len() >= MOST {
            self.others.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let refused = shard.entry(count.clone()).or_default();
        if too_large {
            refused.too_large += 1;
        } else {
            refused.full += 1;
        }
    }

    /// By count, and of all that found no place.
    pub(super) fn all(&self) -> (Vec<(CountId, Refused)>, u64) {
        let mut all = Vec::new();
        for shard in &self.shards {
            all.extend(shard.lock().iter().map(|(count, refused)| (count.clone(), *refused)));
        }
        (all, self.others.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use bedplate_core::rate::Kind;

    use super::*;

    #[test]
    fn made_up_names_are_counted_together_once_there_are_too_many() {
        let away = TurnedAway::default();
        let named = |n: usize| CountId {
            throttle: "keys[each key]".into(),
            of: format!("key={n}").into(),
            kind: Kind::Tokens,
        };
        (0..20_000).for_each(|n| away.count(&named(n), false));
        away.count(&named(0), true);
        let (all, others) = away.all();
        assert_eq!(all.len(), SHARDS * MOST);
        assert_eq!(others, 20_000 - (SHARDS * MOST) as u64);
        let first = all.into_iter().find(|(count, _)| *count == named(0)).unwrap().1;
        assert_eq!(first, Refused { full: 1, too_large: 1 });
    }
}
