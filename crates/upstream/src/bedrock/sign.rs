//! Signs requests; the key of a day is derived once.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bedplate_core::clock::Timestamp;
use bedplate_wire::sigv4::{AmzDate, HeaderSource, Request, Scope, SigningKey, amz_date, hex, sign};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::credentials::{Credentials, Pair};

pub(super) struct Signer {
    credentials: Credentials,
    region: String,
    derived: ArcSwapOption<Derived>,
}

/// The signing key of one pair on one day.
struct Derived {
    pair: Arc<Pair>,
    scope: Scope,
    key: SigningKey,
}

pub(super) const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

impl Signer {
    pub(super) fn new(credentials: Credentials, region: &str) -> Self {
        Self { credentials, region: region.to_owned(), derived: ArcSwapOption::const_empty() }
    }

    /// Adds date, token and signature to a request that is otherwise complete.
    ///
    /// # Errors
    /// When there are no credentials.
    pub(super) async fn sign<B>(
        &self,
        request: &mut http::Request<B>,
        sha256: &[u8; 32],
        now: Timestamp,
    ) -> Result<(), String> {
        let pair = self.credentials.get(now).await?;
        let at = amz_date(now);
        let derived = self.derived(&pair, &at);
        let headers = request.headers_mut();
        set(headers, AMZ_DATE, at.full())?;
        if let Some(token) = &pair.session_token {
            set(headers, SECURITY_TOKEN, token.expose())?;
        }
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        let (names, count) = signed_names(request.headers());
        let asked =
            Request { method: request.method().as_str(), path, query, headers: &Map(request.headers()) };
        let names = names.get(..count).unwrap_or_default();
        let value = sign(&derived.key, &pair.access_key_id, &derived.scope, &asked, names, &at, &hex(sha256));
        set(request.headers_mut(), AUTHORIZATION, &value)
    }

    fn derived(&self, pair: &Arc<Pair>, at: &AmzDate) -> Arc<Derived> {
        if let Some(derived) = self.derived.load_full()
            && Arc::ptr_eq(&derived.pair, pair)
            && derived.scope.date() == at.date()
        {
            return derived;
        }
        let secret = pair.secret_access_key.expose();
        let derived = Arc::new(Derived {
            pair: Arc::clone(pair),
            scope: Scope::new(at.date(), &self.region, "bedrock"),
            key: SigningKey::derive(secret, at.date(), &self.region, "bedrock"),
        });
        self.derived.store(Some(Arc::clone(&derived)));
        derived
    }
}

fn set(headers: &mut http::HeaderMap, name: HeaderName, value: &str) -> Result<(), String> {
    let value = HeaderValue::from_str(value)
        .map_err(|_| format!("credentials do not fit into the header `{name}`"))?;
    headers.insert(name, value);
    Ok(())
}

/// What is signed, as AWS's own SDKs choose: host, date, type, token and Bedrock's own headers.
fn signed_names(headers: &http::HeaderMap) -> ([&str; 16], usize) {
    let mut names = [""; 16];
    let mut count = 0;
    for name in headers.keys() {
        let n = name.as_str();
        let signed = matches!(n, "host" | "x-amz-date" | "content-type" | "x-amz-security-token")
            || n.starts_with("x-amzn-bedrock-");
        if signed && let Some(place) = names.get_mut(count) {
            *place = n;
            count += 1;
        }
    }
    (names, count)
}

/// A header map as the canonicaliser reads it.
struct Map<'a>(&'a http::HeaderMap);

impl HeaderSource for Map<'_> {
    fn each(&self, name: &str, f: &mut dyn FnMut(&[u8])) {
        for value in self.0.get_all(name) {
            f(value.as_bytes());
        }
    }
}
