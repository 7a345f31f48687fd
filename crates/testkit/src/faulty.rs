//! A ledger whose answers are lost on cue, before the effect, after it, or long before it.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use bedplate_core::BoxFuture;
use bedplate_core::budget::{BudgetId, Draw, Drawn, NodeId, Return, Slice, StoredBudget};
use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::key::{KeyId, StoredKey};
use bedplate_core::ports::{Budgets, CallFilter, Calls, Keys, Ledger, Progress, Spend, StoreError, Total};
use bedplate_core::record::Outcome;
use bedplate_core::spend::{SpendAsk, SpendLine};
use parking_lot::Mutex;

/// What happens to a question on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cue {
    Succeed,
    /// Nothing is done.
    Before,
    /// All is done, and the answer is lost.
    After,
    /// The answer is lost, and all is done by the next [`FaultyLedger::deliver`]: a question that lies in a
    /// connection which stands still.
    Late,
}

/// One node's way to a ledger. Cues are for calls, and for changes of budgets and slices, one each; without a cue
/// they succeed. Keys and questions that change nothing pass.
pub struct FaultyLedger {
    inner: Arc<dyn Ledger>,
    cues: Mutex<VecDeque<Cue>>,
    late: Mutex<Vec<BoxFuture<'static, ()>>>,
}

impl FaultyLedger {
    pub fn new(inner: Arc<dyn Ledger>) -> Self {
        Self { inner, cues: Mutex::default(), late: Mutex::default() }
    }

    /// What happens next, after what was cued before.
    pub fn cue(&self, cues: &[Cue]) {
        self.cues.lock().extend(cues);
    }

    /// Does what is late, in its order; gives how much that was.
    pub async fn deliver(&self) -> usize {
        let late = std::mem::take(&mut *self.late.lock());
        let n = late.len();
        for work in late {
            work.await;
        }
        n
    }

    /// From now on all succeeds. What is late stays so.
    pub fn heal(&self) {
        self.cues.lock().clear();
    }

    async fn pass<T: Send + 'static>(
        &self,
        work: impl FnOnce(Arc<dyn Ledger>) -> BoxFuture<'static, Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let cue = self.cues.lock().pop_front().unwrap_or(Cue::Succeed);
        let inner = Arc::clone(&self.inner);
        match cue {
            Cue::Succeed => return work(inner).await,
            Cue::Before => {}
            Cue::After => drop(work(inner).await?),
            Cue::Late => self.late.lock().push(Box::pin(async move { drop(work(inner).await) })),
        }
        Err(StoreError::Unavailable(format!("the answer was lost: {cue:?}")))
    }
}

#[async_trait]
impl Calls for FaultyLedger {
    async fn append(&self, batch: &[Arc<Outcome>]) -> Result<(), StoreError> {
        let batch = batch.to_vec();
        self.pass(|inner| Box::pin(async move { inner.append(&batch).await })).await
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

#[async_trait]
impl Spend for FaultyLedger {
    async fn spend(&self, ask: &SpendAsk, progress: Progress<'_>) -> Result<Vec<SpendLine>, StoreError> {
        self.inner.spend(ask, progress).await
    }
}

#[async_trait]
impl Budgets for FaultyLedger {
    async fn insert_budget(&self, budget: &StoredBudget) -> Result<i64, StoreError> {
        let budget = budget.clone();
        self.pass(|inner| Box::pin(async move { inner.insert_budget(&budget).await })).await
    }

    async fn remove_budget(&self, id: &BudgetId, at: Timestamp) -> Result<bool, StoreError> {
        let id = id.clone();
        self.pass(move |inner| Box::pin(async move { inner.remove_budget(&id, at).await })).await
    }

    async fn budgets_changed(&self, after: i64) -> Result<Vec<StoredBudget>, StoreError> {
        self.inner.budgets_changed(after).await
    }

    async fn draw(&self, draw: &Draw, now: Timestamp) -> Result<Drawn, StoreError> {
        let draw = draw.clone();
        self.pass(move |inner| Box::pin(async move { inner.draw(&draw, now).await })).await
    }

    async fn give_back(&self, node: &NodeId, returns: &[Return]) -> Result<(), StoreError> {
        let (node, returns) = (node.clone(), returns.to_vec());
        self.pass(|inner| Box::pin(async move { inner.give_back(&node, &returns).await })).await
    }

    async fn renew(&self, node: &NodeId, lease_until: Timestamp) -> Result<Vec<Slice>, StoreError> {
        let node = node.clone();
        self.pass(move |inner| Box::pin(async move { inner.renew(&node, lease_until).await })).await
    }

    async fn slices(&self, budget: Option<&BudgetId>, since: Timestamp) -> Result<Vec<Slice>, StoreError> {
        self.inner.slices(budget, since).await
    }

    async fn reconcile(&self, slice: &Slice, spent: i64, now: Timestamp) -> Result<bool, StoreError> {
        let slice = slice.clone();
        self.pass(move |inner| Box::pin(async move { inner.reconcile(&slice, spent, now).await })).await
    }

    async fn forget_slices(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.pass(move |inner| Box::pin(async move { inner.forget_slices(before).await })).await
    }
}

#[async_trait]
impl Keys for FaultyLedger {
    async fn insert_key(&self, key: &StoredKey) -> Result<i64, StoreError> {
        self.inner.insert_key(key).await
    }

    async fn list_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.inner.list_keys().await
    }

    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>, StoreError> {
        self.inner.key(id).await
    }

    async fn disable_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, StoreError> {
        self.inner.disable_key(id, at).await
    }

    async fn expire_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, StoreError> {
        self.inner.expire_key(id, at).await
    }

    async fn keys_changed(&self, after: i64) -> Result<Vec<StoredKey>, StoreError> {
        self.inner.keys_changed(after).await
    }
}

#[async_trait]
impl Ledger for FaultyLedger {
    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }

    async fn schema_version(&self) -> Result<i64, StoreError> {
        self.inner.schema_version().await
    }

    async fn claim(&self, key: &str, owner: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.inner.claim(key, owner, now).await
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
