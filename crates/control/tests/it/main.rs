//! The control listener over real sockets, and keys on a ledger in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod memory;
mod outcomes;
