//! Writing streams.

use bedplate_core::conversation::{Delta, Event, Opening};
use bedplate_core::form::Form;
use bedplate_core::usage::Usage;

use super::{citations, ids, stop, usage};
use crate::json::write::{Object, object};
use crate::translate::WriteEvents;

/// Exceptions of a stream.
const EXCEPTIONS: &[&str] = &[
    "internalServerException",
    "modelStreamErrorException",
    "validationException",
    "throttlingException",
    "serviceUnavailableException",
];

/// Writes Converse's events; Nova's are the same, each in an object of one member.
pub(crate) struct Writer {
    form: Form,
    buffer: String,
    /// A block that Converse has no place for.
    hidden: Option<u32>,
    stopped: bool,
    counted: bool,
}

impl Writer {
    pub(crate) fn new(form: Form) -> Self {
        Self { form, buffer: String::new(), hidden: None, stopped: false, counted: false }
    }

    /// Writes one event; `fill` adds the members.
    fn event(&mut self, name: &str, out: &mut dyn FnMut(&str, &str), fill: impl FnOnce(&mut Object<'_>)) {
        self.buffer.clear();
        if self.form == Form::Nova {
            fill(&mut object(&mut self.buffer).object(name));
            return out("", &self.buffer);
        }
        fill(&mut object(&mut self.buffer));
        out(name, &self.buffer);
    }

    fn open(&mut self, block: u32, opening: &Opening<'_>, out: &mut dyn FnMut(&str, &str)) {
        match opening {
            // Bedrock sends no start for these
            Opening::Text | Opening::Refusal | Opening::Reasoning | Opening::Redacted(None) => {}
            Opening::Redacted(Some(bytes)) => self.delta(block, &Delta::Redacted(bytes.clone()), out),
            Opening::ToolUse { id, name, by_server } => self.event("contentBlockStart", out, |o| {
                {
                    let mut start = o.object("start");
                    let mut tool = start.object("toolUse");
                    tool.string("toolUseId", &ids::fit(id.decode(), 1)).text("name", name);
                    if *by_server {
                        tool.raw("type", "\"server_tool_use\"");
                    }
                }
                o.number("contentBlockIndex", block.into());
            }),
            Opening::Image { format } => self.event("contentBlockStart", out, |o| {
                o.object("start").object("image").text("format", format);
                o.number("contentBlockIndex", block.into());
            }),
            // a member that their union does not know breaks official readers
            Opening::Foreign(_) => self.hidden = Some(block),
        }
    }

    fn delta(&mut self, block: u32, delta: &Delta<'_>, out: &mut dyn FnMut(&str, &str)) {
        let form = self.form;
        self.event("contentBlockDelta", out, |o| {
            {
                let mut o = o.object("delta");
                match delta {
                    Delta::Text(text) => {
                        o.text("text", text);
                    }
                    Delta::Reasoning(text) => {
                        o.object("reasoningContent").text("text", text);
                    }
                    Delta::Signature(text) => {
                        o.object("reasoningContent").text("signature", text);
                    }
                    Delta::Redacted(bytes) => {
                        o.object("reasoningContent").text("redactedContent", bytes);
                    }
                    Delta::Input(json) => {
                        o.object("toolUse").text("input", json);
                    }
                    Delta::Citation(citation) => {
                        citations::write(citation, form, &mut o.object("citation"));
                    }
                    Delta::Image(bytes) => {
                        o.object("image").object("source").text("bytes", bytes);
                    }
                    Delta::Foreign(_) => {}
                }
            }
            o.number("contentBlockIndex", block.into());
        });
    }

    fn metadata(
        &mut self,
        used: &Usage,
        latency_ms: Option<u64>,
        out: &mut dyn FnMut(&str, &str),
        more: impl FnOnce(&mut Object<'_>),
    ) {
        self.counted = true;
        let form = self.form;
        self.event("metadata", out, |o| {
            match form {
                Form::Nova => usage::of_nova(used, &mut o.object("usage")),
                _ => usage::usage(used, &mut o.object("usage")),
            }
            o.object("metrics").number("latencyMs", latency_ms.unwrap_or(0));
            more(o);
        });
    }
}

impl WriteEvents for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut dyn FnMut(&str, &str)) {
        match event {
            Event::Start { .. } => self.event("messageStart", out, |o| {
                o.raw("role", "\"assistant\"");
            }),
            Event::Open { block, opening } => self.open(*block, opening, out),
            Event::Delta { block, .. } if self.hidden == Some(*block) => {}
            Event::Delta { delta: Delta::Foreign(_), .. } => {}
            Event::Delta { block, delta } => self.delta(*block, delta, out),
            Event::Close { block } if self.hidden == Some(*block) => self.hidden = None,
            Event::Close { block } => {
                self.event("contentBlockStop", out, |o| {
                    o.number("contentBlockIndex", (*block).into());
                });
            }
            Event::Stop { stop, fields, .. } => {
                self.stopped = true;
                self.event("messageStop", out, |o| {
                    o.string("stopReason", stop::word(stop));
                    o.maybe_json("additionalModelResponseFields", fields.as_ref());
                });
            }
            Event::Usage { usage, latency_ms, tier, trace } => {
                self.metadata(usage, *latency_ms, out, |o| {
                    o.maybe_json("trace", trace.as_ref());
                    if let Some(tier) = tier {
                        o.object("serviceTier").string("type", tier);
                    }
                });
            }
            Event::Ping => {}
            Event::Failed { error, message } => {
                // after it nothing comes
                self.stopped = false;
                self.event(exception(error), out, |o| {
                    o.text("message", message);
                });
            }
        }
    }

    fn finish(&mut self, out: &mut dyn FnMut(&str, &str)) {
        if self.stopped && !self.counted {
            self.metadata(&Usage::default(), None, out, |_| {});
        }
    }
}

/// The exception that an error is, also one of another dialect.
fn exception(error: &str) -> &'static str {
    if let Some(known) = EXCEPTIONS.iter().find(|known| known.eq_ignore_ascii_case(error)) {
        return known;
    }
    match error {
        "rate_limit_error" | "rate_limit_exceeded" => "throttlingException",
        "overloaded_error" | "service_unavailable" => "serviceUnavailableException",
        "invalid_request_error" => "validationException",
        "api_error" | "server_error" => "internalServerException",
        _ => "modelStreamErrorException",
    }
}
