//! Budgets as people and programs may see them. The same in the admin API and on the command line.

use bedplate_core::budget::{Stand, Unit};
use bedplate_core::clock::Timestamp;
use bedplate_cost::budget::{BudgetConfig, Kind, Outage, Rung, Scope, Unpriced};
use serde::Serialize;

use super::Known;
use super::stands::Standing;

/// Where a budget comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Configuration,
    /// Made at run time.
    Made,
}

/// A budget that was made at run time and cannot be read: nothing is held for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Unreadable {
    pub name: String,
    /// Why.
    pub unreadable: String,
    /// RFC 3339.
    pub created_at: String,
}

/// A budget.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BudgetView {
    pub name: String,
    pub scope: Scope,
    /// The scope in words: `team support, each key`.
    pub concerns: String,
    pub kind: Kind,
    /// `nano_usd` or `tokens`: what all amounts are in.
    #[serde(serialize_with = "unit")]
    pub unit: Unit,
    /// In the budget's unit, like all its amounts.
    pub limit: i64,
    /// What blocks, when that is less than the limit or nothing at all.
    pub blocks_at: Option<i64>,
    pub period: String,
    pub zone: String,
    pub ladder: Vec<Rung>,
    pub outage: Outage,
    pub unpriced: Unpriced,
    pub source: Source,
    /// RFC 3339; of one that was made at run time.
    pub created_at: Option<String>,
}

impl BudgetView {
    pub(super) fn of(known: &Known) -> Self {
        let (config, budget) = (&known.config, &known.budget);
        let BudgetConfig { name, scope, period, zone, ladder, .. } = config.clone();
        Self {
            concerns: scope.describe(),
            name,
            scope,
            kind: budget.kind,
            unit: budget.limit.unit,
            limit: budget.limit.amount,
            blocks_at: budget.ceiling(),
            period,
            zone,
            ladder,
            outage: budget.outage,
            unpriced: budget.unpriced,
            source: if known.stored.is_some() { Source::Made } else { Source::Configuration },
            created_at: known.stored.as_ref().map(|stored| stored.created_at.to_string()),
        }
    }

    /// `$250.00 a month`, `5000000 tokens in 24h`.
    pub fn terms(&self) -> String {
        let limit = self.unit.show(self.limit);
        match self.period.strip_prefix("rolling ") {
            Some(length) => format!("{limit} in {length}"),
            None => format!("{limit} a {}", self.period),
        }
    }
}

/// A budget and where its accounts stand.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Status {
    #[serde(flatten)]
    pub budget: BudgetView,
    /// The fullest first.
    pub accounts: Vec<AccountView>,
    /// How many others there are.
    pub more_accounts: usize,
}

/// One account, over the period that runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AccountView {
    /// `team=support`; empty where the budget has one account.
    pub account: String,
    /// From when on spending counts, RFC 3339.
    pub since: String,
    /// When it no longer counts: all of it, or of a rolling period what is spent now.
    pub resets: String,
    #[serde(flatten)]
    pub amounts: Amounts,
}

/// In the budget's unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Amounts {
    /// Spent, and recorded or reconciled.
    pub settled: i64,
    /// Granted to living nodes and not settled.
    pub held: i64,
    /// Granted to nodes that are gone, and never settled.
    pub unknown: i64,
    /// What may still be granted; below 0 when more was spent than the limit.
    pub left: i64,
}

impl Amounts {
    pub(super) fn of(stand: Stand, limit: i64) -> Self {
        let Stand { settled, granted, unknown } = stand;
        Self { settled, held: granted, unknown, left: limit.saturating_sub(stand.taken()) }
    }

    /// All that counts.
    pub fn taken(&self) -> i64 {
        self.settled.saturating_add(self.held).saturating_add(self.unknown)
    }
}

impl Status {
    pub(super) fn of(known: &Known, accounts: Vec<Standing>, now: Timestamp, most: usize) -> Self {
        let budget = BudgetView::of(known);
        let (since, resets) =
            (known.budget.period.since(now).to_string(), known.budget.period.resets(now).to_string());
        let limit = budget.blocks_at.unwrap_or(budget.limit);
        let more_accounts = accounts.len().saturating_sub(most);
        let account = |standing: &Standing| AccountView {
            account: standing.of.to_string(),
            since: since.clone(),
            resets: resets.clone(),
            amounts: Amounts::of(standing.stand, limit),
        };
        let accounts = accounts.iter().take(most).map(account).collect();
        Self { budget, accounts, more_accounts }
    }
}

#[cfg(test)]
impl Status {
    pub(crate) fn sample(config: &BudgetConfig, accounts: Vec<Standing>, now: Timestamp) -> Self {
        let known = Known { config: config.clone(), budget: config.build().unwrap(), stored: None };
        Self::of(&known, accounts, now, usize::MAX)
    }
}

pub(super) fn unit<S: serde::Serializer>(unit: &Unit, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(match unit {
        Unit::Usd => "nano_usd",
        Unit::Tokens => "tokens",
    })
}
