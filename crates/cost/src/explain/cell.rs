//! One model: its factors before and after, and what calls would have cost with any choice of them.

use super::{Change, Part, Period, Taken};

/// Factors of one period. Those that have no value are `None` until they have the other period's.
#[derive(Clone, Copy, Default)]
struct Factors {
    calls: Option<f64>,
    share: Option<f64>,
    /// Kept answers for each call, and what one costs.
    cached: Option<[f64; 2]>,
    /// Tokens of a plain call's prompt.
    prompt: Option<f64>,
    output: Option<f64>,
    /// Parts of the prompt: input, cache read, cache writes.
    parts: Option<[f64; 4]>,
    /// Nano-dollars a token.
    prices: Option<[f64; 5]>,
    /// Nano-dollars of a plain call; and what calls with units cost in all, for each plain call.
    units: Option<[f64; 2]>,
    abandoned: Extra,
    retries: Extra,
    unpriced: Extra,
}

/// What comes beside plain calls.
#[derive(Clone, Copy, Default)]
struct Extra {
    /// For each call that asked upstream.
    share: Option<f64>,
    /// Tokens of one, and its nano-dollars by the prices of its period.
    tokens: Option<[f64; 5]>,
    nanos: Option<f64>,
}

/// The most factors there are.
pub(super) const FACTORS: usize = 11;

/// One model's factors in both periods.
pub(super) struct Cell {
    sides: [Factors; 2],
    /// What the ledger says was spent, in nano-dollars.
    pub(super) spent: [i128; 2],
    /// The factors that changed.
    pub(super) changed: Vec<Part>,
}

impl Cell {
    /// `calls` are those of all models, before and after.
    pub(super) fn of(change: &Change, calls: [u64; 2]) -> Self {
        let mut before = Factors::of(&change.before, calls[0]);
        let mut after = Factors::of(&change.after, calls[1]);
        before.fill(&after);
        after.fill(&before);
        for prices in [&mut before.prices, &mut after.prices].into_iter().flatten() {
            // in neither period was there such a token
            prices.iter_mut().filter(|price| price.is_nan()).for_each(|price| *price = 0.0);
        }
        let sides = [before, after];
        let changed = Part::ALL.into_iter().filter(|part| !same(&sides, *part)).collect();
        Self { sides, spent: [change.before.spent(), change.after.spent()], changed }
    }

    /// Nano-dollars, when the factors that `chosen` names are those of after and all others those of before.
    pub(super) fn value(&self, chosen: impl Fn(Part) -> bool) -> i128 {
        let of = |part: Part| &self.sides[usize::from(chosen(part))];
        let calls = zero(of(Part::Calls).calls) * zero(of(Part::Mix).share);
        let [cached, kept] = of(Part::Cache).cached.unwrap_or_default();
        let prices = of(Part::Price).prices.unwrap_or_default();
        let (abandoned, unpriced) = (&of(Part::Abandoned).abandoned, &of(Part::Unpriced).unpriced);
        let (retries, prompt) = (&of(Part::Retries).retries, zero(of(Part::Prompt).prompt));
        let parts = of(Part::PromptCache).parts.unwrap_or_default();
        let tokens = parts.iter().zip(prices).map(|(part, price)| prompt * part * price).sum::<f64>()
            + zero(of(Part::Output).output) * prices[4];
        let plain = tokens + of(Part::Units).units.unwrap_or_default()[0];
        let plain_share = 1.0 - zero(abandoned.share) - zero(unpriced.share);
        let again = |extra: &Extra, part| extra.at(&prices, self.sides[usize::from(chosen(part))].prices);
        let asked = plain_share * plain
            + zero(abandoned.share) * again(abandoned, Part::Abandoned)
            + zero(retries.share) * again(retries, Part::Retries)
            + zero(unpriced.share) * zero(unpriced.nanos);
        let value = calls * (cached * kept + (1.0 - cached) * asked);
        value.round() as i128
    }
}

impl Factors {
    fn of(period: &Period, all_calls: u64) -> Self {
        let calls = period.calls();
        let asked = calls - period.cached.n;
        let plain = period.first.plus(&period.units);
        let prompt: u64 = plain.tokens[..4].iter().sum();
        let scale = period.first.scale();
        let prices = plain.prices(scale.or_else(|| period.units.value().map(|_| 1.0)));
        let by_tokens = period.units.value().unwrap_or(0.0) * scale.unwrap_or(1.0) / 1_000.0;
        let cached = ratio(period.cached.n, calls)
            .map(|share| [share, mean(period.cached.nanos, period.cached.n).unwrap_or(0.0)]);
        let parts = [0, 1, 2, 3].map(|n| ratio(plain.tokens[n], prompt).unwrap_or(0.0));
        Self {
            calls: Some(all_calls as f64),
            share: ratio(calls, all_calls),
            cached,
            prompt: ratio(prompt, plain.n),
            output: ratio(plain.tokens[4], plain.n),
            parts: (prompt > 0).then_some(parts),
            prices,
            units: (plain.n > 0).then(|| match period.units.n {
                0 => [0.0, 0.0],
                _ => [period.units.nanos as f64 - by_tokens, period.units.nanos as f64]
                    .map(|nanos| nanos / plain.n as f64),
            }),
            abandoned: Extra::of(&period.abandoned, asked),
            retries: Extra::of(&period.retries, asked),
            unpriced: Extra::of(&period.unpriced, asked),
        }
    }

    /// Takes over what has no value here.
    fn fill(&mut self, other: &Self) {
        self.calls = self.calls.or(other.calls);
        self.share = self.share.or(other.share);
        self.cached = match (self.cached, other.cached) {
            // what a kept answer costs is known where there was one
            (Some([share, _]), Some([_, kept])) if share == 0.0 => Some([share, kept]),
            (own, other) => own.or(other),
        };
        self.prompt = self.prompt.or(other.prompt);
        self.output = self.output.or(other.output);
        self.parts = self.parts.or(other.parts);
        self.prices = match (self.prices, other.prices) {
            (Some(own), Some(other)) => {
                Some([0, 1, 2, 3, 4].map(|n| if own[n].is_nan() { other[n] } else { own[n] }))
            }
            (own, other) => own.or(other),
        };
        self.units = self.units.or(other.units);
        for (own, other) in [
            (&mut self.abandoned, &other.abandoned),
            (&mut self.retries, &other.retries),
            (&mut self.unpriced, &other.unpriced),
        ] {
            own.share = own.share.or(other.share);
            own.tokens = own.tokens.or(other.tokens);
            own.nanos = own.nanos.or(other.nanos);
        }
    }
}

impl Extra {
    fn of(taken: &Taken, asked: u64) -> Self {
        let tokens = (taken.n > 0).then(|| taken.tokens.map(|n| n as f64 / taken.n as f64));
        Self { share: ratio(taken.n, asked), tokens, nanos: mean(taken.nanos, taken.n) }
    }

    /// What one costs by other prices than its own.
    fn at(&self, prices: &[f64; 5], own: Option<[f64; 5]>) -> f64 {
        let worth = |prices: &[f64; 5]| {
            let tokens = self.tokens.unwrap_or_default();
            tokens.iter().zip(prices).map(|(n, price)| n * price).sum::<f64>()
        };
        let own = own.map_or(0.0, |own| worth(&own));
        if own > 0.0 { zero(self.nanos) * (worth(prices) / own) } else { zero(self.nanos) }
    }

    /// Whether nothing but prices changed.
    fn same(&self, other: &Self, priced: bool) -> bool {
        let shares = alike(self.share, other.share);
        let (own, others) = (self.tokens.unwrap_or_default(), other.tokens.unwrap_or_default());
        let tokens = own.iter().zip(others).all(|(a, b)| near(*a, b));
        let none = zero(self.share) == 0.0 && zero(other.share) == 0.0;
        let nanos = alike(self.nanos, other.nanos);
        none || (shares && if priced && own.iter().any(|n| *n > 0.0) { tokens } else { nanos })
    }
}

impl Taken {
    fn plus(&self, other: &Self) -> Self {
        let mut sum = *self;
        sum.n += other.n;
        sum.nanos += other.nanos;
        for n in 0..5 {
            sum.tokens[n] += other.tokens[n];
            sum.value[n] += other.value[n];
        }
        sum
    }

    /// Pico-dollars by the price book; `None` when there are none.
    fn value(&self) -> Option<f64> {
        let value: i128 = self.value.iter().sum();
        (value > 0).then_some(value as f64)
    }

    /// By how much the book's prices are too low; 1 where it differs no more than requests are rounded.
    fn scale(&self) -> Option<f64> {
        let value: i128 = self.value.iter().sum();
        let off = (self.nanos * 1_000 - value).abs();
        match value {
            ..=0 => None,
            _ if off <= 500 * i128::from(self.n) => Some(1.0),
            _ => Some(self.nanos as f64 * 1_000.0 / value as f64),
        }
    }

    /// Nano-dollars a token by counter, not a number where there was none.
    fn prices(&self, scale: Option<f64>) -> Option<[f64; 5]> {
        let scale = scale?;
        Some([0, 1, 2, 3, 4].map(|n| match self.tokens[n] {
            0 => f64::NAN,
            tokens => self.value[n] as f64 / tokens as f64 * scale / 1_000.0,
        }))
    }
}

/// Whether a factor has the same value before and after.
fn same([a, b]: &[Factors; 2], part: Part) -> bool {
    match part {
        Part::Calls => alike(a.calls, b.calls),
        Part::Mix => alike(a.share, b.share),
        Part::Cache => {
            let (a, b) = (a.cached.unwrap_or_default(), b.cached.unwrap_or_default());
            near(a[0], b[0]) && near(a[1], b[1])
        }
        Part::Prompt => alike(a.prompt, b.prompt),
        Part::Output => alike(a.output, b.output),
        Part::PromptCache => {
            let (a, b) = (a.parts.unwrap_or_default(), b.parts.unwrap_or_default());
            a.iter().zip(b).all(|(a, b)| near(*a, b))
        }
        Part::Price => {
            let (a, b) = (a.prices.unwrap_or_default(), b.prices.unwrap_or_default());
            a.iter().zip(b).all(|(a, b)| near(*a, b))
        }
        Part::Units => {
            // a difference of two large sums is no more exact than they are
            let ([a, all_a], [b, all_b]) = (a.units.unwrap_or_default(), b.units.unwrap_or_default());
            (a - b).abs() <= 1e-9 * all_a.abs().max(all_b.abs())
        }
        Part::Abandoned => a.abandoned.same(&b.abandoned, true),
        Part::Retries => a.retries.same(&b.retries, true),
        Part::Unpriced => a.unpriced.same(&b.unpriced, false),
        Part::Rest => true,
    }
}

fn zero(value: Option<f64>) -> f64 {
    value.unwrap_or(0.0)
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(nanos: i128, n: u64) -> Option<f64> {
    (n > 0).then(|| nanos as f64 / n as f64)
}

/// Equal, but for the last digits of a quotient.
fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

fn alike(a: Option<f64>, b: Option<f64>) -> bool {
    near(zero(a), zero(b))
}
