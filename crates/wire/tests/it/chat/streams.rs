//! Streams, chunk by chunk.

use bedplate_core::form::Form;
use bedplate_wire::translate::{Framing, Stream, Told};
use bytes::Bytes;
use serde_json::{Value, json};

/// What comes of these chunks; `None` when the stream stopped short.
fn through(from: Form, chunks: &[String], include_usage: bool) -> (Vec<Value>, bool) {
    let told =
        Told { id: "call-1".into(), model: "fast".into(), created: 7, include_usage, ..Told::default() };
    let mut stream = Stream::new((from, Framing::Sse), (Form::Chat, Framing::Sse), &told).unwrap();
    let mut out = String::new();
    let mut take = |bytes: Bytes| out.push_str(std::str::from_utf8(&bytes).unwrap());
    for chunk in chunks {
        take(stream.feed(format!("data: {chunk}\n\n").into()).unwrap());
    }
    let finished = stream.finish().map(&mut take).is_ok();
    let mut written: Vec<_> = out.split("\n\n").filter(|event| !event.is_empty()).collect();
    let failed = written.last().is_some_and(|last| last.starts_with("data: {\"error\""));
    if finished && !failed {
        assert_eq!(written.pop(), Some("data: [DONE]"));
    }
    let parse = |event: &str| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
    (written.into_iter().map(parse).collect(), finished)
}

fn delta(delta: &Value) -> String {
    json!({"id": "chatcmpl-up", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
    .to_string()
}

fn end(reason: &str) -> String {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}).to_string()
}

/// The deltas of a stream, and how it ended.
fn deltas(written: &[Value]) -> (Vec<Value>, Value) {
    let mut deltas = Vec::new();
    let mut reason = Value::Null;
    for chunk in written {
        assert_eq!(
            (&chunk["id"], &chunk["object"], &chunk["created"], &chunk["model"]),
            (&json!("chatcmpl-up"), &json!("chat.completion.chunk"), &json!(7), &json!("fast")),
            "{chunk}"
        );
        for choice in chunk["choices"].as_array().unwrap() {
            assert!(reason.is_null(), "after the end: {chunk}");
            match &choice["finish_reason"] {
                Value::Null => deltas.push(choice["delta"].clone()),
                said => reason = said.clone(),
            }
        }
    }
    assert_eq!(deltas.first(), Some(&json!({"role": "assistant", "content": ""})));
    (deltas.split_off(1), reason)
}

#[test]
fn texts_go_through_and_usage_comes_when_asked_for() {
    let chunks = [
        delta(&json!({"role": "assistant", "content": ""})),
        delta(&json!({"content": "Hel"})),
        delta(&json!({"content": "lo \u{1f600}\n\""})),
        end("stop"),
        json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}})
            .to_string(),
    ];
    let (written, whole) = through(Form::Chat, &chunks, true);
    assert!(whole);
    assert_eq!(
        deltas(&written),
        (vec![json!({"content": "Hel"}), json!({"content": "lo \u{1f600}\n\""})], json!("stop"))
    );
    let last = written.last().unwrap();
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(11)));
    assert!(written[..written.len() - 1].iter().all(|chunk| chunk["usage"].is_null()));
    let (silent, _) = through(Form::Chat, &chunks, false);
    assert_eq!(silent.len() + 1, written.len());
    assert!(silent.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[test]
fn tools_are_told_apart_however_servers_number_them() {
    let call = |index: Value, id: &str, name: &str, arguments: &str| {
        let mut call = json!({"function": {"arguments": arguments}});
        if !index.is_null() {
            call["index"] = index;
        }
        if !id.is_empty() {
            call["id"] = json!(id);
        }
        if !name.is_empty() {
            call["function"]["name"] = json!(name);
        }
        delta(&json!({"tool_calls": [call]}))
    };
    let opened = |index: u64, id: &str, name: &str| json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]});
    let grown =
        |index: u64, piece: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]});
    let expected = vec![
        opened(0, "a", "f"),
        grown(0, "{\"x\":"),
        grown(0, " \"\\u00e9\"}"),
        opened(1, "b", "g"),
        grown(1, "{}"),
    ];
    for (chunks, what) in [
        (
            vec![
                call(json!(0), "a", "f", ""),
                call(json!(0), "", "", "{\"x\":"),
                call(json!(0), "", "", " \"\\u00e9\"}"),
                call(json!(1), "b", "g", ""),
            ],
            "as OpenAI does",
        ),
        (
            vec![
                call(json!(0), "a", "f", "{\"x\":"),
                call(json!(0), "a", "f", " \"\\u00e9\"}"),
                call(json!(0), "b", "g", "{}"),
            ],
            "always 0, and the id each time",
        ),
        (
            vec![
                call(Value::Null, "a", "f", "{\"x\":"),
                call(Value::Null, "", "", " \"\\u00e9\"}"),
                call(Value::Null, "b", "g", ""),
            ],
            "without a number",
        ),
    ] {
        let chunks: Vec<_> = chunks.into_iter().chain([end("stop")]).collect();
        let (written, _) = through(Form::Chat, &chunks, false);
        assert_eq!(deltas(&written), (expected.clone(), json!("tool_calls")), "{what}");
    }
}

#[test]
fn reasoning_is_told_apart_over_any_cut() {
    let whole = "<reasoning>a < \u{e9} </reason</reasoning>The answer";
    let cuts: Vec<_> = whole.char_indices().map(|(at, _)| at).chain([whole.len()]).collect();
    for cut in cuts.windows(2).map(|pair| pair[1]) {
        for second in [cut, whole.len() - 1] {
            let (a, rest) = whole.split_at(cut.min(second));
            let (b, c) = rest.split_at(second.max(cut) - a.len());
            let chunks: Vec<_> = [a, b, c]
                .iter()
                .map(|piece| delta(&json!({"content": piece})))
                .chain([end("stop")])
                .collect();
            let (written, _) = through(Form::Chat, &chunks, false);
            let (deltas, _) = deltas(&written);
            let all = |name: &str| deltas.iter().filter_map(|delta| delta[name].as_str()).collect::<String>();
            assert_eq!((&*all("reasoning_content"), &*all("content")), ("a < \u{e9} </reason", "The answer"));
        }
    }
}

#[test]
fn signatures_and_refusals_go_through() {
    let said = [
        json!({"reasoning_content": "hm"}),
        json!({"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "c2ln"}]}),
        json!({"thinking_blocks": [{"type": "redacted_thinking", "data": "ZW5j"}]}),
        json!({"refusal": "No."}),
    ];
    let chunks: Vec<_> = said.iter().map(delta).chain([end("stop")]).collect();
    let (written, _) = through(Form::Chat, &chunks, false);
    assert_eq!(deltas(&written), (said.to_vec(), json!("stop")));
    // Mistral's
    let parts = json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]});
    let (written, _) =
        through(Form::MistralChat, &[delta(&parts), delta(&json!({"content": "x"})), end("stop")], false);
    assert_eq!(deltas(&written).0, [json!({"reasoning_content": "hm"}), json!({"content": "x"})]);
}

#[test]
fn native_chunks_say_their_usage_in_the_last() {
    let chunks = [
        r#"{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"stop_reason":null}]}"#.to_owned(),
        r#"{"choices":[{"index":0,"message":{"content":""},"stop_reason":"length"}],"amazon-bedrock-invocationMetrics":{"inputTokenCount":3,"outputTokenCount":4,"invocationLatency":9}}"#.to_owned(),
    ];
    let (written, whole) = through(Form::MistralChat, &chunks, true);
    assert!(whole);
    let last = written.last().unwrap();
    assert_eq!(
        (&last["usage"]["prompt_tokens"], &last["usage"]["completion_tokens"]),
        (&json!(3), &json!(4))
    );
    assert_eq!(last["id"], "chatcmpl-call-1");
    assert_eq!(written[written.len() - 2]["choices"][0]["finish_reason"], "length");
}

#[test]
fn only_the_first_of_several_answers_is_read() {
    let other =
        json!({"choices": [{"index": 1, "delta": {"content": "B"}, "finish_reason": null}]}).to_string();
    let chunks = [delta(&json!({"content": "A"})), other, end("stop")];
    let (written, _) = through(Form::Chat, &chunks, false);
    assert_eq!(deltas(&written).0, [json!({"content": "A"})]);
}

#[test]
fn a_stream_that_stops_short_or_breaks_is_no_answer() {
    let (written, whole) = through(Form::Chat, &[delta(&json!({"content": "A"}))], true);
    assert!(!whole && written.iter().all(|chunk| chunk["usage"].is_null()));
    let failure = r#"{"error":{"message":"out of memory","type":"server_error","code":500}}"#.to_owned();
    let (written, _) = through(Form::Chat, &[delta(&json!({"content": "A"})), failure], true);
    let error = &written.last().unwrap()["error"];
    assert_eq!((&error["message"], &error["type"]), (&json!("out of memory"), &json!("server_error")));
    let broken =
        ["", "[]", "{", r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#, r#"{"choices":7}"#];
    for chunk in broken {
        let told = Told::default();
        let mut stream = Stream::new((Form::Chat, Framing::Sse), (Form::Chat, Framing::Sse), &told).unwrap();
        let read = stream.feed(format!("data: {chunk}\n\n").into());
        assert!(read.is_err() || chunk.is_empty(), "{chunk}");
    }
}
