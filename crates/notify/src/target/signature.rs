//! Signatures of webhooks, as the Standard Webhooks specification has them
//! (<https://www.standardwebhooks.com>): HMAC-SHA-256 over `ID.TIMESTAMP.BODY`.

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bedplate_core::notice::NoticeId;
use bedplate_core::secret::Secret;

/// The shortest key, bytes: what the specification asks for.
const SHORTEST: usize = 24;

pub(super) struct Signer(Key);

impl Signer {
    /// `whsec_` and base64, or any other text.
    ///
    /// # Errors
    /// When it is too short to keep a secret, or is not what it begins as.
    pub(super) fn new(secret: &Secret) -> Result<Self, String> {
        let key = match secret.expose().strip_prefix("whsec_") {
            Some(text) => {
                BASE64_STANDARD.decode(text).map_err(|_| "`secret` has no base64 after `whsec_`")?
            }
            None => secret.expose().as_bytes().to_vec(),
        };
        if key.len() < SHORTEST {
            return Err(format!("`secret` is shorter than {SHORTEST} bytes"));
        }
        Ok(Self(Key::new(HMAC_SHA256, &key)))
    }

    /// The header `webhook-signature`. `at`: seconds since 1970, the header `webhook-timestamp`.
    pub(super) fn sign(&self, id: &NoticeId, at: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{at}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(context.sign()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_is_signed_the_same() {
        let signer = Signer::new(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let id = NoticeId("msg_p5jXN8AQM9LWM0D4loKWxJek".into());
        let signature = signer.sign(&id, 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn weak_secrets_are_refused() {
        for bad in ["short", "whsec_AAAA", "whsec_not base64 not base64 not base64 not base64"] {
            assert!(Signer::new(&Secret::new(bad)).is_err(), "{bad}");
        }
        assert!(Signer::new(&Secret::new("twenty-four bytes of text")).is_ok());
    }
}
