//! Dashboards and alarms name only what the code emits.

use std::collections::BTreeSet;

use bedplate_telemetry::{emf, metrics};
use serde_json::Value;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn cloudwatch() -> Value {
    read(include_str!("../../../../deploy/cloudwatch/dashboard.json"))
}

fn alarms() -> Value {
    read(include_str!("../../../../deploy/cloudwatch/alarms.json"))
}

fn grafana() -> Value {
    read(include_str!("../../../../deploy/grafana/bedplate.json"))
}

/// Fails unless the EMF lines carry a metric with these dimensions.
#[track_caller]
fn emitted(name: &str, dimensions: &[&str]) {
    if name == emf::IN_FLIGHT.0 {
        assert!(dimensions.is_empty());
        return;
    }
    assert!(emf::METRICS.iter().any(|(metric, _)| *metric == name), "no such metric: {name}");
    let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
    assert!(emf::DIMENSIONS.iter().any(|d| set(d) == set(dimensions)), "{name} has no {dimensions:?}");
}

#[test]
fn the_cloudwatch_dashboard_shows_what_emf_lines_carry() {
    let mut shown = BTreeSet::new();
    for widget in cloudwatch()["widgets"].as_array().unwrap() {
        for metric in widget["properties"]["metrics"].as_array().into_iter().flatten() {
            match metric[0].as_str() {
                Some(namespace) => {
                    assert_eq!(namespace, emf::NAMESPACE);
                    let name = metric[1].as_str().unwrap();
                    emitted(name, &[]);
                    shown.insert(name.to_owned());
                }
                None => {
                    // SEARCH('{Bedplate,ModelId} MetricName="FirstToken"', 'p95', 60)
                    let search = metric[0]["expression"].as_str().unwrap();
                    let schema = search.split_once('{').unwrap().1.split_once('}').unwrap().0;
                    let (namespace, dimensions) = schema.split_once(',').unwrap();
                    assert_eq!(namespace, emf::NAMESPACE);
                    let name = search.split('"').nth(1).unwrap();
                    emitted(name, &dimensions.split(',').collect::<Vec<_>>());
                    shown.insert(name.to_owned());
                }
            }
        }
    }
    for must in [
        "FirstToken",
        "Throttles",
        "Errors",
        "CostUsd",
        "InputTokens",
        "Overhead",
        "InFlight",
        "TimeoutsIdle",
    ] {
        assert!(shown.contains(must), "{must} is not shown");
    }
}

#[test]
fn alarms_watch_what_emf_lines_carry() {
    let template = alarms();
    let mut watched = BTreeSet::new();
    for alarm in template["Resources"].as_object().unwrap().values() {
        assert_eq!(alarm["Type"], "AWS::CloudWatch::Alarm");
        let properties = &alarm["Properties"];
        let queries = properties["Metrics"].as_array().into_iter().flatten();
        let stats = queries.map(|q| &q["MetricStat"]["Metric"]).filter(|m| !m.is_null());
        for metric in stats.chain((!properties["MetricName"].is_null()).then_some(properties)) {
            assert_eq!(metric["Namespace"], emf::NAMESPACE);
            assert_eq!(metric["Dimensions"], Value::Array(vec![]));
            let name = metric["MetricName"].as_str().unwrap();
            emitted(name, &[]);
            watched.insert(name.to_owned());
        }
        for reference in [&properties["Threshold"]["Ref"], &properties["AlarmActions"][0]["Ref"]] {
            if let Some(parameter) = reference.as_str() {
                assert!(template["Parameters"][parameter].is_object(), "no parameter {parameter}");
            }
        }
    }
    let phases = ["TimeoutsConnect", "TimeoutsFirstToken", "TimeoutsIdle", "TimeoutsTotal"];
    for must in phases.into_iter().chain(["FirstToken", "Throttles", "Errors"]) {
        assert!(watched.contains(must), "{must} is not watched");
    }
}

#[test]
fn the_grafana_dashboard_asks_for_what_metrics_has() {
    let mut shown = BTreeSet::new();
    let board = grafana();
    let mut queries: Vec<String> = Vec::new();
    for panel in board["panels"].as_array().unwrap() {
        queries.extend(
            panel["targets"].as_array().unwrap().iter().map(|t| t["expr"].as_str().unwrap().to_owned()),
        );
    }
    let variables = board["templating"]["list"].as_array().unwrap();
    queries.extend(
        variables.iter().filter(|v| v["type"] == "query").map(|v| v["query"].as_str().unwrap().to_owned()),
    );
    for query in &queries {
        let asked: Vec<_> = words(query).filter(|w| w.starts_with("bedplate_")).collect();
        assert!(!asked.is_empty(), "{query}");
        let mut labels = BTreeSet::from(["le"]);
        for name in asked {
            let metric = metrics::METRICS.iter().find(|m| match m.kind() {
                "histogram" => {
                    ["_bucket", "_sum", "_count"].iter().any(|s| name == format!("{}{s}", m.name()))
                }
                _ => name == m.name(),
            });
            let metric = metric.unwrap_or_else(|| panic!("no such metric: {name}"));
            labels.extend(metric.labels);
            shown.insert(metric.name());
        }
        for label in selected(query) {
            assert!(labels.contains(&*label), "no label {label}: {query}");
        }
    }
    for metric in metrics::METRICS
        .iter()
        .filter(|m| !["bedplate_units_total", "bedplate_build_info"].contains(&&*m.name()))
    {
        assert!(shown.contains(&metric.name()), "{} is not shown", metric.name());
    }
}

/// The page of metrics is the two tables of the code.
#[test]
fn every_metric_is_documented() {
    let page = include_str!("../../../../docs/reference/metrics.md");
    let rows: BTreeSet<&str> = page.lines().filter(|l| l.starts_with("| `")).collect();
    let prometheus = metrics::METRICS.iter().map(|m| {
        let labels = m.labels.iter().map(|l| format!("`{l}`")).collect::<Vec<_>>().join(", ");
        format!("| `{}` | {} | {labels} | {} |", m.name(), m.kind(), m.help)
    });
    let cloudwatch =
        emf::METRICS.iter().chain([&emf::IN_FLIGHT]).map(|(name, unit)| format!("| `{name}` | {unit} |"));
    let expected: Vec<String> = prometheus.chain(cloudwatch).collect();
    let missing: Vec<_> =
        expected.iter().filter(|row| !rows.iter().any(|r| r.starts_with(&***row))).collect();
    assert!(missing.is_empty(), "docs/reference/metrics.md lacks:\n{missing:#?}");
    assert_eq!(rows.len(), expected.len(), "docs/reference/metrics.md has rows for what is not emitted");
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| !w.is_empty())
}

/// The labels in `by (…)` and `{…}`.
fn selected(query: &str) -> Vec<String> {
    let mut out = Vec::new();
    for by in query.split("by (").skip(1) {
        out.extend(by.split(')').next().unwrap().split(',').map(|l| l.trim().to_owned()));
    }
    for selector in query.split('{').skip(1) {
        let pairs = selector.split('}').next().unwrap().split(',');
        out.extend(pairs.map(|p| words(p).next().unwrap().to_owned()));
    }
    out
}
