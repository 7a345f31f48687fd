//! Worker threads, listeners and drain.
//!
//! One thread a core, each with a runtime, a listener (`SO_REUSEPORT`) and upstream connections of its
//! own: a call stays on the thread that accepted its connection, and workers share no lock.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::connection::Accepted;
use crate::gateway::Gateway;

/// A listener that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    #[error("cannot start a worker: {0}")]
    Worker(io::Error),
}

/// The running data plane.
pub struct Server {
    addr: SocketAddr,
    stop: watch::Sender<Option<Duration>>,
    workers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Opens the listeners (port 0 picks one) and starts the workers.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn start(
        gateway: &Arc<Gateway>,
        listen: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        workers: usize,
    ) -> Result<Self, ServerError> {
        vacant(listen).map_err(|e| ServerError::Listen(listen, e))?;
        let first = listener(listen).map_err(|e| ServerError::Listen(listen, e))?;
        let addr = first.local_addr().map_err(|e| ServerError::Listen(listen, e))?;
        let mut listeners = vec![first];
        for _ in 1..workers.max(1) {
            listeners.push(listener(addr).map_err(|e| ServerError::Listen(addr, e))?);
        }
        let (stop, stopped) = watch::channel(None);
        let each = gateway.snapshot.load().limits.connections.div_ceil(listeners.len());
        let connections = u32::try_from(each).unwrap_or(u32::MAX);
        let workers = listeners
            .into_iter()
            .enumerate()
            .map(|(n, listener)| {
                let worker = Worker {
                    gateway: Arc::clone(gateway),
                    tls: tls.clone().map(TlsAcceptor::from),
                    places: Arc::new(Semaphore::new(connections as usize)),
                    connections,
                    stopped: stopped.clone(),
                };
                std::thread::Builder::new()
                    .name(format!("data-{n}"))
                    .spawn(move || worker.run(listener))
                    .map_err(ServerError::Worker)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { addr, stop, workers })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops accepting, lets calls end for at most `bound`, and waits for the workers.
    pub fn drain(self, bound: Duration) {
        let _ = self.stop.send(Some(bound));
        for worker in self.workers {
            let _ = worker.join();
        }
    }
}

/// How many bytes may wait unsent in the kernel for one client.
#[cfg(any(target_os = "android", target_os = "linux"))]
const UNSENT: u32 = 128 * 1024;

struct Worker {
    gateway: Arc<Gateway>,
    tls: Option<TlsAcceptor>,
    /// One for each connection, free or taken.
    places: Arc<Semaphore>,
    connections: u32,
    stopped: watch::Receiver<Option<Duration>>,
}

impl Worker {
    fn run(self, listener: std::net::TcpListener) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(self.accept(listener)),
            Err(e) => tracing::error!("a worker cannot start: {e}"),
        }
    }

    async fn accept(self, listener: std::net::TcpListener) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(e) => return tracing::error!("a worker cannot listen: {e}"),
        };
        let mut stopped = self.stopped.clone();
        let bound = loop {
            tokio::select! {
                biased;
                bound = stopped.wait_for(Option::is_some) => break bound.ok().and_then(|b| *b),
                accepted = listener.accept() => match accepted {
                    Ok((tcp, _)) => self.connection(tcp),
                    // out of file descriptors: give others time to close theirs
                    Err(e) => {
                        tracing::warn!("cannot accept a connection: {e}");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        };
        drop(listener);
        let until = tokio::time::Instant::now() + bound.unwrap_or_default();
        // all places are free when the last connection has ended
        let _ = tokio::time::timeout_at(until, self.places.acquire_many(self.connections)).await;
        // streams whose caller is gone are still being read and settled
        let settled = async {
            while self.gateway.snapshot.load().books.open.load(Ordering::Relaxed) > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout_at(until, settled).await;
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the home of connections: each ends with its client or at drain"
    )]
    fn connection(&self, tcp: TcpStream) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            // more clients than allowed: closing is the answer that costs least
            return;
        };
        let _ = tcp.set_nodelay(true);
        let accepted = Accepted { gateway: Arc::clone(&self.gateway), stopped: self.stopped.clone(), place };
        match self.tls.clone() {
            None => tokio::spawn(accepted.plain(tcp)),
            Some(tls) => tokio::spawn(accepted.secured(tls, tcp)),
        };
    }
}

/// Fails when somebody listens on `addr`: `SO_REUSEPORT` would share the port with another bedplate, and
/// half of the calls would go to each.
fn vacant(addr: SocketAddr) -> io::Result<()> {
    if addr.port() == 0 {
        return Ok(());
    }
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())
}

fn listener(addr: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    // A client that does not read costs little, and one that reads slowly is seen to read. Connections
    // inherit it; where there is no such thing, both are only less so.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let _ = socket.set_tcp_notsent_lowat(UNSENT);
    socket.bind(&addr.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}
