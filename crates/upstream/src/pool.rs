//! Kept HTTP/1.1 connections to one host.
//!
//! Sharded by thread: a data-plane thread takes from and gives to its own shard, so the locks are
//! never fought over and a connection stays on the runtime that drives it.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bedplate_core::clock::{Clock, Tick};
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connect::Connector;

/// Longer than a burst's gaps, shorter than the 60 s after which load balancers drop idle
/// connections.
const KEEP: Duration = Duration::from_secs(30);
const SHARDS: usize = 64;

pub(crate) struct Pool {
    connector: Connector,
    clock: Arc<dyn Clock>,
    shards: Vec<Mutex<Vec<Idle>>>,
    /// One permit a connection, open or idle.
    places: Arc<Semaphore>,
    /// Calls that wait for a place.
    waiting: AtomicUsize,
}

struct Idle {
    sender: SendRequest<Slices>,
    since: Tick,
    place: OwnedSemaphorePermit,
}

/// A connection in use by one exchange. Given back when its answer has been read to the end; dropped
/// before that, it is closed, and the upstream sees the caller go.
pub(crate) struct Lease {
    sender: SendRequest<Slices>,
    place: OwnedSemaphorePermit,
    /// How long it took to connect; `None` when the connection was kept.
    pub(crate) connected_in: Option<Duration>,
}

/// A connection that broke before the head of an answer came.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) error: hyper::Error,
    /// Nothing of the request had been written.
    pub(crate) unsent: bool,
}

impl Lost {
    /// Whether the other side closed the connection, as opposed to saying something that cannot be read.
    pub(crate) fn closed(&self) -> bool {
        let io = std::error::Error::source(&self.error).and_then(|e| e.downcast_ref::<io::Error>());
        let reset = io.is_some_and(|e| {
            matches!(
                e.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted
            )
        });
        reset || self.error.is_incomplete_message() || self.error.is_canceled() || self.error.is_closed()
    }
}

impl Pool {
    pub(crate) fn new(connector: Connector, clock: Arc<dyn Clock>, connections: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        let places = Arc::new(Semaphore::new(connections));
        Self { connector, clock, shards, places, waiting: AtomicUsize::new(0) }
    }

    /// A kept connection that still lives, or a new one.
    pub(crate) async fn lease(&self) -> Result<Lease, io::Error> {
        while let Some(idle) = self.shard().lock().pop() {
            if idle.sender.is_ready() && self.clock.tick().since(idle.since) < KEEP {
                return Ok(Lease { sender: idle.sender, place: idle.place, connected_in: None });
            }
        }
        self.connect().await
    }

    /// A new connection, whatever is kept.
    pub(crate) async fn connect(&self) -> Result<Lease, io::Error> {
        let began = self.clock.tick();
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                // from now on connections are let go instead of kept; those that lie idle hold places too
                let _waiting = Waiting::begin(&self.waiting);
                self.drop_idle();
                Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)?
            }
        };
        let stream = self.connector.connect().await?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(512 * 1024)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        drive(async move {
            // its errors reach whoever waits for an answer on it
            let _ = connection.await;
        });
        Ok(Lease { sender, place, connected_in: Some(self.clock.tick().since(began)) })
    }

    /// Keeps a connection whose answer has been read.
    pub(crate) fn give_back(&self, lease: Lease) {
        if lease.sender.is_closed() || self.waiting.load(Ordering::SeqCst) > 0 {
            return;
        }
        let idle = Idle { sender: lease.sender, since: self.clock.tick(), place: lease.place };
        self.shard().lock().push(idle);
    }

    /// Connections that have been idle too long, in every shard; called now and then.
    pub(crate) fn sweep(&self) {
        let now = self.clock.tick();
        for shard in &self.shards {
            shard.lock().retain(|idle| now.since(idle.since) < KEEP && !idle.sender.is_closed());
        }
    }

    fn drop_idle(&self) {
        for shard in &self.shards {
            if let Some(mut kept) = shard.try_lock()
                && !kept.is_empty()
            {
                kept.remove(0);
            }
        }
    }

    fn shard(&self) -> &Mutex<Vec<Idle>> {
        &self.shards[shard_of_thread() % SHARDS]
    }
}

/// Counts a waiting call for as long as it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Lease {
    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(&mut self, request: Request<Slices>) -> Result<Response<Incoming>, Lost> {
        self.sender.try_send_request(request).await.map_err(|mut e| {
            let unsent = e.take_message().is_some();
            Lost { error: e.into_error(), unsent }
        })
    }

    pub(crate) fn kept(&self) -> bool {
        self.connected_in.is_none()
    }
}

fn shard_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    SHARD.with(|s| *s)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the home of connection drivers: each ends with its connection"
)]
fn drive(connection: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(connection);
}

/// A request body in slices, sent with vectored writes and never joined.
#[derive(Clone)]
pub(crate) struct Slices {
    left: u64,
    slices: VecDeque<Bytes>,
}

impl Slices {
    pub(crate) fn new(slices: Vec<Bytes>) -> Self {
        Self { left: slices.iter().map(|s| s.len() as u64).sum(), slices: slices.into() }
    }
}

impl Body for Slices {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.slices.pop_front().map(|slice| {
            self.left -= slice.len() as u64;
            Ok(Frame::data(slice))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.slices.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
