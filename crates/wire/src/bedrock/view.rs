//! What a request body asks for, read once; the body itself stays as it came.

mod adapt;
mod attached;
mod blocks;
mod limits;
mod metadata;
mod opening;
mod output;

use bedplate_core::cache::Fingerprint;
use bedplate_core::call::Operation;
use bedplate_core::content::Content;
use bedplate_core::record::way_served;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_core::view::{Attached, Edits, Refuses, Stamped, View};

use bytes::Bytes;

use super::Family;
use crate::json::{self, Fault};
use limits::Limit;
use metadata::{Header, Member};
use output::Output;

/// The header in which `InvokeModel` carries request metadata.
pub const METADATA_HEADER: &str = "x-amzn-bedrock-request-metadata";

/// The header in which `InvokeModel` asks for a service tier.
pub const TIER_HEADER: &str = "x-amzn-bedrock-service-tier";

/// What decides how a body is read.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub operation: Operation,
    pub family: Family,
    /// The header `content-type`; absent means JSON.
    pub content_type: Option<&'a [u8]>,
    /// The header [`METADATA_HEADER`] of the request.
    pub metadata: Option<&'a [u8]>,
}

/// Reads a request body. Bodies that are not JSON pass unread where the operation takes any
/// (`InvokeModel`); operations without a body (`GET`) are not read at all.
///
/// # Errors
/// `BP1203` when it is not the JSON object that the operation takes, or names a member that we read
/// twice; `BP1205` when such a member has another type. Messages give line and column, never content.
pub fn read(asked: &Asked<'_>, body: &Content) -> Result<Box<dyn View>, Refusal> {
    match asked.operation {
        Operation::Converse | Operation::ConverseStream => converse(body),
        Operation::InvokeModel | Operation::InvokeModelWithResponseStream => invoke(asked, body),
        Operation::CountTokens
        | Operation::ApplyGuardrail
        | Operation::InvokeGuardrailChecks
        | Operation::StartAsyncInvoke => {
            members(body, OTHERS)?;
            Ok(Box::new(Body::of(body, Metadata::Nowhere)))
        }
        Operation::ListFoundationModels
        | Operation::GetFoundationModel
        | Operation::ListInferenceProfiles
        | Operation::GetInferenceProfile
        | Operation::GetAsyncInvoke
        | Operation::ListAsyncInvokes
        | Operation::InvokeModelWithBidirectionalStream => Ok(Box::new(Body::of(body, Metadata::Nowhere))),
    }
}

/// Members of Converse that are read or will be; none may stand in a body twice.
const CONVERSE: &[&str] = &[
    "inferenceConfig",
    "requestMetadata",
    "messages",
    "system",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "promptVariables",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
];

/// Members of the other operations' bodies that may not stand there twice.
const OTHERS: &[&str] =
    &["input", "content", "source", "outputScope", "messages", "checks", "modelId", "modelInput"];

struct Body {
    body: Content,
    max_tokens: Option<u64>,
    answers: u64,
    metadata: Metadata,
    output: Option<Output>,
    /// `guardrailConfig` stands in it.
    guarded: bool,
    /// How it asks to be served; empty when it does not.
    tier: String,
}

impl Body {
    /// One that says nothing beside its metadata.
    fn of(body: &Content, metadata: Metadata) -> Self {
        Self {
            body: body.clone(),
            max_tokens: None,
            answers: 1,
            metadata,
            output: None,
            guarded: false,
            tier: String::new(),
        }
    }
}

/// Where request metadata goes.
enum Metadata {
    Member(Member),
    Header(Header),
    /// The operation takes none.
    Nowhere,
}

impl View for Body {
    fn max_tokens(&self) -> Option<u64> {
        self.max_tokens
    }

    fn answers(&self) -> u64 {
        self.answers
    }

    fn attached(&self) -> Attached {
        attached::attached(self.body.expose())
    }

    fn opening(&self) -> Option<Fingerprint> {
        opening::opening(self.body.expose())
    }

    fn can_bound(&self) -> bool {
        self.output.is_some()
    }

    fn tier(&self) -> &str {
        &self.tier
    }

    fn ask_tier(&self, tier: &str, edits: &mut Edits) -> bool {
        match (&self.metadata, &self.output) {
            (Metadata::Member(_), Some(output)) => self.tier.is_empty() && output.ask_tier(tier, edits),
            (Metadata::Header(_), _) => {
                edits.headers.push((TIER_HEADER, Bytes::copy_from_slice(tier.as_bytes())));
                true
            }
            (Metadata::Member(_) | Metadata::Nowhere, _) => false,
        }
    }

    fn guarded(&self) -> bool {
        self.guarded
    }

    fn bound_output(&self, tokens: u64, edits: &mut Edits) -> bool {
        self.output.as_ref().is_some_and(|output| output.bound(tokens, edits))
    }

    fn adapt(&self, refuses: Refuses, edits: &mut Edits) {
        edits.refuses = refuses;
        if !refuses.nothing()
            && matches!(self.metadata, Metadata::Member(_))
            && let Ok(text) = json::utf8(self.body.expose())
        {
            adapt::adapt(text, refuses, edits);
        }
    }

    fn stamp(&self, ours: &[(&str, &str)], reserved: &str, edits: &mut Edits) -> Result<Stamped, Refusal> {
        match &self.metadata {
            Metadata::Member(member) => member.stamp(ours, reserved, edits),
            Metadata::Header(header) => header.stamp(ours, reserved, edits),
            Metadata::Nowhere => Ok(Stamped::default()),
        }
    }
}

fn converse(body: &Content) -> Result<Box<dyn View>, Refusal> {
    let (text, picked) = members(body, CONVERSE)?;
    let max_tokens = match picked.text(0) {
        Some(config) => limits::nested("inferenceConfig", config, &["maxTokens"])?,
        None => None,
    };
    let value = picked.values.get(1).copied().flatten().map(|raw| json::range_in(text, raw.get()));
    // the text is one object: its last character that is no space is a brace
    let tail = text.trim_ascii_end().len() - 1;
    let member = Member { body: body.clone(), value, tail, empty: picked.empty };
    let output = (!picked.empty).then(|| Output::converse(body));
    let guarded = picked.text(5).is_some();
    let body = Body::of(body, Metadata::Member(member));
    Ok(Box::new(Body { max_tokens, output, guarded, tier: tier(&picked), ..body }))
}

/// What `serviceTier` and `performanceConfig` ask for. What is wrong with them is Bedrock's to say.
fn tier(picked: &json::Picked<'_>) -> String {
    let inside = |member, name| {
        let text = json::pick(picked.text(member)?, &[name]).ok()?.text(0)?;
        Some(json::string(text)?.into_owned())
    };
    way_served(inside(10, "type").unwrap_or_default(), inside(9, "latency").as_deref())
}

fn invoke(asked: &Asked<'_>, body: &Content) -> Result<Box<dyn View>, Refusal> {
    let metadata = Metadata::Header(Header::new(asked.metadata));
    if !asked.content_type.is_none_or(is_json) {
        return Ok(Box::new(Body::of(body, metadata)));
    }
    let (_, picked) = members(body, limits::NATIVE)?;
    let asked_for = limits::answers(asked.family).and_then(|name| {
        Some(limits::whole_number(name, picked.text(limits::native(name)?)?).map(|n| n.max(1)))
    });
    let answers = asked_for.transpose()?.unwrap_or(1);
    let mut max_tokens = None;
    for limit in limits::of(asked.family) {
        let found = match limit {
            Limit::Top(name) => limits::native(name)
                .and_then(|place| picked.text(place))
                .map(|value| limits::whole_number(name, value)),
            Limit::In(outer, inner) => match limits::native(outer).and_then(|place| picked.text(place)) {
                Some(value) => limits::nested(outer, value, &[inner]).transpose(),
                None => None,
            },
        };
        if let Some(n) = found {
            max_tokens = max_tokens.max(Some(n?));
        }
    }
    let output = Output::native(asked.family, body).filter(|_| !picked.empty);
    Ok(Box::new(Body { max_tokens, answers, output, ..Body::of(body, metadata) }))
}

fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
    essence.is_empty()
        || essence.eq_ignore_ascii_case(b"application/json")
        || essence.to_ascii_lowercase().ends_with(b"+json")
}

fn members<'a>(body: &'a Content, names: &[&'static str]) -> Result<(&'a str, json::Picked<'a>), Refusal> {
    let text = json::utf8(body.expose()).map_err(bad_body)?;
    let picked = json::pick(text, names).map_err(bad_body)?;
    Ok((text, picked))
}

fn bad_body(fault: Fault) -> Refusal {
    Refusal::new(Code::BadBody, format!("the body is not the JSON object that the operation takes: {fault}"))
}

fn bad_value(said: String) -> Refusal {
    Refusal::new(Code::BadValue, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(operation: Operation, family: Family) -> Asked<'static> {
        Asked { operation, family, content_type: None, metadata: None }
    }

    fn converse(body: &str) -> Result<Box<dyn View>, Refusal> {
        read(&asked(Operation::Converse, Family::Nova), &Content::new(Bytes::from(body.to_owned())))
    }

    fn code(r: Result<Box<dyn View>, Refusal>) -> Option<Code> {
        r.err().map(|e| e.code)
    }

    #[test]
    fn converse_bodies_are_read_and_bad_ones_refused() {
        let max = |body| converse(body).map(|v| v.max_tokens()).map_err(|e| e.code);
        assert_eq!(max(r#"{"inferenceConfig":{"maxTokens":200}}"#), Ok(Some(200)));
        assert_eq!(max(r#"{"inferenceConfig":{"max\u0054okens":2e2}}"#), Ok(Some(200)));
        assert_eq!(max(r#"{"inferenceConfig":null}"#), Ok(None));
        assert_eq!(max("{}"), Ok(None));
        for bad in [
            "",
            "null",
            "[]",
            "\"x\"",
            "{",
            "{\"a\":\u{1}}",
            r#"{"messages":[],"messages":[]}"#,
            r#"{"inferenceConfig":{"maxTokens":1,"maxTokens":2}}"#,
            r#"{"\u006dessages":[],"messages":[]}"#,
        ] {
            assert_eq!(max(bad), Err(Code::BadBody), "{bad}");
        }
        for bad in [
            r#"{"inferenceConfig":7}"#,
            r#"{"inferenceConfig":{"maxTokens":"7"}}"#,
            r#"{"inferenceConfig":{"maxTokens":-1}}"#,
            r#"{"inferenceConfig":{"maxTokens":1.5}}"#,
            r#"{"inferenceConfig":{"maxTokens":1e99}}"#,
        ] {
            assert_eq!(max(bad), Err(Code::BadValue), "{bad}");
        }
    }

    #[test]
    fn converse_says_how_it_wants_to_be_served() {
        for (body, tier) in [
            ("{}", ""),
            (r#"{"serviceTier":{"type":"priority"}}"#, "priority"),
            (r#"{"performanceConfig":{"latency":"optimized"}}"#, "optimized"),
            (r#"{"performanceConfig":{"latency":"standard"},"serviceTier":{"type":"flex"}}"#, "flex"),
            (
                r#"{"performanceConfig":{"latency":"optimized"},"serviceTier":{"type":"flex"}}"#,
                "flex, optimized",
            ),
            (r#"{"serviceTier":{"type":7}}"#, ""),
            (r#"{"serviceTier":"priority"}"#, ""),
        ] {
            assert_eq!(converse(body).unwrap().tier(), tier, "{body}");
        }
    }

    #[test]
    fn a_service_tier_is_asked_for_where_the_caller_asks_for_none() {
        let asked = |body: &'static str| {
            let content = Content::from_static(body.as_bytes());
            let mut edits = Edits::default();
            let view = converse(body).unwrap();
            view.stamp(&[("k", "v")], "bedplate:", &mut edits).unwrap();
            view.bound_output(64, &mut edits);
            let asked = view.ask_tier("flex", &mut edits);
            let sent: serde_json::Value = serde_json::from_slice(&edits.apply(&content).concat()).unwrap();
            asked.then(|| sent["serviceTier"]["type"].as_str().unwrap().to_owned())
        };
        assert_eq!(asked(r#"{"messages":[]}"#).as_deref(), Some("flex"));
        assert_eq!(asked(r#"{"serviceTier":null,"messages":[]}"#).as_deref(), Some("flex"));
        assert_eq!(asked(r#"{"messages":[],"serviceTier":{"type":"priority"}}"#), None);
        assert_eq!(asked(r#"{"messages":[],"serviceTier":{"type":7}}"#), None);
        assert_eq!(asked(r#"{"messages":[],"performanceConfig":{"latency":"optimized"}}"#), None);
    }

    #[test]
    fn native_bodies_say_their_limit_in_their_own_way() {
        for (family, body, want) in [
            (Family::Anthropic, r#"{"max_tokens":128}"#, Some(128)),
            (Family::Nova, r#"{"inferenceConfig":{"maxTokens":5}}"#, Some(5)),
            (Family::TitanText, r#"{"textGenerationConfig":{"maxTokenCount":9}}"#, Some(9)),
            (Family::Llama, r#"{"max_gen_len":64}"#, Some(64)),
            (Family::OpenAi, r#"{"max_tokens":1,"max_completion_tokens":3}"#, Some(3)),
            (Family::Unknown, r#"{"max_gen_len":2,"max_tokens":"many"}"#, None),
            (Family::Mistral, r#"{"max_tokens":9,"max_completion_tokens":1}"#, Some(9)),
            (Family::CohereCommand, r#"{"max_completion_tokens":1}"#, None),
            (Family::CohereEmbed, r#"{"max_tokens":128000}"#, None),
        ] {
            let view =
                read(&asked(Operation::InvokeModel, family), &Content::new(Bytes::from(body))).unwrap();
            assert_eq!(view.max_tokens(), want, "{body}");
        }
        let view = read(
            &asked(Operation::InvokeModel, Family::Anthropic),
            &Content::from_static(b"{\"max_tokens\":\"x\"}"),
        );
        assert_eq!(code(view), Some(Code::BadValue));
    }

    #[test]
    fn several_answers_are_counted_where_the_family_gives_them() {
        for (family, body, want) in [
            (Family::OpenAi, r#"{"max_tokens":100,"n":3}"#, 3),
            (Family::OpenAiForm, r#"{"n":2.0}"#, 2),
            (Family::Mistral, r#"{"n":4}"#, 4),
            (Family::DeepSeek, r#"{"n":5}"#, 5),
            (Family::Ai21, r#"{"n":16}"#, 16),
            (Family::CohereCommand, r#"{"num_generations":5}"#, 5),
            // other families do not read it, and none gives less than one
            (Family::CohereCommand, r#"{"n":5}"#, 1),
            (Family::Mistral, r#"{"num_generations":5}"#, 1),
            (Family::Anthropic, r#"{"n":5,"num_generations":5}"#, 1),
            (Family::OpenAi, r#"{"n":0}"#, 1),
            (Family::OpenAi, r#"{"n":null}"#, 1),
            (Family::OpenAi, "{}", 1),
        ] {
            let view =
                read(&asked(Operation::InvokeModel, family), &Content::new(Bytes::from(body))).unwrap();
            assert_eq!(view.answers(), want, "{body}");
        }
        for body in [r#"{"n":"3"}"#, r#"{"n":1.5}"#, r#"{"n":-1}"#] {
            let view = read(&asked(Operation::InvokeModel, Family::OpenAi), &Content::new(Bytes::from(body)));
            assert_eq!(code(view), Some(Code::BadValue), "{body}");
        }
        let twice = Content::from_static(b"{\"n\":1,\"n\":9}");
        assert_eq!(code(read(&asked(Operation::InvokeModel, Family::OpenAi), &twice)), Some(Code::BadBody));
        assert_eq!(converse(r#"{"n":3}"#).unwrap().answers(), 1);
    }

    #[test]
    fn bodies_that_are_not_json_pass_where_any_may() {
        let body = Content::from_static(b"\x00\xff");
        let asked =
            Asked { content_type: Some(b"audio/wav"), ..asked(Operation::InvokeModel, Family::Unknown) };
        assert!(read(&asked, &body).is_ok());
        let asked = Asked { content_type: Some(b"Application/JSON; charset=utf-8"), ..asked };
        assert_eq!(code(read(&asked, &body)), Some(Code::BadBody));
    }
}
