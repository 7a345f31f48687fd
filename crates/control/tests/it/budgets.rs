//! Budgets, there and back by the admin API: made, looked at, explained, decided, removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bedplate_core::budget::{
    Account, Blocked, BudgetId, Charge, Draw, NodeId, Stand, StoredBudget, Unit, Why, Window,
};
use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::ports::{Budgets, Calls};
use bedplate_core::refusal::Code;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::outcomes::{self, Dice};
use crate::rig::{NOON, Rig};

const NOVEMBER: &str = "2026-11-01T00:00:00Z";
const CENT: i64 = 10_000_000;
/// So that no two calls have one id.
static CALLS: AtomicU64 = AtomicU64::new(0);

fn window(budget: &str, of: &str, starts: &str) -> Window {
    let account = Account { budget: BudgetId(budget.into()), of: of.into() };
    Window { account, starts: Timestamp::parse(starts).unwrap() }
}

/// Draws, and settles a part of it, as a node does.
async fn spend(rig: &Rig, window: &Window, node: &str, drawn: i64, settled: i64, lease: Duration) {
    let draw = Draw {
        window: window.clone(),
        counts_from: window.starts,
        limit: i64::MAX / 2,
        need: drawn,
        want: drawn,
        share: 1,
        node: NodeId(node.into()),
        lease_until: rig.clock.now().plus(lease),
    };
    rig.ledger.draw(&draw, rig.clock.now()).await.unwrap();
    let mut outcome =
        outcomes::call(rig.clock.now(), &Dice::new(1_000 + CALLS.fetch_add(1, Ordering::Relaxed)));
    outcome.call.charges =
        vec![Charge { window: window.clone(), node: NodeId(node.into()), amount: settled }];
    rig.ledger.append(&[Arc::new(outcome)]).await.unwrap();
}

#[tokio::test]
async fn a_budget_is_made_stands_and_is_removed() {
    let rig = Rig::start().await;
    let body = r#"{"name":"support","limit":"2.50 USD","scope":{"team":"support"},"zone":"Europe/Berlin"}"#;
    let made = rig.post("/admin/v1/budgets", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(
        made.json(),
        json!({
            "name": "support", "scope": { "team": "support" }, "concerns": "team support", "kind": "hard",
            "unit": "nano_usd", "limit": 2_500_000_000_i64, "blocks_at": 2_500_000_000_i64, "period": "month",
            "zone": "Europe/Berlin", "ladder": [{ "at": "80%", "do": "warn" }, { "at": "100%", "do": "block" }],
            "outage": "slice", "unpriced": "refuse", "source": "made", "created_at": NOON,
        })
    );
    let listed = rig.get("/admin/v1/budgets").await.json();
    let budget = &listed["budgets"][0];
    assert_eq!((&budget["name"], &budget["more_accounts"]), (&json!("support"), &json!(0)));
    assert_eq!(
        budget["accounts"],
        json!([{
            "account": "", "since": "2026-10-31T23:00:00Z", "resets": "2026-11-30T23:00:00Z", "settled": 0,
            "held": 0, "unknown": 0, "left": 2_500_000_000_i64,
        }])
    );
    let gone = rig.post("/admin/v1/budgets/support/remove", "").await;
    assert_eq!((gone.status, gone.json()), (StatusCode::OK, json!({ "name": "support", "removed": true })));
    assert_eq!(rig.get("/admin/v1/budgets").await.json(), json!({ "budgets": [] }));
    let again = rig.post("/admin/v1/budgets/support/remove", "").await;
    assert_eq!((again.status, again.error().0), (StatusCode::NOT_FOUND, "not_found".into()));
    assert_eq!(
        rig.post("/admin/v1/budgets", body).await.status,
        StatusCode::CREATED,
        "the name is free again"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_budget_is_said_and_nothing_is_made() {
    let rig = Rig::start().await;
    let config = r#"{"name":"all","limit":"9 USD"}"#;
    rig.configured.lock().unwrap().push(serde_json::from_str(config).unwrap());
    rig.post("/admin/v1/budgets", r#"{"name":"made","limit":"1 USD","scope":{"team":"a"}}"#).await;
    for (body, status, word) in [
        (r#"{"name":"b","limit":"0 USD"}"#, 400, "not above 0"),
        (r#"{"name":"b","limit":"-5 USD"}"#, 400, "not above 0"),
        (r#"{"name":"b","limit":"5 EUR"}"#, 400, "`EUR` is not counted"),
        (r#"{"name":"b","limit":"5 USD","period":"fortnight"}"#, 400, "not a period: `fortnight`"),
        (r#"{"name":"b","limit":"5 USD","zone":"Mars"}"#, 400, "not a time zone"),
        (r#"{"name":"B","limit":"5 USD"}"#, 400, "1 to 64"),
        (r#"{"name":"b","limit":"5 USD","colour":1}"#, 400, "`colour`"),
        (r#"{"name":"b"}"#, 400, "`limit`"),
        (
            r#"{"name":"b","limit":"5 USD","ladder":[{"at":"90%","do":"lighter-model"}]}"#,
            400,
            "not there yet",
        ),
        (r#"{"name":"b","limit":"5 USD"}"#, 400, "the budget `all` counts the same: everything"),
        (r#"{"name":"b","limit":"5 USD","scope":{"team":"a"}}"#, 400, "the budget `made` counts the same"),
        (r#"{"name":"all","limit":"5 USD","scope":{"team":"b"}}"#, 409, "there is a budget `all` already"),
        (r#"{"name":"made","limit":"5 USD","scope":{"team":"b"}}"#, 409, "there is a budget `made` already"),
    ] {
        let reply = rig.post("/admin/v1/budgets", body).await;
        assert_eq!(reply.status.as_u16(), status, "{body}: {}", reply.text);
        assert!(reply.error().1.contains(word), "`{word}` is not in: {}", reply.error().1);
    }
    let names: Vec<Value> = rig.get("/admin/v1/budgets").await.json()["budgets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| json!([b["name"], b["source"]]))
        .collect();
    assert_eq!(names, [json!(["all", "configuration"]), json!(["made", "made"])]);
    let held = rig.post("/admin/v1/budgets/all/remove", "").await;
    assert_eq!(held.status, StatusCode::CONFLICT);
    assert!(held.error().1.contains("take it out of bedplate.toml"));
}

#[tokio::test]
async fn status_adds_up_all_nodes_and_tells_held_from_unknown() {
    let rig = Rig::start().await;
    rig.post("/admin/v1/budgets", r#"{"name":"keys","limit":"1 USD","scope":{"key":"*"}}"#).await;
    let of = |key: &str| window("keys", key, NOVEMBER);
    let (short, long) = (Duration::from_secs(5), Duration::from_secs(600));
    spend(&rig, &of("key=a"), "n1", 10 * CENT, 4 * CENT, long).await;
    spend(&rig, &of("key=a"), "n2", 20 * CENT, 5 * CENT, short).await;
    spend(&rig, &of("key=b"), "n1", CENT, CENT, long).await;
    spend(&rig, &window("keys", "key=a", "2026-10-01T00:00:00Z"), "n0", 90 * CENT, 90 * CENT, short).await;
    rig.clock.advance(Duration::from_secs(6));
    let one = rig.get("/admin/v1/budgets/keys").await.json();
    let accounts: Vec<_> = one["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| json!([a["account"], a["settled"], a["held"], a["unknown"], a["left"]]))
        .collect();
    assert_eq!(
        accounts,
        [json!(["key=a", 9 * CENT, 6 * CENT, 15 * CENT, 70 * CENT]), json!(["key=b", CENT, 0, 0, 99 * CENT]),]
    );
    let few = rig.get("/admin/v1/budgets?accounts=1").await.json();
    assert_eq!(few["budgets"][0]["accounts"].as_array().unwrap().len(), 1);
    assert_eq!(few["budgets"][0]["more_accounts"], 1);
    let past = rig.get("/admin/v1/budgets/keys/history?since=60d").await.json();
    let windows: Vec<_> = past["windows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| json!([w["account"], w["starts"], w["ends"], w["settled"], w["unknown"]]))
        .collect();
    assert_eq!(
        windows,
        [
            json!(["key=a", "2026-10-01T00:00:00Z", NOVEMBER, 90 * CENT, 0]),
            json!(["key=a", NOVEMBER, "2026-12-01T00:00:00Z", 9 * CENT, 15 * CENT]),
            json!(["key=b", NOVEMBER, "2026-12-01T00:00:00Z", CENT, 0]),
        ]
    );
    let page = rig.get("/fragment").await.text;
    for word in ["keys · key=a", "each key · $1.00 a month · hard", "held $0.0600, unknown $0.1500", "24%"]
    {
        assert!(page.contains(word), "`{word}` is not on the page");
    }
}

#[tokio::test]
async fn many_budgets_are_read_as_few_are() {
    let rig = Rig::start().await;
    for n in 0..70 {
        let body = format!(r#"{{"name":"b{n:02}","limit":"1 USD","scope":{{"team":"t{n}"}}}}"#);
        assert_eq!(rig.post("/admin/v1/budgets", &body).await.status, StatusCode::CREATED);
    }
    spend(&rig, &window("b07", "", NOVEMBER), "n", 3 * CENT, 2 * CENT, Duration::from_secs(60)).await;
    spend(&rig, &window("b07", "", "2026-10-01T00:00:00Z"), "n", 7 * CENT, 7 * CENT, Duration::ZERO).await;
    let all = rig.get("/admin/v1/budgets").await.json();
    let all = all["budgets"].as_array().unwrap();
    assert_eq!(all.len(), 70);
    assert_eq!(
        (&all[7]["accounts"][0]["settled"], &all[7]["accounts"][0]["held"]),
        (&json!(2 * CENT), &json!(CENT))
    );
    assert_eq!(all[8]["accounts"][0]["settled"], 0);
}

#[tokio::test]
async fn a_rolling_budget_counts_its_length_and_shows_days() {
    let rig = Rig::start().await;
    let body = r#"{"name":"day","limit":"1000 tokens","period":"rolling 24h","kind":"soft"}"#;
    rig.post("/admin/v1/budgets", body).await;
    for (starts, tokens) in
        [("2026-11-21T10:00:00Z", 1), ("2026-11-21T12:24:00Z", 20), ("2026-11-22T11:36:00Z", 300)]
    {
        spend(&rig, &window("day", "", starts), "n", tokens, tokens, Duration::from_secs(60)).await;
    }
    let one = rig.get("/admin/v1/budgets/day").await.json();
    let account = &one["accounts"][0];
    assert_eq!(
        (&one["unit"], &account["settled"], &account["left"]),
        (&json!("tokens"), &json!(320), &json!(680))
    );
    assert_eq!(account["since"], "2026-11-21T12:00:00Z");
    assert_eq!(account["resets"], "2026-11-23T12:24:00Z");
    let past = rig.get("/admin/v1/budgets/day/history").await.json();
    let days: Vec<_> =
        past["windows"].as_array().unwrap().iter().map(|w| json!([w["starts"], w["settled"]])).collect();
    assert_eq!(days, [json!(["2026-11-21T00:00:00Z", 21]), json!(["2026-11-22T00:00:00Z", 300])]);
}

#[tokio::test]
async fn what_nobody_recorded_is_listed_and_decided_once() {
    let rig = Rig::start().await;
    rig.post("/admin/v1/budgets", r#"{"name":"b","limit":"1 USD"}"#).await;
    let month = window("b", "", NOVEMBER);
    for node in ["n1", "n2"] {
        spend(&rig, &month, node, 10 * CENT, CENT, Duration::from_secs(5)).await;
    }
    assert_eq!(rig.get("/admin/v1/budgets/b/unknown").await.json(), json!({ "unknown": [] }), "they live");
    let early = rig.post("/admin/v1/budgets/b/reconcile", r#"{"spent":"0.02 USD"}"#).await;
    assert!(early.error().1.contains("nothing of the budget `b` is unknown"), "{}", early.text);
    rig.clock.advance(Duration::from_secs(6));
    let listed = rig.get("/admin/v1/budgets/b/unknown?node=n2").await.json();
    assert_eq!(
        listed["unknown"],
        json!([{ "budget": "b", "account": "", "window": NOVEMBER, "node": "n2", "unit": "nano_usd",
                 "unknown": 9 * CENT, "since": "2026-11-22T12:00:05Z" }])
    );
    for (body, status, word) in [
        (r#"{"spent":"0.02 USD"}"#, 409, "2 slices of the budget `b` are unknown"),
        (r#"{"spent":"0.10 USD","node":"n2"}"#, 400, "$0.10 is more than the $0.09"),
        (r#"{"spent":"5 tokens","node":"n2"}"#, 400, "not in USD"),
        (r#"{"spent":"0.01 USD","node":"n3"}"#, 409, "is unknown there"),
        (r#"{"spent":"0.01 USD","window":"now"}"#, 400, "RFC 3339"),
        (r#"{"node":"n2"}"#, 400, "`spent`"),
    ] {
        let reply = rig.post("/admin/v1/budgets/b/reconcile", body).await;
        assert_eq!(reply.status.as_u16(), status, "{body}: {}", reply.text);
        assert!(reply.error().1.contains(word), "`{word}` is not in: {}", reply.error().1);
    }
    let done = rig.post("/admin/v1/budgets/b/reconcile", r#"{"spent":"0.02 USD","node":"n2"}"#).await.json();
    assert_eq!((&done["spent"], &done["freed"]), (&json!(2 * CENT), &json!(7 * CENT)));
    let twice = rig.post("/admin/v1/budgets/b/reconcile", r#"{"spent":"0.02 USD","node":"n2"}"#).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    let rest = format!(r#"{{"spent":"0 USD","window":"{NOVEMBER}","account":""}}"#);
    assert_eq!(rig.post("/admin/v1/budgets/b/reconcile", &rest).await.json()["freed"], 9 * CENT);
    let account = rig.get("/admin/v1/budgets/b").await.json()["accounts"][0].clone();
    assert_eq!((&account["settled"], &account["unknown"]), (&json!(4 * CENT), &json!(0)));
}

#[tokio::test]
async fn a_block_is_explained_with_what_would_have_made_it_fit() {
    let rig = Rig::start().await;
    rig.post("/admin/v1/budgets", r#"{"name":"b","limit":"1 USD"}"#).await;
    let blocked = |why, stand: Stand| Blocked {
        window: window("b", "", NOVEMBER),
        unit: Unit::Usd,
        limit: 100 * CENT,
        need: 5 * CENT,
        stand,
        held: CENT,
        unrecorded: CENT / 2,
        free: CENT / 4,
        why,
    };
    let spent = Stand { settled: 96 * CENT, granted: 2 * CENT, unknown: CENT };
    let held = Stand { settled: 40 * CENT, granted: 59 * CENT, unknown: 0 };
    for (n, (why, stand, words)) in [
        (
            Why::Spent,
            spent,
            vec!["limit of $1.0375 or more", "$0.0125 or less", "reconcile b", "2026-12-01T00:00:00Z"],
        ),
        (Why::Held, held, vec!["up to $0.5825 may come back", "limit of $1.0375", "$0.0125 or less"]),
        (Why::Unknown, spent, vec!["what became of $0.01"]),
        (Why::TooLarge, Stand::default(), vec!["limit of $0.05", "maxTokens"]),
        (Why::Unpriced, Stand::default(), vec!["[prices] overrides", "unpriced = \"allow\""]),
        (Why::Unreachable, Stand::default(), vec!["doctor", "outage = \"open\""]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut outcome = outcomes::call(rig.clock.now(), &Dice::new(n as u64 + 1));
        outcomes::refuse(&mut outcome, Code::BudgetSpent, 400);
        outcome.call.blocked = Some(Box::new(blocked(why, stand)));
        let id = outcome.call.id;
        rig.ledger.append(&[Arc::new(outcome)]).await.unwrap();
        let reply = rig.get(&format!("/admin/v1/calls/{id}/blocked")).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let said = reply.json();
        assert_eq!(
            (&said["why"], &said["need"], &said["held_here"]),
            (&json!(why.name()), &json!(5 * CENT), &json!(CENT))
        );
        assert_eq!(said["left"], 100 * CENT - stand.taken() + CENT / 4);
        let fits = said["fits_with"].to_string();
        for word in words {
            assert!(fits.contains(&word.replace('"', "\\\"")), "{why:?}: `{word}` is not in {fits}");
        }
    }
    let fine = outcomes::call(rig.clock.now(), &Dice::new(77));
    let id = fine.call.id;
    rig.ledger.append(&[Arc::new(fine)]).await.unwrap();
    let reply = rig.get(&format!("/admin/v1/calls/{id}/blocked")).await;
    assert_eq!(reply.status, StatusCode::CONFLICT);
    assert!(reply.error().1.contains("no budget blocked call"), "{}", reply.text);
    let reply = rig.get("/admin/v1/calls/01939f2a-7c00-7000-8000-000000000001/blocked").await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_ledger_that_is_gone_is_said_and_changes_nothing() {
    let rig = Rig::start().await;
    rig.ledger.down.store(true, Ordering::SeqCst);
    for path in ["/admin/v1/budgets", "/admin/v1/budgets/b", "/admin/v1/budgets/b/unknown"] {
        assert_eq!(rig.get(path).await.error().0, "ledger_unavailable", "{path}");
    }
    let reply = rig.post("/admin/v1/budgets", r#"{"name":"b","limit":"1 USD"}"#).await;
    assert_eq!(reply.error().0, "ledger_unavailable");
    assert!(rig.get("/fragment").await.text.contains("Where they stand is not known"));
    rig.ledger.down.store(false, Ordering::SeqCst);
    assert_eq!(rig.get("/admin/v1/budgets").await.json(), json!({ "budgets": [] }));
}

#[tokio::test]
async fn one_that_cannot_be_read_is_shown_as_such() {
    let rig = Rig::start().await;
    let spec = r#"{"name":"newer","limit":"1 USD","per_minute":7}"#;
    let stored = |name: &str| StoredBudget {
        id: BudgetId(name.into()),
        spec: spec.into(),
        created_at: rig.clock.now(),
        removed_at: None,
        version: 0,
    };
    for name in ["newer", "gone"] {
        rig.ledger.insert_budget(&stored(name)).await.unwrap();
    }
    assert!(rig.ledger.remove_budget(&BudgetId("gone".into()), rig.clock.now()).await.unwrap());
    let shown = rig.get("/admin/v1/budgets").await.json();
    assert_eq!(shown["budgets"], json!([]));
    let [unread] = &shown["unreadable"].as_array().unwrap()[..] else { panic!("{shown}") };
    assert_eq!((unread["name"].as_str(), unread["created_at"].as_str()), (Some("newer"), Some(NOON)));
    assert!(unread["unreadable"].as_str().unwrap().contains("per_minute"), "{unread}");
    let one = rig.get("/admin/v1/budgets/newer").await;
    assert_eq!(one.status, StatusCode::CONFLICT);
    assert!(one.text.contains("cannot be read, and is not in force"), "{}", one.text);
    // one of the configuration stands over it
    *rig.configured.lock().unwrap() =
        vec![serde_json::from_value(json!({ "name": "newer", "limit": "2 USD" })).unwrap()];
    let shown = rig.get("/admin/v1/budgets").await.json();
    assert_eq!((shown["budgets"].as_array().map(Vec::len), &shown["unreadable"]), (Some(1), &Value::Null));
}
