//! Where nothing is kept.

use std::sync::Arc;

use async_trait::async_trait;
use bedplate_core::cache::{Cache, CacheError, Entry, Epoch, Gauges, Looked, Place, Purge, Stats};

/// A cache without room.
pub(super) struct Nothing;

#[async_trait]
impl Cache for Nothing {
    async fn get(&self, _: &Place) -> Result<Looked, CacheError> {
        Ok(Looked::default())
    }

    async fn put(&self, _: &Place, _: &Arc<Entry>, _: Epoch) -> Result<(), CacheError> {
        Ok(())
    }

    async fn purge(&self, _: &Purge) -> Result<u64, CacheError> {
        Ok(0)
    }

    async fn stats(&self) -> Result<Stats, CacheError> {
        Ok(Stats { store: "off".into(), ..Stats::default() })
    }

    fn gauges(&self) -> Gauges {
        Gauges { up: true, ..Gauges::default() }
    }
}
