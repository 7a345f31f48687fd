//! A gauge that many threads move without meeting.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::inbox::{my_shard, shards};

/// How many have begun and not ended. Only the sum over all threads means something: a call may end
/// on another thread than it began on.
pub(crate) struct Gauge(Box<[OfThread]>);

/// Alone on its cache lines.
#[derive(Default)]
#[repr(align(128))]
struct OfThread(AtomicI64);

impl Gauge {
    pub(crate) fn new() -> Self {
        Self((0..shards()).map(|_| OfThread::default()).collect())
    }

    pub(crate) fn add(&self, n: i64) {
        self.0[my_shard() % self.0.len()].0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn sum(&self) -> i64 {
        self.0.iter().map(|t| t.0.load(Ordering::Relaxed)).sum()
    }
}
