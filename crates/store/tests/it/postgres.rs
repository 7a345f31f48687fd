//! PostgreSQL that stops, stands still or is somebody else's.

mod server;
mod tls;
mod wire;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Timestamp;
use bedplate_core::ports::{CallFilter, Ledger, StoreError};
use bedplate_core::setting::{SecretRef, Span};
use bedplate_store::{Config, LedgerConfig};
use bedplate_testkit::SeededIds;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::bed::{Bed, clock};
use crate::outcomes::{answered, at, key, shared};
use server::Server;
use wire::Wire;

fn config(dir: &Path, url: &str, deadline: Span) -> Config {
    let file = dir.join("database-url");
    std::fs::write(&file, url).unwrap();
    Config {
        ledger: LedgerConfig::Postgres(SecretRef::File(file)),
        deadline,
        queue: 200,
        ..Config::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_and_comes_back_costs_no_row() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::start();
    let config = config(dir.path(), &server.url, Span::secs(2));
    let ledger = config.open(dir.path(), clock()).await.unwrap();
    let journal = config.journal(ledger.clone(), clock(), &Handle::current());
    let ids = SeededIds::new(1);
    let when = at("2026-11-22T12:00:00Z");
    for n in 0..300 {
        if n == 100 {
            journal.flush().await;
            server.halt();
        }
        if n == 250 {
            server.resume();
        }
        match journal.reserve(Duration::from_secs(if n < 250 { 5 } else { 20 })).await {
            Ok(ticket) => ticket.settle(Arc::new(answered(&ids, when))),
            Err(e) => panic!("{n}: {e}"),
        }
        if n == 240 {
            assert_down(&*ledger, &journal).await;
        }
    }
    tokio::time::timeout(Duration::from_secs(30), journal.close()).await.unwrap();
    let rows = ledger.recent(&CallFilter::default(), 1_000).await.unwrap();
    assert_eq!(rows.len(), 300);
    let totals = ledger.totals(Timestamp(0), Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(totals.iter().map(|t| t.calls).sum::<u64>(), 300);
    ledger.close().await;
}

/// With the server down and places left, calls go on; when the places are taken, admission gets its
/// answer in time.
async fn assert_down(ledger: &dyn Ledger, journal: &bedplate_store::Journal) {
    let e = ledger.ping().await.unwrap_err();
    assert!(matches!(e, StoreError::Unavailable(_)), "{e}");
    let mut held = vec![];
    while let Some(ticket) = journal.try_reserve() {
        held.push(ticket);
    }
    let began = Instant::now();
    let e = journal.reserve(Duration::from_millis(500)).await.err().unwrap();
    assert!(matches!(e, StoreError::Unavailable(_)), "{e}");
    assert!(began.elapsed() < Duration::from_secs(2));
    let health = journal.health();
    assert!(health.failing_since.is_some() && health.pending >= 140, "{health:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_hangs_nobody() {
    let bed = Bed::postgres().await;
    let wire = Wire::to(&bed.postgres_url()).await;
    let dir = tempfile::tempdir().unwrap();
    let config = Config { connections: 3, ..config(dir.path(), &wire.url, Span::millis(1_500)) };
    let ledger = config.open(dir.path(), clock()).await.unwrap();
    let ids = SeededIds::new(1);
    let first = answered(&ids, at("2026-11-22T12:00:00Z"));
    ledger.append(&shared([first.clone()])).await.unwrap();

    wire.freeze(true);
    let second = answered(&ids, at("2026-11-22T12:00:01Z"));
    // more often than there are connections: a stuck one must not stay taken
    for n in 0..5 {
        let began = Instant::now();
        let e = match n % 4 {
            0 => ledger.append(&shared([second.clone()])).await.err(),
            1 => ledger.recent(&CallFilter::default(), 1).await.err(),
            2 => ledger.ping().await.err(),
            _ => ledger.insert_key(&key(1)).await.err(),
        };
        assert!(matches!(e, Some(StoreError::Unavailable(_))), "{n}: {e:?}");
        assert!(began.elapsed() < Duration::from_millis(2_500), "{n}: {:?}", began.elapsed());
    }
    let e = config.open(dir.path(), clock()).await.err().unwrap();
    assert!(matches!(e, StoreError::Unavailable(_)), "{e}");

    wire.freeze(false);
    let began = Instant::now();
    while ledger.ping().await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(20), "the pool does not come back");
    }
    ledger.append(&shared([second.clone()])).await.unwrap();
    assert_eq!(ledger.recent(&CallFilter::default(), 9).await.unwrap(), [second, first]);
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_held_meets_the_deadline_and_retention_gives_way() {
    let bed = Bed::postgres().await;
    let old = answered(&SeededIds::new(1), at("2026-11-20T12:00:00Z"));
    bed.ledger.append(&shared([old.clone()])).await.unwrap();
    let mut other = bed.postgres_connection().await;
    let lock = "BEGIN; LOCK TABLE call IN ACCESS SHARE MODE";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    let began = Instant::now();
    let e = bed.ledger.retain(at("2026-11-22T00:00:00Z")).await.unwrap_err();
    assert!(matches!(e, StoreError::Unavailable(_)), "{e}");
    assert!(began.elapsed() < Duration::from_secs(3), "a reader is not waited for long");
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(bed.ledger.retain(at("2026-11-22T00:00:00Z")).await.unwrap(), 1);
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_is_said_to_be_so() {
    let bed = Bed::postgres().await;
    let dir = tempfile::tempdir().unwrap();
    let url = format!("{}&options[default_transaction_read_only]=on", bed.postgres_url());
    let config = config(dir.path(), &url, Span::secs(5));
    // the schema is there, so opening needs to write nothing but the lock; it may fail as read-only
    let e = match config.open(dir.path(), clock()).await {
        Ok(ledger) => ledger.insert_key(&key(1)).await.unwrap_err(),
        Err(e) => e,
    };
    assert!(matches!(e, StoreError::ReadOnly(_)), "{e}");
    bed.end().await;
}

#[tokio::test]
async fn no_error_shows_the_password() {
    let dir = tempfile::tempdir().unwrap();
    for url in ["postgres://u:hunter2@127.0.0.1:1/db", "postgres://u:hunter2@[bad", "nonsense hunter2"] {
        let e = config(dir.path(), url, Span::millis(500)).open(dir.path(), clock()).await.err().unwrap();
        assert!(matches!(e, StoreError::Unavailable(_)), "{e}");
        assert!(!e.to_string().contains("hunter2"), "{e}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_touch_one_day_and_use_an_index() {
    let bed = Bed::postgres().await;
    let ids = SeededIds::new(1);
    for day in 1..=9 {
        let when = at(&format!("2026-11-0{day}T12:00:00Z"));
        let batch: Vec<_> = (0..600).map(|_| answered(&ids, when)).collect();
        bed.ledger.append(&shared(batch.clone())).await.unwrap();
    }
    bed.sql("ANALYZE").await.unwrap();
    let day = (at("2026-11-05T00:00:00Z").0, at("2026-11-06T00:00:00Z").0);
    for condition in [
        "id = '01a20320-a200-7000-8000-000000000001'",
        "team = 'x' ORDER BY admitted_at DESC, id DESC LIMIT 10",
        "code = 1002 ORDER BY admitted_at DESC, id DESC LIMIT 10",
        "chain = 'x' ORDER BY admitted_at DESC, id DESC LIMIT 10",
        "ending <> 'answered' AND ending = 'cut' ORDER BY admitted_at DESC, id DESC LIMIT 10",
    ] {
        let sql = format!(
            "EXPLAIN SELECT * FROM call WHERE admitted_at >= {} AND admitted_at < {} AND {condition}",
            day.0, day.1
        );
        let mut conn = bed.postgres_connection().await;
        let plan: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&mut conn).await.unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains("call_20261105") && !plan.contains("call_20261104"), "{plan}");
        assert!(!plan.contains("Seq Scan"), "{plan}");
    }
    bed.end().await;
}
