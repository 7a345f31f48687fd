//! Reading streams.

use bedplate_core::conversation::{Delta, Event, Json, Opening, Stop, Text};
use bedplate_core::usage::Usage;
use serde_json::value::RawValue;

use super::answer::stop_of;
use super::citation;
use super::errors::aws_name;
use super::read::missing;
use super::usage::{BOUND, RawUsage};
use crate::json::object::{Bad, object, read};
use crate::translate::ReadEvents;

object!(RawEvent {
    "type" => kind: Text<'a>,
    "index" => index: u32,
    "message" => message: Message<'a>,
    "content_block" => block: &'a RawValue,
    "delta" => delta: RawDelta<'a>,
    "usage" => usage: RawUsage<'a>,
    "error" => error: RawError<'a>,
    "amazon-bedrock-invocationMetrics" => metrics: Metrics<'a>,
    "amazon-bedrock-guardrailAction" => guardrail: Text<'a>,
});
object!(Message { "id" => id: Text<'a>, "model" => model: Text<'a>, "usage" => usage: RawUsage<'a> });
object!(RawBlock {
    "type" => kind: Text<'a>,
    "text" => text: Text<'a>,
    "thinking" => thinking: Text<'a>,
    "data" => data: Text<'a>,
    "id" => id: Text<'a>,
    "name" => name: Text<'a>,
});
object!(RawDelta {
    "type" => kind: Text<'a>,
    "text" => text: Text<'a>,
    "partial_json" => input: Text<'a>,
    "thinking" => thinking: Text<'a>,
    "signature" => signature: Text<'a>,
    "citation" => citation: &'a RawValue,
    "stop_reason" => stop: Text<'a>,
    "stop_sequence" => stopped_by: Text<'a>,
});
object!(RawError { "type" => kind: Text<'a>, "message" => message: Text<'a> });
object!(Metrics {
    "inputTokenCount" => input: u64,
    "outputTokenCount" => output: u64,
    "cacheReadInputTokenCount" => read: u64,
    "cacheWriteInputTokenCount" => written: u64,
    "invocationLatency" => latency: u64,
});

/// Reads one stream.
#[derive(Default)]
pub(super) struct Reader {
    usage: Usage,
    /// Counters came.
    counted: bool,
    tier: Option<std::borrow::Cow<'static, str>>,
    /// The reason to stop has been said.
    stopped: bool,
    /// All has been said.
    ended: bool,
}

impl ReadEvents for Reader {
    fn read<'a>(&mut self, _name: &str, payload: &'a str, out: &mut dyn FnMut(Event<'a>)) -> Result<(), Bad> {
        let mut raw: RawEvent<'_> = read(payload)?;
        let kind = raw.kind.take().ok_or_else(|| missing("type"))?;
        match kind.inner() {
            "content_block_delta" => {
                let block = raw.index.ok_or_else(|| missing("index"))?;
                let delta = raw.delta.ok_or_else(|| missing("delta"))?;
                if let Some(delta) = delta.read(payload)? {
                    out(Event::Delta { block, delta });
                }
            }
            "content_block_start" => {
                let block = raw.index.ok_or_else(|| missing("index"))?;
                open(block, raw.block.ok_or_else(|| missing("content_block"))?, out)?;
            }
            "content_block_stop" => out(Event::Close { block: raw.index.ok_or_else(|| missing("index"))? }),
            "message_start" => {
                let message = raw.message.unwrap_or_default();
                self.count(message.usage.as_ref());
                let usage = message.usage.is_some().then(|| Box::new(self.usage.clone()));
                out(Event::Start { id: message.id, model: message.model, usage });
            }
            "message_delta" => {
                self.count(raw.usage.as_ref());
                if let Some(delta) = raw.delta
                    && let Some(stop) = delta.stop
                {
                    self.stopped = true;
                    let intervened = raw.guardrail.is_some_and(|action| action.is("INTERVENED"));
                    let stop = if intervened { Stop::Guardrail } else { stop_of(&stop) };
                    out(Event::Stop { stop, stopped_by: delta.stopped_by, fields: None });
                }
            }
            "message_stop" => self.end(raw.metrics.as_ref(), out),
            "error" => {
                let error = raw.error.unwrap_or_default();
                self.ended = true;
                let kind = error.kind.as_ref().map(Text::decode);
                out(Event::Failed {
                    error: aws_name(kind.as_deref().unwrap_or_default()).into(),
                    message: error.message.unwrap_or_else(|| Text::from_raw("\"\"")),
                });
            }
            "ping" => out(Event::Ping),
            // the vendor adds events without a new version
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn FnMut(Event<'static>)) -> bool {
        if self.stopped && !self.ended {
            self.end(None, out);
        }
        self.ended
    }
}

impl Reader {
    fn count(&mut self, usage: Option<&RawUsage<'_>>) {
        if let Some(usage) = usage {
            self.counted = true;
            usage.put(&mut self.usage);
            if let Some(tier) = usage.tier() {
                self.tier = Some(tier);
            }
        }
    }

    fn end<'a>(&mut self, metrics: Option<&Metrics<'_>>, out: &mut dyn FnMut(Event<'a>)) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if !std::mem::replace(&mut self.stopped, true) {
            out(Event::Stop { stop: Stop::EndTurn, stopped_by: None, fields: None });
        }
        if let Some(metrics) = metrics.filter(|_| !self.counted) {
            // where the events themselves count nothing
            self.usage.input = metrics.input.unwrap_or(0).min(BOUND);
            self.usage.output = metrics.output.unwrap_or(0).min(BOUND);
            self.usage.cache_read = metrics.read.unwrap_or(0).min(BOUND);
            self.usage.cache_write_5m = metrics.written.unwrap_or(0).min(BOUND);
        }
        out(Event::Usage {
            usage: Box::new(std::mem::take(&mut self.usage)),
            latency_ms: metrics.and_then(|metrics| metrics.latency),
            tier: self.tier.take(),
            trace: None,
        });
    }
}

/// Opens a block, with what it holds at once.
fn open<'a>(block: u32, raw: &'a RawValue, out: &mut dyn FnMut(Event<'a>)) -> Result<(), Bad> {
    let begun: RawBlock<'_> = read(raw.get()).map_err(|bad| bad.within("content_block"))?;
    let kind = begun.kind.ok_or_else(|| missing("content_block.type"))?;
    let (opening, first) = match (kind.inner(), begun.id, begun.name) {
        ("text", ..) => (Opening::Text, begun.text.filter(|text| !text.is_empty()).map(Delta::Text)),
        ("thinking", ..) => {
            (Opening::Reasoning, begun.thinking.filter(|text| !text.is_empty()).map(Delta::Reasoning))
        }
        ("redacted_thinking", ..) => (Opening::Redacted(begun.data), None),
        (kind @ ("tool_use" | "server_tool_use"), Some(id), Some(name)) => {
            (Opening::ToolUse { id, name, by_server: kind == "server_tool_use" }, None)
        }
        _ => (Opening::Foreign(Json::from_raw(raw.get())), None),
    };
    out(Event::Open { block, opening });
    if let Some(delta) = first {
        out(Event::Delta { block, delta });
    }
    Ok(())
}

impl<'a> RawDelta<'a> {
    fn read(self, payload: &'a str) -> Result<Option<Delta<'a>>, Bad> {
        let need = |text: Option<Text<'a>>, member: &str| text.ok_or_else(|| missing(member).within("delta"));
        let kind = self.kind.ok_or_else(|| missing("delta.type"))?;
        Ok(Some(match kind.inner() {
            "text_delta" => Delta::Text(need(self.text, "text")?),
            "input_json_delta" => Delta::Input(need(self.input, "partial_json")?),
            "thinking_delta" => Delta::Reasoning(need(self.thinking, "thinking")?),
            "signature_delta" => Delta::Signature(need(self.signature, "signature")?),
            "citations_delta" => {
                let raw = self.citation.ok_or_else(|| missing("delta.citation"))?;
                let one = citation::read_one(raw.get()).map_err(|bad| bad.within("delta.citation"))?;
                Delta::Citation(Box::new(one))
            }
            _ => {
                let stood: Stood<'_> = read(payload)?;
                return Ok(stood.delta.map(Delta::Foreign));
            }
        }))
    }
}

object!(Stood { "delta" => delta: Json<'a> });
