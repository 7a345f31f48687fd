//! Embeddings: a request of OpenAI's becomes the bodies of one call or more of a model that embeds, and their answers
//! become one.

mod answer;
mod bodies;

use bedplate_core::conversation::{Dropped, Feature, Text};
use bedplate_core::refusal::Refusal;
use serde_json::value::RawValue;

pub use answer::{Reply, answer};
pub use bodies::Embedder;

use crate::json::object::{Bad, List, object, read};
use crate::json::utf8;

/// What is asked for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// At least one; none is empty.
    pub texts: Vec<Text<'a>>,
    pub dimensions: Option<u64>,
    /// Embeddings are to be base64 of little-endian `f32`s, not lists of numbers.
    pub base64: bool,
    /// What the embeddings are for. OpenAI has no word for it: this one is Cohere's, as LiteLLM's users say it.
    pub purpose: Purpose,
    /// Members that no model takes.
    pub dropped: Vec<Dropped>,
}

/// What embeddings are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Purpose {
    /// To be found.
    #[default]
    Document,
    /// To find.
    Query,
    Classification,
    Clustering,
}

object!(Request {
    "input" => input: &'a RawValue,
    "model" => model: Text<'a>,
    "dimensions" => dimensions: u64,
    "encoding_format" => format: Text<'a>,
    "user" => user: Text<'a>,
    "input_type" => purpose: Text<'a>,
});

/// As OpenAI has it.
const MOST_TEXTS: usize = 2_048;

/// More members than these are not named.
const NAMED: usize = 32;

impl<'a> Asked<'a> {
    /// # Errors
    /// What is wrong with the body, by its member.
    pub fn read(body: &'a [u8]) -> Result<Self, Refusal> {
        Ok(Self::of(utf8(body).map_err(Bad::from)?)?)
    }

    fn of(body: &'a str) -> Result<Self, Bad> {
        let request: Request<'a> = read(body)?;
        let input = request.input.ok_or_else(|| Bad::value("input", "it must be there"))?;
        let base64 = match request.format.as_ref().map(Text::decode).as_deref() {
            None | Some("float") => false,
            Some("base64") => true,
            Some(_) => return Err(Bad::value("encoding_format", "expected `float` or `base64`")),
        };
        let purpose = match request.purpose.as_ref().map(Text::decode).as_deref() {
            None | Some("search_document") => Purpose::Document,
            Some("search_query") => Purpose::Query,
            Some("classification") => Purpose::Classification,
            Some("clustering") => Purpose::Clustering,
            Some(_) => {
                let why = "expected `search_document`, `search_query`, `classification` or `clustering`";
                return Err(Bad::value("input_type", why));
            }
        };
        if request.dimensions == Some(0) {
            return Err(Bad::value("dimensions", "expected 1 or more"));
        }
        let named = |member: bedplate_core::conversation::Member<'_>| Dropped {
            feature: Feature::Rest,
            member: Some(member.name.into_owned().into()),
        };
        Ok(Self {
            texts: texts(input.get()).map_err(|e| e.within("input"))?,
            dimensions: request.dimensions,
            base64,
            purpose,
            dropped: request.rest.into_iter().take(NAMED).map(named).collect(),
        })
    }
}

fn texts(raw: &str) -> Result<Vec<Text<'_>>, Bad> {
    let texts = match raw.as_bytes().first() {
        Some(b'"') => vec![Text::from_raw(raw)],
        Some(b'[') => {
            let list: List<&RawValue> = read(raw)?;
            let mut texts = Vec::with_capacity(list.0.len());
            for (at, raw) in list.0.into_iter().enumerate() {
                texts.push(text(raw.get()).map_err(|why| Bad::value(format!("[{at}]"), why))?);
            }
            texts
        }
        _ => return Err(Bad::value("", "expected a string or a list of strings")),
    };
    match texts.iter().position(Text::is_empty) {
        _ if texts.is_empty() || texts.len() > MOST_TEXTS => {
            Err(Bad::value("", format!("expected 1 to {MOST_TEXTS} texts")))
        }
        Some(_) if texts.len() == 1 => Err(Bad::value("", "a text may not be empty")),
        Some(at) => Err(Bad::value(format!("[{at}]"), "a text may not be empty")),
        None => Ok(texts),
    }
}

fn text(raw: &str) -> Result<Text<'_>, &'static str> {
    match raw.as_bytes().first() {
        Some(b'"') => Ok(Text::from_raw(raw)),
        Some(b'[' | b'0'..=b'9') => {
            Err("tokens are another model's: send texts (LangChain: `check_embedding_ctx_length=False`)")
        }
        _ => Err("expected a string"),
    }
}
