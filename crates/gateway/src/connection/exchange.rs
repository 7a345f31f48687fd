//! What a connection, its bytes and its calls tell one another.
//!
//! A connection and its calls live on one thread, so nothing here is fought over; the atomics only make
//! it `Sync`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use http::Version;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

/// How much of an answer HTTP/2 is given at once: whether a client takes it is only seen between two
/// pieces.
const PIECE: usize = 64 * 1024;

/// What is known about a connection.
pub(crate) struct Conn {
    stopped: watch::Receiver<Option<Duration>>,
    begun: AtomicU64,
    open: AtomicUsize,
    http1: AtomicBool,
    written: AtomicU64,
    blocked: AtomicBool,
    /// When the call of an HTTP/1.1 connection must end.
    until: Mutex<Option<Instant>>,
    /// The turn of the HTTP/2 stream that begins at this moment.
    beginning: Mutex<Option<Arc<Turn>>>,
}

impl Conn {
    pub(crate) fn new(stopped: watch::Receiver<Option<Duration>>) -> Self {
        Self {
            stopped,
            begun: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            http1: AtomicBool::new(false),
            written: AtomicU64::new(0),
            blocked: AtomicBool::new(false),
            until: Mutex::new(None),
            beginning: Mutex::new(None),
        }
    }

    /// Calls that have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// Calls whose answer has not been handed over.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    pub(crate) fn http1(&self) -> bool {
        self.http1.load(Relaxed)
    }

    /// Grows with each time that the client took bytes.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    pub(crate) fn wrote(&self) {
        self.written.fetch_add(1, Relaxed);
    }

    /// Whether bytes wait for the client.
    pub(crate) fn blocked(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    pub(crate) fn block(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
    }

    /// When the call under way must end, over HTTP/1.1.
    pub(crate) fn until(&self) -> Option<Instant> {
        *self.until.lock()
    }

    pub(crate) fn take_beginning(&self) -> Option<Arc<Turn>> {
        self.beginning.lock().take()
    }

    /// Waits until bedplate was told to stop, and then for `grace`.
    pub(crate) async fn stopped_for(&self, grace: Duration) {
        let _ = self.stopped.clone().wait_for(Option::is_some).await;
        tokio::time::sleep(grace).await;
    }
}

/// Whose turn it is in one HTTP/2 stream, said by its body to the stream that polls it.
#[derive(Default)]
pub(crate) struct Turn {
    pieces: AtomicU64,
    callers: AtomicBool,
    until: Mutex<Option<Instant>>,
}

impl Turn {
    /// How many pieces the caller was given, when it is up to the caller to take the last of them.
    pub(crate) fn callers(&self) -> Option<u64> {
        self.callers.load(Relaxed).then(|| self.pieces.load(Relaxed))
    }

    /// When the call must end.
    pub(crate) fn until(&self) -> Option<Instant> {
        *self.until.lock()
    }
}

/// A call under way, from its head to the end of its answer's body.
pub(crate) struct Exchange {
    conn: Arc<Conn>,
    /// `None` over HTTP/1.1, where bytes that wait are seen on the socket itself.
    turn: Option<Arc<Turn>>,
}

impl Exchange {
    pub(crate) fn begin(conn: &Arc<Conn>, version: Version) -> Self {
        conn.begun.fetch_add(1, Relaxed);
        conn.open.fetch_add(1, Relaxed);
        let turn = (version == Version::HTTP_2).then(|| {
            let turn = Arc::<Turn>::default();
            *conn.beginning.lock() = Some(Arc::clone(&turn));
            turn
        });
        if turn.is_none() {
            conn.http1.store(true, Relaxed);
        }
        Self { conn: Arc::clone(conn), turn }
    }

    pub(crate) fn conn(&self) -> &Conn {
        &self.conn
    }

    /// The call must end by then, read or not.
    pub(crate) fn ends_by(&self, until: Instant) {
        let place = self.turn.as_ref().map_or(&self.conn.until, |turn| &turn.until);
        *place.lock() = Some(until);
    }

    /// The caller was given a piece.
    pub(crate) fn gave(&self) {
        if let Some(turn) = &self.turn {
            turn.pieces.fetch_add(1, Relaxed);
            turn.callers.store(true, Relaxed);
        }
    }

    /// There is nothing to give yet.
    pub(crate) fn waits(&self) {
        if let Some(turn) = &self.turn {
            turn.callers.store(false, Relaxed);
        }
    }

    /// The most bytes to give at once.
    pub(crate) fn piece(&self) -> usize {
        if self.turn.is_some() { PIECE } else { usize::MAX }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.conn.open.fetch_sub(1, Relaxed);
        if self.turn.is_none() {
            *self.conn.until.lock() = None;
        }
    }
}
