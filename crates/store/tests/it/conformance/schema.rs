use bedplate_core::ports::StoreError;
use bedplate_testkit::SeededIds;

use super::on_every_ledger;
use crate::bed::Bed;
use crate::draws::{NOW, all, charge, exactly, only, spending, sums, window};
use crate::outcomes::{answered, at, shared};

/// What this version brings it to.
const NEWEST: i64 = 3;

on_every_ledger!(
    the_schema_has_a_version_and_the_ledger_answers,
    many_may_open_at_once,
    a_changed_migration_is_refused,
    a_newer_schema_is_used_when_it_allows_that,
    statements_of_the_first_version_still_work,
    statements_of_the_second_version_still_work,
    statements_of_the_third_version_still_work,
    a_ledger_of_the_first_version_is_brought_up_beside_its_nodes,
);

async fn the_schema_has_a_version_and_the_ledger_answers(bed: &Bed) {
    bed.ledger.ping().await.unwrap();
    assert_eq!(bed.ledger.schema_version().await.unwrap(), NEWEST);
    let said = bed.ledger.describe();
    if bed.is_postgres() {
        assert!(said.starts_with("postgres 127.0.0.1:") && said.ends_with("/postgres"), "{said}");
    } else {
        assert_eq!(said, "sqlite .bedplate/bedplate.db");
    }
}

/// Nothing is there yet: the tables go, and eight open at once.
async fn many_may_open_at_once(bed: &Bed) {
    let tables = [
        "bedplate_schema",
        "change_counter",
        "issued_key",
        "ledger_day",
        "usage_day",
        "usage_day_unit",
        "budget",
        "budget_slice",
        "claim",
    ];
    let mut sql: String = tables.iter().map(|t| format!("DROP TABLE {t};")).collect();
    if bed.is_postgres() {
        sql.push_str("DROP VIEW attempt; DROP TABLE call;");
    }
    bed.sql(&sql).await.unwrap();
    let open = || bed.another();
    let (a, b, c, d, e, f, g, h) =
        tokio::join!(open(), open(), open(), open(), open(), open(), open(), open());
    for ledger in [a, b, c, d, e, f, g, h] {
        let ledger = ledger.unwrap();
        assert_eq!(ledger.schema_version().await.unwrap(), NEWEST);
        ledger.close().await;
    }
}

async fn a_changed_migration_is_refused(bed: &Bed) {
    bed.sql("UPDATE bedplate_schema SET checksum = 'other' WHERE version = 1").await.unwrap();
    let e = bed.another().await.err().unwrap();
    assert!(matches!(e, StoreError::Corrupt(_)), "{e}");
    assert!(e.to_string().contains("its checksum differs"), "{e}");
}

async fn a_newer_schema_is_used_when_it_allows_that(bed: &Bed) {
    let newer = "INSERT INTO bedplate_schema (version, name, checksum, oldest, applied_at) VALUES";
    bed.sql(&format!("{newer} ({}, 'more', 'x', 2, 0)", NEWEST + 1)).await.unwrap();
    if bed.is_postgres() {
        bed.sql("ALTER TABLE call ADD COLUMN more TEXT; ALTER TABLE issued_key ADD COLUMN more TEXT")
            .await
            .unwrap();
    } else {
        bed.sql("ALTER TABLE issued_key ADD COLUMN more TEXT").await.unwrap();
    }
    let other = bed.another().await.unwrap();
    assert_eq!(other.schema_version().await.unwrap(), NEWEST + 1);
    let o = answered(&SeededIds::new(1), at("2026-11-22T12:00:00Z"));
    other.append(&shared([o.clone()])).await.unwrap();
    assert_eq!(bed.ledger.call(o.call.id).await.unwrap(), Some(o));
    other.insert_key(&crate::outcomes::key(1)).await.unwrap();
    assert_eq!(bed.ledger.list_keys().await.unwrap().len(), 1);
    other.close().await;

    bed.sql(&format!("{newer} ({0}, 'else', 'x', {0}, 0)", NEWEST + 2)).await.unwrap();
    let e = bed.another().await.err().unwrap();
    let said = format!("needs bedplate with schema {} or later; this one has {NEWEST}", NEWEST + 2);
    assert!(e.to_string().contains(&said), "{e}");
}

/// What version 1 says to the database, word for word. Whatever the schema becomes must take it for as
/// long as its migrations say `-- oldest: 1`.
async fn statements_of_the_first_version_still_work(bed: &Bed) {
    let sql = if bed.is_postgres() {
        include_str!("../fixtures/v1_postgres.sql")
    } else {
        include_str!("../fixtures/v1_sqlite.sql")
    };
    bed.sql(sql).await.unwrap();
    // and this version reads what version 1 wrote
    let calls = bed.ledger.recent(&Default::default(), 10).await.unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].call.stop_reason.as_deref(), Some("end_turn"));
    assert_eq!(calls[0].attempts.len(), 1);
    assert_eq!(bed.ledger.list_keys().await.unwrap()[0].models, ["us.amazon.*"]);
    let totals = bed.ledger.totals(at("2026-11-22T00:00:00Z"), at("2026-11-23T00:00:00Z")).await.unwrap();
    assert_eq!((totals[0].calls, totals[0].usage.units.len()), (1, 1));
}

/// The same of version 2.
async fn statements_of_the_second_version_still_work(bed: &Bed) {
    let sql = if bed.is_postgres() {
        include_str!("../fixtures/v2_postgres.sql")
    } else {
        include_str!("../fixtures/v2_sqlite.sql")
    };
    bed.sql(sql).await.unwrap();
    let budget = bed.ledger.budgets_changed(0).await.unwrap().remove(0);
    assert_eq!((&*budget.id.0, &*budget.spec, budget.version), ("month", "{}", 1));
    assert_eq!(budget.removed_at, Some(at("2026-11-22T12:00:00Z")));
    let slices = all(&*bed.ledger).await;
    let found: Vec<_> = slices.iter().map(|s| (&*s.window.account.of, s.sums, s.lease_until.0)).collect();
    assert_eq!(found, [("team=a", sums(100, 20, 30, 0), 3_000), ("team=b", sums(50, 43, 7, 40), 2_000)]);
}

/// The same of version 3.
async fn statements_of_the_third_version_still_work(bed: &Bed) {
    bed.sql(include_str!("../fixtures/v3.sql")).await.unwrap();
    let claim = |owner| bed.ledger.claim("budget/b//w/80%", owner, NOW);
    assert_eq!((claim("n1").await.unwrap(), claim("n2").await.unwrap()), (true, false));
}

/// What version 1 left is there, and what a node of version 1 says meanwhile is taken.
async fn a_ledger_of_the_first_version_is_brought_up_beside_its_nodes(bed: &Bed) {
    let old = "DROP TABLE budget; DROP TABLE budget_slice; DROP TABLE claim; \
               DELETE FROM bedplate_schema WHERE version > 1";
    bed.sql(old).await.unwrap();
    bed.ledger.insert_key(&crate::outcomes::key(1)).await.unwrap();
    let other = bed.another().await.unwrap();
    assert_eq!(other.schema_version().await.unwrap(), NEWEST);
    assert_eq!(other.list_keys().await.unwrap().len(), 1);
    let w = window("", 5);
    other.draw(&exactly(&w, 1, 100, 50), NOW).await.unwrap();
    let call = spending(&SeededIds::new(1), vec![charge(&w, 1, 20)]);
    other.append(&shared([call])).await.unwrap();
    assert_eq!(only(&*other).await, sums(50, 0, 20, 0));
    // a record of version 1 has no charges
    bed.ledger.append(&shared([answered(&SeededIds::new(2), at("2026-11-22T12:00:00Z"))])).await.unwrap();
    other.close().await;
}
