//! Rates for one test: in memory, or in a database of its own of a real Redis.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::ids::{Ids, SystemIds};
use bedplate_core::rate::{Correction, CountId, Draw, Kind, Level, Origin, Rates, Taken, Taking};
use bedplate_core::setting::SecretRef;
use bedplate_store::{HotConfig, Means};
use bedplate_testkit::ManualClock;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::cache::bed::{DEADLINE, ROOM, master, redis, redis_url};

pub(crate) struct RateBed {
    pub(crate) rates: Arc<dyn Rates>,
    pub(crate) clock: ManualClock,
    /// `None` in memory.
    pub(crate) url: Option<String>,
    began: Instant,
}

pub(crate) fn open(url: &str, clock: &ManualClock, deadline: Duration) -> Arc<dyn Rates> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    std::fs::write(&file, url).unwrap();
    means(&HotConfig::Redis(SecretRef::File(file)), clock, deadline)
}

fn means(hot: &HotConfig, clock: &ManualClock, deadline: Duration) -> Arc<dyn Rates> {
    let ids: Arc<dyn Ids> = SystemIds::shared();
    let (clock, master) = (Arc::new(clock.clone()), master(1));
    let runtime = &Handle::current();
    hot.open(Means { room: ROOM, deadline, master: &master, ids, clock, runtime }).unwrap().rates
}

impl RateBed {
    pub(crate) fn of(rates: impl FnOnce(&ManualClock) -> Arc<dyn Rates>) -> Self {
        let clock = ManualClock::at("2026-11-22T12:00:00Z");
        Self { rates: rates(&clock), clock, url: None, began: Instant::now() }
    }

    pub(crate) fn memory() -> Self {
        Self::of(|clock| means(&HotConfig::Memory, clock, DEADLINE))
    }

    pub(crate) async fn redis() -> Self {
        let url = redis_url().await;
        let bed = Self::of(|clock| open(&url, clock, DEADLINE));
        is_up(&*bed.rates).await;
        Self { url: Some(url), ..bed }
    }

    /// The same counts, seen from another node.
    pub(crate) async fn another(&self) -> Arc<dyn Rates> {
        match &self.url {
            None => Arc::clone(&self.rates),
            Some(url) => {
                let rates = open(url, &self.clock, DEADLINE);
                is_up(&*rates).await;
                rates
            }
        }
    }

    /// Time passes: on the clock, and for all that stands in Redis, whose clock is its own.
    pub(crate) async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        let Some(url) = &self.url else { return };
        for key in redis::<Vec<String>>(url, &["KEYS", "bedplate:rate:*"]).await {
            let Some(kept) = redis::<Option<String>>(url, &["GET", &key]).await else { continue };
            let (missing, at) = kept.split_once(' ').unwrap();
            let at = at.parse::<u128>().unwrap() - by.as_millis();
            let _: String = redis(url, &["SET", &key, &format!("{missing} {at}"), "KEEPTTL"]).await;
        }
    }

    pub(crate) async fn take(&self, draws: &[Draw]) -> Taken {
        take(&*self.rates, draws).await
    }

    /// What refilled at most since the test began, which only Redis' clock knows.
    pub(crate) fn slack(&self, limit: u64) -> u64 {
        match self.url {
            None => 0,
            // both clocks count whole milliseconds
            Some(_) => (u64::try_from(self.began.elapsed().as_millis()).unwrap() + 2) * limit / 60_000 + 1,
        }
    }

    #[track_caller]
    pub(crate) fn remains(&self, level: Level, remaining: u64) {
        let most = (remaining + self.slack(level.limit)).min(level.limit);
        assert!((remaining..=most).contains(&level.remaining), "{remaining} expected: {level:?}");
    }

    /// Settles, and waits until it can be seen.
    pub(crate) async fn settle(&self, draw: &Draw, more: i64) {
        let before = self.missing(draw).await;
        let correction = Correction { count: draw.count.clone(), limit: draw.limit, more };
        self.rates.settle(Origin::Shared, vec![correction]);
        // far more than refills meanwhile
        while self.missing(draw).await.abs_diff(before) < more.unsigned_abs() * 900 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// In parts of a thousandth, also below nothing.
    async fn missing(&self, draw: &Draw) -> u64 {
        let look = Draw { amount: 0, ..draw.clone() };
        let level = self.take(&[look]).await.levels[0];
        u64::try_from(level.full_in.as_millis()).unwrap() * draw.limit * 1_000 / 60_000
    }
}

pub(crate) async fn take(rates: &dyn Rates, draws: &[Draw]) -> Taken {
    match rates.take(draws) {
        Taking::Now(taken) => taken,
        Taking::Asked(asked) => asked.await,
    }
}

pub(crate) fn draw(of: &str, limit: u64, amount: u64) -> Draw {
    let count = CountId { throttle: "each key".into(), of: of.into(), kind: Kind::Tokens };
    Draw { count, limit, amount }
}

pub(crate) async fn is_up(rates: &dyn Rates) {
    while !rates.gauges().up {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
