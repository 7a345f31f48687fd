//! Proof that a caller holds its key.

use std::sync::Arc;

use bedplate_core::key::Key;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_pipeline::Evidence;
use bedplate_wire::sigv4::{AmzDate, Claim, HeaderSource, Hex64, Mismatch, Request, verify};
use http::header::HOST;
use http::request::Parts;

use crate::derived::signing_key;

/// A bearer token: whoever knows it holds the key, and it was found by its hash.
pub(super) struct Token;

impl Evidence for Token {
    fn verify(&self) -> Result<(), Refusal> {
        Ok(())
    }
}

/// A signature over the request that came.
pub(super) struct Signed {
    pub(super) claim: Claim,
    pub(super) at: AmzDate,
    pub(super) parts: Parts,
    pub(super) body: Hex64,
    pub(super) key: Arc<Key>,
}

impl Evidence for Signed {
    fn verify(&self) -> Result<(), Refusal> {
        let request = Request {
            method: self.parts.method.as_str(),
            path: self.parts.uri.path(),
            query: self.parts.uri.query().unwrap_or_default(),
            headers: &Headers(&self.parts),
        };
        check(&self.claim, &self.at, &request, self.body.as_str(), &self.key)
    }
}

/// A signature over the presigned request that a generated token holds.
pub(super) struct Held {
    pub(super) claim: Claim,
    pub(super) at: AmzDate,
    pub(super) host: String,
    pub(super) query: String,
    pub(super) body: &'static str,
    pub(super) key: Arc<Key>,
}

impl Evidence for Held {
    fn verify(&self) -> Result<(), Refusal> {
        let headers = [("host", self.host.as_bytes())];
        let request = Request { method: "POST", path: "/", query: &self.query, headers: &headers };
        check(&self.claim, &self.at, &request, self.body, &self.key)
            .map_err(|refusal| Refusal { code: Code::BadBearer, ..refusal })
    }
}

fn check(
    claim: &Claim,
    at: &AmzDate,
    request: &Request<'_>,
    body: &str,
    key: &Arc<Key>,
) -> Result<(), Refusal> {
    let signing = signing_key(key, &claim.scope);
    verify(claim, at, request, body, &signing).map_err(|mismatch| {
        let cause = match mismatch {
            Mismatch::Signature => "the signature differs",
            Mismatch::ContentHash => "x-amz-content-sha256 is not the hash of the body",
        };
        Refusal::of(Code::BadSignature).because(cause)
    })
}

/// The headers of a request as signatures name them. HTTP/2 has no `host` but an authority, which the
/// JavaScript SDK signs as `:authority`.
pub(super) struct Headers<'a>(pub(super) &'a Parts);

impl HeaderSource for Headers<'_> {
    fn each(&self, name: &str, f: &mut dyn FnMut(&[u8])) {
        let host_like = matches!(name, "host" | ":authority");
        let asked = if name == ":authority" { HOST.as_str() } else { name };
        let mut found = false;
        for value in self.0.headers.get_all(asked) {
            found = true;
            f(value.as_bytes());
        }
        if !found
            && host_like
            && let Some(authority) = self.0.uri.authority()
        {
            f(authority.as_str().as_bytes());
        }
    }
}
