//! A bounded queue that costs its senders next to nothing.
//!
//! Each serving thread has a shard of its own, so a send is one uncontended lock, one reference
//! count and one push. Nobody is woken for a single call: the writer looks by itself every so often,
//! and is woken only when a shard is half full.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use bedplate_core::record::Outcome;
use parking_lot::Mutex;

/// What was lost on the way, by one sink. Shared with the metrics.
#[derive(Debug, Default)]
pub(crate) struct Losses(AtomicU64);

impl Losses {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) struct Inbox {
    shards: Box<[Shard]>,
    /// How many calls a shard holds.
    room: usize,
    pub(crate) losses: Arc<Losses>,
    pub(crate) closing: AtomicBool,
    pub(crate) writer: OnceLock<Thread>,
}

/// Alone on its cache lines.
#[derive(Default)]
#[repr(align(128))]
struct Shard(Mutex<Vec<Arc<Outcome>>>);

impl Inbox {
    /// A queue for `room` calls, over all threads.
    pub(crate) fn new(room: usize) -> Self {
        let shards = shards();
        Self {
            room: (room / shards).max(1),
            shards: (0..shards).map(|_| Shard::default()).collect(),
            losses: Arc::default(),
            closing: AtomicBool::new(false),
            writer: OnceLock::new(),
        }
    }

    /// Hands a call over, or counts it as lost when there is no room. Never waits for the writer.
    pub(crate) fn put(&self, outcome: &Arc<Outcome>) {
        if self.closing.load(Ordering::Relaxed) {
            return self.losses.add(1);
        }
        let mut shard = self.shards[my_shard() % self.shards.len()].0.lock();
        if shard.len() >= self.room {
            drop(shard);
            self.losses.add(1);
            return;
        }
        shard.push(Arc::clone(outcome));
        let half = shard.len() == self.room / 2 + 1;
        drop(shard);
        if half {
            self.wake();
        }
    }

    /// Moves everything that waits to the end of `batch`, in the order in which calls ended.
    pub(crate) fn take(&self, batch: &mut Vec<Arc<Outcome>>) {
        for shard in &self.shards {
            // the fresh list is made before the lock is taken: whoever sends meanwhile waits for a swap
            let n = shard.0.lock().len();
            if n > 0 {
                let mut waiting = Vec::with_capacity(n);
                std::mem::swap(&mut waiting, &mut *shard.0.lock());
                batch.append(&mut waiting);
            }
        }
        batch.sort_by_key(|o| {
            let total = i64::try_from(o.call.timings.total).unwrap_or(i64::MAX);
            o.call.admitted_at.0.saturating_add(total)
        });
    }

    pub(crate) fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}

/// How many shards: one for each thread that may serve.
pub(crate) fn shards() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(64)
}

/// A number that is this thread's own; threads count up from 0.
pub(crate) fn my_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    MINE.with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        mine.get()
    })
}
