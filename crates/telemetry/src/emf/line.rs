//! One line of embedded metric format.

use std::sync::Arc;

use bedplate_core::clock::Timestamp;
use serde_json::{Map, Value, json};

use crate::emf::group::{Group, Values};

/// The CloudWatch namespace.
pub const NAMESPACE: &str = "Bedplate";

/// The sets of dimensions by which CloudWatch counts a line.
pub const DIMENSIONS: &[&[&str]] = &[&["Team", "Feature", "ModelId"], &["ModelId"], &["Team"], &[]];

/// Calls in flight: on a line of its own, without dimensions.
pub const IN_FLIGHT: (&str, &str) = ("InFlight", "Count");

/// Every metric of calls, with its CloudWatch unit.
pub const METRICS: &[(&str, &str)] = &[
    ("Calls", "Count"),
    ("Errors", "Count"),
    ("Refusals", "Count"),
    ("Throttles", "Count"),
    ("TimeoutsConnect", "Count"),
    ("TimeoutsFirstToken", "Count"),
    ("TimeoutsIdle", "Count"),
    ("TimeoutsTotal", "Count"),
    ("InputTokens", "Count"),
    ("CacheReadTokens", "Count"),
    ("CacheWriteTokens", "Count"),
    ("OutputTokens", "Count"),
    ("CostUsd", "None"),
    ("UnpricedCalls", "Count"),
    ("Latency", "Milliseconds"),
    ("FirstToken", "Milliseconds"),
    ("Overhead", "Milliseconds"),
];

pub(crate) fn write(out: &mut Vec<u8>, now: Timestamp, names: &[Arc<str>; 3], group: &mut Group) {
    let values = values(group);
    let metrics = METRICS.iter().filter(|(name, _)| values.contains_key(*name));
    let mut line = head(now, DIMENSIONS, metrics);
    for (dimension, name) in ["Team", "Feature", "ModelId"].into_iter().zip(names) {
        line.insert(dimension.to_owned(), Value::from(dimension_value(name)));
    }
    line.extend(values);
    put(out, &line);
}

pub(crate) fn write_in_flight(out: &mut Vec<u8>, now: Timestamp, mut seen: Values) {
    let mut line = head(now, &[&[]], [&IN_FLIGHT].into_iter());
    line.insert(IN_FLIGHT.0.to_owned(), Value::from(seen.shown(1.0)));
    put(out, &line);
}

fn head<'a>(
    now: Timestamp,
    dimensions: &[&[&str]],
    metrics: impl Iterator<Item = &'a (&'static str, &'static str)>,
) -> Map<String, Value> {
    let metrics: Vec<Value> =
        metrics.map(|(name, unit)| json!({ "Name": name, "Unit": unit, "StorageResolution": 60 })).collect();
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics });
    let head = json!({ "Timestamp": now.millis(), "CloudWatchMetrics": [directive] });
    Map::from_iter([("_aws".to_owned(), head)])
}

fn put(out: &mut Vec<u8>, line: &Map<String, Value>) {
    // numbers and text into memory: this does not fail
    let _ = serde_json::to_writer(&mut *out, line);
    out.push(b'\n');
}

/// Values that are lists are left out when they are empty, as the format asks.
fn values(group: &mut Group) -> Map<String, Value> {
    let usage = &group.usage;
    let [connect, first_token, idle, total] = group.timeouts;
    let counts = [
        ("Calls", group.calls),
        ("Errors", group.errors),
        ("Refusals", group.refusals),
        ("Throttles", group.throttles),
        ("TimeoutsConnect", connect),
        ("TimeoutsFirstToken", first_token),
        ("TimeoutsIdle", idle),
        ("TimeoutsTotal", total),
        ("InputTokens", usage.input),
        ("CacheReadTokens", usage.cache_read),
        ("CacheWriteTokens", usage.cache_write_5m + usage.cache_write_1h),
        ("OutputTokens", usage.output),
        ("UnpricedCalls", group.unpriced),
    ];
    let mut values: Map<_, _> =
        counts.into_iter().map(|(name, n)| (name.to_owned(), Value::from(n))).collect();
    #[expect(clippy::cast_precision_loss, reason = "CloudWatch values are floats by nature")]
    values.insert("CostUsd".to_owned(), Value::from(group.cost.0 as f64 / 1e9));
    let lists = [
        ("Latency", group.latency.shown(1e3)),
        ("FirstToken", group.first_token.shown(1e3)),
        ("Overhead", group.overhead.shown(1e3)),
    ];
    values.extend(
        lists.into_iter().filter(|(_, v)| !v.is_empty()).map(|(n, v)| (n.to_owned(), Value::from(v))),
    );
    values
}

/// CloudWatch takes 1 to 1,024 printable ASCII characters that do not begin with a colon.
fn dimension_value(name: &str) -> String {
    let plain = name.chars().take(1_024).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' });
    let plain: String = plain.collect();
    match plain.strip_prefix(':') {
        Some(rest) => format!("?{rest}"),
        None => plain,
    }
}
