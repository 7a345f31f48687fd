//! A disk that is full: a limit on the size of files, which a child process lifts again.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::clock::Timestamp;
use bedplate_core::ports::{CallFilter, StoreError};
use bedplate_store::Config;
use bedplate_testkit::SeededIds;
use tokio::runtime::Handle;

use super::child;
use crate::bed::clock;
use crate::outcomes::{answered, at, shared};

#[test]
fn a_full_disk_stops_admission_and_costs_no_row() {
    if let Some(folder) = child::folder() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(fill(&folder));
    }
    let dir = tempfile::tempdir().unwrap();
    // a write beyond the limit fails instead of killing the process
    let setup = "trap '' XFSZ; ulimit -S -f 600";
    let mut child =
        child::command("sqlite::full::a_full_disk_stops_admission_and_costs_no_row", dir.path(), setup);
    let output = child.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed") && said.contains("the disk was full"), "{said}");
}

async fn fill(folder: &std::path::Path) {
    let config = Config { queue: 400, ..Config::default() };
    let ledger = config.open(folder, clock()).await.unwrap();
    let journal = config.journal(ledger.clone(), clock(), &Handle::current());
    let ids = SeededIds::new(1);
    let mut settled = 0;
    let refused = loop {
        match journal.reserve(Duration::from_millis(800)).await {
            Ok(ticket) => ticket.settle(Arc::new(answered(&ids, at("2026-11-22T12:00:00Z")))),
            Err(e) => break e,
        }
        settled += 1;
        assert!(settled < 20_000, "the disk does not fill up");
    };
    assert!(matches!(refused, StoreError::ReadOnly(_)), "{refused}");
    assert_eq!(journal.health().pending, 400);
    // a single row may still find room where a batch does not
    let batch: Vec<_> = (0..400).map(|_| answered(&ids, at("2026-11-22T12:00:00Z"))).collect();
    let e = ledger.append(&shared(batch.clone())).await.unwrap_err();
    assert!(matches!(e, StoreError::ReadOnly(_)), "{e}");
    ledger.ping().await.expect("what is there can still be read");
    println!("the disk was full after {settled} rows: {refused}");

    let me = std::process::id().to_string();
    let lifted = Command::new("prlimit").args(["--pid", &me, "--fsize=unlimited"]).status().unwrap();
    assert!(lifted.success());
    tokio::time::timeout(Duration::from_secs(20), journal.close()).await.unwrap();
    let rows = ledger.recent(&CallFilter::default(), 20_000).await.unwrap();
    assert_eq!(rows.len(), settled);
    let totals = ledger.totals(Timestamp(0), Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(totals[0].calls, settled as u64);
    ledger.close().await;
}
