//! How rates stand, for operators: off the path of calls.

use std::cmp::Reverse;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CountId, Kind, Level, Origin};

/// The counts of a throttle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watched {
    /// As [`CountId::throttle`].
    pub throttle: Arc<str>,
    pub kind: Kind,
    /// A minute.
    pub limit: u64,
}

/// The counts in which something is missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InUse {
    /// Those first whose limit is used up most.
    pub counts: Vec<(CountId, Level)>,
    /// How many there are beside those.
    pub more: u64,
    pub from: Origin,
    /// Why there may be others; `None` when these are all.
    pub missing: Option<String>,
}

impl InUse {
    /// Of all counts in use the first `most`.
    pub fn of(mut counts: Vec<(CountId, Level)>, most: usize, from: Origin) -> Self {
        let more = counts.len().saturating_sub(most) as u64;
        keep_fullest(&mut counts, most);
        Self { counts, more, from, missing: None }
    }
}

/// Sorts counts by how much of their limit is used, and keeps `most`.
pub fn keep_fullest(counts: &mut Vec<(CountId, Level)>, most: usize) {
    counts.sort_by(|(a, left), (b, right)| {
        let name = |count: &CountId| (Arc::clone(&count.throttle), Arc::clone(&count.of), count.kind);
        (Reverse(left.full_in), name(a)).cmp(&(Reverse(right.full_in), name(b)))
    });
    counts.truncate(most);
}

/// How the rates of throttles stand.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RateStands {
    /// Those first whose limit is used up most, then those that refused most.
    pub counts: Vec<CountStand>,
    /// Counts that are not shown.
    pub more: u64,
    /// What is shared cannot be asked: limits and use are this node's alone.
    pub alone: bool,
    /// Why counts may be missing here; `None` when none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Calls that were refused under names of which too many are known to remember each.
    pub refused_others: u64,
}

/// How a count of a throttle stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CountStand {
    /// With its scope: `keys[each key]`.
    pub throttle: Arc<str>,
    /// Whose it is, where each is counted by itself: `key=key_a`.
    pub of: Arc<str>,
    pub kind: Kind,
    /// A minute.
    pub limit: u64,
    /// What is taken of it now.
    pub used: u64,
    pub left: u64,
    /// Milliseconds until nothing is taken any more; above a minute there is a debt.
    pub full_in_ms: u64,
    /// Calls that this node refused, since its start.
    pub refused: Refused,
}

/// Calls that a count refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Refused {
    /// There was not enough left.
    pub full: u64,
    /// They asked for more than a minute's limit.
    pub too_large: u64,
}

impl Refused {
    pub fn all(self) -> u64 {
        self.full.saturating_add(self.too_large)
    }
}
