use async_trait::async_trait;
use bedplate_core::budget::{
    BudgetId, Charge, Draw, Drawn, NodeId, Return, Slice, Stand, StoredBudget, Sums, Window,
};
use bedplate_core::clock::Timestamp;
use bedplate_core::ports::{Budgets, StoreError};

use super::{MemoryLedger, Tables};

impl Tables {
    /// The slice, made when it is not there.
    fn slice(&mut self, window: &Window, node: &NodeId) -> &mut Slice {
        self.slices.entry((window.clone(), node.clone())).or_insert_with(|| Slice {
            window: window.clone(),
            node: node.clone(),
            sums: Sums::default(),
            lease_until: Timestamp(0),
        })
    }

    pub(super) fn charge(&mut self, charge: &Charge) {
        if charge.amount > 0 {
            let sums = &mut self.slice(&charge.window, &charge.node).sums;
            sums.settled = sums.settled.saturating_add(charge.amount);
        }
    }

    /// Where an account stands without the slice that is drawn for.
    fn others(&self, draw: &Draw, now: Timestamp) -> Stand {
        let counts = |s: &&Slice| {
            s.window.account == draw.window.account
                && s.window.starts >= draw.counts_from()
                && (&s.window, &s.node) != (&draw.window, &draw.node)
        };
        self.slices.values().filter(counts).fold(Stand::default(), |sum, s| sum.plus(s.stand(now)))
    }
}

#[async_trait]
impl Budgets for MemoryLedger {
    async fn insert_budget(&self, budget: &StoredBudget) -> Result<i64, StoreError> {
        let mut tables = self.tables.lock();
        if tables.budgets.get(&budget.id).is_some_and(|b| b.removed_at.is_none()) {
            return Err(StoreError::Conflict(format!("a budget `{}`", budget.id)));
        }
        let version = tables.step();
        tables.budgets.insert(budget.id.clone(), StoredBudget { version, ..budget.clone() });
        Ok(version)
    }

    async fn remove_budget(&self, id: &BudgetId, at: Timestamp) -> Result<bool, StoreError> {
        let mut tables = self.tables.lock();
        let next = tables.version + 1;
        let Some(budget) = tables.budgets.get_mut(id).filter(|b| b.removed_at.is_none()) else {
            return Ok(false);
        };
        (budget.removed_at, budget.version) = (Some(at), next);
        tables.version = next;
        Ok(true)
    }

    async fn budgets_changed(&self, after: i64) -> Result<Vec<StoredBudget>, StoreError> {
        let tables = self.tables.lock();
        let mut budgets: Vec<_> = tables.budgets.values().filter(|b| b.version > after).cloned().collect();
        budgets.sort_by_key(|b| b.version);
        budgets.truncate(10_000);
        Ok(budgets)
    }

    async fn draw(&self, draw: &Draw, now: Timestamp) -> Result<Drawn, StoreError> {
        let mut tables = self.tables.lock();
        let others = tables.others(draw, now);
        let there = tables.slices.contains_key(&(draw.window.clone(), draw.node.clone()));
        let own = tables.slice(&draw.window, &draw.node);
        let amount = draw.portion(others.taken(), own.sums);
        if let Some(amount) = amount.filter(|n| *n > 0 || there) {
            own.sums = own.sums.grant(amount);
            own.lease_until = own.lease_until.max(draw.lease_until);
        }
        let (sums, stand) = (own.sums, others.plus(own.stand(now)));
        if sums == Sums::default() {
            tables.slices.remove(&(draw.window.clone(), draw.node.clone()));
        }
        Ok(match amount {
            Some(amount) => Drawn::Granted { amount, sums, stand },
            None => Drawn::Short { sums, stand },
        })
    }

    async fn give_back(&self, node: &NodeId, returns: &[Return]) -> Result<(), StoreError> {
        let mut tables = self.tables.lock();
        for part in returns {
            if let Some(slice) = tables.slices.get_mut(&(part.window.clone(), node.clone())) {
                let sums = &mut slice.sums;
                sums.returned = sums.returned.max(part.total.min(sums.granted));
            }
        }
        Ok(())
    }

    async fn renew(&self, node: &NodeId, lease_until: Timestamp) -> Result<Vec<Slice>, StoreError> {
        let mut tables = self.tables.lock();
        let mut renewed = Vec::new();
        for slice in tables.slices.values_mut().filter(|s| s.node == *node && s.sums.open() > 0) {
            slice.lease_until = slice.lease_until.max(lease_until);
            renewed.push(slice.clone());
        }
        Ok(renewed)
    }

    async fn slices(&self, budget: Option<&BudgetId>, since: Timestamp) -> Result<Vec<Slice>, StoreError> {
        let fits =
            |s: &&Slice| s.window.starts >= since && budget.is_none_or(|id| s.window.account.budget == *id);
        Ok(self.tables.lock().slices.values().filter(fits).cloned().collect())
    }

    async fn reconcile(&self, slice: &Slice, spent: i64, now: Timestamp) -> Result<bool, StoreError> {
        let mut tables = self.tables.lock();
        let Some(own) = tables.slices.get_mut(&(slice.window.clone(), slice.node.clone())) else {
            return Ok(false);
        };
        if own.sums != slice.sums || own.sums.open() == 0 || own.lease_until > now {
            return Ok(false);
        }
        own.sums.returned = own.sums.granted - own.sums.settled;
        own.sums.reconciled = own.sums.reconciled.saturating_add(spent.max(0));
        Ok(true)
    }

    async fn forget_slices(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut tables = self.tables.lock();
        let all = tables.slices.len();
        tables.slices.retain(|_, s| s.window.starts >= before || s.sums.open() > 0);
        Ok((all - tables.slices.len()) as u64)
    }
}
