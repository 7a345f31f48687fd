//! Streams of Converse and of Nova into events and back.

use bedplate_core::conversation::Told;
use bedplate_core::form::Form;
use bedplate_wire::eventstream::{Frame, Kind, encode_event, encode_exception};
use bedplate_wire::translate::{Framing, Stream};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::eventstream::{cut, scan};
use crate::samples::folder;

const CONVERSE: (Form, Framing) = (Form::Converse, Framing::EventStream);
const NOVA: (Form, Framing) = (Form::Nova, Framing::Chunks);

fn told(upstream: &str) -> Told {
    Told { upstream: upstream.to_owned(), ..Told::default() }
}

/// Names and payloads of what comes out.
fn through(
    from: (Form, Framing),
    to: (Form, Framing),
    told: &Told,
    pieces: &[Bytes],
) -> Vec<(String, Value)> {
    let mut stream = Stream::new(from, to, told).unwrap();
    let mut out: Vec<Bytes> = pieces.iter().map(|piece| stream.feed(piece.clone()).unwrap()).collect();
    out.push(stream.finish().unwrap());
    scan(&[Bytes::from(out.concat())]).unwrap().iter().map(said).collect()
}

fn said(frame: &Frame) -> (String, Value) {
    let payload: Value = serde_json::from_slice(frame.payload()).unwrap();
    match frame.kind() {
        Kind::Event("chunk") => {
            use base64::Engine as _;
            let bytes = payload["bytes"].as_str().unwrap();
            let native = base64::engine::general_purpose::STANDARD.decode(bytes).unwrap();
            (String::new(), serde_json::from_slice(&native).unwrap())
        }
        Kind::Event(name) | Kind::Exception(name) => (name.to_owned(), payload),
        other => panic!("{other:?}"),
    }
}

fn events(list: &[(&str, Value)]) -> Vec<Bytes> {
    list.iter().map(|(name, payload)| encode_event(name, payload.to_string().as_bytes())).collect()
}

/// What a stored stream says without padding, and without what is newer than we are.
fn modelled(sample: &Value) -> Vec<(String, Value)> {
    let messages = sample["messages"].as_array().unwrap().iter();
    let known = messages.filter(|message| message["event"] != "futureEvent");
    known
        .map(|message| {
            let name = message["event"].as_str().or(message["exception"].as_str()).unwrap();
            let mut payload = message["payload"].clone();
            for extra in ["p", "futureMember", "originalStatusCode", "originalMessage"] {
                payload.as_object_mut().unwrap().remove(extra);
            }
            (name.to_owned(), payload)
        })
        .collect()
}

#[test]
fn every_stored_stream_comes_back_as_it_was_however_it_was_cut() {
    let mut seen = 0;
    for (name, sample) in folder("eventstream") {
        if sample["operation"] != "ConverseStream" {
            continue;
        }
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/eventstream");
        let bytes = Bytes::from(std::fs::read(dir.join(format!("{name}.bin"))).unwrap());
        for size in [1, 33, 100_000] {
            let made =
                through(CONVERSE, CONVERSE, &told("us.anthropic.claude-opus-5"), &cut(&bytes, &[size]));
            assert_eq!(made, modelled(&sample), "{name}");
        }
        seen += 1;
    }
    assert!(seen >= 7, "only {seen}");
}

/// Everything that a stream can say.
fn all() -> Vec<(&'static str, Value)> {
    let delta = |n: u32, delta: Value| ("contentBlockDelta", json!({"contentBlockIndex": n, "delta": delta}));
    let stop = |n: u32| ("contentBlockStop", json!({"contentBlockIndex": n}));
    vec![
        ("messageStart", json!({"role": "assistant"})),
        delta(0, json!({"reasoningContent": {"text": "Hm\n"}})),
        delta(0, json!({"reasoningContent": {"signature": "c2ln"}})),
        stop(0),
        delta(1, json!({"reasoningContent": {"redactedContent": "aGk="}})),
        stop(1),
        delta(2, json!({"text": "\u{1f600}"})),
        delta(
            2,
            json!({"citation": {"title": "t", "location": {"documentChar": {"documentIndex": 0, "start": 1, "end": 2}}, "sourceContent": [{"text": "q"}]}}),
        ),
        stop(2),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 3, "start": {"toolUse": {"toolUseId": "t1", "name": "look", "type": "server_tool_use"}}}),
        ),
        delta(3, json!({"toolUse": {"input": "{\"a\":"}})),
        delta(3, json!({"toolUse": {"input": "1}"}})),
        stop(3),
        ("contentBlockStart", json!({"contentBlockIndex": 4, "start": {"image": {"format": "png"}}})),
        delta(4, json!({"image": {"source": {"bytes": "aGk="}}})),
        stop(4),
        ("messageStop", json!({"stopReason": "tool_use", "additionalModelResponseFields": {"a": 1}})),
        (
            "metadata",
            json!({"usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 18, "cacheReadInputTokens": 5, "cacheWriteInputTokens": 6, "cacheDetails": [{"ttl": "1h", "inputTokens": 4}, {"ttl": "5m", "inputTokens": 2}]}, "metrics": {"latencyMs": 7}, "trace": {"promptRouter": {}}, "serviceTier": {"type": "flex"}}),
        ),
    ]
}

#[test]
fn everything_a_stream_says_comes_back() {
    let want: Vec<_> = all().into_iter().map(|(name, payload)| (name.to_owned(), payload)).collect();
    assert_eq!(through(CONVERSE, CONVERSE, &told(""), &events(&all())), want);
}

#[test]
fn nova_says_the_same_in_objects_of_one_member() {
    let made = through(CONVERSE, NOVA, &told(""), &events(&all()));
    let want: Vec<Value> = all().into_iter().map(|(name, payload)| json!({ name: payload })).collect();
    for (made, want) in made.iter().zip(&want).take(want.len() - 1) {
        assert_eq!(&made.1, want);
    }
    let usage = &made.last().unwrap().1["metadata"]["usage"];
    assert_eq!(
        (&usage["cacheReadInputTokenCount"], &usage["cacheWriteInputTokenCount"]),
        (&json!(5), &json!(6))
    );
    assert!(usage.get("cacheReadInputTokens").is_none() && made.len() == want.len());
}

#[test]
fn novas_stored_stream_is_the_same_as_converse() {
    let bytes = std::fs::read(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/eventstream/invoke-nova.bin"),
    );
    let made = through(NOVA, CONVERSE, &told(""), &[Bytes::from(bytes.unwrap())]);
    let want = events(&[
        ("messageStart", json!({"role": "assistant"})),
        ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": "One, two, three."}})),
        ("contentBlockStop", json!({"contentBlockIndex": 0})),
        ("messageStop", json!({"stopReason": "end_turn"})),
        (
            "metadata",
            json!({"usage": {"inputTokens": 5, "outputTokens": 7, "totalTokens": 12}, "metrics": {"latencyMs": 0}, "trace": {}}),
        ),
    ]);
    assert_eq!(made, scan(&want).unwrap().iter().map(said).collect::<Vec<_>>());
}

/// The streams of OpenAI's models count cached tokens twice; others do not.
#[test]
fn cached_tokens_are_counted_once_in_every_family() {
    let stream = events(&[
        ("messageStart", json!({"role": "assistant"})),
        ("messageStop", json!({"stopReason": "end_turn"})),
        (
            "metadata",
            json!({"usage": {"inputTokens": 4_995, "outputTokens": 19, "totalTokens": 10_007, "cacheWriteInputTokens": 4_993}, "metrics": {"latencyMs": 1}}),
        ),
    ]);
    for (model, input, total) in
        [("us.openai.gpt-5.6", 2, 5_014), ("us.anthropic.claude-opus-5", 4_995, 10_007)]
    {
        let made = through(CONVERSE, CONVERSE, &told(model), &stream);
        let usage = &made.last().unwrap().1["usage"];
        assert_eq!((&usage["inputTokens"], &usage["totalTokens"]), (&json!(input), &json!(total)), "{model}");
    }
}

/// Blocks that were not opened or not closed, and ones that are not modelled.
#[test]
fn every_block_is_opened_and_closed_once() {
    let stream = events(&[
        ("messageStart", json!({"role": "assistant"})),
        ("contentBlockStop", json!({"contentBlockIndex": 0})),
        ("contentBlockDelta", json!({"contentBlockIndex": 1, "delta": {"text": "a"}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 2, "delta": {"text": "b"}})),
        ("contentBlockStart", json!({"contentBlockIndex": 3, "start": {"toolResult": {"toolUseId": "x"}}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 3, "delta": {"toolResult": [{"text": "c"}]}})),
        ("contentBlockStop", json!({"contentBlockIndex": 3})),
        ("contentBlockDelta", json!({"contentBlockIndex": 4, "delta": {"newest": {}}})),
        ("contentBlockDelta", json!({"contentBlockIndex": 5, "delta": {"text": "d"}})),
        ("messageStop", json!({"stopReason": "end_turn"})),
    ]);
    let made = through(CONVERSE, CONVERSE, &told(""), &stream);
    let made: Vec<_> =
        made.iter().map(|(name, payload)| (&**name, payload["contentBlockIndex"].as_u64())).collect();
    let want = [
        ("messageStart", None),
        ("contentBlockStop", Some(0)),
        ("contentBlockDelta", Some(1)),
        ("contentBlockStop", Some(1)),
        ("contentBlockDelta", Some(2)),
        ("contentBlockStop", Some(2)),
        ("contentBlockDelta", Some(5)),
        ("contentBlockStop", Some(5)),
        ("messageStop", None),
        ("metadata", None),
    ];
    assert_eq!(made, want);
}

#[test]
fn a_stream_that_stops_short_or_says_what_cannot_be_is_broken() {
    let start = events(&[("messageStart", json!({"role": "assistant"}))]);
    let fed = |piece: Bytes| {
        let mut stream = Stream::new(CONVERSE, CONVERSE, &told("")).unwrap();
        start.iter().for_each(|piece| drop(stream.feed(piece.clone()).unwrap()));
        stream.feed(piece).and_then(|_| stream.finish())
    };
    for (name, payload) in [
        ("contentBlockDelta", "{}"),
        ("contentBlockDelta", "[]"),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"a","toolUse":{}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":7}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":-1,"delta":{"text":"a"}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}"#),
        ("contentBlockStart", r#"{"contentBlockIndex":0,"start":{"toolUse":{"name":"a"}}}"#),
        ("messageStop", "{}"),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"never ended"}}"#),
    ] {
        assert!(fed(encode_event(name, payload.as_bytes())).is_err(), "{name} {payload}");
    }
    let failed = fed(encode_exception("throttlingException", br#"{"message":"slow down"}"#)).unwrap();
    assert!(failed.is_empty(), "it was said before the end");
}
