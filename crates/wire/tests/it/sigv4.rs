//! Signatures against the `aws-sigv4` crate and a stored vector.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use bedplate_core::clock::Timestamp;
use bedplate_wire::sigv4::{self, BodyDigest, Claim, HeaderSource, Mismatch, Request, Scope, SigningKey};
use proptest::prelude::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

#[derive(Debug, Default)]
struct Case {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    secs: u64,
    hashed: bool,
    presigned: bool,
    token: bool,
}

/// Signs with the AWS crate; gives the request as it goes on the wire.
fn signed_by_aws(case: &Case) -> Case {
    let token = case.token.then(|| "FwoGZXIvYXdz+/token==".to_owned());
    let identity = Credentials::new("AKIDEXAMPLE", SECRET, token.clone(), None, "test").into();
    let mut settings = SigningSettings::default();
    if case.hashed {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    if case.presigned {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(300));
    }
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("bedrock")
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(case.secs))
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let tail = if case.query.is_empty() { String::new() } else { format!("?{}", case.query) };
    let uri = format!("https://gw.example:8443{}{tail}", case.path);
    let headers = case.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
    let request = SignableRequest::new(&case.method, uri, headers, SignableBody::Bytes(&case.body)).unwrap();
    let (instructions, _) = sign(request, &params).unwrap().into_parts();
    let (new_headers, new_query) = instructions.into_parts();
    let mut headers = case.headers.clone();
    headers.push(("host".into(), "gw.example:8443".into()));
    headers.extend(new_headers.iter().map(|h| (h.name().to_owned(), h.value().to_owned())));
    let mut query = case.query.clone();
    for (name, value) in new_query {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(&format!("{name}={}", encode(&value)));
    }
    Case {
        headers,
        query,
        method: case.method.clone(),
        path: case.path.clone(),
        body: case.body.clone(),
        ..*case
    }
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

fn verify(case: &Case, hash: &str) -> Result<(), Mismatch> {
    let headers: Vec<(&str, &[u8])> = case.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
    let request = Request { method: &case.method, path: &case.path, query: &case.query, headers: &headers };
    let claim = Claim::read(headers.first("authorization").as_deref(), &case.query).unwrap().unwrap();
    let at = claim.signed_at(&headers).unwrap();
    assert_eq!(at.at(), Timestamp::from_secs(case.secs.try_into().unwrap()));
    assert_eq!(claim.expires_secs, case.presigned.then_some(300));
    let key = SigningKey::derive(SECRET, at.date(), claim.scope.region(), claim.scope.service());
    sigv4::verify(&claim, &at, &request, hash, &key)
}

fn cases() -> impl Strategy<Value = Case> {
    let piece = "([a-zA-Z0-9._~:@!$'()*+,;=-]|%[0-9A-F]{2}){1,12}";
    let path = proptest::collection::vec(prop_oneof![9 => piece, 1 => r"\.|\.\.|"], 0..6);
    let pair = (
        "([a-zA-Z0-9._~-]|%[0-7][0-9A-F]|%C3%A9){1,8}",
        "([a-zA-Z0-9._~+:@/,;!-]|%[0-7][0-9A-F]|%C3%A9){0,12}",
    );
    // escapes are UTF-8: the AWS crate decodes queries as text
    let query = proptest::collection::vec(pair, 0..5);
    let header = ("x-amzn-bedrock-[a-z]{1,10}", "[ -~]{0,30}");
    let headers = proptest::collection::vec(header, 0..5);
    let flags = any::<[bool; 3]>();
    let body = proptest::collection::vec(any::<u8>(), 0..200);
    ("GET|POST|PUT|DELETE", path, query, headers, body, 0u64..4_000_000_000, flags).prop_map(
        |(method, path, query, headers, body, secs, [hashed, presigned, token])| Case {
            method,
            path: format!("/{}", path.join("/")),
            query: query.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&"),
            headers,
            body,
            secs,
            hashed,
            presigned,
            token,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_aws_crate_signs_verifies(case in cases()) {
        let signed = signed_by_aws(&case);
        let hash = BodyDigest::of(&case.body).hex();
        prop_assert_eq!(verify(&signed, &hash), Ok(()), "{} {}?{}", signed.method, signed.path, signed.query);
        let other = BodyDigest::of(b"another body").hex();
        prop_assert_eq!(verify(&signed, &other), Err(Mismatch::Signature));
    }

    #[test]
    fn our_signatures_are_those_of_the_aws_crate(case in cases()) {
        let case = Case { presigned: false, ..case };
        let signed = signed_by_aws(&case);
        let headers: Vec<(&str, &[u8])> =
            signed.headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        let theirs = headers.first("authorization").unwrap();
        let claim = Claim::from_authorization(&theirs).unwrap();
        let at = claim.signed_at(&headers).unwrap();
        let scope = Scope::new(at.date(), "us-east-1", "bedrock");
        let key = SigningKey::derive(SECRET, at.date(), "us-east-1", "bedrock");
        let request =
            Request { method: &signed.method, path: &signed.path, query: &signed.query, headers: &headers };
        let mut names: Vec<&str> = claim.signed_headers.split(';').collect();
        names.reverse();
        let hash = BodyDigest::of(&signed.body).hex();
        let ours = sigv4::sign(&key, "AKIDEXAMPLE", &scope, &request, &names, &at, &hash);
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn nothing_that_is_sent_as_a_claim_can_hurt(header in "AWS4-HMAC-SHA256 ?.{0,80}", query in ".{0,80}") {
        let _ = Claim::read(Some(&header), &query);
        let _ = Claim::from_query(&format!("X-Amz-Signature=00&X-Amz-{query}"));
    }
}

#[test]
fn an_empty_header_that_comes_twice_verifies() {
    let header = |value: &str| ("x-amzn-bedrock-e".to_owned(), value.to_owned());
    for headers in
        [vec![header(""), header("")], vec![header(""), header("a")], vec![header("a"), header("")]]
    {
        let case = Case { method: "GET".into(), path: "/".into(), headers, ..Case::default() };
        let hash = BodyDigest::of(&case.body).hex();
        assert_eq!(verify(&signed_by_aws(&case), &hash), Ok(()), "{:?}", case.headers);
    }
}

#[test]
fn the_stored_vector_verifies() {
    let vector: serde_json::Value =
        serde_json::from_str(include_str!("../samples/sigv4-vector.json")).unwrap();
    let text = |name: &str| vector[name].as_str().unwrap();
    let headers: [(&str, &[u8]); 3] = [
        ("content-type", b"application/json"),
        ("host", b"127.0.0.1:8080"),
        ("x-amz-date", text("timestamp").as_bytes()),
    ];
    let path = text("url").strip_prefix("http://127.0.0.1:8080").unwrap();
    let request = Request { method: text("method"), path, query: "", headers: &headers };
    let at = sigv4::AmzDate::parse(text("timestamp")).unwrap();
    let scope = Scope::new(at.date(), text("region"), text("service"));
    let key = SigningKey::derive(text("secret_key"), at.date(), text("region"), text("service"));
    let hash = BodyDigest::of(text("body").as_bytes()).hex();
    let names = ["host", "content-type", "x-amz-date"];
    let value = sigv4::sign(&key, text("access_key"), &scope, &request, &names, &at, &hash);
    let claim = Claim::from_authorization(&value).unwrap();
    assert_eq!(hex::encode(claim.signature), vector["expect"]["signature"].as_str().unwrap());
    let shown = sigv4::explain(&claim, &at, &request, &hash);
    assert_eq!(shown.canonical_request, vector["expect"]["canonical_request"].as_str().unwrap());
    assert_eq!(shown.string_to_sign, vector["expect"]["string_to_sign"].as_str().unwrap());
}

#[test]
fn an_http_2_request_is_signed_under_authority() {
    let headers: [(&str, &[u8]); 2] = [(":authority", b"gw:1"), ("x-amz-date", b"20261122T120000Z")];
    let request = Request { method: "POST", path: "/model/a/converse", query: "", headers: &headers };
    let at = sigv4::AmzDate::parse("20261122T120000Z").unwrap();
    let scope = Scope::new(at.date(), "us-east-1", "bedrock");
    let key = SigningKey::derive(SECRET, at.date(), "us-east-1", "bedrock");
    let hash = BodyDigest::of(b"").hex();
    let value = sigv4::sign(&key, "AK", &scope, &request, &["x-amz-date", ":authority"], &at, &hash);
    let claim = Claim::from_authorization(&value).unwrap();
    assert_eq!(claim.signed_headers, ":authority;x-amz-date");
    assert_eq!(sigv4::verify(&claim, &at, &request, &hash, &key), Ok(()));
}
