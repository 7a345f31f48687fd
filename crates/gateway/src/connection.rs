//! One connection, from its acceptance to its end, whoever ends it.

pub(crate) mod exchange;
mod paced;
mod streams;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::config::Limits;
use crate::gateway::Gateway;
use exchange::{Conn, Exchange};
use paced::Paced;
use streams::Streams;

/// How often an idle connection is looked at before its time is over.
const LOOKS: u32 = 4;
/// How long a connection without a call may go on once it was told to end: half a request, a handshake
/// or the last bytes of an answer.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// A client that connected, and what it is served with.
pub(crate) struct Accepted {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) stopped: watch::Receiver<Option<Duration>>,
    /// Given back when the connection has ended.
    pub(crate) place: OwnedSemaphorePermit,
}

impl Accepted {
    pub(crate) fn plain(self, tcp: TcpStream) -> impl Future<Output = ()> {
        let (io, conn, times) = self.begin(tcp);
        self.http(io, conn, times)
    }

    pub(crate) async fn secured(mut self, tls: TlsAcceptor, tcp: TcpStream) {
        let (io, conn, times) = self.begin(tcp);
        let accepted = tokio::select! {
            biased;
            accepted = timeout(times.head, tls.accept(io)) => accepted,
            // a client that has not even said hello does not hold up a drain
            _ = self.stopped.wait_for(Option::is_some) => return,
        };
        if let Ok(Ok(io)) = accepted {
            self.http(io, conn, times).await;
        }
    }

    fn begin(&self, tcp: TcpStream) -> (Paced, Arc<Conn>, Times) {
        let times = Times::of(&self.gateway.snapshot.load().limits);
        let conn = Arc::new(Conn::new(self.stopped.clone()));
        (Paced::new(tcp, Arc::clone(&conn), times.stall), conn, times)
    }

    async fn http(
        self,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        conn: Arc<Conn>,
        times: Times,
    ) {
        let Self { gateway, mut stopped, place: _place } = self;
        let calls = Arc::clone(&conn);
        // boxed, so that a connection that streams or idles does not keep the room of a whole call
        let service = hyper::service::service_fn(move |request: http::Request<_>| {
            let exchange = Exchange::begin(&calls, request.version());
            Box::pin(Arc::clone(&gateway).serve(request, exchange))
        });
        let http = protocol(Streams::new(&conn, times.stall), times.head);
        let serving = http.serve_connection(TokioIo::new(io), service).into_owned();
        drop(http);
        let mut serving = pin!(serving);
        let mut life = Life::new(times);
        let mut look = pin!(sleep(life.interval));
        loop {
            let leave = tokio::select! {
                biased;
                _ = &mut serving => return,
                _ = stopped.wait_for(Option::is_some), if life.leaving.is_none() => true,
                () = &mut look => match life.look(&conn) {
                    Look::Stay => false,
                    Look::Leave => true,
                    Look::Drop => return,
                },
            };
            if leave {
                life.leave(&conn);
                serving.as_mut().graceful_shutdown();
            }
            look.as_mut().reset(Instant::now() + life.interval);
        }
    }
}

fn protocol(streams: Streams, head: Duration) -> Builder<Streams> {
    let mut http = Builder::new(streams);
    // no `pipeline_flush`: it buffers without bound what a client does not take, and holds a stream back
    // whose client has sent its next request already
    http.http1().timer(TokioTimer::new()).header_read_timeout(head).max_headers(100);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(250)
        .max_header_list_size(64 * 1024)
        .adaptive_window(true);
    http
}

/// The limits of a connection, as they were when it began.
#[derive(Clone, Copy)]
struct Times {
    head: Duration,
    stall: Duration,
}

impl Times {
    fn of(limits: &Limits) -> Self {
        Self { head: limits.head_timeout.0, stall: limits.write_stall.0 }
    }
}

/// Whether a connection may stay: looked at now and then, so that calls set no timers.
struct Life {
    stall: Duration,
    /// Until the next look.
    interval: Duration,
    /// How many calls had begun at the last look; `None` when one was under way.
    calls: Option<u64>,
    /// Looks since then that found nothing new.
    idle: u32,
    leaving: Option<Leaving>,
}

/// A connection that was told to end.
struct Leaving {
    /// When it had its last call, as far as is known.
    since: Instant,
    written: u64,
}

enum Look {
    Stay,
    Leave,
    Drop,
}

impl Life {
    fn new(times: Times) -> Self {
        let interval = (times.head / LOOKS).max(Duration::from_millis(1));
        Self { stall: times.stall, interval, calls: Some(0), idle: 0, leaving: None }
    }

    fn leave(&mut self, conn: &Conn) {
        self.interval = GRACE;
        self.leaving = Some(Leaving { since: Instant::now(), written: conn.written() });
    }

    fn look(&mut self, conn: &Conn) -> Look {
        match &mut self.leaving {
            None => self.look_for_idleness(conn),
            Some(leaving) => leaving.look(conn, self.stall),
        }
    }

    /// HTTP/1.1 has a timer of its own for this; over HTTP/2, pings keep no connection.
    fn look_for_idleness(&mut self, conn: &Conn) -> Look {
        let calls = (conn.open() == 0).then(|| conn.begun());
        if calls.is_none() || calls != self.calls || conn.http1() {
            self.calls = calls;
            self.idle = 0;
            return Look::Stay;
        }
        self.idle += 1;
        if self.idle < LOOKS { Look::Stay } else { Look::Leave }
    }
}

impl Leaving {
    /// Drops what is only held by a client that does not let go: no call, and nothing is being taken.
    fn look(&mut self, conn: &Conn, stall: Duration) -> Look {
        let now = Instant::now();
        let before = std::mem::replace(&mut self.written, conn.written());
        if conn.open() > 0 {
            self.since = now;
            return Look::Stay;
        }
        let still = before == self.written && !conn.blocked();
        if still || now >= self.since + stall { Look::Drop } else { Look::Stay }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conn() -> Arc<Conn> {
        Arc::new(Conn::new(watch::channel(None).1))
    }

    fn looks(life: &mut Life, conn: &Conn) -> usize {
        (1..100).find(|_| matches!(life.look(conn), Look::Leave)).unwrap()
    }

    #[tokio::test]
    async fn an_idle_connection_gets_its_whole_time_and_little_more() {
        let (conn, mut life) = (conn(), Life::new(Times::of(&Limits::default())));
        assert_eq!(looks(&mut life, &conn), LOOKS as usize, "counted from its beginning");

        let mut life = Life::new(Times::of(&Limits::default()));
        let exchange = Exchange::begin(&conn, http::Version::HTTP_2);
        assert!((0..20).all(|_| matches!(life.look(&conn), Look::Stay)), "a call may take long");
        drop(exchange);
        assert_eq!(looks(&mut life, &conn), LOOKS as usize + 1, "counted from the first look after a call");
        drop(Exchange::begin(&conn, http::Version::HTTP_2));
        life.idle = LOOKS - 1;
        assert_eq!(looks(&mut life, &conn), LOOKS as usize + 1, "a call between two looks counts too");
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_is_dropped_when_nothing_moves() {
        let (conn, mut life) = (conn(), Life::new(Times::of(&Limits::default())));
        life.leave(&conn);
        let exchange = Exchange::begin(&conn, http::Version::HTTP_2);
        tokio::time::advance(10 * life.stall).await;
        assert!(matches!(life.look(&conn), Look::Stay), "a call is under way");
        drop(exchange);
        conn.wrote();
        assert!(matches!(life.look(&conn), Look::Stay), "bytes are being taken");
        assert!(matches!(life.look(&conn), Look::Drop));
        tokio::time::advance(life.stall).await;
        conn.wrote();
        assert!(matches!(life.look(&conn), Look::Drop), "answering pings is no reason to stay");
    }
}
