//! Every stored stream through scanner and meter.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bedplate_core::call::{Headers, Operation};
use bedplate_core::usage::Unit;
use bedplate_wire::bedrock::Family;
use bedplate_wire::bedrock::usage::{Exception, Heard, Meter, Metered};
use bedplate_wire::eventstream::{Frame, Kind, encode_event};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::eventstream::{cut, scan};
use crate::samples::folder;

fn bytes(name: &str) -> Bytes {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/eventstream");
    Bytes::from(std::fs::read(dir.join(format!("{name}.bin"))).unwrap())
}

fn hear(operation: Operation, family: Family, frames: &[Frame]) -> (Vec<Heard>, Metered) {
    let mut meter = Meter::new(operation, family);
    let heard = frames.iter().map(|f| meter.frame(f)).collect();
    (heard, meter.finish())
}

fn stored(name: &str, operation: Operation, family: Family) -> (Vec<Heard>, Metered) {
    hear(operation, family, &scan(&[bytes(name)]).unwrap())
}

fn chunk(native: &Value) -> Bytes {
    let payload = json!({ "bytes": STANDARD.encode(native.to_string()), "p": "abcdef" });
    encode_event("chunk", payload.to_string().as_bytes())
}

fn chunks(family: Family, natives: &[Value]) -> (Vec<Heard>, Metered) {
    let frames = scan(&natives.iter().map(chunk).collect::<Vec<_>>()).unwrap();
    hear(Operation::InvokeModelWithResponseStream, family, &frames)
}

#[test]
fn stored_streams_have_the_frames_that_their_source_says() {
    let mut seen = 0;
    for (name, source) in folder("eventstream") {
        for size in [1, 7, 37, 4_096] {
            let frames = scan(&cut(&bytes(&name), &[size])).unwrap();
            let messages = source["messages"].as_array().unwrap();
            assert_eq!(frames.len(), messages.len(), "{name}");
            for (frame, message) in frames.iter().zip(messages) {
                let want = match (message["event"].as_str(), message["exception"].as_str()) {
                    (Some(event), _) => Kind::Event(event),
                    (_, Some(exception)) => Kind::Exception(exception),
                    _ => panic!("{name}"),
                };
                assert_eq!(frame.kind(), want, "{name}");
                let payload: Value = serde_json::from_slice(frame.payload()).unwrap();
                let members = message["payload"].as_object().unwrap();
                assert_eq!(payload.as_object().unwrap().len(), members.len(), "{name}");
                // what we would write is what is stored, byte for byte
                let ours = match want {
                    Kind::Event(event) => encode_event(event, frame.payload()),
                    Kind::Exception(e) => bedplate_wire::eventstream::encode_exception(e, frame.payload()),
                    _ => panic!("{name}"),
                };
                assert_eq!(ours, frame.raw(), "{name}");
            }
        }
        seen += 1;
    }
    assert!(seen >= 10);
}

#[test]
fn converse_streams_are_metered() {
    for (name, input, output, latency) in [
        ("converse-text", 19, 8, 530),
        ("converse-reasoning", 31, 64, 2_210),
        ("converse-guardrail-blocked", 40, 12, 910),
    ] {
        let (heard, metered) = stored(name, Operation::ConverseStream, Family::Nova);
        let usage = metered.usage.unwrap();
        assert_eq!((usage.input, usage.output), (input, output), "{name}");
        assert_eq!(metered.latency_ms, Some(latency), "{name}");
        assert!(metered.stop_reason.is_some());
        assert!(heard.last().unwrap().done && !heard[0].content, "{name}");
    }
    let (heard, metered) = stored("converse-text", Operation::ConverseStream, Family::Nova);
    assert!(heard[1].content);
    // as JSON writes it: an upper bound
    assert_eq!(
        metered.output_bytes,
        u64::try_from(r"It carries an engine \u2014 \u00e7a va.".len()).unwrap()
    );
    assert_eq!(metered.tier.as_deref(), Some("default"));
}

#[test]
fn native_streams_are_metered() {
    for (name, family, input, output, latency) in
        [("invoke-anthropic", Family::Anthropic, 19, 8, 530), ("invoke-nova", Family::Nova, 5, 7, 240)]
    {
        let (heard, metered) = stored(name, Operation::InvokeModelWithResponseStream, family);
        let usage = metered.usage.unwrap();
        assert_eq!((usage.input, usage.output), (input, output), "{name}");
        assert_eq!(metered.latency_ms, Some(latency), "{name}");
        assert_eq!(metered.stop_reason.as_deref(), Some("end_turn"), "{name}");
        assert!(heard.last().unwrap().done, "{name}");
        assert_eq!(heard.iter().filter(|h| h.content).count(), 1, "{name}");
    }
}

#[test]
fn a_stream_that_breaks_off_has_no_usage_but_what_is_known() {
    let (heard, metered) = stored("converse-throttled-midstream", Operation::ConverseStream, Family::Nova);
    assert_eq!(
        heard.last().unwrap().exception,
        Some(Exception {
            name: "throttlingException".into(),
            message: "Too many tokens, please wait before trying again.".into()
        })
    );
    assert_eq!((metered.usage, metered.prompt, metered.output_bytes), (None, None, 7));

    let frames = scan(&[bytes("invoke-anthropic")]).unwrap();
    let (_, cut) = hear(Operation::InvokeModelWithResponseStream, Family::Anthropic, &frames[..3]);
    assert_eq!(cut.usage, None);
    assert_eq!(cut.prompt.map(|u| u.input), Some(19));
    assert!(cut.output_bytes >= 21);
}

#[test]
fn unknown_events_are_let_pass() {
    let (_, metered) = stored("converse-unknown-event", Operation::ConverseStream, Family::Nova);
    assert!(metered.usage.is_some());
}

#[test]
fn openai_models_count_cached_tokens_within_the_input_of_streams() {
    let metadata = |input: u64| {
        let payload = json!({"usage": {"inputTokens": input, "outputTokens": 19, "totalTokens": 10_007,
            "cacheReadInputTokens": 0, "cacheWriteInputTokens": 4_993}, "metrics": {"latencyMs": 1}});
        scan(&[encode_event("metadata", payload.to_string().as_bytes())]).unwrap()
    };
    let input = |family, n| hear(Operation::ConverseStream, family, &metadata(n)).1.usage.unwrap().input;
    assert_eq!(input(Family::OpenAi, 4_995), 2);
    assert_eq!(input(Family::OpenAi, 2), 2);
    assert_eq!(input(Family::Anthropic, 4_995), 4_995);
}

#[test]
fn every_family_says_its_usage_in_its_own_chunks() {
    let metrics = json!({"inputTokenCount": 9, "outputTokenCount": 5, "cacheReadInputTokenCount": 3, "invocationLatency": 12});
    let cases = [
        (
            Family::Llama,
            vec![
                json!({"generation": "a", "prompt_token_count": 11, "generation_token_count": 1, "stop_reason": null}),
                json!({"generation": "b", "prompt_token_count": null, "generation_token_count": 2, "stop_reason": "stop"}),
            ],
            (11, 0, 2),
        ),
        (
            Family::OpenAiForm,
            vec![
                json!({"choices": [{"delta": {"content": "hi"}, "finish_reason": null}], "usage": null}),
                json!({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 10,
                    "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 6}}}),
                json!({"choices": [], "amazon-bedrock-invocationMetrics": {"inputTokenCount": 10, "outputTokenCount": 4}}),
            ],
            (4, 6, 4),
        ),
        (
            Family::TitanText,
            vec![
                json!({"outputText": "x", "inputTextTokenCount": 3, "totalOutputTextTokenCount": null, "completionReason": null}),
                json!({"outputText": "y", "totalOutputTextTokenCount": 8, "completionReason": "FINISH"}),
            ],
            (3, 0, 8),
        ),
        (
            Family::Mistral,
            vec![
                json!({"outputs": [{"text": "a", "stop_reason": null}]}),
                json!({"outputs": [{"text": "", "stop_reason": "stop"}], "amazon-bedrock-invocationMetrics": metrics}),
            ],
            (9, 3, 5),
        ),
        (
            Family::CohereCommand,
            vec![
                json!({"event_type": "text-generation", "text": "a", "is_finished": false}),
                json!({"event_type": "stream-end", "finish_reason": "COMPLETE", "amazon-bedrock-invocationMetrics": metrics}),
            ],
            (9, 3, 5),
        ),
    ];
    for (family, natives, counted) in cases {
        let (heard, metered) = chunks(family, &natives);
        let usage = metered.usage.unwrap_or_else(|| panic!("{family:?}"));
        assert_eq!((usage.input, usage.cache_read, usage.output), counted, "{family:?}");
        assert!(metered.stop_reason.is_some(), "{family:?}");
        assert!(heard[0].content, "{family:?}");
    }
}

#[test]
fn what_a_guardrail_used_is_no_usage_of_a_prompt_whose_output_is_not_told() {
    let trace = json!({"guardrail": {"inputAssessment": {"gr": {"invocationMetrics":
        {"usage": {"topicPolicyUnits": 2}}}}}});
    let payload = json!({"usage": {"inputTokens": 30}, "trace": trace});
    let frames = scan(&[encode_event("metadata", payload.to_string().as_bytes())]).unwrap();
    let (_, metered) = hear(Operation::ConverseStream, Family::Nova, &frames);
    assert_eq!(metered.usage, None);
    let prompt = metered.prompt.unwrap();
    assert_eq!((prompt.input, prompt.units), (30, vec![(Unit::GuardrailTopic, 2)]));
}

#[test]
fn a_number_that_cannot_be_makes_a_streams_usage_unknown() {
    for bad in [json!(-1), json!(1.5), json!(1u64 << 41)] {
        let payload = json!({"usage": {"inputTokens": 3, "outputTokens": bad}});
        let frames = scan(&[encode_event("metadata", payload.to_string().as_bytes())]).unwrap();
        let (_, metered) = hear(Operation::ConverseStream, Family::Nova, &frames);
        assert_eq!((metered.usage, metered.prompt), (None, None), "{bad}");
    }
}

#[test]
fn unmodelled_errors_and_tiers_are_heard() {
    let mut bytes = Vec::new();
    let text = |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let message = Message::new(Bytes::new())
        .add_header(text(":message-type", "error"))
        .add_header(text(":error-code", "InternalFailure"))
        .add_header(text(":error-message", "it broke"));
    write_message_to(&message, &mut bytes).unwrap();
    let frames = scan(&[Bytes::from(bytes)]).unwrap();
    assert_eq!(frames[0].kind(), Kind::Error { code: "InternalFailure", message: "it broke" });

    let mut headers = Headers::default();
    headers.push("x-amzn-bedrock-service-tier", "flex");
    let mut meter = Meter::new(Operation::InvokeModelWithResponseStream, Family::Nova);
    meter.headers(&headers);
    let exception = meter.frame(&frames[0]).exception.unwrap();
    assert_eq!((exception.name.as_str(), exception.message.as_str()), ("InternalFailure", "it broke"));
    assert_eq!(meter.finish().tier.as_deref(), Some("flex"));
}
