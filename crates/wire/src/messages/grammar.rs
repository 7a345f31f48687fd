//! Writing streams, in the vendor's grammar: `message_start`, blocks one after the other, `message_delta`,
//! `message_stop`.

use bedplate_core::conversation::{Delta, Event, Opening, Stop, Text, Told};
use bedplate_core::usage::Usage;

use super::{answer, citation, errors, usage};
use crate::json::each;
use crate::json::write::{Object, object};
use crate::translate::WriteEvents;

/// Writes one stream.
pub(super) struct Writer {
    told: Told,
    buffer: String,
    /// What was said at the beginning.
    usage: Usage,
    started: bool,
    ended: bool,
    /// The place of the next block: blocks that the form has no words for take none.
    next: u32,
    /// The open block, as the events number it, and its place; `None` in the place when it is not written.
    open: Option<(u32, Option<u32>)>,
    /// Until the usage is known.
    stop: Option<(Stop<'static>, Option<Text<'static>>)>,
}

impl Writer {
    pub(super) fn new(told: Told) -> Self {
        Self {
            told,
            buffer: String::with_capacity(256),
            usage: Usage::default(),
            started: false,
            ended: false,
            next: 0,
            open: None,
            stop: None,
        }
    }
}

impl WriteEvents for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut dyn FnMut(&str, &str)) {
        if self.ended {
            return;
        }
        match event {
            Event::Start { id, usage, .. } => self.start(id.as_ref(), usage.as_deref(), out),
            Event::Open { block, opening } => {
                self.begin(out);
                self.close(out);
                self.open(*block, opening, out);
            }
            Event::Delta { block, delta } => self.delta(*block, delta, out),
            Event::Close { block } if self.open.is_some_and(|(open, _)| open == *block) => self.close(out),
            Event::Close { .. } => {}
            Event::Stop { stop, stopped_by, .. } => {
                self.begin(out);
                self.close(out);
                self.stop = Some((owned(stop), stopped_by.clone().map(Text::into_owned)));
            }
            Event::Usage { usage, .. } => {
                self.usage = (**usage).clone();
                self.end(out);
            }
            Event::Ping => self.say("ping", out, |_| {}),
            Event::Failed { error, message } => {
                self.ended = true;
                let kind = errors::kind_of(error);
                self.say("error", out, |o| {
                    o.object("error").string("type", kind).text("message", message);
                });
            }
        }
    }

    fn finish(&mut self, out: &mut dyn FnMut(&str, &str)) {
        // a stream that stopped short is not made to look whole
        if self.stop.is_some() && !self.ended {
            self.end(out);
        }
    }
}

impl Writer {
    /// Gives one event, with the members that `rest` adds.
    fn say(&mut self, kind: &str, out: &mut dyn FnMut(&str, &str), rest: impl FnOnce(&mut Object<'_>)) {
        self.buffer.clear();
        let mut o = object(&mut self.buffer);
        rest(o.string("type", kind));
        drop(o);
        out(kind, &self.buffer);
    }

    fn start(&mut self, id: Option<&Text<'_>>, usage: Option<&Usage>, out: &mut dyn FnMut(&str, &str)) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        self.usage = usage.cloned().unwrap_or_default();
        let (told, counted) = (std::mem::take(&mut self.told), self.usage.clone());
        self.say("message_start", out, |o| {
            let mut message = o.object("message");
            answer::head(&mut message, id, &told);
            message.raw("content", "[]").raw("stop_reason", "null").raw("stop_sequence", "null");
            usage::write(&mut message.object("usage"), &counted, None);
        });
    }

    fn begin(&mut self, out: &mut dyn FnMut(&str, &str)) {
        if !self.started {
            self.start(None, None, out);
        }
    }

    fn open(&mut self, block: u32, opening: &Opening<'_>, out: &mut dyn FnMut(&str, &str)) {
        const INPUT: &str = "{}";
        let place = self.next;
        let known = match opening {
            Opening::Image { .. } => false,
            Opening::Foreign(json) => is_block(json.raw()),
            _ => true,
        };
        self.open = Some((block, known.then_some(place)));
        if !known {
            return;
        }
        self.next += 1;
        self.say("content_block_start", out, |o| {
            o.number("index", u64::from(place));
            if let Opening::Foreign(json) = opening {
                o.json("content_block", json);
                return;
            }
            let mut o = o.object("content_block");
            match opening {
                Opening::Text | Opening::Refusal => o.string("type", "text").string("text", ""),
                Opening::Reasoning => {
                    o.string("type", "thinking").string("thinking", "").string("signature", "")
                }
                Opening::Redacted(data) => o
                    .string("type", "redacted_thinking")
                    .text("data", data.as_ref().unwrap_or(&Text::from_raw("\"\""))),
                Opening::ToolUse { id, name, by_server } => o
                    .string("type", if *by_server { "server_tool_use" } else { "tool_use" })
                    .text("id", id)
                    .text("name", name)
                    .raw("input", INPUT),
                Opening::Image { .. } | Opening::Foreign(_) => &mut o,
            };
        });
    }

    fn delta(&mut self, block: u32, delta: &Delta<'_>, out: &mut dyn FnMut(&str, &str)) {
        let Some((open, Some(place))) = self.open else { return };
        if open != block {
            return;
        }
        let has_words = match delta {
            Delta::Citation(citation) => citation::has_place(citation),
            Delta::Foreign(json) => is_block(json.raw()),
            // the vendor sends encrypted reasoning whole
            Delta::Redacted(_) | Delta::Image(_) => false,
            Delta::Text(_) | Delta::Reasoning(_) | Delta::Signature(_) | Delta::Input(_) => true,
        };
        if !has_words {
            return;
        }
        self.say("content_block_delta", out, |o| {
            o.number("index", u64::from(place));
            if let Delta::Foreign(json) = delta {
                o.json("delta", json);
                return;
            }
            let mut o = o.object("delta");
            match delta {
                Delta::Text(text) => {
                    o.string("type", "text_delta").text("text", text);
                }
                Delta::Reasoning(text) => {
                    o.string("type", "thinking_delta").text("thinking", text);
                }
                Delta::Signature(text) => {
                    o.string("type", "signature_delta").text("signature", text);
                }
                Delta::Input(text) => {
                    o.string("type", "input_json_delta").text("partial_json", text);
                }
                Delta::Citation(one) => {
                    citation::write(&mut o.string("type", "citations_delta").object("citation"), one);
                }
                Delta::Redacted(_) | Delta::Image(_) | Delta::Foreign(_) => {}
            }
        });
    }

    fn close(&mut self, out: &mut dyn FnMut(&str, &str)) {
        if let Some((_, Some(place))) = self.open.take() {
            self.say("content_block_stop", out, |o| {
                o.number("index", u64::from(place));
            });
        }
    }

    fn end(&mut self, out: &mut dyn FnMut(&str, &str)) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let (stop, by) = self.stop.take().unwrap_or((Stop::EndTurn, None));
        let counted = std::mem::take(&mut self.usage);
        self.say("message_delta", out, |o| {
            answer::stop(&mut o.object("delta"), &stop, by.as_ref());
            usage::write(&mut o.object("usage"), &counted, None);
        });
        self.say("message_stop", out, |_| {});
    }
}

/// Whether a part of another dialect's stream is in this grammar: its parts have a `type`.
fn is_block(json: &str) -> bool {
    let mut found = false;
    each(json, &mut |name, value| found |= name == "type" && value.get().starts_with('"')).is_ok() && found
}

fn owned(stop: &Stop<'_>) -> Stop<'static> {
    match stop {
        Stop::EndTurn => Stop::EndTurn,
        Stop::ToolUse => Stop::ToolUse,
        Stop::MaxTokens => Stop::MaxTokens,
        Stop::StopSequence => Stop::StopSequence,
        Stop::Guardrail => Stop::Guardrail,
        Stop::Filtered => Stop::Filtered,
        Stop::Refused => Stop::Refused,
        Stop::Paused => Stop::Paused,
        Stop::ContextWindow => Stop::ContextWindow,
        Stop::MalformedOutput => Stop::MalformedOutput,
        Stop::MalformedToolUse => Stop::MalformedToolUse,
        Stop::Other(word) => Stop::Other(word.clone().into_owned().into()),
    }
}
