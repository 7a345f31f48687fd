//! One connection: a socket that can be told to end with a TCP reset, and the service upon it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::body::Body;
use crate::handle::{MAX_BODY, handle, too_large};
use crate::request::{Request, sha256_hex};
use crate::state::State;

/// A socket with a flag: once it is set, nothing more passes and the socket closes with a reset.
pub(super) struct Conn {
    socket: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Conn {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket, reset: Arc::default() }
    }

    pub(super) fn reset_flag(&self) -> Arc<AtomicBool> {
        self.reset.clone()
    }

    fn alive(&self) -> io::Result<()> {
        if self.reset.load(Ordering::SeqCst) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if self.reset.load(Ordering::SeqCst) {
            let _ = self.socket.set_zero_linger();
        }
    }
}

impl AsyncRead for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.alive()?;
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Conn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.alive()?;
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive()?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Serves one connection until it ends.
pub(super) async fn serve<S>(
    builder: auto::Builder<TokioExecutor>,
    stream: S,
    watcher: Watcher,
    state: Arc<State>,
    reset: Arc<AtomicBool>,
    scheme: &'static str,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |incoming| {
        let (state, reset) = (state.clone(), reset.clone());
        async move { answer(&state, incoming, scheme, reset).await }
    });
    let conn = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    if let Err(e) = watcher.watch(conn).await {
        tracing::debug!(error = %e, "connection ended");
    }
}

async fn answer(
    state: &Arc<State>,
    incoming: http::Request<Incoming>,
    scheme: &'static str,
    reset: Arc<AtomicBool>,
) -> Result<http::Response<Body>, io::Error> {
    let arrived = state.clock.tick();
    let (head, body) = incoming.into_parts();
    let id = uuid::Uuid::from_u128(state.random_u128()).as_hyphenated().to_string();
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    let body = match read(body, announced).await? {
        Some(body) => body,
        None => return Ok(too_large(&id)),
    };
    let authority = match head.uri.authority() {
        Some(a) => a.to_string(),
        None => head.headers.get(HOST).and_then(|v| v.to_str().ok()).unwrap_or_default().to_string(),
    };
    let request = Request {
        id,
        path: head.uri.path().to_string(),
        query: head.uri.query().unwrap_or_default().to_string(),
        method: head.method,
        headers: head.headers,
        authority,
        scheme,
        body_sha256: sha256_hex(&body),
        body,
        arrived,
    };
    handle(state, request, reset).await
}

/// Reads the body; none when it is larger than Bedrock takes. What is too much is still read, up to
/// four times the limit, so that the client gets to see the answer.
async fn read(body: Incoming, announced: Option<u64>) -> io::Result<Option<Bytes>> {
    let most = MAX_BODY * 4;
    if announced.is_some_and(|n| n > most) {
        return Ok(None);
    }
    match Limited::new(body, usize::try_from(most).unwrap_or(usize::MAX)).collect().await {
        Ok(read) => Ok(Some(read.to_bytes()).filter(|b| u64::try_from(b.len()).is_ok_and(|n| n <= MAX_BODY))),
        Err(e) if e.is::<LengthLimitError>() => Ok(None),
        Err(e) => Err(io::Error::other(e)),
    }
}
