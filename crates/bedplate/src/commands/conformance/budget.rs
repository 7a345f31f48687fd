//! Money: what a check can cost at most, what it did cost, and what is left.

use bedplate_core::money::{Cost, Nanos};
use bedplate_core::usage::{Unit, Usage};
use bedplate_cost::{Ask, PriceBook};
use bedplate_pipeline::Metered;

use super::checks::{Bill, Check};

/// The most that may be spent, and what is spent.
pub(super) struct Budget {
    book: PriceBook,
    region: String,
    most: Nanos,
    spent: Nanos,
}

/// Prompt tokens that a model may count beside those of the body: tool and schema preambles, turn marks.
const PREAMBLE: u64 = 2_048;

impl Budget {
    pub(super) fn new(book: PriceBook, region: String, most: Nanos) -> Self {
        Self { book, region, most, spent: Nanos::ZERO }
    }

    pub(super) fn most(&self) -> Nanos {
        self.most
    }

    pub(super) fn spent(&self) -> Nanos {
        self.spent
    }

    /// What a check costs when everything it may use is used. A token is at least one byte.
    pub(super) fn worst(&self, check: &Check) -> Cost {
        let usage = match check.bill {
            Bill::Nothing => return Cost::FREE,
            Bill::Tokens { output } => {
                let input = u64::try_from(check.body.len()).unwrap_or(u64::MAX).saturating_add(PREAMBLE);
                Usage { input, output, ..Usage::default() }
            }
            Bill::TextUnits(n) => {
                // prompt attacks are charged as content
                let units = vec![(Unit::GuardrailContent, 2 * n), (Unit::GuardrailSensitive, n)];
                Usage { units, ..Usage::default() }
            }
        };
        self.price(check, "", &usage)
    }

    /// # Errors
    /// Why the check may not be run.
    pub(super) fn allows(&self, worst: Cost) -> Result<(), String> {
        match worst {
            Cost::Unknown(_) => Err("its price is not known".into()),
            Cost::Known(worst) if self.spent.saturating_add(worst) > self.most => {
                let left = Nanos(self.most.0.saturating_sub(self.spent.0));
                Err(format!("it could cost {worst}, and {left} of --max-cost is left"))
            }
            Cost::Known(_) => Ok(()),
        }
    }

    /// Counts what an answer cost: what it says it used; its worst case when it does not say.
    pub(super) fn spend(&mut self, check: &Check, status: u16, metered: &Metered) -> Nanos {
        let cost = match &metered.usage {
            Some(usage) => self.price(check, &metered.tier, usage),
            None if matches!(status, 0 | 200) => self.worst(check),
            None => Cost::FREE,
        };
        let cost = match cost {
            Cost::Known(cost) => cost,
            Cost::Unknown(part) => part.max(self.worst(check).priced()),
        };
        self.spent = self.spent.saturating_add(cost);
        cost
    }

    fn price(&self, check: &Check, tier: &str, usage: &Usage) -> Cost {
        self.book.price(Ask { model: &check.model, region: &self.region, tier, usage }).cost
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::{Models, chosen};
    use super::*;

    fn budget(most: Nanos) -> (Vec<Check>, Budget) {
        let book = PriceBook::embedded();
        let models = Models::new("us-east-1", &[]).unwrap();
        (chosen(&models, &book, &[]).unwrap(), Budget::new(book, "us-east-1".into(), most))
    }

    #[test]
    fn all_checks_have_a_price_and_fit_into_the_default() {
        let (checks, budget) = budget(Nanos::DOLLAR);
        let worst: Vec<Cost> = checks.iter().map(|c| budget.worst(c)).collect();
        assert!(worst.iter().all(|c| c.is_known()));
        let sum = worst.iter().fold(Cost::FREE, |sum, c| sum.plus(*c)).priced();
        assert!(sum > Nanos::ZERO && sum < "0.05".parse().unwrap(), "{sum}");
    }

    #[test]
    fn what_could_go_over_is_not_allowed_and_silence_costs_the_worst() {
        let (checks, mut budget) = budget("0.0002".parse().unwrap());
        let text = checks.iter().find(|c| c.name == "converse-text").unwrap();
        let worst = budget.worst(text);
        let said = Metered {
            usage: Some(Usage { input: 10, output: 16, ..Usage::default() }),
            ..Metered::default()
        };
        assert_eq!(budget.spend(text, 200, &said), Nanos(2_590));
        assert_eq!(budget.spend(text, 403, &Metered::default()), Nanos::ZERO);
        assert!(budget.allows(worst).is_ok());
        assert_eq!(budget.spend(text, 200, &Metered::default()), worst.priced());
        assert_eq!(budget.spend(text, 0, &Metered::default()), worst.priced());
        assert!(budget.allows(worst).unwrap_err().contains("--max-cost"));
        assert!(budget.allows(Cost::FREE).is_ok());
    }
}
