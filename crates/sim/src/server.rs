//! The listening socket: accepts connections and hands requests on.

mod conn;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ids::SystemIds;
use bedplate_core::secret::Secret;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::Config;
use crate::state::State;
use conn::{Conn, serve};

/// Why the simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    #[error("cannot listen on `{0}`: {1}")]
    Listen(SocketAddr, std::io::Error),
    #[error("cannot serve tls: {0}")]
    Tls(String),
    #[error("bad simulator settings: {0}")]
    Config(String),
}

/// How long open calls may go on after [`Sim::stop`].
const DRAIN: Duration = Duration::from_secs(2);

/// A running simulator. Dropping it stops it at once.
pub struct Sim {
    addr: SocketAddr,
    state: Arc<State>,
    stop: watch::Sender<bool>,
    work: JoinSet<()>,
}

impl Sim {
    /// Starts to listen; port 0 picks a free one. With `tls` (see [`crate::tls`]) it speaks TLS alone.
    ///
    /// # Errors
    /// When the address cannot be bound or a setting cannot be used.
    pub async fn start(
        config: Config,
        listen: SocketAddr,
        tls: Option<Arc<rustls::ServerConfig>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Sim, SimError> {
        let ids = SystemIds::shared();
        let state = Arc::new(State::build(config, clock, ids)?);
        let listener = TcpListener::bind(listen).await.map_err(|e| SimError::Listen(listen, e))?;
        let addr = listener.local_addr().map_err(|e| SimError::Listen(listen, e))?;
        let (stop, stopped) = watch::channel(false);
        let mut work = JoinSet::new();
        work.spawn(accept(listener, tls.map(TlsAcceptor::from), state.clone(), stopped));
        Ok(Sim { addr, state, stop, work })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A key pair that the simulator accepts: the first configured one, else one made at start.
    pub fn credentials(&self) -> (String, Secret) {
        self.state.keys.first()
    }

    /// Stops accepting, lets open calls finish for two seconds and ends.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let _ = tokio::time::timeout(DRAIN + Duration::from_millis(500), self.work.join_next()).await;
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    state: Arc<State>,
    mut stopped: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
            Some(_) = open.join_next(), if !open.is_empty() => continue,
        };
        let Ok((socket, _)) = accepted else {
            // out of file handles: give others a moment to close theirs
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        if socket.set_nodelay(true).is_err() {
            continue;
        }
        let conn = Conn::new(socket);
        let watcher = graceful.watcher();
        let (state, tls) = (state.clone(), tls.clone());
        open.spawn(async move {
            let builder = server();
            let reset = conn.reset_flag();
            match tls {
                None => serve(builder, conn, watcher, state, reset, "http").await,
                Some(tls) => match tls.accept(conn).await {
                    Ok(stream) => serve(builder, stream, watcher, state, reset, "https").await,
                    Err(e) => tracing::debug!(error = %e, "tls handshake failed"),
                },
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
    open.shutdown().await;
}

/// The read timeout also ends idle connections, so it is longer than clients keep theirs pooled.
fn server() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(120));
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(1000);
    builder
}
