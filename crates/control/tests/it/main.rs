//! The control listener over real sockets, and keys on a ledger in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod api;
mod browser;
mod budgets;
mod client;
mod console;
mod doors;
mod keys;
mod live;
mod memory;
mod outcomes;
mod probes;
mod rig;
mod tls;
