//! What stands on the wire.

use bedplate_core::clock::SystemClock;
use bedplate_sim::{Config, LatencyMode, ModelSetting};
use serde_json::{Value, json};

use crate::support::{NOVA, NOVA_STREAM, call, call_with, frame_header, question, quiet, start};

#[tokio::test]
async fn an_answer_has_bedrocks_headers_and_members() {
    let sim = start(quiet()).await;
    let reply =
        call(&sim, "POST", NOVA, &question("The crane stands in Ulm. Where does the crane stand?")).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"));
    assert_eq!(reply.header("x-amzn-requestid").len(), 36);
    let body = reply.json();
    assert_eq!(body["output"]["message"]["content"], json!([{ "text": "The crane stands in Ulm." }]));
    assert_eq!(body["stopReason"], "end_turn");
    let usage = &body["usage"];
    assert_eq!(
        usage["totalTokens"],
        usage["inputTokens"].as_u64().unwrap() + usage["outputTokens"].as_u64().unwrap()
    );
    assert!(body["metrics"]["latencyMs"].as_u64().unwrap() >= 1);
}

#[tokio::test]
async fn a_stream_has_its_events_in_order_with_padding() {
    let sim = start(quiet()).await;
    let reply = call(
        &sim,
        "POST",
        NOVA_STREAM,
        &question("The crane stands in Ulm. Where does it stand, the crane?"),
    )
    .await;
    assert_eq!(reply.header("content-type"), "application/vnd.amazon.eventstream");
    let frames = reply.frames().unwrap();
    let names: Vec<String> = frames.iter().map(|f| frame_header(f, ":event-type")).collect();
    assert_eq!(names.first().unwrap(), "messageStart");
    assert_eq!(names[names.len() - 3..], ["contentBlockStop", "messageStop", "metadata"]);
    assert!(!names.contains(&"contentBlockStart".to_string()));
    let mut text = String::new();
    for f in &frames {
        let order: Vec<&str> = f.headers().iter().map(|h| h.name().as_str()).collect();
        assert_eq!(order, [":event-type", ":content-type", ":message-type"]);
        let payload: Value = serde_json::from_slice(f.payload()).unwrap();
        assert!(!payload["p"].as_str().unwrap().is_empty());
        text.push_str(payload["delta"]["text"].as_str().unwrap_or_default());
    }
    assert_eq!(text, "The crane stands in Ulm.");
}

#[tokio::test]
async fn bad_requests_get_aws_texts() {
    let sim = start(quiet()).await;
    let converse = |body: Value| body.to_string();
    let user = json!([{ "role": "user", "content": [{ "text": "Hi?" }] }]);
    for (body, code, says) in [
        ("{".to_string(), "SerializationException", "parsed"),
        ("[]".to_string(), "SerializationException", "Start of structure"),
        (converse(json!({ "messages": 3 })), "SerializationException", "NUMBER_VALUE"),
        (
            converse(json!({ "messages": user, "inferenceConfig": { "maxTokens": "9" } })),
            "SerializationException",
            "STRING_VALUE",
        ),
        (
            converse(json!({ "messages": user, "inferenceConfig": { "maxTokens": 0 } })),
            "ValidationException",
            "greater than or equal to 1",
        ),
        (
            converse(json!({ "messages": user, "inferenceConfig": { "maxTokens": 10001 } })),
            "ValidationException",
            "model limit of 10000",
        ),
        (
            converse(json!({ "messages": user, "inferenceConfig": { "temperature": 1.5 } })),
            "ValidationException",
            "less than or equal to 1",
        ),
        (converse(json!({ "messages": [] })), "ValidationException", "at least one message"),
        (
            converse(json!({ "messages": [{ "role": "assistant", "content": [{ "text": "x" }] }] })),
            "ValidationException",
            "start with a user message",
        ),
        (
            converse(json!({ "messages": [{ "role": "robot", "content": [{ "text": "x" }] }] })),
            "ValidationException",
            "enum value set: [user, assistant, system]",
        ),
        (
            converse(json!({ "messages": [{ "role": "user", "content": [] }] })),
            "ValidationException",
            "messages.0 is empty",
        ),
        (
            converse(json!({ "messages": [{ "role": "user", "content": [{ "text": " " }] }] })),
            "ValidationException",
            "is blank",
        ),
        (
            converse(json!({ "messages": [{ "role": "user", "content": [{ "text": "x", "image": {} }] }] })),
            "ValidationException",
            "exactly one",
        ),
        (
            converse(
                json!({ "messages": [{ "role": "user", "content": [{ "image": { "format": "png", "source": { "bytes": "%%" } } }] }] }),
            ),
            "SerializationException",
            "base64",
        ),
        (
            converse(json!({ "messages": user, "toolConfig": { "tools": [] } })),
            "ValidationException",
            "toolConfig.tools",
        ),
        (
            converse(json!({ "messages": user, "serviceTier": { "type": "gold" } })),
            "ValidationException",
            "serviceTier.type",
        ),
        (
            converse(
                json!({ "messages": user, "requestMetadata": (0..17).map(|i| (format!("k{i}"), json!("v"))).collect::<serde_json::Map<_, _>>() }),
            ),
            "ValidationException",
            "requestMetadata",
        ),
    ] {
        let e = call(&sim, "POST", NOVA, &body).await.error();
        assert!(e.0 == 400 && e.1 == code && e.2.contains(says), "{body}: {e:?}");
    }
    let images: Vec<Value> =
        (0..21).map(|_| json!({ "image": { "format": "png", "source": { "bytes": "aGk=" } } })).collect();
    let many = json!({ "messages": [{ "role": "user", "content": images }] }).to_string();
    assert!(call(&sim, "POST", NOVA, &many).await.error().2.contains("limit of 20"));
}

#[tokio::test]
async fn a_body_over_25_mb_is_too_large() {
    let sim = start(quiet()).await;
    let body = question(&"x".repeat(25_000_000));
    let reply = call(&sim, "POST", NOVA, &body).await;
    assert_eq!(reply.status, 413);
}

#[tokio::test]
async fn caching_writes_then_reads_and_counts_apart() {
    let sim = start(quiet()).await;
    let path = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
    let body = |ttl: &str| {
        json!({
            "system": [{ "text": "The crane stands in Ulm. ".repeat(200) }, { "cachePoint": { "type": "default", "ttl": ttl } }],
            "messages": [{ "role": "user", "content": [{ "text": "Where does the crane stand?" }] }],
        })
        .to_string()
    };
    let usage = |reply: crate::support::Reply| reply.json()["usage"].clone();
    let first = usage(call(&sim, "POST", path, &body("1h")).await);
    let second = usage(call(&sim, "POST", path, &body("1h")).await);
    assert_eq!((&first["cacheWriteInputTokens"], &first["cacheReadInputTokens"]), (&json!(1250), &json!(0)));
    assert_eq!(first["cacheDetails"], json!([{ "ttl": "1h", "inputTokens": 1250 }]));
    assert_eq!(
        (&second["cacheWriteInputTokens"], &second["cacheReadInputTokens"]),
        (&json!(0), &json!(1250))
    );
    assert_eq!(first["totalTokens"], second["totalTokens"]);
    assert_eq!(first["inputTokens"], json!(11));
    let unsupported = body("5m");
    let refused = call(&sim, "POST", "/model/meta.llama3-8b-instruct-v1%3A0/converse", &unsupported).await;
    assert!(refused.error().2.contains("prompt caching"), "{:?}", refused.error());
}

#[tokio::test]
async fn quotas_reserve_the_most_a_call_may_write() {
    let limited = ModelSetting { id: "*nova-lite*".into(), tpm: Some(12_000), ..ModelSetting::default() };
    let mut config = quiet();
    config.model.push(limited);
    let sim = start(config).await;
    // without maxTokens the model's ten thousand are reserved, then given back
    assert_eq!(call(&sim, "POST", NOVA, &question("Hi?")).await.status, 200);
    assert_eq!(call(&sim, "POST", NOVA, &question("Hi?")).await.status, 200);
    let long = question(&"word ".repeat(2_400));
    let e = call(&sim, "POST", NOVA, &long).await.error();
    assert_eq!((e.0, e.1.as_str()), (429, "ThrottlingException"));
    assert_eq!(e.2, "Too many tokens, please wait before trying again.");
}

#[tokio::test]
async fn answers_take_the_models_time_divided_by_the_scale() {
    let slow = ModelSetting {
        id: "*nova-lite*".into(),
        first_token: Some("800ms".parse().unwrap()),
        per_token: Some("40ms".parse().unwrap()),
        ..ModelSetting::default()
    };
    let mut config = Config { latency: LatencyMode::Realistic, time_scale: 4.0, ..quiet() };
    config.model.push(slow);
    let sim = start(config).await;
    let clock = SystemClock::shared();
    let mut statuses = Vec::new();
    for path in [NOVA, NOVA_STREAM] {
        let before = clock.tick();
        let reply =
            call(&sim, "POST", path, &question("The crane stands in Ulm. Where does the crane stand?")).await;
        let took = clock.tick().since(before).as_millis();
        // jitter is 0.8 to 1.3 of 200 ms and six times 10 ms
        assert!((200..2_000).contains(&took), "{path}: {took} ms");
        statuses.push(reply.status);
    }
    assert_eq!(statuses, [200, 200]);
}

#[tokio::test]
async fn it_shows_what_it_was_sent_and_how_it_is() {
    let sim = start(Config { keep_requests: 2, ..quiet() }).await;
    let body = question("Hi?");
    for _ in 0..3 {
        call_with(&sim, "POST", NOVA, &[("x-extra", "1")], &body).await.unwrap();
    }
    let get = |page: &str| {
        let request = http::Request::get(format!("/__sim/{page}"))
            .header("host", "x")
            .body(http_body_util::Full::default());
        crate::support::send(sim.addr(), request.unwrap())
    };
    let seen = get("requests").await.unwrap().json();
    let rows = seen["requests"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["path"], &rows[0]["bodyLength"]), (&json!(NOVA), &json!(body.len())));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
    assert_eq!(rows[0]["bodySha256"], json!(hex::encode(digest)));
    assert!(rows[0]["headers"].as_array().unwrap().contains(&json!(["x-extra", "1"])));
    assert_eq!(get("health").await.unwrap().json()["status"], "ok");
    let models = get("models").await.unwrap().json();
    assert!(models["models"].as_array().unwrap().iter().all(|m| m["errorRate"] == 0.0));
}

#[tokio::test]
async fn faults_come_and_go_while_it_runs_and_quotas_say_what_became_of_calls() {
    let model =
        ModelSetting { id: "*nova-lite*".into(), rpm: Some(2), tpm: Some(100_000), ..Default::default() };
    let sim = start(Config { model: vec![model], ..quiet() }).await;
    let put = |rules: &'static str| {
        let request = http::Request::put("/__sim/faults").header("host", "x").body(rules.into());
        crate::support::send(sim.addr(), request.unwrap())
    };
    let body = json!({ "messages": [{ "role": "user", "content": [{ "text": "Hi?" }] }], "inferenceConfig": { "maxTokens": 20 } })
    .to_string();
    let ask = || call(&sim, "POST", NOVA, &body);
    assert_eq!(put(r#"[{ "kind": "unavailable", "operation": "Converse" }]"#).await.unwrap().status, 200);
    assert_eq!(ask().await.status, 503);
    let wrong = put(r#"[{ "kind": "throttle", "every": 0 }]"#).await.unwrap();
    assert_eq!((wrong.status, ask().await.status), (400, 503));
    assert_eq!(put("[]").await.unwrap().status, 200);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(ask().await.status);
    }
    assert_eq!(statuses, [200, 200, 429]);
    let request = http::Request::get("/__sim/quotas").header("host", "x").body("".into()).unwrap();
    let page = crate::support::send(sim.addr(), request).await.unwrap().json();
    let row = &page["quotas"][0];
    assert_eq!((&row["admitted"], &row["throttled"]), (&json!(2), &json!(1)));
    assert!(row["settledTokens"].as_u64().is_some_and(|tokens| tokens > 0));
}
