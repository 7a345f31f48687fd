//! What became of a load, and how that is shown.

use std::time::Duration;

use bedplate_core::money::Nanos;
use bedplate_core::pace::Class;
use bedplate_cost::{Ask, PriceBook};
use serde::Serialize;

use super::call::Fate;
use super::side::MODEL;

/// One side of the comparison.
#[derive(Serialize, Debug)]
pub(super) struct Tally {
    calls: usize,
    answered: usize,
    /// Percent of the calls of each class that were answered.
    answered_percent: [u32; 3],
    /// What the model was asked, and how often it said no.
    upstream_requests: u32,
    throttled: u32,
    /// Tokens of answered calls, a minute.
    goodput_tpm: u64,
    /// Milliseconds from when an interactive call was due; the slowest of 99 in 100 that were answered.
    interactive_first_token_p99_ms: Option<u64>,
    /// Of all answers, in billionths of a dollar.
    cost_nanos: Nanos,
}

impl Tally {
    /// `upstream` counts requests and throttles; `lasted` is from the first call to the end of the last.
    pub(super) fn new(fates: &[Fate], upstream: (u32, u32), lasted: Duration, book: &PriceBook) -> Self {
        let answered: Vec<&Fate> = fates.iter().filter(|fate| fate.answered).collect();
        let usages = || answered.iter().filter_map(|fate| fate.usage.as_ref());
        let tokens: u64 = usages().map(|usage| usage.prompt() + usage.output).sum();
        let price =
            |usage| book.price(Ask { model: MODEL, region: "us-east-1", tier: "", usage }).cost.priced();
        Self {
            calls: fates.len(),
            answered: answered.len(),
            answered_percent: Class::ALL.map(|class| percent(fates, class)),
            upstream_requests: upstream.0,
            throttled: upstream.1,
            goodput_tpm: tokens * 60_000 / u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX).max(1),
            interactive_first_token_p99_ms: p99(&answered),
            cost_nanos: usages().map(price).fold(Nanos::ZERO, Nanos::saturating_add),
        }
    }

    /// The cells of its column.
    pub(super) fn cells(&self) -> Vec<String> {
        let [interactive, batch, background] = self.answered_percent;
        let share = 100.0 * f64::from(self.throttled) / f64::from(self.upstream_requests.max(1));
        vec![
            self.calls.to_string(),
            self.answered.to_string(),
            format!("{interactive} %"),
            format!("{batch} %"),
            format!("{background} %"),
            self.upstream_requests.to_string(),
            format!("{} ({share:.1} %)", self.throttled),
            self.goodput_tpm.to_string(),
            self.interactive_first_token_p99_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms")),
            self.cost_nanos.to_string(),
        ]
    }
}

/// The names of the cells.
pub(super) const ROWS: [&str; 10] = [
    "calls",
    "answered",
    "  interactive",
    "  batch",
    "  background",
    "requests to the model",
    "throttled",
    "goodput, tokens a minute",
    "first token p99, interactive",
    "cost of the answers",
];

fn percent(fates: &[Fate], class: Class) -> u32 {
    let mine = || fates.iter().filter(|fate| fate.class == class);
    let percent = mine().filter(|fate| fate.answered).count() * 100 / mine().count().max(1);
    u32::try_from(percent).unwrap_or_default()
}

fn p99(answered: &[&Fate]) -> Option<u64> {
    let interactive = answered.iter().filter(|fate| fate.class == Class::Interactive);
    let mut firsts: Vec<Duration> = interactive.filter_map(|fate| fate.first_token).collect();
    firsts.sort();
    let at = firsts.get(firsts.len() * 99 / 100)?;
    u64::try_from(at.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use bedplate_core::usage::Usage;

    use super::*;

    fn fate(class: Class, millis: Option<u64>) -> Fate {
        let usage = millis.map(|_| Usage { input: 900, output: 100, ..Usage::default() });
        let first_token = millis.map(Duration::from_millis);
        Fate { class, answered: millis.is_some(), requests: 1, throttled: 0, first_token, usage }
    }

    #[test]
    fn it_counts_what_was_answered() {
        let fates = [
            fate(Class::Interactive, Some(200)),
            fate(Class::Interactive, None),
            fate(Class::Batch, Some(900)),
        ];
        let tally = Tally::new(&fates, (4, 1), Duration::from_secs(30), &PriceBook::embedded());
        assert_eq!((tally.calls, tally.answered, tally.answered_percent), (3, 2, [50, 100, 0]));
        assert_eq!((tally.goodput_tpm, tally.interactive_first_token_p99_ms), (4_000, Some(200)));
        assert!(tally.cost_nanos > Nanos::ZERO);
        assert_eq!(tally.cells().len(), ROWS.len());
        assert!(tally.cells().contains(&"1 (25.0 %)".to_owned()));
    }

    #[test]
    fn nothing_answered_is_no_division_by_zero() {
        let tally = Tally::new(&[], (0, 0), Duration::ZERO, &PriceBook::embedded());
        assert_eq!((tally.answered_percent, tally.interactive_first_token_p99_ms), ([0; 3], None));
    }
}
