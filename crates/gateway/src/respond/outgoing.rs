//! A response body on its way.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bedplate_core::call::{CallId, Dialect, Operation};
use bedplate_pipeline::Outflow;
use bedplate_wire::{anthropic, sse};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::words;
use crate::connection::exchange::Exchange;

/// What it takes to end a stream that breaks.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) dialect: Dialect,
    pub(super) operation: Operation,
    pub(super) id: CallId,
}

/// A response body: whole, or a stream that forwards pieces as they come.
pub(crate) struct Outgoing {
    /// What is there and has not been given yet.
    rest: Bytes,
    flow: Option<(Outflow, End)>,
    /// Where the dialect has a word for it.
    alive: Option<Alive>,
    exchange: Option<Exchange>,
}

/// Keeps a connection open that somebody between might take for dead.
struct Alive {
    word: &'static [u8],
    timer: Pin<Box<Sleep>>,
    last_piece: Instant,
}

/// How long a stream may be silent.
const SILENT: Duration = Duration::from_secs(15);

impl Alive {
    fn of(dialect: Dialect) -> Option<Self> {
        let word = match dialect {
            Dialect::Bedrock => return None,
            Dialect::OpenAi => sse::COMMENT,
            Dialect::Anthropic => anthropic::PING,
        };
        let last_piece = Instant::now();
        Some(Self { word, timer: Box::pin(sleep_until(last_piece + SILENT)), last_piece })
    }

    /// The word, when nothing was said for too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let (now, due) = (Instant::now(), self.last_piece + SILENT);
            if now >= due {
                self.last_piece = now;
            }
            self.timer.as_mut().reset(self.last_piece + SILENT);
            if now >= due {
                return Poll::Ready(Bytes::from_static(self.word));
            }
        }
    }
}

impl Outgoing {
    pub(super) fn whole(bytes: Bytes) -> Self {
        Self { rest: bytes, flow: None, alive: None, exchange: None }
    }

    pub(super) fn stream(flow: Outflow, end: End) -> Self {
        Self { rest: Bytes::new(), flow: Some((flow, end)), alive: Alive::of(end.dialect), exchange: None }
    }

    /// From now on the exchange lasts as long as this body.
    pub(crate) fn belongs_to(&mut self, exchange: Exchange) {
        if let Some(until) = self.flow.as_ref().and_then(|(flow, _)| flow.until()) {
            exchange.ends_by(until);
        }
        self.exchange = Some(exchange);
    }

    /// The next bytes of a stream.
    fn poll_flow(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some((flow, end)) = &mut self.flow else { return Poll::Ready(None) };
        let next = flow.poll_next(cx).map(|next| {
            next.map(|piece| {
                piece.unwrap_or_else(|refusal| words::end(end.dialect, end.operation, &refusal, end.id))
            })
        });
        if next.is_ready() {
            if let Some(alive) = &mut self.alive {
                alive.last_piece = Instant::now();
            }
            return next;
        }
        if let Some(exchange) = &self.exchange {
            exchange.waits();
        }
        match &mut self.alive {
            Some(alive) => alive.poll(cx).map(Some),
            None => Poll::Pending,
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            match ready!(this.poll_flow(cx)) {
                Some(piece) => this.rest = piece,
                None => return Poll::Ready(None),
            }
        }
        let most = match &this.exchange {
            Some(exchange) => {
                exchange.gave();
                exchange.piece()
            }
            None => usize::MAX,
        };
        let piece =
            if this.rest.len() <= most { std::mem::take(&mut this.rest) } else { this.rest.split_to(most) };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.flow.is_none() && self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.flow {
            None => SizeHint::with_exact(self.rest.len() as u64),
            Some(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_is_kept_alive_and_one_that_speaks_needs_no_word() {
        let mut alive = Alive::of(Dialect::Anthropic).unwrap();
        let began = Instant::now();
        // pieces came until now: the timer runs out and is set again, without a word
        alive.last_piece = began + Duration::from_secs(10);
        let word = poll_fn(|cx| alive.poll(cx)).await;
        assert_eq!(word, anthropic::PING);
        assert_eq!(began.elapsed().as_secs(), 25);
        assert_eq!(poll_fn(|cx| alive.poll(cx)).await, anthropic::PING);
        assert_eq!(began.elapsed().as_secs(), 40);
        assert!(Alive::of(Dialect::Bedrock).is_none());
        assert_eq!(Alive::of(Dialect::OpenAi).unwrap().word, sse::COMMENT);
    }
}
