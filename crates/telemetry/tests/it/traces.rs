use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::ports::Sink;
use bedplate_core::setting::{SecretRef, Span as Length};
use bedplate_telemetry::traces::{Traces, TracesConfig};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::collector::Collector;
use crate::outcomes::{ID, MODEL, answered, full, nth, refused};
use crate::until;

const SECONDS: Duration = Duration::from_secs(10);

fn traces(collector: &Collector, more: impl FnOnce(&mut TracesConfig)) -> Traces {
    let scheme = if collector.ca_file.is_some() { "https" } else { "http" };
    let mut config = TracesConfig {
        endpoint: Some(format!("{scheme}://localhost:{}", collector.address.port())),
        ca_file: collector.ca_file.clone(),
        timeout: Length::secs(2),
        ..TracesConfig::default()
    };
    more(&mut config);
    config.build("0.1.0").unwrap().unwrap()
}

fn spans(collector: &Collector) -> Vec<Span> {
    let requests = collector.requests().into_iter().map(|(_, request)| request);
    requests.flat_map(|r| r.resource_spans).flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect()
}

fn attributes(all: &[KeyValue]) -> BTreeMap<&str, String> {
    all.iter().map(|kv| (&*kv.key, text(kv.value.as_ref().unwrap()))).collect()
}

fn text(value: &AnyValue) -> String {
    match value.value.as_ref().unwrap() {
        Value::StringValue(s) => s.clone(),
        Value::IntValue(n) => n.to_string(),
        Value::BoolValue(b) => b.to_string(),
        Value::ArrayValue(a) => format!("[{}]", a.values.iter().map(text).collect::<Vec<_>>().join(",")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_becomes_a_span_with_children() {
    let collector = Collector::http();
    let traces = traces(&collector, |_| {});
    traces.settle(&Arc::new(full()));
    assert!(traces.close(SECONDS));

    let requests = collector.requests();
    let (parts, request) = &requests[0];
    assert_eq!((parts.method.as_str(), parts.uri.path()), ("POST", "/v1/traces"));
    assert_eq!(parts.headers["content-type"], "application/x-protobuf");
    let resource = request.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(attributes(&resource.attributes)["service.name"], "bedplate");
    let scope = &request.resource_spans[0].scope_spans[0];
    assert_eq!(scope.schema_url, "https://opentelemetry.io/schemas/1.41.0");

    let spans = spans(&collector);
    let names: Vec<_> = spans.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["chat us.amazon.nova-lite-v1:0", "receive", "clear", "attempt 1", "attempt 2"]);
    let call = &spans[0];
    assert_eq!(hex(&call.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hex(&call.parent_span_id), "00f067aa0ba902b7");
    // what the gateway sends upstream as the parent
    assert_eq!(hex(&call.span_id), "8def0123456789ab");
    assert_eq!(call.kind(), SpanKind::Client);
    assert_eq!(call.start_time_unix_nano, 1_795_348_803_250_000_000);
    assert_eq!(call.end_time_unix_nano - call.start_time_unix_nano, 412_000_000);
    assert_eq!(call.status.as_ref().unwrap().code(), StatusCode::Error);
    for (name, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "aws.bedrock"),
        ("gen_ai.request.model", MODEL),
        ("gen_ai.response.finish_reasons", "[end_turn]"),
        // Bedrock's 24 leave cached tokens out; the conventions count them
        ("gen_ai.usage.input_tokens", "134"),
        ("gen_ai.usage.cache_read.input_tokens", "100"),
        ("gen_ai.usage.cache_creation.input_tokens", "10"),
        ("gen_ai.usage.output_tokens", "17"),
        ("error.type", "ModelTimeoutException"),
        ("http.request.resend_count", "1"),
        ("bedplate.call", ID),
        ("bedplate.team", "payments"),
        ("bedplate.code", "BP4003"),
        ("bedplate.cost_known", "false"),
    ] {
        assert_eq!(attributes(&call.attributes)[name], value, "{name}");
    }

    let ids: std::collections::BTreeSet<_> = spans.iter().map(|s| &s.span_id).collect();
    assert_eq!(ids.len(), 5);
    for child in &spans[1..] {
        assert_eq!((&child.parent_span_id, &child.trace_id), (&call.span_id, &call.trace_id));
        assert!(child.start_time_unix_nano >= call.start_time_unix_nano);
    }
    let (first, second) = (&spans[3], &spans[4]);
    assert_eq!(attributes(&first.attributes)["error.type"], "ThrottlingException");
    assert_eq!(attributes(&first.attributes)["http.response.status_code"], "429");
    assert_eq!(second.start_time_unix_nano, first.end_time_unix_nano, "attempts follow one another");
    let marks: Vec<_> = second.events.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(marks, ["first byte", "first token"]);
}

#[test]
fn without_a_callers_trace_the_call_id_is_the_trace() {
    let collector = Collector::http();
    let traces = traces(&collector, |_| {});
    traces.settle(&Arc::new(answered()));
    traces.settle(&Arc::new(refused()));
    assert!(traces.close(SECONDS));
    let spans = spans(&collector);
    let ended = |ending: &str| {
        spans
            .iter()
            .find(|s| attributes(&s.attributes).get("bedplate.ending").is_some_and(|e| e == ending))
            .unwrap()
    };
    let (answered, refused) = (ended("answered"), ended("refused"));
    assert_eq!(hex(&answered.trace_id), ID.replace('-', ""));
    assert!(answered.parent_span_id.is_empty());
    let status = |span: &Span| span.status.as_ref().map_or(StatusCode::Unset, |s| s.code());
    assert_eq!((status(answered), status(refused)), (StatusCode::Unset, StatusCode::Error));
    assert!(!attributes(&refused.attributes).contains_key("gen_ai.usage.input_tokens"));
}

#[test]
fn over_tls_with_a_secret_header() {
    let collector = Collector::https();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("token");
    std::fs::write(&secret, "Bearer s3cret\n").unwrap();
    let traces = traces(&collector, |config| {
        config.headers = BTreeMap::from([("authorization".to_owned(), SecretRef::File(secret))]);
    });
    traces.settle(&Arc::new(answered()));
    assert!(traces.close(SECONDS));
    assert_eq!(collector.requests()[0].0.headers["authorization"], "Bearer s3cret");
    assert_eq!(traces.dropped(), 0);

    // without the certificate there is no trust, and no spans
    let strict = self::traces(&collector, |config| config.ca_file = None);
    strict.settle(&Arc::new(answered()));
    assert!(strict.close(SECONDS));
    assert_eq!((collector.requests().len(), strict.dropped()), (1, 1));
}

#[test]
fn a_part_is_sampled_by_trace_id() {
    let collector = Collector::http();
    let (all, some) = (traces(&collector, |_| {}), traces(&collector, |c| c.sample = 0.25));
    let none = traces(&collector, |c| c.sample = 0.0);
    for n in 0..400u64 {
        let mut outcome = answered();
        outcome.call.trace = Some(format!("{:032x}", u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)) + 1));
        let outcome = Arc::new(outcome);
        some.settle(&outcome);
        none.settle(&outcome);
    }
    drop(all);
    assert!(some.close(SECONDS) && none.close(SECONDS));
    let calls = spans(&collector).iter().filter(|s| s.name.starts_with("chat")).count();
    assert!((80..120).contains(&calls), "{calls} of 400");
}

#[test]
fn a_collector_that_is_gone_costs_spans_and_nothing_else() {
    let address = {
        let collector = Collector::http();
        collector.address
    };
    let config = TracesConfig {
        endpoint: Some(format!("http://{address}")),
        timeout: Length::secs(1),
        ..TracesConfig::default()
    };
    let traces = config.build("0.1.0").unwrap().unwrap();
    (0..1_000).for_each(|n| traces.settle(&nth(n)));
    until("all lost", || traces.dropped() == 1_000);
    assert!(traces.close(SECONDS));
}

#[test]
fn a_collector_that_fails_or_is_slow_is_tried_again() {
    let collector = Collector::http();
    let traces = traces(&collector, |config| {
        config.timeout = Length::millis(500);
        config.queue = 64;
    });
    collector.answer(500, Duration::ZERO);
    traces.settle(&nth(1));
    until("one lost", || traces.dropped() == 1);
    collector.answer(200, Duration::from_secs(5));
    for n in 0..500 {
        traces.settle(&nth(n));
    }
    until("the queue is full and the rest is counted", || traces.dropped() > 400);
    collector.answer(200, Duration::ZERO);
    until("spans arrive again", || {
        traces.settle(&nth(7));
        !collector.requests().is_empty()
    });
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let refused = |more: fn(&mut TracesConfig)| {
        let mut config =
            TracesConfig { endpoint: Some("http://localhost:4318".into()), ..TracesConfig::default() };
        more(&mut config);
        config.build("0.1.0").err().unwrap().to_string()
    };
    assert!(refused(|c| c.endpoint = Some("localhost:4318".into())).contains("`localhost:4318`"));
    assert!(refused(|c| c.sample = 1.5).contains("between 0 and 1: 1.5"));
    assert!(refused(|c| c.sample = f64::NAN).contains("between 0 and 1"));
    assert!(refused(|c| c.ca_file = Some("no-such.pem".into())).contains("ca_file"));
    let headers = |c: &mut TracesConfig| {
        c.headers =
            BTreeMap::from([("x-key".to_owned(), SecretRef::Env("BEDPLATE_NO_SUCH_VARIABLE".into()))]);
    };
    assert!(refused(headers).contains("`BEDPLATE_NO_SUCH_VARIABLE` is not set"));
    assert!(TracesConfig::default().build("0.1.0").unwrap().is_none());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
