//! What a call may cost.

use bedplate_core::budget::Unit;
use bedplate_core::money::Nanos;
use bedplate_cost::Worst;
use bedplate_cost::budget::{Budget, Kind};

/// What a call may cost, and what it probably will.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Need {
    /// What hard budgets hold; `None` when a price is unknown.
    pub worst: Option<Worst>,
    /// What soft budgets hold; `None` when a price is unknown.
    pub likely: Option<Likely>,
    /// Whether `prompt` and `output` are bounds: nobody can say how many tokens a document has, or what a model writes
    /// whose maximum is not known.
    pub bounded: bool,
    /// Prompt tokens at most.
    pub prompt: u64,
    /// Output tokens at most.
    pub output: u64,
    /// An answer may be bounded to this many tokens when there is not room for more; `output` when it may not be
    /// bounded, because the caller said how long it may be.
    pub least: u64,
}

/// What a call will probably cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Likely {
    pub cost: Nanos,
    pub tokens: u64,
}

impl Need {
    /// What is enough for either; unknown when one of them is.
    #[must_use]
    pub(crate) fn or(self, other: Self) -> Self {
        let dearest = |a: Worst, b: Worst| Worst {
            cost: a.cost.max(b.cost),
            tokens: a.tokens.max(b.tokens),
            prompt: a.prompt.max(b.prompt),
            output_rate: a.output_rate.max(b.output_rate),
        };
        let likeliest =
            |a: Likely, b: Likely| Likely { cost: a.cost.max(b.cost), tokens: a.tokens.max(b.tokens) };
        Self {
            worst: self.worst.zip(other.worst).map(|(a, b)| dearest(a, b)),
            bounded: self.bounded && other.bounded,
            likely: self.likely.zip(other.likely).map(|(a, b)| likeliest(a, b)),
            prompt: self.prompt.max(other.prompt),
            output: self.output.max(other.output),
            least: self.least.max(other.least),
        }
    }

    /// What to hold in a budget if the answer has at most `output` tokens; `None` when nobody knows.
    pub fn of(&self, budget: &Budget, output: u64) -> Option<i64> {
        match (budget.kind, budget.limit.unit) {
            (Kind::Hard, Unit::Usd) => {
                let worst = self.worst?;
                Some(worst.prompt.0.saturating_add(written(worst.output_rate, output)))
            }
            (Kind::Hard, Unit::Tokens) => self.bounded.then_some(amount(self.prompt.saturating_add(output))),
            (Kind::Soft, Unit::Usd) => self.likely.map(|likely| likely.cost.0),
            (Kind::Soft, Unit::Tokens) => self.likely.map(|likely| amount(likely.tokens)),
        }
    }

    /// How many output tokens `free` buys, at most `output`.
    pub(super) fn fits(&self, budget: &Budget, free: i64) -> u64 {
        let (prompt, rate) = match (budget.kind, budget.limit.unit) {
            (Kind::Soft, _) => return self.output,
            (Kind::Hard, Unit::Tokens) => (amount(self.prompt), PICOS),
            (Kind::Hard, Unit::Usd) => match self.worst {
                Some(worst) => (worst.prompt.0, worst.output_rate),
                None => return self.output,
            },
        };
        let left = i128::from(free.saturating_sub(prompt).max(0)) * i128::from(PICOS);
        match rate {
            0 => self.output,
            rate => u64::try_from(left / i128::from(rate)).unwrap_or(u64::MAX).min(self.output),
        }
    }
}

const PICOS: u64 = 1_000;

/// Nano-dollars for so many tokens, rounded up.
fn written(rate: u64, tokens: u64) -> i64 {
    let picos = u128::from(rate) * u128::from(tokens);
    i64::try_from(picos.div_ceil(u128::from(PICOS))).unwrap_or(i64::MAX)
}

fn amount(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
