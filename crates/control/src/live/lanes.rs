//! Where settled calls wait to be added up: a lane for each few threads, so that threads do not
//! contend.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use bedplate_core::record::Outcome;
use parking_lot::Mutex;

const LANES: usize = 16;
/// How many calls a lane holds. At one look a second that is 4,096 calls a second and thread; what
/// comes on top is counted as missed.
const ROOM: usize = 4_096;

#[derive(Default)]
pub(super) struct Lanes([Lane; LANES]);

/// Alone on its cache line, and on the neighbour that processors fetch along.
#[derive(Default)]
#[repr(align(128))]
struct Lane {
    waiting: Mutex<Vec<Arc<Outcome>>>,
    /// Calls begun less calls settled. A call may end on another thread than it began on: only the
    /// sum over all lanes has a meaning.
    open: AtomicI64,
    missed: AtomicU64,
}

impl Lanes {
    pub(super) fn begin(&self) {
        self.mine().open.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a call, or counts it as missed when the lane is full.
    pub(super) fn push(&self, outcome: &Arc<Outcome>) {
        let lane = self.mine();
        lane.open.fetch_sub(1, Ordering::Relaxed);
        let mut waiting = lane.waiting.lock();
        if waiting.len() < ROOM {
            waiting.push(Arc::clone(outcome));
        } else {
            lane.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Moves everything that waits to the end of `batch`.
    pub(super) fn collect(&self, batch: &mut Vec<Arc<Outcome>>) {
        for lane in &self.0 {
            batch.append(&mut lane.waiting.lock());
        }
    }

    /// Calls in flight.
    pub(super) fn open(&self) -> u64 {
        let open: i64 = self.0.iter().map(|l| l.open.load(Ordering::Relaxed)).sum();
        u64::try_from(open).unwrap_or(0)
    }

    /// Calls that found no room, since the start.
    pub(super) fn missed(&self) -> u64 {
        self.0.iter().map(|l| l.missed.load(Ordering::Relaxed)).sum()
    }

    fn mine(&self) -> &Lane {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % LANES);
        }
        // a thread that is ending has no locals any more; any lane will do
        &self.0[MINE.try_with(Cell::get).unwrap_or(0)]
    }
}
