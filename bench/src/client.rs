//! One keep-alive connection, plain or TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::http1::{Body, Head, bad};

/// Where requests go: `http://127.0.0.1:8080`.
#[derive(Clone)]
pub struct Target {
    pub addr: SocketAddr,
    tls: Option<TlsConnector>,
}

impl Target {
    /// # Errors
    /// When the URL is not `http(s)://IP:PORT`, or the authorities of https cannot be read.
    pub fn new(url: &str, ca: Option<String>) -> Result<Self, String> {
        let (scheme, host) = url.split_once("://").ok_or("`--url` needs a scheme")?;
        let addr =
            host.trim_end_matches('/').parse().map_err(|_| format!("`{host}` is not an address and port"))?;
        let tls = match scheme {
            "http" => None,
            "https" => Some(connector(&ca.ok_or("https needs `--ca`")?)?),
            other => return Err(format!("`{other}` is no scheme")),
        };
        Ok(Self { addr, tls })
    }
}

fn connector(ca: &str) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(|e| format!("`{ca}`: {e}"))? {
        roots.add(certificate.map_err(|e| format!("`{ca}`: {e}"))?).map_err(|e| format!("`{ca}`: {e}"))?;
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

pub struct Connection {
    stream: Stream,
    /// Read and not yet taken.
    read: Vec<u8>,
    body: Body,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// # Errors
    /// When nobody answers there, or its certificate is not trusted.
    pub async fn open(target: &Target) -> io::Result<Self> {
        let tcp = TcpStream::connect(target.addr).await?;
        tcp.set_nodelay(true)?;
        let stream = match &target.tls {
            None => Stream::Plain(tcp),
            Some(tls) => Stream::Tls(Box::new(tls.connect(ServerName::from(target.addr.ip()), tcp).await?)),
        };
        Ok(Self { stream, read: Vec::with_capacity(4096), body: Body::Done })
    }

    /// Sends a request and reads the whole answer; its body replaces `body`. Gives the status.
    ///
    /// # Errors
    /// When the connection broke, or was to be closed.
    pub async fn exchange(&mut self, request: &str, body: &mut Vec<u8>) -> io::Result<u16> {
        let status = self.begin(request).await?;
        body.clear();
        while self.more(body).await? {}
        Ok(status)
    }

    /// Sends a request and reads the answer's head.
    ///
    /// # Errors
    /// When the connection broke, or is to be closed.
    pub async fn begin(&mut self, request: &str) -> io::Result<u16> {
        match &mut self.stream {
            Stream::Plain(s) => s.write_all(request.as_bytes()).await?,
            Stream::Tls(s) => {
                s.write_all(request.as_bytes()).await?;
                s.flush().await?;
            }
        }
        loop {
            if let Some((head, length)) = Head::read(&self.read)? {
                self.read.drain(..length);
                self.body = head.body;
                if head.close {
                    return Err(bad("the connection is being closed"));
                }
                return Ok(head.status);
            }
            self.fill().await?;
        }
    }

    /// Appends the bytes that are there, or waits for some; `false` after the last.
    ///
    /// # Errors
    /// When the connection broke or the body is malformed.
    pub async fn more(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let before = out.len();
        while out.len() == before {
            if self.body == Body::Done {
                return Ok(false);
            }
            if self.read.is_empty() {
                self.fill().await?;
            }
            let took = self.body.take(&self.read, out)?;
            self.read.drain(..took);
        }
        Ok(true)
    }

    async fn fill(&mut self) -> io::Result<()> {
        let n = match &mut self.stream {
            Stream::Plain(s) => s.read_buf(&mut self.read).await?,
            Stream::Tls(s) => s.read_buf(&mut self.read).await?,
        };
        if n == 0 { Err(bad("the connection was closed within an answer")) } else { Ok(()) }
    }
}
