//! The cache of answers, for operators: what it came to since the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bedplate_core::cache::{Cache, Mark};
use bedplate_core::money::Nanos;
use bedplate_core::ports::Sink;
use bedplate_core::record::Outcome;
use serde::Serialize;

/// The cache, and what it did.
#[derive(Clone)]
pub struct CacheDesk {
    pub cache: Arc<dyn Cache>,
    pub tally: Arc<CacheTally>,
}

/// Counts what the cache did for calls.
#[derive(Default)]
pub struct CacheTally {
    /// In the order of [`Mark::ALL`].
    marks: [AtomicU64; 4],
    /// Nano-dollars that were not spent.
    avoided: AtomicI64,
    /// Kept answers of which nobody knows what they would have cost.
    unpriced: AtomicU64,
}

/// The counts of one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct CacheCounts {
    pub hits: u64,
    pub misses: u64,
    pub bypassed: u64,
    pub stale: u64,
    /// Not part of what was spent.
    pub avoided_nanos: i64,
    /// Hits whose avoided cost is not fully known.
    pub avoided_unpriced: u64,
}

impl CacheTally {
    pub fn counts(&self) -> CacheCounts {
        let [hits, misses, bypassed, stale] = [0, 1, 2, 3].map(|n| self.marks[n].load(Ordering::Relaxed));
        CacheCounts {
            hits,
            misses,
            bypassed,
            stale,
            avoided_nanos: self.avoided.load(Ordering::Relaxed),
            avoided_unpriced: self.unpriced.load(Ordering::Relaxed),
        }
    }
}

impl Sink for CacheTally {
    fn settle(&self, outcome: &Arc<Outcome>) {
        let Some(cache) = &outcome.call.cache else { return };
        if let Some(n) = Mark::ALL.iter().position(|mark| *mark == cache.mark) {
            self.marks[n].fetch_add(1, Ordering::Relaxed);
        }
        if let Some(avoided) = &cache.avoided {
            let Nanos(nanos) = avoided.cost.priced();
            self.avoided.fetch_add(nanos, Ordering::Relaxed);
            self.unpriced.fetch_add(u64::from(!avoided.cost.is_known()), Ordering::Relaxed);
        }
    }
}
