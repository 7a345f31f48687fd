//! Answers in the memory of this process, bounded by bytes and by number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bedplate_core::cache::{
    Cache, CacheError, CacheKey, Entry, Epoch, Gauges, Looked, Place, Purge, Stats, Tags,
};
use bedplate_core::clock::Clock;
use foldhash::fast::RandomState;
use parking_lot::RwLock;
use quick_cache::sync::{Cache as Shelves, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

/// How much may be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    pub bytes: u64,
    pub entries: u64,
}

/// The cache of one process. Looking takes no lock that others wait for.
pub(crate) struct Memory {
    shelves: Shelves<CacheKey, Kept, Weight, RandomState>,
    /// How many purges there have been. Whoever puts holds it shared, whoever purges alone: nothing is put behind a
    /// purge's back.
    purges: RwLock<()>,
    epoch: AtomicU64,
    puts: AtomicU64,
    clock: Arc<dyn Clock>,
}

#[derive(Clone)]
struct Kept {
    entry: Arc<Entry>,
    tags: Tags,
}

/// An entry weighs its bytes, and so much at least that there are never too many.
#[derive(Clone)]
struct Weight {
    least: u64,
}

impl Weighter<CacheKey, Kept> for Weight {
    fn weight(&self, _: &CacheKey, kept: &Kept) -> u64 {
        kept.entry.weight().max(self.least)
    }
}

/// A shelf is an eighth of the room: an entry of a sixteenth fits.
const SHELVES: usize = 8;

impl Memory {
    pub(crate) fn new(room: Room, clock: Arc<dyn Clock>) -> Self {
        let entries = usize::try_from(room.entries).unwrap_or(usize::MAX);
        // fails only when no number of entries is given
        let mut options = OptionsBuilder::new();
        let options = options
            .shards(SHELVES)
            .estimated_items_capacity(entries.clamp(1, 1_000_000))
            .weight_capacity(room.bytes)
            .build();
        let weight = Weight { least: room.bytes.div_ceil(room.entries.max(1)) };
        let shelves = match options {
            Ok(options) => {
                Shelves::with_options(options, weight, RandomState::default(), DefaultLifecycle::default())
            }
            Err(_) => {
                let lifecycle = DefaultLifecycle::default();
                Shelves::with(entries, room.bytes, weight, RandomState::default(), lifecycle)
            }
        };
        let (epoch, puts) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { shelves, purges: RwLock::new(()), epoch, puts, clock }
    }
}

#[async_trait]
impl Cache for Memory {
    async fn get(&self, place: &Place) -> Result<Looked, CacheError> {
        // first the epoch: a purge after this line makes it old
        let epoch = Epoch([self.epoch.load(Ordering::Acquire), 0, 0, 0]);
        let Some(kept) = self.shelves.get(&place.key) else { return Ok(Looked { entry: None, epoch }) };
        if self.clock.now() < kept.entry.kept_until {
            return Ok(Looked { entry: Some(kept.entry), epoch });
        }
        self.shelves.remove_if(&place.key, |there| Arc::ptr_eq(&there.entry, &kept.entry));
        Ok(Looked { entry: None, epoch })
    }

    async fn put(&self, place: &Place, entry: &Arc<Entry>, epoch: Epoch) -> Result<(), CacheError> {
        let _shared = self.purges.read();
        if self.epoch.load(Ordering::Acquire) == epoch.0[0] {
            let kept = Kept { entry: Arc::clone(entry), tags: place.tags.clone() };
            self.shelves.insert(place.key, kept);
            self.puts.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn purge(&self, what: &Purge) -> Result<u64, CacheError> {
        let _alone = self.purges.write();
        self.epoch.fetch_add(1, Ordering::AcqRel);
        let mut dropped = 0;
        let doomed: Vec<CacheKey> =
            self.shelves.iter().filter(|(_, kept)| what.concerns(&kept.tags)).map(|(key, _)| key).collect();
        for key in doomed {
            dropped += u64::from(self.shelves.remove(&key).is_some());
        }
        Ok(dropped)
    }

    async fn stats(&self) -> Result<Stats, CacheError> {
        let weights = self.shelves.iter().map(|(_, kept)| kept.entry.weight());
        let (entries, bytes) = weights.fold((0, 0), |(n, sum), weight| (n + 1, sum + weight));
        Ok(Stats { store: "memory".into(), entries, bytes })
    }

    fn gauges(&self) -> Gauges {
        Gauges {
            up: true,
            failures: 0,
            puts: self.puts.load(Ordering::Relaxed),
            held: Some((self.shelves.len() as u64, self.shelves.weight())),
        }
    }
}
