//! What was spent in periods that are over, and in the one that runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use bedplate_core::budget::{BudgetId, Stand, Unit};
use bedplate_core::clock::Timestamp;
use bedplate_cost::budget::Period;
use serde::Serialize;

use super::view::unit;
use super::{Amounts, BudgetError, BudgetView, Treasurer};

/// A budget's periods.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct History {
    pub name: String,
    #[serde(serialize_with = "unit")]
    pub unit: Unit,
    /// As it is now.
    pub limit: i64,
    /// Oldest first.
    pub windows: Vec<Past>,
    #[serde(skip)]
    pub terms: String,
}

/// One account in one period; of a rolling period, what was spent in one day (UTC).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Past {
    pub account: String,
    /// RFC 3339, as `ends`.
    pub starts: String,
    pub ends: String,
    #[serde(flatten)]
    pub amounts: Amounts,
}

const DAY: i64 = 86_400_000_000;

impl Treasurer {
    /// The windows of a budget that began at or after `since`.
    ///
    /// # Errors
    /// [`BudgetError::NotFound`] and the ledger's.
    pub async fn history(&self, name: &str, since: Timestamp) -> Result<History, BudgetError> {
        let known = self.known(name).await?;
        let now = self.clock.now();
        let slices = self.ledger.slices(Some(&BudgetId(name.into())), since).await?;
        let mut sums: BTreeMap<(Timestamp, Arc<str>), Stand> = BTreeMap::new();
        let period = &known.budget.period;
        for slice in &slices {
            let starts = shown(period, slice.window.starts);
            let sum = sums.entry((starts, Arc::clone(&slice.window.account.of))).or_default();
            *sum = sum.plus(slice.stand(now));
        }
        let view = BudgetView::of(&known);
        let past = |((starts, of), stand): ((Timestamp, Arc<str>), Stand)| Past {
            account: of.to_string(),
            starts: starts.to_string(),
            ends: ends(period, starts).to_string(),
            amounts: Amounts::of(stand, view.limit),
        };
        let windows = sums.into_iter().map(past).collect();
        Ok(History {
            name: view.name.clone(),
            unit: view.unit,
            limit: view.limit,
            windows,
            terms: view.terms(),
        })
    }
}

/// Where a window is shown: the parts of a rolling period are too many to look at.
fn shown(period: &Period, starts: Timestamp) -> Timestamp {
    match period {
        Period::Calendar(..) => starts,
        Period::Rolling(_) => Timestamp(starts.0.div_euclid(DAY) * DAY),
    }
}

fn ends(period: &Period, starts: Timestamp) -> Timestamp {
    match period {
        Period::Calendar(..) => period.part(starts).ends,
        Period::Rolling(_) => Timestamp(starts.0 + DAY),
    }
}
