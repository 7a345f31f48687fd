//! What the cache must know of Bedrock: one form for requests that mean the same, and how answers end.
//!
//! A kept answer is replayed in the upstream's own bytes. A stream is its frames as they came, so that event names,
//! the size of deltas, the stop and the `metadata` with its usage are those the model gave; whole answers and streams
//! are never made out of each other.

mod canon;

use bedplate_core::cache::{Canonical, Fingerprint, Finish};
use bedplate_core::call::{Headers, Operation};
use bedplate_core::content::Content;

use super::Family;
use super::view::METADATA_HEADER;
use canon::Canon;

/// Headers that say nothing to the model.
const VOLATILE: [&str; 4] = ["user-agent", "traceparent", "tracestate", METADATA_HEADER];
/// On Converse these change nothing: bodies are JSON both ways.
const OF_BODIES: [&str; 2] = ["accept", "content-type"];

/// Reads a request for the cache. `None` when it is not one whose answer can be kept: another operation, a body that
/// is no JSON object, or one that cannot be brought into one form (nested deeper than 64, lone surrogates).
pub fn canonical(
    operation: Operation,
    family: Family,
    headers: &Headers,
    body: &Content,
) -> Option<Canonical> {
    let converse = match operation {
        Operation::Converse | Operation::ConverseStream => true,
        Operation::InvokeModel | Operation::InvokeModelWithResponseStream => false,
        _ => return None,
    };
    let volatile: &[&str] = if converse { &["requestMetadata"] } else { &[] };
    let canon = Canon::of(body.expose(), volatile)?;
    let mut kept: Vec<(&[u8], &[u8])> = headers
        .iter()
        .map(|(name, value)| (&**name, value.trim_ascii()))
        .filter(|(name, _)| !(is_one_of(name, &VOLATILE) || converse && is_one_of(name, &OF_BODIES)))
        .collect();
    // stable: values of one name keep their order
    kept.sort_by_key(|(name, _)| *name);
    let kept = kept.into_iter().flat_map(|(name, value)| [name, value]);
    let request = Fingerprint::of("bedrock request 1", [canon.bytes()].into_iter().chain(kept));
    Some(Canonical {
        request,
        family: name(family),
        sampled: !draws_no_lots(family) && canon.temperature() != Some(0.0),
        tools: canon.tools,
        guarded: canon.guarded || headers.get("x-amzn-bedrock-guardrailidentifier").is_some(),
        refers: canon.refers,
    })
}

/// How an answer ended, by what it says of itself.
pub fn finish(family: Family, stop_reason: Option<&str>) -> Finish {
    let Some(reason) = stop_reason else {
        // what is embedded or ranked has no end to speak of
        return if draws_no_lots(family) { Finish::Complete } else { Finish::Other };
    };
    match reason {
        "end_turn" | "stop_sequence" | "stop" | "FINISH" | "FINISHED" | "COMPLETE" | "STOP_SEQUENCE"
        | "endoftext" => Finish::Complete,
        "tool_use" | "tool_calls" | "TOOL_CALL" => Finish::Tools,
        _ => Finish::Other,
    }
}

fn is_one_of(name: &[u8], names: &[&str]) -> bool {
    names.iter().any(|n| n.as_bytes() == name)
}

/// Embeddings and rankings: the same in, the same out.
fn draws_no_lots(family: Family) -> bool {
    matches!(
        family,
        Family::NovaEmbed
            | Family::TitanEmbed
            | Family::CohereEmbed
            | Family::TwelveLabsEmbed
            | Family::AmazonRerank
            | Family::CohereRerank
    )
}

fn name(family: Family) -> &'static str {
    match family {
        Family::Anthropic => "anthropic",
        Family::Nova => "nova",
        Family::AmazonImage => "amazon-image",
        Family::NovaEmbed => "nova-embed",
        Family::TitanText => "titan-text",
        Family::TitanEmbed => "titan-embed",
        Family::AmazonRerank => "amazon-rerank",
        Family::CohereCommand => "cohere-command",
        Family::CohereEmbed => "cohere-embed",
        Family::CohereRerank => "cohere-rerank",
        Family::Llama => "llama",
        Family::Mistral => "mistral",
        Family::Ai21 => "ai21",
        Family::DeepSeek => "deepseek",
        Family::OpenAi => "openai",
        Family::OpenAiForm => "openai-form",
        Family::Stability => "stability",
        Family::TwelveLabsEmbed => "twelvelabs-embed",
        Family::TwelveLabsText => "twelvelabs-text",
        Family::Luma => "luma",
        Family::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn read(op: Operation, headers: &[(&'static str, &'static str)], body: &str) -> Option<Canonical> {
        let mut all = Headers::default();
        for (name, value) in headers {
            all.push(*name, *value);
        }
        canonical(op, Family::Nova, &all, &Content::new(Bytes::from(body.to_owned())))
    }

    fn converse(body: &str) -> Option<Canonical> {
        read(Operation::Converse, &[], body)
    }

    #[test]
    fn order_whitespace_escapes_and_metadata_change_nothing() {
        let one =
            converse(r#"{"messages":[{"role":"user","content":[{"text":"caf\u00e9 \"x\""}]}],"system":[]}"#);
        assert!(one.is_some());
        for same in [
            "{ \"system\" : [ ],\n\"messages\":[{\"content\":[{\"text\":\"café \\\"x\\\"\"}],\"role\":\"user\"}]}",
            r#"{"requestMetadata":{"bedplate:call":"1"},"system":[],"mess\u0061ges":[{"role":"user","content":[{"text":"café \u0022x\""}]}]}"#,
        ] {
            assert_eq!(converse(same), one, "{same}");
        }
        for other in [
            r#"{"messages":[{"role":"user","content":[{"text":"cafe \"x\""}]}],"system":[]}"#,
            r#"{"messages":[{"role":"user","content":[{"text":"café \"x\""}]}]}"#,
            r#"{"messages":[{"role":"user","content":[{"text":"café \"x\"","requestMetadata":{}}]}],"system":[]}"#,
        ] {
            assert_ne!(converse(other), one, "{other}");
        }
    }

    #[test]
    fn what_is_written_twice_or_elsewhere_stays_another_request() {
        let texts = [
            r#"{"a":{"x":1,"x":2}}"#,
            r#"{"a":{"x":2,"x":1}}"#,
            r#"{"a":{"x":2}}"#,
            r#"{"a":{"x":"2"}}"#,
            r#"{"a":{"x":2.0}}"#,
            r#"{"a":["x",2]}"#,
            r#"{"a":[2,"x"]}"#,
            r#"{"a":[["x"],2]}"#,
            r#"{"a":"{\"x\":2}"}"#,
            r#"{"a":{"x":2},"b":null}"#,
            r#"{"a":{},"b":{"x":2}}"#,
            r#"{"a":{"b":{"x":2}}}"#,
        ];
        let prints: Vec<_> = texts.iter().map(|t| converse(t).unwrap().request).collect();
        for (n, print) in prints.iter().enumerate() {
            assert!(!prints[..n].contains(print), "{}", texts[n]);
        }
    }

    #[test]
    fn what_decides_whether_an_answer_is_kept_is_seen() {
        let zero = converse(r#"{"inferenceConfig":{"temperature":0.0}}"#).unwrap();
        assert!(!zero.sampled && !zero.tools && !zero.guarded && !zero.refers);
        assert!(converse("{}").unwrap().sampled, "the model's own temperature is above 0");
        assert!(converse(r#"{"inferenceConfig":{"temperature":0.1}}"#).unwrap().sampled);
        assert!(converse(r#"{"a":{"temperature":0}}"#).unwrap().sampled, "not where it counts");
        assert!(converse(r#"{"toolConfig":{"tools":[]}}"#).unwrap().tools);
        assert!(converse(r#"{"guardrailConfig":{}}"#).unwrap().guarded);
        let image = r#"{"messages":[{"content":[{"image":{"source":{"s3Location":{"uri":"s3://a/b"}}}}]}]}"#;
        assert!(converse(image).unwrap().refers);
        let native = |body| read(Operation::InvokeModel, &[], body).unwrap();
        assert!(!native(r#"{"temperature":0}"#).sampled);
        assert!(native(r#"{"tools":[{}]}"#).tools);
        let guarded = [("x-amzn-bedrock-guardrailidentifier", "gr")];
        assert!(read(Operation::InvokeModel, &guarded, "{}").unwrap().guarded);
        // two ways to say it that differ: nobody knows which one counts
        let both =
            r#"{"inferenceConfig":{"temperature":0},"additionalModelRequestFields":{"temperature":1}}"#;
        assert!(converse(both).unwrap().sampled);
    }

    #[test]
    fn headers_that_change_an_answer_count_and_others_do_not() {
        let print = |op, headers: &[_]| read(op, headers, "{}").unwrap().request;
        let (converse, invoke) = (Operation::Converse, Operation::InvokeModel);
        let plain = print(converse, &[]);
        let noise = [
            ("user-agent", "boto3"),
            ("traceparent", "00-x"),
            ("accept", "*/*"),
            ("x-amzn-bedrock-request-metadata", "{}"),
        ];
        assert_eq!(print(converse, &noise), plain);
        assert_ne!(print(converse, &[("x-amzn-bedrock-service-tier", "flex")]), plain);
        assert_ne!(print(invoke, &[("accept", "application/json")]), print(invoke, &[("accept", "*/*")]));
        let two = [("x-amzn-bedrock-a", "1"), ("x-amzn-bedrock-b", "2")];
        assert_eq!(print(invoke, &two), print(invoke, &[two[1], two[0]]));
    }

    #[test]
    fn bodies_without_one_form_are_not_kept() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(65), "]".repeat(65));
        for body in [&*deep, r#"{"a":"\ud800"}"#, r#"{"\udc00":1}"#, "[]", "", "x", "{} {}", "{\"a\":tru}"] {
            assert!(converse(body).is_none(), "{body}");
        }
        assert!(read(Operation::CountTokens, &[], "{}").is_none());
    }

    #[test]
    fn only_an_answer_that_came_to_its_own_end_is_complete() {
        for (reason, want) in [
            ("end_turn", Finish::Complete),
            ("stop", Finish::Complete),
            ("tool_use", Finish::Tools),
            ("max_tokens", Finish::Other),
            ("length", Finish::Other),
            ("guardrail_intervened", Finish::Other),
            ("content_filtered", Finish::Other),
            ("refusal", Finish::Other),
            ("something new", Finish::Other),
        ] {
            assert_eq!(finish(Family::Nova, Some(reason)), want, "{reason}");
        }
        assert_eq!(finish(Family::Nova, None), Finish::Other);
        assert_eq!(finish(Family::TitanEmbed, None), Finish::Complete);
    }
}
