//! Telemetry against its samples, a real collector, and folders that go away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod call_log;
mod collector;
mod dashboards;
mod emf;
mod invocation_log;
mod metrics;
mod openmetrics;
mod outcomes;
mod traces;

use std::time::Duration;

/// Waits until `met`, and fails after ten seconds.
#[track_caller]
fn until(what: &str, met: impl FnMut() -> bool) {
    assert!(soon(met), "not in ten seconds: {what}");
}

fn soon(mut met: impl FnMut() -> bool) -> bool {
    (0..1_000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        met()
    })
}
