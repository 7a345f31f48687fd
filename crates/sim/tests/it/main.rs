//! A running simulator, driven over its socket and by boto3.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod auth;
mod boto;
mod faults;
mod http2;
mod support;
mod wire;
