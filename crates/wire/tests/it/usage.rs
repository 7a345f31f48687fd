//! Usage of native bodies, and numbers that cannot be.

use bedplate_core::call::{Headers, Operation};
use bedplate_core::usage::{Unit, Usage};
use bedplate_wire::bedrock::Family;
use bedplate_wire::bedrock::usage::{Metered, answer, converse};
use proptest::prelude::*;
use serde_json::{Value, json};

fn invoke(family: Family, headers: &[(&'static str, &'static str)], body: &Value) -> Metered {
    with_request(family, headers, &json!({}), body)
}

fn with_request(
    family: Family,
    pairs: &[(&'static str, &'static str)],
    request: &Value,
    body: &Value,
) -> Metered {
    let mut headers = Headers::default();
    for (name, value) in pairs {
        headers.push(*name, *value);
    }
    answer(
        Operation::InvokeModel,
        family,
        request.to_string().as_bytes(),
        &headers,
        body.to_string().as_bytes(),
    )
}

const COUNTS: &[(&str, &str)] =
    &[("x-amzn-bedrock-input-token-count", "19"), ("x-amzn-bedrock-output-token-count", "8")];

#[test]
fn every_family_says_its_usage_in_its_own_way() {
    let cases = [
        (
            Family::Anthropic,
            json!({"stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3,
                "cache_creation_input_tokens": 9, "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5}}}),
            Usage {
                input: 1,
                output: 2,
                cache_read: 3,
                cache_write_5m: 4,
                cache_write_1h: 5,
                ..Usage::default()
            },
        ),
        (
            Family::Nova,
            json!({"stopReason": "end_turn", "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 10,
                "cacheReadInputTokenCount": 3, "cacheWriteInputTokenCount": 4}}),
            Usage { input: 1, output: 2, cache_read: 3, cache_write_5m: 4, ..Usage::default() },
        ),
        (
            Family::TitanText,
            json!({"inputTextTokenCount": 5, "results": [{"tokenCount": 3, "completionReason": "FINISH"}, {"tokenCount": 4}]}),
            Usage { input: 5, output: 7, ..Usage::default() },
        ),
        (
            Family::Llama,
            json!({"generation": "x", "prompt_token_count": 6, "generation_token_count": 7, "stop_reason": "stop"}),
            Usage { input: 6, output: 7, ..Usage::default() },
        ),
        (
            Family::OpenAi,
            json!({"choices": [{"finish_reason": "stop", "message": {}}], "usage": {"prompt_tokens": 10, "completion_tokens": 5,
                "total_tokens": 15, "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}}),
            Usage { input: 6, output: 5, cache_read: 4, reasoning: Some(2), ..Usage::default() },
        ),
    ];
    for (family, body, want) in cases {
        let metered = invoke(family, &[], &body);
        assert_eq!(metered.usage, Some(want), "{family:?}");
        assert!(metered.stop_reason.is_some(), "{family:?}");
    }
}

#[test]
fn headers_say_what_the_body_does_not() {
    let tokens = Some(Usage { input: 19, output: 8, ..Usage::default() });
    let mistral = json!({"outputs": [{"text": "x", "stop_reason": "length"}]});
    let metered = invoke(Family::Mistral, COUNTS, &mistral);
    assert_eq!((metered.usage.clone(), metered.stop_reason.as_deref()), (tokens.clone(), Some("length")));
    assert_eq!(invoke(Family::Ai21, COUNTS, &json!([])).usage, tokens);
    assert_eq!(invoke(Family::Mistral, &[], &mistral).usage, None);
    assert_eq!(invoke(Family::Mistral, &[("x-amzn-bedrock-input-token-count", "-1")], &mistral).usage, None);
}

#[test]
fn embeddings_have_no_output() {
    let input = |n| Some(Usage { input: n, ..Usage::default() });
    let titan = json!({"embedding": [0.1], "inputTextTokenCount": 7});
    assert_eq!(invoke(Family::TitanEmbed, &[], &titan).usage, input(7));
    let cohere = json!({"embeddings": [[0.1]]});
    assert_eq!(invoke(Family::CohereEmbed, &COUNTS[..1], &cohere).usage, input(19));
    assert_eq!(invoke(Family::CohereEmbed, &[], &cohere).usage, None);
    let pegasus = json!({"message": "a video", "finishReason": "stop"});
    let metered = invoke(Family::TwelveLabsText, COUNTS, &pegasus);
    assert_eq!((metered.usage.map(|u| u.output), metered.stop_reason.as_deref()), (Some(8), Some("stop")));
}

#[test]
fn how_a_call_was_served_and_by_which_model() {
    let usage = json!({"inputTokens": 1, "outputTokens": 2, "totalTokens": 3});
    let said = |more: Value| {
        let mut body = json!({ "usage": usage });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        converse(body.to_string().as_bytes())
    };
    let router = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0";
    let served = said(json!({
        "serviceTier": {"type": "default"}, "performanceConfig": {"latency": "optimized"},
        "trace": {"promptRouter": {"invokedModelId": router}},
    }));
    assert_eq!((served.tier.as_deref(), served.latency.as_deref()), (Some("default"), Some("optimized")));
    assert_eq!(served.model.as_deref(), Some(router));
    let plain = said(json!({"performanceConfig": {}, "trace": {"promptRouter": {"invokedModelId": 7}}}));
    assert_eq!((plain.latency, plain.model), (None, None));
    let headers = [COUNTS, &[("x-amzn-bedrock-performanceconfig-latency", "optimized")]].concat();
    let native = invoke(Family::Nova, &headers, &json!({}));
    assert_eq!((native.latency.as_deref(), native.tier), (Some("optimized"), None));
}

#[test]
fn a_trace_beside_a_native_body_tells_what_the_guardrail_used() {
    let units = json!({"contentPolicyUnits": 2, "sensitiveInformationPolicyUnits": 1});
    let assessment = json!({"gr0abc": {"invocationMetrics": {"usage": units}}});
    let body = json!({
        "usage": {"input_tokens": 1, "output_tokens": 2}, "amazon-bedrock-guardrailAction": "NONE",
        "amazon-bedrock-trace": {"guardrail": {"inputAssessment": assessment}},
    });
    let told = invoke(Family::Anthropic, &[], &body).usage.unwrap();
    assert_eq!(told.units, [(Unit::GuardrailContent, 2), (Unit::GuardrailSensitive, 1)]);
}

#[test]
fn what_is_priced_by_the_piece_is_counted() {
    let documents = |n: usize| json!({"query": "q", "documents": vec!["d"; n]});
    let queries = |n| {
        with_request(Family::CohereRerank, &[], &documents(n), &json!({"results": []})).usage.unwrap().units
    };
    assert_eq!(queries(1), [(Unit::Query, 1)]);
    assert_eq!(queries(100), [(Unit::Query, 1)]);
    assert_eq!(queries(101), [(Unit::Query, 2)]);
    let images =
        invoke(Family::Stability, &[], &json!({"images": ["a", "b"], "finish_reasons": [null, null]}));
    assert_eq!(images.usage.unwrap().units, [(Unit::OutputImage, 2)]);
    let seen = with_request(
        Family::TitanEmbed,
        &[],
        &json!({"inputImage": "b64"}),
        &json!({"embedding": [1], "inputTextTokenCount": 0}),
    );
    assert_eq!(seen.usage.unwrap().units, [(Unit::InputImage, 1)]);
}

#[test]
fn numbers_that_cannot_be_are_unknown_never_zero() {
    for bad in ["-1", "1.5", "1099511627777", "\"7\"", "1e400", "{}", "99999999999999999999"] {
        let body = format!(r#"{{"stopReason":"end_turn","usage":{{"inputTokens":{bad},"outputTokens":1}}}}"#);
        let metered = converse(body.as_bytes());
        assert_eq!(metered.usage, None, "{bad}");
        assert_eq!(metered.stop_reason.as_deref(), Some("end_turn"), "{bad}");
    }
    for body in [
        "",
        "null",
        "{}",
        r#"{"usage":null}"#,
        r#"{"usage":{"inputTokens":1}}"#,
        r#"{"usage":{},"usage":{}}"#,
    ] {
        assert_eq!(converse(body.as_bytes()).usage, None, "{body}");
    }
    let twice = r#"{"usage":{"inputTokens":1,"inputTokens":2,"outputTokens":1}}"#;
    assert_eq!(converse(twice.as_bytes()).usage, None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_total_is_the_sum_of_disjoint_counters(
        input in 0u64..1_000_000, output in 0u64..1_000_000, read in 0u64..1_000_000, hour in 0u64..500_000, short in 0u64..500_000,
    ) {
        let total = input + output + read + hour + short;
        let body = json!({"usage": {"inputTokens": input, "outputTokens": output, "totalTokens": total,
            "cacheReadInputTokens": read, "cacheWriteInputTokens": hour + short,
            "cacheDetails": [{"ttl": "1h", "inputTokens": hour}, {"ttl": "5m", "inputTokens": short}]}});
        let usage = converse(body.to_string().as_bytes()).usage.unwrap();
        prop_assert_eq!(usage.total(), total);
        prop_assert_eq!((usage.cache_write_1h, usage.cache_write_5m), (hour, short));
    }

    #[test]
    fn no_answer_is_a_panic(body in r#"[\[\]{}:,"usage0-9inputTokens.eE+-]{0,60}"#, n in any::<i64>()) {
        let _ = converse(body.as_bytes());
        let _ = converse(format!(r#"{{"usage":{{"inputTokens":{n},"outputTokens":{n},"cacheDetails":[{{"inputTokens":{n}}}]}}}}"#).as_bytes());
        for family in [Family::Unknown, Family::TitanEmbed, Family::CohereRerank, Family::Stability] {
            let _ = answer(Operation::InvokeModel, family, body.as_bytes(), &Headers::default(), body.as_bytes());
        }
    }
}
