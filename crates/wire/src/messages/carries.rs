//! What a request in Anthropic's messages has a place for.

use bedplate_core::conversation::{Carry, Feature};
use bedplate_core::form::Form;

use Carry::{Carried, Dropped, Refused};

pub(super) fn carries(form: Form, feature: Feature) -> Carry {
    let native = form == Form::Claude;
    match feature {
        Feature::System
        | Feature::SystemTurn
        | Feature::Text
        | Feature::Image
        | Feature::Document
        | Feature::DocumentContext
        | Feature::Citation
        | Feature::Cite
        | Feature::ToolUse
        | Feature::ToolResult
        | Feature::ToolResultMedia
        | Feature::ToolFailed
        | Feature::ServerTool
        | Feature::Reasoning
        | Feature::RedactedReasoning
        | Feature::SearchResult
        | Feature::CachePoint
        | Feature::CacheTtl
        | Feature::Tool
        | Feature::StrictTool
        | Feature::ToolChoice
        | Feature::ToolNever
        | Feature::ParallelTools
        | Feature::MaxTokens
        | Feature::Temperature
        | Feature::TopP
        | Feature::TopK
        | Feature::Stop
        | Feature::OutputSchema
        | Feature::Thinking
        | Feature::Effort
        | Feature::User
        | Feature::Field => Carried,
        // the API has them in headers, and so has `InvokeModel` the tier
        Feature::Beta if native => Carried,
        Feature::Tier if !native => Carried,
        Feature::Beta | Feature::Tier | Feature::Latency | Feature::Metadata => Dropped,
        Feature::MessageName
        | Feature::ImageDetail
        | Feature::Refusal
        | Feature::Guarded
        | Feature::FrequencyPenalty
        | Feature::PresencePenalty
        | Feature::Seed
        | Feature::FieldPath
        | Feature::Rest => Dropped,
        Feature::Video => Refused("these models take no videos"),
        Feature::Audio => Refused("these models take no sounds"),
        Feature::S3 => Refused("there is no place for S3 locations in it: send the bytes"),
        Feature::Url if native => {
            Refused("bedplate fetches nothing: send the bytes as a data URL, or an s3 URI")
        }
        Feature::File if native => Refused("files that the vendor keeps are not to be had on Bedrock"),
        Feature::Url | Feature::File => Carried,
        Feature::ToolChange => Refused("tools cannot come and go in it"),
        Feature::ForeignBlock => Refused("only the dialect that it was written in has such blocks"),
        Feature::SystemTool => Refused("there is no place for tools by name in it"),
        Feature::ForeignTool => Refused("only the dialect that it was written in has such tools"),
        Feature::LogitBias => Refused("these models take no bias"),
        Feature::Logprobs => Refused("these models do not tell chances"),
        Feature::Answers => Refused("these models give one answer"),
        Feature::OutputJson => Refused("say a schema (`json_schema`): these models know no other way"),
        Feature::Guardrail => Refused("there is no place for a guardrail in it"),
    }
}
