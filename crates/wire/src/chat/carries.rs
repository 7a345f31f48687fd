//! What a request has a place for.

use bedplate_core::conversation::{Carry, Feature};

use super::Chat;

pub(super) fn carries(chat: Chat, feature: Feature) -> Carry {
    match chat {
        Chat::OpenAi => openai(feature),
        Chat::Mistral => mistral(feature),
        Chat::Jamba => jamba(feature),
    }
}

fn openai(feature: Feature) -> Carry {
    use Carry::{Carried, Dropped, Refused};
    match feature {
        Feature::System
        | Feature::SystemTurn
        | Feature::MessageName
        | Feature::Text
        | Feature::Image
        | Feature::ImageDetail
        | Feature::Video
        | Feature::Audio
        | Feature::Document
        | Feature::S3
        | Feature::Url
        | Feature::File
        | Feature::Refusal
        | Feature::ToolUse
        | Feature::ToolResult
        | Feature::Reasoning
        | Feature::RedactedReasoning
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
        | Feature::FrequencyPenalty
        | Feature::PresencePenalty
        | Feature::Seed
        | Feature::LogitBias
        | Feature::Logprobs
        | Feature::Stop
        | Feature::Answers
        | Feature::OutputJson
        | Feature::OutputSchema
        | Feature::Effort
        | Feature::Tier
        | Feature::Metadata
        | Feature::User
        | Feature::Field
        | Feature::Rest => Carried,
        Feature::Citation
        | Feature::Cite
        | Feature::Guarded
        | Feature::ToolFailed
        | Feature::Thinking
        | Feature::Latency
        | Feature::Beta
        | Feature::FieldPath => Dropped,
        Feature::DocumentContext => Refused("a file has no place for it: say it in a text beside the file"),
        Feature::ToolResultMedia => Refused("results of tools are text in this dialect"),
        Feature::SearchResult => Refused("this dialect knows no search results: send them as text"),
        Feature::ServerTool | Feature::ToolChange => Refused("this dialect has no place for it"),
        Feature::ForeignBlock | Feature::ForeignTool | Feature::SystemTool => {
            Refused("the target speaks another dialect")
        }
        Feature::Guardrail => Refused("the target cannot apply it"),
    }
}

/// As AWS's pages on Mistral's models have it.
fn mistral(feature: Feature) -> Carry {
    use Carry::{Dropped, Refused};
    const BYTES: &str = "bedplate fetches nothing: send the bytes as a data URL";
    match feature {
        Feature::MessageName
        | Feature::ImageDetail
        | Feature::Reasoning
        | Feature::RedactedReasoning
        | Feature::Refusal
        | Feature::CachePoint
        | Feature::CacheTtl
        | Feature::StrictTool
        | Feature::ParallelTools
        | Feature::TopK
        | Feature::FrequencyPenalty
        | Feature::PresencePenalty
        | Feature::Seed
        | Feature::LogitBias
        | Feature::Effort
        | Feature::Tier
        | Feature::Metadata
        | Feature::User => Dropped,
        Feature::S3 | Feature::Url | Feature::File => Refused(BYTES),
        Feature::Video | Feature::Document => Refused("the model takes text, images and sounds"),
        Feature::Answers => Refused("the model gives one answer a call"),
        Feature::Logprobs => Refused("the model does not tell them"),
        other => openai(other),
    }
}

fn jamba(feature: Feature) -> Carry {
    use Carry::{Carried, Refused};
    match feature {
        Feature::FrequencyPenalty | Feature::PresencePenalty | Feature::Answers => Carried,
        Feature::Image | Feature::Audio => Refused("the model takes text only"),
        Feature::ToolChoice | Feature::ToolNever => Refused("the model chooses tools itself"),
        Feature::OutputSchema => Refused("the model knows no schemas"),
        other => mistral(other),
    }
}
