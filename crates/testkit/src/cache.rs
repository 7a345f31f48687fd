//! A cache in memory that keeps to the words of the port, and a way to a cache that loses questions on cue.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use bedplate_core::cache::{
    Cache, CacheError, CacheKey, Entry, Epoch, Gauges, Looked, Place, Purge, Stats, Tags,
};
use bedplate_core::clock::Clock;
use parking_lot::Mutex;

use crate::Cue;

/// Keeps everything until its time is over.
pub struct MemoryCache {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<CacheKey, (Arc<Entry>, Tags)>,
    purges: u64,
    puts: u64,
}

impl MemoryCache {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default() }
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, place: &Place) -> Result<Looked, CacheError> {
        let state = self.state.lock();
        let entry = state.entries.get(&place.key).map(|(entry, _)| Arc::clone(entry));
        let entry = entry.filter(|entry| self.clock.now() < entry.kept_until);
        Ok(Looked { entry, epoch: Epoch([state.purges, 0, 0, 0]) })
    }

    async fn put(&self, place: &Place, entry: &Arc<Entry>, epoch: Epoch) -> Result<(), CacheError> {
        let mut state = self.state.lock();
        if epoch.0[0] == state.purges {
            state.entries.insert(place.key, (Arc::clone(entry), place.tags.clone()));
            state.puts += 1;
        }
        Ok(())
    }

    async fn purge(&self, what: &Purge) -> Result<u64, CacheError> {
        let mut state = self.state.lock();
        state.purges += 1;
        let before = state.entries.len();
        state.entries.retain(|_, (_, tags)| !what.concerns(tags));
        Ok((before - state.entries.len()) as u64)
    }

    async fn stats(&self) -> Result<Stats, CacheError> {
        let state = self.state.lock();
        let bytes = state.entries.values().map(|(entry, _)| entry.weight()).sum();
        Ok(Stats { store: "memory".into(), entries: state.entries.len() as u64, bytes })
    }

    fn gauges(&self) -> Gauges {
        let state = self.state.lock();
        Gauges { up: true, puts: state.puts, ..Gauges::default() }
    }
}

/// Each question, but for gauges, takes a cue; without one it succeeds.
pub struct FaultyCache {
    inner: Arc<dyn Cache>,
    cues: Mutex<VecDeque<Cue>>,
}

impl FaultyCache {
    pub fn new(inner: Arc<dyn Cache>) -> Self {
        Self { inner, cues: Mutex::default() }
    }

    /// What happens next, after what was cued before.
    pub fn cue(&self, cues: &[Cue]) {
        self.cues.lock().extend(cues);
    }

    async fn pass<T>(
        &self,
        work: impl Future<Output = Result<T, CacheError>> + Send,
    ) -> Result<T, CacheError> {
        let cue = self.cues.lock().pop_front().unwrap_or(Cue::Succeed);
        match cue {
            Cue::Succeed => return work.await,
            Cue::Before => {}
            Cue::After | Cue::Late => drop(work.await?),
        }
        Err(CacheError::Unavailable(format!("the answer was lost: {cue:?}")))
    }
}

#[async_trait]
impl Cache for FaultyCache {
    async fn get(&self, place: &Place) -> Result<Looked, CacheError> {
        self.pass(self.inner.get(place)).await
    }

    async fn put(&self, place: &Place, entry: &Arc<Entry>, epoch: Epoch) -> Result<(), CacheError> {
        self.pass(self.inner.put(place, entry, epoch)).await
    }

    async fn purge(&self, what: &Purge) -> Result<u64, CacheError> {
        self.pass(self.inner.purge(what)).await
    }

    async fn stats(&self) -> Result<Stats, CacheError> {
        self.pass(self.inner.stats()).await
    }

    fn gauges(&self) -> Gauges {
        self.inner.gauges()
    }
}
