//! Why spending changed between two periods: the change, split into what made it.
//!
//! What calls for one model cost in a period is a product and sum of factors:
//!
//! ```text
//! calls × share of the model × ( kept answers
//!   + asked upstream × ( plain × (prompt × its parts × prices + output × price + units)
//!                      + abandoned + unpriced + retries ) )
//! ```
//!
//! Each factor has a value before and one after. To change them one after the other explains the change, but depends on
//! the order; so a factor's part is the mean of what it changes over all orders (the Shapley value). That is what makes
//! the parts fair, and gives what nothing simpler does at once: they add up to the change; what did not change has no
//! part; when one factor alone changed all of it is that factor's; and with the periods swapped every part is its
//! negative. Figures of single models are floating point, but what they come to is rounded to whole nano-dollars before
//! anything is added, and the ends are what the ledger says: so all of this holds exactly.
//!
//! A factor that has no value in a period (tokens per call, where there was no call) has the other period's.

mod cell;
mod shapley;

use bedplate_core::spend::{Class, SpendSums};

use crate::book::PriceBook;
use crate::entry::Counter;
use cell::Cell;

/// What a change is made of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// There were more or fewer calls.
    Calls,
    /// They went to other models.
    Mix,
    /// More or fewer were answered by the exact cache.
    Cache,
    /// Their prompts were longer or shorter.
    Prompt,
    /// Their answers were longer or shorter.
    Output,
    /// More or less of their prompts was read from or written to the prompt cache.
    PromptCache,
    /// The same tokens of the same model cost something else: its prices, its tier or region, long prompts.
    Price,
    /// What is not counted in tokens: images, queries, guardrails.
    Units,
    /// Requests after the first of a call.
    Retries,
    /// Answers whose caller hung up.
    Abandoned,
    /// Calls of which part of the price is unknown: the part that is known.
    Unpriced,
    /// What no factor explains: rounding of single requests, and what was not told apart.
    Rest,
}

impl Part {
    pub const ALL: [Self; 12] = [
        Self::Calls,
        Self::Mix,
        Self::Cache,
        Self::Prompt,
        Self::Output,
        Self::PromptCache,
        Self::Price,
        Self::Units,
        Self::Retries,
        Self::Abandoned,
        Self::Unpriced,
        Self::Rest,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Mix => "mix",
            Self::Cache => "cache",
            Self::Prompt => "prompt",
            Self::Output => "output",
            Self::PromptCache => "prompt_cache",
            Self::Price => "price",
            Self::Units => "units",
            Self::Retries => "retries",
            Self::Abandoned => "abandoned",
            Self::Unpriced => "unpriced",
            Self::Rest => "rest",
        }
    }
}

/// Nano-dollars by [`Part`], in the order of [`Part::ALL`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Parts(pub [i128; Part::ALL.len()]);

impl Parts {
    pub fn get(&self, part: Part) -> i128 {
        self.0[part as usize]
    }

    /// All of the change.
    pub fn sum(&self) -> i128 {
        self.0.iter().sum()
    }

    pub fn add(&mut self, other: &Self) {
        for (own, more) in self.0.iter_mut().zip(other.0) {
            *own += more;
        }
    }
}

/// What calls for one model came to in both periods.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Change {
    pub before: Period,
    pub after: Period,
}

/// What calls for one model came to in one period.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Period {
    first: Taken,
    units: Taken,
    abandoned: Taken,
    unpriced: Taken,
    retries: Taken,
    cached: Taken,
    /// Nano-dollars of what is in none of them.
    other: i128,
}

/// Entries of one class.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
struct Taken {
    /// Entries: calls, or requests after the first.
    n: u64,
    /// By counter: input, cache read, cache writes, output.
    tokens: [u64; 5],
    /// What they would cost by the price book, by counter, in pico-dollars.
    value: [i128; 5],
    nanos: i128,
}

/// Pico-dollars a token: input, cache read, cache write 5m and 1h, output.
pub type TokenRates = [u64; 5];

impl PriceBook {
    /// What tokens of a model cost in a region, at a tier; `None` when that is not known. Prompts beyond a threshold of
    /// the model cost otherwise.
    pub fn token_rates(&self, model: &str, region: &str, tier: &str) -> Option<TokenRates> {
        let quote = self.quote(model, region, tier, 0);
        let of = |counter| quote.rates.get(counter).unwrap_or(0);
        use Counter::{CacheRead, CacheWrite1h, CacheWrite5m, Input, Output};
        let rates = [Input, CacheRead, CacheWrite5m, CacheWrite1h, Output].map(of);
        (quote.applied.is_ok() && rates.iter().any(|rate| *rate > 0)).then_some(rates)
    }
}

impl Period {
    /// Adds entries of one class. `rates` tell what each counter's tokens weigh in what they cost together: the
    /// ledger knows the sum alone. Without any a token weighs as much as another.
    pub fn add(&mut self, class: Class, sums: &SpendSums, rates: Option<TokenRates>) {
        let tokens = [sums.input, sums.cache_read, sums.cache_write_5m, sums.cache_write_1h, sums.output];
        let rates = rates.unwrap_or([1; 5]);
        let of = match class {
            Class::First => &mut self.first,
            Class::Units => &mut self.units,
            Class::Abandoned => &mut self.abandoned,
            Class::Unpriced => &mut self.unpriced,
            Class::Retry => &mut self.retries,
            Class::Cached => &mut self.cached,
            Class::None => {
                self.other += sums.spent;
                return;
            }
        };
        of.n += if class == Class::Retry { sums.retries } else { sums.calls };
        of.nanos += sums.spent;
        for (n, (count, rate)) in tokens.into_iter().zip(rates).enumerate() {
            of.tokens[n] += count;
            of.value[n] += i128::from(count) * i128::from(rate);
        }
    }

    /// Adds an amount that was not told apart.
    pub fn add_untold(&mut self, nanos: i128) {
        self.other += nanos;
    }

    /// All nano-dollars.
    pub fn spent(&self) -> i128 {
        let classes =
            [&self.first, &self.units, &self.abandoned, &self.unpriced, &self.retries, &self.cached];
        self.other + classes.into_iter().map(|taken| taken.nanos).sum::<i128>()
    }

    /// Calls that wanted a model, cached ones too.
    pub fn calls(&self) -> u64 {
        self.first.n + self.units.n + self.abandoned.n + self.unpriced.n + self.cached.n
    }
}

/// Splits what changed over all models together. The parts come to exactly what was spent after less what was spent
/// before.
pub fn explain(models: &[Change]) -> Parts {
    let all = |of: fn(&Change) -> &Period| models.iter().map(|m| of(m).calls()).sum::<u64>();
    let calls = [all(|m| &m.before), all(|m| &m.after)];
    let mut sums = [0i128; Part::ALL.len()];
    let mut change = 0;
    for model in models {
        change += model.after.spent() - model.before.spent();
        for (sum, part) in sums.iter_mut().zip(shapley::parts(&Cell::of(model, calls))) {
            *sum += part;
        }
    }
    rounded(sums, change)
}

/// Rounds to whole nano-dollars, halves away from zero. What is left over, a few nano-dollars, is the largest part's.
fn rounded(sums: [i128; Part::ALL.len()], change: i128) -> Parts {
    let mut parts = sums.map(|sum| {
        let half = shapley::SCALE / 2 * sum.signum();
        (sum + half) / shapley::SCALE
    });
    let left = change - parts.iter().sum::<i128>();
    let mut largest = Part::Rest as usize;
    for (n, sum) in sums.iter().enumerate() {
        if sum.abs() > sums[largest].abs() {
            largest = n;
        }
    }
    parts[largest] += left;
    Parts(parts)
}
