//! Whole answers.

use bedplate_core::form::Form;
use bedplate_wire::translate::{Told, answer};
use serde_json::{Value, json};

fn told() -> Told {
    Told { id: "call-1".into(), model: "fast".into(), created: 1_790_000_000, ..Told::default() }
}

fn to_chat(from: Form, body: &Value) -> Value {
    let done = answer(from, Form::Chat, body.to_string().as_bytes(), &told()).unwrap();
    serde_json::from_slice(&done).unwrap()
}

/// One choice with this message and reason.
fn whole(message: Value, reason: &str) -> Value {
    json!({
        "id": "chatcmpl-9", "object": "chat.completion", "created": 1_700_000_000, "model": "fast",
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 0}}
    })
}

#[test]
fn answers_are_written_as_they_were_read() {
    let logprobs = json!({"content": [{"token": "a", "logprob": -1.0e-3, "bytes": null, "top_logprobs": []}], "refusal": null});
    let mut several = whole(json!({"role": "assistant", "content": "a", "refusal": null}), "length");
    several["choices"][0]["logprobs"] = logprobs;
    several["choices"].as_array_mut().unwrap().push(json!({
        "index": 1, "message": {"role": "assistant", "content": "b\u{e9}\"\n", "refusal": null},
        "logprobs": null, "finish_reason": "stop", "stop_reason": "END"
    }));
    several["service_tier"] = json!("priority");
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{ \"a\": 1.50 }"}});
    for body in [
        several,
        whole(
            json!({"role": "assistant", "content": null, "refusal": null, "tool_calls": [call]}),
            "tool_calls",
        ),
        whole(json!({"role": "assistant", "content": null, "refusal": "No."}), "stop"),
        whole(json!({"role": "assistant", "content": "", "refusal": null}), "content_filter"),
        whole(
            json!({"role": "assistant", "content": "4", "refusal": null, "reasoning_content": "2+2",
                "thinking_blocks": [{"type": "thinking", "thinking": "2+2", "signature": "c2ln"}]}),
            "stop",
        ),
    ] {
        assert_eq!(to_chat(Form::Chat, &body), body);
    }
}

#[test]
fn reasoning_in_front_of_a_text_is_told_apart() {
    for (content, reasoning, text) in [
        ("<reasoning>a \"b\"\n</reasoning>The answer", json!("a \"b\"\n"), json!("The answer")),
        ("<reasoning>cut", json!("cut"), json!("")),
        ("The <reasoning>x</reasoning>", Value::Null, json!("The <reasoning>x</reasoning>")),
    ] {
        let body = whole(json!({"role": "assistant", "content": content, "refusal": null}), "stop");
        let written = to_chat(Form::Chat, &body);
        let message = &written["choices"][0]["message"];
        assert_eq!((&message["reasoning_content"], &message["content"]), (&reasoning, &text), "{content}");
    }
    // as PHP writes it, and as Go does
    for escaped in [r"<reasoning>a<\/reasoning>b", r"\u003creasoning\u003ea\u003c/reasoning\u003eb"] {
        let body =
            format!(r#"{{"choices":[{{"message":{{"content":"{escaped}"}},"finish_reason":"stop"}}]}}"#);
        let done = answer(Form::Chat, Form::Chat, body.as_bytes(), &told()).unwrap();
        let written: Value = serde_json::from_slice(&done).unwrap();
        assert_eq!(written["choices"][0]["message"]["reasoning_content"], "a", "{escaped}");
        assert_eq!(written["choices"][0]["message"]["content"], "b", "{escaped}");
        assert_eq!(written["id"], "chatcmpl-call-1");
        assert_eq!(written["created"], 1_790_000_000);
    }
}

#[test]
fn tokens_are_counted_in_the_words_of_each() {
    let told = |usage: &str| {
        let body =
            format!(r#"{{"choices":[{{"message":{{"content":"x"}},"finish_reason":"stop"}}],{usage}}}"#);
        let done = answer(Form::Chat, Form::Chat, body.as_bytes(), &told()).unwrap();
        serde_json::from_slice::<Value>(&done).unwrap()["usage"].clone()
    };
    assert_eq!(
        told(
            r#""usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":30,"cache_creation_token_details":{"ephemeral_1h_input_tokens":10}},"completion_tokens_details":{"reasoning_tokens":7}}"#
        ),
        json!({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_creation_tokens": 30,
                "cache_creation_token_details": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10}},
            "completion_tokens_details": {"reasoning_tokens": 7},
            "cache_creation_input_tokens": 30, "cache_read_input_tokens": 60})
    );
    let plain = json!({"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 3}});
    assert_eq!(
        told(r#""usage":{"prompt_tokens":8,"completion_tokens":2,"prompt_cache_hit_tokens":3}"#),
        plain
    );
    let counted = r#""amazon-bedrock-invocationMetrics":{"inputTokenCount":5,"cacheReadInputTokenCount":3,"outputTokenCount":2}"#;
    assert_eq!(told(counted), plain);
    // more cached than there are
    let odd = told(
        r#""usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":9}}"#,
    );
    assert_eq!(odd["prompt_tokens"], 9);
}

#[test]
fn why_an_answer_ended_is_read_in_every_dress() {
    let call = r#""tool_calls":[{"id":"","function":{"name":"f","arguments":""}}]"#;
    for (message, reasons, expected) in [
        (r#""content":"x""#, r#""finish_reason":"stop""#, json!(["stop", null])),
        (r#""content":"x""#, r#""finish_reason":"stop","stop_reason":"END""#, json!(["stop", "END"])),
        (r#""content":"x""#, r#""finish_reason":"stop","stop_reason":128009"#, json!(["stop", null])),
        (r#""content":"x""#, r#""stop_reason":"length""#, json!(["length", null])),
        (r#""content":"x""#, r#""finish_reason":null,"stop_reason":"end_turn""#, json!(["stop", null])),
        (r#""content":"x""#, r#""finish_reason":"content_filter""#, json!(["content_filter", null])),
        (r#""content":"x""#, r#""finish_reason":"odd""#, json!(["stop", null])),
        (call, r#""finish_reason":"stop""#, json!(["tool_calls", null])),
        (call, r#""finish_reason":"function_call""#, json!(["tool_calls", null])),
        (call, r#""stop_reason":"tool_calls""#, json!(["tool_calls", null])),
    ] {
        let body = format!(r#"{{"choices":[{{"message":{{{message}}},{reasons}}}]}}"#);
        let done = answer(Form::MistralChat, Form::Chat, body.as_bytes(), &told()).unwrap();
        let written: Value = serde_json::from_slice(&done).unwrap();
        let one = &written["choices"][0];
        assert_eq!(json!([one["finish_reason"], one["stop_reason"]]), expected, "{body}");
        if message == call {
            let called = &one["message"]["tool_calls"][0];
            assert_eq!((&called["id"], &called["function"]["arguments"]), (&json!("call_0"), &json!("{}")));
        }
    }
}

#[test]
fn callers_of_native_bodies_get_their_words() {
    let body = whole(json!({"role": "assistant", "content": "x", "refusal": null}), "length");
    let done = answer(Form::Chat, Form::MistralChat, body.to_string().as_bytes(), &told()).unwrap();
    let written: Value = serde_json::from_slice(&done).unwrap();
    assert_eq!(written["choices"][0]["stop_reason"], "length");
    let parts = r#"{"choices":[{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"x"}]},"finish_reason":"stop"}]}"#;
    let done = answer(Form::MistralChat, Form::Chat, parts.as_bytes(), &told()).unwrap();
    let written: Value = serde_json::from_slice(&done).unwrap();
    assert_eq!(written["choices"][0]["message"]["reasoning_content"], "hm");
    assert_eq!(written["choices"][0]["message"]["content"], "x");
}

#[test]
fn what_is_no_answer_is_the_upstreams_fault() {
    for body in
        ["", "{}", r#"{"choices":[]}"#, r#"{"choices":[{}]}"#, r#"{"choices":[{"message":{"content":7}}]}"#]
    {
        let refusal = answer(Form::Chat, Form::Chat, body.as_bytes(), &told()).unwrap_err();
        assert_eq!(refusal.code.to_string(), "BP4006", "{body}");
    }
    // arguments that are no JSON are the model's: they are given as a string
    let body = r#"{"choices":[{"message":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{oops"}}]},"finish_reason":"tool_calls"}]}"#;
    let done = answer(Form::Chat, Form::Chat, body.as_bytes(), &told()).unwrap();
    let written: Value = serde_json::from_slice(&done).unwrap();
    assert_eq!(written["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], r#""{oops""#);
}
