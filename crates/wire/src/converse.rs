//! Bedrock's Converse.
//!
//! The normal form is a superset of it, so that reading and writing are mostly one to one. What is not:
//!
//! - `additionalModelRequestFields` holds what is a member of its own elsewhere (thinking, `top_k`, effort, betas), in
//!   the words of each family of models ([`fields`], `write/fields.rs`).
//! - Tools cannot be forbidden, ids of tools have a limit, documents need names, texts may not be blank (`settle.rs`,
//!   `ids.rs`).
//! - The name of the person behind a call has no place and needs none: bedplate itself records it.
//! - Unknown members of inner objects are kept by their path (`inferenceConfig.newest`), unknown blocks whole.

pub(crate) mod answer;
pub(crate) mod blocks;
mod citations;
pub(crate) mod fields;
pub(crate) mod ids;
pub(crate) mod known;
mod media;
pub(crate) mod reader;
pub(crate) mod request;
pub(crate) mod settle;
mod stop;
pub(crate) mod tools;
pub(crate) mod usage;
pub(crate) mod write;
pub(crate) mod writer;

use bedplate_core::conversation::{Answer, Carry, Conversation, Dropped, Feature};
use bedplate_core::form::Form;

use crate::bedrock::Family;
use crate::json::object::Bad;
use crate::translate::{Codec, ReadEvents, Told, Wanted, WriteEvents};

/// A schema that every object fits.
pub(crate) const ANY_OBJECT: &str = r#"{"type":"object"}"#;

pub(crate) struct Converse;

impl Codec for Converse {
    fn carries(&self, feature: Feature) -> Carry {
        carries(feature)
    }

    fn settle(
        &self,
        from: Form,
        conversation: &mut Conversation<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<Dropped>, Bad> {
        write::unclaimed(&conversation.metadata)?;
        // Bedrock has the word on what was written for it
        match from == Form::Converse && !wanted.refuses.foreign {
            true => Ok(Vec::new()),
            false => settle::settle(conversation, Family::of(wanted.model), wanted),
        }
    }

    fn read<'a>(&self, body: &'a str) -> Result<Conversation<'a>, Bad> {
        request::request(body)
    }

    fn write(&self, conversation: &Conversation<'_>, wanted: &Wanted<'_>, out: &mut String) {
        write::request(conversation, wanted, out);
    }

    fn read_answer<'a>(&self, body: &'a str) -> Result<Answer<'a>, Bad> {
        answer::read_answer(body)
    }

    fn write_answer(&self, answer: &Answer<'_>, _told: &Told, out: &mut String) {
        answer::write_answer(answer, out);
    }

    fn reader(&self) -> Box<dyn ReadEvents> {
        Box::new(reader::Reader::new(Form::Converse))
    }

    fn writer(&self, _told: &Told) -> Box<dyn WriteEvents> {
        Box::new(writer::Writer::new(Form::Converse))
    }
}

fn carries(feature: Feature) -> Carry {
    match feature {
        Feature::System
        | Feature::SystemTurn
        | Feature::Text
        | Feature::Image
        | Feature::Video
        | Feature::Audio
        | Feature::Document
        | Feature::DocumentContext
        | Feature::S3
        | Feature::Citation
        | Feature::Cite
        | Feature::ToolUse
        | Feature::ToolResult
        | Feature::ToolResultMedia
        | Feature::ToolFailed
        | Feature::ServerTool
        | Feature::ToolChange
        | Feature::Reasoning
        | Feature::RedactedReasoning
        | Feature::SearchResult
        | Feature::Guarded
        | Feature::CachePoint
        | Feature::CacheTtl
        | Feature::Tool
        | Feature::StrictTool
        | Feature::SystemTool
        | Feature::ToolChoice
        // where it cannot be said, `settle` refuses it
        | Feature::ToolNever
        | Feature::MaxTokens
        | Feature::Temperature
        | Feature::TopP
        | Feature::TopK
        | Feature::Stop
        | Feature::OutputJson
        | Feature::OutputSchema
        | Feature::Thinking
        | Feature::Effort
        | Feature::Tier
        | Feature::Latency
        | Feature::Guardrail
        | Feature::Metadata
        // bedplate records it
        | Feature::User
        | Feature::Beta
        | Feature::Field
        | Feature::FieldPath => Carry::Carried,
        Feature::MessageName
        | Feature::ImageDetail
        | Feature::Refusal
        | Feature::ParallelTools
        | Feature::FrequencyPenalty
        | Feature::PresencePenalty
        | Feature::Seed
        | Feature::Rest => Carry::Dropped,
        Feature::Url => {
            Carry::Refused("bedplate fetches nothing: send the bytes as a data URL, or an s3 URI")
        }
        Feature::File => Carry::Refused("Bedrock has no files that a vendor keeps: send the bytes"),
        Feature::ForeignBlock => Carry::Refused("Converse has no such block"),
        Feature::ForeignTool => Carry::Refused("Converse has no such tool"),
        Feature::LogitBias => Carry::Refused("Converse cannot change the chances of tokens"),
        Feature::Logprobs => Carry::Refused("Converse does not tell the chances of tokens"),
        Feature::Answers => Carry::Refused("Converse gives one answer: call it once for each"),
    }
}
