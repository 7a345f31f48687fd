//! The AWS SDK for Rust, unchanged but for its endpoint and keys.

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_bedrockruntime::error::ProvideErrorMetadata;
use aws_sdk_bedrockruntime::operation::RequestId;
use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::{
    ContentBlock, ContentBlockDelta, ConversationRole, ConverseStreamOutput, Message,
};

use crate::running::{Ready, Running, run};

const MODEL: &str = "us.amazon.nova-lite-v1:0";
const QUICK: &str = "[sim]\nlatency = \"off\"\n[log]\ncalls = \"off\"\n";

fn client(ready: &Ready) -> Client {
    let keys = Credentials::new(&ready.access_key_id, &ready.secret_access_key, None, None, "test");
    let config = aws_sdk_bedrockruntime::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(keys)
        .endpoint_url(&ready.data)
        .build();
    Client::from_conf(config)
}

fn asks(text: &str) -> Message {
    let block = ContentBlock::Text(text.into());
    Message::builder().role(ConversationRole::User).content(block).build().unwrap()
}

#[tokio::test]
async fn converse_whole_and_streamed_and_the_ledger_agrees() {
    let bedplate = Running::start(QUICK);
    let client = client(&bedplate.ready);
    let question = "A bedplate carries an engine. What does a bedplate carry?";
    let whole = client.converse().model_id(MODEL).messages(asks(question)).send().await.unwrap();
    let request_id = whole.request_id().expect("the upstream's request id").to_owned();
    let usage = whole.usage().unwrap().clone();

    let streamed = client.converse_stream().model_id(MODEL).messages(asks(question)).send().await.unwrap();
    let (mut events, mut text, mut tokens) = (streamed.stream, String::new(), 0);
    while let Some(event) = events.recv().await.unwrap() {
        match event {
            ConverseStreamOutput::ContentBlockDelta(delta) => {
                if let Some(ContentBlockDelta::Text(piece)) = delta.delta {
                    text.push_str(&piece);
                }
            }
            ConverseStreamOutput::Metadata(metadata) => tokens = metadata.usage.unwrap().total_tokens,
            _ => {}
        }
    }
    assert!(text.contains("engine"), "{text}");
    assert!(tokens > 0);

    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    let (code, out, _) = run(bedplate.project.path(), &["calls", "tail", "--no-follow", "--format", "json"]);
    assert_eq!(code, 0);
    let rows: Vec<serde_json::Value> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["call"]["operation"], "Converse");
    assert_eq!(rows[0]["call"]["usage"]["input"], usage.input_tokens);
    assert_eq!(rows[0]["call"]["usage"]["output"], usage.output_tokens);
    assert_eq!(rows[0]["attempts"][0]["upstream_request_id"], request_id);
    assert_eq!(rows[1]["call"]["operation"], "ConverseStream");
    assert_eq!(rows[1]["call"]["ending"], "answered");
}

#[tokio::test]
async fn native_bodies_pass() {
    let bedplate = Running::start(QUICK);
    let body =
        r#"{"schemaVersion":"messages-v1","messages":[{"role":"user","content":[{"text":"Say hello."}]}]}"#;
    let client = client(&bedplate.ready);
    let answer = client
        .invoke_model()
        .model_id(MODEL)
        .content_type("application/json")
        .body(Blob::new(body))
        .send()
        .await
        .unwrap();
    let answer: serde_json::Value = serde_json::from_slice(answer.body().as_ref()).unwrap();
    assert!(answer["output"]["message"]["content"][0]["text"].is_string(), "{answer}");
}

#[tokio::test]
async fn errors_are_those_that_the_sdk_models() {
    let bedplate = Running::start(QUICK);
    let unknown =
        client(&bedplate.ready).converse().model_id("no-such-alias").messages(asks("?")).send().await;
    let unknown = unknown.unwrap_err().into_service_error();
    assert!(unknown.is_validation_exception(), "{unknown:?}");
    assert_eq!(unknown.message(), Some("The provided model identifier is invalid."));

    let stranger = Ready { secret_access_key: "wrong".into(), ..ready(&bedplate) };
    let refused = client(&stranger).converse().model_id(MODEL).messages(asks("?")).send().await;
    let refused = refused.unwrap_err().into_service_error();
    assert_eq!(refused.code(), Some("InvalidSignatureException"), "{refused:?}");
}

fn ready(bedplate: &Running) -> Ready {
    let Ready { data, access_key_id, secret_access_key } = &bedplate.ready;
    Ready {
        data: data.clone(),
        access_key_id: access_key_id.clone(),
        secret_access_key: secret_access_key.clone(),
    }
}
