//! The answers of the calls, as one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bedplate_core::conversation::Text;
use bedplate_core::refusal::{Code, Refusal};
use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Asked, Embedder};
use crate::json::object::{Bad, List, object, read};
use crate::json::utf8;
use crate::json::write::{Items, object as write};

/// The answer to one call.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    pub body: &'a [u8],
    /// What its headers say of the tokens of its texts.
    pub tokens: Option<u64>,
}

object!(Body {
    "embedding" => embedding: &'a RawValue,
    "embeddings" => embeddings: &'a RawValue,
    "inputTextTokenCount" => tokens: u64,
});
object!(ByType { "float" => float: List<&'a RawValue> });
object!(Typed { "embeddingType" => kind: Text<'a>, "embedding" => embedding: &'a RawValue });

/// OpenAI's answer, of the answers to all the calls in their order; `model` as the caller named it.
///
/// # Errors
/// `BP4006` when an answer cannot be read, or there are fewer embeddings than texts, or more.
pub fn answer(
    asked: &Asked<'_>,
    embedder: Embedder,
    replies: &[Reply<'_>],
    model: &str,
) -> Result<Bytes, Refusal> {
    let unreadable = |bad: Bad| Refusal::of(Code::BrokenAnswer).because(format!("{}: {}", bad.at, bad.why));
    let size: usize = replies.iter().map(|reply| reply.body.len()).sum();
    let mut out = String::with_capacity(size + 200);
    let (mut index, mut tokens) = (0_u64, 0);
    {
        let mut o = write(&mut out);
        o.raw("object", "\"list\"");
        {
            let mut list = o.list("data");
            for reply in replies {
                let body: Body<'_> =
                    utf8(reply.body).map_err(Bad::from).and_then(read).map_err(unreadable)?;
                tokens += reply.tokens.or(body.tokens).unwrap_or(0);
                for embedding in embeddings(embedder, &body).map_err(unreadable)? {
                    one(asked, index, embedding, &mut list).map_err(unreadable)?;
                    index += 1;
                }
            }
        }
        o.string("model", model);
        o.object("usage").number("prompt_tokens", tokens).number("total_tokens", tokens);
    }
    match usize::try_from(index) {
        Ok(given) if given == asked.texts.len() => Ok(out.into()),
        _ => {
            let why = format!("{index} embeddings of {} texts", asked.texts.len());
            Err(Refusal::of(Code::BrokenAnswer).because(why))
        }
    }
}

/// The embeddings of one answer: lists of numbers.
fn embeddings<'a>(embedder: Embedder, body: &Body<'a>) -> Result<Vec<&'a RawValue>, Bad> {
    match embedder {
        Embedder::TitanV1 | Embedder::TitanV2 | Embedder::TitanImage => {
            Ok(vec![body.embedding.ok_or_else(|| Bad::value("embedding", "it must be there"))?])
        }
        Embedder::CohereV3 | Embedder::CohereV4 => {
            let raw = body.embeddings.ok_or_else(|| Bad::value("embeddings", "it must be there"))?.get();
            // by type when types are asked for
            let list = match raw.starts_with('{') {
                true => read::<ByType<'a>>(raw).map(|types| types.float.map(|list| list.0)),
                false => read::<List<&'a RawValue>>(raw).map(|list| Some(list.0)),
            };
            list.map_err(|e| e.within("embeddings"))?
                .ok_or_else(|| Bad::value("embeddings.float", "it must be there"))
        }
        Embedder::Nova => {
            let raw = body.embeddings.ok_or_else(|| Bad::value("embeddings", "it must be there"))?.get();
            let list: List<Typed<'a>> = read(raw).map_err(|e| e.within("embeddings"))?;
            Ok(list.0.into_iter().filter_map(|typed| typed.embedding).collect())
        }
    }
}

fn one(asked: &Asked<'_>, index: u64, embedding: &RawValue, list: &mut Items<'_>) -> Result<(), Bad> {
    let mut o = list.object();
    o.raw("object", "\"embedding\"").number("index", index);
    if asked.base64 || !embedding.get().starts_with('[') {
        let numbers: Vec<f32> = read(embedding.get()).map_err(|e| e.within("embedding"))?;
        let bytes: Vec<u8> = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
        o.string("embedding", &STANDARD.encode(bytes));
    } else {
        // numbers as the model wrote them
        o.raw("embedding", embedding.get());
    }
    Ok(())
}
