//! The most that a call can cost: what is held before it is sent.

use bedplate_core::money::Nanos;

use crate::book::PriceBook;
use crate::entry::{Counter, Entry, Rates};
use crate::price::{Standing, rates};

/// A call that has not been made yet.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'a> {
    /// The model or profile that will be called.
    pub model: &'a str,
    /// The region that will be called.
    pub region: &'a str,
    /// The service tier that the call asks for; empty when it asks for none. A call may be served at the standard
    /// tier instead, so the dearer of both counts.
    pub tier: &'a str,
    /// Whether the call asks to write to the prompt cache.
    pub writes_cache: bool,
    /// At most so many prompt tokens.
    pub input: u64,
    /// At most so many output tokens; `None` for as many as the model can give.
    pub output: Option<u64>,
}

/// The most that a call can cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Worst {
    pub cost: Nanos,
    /// Tokens, in the same case.
    pub tokens: u64,
    /// Of it, what the prompt costs.
    pub prompt: Nanos,
    /// Pico-dollars for each output token.
    pub output_rate: u64,
}

impl PriceBook {
    /// The most that a call can cost; `None` when the book does not know some price it could have. Guardrail units
    /// and what is counted in images, queries and seconds are not in it.
    pub fn worst(&self, ahead: Ahead<'_>) -> Option<Worst> {
        let entry = self.entry(ahead.model)?;
        let output = ahead.output.or(entry.max_output_tokens)?;
        let output = entry.max_output_tokens.map_or(output, |most| output.min(most));
        let input = window(entry).map_or(ahead.input, |window| ahead.input.min(window));
        let (mut prompt_rate, mut output_rate) = (0, 0);
        // the prompt may have any length up to the bound, and each threshold below it has rates of its own
        let thresholds = entry.long_context.iter().map(|l| l.above + 1).filter(|prompt| *prompt <= input);
        for prompt in std::iter::once(0).chain(thresholds) {
            for tier in ["", ahead.tier] {
                let (_, rates, _) =
                    rates(Some(entry), &Standing { region: ahead.region, tier, prompt }).ok()?;
                prompt_rate = prompt_rate.max(dearest_prompt(entry, rates, ahead.writes_cache)?);
                // embeddings have no output price because they have no output
                let rate = rates.get(Counter::Output).or((output == 0).then_some(0))?;
                output_rate = output_rate.max(rate);
            }
        }
        let picos = |rate: u64, n: u64| i128::from(rate).saturating_mul(i128::from(n));
        let prompt = picos(prompt_rate, input);
        let all = prompt.saturating_add(picos(output_rate, output)).min(i128::MAX - 1_000);
        Some(Worst {
            cost: up(all),
            tokens: input.saturating_add(output),
            prompt: up(prompt.min(i128::MAX - 1_000)),
            output_rate,
        })
    }
}

/// The most tokens a prompt can have. A list that prices longer prompts than its window knows of a larger window.
pub(crate) fn window(entry: &Entry) -> Option<u64> {
    let window = entry.context_window?;
    entry.long_context.iter().all(|long| long.above < window).then_some(window)
}

/// What a prompt token costs at most: read, or written to the cache, which some models do unasked. A call that asks for
/// it needs a price of it.
fn dearest_prompt(entry: &Entry, rates: &Rates, asks: bool) -> Option<u64> {
    let plain = rates.get(Counter::Input)?;
    let write = |counter| rates.get(counter).or(entry.writes_as_input.then_some(plain));
    let dearest = [write(Counter::CacheWrite5m), write(Counter::CacheWrite1h)].into_iter().flatten().max();
    match dearest {
        Some(rate) => Some(rate.max(plain)),
        None => (!asks).then_some(plain),
    }
}

/// Nano-dollars, rounded up: a bound must not be below what it bounds.
fn up(picos: i128) -> Nanos {
    Nanos(i64::try_from((picos + 999).div_euclid(1_000)).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOK: &str = r#"
        [models."m"]
        price = { input = 1, output = 5, cache_read = 0.1, cache_write_5m = 1.25, cache_write_1h = 2 }
        price_tiers.priority = { input = 1.75, output = 8.75 }
        price_long_context = [{ above_input_tokens = 1000, input = 2, output = 7.5, cache_write_5m = 2.5 }]
        max_output_tokens = 400
        context_window = 5000

        [models."embed"]
        price = { input = 0.02 }
        max_output_tokens = 0
    "#;

    fn worst(input: u64, output: Option<u64>, tier: &str, writes_cache: bool) -> Option<i64> {
        let book = PriceBook::embedded().with_overrides(BOOK).unwrap();
        let ahead = Ahead { model: "m", region: "us-east-1", tier, writes_cache, input, output };
        book.worst(ahead).map(|w| w.cost.0)
    }

    #[test]
    fn the_dearest_row_that_may_apply_counts() {
        assert_eq!(worst(100, Some(10), "", false), Some(100 * 2_000 + 10 * 5_000));
        assert_eq!(worst(100, Some(10), "priority", false), Some(100 * 2_000 + 10 * 8_750));
        assert_eq!(worst(100, Some(10), "", true), Some(100 * 2_000 + 10 * 5_000));
        assert_eq!(worst(2_000, Some(10), "", false), Some(2_000 * 2_500 + 10 * 7_500));
    }

    #[test]
    fn lengths_are_bounded_by_what_the_model_can_do() {
        assert_eq!(worst(100, None, "", false), Some(100 * 2_000 + 400 * 5_000));
        assert_eq!(worst(100, Some(1_000_000), "", false), worst(100, None, "", false));
        assert_eq!(worst(1_000_000, Some(0), "", false), worst(5_000, Some(0), "", false));
    }

    #[test]
    fn a_write_to_the_cache_needs_a_price_only_when_it_is_asked_for() {
        let text = "[models.\"m\"]\nprice = { input = 1, output = 5 }\nmax_output_tokens = 400";
        let book = PriceBook::embedded().with_overrides(text).unwrap();
        let ask = |writes_cache| {
            let ahead = Ahead {
                model: "m",
                region: "us-east-1",
                tier: "",
                writes_cache,
                input: 100,
                output: Some(10),
            };
            book.worst(ahead).map(|w| w.cost.0)
        };
        assert_eq!((ask(false), ask(true)), (Some(100 * 1_000 + 10 * 5_000), None));
    }

    #[test]
    fn what_has_no_price_has_no_bound() {
        let book = PriceBook::embedded().with_overrides(BOOK).unwrap();
        let ask = |model, tier, input| {
            book.worst(Ahead { model, region: "us-east-1", tier, writes_cache: false, input, output: None })
        };
        assert_eq!(ask("nobody.knows", "", 1), None);
        assert_eq!(ask("m", "flex", 1), None);
        assert_eq!(ask("m", "priority", 2_000), None);
        assert_eq!(ask("embed", "", 50).map(|w| (w.cost.0, w.tokens)), Some((1_000, 50)));
    }

    fn models() -> Vec<Entry> {
        PriceBook::embedded().entries().into_iter().cloned().collect()
    }

    proptest::proptest! {
        /// Whatever is used within the bounds costs no more than the bound.
        #[test]
        fn no_call_costs_more(
            model in proptest::sample::select(models()),
            region in proptest::sample::select(vec!["us-east-1", "eu-central-1", "ap-northeast-1"]),
            input in 0u64..400_000, output in 0u64..5_000, split in 0u64..5, tiered: bool,
        ) {
            let book = PriceBook::embedded();
            let tier = model.tiers.first().filter(|_| tiered).map_or("", |t| &t.0);
            let ahead = Ahead { model: &model.id, region, tier, writes_cache: true, input, output: Some(output) };
            let Some(worst) = book.worst(ahead) else { return Ok(()) };
            let input = input.min(window(&model).unwrap_or(u64::MAX));
            let mut usage = bedplate_core::usage::Usage {
                output: output.min(model.max_output_tokens.unwrap_or(u64::MAX)), ..Default::default()
            };
            let part = input / 5 * split;
            (usage.input, usage.cache_write_1h) = (input - part, part);
            for served in ["", tier] {
                let ask = crate::Ask { model: &model.id, region, tier: served, usage: &usage };
                proptest::prop_assert!(book.price(ask).cost.priced() <= worst.cost);
            }
        }
    }
}
