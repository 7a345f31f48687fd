//! The ledger in memory, with switches for what goes wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bedplate_core::budget::{BudgetId, Draw, Drawn, NodeId, Return, Slice, StoredBudget};
use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::key::{KeyId, StoredKey};
use bedplate_core::ports::{Budgets, CallFilter, Calls, Keys, Ledger, Progress, Spend, StoreError, Total};
use bedplate_core::record::Outcome;
use bedplate_core::spend::{SpendAsk, SpendLine};
use bedplate_testkit::MemoryLedger;

#[derive(Default)]
pub(crate) struct Memory {
    ledger: MemoryLedger,
    /// Everything fails while it is set.
    pub(crate) down: AtomicBool,
    /// Only keys cannot be made to expire while it is set.
    pub(crate) no_expiry: AtomicBool,
    /// What `totals` says instead of what the calls come to.
    pub(crate) rolled_up: Mutex<Option<Vec<Total>>>,
}

impl Memory {
    fn up(&self) -> Result<&MemoryLedger, StoreError> {
        match self.down.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("the test has pulled the plug".into())),
            false => Ok(&self.ledger),
        }
    }
}

#[async_trait]
impl Keys for Memory {
    async fn insert_key(&self, key: &StoredKey) -> Result<i64, StoreError> {
        self.up()?.insert_key(key).await
    }

    async fn list_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.up()?.list_keys().await
    }

    async fn key(&self, id: &KeyId) -> Result<Option<StoredKey>, StoreError> {
        self.up()?.key(id).await
    }

    async fn disable_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, StoreError> {
        self.up()?.disable_key(id, at).await
    }

    async fn expire_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, StoreError> {
        if self.no_expiry.load(Ordering::SeqCst) {
            return Err(StoreError::ReadOnly("the disk is full".into()));
        }
        self.up()?.expire_key(id, at).await
    }

    async fn keys_changed(&self, after: i64) -> Result<Vec<StoredKey>, StoreError> {
        self.up()?.keys_changed(after).await
    }
}

#[async_trait]
impl Calls for Memory {
    async fn append(&self, batch: &[Arc<Outcome>]) -> Result<(), StoreError> {
        self.up()?.append(batch).await
    }

    async fn call(&self, id: CallId) -> Result<Option<Outcome>, StoreError> {
        self.up()?.call(id).await
    }

    async fn recent(&self, filter: &CallFilter, limit: u32) -> Result<Vec<Outcome>, StoreError> {
        self.up()?.recent(filter, limit).await
    }

    async fn totals(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Total>, StoreError> {
        let ledger = self.up()?;
        let rolled_up = self.rolled_up.lock().unwrap().clone();
        match rolled_up {
            Some(totals) => Ok(totals),
            None => ledger.totals(since, until).await,
        }
    }

    async fn retain(&self, before: Timestamp) -> Result<u32, StoreError> {
        self.up()?.retain(before).await
    }
}

#[async_trait]
impl Spend for Memory {
    async fn spend(&self, ask: &SpendAsk, progress: Progress<'_>) -> Result<Vec<SpendLine>, StoreError> {
        self.up()?.spend(ask, progress).await
    }
}

#[async_trait]
impl Budgets for Memory {
    async fn insert_budget(&self, budget: &StoredBudget) -> Result<i64, StoreError> {
        self.up()?.insert_budget(budget).await
    }

    async fn remove_budget(&self, id: &BudgetId, at: Timestamp) -> Result<bool, StoreError> {
        self.up()?.remove_budget(id, at).await
    }

    async fn budgets_changed(&self, after: i64) -> Result<Vec<StoredBudget>, StoreError> {
        self.up()?.budgets_changed(after).await
    }

    async fn draw(&self, draw: &Draw, now: Timestamp) -> Result<Drawn, StoreError> {
        self.up()?.draw(draw, now).await
    }

    async fn give_back(&self, node: &NodeId, returns: &[Return]) -> Result<(), StoreError> {
        self.up()?.give_back(node, returns).await
    }

    async fn renew(&self, node: &NodeId, lease_until: Timestamp) -> Result<Vec<Slice>, StoreError> {
        self.up()?.renew(node, lease_until).await
    }

    async fn slices(&self, budget: Option<&BudgetId>, since: Timestamp) -> Result<Vec<Slice>, StoreError> {
        self.up()?.slices(budget, since).await
    }

    async fn reconcile(&self, slice: &Slice, spent: i64, now: Timestamp) -> Result<bool, StoreError> {
        self.up()?.reconcile(slice, spent, now).await
    }

    async fn forget_slices(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.up()?.forget_slices(before).await
    }
}

#[async_trait]
impl Ledger for Memory {
    async fn ping(&self) -> Result<(), StoreError> {
        self.up().map(drop)
    }

    async fn schema_version(&self) -> Result<i64, StoreError> {
        self.up()?.schema_version().await
    }

    async fn claim(&self, key: &str, owner: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.up()?.claim(key, owner, now).await
    }

    fn describe(&self) -> String {
        self.ledger.describe()
    }

    async fn close(&self) {}
}
