//! What the dialect refuses, by its member.

use bedplate_core::form::Form;
use bedplate_core::refusal::Code;
use bedplate_wire::translate::{Wanted, read, request};

/// The path of what is wrong, and why.
fn refused(body: &str) -> (String, String) {
    let refusal = read(Form::Chat, body).map(|c| panic!("{body}: {c:?}")).unwrap_err();
    assert!(matches!(refusal.code, Code::BadValue | Code::BadBody), "{body}");
    assert!(!refusal.said.contains("secret"), "{}", refusal.said);
    match refusal.said.strip_prefix('`').and_then(|said| said.split_once("`: ")) {
        Some((at, why)) => (at.to_owned(), why.to_owned()),
        None => (String::new(), refusal.said),
    }
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    let call = r#"{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
    for (messages, at) in [
        (r#"{"role":"secret","content":"x"}"#, "messages[0].role"),
        (r#"{"content":"x"}"#, "messages[0].role"),
        (r#"{"role":"function","name":"f","content":"x"}"#, "messages[0].role"),
        (r#"{"role":"user"}"#, "messages[0].content"),
        (r#"{"role":"user","content":null}"#, "messages[0].content"),
        (r#"{"role":"user","content":[]}"#, "messages[0].content"),
        (r#"{"role":"user","content":7}"#, "messages[0].content"),
        (r#"{"role":"user","content":{"text":"secret"}}"#, "messages[0].content"),
        (r#"{"role":"user","content":["secret"]}"#, "messages[0].content[0]"),
        (r#"{"role":"user","content":[{"text":"secret"}]}"#, "messages[0].content[0].type"),
        (r#"{"role":"user","content":[{"type":"text"}]}"#, "messages[0].content[0].text"),
        (r#"{"role":"user","content":[{"type":"text","text":["secret"]}]}"#, "messages[0].content[0].text"),
        (
            r#"{"role":"user","content":[{"type":"image_url","text":"x"}]}"#,
            "messages[0].content[0].image_url",
        ),
        (
            r#"{"role":"user","content":[{"type":"image_url","image_url":{}}]}"#,
            "messages[0].content[0].image_url.url",
        ),
        (
            r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,secret"}}]}"#,
            "messages[0].content[0].image_url.url",
        ),
        (r#"{"role":"user","content":[{"type":"input_text","text":"x"}]}"#, "messages[0].content[0].type"),
        (r#"{"role":"user","content":[{"type":"tool_result","text":"x"}]}"#, "messages[0].content[0].type"),
        (r#"{"role":"user","content":[{"type":"file","file":{}}]}"#, "messages[0].content[0].file.file_data"),
        (
            r#"{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"secret"}}]}"#,
            "messages[0].content[0].cache_control.type",
        ),
        (r#"{"role":"user","content":"a","content":"b"}"#, "messages[0].content"),
        (r#"{"role":"user","content":"a","tool_calls":[{}]}"#, "messages[0].tool_calls"),
        (
            r#"{"role":"system","content":[{"type":"image_url","image_url":{"url":"s3://b/k"}}]}"#,
            "messages[0].content",
        ),
        (r#"{"role":"assistant"}"#, "messages[0].content"),
        (r#"{"role":"assistant","content":"x","function_call":{"name":"f"}}"#, "messages[0].function_call"),
        (r#"{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}"#, "messages[0].tool_calls[0].id"),
        (r#"{"role":"assistant","tool_calls":[{"id":"c"}]}"#, "messages[0].tool_calls[0].function"),
        (
            r#"{"role":"assistant","tool_calls":[{"id":"c","function":{"arguments":"{}"}}]}"#,
            "messages[0].tool_calls[0].function.name",
        ),
        (
            r#"{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{secret"}}]}"#,
            "messages[0].tool_calls[0].function.arguments",
        ),
        (r#"{"role":"assistant","tool_calls":[{"id":"c","type":"x"}]}"#, "messages[0].tool_calls[0].type"),
        (r#"{"role":"assistant","content":[{"type":"custom"}]}"#, "messages[0].content[0].type"),
        (
            r#"{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":7}}]}"#,
            "messages[0].tool_calls[0].function.arguments",
        ),
        (r#"{"role":"tool","content":"x"}"#, "messages[0].tool_call_id"),
        (r#"{"role":"tool","tool_call_id":"c","content":"x"}"#, "messages[0].tool_call_id"),
        (
            &format!(r#"{call},{{"role":"tool","tool_call_id":"d","content":"x"}}"#),
            "messages[1].tool_call_id",
        ),
        (&format!(r#"{call},{{"role":"tool","tool_call_id":"c"}}"#), "messages[1].content"),
        (&format!(r#"{call},{{"role":"user","content":"x"}}"#), "messages[1].role"),
        (
            &format!(
                r#"{call},{{"role":"tool","tool_call_id":"c","content":"x"}},{{"role":"tool","tool_call_id":"c","content":"x"}}"#
            ),
            "messages[2].tool_call_id",
        ),
        (
            r#"{"role":"assistant","content":"x","thinking_blocks":[{"type":"x"}]}"#,
            "messages[0].thinking_blocks[0].type",
        ),
    ] {
        let (found, _) = refused(&format!(r#"{{"messages":[{messages}]}}"#));
        assert_eq!(found, at, "{messages}");
    }
}

#[test]
fn options_that_contradict_or_are_of_another_dialect_are_refused() {
    for (member, at) in [
        (r#""temperature":"secret""#, "temperature"),
        (r#""temperature":true"#, "temperature"),
        (r#""temperature":2.5"#, "temperature"),
        (r#""top_p":-0.1"#, "top_p"),
        (r#""top_k":1.5"#, "top_k"),
        (r#""seed":"1""#, "seed"),
        (r#""max_tokens":0"#, "max_tokens"),
        (r#""max_tokens":-1"#, "max_tokens"),
        (r#""max_tokens":1,"max_completion_tokens":2"#, "max_completion_tokens"),
        (r#""n":0"#, "n"),
        (r#""stop":7"#, "stop"),
        (r#""stop":["a",7]"#, "stop[1]"),
        (r#""logit_bias":[]"#, "logit_bias"),
        (r#""top_logprobs":3"#, "top_logprobs"),
        (r#""stream_options":{"include_usage":true}"#, "stream_options"),
        (r#""stream":"yes""#, "stream"),
        (r#""model":7"#, "model"),
        (r#""response_format":"json""#, "response_format"),
        (r#""response_format":{"type":"secret"}"#, "response_format.type"),
        (r#""response_format":{"type":"json_schema"}"#, "response_format.json_schema"),
        (
            r#""response_format":{"type":"json_schema","json_schema":{"name":"x"}}"#,
            "response_format.json_schema.schema",
        ),
        (r#""service_tier":"secret""#, "service_tier"),
        (r#""metadata":{"a":7}"#, "metadata.a"),
        (r#""metadata":[]"#, "metadata"),
        (r#""tools":[{"name":"f","input_schema":{}}]"#, "tools[0].input_schema"),
        (r#""tools":[{"toolSpec":{}}]"#, "tools[0].toolSpec"),
        (r#""tools":[{"type":"function"}]"#, "tools[0].function"),
        (r#""tools":[{"type":"function","function":{"description":"x"}}]"#, "tools[0].function.name"),
        (
            r#""tools":[{"type":"function","function":{"name":"f","parameters":[]}}]"#,
            "tools[0].function.parameters",
        ),
        (r#""tool_choice":"required""#, "tool_choice"),
        (r#""tool_choice":"secret""#, "tool_choice"),
        (r#""tool_choice":{"type":"tool","name":"f"}"#, "tool_choice.type"),
        (
            r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"g"}}"#,
            "tool_choice.function.name",
        ),
        (r#""functions":[]"#, "functions"),
        (r#""inferenceConfig":{}"#, "inferenceConfig"),
        (r#""anthropic_version":"x""#, "anthropic_version"),
        (r#""system":"x""#, "system"),
        (r#""max_output_tokens":1"#, "max_output_tokens"),
    ] {
        let (found, why) = refused(&format!(r#"{{"messages":[{{"role":"user","content":"x"}}],{member}}}"#));
        assert_eq!(found, at, "{member}: {why}");
    }
    assert_eq!(refused(r#"{"messages":[]}"#).0, "messages");
    assert_eq!(refused("{}").0, "messages");
    assert_eq!(refused("[]").0, "");
    assert_eq!(refused(r#"{"messages":[{"role":"user","content":"x"}"#).0, "");
}

#[test]
fn ten_thousand_turns_and_deep_values_are_read_in_linear_time() {
    let call = |n: usize| {
        format!(
            r#"{{"role":"assistant","tool_calls":[{{"id":"c{n}","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]}},{{"role":"tool","tool_call_id":"c{n}","content":"x","m{n}":1}}"#
        )
    };
    let turns: Vec<_> = (0..5_000).map(call).collect();
    let body = format!(r#"{{"messages":[{}]}}"#, turns.join(","));
    let done = request(Form::Chat, Form::Chat, body.as_bytes(), Wanted::default()).unwrap();
    assert_eq!(read(Form::Chat, std::str::from_utf8(&done.body).unwrap()).unwrap().messages.len(), 10_000);
    // one turn with as many calls, answered from the last to the first
    let calls: Vec<_> = (0..10_000)
        .map(|n| format!(r#"{{"id":"c{n}","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}"#))
        .collect();
    let results: Vec<_> = (0..10_000)
        .rev()
        .map(|n| format!(r#"{{"role":"tool","tool_call_id":"c{n}","content":"x"}}"#))
        .collect();
    let body = format!(
        r#"{{"messages":[{{"role":"assistant","tool_calls":[{}]}},{}]}}"#,
        calls.join(","),
        results.join(",")
    );
    assert_eq!(read(Form::Chat, &body).unwrap().messages.len(), 10_001);
    // deeper than a parser that calls itself would go
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":"x","deep":{deep}}}],"tools":[{{"type":"function","function":{{"name":"f","parameters":{{"x":{deep}}}}}}}],"deep":{deep}}}"#
    );
    read(Form::Chat, &body).unwrap();
    let nested = format!(
        r#"{{"type":"thinking","thinking":[{}{}]}}"#,
        r#"{"type":"thinking","thinking":["#.repeat(500),
        "]}".repeat(500)
    );
    let body = format!(r#"{{"messages":[{{"role":"user","content":[{nested}]}}]}}"#);
    assert!(read(Form::Chat, &body).is_err());
}

#[test]
fn halves_of_pairs_and_escaped_words_are_read() {
    let body = r#"{"messages":[{"r\u006fle":"us\u0065r","content":"a\ud83d"},{"role":"assistant","tool_calls":[{"id":"\u0063","function":{"name":"f","arguments":"{\"a\":\"\ud83d\\ud83d\"}"}}]},{"role":"tool","tool_call_id":"c","content":"\udc00"}]}"#;
    let done = request(Form::Chat, Form::Chat, body.as_bytes(), Wanted::default()).unwrap();
    let text = String::from_utf8(done.body.to_vec()).unwrap();
    assert!(text.contains(r#""content":"a\ud83d""#) && text.contains(r#""content":"\udc00""#), "{text}");
}
