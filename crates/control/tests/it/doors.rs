//! Who may pass which door.

use hyper::{Method, StatusCode};

use crate::rig::{KEY, Rig};

/// Every route that needs the key, and how it answers who has none.
const GUARDED: [(&str, &str, u16); 15] = [
    ("GET", "/", 303),
    ("GET", "/calls/01939f2a-7c00-7000-8000-000000000001", 303),
    ("GET", "/calls/not-an-id", 401),
    ("GET", "/fragment", 401),
    ("GET", "/console.js", 401),
    ("POST", "/logout", 401),
    ("POST", "/admin/v1/keys", 401),
    ("GET", "/admin/v1/keys", 401),
    ("POST", "/admin/v1/keys/key_a/disable", 401),
    ("POST", "/admin/v1/keys/key_a/rotate", 401),
    ("GET", "/admin/v1/calls", 401),
    ("GET", "/admin/v1/calls/01939f2a-7c00-7000-8000-000000000001", 401),
    ("GET", "/admin/v1/totals", 401),
    ("GET", "/admin/v1/live", 401),
    ("GET", "/no/such/path", 401),
];

#[tokio::test]
async fn every_route_is_closed_without_the_key() {
    let rig = Rig::start().await;
    for (method, path, without) in GUARDED {
        let method: Method = method.parse().unwrap();
        let reply = rig.plain(method.clone(), path, &[], "").await;
        assert_eq!(reply.status.as_u16(), without, "{method} {path}");
        match without {
            303 => assert!(reply.header("location").starts_with("/login"), "{path}"),
            _ => assert_eq!(reply.error().0, "unauthenticated", "{path}"),
        }
    }
}

#[tokio::test]
async fn every_route_is_closed_to_a_wrong_key() {
    for (method, path, _) in GUARDED {
        // a rig for each: too many wrong keys are another matter
        let rig = Rig::start().await;
        let longer = format!("Bearer {KEY}x");
        let wrong = ["Bearer wrong", &longer, "Bearer ", "Basic dGVzdA==", "Bearer", KEY, "bearer\twrong"];
        for header in wrong {
            let reply = rig.plain(method.parse().unwrap(), path, &[("authorization", header)], "").await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{method} {path} {header}");
            assert_eq!(reply.error().0, "unauthenticated");
            assert!(reply.header("www-authenticate").starts_with("Bearer"));
        }
    }
}

#[tokio::test]
async fn every_route_opens_to_the_right_key() {
    let rig = Rig::start().await;
    for (method, path, _) in GUARDED {
        let header = format!("bEARER {KEY}");
        let reply = rig.plain(method.parse().unwrap(), path, &[("authorization", &header)], "").await;
        assert_ne!(reply.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        assert!(!reply.header("location").contains("/login") || path == "/logout", "{method} {path}");
    }
}

#[tokio::test]
async fn no_path_trick_opens_a_door() {
    let rig = Rig::start().await;
    let tricks = [
        "/livez/",
        "/livez/../admin/v1/keys",
        "//admin/v1/keys",
        "/./admin/v1/keys",
        "/metrics/../admin/v1/keys",
        "/%61dmin/v1/keys",
        "/admin/v1/keys/",
        "/admin/v1/keys?x=/livez",
        "/admin//v1/keys",
        "/livez%2f..%2fadmin",
        "/login/../admin/v1/keys",
        "/LIVEZ",
        "/livez;/admin/v1/keys",
        "/admin/v1/keys#/livez",
        "/metrics%00",
        "*",
    ];
    for path in tricks {
        let path = path.split('#').next().unwrap();
        let reply = rig.plain(Method::GET, path, &[], "").await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for method in ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"] {
        let reply = rig.plain(method.parse().unwrap(), "/admin/v1/keys", &[], "").await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{method}");
    }
    // an absolute address names the same path
    let absolute = format!("http://{}/admin/v1/keys", rig.server.addr());
    assert_eq!(rig.plain(Method::GET, &absolute, &[], "").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn headers_of_proxies_open_nothing() {
    let rig = Rig::start().await;
    let headers = [
        ("x-original-url", "/livez"),
        ("x-rewrite-url", "/livez"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-http-method-override", "GET"),
        ("host", "localhost"),
    ];
    for header in headers {
        assert_eq!(
            rig.plain(Method::GET, "/admin/v1/keys", &[header], "").await.status,
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test]
async fn who_guesses_must_wait_and_the_wait_ends() {
    let rig = Rig::start().await;
    let wrong = [("authorization", "Bearer guess")];
    let mut heard = 0;
    let refused = loop {
        let reply = rig.plain(Method::GET, "/admin/v1/live", &wrong, "").await;
        if reply.status == StatusCode::TOO_MANY_REQUESTS {
            break reply;
        }
        heard += 1;
        assert!(heard < 100, "guesses are heard for ever");
    };
    assert_eq!(heard, 20);
    assert_eq!(refused.error().0, "too_many_failures");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    // even the right key is not looked at: else guessing would go on
    assert_eq!(rig.get("/admin/v1/live").await.status, StatusCode::TOO_MANY_REQUESTS);
    rig.clock.advance(std::time::Duration::from_secs(wait));
    assert_eq!(rig.get("/admin/v1/live").await.status, StatusCode::OK);
    assert_eq!(rig.plain(Method::GET, "/livez", &[], "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_answer_tells_browsers_what_they_may_do() {
    let rig = Rig::start().await;
    for path in ["/livez", "/metrics", "/login", "/", "/admin/v1/keys", "/console.css", "/no/such/path"] {
        for reply in [rig.plain(Method::GET, path, &[], "").await, rig.get(path).await] {
            let policy = reply.header("content-security-policy");
            assert!(
                policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
                "{path}: {policy}"
            );
            assert!(policy.contains("frame-ancestors 'none'"));
            assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
            assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(reply.header("cache-control"), "no-store", "{path}");
        }
    }
}

#[tokio::test]
async fn a_key_that_could_be_guessed_is_refused_at_the_start() {
    let rig = Rig::start().await;
    let parts = bedplate_control::Parts {
        ledger: rig.ledger.clone(),
        keymaker: std::sync::Arc::new(crate::rig::keymaker(&rig.ledger, &rig.clock)),
        admin_key: bedplate_core::secret::Secret::new("short"),
        health: rig.health.clone(),
        metrics: std::sync::Arc::new(String::new),
        live: rig.live.clone(),
        cache: crate::rig::desk(&rig.clock),
        models: std::sync::Arc::new(Vec::new),
        limits: std::sync::Arc::new(|| {
            Box::pin(std::future::ready(bedplate_core::pace::LimitStands::default()))
        }),
        treasurer: rig.treasurer.clone(),
        clock: std::sync::Arc::new(rig.clock.clone()),
        version: "0",
    };
    let refused = bedplate_control::Server::start(([127, 0, 0, 1], 0).into(), None, parts).await;
    assert_eq!(
        refused.err().unwrap().to_string(),
        "the local admin key is shorter than 16 characters: it could be guessed"
    );
}
