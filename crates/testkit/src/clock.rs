use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bedplate_core::clock::{Clock, Tick, Timestamp};

/// A clock that stands still until it is told. Clones share one hand.
#[derive(Clone)]
pub struct ManualClock {
    began: i64,
    now: Arc<AtomicI64>,
}

impl ManualClock {
    /// A clock that shows `rfc3339`.
    pub fn at(rfc3339: &str) -> Self {
        let now = Timestamp::parse(rfc3339).expect("an RFC 3339 time").0;
        Self { began: now, now: Arc::new(AtomicI64::new(now)) }
    }

    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).expect("a length of time that fits");
        self.now.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn tick(&self) -> Tick {
        let micros = self.now.load(Ordering::SeqCst) - self.began;
        Tick(u64::try_from(micros).unwrap_or(0) * 1_000)
    }
}
