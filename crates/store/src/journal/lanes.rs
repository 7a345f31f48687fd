//! Where settled rows wait: one lane for each few threads, so that threads do not contend.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bedplate_core::record::Outcome;
use parking_lot::Mutex;

const LANES: usize = 16;

#[derive(Default)]
pub(super) struct Lanes([Lane; LANES]);

/// A cache line (and its neighbour, which processors fetch along) of its own.
#[derive(Default)]
#[repr(align(128))]
struct Lane(Mutex<Vec<Arc<Outcome>>>);

impl Lanes {
    pub(super) fn push(&self, outcome: Arc<Outcome>) {
        self.0[mine()].0.lock().push(outcome);
    }

    /// Moves everything out through `take`; lanes keep their room.
    pub(super) fn collect(&self, mut take: impl FnMut(Arc<Outcome>)) {
        let mut rows = Vec::new();
        for lane in &self.0 {
            rows.append(&mut lane.0.lock());
        }
        rows.into_iter().for_each(&mut take);
    }
}

/// This thread's lane.
fn mine() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % LANES);
    }
    // a thread that is ending has no locals any more; any lane will do
    MINE.try_with(Cell::get).unwrap_or(0)
}
