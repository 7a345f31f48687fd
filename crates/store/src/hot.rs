//! `[store] hot`: what is fast and may be lost.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::cache::{Cache, CacheError};
use bedplate_core::clock::Clock;
use bedplate_core::ids::Ids;
use bedplate_core::rate::Rates;
use bedplate_core::setting::SecretRef;
use bedplate_seal::MasterKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::memory::{Memory, Room};
use crate::rates::MemoryRates;
use crate::redis::Redis;
use crate::redis::link::Link;
use crate::redis::rates::RedisRates;

/// Where kept answers are, and where rates are counted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HotConfig {
    /// In this process.
    #[default]
    Memory,
    /// In Redis, for many nodes that share one master key: `redis://user:password@host:6379/0`, or `rediss://` over
    /// TLS.
    Redis(SecretRef),
}

/// What a cache and rates work with.
pub struct Means<'a> {
    pub room: Room,
    /// How long a call waits for an answer of Redis.
    pub deadline: Duration,
    /// Seals what lies outside of this process.
    pub master: &'a MasterKey,
    pub ids: Arc<dyn Ids>,
    pub clock: Arc<dyn Clock>,
    /// Keeps the connection; must not be one that serves calls.
    pub runtime: &'a Handle,
}

/// What is kept in one place.
pub struct Hot {
    pub cache: Arc<dyn Cache>,
    pub rates: Arc<dyn Rates>,
}

impl HotConfig {
    /// Opens the cache and the rates, over one connection. Redis need not be there yet. From now on this process counts as
    /// a node.
    ///
    /// # Errors
    /// When the URL cannot be read, or is none.
    pub fn open(&self, means: Means<'_>) -> Result<Hot, CacheError> {
        Ok(match self {
            Self::Memory => {
                let rates = Arc::new(MemoryRates::new(Arc::clone(&means.clock)));
                Hot { cache: self.cache(means)?, rates }
            }
            Self::Redis(url) => {
                let link = link(url, &means)?;
                let Means { master, ids, clock, runtime, .. } = means;
                let rates = RedisRates::new(link.another(), &*ids, Arc::clone(&clock), runtime);
                Hot { cache: Arc::new(Redis::new(link, master, ids, clock)), rates: Arc::new(rates) }
            }
        })
    }

    /// Opens the cache alone, for whoever serves no calls.
    ///
    /// # Errors
    /// When the URL cannot be read, or is none.
    pub fn cache(&self, means: Means<'_>) -> Result<Arc<dyn Cache>, CacheError> {
        Ok(match self {
            Self::Memory => Arc::new(Memory::new(means.room, means.clock)),
            Self::Redis(url) => {
                let link = link(url, &means)?;
                Arc::new(Redis::new(link, means.master, means.ids, means.clock))
            }
        })
    }
}

fn link(url: &SecretRef, means: &Means<'_>) -> Result<Link, CacheError> {
    let url = url.read().map_err(CacheError::Unavailable)?;
    Link::open(url.expose(), means.deadline, means.runtime)
}
