use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Timestamp;
use bedplate_core::ports::CallFilter;
use bedplate_testkit::{ManualClock, SeededIds};

use super::{on_every_ledger, on_memory};
use crate::bed::Bed;
use crate::outcomes::{answered, at, shared};

on_every_ledger!(
    whole_days_go_and_sums_stay,
    a_day_that_was_dropped_can_come_again,
    the_sweep_drops_what_is_over_age,
);

on_memory!(
    whole_days_go_and_sums_stay,
    a_day_that_was_dropped_can_come_again,
    the_sweep_drops_what_is_over_age,
);

async fn whole_days_go_and_sums_stay(bed: &Bed) {
    let ids = SeededIds::new(1);
    let days = ["2026-11-20T12:00:00Z", "2026-11-21T12:00:00Z", "2026-11-22T12:00:00Z"].map(at);
    let batch = days.map(|d| answered(&ids, d));
    bed.ledger.append(&shared(batch.clone())).await.unwrap();
    let sums = bed.ledger.totals(Timestamp(0), Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(bed.ledger.retain(at("2026-11-20T23:59:59Z")).await.unwrap(), 0, "the day is not over");
    assert_eq!(bed.ledger.retain(at("2026-11-22T00:00:00Z")).await.unwrap(), 2);
    assert_eq!(bed.ledger.retain(at("2026-11-22T00:00:00Z")).await.unwrap(), 0);
    assert_eq!(bed.ledger.recent(&CallFilter::default(), 10).await.unwrap(), [batch[2].clone()]);
    assert_eq!(bed.ledger.call(batch[0].call.id).await.unwrap(), None);
    assert_eq!(bed.ledger.totals(Timestamp(0), Timestamp(i64::MAX)).await.unwrap(), sums);
}

/// Also when another node dropped it.
async fn a_day_that_was_dropped_can_come_again(bed: &Bed) {
    let ids = SeededIds::new(1);
    let when = at("2026-11-20T12:00:00Z");
    let other = bed.another().await.unwrap();
    bed.ledger.append(&shared([answered(&ids, when)])).await.unwrap();
    assert_eq!(other.retain(at("2026-11-22T00:00:00Z")).await.unwrap(), 1);
    let late = answered(&ids, when);
    bed.ledger.append(&shared([late.clone()])).await.unwrap();
    assert_eq!(bed.ledger.recent(&CallFilter::default(), 10).await.unwrap(), [late]);
    other.close().await;
}

async fn the_sweep_drops_what_is_over_age(bed: &Bed) {
    let ids = SeededIds::new(1);
    let days = ["2025-10-17T12:00:00Z", "2025-10-19T12:00:00Z", "2026-11-22T12:00:00Z"].map(at);
    let batch = days.map(|d| answered(&ids, d));
    bed.ledger.append(&shared(batch.clone())).await.unwrap();
    // 400 days before are 2025-10-18, at noon
    let clock = Arc::new(ManualClock::at("2026-11-22T12:00:00Z"));
    let sweep = bed.config.sweep(bed.ledger.clone(), clock);
    tokio::time::timeout(Duration::from_secs(1), sweep).await.expect_err("it never ends");
    let left = bed.ledger.recent(&CallFilter::default(), 10).await.unwrap();
    assert_eq!(left, [batch[2].clone(), batch[1].clone()]);
}
