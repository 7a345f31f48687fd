//! A connection to an upstream: TCP, a proxy's tunnel when one is configured, TLS.

mod names;
mod proxy;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use names::Names;
pub use proxy::Proxy;

/// Where one host is, and how to get there.
pub struct Connector {
    at: Way,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

enum Way {
    Direct(Names),
    /// To `host:port`, whose name the proxy looks up.
    Through(Proxy, String),
}

impl Connector {
    /// # Errors
    /// Says what is wrong with the endpoint, a URL of an operator.
    pub fn new(endpoint: &Uri, proxy: Option<Proxy>, tls: Arc<ClientConfig>) -> Result<Self, String> {
        let host = endpoint.host().ok_or_else(|| format!("the endpoint `{endpoint}` names no host"))?;
        let bare = host.trim_matches(['[', ']']);
        let secure = match endpoint.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(format!("the endpoint `{endpoint}` must start with http:// or https://")),
        };
        let tls = if secure {
            let name = ServerName::try_from(bare.to_owned())
                .map_err(|_| format!("the endpoint `{endpoint}` has a host that no certificate can name"))?;
            Some((TlsConnector::from(tls), name))
        } else {
            None
        };
        let port = endpoint.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let at = match proxy {
            None => Way::Direct(Names::new(bare, port)),
            Some(proxy) => Way::Through(proxy, format!("{host}:{port}")),
        };
        Ok(Self { at, tls })
    }

    pub(crate) async fn connect(&self) -> io::Result<Stream> {
        let tcp = match &self.at {
            Way::Direct(names) => TcpStream::connect(&*names.addresses().await?).await?,
            Way::Through(proxy, target) => proxy.tunnel(target).await?,
        };
        tcp.set_nodelay(true)?;
        match &self.tls {
            None => Ok(Stream::Plain(tcp)),
            Some((tls, name)) => Ok(Stream::Tls(Box::new(tls.connect(name.clone(), tcp).await?))),
        }
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
