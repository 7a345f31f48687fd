//! HTTP/2 streams, each a task that ends when its caller does not read.
//!
//! hyper does not poll a body while its stream's window is closed, so the body cannot watch over
//! itself, and the socket shows nothing: it may be busy with other streams, or with pings.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::exchange::{Conn, Turn};

/// Runs the streams of one connection.
#[derive(Clone)]
pub(crate) struct Streams {
    conn: Arc<Conn>,
    stall: Duration,
}

impl Streams {
    pub(crate) fn new(conn: &Arc<Conn>, stall: Duration) -> Self {
        Self { conn: Arc::clone(conn), stall }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    #[expect(
        clippy::disallowed_methods,
        reason = "a home of connections: a stream ends with its call or its connection"
    )]
    fn execute(&self, stream: F) {
        match self.conn.take_beginning() {
            // the service has been called for this stream a moment ago
            Some(turn) => {
                tokio::spawn(InTurn { stream, turn, stall: self.stall, seen: None, timer: None });
            }
            None => {
                tokio::spawn(stream);
            }
        }
    }
}

pin_project! {
    /// A stream that is dropped, and so reset, when its caller took nothing for `stall`, or does not
    /// read and the call has had all its time.
    struct InTurn<F> {
        #[pin]
        stream: F,
        turn: Arc<Turn>,
        stall: Duration,
        // the piece that the timer is set for
        seen: Option<u64>,
        // made when a caller first makes us wait; most never do
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<F: Future<Output = ()>> Future for InTurn<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.stream.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let piece = this.turn.callers();
        let begins = *this.seen != piece;
        *this.seen = piece;
        if piece.is_none() {
            return Poll::Pending;
        }
        let first = || {
            let stall = Instant::now() + *this.stall;
            this.turn.until().map_or(stall, |until| until.min(stall))
        };
        let timer = match this.timer {
            Some(timer) => {
                if begins {
                    timer.as_mut().reset(first());
                }
                timer
            }
            none => none.insert(Box::pin(sleep_until(first()))),
        };
        timer.as_mut().poll(cx)
    }
}
