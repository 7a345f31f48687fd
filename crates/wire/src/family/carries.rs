//! What such a body has a place for.

use bedplate_core::conversation::{Carry, Feature};

use super::Family;
use Carry::{Carried, Dropped, Refused};

pub(super) fn carries(family: Family, feature: Feature) -> Carry {
    const MEDIA: Carry = Refused("a prompt is text: choose a model that takes it");
    const TOOLS: Carry = Refused("a prompt has no place for tools: choose a model that takes them");
    let command = family == Family::Command;
    match feature {
        Feature::System
        | Feature::Text
        | Feature::MaxTokens
        | Feature::Temperature
        | Feature::TopP
        | Feature::Field => Carried,
        Feature::SystemTurn if matches!(family, Family::Llama | Family::Command) => Carried,
        Feature::SystemTurn => Refused("these models take instructions at the beginning only"),
        Feature::TopK if command || family == Family::Mistral => Carried,
        Feature::Stop if family == Family::Llama => Refused("these models take no stop sequences"),
        Feature::Stop => Carried,
        Feature::FrequencyPenalty | Feature::PresencePenalty | Feature::Seed if command => Carried,
        Feature::TopK | Feature::FrequencyPenalty | Feature::PresencePenalty | Feature::Seed => Dropped,
        Feature::Image
        | Feature::Video
        | Feature::Audio
        | Feature::Document
        | Feature::S3
        | Feature::Url
        | Feature::File
        | Feature::SearchResult => MEDIA,
        Feature::ToolUse
        | Feature::ToolResult
        | Feature::ToolResultMedia
        | Feature::ServerTool
        | Feature::ToolChange
        | Feature::Tool
        | Feature::SystemTool
        | Feature::ForeignTool
        | Feature::ToolChoice => TOOLS,
        Feature::ForeignBlock => Refused("only the dialect that it was written in has such blocks"),
        Feature::OutputJson | Feature::OutputSchema => {
            Refused("these models promise no form of their answers")
        }
        Feature::LogitBias => Refused("these models take no bias"),
        Feature::Logprobs => Refused("these models do not tell chances"),
        Feature::Answers => Refused("these models give one answer"),
        Feature::Guardrail => Refused("there is no place for a guardrail in it"),
        Feature::MessageName
        | Feature::ImageDetail
        | Feature::DocumentContext
        | Feature::Citation
        | Feature::Cite
        | Feature::Refusal
        | Feature::ToolFailed
        | Feature::Reasoning
        | Feature::RedactedReasoning
        | Feature::Guarded
        | Feature::CachePoint
        | Feature::CacheTtl
        | Feature::StrictTool
        | Feature::ToolNever
        | Feature::ParallelTools
        | Feature::Thinking
        | Feature::Effort
        | Feature::Tier
        | Feature::Latency
        | Feature::Metadata
        | Feature::User
        | Feature::Beta
        | Feature::FieldPath
        | Feature::Rest => Dropped,
    }
}
