//! What machines ask without a key.

use bedplate_control::Part;
use bedplate_core::clock::Timestamp;
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::rig::{NOON, Rig};

#[tokio::test]
async fn alive_is_alive_even_when_nothing_is_ready() {
    let rig = Rig::start().await;
    *rig.health.0.lock().unwrap() = vec![Part::failing("admission", None, "draining")];
    assert_eq!(rig.plain(Method::GET, "/livez", &[], "").await.status, StatusCode::OK);
    assert_eq!(rig.plain(Method::HEAD, "/livez", &[], "").await.status, StatusCode::OK);
    assert_eq!(rig.plain(Method::POST, "/livez", &[], "").await.error().0, "method_not_allowed");
}

#[tokio::test]
async fn ready_says_each_part() {
    let rig = Rig::start().await;
    *rig.health.0.lock().unwrap() = vec![Part::ok("ledger").with("pending", 7)];
    let reply = rig.plain(Method::GET, "/readyz", &[], "").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(
        reply.json(),
        json!({
            "ready": true, "version": "0.1.0-test",
            "parts": [{ "name": "ledger", "state": "ok", "needed": true, "facts": { "pending": 7 } }],
        })
    );
}

#[tokio::test]
async fn a_part_that_is_needed_makes_it_unready_and_says_since_when_and_why() {
    let rig = Rig::start().await;
    let since = Some(Timestamp::parse(NOON).unwrap());
    let broken =
        Part::failing("ledger", since, "the ledger cannot write: the disk is full").with("pending", 900);
    let spare = Part::failing("credentials usw2", None, "none were found").spare();
    *rig.health.0.lock().unwrap() = vec![spare.clone(), Part::ok("ledger")];
    assert_eq!(rig.plain(Method::GET, "/readyz", &[], "").await.status, StatusCode::OK);
    *rig.health.0.lock().unwrap() = vec![spare, broken];
    let reply = rig.plain(Method::GET, "/readyz", &[], "").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    let json = reply.json();
    assert_eq!(json["ready"], false);
    assert_eq!(json["parts"][1]["since"], NOON);
    assert_eq!(json["parts"][1]["reason"], "the ledger cannot write: the disk is full");
    assert_eq!(json["parts"][0]["needed"], false);
    // and so does the console
    let page = rig.get("/fragment").await.text;
    assert!(page.contains("Not ready") && page.contains("the disk is full"), "{page}");
}

#[tokio::test]
async fn metrics_are_in_the_prometheus_format() {
    let rig = Rig::start().await;
    let reply = rig.plain(Method::GET, "/metrics", &[], "").await;
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(reply.text.contains("bedplate_up 1"));
}
