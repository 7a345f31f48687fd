//! Reading streams.

use std::borrow::Cow;

use bedplate_core::conversation::{Delta, Event, Json, Opening, Text};
use bedplate_core::form::Form;
use serde_json::value::RawValue;

use super::answer::MetricsBody;
use super::known::{Not, must};
use super::request::TierBody;
use super::{citations, stop};
use crate::bedrock::Family;
use crate::bedrock::usage::counted;
use crate::json::object::{Bad, object, read};
use crate::json::one::One;
use crate::translate::ReadEvents;

object!(StartBody { "contentBlockIndex" => block: u32, "start" => start: One<'a>, "p" => padding: &'a RawValue });
object!(DeltaBody { "contentBlockIndex" => block: u32, "delta" => delta: One<'a>, "p" => padding: &'a RawValue });
object!(CloseBody { "contentBlockIndex" => block: u32, "p" => padding: &'a RawValue });
object!(StopBody {
    "stopReason" => stop: Text<'a>,
    "additionalModelResponseFields" => fields: Json<'a>,
    "p" => padding: &'a RawValue,
});
object!(MetadataBody {
    "usage" => usage: &'a RawValue,
    "metrics" => metrics: MetricsBody<'a>,
    "trace" => trace: Json<'a>,
    "serviceTier" => tier: TierBody<'a>,
});
object!(ToolUseBody { "toolUseId" => id: Text<'a>, "name" => name: Text<'a>, "type" => kind: Text<'a> });
object!(ImageBody { "format" => format: Text<'a> });
object!(InputBody { "input" => input: Text<'a> });
object!(PictureBody { "source" => source: One<'a> });
object!(FailureBody { "message" => message: Text<'a>, "Message" => message_too: Text<'a> });

/// Bedrock opens no text block, pads its events to hide how long tokens are, and tells usage after the end.
pub(crate) struct Reader {
    form: Form,
    /// The block that is open.
    open: Option<u32>,
    /// Its answer is over, or the upstream said that it will not be.
    over: bool,
    /// Input tokens may hold the cached ones.
    cached_within: bool,
}

type Out<'o, 'a> = &'o mut dyn FnMut(Event<'a>);

impl Reader {
    pub(crate) fn new(form: Form) -> Self {
        Self { form, open: None, over: false, cached_within: false }
    }

    fn close(&mut self, out: Out<'_, '_>) {
        if let Some(block) = self.open.take() {
            out(Event::Close { block });
        }
    }

    fn open<'a>(&mut self, block: u32, opening: Opening<'a>, out: Out<'_, 'a>) {
        self.close(out);
        self.open = Some(block);
        out(Event::Open { block, opening });
    }

    fn start<'a>(&mut self, payload: &'a str, out: Out<'_, 'a>) -> Result<(), Bad> {
        let body: StartBody<'a> = read(payload)?;
        let (block, start) = (body.block.unwrap_or(0), must(body.start, "start")?);
        let opening = match &*start.name {
            "toolUse" => {
                let tool: ToolUseBody<'a> = read(start.value).map_err(|bad| bad.within("start.toolUse"))?;
                Opening::ToolUse {
                    id: must(tool.id, "start.toolUse.toolUseId")?,
                    name: must(tool.name, "start.toolUse.name")?,
                    by_server: tool.kind.is_some_and(|kind| kind.is("server_tool_use")),
                }
            }
            "image" => {
                let image: ImageBody<'a> = read(start.value).map_err(|bad| bad.within("start.image"))?;
                Opening::Image { format: must(image.format, "start.image.format")? }
            }
            // others have nothing to start with, or are not modelled
            "text" => Opening::Text,
            "reasoningContent" => Opening::Reasoning,
            _ => Opening::Foreign(start.whole()),
        };
        self.open(block, opening, out);
        Ok(())
    }

    fn delta<'a>(&mut self, payload: &'a str, out: Out<'_, 'a>) -> Result<(), Bad> {
        let body: DeltaBody<'a> = read(payload)?;
        let (block, one) = (body.block.unwrap_or(0), must(body.delta, "delta")?);
        let (opening, delta) = grown(self.form, &one).map_err(|bad| bad.within(&one.name).within("delta"))?;
        if self.open != Some(block) {
            let opening = opening.ok_or_else(|| Bad::value("delta", "its block was never opened"))?;
            self.open(block, opening, out);
        }
        out(Event::Delta { block, delta });
        Ok(())
    }

    fn stop<'a>(&mut self, payload: &'a str, out: Out<'_, 'a>) -> Result<(), Bad> {
        let body: StopBody<'a> = read(payload)?;
        let stop = stop::read(&must(body.stop, "stopReason")?);
        self.close(out);
        self.over = true;
        out(Event::Stop { stop, stopped_by: None, fields: body.fields });
        Ok(())
    }

    fn metadata<'a>(&mut self, payload: &'a str, out: Out<'_, 'a>) -> Result<(), Bad> {
        let body: MetadataBody<'a> = read(payload)?;
        let usage = body.usage.and_then(|usage| counted(usage.get(), self.cached_within));
        let tier = body.tier.and_then(|tier| tier.kind);
        out(Event::Usage {
            usage: Box::new(usage.unwrap_or_default()),
            latency_ms: body.metrics.and_then(|metrics| metrics.latency_ms),
            tier: tier.map(|kind| Cow::Owned(kind.decode().into_owned())),
            trace: body.trace,
        });
        Ok(())
    }
}

impl ReadEvents for Reader {
    fn of_model(&mut self, model: &str) {
        self.cached_within = Family::of(model) == Family::OpenAi;
    }

    fn read<'a>(&mut self, name: &str, payload: &'a str, out: Out<'_, 'a>) -> Result<(), Bad> {
        match name {
            "contentBlockDelta" => self.delta(payload, out),
            "contentBlockStart" => self.start(payload, out),
            "contentBlockStop" => {
                let block = read::<CloseBody<'_>>(payload)?.block.unwrap_or(0);
                if self.open != Some(block) {
                    // a block of which nothing came
                    self.open(block, Opening::Text, out);
                }
                self.close(out);
                Ok(())
            }
            "messageStart" => {
                out(Event::Start { id: None, model: None, usage: None });
                Ok(())
            }
            "messageStop" => self.stop(payload, out),
            "metadata" => self.metadata(payload, out),
            name if name.ends_with("Exception") => {
                let body: FailureBody<'a> = read(payload).unwrap_or_default();
                self.over = true;
                let message = body.message.or(body.message_too).unwrap_or_else(|| Text::of(""));
                out(Event::Failed { error: Cow::Owned(upper_camel(name)), message });
                Ok(())
            }
            // newer than this reader
            _ => Ok(()),
        }
    }

    fn finish(&mut self, out: Out<'_, 'static>) -> bool {
        self.close(out);
        self.over
    }
}

/// Errors have the names that they have outside streams: `ThrottlingException`.
fn upper_camel(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

/// What a delta adds, and what its block is when nothing opened it.
fn grown<'a>(form: Form, one: &One<'a>) -> Result<(Option<Opening<'a>>, Delta<'a>), Bad> {
    Ok(match &*one.name {
        "text" => (Some(Opening::Text), Delta::Text(one.text()?)),
        "toolUse" => {
            let body: InputBody<'a> = read(one.value)?;
            (None, Delta::Input(must(body.input, "input")?))
        }
        "reasoningContent" => {
            let inner: One<'a> = read(one.value)?;
            let text = || inner.text().map_err(|bad| bad.within(&inner.name));
            match &*inner.name {
                "text" => (Some(Opening::Reasoning), Delta::Reasoning(text()?)),
                "signature" => (Some(Opening::Reasoning), Delta::Signature(text()?)),
                "redactedContent" => (Some(Opening::Redacted(None)), Delta::Redacted(text()?)),
                _ => (Some(Opening::Reasoning), Delta::Foreign(one.whole())),
            }
        }
        "citation" => match citations::one(form, one.value) {
            Ok(citation) => (Some(Opening::Text), Delta::Citation(Box::new(citation))),
            Err(Not::Bad(bad)) => return Err(bad),
            Err(Not::Modelled) => (Some(Opening::Text), Delta::Foreign(one.whole())),
        },
        "image" => {
            let source = read::<PictureBody<'a>>(one.value)?.source.filter(|source| source.name == "bytes");
            match source {
                Some(source) => (None, Delta::Image(source.text()?)),
                None => (None, Delta::Foreign(one.whole())),
            }
        }
        _ => (Some(Opening::Foreign(Json::from_raw("{}"))), Delta::Foreign(one.whole())),
    })
}
