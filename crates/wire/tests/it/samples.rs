//! Every stored request, answer and error.

use bedplate_core::call::{Headers, Operation};
use bedplate_core::content::Content;
use bedplate_core::usage::{Unit, Usage};
use bedplate_core::view::Edits;
use bedplate_wire::bedrock::path::NoRoute;
use bedplate_wire::bedrock::usage::{self, Metered};
use bedplate_wire::bedrock::view::{Asked, METADATA_HEADER, read};
use bedplate_wire::bedrock::{Family, Route, refuse};
use bytes::Bytes;
use serde_json::Value;

pub(crate) fn folder(name: &str) -> Vec<(String, Value)> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name);
    let mut samples: Vec<(String, Value)> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| {
            let text = std::fs::read(&path).unwrap();
            (path.file_stem().unwrap().to_string_lossy().into_owned(), serde_json::from_slice(&text).unwrap())
        })
        .collect();
    samples.sort_by(|a, b| a.0.cmp(&b.0));
    samples
}

fn sample(folder_name: &str, name: &str) -> Value {
    folder(folder_name).into_iter().find(|(n, _)| n == name).unwrap().1
}

#[test]
fn requests_are_routed_read_and_stamped() {
    let mut routed = 0;
    for (name, sample) in folder("requests") {
        let wire = &sample["wire"];
        let path = wire["path"].as_str().unwrap();
        let route = Route::of(wire["method"].as_str().unwrap(), path);
        let Ok(operation) = sample["operation"].as_str().unwrap().parse::<Operation>() else {
            assert_eq!(route, Err(NoRoute::Unknown), "{name}: an operation of another door");
            continue;
        };
        let route = route.unwrap();
        assert_eq!(route.operation, operation, "{name}");
        let label = ["modelId", "guardrailIdentifier", "inferenceProfileIdentifier", "invocationArn"]
            .iter()
            .find_map(|label| sample["params"][label].as_str());
        if path.contains('%') || operation == Operation::ApplyGuardrail {
            assert_eq!(Some(route.name.as_str()), label, "{name}");
        }
        assert_eq!(
            route.version.as_deref(),
            sample["params"]["guardrailVersion"].as_str().filter(|_| operation == Operation::ApplyGuardrail)
        );
        view(&name, &route, wire);
        routed += 1;
    }
    assert!(routed >= 18, "only {routed} requests were routed");
}

fn view(name: &str, route: &Route, wire: &Value) {
    let header = |wanted: &str| {
        let headers = wire["headers"].as_object().unwrap();
        headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(wanted)).and_then(|(_, v)| v.as_str())
    };
    let text = if wire["body"].is_null() { String::new() } else { wire["body"].to_string() };
    let body = Content::new(Bytes::from(text.clone()));
    let asked = Asked {
        operation: route.operation,
        family: Family::of(&route.name),
        content_type: header("content-type").map(str::as_bytes),
        metadata: header(METADATA_HEADER).map(str::as_bytes),
    };
    let view = read(&asked, &body).unwrap_or_else(|e| panic!("{name}: {e}"));
    let want = wire["body"]["inferenceConfig"]["maxTokens"].as_u64().or(wire["body"]["max_tokens"].as_u64());
    assert_eq!(view.max_tokens(), want, "{name}");
    let mut edits = Edits::default();
    let stamped = view.stamp(&[("bedplate:team", "payments")], "bedplate:", &mut edits).unwrap();
    let after = edits.apply(&body).concat();
    match route.operation {
        Operation::Converse | Operation::ConverseStream => {
            assert_eq!(stamped.kept, 1, "{name}");
            let mut want = wire["body"].clone();
            want["requestMetadata"]["bedplate:team"] = "payments".into();
            assert_eq!(serde_json::from_slice::<Value>(&after).unwrap(), want, "{name}");
        }
        Operation::InvokeModel | Operation::InvokeModelWithResponseStream => {
            assert_eq!(after, text.as_bytes(), "{name}");
            let (_, value) = edits.headers.pop().unwrap();
            let pairs: Value = serde_json::from_slice(&value).unwrap();
            assert_eq!(pairs["bedplate:team"], "payments");
            assert_eq!(pairs.as_object().unwrap().len(), 1 + usize::from(asked.metadata.is_some()), "{name}");
        }
        _ => assert!(edits.is_empty(), "{name}"),
    }
}

fn metered(name: &str, family: Family) -> Metered {
    let sample = sample("responses", name);
    let mut headers = Headers::default();
    for (name, value) in sample["headers"].as_object().unwrap() {
        headers.push(name.to_ascii_lowercase(), value.as_str().unwrap().to_owned());
    }
    let operation = sample["operation"].as_str().unwrap().parse().unwrap();
    usage::answer(operation, family, b"", &headers, sample["body"].to_string().as_bytes())
}

fn tokens(input: u64, output: u64) -> Option<Usage> {
    Some(Usage { input, output, ..Usage::default() })
}

#[test]
fn answers_say_what_they_used() {
    let cache = metered("converse-cache", Family::Anthropic).usage.unwrap();
    assert_eq!((cache.input, cache.output, cache.cache_read), (18, 9, 0));
    assert_eq!((cache.cache_write_1h, cache.cache_write_5m, cache.total()), (4_100, 2_100, 6_227));

    let invoke = metered("invoke-anthropic", Family::Anthropic);
    assert_eq!((invoke.usage, invoke.latency_ms), (tokens(19, 8), Some(530)));
    assert_eq!((invoke.tier.as_deref(), invoke.stop_reason.as_deref()), (Some("priority"), Some("end_turn")));

    let blocked = metered("converse-guardrail-blocked", Family::Nova);
    assert_eq!(blocked.stop_reason.as_deref(), Some("guardrail_intervened"));
    let blocked = blocked.usage.unwrap();
    assert_eq!(blocked.total(), 0);
    assert!(blocked.units.contains(&(Unit::GuardrailTopic, 1)), "{:?}", blocked.units);

    let checks = metered("invoke-guardrail-checks", Family::Unknown).usage.unwrap();
    assert_eq!(checks.units, [(Unit::GuardrailContent, 2), (Unit::GuardrailSensitive, 1)]);
    let applied = metered("apply-guardrail", Family::Unknown).usage.unwrap();
    assert_eq!(applied.units.len(), 5);
    assert_eq!(metered("count-tokens", Family::Anthropic), Metered::default());
}

#[test]
fn every_converse_answer_adds_up_to_its_total() {
    let mut seen = 0;
    for (name, sample) in folder("responses") {
        let Some(total) = sample["body"]["usage"]["totalTokens"].as_u64() else { continue };
        let metered = metered(&name, Family::Nova);
        assert_eq!(metered.usage.unwrap().total(), total, "{name}");
        assert_eq!(metered.stop_reason.as_deref(), sample["body"]["stopReason"].as_str(), "{name}");
        assert_eq!(metered.latency_ms, sample["body"]["metrics"]["latencyMs"].as_u64(), "{name}");
        assert_eq!(metered.tier.as_deref(), sample["body"]["serviceTier"]["type"].as_str(), "{name}");
        seen += 1;
    }
    assert!(seen >= 6);
}

/// Our errors have the status and the members that AWS's errors of the same name have.
#[test]
fn our_errors_look_like_the_stored_ones() {
    use bedplate_core::refusal::{Code, Refusal};
    let mut compared = 0;
    for (name, sample) in folder("errors") {
        if sample["service"] != "bedrock-runtime" {
            continue;
        }
        let error_type = sample["expect"]["code"].as_str().unwrap();
        for code in Code::ALL {
            let ours = refuse::aws_error(&Refusal::of(*code));
            if ours.error_type == error_type {
                assert_eq!(u64::from(ours.status), sample["status"].as_u64().unwrap(), "{name} {code}");
                let body: Value = serde_json::from_slice(&ours.body).unwrap();
                assert!(body["message"].is_string() && sample["body"]["message"].is_string());
                compared += 1;
            }
        }
    }
    assert!(compared >= 8, "only {compared} compared");
}
