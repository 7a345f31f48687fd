//! A stream on its way back, event by event.

use std::task::{Context, Poll, ready};

use bedplate_core::refusal::Code;
use bedplate_pipeline::{Broke, Flow, Heard, Metered, Piece};
use bedplate_wire::anthropic::stream::Frames;
use bedplate_wire::translate::{Broken, Stream};
use bytes::Bytes;

pub(super) struct Interpreted {
    flow: Box<dyn Flow>,
    turn: Turn,
    /// Of events that are nothing in the caller's words.
    heard: Heard,
    ended: bool,
}

/// From the upstream's bytes to the caller's.
pub(super) enum Turn {
    Forms(Stream),
    /// The same payloads, framed in another way.
    Frames(Frames),
}

impl Turn {
    fn feed(&mut self, bytes: Bytes) -> Result<Bytes, Broken> {
        match self {
            Self::Forms(stream) => stream.feed(bytes),
            Self::Frames(frames) => frames.feed(bytes),
        }
    }

    fn finish(&mut self) -> Result<Bytes, Broken> {
        match self {
            Self::Forms(stream) => stream.finish(),
            Self::Frames(frames) => frames.finish(),
        }
    }
}

impl Interpreted {
    pub(super) fn new(flow: Box<dyn Flow>, turn: Turn) -> Self {
        Self { flow, turn, heard: Heard::default(), ended: false }
    }
}

impl Flow for Interpreted {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Broke>>> {
        while !self.ended {
            let bytes = match ready!(self.flow.poll_piece(cx)) {
                Some(Ok(Piece { bytes, heard })) => {
                    self.heard.merge(heard);
                    self.turn.feed(bytes)
                }
                Some(Err(broke)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(broke)));
                }
                None => {
                    self.ended = true;
                    self.turn.finish()
                }
            };
            match bytes {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => {
                    let heard = std::mem::take(&mut self.heard);
                    return Poll::Ready(Some(Ok(Piece { bytes, heard })));
                }
                Err(Broken(cause)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(Broke { code: Code::BrokenAnswer, cause })));
                }
            }
        }
        Poll::Ready(None)
    }

    fn metered(self: Box<Self>) -> Metered {
        self.flow.metered()
    }
}
