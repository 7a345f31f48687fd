//! A socket whose client must go on taking bytes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::exchange::Conn;

/// Fails with `TimedOut` when bytes waited for `stall` and the client took none, or when the call that
/// they belong to has had all its time. What waits then in the kernel is thrown away.
pub(crate) struct Paced {
    tcp: TcpStream,
    conn: Arc<Conn>,
    stall: Duration,
    /// Made when a client first makes us wait; most never do.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    pub(crate) fn new(tcp: TcpStream, conn: Arc<Conn>, stall: Duration) -> Self {
        Self { tcp, conn, stall, timer: None }
    }

    fn pace(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_pending() {
            return self.wait(cx).map(Err);
        }
        if self.conn.blocked() {
            self.conn.block(false);
        }
        self.conn.wrote();
        written
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let begins = !self.conn.blocked();
        if begins {
            self.conn.block(true);
        }
        let first = || {
            let stall = Instant::now() + self.stall;
            self.conn.until().map_or(stall, |until| until.min(stall))
        };
        let timer = match &mut self.timer {
            Some(timer) => {
                if begins {
                    timer.as_mut().reset(first());
                }
                timer
            }
            none => none.insert(Box::pin(sleep_until(first()))),
        };
        ready!(timer.as_mut().poll(cx));
        // closed in good order, the socket would keep its bytes for as long as the client likes
        let _ = self.tcp.set_zero_linger();
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the client takes no bytes"))
    }
}

impl AsyncRead for Paced {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.tcp).poll_write(cx, buf);
        this.pace(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.tcp).poll_write_vectored(cx, slices);
        this.pace(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }
}
