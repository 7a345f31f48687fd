//! Budgets in SQLite.

use async_trait::async_trait;
use bedplate_core::budget::{BudgetId, Draw, Drawn, NodeId, Return, Slice, StoredBudget};
use bedplate_core::clock::Timestamp;
use bedplate_core::ports::{Budgets, StoreError};
use sqlx::Connection as _;

use super::Sqlite;
use crate::budgets::{self, Stored};
use crate::fault::within;
use crate::keys::STEP;
use crate::lease::Lease;
use crate::slices::FORGOTTEN;

#[async_trait]
impl Budgets for Sqlite {
    async fn insert_budget(&self, budget: &StoredBudget) -> Result<i64, StoreError> {
        let version = within(self.deadline, self.insert_unless_there(budget)).await?;
        version.ok_or_else(|| budgets::taken(&budget.id))
    }

    async fn remove_budget(&self, id: &BudgetId, at: Timestamp) -> Result<bool, StoreError> {
        within(self.deadline, self.remove(id, at)).await
    }

    async fn budgets_changed(&self, after: i64) -> Result<Vec<StoredBudget>, StoreError> {
        let read = sqlx::query_as::<_, Stored>(budgets::CHANGED).bind(after).fetch_all(&self.readers);
        Ok(within(self.deadline, read).await?.into_iter().map(|b| b.0).collect())
    }

    async fn draw(&self, draw: &Draw, now: Timestamp) -> Result<Drawn, StoreError> {
        within(self.deadline, self.grant(draw, now)).await
    }

    async fn give_back(&self, node: &NodeId, returns: &[Return]) -> Result<(), StoreError> {
        within(self.deadline, self.take_back(node, returns)).await
    }

    async fn renew(&self, node: &NodeId, lease_until: Timestamp) -> Result<Vec<Slice>, StoreError> {
        within(self.deadline, self.extend(node, lease_until)).await
    }

    async fn slices(&self, budget: Option<&BudgetId>, since: Timestamp) -> Result<Vec<Slice>, StoreError> {
        within(self.deadline, self.all_slices(budget, since)).await
    }

    async fn reconcile(&self, slice: &Slice, spent: i64, now: Timestamp) -> Result<bool, StoreError> {
        within(self.deadline, self.decide(slice, spent, now)).await
    }

    async fn forget_slices(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut gone = 0;
        loop {
            let n = within(self.deadline, self.forget(before)).await?;
            gone += n;
            if n < FORGOTTEN {
                return Ok(gone);
            }
        }
    }
}

impl Sqlite {
    /// `None` when a budget of that name stands: the transaction is dropped, and the counter with it stays.
    async fn insert_unless_there(&self, budget: &StoredBudget) -> Result<Option<i64>, sqlx::Error> {
        let mut lease = Lease::of(&self.writer).await?;
        let mut tx = lease.begin_with("BEGIN IMMEDIATE").await?;
        let version: i64 = sqlx::query_scalar(STEP).fetch_one(&mut *tx).await?;
        let insert = sqlx::query(budgets::INSERT)
            .bind(&*budget.id.0)
            .bind(&budget.spec)
            .bind(budget.created_at.0)
            .bind(budget.removed_at.map(|at| at.0))
            .bind(version);
        let inserted = insert.execute(&mut *tx).await?.rows_affected() > 0;
        if inserted {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        lease.keep();
        Ok(inserted.then_some(version))
    }

    async fn remove(&self, id: &BudgetId, at: Timestamp) -> Result<bool, sqlx::Error> {
        let mut lease = Lease::of(&self.writer).await?;
        let mut tx = lease.begin_with("BEGIN IMMEDIATE").await?;
        let version: i64 = sqlx::query_scalar(STEP).fetch_one(&mut *tx).await?;
        let remove = sqlx::query(budgets::REMOVE).bind(&*id.0).bind(at.0).bind(version);
        let removed = remove.execute(&mut *tx).await?.rows_affected() > 0;
        if removed {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        lease.keep();
        Ok(removed)
    }
}
