//! A request, read whole.

use aws_lc_rs::digest;
use bedplate_core::clock::Tick;
use bytes::Bytes;
use http::{HeaderMap, Method};

/// A request with its body, as the wire gave it.
pub(crate) struct Request {
    /// Goes into `x-amzn-requestid`.
    pub(crate) id: String,
    pub(crate) method: Method,
    /// Raw: still percent-encoded.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    /// `host`, or `:authority` over HTTP/2.
    pub(crate) authority: String,
    pub(crate) scheme: &'static str,
    pub(crate) body: Bytes,
    pub(crate) body_sha256: String,
    pub(crate) arrived: Tick,
}

impl Request {
    /// A header's value; none when it is absent or not ASCII.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Lower-case hexadecimal SHA-256.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}
