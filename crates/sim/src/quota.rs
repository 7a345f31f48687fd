//! Requests and tokens per minute, reserved on arrival and settled at the end.
//!
//! On arrival a call reserves its whole prompt and the most it may write; at the end the reserve is
//! settled to input + cache writes + output × burndown, and the rest is given back. Somebody else may use a
//! part of the tokens, evenly: less flows off for those who call here.

use std::collections::BTreeMap;
use std::sync::Arc;

use bedplate_core::clock::{Clock, Tick};
use parking_lot::Mutex;

use crate::errors::AwsError;

/// The buckets of every (region, model).
pub(crate) struct Quotas {
    clock: Arc<dyn Clock>,
    time_scale: f64,
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

/// What a model allows in a minute.
#[derive(Clone, Copy, Default)]
pub(crate) struct Limits {
    pub(crate) rpm: Option<u64>,
    pub(crate) tpm: Option<u64>,
    /// Tokens that somebody else uses.
    pub(crate) others: u64,
}

/// Two leaky buckets: what was used flows off over a minute.
struct Bucket {
    at: Tick,
    requests: f64,
    tokens: f64,
    seen: Count,
}

/// What became of the calls so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) admitted: u64,
    pub(crate) throttled: u64,
    /// Quota tokens of calls that have ended.
    pub(crate) settled: u64,
}

/// What a call holds of its model's quota. Dropped unsettled, all of it stays used.
pub(crate) struct Reservation {
    quotas: Arc<Quotas>,
    key: String,
    reserved: u64,
    settled: Option<u64>,
}

impl Quotas {
    pub(crate) fn new(clock: Arc<dyn Clock>, time_scale: f64) -> Self {
        Self { clock, time_scale, buckets: Mutex::default() }
    }

    /// What became of the calls of each (region, model) that has limits.
    pub(crate) fn counts(&self) -> Vec<(String, Count)> {
        self.buckets.lock().iter().map(|(key, b)| (key.clone(), b.seen)).collect()
    }

    /// Takes `tokens` from the bucket `key`, or says why not. None when there is no limit.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        key: String,
        limits: Limits,
        tokens: u64,
    ) -> Result<Option<Reservation>, AwsError> {
        let Limits { rpm, tpm, others } = limits;
        if rpm.is_none() && tpm.is_none() {
            return Ok(None);
        }
        let now = self.clock.tick();
        let mut buckets = self.buckets.lock();
        let b = buckets.entry(key.clone()).or_insert_with(|| Bucket::new(now));
        let minutes = now.since(b.at).as_secs_f64() * self.time_scale / 60.0;
        b.at = now;
        b.requests = (b.requests - minutes * float(rpm.unwrap_or(0))).max(0.0);
        b.tokens = (b.tokens - minutes * float(tpm.unwrap_or(0).saturating_sub(others))).max(0.0);
        if rpm.is_some_and(|most| b.requests + 1.0 > float(most)) {
            b.seen.throttled += 1;
            return Err(AwsError::throttled("Too many requests, please wait before trying again."));
        }
        if tpm.is_some_and(|most| b.tokens + float(tokens) > float(most)) {
            b.seen.throttled += 1;
            return Err(AwsError::throttled("Too many tokens, please wait before trying again."));
        }
        b.seen.admitted += 1;
        b.requests += 1.0;
        b.tokens += float(tokens);
        Ok(Some(Reservation { quotas: self.clone(), key, reserved: tokens, settled: None }))
    }
}

impl Bucket {
    fn new(now: Tick) -> Self {
        Self { at: now, requests: 0.0, tokens: 0.0, seen: Count::default() }
    }
}

impl Reservation {
    /// What the call will turn out to have used, once it ends.
    pub(crate) fn settle_at(&mut self, tokens: u64) {
        self.settled = Some(tokens);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(used) = self.settled else { return };
        if let Some(b) = self.quotas.buckets.lock().get_mut(&self.key) {
            b.tokens = (b.tokens - float(self.reserved) + float(used)).max(0.0);
            b.seen.settled += used;
        }
    }
}

fn float(n: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "quotas are far below 2^53")]
    let n = n as f64;
    n
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_core::clock::Timestamp;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A clock that stands still until it is told.
    #[derive(Default)]
    struct Still(AtomicU64);

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_secs(0)
        }

        fn tick(&self) -> Tick {
            Tick(self.0.load(Ordering::SeqCst))
        }
    }

    #[test]
    fn a_reserve_is_settled_and_flows_off() {
        let clock = Arc::new(Still::default());
        let quotas = Arc::new(Quotas::new(clock.clone(), 1.0));
        let limits = Limits { tpm: Some(10_000), ..Limits::default() };
        let take = |n| quotas.reserve("m".into(), limits, n);
        let mut held = take(8_000).unwrap().unwrap();
        assert!(take(3_000).is_err());
        held.settle_at(1_000);
        drop(held);
        let mut again = take(9_000).unwrap().unwrap();
        again.settle_at(9_000);
        drop(again);
        assert!(take(1).is_err());
        clock.0.store(30_000_000_000, Ordering::SeqCst);
        assert!(take(5_001).is_err());
        assert!(take(5_000).is_ok());
        let (key, seen) = quotas.counts().remove(0);
        assert_eq!((key.as_str(), seen.admitted, seen.throttled, seen.settled), ("m", 3, 3, 10_000));
    }

    #[test]
    fn what_others_use_does_not_flow_off() {
        let clock = Arc::new(Still::default());
        let quotas = Arc::new(Quotas::new(clock.clone(), 1.0));
        let limits = Limits { tpm: Some(10_000), others: 4_000, ..Limits::default() };
        let take = |n| quotas.reserve("m".into(), limits, n);
        assert!(take(10_000).is_ok());
        clock.0.store(30_000_000_000, Ordering::SeqCst);
        assert!(take(3_001).is_err());
        assert!(take(3_000).is_ok());
    }

    #[test]
    fn requests_are_counted_and_time_scales() {
        let clock = Arc::new(Still::default());
        let quotas = Arc::new(Quotas::new(clock.clone(), 60.0));
        let limits = Limits { rpm: Some(2), ..Limits::default() };
        let take = || quotas.reserve("m".into(), limits, 1);
        assert!(take().is_ok() && take().is_ok());
        assert!(take().err().unwrap().message.starts_with("Too many requests"));
        clock.0.store(500_000_000, Ordering::SeqCst);
        assert!(take().is_ok());
    }
}
