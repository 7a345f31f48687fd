//! Budgets: made here, looked at here, and what nobody recorded of them decided here.

mod blocked;
mod history;
mod stands;
mod unknown;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use bedplate_core::budget::{BudgetId, StoredBudget};
use bedplate_core::call::CallId;
use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::ports::{Ledger, StoreError};
use bedplate_core::record::Ending;
use bedplate_cost::budget::{Bad, Budget, BudgetConfig, all};

pub use blocked::Explained;
pub use history::{History, Past};
pub use stands::{Standing, stands};
pub use unknown::{Reconciled, UnknownSlice, Which};
pub use view::{AccountView, Amounts, BudgetView, Source, Status, Unreadable};

/// What works on budgets.
pub struct Treasurer {
    pub ledger: Arc<dyn Ledger>,
    pub clock: Arc<dyn Clock>,
    /// Those of the configuration in force.
    pub configured: Arc<dyn Fn() -> Vec<BudgetConfig> + Send + Sync>,
}

/// A budget that stands or stood: its section, compiled, and where it comes from.
#[derive(Clone)]
struct Known {
    config: BudgetConfig,
    budget: Budget,
    /// `None` for one of the configuration.
    stored: Option<StoredBudget>,
}

/// What can go wrong with budgets.
#[derive(Debug, thiserror::Error)]
pub enum BudgetError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bad(#[from] Bad),
    #[error("there is no budget `{0}`: `bedplate budget list` shows them")]
    NotFound(String),
    #[error("the budget `{0}` cannot be read, and is not in force: {1}")]
    Unreadable(String, String),
    #[error("the budget `{0}` stands in the configuration: take it out of bedplate.toml")]
    Configured(String),
    #[error("there is a budget `{0}` already: remove it first, what was spent stays")]
    Taken(String),
    #[error("the ledger has no call {0}")]
    NoCall(CallId),
    #[error("no budget blocked call {0}: it ended as {name}", name = .1.name())]
    NotBlocked(CallId, Ending),
    #[error("{0}")]
    Amount(String),
    #[error("nothing of the budget `{0}` is unknown{1}")]
    NothingUnknown(String, &'static str),
    #[error("{1} slices of the budget `{0}` are unknown: say which by node, window or account")]
    Several(String, usize),
    #[error("the slice has changed meanwhile: look again")]
    Changed,
}

impl Treasurer {
    /// Makes a budget, which takes effect on every node within a second. It is checked like one of the configuration,
    /// together with all that stand.
    ///
    /// # Errors
    /// [`BudgetError::Bad`] says what is wrong with it, [`BudgetError::Taken`], and the ledger's: then nothing is
    /// there.
    pub async fn create(&self, config: &BudgetConfig) -> Result<BudgetView, BudgetError> {
        let unit = config.build()?.limit.unit;
        // what was spent stays with the name, and nanos read as tokens would be nonsense
        let before = self.made().await?.into_iter().rev().find(|known| known.config.name == config.name);
        if before.is_some_and(|before| before.budget.limit.unit != unit) {
            let said = "what was spent under this name is counted in the other unit: take another name";
            return Err(Bad { name: config.name.clone(), member: "limit", said: said.into() }.into());
        }
        let standing = self.standing().await?;
        if standing.values().any(|known| known.config.name == config.name) {
            return Err(BudgetError::Taken(config.name.clone()));
        }
        let mut configs: Vec<BudgetConfig> = standing.into_values().map(|known| known.config).collect();
        configs.push(config.clone());
        let last = configs.len() - 1;
        // those that stand beside each other already are not this one's fault
        let wrong = all(&configs).err().unwrap_or_default();
        if let Some((_, bad)) = wrong.into_iter().find(|(at, _)| *at == last) {
            return Err(bad.into());
        }
        let stored = StoredBudget {
            id: BudgetId(config.name.as_str().into()),
            spec: serde_json::to_string(config).map_err(|e| StoreError::Corrupt(e.to_string()))?,
            created_at: self.clock.now(),
            removed_at: None,
            version: 0,
        };
        match self.ledger.insert_budget(&stored).await {
            Ok(_) => {}
            Err(StoreError::Conflict(_)) => return Err(BudgetError::Taken(config.name.clone())),
            Err(e) => return Err(e.into()),
        }
        let budget = config.build()?;
        Ok(BudgetView::of(&Known { config: config.clone(), budget, stored: Some(stored) }))
    }

    /// Every budget that stands, by name.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn list(&self) -> Result<Vec<BudgetView>, BudgetError> {
        Ok(self.standing().await?.values().map(BudgetView::of).collect())
    }

    /// Those that were made at run time, stand, and are not in force because they cannot be read. One of the
    /// configuration stands over one of its name.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn unreadable(&self) -> Result<Vec<Unreadable>, BudgetError> {
        let configured = (self.configured)();
        let stored = self.stored().await?.into_iter().filter(|stored| {
            let id = &stored.id;
            stored.removed_at.is_none() && !configured.iter().any(|config| *config.name == *id.0)
        });
        let mut all: Vec<Unreadable> = stored
            .filter_map(|stored| {
                let (name, created_at) = (stored.id.to_string(), stored.created_at.to_string());
                read(stored).err().map(|unreadable| Unreadable { name, unreadable, created_at })
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Removes a budget that was made at run time; every node stops to hold it within a second. What was spent stays.
    ///
    /// # Errors
    /// [`BudgetError::NotFound`], [`BudgetError::Configured`], and the ledger's.
    pub async fn remove(&self, name: &str) -> Result<(), BudgetError> {
        if self.ledger.remove_budget(&BudgetId(name.into()), self.clock.now()).await? {
            return Ok(());
        }
        let configured = (self.configured)().iter().any(|config| config.name == name);
        Err(if configured {
            BudgetError::Configured(name.into())
        } else {
            BudgetError::NotFound(name.into())
        })
    }

    /// Where each budget stands in the period that runs, by all nodes; the fullest accounts first, at most `most` of
    /// each budget.
    ///
    /// # Errors
    /// [`BudgetError::NotFound`] when `name` is none, and the ledger's.
    pub async fn status(&self, name: Option<&str>, most: usize) -> Result<Vec<Status>, BudgetError> {
        let mut standing = self.standing().await?;
        if let Some(name) = name {
            standing.retain(|_, known| known.config.name == name);
            if standing.is_empty() {
                let unread = self.unreadable().await?.into_iter().find(|unread| unread.name == name);
                return Err(match unread {
                    Some(unread) => BudgetError::Unreadable(unread.name, unread.unreadable),
                    None => BudgetError::NotFound(name.into()),
                });
            }
        }
        let now = self.clock.now();
        let known: Vec<Known> = standing.into_values().collect();
        let budgets: Vec<&Budget> = known.iter().map(|known| &known.budget).collect();
        let stands = stands(&*self.ledger, &budgets, now).await?;
        Ok(known.iter().zip(stands).map(|(known, accounts)| Status::of(known, accounts, now, most)).collect())
    }

    /// All budgets that stand. One of the configuration stands over one of its name that was made.
    async fn standing(&self) -> Result<BTreeMap<BudgetId, Known>, BudgetError> {
        let mut standing = BTreeMap::new();
        for known in self.made().await?.into_iter().filter(|known| known.removed_at().is_none()) {
            standing.insert(known.budget.id.clone(), known);
        }
        for config in (self.configured)() {
            let budget = config.build()?;
            standing.insert(budget.id.clone(), Known { config, budget, stored: None });
        }
        Ok(standing)
    }

    /// A budget that stands, or one that stood and was made at run time.
    async fn known(&self, name: &str) -> Result<Known, BudgetError> {
        let id = BudgetId(name.into());
        if let Some(known) = self.standing().await?.remove(&id) {
            return Ok(known);
        }
        let removed = self.made().await?.into_iter().find(|known| known.budget.id == id);
        removed.ok_or_else(|| BudgetError::NotFound(name.into()))
    }

    /// Those that were made at run time and can be read, removed ones too.
    async fn made(&self) -> Result<Vec<Known>, StoreError> {
        Ok(self.stored().await?.into_iter().filter_map(|stored| read(stored).ok()).collect())
    }

    /// Those that were made at run time, removed ones too.
    async fn stored(&self) -> Result<Vec<StoredBudget>, StoreError> {
        let (mut stored, mut version) = (Vec::new(), 0);
        loop {
            let changed = self.ledger.budgets_changed(version).await?;
            let Some(last) = changed.last() else { return Ok(stored) };
            version = last.version;
            stored.extend(changed);
        }
    }
}

impl Known {
    fn removed_at(&self) -> Option<Timestamp> {
        self.stored.as_ref().and_then(|stored| stored.removed_at)
    }
}

/// What a stored budget says.
///
/// # Errors
/// Why it cannot be read: a newer version may have made it.
fn read(stored: StoredBudget) -> Result<Known, String> {
    let config = serde_json::from_str::<BudgetConfig>(&stored.spec).map_err(|e| e.to_string())?;
    let budget = config.build().map_err(|bad| bad.to_string())?;
    Ok(Known { config, budget, stored: Some(stored) })
}
