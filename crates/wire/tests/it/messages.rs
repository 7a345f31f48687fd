//! Anthropic's messages: read into the normal form and written again they are what they were.

use bedplate_core::form::Form;
use bedplate_wire::translate::{self, Told, Wanted};
use proptest::prelude::*;
use serde_json::{Value, json};

const FORMS: [Form; 2] = [Form::Messages, Form::Claude];

/// A body in a form, of what the forms have in common.
pub(crate) fn body(form: Form, mut common: Value) -> Value {
    match form {
        Form::Claude => common["anthropic_version"] = "bedrock-2023-05-31".into(),
        _ => common["model"] = "claude".into(),
    }
    common
}

pub(crate) fn through(from: Form, to: Form, body: &Value) -> Result<(Value, Vec<String>), String> {
    let stream = body["stream"] == true;
    let wanted = Wanted { model: "claude", stream, ..Wanted::default() };
    match translate::request(from, to, body.to_string().as_bytes(), wanted) {
        Ok(done) => {
            let dropped = done.dropped.iter().map(|dropped| dropped.name().to_owned()).collect();
            Ok((serde_json::from_slice(&done.body).unwrap(), dropped))
        }
        Err(refusal) => Err(refusal.said.to_string()),
    }
}

/// Strings that are short for lists of one text are written as such lists.
fn plain(mut value: Value) -> Value {
    let long = |value: &mut Value| {
        if value.is_string() {
            *value = json!([{"type": "text", "text": value.take()}]);
        }
    };
    let Some(object) = value.as_object_mut() else { return value };
    if let Some(system) = object.get_mut("system") {
        long(system);
    }
    for message in object.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        long(&mut message["content"]);
        for block in message["content"].as_array_mut().into_iter().flatten() {
            if block["type"] == "tool_result" && block.get("content").is_some() {
                long(&mut block["content"]);
            }
            if block["source"]["type"] == "content" {
                long(&mut block["source"]["content"]);
            }
        }
    }
    value
}

fn same(form: Form, common: Value) {
    let before = body(form, common);
    let (after, dropped) = through(form, form, &before).unwrap_or_else(|said| panic!("{said}: {before}"));
    assert_eq!(after, plain(before));
    assert_eq!(dropped, Vec::<String>::new());
}

/// Every member that both forms have, in one body.
pub(crate) fn everything() -> Value {
    json!({
        "max_tokens": 100,
        "system": [{"type": "text", "text": "Be brief.\n\u{e9}", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": "Hi \"you\""},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "well", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZGF0YQ=="},
                {"type": "text", "text": "cited", "citations": [
                    {"type": "char_location", "cited_text": "a", "document_index": 0, "document_title": null, "start_char_index": 1, "end_char_index": 2},
                    {"type": "page_location", "cited_text": "a", "document_index": 0, "document_title": "T", "start_page_number": 1, "end_page_number": 2},
                    {"type": "content_block_location", "cited_text": "a", "document_index": 0, "document_title": "T", "start_block_index": 1, "end_block_index": 2},
                    {"type": "search_result_location", "cited_text": "a", "search_result_index": 3, "source": "s", "title": "T", "start_block_index": 1, "end_block_index": 2},
                    {"type": "web_search_result_location", "cited_text": "a", "url": "https://e.example", "title": "T", "encrypted_index": "xx"},
                ]},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
                    {"type": "web_search_result", "url": "https://e.example", "title": "t", "encrypted_content": "x", "page_age": null}]},
                {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"a": [1, 2.50, null]}},
                {"type": "tool_use", "id": "toolu_2", "name": "find", "input": {}, "cache_control": {"type": "ephemeral"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "found", "is_error": false},
                {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": [
                    {"type": "text", "text": "no"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                    {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}], "citations": {"enabled": true}},
                    {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
                    {"type": "tool_reference", "tool_name": "other"},
                ]},
                {"type": "document", "title": "T", "context": "C", "citations": {"enabled": true},
                 "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
                 "cache_control": {"type": "ephemeral", "ttl": "5m"}},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]}},
                {"type": "document", "source": {"type": "content", "content": "z"}},
                {"type": "container_upload", "file_id": "f", "cache_control": {"type": "ephemeral"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "aGk="}, "transformations": {"a": 1}},
            ]},
            {"role": "system", "content": "now in French"},
            {"role": "assistant", "content": [{"type": "text", "text": "Bien"}]},
        ],
        "tools": [
            {"name": "find", "description": "finds", "input_schema": {"type": "object", "properties": {"a": {}}}, "strict": true,
             "cache_control": {"type": "ephemeral"}},
            {"name": "other", "type": "custom", "input_schema": {"type": "object"}, "defer_loading": true, "input_examples": [{"a": 1}]},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 5, "cache_control": {"type": "ephemeral"}},
        ],
        "tool_choice": {"type": "tool", "name": "find", "disable_parallel_tool_use": true},
        "temperature": 0.70, "top_p": 1, "top_k": 5,
        "stop_sequences": ["a", "\n\nHuman:"],
        "thinking": {"type": "enabled", "budget_tokens": 50, "display": "omitted"},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}, "effort": "xhigh", "task_budget": {"total": 1}},
        "metadata": {"user_id": "u-1", "more": [1]},
        "container": {"id": "c"},
        "context_management": {"edits": []},
    })
}

#[test]
fn every_member_survives() {
    for form in FORMS {
        same(form, everything());
    }
    let mut native = everything();
    native["anthropic_beta"] = json!(["computer-use-2025-01-24"]);
    same(Form::Claude, native);
    let mut api = everything();
    for (member, value) in
        [("stream", json!(true)), ("service_tier", json!("standard_only")), ("speed", json!("fast"))]
    {
        api[member] = value;
    }
    api["messages"][0]["content"] = json!([
        {"type": "image", "source": {"type": "url", "url": "https://e.example/a.png"}},
        {"type": "image", "source": {"type": "file", "file_id": "f"}},
        {"type": "document", "source": {"type": "url", "url": "https://e.example/a.pdf"}},
        {"type": "document", "source": {"type": "file", "file_id": "f"}, "title": "t"},
    ]);
    same(Form::Messages, api.clone());
    api["service_tier"] = "auto".into();
    same(Form::Messages, api);
}

#[test]
fn the_api_and_the_native_body_say_the_same() {
    let (native, dropped) =
        through(Form::Messages, Form::Claude, &body(Form::Messages, everything())).unwrap();
    assert_eq!(native, plain(body(Form::Claude, everything())));
    assert!(dropped.is_empty(), "{dropped:?}");
    let (api, dropped) = through(Form::Claude, Form::Messages, &body(Form::Claude, everything())).unwrap();
    assert_eq!(api, plain(body(Form::Messages, everything())));
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn words_of_the_choice_and_of_thinking() {
    for extra in [
        json!({"tool_choice": {"type": "auto"}}),
        json!({"tool_choice": {"type": "any", "disable_parallel_tool_use": false}}),
        json!({"tool_choice": {"type": "none"}}),
        json!({"thinking": {"type": "adaptive", "display": "summarized"}}),
        json!({"thinking": {"type": "disabled"}}),
        json!({"thinking": {"type": "between_tools", "novel": 1}}),
        json!({"output_config": {"effort": "low"}}),
        json!({"metadata": {}}),
    ] {
        let mut common = json!({"max_tokens": 1, "messages": [{"role": "user", "content": "x"}],
            "tools": [{"name": "a", "input_schema": {}}]});
        for (member, value) in extra.as_object().unwrap() {
            common[member] = value.clone();
        }
        if extra == json!({"metadata": {}}) {
            // says nothing, and nothing is written
            let (after, _) = through(Form::Claude, Form::Claude, &body(Form::Claude, common)).unwrap();
            assert!(after.get("metadata").is_none());
            continue;
        }
        same(Form::Claude, common);
    }
}

#[test]
fn what_has_two_spellings_is_written_in_the_newer() {
    let before = body(
        Form::Messages,
        json!({"max_tokens": 1, "messages": [
            {"role": "user", "content": "a"}, {"role": "user", "content": [{"type": "text", "text": "b"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}, "caller": {"type": "direct"}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}],
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
        "output_format": {"type": "json_schema", "schema": {"a": 1}}}),
    );
    let (after, _) = through(Form::Messages, Form::Claude, &before).unwrap();
    let after = serde_json::to_value(after).unwrap();
    assert_eq!(
        after,
        json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 1, "messages": [
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}],
        "output_config": {"format": {"type": "json_schema", "schema": {"a": 1}}}})
    );
}

#[test]
fn samples_of_bedrock_survive() {
    let sample: Value =
        serde_json::from_str(include_str!("../samples/requests/invoke-anthropic.json")).unwrap();
    let before = &sample["wire"]["body"];
    let (after, _) = through(Form::Claude, Form::Claude, before).unwrap();
    assert_eq!(after, plain(before.clone()));

    let sample: Value =
        serde_json::from_str(include_str!("../samples/responses/invoke-anthropic.json")).unwrap();
    let mut before = sample["body"].clone();
    before.as_object_mut().unwrap().remove("amazon-bedrock-guardrailAction");
    let told = Told { model: "claude-haiku-4-5".into(), ..Told::default() };
    let after = translate::answer(Form::Claude, Form::Messages, sample["body"].to_string().as_bytes(), &told)
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&after).unwrap(), before);
}

#[test]
fn answers_survive() {
    let before = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "named",
        "content": everything()["messages"][1]["content"],
        "stop_reason": "stop_sequence", "stop_sequence": "\n\n",
        "stop_details": {"type": "refusal", "category": null}, "container": null,
        "usage": {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 9,
            "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5},
            "output_tokens_details": {"thinking_tokens": 1}, "service_tier": "standard"}});
    let told = Told { model: "named".into(), id: "other".into(), ..Told::default() };
    let bytes = before.to_string();
    let after = translate::answer(Form::Claude, Form::Messages, bytes.as_bytes(), &told).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&after).unwrap(), before);
    for stop in [
        "end_turn",
        "tool_use",
        "max_tokens",
        "refusal",
        "pause_turn",
        "model_context_window_exceeded",
        "novel",
    ] {
        let before = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "named", "content": [],
            "stop_reason": stop, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 2,
            "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}});
        let after =
            translate::answer(Form::Messages, Form::Claude, before.to_string().as_bytes(), &told).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&after).unwrap(), before);
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{1,12}", ".{1,8}"]
}

fn marked(block: Value, mark: u8) -> Value {
    let mut block = block;
    match mark {
        0 => block["cache_control"] = json!({"type": "ephemeral"}),
        1 => block["cache_control"] = json!({"type": "ephemeral", "ttl": "1h"}),
        _ => {}
    }
    block
}

fn asked() -> impl Strategy<Value = Value> {
    let block = prop_oneof![
        text().prop_map(|t| json!({"type": "text", "text": t})),
        text().prop_map(|t| json!({"type": "text", "text": t, "citations": [{"type": "page_location", "cited_text": t,
            "document_index": 0, "document_title": t, "start_page_number": 1, "end_page_number": 2}]})),
        ("png|jpeg|gif|webp", "[A-Za-z0-9]{4}").prop_map(|(f, d)| json!({"type": "image",
            "source": {"type": "base64", "media_type": format!("image/{f}"), "data": d}})),
        (text(), proptest::option::of(text()), any::<bool>()).prop_map(|(d, c, cite)| {
            let mut block = json!({"type": "document", "title": d, "citations": {"enabled": cite},
                "source": {"type": "text", "media_type": "text/plain", "data": d}});
            if let Some(c) = c {
                block["context"] = c.into();
            }
            block
        }),
        text().prop_map(|t| json!({"type": "search_result", "source": t, "title": t, "content": [{"type": "text", "text": t}]})),
        text().prop_map(|t| json!({"type": "novel", "any": [t], "text": t})),
    ];
    (block, 0..6u8).prop_map(|(block, mark)| match block["type"] == "novel" {
        true => block,
        false => marked(block, mark),
    })
}

fn conversation() -> impl Strategy<Value = Value> {
    let turn = (
        proptest::collection::vec(asked(), 1..4),
        proptest::collection::vec((text(), any::<bool>(), text()), 0..3),
    );
    (
        proptest::collection::vec(turn, 1..4),
        proptest::option::of(text()),
        1..9_000u32,
        proptest::option::of((0..100u32).prop_map(|hundredths| f64::from(hundredths) / 100.0)),
        proptest::collection::vec(text(), 0..3),
        proptest::option::of(1024..4000u32),
        proptest::collection::btree_map("x_[a-z]{1,4}", text(), 0..3),
    )
        .prop_map(|(turns, system, max, temperature, stop, budget, rest)| {
            let mut messages = Vec::new();
            let mut pending: Vec<Value> = Vec::new();
            for (number, (blocks, tools)) in turns.into_iter().enumerate() {
                let mut content = std::mem::take(&mut pending);
                content.extend(blocks);
                messages.push(json!({"role": "user", "content": content}));
                let mut said = vec![json!({"type": "text", "text": "so"})];
                for (at, (name, failed, result)) in tools.into_iter().enumerate() {
                    let id = format!("toolu_{number}_{at}");
                    said.push(json!({"type": "tool_use", "id": id, "name": name, "input": {"v": name}}));
                    pending.push(json!({"type": "tool_result", "tool_use_id": id, "is_error": failed,
                        "content": [{"type": "text", "text": result}]}));
                }
                messages.push(json!({"role": "assistant", "content": said}));
            }
            pending.push(json!({"type": "text", "text": "end"}));
            messages.push(json!({"role": "user", "content": pending}));
            let mut body = json!({"max_tokens": max, "messages": messages});
            if let Some(system) = system {
                body["system"] = system.into();
            }
            if let Some(temperature) = temperature {
                body["temperature"] = temperature.into();
            }
            if !stop.is_empty() {
                body["stop_sequences"] = stop.into();
            }
            if let Some(budget) = budget {
                body["thinking"] = json!({"type": "enabled", "budget_tokens": budget});
            }
            for (name, value) in rest {
                body[name] = value.into();
            }
            body
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn conversations_survive(common in conversation(), native in any::<bool>()) {
        let form = FORMS[usize::from(native)];
        let before = body(form, common);
        let (after, dropped) = through(form, form, &before).unwrap();
        prop_assert_eq!(after, plain(before));
        prop_assert!(dropped.is_empty());
    }
}
