//! The merged counts of all threads, in the OpenMetrics text format.

use std::collections::BTreeMap;
use std::fmt;

use bedplate_core::cache::Mark;
use bedplate_core::record::Degraded;
use bedplate_core::refusal::Code;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::exemplar::Exemplar;

use crate::metrics::histogram::{ADDED, Added, CALL, Calls, Histogram, TOKEN, Tokens};
use crate::metrics::names::{self, Metric};
use crate::metrics::shard::{KINDS, PHASES, Shard, ending_of};

/// Label values in the order of the metric's labels.
type Values = Vec<String>;

/// What stands in one answer to a scrape.
#[derive(Debug, Default)]
pub(crate) struct Page {
    counters: BTreeMap<&'static str, BTreeMap<Values, u64>>,
    cost: BTreeMap<Values, i64>,
    avoided: BTreeMap<Values, i64>,
    duration: BTreeMap<Values, Calls>,
    first_token: BTreeMap<Values, Calls>,
    output_token: BTreeMap<Values, Tokens>,
    overhead: BTreeMap<Values, Added>,
    upstream_duration: BTreeMap<Values, Calls>,
    upstream_first_token: BTreeMap<Values, Calls>,
    pub(crate) gauges: Vec<(Metric, Values, i64)>,
    /// Gauges that need not be whole.
    pub(crate) amounts: Vec<(Metric, Values, f64)>,
}

impl Page {
    /// Adds what a thread has counted.
    pub(crate) fn merge(&mut self, shard: &Shard) {
        for (([model, team, feature], number), counts) in shard.calls.rows() {
            let (operation, ending) = ending_of(*number);
            let whose = values([model, team, feature]);
            let timed = values([model, feature, operation]);
            self.add(names::CALLS, values([model, team, feature, operation, ending]), counts.calls);
            self.add(names::UNPRICED, whose.clone(), counts.unpriced);
            if counts.avoided.0 > 0 {
                *self.avoided.entry(whose.clone()).or_default() += counts.avoided.0;
            }
            *self.cost.entry(whose).or_default() += counts.cost.0;
            for (mark, n) in Mark::ALL.iter().zip(counts.cache) {
                self.add(names::CACHE, values([model, team, feature, mark.name()]), n);
            }
            for (by, n) in Degraded::ALL.iter().zip(counts.degraded) {
                self.add(names::DEGRADED, values([model, by.name()]), n);
            }
            for (kind, n) in KINDS.iter().zip(counts.avoided_tokens) {
                self.add(names::AVOIDED_TOKENS, values([model, team, feature, kind]), n);
            }
            for (kind, n) in KINDS.iter().zip(counts.tokens) {
                self.add(names::TOKENS, values([model, team, feature, kind]), n);
            }
            for (phase, n) in PHASES.iter().zip(counts.timeouts) {
                self.add(names::TIMEOUTS, values([model, phase]), n);
            }
            observe(&mut self.duration, timed.clone(), &counts.duration);
            observe(&mut self.first_token, timed, &counts.first_token);
            observe(&mut self.output_token, values([model, feature]), &counts.output_token);
            observe(&mut self.overhead, values([operation]), &counts.overhead);
        }
        for (([provider, model, error], status), n) in shard.attempts.rows() {
            self.add(names::ATTEMPTS, values([provider, model, &status.to_string(), error]), *n);
            let throttled = *status == 429 || &**error == "ThrottlingException";
            self.add(names::THROTTLES, values([provider, model]), if throttled { *n } else { 0 });
        }
        for (([alias, provider, model], _), counts) in shard.targets.rows() {
            let target = values([alias, provider, model]);
            observe(&mut self.upstream_duration, target.clone(), &counts.duration);
            observe(&mut self.upstream_first_token, target, &counts.first_token);
            for (phase, n) in PHASES.iter().zip(counts.timeouts) {
                self.add(names::UPSTREAM_TIMEOUTS, values([alias, provider, model, phase]), n);
            }
        }
        for (([model, ..], _), prompts) in shard.prompts.rows() {
            for (metric, n) in [
                (names::EXPECTED, prompts.expected),
                (names::TOLD, prompts.told),
                (names::MISSED, prompts.missed),
            ] {
                self.show(metric, values([model]), n);
            }
        }
        for (code, n) in Code::ALL.iter().zip(&shard.codes) {
            self.add(names::REFUSALS, vec![code.to_string()], *n);
        }
        for (([budget, why, _], _), n) in shard.blocked.rows() {
            self.add(names::BUDGET_BLOCKED, values([budget, why]), *n);
        }
        for (([throttle, kind, _], _), n) in shard.throttled.rows() {
            self.add(names::THROTTLED, values([throttle, kind]), *n);
        }
        self.show(names::BUDGET_BOUNDED, Vec::new(), shard.bounded);
        self.show(names::UNSTAMPED, Vec::new(), shard.unstamped);
        for (unit, n) in &shard.units {
            let unit = serde_json::to_value(unit).unwrap_or_default();
            self.add(names::UNITS, vec![unit.as_str().unwrap_or_default().to_owned()], *n);
        }
    }

    /// Adds to a counter; a series begins with its first count.
    pub(crate) fn add(&mut self, metric: Metric, values: Values, n: u64) {
        let series = self.counters.entry(metric.stem).or_default();
        if n > 0 {
            *series.entry(values).or_default() += n;
        }
    }

    /// Shows a counter also when it is 0.
    pub(crate) fn show(&mut self, metric: Metric, values: Values, n: u64) {
        *self.counters.entry(metric.stem).or_default().entry(values).or_default() += n;
    }
}

fn values<const N: usize>(values: [&str; N]) -> Values {
    values.iter().map(|v| (*v).to_owned()).collect()
}

fn observe<const N: usize>(into: &mut BTreeMap<Values, Histogram<N>>, values: Values, seen: &Histogram<N>) {
    if seen.count() > 0 {
        into.entry(values).or_default().add(seen);
    }
}

impl Collector for Page {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        for metric in names::METRICS {
            let mut to = to.encode_descriptor(metric.stem, metric.help, None, metric.kind)?;
            match metric.stem {
                stem if stem == names::COST.stem => dollars(&mut to, metric, &self.cost)?,
                stem if stem == names::AVOIDED.stem => dollars(&mut to, metric, &self.avoided)?,
                stem if stem == names::DURATION.stem => histograms(&mut to, metric, &self.duration, &CALL)?,
                stem if stem == names::FIRST_TOKEN.stem => {
                    histograms(&mut to, metric, &self.first_token, &CALL)?
                }
                stem if stem == names::UPSTREAM_DURATION.stem => {
                    histograms(&mut to, metric, &self.upstream_duration, &CALL)?;
                }
                stem if stem == names::UPSTREAM_FIRST_TOKEN.stem => {
                    histograms(&mut to, metric, &self.upstream_first_token, &CALL)?;
                }
                stem if stem == names::OUTPUT_TOKEN.stem => {
                    histograms(&mut to, metric, &self.output_token, &TOKEN)?;
                }
                stem if stem == names::OVERHEAD.stem => histograms(&mut to, metric, &self.overhead, &ADDED)?,
                stem => {
                    for (values, n) in self.counters.get(stem).into_iter().flatten() {
                        counter(&mut to, metric, values, n)?;
                    }
                    for (_, values, n) in self.gauges.iter().filter(|(of, ..)| of.stem == stem) {
                        if values.is_empty() {
                            to.encode_gauge(n)?;
                        } else {
                            to.encode_family(&labels(metric, values).as_slice())?.encode_gauge(n)?;
                        }
                    }
                    for (_, values, n) in self.amounts.iter().filter(|(of, ..)| of.stem == stem) {
                        to.encode_family(&labels(metric, values).as_slice())?.encode_gauge(n)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn labels<'a>(metric: &Metric, values: &'a Values) -> Vec<(&'static str, &'a str)> {
    metric.labels.iter().copied().zip(values.iter().map(String::as_str)).collect()
}

fn dollars(to: &mut MetricEncoder<'_>, metric: &Metric, series: &BTreeMap<Values, i64>) -> fmt::Result {
    for (values, nanos) in series {
        #[expect(clippy::cast_precision_loss, reason = "metrics are floats by nature")]
        counter(to, metric, values, &(*nanos as f64 / 1e9))?;
    }
    Ok(())
}

fn counter(
    to: &mut MetricEncoder<'_>,
    metric: &Metric,
    values: &Values,
    n: &impl prometheus_client::encoding::EncodeCounterValue,
) -> fmt::Result {
    if values.is_empty() {
        return to.encode_counter(n, None::<&Exemplar<NoLabelSet, f64>>);
    }
    to.encode_family(&labels(metric, values).as_slice())?
        .encode_counter(n, None::<&Exemplar<NoLabelSet, f64>>)
}

fn histograms<const N: usize>(
    to: &mut MetricEncoder<'_>,
    metric: &Metric,
    series: &BTreeMap<Values, Histogram<N>>,
    bounds: &[u64],
) -> fmt::Result {
    for (values, h) in series {
        to.encode_family(&labels(metric, values).as_slice())?.encode_histogram::<NoLabelSet>(
            h.sum(),
            h.count(),
            &h.buckets(bounds),
            None,
        )?;
    }
    Ok(())
}
