//! The admin API, there and back.

use bedplate_core::clock::Timestamp;
use bedplate_core::ports::Calls;
use bedplate_core::record::Outcome;
use bedplate_core::refusal::Code;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

use crate::outcomes::{self, Dice};
use crate::rig::{NOON, Rig};

#[tokio::test]
async fn a_key_is_made_shown_disabled_and_never_shown_again() {
    let rig = Rig::start().await;
    let body = r#"{"team":"support","feature":"triage","environment":"prod","models":["us.amazon.*"],"expires_in":"30d"}"#;
    let made = rig.post("/admin/v1/keys", body).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let made = made.json();
    let id = made["key_id"].as_str().unwrap();
    assert_eq!(made["secret_access_key"].as_str().unwrap().len(), 40);
    assert_eq!(made["expires_at"], "2026-12-22T12:00:00Z");

    let listed = rig.get("/admin/v1/keys").await;
    for secret in ["secret_access_key", "bearer_token"] {
        assert!(!listed.text.contains(made[secret].as_str().unwrap()), "{secret} is shown again");
    }
    assert_eq!(
        listed.json()["keys"],
        json!([{
            "key_id": id, "access_key_id": made["access_key_id"], "team": "support", "feature": "triage",
            "environment": "prod", "risk_profile": "internal", "features": [], "models": ["us.amazon.*"],
            "state": "good", "created_at": NOON, "expires_at": "2026-12-22T12:00:00Z", "disabled_at": null,
            "rotated_from": null,
        }])
    );

    let gone = rig.post(&format!("/admin/v1/keys/{id}/disable"), "").await;
    assert_eq!((gone.status, gone.json()), (StatusCode::OK, json!({ "key_id": id, "disabled": true })));
    assert_eq!(rig.get("/admin/v1/keys").await.json()["keys"][0]["state"], "disabled");
    let rotated = rig.post(&format!("/admin/v1/keys/{id}/rotate"), "").await;
    assert_eq!((rotated.status, rotated.error().0), (StatusCode::CONFLICT, "conflict".into()));
}

#[tokio::test]
async fn a_rotated_key_overlaps() {
    let rig = Rig::start().await;
    let made = rig.post("/admin/v1/keys", r#"{"team":"a"}"#).await.json();
    let path = format!("/admin/v1/keys/{}/rotate", made["key_id"].as_str().unwrap());
    let next = rig.post(&path, r#"{"overlap":"2h"}"#).await;
    assert_eq!(next.status, StatusCode::CREATED);
    let keys = rig.get("/admin/v1/keys").await.json();
    let by_id =
        |id: &Value| keys["keys"].as_array().unwrap().iter().find(|k| k["key_id"] == *id).unwrap().clone();
    assert_eq!(by_id(&made["key_id"])["expires_at"], "2026-11-22T14:00:00Z");
    assert_eq!(by_id(&next.json()["key_id"])["rotated_from"], made["key_id"]);
    assert_eq!(by_id(&next.json()["key_id"])["expires_at"], Value::Null);
}

#[tokio::test]
async fn every_mistake_is_named() {
    let rig = Rig::start().await;
    for (body, word) in [
        (r#"{"team":"a","colour":"red"}"#, "`colour`"),
        (r#"{"feature":"a"}"#, "`team`"),
        (r#"{"team":7}"#, "integer `7`"),
        (r#"{"team":"a b"}"#, "`a b` is not a name"),
        (r#"{"team":"a","expires_in":"soon"}"#, "`soon`"),
        (r#"{"team":"a","expires_in":"0s"}"#, "cannot expire"),
        (r#"{"team":"a","models":["us.*.nova"]}"#, "`us.*.nova` is not a model"),
        (r#"{"team":"a","team":"b"}"#, "duplicate"),
        ("{", "EOF"),
        ("", "`team`"),
        ("[]", "body"),
    ] {
        let reply = rig.post("/admin/v1/keys", body).await;
        let (code, message) = reply.error();
        assert_eq!((reply.status, &*code), (StatusCode::BAD_REQUEST, "bad_request"), "{body}");
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
    for (path, word) in [
        ("/admin/v1/calls?tema=a", "`tema`"),
        ("/admin/v1/calls?limit=0", "`limit`"),
        ("/admin/v1/calls?limit=1001", "1001"),
        ("/admin/v1/calls?limit=x", "digit"),
        ("/admin/v1/calls?code=BP0000", "BP0000"),
        ("/admin/v1/calls?since=yesterday", "`yesterday`"),
        ("/admin/v1/calls?after=1", "after"),
        ("/admin/v1/calls/1", "`1` is no call id"),
        ("/admin/v1/totals?until=2020-01-01T00:00:00Z", "later than"),
        ("/admin/v1/totals?since=1h&x=1", "`x`"),
    ] {
        let reply = rig.get(path).await;
        let (code, message) = reply.error();
        assert_eq!((reply.status, &*code), (StatusCode::BAD_REQUEST, "bad_request"), "{path}: {message}");
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
    let nobody = rig.post("/admin/v1/keys/key_none/disable", "").await;
    assert_eq!((nobody.status, nobody.error().0), (StatusCode::NOT_FOUND, "not_found".into()));
    let large = format!(r#"{{"team":"{}"}}"#, "a".repeat(70_000));
    let reply = rig.post("/admin/v1/keys", &large).await;
    assert_eq!((reply.status, reply.error().0), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large".into()));
    assert_eq!(rig.get("/admin/v1/nothing").await.error().0, "not_found");
    let reply = rig.post("/admin/v1/calls", "").await;
    assert_eq!(
        (reply.status, reply.error().0),
        (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed".into())
    );
}

#[tokio::test]
async fn a_ledger_that_is_gone_is_an_answer() {
    let rig = Rig::start().await;
    rig.ledger.down.store(true, Ordering::SeqCst);
    for path in ["/admin/v1/keys", "/admin/v1/calls", "/admin/v1/totals"] {
        let reply = rig.get(path).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(reply.error().0, "ledger_unavailable", "{path}");
    }
    assert_eq!(rig.get("/admin/v1/live").await.status, StatusCode::OK, "memory does not need it");
    let page = rig.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("Today is not known"), "the page says what it cannot know");
}

#[tokio::test]
async fn calls_are_found_by_what_they_are() {
    let rig = Rig::over(None, calls(300)).await;
    let of_team = rig.get("/admin/v1/calls?team=support&feature=triage&limit=1000").await.json();
    let of_team = of_team["calls"].as_array().unwrap().clone();
    assert!(!of_team.is_empty());
    assert!(of_team.iter().all(|o| o["call"]["team"] == "support" && o["call"]["feature"] == "triage"));
    let refused = rig.get("/admin/v1/calls?code=bp1101&limit=1000").await.json();
    assert!(refused["calls"].as_array().unwrap().iter().all(|o| o["call"]["code"] == "BP1101"));
    assert_eq!(rig.get("/admin/v1/calls?ending=refused&code=BP4003").await.json()["calls"], json!([]));
    let newest = of_team[0]["call"]["id"].as_str().unwrap();
    let after = rig.get(&format!("/admin/v1/calls?after={newest}&team=support&feature=triage")).await.json();
    assert_eq!(after["calls"], json!([]));
    let one = rig.get(&format!("/admin/v1/calls/{newest}")).await;
    assert_eq!(one.json(), of_team[0]);
    let read: Outcome = serde_json::from_str(&one.text).unwrap();
    assert_eq!(read.call.id.to_string(), newest);
    let unknown = rig.get("/admin/v1/calls/01939f2a-7c00-7000-8000-000000000001").await;
    assert_eq!(unknown.error().0, "not_found");
    let since = rig.get("/admin/v1/calls?since=1m&limit=1000").await.json();
    let bound = Timestamp::parse("2026-11-22T11:59:00Z").unwrap().0;
    assert!(
        since["calls"]
            .as_array()
            .unwrap()
            .iter()
            .all(|o| o["call"]["admitted_at"].as_i64().unwrap() >= bound)
    );
}

#[tokio::test]
async fn pages_hold_every_call_once_even_those_of_one_microsecond() {
    let mut all = calls(97);
    for outcome in &mut all[20..27] {
        outcome.call.admitted_at = Timestamp::parse("2026-11-22T11:58:00Z").unwrap();
    }
    let rig = Rig::over(None, all.clone()).await;
    for limit in [1, 5, 96, 97, 100] {
        let (mut seen, mut path) = (Vec::new(), format!("/admin/v1/calls?limit={limit}"));
        loop {
            let page = rig.get(&path).await.json();
            seen.extend(page["calls"].as_array().unwrap().iter().map(|o| o["call"]["id"].to_string()));
            let Some(next) = page["next_until"].as_str() else { break };
            path = format!("/admin/v1/calls?limit={limit}&until={next}");
        }
        assert_eq!(seen.len(), all.len(), "by {limit}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), all.len(), "by {limit}: some came twice");
    }
}

#[tokio::test]
async fn totals_add_up_to_the_calls() {
    let all = calls(200);
    let rig = Rig::over(None, all.clone()).await;
    let totals = rig.get("/admin/v1/totals").await.json();
    let totals = totals["totals"].as_array().unwrap().clone();
    assert_eq!(totals[0]["day"], "2026-11-22");
    let sum = |member: &str| totals.iter().map(|t| t[member].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("calls"), 200);
    assert_eq!(sum("unpriced"), all.iter().filter(|o| !o.call.cost.is_known()).count() as u64);
    let nanos: i64 = totals.iter().map(|t| t["cost"]["nanos"].as_i64().unwrap()).sum();
    assert_eq!(nanos, all.iter().map(|o| o.call.cost.priced().0).sum::<i64>());
    let none = rig.get("/admin/v1/totals?since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z").await;
    assert_eq!(none.json(), json!({ "totals": [] }));
}

#[tokio::test]
async fn a_call_that_is_on_its_way_to_the_ledger_is_found_too() {
    let rig = Rig::start().await;
    let mut outcome = outcomes::call(Timestamp::parse(NOON).unwrap(), &Dice::new(1));
    outcomes::refuse(&mut outcome, Code::BadBody, 400);
    let id = outcome.call.id;
    bedplate_core::ports::Sink::settle(&*rig.live, &std::sync::Arc::new(outcome));
    assert_eq!(rig.get(&format!("/admin/v1/calls/{id}")).await.json()["call"]["code"], "BP1203");
    assert_eq!(rig.get("/admin/v1/live").await.json()["windows"][0]["codes"][0]["code"], "BP1203");
    assert!(rig.ledger.call(id).await.unwrap().is_none());
    let head = rig.plain(Method::HEAD, &format!("/admin/v1/calls/{id}"), &[], "").await;
    assert_eq!(head.status, StatusCode::UNAUTHORIZED);
}

/// So many calls before noon.
fn calls(n: i64) -> Vec<Outcome> {
    let (noon, dice) = (Timestamp::parse(NOON).unwrap(), Dice::new(5));
    (1..=n).map(|i| outcomes::call(Timestamp(noon.0 - (n - i) * 1_000_000), &dice)).collect()
}
