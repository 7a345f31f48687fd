//! Development only: a clock that tests turn by hand, ids from a seed, a ledger in memory and one that fails on cue.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support")]

mod cache;
mod clock;
mod faulty;
mod ids;
mod memory;
mod rates;

pub use cache::{FaultyCache, MemoryCache};
pub use clock::ManualClock;
pub use faulty::{Cue, FaultyLedger};
pub use ids::SeededIds;
pub use memory::MemoryLedger;
pub use rates::MemoryRates;
