//! What is Redis' own: what can be read there, and what happens when it is gone, slow or comes back.

use std::time::Duration;

use bedplate_core::cache::{Cache, CacheError, Purge};
use bedplate_testkit::ManualClock;

use super::bed::{CacheBed, DEADLINE, TAGS, is_down, is_up, master, open, place, redis, redis_url};
use super::wire::Wire;

async fn put(bed: &CacheBed, cache: &dyn Cache, request: &str, body: &str) {
    let place = place(request, TAGS);
    let epoch = cache.get(&place).await.unwrap().epoch;
    cache.put(&place, &bed.entry(body), epoch).await.unwrap();
}

async fn names(url: &str) -> Vec<String> {
    redis(url, &["KEYS", "*"]).await
}

#[tokio::test]
async fn nothing_of_an_answer_can_be_read_there() {
    let bed = CacheBed::redis().await;
    let url = bed.url.clone().unwrap();
    put(&bed, &*bed.cache, "a", "the patient's name is Doe").await;
    let name = names(&url).await.remove(0);
    let stored: Vec<u8> = redis(&url, &["GET", &name]).await;
    for word in ["patient", "Doe", "end_turn", "application/json", "us-east-1"] {
        assert!(!stored.windows(word.len()).any(|at| at == word.as_bytes()), "{word}");
    }
    let key = hex::encode(place("a", TAGS).key.bytes());
    assert!(!name.contains(&key), "a guessed question could be looked for");
    let left: i64 = redis(&url, &["PTTL", &name]).await;
    assert!((1..=4_200_000).contains(&left), "{left}");
}

#[tokio::test]
async fn an_entry_opens_only_in_its_own_place() {
    let bed = CacheBed::redis().await;
    let url = bed.url.clone().unwrap();
    put(&bed, &*bed.cache, "a", "hello").await;
    let mine = names(&url).await.remove(0);
    put(&bed, &*bed.cache, "b", "other").await;
    let other = names(&url).await.into_iter().find(|name| *name != mine).unwrap();
    let _: i64 = redis(&url, &["COPY", &mine, &other, "REPLACE"]).await;
    assert!(is_nothing(&bed, "b").await);
    for (at, with) in [("0", "\u{2}"), ("60", "x"), ("400", "x")] {
        put(&bed, &*bed.cache, "a", "hello").await;
        let _: i64 = redis(&url, &["SETRANGE", &mine, at, with]).await;
        assert!(is_nothing(&bed, "a").await, "changed at {at}");
    }
    let _: String = redis(&url, &["SET", &mine, "junk"]).await;
    assert!(is_nothing(&bed, "a").await);
    assert!(bed.cache.gauges().failures >= 5, "each is counted");
    assert_eq!(bed.cache.purge(&Purge::All).await.unwrap(), 2, "what cannot be read is purged, too");
}

async fn is_nothing(bed: &CacheBed, request: &str) -> bool {
    bed.cache.get(&place(request, TAGS)).await.unwrap().entry.is_none()
}

#[tokio::test]
async fn nodes_with_another_master_key_find_nothing() {
    let bed = CacheBed::redis().await;
    put(&bed, &*bed.cache, "a", "hello").await;
    let stranger = open(bed.url.as_ref().unwrap(), &bed.clock, &master(2), DEADLINE);
    is_up(&*stranger).await;
    assert!(stranger.get(&place("a", TAGS)).await.unwrap().entry.is_none());
}

#[tokio::test]
async fn a_server_that_is_not_there_costs_nothing_and_is_found_when_it_comes() {
    let bed = CacheBed::redis().await;
    let wire = Wire::to(bed.url.as_ref().unwrap()).await;
    wire.cut();
    let cache = open(&wire.url, &bed.clock, &master(1), DEADLINE);
    assert!(matches!(cache.get(&place("a", TAGS)).await, Err(CacheError::Unavailable(_))));
    assert!(!cache.gauges().up);
    wire.mend();
    is_up(&*cache).await;
    put(&bed, &*cache, "a", "hello").await;
    assert!(cache.get(&place("a", TAGS)).await.unwrap().entry.is_some());
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_after_three_questions() {
    let bed = CacheBed::redis().await;
    let wire = Wire::to(bed.url.as_ref().unwrap()).await;
    let cache = open(&wire.url, &bed.clock, &master(1), Duration::from_millis(500));
    is_up(&*cache).await;
    put(&bed, &*cache, "a", "hello").await;
    wire.hold();
    for _ in 0..3 {
        assert!(cache.gauges().up);
        assert!(matches!(cache.get(&place("a", TAGS)).await, Err(CacheError::Unavailable(_))));
    }
    assert!(!cache.gauges().up);
    // from now on nobody waits: a thousand questions take no thousand deadlines
    let failures = cache.gauges().failures;
    for _ in 0..1_000 {
        assert!(cache.get(&place("a", TAGS)).await.is_err());
    }
    assert_eq!(cache.gauges().failures, failures + 1_000);
    wire.mend();
    is_up(&*cache).await;
    assert!(cache.get(&place("a", TAGS)).await.unwrap().entry.is_some());
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_again() {
    let bed = CacheBed::redis().await;
    let wire = Wire::to(bed.url.as_ref().unwrap()).await;
    let cache = open(&wire.url, &bed.clock, &master(1), DEADLINE);
    is_up(&*cache).await;
    put(&bed, &*cache, "a", "hello").await;
    wire.cut();
    while cache.get(&place("a", TAGS)).await.is_ok() {}
    is_down(&*cache).await;
    wire.mend();
    is_up(&*cache).await;
    assert!(cache.get(&place("a", TAGS)).await.unwrap().entry.is_some());
}

#[tokio::test]
async fn a_purge_that_cannot_be_made_says_so() {
    let bed = CacheBed::redis().await;
    let wire = Wire::to(bed.url.as_ref().unwrap()).await;
    let cache = open(&wire.url, &bed.clock, &master(1), DEADLINE);
    is_up(&*cache).await;
    wire.cut();
    assert!(cache.purge(&Purge::All).await.is_err());
}

#[tokio::test]
async fn a_url_that_is_none_is_said_without_its_password() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    std::fs::write(&file, "http://user:hunter2@example").unwrap();
    let hot = bedplate_store::HotConfig::Redis(bedplate_core::setting::SecretRef::File(file));
    let key = master(1);
    let means = bedplate_store::Means {
        room: super::bed::ROOM,
        deadline: DEADLINE,
        master: &key,
        ids: bedplate_core::ids::SystemIds::shared(),
        clock: std::sync::Arc::new(ManualClock::at("2026-11-22T12:00:00Z")),
        runtime: &tokio::runtime::Handle::current(),
    };
    let said = hot.cache(means).err().unwrap().to_string();
    assert!(!said.contains("hunter2") && said.contains("not a URL"), "{said}");
}

#[tokio::test]
async fn a_purge_finds_all_of_many() {
    let bed = CacheBed::redis().await;
    for n in 0..2_500 {
        put(&bed, &*bed.cache, &n.to_string(), "x").await;
    }
    assert_eq!(bed.cache.purge(&Purge::Team("support".into())).await.unwrap(), 2_500);
    assert!(names(bed.url.as_ref().unwrap()).await.iter().all(|name| !name.contains(":e:")));
}

#[tokio::test]
async fn databases_of_tests_are_their_own() {
    assert_ne!(redis_url().await, redis_url().await);
}
