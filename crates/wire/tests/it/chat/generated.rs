//! Generated conversations survive.

use bedplate_core::form::Form;
use bedplate_wire::translate::{Wanted, request};
use proptest::prelude::*;
use serde_json::{Value, json};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{1,12}", "\\PC{1,8}", Just("\"\\\n\u{1f600}\u{0}</reasoning>".to_owned())]
}

fn marked(mut part: Value, mark: u8) -> Value {
    match mark {
        0 => part["cache_control"] = json!({"type": "ephemeral"}),
        1 => part["cache_control"] = json!({"type": "ephemeral", "ttl": "1h"}),
        _ => {}
    }
    part
}

fn part() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![
        text().prop_map(|text| json!({"type": "text", "text": text})),
        prop::sample::select(vec!["data:image/png;base64,AA+/", "s3://b/k.png", "https://a.example/é.gif"])
            .prop_map(|url| json!({"type": "image_url", "image_url": {"url": url, "detail": "high"}})),
        Just(json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}})),
        Just(
            json!({"type": "file", "file": {"filename": "a.csv", "file_data": "data:text/csv;base64,YQ=="}})
        ),
        Just(json!({"type": "file", "file": {"file_id": "f"}})),
    ];
    (kind, 0..6_u8).prop_map(|(part, mark)| marked(part, mark))
}

/// A string, or a list of parts that could not be a string.
fn content() -> impl Strategy<Value = Value> {
    let parts = (part(), prop::collection::vec(part(), 1..4))
        .prop_map(|(first, rest)| Value::Array([first].into_iter().chain(rest).collect()));
    prop_oneof![text().prop_map(Value::String), parts]
}

fn arguments() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "{}",
        " { \"a\" : 1.50e+3 }\n",
        "[]",
        "\"x\"",
        "null",
        "{\"\\u0061\":\"\\ud83d\"}",
    ]);
    prop_oneof![odd.prop_map(str::to_owned), text().prop_map(|text| json!({"k": text}).to_string())]
}

/// A turn of the assistant's, and the results of the tools it calls.
fn turns() -> impl Strategy<Value = Vec<Value>> {
    let calls = prop::collection::vec((arguments(), content(), 0..6_u8), 0..3);
    (content(), text(), text(), 0..8_u8, calls).prop_map(|(asked, said, thought, how, calls)| {
        let mut assistant = json!({"role": "assistant", "content": said});
        if how & 1 == 1 {
            assistant["reasoning_content"] = json!(thought);
        }
        if how & 3 == 3 {
            assistant["thinking_blocks"] =
                json!([{"type": "thinking", "thinking": thought, "signature": "cw=="}]);
        }
        if how & 4 == 4 && calls.is_empty() {
            (assistant["content"], assistant["refusal"]) = (Value::Null, json!(said));
        }
        let mut results = Vec::new();
        for (at, (arguments, content, mark)) in calls.into_iter().enumerate() {
            let id = format!("call_{at}");
            let call =
                json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
            match assistant.get_mut("tool_calls").and_then(Value::as_array_mut) {
                Some(calls) => calls.push(call),
                None => assistant["tool_calls"] = json!([call]),
            }
            // what tools give is text
            let content = match content {
                Value::String(text) => Value::String(text),
                _ => json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
            };
            results.push(marked(json!({"role": "tool", "tool_call_id": id, "content": content}), mark));
        }
        let mut turns = vec![json!({"role": "user", "content": asked}), assistant];
        turns.append(&mut results);
        turns
    })
}

fn body() -> impl Strategy<Value = Value> {
    let members = prop::sample::subsequence(
        vec![
            ("max_completion_tokens", json!(7)),
            ("temperature", json!(1.25)),
            ("top_p", json!(0.1)),
            ("top_k", json!(3)),
            ("frequency_penalty", json!(-2)),
            ("presence_penalty", json!(2)),
            ("seed", json!(-1)),
            ("logit_bias", json!({"1": 2})),
            ("logprobs", json!(true)),
            ("stop", json!(["a", "\n"])),
            ("n", json!(3)),
            ("response_format", json!({"type": "json_object"})),
            ("reasoning_effort", json!("none")),
            ("service_tier", json!("scale")),
            ("user", json!("é")),
            ("metadata", json!({"a\"": "b"})),
            ("parallel_tool_calls", json!(true)),
            ("store", json!(true)),
            ("prediction", json!({"type": "content", "content": "x"})),
        ],
        0..19,
    );
    let system = prop::option::of(prop_oneof![
        text().prop_map(Value::String),
        (text(), text(), 0..6_u8).prop_map(|(a, b, mark)| {
            json!([marked(json!({"type": "text", "text": a}), mark), {"type": "text", "text": b}])
        }),
    ]);
    (members, system, prop::collection::vec(turns(), 1..4), prop::option::of(text())).prop_map(
        |(members, system, turns, late)| {
            let system = system.map(|content| json!({"role": "system", "content": content}));
            let late = late.map(|content| json!({"role": "system", "content": content}));
            let messages: Vec<_> =
                system.into_iter().chain(turns.into_iter().flatten()).chain(late).collect();
            let mut body = json!({"model": "gpt-x", "messages": messages,
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]});
            for (name, value) in members {
                body[name] = value;
            }
            body
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn conversations_survive(body in body()) {
        let wanted = Wanted { model: "gpt-x", ..Wanted::default() };
        let done = request(Form::Chat, Form::Chat, body.to_string().as_bytes(), wanted).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&done.body).unwrap(), body);
        prop_assert!(done.dropped.is_empty());
    }

    #[test]
    fn whatever_is_sent_is_read_or_refused(body in body(), at in any::<prop::sample::Index>(), with in "\\PC") {
        let mut text: Vec<char> = body.to_string().chars().collect();
        let at = at.index(text.len());
        text.splice(at..=at, with.chars());
        let text: String = text.into_iter().collect();
        let wanted = || Wanted { model: "gpt-x", ..Wanted::default() };
        if let Ok(once) = request(Form::Chat, Form::Chat, text.as_bytes(), wanted()) {
            // what was written is read, and written again as it is
            let twice = request(Form::Chat, Form::Chat, &once.body, wanted()).unwrap();
            prop_assert_eq!(once.body, twice.body);
        }
    }
}
