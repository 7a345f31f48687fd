//! `[store] hot`: what is fast and may be lost.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::cache::{Cache, CacheError};
use bedplate_core::clock::Clock;
use bedplate_core::ids::Ids;
use bedplate_core::setting::SecretRef;
use bedplate_seal::MasterKey;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::memory::{Memory, Room};
use crate::redis::Redis;

/// Where kept answers are.
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

/// What a cache works with.
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

impl HotConfig {
    /// Opens the cache. Redis need not be there yet.
    ///
    /// # Errors
    /// When the URL cannot be read, or is none.
    pub fn cache(&self, means: Means<'_>) -> Result<Arc<dyn Cache>, CacheError> {
        let Means { room, deadline, master, ids, clock, runtime } = means;
        Ok(match self {
            Self::Memory => Arc::new(Memory::new(room, clock)),
            Self::Redis(url) => {
                let url = url.read().map_err(CacheError::Unavailable)?;
                Arc::new(Redis::new(url.expose(), deadline, master, ids, clock, runtime)?)
            }
        })
    }
}
