//! A connection to an upstream: TCP, a proxy's tunnel when one is configured, TLS.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Where one host is, and how to get there.
pub struct Connector {
    host: String,
    port: u16,
    /// `host:port` of an HTTP proxy that tunnels.
    proxy: Option<(String, u16)>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Connector {
    /// # Errors
    /// Says what is wrong with the endpoint or the proxy, both URLs of an operator.
    pub fn new(endpoint: &Uri, proxy: Option<&Uri>, tls: Arc<ClientConfig>) -> Result<Self, String> {
        let host = endpoint.host().ok_or_else(|| format!("the endpoint `{endpoint}` names no host"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let secure = match endpoint.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(format!("the endpoint `{endpoint}` must start with http:// or https://")),
        };
        let tls = if secure {
            let name = ServerName::try_from(host.clone())
                .map_err(|_| format!("the endpoint `{endpoint}` has a host that no certificate can name"))?;
            Some((TlsConnector::from(tls), name))
        } else {
            None
        };
        let port = endpoint.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let proxy = match proxy {
            None => None,
            Some(uri) => {
                let host = uri.host().ok_or_else(|| format!("the proxy `{uri}` names no host"))?;
                Some((host.to_owned(), uri.port_u16().unwrap_or(3128)))
            }
        };
        Ok(Self { host, port, proxy, tls })
    }

    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        let tcp = match &self.proxy {
            None => TcpStream::connect((self.host.as_str(), self.port)).await?,
            Some((host, port)) => {
                let tcp = TcpStream::connect((host.as_str(), *port)).await?;
                self.tunnel(tcp).await?
            }
        };
        tcp.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Stream::Plain(tcp)),
            Some((tls, name)) => Ok(Stream::Tls(Box::new(tls.connect(name.clone(), tcp).await?))),
        }
    }

    /// `CONNECT`, whose answer is a status line and headers without a body.
    async fn tunnel(&self, mut tcp: TcpStream) -> io::Result<TcpStream> {
        let target = format!("{}:{}", self.host, self.port);
        tcp.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await?;
        let mut head = Vec::with_capacity(256);
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() > 8192 {
                return Err(io::Error::other("the proxy's answer to CONNECT has no end"));
            }
            head.push(tcp.read_u8().await?);
        }
        let status = head.split(|b| *b == b' ').nth(1);
        if status != Some(b"200") {
            let line =
                String::from_utf8_lossy(head.split(|b| *b == b'\r').next().unwrap_or_default()).into_owned();
            return Err(io::Error::other(format!("the proxy refused the tunnel: `{line}`")));
        }
        Ok(tcp)
    }
}

/// Plain or TLS; one type, so that the pool has one.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Self::Tls(s) => Pin::new(s).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(s) => s.is_write_vectored(),
            Self::Tls(s) => s.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Self::Tls(s) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
