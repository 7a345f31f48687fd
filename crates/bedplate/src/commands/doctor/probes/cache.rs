//! The cache that is shared by nodes.

use std::time::Duration;

use bedplate_core::cache::Cache as _;
use bedplate_store::HotConfig;
use tokio::runtime::Handle;

use super::Finding;
use crate::app::{Offline, open_cache};
use crate::settings::Settings;

/// How long Redis may take to be there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Nothing where answers are kept in memory: there is nothing to find.
pub(super) async fn cache(offline: &Offline, settings: &Settings, runtime: &Handle) -> Option<Finding> {
    if settings.store.hot == HotConfig::Memory {
        return None;
    }
    let fix = "Repair Redis, or change `[store] hot`. Calls go on without it, and every one is a miss.";
    let cache = match open_cache(settings, &offline.keymaker, runtime) {
        Ok(cache) => cache,
        Err(e) => return Some(Finding::bad("cache", e.said, fix)),
    };
    let there = async {
        while !cache.gauges().up {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cache.stats().await
    };
    Some(match tokio::time::timeout(PATIENCE, there).await {
        Ok(Ok(stats)) => Finding::good("cache", format!("{}, {} answers", stats.store, stats.entries)),
        Ok(Err(e)) => Finding::warning("cache", e.to_string(), fix),
        Err(_) => {
            Finding::warning("cache", format!("redis does not answer within {} s", PATIENCE.as_secs()), fix)
        }
    })
}
