//! Where budgets stand, as gauges.

use bedplate_core::budget::{Stand, Unit};

use crate::metrics::names::{self, Metric};

/// A budget as somebody read it from the ledger.
#[derive(Clone, Debug)]
pub struct BudgetReading {
    pub budget: String,
    pub unit: Unit,
    pub limit: i64,
    /// In the period that runs.
    pub accounts: Vec<AccountReading>,
}

/// One account of it.
#[derive(Clone, Debug)]
pub struct AccountReading {
    /// `team=support`; empty where the budget has one account.
    pub of: String,
    pub stand: Stand,
}

/// A budget with more accounts shows their sum: who has a key must not grow the registry.
const FEW: usize = 20;
/// The account of a budget that has only one, and of the sum over many.
const ALL: &str = "all";

type Amount = (Metric, Vec<String>, f64);

/// The gauges of the first `most` budgets.
pub(super) fn amounts(readings: &[BudgetReading], most: usize) -> Vec<Amount> {
    readings.iter().take(most).flat_map(of).collect()
}

fn of(reading: &BudgetReading) -> Vec<Amount> {
    let BudgetReading { budget, unit, limit, accounts } = reading;
    let named = |account: &str| vec![budget.clone(), account.to_owned(), name(*unit).to_owned()];
    let mut out =
        vec![(names::BUDGET_LIMIT, vec![budget.clone(), name(*unit).to_owned()], shown(*unit, *limit))];
    let fullest = accounts.iter().map(|a| a.stand.taken()).max().unwrap_or(0);
    out.push((names::BUDGET_USED, vec![budget.clone()], float(fullest) / float((*limit).max(1))));
    let mut stands = |account: &str, stand: Stand| {
        let parts = [
            (names::BUDGET_SETTLED, stand.settled),
            (names::BUDGET_HELD, stand.granted),
            (names::BUDGET_UNKNOWN, stand.unknown),
        ];
        out.extend(parts.map(|(metric, amount)| (metric, named(account), shown(*unit, amount))));
    };
    let few = accounts.len() <= FEW && accounts.iter().all(|a| !a.of.is_empty());
    if few && !accounts.is_empty() {
        accounts.iter().for_each(|a| stands(&a.of, a.stand));
    } else {
        stands(ALL, accounts.iter().fold(Stand::default(), |sum, a| sum.plus(a.stand)));
    }
    out
}

fn name(unit: Unit) -> &'static str {
    match unit {
        Unit::Usd => "usd",
        Unit::Tokens => "tokens",
    }
}

/// Dollars, or tokens.
fn shown(unit: Unit, amount: i64) -> f64 {
    match unit {
        Unit::Usd => float(amount) / 1e9,
        Unit::Tokens => float(amount),
    }
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floats by nature")]
fn float(n: i64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(accounts: &[(&str, i64)]) -> BudgetReading {
        let account = |(of, settled): &(&str, i64)| AccountReading {
            of: (*of).to_owned(),
            stand: Stand { settled: *settled, granted: 1_000_000_000, unknown: 500_000_000 },
        };
        let accounts = accounts.iter().map(account).collect();
        BudgetReading { budget: "b".into(), unit: Unit::Usd, limit: 10_000_000_000, accounts }
    }

    fn lines(reading: &BudgetReading) -> Vec<String> {
        let line = |(metric, values, n): &Amount| format!("{} {} {n}", metric.name(), values.join(","));
        of(reading).iter().map(line).collect()
    }

    #[test]
    fn few_accounts_are_shown_and_many_are_added_up() {
        let one = lines(&reading(&[("", 2_000_000_000)]));
        assert_eq!(
            one,
            [
                "bedplate_budget_limit b,usd 10",
                "bedplate_budget_used_ratio b 0.35",
                "bedplate_budget_settled b,all,usd 2",
                "bedplate_budget_held b,all,usd 1",
                "bedplate_budget_unknown b,all,usd 0.5",
            ]
        );
        let two = lines(&reading(&[("team=a", 1_000_000_000), ("team=b", 6_500_000_000)]));
        assert!(two.contains(&"bedplate_budget_settled b,team=b,usd 6.5".to_owned()), "{two:?}");
        assert!(two.contains(&"bedplate_budget_used_ratio b 0.8".to_owned()), "{two:?}");
        let names: Vec<String> = (0..21).map(|n| format!("team={n}")).collect();
        let many: Vec<(&str, i64)> = names.iter().map(|n| (&**n, 1_000_000_000)).collect();
        let many = lines(&reading(&many));
        assert_eq!(many.len(), 5);
        assert!(many.contains(&"bedplate_budget_settled b,all,usd 21".to_owned()), "{many:?}");
    }

    #[test]
    fn a_budget_without_accounts_is_empty_and_there() {
        let none = lines(&reading(&[]));
        assert!(none.contains(&"bedplate_budget_settled b,all,usd 0".to_owned()), "{none:?}");
        assert_eq!(amounts(&[reading(&[]), reading(&[])], 1).len(), 5, "budgets are bounded, too");
    }
}
