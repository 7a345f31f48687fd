//! Budgets as configuration says them: scope, limit, period, ladder. What is spent of them is the ledger's
//! and the pipeline's business ([`bedplate_core::budget`]).

mod config;
mod ladder;
mod limit;
mod period;
mod scope;

pub use config::{Bad, BudgetConfig, all};
pub use ladder::{Rung, Step};
pub use limit::Limit;
pub use period::{Calendar, Part, Period};
pub use scope::{Dimension, Scope, Who};

use bedplate_core::budget::{Account, BudgetId};

/// A budget, compiled.
#[derive(Clone, PartialEq, Debug)]
pub struct Budget {
    pub id: BudgetId,
    pub scope: Scope,
    pub limit: Limit,
    pub period: Period,
    pub kind: Kind,
    /// In order of height.
    pub ladder: Vec<Rung>,
    pub outage: Outage,
    /// Whether models without a price may be called: their cost cannot be counted.
    pub unpriced: Unpriced,
}

/// How strictly a budget holds.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Never exceeded: each call holds its worst case, and a call that does not fit gets an error that SDKs do not
    /// retry.
    Hard,
    /// Each call holds what it will probably cost, so the limit may be exceeded a little; a call that does not fit
    /// gets an error that SDKs retry later.
    Soft,
}

/// What happens when the ledger cannot be asked for more.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Outage {
    /// Calls are refused at once.
    Closed,
    /// Calls spend what this node has drawn already, and are refused then.
    Slice,
    /// Calls go on, counted and not limited.
    Open,
}

/// What becomes of calls whose price is unknown.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Unpriced {
    Refuse,
    /// They pass, and their known part is counted.
    Allow,
}

impl Budget {
    /// The account that a call is counted on, if the budget concerns it.
    pub fn account(&self, who: &Who<'_>) -> Option<Account> {
        self.scope.of(who).map(|of| Account { budget: self.id.clone(), of })
    }

    /// How much calls may spend: the limit, or the part of it at which the ladder says so; `None` when nothing limits
    /// them.
    pub fn ceiling(&self) -> Option<i64> {
        Some(self.stops()?.of(self.limit.amount))
    }

    /// The rung at which no call goes to a model any more.
    pub fn stops(&self) -> Option<&Rung> {
        self.ladder.iter().find(|rung| matches!(rung.step, Step::CacheOnly | Step::Block))
    }
}
