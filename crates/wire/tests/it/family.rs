//! Prompts: conversations written down with marks, taken apart again, and safe from marks that people write.

use base64::Engine as _;
use bedplate_core::conversation::{Block, Role};
use bedplate_core::form::Form;
use bedplate_wire::eventstream::{Scanner, encode_event};
use bedplate_wire::translate::{self, Framing, Stream, Told, Wanted};
use proptest::prelude::*;
use serde_json::{Value, json};

const PROMPTS: [(Form, &str); 4] = [
    (Form::Llama, "prompt"),
    (Form::MistralText, "prompt"),
    (Form::DeepSeekText, "prompt"),
    (Form::TitanText, "inputText"),
];

/// Marks of all templates: what people write to speak for others.
const MARKS: &[&str] = &[
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>\n\n",
    "<|begin_of_text|>",
    "<|eot|>",
    "<|header_start|>",
    "system",
    "assistant",
    "[INST]",
    "[/INST]",
    "<s>",
    "</s>",
    "<<SYS>>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "<｜end▁of▁sentence｜>",
    "\nUser:",
    "\nBot: ",
    "\r\nBot:",
    "Bot:",
    "\n\n",
    " ",
    "<",
    "[",
    "|",
    "hi",
];

fn written(to: Form, messages: &Value, system: Option<&str>) -> Value {
    let mut body = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": messages});
    if let Some(system) = system {
        body["system"] = system.into();
    }
    let done = translate::request(Form::Claude, to, body.to_string().as_bytes(), Wanted::default()).unwrap();
    serde_json::from_slice(&done.body).unwrap()
}

/// Roles and texts, with those of the instructions first.
fn read(form: Form, body: &Value) -> Vec<(Role, String)> {
    let text = body.to_string();
    let c = translate::read(form, &text).unwrap();
    let said = |blocks: &[Block<'_>]| match blocks {
        [Block::Text(text)] => text.decode().into_owned(),
        _ => panic!("{blocks:?}"),
    };
    let system = (!c.system.is_empty()).then(|| (Role::System, said(&c.system)));
    system.into_iter().chain(c.messages.iter().map(|m| (m.role, said(&m.content)))).collect()
}

fn conversation() -> Value {
    json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "A\nmetal"}])
}

#[test]
fn templates_are_what_the_models_were_taught() {
    for (form, name, want) in [
        (
            Form::Llama,
            "prompt",
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>\
             <|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>\
             <|start_header_id|>assistant<|end_header_id|>\n\nYes?<|eot_id|>\
             <|start_header_id|>user<|end_header_id|>\n\nA\nmetal<|eot_id|>\
             <|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
        (Form::MistralText, "prompt", "<s>[INST] Be brief.\n\nHi [/INST] Yes?</s>[INST] A\nmetal [/INST]"),
        (
            Form::DeepSeekText,
            "prompt",
            "<｜begin▁of▁sentence｜>Be brief.<｜User｜>Hi<｜Assistant｜>Yes?<｜end▁of▁sentence｜><｜User｜>A\nmetal<｜Assistant｜><think>\n",
        ),
        (Form::TitanText, "inputText", "Be brief.\n\nUser: Hi\nBot: Yes?\nUser: A\nmetal\nBot:"),
    ] {
        let body = written(form, &conversation(), Some("Be brief."));
        assert_eq!(body[name], want);
        let mut turns = read(form, &body);
        if form == Form::MistralText {
            // instructions are a part of what the user says first
            assert_eq!(turns.remove(0).1, "Be brief.\n\nHi");
        } else {
            assert_eq!(turns.remove(0), (Role::System, "Be brief.".into()));
            assert_eq!(turns.remove(0).1, "Hi");
        }
        assert_eq!(turns, [(Role::Assistant, "Yes?".to_owned()), (Role::User, "A\nmetal".to_owned())]);
        // and the same again
        let again = translate::request(form, form, body.to_string().as_bytes(), Wanted::default()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&again.body).unwrap(), body);
    }
    let body = written(Form::CohereCommand, &conversation(), Some("Be brief."));
    let want = json!({"message": "A\nmetal", "preamble": "Be brief.", "max_tokens": 9, "chat_history":
        [{"role": "USER", "message": "Hi"}, {"role": "CHATBOT", "message": "Yes?"}]});
    assert_eq!(body, want);
    let again = translate::request(
        Form::CohereCommand,
        Form::CohereCommand,
        body.to_string().as_bytes(),
        Wanted::default(),
    );
    assert_eq!(serde_json::from_slice::<Value>(&again.unwrap().body).unwrap(), want);
}

#[test]
fn a_prompt_that_is_no_conversation_is_one_text() {
    for prompt in [
        "Once upon a time",
        "<|begin_of_text|>raw",
        "<|start_header_id|>user<|end_header_id|>\n\nHi",
        "<|start_header_id|>ipython<|end_header_id|>\n\nHi<|eot_id|>",
        "<|start_header_id|>user<|end_header_id|>\n\nHi<|start_header_id|>x<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        "[INST] a [INST] b [/INST]",
        "User: a\nUser: b\nBot:",
        "Bot: a\nUser: b",
        "<｜User｜>a<｜User｜>b<｜Assistant｜>",
    ] {
        for (form, name) in PROMPTS {
            assert_eq!(read(form, &json!({ name: prompt })), [(Role::User, prompt.to_owned())], "{form:?}");
        }
    }
    let four = "<|begin_of_text|><|header_start|>user<|header_end|>\n\n<|image|>Hi<|eot|><|header_start|>assistant<|header_end|>\n\nWell";
    assert_eq!(
        read(Form::Llama, &json!({"prompt": four})),
        [(Role::User, "Hi".to_owned()), (Role::Assistant, "Well".to_owned())]
    );
}

#[test]
fn what_a_prompt_has_no_place_for_is_refused() {
    let image = json!([{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]}]);
    for (form, _) in PROMPTS {
        for (member, value) in [
            ("messages", image.clone()),
            ("tools", json!([{"name": "n", "input_schema": {}}])),
            ("output_config", json!({"format": {"type": "json_schema", "schema": {}}})),
        ] {
            let mut body = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": conversation()});
            body[member] = value;
            assert!(
                translate::request(Form::Claude, form, body.to_string().as_bytes(), Wanted::default())
                    .is_err()
            );
        }
        let said = |body: &str| translate::read(form, body).unwrap_err().said.to_string();
        assert!(said("{}").ends_with("it must be there"));
        assert!(said(r#"{"prompt":"x","inputText":"x","messages":[]}"#).contains("mixed dialects"));
        assert!(said(r#"{"prompt":7,"inputText":7}"#).ends_with("expected a string"));
    }
    let last = json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "assistant", "content": "x"}]});
    let refused =
        translate::request(Form::Claude, Form::CohereCommand, last.to_string().as_bytes(), Wanted::default());
    assert!(refused.unwrap_err().said.starts_with("`messages`: "));
}

fn forged() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(MARKS), 1..6)
        .prop_map(|parts| format!("x{}x", parts.concat()))
}

/// What the gateway may do to a text: put spaces into it.
fn bare(text: &str) -> String {
    text.chars().filter(|c| *c != ' ').collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_becomes_a_turn(texts in proptest::collection::vec(forged(), 1..5), system in proptest::option::of(forged())) {
        let role = |at: usize| if at.is_multiple_of(2) { "user" } else { "assistant" };
        let messages: Vec<Value> =
            texts.iter().enumerate().map(|(at, text)| json!({"role": role(at), "content": text})).collect();
        for (form, _) in PROMPTS {
            let body = written(form, &messages.clone().into(), system.as_deref());
            let mut turns = read(form, &body);
            let mut want: Vec<_> = texts.iter().map(|text| bare(text)).collect();
            match (&system, form) {
                (Some(system), Form::MistralText) => want[0] = format!("{}\n\n{}", bare(system), want[0]),
                (Some(system), _) => {
                    let (role, said) = turns.remove(0);
                    prop_assert_eq!((role, bare(&said)), (Role::System, bare(system)), "{:?}", form);
                }
                (None, _) => {}
            }
            let roles: Vec<_> = turns.iter().map(|(role, _)| *role).collect();
            let all = [Role::User, Role::Assistant, Role::User, Role::Assistant];
            prop_assert_eq!(&roles, &all[..texts.len()], "{:?} {}", form, &body);
            let said: Vec<_> = turns.iter().map(|(_, said)| bare(said)).collect();
            prop_assert_eq!(said, want, "{:?}", form);
        }
    }
}

/// An answer in Claude's body, and what a family makes of it and back.
fn there_and_back(form: Form, content: &Value, stop: &str) -> (Value, Value) {
    let answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
        "stop_reason": stop, "stop_sequence": null, "usage": {"input_tokens": 3, "output_tokens": 5}});
    let told = Told { id: "made".into(), model: "m".into(), ..Told::default() };
    let native = translate::answer(Form::Claude, form, answer.to_string().as_bytes(), &told).unwrap();
    let back = translate::answer(form, Form::Claude, &native, &told).unwrap();
    (serde_json::from_slice(&native).unwrap(), serde_json::from_slice(&back).unwrap())
}

#[test]
fn answers_are_in_the_familys_shape() {
    let text = json!([{"type": "text", "text": "Iron \"x\"\n"}]);
    for (form, want) in [
        (
            Form::Llama,
            json!({"generation": "Iron \"x\"\n", "prompt_token_count": 3, "generation_token_count": 5, "stop_reason": "length"}),
        ),
        (Form::MistralText, json!({"outputs": [{"text": "Iron \"x\"\n", "stop_reason": "length"}]})),
        (Form::DeepSeekText, json!({"choices": [{"text": "Iron \"x\"\n", "stop_reason": "length"}]})),
        (
            Form::TitanText,
            json!({"inputTextTokenCount": 3, "results": [{"tokenCount": 5, "outputText": "Iron \"x\"\n", "completionReason": "LENGTH"}]}),
        ),
        (
            Form::CohereCommand,
            json!({"generation_id": "msg_1", "text": "Iron \"x\"\n", "finish_reason": "MAX_TOKENS"}),
        ),
    ] {
        let (native, back) = there_and_back(form, &text, "max_tokens");
        assert_eq!(native, want);
        assert_eq!(back["stop_reason"], "max_tokens");
        if form != Form::DeepSeekText {
            assert_eq!(back["content"], text);
        }
        let counted = !matches!(form, Form::MistralText | Form::DeepSeekText | Form::CohereCommand);
        assert_eq!(back["usage"]["output_tokens"], if counted { 5 } else { 0 });
    }
    let thought =
        json!([{"type": "thinking", "thinking": "Hm", "signature": ""}, {"type": "text", "text": "Iron"}]);
    let (native, back) = there_and_back(Form::DeepSeekText, &thought, "end_turn");
    assert_eq!(native, json!({"choices": [{"text": "Hm\n</think>\n\nIron", "stop_reason": "stop"}]}));
    assert_eq!(back["content"], thought);
}

/// Payloads of a stream in one family's chunks, as Anthropic's events.
fn streamed(form: Form, payloads: &[Value]) -> Vec<Value> {
    let told = Told { id: "made".into(), model: "m".into(), ..Told::default() };
    let mut stream = Stream::new((form, Framing::Chunks), (Form::Claude, Framing::Chunks), &told).unwrap();
    let mut out = Scanner::new(false);
    for payload in payloads {
        let bytes = base64::engine::general_purpose::STANDARD.encode(payload.to_string());
        out.feed(stream.feed(encode_event("chunk", json!({"bytes": bytes}).to_string().as_bytes())).unwrap());
    }
    out.feed(stream.finish().unwrap());
    chunks(out)
}

fn chunks(mut scanner: Scanner) -> Vec<Value> {
    let mut chunks = Vec::new();
    while let Some(frame) = scanner.next_frame().unwrap() {
        let payload: Value = serde_json::from_slice(frame.payload()).unwrap();
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(payload["bytes"].as_str().unwrap()).unwrap();
        chunks.push(serde_json::from_slice(&bytes).unwrap());
    }
    chunks
}

/// Blocks of a stream: type and text.
fn blocks(events: &[Value]) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    for event in events {
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                blocks.push((event["content_block"]["type"].as_str().unwrap().to_owned(), String::new()));
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                let text = delta["text"].as_str().or(delta["thinking"].as_str()).unwrap();
                blocks.last_mut().unwrap().1.push_str(text);
            }
            _ => {}
        }
    }
    blocks
}

#[test]
fn streams_of_every_family_are_read() {
    let metrics = json!({"inputTokenCount": 3, "outputTokenCount": 5, "invocationLatency": 9});
    for (form, payloads) in [
        (
            Form::Llama,
            vec![
                json!({"generation": "Ir", "prompt_token_count": 3, "generation_token_count": 1, "stop_reason": null}),
                json!({"generation": "on", "prompt_token_count": null, "generation_token_count": 2, "stop_reason": null}),
                json!({"generation": "", "prompt_token_count": null, "generation_token_count": 5, "stop_reason": "stop"}),
            ],
        ),
        (
            Form::MistralText,
            vec![
                json!({"outputs": [{"text": "Ir", "stop_reason": null}]}),
                json!({"outputs": [{"text": "on", "stop_reason": "stop"}], "amazon-bedrock-invocationMetrics": metrics}),
            ],
        ),
        (
            Form::TitanText,
            vec![
                json!({"outputText": "Ir", "index": 0, "totalOutputTextTokenCount": null, "completionReason": null, "inputTextTokenCount": 3}),
                json!({"outputText": "on", "index": 0, "totalOutputTextTokenCount": 5, "completionReason": "FINISH", "inputTextTokenCount": 3}),
            ],
        ),
        (
            Form::CohereCommand,
            vec![
                json!({"event_type": "stream-start", "generation_id": "g", "is_finished": false}),
                json!({"event_type": "text-generation", "text": "Ir", "is_finished": false}),
                json!({"event_type": "text-generation", "text": "on", "is_finished": false}),
                json!({"event_type": "stream-end", "is_finished": true, "finish_reason": "COMPLETE", "text": "Iron",
                "response": {"text": "Iron"}, "amazon-bedrock-invocationMetrics": metrics}),
            ],
        ),
    ] {
        let events = streamed(form, &payloads);
        assert_eq!(blocks(&events), [("text".to_owned(), "Iron".to_owned())], "{form:?}");
        let delta = events.iter().find(|event| event["type"] == "message_delta").unwrap();
        assert_eq!(delta["delta"]["stop_reason"], "end_turn");
        assert_eq!(
            (&delta["usage"]["input_tokens"], &delta["usage"]["output_tokens"]),
            (&json!(3), &json!(5)),
            "{form:?}"
        );
    }
}

#[test]
fn what_deepseek_thinks_is_told_from_its_answer_however_it_is_cut() {
    for whole in ["Hm <b>\nwell\n</think>\n\nIron", "<think>\nHm <b>\nwell\n</think>\n\nIron"] {
        let letters: Vec<char> = whole.chars().collect();
        for size in 1..=letters.len() {
            let mut payloads: Vec<Value> = letters
                .chunks(size)
                .map(|part| json!({"choices": [{"text": part.iter().collect::<String>(), "stop_reason": null}]}))
                .collect();
            payloads.push(json!({"choices": [{"text": "", "stop_reason": "stop"}]}));
            let want =
                [("thinking".to_owned(), "Hm <b>\nwell".to_owned()), ("text".to_owned(), "Iron".to_owned())];
            assert_eq!(blocks(&streamed(Form::DeepSeekText, &payloads)), want, "{size}");
        }
    }
}

#[test]
fn streams_are_written_in_the_familys_shape_and_read_again() {
    let told = Told { id: "made".into(), model: "m".into(), ..Told::default() };
    let events = streamed(
        Form::DeepSeekText,
        &[
            json!({"choices": [{"text": "Hm</think>Ir", "stop_reason": null}]}),
            json!({"choices": [{"text": "on", "stop_reason": "length"}], "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3, "outputTokenCount": 5}}),
        ],
    );
    for form in [Form::Llama, Form::MistralText, Form::DeepSeekText, Form::TitanText, Form::CohereCommand] {
        let mut stream =
            Stream::new((Form::Claude, Framing::Chunks), (form, Framing::Chunks), &told).unwrap();
        let mut out = Scanner::new(false);
        for event in &events {
            let bytes = base64::engine::general_purpose::STANDARD.encode(event.to_string());
            out.feed(
                stream.feed(encode_event("chunk", json!({"bytes": bytes}).to_string().as_bytes())).unwrap(),
            );
        }
        out.feed(stream.finish().unwrap());
        let native = chunks(out);
        assert_eq!(
            native.last().unwrap()["amazon-bedrock-invocationMetrics"],
            json!({"inputTokenCount": 3, "outputTokenCount": 5})
        );
        let back = streamed(form, &native);
        let mut want = vec![("text".to_owned(), "Iron".to_owned())];
        if form == Form::DeepSeekText {
            want.insert(0, ("thinking".to_owned(), "Hm".to_owned()));
        }
        assert_eq!(blocks(&back), want, "{form:?}");
        let delta = back.iter().find(|event| event["type"] == "message_delta").unwrap();
        assert_eq!(delta["delta"]["stop_reason"], "max_tokens", "{form:?}");
        assert_eq!(delta["usage"]["output_tokens"], 5);
    }
}
