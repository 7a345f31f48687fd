//! Which budgets are in force: those of the configuration, and those made at run time.

mod notice;
mod unread;
mod watch;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bedplate_core::budget::{BudgetId, NodeId, StoredBudget};
use bedplate_core::ids::{Ids, text};
use bedplate_core::ports::{Budgets, StoreError};
use bedplate_cost::budget::{Budget, BudgetConfig};
use bedplate_pipeline::budget::{Index, Purses};
use parking_lot::Mutex;

use unread::Unread;
pub(super) use watch::{Seen, Watch};

/// Both kinds together, compiled anew whenever one of them changes.
pub(crate) struct InForce {
    pub(crate) purses: Arc<Purses>,
    ledger: Arc<dyn Budgets>,
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    configured: Vec<Configured>,
    stored: BTreeMap<BudgetId, Budget>,
    unread: Unread,
    /// The ledger's version that `stored` has come to.
    version: i64,
    /// Both kinds, those of the configuration first.
    all: Arc<Vec<Budget>>,
}

/// A budget of the configuration: as it says it, and compiled.
pub(super) type Configured = (BudgetConfig, Budget);

impl InForce {
    pub(super) fn new(purses: Arc<Purses>, ledger: Arc<dyn Budgets>) -> Self {
        Self { purses, ledger, made: Mutex::default() }
    }

    /// Takes over what the configuration says.
    pub(super) fn configure(&self, budgets: Vec<Configured>) {
        let mut made = self.made.lock();
        if made.configured != budgets {
            made.configured = budgets;
            self.purses.set(made.compile());
        }
    }

    /// Takes over budgets that were made or removed since the last look.
    pub(super) async fn take_changed(&self) -> Result<(), StoreError> {
        loop {
            let after = self.made.lock().version;
            let changed = self.ledger.budgets_changed(after).await?;
            if changed.is_empty() {
                return Ok(());
            }
            let mut made = self.made.lock();
            for stored in changed {
                made.take(stored);
            }
            self.purses.set(made.compile());
        }
    }

    /// The configuration in force, as it says them.
    pub(super) fn configured(&self) -> Vec<BudgetConfig> {
        self.made.lock().configured.iter().map(|(config, _)| config.clone()).collect()
    }

    /// What is wrong with budgets that should be in force; `None` when nothing is.
    pub(super) fn unread(&self) -> Option<String> {
        let made = self.made.lock();
        made.unread.said(&made.taken())
    }

    /// Every budget in force; the same list until one changes.
    fn all(&self) -> Arc<Vec<Budget>> {
        Arc::clone(&self.made.lock().all)
    }
}

impl Made {
    fn take(&mut self, stored: StoredBudget) {
        self.version = self.version.max(stored.version);
        self.unread.remove(&stored.id);
        match read(&stored) {
            _ if stored.removed_at.is_some() => drop(self.stored.remove(&stored.id)),
            Ok(budget) => drop(self.stored.insert(stored.id, budget)),
            Err(said) => self.unread.add(stored.id, said),
        }
    }

    /// Names of the configuration: it stands over what is stored.
    fn taken(&self) -> HashSet<&BudgetId> {
        self.configured.iter().map(|(_, budget)| &budget.id).collect()
    }

    fn compile(&mut self) -> Index {
        let taken = self.taken();
        let stored = self.stored.values().filter(|budget| {
            let shadowed = taken.contains(&budget.id);
            if shadowed {
                tracing::warn!(budget = %budget.id, "the configuration has a budget of this name: the one made at run time does not count");
            }
            !shadowed
        });
        let all: Vec<Budget> =
            self.configured.iter().map(|(_, budget)| budget).chain(stored).cloned().collect();
        self.all = Arc::new(all);
        Index::new(self.all.iter().cloned())
    }
}

/// A budget as it was stored.
fn read(stored: &StoredBudget) -> Result<Budget, String> {
    let config: BudgetConfig = serde_json::from_str(&stored.spec).map_err(|e| e.to_string())?;
    config.build().map_err(|bad| bad.to_string())
}

/// A name for this process, from its start to its end.
pub(super) fn node(ids: &dyn Ids) -> NodeId {
    NodeId(text(ids, b"abcdefghijklmnopqrstuvwxyz0123456789", 16).into())
}
