//! The journal on real ledgers that fail on cue: rows and sums are those of one writing.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Timestamp;
use bedplate_core::ports::{CallFilter, Calls};
use bedplate_store::Journal;
use bedplate_testkit::SeededIds;
use tokio::runtime::Handle;

use crate::bed::{Bed, clock};
use crate::faulty::{Cue, Faulty};
use crate::outcomes::{answered, at};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_counts_once_what_was_written_twice() {
    counts_once(Bed::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_counts_once_what_was_written_twice() {
    counts_once(Bed::postgres().await).await;
}

async fn counts_once(bed: Bed) {
    let calls: Arc<dyn Calls> = bed.ledger.clone();
    let cues = vec![Cue::After, Cue::Before, Cue::After, Cue::Succeed, Cue::After, Cue::Full];
    let faulty = Faulty::new(calls, cues);
    let journal =
        Journal::start(faulty.clone(), 10_000, Duration::from_millis(10), clock(), &Handle::current());
    let ids = SeededIds::new(1);
    for n in 0..3_000 {
        let ticket = journal.reserve(Duration::from_secs(20)).await.unwrap();
        ticket.settle(Arc::new(answered(&ids, at("2026-11-22T12:00:00Z"))));
        if n % 500 == 0 {
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }
    tokio::time::timeout(Duration::from_secs(30), journal.close()).await.unwrap();
    let rows = bed.ledger.recent(&CallFilter::default(), 10_000).await.unwrap();
    assert_eq!(rows.len(), 3_000);
    assert!(rows.iter().all(|o| o.attempts.len() == 2));
    let totals = bed.ledger.totals(Timestamp(0), Timestamp(i64::MAX)).await.unwrap();
    assert_eq!((totals.len(), totals[0].calls, totals[0].usage.output), (1, 3_000, 150_000));
    assert_eq!(totals[0].cost.priced().0, 3_000 * 1_234_567);
    bed.end().await;
}
