//! Kept answers: what every cache must do, and what is Redis' own.

pub(crate) mod bed;
mod conformance_cache;
mod memory;
mod redis;
pub(crate) mod wire;
