use std::collections::HashMap;
use std::sync::Arc;

use bedplate_core::BoxFuture;
use bedplate_core::clock::Clock;
use bedplate_core::rate::{
    Bucket, Correction, CountId, Draw, Gauges, InUse, Origin, Rates, Short, Taken, Taking, Wait, Watched,
};
use parking_lot::Mutex;

/// Rates in one map, of a single node.
pub struct MemoryRates {
    buckets: Mutex<HashMap<CountId, Bucket>>,
    clock: Arc<dyn Clock>,
}

impl MemoryRates {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { buckets: Mutex::default(), clock }
    }

    /// What remains of a count under a limit.
    pub fn remaining(&self, count: &CountId, limit: u64) -> u64 {
        self.of(count, limit).level(limit).remaining
    }

    /// All counts that anybody took from.
    pub fn counts(&self) -> Vec<CountId> {
        self.buckets.lock().keys().cloned().collect()
    }

    fn of(&self, count: &CountId, limit: u64) -> Bucket {
        of(&self.buckets.lock(), count, limit, self.now())
    }

    /// Milliseconds.
    fn now(&self) -> u64 {
        self.clock.tick().0 / 1_000_000
    }
}

fn of(buckets: &HashMap<CountId, Bucket>, count: &CountId, limit: u64, now: u64) -> Bucket {
    let mut bucket = buckets.get(count).copied().unwrap_or(Bucket::full(now));
    bucket.refill(limit, now);
    bucket
}

impl Rates for MemoryRates {
    fn take(&self, draws: &[Draw]) -> Taking {
        let (mut all, now) = (self.buckets.lock(), self.now());
        let mut buckets: Vec<Bucket> =
            draws.iter().map(|draw| of(&all, &draw.count, draw.limit, now)).collect();
        let wait = |(draw, bucket): (&Draw, &Bucket)| match draw.amount > draw.limit {
            true => Wait::Never,
            false => Wait::For(bucket.wait(draw.limit, draw.amount)),
        };
        let short = Short::of(draws.iter().zip(&buckets).map(wait));
        if short.is_none() {
            for (draw, bucket) in draws.iter().zip(&mut buckets) {
                bucket.take(draw.amount);
                all.insert(draw.count.clone(), *bucket);
            }
        }
        let levels = draws.iter().zip(&buckets).map(|(draw, bucket)| bucket.level(draw.limit)).collect();
        Taking::Now(Taken { levels, short, from: Origin::Shared })
    }

    fn settle(&self, _: Origin, corrections: Vec<Correction>) {
        let (mut all, now) = (self.buckets.lock(), self.now());
        for Correction { count, limit, more } in corrections {
            let mut bucket = of(&all, &count, limit, now);
            bucket.correct(more);
            all.insert(count, bucket);
        }
    }

    fn in_use<'a>(&'a self, of: &'a [Watched], most: usize) -> BoxFuture<'a, InUse> {
        let all = self.counts().into_iter().filter_map(|count| {
            let watched = of.iter().find(|one| one.throttle == count.throttle && one.kind == count.kind)?;
            let bucket = self.of(&count, watched.limit);
            (!bucket.is_full()).then(|| (count, bucket.level(watched.limit)))
        });
        let in_use = InUse::of(all.collect(), most, Origin::Shared);
        Box::pin(std::future::ready(in_use))
    }

    fn nodes(&self) -> u32 {
        1
    }

    fn gauges(&self) -> Gauges {
        Gauges { up: true, nodes: 1, ..Gauges::default() }
    }
}
