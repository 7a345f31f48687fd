//! One host that is called: where it is, and the connections that are kept to it.

use std::sync::Arc;

use bedplate_core::clock::Clock;
use bedplate_core::setting::SecretRef;
use http::Uri;
use http::header::HeaderValue;
use http::uri::Authority;

use crate::config::Config;
use crate::connect::{Connector, Proxy};
use crate::pool::Pool;
use crate::roots::roots;

pub(crate) struct Host {
    pub(crate) pool: Arc<Pool>,
    /// What `host` says, and what is signed.
    pub(crate) authority: Authority,
    /// The path of the endpoint URL, without a slash at its end.
    pub(crate) base: String,
}

impl Host {
    /// What `host` says.
    pub(crate) fn header(&self) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
        HeaderValue::from_str(self.authority.as_str())
    }
}

impl Config {
    /// # Errors
    /// Says what is wrong with the endpoint or the proxy.
    pub(crate) fn host(
        &self,
        url: &str,
        clock: &Arc<dyn Clock>,
        tls: &Arc<rustls::ClientConfig>,
    ) -> Result<Host, String> {
        let uri: Uri = url.parse().map_err(|e| format!("the endpoint `{url}` is no URL: {e}"))?;
        let authority =
            uri.authority().cloned().ok_or_else(|| format!("the endpoint `{url}` names no host"))?;
        let proxy = match &self.proxy {
            None => None,
            Some(proxy) => {
                let login = self.proxy_login.as_ref().map(SecretRef::read).transpose()?;
                Some(Proxy::new(proxy, login.as_ref())?)
            }
        };
        let connector = Connector::new(&uri, proxy, Arc::clone(tls))?;
        Ok(Host {
            pool: Arc::new(Pool::new(connector, Arc::clone(clock), self.connections)),
            authority,
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// # Errors
    /// Says which authority cannot be read.
    pub(crate) fn tls(&self) -> Result<Arc<rustls::ClientConfig>, String> {
        let roots = roots(self.ca_file.as_deref()).map_err(|e| e.to_string())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| e.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}
