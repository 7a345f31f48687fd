//! Kept answers: what every cache must do, and what is Redis' own.

mod bed;
mod conformance_cache;
mod memory;
mod redis;
mod wire;
