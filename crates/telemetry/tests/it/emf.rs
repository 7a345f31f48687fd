use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ports::Sink;
use bedplate_core::refusal::Code;
use bedplate_telemetry::emf::{DIMENSIONS, Emf, EmfConfig, EmfTo, METRICS};
use bedplate_testkit::ManualClock;
use serde_json::Value;

use crate::outcomes::{answered, full, refused, timed_out};
use crate::until;

fn emf(path: &Path, clock: &ManualClock, combinations: usize) -> Emf {
    let config = EmfConfig { to: EmfTo::File(path.to_owned()), combinations, ..EmfConfig::default() };
    let clock: Arc<dyn Clock> = Arc::new(clock.clone());
    config.build(clock).unwrap().unwrap()
}

/// The lines of calls.
fn lines(path: &Path) -> Vec<Value> {
    all_lines(path).into_iter().filter(|l| l["InFlight"].is_null()).collect()
}

fn all_lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// What CloudWatch asks of a line.
fn valid(line: &Value) {
    assert!(line.to_string().len() < 1 << 20);
    assert!(line["_aws"]["Timestamp"].as_i64().unwrap() > 1_700_000_000_000, "milliseconds");
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        assert_eq!(directive["Namespace"], "Bedplate");
        for set in directive["Dimensions"].as_array().unwrap() {
            assert!(set.as_array().unwrap().len() <= 30);
            for name in set.as_array().unwrap() {
                let value = line[name.as_str().unwrap()].as_str().unwrap();
                assert!((1..=1_024).contains(&value.len()) && value.is_ascii() && !value.starts_with(':'));
            }
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!(metrics.len() <= 100);
        for metric in metrics {
            assert!(["Count", "Milliseconds", "None"].contains(&metric["Unit"].as_str().unwrap()));
            match &line[metric["Name"].as_str().unwrap()] {
                Value::Number(_) => {}
                Value::Array(values) => {
                    assert!((1..=100).contains(&values.len()) && values.iter().all(Value::is_number));
                }
                other => panic!("{metric} is {other}"),
            }
        }
    }
}

#[test]
fn a_line_for_each_combination_at_each_flush() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emf.log");
    let clock = ManualClock::at("2026-11-22T12:00:05Z");
    let emf = emf(&path, &clock, 500);
    (0..3).for_each(|_| emf.settle(&Arc::new(answered())));
    emf.settle(&Arc::new(full()));
    emf.settle(&Arc::new(timed_out(Code::ConnectTimeout)));
    emf.settle(&Arc::new(refused()));
    std::thread::sleep(Duration::from_millis(600));
    assert!(lines(&path).is_empty(), "not before a minute has passed");
    clock.advance(Duration::from_secs(60));
    until("two lines", || lines(&path).len() == 2);
    let lines = lines(&path);
    lines.iter().for_each(valid);

    let line = lines.iter().find(|l| l["Team"] == "payments").unwrap();
    let number = |name: &str| line[name].as_f64().unwrap();
    assert_eq!(
        (line["Feature"].as_str(), line["ModelId"].as_str()),
        (Some("triage"), Some("us.amazon.nova-lite-v1:0"))
    );
    assert_eq!((number("Calls"), number("Errors"), number("Refusals")), (5.0, 2.0, 1.0));
    assert_eq!((number("Throttles"), number("TimeoutsConnect"), number("TimeoutsIdle")), (1.0, 1.0, 1.0));
    assert_eq!((number("InputTokens"), number("OutputTokens")), (96.0, 68.0));
    assert_eq!((number("CacheReadTokens"), number("CacheWriteTokens")), (400.0, 40.0));
    assert!((number("CostUsd") - 4.0 * 5.52e-6).abs() < 1e-12);
    assert_eq!(number("UnpricedCalls"), 1.0);
    assert_eq!(line["FirstToken"].as_array().unwrap().len(), 4);
    assert_eq!(line["Latency"][0], 412.0);
    assert_eq!(line["_aws"]["Timestamp"], 1_795_348_865_000i64);

    let nobody = lines.iter().find(|l| l["Team"] == "none").unwrap();
    assert_eq!(nobody["ModelId"], "other", "callers without a key cannot make up dimensions");
    assert!(nobody["Latency"].is_null());
}

#[test]
fn the_shape_is_the_samples() {
    let sample: Value = serde_json::from_str(include_str!("../samples/emf.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emf.log");
    let emf = emf(&path, &ManualClock::at("2026-11-22T12:00:05Z"), 500);
    emf.settle(&Arc::new(answered()));
    assert!(emf.close(Duration::from_secs(10)));
    let line = lines(&path).remove(0);
    valid(&sample);
    valid(&line);
    let (ours, theirs) = (&line["_aws"]["CloudWatchMetrics"][0], &sample["_aws"]["CloudWatchMetrics"][0]);
    let keys = |v: &Value| v.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(ours), keys(theirs));
    assert_eq!(keys(&line["_aws"]), keys(&sample["_aws"]));
    let names: Vec<_> =
        ours["Metrics"].as_array().unwrap().iter().map(|m| m["Name"].as_str().unwrap()).collect();
    assert_eq!(names, METRICS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    assert_eq!(ours["Dimensions"].as_array().unwrap().len(), DIMENSIONS.len());
}

#[test]
fn combinations_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emf.log");
    let emf = emf(&path, &ManualClock::at("2026-11-22T12:00:05Z"), 3);
    for n in 0..100 {
        let mut outcome = answered();
        outcome.call.model = format!("model-{n}\u{e9}\n");
        emf.settle(&Arc::new(outcome));
    }
    assert!(emf.close(Duration::from_secs(10)));
    let lines = lines(&path);
    lines.iter().for_each(valid);
    assert_eq!(lines.len(), 4);
    assert_eq!(lines.iter().map(|l| l["Calls"].as_u64().unwrap()).sum::<u64>(), 100);
    assert_eq!(lines.iter().find(|l| l["ModelId"] == "other").unwrap()["Calls"], 97);
}

#[test]
fn calls_in_flight_have_a_line_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emf.log");
    let emf = emf(&path, &ManualClock::at("2026-11-22T12:00:05Z"), 500);
    (0..3).for_each(|_| emf.begun());
    emf.settle(&Arc::new(answered()));
    std::thread::sleep(Duration::from_millis(600));
    assert!(emf.close(Duration::from_secs(10)));
    let line = all_lines(&path).remove(0);
    valid(&line);
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], serde_json::json!([[]]));
    assert!(line["InFlight"].as_array().unwrap().contains(&Value::from(2.0)), "{line}");
}
