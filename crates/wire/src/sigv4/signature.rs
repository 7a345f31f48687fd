//! Verifying and making signatures.

use subtle::ConstantTimeEq;

use super::{ALGORITHM, AmzDate, Claim, Request, Scope, SigningKey, string_to_sign};

/// Why a signature does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mismatch {
    /// The signature is not the one this request and key give.
    Signature,
    /// `x-amz-content-sha256` is not the hash of the body (`UNSIGNED-PAYLOAD` never is: no Bedrock
    /// operation takes it).
    ContentHash,
}

/// What was compared, for `bedplate doctor`. Holds no body, but the values of all signed headers.
#[derive(Clone)]
pub struct Explanation {
    pub canonical_request: String,
    pub string_to_sign: String,
}

/// Checks a claim against the request as it came. `payload_hash_hex` is the hash of the body that came,
/// never what a header says; `at` is [`Claim::signed_at`]. Signatures are compared in constant time.
///
/// # Errors
/// [`Mismatch`]; [`explain`] shows what was compared.
pub fn verify(
    claim: &Claim,
    at: &AmzDate,
    request: &Request<'_>,
    payload_hash_hex: &str,
    key: &SigningKey,
) -> Result<(), Mismatch> {
    let mut scratch = Vec::new();
    let text = string_to_sign(
        request,
        &claim.signed_headers,
        &claim.scope,
        at.full(),
        payload_hash_hex,
        &mut scratch,
    );
    if !bool::from(key.signature(&text).ct_eq(&claim.signature)) {
        return Err(Mismatch::Signature);
    }
    let mut honest = true;
    request.headers.each("x-amz-content-sha256", &mut |value| {
        honest &= value.trim_ascii().eq_ignore_ascii_case(payload_hash_hex.as_bytes());
    });
    if honest { Ok(()) } else { Err(Mismatch::ContentHash) }
}

/// The canonical request and string to sign of a claim, to be shown to the operator.
pub fn explain(claim: &Claim, at: &AmzDate, request: &Request<'_>, payload_hash_hex: &str) -> Explanation {
    let mut scratch = Vec::new();
    let text = string_to_sign(
        request,
        &claim.signed_headers,
        &claim.scope,
        at.full(),
        payload_hash_hex,
        &mut scratch,
    );
    Explanation {
        canonical_request: String::from_utf8_lossy(&scratch).into_owned(),
        string_to_sign: String::from_utf8_lossy(&text).into_owned(),
    }
}

/// The `Authorization` header for a request. `signed` are lower-case header names in any order, without
/// repeats; `host` and `x-amz-date` must be among them, and the request must carry what they name.
pub fn sign(
    key: &SigningKey,
    access_key_id: &str,
    scope: &Scope,
    request: &Request<'_>,
    signed: &[&str],
    at: &AmzDate,
    payload_hash_hex: &str,
) -> String {
    let signed = list(signed);
    let mut scratch = Vec::new();
    let text = string_to_sign(request, &signed, scope, at.full(), payload_hash_hex, &mut scratch);
    let signature = super::hex(&key.signature(&text));
    let mut out = String::with_capacity(access_key_id.len() + scope.as_str().len() + signed.len() + 130);
    for part in [
        ALGORITHM,
        " Credential=",
        access_key_id,
        "/",
        scope.as_str(),
        ", SignedHeaders=",
        &signed,
        ", Signature=",
        &signature,
    ] {
        out.push_str(part);
    }
    out
}

/// The names in order, joined by `;`.
fn list(names: &[&str]) -> String {
    if names.is_sorted() {
        return names.join(";");
    }
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    sorted.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::BodyDigest;

    fn headers() -> Vec<(&'static str, &'static [u8])> {
        vec![
            ("content-type", b"application/json"),
            ("host", b"127.0.0.1:8080"),
            ("x-amz-date", b"20261122T120000Z"),
        ]
    }

    fn signed(headers: &Vec<(&'static str, &'static [u8])>, body: &[u8]) -> (Claim, AmzDate, SigningKey) {
        let key = SigningKey::derive(
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "20261122",
            "us-east-1",
            "bedrock",
        );
        let at = AmzDate::parse("20261122T120000Z").unwrap();
        let scope = Scope::new(at.date(), "us-east-1", "bedrock");
        let names: Vec<&str> = headers.iter().rev().map(|(n, _)| *n).collect();
        let value =
            sign(&key, "AKIDEXAMPLE", &scope, &request(headers), &names, &at, &BodyDigest::of(body).hex());
        (Claim::from_authorization(&value).unwrap(), at, key)
    }

    fn request<'a>(headers: &'a Vec<(&'static str, &'static [u8])>) -> Request<'a> {
        Request { method: "POST", path: "/model/us.amazon.nova-pro-v1%3A0/converse", query: "", headers }
    }

    #[test]
    fn what_is_signed_verifies_and_nothing_else() {
        let headers = headers();
        let (claim, at, key) = signed(&headers, b"{}");
        let hash = BodyDigest::of(b"{}").hex();
        assert_eq!(verify(&claim, &at, &request(&headers), &hash, &key), Ok(()));
        assert_eq!(
            verify(&claim, &at, &request(&headers), &BodyDigest::of(b"{ }").hex(), &key),
            Err(Mismatch::Signature)
        );
        let other = Request { path: "/model/x/converse", ..request(&headers) };
        assert_eq!(verify(&claim, &at, &other, &hash, &key), Err(Mismatch::Signature));
        let later = AmzDate::parse("20261122T120001Z").unwrap();
        assert_eq!(verify(&claim, &later, &request(&headers), &hash, &key), Err(Mismatch::Signature));
    }

    #[test]
    fn a_claimed_content_hash_is_compared_never_trusted() {
        for (claimed, want) in [
            (&b"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"[..], Ok(())),
            (b"UNSIGNED-PAYLOAD", Err(Mismatch::ContentHash)),
            (b"", Err(Mismatch::ContentHash)),
        ] {
            let mut headers = headers();
            headers.push(("x-amz-content-sha256", claimed));
            let (claim, at, key) = signed(&headers, b"{}");
            assert_eq!(verify(&claim, &at, &request(&headers), &BodyDigest::of(b"{}").hex(), &key), want);
        }
    }
}
