//! Which budgets concern a call, without asking each of them.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use bedplate_core::budget::Account;
use bedplate_cost::budget::{Budget, Dimension, Who};
use foldhash::fast::FixedState;

/// Budgets in force, each under the narrowest value its scope names: of a hundred thousand budgets for as many keys a
/// call looks at one.
#[derive(Default)]
pub struct Index {
    /// Those that name no value.
    general: Vec<Arc<Budget>>,
    /// By key, alias, feature, team and environment: the narrowest first.
    by: [HashMap<Arc<str>, Vec<Arc<Budget>>, FixedState>; 5],
    len: usize,
    /// How often budgets were changed until these came into force.
    pub(super) epoch: u64,
}

impl Index {
    pub fn new(budgets: impl IntoIterator<Item = Budget>) -> Self {
        let mut index = Self::default();
        for budget in budgets {
            let budget = Arc::new(budget);
            index.len += 1;
            match narrowest(&budget) {
                Some((at, value)) => {
                    if let Some(map) = index.by.get_mut(at) {
                        map.entry(value).or_default().push(budget);
                    }
                }
                None => index.general.push(budget),
            }
        }
        index
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// All of them, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Budget>> {
        self.general.iter().chain(self.by.iter().flat_map(|map| map.values().flatten()))
    }

    /// Those that may concern a call; whether they do is theirs to say.
    pub(super) fn each(&self, who: &Who<'_>, mut f: impl FnMut(&Arc<Budget>)) {
        self.general.iter().for_each(&mut f);
        let [keys, aliases, features, teams, environments] = &self.by;
        let model = if who.model == who.alias { "" } else { who.model };
        for (map, value) in [
            (keys, who.key),
            (aliases, who.alias),
            (aliases, model),
            (features, who.feature),
            (teams, who.team),
            (environments, who.environment),
        ] {
            if !map.is_empty()
                && let Some(budgets) = map.get(value)
            {
                budgets.iter().for_each(&mut f);
            }
        }
    }
}

/// The narrowest dimension that a budget's scope gives a value for.
fn narrowest(budget: &Budget) -> Option<(usize, Arc<str>)> {
    let scope = &budget.scope;
    let dimensions = [&scope.key, &scope.alias, &scope.feature, &scope.team, &scope.environment];
    let named = |d: &Option<Dimension>| d.as_ref().filter(|d| !d.each()).map(|d| Arc::clone(&d.0));
    dimensions.into_iter().enumerate().find_map(|(at, dimension)| named(dimension).map(|value| (at, value)))
}

/// Which of `n` shards holds an account.
pub(super) fn shard(account: &Account, n: usize) -> usize {
    let hash = FixedState::default().hash_one(account);
    usize::try_from(hash % n as u64).unwrap_or(0)
}
