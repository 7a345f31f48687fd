//! What an answer says it used.
//!
//! [`answer`] reads whole answers, [`Meter`] streams. Numbers that cannot be (negative, broken, beyond
//! 2⁴⁰) make the usage unknown; they are never zero.

mod counts;
mod glance;
mod guardrail;
mod meter;
mod native;
mod request;
mod tally;

use bedplate_core::call::{Headers, Operation};
use bedplate_core::usage::{Unit, Usage};

use super::Family;
use crate::json;
use tally::Tally;

pub use meter::{Exception, Heard, Meter};

/// What was read from an answer. Everything may be missing; an answer without usage has `None`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Metered {
    pub usage: Option<Usage>,
    /// The prompt's side of the usage, when a stream told it before it was cut; `None` when `usage` is
    /// known.
    pub prompt: Option<Usage>,
    /// The service tier that served: `default`, `flex`, `priority`, `reserved`.
    pub tier: Option<String>,
    /// `performanceConfig.latency` as it was served: `standard`, `optimized`.
    pub latency: Option<String>,
    /// The model that a prompt router chose: an id or an ARN.
    pub model: Option<String>,
    pub stop_reason: Option<String>,
    /// What the upstream says it took, in milliseconds.
    pub latency_ms: Option<u64>,
    /// An upper bound for the bytes of text in a stream's content, for an estimate when it was cut; 0
    /// for whole answers.
    pub output_bytes: u64,
}

/// Reads a whole answer. `headers` are those of the answer, names in lower case; `request` is needed for
/// what is priced by what was asked (documents to rerank, images to embed).
pub fn answer(
    operation: Operation,
    family: Family,
    request: &[u8],
    headers: &Headers,
    response: &[u8],
) -> Metered {
    match operation {
        Operation::Converse => converse(response),
        Operation::InvokeModel => invoke(family, request, headers, response),
        Operation::ApplyGuardrail => units(json::utf8(response).ok().and_then(guardrail::applied)),
        Operation::InvokeGuardrailChecks => units(json::utf8(response).ok().and_then(guardrail::checks)),
        Operation::ConverseStream
        | Operation::InvokeModelWithResponseStream
        | Operation::InvokeModelWithBidirectionalStream
        | Operation::CountTokens
        | Operation::ListFoundationModels
        | Operation::GetFoundationModel
        | Operation::ListInferenceProfiles
        | Operation::GetInferenceProfile
        | Operation::StartAsyncInvoke
        | Operation::GetAsyncInvoke
        | Operation::ListAsyncInvokes => Metered::default(),
    }
}

/// Reads a Converse answer.
pub fn converse(response: &[u8]) -> Metered {
    let mut tally = Tally::default();
    if let Ok(text) = json::utf8(response) {
        tally.converse(text);
    }
    // whole answers leave cached tokens out of `inputTokens`, whatever the family
    tally.metered(false)
}

/// Reads a `usage` object of any family; `None` when it does not say all, or a number in it cannot be. With
/// `cached_within` the input may hold the cached tokens, as the streams of OpenAI's models do.
pub(crate) fn counted(usage: &str, cached_within: bool) -> Option<Usage> {
    let mut tally = Tally::default();
    tally.usage(usage);
    tally.metered(cached_within).usage
}

/// Reads the answer of InvokeModel: its body where that is text with usage in it, and the headers for what
/// the body does not say.
pub fn invoke(family: Family, request: &[u8], headers: &Headers, response: &[u8]) -> Metered {
    let mut tally = Tally::default();
    let counted = headers.get("x-amzn-bedrock-input-token-count").is_some();
    // an embedding is long: it is read only when the headers do not say what went in
    if (is_text(family) || family == Family::TitanEmbed && !counted)
        && let Ok(text) = json::utf8(response)
    {
        native::read(text, &mut tally);
    }
    tally.headers(headers);
    if embeds(family) {
        // an embedding has no output tokens, and most models do not say so
        tally.counts.output.get_or_insert(0);
    }
    let mut metered = tally.metered(false);
    let found = request::units(family, request, response);
    match &mut metered.usage {
        Some(usage) => usage.units.extend(found),
        // with tokens unknown the pieces alone would look like all there is
        None if embeds(family) || found.is_empty() => {}
        None => metered.usage = Some(Usage { units: found, ..Usage::default() }),
    }
    metered
}

fn units(found: Option<Vec<(Unit, u64)>>) -> Metered {
    Metered { usage: found.map(|units| Usage { units, ..Usage::default() }), ..Metered::default() }
}

fn embeds(family: Family) -> bool {
    matches!(family, Family::TitanEmbed | Family::CohereEmbed | Family::NovaEmbed | Family::TwelveLabsEmbed)
}

/// Whether the answer is text with usage in it; others are large and say nothing.
fn is_text(family: Family) -> bool {
    match family {
        Family::Anthropic
        | Family::Nova
        | Family::TitanText
        | Family::CohereCommand
        | Family::Llama
        | Family::Mistral
        | Family::Ai21
        | Family::DeepSeek
        | Family::OpenAi
        | Family::OpenAiForm
        | Family::TwelveLabsText
        | Family::Unknown => true,
        Family::AmazonImage
        | Family::NovaEmbed
        | Family::TitanEmbed
        | Family::AmazonRerank
        | Family::CohereEmbed
        | Family::CohereRerank
        | Family::Stability
        | Family::TwelveLabsEmbed
        | Family::Luma => false,
    }
}
