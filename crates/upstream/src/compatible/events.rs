//! A stream of server-sent events on its way through, event by event, in the upstream's own bytes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::refusal::Code;
use bedplate_pipeline::{Broke, Flow, Heard, Metered, Piece};
use bedplate_wire::bedrock::Family;
use bedplate_wire::bedrock::usage::Meter;
use bedplate_wire::envelope::is_usage_alone;
use bedplate_wire::openai::failure::Failure;
use bedplate_wire::sse::{Block, Decoder};
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Incoming};
use tokio::time::{Sleep, sleep};

use super::Asked;
use crate::attempt::Wrong;
use crate::metered::metered;
use crate::pool::{Lease, Pool};

/// How a stream begins.
pub(super) enum First {
    /// With an event; it is the flow's first piece.
    Event(Box<dyn Flow>),
    /// With an error, and how the server says it.
    Failure(Failure, Bytes),
}

/// Reads up to the first event.
pub(super) async fn open(kept: (Arc<Pool>, Lease), body: Incoming, asked: &Asked) -> Result<First, Wrong> {
    let mut events = Events {
        kept: Some(kept),
        body,
        decoder: Decoder::default(),
        meter: Meter::new(Operation::InvokeModelWithResponseStream, asked.family),
        family: asked.family,
        alike: asked.alike,
        hides_usage: asked.hides_usage,
        pieces: VecDeque::new(),
        begun: false,
        failed: false,
        done: None,
    };
    match std::future::poll_fn(|cx| events.poll_events(cx)).await {
        None => Err((Code::BrokenAnswer, "the stream ended before its first event".into())),
        Some(Err(broke)) => Err((broke.code, broke.cause)),
        Some(Ok(Some((failure, said)))) => Ok(First::Failure(failure, said)),
        Some(Ok(None)) => Ok(First::Event(Box::new(events))),
    }
}

struct Events {
    /// Given back when the stream has been read to its end.
    kept: Option<(Arc<Pool>, Lease)>,
    body: Incoming,
    decoder: Decoder,
    meter: Meter,
    family: Family,
    alike: bool,
    hides_usage: bool,
    /// Read, not yet forwarded.
    pieces: VecDeque<Piece>,
    /// An event has been seen.
    begun: bool,
    /// The server said what went wrong.
    failed: bool,
    /// The last word was said: how long the end of the body is waited for.
    done: Option<Pin<Box<Sleep>>>,
}

/// What a chunk came to: an error, when it is the very first event.
type Scanned = Result<Option<(Failure, Bytes)>, Broke>;

/// How long a connection may take to end an answer whose last word was said: longer, and it is not kept.
const LINGER: Duration = Duration::from_secs(1);

impl Events {
    /// Reads the next chunk that completes something to forward; `None` at a good end. An error is given back only when
    /// it is the very first event.
    fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<Option<Scanned>> {
        loop {
            if self.done.is_some() {
                return self.poll_end(cx).map(|()| None);
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(chunk) = frame.into_data() else { continue };
                    match self.scan(&chunk) {
                        Ok(None) if self.pieces.is_empty() => {}
                        other => return Poll::Ready(Some(other)),
                    }
                }
                Some(Err(e)) => return Poll::Ready(Some(Err(broke(format!("the stream broke off: {e}"))))),
                None => return Poll::Ready(self.finish().map(Err)),
            }
        }
    }

    /// Everything was said: the connection is kept if the body ends soon.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_))) => return Poll::Ready(()),
                Poll::Ready(None) => {
                    self.keep();
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    return self.done.as_mut().map_or(Poll::Ready(()), |linger| linger.as_mut().poll(cx));
                }
            }
        }
    }

    fn scan(&mut self, chunk: &[u8]) -> Scanned {
        self.decoder.feed(chunk);
        let mut raw: Vec<Bytes> = Vec::new();
        let mut heard = Heard::default();
        while let Some(Block { event, raw: block }) =
            self.decoder.next_block().map_err(|_| broke("an event is too long".into()))?
        {
            let Some(event) = event else {
                // a comment keeps the caller's connection alive, too
                if self.begun {
                    raw.push(block);
                }
                continue;
            };
            let failure = Failure::of_event(&event.data);
            let first = !std::mem::replace(&mut self.begun, true);
            if let Some(failure) = failure {
                if first {
                    return Ok(Some((failure, event.data)));
                }
                self.failed = true;
                heard.exception = Some(failure.name.to_owned());
                if !self.alike {
                    // who writes it anew is to know it by the name that AWS has for it
                    raw.push(failure.event());
                    continue;
                }
            }
            heard.content |= self.meter.event(&event.data).content;
            if &*event.data == b"[DONE]" || &*event.name == b"message_stop" {
                self.done = Some(Box::pin(sleep(LINGER)));
            }
            if !(self.hides_usage && is_usage_alone(&event.data)) {
                raw.push(block);
            }
        }
        // what came together goes on together
        let bytes = match raw.as_slice() {
            [] => return Ok(None),
            [one] => one.clone(),
            several => {
                let mut all = BytesMut::with_capacity(several.iter().map(Bytes::len).sum());
                several.iter().for_each(|one| all.extend_from_slice(one));
                all.freeze()
            }
        };
        self.pieces.push_back(Piece { bytes, heard });
        Ok(None)
    }

    /// What is wrong with the end of a body whose last word was not heard; `None` when it is a good one.
    fn finish(&mut self) -> Option<Broke> {
        if self.decoder.is_amid() {
            return Some(broke("the stream ended inside an event".into()));
        }
        // some servers leave out the last word
        if !(self.failed || self.meter.has_stopped() && self.family != Family::Anthropic) {
            return Some(broke("the stream ended before the answer did".into()));
        }
        self.keep();
        None
    }

    fn keep(&mut self) {
        if let Some((pool, lease)) = self.kept.take() {
            pool.give_back(lease);
        }
    }
}

impl Flow for Events {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece, Broke>>> {
        if self.pieces.is_empty() {
            match ready!(self.poll_events(cx)) {
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
