//! Chat completions and Anthropic's messages, one from the other.

use bedplate_core::form::Form;
use bedplate_wire::translate::{Framing, Stream, Told, Wanted, answer, request};
use serde_json::{Value, json};

fn through(from: Form, to: Form, body: &Value) -> (Value, Vec<String>) {
    let wanted = Wanted { model: "m", ..Wanted::default() };
    let done = request(from, to, body.to_string().as_bytes(), wanted).unwrap();
    let dropped = done.dropped.iter().map(|dropped| dropped.name().to_owned()).collect();
    (serde_json::from_slice(&done.body).unwrap(), dropped)
}

fn claude() -> Value {
    json!({
        "model": "m", "max_tokens": 50,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": [1, 2.50]}},
                {"type": "tool_use", "id": "t2", "name": "look", "input": {}}
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a cat"}]},
                {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "text", "text": "a dog"}]},
                {"type": "text", "text": "Go on."}
            ]}
        ],
        "tools": [{"name": "look", "description": "Looks", "input_schema": {"type": "object"},
            "cache_control": {"type": "ephemeral"}}],
        "tool_choice": {"type": "any"}, "temperature": 0.5, "stop_sequences": ["END"]
    })
}

#[test]
fn messages_are_said_as_chat_and_back() {
    let (chat, dropped) = through(Form::Messages, Form::Chat, &claude());
    assert_eq!(dropped, [""; 0]);
    let expected = json!({
        "model": "m", "max_tokens": 50, "temperature": 0.5, "stop": ["END"], "tool_choice": "required",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
            {"role": "user", "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
            ]},
            {"role": "assistant", "content": "I look.", "reasoning_content": "hm",
             "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}],
             "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":[1,2.50]}"}},
                {"id": "t2", "type": "function", "function": {"name": "look", "arguments": "{}"}}
             ]},
            {"role": "tool", "tool_call_id": "t1", "content": "a cat"},
            {"role": "tool", "tool_call_id": "t2", "content": "a dog"},
            {"role": "user", "content": "Go on."}
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": "Looks", "parameters": {"type": "object"}},
            "cache_control": {"type": "ephemeral"}}]
    });
    let numbers = claude().to_string().replace("2.5]", "2.50]");
    let done =
        request(Form::Messages, Form::Chat, numbers.as_bytes(), Wanted { model: "m", ..Wanted::default() });
    assert_eq!(serde_json::from_slice::<Value>(&done.unwrap().body).unwrap(), expected);
    let (back, dropped) = through(Form::Chat, Form::Messages, &chat);
    assert_eq!((back, dropped), (claude(), vec![]));
}

#[test]
fn answers_of_messages_are_chat_completions() {
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "ZW5j"},
            {"type": "text", "text": "It is "},
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
            {"type": "text", "text": "a c\u{e4}t", "citations": [{"type": "web_search_result_location",
                "url": "https://a.example", "title": "Cats", "encrypted_index": "x", "cited_text": "cat"}]},
            {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": 1}}
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 6}
    });
    let told = Told { id: "1".into(), model: "fast".into(), created: 7, ..Told::default() };
    let done = answer(Form::Messages, Form::Chat, body.to_string().as_bytes(), &told).unwrap();
    let expected = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "fast",
        "choices": [{"index": 0, "logprobs": null, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "It is a c\u{e4}t", "refusal": null, "reasoning_content": "hm",
            "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZW5j"}],
            "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "look", "arguments": "{\"a\":1}"}}],
            "annotations": [{"type": "url_citation", "url_citation":
                {"start_index": 6, "end_index": 11, "url": "https://a.example", "title": "Cats"}}]
        }}],
        "usage": {"prompt_tokens": 14, "completion_tokens": 4, "total_tokens": 18,
            "prompt_tokens_details": {"cached_tokens": 5, "cache_creation_tokens": 6},
            "cache_creation_input_tokens": 6, "cache_read_input_tokens": 5}
    });
    assert_eq!(serde_json::from_slice::<Value>(&done).unwrap(), expected);
}

/// The data of the events of a stream, but for `[DONE]`.
fn streamed(from: Form, to: Form, events: &[(&str, Value)]) -> Vec<Value> {
    let told =
        Told { id: "1".into(), model: "fast".into(), created: 7, include_usage: true, ..Told::default() };
    let mut stream = Stream::new((from, Framing::Sse), (to, Framing::Sse), &told).unwrap();
    let mut out = String::new();
    for (name, data) in events {
        let name = if name.is_empty() { String::new() } else { format!("event: {name}\n") };
        let bytes = stream.feed(format!("{name}data: {data}\n\n").into()).unwrap();
        out.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    out.push_str(std::str::from_utf8(&stream.finish().unwrap()).unwrap());
    let data = out.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[test]
fn streams_of_messages_are_streams_of_chunks_and_back() {
    let start = json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
        "model": "claude", "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 3, "output_tokens": 1}}});
    let open = |index: u64, block: Value| {
        (
            "content_block_start",
            json!({"type": "content_block_start", "index": index, "content_block": block}),
        )
    };
    let delta = |index: u64, delta: Value| {
        ("content_block_delta", json!({"type": "content_block_delta", "index": index, "delta": delta}))
    };
    let close = |index: u64| ("content_block_stop", json!({"type": "content_block_stop", "index": index}));
    let events = [
        ("message_start", start),
        open(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
        delta(0, json!({"type": "signature_delta", "signature": "c2ln"})),
        close(0),
        ("ping", json!({"type": "ping"})),
        open(1, json!({"type": "text", "text": ""})),
        delta(1, json!({"type": "text_delta", "text": "Hi \"\u{1f600}"})),
        close(1),
        open(2, json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}})),
        delta(2, json!({"type": "input_json_delta", "partial_json": ""})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "{\"a\": 1.50"})),
        delta(2, json!({"type": "input_json_delta", "partial_json": "}"})),
        close(2),
        open(3, json!({"type": "tool_use", "id": "t2", "name": "g", "input": {}})),
        close(3),
        (
            "message_delta",
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null},
            "usage": {"output_tokens": 9}}),
        ),
        ("message_stop", json!({"type": "message_stop"})),
    ];
    let chunks = streamed(Form::Messages, Form::Chat, &events);
    let deltas: Vec<_> =
        chunks.iter().filter_map(|chunk| chunk["choices"].get(0)).map(|one| one["delta"].clone()).collect();
    let call = |index: u64, id: &str, name: &str| json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]});
    let grown =
        |index: u64, piece: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]});
    assert_eq!(
        deltas,
        [
            json!({"role": "assistant", "content": ""}),
            json!({"reasoning_content": "hm"}),
            json!({"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "c2ln"}]}),
            json!({"content": "Hi \"\u{1f600}"}),
            call(0, "t1", "f"),
            grown(0, "{\"a\": 1.50"),
            grown(0, "}"),
            call(1, "t2", "g"),
            grown(1, "{}"),
            json!({}),
        ]
    );
    let usage = &chunks.last().unwrap()["usage"];
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(3), &json!(9)));
    // back again: the same texts, thoughts and inputs
    let events: Vec<_> = chunks.into_iter().map(|chunk| ("", chunk)).collect();
    let back = streamed(Form::Chat, Form::Messages, &events);
    let all = |member: &str| {
        back.iter().filter_map(|event| event["delta"][member].as_str()).collect::<Vec<_>>().join("|")
    };
    assert_eq!(
        [all("thinking"), all("signature"), all("text"), all("partial_json"), all("stop_reason")],
        ["hm", "c2ln", "Hi \"\u{1f600}", "{\"a\": 1.50|}|{}", "tool_use"]
    );
}
