//! A response body that is written by a script: send, wait, send, reset.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

use crate::quota::Reservation;

/// One line of the script.
pub(crate) enum Step {
    Wait(Duration),
    Send(Bytes),
    /// Breaks the connection, so that the client sees a TCP reset.
    Reset,
}

/// The body: plays its steps, and gives back what it holds when it ends or is dropped.
pub(crate) struct Body {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    reset: Option<Arc<AtomicBool>>,
    whole: bool,
    held: Option<Reservation>,
}

impl Body {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self {
            steps: VecDeque::from([Step::Send(bytes.into())]),
            sleep: None,
            reset: None,
            whole: true,
            held: None,
        }
    }

    /// `reset` is the flag that tells the connection to end with a TCP reset.
    pub(crate) fn script(steps: Vec<Step>, reset: Arc<AtomicBool>) -> Self {
        Self { steps: steps.into(), sleep: None, reset: Some(reset), whole: false, held: None }
    }

    /// Keeps a quota reservation until the body ends.
    pub(crate) fn holding(mut self, held: Option<Reservation>) -> Self {
        self.held = held;
        self
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if let Some(sleep) = &mut self.sleep {
                ready!(sleep.as_mut().poll(cx));
                self.sleep = None;
            }
            match self.steps.pop_front() {
                Some(Step::Send(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Wait(time)) if time.is_zero() => {}
                Some(Step::Wait(time)) => self.sleep = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Reset) => {
                    if let Some(flag) = &self.reset {
                        flag.store(true, Ordering::SeqCst);
                    }
                    return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
                }
                None => {
                    self.held = None;
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.sleep.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let len: usize = self.steps.iter().map(|s| if let Step::Send(b) = s { b.len() } else { 0 }).sum();
        if self.whole { SizeHint::with_exact(u64::try_from(len).unwrap_or(0)) } else { SizeHint::default() }
    }
}
