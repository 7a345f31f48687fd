//! Anthropic's streams: read and written again they are what they were.

use base64::Engine as _;
use bedplate_core::form::Form;
use bedplate_wire::eventstream::encode_event;
use bedplate_wire::translate::{Framing, Stream, Told};
use bytes::Bytes;
use serde_json::{Value, json};

fn told() -> Told {
    Told { id: "made".into(), model: "named".into(), ..Told::default() }
}

/// Server-sent events as names and payloads.
fn events(text: &[u8]) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(text).unwrap();
    text.split("\n\n")
        .filter(|event| !event.is_empty())
        .map(|event| {
            let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
            (name.to_owned(), serde_json::from_str(data).unwrap())
        })
        .collect()
}

fn through(payloads: &[Value]) -> Vec<Value> {
    let mut stream =
        Stream::new((Form::Claude, Framing::Chunks), (Form::Messages, Framing::Sse), &told()).unwrap();
    let mut out = Vec::new();
    for payload in payloads {
        let bytes = base64::engine::general_purpose::STANDARD.encode(payload.to_string());
        let frame = encode_event("chunk", json!({"bytes": bytes, "p": "abc"}).to_string().as_bytes());
        out.extend_from_slice(&stream.feed(frame).unwrap());
    }
    out.extend_from_slice(&stream.finish().unwrap());
    let events = events(&out);
    for (name, payload) in &events {
        assert_eq!(payload["type"], **name, "an event's name is its type");
    }
    events.into_iter().map(|(_, payload)| payload).collect()
}

fn start(usage: Value) -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "named",
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage}})
}

fn whole() -> Vec<Value> {
    let usage = json!({"input_tokens": 19, "output_tokens": 1, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 2,
        "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2}});
    let mut last = usage.clone();
    last["output_tokens"] = 40.into();
    let delta =
        |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let open = |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let close = |index: u32| json!({"type": "content_block_stop", "index": index});
    vec![
        start(usage),
        json!({"type": "ping"}),
        open(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "Hm\n"})),
        delta(0, json!({"type": "signature_delta", "signature": "c2ln"})),
        close(0),
        open(1, json!({"type": "redacted_thinking", "data": "eHg="})),
        close(1),
        open(2, json!({"type": "text", "text": ""})),
        delta(2, json!({"type": "text_delta", "text": "It \"carries\" \u{e9}"})),
        delta(
            2,
            json!({"type": "citations_delta", "citation": {"type": "char_location", "cited_text": "a", "document_index": 0,
            "document_title": null, "start_char_index": 1, "end_char_index": 2}}),
        ),
        close(2),
        open(3, json!({"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}})),
        delta(3, json!({"type": "input_json_delta", "partial_json": "{\"a\":"})),
        delta(3, json!({"type": "input_json_delta", "partial_json": "1}"})),
        close(3),
        open(4, json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})),
        close(4),
        open(5, json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": []})),
        close(5),
        open(6, json!({"type": "novel", "a": 1})),
        delta(6, json!({"type": "novel_delta", "b": [2]})),
        close(6),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": last}),
        json!({"type": "message_stop"}),
    ]
}

#[test]
fn every_event_survives() {
    let mut before = whole();
    // Bedrock adds its own counters to the last
    before.last_mut().unwrap()["amazon-bedrock-invocationMetrics"] =
        json!({"inputTokenCount": 1, "outputTokenCount": 2});
    assert_eq!(through(&before), whole());
}

#[test]
fn counters_are_cumulative_and_what_is_not_said_again_holds() {
    let after = through(&[
        start(json!({"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 5})),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}),
        json!({"type": "message_stop"}),
    ]);
    assert_eq!(
        after[1],
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage":
            {"input_tokens": 10, "output_tokens": 3, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 5}})
    );
}

#[test]
fn the_sample_of_bedrock_ends_with_its_usage() {
    let bytes: &[u8] = include_bytes!("../samples/eventstream/invoke-anthropic.bin");
    for size in [1, 7, bytes.len()] {
        let mut stream =
            Stream::new((Form::Claude, Framing::Chunks), (Form::Messages, Framing::Sse), &told()).unwrap();
        let mut out = Vec::new();
        for piece in bytes.chunks(size) {
            out.extend_from_slice(&stream.feed(Bytes::copy_from_slice(piece)).unwrap());
        }
        out.extend_from_slice(&stream.finish().unwrap());
        let names: Vec<_> = events(&out).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop"
            ]
        );
        assert_eq!(events(&out)[4].1["usage"]["output_tokens"], 8);
    }
}

#[test]
fn an_error_amid_a_stream_is_the_last_event() {
    let after = through(&[
        start(json!({"input_tokens": 1, "output_tokens": 1})),
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        json!({"type": "message_stop"}),
    ]);
    assert_eq!(
        after[1],
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    );
    assert_eq!(after.len(), 2);
}

#[test]
fn a_stream_that_stops_short_is_broken() {
    let mut stream =
        Stream::new((Form::Messages, Framing::Sse), (Form::Messages, Framing::Sse), &told()).unwrap();
    let event = format!("event: message_start\ndata: {}\n\n", start(json!({"input_tokens": 1})));
    stream.feed(Bytes::from(event)).unwrap();
    assert!(stream.finish().is_err());
    let mut bad =
        Stream::new((Form::Messages, Framing::Sse), (Form::Messages, Framing::Sse), &told()).unwrap();
    assert!(bad.feed(Bytes::from_static(b"event: x\ndata: {\"type\":7}\n\n")).is_err());
}
