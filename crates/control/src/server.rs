//! The control listener: probes, metrics, the admin API and the console. Never the same port as calls.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use bedplate_core::BoxFuture;
use bedplate_core::clock::Clock;
use bedplate_core::pace::LimitStands;
use bedplate_core::ports::{CallFilter, Ledger};
use bedplate_core::route::AliasStand;
use bedplate_core::secret::Secret;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::budgets::Treasurer;
use crate::cache::CacheDesk;
use crate::health::Health;
use crate::keys::Keymaker;
use crate::live::{KEPT, Live};
use crate::routes::{self, Peer};

/// What the control listener works on.
pub struct Parts {
    pub ledger: Arc<dyn Ledger>,
    pub keymaker: Arc<Keymaker>,
    /// The local admin key. Long and random: whoever has it may do everything.
    pub admin_key: Secret,
    pub health: Arc<dyn Health>,
    /// Renders the metrics in the Prometheus text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    pub live: Arc<Live>,
    pub cache: CacheDesk,
    /// How aliases stand now.
    pub models: Arc<dyn Fn() -> Vec<AliasStand> + Send + Sync>,
    /// What bounds calls, and how it stands.
    pub limits: Arc<dyn Fn() -> BoxFuture<'static, LimitStands> + Send + Sync>,
    pub treasurer: Arc<Treasurer>,
    pub clock: Arc<dyn Clock>,
    pub version: &'static str,
}

/// Why the listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    #[error("the local admin key is shorter than {0} characters: it could be guessed")]
    AdminKey(usize),
}

/// The running control listener.
pub struct Server {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    gathering: JoinHandle<()>,
}

/// An admin key has at least so many characters.
const SHORTEST_KEY: usize = 16;
/// How many connections may be open at once.
const CONNECTIONS: usize = 512;
/// How long a client may take to say what it wants.
const HEAD: Duration = Duration::from_secs(10);
/// How long requests may go on after the listener was told to stop.
const LINGER: Duration = Duration::from_secs(2);
/// How often what has settled is added up.
const GATHER: Duration = Duration::from_secs(1);
/// How long the ledger may take to say which calls were the last.
const RECALL: Duration = Duration::from_secs(5);

impl Server {
    /// Opens the listener (port 0 picks one) and serves on the current runtime, over TLS when `tls` is
    /// given.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the admin key could be guessed.
    pub async fn start(
        listen: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        parts: Parts,
    ) -> Result<Self, ServerError> {
        if parts.admin_key.expose().len() < SHORTEST_KEY {
            return Err(ServerError::AdminKey(SHORTEST_KEY));
        }
        let refused = |e| ServerError::Listen(listen, e);
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let addr = listener.local_addr().map_err(refused)?;
        let gathering = gather(Arc::clone(&parts.live), Arc::clone(&parts.ledger));
        let door = Door {
            routes: routes::routes(parts, addr.port(), tls.is_some()),
            tls: tls.map(TlsAcceptor::from),
            places: Arc::new(Semaphore::new(CONNECTIONS)),
        };
        let (stop, stopped) = watch::channel(false);
        Ok(Self { addr, stop, accepting: accept(door, listener, stopped), gathering })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops accepting, lets requests end for at most two seconds.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.accepting.await;
        self.gathering.abort();
    }
}

#[expect(clippy::disallowed_methods, reason = "ended by `Server::stop`; serves no calls")]
fn gather(live: Arc<Live>, ledger: Arc<dyn Ledger>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let most = u32::try_from(KEPT).unwrap_or(0);
        // not worth an error: the console fills with the next calls
        if let Ok(Ok(calls)) = tokio::time::timeout(RECALL, ledger.recent(&CallFilter::default(), most)).await
        {
            live.recall(calls);
        }
        loop {
            tokio::time::sleep(GATHER).await;
            live.gather();
        }
    })
}

#[expect(clippy::disallowed_methods, reason = "ended by `Server::stop`; serves no calls")]
fn accept(door: Door, listener: TcpListener, mut stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let open = GracefulShutdown::new();
        loop {
            tokio::select! {
                biased;
                () = told(&mut stopped) => break,
                accepted = listener.accept() => match accepted {
                    Ok((tcp, from)) => door.connection(tcp, from, &open),
                    // out of file descriptors: give others time to close theirs
                    Err(e) => {
                        tracing::warn!("the control listener cannot accept a connection: {e}");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
        drop(listener);
        let _ = tokio::time::timeout(LINGER, open.shutdown()).await;
    })
}

/// Waits until somebody says stop, or nobody can any more.
async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

struct Door {
    routes: Router,
    tls: Option<TlsAcceptor>,
    places: Arc<Semaphore>,
}

impl Door {
    #[expect(
        clippy::disallowed_methods,
        reason = "the home of control connections: each ends with its client"
    )]
    fn connection(&self, tcp: TcpStream, from: SocketAddr, open: &GracefulShutdown) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return;
        };
        let _ = tcp.set_nodelay(true);
        let service = TowerToHyperService::new(self.routes.clone().layer(Extension(Peer(from.ip()))));
        let mut http = Builder::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_headers(64);
        http.http2().timer(TokioTimer::new()).max_concurrent_streams(32).max_header_list_size(32 * 1024);
        let watcher = open.watcher();
        let tls = self.tls.clone();
        tokio::spawn(async move {
            match tls {
                None => {
                    let serving = http.serve_connection(TokioIo::new(tcp), service).into_owned();
                    let _ = watcher.watch(serving).await;
                }
                Some(tls) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HEAD, tls.accept(tcp)).await {
                        let serving = http.serve_connection(TokioIo::new(stream), service).into_owned();
                        let _ = watcher.watch(serving).await;
                    }
                }
            }
            drop(place);
        });
    }
}
