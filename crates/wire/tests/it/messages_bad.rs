//! Messages that the vendor refuses are refused, by the member, and nothing of them is quoted.

use bedplate_core::form::Form;
use bedplate_wire::translate;
use serde_json::{Value, json};

use super::messages::{body, everything, through};

fn said(form: Form, text: &str) -> String {
    translate::read(form, text).err().map_or_else(|| "read".into(), |refusal| refusal.said.to_string())
}

fn with(pointer: &str, value: Value) -> String {
    let mut body = body(Form::Claude, everything());
    match body.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            body.pointer_mut(parent).unwrap()[name] = value;
        }
    }
    body.to_string()
}

#[test]
fn what_is_chosen_must_be_there() {
    let tool = json!({"name": "find", "input_schema": {}});
    let server = json!({"type": "web_search_20250305", "name": "web_search"});
    let none = "`tool_choice`: there are no tools to choose from";
    let other = "`tool_choice.name`: there is no tool of this name";
    for (tools, choice, want) in [
        (json!([]), json!({"type": "any"}), none),
        (json!([]), json!({"type": "tool", "name": "find"}), none),
        (json!([]), json!({"type": "auto"}), "read"),
        (json!([tool]), json!({"type": "tool", "name": "SECRET"}), other),
        (json!([tool]), json!({"type": "tool", "name": "find"}), "read"),
        (json!([server]), json!({"type": "tool", "name": "web_search"}), "read"),
    ] {
        let body = json!({"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}],
            "tools": tools, "tool_choice": choice});
        assert_eq!(said(Form::Messages, &body.to_string()), want, "{body}");
    }
}

#[test]
fn wrong_members_are_named_by_their_path() {
    let table: &[(&str, Value, &str)] = &[
        ("/max_tokens", json!(null), "`max_tokens`: it must be there"),
        ("/max_tokens", json!(-1), "`max_tokens`: expected a whole number"),
        ("/max_tokens", json!("SECRET"), "`max_tokens`: expected a whole number"),
        ("/messages", json!([]), "`messages`: there must be at least one"),
        ("/messages", json!({}), "`messages`: expected a list"),
        ("/messages/0/role", json!("tool"), "`messages[0].role`: expected `user`, `assistant` or `system`"),
        ("/messages/0/content", json!(7), "`messages[0].content`: expected a string or a list of blocks"),
        ("/messages/0/content", json!(null), "`messages[0].content`: it must be there"),
        ("/messages/0/content", json!(["SECRET"]), "`messages[0].content[0]`: expected an object"),
        (
            "/messages/0/content",
            json!([{"text": "SECRET"}]),
            "`messages[0].content[0].type`: it must be there",
        ),
        ("/messages/0/content", json!([{"type": "text"}]), "`messages[0].content[0].text`: it must be there"),
        (
            "/messages/0/content",
            json!([{"type": "text", "text": ["SECRET"]}]),
            "`messages[0].content[0].text`: expected a string",
        ),
        (
            "/messages/0/content",
            json!([{"type": "text", "text": "x", "source": {}}]),
            "`messages[0].content[0].source`: a block of this type has no such member",
        ),
        (
            "/messages/0/content",
            json!([{"type": "image_url", "image_url": {}}]),
            "`messages[0].content[0].type`: mixed dialects: it is a type of OpenAI's",
        ),
        (
            "/messages/0/content",
            json!([{"type": "image"}]),
            "`messages[0].content[0].source`: it must be there",
        ),
        (
            "/messages/0/content",
            json!([{"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "a"}}]),
            "`messages[0].content[0].source.media_type`: expected `image/png`, `image/jpeg`, `image/gif` or `image/webp`",
        ),
        (
            "/messages/0/content",
            json!([{"type": "document", "source": {"type": "base64", "media_type": "application/pdf"}}]),
            "`messages[0].content[0].source.data`: it must be there",
        ),
        (
            "/messages/0/content",
            json!([{"type": "text", "text": "x", "cache_control": {"type": "SECRET"}}]),
            "`messages[0].content[0].cache_control.type`: expected `ephemeral`",
        ),
        (
            "/messages/0/content",
            json!([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "2h"}}]),
            "`messages[0].content[0].cache_control.ttl`: expected `5m` or `1h`",
        ),
        (
            "/messages/0/content",
            json!([{"type": "tool_result", "tool_use_id": "toolu_1"}]),
            "`messages[0].content[0].tool_use_id`: no `tool_use` before it has this id",
        ),
        (
            "/messages/0/content",
            json!([{"type": "tool_use", "id": "x", "name": "x", "input": {}}]),
            "`messages[0].content[0].type`: blocks of this type stand in messages of `assistant` only",
        ),
        ("/messages/0/id", json!("x"), "`messages[0].id`: messages have `role` and `content` only"),
        ("/messages/1/content/5/input", json!("{}"), "`messages[1].content[5].input`: expected an object"),
        (
            "/messages/1/content/2/citations/1/start_page_number",
            json!(null),
            "`messages[1].content[2].citations[1].start_page_number`: it must be there",
        ),
        (
            "/messages/2/content/1/content/0/text",
            json!({}),
            "`messages[2].content[1].content[0].text`: expected a string",
        ),
        (
            "/messages/3/content",
            json!([{"type": "image", "source": {"type": "url", "url": "https://e.example"}}]),
            "`messages[3].content`: expected blocks of type `text` only",
        ),
        (
            "/system",
            json!([{"type": "image", "source": {"type": "file", "file_id": "x"}}]),
            "`system`: expected blocks of type `text` only",
        ),
        ("/temperature", json!(1.5), "`temperature`: expected 0 to 1"),
        ("/temperature", json!("SECRET"), "`temperature`: expected a number"),
        ("/stop_sequences", json!("SECRET"), "`stop_sequences`: expected a list"),
        ("/tools/0/input_schema", json!("SECRET"), "`tools[0].input_schema`: expected an object"),
        ("/tools/0/name", json!(null), "`tools[0].name`: it must be there"),
        (
            "/tools/1",
            json!({"type": "function", "function": {}}),
            "`tools[1].function`: mixed dialects: here tools have `name` and `input_schema`",
        ),
        ("/tool_choice", json!("auto"), "`tool_choice`: expected an object"),
        ("/tool_choice", json!({"type": "tool"}), "`tool_choice.name`: it must be there"),
        ("/tool_choice", json!({"type": "auto", "name": "x"}), "`tool_choice.name`: only `tool` takes it"),
        (
            "/tool_choice",
            json!({"type": "required"}),
            "`tool_choice.type`: expected `auto`, `any`, `tool` or `none`",
        ),
        ("/thinking", json!({"type": "enabled"}), "`thinking.budget_tokens`: it must be there"),
        (
            "/thinking",
            json!({"type": "disabled", "budget_tokens": 1}),
            "`thinking.budget_tokens`: only `enabled` takes it",
        ),
        (
            "/output_format",
            json!({"type": "json_schema", "schema": {}}),
            "`output_format`: `output_config.format` says it already",
        ),
        (
            "/output_config/format/type",
            json!("json_object"),
            "`output_config.format.type`: expected `json_schema`",
        ),
        ("/service_tier", json!("flex"), "`service_tier`: expected `auto` or `standard_only`"),
        (
            "/max_completion_tokens",
            json!(5),
            "`max_completion_tokens`: mixed dialects: it is a member of OpenAI's chat completions",
        ),
        (
            "/inferenceConfig",
            json!({}),
            "`inferenceConfig`: mixed dialects: it is a member of Bedrock's Converse",
        ),
        ("/model", json!("x"), "`model`: mixed dialects: with `InvokeModel` the path says it"),
        ("/stream", json!(true), "`stream`: mixed dialects: with `InvokeModel` the path says it"),
        ("/anthropic_version", json!(null), "`anthropic_version`: it must be there"),
    ];
    for (pointer, value, want) in table {
        assert_eq!(said(Form::Claude, &with(pointer, value.clone())), *want, "{pointer} {value}");
    }
    let api = body(Form::Claude, everything()).to_string();
    assert_eq!(
        said(Form::Messages, &api),
        "`anthropic_version`: mixed dialects: bodies of `InvokeModel` have it; here it is a header"
    );
    let mut nameless = body(Form::Messages, everything());
    nameless["model"] = Value::Null;
    assert_eq!(said(Form::Messages, &nameless.to_string()), "`model`: it must be there");
}

#[test]
fn what_is_no_json_is_no_request() {
    for text in
        ["", "[]", "null", "{\"messages\":[}", "{\"a\":1}x", "{\"max_tokens\":1,\"max\\u005ftokens\":2}"]
    {
        assert_ne!(said(Form::Messages, text), "read", "{text}");
    }
    let deep = format!(
        r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":"x"}}],"x":{}1{}}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    assert!(said(Form::Messages, &deep).len() < 300);
}

#[test]
fn half_pairs_are_carried_as_they_stood() {
    let text = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a\ud83d \u0000"}]}"#;
    let done = translate::request(
        Form::Messages,
        Form::Claude,
        text.as_bytes(),
        translate::Wanted { model: "m", ..translate::Wanted::default() },
    );
    assert!(std::str::from_utf8(&done.unwrap().body).unwrap().contains(r#""text":"a\ud83d \u0000""#));
}

#[test]
fn what_a_native_body_has_no_place_for_is_refused_with_the_reason() {
    for (source, want) in [
        (json!({"type": "url", "url": "https://e.example/x.png"}), "url"),
        (json!({"type": "file", "file_id": "f"}), "file"),
        (json!({"type": "url", "url": "s3://bucket/x.png"}), "s3"),
    ] {
        let common = json!({"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]});
        let said = through(Form::Messages, Form::Claude, &body(Form::Messages, common)).unwrap_err();
        assert!(said.starts_with(&format!("`{want}`: ")), "{said}");
    }
    let common = json!({"max_tokens": 1, "messages": [{"role": "user", "content": [
        {"type": "image", "source": {"type": "url", "url": "data:image/png;base64,aGk="}}]}]});
    let (after, _) = through(Form::Messages, Form::Claude, &body(Form::Messages, common)).unwrap();
    assert_eq!(
        after["messages"][0]["content"][0]["source"],
        json!({"type": "base64", "media_type": "image/png", "data": "aGk="})
    );
}

#[test]
fn ten_thousand_messages_and_a_giant_schema_are_read_in_one_go() {
    let mut messages = Vec::new();
    for at in 0..5_000 {
        messages.push(json!({"role": "user", "content": if at == 0 { json!("x") } else {
            json!([{"type": "tool_result", "tool_use_id": format!("t{}", at - 1)}, {"type": "novel", "at": at}]) }}));
        messages.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": format!("t{at}"), "name": "n", "input": {}}]}));
    }
    let properties: serde_json::Map<_, _> =
        (0..10_000).map(|at| (format!("p{at}"), json!({"type": "string"}))).collect();
    let before = body(
        Form::Claude,
        json!({"max_tokens": 1, "messages": messages,
        "tools": [{"name": "n", "input_schema": {"type": "object", "properties": properties}}]}),
    );
    let (after, _) = through(Form::Claude, Form::Claude, &before).unwrap();
    assert_eq!(after["messages"].as_array().unwrap().len(), 10_000);
    assert_eq!(after["tools"], before["tools"]);
}
