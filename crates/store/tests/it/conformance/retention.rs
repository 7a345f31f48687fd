use bedplate_core::clock::Timestamp;
use bedplate_core::ports::CallFilter;
use bedplate_testkit::SeededIds;

use super::on_every_ledger;
use crate::bed::Bed;
use crate::outcomes::{answered, at};

on_every_ledger!(whole_days_go_and_sums_stay, a_day_that_was_dropped_can_come_again);

async fn whole_days_go_and_sums_stay(bed: &Bed) {
    let ids = SeededIds::new(1);
    let days = ["2026-11-20T12:00:00Z", "2026-11-21T12:00:00Z", "2026-11-22T12:00:00Z"].map(at);
    let batch = days.map(|d| answered(&ids, d));
    bed.ledger.append(&batch).await.unwrap();
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
    bed.ledger.append(&[answered(&ids, when)]).await.unwrap();
    assert_eq!(other.retain(at("2026-11-22T00:00:00Z")).await.unwrap(), 1);
    let late = answered(&ids, when);
    bed.ledger.append(std::slice::from_ref(&late)).await.unwrap();
    assert_eq!(bed.ledger.recent(&CallFilter::default(), 10).await.unwrap(), [late]);
    other.close().await;
}
