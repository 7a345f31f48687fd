//! Prometheus metrics.
//!
//! Each serving thread counts into a shard of its own, plain integers behind a lock that only a
//! scrape ever contends for; a scrape merges the shards. Nothing on the path of a call is shared
//! between cores. The label values that callers choose are bounded: beyond the limit stands `other`.
//!
//! The table of all metrics is [`METRICS`].

mod budgets;
mod encode;
mod histogram;
mod labels;
mod names;
mod shard;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use bedplate_core::ports::Sink;
use bedplate_core::record::Outcome;
use parking_lot::Mutex;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::budgets::{AccountReading, BudgetReading};
pub use self::names::{METRICS, Metric};

use self::encode::Page;
use self::labels::Label;
use self::shard::{Labels, Shard};
use crate::gauge::Gauge;
use crate::inbox::{Losses, my_shard, shards};

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `[metrics]`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// How many models, teams and features have a label value of their own, each; all others are
    /// counted under `other`.
    pub label_values: usize,
    /// How many combinations of them are counted apart; all others under `other`.
    pub series: usize,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { label_values: 200, series: 2_000 }
    }
}

impl MetricsConfig {
    pub fn build(self, version: &str) -> Arc<Metrics> {
        let label = || Label::new(self.label_values);
        let of_thread = || OfThread(Mutex::new(Shard::new(self.series)));
        Arc::new(Metrics {
            version: version.to_owned(),
            labels: Labels {
                model: label(),
                team: label(),
                feature: label(),
                provider: label(),
                error: label(),
                budget: label(),
                throttle: label(),
            },
            threads: (0..shards()).map(|_| of_thread()).collect(),
            in_flight: Gauge::new(),
            dropped: Mutex::default(),
            budgets: Mutex::default(),
            breakers: Mutex::default(),
            ends: Mutex::default(),
            hedges: Mutex::default(),
            label_values: self.label_values,
            ledger_pending: AtomicI64::new(0),
            ledger_up: AtomicBool::new(true),
        })
    }
}

/// How a target stands: 0 is asked, 3 is left alone.
#[derive(Clone, Debug)]
pub struct BreakerReading {
    pub provider: Arc<str>,
    pub model: Arc<str>,
    pub state: u8,
}

/// When the model of a target is gone.
#[derive(Clone, Debug)]
pub struct EndReading {
    pub provider: Arc<str>,
    pub model: Arc<str>,
    pub days: i64,
}

/// How many calls of an alias were asked a second time, and whose answer was given.
#[derive(Clone, Debug)]
pub struct HedgeReading {
    pub alias: Arc<str>,
    /// `first`, `second` or `neither`.
    pub won: &'static str,
    pub calls: u64,
}

/// All counts of this process.
pub struct Metrics {
    version: String,
    labels: Labels,
    threads: Box<[OfThread]>,
    in_flight: Gauge,
    dropped: Mutex<Vec<(&'static str, Arc<Losses>)>>,
    budgets: Mutex<Vec<BudgetReading>>,
    breakers: Mutex<Vec<BreakerReading>>,
    ends: Mutex<Vec<EndReading>>,
    hedges: Mutex<Vec<HedgeReading>>,
    label_values: usize,
    ledger_pending: AtomicI64,
    ledger_up: AtomicBool,
}

/// Alone on its cache lines.
#[repr(align(128))]
struct OfThread(Mutex<Shard>);

impl Metrics {
    /// The page of `/metrics`, as [`CONTENT_TYPE`].
    pub fn render(&self) -> String {
        let mut page = Page::default();
        for thread in &self.threads {
            page.merge(&thread.0.lock());
        }
        for (sink, losses) in self.dropped.lock().iter() {
            page.show(names::DROPPED, vec![(*sink).to_owned()], losses.count());
        }
        let gauges = [
            (names::IN_FLIGHT, vec![], self.in_flight()),
            (names::LEDGER_PENDING, vec![], self.ledger_pending.load(Ordering::Relaxed)),
            (names::LEDGER_UP, vec![], i64::from(self.ledger_up.load(Ordering::Relaxed))),
            (names::BUILD, vec![self.version.clone()], 1),
        ];
        page.gauges.extend(gauges);
        for BreakerReading { provider, model, state } in self.breakers.lock().iter().take(self.label_values) {
            let of = vec![provider.to_string(), model.to_string()];
            page.gauges.push((names::BREAKER, of, i64::from(*state)));
        }
        for EndReading { provider, model, days } in self.ends.lock().iter().take(self.label_values) {
            page.gauges.push((names::END_OF_LIFE, vec![provider.to_string(), model.to_string()], *days));
        }
        for HedgeReading { alias, won, calls } in self.hedges.lock().iter().take(3 * self.label_values) {
            page.show(names::HEDGES, vec![alias.to_string(), (*won).to_owned()], *calls);
        }
        page.amounts = budgets::amounts(&self.budgets.lock(), self.label_values);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(page));
        let mut out = String::new();
        // writing to a string does not fail
        let _ = text::encode(&mut out, &registry);
        out
    }

    /// Calls that have begun and are not settled.
    pub fn in_flight(&self) -> i64 {
        self.in_flight.sum()
    }

    /// How many settled calls wait for the ledger.
    pub fn ledger_pending(&self, rows: u64) {
        self.ledger_pending.store(i64::try_from(rows).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Whether the last write to the ledger succeeded.
    pub fn ledger_up(&self, up: bool) {
        self.ledger_up.store(up, Ordering::Relaxed);
    }

    /// Where budgets stand, until they are read again.
    pub fn budgets(&self, readings: Vec<BudgetReading>) {
        *self.budgets.lock() = readings;
    }

    /// How the targets of aliases stand, until they are looked at again.
    pub fn breakers(&self, readings: Vec<BreakerReading>) {
        *self.breakers.lock() = readings;
    }

    /// When the models of targets are gone, until they are looked at again.
    pub fn ends(&self, readings: Vec<EndReading>) {
        *self.ends.lock() = readings;
    }

    /// How second requests went, until that is looked at again.
    pub fn hedges(&self, readings: Vec<HedgeReading>) {
        *self.hedges.lock() = readings;
    }

    /// Shows the losses of a sink.
    pub(crate) fn watch(&self, sink: &'static str, losses: Arc<Losses>) {
        self.dropped.lock().push((sink, losses));
    }
}

impl Sink for Metrics {
    fn begun(&self) {
        self.in_flight.add(1);
    }

    fn settle(&self, outcome: &Arc<Outcome>) {
        self.in_flight.add(-1);
        let mine = &self.threads[my_shard() % self.threads.len()];
        mine.0.lock().count(outcome, &self.labels);
    }
}
