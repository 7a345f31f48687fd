//! The cache of this process: a store, and the questions under way.

use std::sync::Arc;

use async_trait::async_trait;
use bedplate_core::cache::{Cache, CacheError, Entry, Epoch, Gauges, Looked, Place, Purge, Stats};

use super::flight::Flights;

/// Outlives configurations. To operators it is a cache whose purges concern questions under way, too.
#[derive(Clone)]
pub struct Single {
    store: Arc<dyn Cache>,
    flights: Arc<Flights>,
}

impl Single {
    pub fn new(store: Arc<dyn Cache>) -> Self {
        Self { store, flights: Arc::default() }
    }

    pub(super) fn store(&self) -> Arc<dyn Cache> {
        Arc::clone(&self.store)
    }

    pub(super) fn flights(&self) -> Arc<Flights> {
        Arc::clone(&self.flights)
    }
}

#[async_trait]
impl Cache for Single {
    async fn get(&self, place: &Place) -> Result<Looked, CacheError> {
        self.store.get(place).await
    }

    async fn put(&self, place: &Place, entry: &Arc<Entry>, epoch: Epoch) -> Result<(), CacheError> {
        self.store.put(place, entry, epoch).await
    }

    async fn purge(&self, what: &Purge) -> Result<u64, CacheError> {
        let purged = self.store.purge(what).await;
        // who asks from now on waits for nobody who asked before
        self.flights.forget();
        purged
    }

    async fn stats(&self) -> Result<Stats, CacheError> {
        self.store.stats().await
    }

    fn gauges(&self) -> Gauges {
        self.store.gauges()
    }
}
