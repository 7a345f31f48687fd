//! What is Redis' own: what stands there, how nodes find each other, and what happens when it is gone, slow or comes
//! back.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::rate::{Kind, Origin, Rates, Taking, Watched};
use bedplate_core::refusal::Retry;
use bedplate_testkit::ManualClock;

use super::bed::{RateBed, draw, is_up, open, take};
use crate::cache::bed::{DEADLINE, redis};
use crate::cache::wire::Wire;

const NODES: &str = "bedplate:nodes:1";

async fn until(mut there: impl FnMut() -> bool) {
    while !there() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn by_wire(bed: &RateBed, deadline: Duration) -> (Wire, Arc<dyn Rates>) {
    let wire = Wire::to(bed.url.as_ref().unwrap()).await;
    let rates = open(&wire.url, &bed.clock, deadline);
    is_up(&*rates).await;
    (wire, rates)
}

#[tokio::test]
async fn what_is_missing_stands_there_exactly_and_goes_by_itself() {
    let bed = RateBed::redis().await;
    let url = bed.url.clone().unwrap();
    bed.take(&[draw("key=key_a", 9_999_999_999, 9_999_999_999)]).await;
    let name = "bedplate:rate:1:tokens:each key:key=key_a";
    let kept: String = redis(&url, &["GET", name]).await;
    assert_eq!(kept.split_once(' ').unwrap().0, "599999999940000");
    let left: i64 = redis(&url, &["PTTL", name]).await;
    assert!((1..=61_000).contains(&left), "{left}");
    let before: Vec<String> = redis(&url, &["KEYS", "bedplate:rate:*"]).await;
    bed.take(&[draw("key=key_b", 10, 0)]).await;
    let after: Vec<String> = redis(&url, &["KEYS", "bedplate:rate:*"]).await;
    assert_eq!((before, after), (vec![name.into()], vec![name.to_owned()]), "a look leaves nothing");
}

#[tokio::test]
async fn what_cannot_be_read_counts_as_full() {
    let bed = RateBed::redis().await;
    let _: String =
        redis(bed.url.as_ref().unwrap(), &["SET", "bedplate:rate:1:tokens:each key:a", "junk"]).await;
    let taken = bed.take(&[draw("a", 10, 10)]).await;
    assert_eq!((taken.short, taken.from), (None, Origin::Shared));
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_is_told_them_again() {
    let bed = RateBed::redis().await;
    bed.take(&[draw("a", 60, 10)]).await;
    let _: String = redis(bed.url.as_ref().unwrap(), &["SCRIPT", "FLUSH"]).await;
    let taken = bed.take(&[draw("a", 60, 10)]).await;
    assert_eq!(taken.from, Origin::Shared);
    bed.remains(taken.levels[0], 40);
    bed.settle(&draw("a", 60, 0), -10).await;
    assert_eq!((bed.rates.gauges().alone, bed.rates.gauges().lost), (0, 0));
}

#[tokio::test]
async fn nodes_that_live_are_counted_and_those_that_are_not_heard_of_go() {
    let bed = RateBed::redis().await;
    let url = bed.url.clone().unwrap();
    until(|| bed.rates.nodes() == 1).await;
    // heard of long ago, and of a moment ago
    let _: i64 = redis(&url, &["ZADD", NODES, "1000", "ghost"]).await;
    let other = bed.another().await;
    until(|| other.nodes() == 2).await;
    until(|| bed.rates.nodes() == 2).await;
    drop(other);
    let names: Vec<String> = redis(&url, &["ZRANGE", NODES, "0", "-1"]).await;
    assert!(names.len() == 2 && !names.contains(&"ghost".to_owned()), "{names:?}");
    // ten seconds pass for one of them: the other says so with its next word
    for name in names {
        let _: i64 = redis(&url, &["ZADD", NODES, "XX", "1000", &name]).await;
    }
    until(|| bed.rates.nodes() == 1).await;
    let left: i64 = redis(&url, &["PTTL", NODES]).await;
    assert!((1..=10_000).contains(&left), "{left}");
}

#[tokio::test]
async fn without_a_server_a_node_goes_on_with_its_part() {
    let bed = RateBed::redis().await;
    let (wire, rates) = by_wire(&bed, DEADLINE).await;
    until(|| rates.nodes() == 2).await;
    take(&*rates, &[draw("a", 61, 61)]).await;
    wire.cut();
    until(|| !rates.gauges().up || matches!(rates.take(&[draw("b", 9, 0)]), Taking::Now(_))).await;
    // of 61 for two nodes each has 31, from a full count of its own
    let taken = take(&*rates, &[draw("a", 61, 31)]).await;
    assert_eq!((taken.short, taken.from, taken.levels[0].limit), (None, Origin::Alone, 31));
    let short = take(&*rates, &[draw("a", 61, 1)]).await.short.unwrap();
    assert!(matches!(short.retry, Retry::After(wait) if wait <= Duration::from_secs(2)), "{short:?}");
    // what is larger than the part, and not than the limit, fits when nothing is missing
    assert_eq!(take(&*rates, &[draw("c", 61, 61)]).await.short, None);
    assert_eq!(take(&*rates, &[draw("c", 61, 62)]).await.short.unwrap().retry, Retry::Never);
    bed.clock.advance(Duration::from_secs(60));
    assert!(take(&*rates, &[draw("c", 61, 61)]).await.short.is_some());
    assert_eq!(rates.nodes(), 2, "what was known last");
    take(&*rates, &[draw("a", 61, 31)]).await;
    let watched = Watched { throttle: "each key".into(), kind: Kind::Tokens, limit: 61 };
    let in_use = rates.in_use(&[watched], 5).await;
    assert!(in_use.missing.is_some_and(|why| why.contains("redis")), "operators hear why");
    let used: Vec<_> = in_use.counts.iter().map(|(count, level)| (&*count.of, level.limit)).collect();
    assert_eq!((in_use.from, used), (Origin::Alone, vec![("a", 31), ("c", 31)]));
    assert!(rates.gauges().alone >= 5);
    wire.mend();
    is_up(&*rates).await;
    assert_eq!(take(&*rates, &[draw("a", 61, 0)]).await.from, Origin::Shared);
}

#[tokio::test]
async fn a_server_that_is_not_there_at_the_start_is_found_when_it_comes() {
    let bed = RateBed::redis().await;
    let wire = Wire::to(bed.url.as_ref().unwrap()).await;
    wire.cut();
    let rates = open(&wire.url, &ManualClock::at("2026-11-22T12:00:00Z"), DEADLINE);
    let taken = take(&*rates, &[draw("a", 10, 10)]).await;
    assert_eq!((taken.from, taken.levels[0].limit), (Origin::Alone, 10));
    wire.mend();
    is_up(&*rates).await;
    assert_eq!(take(&*rates, &[draw("a", 10, 10)]).await.from, Origin::Shared);
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_after_three_questions() {
    let bed = RateBed::redis().await;
    let (wire, rates) = by_wire(&bed, Duration::from_millis(500)).await;
    until(|| rates.nodes() == 2).await;
    wire.hold();
    // the heartbeat asks, too
    while rates.gauges().up {
        assert_eq!(take(&*rates, &[draw("a", 1_000, 1)]).await.from, Origin::Alone);
    }
    for _ in 0..1_000 {
        assert!(matches!(rates.take(&[draw("a", 1_000, 0)]), Taking::Now(_)), "nobody waits any more");
    }
    wire.mend();
    is_up(&*rates).await;
    assert_eq!(take(&*rates, &[draw("a", 1_000, 1)]).await.from, Origin::Shared);
}

#[tokio::test]
async fn what_was_taken_alone_is_settled_alone_and_what_cannot_be_settled_is_counted() {
    let bed = RateBed::redis().await;
    let (wire, rates) = by_wire(&bed, DEADLINE).await;
    wire.cut();
    until(|| !rates.gauges().up || matches!(rates.take(&[draw("b", 9, 0)]), Taking::Now(_))).await;
    let nodes = u64::from(rates.nodes());
    let wish = draw("a", 100 * nodes, 60);
    assert_eq!(take(&*rates, std::slice::from_ref(&wish)).await.from, Origin::Alone);
    let correction =
        |more| bedplate_core::rate::Correction { count: wish.count.clone(), limit: wish.limit, more };
    rates.settle(Origin::Alone, vec![correction(-50)]);
    assert_eq!(take(&*rates, &[draw("a", wish.limit, 0)]).await.levels[0].remaining, 90);
    rates.settle(Origin::Shared, vec![correction(-50)]);
    until(|| rates.gauges().lost == 1).await;
}

#[tokio::test]
async fn a_server_that_comes_back_empty_counts_anew() {
    let bed = RateBed::redis().await;
    let url = bed.url.clone().unwrap();
    bed.take(&[draw("a", 60, 60)]).await;
    let _: String = redis(&url, &["FLUSHDB"]).await;
    assert_eq!(bed.take(&[draw("a", 60, 60)]).await.short, None);
    bed.settle(&draw("a", 60, 0), -30).await;
    bed.remains(bed.take(&[draw("a", 60, 0)]).await.levels[0], 30);
    until(|| bed.rates.nodes() == 1).await;
}

#[tokio::test]
async fn a_wish_that_nobody_waits_for_any_more_takes_nothing() {
    let bed = RateBed::redis().await;
    for _ in 0..20 {
        let Taking::Asked(mut asked) = bed.rates.take(&[draw("a", 2, 2)]) else { panic!("redis is there") };
        // sent, and left before the answer
        let _ = std::future::poll_fn(|cx| std::task::Poll::Ready(asked.as_mut().poll(cx))).await;
        drop(asked);
    }
    // sooner than it would refill
    let full = async {
        let mut seen = 0;
        while seen < 20 {
            let level = bed.take(&[draw("a", 2, 0)]).await.levels[0];
            seen = if level.full_in == Duration::ZERO { seen + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), full).await.unwrap();
    assert_eq!(bed.rates.gauges().lost, 0);
}
