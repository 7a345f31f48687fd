//! Spending that nobody recorded, and what somebody decides of it.

use bedplate_core::budget::{BudgetId, Slice, Unit};
use bedplate_core::clock::Timestamp;
use bedplate_core::money::{Nanos, decimal};
use serde::Serialize;

use super::view::unit;
use super::{BudgetError, Known, Treasurer};

/// What a node that is gone was granted, and may have spent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct UnknownSlice {
    pub budget: BudgetId,
    /// `team=support`; empty where the budget has one account.
    pub account: String,
    /// When its window began, RFC 3339.
    pub window: String,
    pub node: String,
    #[serde(serialize_with = "unit")]
    pub unit: Unit,
    /// In the budget's unit.
    pub unknown: i64,
    /// When the node was given up.
    pub since: String,
}

/// One of several slices; what is `None` may be any.
#[derive(Clone, Debug, Default)]
pub struct Which {
    pub node: Option<String>,
    pub window: Option<Timestamp>,
    pub account: Option<String>,
}

/// What was decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Reconciled {
    #[serde(flatten)]
    pub slice: UnknownSlice,
    /// Counts as settled from now on.
    pub spent: i64,
    /// May be spent again.
    pub freed: i64,
}

impl Treasurer {
    /// What is unknown of a budget, over all its periods, oldest first.
    ///
    /// # Errors
    /// [`BudgetError::NotFound`] and the ledger's.
    pub async fn unknown(&self, name: &str, which: &Which) -> Result<Vec<UnknownSlice>, BudgetError> {
        let known = self.known(name).await?;
        let slices = self.unknown_slices(name, which).await?;
        Ok(slices.iter().map(|slice| view(slice, &known)).collect())
    }

    /// Decides how much of what is unknown in one slice was spent, `"0.02 USD"` or `"1200 tokens"`; the rest is free
    /// again.
    ///
    /// # Errors
    /// When not exactly one slice is meant, when the amount is not the budget's or more than is unknown, and
    /// [`BudgetError::Changed`] when somebody else was faster.
    pub async fn reconcile(&self, name: &str, which: &Which, spent: &str) -> Result<Reconciled, BudgetError> {
        let known = self.known(name).await?;
        let spent = amount(spent, known.budget.limit.unit)?;
        let slices = self.unknown_slices(name, which).await?;
        let slice = match &slices[..] {
            [slice] => slice,
            [] => {
                let any = which.node.is_none() && which.window.is_none() && which.account.is_none();
                let where_ = if any { "" } else { " there" };
                return Err(BudgetError::NothingUnknown(name.into(), where_));
            }
            several => return Err(BudgetError::Several(name.into(), several.len())),
        };
        let open = slice.sums.open();
        if spent > open {
            let unit = known.budget.limit.unit;
            let (spent, open) = (unit.show(spent), unit.show(open));
            return Err(BudgetError::Amount(format!("{spent} is more than the {open} that are unknown")));
        }
        if !self.ledger.reconcile(slice, spent, self.clock.now()).await? {
            return Err(BudgetError::Changed);
        }
        tracing::info!(budget = name, node = %slice.node.0, spent, freed = open - spent, "reconciled");
        Ok(Reconciled { slice: view(slice, &known), spent, freed: open - spent })
    }

    async fn unknown_slices(&self, name: &str, which: &Which) -> Result<Vec<Slice>, BudgetError> {
        let now = self.clock.now();
        let mut slices = self.ledger.slices(Some(&BudgetId(name.into())), Timestamp(0)).await?;
        slices.retain(|slice| {
            slice.stand(now).unknown > 0
                && which.node.as_deref().is_none_or(|node| node == &*slice.node.0)
                && which.window.is_none_or(|starts| starts == slice.window.starts)
                && which.account.as_deref().is_none_or(|of| of == &*slice.window.account.of)
        });
        slices.sort_by_key(|slice| slice.window.starts);
        Ok(slices)
    }
}

fn view(slice: &Slice, known: &Known) -> UnknownSlice {
    UnknownSlice {
        budget: slice.window.account.budget.clone(),
        account: slice.window.account.of.to_string(),
        window: slice.window.starts.to_string(),
        node: slice.node.0.to_string(),
        unit: known.budget.limit.unit,
        unknown: slice.sums.open(),
        since: slice.lease_until.to_string(),
    }
}

/// `"0.02 USD"`, and nothing at all is an amount, too.
fn amount(text: &str, unit: Unit) -> Result<i64, BudgetError> {
    let wrong = |said: String| BudgetError::Amount(said);
    let (said, named) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let plain = said.replace('_', "");
    let (read, name, example) = match unit {
        Unit::Usd => (plain.parse::<Nanos>().ok().map(|n| n.0), "USD", "0.02 USD"),
        Unit::Tokens => (decimal(&plain, 0).and_then(|n| i64::try_from(n).ok()), "tokens", "1200 tokens"),
    };
    if named.trim() != name {
        return Err(wrong(format!("`{text}` is not in {name}, as the budget is: write `{example}`")));
    }
    match read {
        Some(n) if n >= 0 => Ok(n),
        _ => Err(wrong(format!("`{text}` is not an amount that can be spent: write `{example}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_and_of_the_budgets_unit() {
        let read = |text, unit| amount(text, unit).map_err(|e| e.to_string());
        assert_eq!(read("0.02 USD", Unit::Usd), Ok(20_000_000));
        assert_eq!(read("0 USD", Unit::Usd), Ok(0));
        assert_eq!(read("1_200 tokens", Unit::Tokens), Ok(1_200));
        assert!(read("5 tokens", Unit::Usd).unwrap_err().contains("not in USD"));
        assert!(read("0.02", Unit::Usd).unwrap_err().contains("not in USD"));
        assert!(read("-1 USD", Unit::Usd).unwrap_err().contains("not an amount"));
        assert!(read("1.5 tokens", Unit::Tokens).unwrap_err().contains("not an amount"));
    }
}
