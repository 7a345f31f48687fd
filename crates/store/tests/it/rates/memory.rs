//! Bounds of the counts in memory.

use std::time::Duration;

use super::bed::{RateBed, draw};

#[tokio::test]
async fn counts_that_are_full_again_are_let_go() {
    let bed = RateBed::memory();
    for n in 0..20_000 {
        bed.take(&[draw(&n.to_string(), 60, 1)]).await;
    }
    assert_eq!(bed.rates.gauges().held, 20_000);
    bed.advance(Duration::from_secs(2)).await;
    for n in 0..20_000 {
        bed.take(&[draw(&format!("new {n}"), 60, 1)]).await;
    }
    let held = bed.rates.gauges().held;
    assert!(held <= 30_000, "most of the first are gone: {held}");
    assert_eq!(bed.take(&[draw("7", 60, 0)]).await.levels[0].remaining, 60);
}

#[tokio::test]
async fn nobody_fills_the_memory_with_names() {
    let bed = RateBed::memory();
    // a count that waits long is kept before those that are soon full
    bed.take(&[draw("busy", 60, 60)]).await;
    for n in 0..550_000u32 {
        bed.take(&[draw(&n.to_string(), 60, 1)]).await;
    }
    let held = bed.rates.gauges().held;
    assert!(held <= 64 * 8_192, "{held}");
    assert_eq!(bed.take(&[draw("busy", 60, 0)]).await.levels[0].remaining, 0);
}
