//! What one dialect says in Converse's words, another says, and comes back in Converse's words.

use bedplate_core::form::Form;
use bedplate_wire::translate::{self, Wanted};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

const MODEL: &str = "us.anthropic.claude-opus-5";

/// Text that is not blank: with quotes, escapes and what JSON has to escape.
fn text() -> impl Strategy<Value = String> {
    "[a-zéß\"\\\\\n\t/ \u{1f600}]{0,12}[a-z\"\\\\]".prop_map(|text| text)
}

fn image() -> impl Strategy<Value = Value> {
    ("png|jpeg|gif|webp", "[A-Za-z0-9]{4}")
        .prop_map(|(format, bytes)| json!({"image": {"format": format, "source": {"bytes": bytes}}}))
}

fn input() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map(
        "[a-zé\"]{1,6}",
        prop_oneof![text().prop_map(Value::from), any::<i32>().prop_map(Value::from)],
        0..4,
    )
    .prop_map(|members| json!(members))
}

/// The input of a tool, and what it found.
type Use = (Value, Vec<Value>);

/// A question, and what was used and found before it was answered.
fn exchange() -> impl Strategy<Value = (Vec<Value>, Option<Use>, Value)> {
    let question = (vec(image(), 0..2), text()).prop_map(|(mut blocks, text)| {
        blocks.push(json!({"text": text}));
        blocks
    });
    let found = text().prop_map(|text| vec![json!({"text": text})]);
    (question, of((input(), found)), text().prop_map(|text| json!({"text": text})))
}

fn body() -> impl Strategy<Value = Value> {
    let numbers = (1_u32..9_999, of(0_u32..=100), of(0_u32..=100), vec("[a-z#]{1,4}", 0..3));
    let schema = of((text(), input()));
    (vec(text(), 0..2), vec(exchange(), 1..4), numbers, schema, 0_u8..4).prop_map(|(system, exchanges, numbers, schema, choice)| {
        let mut messages = Vec::new();
        let mut used = false;
        for (at, (question, tool, answer)) in exchanges.into_iter().enumerate() {
            messages.push(json!({"role": "user", "content": question}));
            if let Some((input, found)) = tool {
                used = true;
                let id = format!("toolu_{at}");
                messages.push(json!({"role": "assistant", "content": [{"toolUse": {"toolUseId": id, "name": "look", "input": input}}]}));
                messages.push(json!({"role": "user", "content": [{"toolResult": {"toolUseId": id, "content": found}}]}));
            }
            messages.push(json!({"role": "assistant", "content": [answer]}));
        }
        messages.push(json!({"role": "user", "content": [{"text": "And?"}]}));
        let (max, temperature, top_p, stop) = numbers;
        let mut body = json!({"messages": messages, "inferenceConfig": {"maxTokens": max}});
        if !system.is_empty() {
            body["system"] = system.into_iter().map(|text| json!({"text": text})).collect();
        }
        if let Some(hundredths) = temperature {
            body["inferenceConfig"]["temperature"] = json!(f64::from(hundredths) / 100.0);
        }
        if let Some(hundredths) = top_p {
            body["inferenceConfig"]["topP"] = json!(f64::from(hundredths) / 100.0);
        }
        if !stop.is_empty() {
            body["inferenceConfig"]["stopSequences"] = json!(stop);
        }
        if used || schema.is_some() {
            let (description, properties) = schema.unwrap_or_else(|| ("d".to_owned(), json!({})));
            body["toolConfig"] = json!({"tools": [{"toolSpec": {"name": "look", "description": description, "inputSchema": {"json": {"type": "object", "properties": properties}}}}]});
            match choice {
                1 => body["toolConfig"]["toolChoice"] = json!({"auto": {}}),
                2 => body["toolConfig"]["toolChoice"] = json!({"any": {}}),
                3 => body["toolConfig"]["toolChoice"] = json!({"tool": {"name": "look"}}),
                _ => {}
            }
        }
        body
    })
}

fn cross(from: Form, to: Form, body: &str) -> String {
    let wanted = Wanted { model: MODEL, ..Wanted::default() };
    let made =
        translate::request(from, to, body.as_bytes(), wanted).unwrap_or_else(|e| panic!("{e}: {body}"));
    assert!(made.dropped.is_empty(), "{:?} {body}", made.dropped);
    String::from_utf8(made.body.to_vec()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_all_of_them_carry_comes_back_from_every_dialect(body in body()) {
        for by in [Form::Converse, Form::Nova, Form::Messages, Form::Claude, Form::Chat] {
            let there = cross(Form::Converse, by, &body.to_string());
            // again in the same dialect: nothing is said in another way the second time
            let again: Value = serde_json::from_str(&cross(by, by, &there)).unwrap();
            prop_assert_eq!(&again, &serde_json::from_str::<Value>(&there).unwrap(), "{:?}", by);
            let back: Value = serde_json::from_str(&cross(by, Form::Converse, &there)).unwrap();
            prop_assert_eq!(&back, &body, "{:?}", by);
        }
    }
}
