//! Writes the chunks of a stream.

use bedplate_core::conversation::{Citation, Delta, Event, Location, Opening, Stop, Text};
use bedplate_core::usage::Usage;

use crate::chat::{Chat, answer, stop, tier, usage};
use crate::json::write::{Object, object, string};
use crate::translate::{Told, WriteEvents};

pub(in crate::chat) struct Writer {
    chat: Chat,
    told: Told,
    /// What every chunk begins with, up to its choices; empty before the first.
    head: String,
    chunk: String,
    open: Open,
    calls: u64,
    refuses: bool,
    /// The stream says what it used.
    counts: bool,
}

/// The open block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Refusal,
    Reasoning,
    Call {
        /// Arguments have been written.
        said: bool,
    },
    /// Of a kind that callers of this form know nothing of.
    Hidden,
}

type Out<'o> = dyn FnMut(&str, &str) + 'o;

impl Writer {
    pub(in crate::chat) fn new(chat: Chat, told: &Told) -> Self {
        Self {
            chat,
            told: told.clone(),
            head: String::new(),
            chunk: String::new(),
            open: Open::Hidden,
            calls: 0,
            refuses: false,
            // native bodies always say it
            counts: told.include_usage || chat != Chat::OpenAi,
        }
    }

    /// The first chunk says who speaks.
    fn start(&mut self, id: Option<&Text<'_>>, model: Option<&Text<'_>>, out: &mut Out<'_>) {
        if !self.head.is_empty() {
            return;
        }
        let head = &mut self.head;
        {
            let mut o = object(head);
            o.raw("id", answer::id(self.chat, id, &self.told).raw());
            o.raw("object", "\"chat.completion.chunk\"").number("created", self.told.created);
            match model {
                Some(model) if self.told.model.is_empty() => o.text("model", model),
                _ => o.string("model", &self.told.model),
            };
        }
        head.pop();
        head.push_str(",\"choices\":[");
        self.delta(|o| _ = o.raw("role", "\"assistant\"").raw("content", "\"\""), out);
    }

    /// A chunk with something new.
    fn delta(&mut self, write: impl FnOnce(&mut Object<'_>), out: &mut Out<'_>) {
        self.chunk.clear();
        self.chunk.push_str(&self.head);
        self.chunk.push_str("{\"index\":0,\"delta\":");
        write(&mut object(&mut self.chunk));
        self.chunk.push_str(",\"logprobs\":null,\"finish_reason\":null}]");
        self.end(out);
    }

    fn end(&mut self, out: &mut Out<'_>) {
        self.chunk.push_str(if self.counts { ",\"usage\":null}" } else { "}" });
        out("", &self.chunk);
    }

    fn grown(&mut self, delta: &Delta<'_>, out: &mut Out<'_>) {
        match (delta, self.open) {
            (Delta::Text(text), Open::Refusal) => self.delta(|o| _ = o.text("refusal", text), out),
            (Delta::Text(text), Open::Text) => self.delta(|o| _ = o.text("content", text), out),
            (Delta::Reasoning(text), _) => self.delta(|o| _ = o.text("reasoning_content", text), out),
            (Delta::Signature(signature), _) => self.delta(
                |o| {
                    let mut list = o.list("thinking_blocks");
                    let mut o = list.object();
                    o.raw("type", "\"thinking\"").raw("thinking", "\"\"").text("signature", signature);
                },
                out,
            ),
            (Delta::Redacted(data), _) => self.redacted(data, out),
            (Delta::Input(piece), Open::Call { .. }) => {
                // nothing is no JSON
                if !piece.is_empty() {
                    self.open = Open::Call { said: true };
                    self.arguments(piece, out);
                }
            }
            (Delta::Citation(citation), _) => self.citation(citation, out),
            // pieces of blocks that are not shown
            (Delta::Text(_) | Delta::Input(_) | Delta::Image(_) | Delta::Foreign(_), _) => {}
        }
    }

    fn redacted(&mut self, data: &Text<'_>, out: &mut Out<'_>) {
        let write = |o: &mut Object<'_>| {
            let mut list = o.list("thinking_blocks");
            list.object().raw("type", "\"redacted_thinking\"").text("data", data);
        };
        self.delta(write, out);
    }

    fn arguments(&mut self, piece: &Text<'_>, out: &mut Out<'_>) {
        let index = self.calls.saturating_sub(1);
        let write = |o: &mut Object<'_>| {
            let mut list = o.list("tool_calls");
            let mut o = list.object();
            o.number("index", index).object("function").text("arguments", piece);
        };
        self.delta(write, out);
    }

    /// Where it is of cannot be told: texts are not kept.
    fn citation(&mut self, citation: &Citation<'_>, out: &mut Out<'_>) {
        let url = match &citation.location {
            Some(Location::Web { url, .. }) => Some(url),
            _ => citation.source.as_ref(),
        };
        let Some(url) = url else { return };
        let write = |o: &mut Object<'_>| {
            let mut list = o.list("annotations");
            let mut o = list.object();
            let mut o = o.raw("type", "\"url_citation\"").object("url_citation");
            o.number("start_index", 0).number("end_index", 0).text("url", url);
            match &citation.title {
                Some(title) => o.text("title", title),
                None => o.raw("title", "\"\""),
            };
        };
        self.delta(write, out);
    }

    fn opened(&mut self, opening: &Opening<'_>, out: &mut Out<'_>) {
        self.open = match opening {
            Opening::Text => Open::Text,
            Opening::Refusal => {
                self.refuses = true;
                Open::Refusal
            }
            Opening::Reasoning => Open::Reasoning,
            Opening::Redacted(data) => {
                if let Some(data) = data {
                    self.redacted(data, out);
                }
                Open::Reasoning
            }
            // callers would take it for theirs to use
            Opening::ToolUse { by_server: true, .. } | Opening::Image { .. } | Opening::Foreign(_) => {
                Open::Hidden
            }
            Opening::ToolUse { id, name, by_server: false } => {
                let index = self.calls;
                self.calls += 1;
                let write = |o: &mut Object<'_>| {
                    let mut list = o.list("tool_calls");
                    let mut o = list.object();
                    o.number("index", index).text("id", id).raw("type", "\"function\"");
                    o.object("function").text("name", name).raw("arguments", "\"\"");
                };
                self.delta(write, out);
                Open::Call { said: false }
            }
        };
    }

    fn stopped(&mut self, stop: &Stop<'_>, stopped_by: Option<&Text<'_>>, out: &mut Out<'_>) {
        let word = stop::word(stop, self.calls > 0, self.refuses);
        self.chunk.clear();
        self.chunk.push_str(&self.head);
        {
            let mut o = object(&mut self.chunk);
            o.number("index", 0).raw("delta", "{}").raw("logprobs", "null").string("finish_reason", word);
            match stopped_by {
                Some(sequence) => drop(o.text("stop_reason", sequence)),
                None if self.chat == Chat::Mistral => drop(o.string("stop_reason", word)),
                None => {}
            }
        }
        self.chunk.push(']');
        self.end(out);
    }

    fn used(&mut self, used: &Usage, tier: Option<&str>, out: &mut Out<'_>) {
        self.chunk.clear();
        self.chunk.push_str(&self.head);
        self.chunk.push(']');
        if let Some(tier) = tier {
            self.chunk.push_str(",\"service_tier\":");
            string(&mut self.chunk, tier::said(tier));
        }
        self.chunk.push(',');
        let mut rest = String::new();
        usage::write(used, &mut object(&mut rest));
        self.chunk.push_str(rest.trim_start_matches('{'));
        out("", &self.chunk);
    }
}

impl WriteEvents for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut dyn FnMut(&str, &str)) {
        match event {
            Event::Start { id, model, .. } => self.start(id.as_ref(), model.as_ref(), out),
            // framings have their own, which callers of this form skip
            Event::Ping => {}
            Event::Failed { error, message } => {
                out("", &crate::openai::refuse::broken(error, &message.decode()));
            }
            event => {
                self.start(None, None, out);
                match event {
                    Event::Open { opening, .. } => self.opened(opening, out),
                    Event::Delta { delta, .. } => self.grown(delta, out),
                    Event::Close { .. } => {
                        if std::mem::replace(&mut self.open, Open::Hidden) == (Open::Call { said: false }) {
                            self.arguments(&Text::of("{}"), out);
                        }
                    }
                    Event::Stop { stop, stopped_by, .. } => self.stopped(stop, stopped_by.as_ref(), out),
                    Event::Usage { usage, tier, .. } if self.counts => {
                        self.used(usage, tier.as_deref(), out);
                    }
                    Event::Usage { .. } | Event::Start { .. } | Event::Ping | Event::Failed { .. } => {}
                }
            }
        }
    }

    fn finish(&mut self, _out: &mut dyn FnMut(&str, &str)) {}
}
