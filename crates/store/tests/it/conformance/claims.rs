use std::sync::Arc;

use bedplate_core::clock::Timestamp;

use super::{on_every_ledger, on_memory};
use crate::bed::Bed;

on_every_ledger!(
    the_first_who_asks_stays_the_one,
    of_many_at_once_one_is_the_first,
    old_claims_are_free_again
);
on_memory!(the_first_who_asks_stays_the_one, of_many_at_once_one_is_the_first, old_claims_are_free_again);

const NOW: Timestamp = Timestamp(1_795_348_803_000_000);
const DAY: i64 = 86_400_000_000;

async fn the_first_who_asks_stays_the_one(bed: &Bed) {
    let claim = |key, owner| bed.ledger.claim(key, owner, NOW);
    assert!(claim("budget/b/team=é \"漢字\"/w/80%", "n1").await.unwrap());
    assert!(!claim("budget/b/team=é \"漢字\"/w/80%", "n2").await.unwrap());
    assert!(claim("budget/b/team=é \"漢字\"/w/80%", "n1").await.unwrap(), "it may ask again");
    assert!(claim("budget/b/team=é \"漢字\"/w/90%", "n2").await.unwrap(), "another key");
}

async fn of_many_at_once_one_is_the_first(bed: &Bed) {
    let mut asking = tokio::task::JoinSet::new();
    for n in 0..16 {
        let ledger = Arc::clone(&bed.ledger);
        asking.spawn(async move { ledger.claim("k", &format!("n{n}"), NOW).await.unwrap() });
    }
    let first = asking.join_all().await.into_iter().filter(|mine| *mine).count();
    assert_eq!(first, 1);
}

async fn old_claims_are_free_again(bed: &Bed) {
    let claim = |owner, days: i64| bed.ledger.claim("k", owner, Timestamp(NOW.0 + days * DAY));
    assert!(claim("n1", 0).await.unwrap());
    assert!(!claim("n2", 400).await.unwrap());
    assert!(claim("n2", 401).await.unwrap());
}
