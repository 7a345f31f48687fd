//! A ledger that fails on cue, before or after the effect.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use async_trait::async_trait;
use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::ports::{CallFilter, Calls, StoreError, Total};
use bedplate_core::record::Outcome;
use parking_lot::Mutex;

/// What the next `append`s do, in order; afterwards they succeed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cue {
    Succeed,
    /// Nothing is written.
    Before,
    /// All is written, and the answer is lost.
    After,
    Full,
}

pub(crate) struct Faulty {
    inner: Arc<dyn Calls>,
    cues: Mutex<Vec<Cue>>,
    pub(crate) appends: AtomicU32,
    /// Longer batches are too slow for it.
    pub(crate) most: AtomicUsize,
    /// Batches with this call in them are refused as wrong.
    pub(crate) poison: Mutex<Option<CallId>>,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn Calls>, mut cues: Vec<Cue>) -> Arc<Self> {
        cues.reverse();
        let (cues, poison, most) = (Mutex::new(cues), Mutex::new(None), AtomicUsize::new(usize::MAX));
        Arc::new(Self { inner, cues, appends: AtomicU32::new(0), most, poison })
    }

    pub(crate) fn cue(&self, cues: &[Cue]) {
        self.cues.lock().splice(0..0, cues.iter().rev().copied());
    }

    pub(crate) fn heal(&self) {
        self.cues.lock().clear();
    }
}

#[async_trait]
impl Calls for Faulty {
    async fn append(&self, batch: &[Arc<Outcome>]) -> Result<(), StoreError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        let cue = self.cues.lock().pop().unwrap_or(Cue::Succeed);
        if batch.len() > self.most.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("no answer in time".into()));
        }
        let poison = *self.poison.lock();
        if batch.iter().any(|o| Some(o.call.id) == poison) {
            return Err(StoreError::Corrupt("a bad row".into()));
        }
        match cue {
            Cue::Before => return Err(StoreError::Unavailable("gone".into())),
            Cue::Full => return Err(StoreError::ReadOnly("the disk is full".into())),
            Cue::Succeed | Cue::After => self.inner.append(batch).await?,
        }
        if cue == Cue::After {
            return Err(StoreError::Unavailable("the answer was lost".into()));
        }
        Ok(())
    }

    async fn call(&self, id: CallId) -> Result<Option<Outcome>, StoreError> {
        self.inner.call(id).await
    }

    async fn recent(&self, filter: &CallFilter, limit: u32) -> Result<Vec<Outcome>, StoreError> {
        self.inner.recent(filter, limit).await
    }

    async fn totals(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Total>, StoreError> {
        self.inner.totals(since, until).await
    }

    async fn retain(&self, before: Timestamp) -> Result<u32, StoreError> {
        self.inner.retain(before).await
    }
}

/// Calls in memory, for tests on paused time. Counts what it was told twice.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) calls: Mutex<BTreeMap<CallId, Outcome>>,
}

#[async_trait]
impl Calls for Memory {
    async fn append(&self, batch: &[Arc<Outcome>]) -> Result<(), StoreError> {
        // a commit takes a while
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        let mut calls = self.calls.lock();
        for o in batch {
            calls.entry(o.call.id).or_insert_with(|| Outcome::clone(o));
        }
        Ok(())
    }

    async fn call(&self, id: CallId) -> Result<Option<Outcome>, StoreError> {
        Ok(self.calls.lock().get(&id).cloned())
    }

    async fn recent(&self, _: &CallFilter, limit: u32) -> Result<Vec<Outcome>, StoreError> {
        Ok(self.calls.lock().values().rev().take(limit as usize).cloned().collect())
    }

    async fn totals(&self, _: Timestamp, _: Timestamp) -> Result<Vec<Total>, StoreError> {
        Ok(Vec::new())
    }

    async fn retain(&self, _: Timestamp) -> Result<u32, StoreError> {
        Ok(0)
    }
}
