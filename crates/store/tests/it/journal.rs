//! The batched writer: nothing is lost, nothing is counted twice, nobody waits for ever.

mod ledgers;
mod simulation;
mod waits;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bedplate_core::ports::{Intake, StoreError};
use bedplate_core::record::Outcome;
use bedplate_store::{Journal, Ticket};
use bedplate_testkit::{ManualClock, SeededIds};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::faulty::{Cue, Faulty, Memory};
use crate::outcomes::{answered, at};

pub(crate) struct Desk {
    pub(crate) memory: Arc<Memory>,
    pub(crate) faulty: Arc<Faulty>,
    pub(crate) journal: Journal,
    pub(crate) ids: SeededIds,
    clock: ManualClock,
}

impl Desk {
    pub(crate) fn new(places: u32, cues: Vec<Cue>) -> Self {
        let memory = Arc::<Memory>::default();
        let faulty = Faulty::new(memory.clone(), cues);
        let clock = ManualClock::at("2026-11-22T12:00:00Z");
        let journal = Journal::start(
            faulty.clone(),
            places,
            Duration::from_millis(50),
            Arc::new(clock.clone()),
            &Handle::current(),
        );
        Self { memory, faulty, journal, ids: SeededIds::new(7), clock }
    }

    pub(crate) fn outcome(&self) -> Arc<Outcome> {
        Arc::new(answered(&self.ids, at("2026-11-22T12:00:00Z")))
    }

    async fn ticket(&self) -> Ticket {
        self.journal.reserve(Duration::from_secs(1)).await.unwrap()
    }

    async fn settle(&self) {
        self.ticket().await.settle(self.outcome());
    }

    pub(crate) fn stored(&self) -> usize {
        self.memory.calls.lock().len()
    }
}

#[tokio::test(start_paused = true)]
async fn rows_wait_for_the_next_flush_and_go_in_one_batch() {
    let desk = Desk::new(100, vec![]);
    for _ in 0..20 {
        desk.settle().await;
    }
    assert_eq!((desk.stored(), desk.journal.health().pending), (0, 20));
    tokio::time::sleep(Duration::from_millis(56)).await;
    assert_eq!((desk.stored(), desk.journal.health().pending), (20, 0));
    assert_eq!(desk.faulty.appends.load(Ordering::SeqCst), 1);
    assert_eq!((desk.journal.health().taken, desk.journal.health().written), (0, 20));
}

#[tokio::test(start_paused = true)]
async fn many_rows_do_not_wait_for_the_flush() {
    let desk = Desk::new(2_000, vec![]);
    tokio::time::sleep(Duration::from_millis(1)).await;
    for _ in 0..500 {
        desk.settle().await;
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(desk.stored(), 500);
}

#[tokio::test(start_paused = true)]
async fn flush_waits_for_all_that_was_settled_before() {
    let desk = Desk::new(5_000, vec![Cue::Before, Cue::After]);
    for _ in 0..3_000 {
        desk.settle().await;
    }
    desk.journal.flush().await;
    assert_eq!(desk.stored(), 3_000);
}

#[tokio::test(start_paused = true)]
async fn places_are_free_after_the_commit_and_not_before() {
    let desk = Desk::new(4, vec![]);
    for _ in 0..4 {
        desk.settle().await;
    }
    assert!(desk.journal.try_reserve().is_none());
    let began = Instant::now();
    let ticket = desk.ticket().await;
    assert!(began.elapsed() >= Duration::from_millis(3), "the commit takes 3 ms");
    assert_eq!(desk.stored(), 4);
    drop(ticket);
    assert_eq!(desk.journal.health().taken, 0, "a ticket dropped frees its place");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_says_why_when_the_wait_is_over() {
    let desk = Desk::new(2, vec![]);
    let held = [desk.ticket().await, desk.ticket().await];
    let began = Instant::now();
    let e = desk.journal.reserve(Duration::from_millis(300)).await.err().unwrap();
    assert_eq!(began.elapsed().as_millis(), 300);
    assert!(matches!(&e, StoreError::Unavailable(why) if why.contains("all 2 places")), "{e}");

    desk.faulty.cue(&[Cue::Full; 60]);
    held.into_iter().for_each(|t| t.settle(desk.outcome()));
    desk.clock.advance(Duration::from_secs(9));
    let e = desk.journal.reserve(Duration::from_secs(2)).await.err().unwrap();
    assert!(matches!(&e, StoreError::ReadOnly(why) if why == "the disk is full"), "{e}");
    let health = desk.journal.health();
    assert_eq!(health.failing_since, Some(at("2026-11-22T12:00:09Z")));
    assert_eq!(health.reason.as_deref(), Some("the ledger cannot write: the disk is full"));
    assert_eq!((health.pending, health.taken, health.places), (2, 2, 2));

    desk.faulty.heal();
    desk.journal.reserve(Duration::from_secs(5)).await.unwrap();
    assert_eq!(desk.stored(), 2, "nothing was dropped");
    assert_eq!(desk.journal.health().failing_since, None);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_nobody_takes_does_not_hold_up_the_others() {
    let desk = Desk::new(3_000, vec![]);
    let bad = desk.outcome();
    *desk.faulty.poison.lock() = Some(bad.call.id);
    for n in 0..2_000 {
        if n == 700 {
            desk.ticket().await.settle(bad.clone());
        }
        desk.settle().await;
    }
    desk.journal.flush().await;
    let health = desk.journal.health();
    assert_eq!((desk.stored(), health.written, health.rejected), (2_000, 2_000, 1));
    assert_eq!((health.pending, health.taken, health.failing_since), (0, 0, None));
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_takes_nothing_gets_nothing_rejected() {
    let desk = Desk::new(100, vec![]);
    let bad = desk.outcome();
    *desk.faulty.poison.lock() = Some(bad.call.id);
    desk.ticket().await.settle(bad.clone());
    tokio::time::sleep(Duration::from_secs(60)).await;
    let health = desk.journal.health();
    assert_eq!((health.pending, health.rejected), (1, 0), "alone it may be the ledger's fault");
    assert!(health.failing_since.is_some());
    *desk.faulty.poison.lock() = None;
    desk.journal.flush().await;
    assert!(desk.memory.calls.lock().contains_key(&bad.call.id));
}

#[tokio::test(start_paused = true)]
async fn close_waits_for_calls_in_flight_and_gives_no_more_places() {
    let desk = Desk::new(100, vec![Cue::Before]);
    let late = desk.ticket().await;
    desk.settle().await;
    let outcome = desk.outcome();
    let settling = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(desk.journal.reserve(Duration::from_secs(1)).await.is_err());
        late.settle(outcome);
    };
    tokio::join!(desk.journal.close(), settling);
    assert_eq!(desk.stored(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_dropped_still_writes() {
    let desk = Desk::new(100, vec![]);
    let ticket = desk.ticket().await;
    let outcome = desk.outcome();
    drop(desk.journal);
    ticket.settle(outcome);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(desk.memory.calls.lock().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_too_slow_for_whole_batches_gets_smaller_ones() {
    let desk = Desk::new(3_000, vec![]);
    desk.faulty.most.store(60, Ordering::SeqCst);
    for _ in 0..2_000 {
        desk.settle().await;
    }
    tokio::time::timeout(Duration::from_secs(60), desk.journal.flush()).await.unwrap();
    assert_eq!(desk.stored(), 2_000);
}

/// What the pipeline uses: it counts the places itself.
#[tokio::test(start_paused = true)]
async fn as_an_intake_it_counts_places_without_tickets() {
    let desk = Desk::new(3, vec![]);
    let intake: &dyn Intake = &desk.journal;
    assert!(intake.try_reserve() && intake.try_reserve());
    intake.reserve().await.unwrap();
    assert!(!intake.try_reserve());
    assert!(matches!(intake.why_full(), StoreError::Unavailable(_)));
    intake.release();
    intake.settle(desk.outcome());
    intake.settle(desk.outcome());
    assert_eq!((desk.journal.health().taken, desk.journal.health().pending), (2, 2));
    desk.journal.close().await;
    assert_eq!((desk.stored(), desk.journal.health().taken), (2, 0));
    assert!(intake.reserve().await.is_err() && !intake.try_reserve());
}

#[test]
fn nobody_waits_for_a_writer_whose_runtime_is_gone() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let desk = runtime.block_on(async { Desk::new(10, vec![]) });
    runtime.shutdown_timeout(Duration::from_secs(1));
    let here = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    here.block_on(async {
        tokio::time::timeout(Duration::from_secs(5), desk.journal.flush()).await.unwrap();
        let e = desk.journal.reserve(Duration::from_secs(1)).await.err().unwrap();
        assert!(matches!(e, StoreError::Unavailable(_)), "{e}");
    });
}

#[test]
fn threads_settle_at_once_and_nothing_is_lost() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let desk = runtime.block_on(async { Desk::new(300, vec![Cue::After, Cue::Before]) });
    std::thread::scope(|scope| {
        for n in 0..8u64 {
            let (journal, seed) = (&desk.journal, 1_000 + n);
            scope.spawn(move || {
                let local = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let ids = SeededIds::new(seed);
                local.block_on(async {
                    for _ in 0..1_000 {
                        let ticket = journal.reserve(Duration::from_secs(20)).await.unwrap();
                        ticket.settle(Arc::new(answered(&ids, at("2026-11-22T12:00:00Z"))));
                    }
                });
            });
        }
    });
    runtime.block_on(desk.journal.close());
    assert_eq!((desk.stored(), desk.journal.health().written), (8_000, 8_000));
}
