//! Conversations that are away from their home, while they are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bedplate_core::clock::Tick;
use foldhash::fast::FixedState;
use parking_lot::Mutex;

use super::sticky::Conversation;

/// A bounded table that forgets by the clock. While nobody is away a look costs one load.
#[derive(Default)]
pub(crate) struct Warm {
    shards: [Shard; SHARDS],
}

const SHARDS: usize = 16;
/// Conversations of a shard at most: 16,384 in all. What finds no room goes home as soon as it can.
const MOST: usize = 1_024;

#[derive(Default)]
#[repr(align(128))]
struct Shard {
    /// When the last of them is forgotten.
    until: AtomicU64,
    away: Mutex<HashMap<Conversation, Away, FixedState>>,
}

#[derive(Clone, Copy)]
struct Away {
    /// The seed of the target.
    at: u64,
    until: Tick,
}

impl Warm {
    /// Where a conversation stays now, when it is not its home.
    pub(super) fn kept(&self, whose: Conversation, now: Tick) -> Option<u64> {
        let shard = self.shard(whose);
        if shard.until.load(Ordering::Relaxed) <= now.0 {
            return None;
        }
        shard.away.lock().get(&whose).filter(|away| away.until > now).map(|away| away.at)
    }

    /// Keeps it there for so long.
    pub(super) fn keep(&self, whose: Conversation, at: u64, now: Tick, lasts: Duration) {
        let until = Tick(now.0.saturating_add(u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX)));
        let shard = self.shard(whose);
        let mut away = shard.away.lock();
        if away.len() >= MOST && !away.contains_key(&whose) {
            away.retain(|_, away| away.until > now);
            if away.len() >= MOST {
                return;
            }
        }
        away.insert(whose, Away { at, until });
        shard.until.fetch_max(until.0, Ordering::Relaxed);
    }

    /// It is at home again.
    pub(super) fn forget(&self, whose: Conversation, now: Tick) {
        let shard = self.shard(whose);
        if shard.until.load(Ordering::Relaxed) > now.0 {
            shard.away.lock().remove(&whose);
        }
    }

    fn shard(&self, whose: Conversation) -> &Shard {
        // the upper half: the lower finds the place within the shard
        &self.shards[usize::try_from(whose.0 >> 60).unwrap_or(0) % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(minutes: u64) -> Tick {
        Tick(minutes * 60_000_000_000)
    }

    #[test]
    fn what_is_kept_is_forgotten_by_the_clock() {
        let (warm, whose) = (Warm::default(), Conversation(7));
        assert_eq!(warm.kept(whose, at(1)), None);
        warm.keep(whose, 3, at(1), MINUTE * 5);
        assert_eq!((warm.kept(whose, at(5)), warm.kept(Conversation(8), at(5))), (Some(3), None));
        warm.keep(whose, 4, at(5), MINUTE * 5);
        assert_eq!((warm.kept(whose, at(9)), warm.kept(whose, at(10))), (Some(4), None));
        warm.keep(whose, 5, at(11), MINUTE);
        warm.forget(whose, at(11));
        assert_eq!(warm.kept(whose, at(11)), None);
    }

    #[test]
    fn it_is_bounded_and_makes_room_of_what_has_passed() {
        let warm = Warm::default();
        let most = u64::try_from(MOST).unwrap();
        (0..most).for_each(|n| warm.keep(Conversation(n), 1, at(0), MINUTE));
        warm.keep(Conversation(most), 1, at(0), MINUTE * 9);
        assert_eq!(warm.kept(Conversation(most), at(0)), None, "full");
        warm.keep(Conversation(0), 2, at(0), MINUTE * 9);
        assert_eq!(warm.kept(Conversation(0), at(5)), Some(2), "one that is there has its place");
        warm.keep(Conversation(most), 1, at(5), MINUTE);
        assert_eq!(warm.kept(Conversation(most), at(5)), Some(1));
        assert_eq!(warm.shards[0].away.lock().len(), 2);
    }
}
