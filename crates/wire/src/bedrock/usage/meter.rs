//! Usage of a stream, frame by frame.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use bedplate_core::call::{Headers, Operation};

use super::tally::Tally;
use super::{Metered, glance, native};
use crate::bedrock::Family;
use crate::eventstream::{Frame, Kind};
use crate::json::{self, Text};

/// What a frame told.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Heard {
    /// It carries content of the answer (the first such frame is the first token).
    pub content: bool,
    /// An upper bound for its bytes of text.
    pub text_bytes: u64,
    /// It ends the stream with an error.
    pub exception: Option<Exception>,
    /// The last word was heard: `metadata`, or the chunk with the metrics.
    pub done: bool,
}

/// An error inside a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exception {
    /// As on the wire: `throttlingException`.
    pub name: String,
    pub message: String,
}

/// Listens to the frames of one stream. Parses only those that matter.
pub struct Meter {
    operation: Operation,
    family: Family,
    tally: Tally,
    output_bytes: u64,
    /// A chunk's native JSON, decoded; reused.
    native: Vec<u8>,
}

impl Meter {
    pub fn new(operation: Operation, family: Family) -> Self {
        Self { operation, family, tally: Tally::default(), output_bytes: 0, native: Vec::new() }
    }

    /// Hears the headers that came before the stream: tier and latency are said there for native streams.
    pub fn headers(&mut self, headers: &Headers) {
        self.tally.served(headers);
    }

    /// Hears one frame.
    pub fn frame(&mut self, frame: &Frame) -> Heard {
        let heard = match frame.kind() {
            Kind::Event("chunk") => self.chunk(frame.payload()),
            Kind::Event("contentBlockDelta") => Heard {
                content: true,
                text_bytes: glance::over(frame.payload()).text_bytes,
                ..Heard::default()
            },
            Kind::Event(name @ ("messageStop" | "metadata")) => {
                if let Ok(text) = json::utf8(frame.payload()) {
                    self.tally.converse(text);
                }
                Heard { done: name == "metadata", ..Heard::default() }
            }
            Kind::Event(_) | Kind::Other => Heard::default(),
            Kind::Exception(name) => {
                ended(Exception { name: name.to_owned(), message: message(frame.payload()) })
            }
            Kind::Error { code, message } => {
                ended(Exception { name: code.to_owned(), message: message.to_owned() })
            }
        };
        self.output_bytes = self.output_bytes.saturating_add(heard.text_bytes);
        heard
    }

    /// Hears one server-sent event of a vendor's own API: its data.
    pub fn event(&mut self, data: &[u8]) -> Heard {
        let heard = native(data, &mut self.tally);
        self.output_bytes = self.output_bytes.saturating_add(heard.text_bytes);
        heard
    }

    /// Whether a reason to stop was heard.
    pub fn has_stopped(&self) -> bool {
        self.tally.stop_reason.is_some()
    }

    /// What the stream told in all. A count of output that is not the final one is no usage: then only
    /// the prompt's side is told.
    pub fn finish(mut self) -> Metered {
        if !self.tally.complete {
            self.tally.counts.output = None;
        }
        let converse = self.operation == Operation::ConverseStream;
        let metered = self.tally.metered(converse && self.family == Family::OpenAi);
        Metered { output_bytes: self.output_bytes, ..metered }
    }

    fn chunk(&mut self, payload: &[u8]) -> Heard {
        #[derive(Deserialize)]
        struct Chunk<'a> {
            #[serde(borrow)]
            bytes: Text<'a>,
        }
        let Ok(Chunk { bytes }) = serde_json::from_slice(payload) else { return Heard::default() };
        self.native.clear();
        if STANDARD.decode_vec(bytes.0.as_bytes(), &mut self.native).is_err() {
            return Heard::default();
        }
        native(&self.native, &mut self.tally)
    }
}

/// Hears an event in a family's own words.
fn native(event: &[u8], tally: &mut Tally) -> Heard {
    let seen = glance::over(event);
    if seen.matters
        && let Ok(text) = json::utf8(event)
    {
        native::read(text, tally);
    }
    Heard { content: seen.text_bytes > 0, text_bytes: seen.text_bytes, exception: None, done: seen.last }
}

fn ended(exception: Exception) -> Heard {
    Heard { exception: Some(exception), ..Heard::default() }
}

fn message(payload: &[u8]) -> String {
    json::utf8(payload)
        .and_then(|text| json::pick(text, &["message", "Message"]))
        .ok()
        .and_then(|p| p.text(0).or(p.text(1)).and_then(json::string).map(|s| s.into_owned()))
        .unwrap_or_default()
}
