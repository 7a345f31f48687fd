//! A wire to the server that can stand still: bytes neither arrive nor are refused.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Wire {
    pub(crate) url: String,
    frozen: Arc<watch::Sender<bool>>,
    _tasks: tokio::task::JoinSet<()>,
}

impl Wire {
    /// A wire to the server of `url`.
    pub(crate) async fn to(url: &str) -> Self {
        let (_, rest) = url.split_once('@').unwrap();
        let (server, _) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap().to_string();
        let frozen = Arc::new(watch::Sender::new(false));
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(carry_all(listener, server.to_owned(), frozen.clone()));
        Self { url: url.replace(server, &here), frozen, _tasks: tasks }
    }

    pub(crate) fn freeze(&self, on: bool) {
        self.frozen.send_replace(on);
    }
}

async fn carry_all(listener: TcpListener, server: String, frozen: Arc<watch::Sender<bool>>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let far = TcpStream::connect(&server).await.unwrap();
        let (near_in, near_out) = near.into_split();
        let (far_in, far_out) = far.into_split();
        connections.spawn(carry(near_in, far_out, frozen.subscribe()));
        connections.spawn(carry(far_in, near_out, frozen.subscribe()));
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut frozen: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 16_384];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        if frozen.wait_for(|on| !*on).await.is_err() || to.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
}
