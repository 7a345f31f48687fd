use std::collections::HashSet;
use std::sync::Arc;

use bedplate_core::clock::Timestamp;
use bedplate_core::key::KeyId;
use bedplate_core::ports::StoreError;

use super::{on_every_ledger, on_memory};
use crate::bed::Bed;
use crate::outcomes::key;

on_every_ledger!(
    keys_read_back_as_written,
    what_is_taken_is_a_conflict,
    disabling_keeps_the_first_moment,
    expiry_only_comes_nearer,
    changes_come_in_order_of_version,
    no_reader_misses_a_change,
);

on_memory!(
    keys_read_back_as_written,
    what_is_taken_is_a_conflict,
    disabling_keeps_the_first_moment,
    expiry_only_comes_nearer,
    changes_come_in_order_of_version,
    no_reader_misses_a_change,
);

async fn keys_read_back_as_written(bed: &Bed) {
    let ledger = &bed.ledger;
    let mut first = key(2);
    first.rotated_from = Some(KeyId("key_old".into()));
    first.expires_at = Some(Timestamp(5));
    first.disabled_at = Some(Timestamp(6));
    first.version = ledger.insert_key(&first).await.unwrap();
    let mut second = key(1);
    second.version = ledger.insert_key(&second).await.unwrap();
    assert!(second.version > first.version);
    assert_eq!(ledger.key(&first.id).await.unwrap().as_ref(), Some(&first));
    assert_eq!(ledger.key(&KeyId("key_none".into())).await.unwrap(), None);
    assert_eq!(ledger.list_keys().await.unwrap(), [second, first], "oldest first");
}

async fn what_is_taken_is_a_conflict(bed: &Bed) {
    let ledger = &bed.ledger;
    let before = ledger.insert_key(&key(1)).await.unwrap();
    let mut same_id = key(2);
    same_id.id = key(1).id;
    let mut same_access = key(2);
    same_access.access_key_id = key(1).access_key_id;
    let mut same_bearer = key(2);
    same_bearer.bearer_sha256 = key(1).bearer_sha256;
    for taken in [same_id, same_access, same_bearer] {
        let e = ledger.insert_key(&taken).await.unwrap_err();
        assert!(matches!(e, StoreError::Conflict(_)), "{e}");
    }
    assert_eq!(ledger.keys_changed(before).await.unwrap(), [], "a refused key changes nothing");
    ledger.insert_key(&key(2)).await.unwrap();
}

async fn disabling_keeps_the_first_moment(bed: &Bed) {
    let ledger = &bed.ledger;
    let id = key(1).id;
    assert!(!ledger.disable_key(&id, Timestamp(9)).await.unwrap());
    let v1 = ledger.insert_key(&key(1)).await.unwrap();
    assert!(ledger.disable_key(&id, Timestamp(9)).await.unwrap());
    let changed = ledger.keys_changed(v1).await.unwrap();
    assert_eq!(changed[0].disabled_at, Some(Timestamp(9)));
    assert!(ledger.disable_key(&id, Timestamp(12)).await.unwrap());
    assert_eq!(ledger.key(&id).await.unwrap().unwrap().disabled_at, Some(Timestamp(9)));
    assert_eq!(ledger.keys_changed(changed[0].version).await.unwrap(), [], "nothing changed");
}

async fn expiry_only_comes_nearer(bed: &Bed) {
    let ledger = &bed.ledger;
    let id = key(1).id;
    assert!(!ledger.expire_key(&id, Timestamp(9)).await.unwrap());
    ledger.insert_key(&key(1)).await.unwrap();
    for (at, then) in [(20, 20), (30, 20), (10, 10)] {
        assert!(ledger.expire_key(&id, Timestamp(at)).await.unwrap());
        assert_eq!(ledger.key(&id).await.unwrap().unwrap().expires_at, Some(Timestamp(then)));
    }
}

async fn changes_come_in_order_of_version(bed: &Bed) {
    let ledger = &bed.ledger;
    for n in 1..=3 {
        ledger.insert_key(&key(n)).await.unwrap();
    }
    ledger.disable_key(&key(1).id, Timestamp(9)).await.unwrap();
    let ids: Vec<_> = ledger.keys_changed(0).await.unwrap().into_iter().map(|k| k.id).collect();
    assert_eq!(ids, [key(2).id, key(3).id, key(1).id]);
}

/// Writers on two nodes; a reader that only ever asks for what is newer sees every change.
async fn no_reader_misses_a_change(bed: &Bed) {
    let other = bed.another().await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..40u8 {
        let ledger = Arc::clone(if n % 2 == 0 { &bed.ledger } else { &other });
        writers.spawn(async move {
            let version = ledger.insert_key(&key(n)).await.unwrap();
            ledger.disable_key(&key(n).id, Timestamp(9)).await.unwrap();
            version
        });
    }
    let (mut last, mut versions, mut disabled) = (0, Vec::new(), HashSet::new());
    while disabled.len() < 40 {
        for k in bed.ledger.keys_changed(last).await.unwrap() {
            last = k.version;
            versions.push(k.version);
            if k.disabled_at.is_some() {
                assert!(disabled.insert(k.id), "seen twice");
            }
        }
    }
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    let mut given = writers.join_all().await;
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), 40, "every change has a version of its own");
    assert_eq!(last, 80);
    other.close().await;
}
