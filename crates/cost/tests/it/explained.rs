//! Changes of spending, split.

use bedplate_core::spend::{Class, SpendSums};
use bedplate_cost::PriceBook;
use bedplate_cost::explain::{Change, Part, Parts, Period, TokenRates, explain};
use proptest::prelude::*;

const RATES: TokenRates = [60_000, 15_000, 60_000, 75_000, 240_000];

/// So many calls of so many tokens each: input, cache read, cache writes, output.
#[derive(Clone, Copy, Debug)]
struct Kind {
    class: Class,
    n: u64,
    tokens: [u64; 5],
    /// Nano-dollars of one beside its tokens.
    units: i128,
}

fn plain(n: u64, input: u64, output: u64) -> Kind {
    Kind { class: Class::First, n, tokens: [input, 0, 0, 0, output], units: 0 }
}

fn period(kinds: &[Kind], rates: TokenRates) -> Period {
    let mut period = Period::default();
    for kind in kinds {
        let picos: u64 = kind.tokens.iter().zip(rates).map(|(n, rate)| n * rate).sum();
        // each request is rounded by itself
        let each = i128::from((picos + 500) / 1_000) + kind.units;
        let retry = kind.class == Class::Retry;
        let sums = SpendSums {
            calls: if retry { 0 } else { kind.n },
            retries: if retry { kind.n } else { 0 },
            input: kind.n * kind.tokens[0],
            cache_read: kind.n * kind.tokens[1],
            cache_write_5m: kind.n * kind.tokens[2],
            cache_write_1h: kind.n * kind.tokens[3],
            output: kind.n * kind.tokens[4],
            spent: i128::from(kind.n) * each,
            ..SpendSums::default()
        };
        period.add(kind.class, &sums, Some(rates));
    }
    period
}

fn split(before: &[Kind], after: &[Kind]) -> Parts {
    explain(&[Change { before: period(before, RATES), after: period(after, RATES) }])
}

/// What changed, and nothing else did.
fn only(parts: Parts, part: Part) -> i128 {
    let others: Vec<_> = Part::ALL.into_iter().filter(|p| *p != part && parts.get(*p) != 0).collect();
    assert_eq!(others, [], "{parts:?}");
    parts.get(part)
}

#[test]
fn a_change_of_one_factor_is_wholly_its_own() {
    let base = plain(10, 1_000, 100); // 84,000 nano-dollars each
    assert_eq!(only(split(&[base], &[plain(20, 1_000, 100)]), Part::Calls), 840_000);
    assert_eq!(only(split(&[base], &[plain(10, 2_000, 100)]), Part::Prompt), 600_000);
    assert_eq!(only(split(&[base], &[plain(10, 1_000, 50)]), Part::Output), -120_000);
    let read = Kind { tokens: [200, 800, 0, 0, 100], ..base };
    assert_eq!(only(split(&[base], &[read]), Part::PromptCache), -360_000);
    let guarded = Kind { class: Class::Units, units: 75_000, ..base };
    assert_eq!(only(split(&[base], &[guarded]), Part::Units), 750_000);
    let retry = Kind { class: Class::Retry, n: 2, ..base };
    assert_eq!(only(split(&[base], &[base, retry]), Part::Retries), 168_000);
    let dearer = RATES.map(|rate| rate * 2);
    let change = Change { before: period(&[base, retry], RATES), after: period(&[base, retry], dearer) };
    assert_eq!(only(explain(&[change]), Part::Price), 1_008_000, "retries become dearer, not more");
    let kept = |n| Kind { class: Class::Cached, n, tokens: [0; 5], units: 0 };
    assert_eq!(only(split(&[base], &[plain(4, 1_000, 100), kept(6)]), Part::Cache), -504_000);
    let left = Kind { class: Class::Abandoned, n: 5, tokens: [1_000, 0, 0, 0, 20], units: 0 };
    let few = Kind { n: 5, ..base };
    assert_eq!(only(split(&[base], &[few, left]), Part::Abandoned), -96_000, "what left early cost less");
    let unknown = Kind { class: Class::Unpriced, n: 5, tokens: [0; 5], units: 3 };
    assert_eq!(only(split(&[base], &[few, unknown]), Part::Unpriced), 5 * 3 - 5 * 84_000);
    assert_eq!(only(split(&[base], &[base]), Part::Rest), 0);
    assert_eq!(only(split(&[], &[base]), Part::Calls), 840_000, "what begins is calls");
}

#[test]
fn a_move_to_another_model_is_mix() {
    let (cheap, dear) = (RATES, RATES.map(|rate| rate * 10));
    let of = |n, rates| period(&[plain(n, 1_000, 100)], rates);
    let parts = explain(&[
        Change { before: of(10, cheap), after: of(4, cheap) },
        Change { before: Period::default(), after: of(6, dear) },
    ]);
    assert_eq!(only(parts, Part::Mix), 6 * 756_000);
}

#[test]
fn two_factors_share_what_they_did_together() {
    let parts = split(&[plain(10, 1_000, 0)], &[plain(20, 2_000, 0)]);
    // alone each makes 600,000; together 1,800,000
    assert_eq!((parts.get(Part::Calls), parts.get(Part::Prompt)), (900_000, 900_000));
    assert_eq!(parts.sum(), 1_800_000);
}

#[test]
fn the_book_says_what_tokens_weigh() {
    let book = PriceBook::embedded();
    assert_eq!(
        book.token_rates("us.amazon.nova-lite-v1:0", "us-east-1", ""),
        Some([60_000, 15_000, 60_000, 60_000, 240_000])
    );
    assert_eq!(book.token_rates("nobody.knows-v1:0", "us-east-1", ""), None);
}

fn any_kind() -> impl Strategy<Value = Kind> {
    let tokens = [0u64..5_000, 0..5_000, 0..500, 0..500, 0..2_000];
    let class = prop::sample::select(Class::ALL.to_vec());
    let n = prop_oneof![Just(0u64), 1u64..5, 1u64..1_000_000];
    (class, n, tokens, -5i128..100_000).prop_map(|(class, n, tokens, units)| {
        let used = matches!(class, Class::First | Class::Units | Class::Abandoned | Class::Retry);
        let tokens = if used { tokens } else { [0; 5] };
        let units = if matches!(class, Class::First | Class::Abandoned | Class::Retry) { 0 } else { units };
        Kind { class, n, tokens, units }
    })
}

fn any_period() -> impl Strategy<Value = Period> {
    let rates = [1u64..100_000, 0..50_000, 0..100_000, 0..100_000, 1..500_000];
    (prop::collection::vec(any_kind(), 0..8), rates).prop_map(|(kinds, rates)| period(&kinds, rates))
}

fn any_changes() -> impl Strategy<Value = Vec<Change>> {
    let change = (any_period(), any_period()).prop_map(|(before, after)| Change { before, after });
    prop::collection::vec(change, 0..5)
}

fn all(changes: &[Change], of: fn(&Change) -> &Period) -> i128 {
    changes.iter().map(|change| of(change).spent()).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn parts_always_add_up(changes in any_changes()) {
        let parts = explain(&changes);
        prop_assert_eq!(parts.sum(), all(&changes, |c| &c.after) - all(&changes, |c| &c.before));
    }

    #[test]
    fn swapped_periods_negate_every_part(changes in any_changes()) {
        let swapped: Vec<_> = changes.iter().map(|c| Change { before: c.after, after: c.before }).collect();
        prop_assert_eq!(explain(&swapped).0, explain(&changes).0.map(|part| -part));
    }

    #[test]
    fn what_did_not_change_has_no_part(kinds in prop::collection::vec(any_kind(), 1..8), times in 2u64..50) {
        let more: Vec<_> = kinds.iter().map(|kind| Kind { n: kind.n * times, ..*kind }).collect();
        let idle = kinds.iter().all(|k| k.n == 0 || matches!(k.class, Class::None | Class::Retry));
        prop_assume!(!idle && kinds.iter().all(|k| k.class != Class::None));
        let parts = split(&kinds, &more);
        for part in Part::ALL {
            prop_assert!(part == Part::Calls || parts.get(part) == 0, "{:?}: {:?}", part, parts);
        }
    }

    #[test]
    fn dearer_tokens_are_price_alone(kinds in prop::collection::vec(any_kind(), 1..8), times in 2u64..50) {
        let tokens: Vec<_> = kinds.into_iter().filter(|k| k.units == 0 && k.class != Class::Units).collect();
        let priced = tokens.iter().any(|k| k.class == Class::First && k.n > 0 && k.tokens != [0; 5]);
        prop_assume!(priced);
        let change = Change { before: period(&tokens, RATES), after: period(&tokens, RATES.map(|rate| rate * times)) };
        let parts = explain(&[change]);
        for part in Part::ALL {
            prop_assert!(part == Part::Price || parts.get(part) == 0, "{:?}: {:?}", part, parts);
        }
    }
}
