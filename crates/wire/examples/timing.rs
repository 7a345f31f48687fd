//! What the parts of a call cost: `cargo run --profile bench -p bedplate-wire --example timing`.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement, run by hand")]

use std::hint::black_box;

use base64::Engine as _;
use bedplate_core::call::{Headers, Operation};
use bedplate_core::clock::{Clock, SystemClock};
use bedplate_core::content::Content;
use bedplate_core::view::Edits;
use bedplate_wire::bedrock::usage::{Meter, converse};
use bedplate_wire::bedrock::view::{Asked, read};
use bedplate_wire::bedrock::{Family, Route};
use bedplate_wire::eventstream::{Scanner, encode_event};
use bedplate_wire::sigv4::{self, BodyDigest, Claim, Request, Scope, SigningKey, amz_date};
use bytes::Bytes;

const OURS: &[(&str, &str)] = &[
    ("bedplate:team", "payments"),
    ("bedplate:feature", "triage"),
    ("bedplate:env", "prod"),
    ("bedplate:call", "0195c0de-0000-7000-8000-000000000000"),
];
const PATH: &str = "/model/us.amazon.nova-lite-v1%3A0/converse";

fn main() {
    let clock = SystemClock::shared();
    println!("{:<34}{:>12}", "", "ns each");
    for size in [350, 100_000] {
        calls(&*clock, size);
    }
    time(&*clock, "route", || drop(black_box(Route::of("POST", PATH))));
    streams(&*clock);
}

fn calls(clock: &dyn Clock, size: usize) {
    let frame =
        r#"{"messages":[{"role":"user","content":[{"text":""}]}],"inferenceConfig":{"maxTokens":200}}"#;
    let text = frame.replace("\"\"", &format!("\"{}\"", "a word ".repeat((size - frame.len()) / 7)));
    let body = Content::new(Bytes::from(text));
    let at = amz_date(clock.now());
    let mut headers = Headers::default();
    for (name, value) in [
        ("host", "127.0.0.1:8080"),
        ("content-type", "application/json"),
        ("user-agent", "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux"),
        ("amz-sdk-invocation-id", "5a2b6f0e-7f1e-4f4c-9a38-0f6f6f6f6f6f"),
        ("amz-sdk-request", "attempt=1"),
        ("content-length", "350"),
    ] {
        headers.push(name, value);
    }
    headers.push("x-amz-date", at.full().to_owned());
    let key =
        SigningKey::derive("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", at.date(), "us-east-1", "bedrock");
    let scope = Scope::new(at.date(), "us-east-1", "bedrock");
    let names = ["content-type", "host", "x-amz-date"];
    let request = Request { method: "POST", path: PATH, query: "", headers: &headers };
    let hash = BodyDigest::of(body.expose()).hex();
    let sign = || sigv4::sign(&key, "AKIDEXAMPLEEXAMPLE12", &scope, &request, &names, &at, &hash);
    let authorization = sign();
    println!("body of {} bytes", body.len());
    time(clock, "  hash", || drop(black_box(BodyDigest::of(body.expose()))));
    time(clock, "  claim and verify, hash known", || {
        let claim = Claim::from_authorization(&authorization).expect("readable");
        let at = claim.signed_at(&headers).expect("dated");
        black_box(sigv4::verify(&claim, &at, &request, &hash, &key)).expect("verifies");
    });
    time(clock, "  sign, hash known", || drop(black_box(sign())));
    let asked =
        Asked { operation: Operation::Converse, family: Family::Nova, content_type: None, metadata: None };
    let stamp = || {
        let view = read(&asked, &body).expect("an object");
        let mut edits = Edits::default();
        view.stamp(OURS, "bedplate:", &mut edits).expect("room");
        edits
    };
    time(clock, "  view and stamp", || drop(black_box(stamp())));
    let (digest, edits) = (BodyDigest::of(body.expose()), stamp());
    time(clock, "  hash of the stamped body", || {
        black_box(digest.with_edits(&body, &edits));
    });
    time(clock, "  derive a signing key", || {
        drop(black_box(SigningKey::derive("secret", "20261122", "us-east-1", "bedrock")));
    });
    let answer = format!(
        r#"{{"output":{{"message":{{"role":"assistant","content":[{{"text":"{}"}}]}}}},"stopReason":"end_turn","usage":{{"inputTokens":19,"outputTokens":8,"totalTokens":27}},"metrics":{{"latencyMs":530}}}}"#,
        "a word ".repeat(size / 7)
    );
    time(clock, "  usage of an answer", || drop(black_box(converse(answer.as_bytes()))));
}

fn streams(clock: &dyn Clock) {
    let delta = r#"{"contentBlockIndex":0,"delta":{"text":"It carries "},"p":"abcdefghijklmnopqrstuvwxyz"}"#;
    let native =
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"It carries "}}"#;
    let chunk = format!(
        r#"{{"bytes":"{}","p":"abcdefghijklmnop"}}"#,
        base64::engine::general_purpose::STANDARD.encode(native)
    );
    for (name, event, payload, operation) in [
        ("frame: ConverseStream delta", "contentBlockDelta", delta, Operation::ConverseStream),
        ("frame: native chunk", "chunk", &chunk, Operation::InvokeModelWithResponseStream),
    ] {
        let bytes = encode_event(event, payload.as_bytes());
        let mut scanner = Scanner::new(true);
        let mut meter = Meter::new(operation, Family::Anthropic);
        time(clock, name, || {
            scanner.feed(bytes.clone());
            while let Ok(Some(frame)) = scanner.next_frame() {
                black_box(meter.frame(&frame));
            }
        });
    }
}

fn time(clock: &dyn Clock, name: &str, mut f: impl FnMut()) {
    // the best of ten rounds: the others were disturbed
    let mut best = f64::MAX;
    for _ in 0..10 {
        let (start, n) = (clock.tick(), 2_000);
        (0..n).for_each(|_| f());
        best = best.min(clock.tick().since(start).as_secs_f64() * 1e9 / f64::from(n));
    }
    println!("{name:<34}{best:>12.0}");
}
