//! What waits for one target, by when it is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use bedplate_core::notice::Notice;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::counts::OfTarget;

/// A notice for one target.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) notice: Arc<Notice>,
    pub(crate) tries: u32,
    /// No try begins after this, but the first.
    pub(crate) give_up: Instant,
}

pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    bell: Notify,
    room: usize,
    /// Counts what waits, with what is being tried.
    counts: Arc<OfTarget>,
}

#[derive(Default)]
struct Waiting {
    /// By when it is due; of those due together, the first that came.
    parcels: BTreeMap<(Instant, u64), Parcel>,
    next: u64,
}

impl Queue {
    pub(crate) fn new(room: usize, counts: Arc<OfTarget>) -> Self {
        Self { waiting: Mutex::default(), bell: Notify::new(), room, counts }
    }

    /// A new one; given back when there is no room.
    pub(crate) fn put(&self, parcel: Parcel) -> Result<(), Parcel> {
        // the desk alone puts new ones there
        if self.counts.waiting.get() >= self.room as u64 {
            return Err(parcel);
        }
        self.counts.waiting.add(1);
        self.put_back(Instant::now(), parcel);
        Ok(())
    }

    /// One that was taken: it has a place.
    pub(crate) fn put_back(&self, due: Instant, parcel: Parcel) {
        let mut waiting = self.waiting.lock();
        let n = waiting.next;
        waiting.next += 1;
        waiting.parcels.insert((due, n), parcel);
        drop(waiting);
        self.bell.notify_one();
    }

    /// When the first is due.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.waiting.lock().parcels.keys().next().map(|(due, _)| *due)
    }

    /// Takes the first, which keeps its place until it is put back or [gone](Self::gone).
    pub(crate) fn take(&self) -> Option<Parcel> {
        self.waiting.lock().parcels.pop_first().map(|(_, parcel)| parcel)
    }

    /// What was taken needs no place any more.
    pub(crate) fn gone(&self) {
        self.counts.waiting.sub(1);
    }

    /// Waits until something was put there.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }
}
