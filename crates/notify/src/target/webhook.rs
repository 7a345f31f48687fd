//! JSON by POST, signed.

use std::sync::Arc;

use bedplate_core::BoxFuture;
use bedplate_core::clock::Clock;
use bedplate_core::notice::Notice;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::hook::Hook;
use super::signature::Signer;
use super::{Target, Trouble, set};
use crate::config::{Config, address};
use crate::words;

pub(super) struct Webhook {
    hook: Hook,
    signer: Signer,
    /// From configuration.
    headers: HeaderMap,
}

impl Webhook {
    pub(super) fn new(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, String> {
        let uri = address(set("url", config.url.as_deref())?)?;
        let mut headers = HeaderMap::new();
        for (name, secret) in &config.headers {
            let bad = |why: &str| format!("the header `{name}` {why}");
            let value = secret.read().map_err(|e| bad(&format!("cannot be read: {e}")))?;
            let mut value =
                HeaderValue::try_from(value.expose()).map_err(|_| bad("cannot have its value"))?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name).map_err(|_| bad("has no name of a header"))?, value);
        }
        Ok(Self {
            hook: Hook::new(uri, config.ca_file.as_deref(), clock)?,
            signer: Signer::new(&set("secret", config.secret.as_ref())?.read()?)?,
            headers,
        })
    }

    /// Signed anew for every try: receivers refuse what is old.
    fn headers(&self, notice: &Notice, body: &[u8]) -> Result<HeaderMap, http::Error> {
        let at = self.hook.now().secs();
        let mut headers = self.headers.clone();
        headers.insert("webhook-id", HeaderValue::try_from(&notice.id.0)?);
        headers.insert("webhook-timestamp", HeaderValue::from(at));
        headers.insert("webhook-signature", HeaderValue::try_from(self.signer.sign(&notice.id, at, body))?);
        Ok(headers)
    }
}

impl Target for Webhook {
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), Trouble>> {
        Box::pin(async move {
            let body = words::json(notice).to_string();
            let headers =
                self.headers(notice, body.as_bytes()).map_err(|e| Trouble::lasting(e.to_string()))?;
            self.hook.post(headers, Bytes::from(body)).await
        })
    }
}
