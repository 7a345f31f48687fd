//! Nova's own bodies.

use bedplate_core::conversation::Told;
use bedplate_core::form::Form;
use bedplate_core::refusal::Code;
use bedplate_wire::translate::{self, Wanted};
use serde_json::{Value, json};

use crate::samples::folder;

const MODEL: &str = "us.amazon.nova-2-lite-v1:0";

fn made(from: Form, to: Form, body: &Value) -> Value {
    let wanted = Wanted { model: MODEL, ..Wanted::default() };
    let made = translate::request(from, to, body.to_string().as_bytes(), wanted).unwrap();
    assert!(made.dropped.is_empty(), "{:?}", made.dropped);
    serde_json::from_slice(&made.body).unwrap()
}

/// One of everything that its body has a place for.
fn everything() -> Value {
    json!({
        "schemaVersion": "messages-v1",
        "system": [{"text": "Be short."}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {"role": "user", "content": [
                {"text": "a"},
                {"image": {"format": "png", "source": {"bytes": "aGk="}}},
                {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://media/a.mp4", "bucketOwner": "123456789012"}}}},
                {"document": {"name": "d", "format": "pdf", "source": {"bytes": "aGk="}}},
                {"newest": 1},
            ]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm."}}},
                {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"a": 1}}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "t1", "content": [{"json": {"b": 2}}], "status": "success"}},
            ]},
        ],
        "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 0.9, "topK": 20, "stopSequences": ["#"], "newest": 1},
        "toolConfig": {"tools": [
            {"toolSpec": {"name": "look", "description": "d", "inputSchema": {"json": {"type": "object"}}}},
            {"systemTool": {"name": "nova_grounding"}},
        ], "toolChoice": {"any": {}}},
        "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"},
        "newest": true,
    })
}

#[test]
fn requests_come_back_as_they_were() {
    let body = everything();
    assert_eq!(made(Form::Nova, Form::Nova, &body), body);
    let stored = folder("requests").into_iter().find(|(name, _)| name == "invoke-stream-nova").unwrap().1;
    let body = &stored["wire"]["body"];
    assert_eq!(&made(Form::Nova, Form::Nova, body), body);
    // older documents have it inside
    let inside = json!({"messages": [{"role": "user", "content": [{"text": "a"}]}], "inferenceConfig": {"reasoningConfig": {"type": "disabled"}}});
    assert_eq!(made(Form::Nova, Form::Nova, &inside)["reasoningConfig"], json!({"type": "disabled"}));
}

#[test]
fn converse_and_nova_say_the_same_in_other_places() {
    let mut body = everything();
    for extra in ["newest", "/messages/0/content/4", "/inferenceConfig/newest"] {
        match extra.rsplit_once('/') {
            None => drop(body.as_object_mut().unwrap().remove(extra)),
            Some(("/inferenceConfig", name)) => {
                drop(body["inferenceConfig"].as_object_mut().unwrap().remove(name))
            }
            Some(_) => drop(body["messages"][0]["content"].as_array_mut().unwrap().remove(4)),
        }
    }
    let converse = made(Form::Nova, Form::Converse, &body);
    assert_eq!(
        converse["additionalModelRequestFields"],
        json!({"inferenceConfig": {"topK": 20}, "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}})
    );
    assert!(converse.get("schemaVersion").is_none() && converse["inferenceConfig"].get("topK").is_none());
    let mut named = body.clone();
    named["messages"][0]["content"][3]["document"]["name"] = json!("d (1)");
    let mut again = made(Form::Converse, Form::Nova, &converse);
    // a second crossing names it anew
    again["messages"][0]["content"][3]["document"]["name"] = json!("d (1)");
    assert_eq!(again, named);
}

#[test]
fn what_it_would_refuse_is_refused_by_its_place() {
    let with = |name: &str, value: Value| {
        let mut body = json!({"messages": [{"role": "user", "content": [{"text": "a"}]}]});
        body[name] = value;
        body
    };
    for (body, want) in [
        (json!({}), "`messages`: it is missing"),
        (with("schemaVersion", json!("v7")), "`schemaVersion`: expected `messages-v1`"),
        (with("inferenceConfig", json!({"topK": "secret"})), "`inferenceConfig.topK`: expected a number"),
        (with("reasoningConfig", json!({"type": "secret"})), "`reasoningConfig`: expected a `type`"),
        (with("max_tokens", json!(1)), "`max_tokens`: another dialect's member"),
        (with("serviceTier", json!({"type": "flex"})), "`serviceTier`: another dialect's member"),
    ] {
        let refusal = translate::read(Form::Nova, &body.to_string()).unwrap_err();
        let said = refusal.to_string();
        assert!(said.contains(want) && !said.contains("secret"), "{said}");
        assert_eq!(refusal.code, Code::BadValue);
    }
}

#[test]
fn answers_come_back_with_its_names_for_the_cache() {
    let body = json!({
        "output": {"message": {"role": "assistant", "content": [{"text": "a"}, {"toolUse": {"toolUseId": "t", "name": "look", "input": {}}}]}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 10, "cacheReadInputTokenCount": 3, "cacheWriteInputTokenCount": 4},
        "amazon-bedrock-guardrailAction": "NONE",
    });
    let answer = |from, to, body: &Value| -> Value {
        let made = translate::answer(from, to, body.to_string().as_bytes(), &Told::default()).unwrap();
        serde_json::from_slice(&made).unwrap()
    };
    assert_eq!(answer(Form::Nova, Form::Nova, &body), body);
    let converse = answer(Form::Nova, Form::Converse, &body);
    assert_eq!(converse["usage"]["cacheReadInputTokens"], 3);
    assert_eq!(converse["usage"]["totalTokens"], 10);
    assert!(converse.get("amazon-bedrock-guardrailAction").is_none());
    assert_eq!(answer(Form::Converse, Form::Nova, &converse)["usage"], body["usage"]);
}
