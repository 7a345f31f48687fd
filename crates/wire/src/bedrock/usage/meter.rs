//! Usage of a stream, frame by frame.

use bedplate_core::call::Operation;

use super::Metered;
use crate::bedrock::Family;
use crate::eventstream::Frame;

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

/// Listens to the frames of one stream.
pub struct Meter {
    _operation: Operation,
    _family: Family,
    heard: Metered,
}

impl Meter {
    pub fn new(operation: Operation, family: Family) -> Self {
        Self { _operation: operation, _family: family, heard: Metered::default() }
    }

    /// Hears one frame.
    pub fn frame(&mut self, _frame: &Frame) -> Heard {
        Heard::default()
    }

    /// What the stream told in all.
    pub fn finish(self) -> Metered {
        self.heard
    }
}
