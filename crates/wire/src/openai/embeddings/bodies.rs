//! The bodies of calls of models that embed.

use bedplate_core::conversation::Text;
use bedplate_core::refusal::Refusal;
use bytes::Bytes;

use super::{Asked, Purpose};
use crate::json::object::Bad;
use crate::json::write::{Object, object};

/// How a model that embeds is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Embedder {
    TitanV1,
    TitanV2,
    /// Of texts and images.
    TitanImage,
    CohereV3,
    CohereV4,
    Nova,
}

impl Embedder {
    pub const ALL: &'static [Self] =
        &[Self::TitanV1, Self::TitanV2, Self::TitanImage, Self::CohereV3, Self::CohereV4, Self::Nova];

    /// By the id of a model, with or without a geography in front, or by its ARN; `None` for models that do not embed
    /// texts.
    pub fn of(model: &str) -> Option<Self> {
        let named = |part: &str| model.contains(part);
        if named("amazon.titan-embed-image") {
            Some(Self::TitanImage)
        } else if named("amazon.titan-embed-text-v2") {
            Some(Self::TitanV2)
        } else if named("amazon.titan-embed") {
            Some(Self::TitanV1)
        } else if named("cohere.embed-v4") {
            Some(Self::CohereV4)
        } else if named("cohere.embed") {
            Some(Self::CohereV3)
        } else if named("amazon.nova") && named("embed") {
            Some(Self::Nova)
        } else {
            None
        }
    }

    /// How many texts a call takes.
    pub fn batch(self) -> usize {
        match self {
            Self::CohereV3 | Self::CohereV4 => 96,
            Self::TitanV1 | Self::TitanV2 | Self::TitanImage | Self::Nova => 1,
        }
    }

    /// What a model that gives embeddings of one length only gives.
    fn length(self) -> Option<u64> {
        match self {
            Self::TitanV1 => Some(1_536),
            Self::CohereV3 => Some(1_024),
            Self::TitanV2 | Self::TitanImage | Self::CohereV4 | Self::Nova => None,
        }
    }
}

impl Asked<'_> {
    /// The bodies of the calls, in the order of the texts.
    ///
    /// # Errors
    /// When the model gives no embeddings of the length that is asked for.
    pub fn bodies(&self, embedder: Embedder) -> Result<Vec<Bytes>, Refusal> {
        if let (Some(asked), Some(given)) = (self.dimensions, embedder.length())
            && asked != given
        {
            return Err(
                Bad::value("dimensions", format!("the model gives {given} and no other number")).into()
            );
        }
        let body = |texts: &[Text<'_>]| {
            let mut out =
                String::with_capacity(texts.iter().map(|text| text.raw().len() + 1).sum::<usize>() + 200);
            write(self, embedder, texts, &mut object(&mut out));
            Bytes::from(out)
        };
        Ok(self.texts.chunks(embedder.batch()).map(body).collect())
    }
}

fn write(asked: &Asked<'_>, embedder: Embedder, texts: &[Text<'_>], o: &mut Object<'_>) {
    let Some(first) = texts.first() else { return };
    match embedder {
        Embedder::TitanV1 => drop(o.text("inputText", first)),
        Embedder::TitanV2 => drop(o.text("inputText", first).maybe_number("dimensions", asked.dimensions)),
        Embedder::TitanImage => {
            o.text("inputText", first);
            if let Some(length) = asked.dimensions {
                o.object("embeddingConfig").number("outputEmbeddingLength", length);
            }
        }
        Embedder::CohereV3 | Embedder::CohereV4 => {
            {
                let mut list = o.list("texts");
                for text in texts {
                    list.text(text);
                }
            }
            o.string(
                "input_type",
                match asked.purpose {
                    Purpose::Document => "search_document",
                    Purpose::Query => "search_query",
                    Purpose::Classification => "classification",
                    Purpose::Clustering => "clustering",
                },
            );
            if embedder == Embedder::CohereV4 {
                o.maybe_number("output_dimension", asked.dimensions);
            }
        }
        Embedder::Nova => {
            o.raw("schemaVersion", "\"nova-multimodal-embed-v1\"").raw("taskType", "\"SINGLE_EMBEDDING\"");
            let mut o = o.object("singleEmbeddingParams");
            o.string(
                "embeddingPurpose",
                match asked.purpose {
                    Purpose::Document => "GENERIC_INDEX",
                    Purpose::Query => "GENERIC_RETRIEVAL",
                    Purpose::Classification => "CLASSIFICATION",
                    Purpose::Clustering => "CLUSTERING",
                },
            );
            o.maybe_number("embeddingDimension", asked.dimensions);
            // OpenAI refuses what is too long, and so is this
            o.object("text").raw("truncationMode", "\"NONE\"").text("value", first);
        }
    }
}
