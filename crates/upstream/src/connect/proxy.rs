//! An HTTP proxy that tunnels.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bedplate_core::secret::Secret;
use http::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::names::Names;

/// Where it is, and what it asks for.
pub struct Proxy {
    at: Names,
    /// The value of `proxy-authorization`.
    authorization: Option<Secret>,
}

impl Proxy {
    /// Reads `http://host:port`, also with `user:password@` (percent-encoded) before the host. `login` is
    /// `user:password` as it is, and stands over what the URL says.
    ///
    /// # Errors
    /// Says what is wrong with the URL, without what may be a password.
    pub fn new(url: &str, login: Option<&Secret>) -> Result<Self, String> {
        let shown = without_login(url);
        let uri: Uri = url.parse().map_err(|e| format!("the proxy `{shown}` is no URL: {e}"))?;
        if uri.scheme_str().is_some_and(|scheme| scheme != "http") {
            return Err(format!("the proxy `{shown}` must start with http://"));
        }
        let host = uri.host().filter(|h| !h.is_empty());
        let host = host.ok_or_else(|| format!("the proxy `{shown}` names no host"))?;
        let place = uri.authority().map_or("", |a| a.as_str());
        let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
        if uri.port_u16().is_none() && place != host {
            return Err(format!("the proxy `{shown}` has a port that is none"));
        }
        let login = match (login, userinfo(&uri)) {
            (Some(login), _) => Some(Secret::new(login.expose())),
            (None, Some(encoded)) => Some(Secret::new(
                decoded(encoded)
                    .ok_or_else(|| format!("the login in the proxy URL of `{shown}` is not UTF-8"))?,
            )),
            (None, None) => None,
        };
        Ok(Self {
            at: Names::new(host.trim_matches(['[', ']']), uri.port_u16().unwrap_or(3128)),
            authorization: login
                .map(|login| Secret::new(format!("Basic {}", STANDARD.encode(with_colon(&login).expose())))),
        })
    }

    /// A connection to `target` (`host:port`) through the proxy.
    pub(super) async fn tunnel(&self, target: &str) -> io::Result<TcpStream> {
        let mut tcp = TcpStream::connect(&*self.at.addresses().await?).await?;
        let mut asked = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(authorization) = &self.authorization {
            asked.push_str(&format!("Proxy-Authorization: {}\r\n", authorization.expose()));
        }
        asked.push_str("\r\n");
        tcp.write_all(Secret::new(asked).expose().as_bytes()).await?;
        // its answer is a status line and headers without a body
        let mut head = Vec::with_capacity(256);
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() > 8192 {
                return Err(io::Error::other("the proxy's answer to CONNECT has no end"));
            }
            head.push(tcp.read_u8().await?);
        }
        if head.split(|b| *b == b' ').nth(1) != Some(b"200") {
            let line =
                String::from_utf8_lossy(head.split(|b| *b == b'\r').next().unwrap_or_default()).into_owned();
            return Err(io::Error::other(format!("the proxy refused the tunnel: `{line}`")));
        }
        Ok(tcp)
    }
}

/// The URL as it may be shown.
fn without_login(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
}

fn userinfo(uri: &Uri) -> Option<&str> {
    Some(uri.authority()?.as_str().rsplit_once('@')?.0)
}

/// RFC 7617 wants a colon, also when there is no password.
fn with_colon(login: &Secret) -> Secret {
    let login = login.expose();
    Secret::new(if login.contains(':') { login.to_owned() } else { format!("{login}:") })
}

/// `%40` is `@`; what is no escape stays.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((first, rest)) = bytes.split_first() {
        let hex = rest.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        let escaped =
            hex.filter(|two| !two.starts_with('+')).and_then(|two| u8::from_str_radix(two, 16).ok());
        out.push(escaped.unwrap_or(*first));
        bytes = if escaped.is_some() { &rest[2..] } else { rest };
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authorization(url: &str, login: Option<&str>) -> Option<String> {
        let proxy = Proxy::new(url, login.map(Secret::new).as_ref()).unwrap();
        proxy.authorization.map(|a| a.expose().to_owned())
    }

    #[test]
    fn a_login_is_decoded_once_and_sent_as_basic() {
        // printf 'us@er:p:ss%w' | base64
        let expected = Some("Basic dXNAZXI6cDpzcyV3".to_owned());
        assert_eq!(authorization("http://us%40er:p%3ass%25w@proxy.example:3128", None), expected);
        assert_eq!(authorization("http://other@proxy.example", Some("us@er:p:ss%w")), expected);
        // printf 'user:' | base64
        assert_eq!(authorization("http://user@proxy.example", None), Some("Basic dXNlcjo=".to_owned()));
        assert_eq!(authorization("http://proxy.example", None), None);
        assert_eq!(authorization("proxy.example:3128", None), None);
    }

    #[test]
    fn no_error_shows_the_login() {
        for url in [
            "http://u:hunter2@",
            "http://u:hunter2@[bad",
            "socks5://u:hunter2@proxy.example",
            "http://u:hunter2 @proxy.example",
            "http://u:hunter2%ff@proxy.example",
            "u:hunter2@proxy.example:not-a-port",
        ] {
            let said = Proxy::new(url, None).err().unwrap();
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
