//! What is kept hot, from settings: answers, and the counts of rates.

use std::fmt::Write;
use std::sync::Arc;

use bedplate_control::keys::Keymaker;
use bedplate_core::cache::Cache;
use bedplate_core::rate::Rates;
use bedplate_pipeline::Single;
use bedplate_store::{Hot, Means, Room};
use tokio::runtime::Handle;

use crate::exit::Failure;
use crate::settings::Settings;

/// Opens the cache alone, for a command that serves no calls. Redis need not be there yet.
pub(crate) fn open(settings: &Settings, keymaker: &Keymaker, runtime: &Handle) -> Result<Single, Failure> {
    let opened = settings.store.hot.cache(means(settings, keymaker, runtime));
    Ok(Single::new(opened.map_err(Failure::usage)?))
}

/// Opens the cache and the rates: from now on this process is a node among others.
pub(super) fn serve(
    settings: &Settings,
    keymaker: &Keymaker,
    runtime: &Handle,
) -> Result<(Single, Arc<dyn Rates>), Failure> {
    let opened = settings.store.hot.open(means(settings, keymaker, runtime));
    let Hot { cache, rates } = opened.map_err(Failure::usage)?;
    Ok((Single::new(cache), rates))
}

fn means<'a>(settings: &Settings, keymaker: &'a Keymaker, runtime: &'a Handle) -> Means<'a> {
    let cache = &settings.cache;
    Means {
        room: Room { bytes: cache.memory.0, entries: cache.entries },
        deadline: cache.deadline.0,
        master: &keymaker.master,
        ids: Arc::clone(&keymaker.ids),
        clock: Arc::clone(&keymaker.clock),
        runtime,
    }
}

/// What `/metrics` says of the cache itself: whole families of OpenMetrics, without its end.
pub(super) fn metrics(cache: &dyn Cache) -> String {
    let gauges = cache.gauges();
    let mut out = String::new();
    family(
        &mut out,
        "bedplate_cache_up",
        "gauge",
        "1 when the cache can be asked, else 0",
        u64::from(gauges.up),
    );
    family(
        &mut out,
        "bedplate_cache_failures",
        "counter",
        "Questions to the cache without an answer; each is a miss",
        gauges.failures,
    );
    family(&mut out, "bedplate_cache_puts", "counter", "Answers put into the cache", gauges.puts);
    if let Some((entries, bytes)) = gauges.held {
        family(&mut out, "bedplate_cache_entries", "gauge", "Answers kept in memory", entries);
        family(&mut out, "bedplate_cache_bytes", "gauge", "Room that answers take in memory", bytes);
    }
    out
}

/// What `/metrics` says of the counts of rates.
pub(super) fn rate_metrics(rates: &dyn Rates) -> String {
    let gauges = rates.gauges();
    let mut out = String::new();
    family(
        &mut out,
        "bedplate_rates_up",
        "gauge",
        "1 when what nodes share of rates can be asked, else 0: then each goes on alone",
        u64::from(gauges.up),
    );
    family(
        &mut out,
        "bedplate_nodes",
        "gauge",
        "Nodes that share limits, as far as this one knows",
        u64::from(gauges.nodes),
    );
    family(
        &mut out,
        "bedplate_rates_alone",
        "counter",
        "Calls whose rates this node decided alone, with its part of each limit",
        gauges.alone,
    );
    family(
        &mut out,
        "bedplate_rates_lost",
        "counter",
        "Corrections of rates to what was used that did not reach Redis",
        gauges.lost,
    );
    family(
        &mut out,
        "bedplate_rates_held",
        "gauge",
        "Counts of rates in memory that are not full",
        gauges.held,
    );
    out
}

fn family(out: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    let suffix = if kind == "counter" { "_total" } else { "" };
    // writing to a string does not fail
    let _ = write!(out, "# HELP {name} {help}.\n# TYPE {name} {kind}\n{name}{suffix} {value}\n");
}
