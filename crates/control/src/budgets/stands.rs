//! Where accounts stand, by the ledger.

use std::collections::BTreeMap;
use std::sync::Arc;

use bedplate_core::budget::{BudgetId, Slice, Stand};
use bedplate_core::clock::Timestamp;
use bedplate_core::ports::{Budgets, StoreError};
use bedplate_cost::budget::{Budget, Dimension};

/// One account of a budget, over the period that runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// `team=support`; empty where the budget has one account.
    pub of: Arc<str>,
    pub stand: Stand,
}

/// For more budgets than these it is cheaper to read all slices once.
const ONE_BY_ONE: usize = 64;

/// The accounts of each budget, the fullest first. A budget with one account always has it; others have those
/// that calls were charged to.
///
/// # Errors
/// The ledger's.
pub async fn stands<B: Budgets + ?Sized>(
    ledger: &B,
    budgets: &[&Budget],
    now: Timestamp,
) -> Result<Vec<Vec<Standing>>, StoreError> {
    let from = |budget: &Budget| budget.period.part(now).counts_from;
    let mut slices: BTreeMap<BudgetId, Vec<Slice>> = BTreeMap::new();
    if budgets.len() > ONE_BY_ONE {
        let since = budgets.iter().map(|budget| from(budget)).min().unwrap_or(now);
        for slice in ledger.slices(None, since).await? {
            slices.entry(slice.window.account.budget.clone()).or_default().push(slice);
        }
    } else {
        for budget in budgets {
            slices.insert(budget.id.clone(), ledger.slices(Some(&budget.id), from(budget)).await?);
        }
    }
    let of = |budget: &&Budget| {
        let slices = slices.get(&budget.id).map_or(&[][..], Vec::as_slice);
        accounts(budget, slices, from(budget), now)
    };
    Ok(budgets.iter().map(of).collect())
}

fn accounts(budget: &Budget, slices: &[Slice], from: Timestamp, now: Timestamp) -> Vec<Standing> {
    let mut sums: BTreeMap<Arc<str>, Stand> = BTreeMap::new();
    if is_one(budget) {
        sums.insert("".into(), Stand::default());
    }
    for slice in slices.iter().filter(|slice| slice.window.starts >= from) {
        let sum = sums.entry(Arc::clone(&slice.window.account.of)).or_default();
        *sum = sum.plus(slice.stand(now));
    }
    let mut accounts: Vec<Standing> = sums.into_iter().map(|(of, stand)| Standing { of, stand }).collect();
    accounts.sort_by_key(|account| std::cmp::Reverse(account.stand.taken()));
    accounts
}

/// Whether all calls of a budget are counted together.
fn is_one(budget: &Budget) -> bool {
    let scope = &budget.scope;
    let each = |dimension: &Option<Dimension>| dimension.as_ref().is_some_and(Dimension::each);
    ![&scope.team, &scope.feature, &scope.environment, &scope.key, &scope.alias].into_iter().any(each)
}
