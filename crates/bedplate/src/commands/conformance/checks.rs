//! The checks: each one request, sent to both sides.

use bedplate_core::call::Operation::{self, *};
use bedplate_cost::PriceBook;
use serde_json::Value;

use super::expected::Optional;
use super::requests::{self, ENOUGH, SHORT};
use crate::exit::Failure;

/// One request, and what may differ in its answer.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) operation: Operation,
    /// Percent-encoded.
    pub(super) path: String,
    pub(super) query: &'static str,
    pub(super) body: String,
    /// The model that is called; empty when none is.
    pub(super) model: String,
    pub(super) caller: Caller,
    pub(super) bill: Bill,
    /// Whether texts of the answer are JSON, whose members are compared.
    pub(super) json_text: bool,
    /// Places that this check lets differ, beside those of every check.
    pub(super) optional: &'static [Optional],
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Caller {
    /// The holder of the credentials.
    Known,
    /// The same, with a signature over another body.
    BadSignature,
    /// A key pair that nobody has.
    Stranger,
    /// Somebody who is throttled: the simulator is told to; of the target, an answer of an earlier check
    /// is taken when it throttled one.
    Throttled,
}

/// What the request is charged for when it is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Bill {
    Nothing,
    /// The prompt, and at most so many output tokens.
    Tokens {
        output: u64,
    },
    /// So many guardrail text units of each kind.
    TextUnits(u64),
}

/// The models that checks call, by family.
pub(super) struct Models {
    nova: String,
    anthropic: String,
    titan_embed: String,
}

impl Models {
    /// Cheap defaults that `region` serves, and what the command line says instead: `nova=ID`.
    pub(super) fn new(region: &str, said: &[String]) -> Result<Self, Failure> {
        let geography = match region {
            r if r.starts_with("us-gov-") => "us-gov",
            r if r.starts_with("eu-") => "eu",
            r if r.starts_with("ap-") => "apac",
            _ => "us",
        };
        let mut models = Self {
            nova: format!("{geography}.amazon.nova-micro-v1:0"),
            anthropic: "global.anthropic.claude-haiku-4-5-20251001-v1:0".into(),
            titan_embed: "amazon.titan-embed-text-v2:0".into(),
        };
        for pair in said {
            let (family, id) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match family {
                "nova" => &mut models.nova,
                "anthropic" => &mut models.anthropic,
                "titan-embed" => &mut models.titan_embed,
                _ => {
                    return Err(Failure::usage(format!("`--model {pair}`: there is no family `{family}`"))
                        .hint("Write FAMILY=ID; the families are nova, anthropic and titan-embed."));
                }
            };
            if id.is_empty() {
                return Err(Failure::usage(format!("`--model {pair}`: write FAMILY=ID")));
            }
            id.clone_into(place);
        }
        Ok(models)
    }
}

/// All checks, or those that `only` names.
pub(super) fn chosen(models: &Models, book: &PriceBook, only: &[String]) -> Result<Vec<Check>, Failure> {
    let mut checks = all(models, book);
    for name in only {
        if !checks.iter().any(|c| c.name == name) {
            let nearest = checks.iter().min_by_key(|c| strsim::damerau_levenshtein(name, c.name));
            let hint = nearest.map_or_else(String::new, |c| format!("Did you mean `{}`? ", c.name));
            return Err(Failure::usage(format!("there is no check `{name}`"))
                .hint(format!("{hint}`bedplate conformance --list` shows them all.")));
        }
    }
    checks.retain(|c| only.is_empty() || only.iter().any(|name| name == c.name));
    Ok(checks)
}

/// What costs nothing first; the refusals; then what is charged, the cheapest models first.
fn all(models: &Models, book: &PriceBook) -> Vec<Check> {
    let mut checks = catalogue(models);
    checks.extend(refusals(models, book));
    checks.extend(answers(models));
    checks.push(
        runtime("retry-hints", Converse, &models.nova, &requests::converse(SHORT)).by(Caller::Throttled),
    );
    checks
}

fn catalogue(models: &Models) -> Vec<Check> {
    let embed = base(&models.titan_embed);
    vec![
        get("list-foundation-models", ListFoundationModels, "/foundation-models".into())
            .query("byOutputModality=TEXT"),
        get("get-foundation-model", GetFoundationModel, format!("/foundation-models/{}", label(embed))),
        get("list-inference-profiles", ListInferenceProfiles, "/inference-profiles".into())
            .query("type=SYSTEM_DEFINED&maxResults=20"),
        get("get-inference-profile", GetInferenceProfile, profile(&models.nova)),
        get("unknown-profile", GetInferenceProfile, profile("us.amazon.no-such-model-v1:0")),
        runtime("count-tokens", CountTokens, base(&models.anthropic), &requests::count_tokens()),
    ]
}

/// Requests that Bedrock refuses. It charges nothing for them; those that would be answered by an
/// endpoint that does not refuse carry the price of that answer.
fn refusals(models: &Models, book: &PriceBook) -> Vec<Check> {
    let nova = &models.nova;
    let unknown = "amazon.no-such-model-v1:0";
    let short = requests::converse(SHORT);
    let all_it_can = Bill::Tokens { output: book.max_output_tokens(nova).unwrap_or(64_000) };
    let mut malformed = runtime("malformed-json", Converse, nova, &Value::Null);
    malformed.body = "{\"messages\": [".into();
    let mut unknown_path = runtime("unknown-path", Converse, nova, &short);
    unknown_path.path = format!("/model/{}/no-such-operation", label(nova));
    let rail = requests::apply_guardrail();
    vec![
        runtime("unknown-model", Converse, unknown, &short),
        runtime("unknown-model-stream", ConverseStream, unknown, &short),
        runtime("unknown-model-invoke", InvokeModel, unknown, &requests::nova(SHORT)),
        malformed,
        unknown_path,
        at("unknown-guardrail", ApplyGuardrail, "/guardrail/bpnosuchrail/version/1/apply".into(), &rail),
        runtime("unknown-key", Converse, nova, &short).by(Caller::Stranger),
        runtime("bad-signature", Converse, nova, &short).by(Caller::BadSignature),
        runtime("no-messages", Converse, nova, &serde_json::json!({ "messages": [] })).bill(all_it_can),
        runtime("max-tokens-zero", Converse, nova, &requests::converse(0)).bill(all_it_can),
        runtime("profile-only-model", Converse, base(&models.anthropic), &short)
            .bill(Bill::Tokens { output: SHORT }),
    ]
}

fn answers(models: &Models) -> Vec<Check> {
    let (nova, anthropic) = (&models.nova, &models.anthropic);
    let (short, enough) = (Bill::Tokens { output: SHORT }, Bill::Tokens { output: ENOUGH });
    let (text, tool) = (requests::converse(SHORT), requests::converse_tool());
    let claude = requests::anthropic(SHORT);
    let native = requests::nova(SHORT);
    let stream = InvokeModelWithResponseStream;
    vec![
        runtime("invoke-titan-embed", InvokeModel, &models.titan_embed, &requests::titan_embed())
            .bill(Bill::Tokens { output: 0 }),
        runtime("converse-text", Converse, nova, &text).bill(short),
        runtime("converse-tool-use", Converse, nova, &tool).bill(enough).lets(SPEAKS),
        runtime("converse-stream-text", ConverseStream, nova, &text).bill(short),
        runtime("converse-stream-tool-use", ConverseStream, nova, &tool).bill(enough).lets(SPEAKS),
        runtime("invoke-nova", InvokeModel, nova, &native).bill(short),
        runtime("invoke-stream-nova", stream, nova, &native).bill(short).lets(NATIVE_TOTAL),
        at(
            "guardrail-checks",
            InvokeGuardrailChecks,
            "/guardrail-checks/invoke".into(),
            &requests::guardrail_checks(),
        )
        .bill(Bill::TextUnits(1)),
        runtime("invoke-anthropic", InvokeModel, anthropic, &claude).bill(short),
        runtime("invoke-stream-anthropic", stream, anthropic, &claude).bill(short),
        Check {
            json_text: true,
            ..runtime("converse-structured-output", Converse, anthropic, &requests::converse_structured())
                .bill(enough)
        },
    ]
}

/// A model may say something before it calls a tool.
const SPEAKS: &[Optional] = &[
    ("content[].text", SPEAKS_WHY),
    ("blocks.text", SPEAKS_WHY),
    ("contentBlockDelta.delta.text", SPEAKS_WHY),
];
const SPEAKS_WHY: &str = "a model may speak before it calls a tool";

/// Nova's native streams have been recorded without the sum that its whole answers carry.
const NATIVE_TOTAL: &[Optional] =
    &[("event.metadata.metadata.usage.totalTokens", "recorded streams lack it, whole answers have it")];

fn runtime(name: &'static str, operation: Operation, model: &str, body: &Value) -> Check {
    let verb = match operation {
        ConverseStream => "converse-stream",
        InvokeModel => "invoke",
        InvokeModelWithResponseStream => "invoke-with-response-stream",
        CountTokens => "count-tokens",
        _ => "converse",
    };
    let mut check = at(name, operation, format!("/model/{}/{verb}", label(model)), body);
    model.clone_into(&mut check.model);
    check
}

fn at(name: &'static str, operation: Operation, path: String, body: &Value) -> Check {
    Check {
        name,
        operation,
        path,
        query: "",
        body: body.to_string(),
        model: String::new(),
        caller: Caller::Known,
        bill: Bill::Nothing,
        json_text: false,
        optional: &[],
    }
}

fn get(name: &'static str, operation: Operation, path: String) -> Check {
    Check { body: String::new(), ..at(name, operation, path, &Value::Null) }
}

impl Check {
    fn by(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }

    fn bill(self, bill: Bill) -> Self {
        Self { bill, ..self }
    }

    fn lets(self, optional: &'static [Optional]) -> Self {
        Self { optional, ..self }
    }

    fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }
}

fn profile(id: &str) -> String {
    format!("/inference-profiles/{}", label(id))
}

/// The model behind a system profile: `us.amazon.nova-micro-v1:0` → `amazon.nova-micro-v1:0`; other names
/// as they are.
fn base(id: &str) -> &str {
    const GEOGRAPHIES: [&str; 10] = ["us", "eu", "apac", "global", "jp", "au", "in", "us-gov", "ca", "sa"];
    match id.split_once('.') {
        Some((first, rest)) if GEOGRAPHIES.contains(&first) => rest,
        _ => id,
    }
}

/// A path label, percent-encoded as the AWS SDKs do it.
fn label(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> Vec<Check> {
        all(&Models::new("us-east-1", &[]).unwrap(), &PriceBook::embedded())
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = every().iter().map(|c| c.name).collect();
        assert_eq!(names.len(), every().len());
    }

    #[test]
    fn labels_are_encoded_once() {
        assert_eq!(label("us.amazon.nova-micro-v1:0"), "us.amazon.nova-micro-v1%3A0");
        assert_eq!(label("arn:aws:bedrock:r:1:x/y"), "arn%3Aaws%3Abedrock%3Ar%3A1%3Ax%2Fy");
    }

    #[test]
    fn models_follow_the_region_and_the_command_line() {
        assert_eq!(Models::new("eu-west-1", &[]).unwrap().nova, "eu.amazon.nova-micro-v1:0");
        let said = Models::new("us-east-1", &["nova=amazon.nova-lite-v1:0".into()]).unwrap();
        assert_eq!(said.nova, "amazon.nova-lite-v1:0");
        assert!(Models::new("us-east-1", &["llama=x".into()]).is_err());
        assert!(Models::new("us-east-1", &["nova".into()]).is_err());
    }
}
