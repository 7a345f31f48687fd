//! The task that writes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bedplate_core::clock::Clock;
use bedplate_core::ports::{Calls, StoreError};
use bedplate_core::record::Outcome;
use tokio::time::MissedTickBehavior;

use super::{BATCH, Shared, Trouble};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const SMALLEST: usize = 25;
/// So many rows refused in a row, and none taken: then it is the ledger, not the rows.
const SUSPECTS: usize = 4;

pub(super) struct Writer {
    calls: Arc<dyn Calls>,
    shared: Arc<Shared>,
    flush: Duration,
    clock: Arc<dyn Clock>,
    /// Collected and not yet committed, oldest first.
    backlog: VecDeque<Arc<Outcome>>,
    pause: Duration,
    /// Rows in one batch: less after a failure, for a ledger that is too slow for a whole one.
    batch: usize,
    _end: End,
}

impl Writer {
    pub(super) fn new(
        calls: Arc<dyn Calls>,
        shared: Arc<Shared>,
        flush: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let _end = End(Arc::clone(&shared));
        Self { calls, shared, flush, clock, backlog: VecDeque::new(), pause: FIRST_PAUSE, batch: BATCH, _end }
    }

    /// Runs until the journal closes and every place is free again.
    pub(super) async fn run(mut self) {
        let mut ticks = tokio::time::interval(self.flush);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.shared.wake.notified() => {}
            }
            self.collect();
            while !self.backlog.is_empty() {
                self.write().await;
                self.collect();
            }
            if self.shared.closing.load(Ordering::Acquire) && self.all_free() {
                return;
            }
        }
    }

    fn all_free(&self) -> bool {
        self.shared.places.available_permits() as u64 >= self.shared.all
    }

    fn collect(&mut self) {
        let before = self.backlog.len();
        self.shared.lanes.collect(|row| self.backlog.push_back(row));
        self.shared.collected.fetch_add((self.backlog.len() - before) as u64, Ordering::Relaxed);
    }

    /// Writes one batch, or says why not and pauses.
    async fn write(&mut self) {
        let n = self.backlog.len().min(self.batch);
        let rows = &self.backlog.make_contiguous()[..n];
        let result = match self.calls.append(rows).await {
            Err(e) if about_rows(&e) && n > 1 => self.sift(n, e).await,
            other => other.map(|()| Vec::new()),
        };
        match result {
            Ok(rejected) => self.finish(n, &rejected),
            Err(error) => self.fail(error).await,
        }
    }

    /// Writes the first `n` rows around those that the ledger takes from nobody, and gives the places
    /// of these. Rows may be appended twice, so nothing has to be remembered between tries.
    async fn sift(&mut self, n: usize, first: StoreError) -> Result<Vec<usize>, StoreError> {
        let rows = &self.backlog.make_contiguous()[..n];
        let (mut taken, mut rejected, mut last) = (false, Vec::new(), first);
        let mut ranges = vec![n / 2..n, 0..n / 2];
        while let Some(range) = ranges.pop() {
            match self.calls.append(&rows[range.clone()]).await {
                Ok(()) => taken = true,
                Err(e) if !about_rows(&e) => return Err(e),
                Err(e) if range.len() == 1 => {
                    rejected.push(range.start);
                    last = e;
                    if !taken && rejected.len() >= SUSPECTS {
                        return Err(last);
                    }
                }
                Err(_) => {
                    let middle = range.start + range.len() / 2;
                    ranges.push(middle..range.end);
                    ranges.push(range.start..middle);
                }
            }
        }
        // as long as no row at all is taken, none may be called bad
        if taken { Ok(rejected) } else { Err(last) }
    }

    fn finish(&mut self, n: usize, rejected: &[usize]) {
        for row in rejected.iter().filter_map(|at| self.backlog.get(*at)) {
            let json = serde_json::to_string(&**row).unwrap_or_default();
            tracing::error!(call = %row.call.id, row = json, "the ledger does not take this row; it is only in this log");
        }
        self.backlog.drain(..n);
        self.pause = FIRST_PAUSE;
        self.batch = (self.batch * 2).min(BATCH);
        if let Some(trouble) = self.shared.trouble.lock().take() {
            tracing::info!(since = %trouble.since, "the ledger takes rows again");
        }
        self.shared.rejected.fetch_add(rejected.len() as u64, Ordering::Relaxed);
        self.shared.done.send_modify(|done| done.rows += n as u64);
        self.shared.places.add_permits(n);
    }

    async fn fail(&mut self, error: StoreError) {
        self.note(error);
        self.batch = (self.batch / 2).max(SMALLEST);
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn note(&self, error: StoreError) {
        let mut trouble = self.shared.trouble.lock();
        match trouble.as_mut() {
            Some(t) => t.error = error,
            None => {
                tracing::error!(%error, rows = self.backlog.len(), "rows cannot be written; they are kept and tried again");
                *trouble = Some(Trouble { since: self.clock.now(), error });
            }
        }
    }
}

/// Whether the error may come from what a row holds instead of the state of the ledger.
fn about_rows(error: &StoreError) -> bool {
    matches!(error, StoreError::Corrupt(_) | StoreError::Conflict(_))
}

/// Also when the writer's task panics, or is dropped before it ever ran: nobody waits for it for ever.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.places.close();
        self.0.done.send_modify(|done| done.ended = true);
    }
}
