//! What every cache must do. Each test runs on memory, on a real Redis, and on the one that other crates test with.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::cache::{Cache, Purge};

use super::bed::{CacheBed, TAGS, place};

const LONGEST: Duration = Duration::from_secs(60);

macro_rules! on_every_cache {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let bed = super::CacheBed::memory().await;
                tokio::time::timeout(super::LONGEST, super::$name(&bed)).await.unwrap();
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let bed = super::CacheBed::redis().await;
                tokio::time::timeout(super::LONGEST, super::$name(&bed)).await.unwrap();
            })*
        }
        mod testkit {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let mut bed = super::CacheBed::memory().await;
                bed.cache = super::Arc::new(bedplate_testkit::MemoryCache::new(super::Arc::new(bed.clock.clone())));
                tokio::time::timeout(super::LONGEST, super::$name(&bed)).await.unwrap();
            })*
        }
    };
}

on_every_cache! {
    what_is_put_is_found_whole,
    another_key_finds_nothing,
    an_entry_is_given_stale_and_then_no_more,
    a_later_answer_replaces_an_earlier_one,
    a_purge_drops_what_it_names_and_nothing_else,
    a_purge_concerns_answers_on_their_way,
    purges_and_puts_at_once_leave_nothing_behind,
    what_is_there_is_counted,
}

async fn put(bed: &CacheBed, request: &str, tags: [&str; 3], body: &str) {
    let place = place(request, tags);
    let epoch = bed.cache.get(&place).await.unwrap().epoch;
    bed.cache.put(&place, &bed.entry(body), epoch).await.unwrap();
}

async fn body(cache: &dyn Cache, request: &str, tags: [&str; 3]) -> Option<String> {
    let found = cache.get(&place(request, tags)).await.unwrap().entry?;
    Some(String::from_utf8(found.body.expose().to_vec()).unwrap())
}

async fn what_is_put_is_found_whole(bed: &CacheBed) {
    assert!(bed.cache.get(&place("a", TAGS)).await.unwrap().entry.is_none());
    put(bed, "a", TAGS, "hello").await;
    let found = bed.another().await.get(&place("a", TAGS)).await.unwrap().entry.unwrap();
    let want = bed.entry("hello");
    assert!(found.body == want.body && found.headers == want.headers);
    assert_eq!((found.call, &found.usage, &found.tier), (want.call, &want.usage, &want.tier));
    assert_eq!(
        (&found.target, &found.region, &found.stop_reason),
        (&want.target, &want.region, &want.stop_reason)
    );
    let times = |e: &bedplate_core::cache::Entry| (e.made_at, e.fresh_until, e.kept_until);
    assert_eq!(times(&found), times(&want));
}

async fn another_key_finds_nothing(bed: &CacheBed) {
    put(bed, "a", TAGS, "hello").await;
    for (request, tags) in
        [("b", TAGS), ("a", ["billing", TAGS[1], TAGS[2]]), ("a", [TAGS[0], "other", TAGS[2]])]
    {
        assert_eq!(body(&*bed.cache, request, tags).await, None);
    }
}

async fn an_entry_is_given_stale_and_then_no_more(bed: &CacheBed) {
    put(bed, "a", TAGS, "hello").await;
    bed.clock.advance(Duration::from_secs(601));
    assert_eq!(body(&*bed.cache, "a", TAGS).await.as_deref(), Some("hello"), "stale, and up to the caller");
    bed.clock.advance(Duration::from_secs(3_600));
    assert_eq!(body(&*bed.cache, "a", TAGS).await, None);
}

async fn a_later_answer_replaces_an_earlier_one(bed: &CacheBed) {
    put(bed, "a", TAGS, "one").await;
    put(bed, "a", TAGS, "two").await;
    assert_eq!(body(&*bed.another().await, "a", TAGS).await.as_deref(), Some("two"));
}

async fn a_purge_drops_what_it_names_and_nothing_else(bed: &CacheBed) {
    let of = [["a", "x", "m.1"], ["a", "y", "m.2"], ["b", "x", "m.2"], ["b", "y", "m.1"]];
    let cases = [
        (Purge::Team("a".into()), vec![0, 1]),
        (Purge::Feature("x".into()), vec![0, 2]),
        (Purge::Model("m.2".into()), vec![1, 2]),
        (Purge::Model("m".into()), vec![]),
        (Purge::All, vec![0, 1, 2, 3]),
    ];
    let other = bed.another().await;
    for (what, gone) in cases {
        for tags in of {
            put(bed, "q", tags, "hello").await;
        }
        assert_eq!(other.purge(&what).await.unwrap(), gone.len() as u64, "{what:?}");
        for (n, tags) in of.into_iter().enumerate() {
            assert_eq!(body(&*bed.cache, "q", tags).await.is_none(), gone.contains(&n), "{what:?} {tags:?}");
        }
    }
    assert_eq!(other.purge(&Purge::All).await.unwrap(), 0);
}

async fn a_purge_concerns_answers_on_their_way(bed: &CacheBed) {
    let place = place("a", TAGS);
    let epoch = bed.cache.get(&place).await.unwrap().epoch;
    bed.another().await.purge(&Purge::Team(TAGS[0].into())).await.unwrap();
    bed.cache.put(&place, &bed.entry("asked before"), epoch).await.unwrap();
    assert_eq!(body(&*bed.cache, "a", TAGS).await, None);
    put(bed, "a", TAGS, "asked after").await;
    assert_eq!(body(&*bed.cache, "a", TAGS).await.as_deref(), Some("asked after"));
}

/// However they interleave: after a purge nothing is found that was asked for before it.
async fn purges_and_puts_at_once_leave_nothing_behind(bed: &CacheBed) {
    for round in 0..50 {
        let request = format!("r{round}");
        let at = place(&request, TAGS);
        let epoch = bed.cache.get(&at).await.unwrap().epoch;
        let (cache, entry) = (Arc::clone(&bed.cache), bed.entry("old"));
        let putting = tokio::runtime::Handle::current().spawn({
            let at = at.clone();
            async move { cache.put(&at, &entry, epoch).await.unwrap() }
        });
        bed.cache.purge(&Purge::All).await.unwrap();
        assert_eq!(body(&*bed.cache, &request, TAGS).await, None);
        putting.await.unwrap();
        assert_eq!(body(&*bed.cache, &request, TAGS).await, None);
    }
}

async fn what_is_there_is_counted(bed: &CacheBed) {
    put(bed, "a", TAGS, "hello").await;
    put(bed, "b", TAGS, &"x".repeat(10_000)).await;
    let stats = bed.cache.stats().await.unwrap();
    assert_eq!(stats.entries, 2);
    assert!((10_005..14_000).contains(&stats.bytes), "{stats:?}");
    assert_eq!((bed.cache.gauges().puts, bed.cache.gauges().up), (2, true));
}
