//! A way over TLS to a gateway that listens without it.
//!
//! AWS's Python SDK sends bearer keys over TLS alone. So the application's connections end here, on
//! loopback, and their bytes go on to the gateway as they are.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use bedplate_gateway::tls::{Config, Mode};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::exit::Failure;
use crate::project::Project;

/// Open until it is dropped.
pub(super) struct Passage {
    pub(super) data: String,
    pub(super) ca_file: PathBuf,
    _open: JoinSet<()>,
}

impl Passage {
    /// Opens one to the gateway at `to`.
    pub(super) async fn open(to: SocketAddr, project: &Project) -> Result<Self, Failure> {
        let tls = Config { mode: Mode::SelfSigned, ..Config::default() };
        let certificates = tls.build(&project.dir, &project.state()?).map_err(Failure::usage)?;
        let (server, ca_file) = certificates
            .and_then(|c| Some((c.server(), c.ca_file?)))
            .ok_or_else(|| Failure::bug("a self-signed certificate without a file"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let data = format!("https://{}", listener.local_addr()?);
        let mut open = JoinSet::new();
        open.spawn(accept(listener, TlsAcceptor::from(server), to));
        Ok(Self { data, ca_file, _open: open })
    }
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, to: SocketAddr) {
    let mut carried = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((caller, _)) = accepted {
                let tls = tls.clone();
                carried.spawn(async move {
                    if let Err(e) = carry(caller, &tls, to).await {
                        tracing::debug!("a connection to {to} broke: {e}");
                    }
                });
            },
            Some(_) = carried.join_next() => {}
        }
    }
}

async fn carry(caller: TcpStream, tls: &TlsAcceptor, to: SocketAddr) -> io::Result<()> {
    caller.set_nodelay(true)?;
    let mut caller = tls.accept(caller).await?;
    let mut gateway = TcpStream::connect(to).await?;
    gateway.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut caller, &mut gateway).await.map(drop)
}
