//! The pages, as they are served.

use std::sync::Arc;

use bedplate_core::clock::Timestamp;
use bedplate_core::ports::{Calls, Sink};
use bedplate_core::record::Outcome;
use hyper::StatusCode;

use crate::outcomes::{self, Dice};
use crate::rig::{NOON, Rig};

fn noon() -> Timestamp {
    Timestamp::parse(NOON).unwrap()
}

async fn settled(rig: &Rig, outcomes: &[Outcome]) {
    let shared: Vec<_> = outcomes.iter().cloned().map(Arc::new).collect();
    rig.ledger.append(&shared).await.unwrap();
    for outcome in outcomes {
        rig.live.begun();
        rig.live.settle(&Arc::new(outcome.clone()));
    }
}

#[tokio::test]
async fn the_page_shows_calls_spend_latency_refusals_and_health() {
    let rig = Rig::start().await;
    settled(&rig, &outcomes::busy(noon(), 4, 40, 3)).await;
    for path in ["/", "/fragment", "/?window=60", "/fragment?window=5"] {
        let page = rig.get(path).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.header("content-type").starts_with("text/html"));
        for word in ["p99", "support/triage", "us.amazon.nova-lite-v1:0", "BP1101", "Ready", "$"] {
            assert!(page.text.contains(word), "`{word}` is not on {path}");
        }
    }
    assert_eq!(rig.get("/?window=nonsense").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_a_caller_names_is_text_and_never_markup() {
    let evil = "</td><script>alert('x')</script><img src=x onerror=alert(1)>\"'&";
    let rig = Rig::start().await;
    let mut outcome = outcomes::answered(noon(), evil, evil, evil, 1_000, &Dice::new(1));
    let call = &mut outcome.call;
    (call.user, call.chain, call.error) = (Some(evil.into()), Some(evil.into()), Some(evil.into()));
    (call.stop_reason, call.environment) = (Some(evil.into()), evil.into());
    call.edits = vec![evil.into()];
    outcome.attempts[0].target = evil.into();
    outcome.attempts[0].error = Some(evil.into());
    outcome.attempts[0].upstream_request_id = Some(evil.into());
    let id = outcome.call.id;
    settled(&rig, &[outcome]).await;
    for path in ["/", "/fragment", &format!("/calls/{id}"), "/calls/%3Cscript%3Ealert(1)"] {
        let page = rig.get(path).await.text;
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{path}: {page}");
        assert!(page.contains("&#60;script&#62;"), "{path}: it is shown all the same");
    }
    // in an attribute too
    let page = rig.get("/fragment").await.text;
    assert!(!page.contains("alert(1)>\"'&"), "a quote ends no attribute");
}

#[tokio::test]
async fn a_call_has_a_page_with_all_that_is_known() {
    let rig = Rig::start().await;
    let outcome =
        outcomes::answered(noon(), "support", "triage", "us.amazon.nova-lite-v1:0", 412_000, &Dice::new(4));
    settled(&rig, std::slice::from_ref(&outcome)).await;
    let page = rig.get(&format!("/calls/{}", outcome.call.id)).await;
    assert_eq!(page.status, StatusCode::OK);
    let attempt = &outcome.attempts[0];
    for word in [
        &*outcome.call.id.to_string(),
        &outcome.call.key.as_ref().unwrap().to_string(),
        "requestMetadata +112 bytes",
        "end_turn",
        attempt.upstream_request_id.as_deref().unwrap(),
        "123456789012",
        "2026-11-20",
        "as the upstream reported it",
        outcome.call.trace.as_deref().unwrap(),
    ] {
        assert!(page.text.contains(word), "`{word}` is not on the page");
    }
    let none = rig.get("/calls/01939f2a-7c00-7000-8000-000000000001").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    assert!(none.text.contains("the ledger has no call"));
}

#[tokio::test]
async fn calls_of_an_earlier_process_are_shown_and_not_counted() {
    let rig = Rig::over(None, outcomes::busy(noon(), 1, 20, 9)).await;
    for _ in 0..200 {
        if !rig.live.recent(1).is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(rig.get("/fragment").await.text.contains("href=\"/calls/"), "the ledger's last calls are shown");
    assert_eq!(rig.get("/admin/v1/live").await.json()["windows"][2]["calls"], 0);
}

#[tokio::test]
async fn files_of_the_console_are_its_own() {
    let rig = Rig::start().await;
    for (path, kind) in
        [("/console.css", "text/css"), ("/console.js", "text/javascript"), ("/favicon.svg", "image/svg")]
    {
        let file = rig.get(path).await;
        assert!(file.header("content-type").starts_with(kind), "{path}");
        assert!(!file.text.contains("@import") && !file.text.contains("https://"), "{path} loads something");
    }
}
