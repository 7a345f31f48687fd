//! Development only: a clock that tests turn by hand, ids from a seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test support")]

mod clock;
mod ids;

pub use clock::ManualClock;
pub use ids::SeededIds;
