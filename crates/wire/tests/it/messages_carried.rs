//! What Anthropic's messages say they carry is what is written; what they do not is gone, and said.

use bedplate_core::conversation::{Carry, Feature};
use bedplate_core::form::Form;
use bedplate_wire::translate::{self, Wanted};
use serde_json::{Value, json};

/// Bodies of other forms that hold a feature, and where it stands in a native body when it is carried.
fn holding(feature: Feature) -> Option<(Form, Value, &'static str)> {
    let chat = |extra: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
        merge(&mut body, extra);
        (Form::Chat, body)
    };
    let converse = |extra: Value| {
        let mut body = json!({"messages": [{"role": "user", "content": [{"text": "x"}]}]});
        merge(&mut body, extra);
        (Form::Converse, body)
    };
    let block =
        |block: Value| converse(json!({"messages": [{"role": "user", "content": [{"text": "x"}, block]}]}));
    let used = json!({"toolUse": {"toolUseId": "t", "name": "n", "input": {"a": 1}}});
    let result = |content: Value, status: &str| {
        let result = json!({"toolResult": {"toolUseId": "t", "content": content, "status": status}});
        converse(
            json!({"messages": [{"role": "user", "content": [{"text": "x"}]}, {"role": "assistant", "content": [used]},
            {"role": "user", "content": [result]}], "toolConfig": {"tools": [tool(json!({}))]}}),
        )
    };
    let said = |block: Value| {
        converse(
            json!({"messages": [{"role": "user", "content": [{"text": "x"}]}, {"role": "assistant", "content": [block]},
            {"role": "user", "content": [{"text": "y"}]}]}),
        )
    };
    let tools = |choice: Value| {
        let mut body = json!({"toolConfig": {"tools": [tool(json!({"strict": true}))]}});
        merge(&mut body["toolConfig"], choice);
        converse(body)
    };
    let image = json!({"image": {"format": "png", "source": {"bytes": "aGk="}}});
    let ((form, body), at) = match feature {
        Feature::System => (converse(json!({"system": [{"text": "s"}]})), "/system/0/text"),
        Feature::Text => (converse(json!({})), "/messages/0/content/0/text"),
        Feature::Image => (block(image), "/messages/0/content/1/source/data"),
        Feature::Document => (
            block(json!({"document": {"name": "d", "format": "pdf", "source": {"bytes": "aGk="}}})),
            "/messages/0/content/1/source/data",
        ),
        Feature::DocumentContext => (
            block(
                json!({"document": {"name": "d", "format": "pdf", "context": "c", "source": {"bytes": "aGk="}}}),
            ),
            "/messages/0/content/1/context",
        ),
        Feature::Cite => (
            block(
                json!({"document": {"name": "d", "format": "pdf", "citations": {"enabled": true}, "source": {"bytes": "aGk="}}}),
            ),
            "/messages/0/content/1/citations/enabled",
        ),
        Feature::Video => (block(json!({"video": {"format": "mp4", "source": {"bytes": "aGk="}}})), ""),
        Feature::Audio => (block(json!({"audio": {"format": "wav", "source": {"bytes": "aGk="}}})), ""),
        Feature::S3 => {
            (block(json!({"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}})), "")
        }
        Feature::ToolUse => (result(json!([{"text": "r"}]), "success"), "/messages/1/content/0/input/a"),
        Feature::ToolResult => {
            (result(json!([{"text": "r"}]), "success"), "/messages/2/content/0/content/0/text")
        }
        Feature::ToolFailed => (result(json!([{"text": "r"}]), "error"), "/messages/2/content/0/is_error"),
        Feature::Reasoning => (
            said(json!({"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}})),
            "/messages/1/content/0/signature",
        ),
        Feature::RedactedReasoning => {
            (said(json!({"reasoningContent": {"redactedContent": "aGk="}})), "/messages/1/content/0/data")
        }
        Feature::CachePoint => {
            (block(json!({"cachePoint": {"type": "default"}})), "/messages/0/content/0/cache_control/type")
        }
        Feature::CacheTtl => (
            block(json!({"cachePoint": {"type": "default", "ttl": "1h"}})),
            "/messages/0/content/0/cache_control/ttl",
        ),
        Feature::Tool => (tools(json!({})), "/tools/0/input_schema/type"),
        Feature::StrictTool => (tools(json!({})), "/tools/0/strict"),
        Feature::ToolChoice => (tools(json!({"toolChoice": {"tool": {"name": "n"}}})), "/tool_choice/name"),
        Feature::SystemTool => {
            (converse(json!({"toolConfig": {"tools": [{"systemTool": {"name": "x"}}]}})), "")
        }
        Feature::MaxTokens => (converse(json!({"inferenceConfig": {"maxTokens": 7}})), "/max_tokens"),
        Feature::Temperature => (converse(json!({"inferenceConfig": {"temperature": 0.5}})), "/temperature"),
        Feature::TopP => (converse(json!({"inferenceConfig": {"topP": 0.5}})), "/top_p"),
        Feature::Stop => {
            (converse(json!({"inferenceConfig": {"stopSequences": ["s"]}})), "/stop_sequences/0")
        }
        Feature::Field => (converse(json!({"additionalModelRequestFields": {"novel": 1}})), "/novel"),
        Feature::Guardrail => {
            (converse(json!({"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}})), "")
        }
        Feature::FrequencyPenalty => (chat(json!({"frequency_penalty": 0.5})), "/frequency_penalty"),
        Feature::PresencePenalty => (chat(json!({"presence_penalty": 0.5})), "/presence_penalty"),
        Feature::Seed => (chat(json!({"seed": 5})), "/seed"),
        Feature::LogitBias => (chat(json!({"logit_bias": {"5": 1}})), ""),
        Feature::Logprobs => (chat(json!({"logprobs": true})), ""),
        Feature::Answers => (chat(json!({"n": 2})), ""),
        Feature::OutputJson => (chat(json!({"response_format": {"type": "json_object"}})), ""),
        Feature::User => (chat(json!({"user": "u"})), "/metadata/user_id"),
        Feature::MessageName => {
            (chat(json!({"messages": [{"role": "user", "name": "n", "content": "x"}]})), "/messages/0/name")
        }
        _ => return None,
    };
    Some((form, body, at))
}

fn tool(extra: Value) -> Value {
    let mut spec = json!({"name": "n", "inputSchema": {"json": {"type": "object"}}});
    merge(&mut spec, extra);
    json!({ "toolSpec": spec })
}

fn merge(body: &mut Value, extra: Value) {
    if let Value::Object(extra) = extra {
        for (name, value) in extra {
            body[name] = value;
        }
    }
}

#[test]
fn what_is_carried_is_written_and_what_is_not_is_said() {
    let mut seen = 0;
    for feature in Feature::ALL {
        let Some((form, body, at)) = holding(*feature) else { continue };
        seen += 1;
        let wanted = Wanted { model: "anthropic.claude", ..Wanted::default() };
        let done = translate::request(form, Form::Claude, body.to_string().as_bytes(), wanted);
        match translate::carries(Form::Claude, *feature).unwrap() {
            Carry::Refused(why) => {
                let said = done.err().unwrap_or_else(|| panic!("{feature:?} is not refused")).said;
                assert!(said.contains(why), "{feature:?}: {said}");
            }
            carry => {
                let done = done.unwrap_or_else(|refusal| panic!("{feature:?}: {}", refusal.said));
                let after: Value = serde_json::from_slice(&done.body).unwrap();
                let there = after.pointer(at).is_some();
                let said = done.dropped.iter().any(|dropped| dropped.feature == *feature);
                assert_eq!(
                    (there, said),
                    (carry == Carry::Carried, carry == Carry::Dropped),
                    "{feature:?} {after}"
                );
                // and it is a body of the form
                translate::read(Form::Claude, std::str::from_utf8(&done.body).unwrap()).unwrap();
            }
        }
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn tokens_of_other_families_are_counted_as_conversations() {
    let body = json!({"model": "m", "system": "s", "messages": [{"role": "user", "content": "How long?"}],
        "tools": [{"name": "n", "input_schema": {"type": "object"}}]});
    let wanted = Wanted { model: "amazon.nova-lite-v1:0", ..Wanted::default() };
    let asked = bedplate_wire::anthropic::count_tokens::request(body.to_string().as_bytes(), wanted).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&asked.body).unwrap(),
        json!({"input": {"converse": {"messages": [{"role": "user", "content": [{"text": "How long?"}]}],
            "system": [{"text": "s"}],
            "toolConfig": {"tools": [{"toolSpec": {"name": "n", "inputSchema": {"json": {"type": "object"}}}}]}}}})
    );
}
