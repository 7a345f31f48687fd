//! What holds for every model and every usage.

use bedplate_core::money::{Cost, Nanos};
use bedplate_core::usage::Usage;
use bedplate_cost::{Ask, Entry, PriceBook};
use proptest::prelude::*;

use super::tokens;

/// Models whose price does not depend on the prompt's length.
fn plain() -> impl Strategy<Value = Entry> {
    let plain: Vec<Entry> =
        PriceBook::embedded().entries().into_iter().filter(|e| e.long_context.is_empty()).cloned().collect();
    prop::sample::select(plain)
}

fn usage(limit: u64) -> impl Strategy<Value = Usage> {
    let n = 0..limit;
    (n.clone(), n.clone(), n.clone(), n.clone(), n).prop_map(|(a, b, c, d, e)| tokens(a, b, c, d, e))
}

/// The usage as five usages of one counter each.
fn parts(u: &Usage) -> [Usage; 5] {
    [
        tokens(u.input, 0, 0, 0, 0),
        tokens(0, u.cache_read, 0, 0, 0),
        tokens(0, 0, u.cache_write_5m, 0, 0),
        tokens(0, 0, 0, u.cache_write_1h, 0),
        tokens(0, 0, 0, 0, u.output),
    ]
}

fn cost(entry: &Entry, usage: &Usage) -> Cost {
    let ask = Ask { model: &entry.id, region: "us-east-1", tier: "", usage };
    PriceBook::embedded().price(ask).cost
}

proptest! {
    #[test]
    fn the_parts_come_to_the_whole(entry in plain(), small in usage(1_000)) {
        // thousands of tokens cost whole nano-dollars, so that nothing is rounded
        let mut whole = Usage::default();
        (0..1_000).for_each(|_| whole.add(&small));
        let sum = parts(&whole).iter().fold(Cost::FREE, |sum, part| sum.plus(cost(&entry, part)));
        prop_assert_eq!(sum, cost(&entry, &whole));
    }

    #[test]
    fn one_rounding_at_most(entry in plain(), usage in usage(100_000)) {
        let Cost::Known(whole) = cost(&entry, &usage) else { return Ok(()) };
        let sum = parts(&usage).iter().fold(Cost::FREE, |sum, part| sum.plus(cost(&entry, part)));
        prop_assert!((whole.0 - sum.priced().0).abs() <= 3, "{whole} {sum}");
    }

    #[test]
    fn more_never_costs_less(entry in plain(), a in usage(1_000_000), b in usage(1_000_000)) {
        let mut more = a.clone();
        more.add(&b);
        prop_assert!(cost(&entry, &more).priced() >= cost(&entry, &a).priced());
        prop_assert!(cost(&entry, &a).is_known() || !cost(&entry, &more).is_known());
    }

    #[test]
    fn no_usage_is_too_large(entry in plain(), n in any::<u64>()) {
        let usage = Usage { input: n, ..Usage::default() };
        prop_assert!(cost(&entry, &usage).priced() >= Nanos::ZERO);
    }
}
