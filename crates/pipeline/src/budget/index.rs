//! Which budgets concern a call, without asking each of them.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use bedplate_core::budget::Account;
use bedplate_cost::budget::{Budget, Who};
use foldhash::fast::FixedState;

use crate::scoped::ByScope;

/// Budgets in force.
#[derive(Default)]
pub struct Index {
    budgets: ByScope<Arc<Budget>>,
    /// How often budgets were changed until these came into force.
    pub(super) epoch: u64,
}

impl Index {
    pub fn new(budgets: impl IntoIterator<Item = Budget>) -> Self {
        let mut index = Self::default();
        for budget in budgets {
            let budget = Arc::new(budget);
            index.budgets.add(&budget.scope, Arc::clone(&budget));
        }
        index
    }

    pub fn is_empty(&self) -> bool {
        self.budgets.is_empty()
    }

    pub fn len(&self) -> usize {
        self.budgets.len()
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Budget>> {
        self.budgets.all()
    }

    /// Those that may concern a call; whether they do is theirs to say.
    pub(super) fn each(&self, who: &Who<'_>, f: impl FnMut(&Arc<Budget>)) {
        self.budgets.each(who, f);
    }
}

/// Which of `n` shards holds an account.
pub(super) fn shard(account: &Account, n: usize) -> usize {
    let hash = FixedState::default().hash_one(account);
    usize::try_from(hash % n as u64).unwrap_or(0)
}
