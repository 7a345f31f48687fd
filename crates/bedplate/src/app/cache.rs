//! The cache of kept answers, from settings.

use std::fmt::Write;
use std::sync::Arc;

use bedplate_control::keys::Keymaker;
use bedplate_core::cache::Cache;
use bedplate_pipeline::Single;
use bedplate_store::{Means, Room};
use tokio::runtime::Handle;

use crate::exit::Failure;
use crate::settings::Settings;

/// Opens the cache. Redis need not be there yet; nothing is opened where no rule keeps anything, until one does.
pub(crate) fn open(settings: &Settings, keymaker: &Keymaker, runtime: &Handle) -> Result<Single, Failure> {
    let cache = &settings.cache;
    let opened = settings.store.hot.cache(Means {
        room: Room { bytes: cache.memory.0, entries: cache.entries },
        deadline: cache.deadline.0,
        master: &keymaker.master,
        ids: Arc::clone(&keymaker.ids),
        clock: Arc::clone(&keymaker.clock),
        runtime,
    });
    Ok(Single::new(opened.map_err(Failure::usage)?))
}

/// What `/metrics` says of the cache itself: whole families of OpenMetrics, without its end.
pub(super) fn metrics(cache: &dyn Cache) -> String {
    let gauges = cache.gauges();
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, value: u64| {
        let suffix = if kind == "counter" { "_total" } else { "" };
        // writing to a string does not fail
        let _ = write!(out, "# HELP {name} {help}.\n# TYPE {name} {kind}\n{name}{suffix} {value}\n");
    };
    family("bedplate_cache_up", "gauge", "1 when the cache can be asked, else 0", u64::from(gauges.up));
    family(
        "bedplate_cache_failures",
        "counter",
        "Questions to the cache without an answer; each is a miss",
        gauges.failures,
    );
    family("bedplate_cache_puts", "counter", "Answers put into the cache", gauges.puts);
    if let Some((entries, bytes)) = gauges.held {
        family("bedplate_cache_entries", "gauge", "Answers kept in memory", entries);
        family("bedplate_cache_bytes", "gauge", "Room that answers take in memory", bytes);
    }
    out
}
