//! `kill -9` under load: what was settled longer ago than a flush takes is there.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bedplate_core::call::CallId;
use bedplate_core::clock::{SystemClock, Timestamp};
use bedplate_core::ids::SystemIds;
use bedplate_core::ports::{CallFilter, Calls, Ledger, StoreError, Total};
use bedplate_core::record::Outcome;
use bedplate_store::Config;
use tokio::runtime::Handle;

use super::child;
use crate::bed::clock;
use crate::outcomes::answered;

const FLUSH: Duration = Duration::from_millis(50);
/// How old what is lost may be, in an ordinary round.
const LOST: Duration = Duration::from_millis(100);

#[test]
fn a_killed_writer_loses_at_most_one_flush() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(folder) = child::folder() {
        return runtime.block_on(write_for_ever(&folder));
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut kept, mut lost) = (0, vec![]);
    for millis in [300, 500, 700, 900, 1_100] {
        let said = run_and_kill(dir.path(), Duration::from_millis(millis));
        lost.push(runtime.block_on(check(dir.path(), &said, &mut kept)));
    }
    assert!(kept > 1_000, "only {kept} rows: that is no load");
    lost.sort();
    println!("the oldest rows lost were settled so long before the kill: {lost:?}");
    // a round may meet a commit that waits for the disk; not most of them
    assert!(lost[lost.len() / 2] <= LOST, "{lost:?}");
}

/// What the child said before it was killed, in its order.
struct Said {
    settled: Vec<(CallId, Timestamp)>,
    /// How many rows had settled at the end of each write.
    written: Vec<usize>,
}

impl Said {
    /// What had settled when a write ended is in the next one: none of it may be missing once that has
    /// ended too. There is no clock in this.
    fn certain(&self) -> &[(CallId, Timestamp)] {
        let n = self.written.iter().rev().nth(1).copied().unwrap_or(0);
        &self.settled[..n]
    }
}

/// Runs the child for `time` and kills it.
fn run_and_kill(dir: &Path, time: Duration) -> Said {
    let mut command = child::command("sqlite::kill::a_killed_writer_loses_at_most_one_flush", dir, "true");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Said { settled: vec![], written: vec![] };
    let read = |said: &mut Said, line: String| {
        if line == "written" {
            said.written.push(said.settled.len());
        } else if let Some((id, at)) = line.strip_prefix("settled ").and_then(|rest| rest.split_once(' '))
            && let (Ok(id), Ok(at)) = (id.parse(), at.parse())
        {
            said.settled.push((id, Timestamp(at)));
        }
    };
    while let Some(Ok(line)) = lines.next() {
        read(&mut said, line);
        let since = said.settled.first().zip(said.settled.last()).map(|((_, a), (_, b))| b.0 - a.0);
        if since.is_some_and(|micros| micros >= i64::try_from(time.as_micros()).unwrap()) {
            child.kill().unwrap(); // SIGKILL
            break;
        }
    }
    // what was said before the end is heard too
    lines.map_while(Result::ok).for_each(|line| read(&mut said, line));
    child.wait().unwrap();
    assert!(said.written.len() > 2, "the child wrote {} times", said.written.len());
    said
}

/// The ledger opens, holds every row that is certain and those of earlier rounds, and its sums are those
/// of its rows. Gives how long before the last row the oldest one that is missing had settled.
async fn check(dir: &Path, said: &Said, kept: &mut usize) -> Duration {
    let ledger = Config::default().open(dir, clock()).await.unwrap();
    let rows = ledger.recent(&CallFilter::default(), u32::MAX).await.unwrap();
    let there: HashSet<_> = rows.iter().map(|o| o.call.id).collect();
    for (id, _) in said.certain() {
        assert!(there.contains(id), "{id} is missing of {}", said.certain().len());
    }
    assert!(rows.len() >= *kept + said.certain().len());
    assert!(rows.iter().all(|o| o.attempts.len() == 2));
    *kept = rows.len();
    let totals = ledger.totals(Timestamp(0), Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(totals.iter().map(|t| t.calls).sum::<u64>(), rows.len() as u64);
    ledger.close().await;
    let missing = said.settled.iter().filter(|(id, _)| !there.contains(id)).map(|(_, at)| at.0).min();
    let last = said.settled.last().map_or(0, |(_, at)| at.0);
    Duration::from_micros(missing.map_or(0, |at| u64::try_from(last - at).unwrap()))
}

async fn write_for_ever(folder: &Path) {
    let config = Config::default();
    assert_eq!(config.flush.0, FLUSH);
    let ledger = config.open(folder, clock()).await.unwrap();
    let journal = config.journal(Arc::new(Saying(ledger)), clock(), &Handle::current());
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

/// Says when a write has ended.
struct Saying(Arc<dyn Ledger>);

#[async_trait]
impl Calls for Saying {
    async fn append(&self, batch: &[Arc<Outcome>]) -> Result<(), StoreError> {
        self.0.append(batch).await?;
        println!("written");
        Ok(())
    }

    async fn call(&self, id: CallId) -> Result<Option<Outcome>, StoreError> {
        self.0.call(id).await
    }

    async fn recent(&self, filter: &CallFilter, limit: u32) -> Result<Vec<Outcome>, StoreError> {
        self.0.recent(filter, limit).await
    }

    async fn totals(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Total>, StoreError> {
        self.0.totals(since, until).await
    }

    async fn retain(&self, before: Timestamp) -> Result<u32, StoreError> {
        self.0.retain(before).await
    }
}
