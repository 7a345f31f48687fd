//! Any request that we sign verifies, its canonical form has the lines it must have, and no claim panics.
#![no_main]

use bedplate_wire::sigv4::{self, BodyDigest, Claim, HeaderSource, Request, Scope, SigningKey, amz_date};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&str, &str, &[u8], &str, u32)| {
    let (path, query, value, authorization, secs) = data;
    let _ = Claim::read(Some(authorization), query);
    let _ = Claim::from_authorization(&format!("AWS4-HMAC-SHA256 {authorization}"));

    let at = amz_date(bedplate_core::clock::Timestamp::from_secs(secs.into()));
    assert_eq!(sigv4::parse_amz_date(at.full()), Some(at.at()));
    let headers: [(&str, &[u8]); 3] =
        [("host", b"gw"), ("x-amz-date", at.full().as_bytes()), ("x-amzn-bedrock-trace", value)];
    let request = Request { method: "POST", path, query, headers: &headers };
    let scope = Scope::new(at.date(), "us-east-1", "bedrock");
    let key = SigningKey::derive("secret", at.date(), "us-east-1", "bedrock");
    let hash = BodyDigest::of(value).hex();
    let names = ["x-amzn-bedrock-trace", "host", "x-amz-date"];
    let signed = sigv4::sign(&key, "AK", &scope, &request, &names, &at, &hash);
    let claim = Claim::from_authorization(&signed).expect("we read what we write");
    assert_eq!(claim.signed_at(&headers).expect("dated").full(), at.full());
    assert_eq!(sigv4::verify(&claim, &at, &request, &hash, &key), Ok(()));

    // path, query and method cannot forge further lines
    let mut canonical = Vec::new();
    sigv4::canonical_request(&request, "host", &hash, &mut canonical);
    assert_eq!(canonical.iter().filter(|b| **b == b'\n').count(), 6);
    assert!(headers.first("host").is_some());
});
