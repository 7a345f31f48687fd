//! An event stream on its way through: forwarded frame by frame, in the upstream's own bytes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bedplate_core::call::{Headers, Operation};
use bedplate_core::refusal::Code;
use bedplate_pipeline::{Broke, Flow, Heard, Metered, Piece};
use bedplate_wire::bedrock::Family;
use bedplate_wire::bedrock::usage::Meter;
use bedplate_wire::eventstream::{Frame, Kind, Scanner};
use bytes::Bytes;
use hyper::body::{Body, Incoming};

use crate::metered::metered;
use crate::pool::{Lease, Pool};

/// How a stream begins.
pub(super) enum First {
    /// With an event; it is the flow's first piece.
    Event(Box<dyn Flow>),
    /// With an error.
    Exception(Exception),
}

/// A modelled error in a stream.
pub(super) struct Exception {
    /// As AWS names it: `ThrottlingException`.
    pub(super) name: String,
    pub(super) status: u16,
    payload: Bytes,
}

impl Exception {
    fn of(frame: &Frame) -> Option<Self> {
        match frame.kind() {
            Kind::Exception(name) => {
                let name = upper_camel(name);
                let payload = frame.raw().slice(frame.payload_range());
                Some(Self { status: status(&name), name, payload })
            }
            Kind::Error { code, message } => {
                let payload = serde_json::json!({ "message": message }).to_string().into();
                Some(Self { name: upper_camel(code), status: 500, payload })
            }
            Kind::Event(_) | Kind::Other => None,
        }
    }

    pub(super) fn body(&self) -> Bytes {
        self.payload.clone()
    }

    pub(super) fn headers(&self, request_id: Option<&str>) -> Headers {
        let mut headers = Headers::with_capacity(3);
        headers.push("content-type", "application/json");
        headers.push("x-amzn-errortype", self.name.clone());
        if let Some(id) = request_id {
            headers.push("x-amzn-requestid", id.to_owned());
        }
        headers
    }
}

/// `throttlingException` in a frame is `ThrottlingException` in a header.
fn upper_camel(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |c| c.to_ascii_uppercase().to_string() + chars.as_str())
}

/// The status that AWS models for an error (`api.md` §8).
fn status(name: &str) -> u16 {
    match name {
        "ThrottlingException" | "ModelNotReadyException" => 429,
        "ValidationException" | "ServiceQuotaExceededException" => 400,
        "AccessDeniedException" => 403,
        "ResourceNotFoundException" => 404,
        "ModelTimeoutException" => 408,
        "ModelStreamErrorException" | "ModelErrorException" => 424,
        "ServiceUnavailableException" => 503,
        _ => 500,
    }
}

/// Reads up to the first whole frame.
pub(super) async fn open(
    kept: (Arc<Pool>, Lease),
    body: Incoming,
    (operation, family): (Operation, Family),
    meter: Meter,
) -> Result<First, (Code, String)> {
    let mut stream = EventStream {
        kept: Some(kept),
        body,
        // a damaged frame is never forwarded: who reads after us need not look again
        scanner: Scanner::new(true),
        meter,
        operation,
        family,
        pieces: VecDeque::new(),
        stopped: false,
        begun: false,
        damaged: None,
    };
    let first = std::future::poll_fn(|cx| stream.poll_frames(cx)).await;
    match first {
        None => Err((Code::BrokenAnswer, "the stream ended before its first event".into())),
        Some(Err(broke)) => Err((broke.code, broke.cause)),
        Some(Ok(Some(exception))) => Ok(First::Exception(exception)),
        Some(Ok(None)) => Ok(First::Event(Box::new(stream))),
    }
}

struct EventStream {
    /// Given back when the stream has been read to its end.
    kept: Option<(Arc<Pool>, Lease)>,
    body: Incoming,
    scanner: Scanner,
    meter: Meter,
    operation: Operation,
    family: Family,
    /// Read, not yet forwarded: the frames of one chunk, joined where they lie side by side.
    pieces: VecDeque<Piece>,
    /// `messageStop`, or an exception, has been seen.
    stopped: bool,
    /// A frame has been seen.
    begun: bool,
    /// A frame that cannot be trusted: nothing is read after it.
    damaged: Option<Broke>,
}

impl EventStream {
    /// Reads the next chunk that completes a frame and scans it; `None` at a good end. An exception is
    /// given back only when it is the very first frame.
    fn poll_frames(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Option<Exception>, Broke>>> {
        loop {
            if let Some(damaged) = self.damaged.take() {
                return Poll::Ready(Some(Err(damaged)));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(chunk) = frame.into_data() else { continue };
                    match self.scan(chunk) {
                        Ok(None) if self.pieces.is_empty() => {}
                        other => return Poll::Ready(Some(other)),
                    }
                }
                Some(Err(e)) => return Poll::Ready(Some(Err(broke(format!("the stream broke off: {e}"))))),
                None => return Poll::Ready(self.finish().map(Err)),
            }
        }
    }

    fn scan(&mut self, chunk: Bytes) -> Result<Option<Exception>, Broke> {
        let at = chunk.as_ptr().addr();
        let mut joined: Option<(std::ops::Range<usize>, Heard)> = None;
        self.scanner.feed(chunk.clone());
        loop {
            let frame = match self.scanner.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(damage) => {
                    // what came before it is good, and goes first
                    self.damaged = Some(broke(damage.to_string()));
                    break;
                }
            };
            if !std::mem::replace(&mut self.begun, true)
                && let Some(exception) = Exception::of(&frame)
            {
                return Ok(Some(exception));
            }
            let heard = self.hear(&frame);
            let raw = frame.into_raw();
            // frames that lie side by side in one chunk go out as one piece, one write
            let begin = raw.as_ptr().addr().wrapping_sub(at);
            let inside = begin < chunk.len() && begin + raw.len() <= chunk.len();
            match &mut joined {
                Some((range, all)) if inside && range.end == begin => {
                    range.end = begin + raw.len();
                    all.merge(heard);
                }
                _ if inside => {
                    self.push_joined(&chunk, joined.take());
                    joined = Some((begin..begin + raw.len(), heard));
                }
                _ => {
                    self.push_joined(&chunk, joined.take());
                    self.pieces.push_back(Piece { bytes: raw, heard });
                }
            }
        }
        self.push_joined(&chunk, joined);
        Ok(None)
    }

    fn push_joined(&mut self, chunk: &Bytes, joined: Option<(std::ops::Range<usize>, Heard)>) {
        if let Some((range, heard)) = joined {
            self.pieces.push_back(Piece { bytes: chunk.slice(range), heard });
        }
    }

    fn hear(&mut self, frame: &Frame) -> Heard {
        let heard = self.meter.frame(frame);
        self.stopped |= heard.exception.is_some() || matches!(frame.kind(), Kind::Event("messageStop"));
        Heard { content: heard.content, exception: heard.exception.map(|e| upper_camel(&e.name)) }
    }

    /// What is wrong with an end; `None` when it is a good one.
    fn finish(&mut self) -> Option<Broke> {
        if let Err(damage) = self.scanner.finish() {
            return Some(broke(damage.to_string()));
        }
        // Converse says when it is done; native chunks of some models do not
        if self.operation == Operation::ConverseStream && !self.stopped {
            return Some(broke("the stream ended without messageStop".into()));
        }
        if let Some((pool, lease)) = self.kept.take() {
            pool.give_back(lease);
        }
        None
    }
}

impl Flow for EventStream {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Broke>>> {
        if self.pieces.is_empty() {
            match ready!(self.poll_frames(cx)) {
                None => return Poll::Ready(None),
                Some(Err(broke)) => return Poll::Ready(Some(Err(broke))),
                Some(Ok(_)) => {}
            }
        }
        Poll::Ready(self.pieces.pop_front().map(Ok))
    }

    fn metered(self: Box<Self>) -> Metered {
        metered(self.meter.finish(), self.family)
    }
}

fn broke(cause: String) -> Broke {
    Broke { code: Code::BrokenAnswer, cause }
}
