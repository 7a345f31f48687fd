//! Takes out of a request what its target has no place for.
//!
//! One walk over the whole conversation, and one rule for each feature: what is left is written without a further look.

use bedplate_core::conversation::{
    Block, CachePoint, Carry, Conversation, Document, Dropped, Feature, Guarded, Media, Output, Reasoning,
    Rest, Role, SearchResult, Source, Text, ToolChoice, ToolItem, ToolResult,
};
use bedplate_core::form::Form;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_core::view::Refuses;

use super::Wanted;
use crate::json::object::Bad;

/// Adds what was taken out to `dropped`.
///
/// # Errors
/// When the target has no place for something that must not be left out: `BP1205`, with the feature.
pub(super) fn fit(
    conversation: &mut Conversation<'_>,
    to: Form,
    carries: impl Fn(Feature) -> Carry,
    wanted: &Wanted<'_>,
    dropped: &mut Vec<Dropped>,
) -> Result<(), Refusal> {
    let refuses = wanted.refuses;
    let carries = |feature| if refused(refuses, feature) { Carry::Dropped } else { carries(feature) };
    let mut fit = Fit { carries, to, foreign: refuses.foreign, dropped, refused: None };
    if refuses.prefill && conversation.messages.last().is_some_and(|last| last.role == Role::Assistant) {
        conversation.messages.pop();
        fit.drop(Dropped { feature: Feature::Text, member: Some("prefill".into()) });
    }
    fit.conversation(conversation);
    match fit.refused {
        Some((feature, why)) => {
            Err(Bad { at: feature.name().into(), why: why.into(), code: Code::BadValue }.into())
        }
        None => Ok(()),
    }
}

/// Whether the model of a target is known to refuse a feature that its form has a place for.
fn refused(refuses: Refuses, feature: Feature) -> bool {
    match feature {
        Feature::Temperature | Feature::TopP | Feature::TopK => refuses.sampling,
        Feature::Tool
        | Feature::SystemTool
        | Feature::ForeignTool
        | Feature::ToolChoice
        | Feature::ToolNever
        | Feature::ToolUse
        | Feature::ToolResult => refuses.tools,
        Feature::CachePoint => refuses.cache_points,
        _ => false,
    }
}

/// More is not named: who writes so many members that a target does not know will not read their names.
const NAMED: usize = 128;

struct Fit<'d, C> {
    carries: C,
    to: Form,
    foreign: bool,
    dropped: &'d mut Vec<Dropped>,
    refused: Option<(Feature, &'static str)>,
}

impl<C: Fn(Feature) -> Carry> Fit<'_, C> {
    /// Whether something that is there may stay.
    fn keeps(&mut self, feature: Feature) -> bool {
        match (self.carries)(feature) {
            Carry::Carried => return true,
            Carry::Dropped => self.drop(feature.into()),
            Carry::Refused(why) => {
                self.refused.get_or_insert((feature, why));
            }
        }
        false
    }

    fn drop(&mut self, dropped: Dropped) {
        if self.dropped.len() < NAMED && !self.dropped.contains(&dropped) {
            self.dropped.push(dropped);
        }
    }

    /// Clears a place unless what stands there may stay.
    fn maybe<T>(&mut self, place: &mut Option<T>, feature: Feature) {
        if place.is_some() && !self.keeps(feature) {
            *place = None;
        }
    }

    fn list<T>(&mut self, list: &mut Vec<T>, feature: Feature) {
        if !list.is_empty() && !self.keeps(feature) {
            list.clear();
        }
    }

    fn conversation(&mut self, c: &mut Conversation<'_>) {
        self.list(&mut c.system, Feature::System);
        self.blocks(&mut c.system, false);
        for message in &mut c.messages {
            if message.role == Role::System {
                // instructions that became something a user said would be another request
                self.keeps(Feature::SystemTurn);
            }
            self.maybe(&mut message.name, Feature::MessageName);
            self.blocks(&mut message.content, false);
        }
        // a turn of which nothing is left was a turn of what the target does not know
        c.messages.retain(|message| !message.content.is_empty());
        self.tools(c);
        let s = &mut c.sampling;
        self.maybe(&mut s.temperature, Feature::Temperature);
        self.maybe(&mut s.top_p, Feature::TopP);
        self.maybe(&mut s.top_k, Feature::TopK);
        self.maybe(&mut s.frequency_penalty, Feature::FrequencyPenalty);
        self.maybe(&mut s.presence_penalty, Feature::PresencePenalty);
        self.maybe(&mut s.seed, Feature::Seed);
        self.maybe(&mut s.logit_bias, Feature::LogitBias);
        self.maybe(&mut s.logprobs, Feature::Logprobs);
        self.maybe(&mut c.max_tokens, Feature::MaxTokens);
        self.list(&mut c.stop, Feature::Stop);
        if c.answers > 1 && !self.keeps(Feature::Answers) {
            c.answers = 1;
        }
        let output = match c.output {
            Some(Output::Json) => Some(Feature::OutputJson),
            Some(Output::Schema { .. }) => Some(Feature::OutputSchema),
            None => None,
        };
        if output.is_some_and(|feature| !self.keeps(feature)) {
            c.output = None;
        }
        self.maybe(&mut c.thinking, Feature::Thinking);
        self.maybe(&mut c.effort, Feature::Effort);
        self.maybe(&mut c.service.tier, Feature::Tier);
        self.maybe(&mut c.service.latency, Feature::Latency);
        self.maybe(&mut c.service.guardrail, Feature::Guardrail);
        self.list(&mut c.metadata, Feature::Metadata);
        self.maybe(&mut c.user, Feature::User);
        self.list(&mut c.betas, Feature::Beta);
        if self.foreign {
            for member in std::mem::take(&mut c.fields) {
                self.drop(Dropped { feature: Feature::Field, member: Some(member.name.into_owned().into()) });
            }
        }
        self.list(&mut c.fields, Feature::Field);
        self.list(&mut c.field_paths, Feature::FieldPath);
        self.rest(&mut c.rest);
    }

    /// Members that only the form itself knows: each is named.
    fn rest(&mut self, rest: &mut Rest<'_>) {
        if rest.form.is_none_or(|form| form.akin(self.to)) {
            return;
        }
        for member in std::mem::take(&mut rest.members) {
            self.drop(Dropped { feature: Feature::Rest, member: Some(member.name.into_owned().into()) });
        }
        rest.form = None;
    }

    fn tools(&mut self, c: &mut Conversation<'_>) {
        let to = self.to;
        c.tools.retain_mut(|item| match item {
            ToolItem::Tool(tool) => {
                self.rest(&mut tool.rest);
                self.maybe(&mut tool.strict, Feature::StrictTool);
                self.keeps(Feature::Tool)
            }
            ToolItem::Foreign { form, .. } => form.akin(to) || self.keeps(Feature::ForeignTool),
            ToolItem::System(_) => self.keeps(Feature::SystemTool),
            ToolItem::CachePoint(point) => self.cache_point(point),
        });
        match c.tool_choice {
            Some(ToolChoice::Any | ToolChoice::Named(_)) => {
                self.maybe(&mut c.tool_choice, Feature::ToolChoice)
            }
            Some(ToolChoice::Never) => self.maybe(&mut c.tool_choice, Feature::ToolNever),
            Some(ToolChoice::Auto) | None => {}
        }
        self.maybe(&mut c.parallel_tools, Feature::ParallelTools);
    }

    fn cache_point(&mut self, point: &mut CachePoint<'_>) -> bool {
        let kept = self.keeps(Feature::CachePoint);
        if kept {
            self.maybe(&mut point.ttl, Feature::CacheTtl);
        }
        kept
    }

    fn blocks(&mut self, blocks: &mut Vec<Block<'_>>, in_result: bool) {
        blocks.retain_mut(|block| self.block(block, in_result));
    }

    fn block(&mut self, block: &mut Block<'_>, in_result: bool) -> bool {
        let media = |fit: &mut Self, feature, source: &Source<'_>| {
            (!in_result || fit.keeps(Feature::ToolResultMedia)) && fit.source(feature, source)
        };
        match block {
            Block::Text(_) | Block::Json(_) => self.keeps(Feature::Text),
            Block::Cited { content, citations } => {
                self.list(citations, Feature::Citation);
                citations.iter_mut().for_each(|citation| self.rest(&mut citation.rest));
                if citations.is_empty() {
                    *block = Block::Text(joined(content));
                }
                true
            }
            Block::Refusal(text) => {
                if !self.keeps(Feature::Refusal) {
                    *block = Block::Text(text.clone());
                }
                true
            }
            Block::Image(Media { source, detail, .. }) => {
                self.maybe(detail, Feature::ImageDetail);
                media(self, Feature::Image, source)
            }
            Block::Video(Media { source, .. }) => media(self, Feature::Video, source),
            Block::Audio(Media { source, .. }) => media(self, Feature::Audio, source),
            Block::Document(Document { source, context, cite, .. }) => {
                self.maybe(context, Feature::DocumentContext);
                self.maybe(cite, Feature::Cite);
                media(self, Feature::Document, source)
            }
            Block::ToolUse(used) => {
                (!used.by_server || self.keeps(Feature::ServerTool)) && self.keeps(Feature::ToolUse)
            }
            Block::ToolResult(ToolResult { content, failed, kind, .. }) => {
                if failed == &Some(true) {
                    self.maybe(failed, Feature::ToolFailed);
                }
                let known = kind.is_none() || self.keeps(Feature::ServerTool);
                self.blocks(content, true);
                known && self.keeps(Feature::ToolResult)
            }
            Block::Reasoning(_) if self.foreign => {
                self.drop(Feature::Reasoning.into());
                false
            }
            Block::Reasoning(Reasoning::Text { .. }) => self.keeps(Feature::Reasoning),
            Block::Reasoning(Reasoning::Redacted(_)) => self.keeps(Feature::RedactedReasoning),
            Block::SearchResult(SearchResult { cite, .. }) => {
                self.maybe(cite, Feature::Cite);
                self.keeps(Feature::SearchResult)
            }
            Block::Guarded(guarded) => {
                if !self.keeps(Feature::Guarded) {
                    *block = match guarded {
                        Guarded::Text { text, .. } => Block::Text(text.clone()),
                        Guarded::Image(media) => Block::Image(media.clone()),
                    };
                    return self.block(block, in_result);
                }
                true
            }
            Block::CachePoint(point) => self.cache_point(point),
            Block::ToolChange { .. } => self.keeps(Feature::ToolChange),
            Block::Foreign { form, .. } => form.akin(self.to) || self.keeps(Feature::ForeignBlock),
        }
    }

    /// Whether a target can be sent what lies where it lies.
    fn source(&mut self, feature: Feature, source: &Source<'_>) -> bool {
        let there = match source {
            Source::Bytes(_) | Source::Text(_) | Source::Parts(_) => true,
            Source::S3 { .. } => self.keeps(Feature::S3),
            Source::Url(_) => self.keeps(Feature::Url),
            Source::File(_) => self.keeps(Feature::File),
        };
        there && self.keeps(feature)
    }
}

/// One text of several.
fn joined<'a>(parts: &[Text<'a>]) -> Text<'a> {
    match parts {
        [one] => one.clone(),
        parts => Text::of(&parts.iter().map(Text::decode).collect::<String>()),
    }
}
