//! How long spending takes to sum over many calls in SQLite.
//!
//!     cargo run --release -p bedplate-store --example spend [-- CALLS [DAYS]]
#![allow(clippy::print_stdout, clippy::unwrap_used, dead_code, reason = "a measurement")]

#[path = "../tests/it/outcomes.rs"]
mod outcomes;

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::{SystemClock, Timestamp};
use bedplate_core::ids::SystemIds;
use bedplate_core::spend::{Dimension, SpendAsk};

const DAY: i64 = 86_400_000_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|n| n.parse::<i64>().unwrap());
    let (calls, days) = (arguments.next().unwrap_or(1_000_000), arguments.next().unwrap_or(7));
    let folder = tempfile::tempdir().unwrap();
    let (clock, ids) = (SystemClock::shared(), SystemIds::shared());
    let ledger = bedplate_store::Config::default().open(folder.path(), Arc::clone(&clock)).await.unwrap();
    let began = clock.now().0 / DAY * DAY - days * DAY;
    for batch in 0..calls / 1_000 {
        let rows: Vec<_> = (0..1_000)
            .map(|n| {
                let n = batch * 1_000 + n;
                let mut outcome = outcomes::answered(&*ids, Timestamp(began + n * (days * DAY / calls)));
                // as most calls are: alone, and answered at the first try
                outcome.call.chain = None;
                if n % 20 != 0 {
                    outcome.call.cache = None;
                }
                if n % 50 != 0 {
                    outcome.attempts.truncate(1);
                }
                outcome.call.team = format!("team-{}", n % 12).into();
                outcome.call.feature = format!("feature-{}", n % 40).into();
                outcome.call.user = Some(format!("user-{}", n * 7 % 100_000));
                Arc::new(outcome)
            })
            .collect();
        ledger.append(&rows).await.unwrap();
    }
    println!("{calls} calls over {days} days, {} MiB", size(&folder.path().join(".bedplate")) >> 20);
    let all = (Timestamp(began), Timestamp(began + days * DAY));
    let hours =
        (0..days * 24).map(|h| (Timestamp(began + h * DAY / 24), Timestamp(began + (h + 1) * DAY / 24)));
    let hours: Vec<_> = hours.collect();
    use Dimension::{Class, Feature, Model, Operation, Region, Team, Tier, User};
    for (what, slots, by) in [
        ("team", vec![all], vec![Team]),
        ("feature,model", vec![all], vec![Feature, Model]),
        ("hour,team", hours, vec![Team]),
        ("model,region,tier,class", vec![all], vec![Model, Region, Tier, Class]),
        ("operation", vec![all], vec![Operation]),
        ("user (100,000 of them)", vec![all], vec![User]),
    ] {
        let ask = SpendAsk { slots, by, only: Vec::new(), top: 50 };
        let (before, busy) = (clock.tick(), cpu());
        let lines = ledger.spend(&ask, &|_, _| {}).await.unwrap();
        let took: Duration = clock.tick().since(before);
        let busy = cpu() - busy;
        println!(
            "by {what}: {} lines, {:.2} s, {:.2} s of CPU, peak {} MiB",
            lines.len(),
            took.as_secs_f64(),
            busy.as_secs_f64(),
            peak()
        );
    }
}

fn size(folder: &std::path::Path) -> u64 {
    std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum()
}

/// User and system time of all threads so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|n| n.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// The most memory the process has had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}
