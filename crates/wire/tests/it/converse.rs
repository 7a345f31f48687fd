//! Converse into the normal form and back.

mod crossing;
mod nova;
mod streams;

use bedplate_core::conversation::{Block, Conversation, Output, Role, Thinking, Told, ToolChoice, ToolItem};
use bedplate_core::form::Form;
use bedplate_core::refusal::Code;
use bedplate_wire::translate::{self, Wanted};
use serde_json::{Value, json};

use crate::samples::folder;

/// What becomes of a Converse request that goes to Converse.
fn again(body: &Value, model: &str) -> Value {
    let wanted = Wanted { model, ..Wanted::default() };
    let made =
        translate::request(Form::Converse, Form::Converse, body.to_string().as_bytes(), wanted).unwrap();
    assert!(made.dropped.is_empty(), "{:?}", made.dropped);
    serde_json::from_slice(&made.body).unwrap()
}

fn refused(body: &Value) -> (Code, String) {
    let refusal = translate::read(Form::Converse, &body.to_string()).unwrap_err();
    (refusal.code, refusal.to_string())
}

#[test]
fn every_stored_request_comes_back_as_it_was() {
    let mut seen = 0;
    for (name, sample) in folder("requests") {
        let operation = sample["operation"].as_str().unwrap();
        if !operation.starts_with("Converse") {
            continue;
        }
        let body = &sample["wire"]["body"];
        let model = sample["params"]["modelId"].as_str().unwrap();
        // what a managed prompt's name and an application profile's stand for is not known: nothing is said by family
        let model = if name == "converse-text" { "amazon.nova-lite-v1:0" } else { model };
        assert_eq!(&again(body, model), body, "{name}");
        seen += 1;
    }
    assert!(seen >= 9, "only {seen}");
}

/// One of everything that the form models.
pub(crate) fn everything() -> Value {
    let s3 = json!({"s3Location": {"uri": "s3://media/a.bin", "bucketOwner": "123456789012"}});
    json!({
        "system": [
            {"text": "Be \"short\"\n"},
            {"guardContent": {"text": {"text": "Refunds.", "qualifiers": ["grounding_source", "query"]}}},
            {"cachePoint": {"type": "default", "ttl": "1h"}},
        ],
        "messages": [
            {"role": "user", "content": [
                {"text": "é\u{1f600}"},
                {"image": {"format": "png", "source": {"bytes": "aGk="}}},
                {"video": {"format": "mp4", "source": s3}},
                {"audio": {"format": "wav", "source": {"bytes": "aGk="}}},
                {"document": {"name": "a", "format": "pdf", "source": {"bytes": "aGk="}, "context": "c", "citations": {"enabled": true}}},
                {"document": {"name": "b", "source": {"text": "plain"}}},
                {"document": {"name": "c", "source": {"content": [{"text": "one"}, {"text": "two"}]}}},
                {"searchResult": {"source": "s", "title": "t", "content": [{"text": "x"}], "citations": {"enabled": false}}},
                {"guardContent": {"image": {"format": "jpeg", "source": {"bytes": "aGk="}}}},
                {"cachePoint": {"type": "default"}},
                {"newestBlock": {"x": [1, null]}},
                {"image": {"format": "png", "source": {"bytes": "aGk="}, "error": {"message": "none"}}},
            ]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
                {"reasoningContent": {"redactedContent": "aGk="}},
                {"citationsContent": {"content": [{"text": "A."}], "citations": [
                    {"title": "t", "source": "s", "sourceContent": [{"text": "q"}], "location": {"documentChar": {"documentIndex": 0, "start": 1, "end": 2}}},
                    {"location": {"documentPage": {"documentIndex": 1, "start": 1, "end": 2}}},
                    {"location": {"documentChunk": {"documentIndex": 2, "start": 1, "end": 2}}},
                    {"location": {"searchResultLocation": {"searchResultIndex": 0, "start": 1, "end": 2}}},
                    {"location": {"web": {"url": "https://a.example", "domain": "a.example"}}},
                    {"location": {"newest": {"at": 1}}, "newest": true},
                ]}},
                {"toolUse": {"toolUseId": "tooluse_1", "name": "look", "input": {"a": [1.50, "x"]}}},
                {"toolUse": {"toolUseId": "srv:1.a", "name": "web", "input": {}, "type": "server_tool_use"}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "tooluse_1", "status": "error", "content": [
                    {"text": "no"}, {"json": null}, {"json": {"a": 1}},
                    {"image": {"format": "png", "source": {"bytes": "aGk="}}},
                    {"searchResult": {"source": "s", "title": "t", "content": [{"text": "x"}]}},
                ]}},
                {"toolResult": {"toolUseId": "srv:1.a", "content": [], "type": "web_search_result", "status": "success"}},
            ]},
            {"role": "system", "content": [
                {"text": "Verified."},
                {"toolAddition": {"tool": {"type": "tool_reference", "name": "more"}}},
                {"toolRemoval": {"tool": {"name": "less"}}},
            ], "newest": 1},
            {"role": "user", "content": [{"text": "And?"}]},
        ],
        "inferenceConfig": {"maxTokens": 9, "temperature": 1e-1, "topP": 0.50, "stopSequences": ["#", "\n"], "newest": 1},
        "toolConfig": {"tools": [
            {"toolSpec": {"name": "look", "description": "d", "inputSchema": {"json": {"type": "object"}}, "strict": true, "newest": 1}},
            {"systemTool": {"name": "web"}},
            {"cachePoint": {"type": "default", "ttl": "5m"}},
            {"newestTool": {}},
        ], "toolChoice": {"tool": {"name": "look"}}, "newest": {}},
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1", "trace": "enabled"},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}, "top_k": 7, "anthropic_beta": ["x-1"], "newest": {"a": null}},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
        "requestMetadata": {"team": "a b"},
        "performanceConfig": {"latency": "optimized", "newest": 1},
        "serviceTier": {"type": "priority"},
        "outputConfig": {"effort": "high", "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "n", "description": "d", "schema": "{\"type\": \"object\", \"title\": \"é\"}"}}}},
        "newest": [true],
    })
}

pub(crate) const CLAUDE: &str = "us.anthropic.claude-opus-5";

#[test]
fn everything_comes_back_as_it_was() {
    let body = everything();
    assert_eq!(again(&body, CLAUDE), body);
}

#[test]
fn what_is_a_member_elsewhere_is_one_of_the_form() {
    let text = everything().to_string();
    let c: Conversation<'_> = translate::read(Form::Converse, &text).unwrap();
    assert_eq!(c.thinking, Some(Thinking::On { budget: Some(2_000) }));
    assert_eq!(c.sampling.top_k.as_ref().unwrap().raw(), "7");
    assert!(c.betas[0].is("x-1") && c.effort.as_ref().unwrap().is("high"));
    assert_eq!(c.fields.iter().map(|m| &*m.name).collect::<Vec<_>>(), ["newest"]);
    assert!(
        matches!(&c.output, Some(Output::Schema { schema, .. }) if schema.raw().starts_with("{\"type\""))
    );
    assert!(matches!(&c.tool_choice, Some(ToolChoice::Named(name)) if name.is("look")));
    assert!(matches!(&c.tools[3], ToolItem::Foreign { form: Form::Converse, .. }));
    assert_eq!(c.messages[3].role, Role::System);
    let foreign = |block: &&Block<'_>| matches!(block, Block::Foreign { .. });
    assert_eq!(c.messages[0].content.iter().filter(foreign).count(), 2);
    let rest: Vec<_> = c.rest.members.iter().map(|m| &*m.name).collect();
    let want = [
        "newest",
        "messages[3].newest",
        "inferenceConfig.newest",
        "toolConfig.newest",
        "performanceConfig.newest",
    ];
    assert_eq!(rest, want);
}

#[test]
fn each_family_is_told_in_its_own_words() {
    for (model, fields, output) in [
        (
            CLAUDE,
            json!({"thinking": {"type": "enabled", "budget_tokens": 2_000}, "top_k": 7}),
            json!({"effort": "high"}),
        ),
        (
            "amazon.nova-2-lite-v1:0",
            json!({"inferenceConfig": {"topK": 7}, "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
            Value::Null,
        ),
    ] {
        let mut asked = json!({"messages": [{"role": "user", "content": [{"text": "a"}]}], "additionalModelRequestFields": fields});
        if !output.is_null() {
            asked["outputConfig"] = output;
        }
        assert_eq!(again(&asked, model), asked, "{model}");
    }
    let ask = |fields: Value| json!({"messages": [{"role": "user", "content": [{"text": "a"}]}], "additionalModelRequestFields": fields});
    for (model, fields) in [
        ("openai.gpt-oss-120b-1:0", json!({"reasoning_effort": "low"})),
        ("us.openai.gpt-5.6", json!({"reasoning": {"effort": "low"}})),
        ("mistral.mistral-large-3", json!({"top_k": 3, "safe": true})),
        ("amazon.nova-2-lite-v1:0", json!({"reasoningConfig": {"type": "disabled"}})),
        // in another form than is known, or said twice: as it stood
        (
            CLAUDE,
            json!({"thinking": {"type": "enabled", "budget_tokens": 9, "display": "none"}, "top_k": "7"}),
        ),
        (
            CLAUDE,
            json!({"thinking": "on", "anthropic_beta": "x", "reasoning_effort": 7, "reasoningConfig": [], "inferenceConfig": {"topK": 7, "x": 1}}),
        ),
        (CLAUDE, json!({"thinking": {"type": "adaptive"}})),
        (CLAUDE, json!({"thinking": {"type": "disabled"}})),
    ] {
        assert_eq!(again(&ask(fields.clone()), model), ask(fields), "{model}");
    }
}

#[test]
fn our_pairs_and_our_tier_come_after_the_callers() {
    let ours: Vec<_> = (0..20).map(|n| (format!("bedplate:{n}"), "a|é b".to_owned())).collect();
    let body =
        json!({"messages": [{"role": "user", "content": [{"text": "a"}]}], "requestMetadata": {"own": "x"}});
    let wanted = Wanted { model: CLAUDE, metadata: &ours, tier: Some("flex"), ..Wanted::default() };
    let text = body.to_string();
    let made = translate::request(Form::Converse, Form::Converse, text.as_bytes(), wanted).unwrap();
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    let pairs = made["requestMetadata"].as_object().unwrap();
    assert_eq!((pairs.len(), &pairs["own"], &pairs["bedplate:14"]), (16, &json!("x"), &json!("a b")));
    assert_eq!(made["serviceTier"]["type"], "flex");
    let mut body = body;
    body["serviceTier"] = json!({"type": "priority"});
    let text = body.to_string();
    let made = translate::request(Form::Converse, Form::Converse, text.as_bytes(), wanted).unwrap();
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    assert_eq!(made["serviceTier"]["type"], "priority");
}

/// What is wrong, where it is said to be wrong, and what is said.
#[test]
fn what_the_service_would_refuse_is_refused_by_its_place() {
    let user = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    let with = |name: &str, value: Value| {
        let mut body = user(json!([{"text": "a"}]));
        body[name] = value;
        body
    };
    let result = json!({"toolResult": {"toolUseId": "secret", "content": []}});
    for (body, want) in [
        (json!([]), "expected an object"),
        (json!({"messages": []}), "`messages`: it holds nothing"),
        (json!({"messages": {}}), "`messages`: expected a list"),
        (json!({"messages": [{"content": [{"text": "a"}]}]}), "`messages[0].role`: it is missing"),
        (
            json!({"messages": [{"role": "tool", "content": [{"text": "a"}]}]}),
            "`messages[0].role`: expected `user`",
        ),
        (json!({"messages": [{"role": "user"}]}), "`messages[0].content`: it is missing"),
        (user(json!([])), "`messages[0].content`: it holds nothing"),
        (user(json!("secret")), "`messages[0].content`: expected a list"),
        (user(json!([{"text": 7}])), "`messages[0].content[0].text`: expected a string"),
        (user(json!([{"text": "a"}, {}])), "`messages[0].content[1]`: it has no member"),
        (user(json!([{"text": "a", "image": {}}])), "`messages[0].content[0]`: it has more than one member"),
        (user(json!([{"image": {"format": "png"}}])), "`messages[0].content[0].image.source`: it is missing"),
        (
            user(json!([{"image": {"format": "png", "source": {"bytes": 7}}}])),
            "image.source.bytes`: expected a string",
        ),
        (user(json!([{"document": {"source": {"bytes": "aGk="}}}])), "document.name`: it is missing"),
        (user(json!([{"toolUse": {"name": "a", "input": {}}}])), "toolUse.toolUseId`: it is missing"),
        (user(json!([{"toolUse": {"name": "a", "toolUseId": "b"}}])), "toolUse.input`: it is missing"),
        (
            user(json!([result])),
            "`messages[0].content[0].toolResult.toolUseId`: no use of a tool before it has this id",
        ),
        (
            user(
                json!([{"toolUse": {"name": "a", "toolUseId": "x", "input": {}}}, {"toolResult": {"toolUseId": "x", "content": [{"text": {}}]}}]),
            ),
            "`messages[0].content[1].toolResult.content[0].text`: expected a string",
        ),
        (
            user(json!([{"reasoningContent": {"reasoningText": {}}}])),
            "reasoningContent.reasoningText.text`: it is missing",
        ),
        (
            user(
                json!([{"citationsContent": {"citations": [{"location": {"documentChar": {"start": -1}}}]}}]),
            ),
            "citationsContent.citations[0].location.documentChar.start`: expected a whole number",
        ),
        (with("system", json!("be good")), "`system`: expected a list"),
        (with("system", json!([{"text": null}])), "`system[0].text`: expected a string"),
        (
            with("inferenceConfig", json!({"maxTokens": 0})),
            "`inferenceConfig.maxTokens`: expected at least 1",
        ),
        (
            with("inferenceConfig", json!({"maxTokens": "7"})),
            "`inferenceConfig.maxTokens`: expected a whole number",
        ),
        (
            with("inferenceConfig", json!({"temperature": "secret"})),
            "`inferenceConfig.temperature`: expected a number",
        ),
        (
            with("inferenceConfig", json!({"stopSequences": [1]})),
            "`inferenceConfig.stopSequences[0]`: expected a string",
        ),
        (with("toolConfig", json!({})), "`toolConfig.tools`: it is missing"),
        (with("toolConfig", json!({"tools": []})), "`toolConfig.tools`: it holds nothing"),
        (
            with("toolConfig", json!({"tools": [{"toolSpec": {"name": "a"}}]})),
            "`toolConfig.tools[0].toolSpec.inputSchema`: it is missing",
        ),
        (
            with(
                "toolConfig",
                json!({"tools": [{"toolSpec": {"name": "a", "inputSchema": {"json": "{}"}}}]}),
            ),
            "inputSchema.json`: expected an object",
        ),
        (
            with(
                "toolConfig",
                json!({"tools": [{"systemTool": {"name": "a"}}], "toolChoice": {"tool": {"name": "secret"}}}),
            ),
            "`toolConfig.toolChoice.tool.name`: no tool of the list has this name",
        ),
        (
            with(
                "toolConfig",
                json!({"tools": [{"systemTool": {"name": "a"}}], "toolChoice": {"auto": {}, "any": {}}}),
            ),
            "`toolConfig.toolChoice`: it has more than one member",
        ),
        (
            with(
                "outputConfig",
                json!({"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": {"type": "object"}}}}}),
            ),
            "`outputConfig.textFormat.structure.jsonSchema.schema`: expected a string",
        ),
        (
            with(
                "outputConfig",
                json!({"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "secret"}}}}),
            ),
            "schema`: expected an object of JSON, written as a string",
        ),
        (
            with("additionalModelRequestFields", json!([])),
            "`additionalModelRequestFields`: expected an object",
        ),
        (with("requestMetadata", json!({"a": 1})), "`requestMetadata`: expected strings"),
        (with("serviceTier", json!({})), "`serviceTier.type`: it is missing"),
        (with("serviceTier", json!("flex")), "`serviceTier`: expected an object"),
        (with("max_tokens", json!(7)), "`max_tokens`: another dialect's member"),
        (with("anthropic_version", json!("x")), "`anthropic_version`: another dialect's member"),
    ] {
        let (code, said) = refused(&body);
        assert!(said.contains(want), "{body}: {said}");
        assert_eq!(code, Code::BadValue, "{body}");
        assert!(!said.contains("secret"), "{said}");
    }
    let mut many = with("requestMetadata", json!({}));
    for n in 0..17 {
        many["requestMetadata"][format!("k{n}")] = json!("v");
    }
    assert!(refused(&many).1.contains("at most 16 pairs"));
}

#[test]
fn hostile_bodies_are_refused_or_read_in_linear_time() {
    let read = |text: &str| translate::read(Form::Converse, text).map(drop);
    // what is only carried may be as deep as it likes: nothing descends into it
    let used = |input: &str| {
        format!(
            r#"{{"messages":[{{"role":"user","content":[{{"toolUse":{{"toolUseId":"a","name":"b","input":{input}}}}}]}}]}}"#
        )
    };
    assert!(read(&used(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)))).is_ok());
    let nest = r#"{"toolResult":{"toolUseId":"a","content":["#;
    let nested = format!("{}{}", nest.repeat(50_000), "]}}".repeat(50_000));
    let nested = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"toolUse":{{"toolUseId":"a","name":"b","input":1}}}},{nested}]}}]}}"#
    );
    assert!(read(&nested).is_ok());
    for broken in ["", "{", r#"{"messages":[{"role":"user","content":[{"text":"a"}]}]"#, "null\u{0}"] {
        assert_eq!(read(broken).unwrap_err().code, Code::BadBody, "{broken}");
    }
    assert!(
        read(r#"{"messages":[{"role":"user","content":[{"text":"\ud83d"}]}],"system":[{"text":"\udc00x"}]}"#)
            .is_ok()
    );
    assert!(read(r#"{"messages":[],"messages":[]}"#).unwrap_err().to_string().contains("twice"));
    let turn = |n: usize| {
        format!(
            r#"{{"role":"assistant","content":[{{"toolUse":{{"toolUseId":"t{n}","name":"b","input":{{}}}}}}]}},{{"role":"user","content":[{{"toolResult":{{"toolUseId":"t{n}","content":[{{"text":"x"}}]}}}}]}}"#
        )
    };
    let turns: Vec<_> = (0..10_000).map(turn).collect();
    let long =
        format!(r#"{{"messages":[{{"role":"user","content":[{{"text":"a"}}]}},{}]}}"#, turns.join(","));
    let wanted = Wanted { model: CLAUDE, ..Wanted::default() };
    let made = translate::request(Form::Converse, Form::Converse, long.as_bytes(), wanted).unwrap();
    assert_eq!(made.body.len(), long.len());
    let schema = format!(
        r#"{{"type":"object","properties":{{{}}}}}"#,
        (0..50_000).map(|n| format!(r#""p{n}":{{"type":"string"}}"#)).collect::<Vec<_>>().join(",")
    );
    let giant = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"text":"a"}}]}}],"toolConfig":{{"tools":[{{"toolSpec":{{"name":"b","inputSchema":{{"json":{schema}}}}}}}]}}}}"#
    );
    let made = translate::request(Form::Converse, Form::Converse, giant.as_bytes(), wanted).unwrap();
    assert_eq!(&made.body[..], giant.as_bytes());
}

#[test]
fn every_stored_answer_comes_back_as_it_was() {
    let mut seen = 0;
    for (name, sample) in folder("responses") {
        if sample["operation"] != "Converse" {
            continue;
        }
        let body = &sample["body"];
        let made =
            translate::answer(Form::Converse, Form::Converse, body.to_string().as_bytes(), &Told::default());
        let made: Value = serde_json::from_slice(&made.unwrap()).unwrap();
        assert_eq!(&made, body, "{name}");
        seen += 1;
    }
    assert!(seen >= 6, "only {seen}");
}

#[test]
fn every_reason_to_stop_has_its_word_both_ways() {
    for word in [
        "end_turn",
        "tool_use",
        "max_tokens",
        "stop_sequence",
        "guardrail_intervened",
        "content_filtered",
        "malformed_model_output",
        "malformed_tool_use",
        "model_context_window_exceeded",
        "a_newer_one",
    ] {
        let body = json!({"output": {"message": {"role": "assistant", "content": []}}, "stopReason": word, "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}, "metrics": {"latencyMs": 4}});
        let made =
            translate::answer(Form::Converse, Form::Converse, body.to_string().as_bytes(), &Told::default());
        assert_eq!(serde_json::from_slice::<Value>(&made.unwrap()).unwrap(), body);
    }
    for broken in [
        "{}",
        "[]",
        "x",
        r#"{"output":{"other":{}},"stopReason":"end_turn"}"#,
        r#"{"output":{"message":{"content":[{"text":1}]}},"stopReason":"end_turn"}"#,
        r#"{"output":{"message":{}}}"#,
    ] {
        let refusal = translate::answer(Form::Converse, Form::Converse, broken.as_bytes(), &Told::default())
            .unwrap_err();
        assert_eq!(refusal.code, Code::BrokenAnswer, "{broken}");
    }
}
