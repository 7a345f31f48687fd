//! One POST to one URL. Redirects are not followed: a signed notice is for whom the configuration names.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bedplate_core::clock::{Clock, Timestamp};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::{Again, Trouble};
use crate::words;

/// Bytes of a refusal's body that are read for its words.
const WORDS: usize = 1_024;

pub(super) struct Hook {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    clock: Arc<dyn Clock>,
}

impl Hook {
    /// # Errors
    /// When the file of authorities cannot be used.
    pub(super) fn new(uri: Uri, ca_file: Option<&Path>, clock: &Arc<dyn Clock>) -> Result<Self, String> {
        let tls = tls(ca_file, uri.scheme_str() == Some("https"))?;
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        // notices are rare: a connection that was kept would be a stale one
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(https);
        Ok(Self { client, uri, clock: Arc::clone(clock) })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Posts JSON. Nothing of the URL but its host is in the words of an error.
    pub(super) async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<(), Trouble> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        let agent = concat!("bedplate/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(agent));
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.client.request(request).await.map_err(|e| Trouble::passing(words::causes(&e)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let headers = answer.headers().clone();
        if status.is_redirection() {
            return Err(Trouble::lasting(redirected(status, headers.get(LOCATION))));
        }
        let said = first_words(answer.into_body()).await;
        let colon = if said.is_empty() { "" } else { ": " };
        Err(Trouble { why: format!("{status}{colon}{said}"), again: self.again(status, &headers) })
    }

    fn again(&self, status: StatusCode, headers: &HeaderMap) -> Again {
        let passing = status.is_server_error()
            || matches!(
                status,
                StatusCode::REQUEST_TIMEOUT
                    | StatusCode::CONFLICT
                    | StatusCode::TOO_EARLY
                    | StatusCode::TOO_MANY_REQUESTS
            );
        if !passing {
            return Again::Never;
        }
        let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        asked.and_then(|value| retry_after(value, self.now())).map_or(Again::Soon, Again::After)
    }
}

/// Seconds, or a date.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let at = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let now = Duration::from_micros(u64::try_from(now.0).ok()?);
    Some(at.saturating_sub(now))
}

/// Where to: the host alone, for the rest may be a secret.
fn redirected(status: StatusCode, location: Option<&HeaderValue>) -> String {
    let location = location.and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<Uri>().ok());
    let host = location.as_ref().and_then(Uri::host);
    let host = host
        .map_or_else(|| "another address".into(), |host| format!("the host `{}`", words::line(host, 100)));
    format!("{status}: redirects to {host} are not followed; name the right URL")
}

/// What a refusal says, if it says it soon.
async fn first_words(mut body: Incoming) -> String {
    let mut words = Vec::new();
    let read = async {
        while words.len() < WORDS
            && let Some(Ok(frame)) = body.frame().await
        {
            words.extend(frame.into_data().unwrap_or_default());
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), read).await;
    words.truncate(WORDS);
    words::line(&String::from_utf8_lossy(&words), 200)
}

fn tls(ca_file: Option<&Path>, system: bool) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if system {
        // what of the system's store cannot be read is missing when the receiver is verified
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if let Some(path) = ca_file {
        let bad = |e: &dyn std::fmt::Display| format!("the CA file `{}` cannot be used: {e}", path.display());
        let certificates = CertificateDer::pem_file_iter(path).map_err(|e| bad(&e))?;
        let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|e| bad(&e))?;
        if roots.add_parsable_certificates(certificates).0 == 0 {
            return Err(bad(&"it holds no certificate"));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_seconds_or_dates() {
        let now = Timestamp::parse("2026-11-22T12:00:00Z").unwrap();
        let secs = |n| Some(Duration::from_secs(n));
        assert_eq!(retry_after(" 30 ", now), secs(30));
        assert_eq!(retry_after("Sun, 22 Nov 2026 12:02:00 GMT", now), secs(120));
        assert_eq!(retry_after("Sun, 22 Nov 2026 11:00:00 GMT", now), secs(0));
        for bad in ["", "-1", "soon", "1.5", "99999999999999999999"] {
            assert_eq!(retry_after(bad, now), None, "{bad}");
        }
    }

    #[test]
    fn of_a_redirect_the_host_alone_is_told() {
        let said = |to: &'static str| redirected(StatusCode::FOUND, Some(&HeaderValue::from_static(to)));
        assert!(said("https://evil.example/T0/secret").contains("`evil.example`"));
        assert!(!said("https://evil.example/T0/secret").contains("secret"));
        assert!(!said("/T0/secret").contains("secret"));
    }
}
