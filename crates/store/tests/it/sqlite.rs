//! An SQLite file on a disk that fills up, under a process that is killed.

mod child;
mod full;
mod kill;

use std::os::unix::fs::PermissionsExt as _;

use bedplate_core::ports::{CallFilter, StoreError};
use bedplate_store::{Config, LedgerConfig};
use bedplate_testkit::SeededIds;

use crate::bed::{Bed, clock};
use crate::outcomes::{answered, at, key, shared};

#[tokio::test]
async fn the_file_and_its_folder_are_for_their_owner_alone() {
    let bed = Bed::sqlite().await;
    bed.ledger.insert_key(&key(1)).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&bed.file()), 0o600);
    assert_eq!(mode(&bed.file().with_extension("db-wal")), 0o600);
    assert_eq!(mode(bed.file().parent().unwrap()), 0o700);
    bed.end().await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x.db"), "this is not a database, but long enough to be read".repeat(50))
        .unwrap();
    let config = Config { ledger: LedgerConfig::Sqlite("x.db".into()), ..Config::default() };
    let e = config.open(dir.path(), clock()).await.err().unwrap();
    assert!(matches!(e, StoreError::Corrupt(_)), "{e}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let config = Config { ledger: LedgerConfig::Sqlite("file/x.db".into()), ..Config::default() };
    let e = config.open(dir.path(), clock()).await.err().unwrap();
    assert!(e.to_string().contains("file/x.db"), "{e}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fsync_makes_every_commit_full() {
    let mut bed = Bed::sqlite().await;
    bed.config.fsync = true;
    let ledger = bed.another().await.unwrap();
    let o = answered(&SeededIds::new(1), at("2026-11-22T12:00:00Z"));
    ledger.append(&shared([o.clone()])).await.unwrap();
    assert_eq!(bed.ledger.recent(&CallFilter::default(), 9).await.unwrap(), [o]);
    ledger.close().await;
    bed.end().await;
}

#[tokio::test]
async fn slices_are_found_by_their_account_and_by_their_node() {
    let bed = Bed::sqlite().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(bed.file());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    for (condition, plan) in [
        ("budget = 'b' AND whose = '' AND starts >= 5", "PRIMARY KEY (budget=? AND whose=? AND starts>?)"),
        ("node = 'n' AND granted - returned > settled", "INDEX budget_slice_node (node=?)"),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM budget_slice WHERE {condition}");
        let steps: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&pool).await.unwrap();
        assert!(steps[0].3.contains(plan), "{condition}: {steps:?}");
    }
    pool.close().await;
    bed.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_use_an_index() {
    let bed = Bed::sqlite().await;
    bed.ledger.append(&shared([answered(&SeededIds::new(1), at("2026-11-22T12:00:00Z"))])).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(bed.file());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let order = "ORDER BY admitted_at DESC, id DESC LIMIT 10";
    for (condition, plan) in [
        ("admitted_at BETWEEN 5 AND 9 AND id = x'00'".to_owned(), "SEARCH call_20261122 USING PRIMARY KEY"),
        // in order from the newest: the limit ends it
        (format!("TRUE {order}"), "SCAN call_20261122"),
        (format!("TRUE AND team = $1 {order}"), "SCAN call_20261122"),
        (
            format!("TRUE AND admitted_at >= 5 AND admitted_at < 9 {order}"),
            "SEARCH call_20261122 USING PRIMARY KEY",
        ),
        (format!("TRUE AND chain = $1 {order}"), "INDEX call_20261122_chain"),
        (format!("TRUE AND code = $1 {order}"), "INDEX call_20261122_code"),
        (format!("TRUE AND ending <> 'answered' AND ending = $1 {order}"), "INDEX call_20261122_ending"),
    ] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM call_20261122 WHERE {condition}");
        let steps: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&pool).await.unwrap();
        assert!(steps[0].3.contains(plan), "{condition}: {steps:?}");
        assert!(steps.iter().all(|s| !s.3.contains("TEMP B-TREE")), "sorted by hand: {condition}: {steps:?}");
    }
    pool.close().await;
    bed.end().await;
}

#[tokio::test]
async fn tending_moves_the_log_into_the_file() {
    let bed = Bed::sqlite().await;
    let ids = SeededIds::new(1);
    let size = || std::fs::metadata(bed.file()).unwrap().len();
    let rows = |n: usize| shared((0..n).map(|_| answered(&ids, at("2026-11-22T12:00:00Z"))));
    bed.ledger.append(&rows(1_000)).await.unwrap();
    let before = size();
    bed.ledger.tend().await.unwrap();
    assert_eq!(size(), before, "so few rows are not worth while");
    bed.ledger.append(&rows(4_000)).await.unwrap();
    assert_eq!(size(), before, "the writer does not do it itself");
    bed.ledger.tend().await.unwrap();
    assert!(size() > before + 2_000_000, "{} then {}", before, size());
}
