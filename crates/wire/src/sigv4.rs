//! AWS Signature Version 4: verify what callers signed, sign what goes upstream.
//!
//! Both go through one canonicaliser. Paths and queries are taken raw, as they stand on the wire: the
//! canonical path encodes the encoded path once more (`%3A` becomes `%253A`), which is what every AWS
//! SDK does for Bedrock. Dot segments and double slashes are removed as SDKs do (the gateway refuses
//! such paths before they come here).
//!
//! Verifying: [`Claim::read`] → look up the secret → [`Claim::signed_at`] → skew check →
//! [`BodyDigest::of`] → [`verify()`]. Signing: [`Scope::new`] → [`sign()`].

mod canonical;
mod claim;
mod date;
mod digest;
mod headers;
mod key;
mod signature;

pub use canonical::{canonical_request, string_to_sign};
pub use claim::{Claim, Scope, Unreadable};
pub use date::{AmzDate, amz_date, parse_amz_date, parse_http_date};
pub use digest::{BodyDigest, EMPTY_SHA256_HEX, Hex64, hex};
pub use headers::HeaderSource;
pub use key::SigningKey;
pub use signature::{Explanation, Mismatch, explain, sign, verify};

/// The signing algorithm's name, at the start of the `Authorization` header.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signature covers besides the body.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Raw, percent-encoded as on the wire, with its leading slash.
    pub path: &'a str,
    /// Raw, without the `?`; empty when there is none.
    pub query: &'a str,
    pub headers: &'a dyn HeaderSource,
}
