//! A stream on its way to the caller, and the record that it owns.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bedplate_core::record::Ending;
use bedplate_core::refusal::{Code, Refusal};
use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use crate::invoke::deadline::now;
use crate::invoke::inflight::{Attempting, CLIENT_CLOSED, Unsettled, detach, drain_flow};
use crate::invoke::trouble::End;
use crate::provider::{Flow, Piece};
use crate::settle::record::Record;

/// Pieces to forward as they come. Ends with `None`, or with one refusal that the door turns into its
/// dialect's error event: never silently short. Dropped before its end, it drains the upstream and
/// settles with what was used.
///
/// Its deadlines need somebody who polls it: whoever cannot, because the caller takes nothing, drops it
/// no later than [`Outflow::until`].
pub struct Outflow {
    /// `None` once the stream has ended and is settled.
    open: Option<Box<Open>>,
}

struct Open {
    flow: Box<dyn Flow>,
    attempting: Attempting,
    record: Record,
    /// Set lazily: not moved for each piece, only looked at again when it fires.
    timer: Pin<Box<Sleep>>,
    last_piece: Instant,
    /// Nothing has come since the upstream was last asked.
    waiting: bool,
    began: bool,
    exception: Option<String>,
}

impl Outflow {
    pub(crate) fn new(flow: Box<dyn Flow>, attempting: Attempting, record: Record) -> Self {
        let last_piece = now();
        let first_look = (last_piece + attempting.deadlines.idle).min(attempting.deadlines.total);
        let timer = Box::pin(tokio::time::sleep_until(first_look));
        let open = Open {
            flow,
            attempting,
            record,
            timer,
            last_piece,
            waiting: false,
            began: false,
            exception: None,
        };
        Self { open: Some(Box::new(open)) }
    }

    /// When the call has had all its time; `None` once the stream has ended.
    pub fn until(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.attempting.deadlines.total)
    }

    /// The next bytes.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Refusal>>> {
        let Some(open) = self.open.as_mut() else { return Poll::Ready(None) };
        match open.flow.poll_piece(cx) {
            Poll::Ready(Some(Ok(piece))) => {
                let piece = open.forward(piece);
                if open.last_piece > open.attempting.deadlines.total {
                    self.end(Some(Code::TotalTimeout));
                    return Poll::Ready(Some(Err(Refusal::of(Code::TotalTimeout))));
                }
                Poll::Ready(Some(Ok(piece)))
            }
            Poll::Ready(Some(Err(broke))) => {
                let refusal = Refusal::of(broke.code).because(broke.cause);
                self.end(Some(refusal.code));
                Poll::Ready(Some(Err(refusal)))
            }
            Poll::Ready(None) => {
                self.end(None);
                Poll::Ready(None)
            }
            Poll::Pending => match open.overdue(cx) {
                Some(code) => {
                    self.end(Some(code));
                    Poll::Ready(Some(Err(Refusal::of(code))))
                }
                None => Poll::Pending,
            },
        }
    }

    /// Settles.
    fn end(&mut self, code: Option<Code>) {
        let Some(open) = self.open.take() else { return };
        let Open { flow, attempting, mut record, exception, .. } = *open;
        let ending = match (code, &exception) {
            (None, None) => Ending::Answered,
            _ => Ending::Cut,
        };
        let ended = End::of(code, exception.clone());
        record.attempt_metered(&attempting, flow.metered(), ended);
        record.cut_by(exception);
        record.finish(ending, 200, code);
    }
}

impl Open {
    fn forward(&mut self, piece: Piece) -> Bytes {
        // one reading of the clock a piece serves the idle timer and the record
        self.last_piece = now();
        self.waiting = false;
        if !self.began {
            self.began = true;
            self.record.first_byte();
        }
        if piece.heard.content {
            self.record.first_token();
        }
        if piece.heard.exception.is_some() {
            self.exception = piece.heard.exception;
        }
        self.record.sent(piece.bytes.len());
        piece.bytes
    }

    /// The deadline that has passed, if one has; else sets the timer to the next.
    fn overdue(&mut self, cx: &mut Context<'_>) -> Option<Code> {
        // a caller who paused is not the upstream standing still
        if !std::mem::replace(&mut self.waiting, true) {
            self.last_piece = now();
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = now();
            let (idle, total) =
                (self.last_piece + self.attempting.deadlines.idle, self.attempting.deadlines.total);
            if now >= total {
                return Some(Code::TotalTimeout);
            }
            if now >= idle {
                return Some(Code::IdleTimeout);
            }
            self.timer.as_mut().reset(idle.min(total));
        }
        None
    }
}

impl Drop for Outflow {
    fn drop(&mut self) {
        // a caller who did not read until the very end has had all the time there was
        if self.until().is_some_and(|until| now() >= until) {
            return self.end(Some(Code::TotalTimeout));
        }
        let Some(open) = self.open.take() else { return };
        let Open { flow, attempting, mut record, .. } = *open;
        if attempting.drain.bound == Duration::ZERO {
            record.attempt_metered(&attempting, flow.metered(), End::Unread);
            record.finish(Ending::Abandoned, CLIENT_CLOSED, None);
        } else {
            let until = (now() + attempting.drain.bound).min(attempting.deadlines.total);
            detach(drain_flow(Unsettled::streaming(attempting, record, flow), until));
        }
    }
}
