//! What a model refuses is taken out of a body, and nothing else.

use bedplate_core::call::Operation;
use bedplate_core::content::Content;
use bedplate_core::view::{Edits, Refuses};
use bedplate_wire::bedrock::Family;
use bedplate_wire::bedrock::view::{Asked, read};
use proptest::prelude::*;
use serde_json::{Value, json};

const ALL: Refuses =
    Refuses { foreign: true, sampling: true, prefill: true, tools: true, cache_points: true };

fn adapted(body: &str, refuses: Refuses) -> (String, Vec<String>) {
    edited(body, refuses, false)
}

/// Adapted, and if so bounded, as the pipeline does it.
fn edited(body: &str, refuses: Refuses, more: bool) -> (String, Vec<String>) {
    let content = Content::new(body.as_bytes().to_vec().into());
    let asked = Asked {
        operation: Operation::Converse,
        family: Family::Anthropic,
        content_type: None,
        metadata: None,
    };
    let view = read(&asked, &content).unwrap();
    let mut edits = Edits::default();
    if more {
        view.stamp(&[("bedplate:call", "x")], "bedplate:", &mut edits).unwrap();
        view.ask_tier("flex", &mut edits);
        edits.said.clear();
    }
    view.adapt(refuses, &mut edits);
    if more {
        view.bound_output(64, &mut edits);
    }
    (String::from_utf8(edits.apply(&content).concat()).unwrap(), edits.said)
}

fn only(f: impl FnOnce(&mut Refuses)) -> Refuses {
    let mut refuses = Refuses::default();
    f(&mut refuses);
    refuses
}

#[test]
fn sampling_goes_and_the_rest_of_the_bytes_stays() {
    let sampling = only(|r| r.sampling = true);
    for (body, want) in [
        (
            r#"{"messages":[], "inferenceConfig": {"maxTokens": 5, "temperature" : 0.5 ,"topP":1} }"#,
            r#"{"messages":[], "inferenceConfig": {"maxTokens": 5} }"#,
        ),
        (
            r#"{"inferenceConfig":{"temperature":0.5,"topP":1,"maxTokens":5},"messages":[]}"#,
            r#"{"inferenceConfig":{"maxTokens":5},"messages":[]}"#,
        ),
        (
            r#"{"inferenceConfig":{"temp\u0065rature":0.5},"messages":[]}"#,
            r#"{"inferenceConfig":{},"messages":[]}"#,
        ),
        (
            r#"{"inferenceConfig":{"temperature":null},"messages":[]}"#,
            r#"{"inferenceConfig":{"temperature":null},"messages":[]}"#,
        ),
        (
            r#"{"additionalModelRequestFields":{"top_k":5,"thinking":{"type":"adaptive"}},"messages":[]}"#,
            r#"{"additionalModelRequestFields":{"thinking":{"type":"adaptive"}},"messages":[]}"#,
        ),
        (
            r#"{"additionalModelRequestFields":{"inferenceConfig":{"topK":5}},"messages":[]}"#,
            r#"{"additionalModelRequestFields":{"inferenceConfig":{}},"messages":[]}"#,
        ),
    ] {
        assert_eq!(adapted(body, sampling).0, want);
        assert_eq!(adapted(body, Refuses::default()).0, body);
    }
    let (_, said) = adapted(r#"{"inferenceConfig":{"temperature":0.5},"messages":[]}"#, sampling);
    assert_eq!(said, ["left out: inferenceConfig.temperature"]);
}

#[test]
fn reasoning_and_own_fields_of_another_family_go() {
    let foreign = only(|r| r.foreign = true);
    let body = json!({
        "additionalModelRequestFields": {"thinking": {"type": "enabled"}},
        "messages": [
            {"role": "user", "content": [{"text": "a"}]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
                {"text": "b"},
                {"reasoningContent": {"redactedContent": "AA=="}}]},
            {"role": "user", "content": [{"text": "c"}]},
            {"role": "assistant", "content": [{"reasoningContent": {"redactedContent": "AA=="}}]},
            {"role": "user", "content": [{"text": "d"}]}],
    });
    let (text, said) = adapted(&body.to_string(), foreign);
    let got: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        got,
        json!({"messages": [
        {"role": "user", "content": [{"text": "a"}]},
        {"role": "assistant", "content": [{"text": "b"}]},
        {"role": "user", "content": [{"text": "c"}]},
        {"role": "assistant", "content": [{"text": "(no text)"}]},
        {"role": "user", "content": [{"text": "d"}]}]})
    );
    assert_eq!(said, ["left out: additionalModelRequestFields", "left out: reasoning of another family, 3"]);
}

#[test]
fn marks_tools_and_a_prefill_go() {
    let body = json!({
        "system": [{"text": "s"}, {"cachePoint": {"type": "default"}}],
        "toolConfig": {"tools": [{"toolSpec": {"name": "t"}}, {"cachePoint": {"type": "default"}}]},
        "messages": [
            {"role": "user", "content": [{"text": "a"}, {"cachePoint": {"type": "default"}}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "t", "input": {"x": 1}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [{"text": "y"}, {"json": {"z": 2}}]}}]},
            {"role": "assistant", "content": [{"text": "So"}, {"cachePoint": {"type": "default"}}]}],
    })
    .to_string();
    let value = |refuses| {
        let (text, said) = adapted(&body, refuses);
        (serde_json::from_str::<Value>(&text).unwrap_or_else(|e| panic!("{e}: {text}")), said)
    };
    let (got, said) = value(only(|r| r.cache_points = true));
    assert!(!got.to_string().contains("cachePoint"));
    assert_eq!(got["toolConfig"]["tools"], json!([{"toolSpec": {"name": "t"}}]));
    assert_eq!(said, ["left out: cachePoint, 4"]);
    let (got, said) = value(only(|r| r.prefill = true));
    assert_eq!(
        (got["messages"].as_array().unwrap().len(), &*said),
        (3, &["left out: the assistant's prefill".to_owned()][..])
    );
    let (got, _) = value(only(|r| r.tools = true));
    assert!(got.get("toolConfig").is_none());
    assert_eq!(got["messages"][1]["content"][0]["text"], r#"I asked the tool t with {"x":1}."#);
    assert_eq!(got["messages"][2]["content"][0]["text"], "The tool answered: y\n{\"z\":2}");
}

#[test]
fn a_bound_finds_its_place_in_what_is_left() {
    for body in [
        r#"{"inferenceConfig":{ "temperature":0.5 },"messages":[]}"#,
        r#"{"inferenceConfig":{"temperature":0.5,"topP":1},"messages":[]}"#,
        r#"{"inferenceConfig":{"temperature":0.5,"stopSequences":[]},"messages":[]}"#,
        r#"{"messages":[],"additionalModelRequestFields":{"a":1}}"#,
        r#"{"additionalModelRequestFields":{"a":1},"messages":[],"toolConfig":{}}"#,
    ] {
        let (text, _) = edited(body, ALL, true);
        let got: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(got["inferenceConfig"]["maxTokens"], 64, "{text}");
        assert_eq!(got["requestMetadata"], json!({"bedplate:call": "x"}));
        assert_eq!(got["serviceTier"]["type"], "flex");
        assert!(got["inferenceConfig"].get("temperature").is_none() && got.get("toolConfig").is_none());
    }
}

fn block() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-z{},:\"\\[\\]]{1,6}".prop_map(|text| json!({"text": text})),
        Just(json!({"reasoningContent": {"reasoningText": {"text": "r, }", "signature": "]"}}})),
        Just(json!({"reasoningContent": {"redactedContent": "AA=="}})),
        Just(json!({"cachePoint": {"type": "default"}})),
        Just(json!({"image": {"format": "png", "source": {"bytes": "AA=="}}})),
        Just(json!({"toolUse": {"toolUseId": "1", "name": "t", "input": {"temperature": 1}}})),
        Just(json!({"toolResult": {"toolUseId": "1", "content": [{"text": "x"}]}})),
    ]
}

fn body() -> impl Strategy<Value = Value> {
    let messages = prop::collection::vec(prop::collection::vec(block(), 1..5), 1..5);
    let config = prop::sample::subsequence(vec!["temperature", "maxTokens", "topP", "stopSequences"], 0..=4);
    let tops = prop::sample::subsequence(
        vec!["inferenceConfig", "system", "toolConfig", "additionalModelRequestFields", "outputConfig"],
        0..=5,
    );
    (messages, config, tops).prop_map(|(messages, config, tops)| {
        let role = |n: usize| if n.is_multiple_of(2) { "user" } else { "assistant" };
        let messages: Vec<Value> =
            messages.iter().enumerate().map(|(n, c)| json!({"role": role(n), "content": c})).collect();
        let config: serde_json::Map<String, Value> =
            config.into_iter().map(|k| (k.to_owned(), json!(1))).collect();
        let mut body = json!({"messages": messages});
        for top in tops {
            body[top] = match top {
                "inferenceConfig" => Value::Object(config.clone()),
                "system" => json!([{"text": "s"}, {"cachePoint": {"type": "default"}}]),
                "toolConfig" => json!({"tools": [{"cachePoint": {}}, {"toolSpec": {"name": "cachePoint"}}]}),
                "outputConfig" => json!({"effort": "low"}),
                _ => json!({"top_k": 1, "thinking": {"type": "adaptive"}, "inferenceConfig": {"topK": 2}}),
            };
        }
        body
    })
}

/// What should come out, by rebuilding the whole tree.
fn expected(mut body: Value, r: Refuses) -> Value {
    let top = body.as_object_mut().unwrap();
    if r.tools {
        top.remove("toolConfig");
    }
    if r.foreign {
        top.remove("additionalModelRequestFields");
    }
    if r.sampling {
        for (outer, names) in [
            ("/inferenceConfig", &["temperature", "topP"][..]),
            ("/additionalModelRequestFields", &["top_k"]),
            ("/additionalModelRequestFields/inferenceConfig", &["topK"]),
        ] {
            if let Some(object) = body.pointer_mut(outer).and_then(Value::as_object_mut) {
                names.iter().for_each(|name| drop(object.remove(*name)));
            }
        }
    }
    let goes = |b: &Value| {
        r.foreign && b.get("reasoningContent").is_some() || r.cache_points && b.get("cachePoint").is_some()
    };
    for list in ["/system", "/toolConfig/tools"] {
        if let Some(list) = body.pointer_mut(list).and_then(Value::as_array_mut) {
            list.retain(|b| !(r.cache_points && b.get("cachePoint").is_some()));
        }
    }
    let messages = body["messages"].as_array_mut().unwrap();
    if r.prefill && messages.len() > 1 && messages.last().unwrap()["role"] == "assistant" {
        messages.pop();
    }
    for message in messages {
        let content = message["content"].as_array_mut().unwrap();
        let before = content.len();
        content.retain(|b| !goes(b));
        if content.len() < before && content.iter().all(|b| b.get("cachePoint").is_some()) {
            *content = vec![json!({"text": "(no text)"})];
        }
        for b in content.iter_mut().filter(|_| r.tools) {
            if b.get("toolUse").is_some() {
                *b = json!({"text": r#"I asked the tool t with {"temperature":1}."#});
            } else if b.get("toolResult").is_some() {
                *b = json!({"text": "The tool answered: x"});
            }
        }
    }
    body
}

proptest! {
    #[test]
    fn nothing_else_is_changed(
        body in body(), pretty in any::<bool>(),
        (foreign, sampling, prefill, tools, cache_points) in any::<(bool, bool, bool, bool, bool)>(),
    ) {
        let refuses = Refuses { foreign, sampling, prefill, tools, cache_points };
        let text = if pretty { serde_json::to_string_pretty(&body).unwrap() } else { body.to_string() };
        let (got, said) = adapted(&text, refuses);
        let want = expected(body.clone(), refuses);
        prop_assert_eq!(serde_json::from_str::<Value>(&got).unwrap(), want.clone());
        prop_assert_eq!(said.is_empty(), want == body, "{:?}", said);
        if want == body {
            prop_assert_eq!(&got, &text);
        }
        let (more, _) = edited(&text, refuses, true);
        prop_assert!(serde_json::from_str::<Value>(&more).is_ok(), "{}", more);
    }
}
