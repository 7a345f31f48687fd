//! Rates: so many requests or tokens a minute, and the port of what counts them.
//!
//! A count is a [`Bucket`]: it holds the limit of one minute, is full at first, and refills all the time. Whoever takes
//! takes from several counts or from none. What is taken on arrival is a guess; [`Rates::settle`] corrects it afterwards,
//! also below nothing: then later calls wait until the debt is paid.

mod stand;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::BoxFuture;
use crate::refusal::Retry;
pub use stand::{CountStand, InUse, RateStands, Refused, Watched, keep_fullest};

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Requests,
    Tokens,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a count is found by, in this process and by other nodes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CountId {
    /// The throttle and its scope: a reload that leaves both as they are leaves what was counted.
    pub throttle: Arc<str>,
    /// `team=support,key=key_a`, where a throttle counts each by itself; else empty.
    pub of: Arc<str>,
    pub kind: Kind,
}

/// A wish for a part of a count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draw {
    pub count: CountId,
    /// A minute; 1 to [`HIGHEST`].
    pub limit: u64,
    pub amount: u64,
}

/// How a count stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Level {
    /// A minute. Of a node that counts alone its part of it.
    pub limit: u64,
    pub remaining: u64,
    /// Until nothing is missing any more.
    pub full_in: Duration,
}

/// Which count has no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Short {
    /// The place of the draw: of several the one that is waited for longest.
    pub at: usize,
    /// When there is room for all draws, if nobody else takes it; never, when one is larger than its limit.
    pub retry: Retry,
}

impl Short {
    /// Of what each draw waits for, in their order; `None` when all have room.
    pub fn of(waits: impl IntoIterator<Item = Wait>) -> Option<Self> {
        let all = waits.into_iter().enumerate().filter(|(_, wait)| *wait != Wait::NONE);
        let (at, wait) = all.max_by_key(|(_, wait)| *wait)?;
        let retry = match wait {
            Wait::For(wait) => Retry::After(wait),
            Wait::Never => Retry::Never,
        };
        Some(Self { at, retry })
    }
}

/// How long until an amount fits. In order of length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Wait {
    For(Duration),
    /// It is larger than the limit.
    Never,
}

impl Wait {
    pub const NONE: Self = Self::For(Duration::ZERO);
}

/// What became of a wish.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// Of each draw, in their order, as it stands now.
    pub levels: Vec<Level>,
    /// When it is there nothing was taken.
    pub short: Option<Short>,
    pub from: Origin,
}

/// Where an amount was taken, and so where it is corrected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// What all nodes share, or the one there is.
    Shared,
    /// This node's own part, because what is shared cannot be asked.
    Alone,
}

/// An answer that is there, or one that somebody else must be asked for.
pub enum Taking {
    Now(Taken),
    /// Comes within a bound of its own. Dropped before it has come, what it takes is given back.
    Asked(BoxFuture<'static, Taken>),
}

/// What was taken was not right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Correction {
    pub count: CountId,
    /// The limit by which it was taken.
    pub limit: u64,
    /// Taken besides; below 0 it is given back.
    pub more: i64,
}

/// What counts know of themselves without asking anybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Gauges {
    /// Whether what is shared can be asked; always, where nothing is.
    pub up: bool,
    /// Nodes that share the limits.
    pub nodes: u32,
    /// Wishes that this node decided alone.
    pub alone: u64,
    /// Corrections that were lost.
    pub lost: u64,
    /// Counts in this process in which something is missing, or was of late.
    pub held: u64,
}

/// Where rates are counted. No method waits beyond a bound of its own.
pub trait Rates: Send + Sync {
    /// Takes all draws, or none.
    fn take(&self, draws: &[Draw]) -> Taking;

    /// Corrects what was taken from `from`. Returns at once; a correction may be lost with what is shared.
    fn settle(&self, from: Origin, corrections: Vec<Correction>);

    /// The counts of these throttles in which something is missing, at most `most`, for people: far dearer than
    /// [`take`](Self::take). Comes within a bound of its own.
    fn in_use<'a>(&'a self, of: &'a [Watched], most: usize) -> BoxFuture<'a, InUse>;

    /// How many nodes share limits now; the last number that is known when nobody can say. Never 0.
    fn nodes(&self) -> u32;

    fn gauges(&self) -> Gauges;
}

/// The highest limit: with it, and the deepest debt, every number that is counted with is below 2^53, so that Redis'
/// scripts count exactly.
pub const HIGHEST: u64 = 10_000_000_000;

/// A bucket that holds the limit of a minute and refills each millisecond. Only whole numbers: what is missing is counted
/// in parts of a 60,000th, so that a millisecond refills `limit` parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// In parts.
    missing: u64,
    /// Milliseconds: until when it was refilled.
    at: u64,
}

/// Of one request or token; milliseconds of a minute.
const PARTS: u64 = 60_000;
/// The deepest debt, in parts.
const DEEPEST: u64 = 10 * HIGHEST * PARTS;
const _: () = assert!(DEEPEST + HIGHEST * PARTS < 1 << 53, "a double holds every number exactly");

impl Bucket {
    pub fn full(now_ms: u64) -> Self {
        Self { missing: 0, at: now_ms }
    }

    /// Comes to `now_ms`; a clock that went back refills nothing.
    pub fn refill(&mut self, limit: u64, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at);
        self.missing = self.missing.saturating_sub(passed.saturating_mul(limit));
        self.at = now_ms;
    }

    /// How long until `amount` fits. One that is larger than the bucket fits when nothing is missing, and leaves a debt.
    pub fn wait(&self, limit: u64, amount: u64) -> Duration {
        let limit = limit.max(1);
        let room = (limit - amount.min(limit)) * PARTS;
        Duration::from_millis(self.missing.saturating_sub(room).div_ceil(limit))
    }

    pub fn take(&mut self, amount: u64) {
        self.missing = self.missing.saturating_add(amount.saturating_mul(PARTS)).min(DEEPEST);
    }

    pub fn give_back(&mut self, amount: u64) {
        self.missing = self.missing.saturating_sub(amount.saturating_mul(PARTS));
    }

    /// Takes what is above 0, gives back what is below.
    pub fn correct(&mut self, more: i64) {
        if more < 0 { self.give_back(more.unsigned_abs()) } else { self.take(more.unsigned_abs()) }
    }

    pub fn is_full(&self) -> bool {
        self.missing == 0
    }

    pub fn level(&self, limit: u64) -> Level {
        let limit = limit.max(1);
        Level {
            limit,
            remaining: (limit * PARTS).saturating_sub(self.missing) / PARTS,
            full_in: Duration::from_millis(self.missing.div_ceil(limit)),
        }
    }
}

/// The count that refused a call, for its record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Throttled {
    pub throttle: Arc<str>,
    /// `team=support,key=key_a`; empty when the throttle has one count.
    pub of: Arc<str>,
    pub kind: Kind,
    /// A minute.
    pub limit: u64,
    /// What the call would have taken.
    pub need: u64,
    pub remaining: u64,
    /// When there would have been room; `None` when never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
    /// The node counted alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_a_minute_and_refills_all_the_time() {
        let mut bucket = Bucket::full(0);
        bucket.take(60);
        assert_eq!(bucket.level(60).remaining, 0);
        assert_eq!(bucket.wait(60, 1), Duration::from_secs(1));
        bucket.refill(60, 999);
        assert_eq!((bucket.level(60).remaining, bucket.wait(60, 1)), (0, Duration::from_millis(1)));
        bucket.refill(60, 1_000);
        assert_eq!((bucket.level(60).remaining, bucket.wait(60, 1)), (1, Duration::ZERO));
        bucket.refill(60, 1_000_000);
        assert_eq!(bucket.level(60), Level { limit: 60, remaining: 60, full_in: Duration::ZERO });
    }

    #[test]
    fn what_is_larger_than_the_bucket_waits_until_it_is_full() {
        let mut bucket = Bucket::full(0);
        assert_eq!(bucket.wait(10, 25), Duration::ZERO);
        bucket.take(25);
        assert_eq!(bucket.wait(10, 25), Duration::from_secs(150));
        assert_eq!(bucket.wait(10, 1), Duration::from_secs(96));
    }

    #[test]
    fn a_limit_may_change_under_what_is_missing() {
        let mut bucket = Bucket::full(0);
        bucket.take(100);
        assert_eq!(bucket.level(1_000).remaining, 900);
        assert_eq!(bucket.level(50).remaining, 0);
        bucket.correct(-70);
        assert_eq!(bucket.level(50).remaining, 20);
        bucket.correct(i64::MAX);
        bucket.refill(HIGHEST, u64::MAX);
        assert!(bucket.is_full());
    }

    #[test]
    fn of_several_the_longest_is_said() {
        let secs = |n| Wait::For(Duration::from_secs(n));
        assert_eq!(Short::of([Wait::NONE, Wait::NONE]), None);
        let short = |at, retry| Some(Short { at, retry });
        assert_eq!(Short::of([secs(1), Wait::NONE, secs(3)]), short(2, Retry::After(Duration::from_secs(3))));
        assert_eq!(Short::of([Wait::Never, secs(9)]), short(0, Retry::Never));
    }

    /// However time is cut: what refills in a stretch is the same.
    #[test]
    fn refilling_loses_nothing() {
        for limit in [1, 7, 60, 61, 59_999, 1_000_003, HIGHEST] {
            let (mut often, mut once) = (Bucket::full(0), Bucket::full(0));
            often.take(limit);
            once.take(limit);
            let mut now = 0;
            for step in [1, 3, 999, 2, 450, 17, 1, 1, 20_011] {
                now += step;
                often.refill(limit, now);
            }
            once.refill(limit, now);
            assert_eq!(often, once, "{limit}");
            assert!(!once.is_full());
        }
    }
}
