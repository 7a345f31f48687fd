//! A receiver: HTTP or TLS on loopback, answers as it is told, keeps what it was sent.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use http::request;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// What it does with a request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Status, headers, body.
    Status(u16, Vec<(&'static str, String)>, &'static str),
    /// Takes the request and says nothing.
    Silence,
    HangUp,
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<(request::Parts, Bytes)>>,
    /// What comes first; then 200.
    script: Mutex<VecDeque<Answer>>,
}

/// A private authority and a certificate of its for `localhost`, and the file to trust it by.
pub(crate) struct Authority {
    pub(crate) ca_file: PathBuf,
    acceptor: tokio_rustls::TlsAcceptor,
}

impl Authority {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let mut of_ca = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        of_ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let ca = of_ca.self_signed(&ca_key).unwrap();
        let ca_file = folder.join(format!("{name}.pem"));
        std::fs::write(&ca_file, ca.pem()).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let of_leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = of_leaf.signed_by(&key, &rcgen::Issuer::from_params(&of_ca, &ca_key)).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        Self { ca_file, acceptor: tokio_rustls::TlsAcceptor::from(Arc::new(config)) }
    }
}

impl Receiver {
    pub(crate) fn http(script: impl IntoIterator<Item = Answer>) -> Self {
        Self::start(script, None)
    }

    pub(crate) fn https(authority: &Authority) -> Self {
        Self::start([], Some(authority.acceptor.clone()))
    }

    fn start(script: impl IntoIterator<Item = Answer>, tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen { script: Mutex::new(script.into_iter().collect()), ..Seen::default() });
        let (stop, stopped) = oneshot::channel();
        let of_thread = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, tls, of_thread) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Self { address, seen, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks/bedplate", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<(request::Parts, Bytes)> {
        self.seen.requests.lock().clone()
    }

    pub(crate) fn bodies(&self) -> Vec<serde_json::Value> {
        self.requests().iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.take();
        let _ = self.thread.take().unwrap().join();
    }
}

async fn accept(listener: TcpListener, tls: Option<tokio_rustls::TlsAcceptor>, seen: Arc<Seen>) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, seen) = (tls.clone(), Arc::clone(&seen));
        connections.spawn(async move {
            match tls {
                None => serve(TokioIo::new(stream), seen).await,
                Some(tls) => {
                    // a client that does not trust us ends it here
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(TokioIo::new(stream), seen).await;
                    }
                }
            }
        });
    }
}

async fn serve<I>(io: I, seen: Arc<Seen>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            seen.requests.lock().push((parts, body));
            let answer = seen.script.lock().pop_front().unwrap_or(Answer::Status(200, Vec::new(), "ok"));
            match answer {
                Answer::Silence => std::future::pending().await,
                Answer::HangUp => Err(std::io::Error::other("as the script says")),
                Answer::Status(status, headers, body) => {
                    let mut reply = Response::builder().status(status);
                    for (name, value) in headers {
                        reply = reply.header(name, value);
                    }
                    Ok::<_, std::io::Error>(reply.body(Full::new(Bytes::from(body))).unwrap())
                }
            }
        }
    });
    let _: Result<(), Box<dyn std::error::Error + Send + Sync>> =
        auto::Builder::new(TokioExecutor::new()).serve_connection(io, service).await;
}
