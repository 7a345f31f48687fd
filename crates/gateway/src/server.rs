//! Worker threads, listeners, connections and drain.
//!
//! One thread a core, each with a runtime, a listener (`SO_REUSEPORT`) and upstream connections of its
//! own: a call stays on the thread that accepted its connection, and workers share no lock.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

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
        let workers = listeners
            .into_iter()
            .enumerate()
            .map(|(n, listener)| {
                let worker = Worker {
                    gateway: Arc::clone(gateway),
                    tls: tls.clone().map(TlsAcceptor::from),
                    places: Arc::new(Semaphore::new(each)),
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

struct Worker {
    gateway: Arc<Gateway>,
    tls: Option<TlsAcceptor>,
    places: Arc<Semaphore>,
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
        let open = GracefulShutdown::new();
        let mut stopped = self.stopped.clone();
        let bound = loop {
            tokio::select! {
                biased;
                bound = stopped.wait_for(Option::is_some) => break bound.ok().and_then(|b| *b),
                accepted = listener.accept() => match accepted {
                    Ok((tcp, _)) => self.connection(tcp, &open),
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
        let _ = tokio::time::timeout_at(until, open.shutdown()).await;
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
    fn connection(&self, tcp: TcpStream, open: &GracefulShutdown) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            // more clients than allowed: closing is the answer that costs least
            return;
        };
        let _ = tcp.set_nodelay(true);
        let gateway = Arc::clone(&self.gateway);
        let head_timeout = gateway.snapshot.load().limits.head_timeout.0;
        // boxed, so that a connection that streams or idles does not keep the room of a whole call
        let service =
            hyper::service::service_fn(move |request| Box::pin(Arc::clone(&gateway).serve(request)));
        let mut http = Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(head_timeout)
            .max_headers(100)
            .pipeline_flush(true);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20))
            .max_concurrent_streams(250)
            .max_header_list_size(64 * 1024)
            .adaptive_window(true);
        let watcher = open.watcher();
        let mut stopped = self.stopped.clone();
        match self.tls.clone() {
            None => {
                tokio::spawn(async move {
                    // a client that has said nothing does not hold up a drain
                    let said = tokio::select! {
                        said = tokio::time::timeout(head_timeout, first_words(&tcp)) => said.is_ok(),
                        _ = stopped.wait_for(Option::is_some) => false,
                    };
                    if !said {
                        return;
                    }
                    let serving = http.serve_connection(TokioIo::new(tcp), service).into_owned();
                    let _ = watcher.watch(serving).await;
                    drop(place);
                });
            }
            Some(tls) => {
                tokio::spawn(async move {
                    let Ok(Ok(stream)) = tokio::time::timeout(head_timeout, tls.accept(tcp)).await else {
                        return;
                    };
                    let serving = http.serve_connection(TokioIo::new(stream), service).into_owned();
                    let _ = watcher.watch(serving).await;
                    drop(place);
                });
            }
        }
    }
}

/// Waits until a client has said enough to tell HTTP/1 from HTTP/2; what follows has timers of its own.
async fn first_words(tcp: &TcpStream) {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut said = [0u8; 24];
    loop {
        match tcp.peek(&mut said).await {
            Ok(n) if n > 0 && n < PREFACE.len() && said.get(..n) == PREFACE.get(..n) => {
                // a part of the preface: look again when more may have come
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            _ => return,
        }
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
    socket.bind(&addr.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}
