//! Reads the chunks of a stream. Of several answers only the first is read: events of a stream are of one.

use std::borrow::Cow;

use bedplate_core::conversation::{Delta, Event, Opening, Text};
use bedplate_core::usage::Usage;
use serde_json::value::RawValue;

use super::open::{Blocks, Kind};
use crate::chat::inline::{Piece, Splitter};
use crate::chat::read::{Part, Thought};
use crate::chat::usage::{Counts, Metrics};
use crate::chat::{Chat, stop, tier, usage};
use crate::json::object::{Bad, List, object, read};
use crate::translate::ReadEvents;

object!(Chunk {
    "id" => id: Text<'a>,
    "model" => model: Text<'a>,
    "choices" => choices: List<One<'a>>,
    "usage" => usage: Counts<'a>,
    "service_tier" => tier: Text<'a>,
    "error" => error: &'a RawValue,
    "amazon-bedrock-invocationMetrics" => metrics: Metrics<'a>,
});
object!(One {
    "index" => index: u64,
    "delta" => delta: Grown<'a>,
    "message" => message: Grown<'a>,
    "finish_reason" => finish: Text<'a>,
    "stop_reason" => stop: &'a RawValue,
});
object!(Grown {
    "content" => content: &'a RawValue,
    "refusal" => refusal: Text<'a>,
    "reasoning_content" => reasoning_content: Text<'a>,
    "reasoning" => reasoning: Text<'a>,
    "thinking_blocks" => thoughts: List<Thought<'a>>,
    "tool_calls" => calls: List<Call<'a>>,
});
object!(Call { "index" => index: u64, "id" => id: Text<'a>, "function" => function: Function<'a> });
object!(Function { "name" => name: Text<'a>, "arguments" => arguments: Text<'a> });
object!(Failure { "message" => message: Text<'a>, "type" => kind: Text<'a>, "code" => code: &'a RawValue });

pub(in crate::chat) struct Reader {
    started: bool,
    stopped: bool,
    blocks: Blocks,
    splitter: Splitter,
    /// The last that was said: some say it in every chunk, and all of it.
    usage: Option<Usage>,
    latency_ms: Option<u64>,
    tier: Option<Cow<'static, str>>,
}

impl Reader {
    pub(in crate::chat) fn new(_: Chat) -> Self {
        Self {
            started: false,
            stopped: false,
            blocks: Blocks::default(),
            splitter: Splitter::default(),
            usage: None,
            latency_ms: None,
            tier: None,
        }
    }

    fn grown<'a>(&mut self, grown: Grown<'a>, out: &mut dyn FnMut(Event<'a>)) -> Result<(), Bad> {
        let told = grown.reasoning_content.or(grown.reasoning).filter(|text| !text.is_empty());
        let is_told = told.is_some();
        if let Some(text) = told {
            self.pass(out);
            self.blocks.grow(&Kind::Reasoning, Delta::Reasoning(text), out);
        }
        for thought in grown.thoughts.unwrap_or_default().0 {
            self.pass(out);
            self.thought(thought, is_told, out);
        }
        if let Some(raw) = grown.content {
            self.content(raw.get(), out)?;
        }
        if let Some(text) = grown.refusal.filter(|text| !text.is_empty()) {
            self.pass(out);
            self.blocks.grow(&Kind::Refusal, Delta::Text(text), out);
        }
        for call in grown.calls.unwrap_or_default().0 {
            self.pass(out);
            let Function { name, arguments, .. } = call.function.unwrap_or_default();
            self.blocks.call(call.index, call.id, name, arguments, out)?;
        }
        Ok(())
    }

    fn thought<'a>(&mut self, thought: Thought<'a>, is_told: bool, out: &mut dyn FnMut(Event<'a>)) {
        if let Some(data) = thought.data.filter(|data| !data.is_empty()) {
            self.blocks.open(Kind::Redacted, Opening::Redacted(None), out);
            self.blocks.grow(&Kind::Redacted, Delta::Redacted(data), out);
        }
        if let Some(text) = thought.thinking.filter(|text| !is_told && !text.is_empty()) {
            self.blocks.grow(&Kind::Reasoning, Delta::Reasoning(text), out);
        }
        if let Some(signature) = thought.signature.filter(|signature| !signature.is_empty()) {
            self.blocks.grow(&Kind::Reasoning, Delta::Signature(signature), out);
            // what is signed is whole
            self.blocks.close(out);
        }
    }

    /// A string, or a list of parts as Mistral's reasoning models have it.
    fn content<'a>(&mut self, raw: &'a str, out: &mut dyn FnMut(Event<'a>)) -> Result<(), Bad> {
        if raw.starts_with('"') {
            if raw.len() > 2 {
                let Self { splitter, blocks, .. } = self;
                splitter.feed(Text::from_raw(raw), &mut |piece| blocks.piece(piece, out));
            }
            return Ok(());
        }
        let parts: List<Part<'a>> = read(raw).map_err(|e| e.within("choices[0].delta.content"))?;
        for part in parts.0 {
            self.pass(out);
            for thought in part.thinking.unwrap_or_default().0 {
                if let Some(text) = thought.text.filter(|text| !text.is_empty()) {
                    self.blocks.grow(&Kind::Reasoning, Delta::Reasoning(text), out);
                }
            }
            if let Some(text) = part.text.filter(|text| !text.is_empty()) {
                self.blocks.grow(&Kind::Text, Delta::Text(text), out);
            }
        }
        Ok(())
    }

    /// Something that is no text comes.
    fn pass<'a>(&mut self, out: &mut dyn FnMut(Event<'a>)) {
        let Self { splitter, blocks, .. } = self;
        splitter.pass(&mut |piece: Piece<'static>| blocks.piece(piece, out));
    }

    fn stop<'a>(
        &mut self,
        one: Option<Text<'a>>,
        other: Option<&'a RawValue>,
        out: &mut dyn FnMut(Event<'a>),
    ) {
        self.pass(out);
        self.blocks.close(out);
        let other = other.map(RawValue::get).filter(|raw| raw.starts_with('"')).map(Text::from_raw);
        if (one.is_some() || other.is_some()) && !std::mem::replace(&mut self.stopped, true) {
            let (stop, stopped_by) = stop::read(one, other, self.blocks.calls() > 0);
            out(Event::Stop { stop, stopped_by, fields: None });
        }
    }
}

impl ReadEvents for Reader {
    fn read<'a>(&mut self, _name: &str, payload: &'a str, out: &mut dyn FnMut(Event<'a>)) -> Result<(), Bad> {
        let chunk: Chunk<'a> = read(payload)?;
        if let Some(error) = chunk.error {
            out(failure(error.get()));
            return Ok(());
        }
        if !std::mem::replace(&mut self.started, true) {
            let id = chunk.id.filter(|id| !id.is_empty());
            out(Event::Start { id, model: chunk.model.filter(|model| !model.is_empty()), usage: None });
        }
        for (at, one) in chunk.choices.unwrap_or_default().0.into_iter().enumerate() {
            if one.index.unwrap_or(0) != 0 {
                continue;
            }
            if let Some(grown) = one.delta.or(one.message) {
                self.grown(grown, out).map_err(|e| e.within(format_args!("choices[{at}].delta")))?;
            }
            if one.finish.is_some() || one.stop.is_some_and(|raw| raw.get().starts_with('"')) {
                self.stop(one.finish, one.stop, out);
            }
        }
        if chunk.usage.is_some() || chunk.metrics.is_some() {
            self.usage = Some(usage::read(chunk.usage.as_ref(), chunk.metrics.as_ref()));
            self.latency_ms = chunk.metrics.and_then(|metrics| metrics.latency_ms).or(self.latency_ms);
        }
        if let Some(tier) = chunk.tier {
            self.tier = tier::read(&tier.decode()).ok().flatten();
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn FnMut(Event<'static>)) -> bool {
        self.pass(out);
        self.blocks.close(out);
        if self.stopped {
            out(Event::Usage {
                usage: Box::new(self.usage.take().unwrap_or_default()),
                latency_ms: self.latency_ms,
                tier: self.tier.take(),
                trace: None,
            });
        }
        self.stopped
    }
}

fn failure<'a>(raw: &'a str) -> Event<'a> {
    let failure: Failure<'a> = match raw.starts_with('"') {
        true => Failure { message: Some(Text::from_raw(raw)), ..Failure::default() },
        false => read(raw).unwrap_or_default(),
    };
    let code = failure.code.map(RawValue::get).filter(|raw| raw.starts_with('"')).map(Text::from_raw);
    let error = failure.kind.or(code).map_or_else(String::new, |word| word.decode().into_owned());
    let message = failure.message.unwrap_or_else(|| Text::of("the upstream broke off"));
    Event::Failed { error: error.into(), message }
}
