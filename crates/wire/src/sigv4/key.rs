//! The signing key: derived once per secret, day, region and service, then kept.

use aws_lc_rs::hmac;
use zeroize::{Zeroize, Zeroizing};

/// A derived key with its HMAC state prepared: one signature costs one HMAC instead of five. The
/// library wipes the state when it is dropped.
#[derive(Clone)]
pub struct SigningKey(hmac::Key);

impl SigningKey {
    /// Derives the key for a day (`20261122`), a region and a service.
    pub fn derive(secret: &str, date: &str, region: &str, service: &str) -> Self {
        let mut first = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        first.extend_from_slice(b"AWS4");
        first.extend_from_slice(secret.as_bytes());
        let mut key = keyed(&first, date.as_bytes());
        for part in [region, service, "aws4_request"] {
            let mut next = keyed(&key, part.as_bytes());
            key.copy_from_slice(&next);
            next.zeroize();
        }
        let out = Self(hmac::Key::new(hmac::HMAC_SHA256, &key));
        key.zeroize();
        out
    }

    pub fn signature(&self, string_to_sign: &[u8]) -> [u8; 32] {
        tag(&self.0, string_to_sign)
    }
}

fn keyed(key: &[u8], data: &[u8]) -> [u8; 32] {
    tag(&hmac::Key::new(hmac::HMAC_SHA256, key), data)
}

fn tag(key: &hmac::Key, data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    // HMAC-SHA-256 is 32 bytes long
    out.copy_from_slice(&hmac::sign(key, data).as_ref()[..32]);
    out
}
