//! Amazon Nova's own bodies, as `InvokeModel` takes them: Converse in all but a few names.
//!
//! Its numbers (`topK` too) and how much it reasons stand in the body itself; its cache counts have names of their own;
//! every event of a stream is an object of one member. Tier, guardrail and metadata go in headers, not in the body.

mod request;
mod stream;

use bedplate_core::conversation::{Answer, Carry, Conversation, Dropped, Feature, Json, Rest, Text};
use bedplate_core::form::Form;
use serde_json::value::RawValue;

use crate::bedrock::Family;
use crate::bedrock::usage::counted;
use crate::converse::known::must;
use crate::converse::{answer, settle, usage, writer};
use crate::json::object::{Bad, object, read};
use crate::json::one::One;
use crate::json::write;
use crate::translate::{Codec, ReadEvents, Told, Wanted, WriteEvents};

pub(crate) struct Nova;

object!(AnswerBody {
    "output" => output: One<'a>,
    "stopReason" => stop: Text<'a>,
    "usage" => usage: &'a RawValue,
    "trace" => trace: Json<'a>,
});

impl Codec for Nova {
    fn carries(&self, feature: Feature) -> Carry {
        carries(feature)
    }

    fn settle(
        &self,
        from: Form,
        conversation: &mut Conversation<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<Dropped>, Bad> {
        match from == Form::Nova && !wanted.refuses.foreign {
            true => Ok(Vec::new()),
            false => settle::settle(conversation, Family::Nova, wanted),
        }
    }

    fn read<'a>(&self, body: &'a str) -> Result<Conversation<'a>, Bad> {
        request::read_request(body)
    }

    fn write(&self, conversation: &Conversation<'_>, _wanted: &Wanted<'_>, out: &mut String) {
        request::write_request(conversation, out);
    }

    fn read_answer<'a>(&self, body: &'a str) -> Result<Answer<'a>, Bad> {
        let body: AnswerBody<'a> = read(body)?;
        let output = must(body.output, "output")?;
        Ok(Answer {
            choices: vec![answer::choice(Form::Nova, &output, body.stop.as_ref())?],
            usage: body.usage.and_then(|usage| counted(usage.get(), false)).unwrap_or_default(),
            trace: body.trace,
            rest: Rest::of(Form::Nova, body.rest),
            ..Answer::default()
        })
    }

    fn write_answer(&self, answer: &Answer<'_>, _told: &Told, out: &mut String) {
        let mut o = write::object(out);
        answer::output(Form::Nova, answer, &mut o);
        usage::of_nova(&answer.usage, &mut o.object("usage"));
        o.maybe_json("trace", answer.trace.as_ref());
        for member in answer.rest.to(Form::Nova) {
            o.member(member);
        }
    }

    fn reader(&self) -> Box<dyn ReadEvents> {
        Box::new(stream::Reader::new())
    }

    fn writer(&self, _told: &Told) -> Box<dyn WriteEvents> {
        Box::new(writer::Writer::new(Form::Nova))
    }
}

fn carries(feature: Feature) -> Carry {
    match feature {
        Feature::System
        | Feature::Text
        | Feature::Image
        | Feature::Video
        | Feature::Document
        | Feature::S3
        | Feature::Citation
        | Feature::ToolUse
        | Feature::ToolResult
        | Feature::ToolResultMedia
        | Feature::ToolFailed
        | Feature::ServerTool
        | Feature::Reasoning
        | Feature::RedactedReasoning
        | Feature::CachePoint
        | Feature::Tool
        | Feature::SystemTool
        | Feature::ToolChoice
        // where it cannot be said, `settle` refuses it
        | Feature::ToolNever
        | Feature::MaxTokens
        | Feature::Temperature
        | Feature::TopP
        | Feature::TopK
        | Feature::Stop
        | Feature::Thinking
        | Feature::Effort
        // bedplate records it
        | Feature::User
        | Feature::Field => Carry::Carried,
        Feature::MessageName
        | Feature::ImageDetail
        | Feature::DocumentContext
        | Feature::Refusal
        // without marks a guardrail looks at everything
        | Feature::Guarded
        | Feature::CacheTtl
        | Feature::StrictTool
        | Feature::ParallelTools
        | Feature::FrequencyPenalty
        | Feature::PresencePenalty
        | Feature::Seed
        | Feature::Tier
        | Feature::Latency
        | Feature::Metadata
        | Feature::Beta
        | Feature::FieldPath
        | Feature::Rest => Carry::Dropped,
        Feature::SystemTurn => Carry::Refused("Nova takes instructions before the conversation only"),
        Feature::Audio => Carry::Refused("Nova takes no sounds in its own body"),
        Feature::Url => {
            Carry::Refused("bedplate fetches nothing: send the bytes as a data URL, or an s3 URI")
        }
        Feature::File => Carry::Refused("Bedrock has no files that a vendor keeps: send the bytes"),
        Feature::Cite => Carry::Refused("Nova does not cite documents"),
        Feature::SearchResult => Carry::Refused("Nova takes no search results"),
        Feature::ToolChange => Carry::Refused("tools cannot come and go in it"),
        Feature::ForeignBlock => Carry::Refused("only the dialect that it was written in has such blocks"),
        Feature::ForeignTool => Carry::Refused("only the dialect that it was written in has such tools"),
        Feature::LogitBias => Carry::Refused("Nova cannot change the chances of tokens"),
        Feature::Logprobs => Carry::Refused("Nova does not tell the chances of tokens"),
        Feature::Answers => Carry::Refused("Nova gives one answer: call it once for each"),
        Feature::OutputJson | Feature::OutputSchema => {
            Carry::Refused("Nova's own body has no place for a schema: call it by Converse")
        }
        Feature::Guardrail => Carry::Refused("there is no place for a guardrail in it"),
    }
}
