//! Bounds of the cache in memory.

use bedplate_store::Room;
use bedplate_testkit::ManualClock;

use super::bed::{CacheBed, TAGS, memory, place};

async fn fill(room: Room, n: usize, bytes: usize) -> (u64, u64) {
    let bed = CacheBed::memory().await;
    let cache = memory(room, &ManualClock::at("2026-11-22T12:00:00Z"));
    let entry = bed.entry(&"x".repeat(bytes));
    for request in 0..n {
        let place = place(&request.to_string(), TAGS);
        let epoch = cache.get(&place).await.unwrap().epoch;
        cache.put(&place, &entry, epoch).await.unwrap();
    }
    let stats = cache.stats().await.unwrap();
    (stats.entries, stats.bytes)
}

#[tokio::test]
async fn there_are_never_more_bytes_than_there_is_room_for() {
    let (entries, bytes) = fill(Room { bytes: 1 << 20, entries: 1_000_000 }, 2_000, 8_000).await;
    assert!(bytes <= 1 << 20, "{bytes}");
    assert!(entries > 80, "most of the room is used: {entries}");
}

#[tokio::test]
async fn there_are_never_more_entries_than_there_is_room_for() {
    let (entries, _) = fill(Room { bytes: 64 << 20, entries: 100 }, 2_000, 10).await;
    assert!((50..=100).contains(&entries), "{entries}");
}

#[tokio::test]
async fn the_largest_entry_that_a_rule_may_keep_fits() {
    let room = Room { bytes: 1 << 20, entries: 1_000_000 };
    assert_eq!(fill(room, 1, (1 << 16) - 1_024).await.0, 1);
}
