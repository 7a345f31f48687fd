//! Who is let in.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use bedplate_core::secret::Secret;
use bedplate_core::setting::SecretRef;
use bedplate_sim::{Auth, Config, Credential, Sim};
use bytes::Bytes;
use http_body_util::Full;

use crate::support::{NOVA, now, question, quiet, send, signed, start};

const HERE: (&str, &str) = ("bedrock", "us-east-1");

async fn outcome(
    sim: &Sim,
    pair: &(String, Secret),
    at: SystemTime,
    (service, region): (&str, &str),
) -> (u16, String, String) {
    let json = [("content-type", "application/json")];
    let request = signed(sim, pair, ("POST", NOVA), &json, &question("Hi?"), (at, service, region));
    let reply = send(sim.addr(), request).await.unwrap();
    if reply.status == 200 { (200, String::new(), String::new()) } else { reply.error() }
}

#[tokio::test]
async fn signatures_are_checked() {
    let sim = start(Config { regions: vec!["us-east-1".into()], ..quiet() }).await;
    let pair = sim.credentials();
    assert_eq!(outcome(&sim, &pair, now(), HERE).await.0, 200);
    let wrong = (pair.0.clone(), Secret::new("other"));
    let unknown = ("AKIAUNKNOWN".to_string(), pair.1.clone());
    let minutes = |n: u64| Duration::from_secs(n * 60);
    for (pair, at, scope, status, code, says) in [
        (&wrong, now(), HERE, 403, "InvalidSignatureException", "does not match"),
        (&unknown, now(), HERE, 403, "UnrecognizedClientException", "security token"),
        (&pair, now() - minutes(6), HERE, 403, "InvalidSignatureException", "Signature expired: "),
        (&pair, now() + minutes(6), HERE, 403, "InvalidSignatureException", "Signature not yet current: "),
        (&pair, now(), ("s3", "us-east-1"), 403, "InvalidSignatureException", "correct service: 'bedrock'"),
        (&pair, now(), ("bedrock", "eu-west-1"), 403, "InvalidSignatureException", "valid region"),
    ] {
        let (s, c, text) = outcome(&sim, pair, at, scope).await;
        assert!(s == status && c == code && text.contains(says), "{code}: {s} {c} {text}");
    }
    assert_eq!(outcome(&sim, &pair, now() - minutes(4), HERE).await.0, 200);
    sim.stop().await;
}

#[tokio::test]
async fn a_changed_body_or_header_breaks_the_signature() {
    let sim = start(quiet()).await;
    let json = [("content-type", "application/json"), ("x-amzn-bedrock-trace", "ENABLED")];
    let make = || {
        signed(
            &sim,
            &sim.credentials(),
            ("POST", NOVA),
            &json,
            &question("Hi?"),
            (now(), "bedrock", "us-east-1"),
        )
    };
    let body = make().map(|_| Full::new(Bytes::from(question("Ho?"))));
    assert_eq!(send(sim.addr(), body).await.unwrap().error().1, "InvalidSignatureException");
    let mut header = make();
    header.headers_mut().insert("x-amzn-bedrock-trace", "DISABLED".parse().unwrap());
    assert_eq!(send(sim.addr(), header).await.unwrap().error().1, "InvalidSignatureException");
    let mut path = make();
    *path.uri_mut() = "/model/us.amazon.nova-pro-v1%3A0/converse".parse().unwrap();
    assert_eq!(send(sim.addr(), path).await.unwrap().error().1, "InvalidSignatureException");
}

#[tokio::test]
async fn nothing_and_nonsense_are_told_apart() {
    let sim = start(quiet()).await;
    let with = |authorization: Option<&str>| {
        let mut r = http::Request::builder().method("POST").uri(NOVA).header("host", sim.addr().to_string());
        if let Some(text) = authorization {
            r = r.header("authorization", text);
        }
        r.body(Full::new(Bytes::from(question("Hi?")))).unwrap()
    };
    for (authorization, status, code) in [
        (None, 403, "MissingAuthenticationTokenException"),
        (Some("Bearer nope"), 403, "AccessDeniedException"),
        (Some("Basic abc"), 400, "IncompleteSignatureException"),
        (Some("AWS4-HMAC-SHA256 Credential=a/b"), 400, "IncompleteSignatureException"),
        (
            Some("AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host"),
            400,
            "IncompleteSignatureException",
        ),
    ] {
        let e = send(sim.addr(), with(authorization)).await.unwrap().error();
        assert_eq!((e.0, e.1.as_str()), (status, code), "{authorization:?}: {}", e.2);
    }
    // an address nobody serves is told before any signature
    let lost = http::Request::post("/nowhere").header("host", "x").body(Full::default()).unwrap();
    let reply = send(sim.addr(), lost).await.unwrap();
    assert_eq!((reply.status, reply.header("x-amzn-errortype")), (404, "UnknownOperationException"));
}

#[tokio::test]
async fn bearer_keys_and_configured_pairs_come_from_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        SecretRef::File(path)
    };
    let config = Config {
        credentials: vec![Credential {
            access_key_id: "AKIATEST".into(),
            secret_access_key: file("s", "secret\n"),
        }],
        bearer_tokens: vec![file("b", "bearer-key")],
        ..quiet()
    };
    let sim = start(config).await;
    assert_eq!(sim.credentials().0, "AKIATEST");
    assert_eq!(outcome(&sim, &("AKIATEST".into(), Secret::new("secret")), now(), HERE).await.0, 200);
    let bearer = http::Request::post(NOVA)
        .header("host", "x")
        .header("authorization", "Bearer bearer-key")
        .body(Full::new(Bytes::from(question("Hi?"))))
        .unwrap();
    assert_eq!(send(sim.addr(), bearer).await.unwrap().status, 200);
    let missing = Config { bearer_tokens: vec![SecretRef::File("nowhere".into())], ..quiet() };
    let clock = bedplate_core::clock::SystemClock::shared();
    assert!(Sim::start(missing, sim.addr(), None, clock).await.is_err());
}

#[tokio::test]
async fn anything_goes_when_told_so() {
    let sim = start(Config { auth: Auth::Any, ..quiet() }).await;
    let bare =
        http::Request::post(NOVA).header("host", "x").body(Full::new(Bytes::from(question("Hi?")))).unwrap();
    assert_eq!(send(sim.addr(), bare).await.unwrap().status, 200);
}

#[tokio::test]
async fn presigned_addresses_work_until_they_expire() {
    let sim = start(quiet()).await;
    let (id, secret) = sim.credentials();
    let presigned = |at: SystemTime| {
        let identity = Credentials::new(&id, secret.expose(), None, None, "test").into();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(900));
        let params = SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("bedrock")
            .time(at)
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let uri = format!("http://{}/inference-profiles?type=SYSTEM_DEFINED&maxResults=2", sim.addr());
        let signable =
            SignableRequest::new("GET", &uri, std::iter::empty(), SignableBody::Bytes(b"")).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        let mut request = http::Request::get(uri).body(()).unwrap();
        instructions.apply_to_request_http1x(&mut request);
        let path = request.uri().path_and_query().unwrap().to_string();
        http::Request::get(path).header("host", sim.addr().to_string()).body(Full::default()).unwrap()
    };
    let reply = send(sim.addr(), presigned(now() - Duration::from_secs(800))).await.unwrap();
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    assert_eq!(reply.json()["inferenceProfileSummaries"].as_array().unwrap().len(), 2);
    let late = send(sim.addr(), presigned(now() - Duration::from_secs(1000))).await.unwrap();
    assert!(late.error().2.starts_with("Signature expired"), "{:?}", late.error());
}
