//! The binary, driven as people and the Rust SDK drive it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod cli;
mod running;
mod rust_sdk;
