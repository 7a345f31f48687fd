//! `kill -9` under load: what was settled longer ago than a flush takes is there.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::CallId;
use bedplate_core::clock::{SystemClock, Timestamp};
use bedplate_core::ids::SystemIds;
use bedplate_core::ports::CallFilter;
use bedplate_store::Config;
use tokio::runtime::Handle;

use super::child;
use crate::bed::clock;
use crate::outcomes::answered;

const FLUSH: Duration = Duration::from_millis(50);
/// For the commit itself, on a machine that is busy with other tests.
const COMMIT: Duration = Duration::from_millis(250);

#[test]
fn a_killed_writer_loses_at_most_one_flush() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(folder) = child::folder() {
        return runtime.block_on(write_for_ever(&folder));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut kept = 0;
    for millis in [300, 700, 1_000] {
        let settled = run_and_kill(dir.path(), Duration::from_millis(millis));
        let (_, last) = settled.last().expect("the child settled nothing");
        let old: Vec<_> =
            settled.iter().filter(|(_, at)| at.plus(FLUSH).plus(COMMIT) < *last).map(|(id, _)| *id).collect();
        runtime.block_on(check(dir.path(), &old, &mut kept));
    }
    assert!(kept > 1_000, "only {kept} rows: that is no load");
}

/// Runs the child for `time`, kills it, and gives what it had settled, and when.
fn run_and_kill(dir: &Path, time: Duration) -> Vec<(CallId, Timestamp)> {
    let mut command = child::command("sqlite::kill::a_killed_writer_loses_at_most_one_flush", dir, "true");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let read = |line: String| {
        let (id, at) = line.strip_prefix("settled ")?.split_once(' ')?;
        Some((id.parse().ok()?, Timestamp(at.parse().ok()?)))
    };
    let mut settled = Vec::new();
    while let Some(Ok(line)) = lines.next() {
        settled.extend(read(line));
        let since = settled.first().zip(settled.last()).map(|((_, a), (_, b))| b.0 - a.0);
        if since.is_some_and(|micros| micros >= i64::try_from(time.as_micros()).unwrap()) {
            child.kill().unwrap(); // SIGKILL
            break;
        }
    }
    // what was said before the end is heard too
    settled.extend(lines.map_while(Result::ok).filter_map(read));
    child.wait().unwrap();
    settled
}

/// The ledger opens, holds every row of `old` and those of earlier rounds, and its sums are those of
/// its rows.
async fn check(dir: &Path, old: &[CallId], kept: &mut usize) {
    let ledger = Config::default().open(dir, clock()).await.unwrap();
    for id in old {
        assert!(ledger.call(*id).await.unwrap().is_some(), "{id} is missing of {}", old.len());
    }
    let rows = ledger.recent(&CallFilter::default(), u32::MAX).await.unwrap();
    assert!(rows.len() >= *kept + old.len());
    assert!(rows.iter().all(|o| o.attempts.len() == 2));
    *kept = rows.len();
    let totals = ledger.totals(Timestamp(0), Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(totals.iter().map(|t| t.calls).sum::<u64>(), rows.len() as u64);
    ledger.close().await;
}

async fn write_for_ever(folder: &Path) {
    let config = Config::default();
    assert_eq!(config.flush.0, FLUSH);
    let ledger = config.open(folder, clock()).await.unwrap();
    let journal = config.journal(ledger, clock(), &Handle::current());
    let (clock, ids) = (SystemClock::shared(), SystemIds::shared());
    // at most a minute, should nobody kill it
    for _ in 0..60_000 {
        for _ in 0..3 {
            let ticket = journal.reserve(Duration::from_secs(9)).await.unwrap();
            let outcome = answered(&*ids, clock.now());
            let id = outcome.call.id;
            ticket.settle(Arc::new(outcome));
            println!("settled {id} {}", clock.now().0);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
