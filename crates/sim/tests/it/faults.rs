//! Every fault does what it says.

use bedplate_core::clock::SystemClock;
use bedplate_sim::{Config, FaultKind, FaultRule};
use serde_json::json;

use crate::support::{NOVA, NOVA_STREAM, Reply, call, call_with, frame_header, question, quiet, start};

async fn faulty(path: &str, fault: &str) -> Result<Reply, String> {
    let sim = start(quiet()).await;
    let text = question(
        "The crane stands in Ulm beside the old river bridge today. Where does the crane stand today?",
    );
    call_with(&sim, "POST", path, &[("x-sim-fault", fault)], &text).await
}

#[tokio::test]
async fn refusals_have_their_status_and_type() {
    for (fault, status, code) in [
        ("throttle;retry_after=1500ms", 429, "ThrottlingException"),
        ("internal", 500, "InternalServerException"),
        ("unavailable", 503, "ServiceUnavailableException"),
        ("access_denied", 403, "AccessDeniedException"),
        ("end_of_life", 404, "ResourceNotFoundException"),
        ("model_not_ready", 429, "ModelNotReadyException"),
        ("model_timeout", 408, "ModelTimeoutException"),
        ("model_error", 424, "ModelErrorException"),
        (
            "exception_before_content;exception=serviceUnavailableException",
            503,
            "ServiceUnavailableException",
        ),
    ] {
        let reply = faulty(NOVA, fault).await.unwrap();
        assert_eq!((reply.status, reply.code()), (status, code), "{fault}");
        if fault.starts_with("throttle") {
            assert_eq!((reply.header("x-amz-retry-after"), reply.header("retry-after")), ("1500", "1"));
        }
    }
    let reply = faulty(NOVA, "model_error").await.unwrap().json();
    assert_eq!(reply["originalStatusCode"], 500);
    assert!(faulty(NOVA, "explode").await.unwrap().error().2.contains("`explode`"));
}

#[tokio::test]
async fn streams_break_in_every_way() {
    let reply = faulty(NOVA_STREAM, "exception_after_content;after=2").await.unwrap();
    let frames = reply.frames().unwrap();
    assert_eq!(frames.len(), 3);
    assert_eq!(frame_header(&frames[2], ":exception-type"), "throttlingException");
    assert_eq!(frame_header(&frames[2], ":message-type"), "exception");
    let first =
        faulty(NOVA_STREAM, "exception_before_content;exception=internalServerException").await.unwrap();
    assert_eq!(frame_header(&first.frames().unwrap()[0], ":exception-type"), "internalServerException");
    let cut = faulty(NOVA_STREAM, "truncated_frame").await.unwrap().frames().unwrap_err();
    assert!(cut.contains("unfinished"), "{cut}");
    let damaged = faulty(NOVA_STREAM, "crc_damage").await.unwrap().frames().unwrap_err();
    assert!(damaged.to_lowercase().contains("crc") || damaged.contains("checksum"), "{damaged}");
    let unmetered = faulty(NOVA_STREAM, "no_usage").await.unwrap().frames().unwrap();
    assert_eq!(frame_header(unmetered.last().unwrap(), ":event-type"), "messageStop");
}

#[tokio::test]
async fn connections_are_reset() {
    let at_once = faulty(NOVA, "reset").await.err().unwrap();
    assert!(at_once.contains("ConnectionReset") || at_once.contains("IncompleteMessage"), "{at_once}");
    let midway = faulty(NOVA_STREAM, "reset;after=2").await.err().unwrap();
    assert!(
        midway.contains("ConnectionReset")
            || midway.contains("IncompleteBody")
            || midway.contains("UnexpectedEof"),
        "{midway}"
    );
    assert!(faulty(NOVA, "truncated_frame").await.is_err());
}

#[tokio::test]
async fn a_reset_is_a_real_tcp_reset() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let rule = FaultRule { kind: FaultKind::Reset, ..no_rule() };
    let sim = start(Config { auth: bedplate_sim::Auth::Any, fault: vec![rule], ..quiet() }).await;
    let mut socket = tokio::net::TcpStream::connect(sim.addr()).await.unwrap();
    let body = question("Hi?");
    let head = format!("POST {NOVA} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body.as_bytes()).await.unwrap();
    let error = socket.read(&mut [0; 64]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn slow_answers_come_late() {
    let clock = SystemClock::shared();
    for (path, fault) in [
        (NOVA, "slow_first_byte;delay=300ms"),
        (NOVA_STREAM, "stall;after=1;delay=300ms"),
        (NOVA, "stall;ms=300"),
    ] {
        let before = clock.tick();
        let reply = faulty(path, fault).await.unwrap();
        assert_eq!(reply.status, 200);
        assert!(clock.tick().since(before).as_millis() >= 300, "{fault}");
    }
}

#[tokio::test]
async fn broken_json_is_broken() {
    let sim = start(quiet()).await;
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"], "additionalProperties": false });
    let ask = |metadata: serde_json::Value| {
        json!({
            "messages": [{ "role": "user", "content": [{ "text": "The city is Ulm." }] }],
            "outputConfig": { "textFormat": { "type": "json_schema", "structure": { "jsonSchema": { "schema": schema.to_string() } } } },
            "requestMetadata": metadata,
        })
        .to_string()
    };
    let text = |r: Reply| r.json()["output"]["message"]["content"][0]["text"].as_str().unwrap().to_string();
    let good = text(call(&sim, "POST", NOVA, &ask(json!({ "a": "b" }))).await);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&good).unwrap(), json!({ "city": "Ulm" }));
    let bad = text(call(&sim, "POST", NOVA, &ask(json!({ "sim-fault": "malformed_json" }))).await);
    assert!(serde_json::from_str::<serde_json::Value>(&bad).is_err(), "{bad}");
}

#[tokio::test]
async fn rules_strike_as_configured() {
    let rule = FaultRule {
        first: Some(2),
        model: Some("*nova-lite*".into()),
        operation: Some("Converse".into()),
        ..no_rule()
    };
    let sim = start(Config { fault: vec![rule], ..quiet() }).await;
    let mut statuses = Vec::new();
    for path in [NOVA_STREAM, NOVA, NOVA, NOVA] {
        statuses.push(call(&sim, "POST", path, &question("Hi?")).await.status);
    }
    assert_eq!(statuses, [200, 429, 429, 200]);
}

fn no_rule() -> FaultRule {
    FaultRule {
        kind: FaultKind::Throttle,
        model: None,
        operation: None,
        every: None,
        first: None,
        rate: None,
        after: None,
        delay: None,
        exception: None,
        retry_after: None,
    }
}
