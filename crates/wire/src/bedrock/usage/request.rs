//! What is priced by the piece.

use bedplate_core::usage::Unit;

use crate::bedrock::Family;
use crate::json;

/// A rerank query is up to so many documents.
const DOCUMENTS: u64 = 100;

/// The units of an InvokeModel call that was answered.
pub(super) fn units(family: Family, request: &[u8], response: &[u8]) -> Vec<(Unit, u64)> {
    let found = match family {
        Family::AmazonRerank | Family::CohereRerank => {
            length(request, "documents").map(|n| (Unit::Query, n.div_ceil(DOCUMENTS).max(1)))
        }
        Family::AmazonImage | Family::Stability => length(response, "images").map(|n| (Unit::OutputImage, n)),
        Family::CohereEmbed => length(request, "images").map(|n| (Unit::InputImage, n)),
        Family::TitanEmbed => member(request, "inputImage").map(|_| (Unit::InputImage, 1)),
        Family::Anthropic
        | Family::Nova
        | Family::NovaEmbed
        | Family::TitanText
        | Family::CohereCommand
        | Family::Llama
        | Family::Mistral
        | Family::Ai21
        | Family::DeepSeek
        | Family::OpenAi
        | Family::OpenAiForm
        | Family::TwelveLabsEmbed
        | Family::TwelveLabsText
        | Family::Luma
        | Family::Unknown => None,
    };
    found.filter(|(_, n)| *n > 0).into_iter().collect()
}

fn length(body: &[u8], name: &'static str) -> Option<u64> {
    json::count(member(body, name)?)
}

fn member<'a>(body: &'a [u8], name: &'static str) -> Option<&'a str> {
    json::pick(json::utf8(body).ok()?, &[name]).ok()?.text(0)
}
