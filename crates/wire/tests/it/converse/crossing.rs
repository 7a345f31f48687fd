//! What Converse says in another way than other dialects.

use bedplate_core::form::Form;
use bedplate_core::view::Refuses;
use bedplate_wire::translate::{self, Wanted};
use serde_json::{Value, json};

use super::CLAUDE;

/// What becomes of a chat completion on a model, and what was left out.
fn chat(body: &Value, model: &str) -> Result<(Value, Vec<String>), String> {
    translated(Form::Chat, body, Wanted { model, ..Wanted::default() })
}

fn translated(from: Form, body: &Value, wanted: Wanted<'_>) -> Result<(Value, Vec<String>), String> {
    let made = translate::request(from, Form::Converse, body.to_string().as_bytes(), wanted);
    let made = made.map_err(|refusal| refusal.to_string())?;
    let dropped = made.dropped.iter().map(|dropped| dropped.name().to_owned()).collect();
    Ok((serde_json::from_slice(&made.body).unwrap(), dropped))
}

fn tool() -> Value {
    json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}])
}

/// A turn in which a tool was used under an id.
fn used(id: &str) -> [Value; 2] {
    let call = json!({"id": id, "type": "function", "function": {"name": "look", "arguments": "{\"a\": 1}"}});
    [
        json!({"role": "assistant", "content": "", "tool_calls": [call]}),
        json!({"role": "tool", "tool_call_id": id, "content": "found"}),
    ]
}

#[test]
fn no_tool_may_be_used_means_that_there_are_none_unless_some_were() {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "tools": tool(), "tool_choice": "none"});
    let (made, dropped) = chat(&body, CLAUDE).unwrap();
    assert!(made.get("toolConfig").is_none() && dropped.is_empty(), "{made} {dropped:?}");
    body["messages"].as_array_mut().unwrap().extend(used("call_1"));
    let said = chat(&body, CLAUDE).unwrap_err();
    assert!(said.contains("`tool_choice_none`: the target cannot forbid tools"), "{said}");
    let refuses = Refuses { tools: true, ..Refuses::default() };
    let (made, dropped) =
        translated(Form::Chat, &body, Wanted { model: CLAUDE, refuses, ..Wanted::default() }).unwrap();
    assert!(made.get("toolConfig").is_none() && dropped.contains(&"tool".to_owned()), "{made} {dropped:?}");
}

#[test]
fn ids_that_repeat_or_do_not_fit_are_written_in_another_way_for_use_and_result() {
    let long = "call_".to_owned() + &"x".repeat(80);
    let mut messages = vec![json!({"role": "user", "content": "a"})];
    for id in ["call_0", "call_0", "call|é", &long] {
        messages.extend(used(id));
        messages.push(json!({"role": "user", "content": "go on"}));
    }
    let (made, _) = chat(&json!({"model": "m", "messages": messages, "tools": tool()}), CLAUDE).unwrap();
    let blocks: Vec<&Value> =
        made["messages"].as_array().unwrap().iter().flat_map(|m| m["content"].as_array().unwrap()).collect();
    let uses: Vec<_> = blocks.iter().filter_map(|block| block["toolUse"]["toolUseId"].as_str()).collect();
    let results: Vec<_> =
        blocks.iter().filter_map(|block| block["toolResult"]["toolUseId"].as_str()).collect();
    assert_eq!(uses, results);
    assert_eq!((uses.len(), uses[0]), (4, "call_0"));
    let distinct: std::collections::BTreeSet<_> = uses.iter().collect();
    assert_eq!(distinct.len(), 4, "{uses:?}");
    assert!(uses.iter().all(|id| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b))), "{uses:?}");
}

#[test]
fn blank_texts_are_left_out_where_something_else_stands() {
    let mut messages = vec![
        json!({"role": "user", "content": [{"type": "text", "text": "\n \t"}, {"type": "text", "text": "a"}]}),
    ];
    messages.extend(used("call_1"));
    messages.push(json!({"role": "user", "content": " "}));
    let (made, _) = chat(&json!({"model": "m", "messages": messages, "tools": tool()}), CLAUDE).unwrap();
    assert_eq!(made["messages"][0]["content"], json!([{"text": "a"}]));
    assert!(made["messages"][1]["content"][0].get("toolUse").is_some(), "{made}");
    // a turn of one role after another is one; a turn of nothing else stays for Bedrock to answer
    assert_eq!(made["messages"][2]["content"].as_array().unwrap().len(), 2);
    assert_eq!(made["messages"].as_array().unwrap().len(), 3);
}

#[test]
fn what_only_some_families_know_is_said_to_them_only() {
    let body = json!({"model": "m", "max_tokens": 9_000, "messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}], "thinking": {"type": "enabled", "budget_tokens": 5_000}});
    let to = |model| {
        translated(Form::Messages, &body, Wanted { model, betas: "one,two", ..Wanted::default() }).unwrap()
    };
    let (made, dropped) = to(CLAUDE);
    assert_eq!(
        made["additionalModelRequestFields"],
        json!({"thinking": {"type": "enabled", "budget_tokens": 5_000}, "anthropic_beta": ["one", "two"]})
    );
    assert!(dropped.is_empty(), "{dropped:?}");
    assert_eq!(made["messages"][0]["content"][1], json!({"cachePoint": {"type": "default"}}));
    let (made, dropped) = to("amazon.nova-2-lite-v1:0");
    assert_eq!(
        made["additionalModelRequestFields"],
        json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}})
    );
    assert_eq!(dropped, ["beta"]);
    let (made, dropped) = to("openai.gpt-oss-20b-1:0");
    assert_eq!(made["additionalModelRequestFields"], json!({"reasoning_effort": "medium"}));
    assert_eq!(dropped, ["beta", "cache_point"]);
    let (made, dropped) = to("meta.llama4-maverick-17b-instruct-v1:0");
    assert!(made.get("additionalModelRequestFields").is_none(), "{made}");
    assert_eq!(dropped, ["thinking", "beta", "cache_point"]);
}

#[test]
fn documents_have_names_that_are_taken_and_differ() {
    let source = json!({"type": "base64", "media_type": "application/pdf", "data": "aGk="});
    let document = |title: Value| json!({"type": "document", "source": source, "title": title});
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [
        document(json!("Q3/report.pdf")), document(json!("Q3/report.pdf")), document(Value::Null), {"type": "text", "text": "a"},
    ]}]});
    let (made, _) = translated(Form::Messages, &body, Wanted { model: CLAUDE, ..Wanted::default() }).unwrap();
    let names: Vec<_> = made["messages"][0]["content"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|b| b["document"]["name"].as_str())
        .collect();
    assert_eq!(names, ["Q3-report-pdf (1)", "Q3-report-pdf (2)", "document 3"]);
}

#[test]
fn what_has_no_place_is_said_or_refused() {
    let body = |name: &str, value: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "a"}]});
        body[name] = value;
        body
    };
    for (name, value, dropped) in [
        ("seed", json!(7), "seed"),
        ("frequency_penalty", json!(0.5), "frequency_penalty"),
        ("parallel_tool_calls", json!(false), "parallel_tools"),
    ] {
        let mut body = body(name, value);
        body["tools"] = tool();
        assert_eq!(chat(&body, CLAUDE).unwrap().1, [dropped], "{name}");
    }
    for (name, value) in [("n", json!(2)), ("logit_bias", json!({"1": 5})), ("logprobs", json!(true))] {
        assert!(chat(&body(name, value), CLAUDE).is_err(), "{name}");
    }
    let (made, dropped) = chat(&body("response_format", json!({"type": "json_object"})), CLAUDE).unwrap();
    assert_eq!(
        made["outputConfig"]["textFormat"]["structure"]["jsonSchema"],
        json!({"schema": "{\"type\":\"object\"}"})
    );
    assert!(dropped.is_empty(), "{dropped:?}");
    // beyond Converse's range: Bedrock has the word
    let (made, _) = chat(&body("temperature", json!(1.7)), CLAUDE).unwrap();
    assert_eq!(made["inferenceConfig"]["temperature"], 1.7);
    let picture = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]}]);
    let said = chat(&body("messages", picture), CLAUDE).unwrap_err();
    assert!(said.contains("bedplate fetches nothing"), "{said}");
}

/// Nobody's pairs are taken for ours, whatever AWS leaves of their keys.
#[test]
fn keys_of_our_own_are_not_the_callers_to_write() {
    let ours = [("bedplate:team".to_owned(), "payments".to_owned())];
    for key in ["bedplate:team", "bed|plate:team", "Bedplate:newest", "\u{e9}bedplate:call"] {
        let chat =
            json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "metadata": {key: "x"}});
        let converse = json!({"messages": [{"role": "user", "content": [{"text": "a"}]}], "requestMetadata": {key: "x"}});
        for (from, body) in [(Form::Chat, &chat), (Form::Converse, &converse)] {
            let wanted = Wanted { model: CLAUDE, metadata: &ours, ..Wanted::default() };
            let said = translated(from, body, wanted).unwrap_err();
            assert!(said.starts_with("BP2002") && said.contains("bedplate reserves"), "{key}: {said}");
        }
    }
    let twice = json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "metadata": {"a": "1", "a|": "2"}});
    let wanted = Wanted { model: CLAUDE, metadata: &ours, ..Wanted::default() };
    let (made, _) = translated(Form::Chat, &twice, wanted).unwrap();
    assert_eq!(made["requestMetadata"], json!({"a": "1", "bedplate:team": "payments"}));
}
