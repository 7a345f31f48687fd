use bedplate_core::budget::{BudgetId, StoredBudget};
use bedplate_core::clock::Timestamp;
use bedplate_core::ports::StoreError;

use super::{on_every_ledger, on_memory};
use crate::bed::Bed;
use crate::outcomes::key;

on_every_ledger!(
    budgets_read_back_as_written,
    a_budget_that_stands_is_a_conflict,
    a_budget_is_removed_once_and_may_come_again,
    budgets_and_keys_share_their_versions,
    no_reader_misses_a_budget,
);

on_memory!(
    budgets_read_back_as_written,
    a_budget_that_stands_is_a_conflict,
    a_budget_is_removed_once_and_may_come_again,
    budgets_and_keys_share_their_versions,
    no_reader_misses_a_budget,
);

fn budget(name: &str, spec: &str) -> StoredBudget {
    StoredBudget {
        id: BudgetId(name.into()),
        spec: spec.into(),
        created_at: Timestamp(7),
        removed_at: None,
        version: 0,
    }
}

async fn budgets_read_back_as_written(bed: &Bed) {
    let mut first = budget("month", r#"{"name":"it's \"quoted\" né 漢字"}"#);
    first.version = bed.ledger.insert_budget(&first).await.unwrap();
    let mut second = budget("day", "");
    second.removed_at = Some(Timestamp(9));
    second.version = bed.ledger.insert_budget(&second).await.unwrap();
    assert!(second.version > first.version);
    assert_eq!(bed.ledger.budgets_changed(0).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(bed.ledger.budgets_changed(first.version).await.unwrap(), [second]);
}

async fn a_budget_that_stands_is_a_conflict(bed: &Bed) {
    let version = bed.ledger.insert_budget(&budget("month", "a")).await.unwrap();
    let e = bed.ledger.insert_budget(&budget("month", "b")).await.unwrap_err();
    assert!(matches!(&e, StoreError::Conflict(what) if what == "a budget `month`"), "{e}");
    assert_eq!(bed.ledger.budgets_changed(version).await.unwrap(), [], "a refused budget changes nothing");
    assert_eq!(bed.ledger.budgets_changed(0).await.unwrap()[0].spec, "a");
    assert_eq!(bed.ledger.insert_budget(&budget("day", "c")).await.unwrap(), version + 1);
}

async fn a_budget_is_removed_once_and_may_come_again(bed: &Bed) {
    let id = BudgetId("month".into());
    assert!(!bed.ledger.remove_budget(&id, Timestamp(9)).await.unwrap());
    let first = bed.ledger.insert_budget(&budget("month", "a")).await.unwrap();
    assert!(bed.ledger.remove_budget(&id, Timestamp(9)).await.unwrap());
    let removed = bed.ledger.budgets_changed(first).await.unwrap();
    let gone = StoredBudget { removed_at: Some(Timestamp(9)), version: first + 1, ..budget("month", "a") };
    assert_eq!(removed, [gone]);
    assert!(!bed.ledger.remove_budget(&id, Timestamp(12)).await.unwrap(), "once");
    assert_eq!(bed.ledger.budgets_changed(first + 1).await.unwrap(), [], "nothing changed");
    let mut again = StoredBudget { created_at: Timestamp(20), ..budget("month", "b") };
    again.version = bed.ledger.insert_budget(&again).await.unwrap();
    assert_eq!(bed.ledger.budgets_changed(0).await.unwrap(), [again]);
}

async fn budgets_and_keys_share_their_versions(bed: &Bed) {
    let a = bed.ledger.insert_key(&key(1)).await.unwrap();
    let b = bed.ledger.insert_budget(&budget("month", "a")).await.unwrap();
    assert!(bed.ledger.disable_key(&key(1).id, Timestamp(9)).await.unwrap());
    assert!(bed.ledger.remove_budget(&BudgetId("month".into()), Timestamp(9)).await.unwrap());
    let key = bed.ledger.keys_changed(0).await.unwrap().remove(0);
    let budget = bed.ledger.budgets_changed(0).await.unwrap().remove(0);
    assert_eq!([b, key.version, budget.version], [a + 1, a + 2, a + 3]);
}

/// Two nodes write; a reader that only ever asks for what is newer sees every budget, once.
async fn no_reader_misses_a_budget(bed: &Bed) {
    let other = bed.another().await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..30 {
        let ledger = if n % 2 == 0 { bed.ledger.clone() } else { other.clone() };
        writers.spawn(async move { ledger.insert_budget(&budget(&format!("b{n}"), "")).await.unwrap() });
    }
    let (mut last, mut seen) = (0, Vec::new());
    while seen.len() < 30 {
        for b in bed.ledger.budgets_changed(last).await.unwrap() {
            last = b.version;
            seen.push(b.version);
        }
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    let mut given = writers.join_all().await;
    given.sort_unstable();
    assert_eq!(seen, given);
    other.close().await;
}
