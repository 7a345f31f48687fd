//! What everything that counts rates must do. Each test runs on memory, on a real Redis, and on the one that other
//! crates test with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bedplate_core::rate::{Correction, CountId, Draw, HIGHEST, Kind, Origin, Rates, Watched};
use bedplate_core::refusal::Retry;

use super::bed::{RateBed, draw, take};

const LONGEST: Duration = Duration::from_secs(60);

macro_rules! on_all {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let bed = super::RateBed::memory();
                tokio::time::timeout(super::LONGEST, super::$name(&bed)).await.unwrap();
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let bed = super::RateBed::redis().await;
                tokio::time::timeout(super::LONGEST, super::$name(&bed)).await.unwrap();
            })*
        }
        mod testkit {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let bed = super::RateBed::of(|clock| {
                    super::Arc::new(bedplate_testkit::MemoryRates::new(super::Arc::new(clock.clone())))
                });
                tokio::time::timeout(super::LONGEST, super::$name(&bed)).await.unwrap();
            })*
        }
    };
}

on_all! {
    what_is_taken_is_missing_and_comes_back,
    all_or_nothing,
    a_refusal_says_when_there_is_room,
    of_several_the_longest_wait_is_said,
    what_is_larger_than_the_limit_never_fits,
    what_was_too_much_is_given_back_and_what_was_too_little_is_a_debt,
    counts_are_apart,
    a_limit_that_changes_leaves_what_was_taken,
    looking_takes_nothing,
    the_highest_limit_is_counted_exactly,
    many_at_once_never_take_more_than_there_is,
    one_node_at_least,
    what_is_in_use_is_found_the_fullest_first,
}

async fn what_is_taken_is_missing_and_comes_back(bed: &RateBed) {
    let taken = bed.take(&[draw("a", 60, 40)]).await;
    assert_eq!((taken.short, taken.from, taken.levels[0].limit), (None, Origin::Shared, 60));
    bed.remains(taken.levels[0], 20);
    let full_in = taken.levels[0].full_in;
    assert!(full_in <= Duration::from_secs(40) && full_in > Duration::from_secs(39), "{full_in:?}");
    bed.advance(Duration::from_secs(30)).await;
    bed.remains(bed.take(&[draw("a", 60, 0)]).await.levels[0], 50);
    bed.advance(Duration::from_secs(60)).await;
    let level = bed.take(&[draw("a", 60, 0)]).await.levels[0];
    assert_eq!((level.remaining, level.full_in), (60, Duration::ZERO), "never more than a minute's");
}

async fn all_or_nothing(bed: &RateBed) {
    assert_eq!(bed.take(&[draw("b", 100, 90)]).await.short, None);
    let taken = bed.take(&[draw("a", 100, 10), draw("b", 100, 50), draw("c", 100, 10)]).await;
    assert_eq!(taken.short.unwrap().at, 1);
    assert_eq!([taken.levels[0].remaining, taken.levels[2].remaining], [100, 100]);
    for (of, remaining) in [("a", 100), ("b", 10), ("c", 100)] {
        bed.remains(bed.take(&[draw(of, 100, 0)]).await.levels[0], remaining);
    }
}

async fn a_refusal_says_when_there_is_room(bed: &RateBed) {
    assert_eq!(bed.take(&[draw("a", 60, 60)]).await.short, None);
    let Some(Retry::After(wait)) = bed.take(&[draw("a", 60, 30)]).await.short.map(|short| short.retry) else {
        panic!("there is no room")
    };
    assert!(wait <= Duration::from_secs(30) && wait > Duration::from_secs(25), "{wait:?}");
    bed.advance(wait).await;
    assert_eq!(bed.take(&[draw("a", 60, 30)]).await.short, None);
    assert!(bed.take(&[draw("a", 60, 30)]).await.short.is_some());
}

async fn of_several_the_longest_wait_is_said(bed: &RateBed) {
    assert_eq!(bed.take(&[draw("a", 60, 30), draw("b", 60, 60), draw("c", 60, 20)]).await.short, None);
    let short = bed.take(&[draw("a", 60, 40), draw("b", 60, 40), draw("c", 60, 60)]).await.short.unwrap();
    assert_eq!(short.at, 1);
    assert!(matches!(short.retry, Retry::After(wait) if wait > Duration::from_secs(35)), "{short:?}");
}

async fn what_is_larger_than_the_limit_never_fits(bed: &RateBed) {
    assert_eq!(bed.take(&[draw("b", 100, 100)]).await.short, None);
    let taken = bed.take(&[draw("a", 100, 101), draw("b", 100, 1)]).await;
    let short = taken.short.unwrap();
    assert_eq!((short.at, short.retry), (0, Retry::Never));
    assert_eq!(taken.levels[0].remaining, 100);
    assert_eq!(bed.take(&[draw("a", 100, 100)]).await.short, None);
}

async fn what_was_too_much_is_given_back_and_what_was_too_little_is_a_debt(bed: &RateBed) {
    let a = draw("a", 60, 50);
    assert_eq!(bed.take(std::slice::from_ref(&a)).await.short, None);
    bed.settle(&a, -40).await;
    bed.remains(bed.take(&[draw("a", 60, 0)]).await.levels[0], 50);
    bed.settle(&a, 80).await;
    let taken = bed.take(&[draw("a", 60, 1)]).await;
    assert_eq!(taken.levels[0].remaining, 0);
    let short = taken.short.unwrap();
    let after = |least, most| Duration::from_secs(least)..=Duration::from_secs(most);
    assert!(matches!(short.retry, Retry::After(wait) if after(25, 31).contains(&wait)), "{short:?}");
    bed.advance(Duration::from_secs(31)).await;
    assert_eq!(bed.take(&[draw("a", 60, 1)]).await.short, None);
    bed.settle(&a, -60).await;
    let level = bed.take(&[draw("a", 60, 0)]).await.levels[0];
    assert_eq!(level.remaining, 60, "nobody has more than a minute's, whatever is given back");
}

async fn counts_are_apart(bed: &RateBed) {
    let id = |throttle: &str, of: &str, kind| CountId { throttle: throttle.into(), of: of.into(), kind };
    let ids = [
        id("x", "a", Kind::Tokens),
        id("x", "a", Kind::Requests),
        id("x", "b", Kind::Tokens),
        id("y", "a", Kind::Tokens),
        id("x", "", Kind::Tokens),
    ];
    for (n, count) in ids.into_iter().enumerate() {
        let draw = Draw { count, limit: 10, amount: 10 };
        assert_eq!(bed.take(std::slice::from_ref(&draw)).await.short, None, "{n}");
        assert!(bed.take(&[draw]).await.short.is_some(), "{n}");
    }
}

async fn a_limit_that_changes_leaves_what_was_taken(bed: &RateBed) {
    assert_eq!(bed.take(&[draw("a", 60, 50)]).await.short, None);
    bed.remains(bed.take(&[draw("a", 600, 0)]).await.levels[0], 550);
    assert_eq!(bed.take(&[draw("a", 40, 0)]).await.levels[0].remaining, 0);
}

async fn looking_takes_nothing(bed: &RateBed) {
    for _ in 0..3 {
        let taken = bed.take(&[draw("a", 5, 0)]).await;
        assert_eq!((taken.short, taken.levels[0].remaining), (None, 5));
    }
}

async fn the_highest_limit_is_counted_exactly(bed: &RateBed) {
    assert_eq!(bed.take(&[draw("a", HIGHEST, HIGHEST - 1)]).await.short, None);
    bed.remains(bed.take(&[draw("a", HIGHEST, 0)]).await.levels[0], 1);
    let deep = Correction { count: draw("a", 1, 0).count, limit: HIGHEST, more: i64::MAX };
    bed.rates.settle(Origin::Shared, vec![deep]);
    // the deepest debt is ten minutes
    let level = loop {
        let level = bed.take(&[draw("a", HIGHEST, 0)]).await.levels[0];
        if level.full_in > Duration::from_secs(60) {
            break level;
        }
    };
    let (least, most) = (Duration::from_secs(540), Duration::from_secs(600));
    assert!((least..=most).contains(&level.full_in), "{level:?}");
}

async fn many_at_once_never_take_more_than_there_is(bed: &RateBed) {
    let (granted, limit) = (Arc::new(AtomicU64::new(0)), 300);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let rates = if n % 2 == 0 { Arc::clone(&bed.rates) } else { bed.another().await };
        let granted = Arc::clone(&granted);
        tasks.spawn(async move {
            for _ in 0..100 {
                let taken = take(&*rates, &[draw("a", limit, 1), draw("all", 100_000, 1)]).await;
                granted.fetch_add(u64::from(taken.short.is_none()), Ordering::Relaxed);
            }
        });
    }
    tasks.join_all().await;
    let granted = granted.load(Ordering::Relaxed);
    assert!((limit..=limit + bed.slack(limit)).contains(&granted), "{granted}");
    bed.remains(bed.take(&[draw("all", 100_000, 0)]).await.levels[0], 100_000 - granted);
}

async fn one_node_at_least(bed: &RateBed) {
    assert!(bed.rates.nodes() >= 1);
    assert!(bed.rates.gauges().up);
}

fn watched(throttle: &str, limit: u64) -> Watched {
    Watched { throttle: throttle.into(), kind: Kind::Tokens, limit }
}

/// The names of what is in use, and how many there are besides.
async fn in_use(rates: &dyn Rates, of: &[Watched], most: usize) -> (Vec<String>, u64) {
    let found = rates.in_use(of, most).await;
    assert_eq!((found.from, found.missing), (Origin::Shared, None));
    (found.counts.into_iter().map(|(count, _)| count.of.to_string()).collect(), found.more)
}

async fn what_is_in_use_is_found_the_fullest_first(bed: &RateBed) {
    let all = [watched("each key", 60_000), watched("nobody's", 60_000)];
    assert_eq!(in_use(&*bed.rates, &all, 10).await, (vec![], 0));
    bed.take(&[draw("key=a", 60_000, 20_000), draw("key=b", 60_000, 50_000)]).await;
    bed.take(&[draw("", 60_000, 35_000)]).await;
    let of_another = CountId { throttle: "each".into(), of: "key=c".into(), kind: Kind::Tokens };
    let requests = CountId { kind: Kind::Requests, ..draw("key=a", 1, 1).count };
    bed.take(&[of_another, requests].map(|count| Draw { count, limit: 60, amount: 60 })).await;
    let names = |of: &[&str]| of.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let another = bed.another().await;
    assert_eq!(in_use(&*another, &all, 10).await, (names(&["key=b", "", "key=a"]), 0));
    assert_eq!(in_use(&*another, &all, 2).await, (names(&["key=b", ""]), 1));
    let (count, level) = another.in_use(&all, 1).await.counts.remove(0);
    assert_eq!((count, level.limit), (draw("key=b", 1, 1).count, 60_000));
    bed.remains(level, 10_000);
    // by the limit of today: half of what it was
    let halved = another.in_use(&[watched("each key", 30_000)], 1).await.counts.remove(0).1;
    bed.remains(halved, 0);
    bed.advance(Duration::from_secs(60)).await;
    assert_eq!(in_use(&*another, &all, 10).await, (vec![], 0));
}
