//! Rates in the memory of this process: of a single node, and of one that lost what it shares with others.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::BoxFuture;
use bedplate_core::clock::Clock;
use bedplate_core::rate::{
    Bucket, Correction, CountId, Draw, Gauges, InUse, Kind, Level, Origin, Rates, Short, Taken, Taking, Wait,
    Watched, keep_fullest,
};
use foldhash::fast::RandomState;
use parking_lot::{Mutex, MutexGuard};

/// The counts of one process, each in a shard behind a lock of its own. Counts in which nothing is missing are not kept.
pub(crate) struct Counts {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
    clock: Arc<dyn Clock>,
}

/// As many as a word has bits: the shards of a wish are a set in one.
const SHARDS: usize = 64;

struct Shard {
    /// With the limit that each was last asked by.
    buckets: HashMap<CountId, (Bucket, u64), RandomState>,
    /// So many counts, and those that are full are let go.
    sweep_at: usize,
}

/// A shard is not looked through for fewer.
const FEW: usize = 64;
/// When so many counts of a shard are not full, the half that is nearest to it is let go: nobody may fill the memory with
/// names.
const MOST: usize = 8_192;

impl Counts {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let shard = |_| Mutex::new(Shard { buckets: HashMap::default(), sweep_at: FEW });
        Self { hasher: RandomState::default(), shards: std::array::from_fn(shard), clock }
    }

    /// Takes all draws or none, of each limit the part that is this node's.
    pub(crate) fn take_of(&self, draws: &[Draw], nodes: u32, from: Origin) -> Taken {
        let now = self.now();
        let part = |limit: u64| limit.div_ceil(u64::from(nodes.max(1)));
        let mut held = self.lock(draws.iter().map(|draw| &draw.count));
        let wait = |draw: &Draw| {
            if draw.amount > draw.limit {
                return Wait::Never;
            }
            let limit = part(draw.limit);
            Wait::For(held.of(&draw.count).look(&draw.count, limit, now).wait(limit, draw.amount))
        };
        let short = Short::of(draws.iter().map(wait));
        let level = |draw: &Draw| {
            let limit = part(draw.limit);
            let shard = held.of_mut(&draw.count);
            match short {
                None if draw.amount > 0 => {
                    shard.change(&draw.count, limit, now, |bucket| bucket.take(draw.amount))
                }
                _ => shard.look(&draw.count, limit, now).level(limit),
            }
        };
        Taken { levels: draws.iter().map(level).collect(), short, from }
    }

    pub(crate) fn correct(&self, corrections: &[Correction], nodes: u32) {
        let now = self.now();
        for Correction { count, limit, more } in corrections {
            let limit = limit.div_ceil(u64::from(nodes.max(1)));
            self.shards[self.place(count)].lock().change(count, limit, now, |bucket| bucket.correct(*more));
        }
    }

    /// The fullest counts of throttles, of each limit the part that is this node's. A shard is locked while it is looked
    /// through.
    pub(crate) fn in_use(&self, of: &[Watched], most: usize, nodes: u32, from: Origin) -> InUse {
        let limits: HashMap<(&str, Kind), u64> =
            of.iter().map(|one| ((&*one.throttle, one.kind), one.limit)).collect();
        let (mut counts, mut all, now) = (Vec::new(), 0, self.now());
        for shard in &self.shards {
            for (count, (bucket, _)) in &shard.lock().buckets {
                let Some(limit) = limits.get(&(&*count.throttle, count.kind)) else { continue };
                let limit = limit.div_ceil(u64::from(nodes.max(1)));
                let mut bucket = *bucket;
                bucket.refill(limit, now);
                if !bucket.is_full() {
                    all += 1;
                    counts.push((count.clone(), bucket.level(limit)));
                }
            }
            // outside of the lock
            keep_fullest(&mut counts, most);
        }
        let more = all - counts.len() as u64;
        InUse { counts, more, from, missing: None }
    }

    pub(crate) fn held(&self) -> u64 {
        self.shards.iter().map(|shard| shard.lock().buckets.len() as u64).sum()
    }

    /// Milliseconds of a clock that never goes back.
    fn now(&self) -> u64 {
        self.clock.tick().0 / 1_000_000
    }

    fn place(&self, count: &CountId) -> usize {
        // both kinds of a count share a shard: most calls lock one
        let hash = self.hasher.hash_one((&*count.throttle, &*count.of));
        usize::try_from(hash % SHARDS as u64).unwrap_or(0)
    }

    /// Locks the shards of all counts, in their order: so two who take at once never wait for one another.
    fn lock<'a>(&'a self, counts: impl Iterator<Item = &'a CountId>) -> Held<'a> {
        let mut set = counts.fold(0u64, |set, count| set | 1 << self.place(count));
        let mut guards = Vec::with_capacity(set.count_ones() as usize);
        while set != 0 {
            let at = set.trailing_zeros() as usize;
            guards.push((at, self.shards[at].lock()));
            set &= set - 1;
        }
        Held { counts: self, guards }
    }
}

/// Shards under lock.
struct Held<'a> {
    counts: &'a Counts,
    /// Never none, by the place of the shard.
    guards: Vec<(usize, MutexGuard<'a, Shard>)>,
}

impl Held<'_> {
    fn at(&self, count: &CountId) -> usize {
        let place = self.counts.place(count);
        self.guards.iter().position(|(at, _)| *at == place).unwrap_or(0)
    }

    fn of(&self, count: &CountId) -> &Shard {
        &self.guards[self.at(count)].1
    }

    fn of_mut(&mut self, count: &CountId) -> &mut Shard {
        let at = self.at(count);
        &mut self.guards[at].1
    }
}

impl Shard {
    fn look(&self, count: &CountId, limit: u64, now: u64) -> Bucket {
        match self.buckets.get(count) {
            Some((bucket, _)) => {
                let mut bucket = *bucket;
                bucket.refill(limit, now);
                bucket
            }
            None => Bucket::full(now),
        }
    }

    fn change(&mut self, count: &CountId, limit: u64, now: u64, change: impl FnOnce(&mut Bucket)) -> Level {
        if let Some((bucket, by)) = self.buckets.get_mut(count) {
            bucket.refill(limit, now);
            change(bucket);
            *by = limit;
            return bucket.level(limit);
        }
        let mut bucket = Bucket::full(now);
        change(&mut bucket);
        if !bucket.is_full() {
            if self.buckets.len() >= self.sweep_at {
                self.sweep(now);
            }
            self.buckets.insert(count.clone(), (bucket, limit));
        }
        bucket.level(limit)
    }

    fn sweep(&mut self, now: u64) {
        self.buckets.retain(|_, (bucket, limit)| {
            bucket.refill(*limit, now);
            !bucket.is_full()
        });
        if self.buckets.len() >= MOST {
            let full_in = |(bucket, limit): &(Bucket, u64)| bucket.level(*limit).full_in;
            let mut all: Vec<Duration> = self.buckets.values().map(full_in).collect();
            let half = all.len() / 2;
            let middle = *all.select_nth_unstable(half).1;
            // of those that are as near as the middle as many as make a half
            let mut spare = all.iter().filter(|full| **full < middle).count().abs_diff(half);
            self.buckets.retain(|_, kept| match full_in(kept).cmp(&middle) {
                std::cmp::Ordering::Less => false,
                std::cmp::Ordering::Equal if spare > 0 => {
                    spare -= 1;
                    false
                }
                _ => true,
            });
        }
        self.buckets.shrink_to(self.buckets.len() * 2);
        self.sweep_at = (self.buckets.len() * 2).clamp(FEW, MOST);
    }
}

/// The rates of a deployment with one node.
pub(crate) struct MemoryRates(Counts);

impl MemoryRates {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Counts::new(clock))
    }
}

impl Rates for MemoryRates {
    fn take(&self, draws: &[Draw]) -> Taking {
        Taking::Now(self.0.take_of(draws, 1, Origin::Shared))
    }

    fn settle(&self, _: Origin, corrections: Vec<Correction>) {
        self.0.correct(&corrections, 1);
    }

    fn in_use<'a>(&'a self, of: &'a [Watched], most: usize) -> BoxFuture<'a, InUse> {
        Box::pin(std::future::ready(self.0.in_use(of, most, 1, Origin::Shared)))
    }

    fn nodes(&self) -> u32 {
        1
    }

    fn gauges(&self) -> Gauges {
        Gauges { up: true, nodes: 1, alone: 0, lost: 0, held: self.0.held() }
    }
}
