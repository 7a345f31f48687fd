//! `[[budget]]`.

use std::collections::{HashMap, HashSet};

use bedplate_core::budget::BudgetId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Budget, Kind, Limit, Outage, Period, Rung, Scope, Step, Unpriced};

/// Money or tokens that may be spent over a period.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetConfig {
    /// 1 to 64 of `a-z`, `0-9`, `-` and `_`.
    pub name: String,
    /// Whom it concerns: `{ team = "support", feature = "triage" }`; `"*"` counts each by itself. Without a
    /// scope it concerns every call.
    #[serde(default)]
    pub scope: Scope,
    /// `"250 USD"` or `"5000000 tokens"`.
    pub limit: Limit,
    /// `day`, `week`, `month`, `quarter`, `year`, or `rolling 24h`.
    #[serde(default = "month")]
    pub period: String,
    /// Where a calendar period's midnight is: `UTC`, `Europe/Berlin`.
    #[serde(default = "utc")]
    pub zone: String,
    /// `hard` or `soft`.
    #[serde(default = "hard")]
    pub kind: Kind,
    /// What happens as it fills. Without a rung that blocks it only tells.
    #[serde(default = "ladder")]
    pub ladder: Vec<Rung>,
    /// When the ledger cannot be asked: `closed`, `slice` or `open`. Default: `slice` for hard budgets, `open` for
    /// soft ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage: Option<Outage>,
    /// Calls whose price is unknown, or of which nobody can say how many tokens they may have: `refuse` or `allow`.
    /// Default: `refuse` for hard budgets, else `allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpriced: Option<Unpriced>,
}

fn month() -> String {
    "month".into()
}

fn utc() -> String {
    "UTC".into()
}

fn hard() -> Kind {
    Kind::Hard
}

fn ladder() -> Vec<Rung> {
    let rung = |at, step| Rung { at: super::ladder::Percent(at), step };
    vec![rung(80, Step::Warn), rung(100, Step::Block)]
}

/// What is wrong with a budget, and with which of its members.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("budget `{name}`: {said}")]
pub struct Bad {
    pub name: String,
    /// The member of the section: `period`.
    pub member: &'static str,
    pub said: String,
}

impl BudgetConfig {
    /// Compiles one budget.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn build(&self) -> Result<Budget, Bad> {
        let bad = |member, said: String| Bad { name: self.name.clone(), member, said };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(plain) {
            return Err(bad("name", "a name has 1 to 64 of `a-z`, `0-9`, `-` and `_`".into()));
        }
        if self.scope.alias.as_ref().is_some_and(super::Dimension::each) {
            return Err(bad(
                "scope",
                "`alias` takes a name: callers could make up as many as they like".into(),
            ));
        }
        let period = Period::read(&self.period, &self.zone)
            .map_err(|said| bad(if said.starts_with("not a time zone") { "zone" } else { "period" }, said))?;
        self.scope.check().map_err(|said| bad("scope", said))?;
        self.check_ladder().map_err(|said| bad("ladder", said))?;
        let hard = self.kind == Kind::Hard;
        Ok(Budget {
            id: BudgetId(self.name.as_str().into()),
            scope: self.scope.by_id(),
            limit: self.limit,
            period,
            kind: self.kind,
            ladder: self.ladder.clone(),
            outage: self.outage.unwrap_or(if hard { Outage::Slice } else { Outage::Open }),
            unpriced: self.unpriced.unwrap_or(if hard { Unpriced::Refuse } else { Unpriced::Allow }),
        })
    }

    fn check_ladder(&self) -> Result<(), String> {
        for pair in self.ladder.windows(2) {
            if let [lower, higher] = pair
                && lower.at >= higher.at
            {
                return Err(format!("`{}` stands before `{}`: rungs go upwards", lower.at, higher.at));
            }
        }
        if self.ladder.iter().any(|rung| rung.step == Step::LighterModel) {
            return Err("`lighter-model` is not there yet in this version".into());
        }
        match self.ladder.iter().position(|rung| rung.step == Step::Block) {
            Some(at) if at + 1 < self.ladder.len() => Err("nothing comes after `block`".into()),
            _ => Ok(()),
        }
    }
}

/// Compiles all budgets; two of one name, or two that count the same in the same unit and period, are refused: which
/// of them stands would be an accident.
///
/// # Errors
/// The place in the list and what is wrong, for each budget that is.
pub fn all(configs: &[BudgetConfig]) -> Result<Vec<Budget>, Vec<(usize, Bad)>> {
    let (mut known, mut budgets, mut wrong) = (Known::default(), Vec::<Budget>::new(), Vec::new());
    for (at, config) in configs.iter().enumerate() {
        let built = config.build().and_then(|budget| match known.overlap(&budgets, &budget) {
            Some((member, said)) => Err(Bad { name: config.name.clone(), member, said }),
            None => Ok(budget),
        });
        match built {
            Ok(budget) => {
                known.add(budgets.len(), &budget);
                budgets.push(budget);
            }
            Err(bad) => wrong.push((at, bad)),
        }
    }
    if wrong.is_empty() { Ok(budgets) } else { Err(wrong) }
}

/// Budgets by what no two may share: there may be a hundred thousand.
#[derive(Default)]
struct Known {
    names: HashSet<BudgetId>,
    /// Places in the list.
    scopes: HashMap<Scope, Vec<usize>>,
}

impl Known {
    fn add(&mut self, at: usize, budget: &Budget) {
        self.names.insert(budget.id.clone());
        self.scopes.entry(budget.scope.clone()).or_default().push(at);
    }

    fn overlap(&self, others: &[Budget], budget: &Budget) -> Option<(&'static str, String)> {
        if self.names.contains(&budget.id) {
            return Some(("name", "another budget has this name".into()));
        }
        let same = |o: &&Budget| {
            o.limit.unit == budget.limit.unit && o.period == budget.period && o.kind == budget.kind
        };
        let here = self.scopes.get(&budget.scope)?.iter().filter_map(|at| others.get(*at));
        let other = here.into_iter().find(same)?;
        Some(("scope", format!("the budget `{}` counts the same: {}", other.id, budget.scope.describe())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets(toml: &str) -> Result<Vec<Budget>, Vec<(usize, Bad)>> {
        #[derive(Deserialize)]
        struct File {
            budget: Vec<BudgetConfig>,
        }
        all(&toml::from_str::<File>(toml).unwrap().budget)
    }

    #[test]
    fn a_name_and_a_limit_are_enough() {
        let budget = &budgets("[[budget]]\nname = 'all'\nlimit = '250 USD'").unwrap()[0];
        assert_eq!(
            (budget.kind, budget.outage, budget.unpriced),
            (Kind::Hard, Outage::Slice, Unpriced::Refuse)
        );
        assert_eq!(budget.ceiling(), Some(250_000_000_000));
        assert_eq!(budget.scope.describe(), "everything");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let said = |more: &str| {
            let toml =
                format!("[[budget]]\nname = 'a'\nlimit = '1 USD'\n[[budget]]\nlimit = '1 USD'\n{more}");
            let wrong = budgets(&toml).unwrap_err();
            assert_eq!((wrong.len(), wrong[0].0), (1, 1));
            (wrong[0].1.member, wrong[0].1.said.clone())
        };
        assert_eq!(said("name = 'a'").0, "name");
        assert_eq!(said("name = 'B'").0, "name");
        assert_eq!(said("name = 'b'").0, "scope");
        assert_eq!(said("name = 'b'\nperiod = 'fortnight'").0, "period");
        assert_eq!(said("name = 'b'\nzone = 'Nowhere'").0, "zone");
        assert_eq!(said("name = 'b'\nscope = { alias = '*' }").0, "scope");
        let ladder =
            |rungs: &str| said(&format!("name = 'b'\nscope = {{ team = 't' }}\nladder = [{rungs}]")).1;
        assert!(
            ladder("{ at = '90%', do = 'warn' }, { at = '80%', do = 'block' }").contains("rungs go upwards")
        );
        assert!(ladder("{ at = '90%', do = 'lighter-model' }").contains("not there yet"));
        assert!(
            ladder("{ at = '90%', do = 'block' }, { at = '95%', do = 'warn' }")
                .contains("nothing comes after")
        );
    }

    #[test]
    fn cache_only_limits_what_models_may_be_paid() {
        let rungs = "[{ at = '90%', do = 'cache-only' }, { at = '100%', do = 'block' }]";
        let toml = format!("[[budget]]\nname = 'a'\nlimit = '1 USD'\nladder = {rungs}");
        let budget = budgets(&toml).unwrap().remove(0);
        assert_eq!((budget.ceiling(), budget.stops().unwrap().step), (Some(900_000_000), Step::CacheOnly));
    }

    #[test]
    fn a_budget_without_a_blocking_rung_only_tells() {
        let toml = "[[budget]]\nname = 'a'\nlimit = '1 USD'\nladder = [{ at = '50%', do = 'warn' }]";
        assert_eq!(budgets(toml).unwrap()[0].ceiling(), None);
    }
}
