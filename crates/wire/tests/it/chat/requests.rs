//! Requests: what is read is written again.

use bedplate_core::conversation::{Block, Role, Source, ToolChoice};
use bedplate_core::form::Form;
use bedplate_wire::translate::{Wanted, read, request};
use serde_json::{Value, json};

fn to(form: Form, body: &Value) -> (Value, Vec<String>) {
    let wanted = Wanted { model: "gpt-x", ..Wanted::default() };
    let done = request(Form::Chat, form, body.to_string().as_bytes(), wanted).unwrap();
    let dropped = done.dropped.iter().map(|dropped| dropped.name().to_owned()).collect();
    (serde_json::from_slice(&done.body).unwrap(), dropped)
}

fn again(body: &Value) -> Value {
    let (written, dropped) = to(Form::Chat, body);
    assert_eq!(dropped, [""; 0]);
    written
}

#[test]
fn bodies_are_written_as_they_were_read() {
    for body in [
        include_str!("../../golden/chat/text.json"),
        include_str!("../../golden/chat/tools.json"),
        include_str!("../../golden/chat/parts.json"),
    ] {
        let wanted = Wanted { model: "gpt-x", ..Wanted::default() };
        let done = request(Form::Chat, Form::Chat, body.as_bytes(), wanted).unwrap();
        let (read, written): (Value, Value) =
            (serde_json::from_str(body).unwrap(), serde_json::from_slice(&done.body).unwrap());
        assert_eq!(read, written, "{written:#}");
        assert!(done.dropped.is_empty());
        // numbers stay as they were written
        let text = String::from_utf8(done.body.to_vec()).unwrap();
        for number in ["9007199254740993", "0.70", "1e-1"] {
            assert_eq!(body.contains(number), text.contains(number), "{number}");
        }
    }
}

#[test]
fn several_ways_to_say_a_thing_become_one() {
    let body = json!({
        "messages": [
            {"role": "developer", "content": "a"},
            {"role": "system", "content": [{"type": "text", "text": "b"}]},
            {"role": "user", "content": [{"type": "text", "text": "q"}], "unknown": 1, "other": null},
            {"role": "assistant", "content": "", "function_call": null, "annotations": [], "audio": null,
             "tool_calls": [{"id": "c", "index": 0, "function": {"name": "f", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "c", "content": "r"},
            {"role": "developer", "content": "late"}
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": null}}],
        "max_tokens": 5, "max_completion_tokens": 5, "stop": "x", "n": null, "temperature": null,
        "response_format": {"type": "text"}, "service_tier": "auto", "safety_identifier": "s",
        "logprobs": false, "top_logprobs": 0, "stream": true, "stream_options": {"include_usage": false}
    });
    let expected = json!({
        "model": "gpt-x",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": null,
             "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "r"},
            {"role": "system", "content": "late"}
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "max_completion_tokens": 5, "stop": ["x"], "user": "s"
    });
    assert_eq!(again(&body), expected);
    let text = body.to_string();
    let c = read(Form::Chat, &text).unwrap();
    let unknown: Vec<_> = c.rest.members.iter().map(|member| &*member.name).collect();
    assert_eq!((c.system.len(), c.messages.len(), unknown), (2, 4, vec!["messages[].unknown"]));
    assert_eq!(c.messages[3].role, Role::System);
}

#[test]
fn streams_are_asked_for_with_their_usage() {
    let wanted = Wanted { model: "m", stream: true, tier: Some("flex"), ..Wanted::default() };
    let body = br#"{"messages":[{"role":"user","content":"q"}],"max_tokens":3}"#;
    let done = request(Form::Chat, Form::Chat, body, wanted).unwrap();
    let expected = json!({"model": "m", "messages": [{"role": "user", "content": "q"}], "max_tokens": 3,
        "service_tier": "flex", "stream": true, "stream_options": {"include_usage": true}});
    assert_eq!(serde_json::from_slice::<Value>(&done.body).unwrap(), expected);
}

#[test]
fn where_contents_lie_is_told_apart() {
    let body = include_str!("../../golden/chat/parts.json");
    let c = read(Form::Chat, body).unwrap();
    let said: Vec<_> = c.messages[0]
        .content
        .iter()
        .map(|block| match block {
            Block::Image(media) | Block::Video(media) | Block::Audio(media) => {
                let source = match &media.source {
                    Source::Bytes(data) => format!("bytes {}", data.decode()),
                    Source::S3 { uri, .. } => format!("s3 {}", uri.decode()),
                    Source::Url(url) => format!("url {}", url.decode()),
                    other => format!("{other:?}"),
                };
                format!("{} {source}", media.format.decode())
            }
            Block::Document(document) => match (&document.source, &document.format) {
                (Source::Bytes(data), Some(format)) => format!("{} {}", format.decode(), data.decode()),
                (Source::File(id), None) => format!("file {}", id.decode()),
                other => format!("{other:?}"),
            },
            Block::Text(_) => "text".to_owned(),
            Block::CachePoint(point) => format!("cache {}", point.ttl.as_ref().unwrap().decode()),
            Block::Foreign { form, .. } => format!("foreign {}", form.name()),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        said,
        [
            "text",
            "png bytes iVBORw0KGgo=",
            "jpeg s3 s3://bucket/cat.jpg",
            "webp url https://example.com/cat.webp",
            "wav bytes UklGRg==",
            "mp4 bytes AAAA",
            "pdf JVBERi0=",
            "file file-1",
            "cache 5m",
            "foreign chat",
        ]
    );
}

#[test]
fn tools_that_are_not_allowed_are_taken_out() {
    let body = json!({
        "messages": [{"role": "user", "content": "q"}],
        "tools": [{"type": "function", "function": {"name": "a"}}, {"type": "function", "function": {"name": "b"}}],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required",
            "tools": [{"type": "function", "function": {"name": "b"}}]}}
    });
    let text = body.to_string();
    let c = read(Form::Chat, &text).unwrap();
    assert_eq!((c.tools.len(), c.tool_choice), (1, Some(ToolChoice::Any)));
    let written = again(&body);
    assert_eq!(written["tools"], json!([{"type": "function", "function": {"name": "b"}}]));
    assert_eq!(written["tool_choice"], "required");
}

#[test]
fn other_bodies_of_this_kind_have_words_of_their_own() {
    let body = json!({
        "model": "m", "user": "u", "seed": 1, "top_k": 3, "verbosity": "low", "stream": true,
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b\n"}]},
            {"role": "user", "content": [{"type": "text", "text": "q", "cache_control": {"type": "ephemeral"}}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "strict": true}}],
        "tool_choice": "required", "max_tokens": 7, "presence_penalty": 1
    });
    let (written, mut dropped) = to(Form::MistralChat, &body);
    let expected = json!({
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b\n"}]},
            {"role": "user", "content": "q"},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "any", "max_tokens": 7
    });
    assert_eq!(written, expected);
    dropped.sort();
    assert_eq!(
        dropped,
        ["cache_point", "presence_penalty", "seed", "strict_tool", "top_k", "user", "verbosity"]
    );
    let mut body = body;
    body["tool_choice"] = json!("auto");
    let (written, _) = to(Form::Jamba, &body);
    assert_eq!(written["messages"][0]["content"], "a\nb\n");
    assert_eq!(written["presence_penalty"], 1);
    body["tool_choice"] = json!("required");
    let refused = request(Form::Chat, Form::Jamba, body.to_string().as_bytes(), Wanted::default());
    assert_eq!(refused.unwrap_err().said, "`tool_choice`: the model chooses tools itself");
    // what they say is read as well
    let text = written.to_string();
    assert_eq!(read(Form::Jamba, &text).unwrap().max_tokens, Some(7));
}
