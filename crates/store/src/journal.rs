//! The batched writer: calls settle into memory, a task writes them, places are freed after the
//! commit.
//!
//! A call takes a place before it is admitted and keeps it until its row is committed. So memory is
//! bounded, no row is ever dropped, and a ledger that cannot write stops admission instead of
//! losing usage. Settling is one push under an uncontended lock; nobody is woken for it.

mod intake;
mod lanes;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::ports::{Calls, StoreError};
use bedplate_core::record::Outcome;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, watch};

use lanes::Lanes;
use writer::Writer;

/// Takes settled calls and writes them in batches. Dropping it lets the writer finish what is
/// pending; [`Journal::close`] also waits for that.
pub struct Journal {
    shared: Arc<Shared>,
}

/// A place for one row. Dropped without [`Ticket::settle`] it frees the place.
pub struct Ticket {
    shared: Arc<Shared>,
    settled: bool,
}

/// How the writer fares.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Health {
    /// Since when the ledger has refused to take rows; `None` when it takes them.
    pub failing_since: Option<Timestamp>,
    /// Why it refuses.
    pub reason: Option<String>,
    /// Rows settled and not yet committed.
    pub pending: u64,
    /// Places taken: pending rows and calls in flight.
    pub taken: u64,
    /// All places.
    pub places: u64,
    /// Rows committed since the start.
    pub written: u64,
    /// Rows that the ledger takes from nobody, set aside into the log. Not 0 is a bug.
    pub rejected: u64,
}

impl Journal {
    /// Starts the writer on `runtime`. `places` rows may be in flight or pending; a row waits at most
    /// `flush` before it is written.
    pub fn start(
        calls: Arc<dyn Calls>,
        places: u32,
        flush: Duration,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Self {
        let shared = Arc::new(Shared {
            lanes: Lanes::default(),
            places: Semaphore::new(places as usize),
            all: u64::from(places),
            settled: AtomicU64::new(0),
            collected: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            wake: Notify::new(),
            done: watch::Sender::new(Done::default()),
            trouble: Mutex::new(None),
        });
        runtime.spawn(Writer::new(calls, Arc::clone(&shared), flush, clock).run());
        Self { shared }
    }

    /// Takes a place, waiting at most `wait` for one.
    ///
    /// # Errors
    /// What keeps the ledger from writing, [`StoreError::Unavailable`] or [`StoreError::ReadOnly`],
    /// when no place became free in time; [`StoreError::Unavailable`] once the journal is closing.
    pub async fn reserve(&self, wait: Duration) -> Result<Ticket, StoreError> {
        if let Some(ticket) = self.try_reserve() {
            return Ok(ticket);
        }
        match tokio::time::timeout(wait, self.shared.places.acquire()).await {
            Ok(Ok(place)) => {
                place.forget();
                Ok(Ticket { shared: Arc::clone(&self.shared), settled: false })
            }
            Ok(Err(_)) => Err(StoreError::Unavailable("the writer has stopped".into())),
            Err(_) => Err(self.shared.why_full()),
        }
    }

    /// Takes a place if one is free now.
    pub fn try_reserve(&self) -> Option<Ticket> {
        self.shared.places.try_acquire().ok()?.forget();
        Some(Ticket { shared: Arc::clone(&self.shared), settled: false })
    }

    pub fn health(&self) -> Health {
        let shared = &*self.shared;
        let done = *shared.done.borrow();
        let trouble = shared.trouble.lock();
        Health {
            failing_since: trouble.as_ref().map(|t| t.since),
            reason: trouble.as_ref().map(|t| t.error.to_string()),
            pending: shared.settled.load(Ordering::Acquire).saturating_sub(done.rows),
            taken: shared.all.saturating_sub(shared.places.available_permits() as u64),
            places: shared.all,
            written: done.rows.saturating_sub(shared.rejected.load(Ordering::Relaxed)),
            rejected: shared.rejected.load(Ordering::Relaxed),
        }
    }

    /// Waits until every row that was settled before is committed. Waits for as long as the ledger
    /// fails: put a deadline around it.
    pub async fn flush(&self) {
        let target = self.shared.settled.load(Ordering::Acquire);
        self.shared.wake.notify_one();
        // an error means that the writer is gone; `done` then never changes again
        let _ = self.shared.done.subscribe().wait_for(|done| done.ended || done.rows >= target).await;
    }

    /// Gives out no more places, waits until the calls in flight have settled and every row is
    /// committed, and ends the writer. Put a deadline around it.
    pub async fn close(&self) {
        self.shared.close();
        let _ = self.shared.done.subscribe().wait_for(|done| done.ended).await;
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Ticket {
    /// Hands the row over. Does not block, does not fail; the place is freed once it is committed.
    pub fn settle(mut self, outcome: Arc<Outcome>) {
        self.settled = true;
        self.shared.settle(outcome);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.shared.places.add_permits(1);
        }
    }
}

/// As many rows as one transaction takes; that many pending wake the writer early.
const BATCH: usize = 1_000;
const EARLY: u64 = 500;

struct Shared {
    lanes: Lanes,
    places: Semaphore,
    all: u64,
    /// Rows ever settled. Counted before the row is in its lane, so it is never too small.
    settled: AtomicU64,
    /// Rows the writer has collected from the lanes.
    collected: AtomicU64,
    rejected: AtomicU64,
    closing: AtomicBool,
    wake: Notify,
    done: watch::Sender<Done>,
    trouble: Mutex<Option<Trouble>>,
}

/// Rows that are dealt with for good, and whether the writer has ended.
#[derive(Clone, Copy, Default)]
struct Done {
    rows: u64,
    ended: bool,
}

struct Trouble {
    since: Timestamp,
    error: StoreError,
}

impl Shared {
    fn settle(&self, outcome: Arc<Outcome>) {
        let settled = self.settled.fetch_add(1, Ordering::AcqRel) + 1;
        self.lanes.push(outcome);
        // only the one call that crosses the line wakes the writer
        if settled - self.collected.load(Ordering::Relaxed).min(settled) == EARLY {
            self.wake.notify_one();
        }
    }

    fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.places.close();
        self.wake.notify_one();
    }

    fn why_full(&self) -> StoreError {
        match self.trouble.lock().as_ref().map(|t| &t.error) {
            Some(StoreError::ReadOnly(why)) => StoreError::ReadOnly(why.clone()),
            Some(StoreError::Unavailable(why) | StoreError::Corrupt(why) | StoreError::Conflict(why)) => {
                StoreError::Unavailable(why.clone())
            }
            None => StoreError::Unavailable(format!("all {} places for pending rows are taken", self.all)),
        }
    }
}
