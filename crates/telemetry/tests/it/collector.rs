//! A collector: HTTP or TLS, keeps what it is sent, and can be told to be slow or to fail.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::sync::oneshot;

pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    /// The certificate to trust, when it speaks TLS.
    pub(crate) ca_file: Option<PathBuf>,
    seen: Arc<Seen>,
    _folder: Option<tempfile::TempDir>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Seen {
    requests: Mutex<Vec<(http::request::Parts, ExportTraceServiceRequest)>>,
    status: AtomicU16,
    delay_ms: AtomicU64,
}

impl Collector {
    pub(crate) fn http() -> Self {
        Self::start(None, None, None)
    }

    pub(crate) fn https() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, made.cert.pem()).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        Self::start(Some(tokio_rustls::TlsAcceptor::from(Arc::new(config))), Some(ca_file), Some(folder))
    }

    fn start(
        tls: Option<tokio_rustls::TlsAcceptor>,
        ca_file: Option<PathBuf>,
        folder: Option<tempfile::TempDir>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen {
            requests: Mutex::default(),
            status: AtomicU16::new(200),
            delay_ms: AtomicU64::new(0),
        });
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
        });
        Self { address, ca_file, seen, _folder: folder, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn answer(&self, status: u16, delay: Duration) {
        self.seen.status.store(status, Ordering::SeqCst);
        self.seen.delay_ms.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn requests(&self) -> Vec<(http::request::Parts, ExportTraceServiceRequest)> {
        self.seen.requests.lock().unwrap().clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
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
            let serve = service_fn(move |request| handle(request, Arc::clone(&seen)));
            let server = auto::Builder::new(TokioExecutor::new());
            // a client that does not trust us hangs up
            let _ = match tls {
                None => server.serve_connection(TokioIo::new(stream), serve).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => server.serve_connection(TokioIo::new(stream), serve).await,
                    Err(_) => Ok(()),
                },
            };
        });
    }
}

async fn handle(request: Request<Incoming>, seen: Arc<Seen>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let spans = ExportTraceServiceRequest::decode(body).unwrap();
    tokio::time::sleep(Duration::from_millis(seen.delay_ms.load(Ordering::SeqCst))).await;
    let status = seen.status.load(Ordering::SeqCst);
    if status == 200 {
        seen.requests.lock().unwrap().push((parts, spans));
    }
    Ok(Response::builder().status(status).body(Full::default()).unwrap())
}
