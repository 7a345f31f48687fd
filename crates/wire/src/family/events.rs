//! Streams: pieces of text, of which the last says why it ended and what it used.

use bedplate_core::conversation::{Delta, Event, Opening, Stop, Text};
use bedplate_core::usage::Usage;

use super::Family;
use super::answer::{self, THOUGHT, piece};
use crate::json::object::Bad;
use crate::json::write::{Object, object};
use crate::translate::{ReadEvents, WriteEvents};

/// Reads one stream.
pub(super) struct Reader {
    usage: Usage,
    latency_ms: Option<u64>,
    started: bool,
    stopped: bool,
    /// The open block: what it is, and its place.
    open: Option<u32>,
    next: u32,
    /// The model thinks; what may be the beginning of the mark that ends it waits here.
    thinking: Option<String>,
    /// Lines that say nothing between what the model thought and what it answers are left out.
    blank: bool,
}

/// The most that waits: newlines, and a mark that is not whole.
const WAITING: usize = 16;

impl Reader {
    pub(super) fn new(family: Family) -> Self {
        Self {
            usage: Usage::default(),
            latency_ms: None,
            started: false,
            stopped: false,
            open: None,
            next: 0,
            thinking: (family == Family::DeepSeek).then(String::new),
            blank: false,
        }
    }

    fn open<'a>(&mut self, opening: Opening<'a>, out: &mut dyn FnMut(Event<'a>)) -> u32 {
        if let Some(block) = self.open {
            return block;
        }
        let block = self.next;
        self.next += 1;
        self.open = Some(block);
        out(Event::Open { block, opening });
        block
    }

    fn close<'a>(&mut self, out: &mut dyn FnMut(Event<'a>)) {
        if let Some(block) = self.open.take() {
            out(Event::Close { block });
        }
    }

    fn text<'a>(&mut self, text: Text<'a>, out: &mut dyn FnMut(Event<'a>)) {
        if text.is_empty() {
            return;
        }
        let Some(waiting) = &mut self.thinking else {
            let text = match self.blank {
                true => Text::of(text.decode().trim_start_matches('\n')),
                false => text,
            };
            if text.is_empty() {
                return;
            }
            self.blank = false;
            let block = self.open(Opening::Text, out);
            out(Event::Delta { block, delta: Delta::Text(text) });
            return;
        };
        waiting.push_str(&text.decode());
        if self.next == 0 {
            // some prompts leave the first mark to the model
            let start = waiting.trim_start_matches('\n');
            if "<think>".starts_with(start) && start != "<think>" {
                return;
            }
            *waiting = start.strip_prefix("<think>").unwrap_or(start).trim_start_matches('\n').to_owned();
        }
        if let Some((thought, answer)) = waiting.split_once(THOUGHT) {
            let (thought, answer) = (thought.trim_end_matches('\n').to_owned(), answer.to_owned());
            self.thinking = None;
            self.think(&thought, out);
            self.close(out);
            self.blank = true;
            self.text(Text::of(&answer), out);
            return;
        }
        let held = (waiting.len().saturating_sub(WAITING)..=waiting.len())
            .filter(|at| waiting.is_char_boundary(*at))
            .find(|at| THOUGHT.starts_with(waiting[*at..].trim_start_matches('\n')))
            .unwrap_or(waiting.len());
        let rest = waiting.split_off(held);
        let thought = std::mem::replace(waiting, rest);
        self.think(&thought, out);
    }

    fn think<'a>(&mut self, thought: &str, out: &mut dyn FnMut(Event<'a>)) {
        if !thought.is_empty() {
            let block = self.open(Opening::Reasoning, out);
            out(Event::Delta { block, delta: Delta::Reasoning(Text::of(thought)) });
        }
    }
}

impl ReadEvents for Reader {
    fn read<'a>(&mut self, _name: &str, payload: &'a str, out: &mut dyn FnMut(Event<'a>)) -> Result<(), Bad> {
        let piece = piece(payload)?;
        if !std::mem::replace(&mut self.started, true) {
            out(Event::Start { id: piece.id, model: None, usage: None });
        }
        if let Some(text) = piece.text {
            self.text(text, out);
        }
        // counters are of all there is so far
        self.usage.input = piece.input.unwrap_or(self.usage.input);
        self.usage.output = piece.output.unwrap_or(self.usage.output);
        if let Some((read, written)) = piece.cached {
            (self.usage.cache_read, self.usage.cache_write_5m) = (read, written);
        }
        self.latency_ms = piece.latency_ms.or(self.latency_ms);
        if let Some(stop) = piece.stop
            && !std::mem::replace(&mut self.stopped, true)
        {
            if let Some(waiting) = self.thinking.take() {
                self.think(&waiting, out);
            }
            self.close(out);
            out(Event::Stop { stop, stopped_by: None, fields: None });
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn FnMut(Event<'static>)) -> bool {
        if self.stopped {
            out(Event::Usage {
                usage: Box::new(std::mem::take(&mut self.usage)),
                latency_ms: self.latency_ms,
                tier: None,
                trace: None,
            });
        }
        self.stopped
    }
}

/// Writes one stream.
pub(super) struct Writer {
    family: Family,
    id: String,
    buffer: String,
    started: bool,
    /// Prompt tokens, where they are known at the beginning.
    input: Option<u64>,
    /// Until the usage is known.
    stop: Option<&'static str>,
    ended: bool,
    /// DeepSeek's thoughts end with a mark.
    thinking: bool,
}

impl Writer {
    pub(super) fn new(family: Family, id: &str) -> Self {
        Self {
            family,
            id: id.to_owned(),
            buffer: String::with_capacity(256),
            started: false,
            input: None,
            stop: None,
            ended: false,
            thinking: false,
        }
    }

    fn say(&mut self, out: &mut dyn FnMut(&str, &str), members: impl FnOnce(&mut Object<'_>)) {
        self.buffer.clear();
        members(&mut object(&mut self.buffer));
        out("", &self.buffer);
    }

    fn start(&mut self, id: Option<&Text<'_>>, out: &mut dyn FnMut(&str, &str)) {
        if std::mem::replace(&mut self.started, true) || self.family != Family::Command {
            return;
        }
        let told = std::mem::take(&mut self.id);
        self.say(out, |o| {
            o.bool("is_finished", false).string("event_type", "stream-start");
            answer::identity(o, id, &told);
        });
    }

    fn text(&mut self, raw: &str, out: &mut dyn FnMut(&str, &str)) {
        self.start(None, out);
        let (family, input) = (self.family, self.input.take());
        self.say(out, |o| {
            shaped(o, family, raw, None, input, None);
        });
    }

    fn end(&mut self, usage: Option<&Usage>, latency_ms: Option<u64>, out: &mut dyn FnMut(&str, &str)) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.start(None, out);
        let family = self.family;
        let stop = self.stop.unwrap_or_else(|| answer::word(family, &Stop::EndTurn));
        let output = usage.map(|usage| usage.output);
        let input = usage.filter(|_| family == Family::Titan).map(Usage::prompt);
        self.say(out, |o| {
            shaped(o, family, "\"\"", Some(stop), input, output);
            let Some(usage) = usage else { return };
            let mut metrics = o.object("amazon-bedrock-invocationMetrics");
            metrics.number("inputTokenCount", usage.input).number("outputTokenCount", usage.output);
            metrics.maybe_number("invocationLatency", latency_ms);
            if usage.prompt() != usage.input {
                metrics
                    .number("cacheReadInputTokenCount", usage.cache_read)
                    .number("cacheWriteInputTokenCount", usage.cache_write_5m + usage.cache_write_1h);
            }
        });
    }
}

impl WriteEvents for Writer {
    fn write(&mut self, event: &Event<'_>, out: &mut dyn FnMut(&str, &str)) {
        match event {
            Event::Start { id, usage, .. } => {
                self.input = usage.as_ref().map(|usage| usage.prompt());
                self.start(id.as_ref(), out);
            }
            Event::Open { opening: Opening::Reasoning, .. } => {
                self.thinking = self.family == Family::DeepSeek
            }
            Event::Delta { delta: Delta::Text(text), .. } => self.text(text.raw(), out),
            Event::Delta { delta: Delta::Reasoning(text), .. } if self.thinking => self.text(text.raw(), out),
            Event::Close { .. } if std::mem::take(&mut self.thinking) => {
                self.text(r#""\n</think>\n\n""#, out);
            }
            Event::Stop { stop, .. } => self.stop = Some(answer::word(self.family, stop)),
            Event::Usage { usage, latency_ms, .. } => self.end(Some(usage), *latency_ms, out),
            // errors are frames of their own; what is left has no words here
            Event::Failed { .. } => self.ended = true,
            Event::Open { .. } | Event::Delta { .. } | Event::Close { .. } | Event::Ping => {}
        }
    }

    fn finish(&mut self, out: &mut dyn FnMut(&str, &str)) {
        if self.stop.is_some() {
            self.end(None, None, out);
        }
    }
}

/// The members of one piece in a family's shape; `text` as JSON.
fn shaped(
    o: &mut Object<'_>,
    family: Family,
    text: &str,
    stop: Option<&str>,
    input: Option<u64>,
    output: Option<u64>,
) {
    let count = |o: &mut Object<'_>, name: &str, n: Option<u64>| {
        match n {
            Some(n) => o.number(name, n),
            None => o.raw(name, "null"),
        };
    };
    let ended = |o: &mut Object<'_>, name: &str| {
        match stop {
            Some(stop) => o.string(name, stop),
            None => o.raw(name, "null"),
        };
    };
    match family {
        Family::Llama => {
            o.raw("generation", text);
            count(o, "prompt_token_count", input);
            count(o, "generation_token_count", output);
            ended(o, "stop_reason");
        }
        Family::Mistral => ended(o.list("outputs").object().raw("text", text), "stop_reason"),
        Family::DeepSeek => ended(o.list("choices").object().raw("text", text), "stop_reason"),
        Family::Titan => {
            o.raw("outputText", text).number("index", 0);
            count(o, "totalOutputTextTokenCount", output);
            ended(o, "completionReason");
            count(o, "inputTextTokenCount", input);
        }
        Family::Command => match stop {
            Some(stop) => {
                o.bool("is_finished", true).string("event_type", "stream-end").string("finish_reason", stop);
            }
            None => {
                o.bool("is_finished", false).string("event_type", "text-generation").raw("text", text);
            }
        },
    }
}
