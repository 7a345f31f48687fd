//! What models are told to call reaches tools as it was said: every call of a set of real ones, there and back.

use std::path::Path;

use bedplate_core::conversation::Feature;
use bedplate_core::form::Form;
use bedplate_wire::translate::{Framing, Stream, Told, Wanted, answer, carries, request};
use serde_json::{Map, Value, json};

/// The calls that an example expects, each in a spelling of its own: compact, spaced, escaped.
fn calls(example: &Value) -> Vec<(String, String)> {
    let mut calls = Vec::new();
    for call in example["expected"].as_array().into_iter().flatten() {
        for (name, arguments) in call.as_object().into_iter().flatten() {
            let first = |(name, values): (&String, &Value)| {
                let value = values.get(0).cloned().unwrap_or(Value::Null);
                (name.clone(), value)
            };
            let chosen: Map<_, _> = arguments.as_object().into_iter().flatten().map(first).collect();
            let said = match calls.len() % 3 {
                0 => serde_json::to_string(&chosen),
                1 => serde_json::to_string_pretty(&chosen),
                _ => serde_json::to_string(&chosen).map(|said| {
                    said.replace('e', "\\u0065").replace("tru\\u0065", "true").replace("fals\\u0065", "false")
                }),
            };
            calls.push((name.clone(), said.unwrap()));
        }
    }
    calls
}

fn tool_calls(calls: &[(String, String)]) -> Value {
    let call = |(at, (name, arguments)): (usize, &(String, String))| json!({"id": format!("call_{at}"), "type": "function", "function": {"name": name, "arguments": arguments}});
    calls.iter().enumerate().map(call).collect()
}

fn body(example: &Value, calls: &[(String, String)]) -> Value {
    let mut messages = example["messages"].as_array().cloned().unwrap_or_default();
    messages.retain(|message| message["role"] == "user" || message["role"] == "system");
    messages.push(json!({"role": "assistant", "content": null, "tool_calls": tool_calls(calls)}));
    for at in 0..calls.len() {
        messages.push(json!({"role": "tool", "tool_call_id": format!("call_{at}"), "content": "done"}));
    }
    let tools: Vec<_> = example["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tool| json!({"type": "function", "function": tool}))
        .collect();
    json!({"model": "m", "messages": messages, "tools": tools, "max_tokens": 9})
}

/// Names and arguments of the calls in a request or an answer.
fn said(messages: &Value) -> Vec<(String, String)> {
    let calls =
        messages.as_array().into_iter().flatten().filter_map(|message| message["tool_calls"].as_array());
    calls
        .flatten()
        .map(|call| {
            let part = |name: &str| call["function"][name].as_str().unwrap().to_owned();
            (part("name"), part("arguments"))
        })
        .collect()
}

fn to(from: Form, to: Form, body: &[u8]) -> Vec<u8> {
    let wanted = Wanted { model: "m", ..Wanted::default() };
    request(from, to, body, wanted).unwrap_or_else(|refusal| panic!("{refusal}")).body.to_vec()
}

fn requests(form: Form, body: &Value, calls: &[(String, String)]) {
    let there = to(Form::Chat, form, body.to_string().as_bytes());
    let back: Value = serde_json::from_slice(&to(form, Form::Chat, &there)).unwrap();
    assert_eq!(said(&back["messages"]), calls, "{}", form.name());
    assert_eq!(back["tools"], body["tools"], "{}", form.name());
}

fn answers(form: Form, calls: &[(String, String)]) {
    let message = json!({"role": "assistant", "content": null, "tool_calls": tool_calls(calls)});
    let body =
        json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}).to_string();
    let told = Told::default();
    let there = answer(Form::Chat, form, body.as_bytes(), &told).unwrap();
    let back: Value = serde_json::from_slice(&answer(form, Form::Chat, &there, &told).unwrap()).unwrap();
    assert_eq!(said(&json!([back["choices"][0]["message"]])), calls, "{}", form.name());
    assert_eq!(back["choices"][0]["finish_reason"], "tool_calls");
}

/// Arguments in pieces, through a stream of another form and back.
fn streams(form: Form, calls: &[(String, String)]) {
    let framing = if form == Form::Converse { Framing::EventStream } else { Framing::Sse };
    let told = Told::default();
    let mut there = Stream::new((Form::Chat, Framing::Sse), (form, framing), &told).unwrap();
    let mut back = Stream::new((form, framing), (Form::Chat, Framing::Sse), &told).unwrap();
    let mut out = Vec::new();
    let mut feed = |delta: &Value, reason: &Value| {
        let chunk = json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
        let between = there.feed(format!("data: {chunk}\n\n").into()).unwrap();
        out.extend_from_slice(&back.feed(between).unwrap());
    };
    for (at, (name, arguments)) in calls.iter().enumerate() {
        let id = format!("call_{at}");
        feed(
            &json!({"tool_calls": [{"index": at, "id": id, "function": {"name": name, "arguments": ""}}]}),
            &Value::Null,
        );
        let letters: Vec<_> = arguments.chars().collect();
        for piece in letters.chunks(7) {
            let piece: String = piece.iter().collect();
            feed(&json!({"tool_calls": [{"index": at, "function": {"arguments": piece}}]}), &Value::Null);
        }
    }
    feed(&json!({}), &json!("tool_calls"));
    out.extend_from_slice(&back.feed(there.finish().unwrap()).unwrap());
    out.extend_from_slice(&back.finish().unwrap());
    let mut found: Vec<(String, String)> = Vec::new();
    for data in std::str::from_utf8(&out).unwrap().lines().filter_map(|line| line.strip_prefix("data: {")) {
        let chunk: Value = serde_json::from_str(&format!("{{{data}")).unwrap();
        for call in chunk["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            if let Some(name) = call["function"]["name"].as_str() {
                found.push((name.to_owned(), String::new()));
            }
            found.last_mut().unwrap().1.push_str(call["function"]["arguments"].as_str().unwrap());
        }
    }
    assert_eq!(found, calls, "{}", form.name());
}

#[test]
fn every_call_reaches_its_tool_as_it_was_said() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/tools/bfcl_dev.jsonl");
    let Ok(data) = std::fs::read_to_string(&data) else {
        eprintln!("../shared is absent: no calls to translate");
        return;
    };
    let others = [Form::Messages, Form::Claude, Form::Chat, Form::MistralChat, Form::Jamba, Form::Nova];
    let mut others: Vec<_> =
        others.into_iter().filter(|form| carries(*form, Feature::ToolUse).is_some()).collect();
    let mut count = 0;
    for line in data.lines() {
        let example: Value = serde_json::from_str(line).unwrap();
        let calls = calls(&example);
        if calls.is_empty() {
            continue;
        }
        count += calls.len();
        let body = body(&example, &calls);
        // all through Converse, and each through one of the others in turn
        others.rotate_left(1);
        for form in [Form::Converse, others[0]] {
            requests(form, &body, &calls);
            answers(form, &calls);
            // a stream is many small steps: some are enough
            if count % 5 == 0 {
                streams(form, &calls);
            }
        }
    }
    assert!(count > 500, "{count} calls");
}
