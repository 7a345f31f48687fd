//! Which counts are in use in Redis, of all nodes: asked by operators, off the path of calls.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bedplate_core::cache::CacheError;
use bedplate_core::rate::{CountId, Draw, InUse, Origin, Watched, keep_fullest};
use tokio::time::{Instant, timeout_at};

use super::{Inner, name, read, whole};
use crate::redis::script::Run;

/// How long a look takes at most.
const LONGEST: Duration = Duration::from_secs(1);
/// Keys that Redis looks at for one answer: some hundred microseconds of its time.
const STRIDE: u32 = 1_000;
/// Counts that are looked at.
const MOST: usize = 10_000;
/// Counts that are asked for at once.
const BATCH: usize = 200;

/// The names that were found, and why not all were.
struct Found {
    counts: Vec<(CountId, u64)>,
    missing: Option<String>,
}

impl Inner {
    /// Of all nodes; of this one alone when Redis cannot be asked.
    pub(super) async fn in_use(&self, of: &[Watched], most: usize) -> InUse {
        if of.is_empty() {
            return InUse::of(Vec::new(), most, Origin::Shared);
        }
        let asked = async {
            let until = Instant::now() + LONGEST;
            let found = self.find(of, until).await?;
            self.look(found, most, until).await
        };
        asked.await.unwrap_or_else(|e: CacheError| {
            let alone = self.counts.in_use(of, most, self.nodes.load(Ordering::Relaxed), Origin::Alone);
            InUse { missing: Some(e.to_string()), ..alone }
        })
    }

    /// Goes through the names of counts, as far as that comes in time.
    async fn find(&self, of: &[Watched], until: Instant) -> Result<Found, CacheError> {
        let (mut names, mut counts, mut cursor) = (HashSet::new(), Vec::new(), 0_u64);
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg("bedplate:rate:1:*").arg("COUNT").arg(STRIDE);
            let (next, some): (u64, Vec<String>) = self.link.ask(&scan).await?;
            for key in some {
                // a walk may come by twice
                if let Some(count) = of.iter().find_map(|one| Some((named(&key, one)?, one.limit)))
                    && names.insert(key)
                {
                    counts.push(count);
                }
            }
            cursor = next;
            let missing = match () {
                () if cursor == 0 => None,
                () if counts.len() >= MOST => Some(format!("redis has more than {MOST} counts")),
                () if Instant::now() >= until => {
                    Some("redis has more keys than can be looked through in 1 s".into())
                }
                () => continue,
            };
            return Ok(Found { counts, missing });
        }
    }

    /// How they stand.
    async fn look(&self, found: Found, most: usize, until: Instant) -> Result<InUse, CacheError> {
        let (mut counts, mut all) = (Vec::new(), 0_u64);
        let mut missing = found.missing;
        for batch in found.counts.chunks(BATCH) {
            let draw =
                |(count, limit): &(CountId, u64)| Draw { count: count.clone(), limit: *limit, amount: 0 };
            let draws: Vec<Draw> = batch.iter().map(draw).collect();
            let mut run = Run::default();
            for draw in &draws {
                run.keys.push(name(&draw.count));
                run.numbers.extend([whole(draw.limit), 0]);
            }
            let said = timeout_at(until, self.link.run::<Vec<i64>>(&self.take, &run)).await;
            let Ok(said) = said else {
                missing = Some("redis took longer than 1 s".into());
                break;
            };
            let levels = read(&said?, &draws).levels;
            let used = draws.into_iter().zip(levels).filter(|(_, level)| !level.full_in.is_zero());
            for (draw, level) in used {
                all += 1;
                counts.push((draw.count, level));
            }
            keep_fullest(&mut counts, most);
        }
        let more = all - counts.len() as u64;
        Ok(InUse { counts, more, from: Origin::Shared, missing })
    }
}

/// The count that a key stands for, when it is one of this throttle.
fn named(key: &str, one: &Watched) -> Option<CountId> {
    let kind = key.strip_prefix("bedplate:rate:1:")?.strip_prefix(one.kind.name())?.strip_prefix(':')?;
    let of = kind.strip_prefix(&*one.throttle)?.strip_prefix(':')?;
    Some(CountId { throttle: one.throttle.clone(), of: of.into(), kind: one.kind })
}
