//! What a settled call costs to write: CPU of the whole process for each call, and calls a second.
//!
//!     cargo run --release -p bedplate-store --example append [-- CALLS]
#![allow(clippy::print_stdout, clippy::unwrap_used, dead_code, reason = "a measurement")]

#[path = "../tests/it/outcomes.rs"]
mod outcomes;

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::SystemClock;
use bedplate_core::ids::SystemIds;
use tokio::runtime::Handle;

const BATCH: usize = 500;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let calls: usize = std::env::args().nth(1).map_or(60_000, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (clock, ids) = (SystemClock::shared(), SystemIds::shared());
    let ledger = bedplate_store::Config::default().open(folder.path(), Arc::clone(&clock)).await.unwrap();
    let rows: Vec<_> = (0..calls)
        .map(|_| {
            let mut outcome = outcomes::answered(&*ids, clock.now());
            // as most calls are: alone, and answered at the first try
            outcome.call.chain = None;
            outcome.attempts.truncate(1);
            Arc::new(outcome)
        })
        .collect();
    let before = (cpu(), clock.tick());
    for batch in rows.chunks(BATCH) {
        ledger.append(batch).await.unwrap();
    }
    let (spent, took) = (cpu() - before.0, clock.tick().since(before.1));
    println!("append:  {:5.2} µs of CPU a call, {:.2} µs in all", per(spent, calls), per(took, calls));

    let folder = tempfile::tempdir().unwrap();
    let ledger = bedplate_store::Config::default().open(folder.path(), Arc::clone(&clock)).await.unwrap();
    let config = bedplate_store::Config::default();
    let journal = config.journal(ledger, Arc::clone(&clock), &Handle::current());
    let before = cpu();
    for row in rows {
        journal.reserve(Duration::from_secs(5)).await.unwrap().settle(row);
    }
    journal.close().await;
    println!("journal: {:5.2} µs of CPU a call", per(cpu() - before, calls));
}

fn per(time: Duration, calls: usize) -> f64 {
    time.as_secs_f64() * 1e6 / calls as f64
}

/// User and system time of all threads so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|n| n.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
