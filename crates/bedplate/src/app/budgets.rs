//! Which budgets are in force: those of the configuration, and those made at run time.

use std::collections::BTreeMap;
use std::sync::Arc;

use bedplate_core::budget::{BudgetId, NodeId, StoredBudget};
use bedplate_core::ids::{Ids, text};
use bedplate_core::ports::{Budgets, StoreError};
use bedplate_cost::budget::{Budget, BudgetConfig};
use bedplate_pipeline::budget::{Index, Purses};
use parking_lot::Mutex;

/// Both kinds together, compiled anew whenever one of them changes.
pub(crate) struct InForce {
    pub(crate) purses: Arc<Purses>,
    ledger: Arc<dyn Budgets>,
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    configured: Vec<Budget>,
    stored: BTreeMap<BudgetId, Budget>,
    /// The ledger's version that `stored` has come to.
    version: i64,
}

impl InForce {
    pub(super) fn new(purses: Arc<Purses>, ledger: Arc<dyn Budgets>) -> Self {
        Self { purses, ledger, made: Mutex::default() }
    }

    /// Takes over what the configuration says.
    pub(super) fn configure(&self, budgets: Vec<Budget>) {
        let mut made = self.made.lock();
        if made.configured != budgets {
            made.configured = budgets;
            self.purses.set(made.index());
        }
    }

    /// Takes over budgets that were made or removed since the last look.
    pub(super) async fn take_changed(&self) -> Result<(), StoreError> {
        let after = self.made.lock().version;
        let changed = self.ledger.budgets_changed(after).await?;
        if changed.is_empty() {
            return Ok(());
        }
        let mut made = self.made.lock();
        for stored in changed {
            made.version = made.version.max(stored.version);
            match read(&stored) {
                _ if stored.removed_at.is_some() => drop(made.stored.remove(&stored.id)),
                Ok(budget) => drop(made.stored.insert(stored.id, budget)),
                // it was checked before it was stored: a newer version may have made it
                Err(said) => tracing::error!(budget = %stored.id, "a stored budget cannot be read: {said}"),
            }
        }
        self.purses.set(made.index());
        Ok(())
    }
}

impl Made {
    fn index(&self) -> Index {
        let taken = |id: &BudgetId| self.configured.iter().any(|b| b.id == *id);
        let stored = self.stored.values().filter(|budget| {
            let shadowed = taken(&budget.id);
            if shadowed {
                tracing::warn!(budget = %budget.id, "the configuration has a budget of this name: the one made at run time does not count");
            }
            !shadowed
        });
        Index::new(self.configured.iter().chain(stored).cloned())
    }
}

/// A budget as it was stored.
pub(crate) fn read(stored: &StoredBudget) -> Result<Budget, String> {
    let config: BudgetConfig = serde_json::from_str(&stored.spec).map_err(|e| e.to_string())?;
    config.build().map_err(|bad| bad.to_string())
}

/// A name for this process, from its start to its end.
pub(super) fn node(ids: &dyn Ids) -> NodeId {
    NodeId(text(ids, b"abcdefghijklmnopqrstuvwxyz0123456789", 16).into())
}
