//! How long a row waits for its write, on paused time: the bound that `[store] flush` states.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::ids::Ids as _;
use bedplate_core::ports::{CallFilter, Calls, StoreError, Total};
use bedplate_core::record::Outcome;
use bedplate_store::Journal;
use bedplate_testkit::{ManualClock, SeededIds};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::outcomes::{answered, at};

const FLUSH: Duration = Duration::from_millis(50);
/// Timers of tokio's are a millisecond coarse.
const COARSE: Duration = Duration::from_millis(2);

/// A ledger whose writes take as long as chance says, and which writes down when they were.
struct Slow {
    chance: SeededIds,
    longest: u64,
    writes: Mutex<Vec<(Instant, Instant)>>,
    begun: Mutex<BTreeMap<CallId, Instant>>,
}

#[async_trait]
impl Calls for Slow {
    async fn append(&self, batch: &[Arc<Outcome>]) -> Result<(), StoreError> {
        let began = Instant::now();
        self.begun.lock().extend(batch.iter().map(|o| (o.call.id, began)));
        tokio::time::sleep(Duration::from_millis(below(&self.chance, self.longest))).await;
        self.writes.lock().push((began, Instant::now()));
        Ok(())
    }

    async fn call(&self, _: CallId) -> Result<Option<Outcome>, StoreError> {
        Ok(None)
    }

    async fn recent(&self, _: &CallFilter, _: u32) -> Result<Vec<Outcome>, StoreError> {
        Ok(Vec::new())
    }

    async fn totals(&self, _: Timestamp, _: Timestamp) -> Result<Vec<Total>, StoreError> {
        Ok(Vec::new())
    }

    async fn retain(&self, _: Timestamp) -> Result<u32, StoreError> {
        Ok(0)
    }
}

fn below(chance: &SeededIds, n: u64) -> u64 {
    let mut bytes = [0; 8];
    chance.fill(&mut bytes);
    u64::from_le_bytes(bytes) % n.max(1)
}

/// A row's write begins within a flush of its settling, or as soon as the write before it has ended.
#[tokio::test(start_paused = true)]
async fn no_row_waits_longer_than_a_flush_or_the_write_before_it() {
    for (seed, longest) in [(1, 1), (2, 10), (3, 40), (4, 200)] {
        let chance = SeededIds::new(seed);
        let slow = Arc::new(Slow {
            chance: SeededIds::new(seed + 100),
            longest,
            writes: Mutex::default(),
            begun: Mutex::default(),
        });
        let clock = Arc::new(ManualClock::at("2026-11-22T12:00:00Z"));
        let journal = Journal::start(slow.clone(), 10_000, FLUSH, clock, &Handle::current());
        let ids = SeededIds::new(seed);
        let mut settled = Vec::new();
        for _ in 0..2_000 {
            let row = Arc::new(answered(&ids, at("2026-11-22T12:00:00Z")));
            settled.push((row.call.id, Instant::now()));
            journal.reserve(Duration::from_secs(60)).await.unwrap().settle(row);
            // now and then a pause in which the writer has nothing to do
            let pause = if below(&chance, 20) == 0 { 300 } else { 4 };
            tokio::time::sleep(Duration::from_millis(below(&chance, pause))).await;
        }
        journal.close().await;
        let (begun, writes) = (slow.begun.lock(), slow.writes.lock());
        for (id, at) in settled {
            let waited = begun[&id] - at;
            let under_way = writes.iter().find(|(from, to)| *from <= at && at <= *to);
            let bound = under_way.map_or(FLUSH, |(_, to)| *to - at) + COARSE;
            assert!(waited <= bound, "seed {seed}: a row waited {waited:?}, not {bound:?}");
        }
    }
}
