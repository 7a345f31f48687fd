//! The last calls and what they came to, for the console: a sink that keeps a bounded picture in
//! memory.
//!
//! Settling pushes a reference into the thread's own lane. Whoever wants to know gathers the lanes
//! and adds them up; the control listener does so every second, so that the lanes stay short.

mod lanes;
mod latency;
pub(crate) mod picture;
mod ring;
mod sums;

use std::collections::VecDeque;
use std::sync::Arc;

use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::ports::Sink;
use bedplate_core::record::Outcome;
use parking_lot::Mutex;

pub use latency::Quantiles;
pub use picture::{CodeLine, Minute, Picture, SpendLine, Window};

use lanes::Lanes;
use ring::Ring;

/// How many calls are kept one by one.
pub const KEPT: usize = 200;
/// The windows that are added up, in minutes.
pub const WINDOWS: [u32; 3] = [1, 5, 60];

/// The last calls of this process, and rolling sums over the last minute, five minutes and hour.
pub struct Live {
    clock: Arc<dyn Clock>,
    lanes: Lanes,
    book: Mutex<Book>,
}

struct Book {
    since: Timestamp,
    /// Newest first.
    recent: VecDeque<Arc<Outcome>>,
    /// Ten seconds each, for the last minute.
    fine: Ring,
    /// A minute each, for longer windows.
    coarse: Ring,
    batch: Vec<Arc<Outcome>>,
}

impl Live {
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let book = Book {
            since: clock.now(),
            recent: VecDeque::with_capacity(KEPT),
            fine: Ring::new(10, 7),
            coarse: Ring::new(60, 61),
            batch: Vec::new(),
        };
        Arc::new(Self { clock, lanes: Lanes::default(), book: Mutex::new(book) })
    }

    /// Adds up what has settled since the last time.
    pub fn gather(&self) {
        self.book.lock().gather(&self.lanes, self.clock.now());
    }

    /// The newest calls, newest first; at most [`KEPT`].
    pub fn recent(&self, most: usize) -> Vec<Arc<Outcome>> {
        let mut book = self.book.lock();
        book.gather(&self.lanes, self.clock.now());
        book.recent.iter().take(most).cloned().collect()
    }

    /// What the last calls came to.
    pub fn picture(&self) -> Picture {
        let mut book = self.book.lock();
        let now = self.clock.now();
        book.gather(&self.lanes, now);
        let windows = WINDOWS.map(|minutes| {
            let ring = if minutes == 1 { &book.fine } else { &book.coarse };
            let (sums, seconds) = ring.last(minutes, now, book.since);
            Window::of(minutes, seconds, &sums)
        });
        Picture {
            at: now,
            since: book.since,
            in_flight: self.lanes.open(),
            missed: self.lanes.missed(),
            windows: windows.into(),
            minutes: book.coarse.minutes(now).map(|(at, sums)| Minute::of(at, sums)).collect(),
        }
    }

    /// Shows calls of an earlier process among the last calls. They count in no window: nobody knows
    /// how many others there were.
    pub fn recall(&self, older: Vec<Outcome>) {
        let mut book = self.book.lock();
        book.gather(&self.lanes, self.clock.now());
        for outcome in older {
            if book.recent.len() < KEPT && book.recent.iter().all(|o| o.call.id != outcome.call.id) {
                book.recent.push_back(Arc::new(outcome));
            }
        }
    }
}

impl Sink for Live {
    fn begun(&self) {
        self.lanes.begin();
    }

    fn settle(&self, outcome: &Arc<Outcome>) {
        self.lanes.push(outcome);
    }
}

impl Book {
    fn gather(&mut self, lanes: &Lanes, now: Timestamp) {
        let mut batch = std::mem::take(&mut self.batch);
        lanes.collect(&mut batch);
        batch.sort_by_key(|o| ended(o));
        for outcome in batch.drain(..) {
            // a clock that was set back must not lose what it settles
            let at = ended(&outcome).min(now);
            self.fine.count(at, now, &outcome);
            self.coarse.count(at, now, &outcome);
            self.recent.truncate(KEPT - 1);
            self.recent.push_front(outcome);
        }
        batch.shrink_to(1_024);
        self.batch = batch;
    }
}

/// When a call was settled.
fn ended(outcome: &Outcome) -> Timestamp {
    let total = i64::try_from(outcome.call.timings.total).unwrap_or(i64::MAX);
    Timestamp(outcome.call.admitted_at.0.saturating_add(total))
}
