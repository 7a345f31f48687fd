//! A stream from one form and framing to another, as it comes: every event is written at once, and nothing is kept but
//! what a codec must remember.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bedplate_core::conversation::{Delta, Event, Opening, Stop, Text};
use bedplate_core::form::Form;
use bedplate_core::refusal::Refusal;
use bedplate_core::usage::Usage;
use bytes::{Bytes, BytesMut};

use super::{Codec, ReadEvents, Told, WriteEvents, codec};
use crate::eventstream::{Kind, Scanner, encode_event, encode_exception};
use crate::json::{self, write::string};
use crate::sse;

/// How the events of a stream are framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// AWS's event stream, an event a frame: Converse.
    EventStream,
    /// AWS's event stream with base64 in each frame: `InvokeModelWithResponseStream`.
    Chunks,
    /// Server-sent events: OpenAI (which ends with `[DONE]`), Anthropic.
    Sse,
}

/// A stream that cannot be read, or that stops short.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Translates one stream.
pub struct Stream {
    source: Source,
    reader: Box<dyn ReadEvents>,
    sink: Sink,
}

enum Source {
    Frames { scanner: Scanner, chunks: bool },
    Sse(sse::Decoder),
}

/// Where events go.
struct Sink {
    writer: Box<dyn WriteEvents>,
    framing: Framing,
    /// OpenAI's streams end with a word.
    done: bool,
    out: BytesMut,
    /// The upstream said what went wrong: nothing may follow.
    failed: bool,
}

impl Stream {
    /// # Errors
    /// For forms without a codec.
    pub fn new(from: (Form, Framing), to: (Form, Framing), told: &Told) -> Result<Self, Refusal> {
        let source = match from.1 {
            Framing::EventStream => Source::Frames { scanner: Scanner::new(false), chunks: false },
            Framing::Chunks => Source::Frames { scanner: Scanner::new(false), chunks: true },
            Framing::Sse => Source::Sse(sse::Decoder::default()),
        };
        let (writer, framing) = (codec(to.0)?.writer(told), to.1);
        let done = framing == Framing::Sse && to.0 == Form::Chat;
        let sink = Sink { writer, framing, done, out: BytesMut::new(), failed: false };
        let mut reader = codec(from.0)?.reader();
        reader.of_model(&told.upstream);
        Ok(Self { source, reader, sink })
    }

    /// Takes the next bytes and gives what they are in the other form: nothing when no event is whole.
    ///
    /// # Errors
    /// [`Broken`], when they cannot be read.
    pub fn feed(&mut self, bytes: Bytes) -> Result<Bytes, Broken> {
        let Self { source, reader, sink } = self;
        match source {
            Source::Frames { scanner, chunks } => {
                scanner.feed(bytes);
                while let Some(frame) = scanner.next_frame().map_err(|damage| Broken(damage.to_string()))? {
                    match frame.kind() {
                        Kind::Event("chunk") if *chunks => {
                            let payload = chunk(frame.payload())?;
                            event(reader, sink, "", &payload)?;
                        }
                        Kind::Event(name) if !*chunks => event(reader, sink, name, frame.payload())?,
                        Kind::Exception(name) => sink.failed(&upper_camel(name), &message(frame.payload())),
                        Kind::Error { code, message } => sink.failed(code, &Text::of(message)),
                        // SDKs skip what they do not know
                        Kind::Event(_) | Kind::Other => {}
                    }
                }
            }
            Source::Sse(decoder) => {
                decoder.feed(&bytes);
                while let Some(read) =
                    decoder.next_event().map_err(|_| Broken("an event is too long".into()))?
                {
                    if &*read.data != b"[DONE]" {
                        let name = std::str::from_utf8(&read.name).unwrap_or_default();
                        event(reader, sink, name, &read.data)?;
                    }
                }
            }
        }
        Ok(self.sink.out.split().freeze())
    }

    /// The upstream ended the stream well: gives the rest.
    ///
    /// # Errors
    /// [`Broken`], when it stops short.
    pub fn finish(&mut self) -> Result<Bytes, Broken> {
        let Self { source, reader, sink } = self;
        let amid = match source {
            Source::Frames { scanner, .. } => scanner.finish().is_err(),
            Source::Sse(decoder) => decoder.is_amid(),
        };
        if amid {
            return Err(Broken("the stream ended inside an event".into()));
        }
        let whole = reader.finish(&mut |event| sink.write(&event));
        if !whole && !sink.failed {
            return Err(Broken("the stream ended before the answer did".into()));
        }
        sink.finish();
        Ok(sink.out.split().freeze())
    }
}

/// A stream of our own that says one text.
pub(super) fn own(to: (Form, Framing), codec: &dyn Codec, told: &Told, text: Text<'_>) -> Bytes {
    let mut sink = Sink::new(to, codec, told);
    let usage = Box::<Usage>::default();
    for event in [
        Event::Start { id: None, model: None, usage: None },
        Event::Open { block: 0, opening: Opening::Text },
        Event::Delta { block: 0, delta: Delta::Text(text) },
        Event::Close { block: 0 },
        Event::Stop { stop: Stop::EndTurn, stopped_by: None, fields: None },
        Event::Usage { usage, latency_ms: None, tier: None, trace: None },
    ] {
        sink.write(&event);
    }
    sink.finish();
    sink.out.freeze()
}

fn event(
    reader: &mut Box<dyn ReadEvents>,
    sink: &mut Sink,
    name: &str,
    payload: &[u8],
) -> Result<(), Broken> {
    let unreadable =
        |at: &str, why: &str| Broken(format!("an event of the stream cannot be read: {at}: {why}"));
    let text = json::utf8(payload).map_err(|fault| unreadable(name, &fault.to_string()))?;
    let read = reader.read(name, text, &mut |event| sink.write(&event));
    read.map_err(|bad| unreadable(&bad.at, &bad.why))
}

impl Sink {
    fn new((form, framing): (Form, Framing), codec: &dyn Codec, told: &Told) -> Self {
        let done = framing == Framing::Sse && form == Form::Chat;
        Self { writer: codec.writer(told), framing, done, out: BytesMut::new(), failed: false }
    }

    fn write(&mut self, event: &Event<'_>) {
        if self.failed {
            return;
        }
        self.failed = matches!(event, Event::Failed { .. });
        if matches!(event, Event::Ping) && self.framing == Framing::Sse && self.done {
            self.out.extend_from_slice(sse::COMMENT);
        }
        // of Bedrock's own streams an error is a frame of another kind
        if let Event::Failed { error, message } = event
            && self.framing != Framing::Sse
        {
            let payload = format!("{{\"message\":{}}}", message.raw());
            self.out.extend_from_slice(&encode_exception(&lower_camel(error), payload.as_bytes()));
            return;
        }
        let Self { writer, framing, out, .. } = self;
        writer.write(event, &mut |name, payload| frame(*framing, name, payload, out));
    }

    fn failed(&mut self, error: &str, message: &Text<'_>) {
        self.write(&Event::Failed { error: error.into(), message: message.clone() });
    }

    fn finish(&mut self) {
        if self.failed {
            return;
        }
        let Self { writer, framing, out, .. } = self;
        writer.finish(&mut |name, payload| frame(*framing, name, payload, out));
        if self.done {
            sse::write("", "[DONE]", &mut self.out);
        }
    }
}

fn frame(framing: Framing, name: &str, payload: &str, out: &mut BytesMut) {
    match framing {
        Framing::EventStream => out.extend_from_slice(&encode_event(name, payload.as_bytes())),
        Framing::Chunks => {
            let mut text = String::with_capacity(payload.len() * 4 / 3 + 16);
            text.push_str("{\"bytes\":");
            string(&mut text, &STANDARD.encode(payload));
            text.push('}');
            out.extend_from_slice(&encode_event("chunk", text.as_bytes()));
        }
        Framing::Sse => sse::write(name, payload, out),
    }
}

/// The bytes inside a frame of a native stream.
pub(crate) fn chunk(payload: &[u8]) -> Result<Vec<u8>, Broken> {
    let bad = || Broken("a chunk of the stream cannot be read".into());
    let text = json::utf8(payload).map_err(|_| bad())?;
    let picked = json::pick(text, &["bytes"]).map_err(|_| bad())?;
    let encoded = picked.text(0).and_then(json::string).ok_or_else(bad)?;
    STANDARD.decode(encoded.as_bytes()).map_err(|_| bad())
}

/// What an exception says.
fn message(payload: &[u8]) -> Text<'static> {
    let said = json::utf8(payload).ok().and_then(|text| {
        let picked = json::pick(text, &["message", "Message"]).ok()?;
        json::string(picked.text(0).or(picked.text(1))?).map(std::borrow::Cow::into_owned)
    });
    Text::of(said.as_deref().unwrap_or_default())
}

/// `throttlingException` in a frame is `ThrottlingException` everywhere else.
pub(crate) fn upper_camel(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |c| c.to_ascii_uppercase().to_string() + chars.as_str())
}

fn lower_camel(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |c| c.to_ascii_lowercase().to_string() + chars.as_str())
}
