//! A wire to a server that a test can cut, hold still, and mend.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the wire is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    /// Nothing passes, and nobody is told.
    Held,
    /// Connections end at once.
    Cut,
}

pub(crate) struct Wire {
    /// The server, by way of the wire.
    pub(crate) url: String,
    state: Arc<watch::Sender<State>>,
}

impl Wire {
    pub(crate) async fn to(url: &str) -> Self {
        let (server, database) = url.strip_prefix("redis://").unwrap().split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let state = Arc::new(watch::Sender::new(State::Whole));
        let (server, shared) = (server.to_owned(), Arc::clone(&state));
        tokio::runtime::Handle::current().spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let state = shared.subscribe();
                if *state.borrow() != State::Cut {
                    tokio::runtime::Handle::current().spawn(carry(client, server.clone(), state));
                }
            }
        });
        Self { url: format!("redis://{here}/{database}"), state }
    }

    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    pub(crate) fn hold(&self) {
        self.state.send_replace(State::Held);
    }

    pub(crate) fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

async fn carry(mut client: TcpStream, server: String, mut state: watch::Receiver<State>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let (mut up, mut down) = ([0; 16_384], [0; 16_384]);
    loop {
        if state.wait_for(|state| *state != State::Held).await.is_err() {
            return;
        }
        tokio::select! {
            biased;
            changed = state.changed() => {
                if changed.is_err() || *state.borrow() == State::Cut {
                    return;
                }
            }
            n = client.read(&mut up) => match n {
                Ok(n) if n > 0 => if server.write_all(&up[..n]).await.is_err() { return },
                _ => return,
            },
            n = server.read(&mut down) => match n {
                Ok(n) if n > 0 => if client.write_all(&down[..n]).await.is_err() { return },
                _ => return,
            },
        }
    }
}
