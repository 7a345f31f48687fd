//! Spending by whatever entries have in common.

use std::sync::Arc;

use bedplate_core::cache::{Avoided, CacheUse, Mark};
use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::key::KeyId;
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::ports::{Calls as _, Spend as _};
use bedplate_core::record::{Ending, Outcome};
use bedplate_core::spend::{Class, Dimension, SpendAsk, SpendLine, SpendSums};
use bedplate_core::usage::{Unit, Usage, UsageBasis};
use bedplate_testkit::{MemoryLedger, SeededIds};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::{on_every_ledger, on_memory};
use crate::bed::Bed;
use crate::outcomes::{answered, any_outcome, at, attempt, refused, shared};

on_every_ledger!(
    each_entry_is_counted_where_it_belongs,
    what_has_no_line_of_its_own_is_summed,
    slots_are_apart,
    any_question_is_answered_as_in_memory,
    awkward_text_and_numbers_are_summed,
    nothing_is_no_line,
);

on_memory!(
    each_entry_is_counted_where_it_belongs,
    what_has_no_line_of_its_own_is_summed,
    slots_are_apart,
    nothing_is_no_line,
);

const NOON: &str = "2026-11-22T12:00:00Z";

/// A day around noon.
fn ask(by: &[Dimension]) -> SpendAsk {
    let slots = vec![(at("2026-11-22T00:00:00Z"), at("2026-11-23T00:00:00Z"))];
    SpendAsk { slots, by: by.to_vec(), only: Vec::new(), top: 100 }
}

async fn asked(bed: &Bed, ask: &SpendAsk) -> Vec<SpendLine> {
    bed.ledger.spend(ask, &|_, _| {}).await.unwrap()
}

fn names(line: &SpendLine) -> String {
    line.names.as_ref().map_or("(others)".to_owned(), |names| names.join("/"))
}

fn used(input: u64, output: u64) -> Usage {
    Usage { input, output, ..Usage::default() }
}

/// A call of these attempts: usage and nano-dollars, `None` where the price is unknown.
fn call(ids: &SeededIds, attempts: &[(Usage, Option<i64>)]) -> Outcome {
    let mut o = answered(ids, at(NOON));
    o.call.cache = None;
    o.attempts = (1..)
        .zip(attempts)
        .map(|(n, (usage, nanos))| {
            let mut a = attempt(n, usage.clone(), 200);
            a.cost = nanos.map_or(Cost::Unknown(Nanos(0)), |n| Cost::Known(Nanos(n)));
            a
        })
        .collect();
    add_up(&mut o);
    o
}

/// Makes the call's sums those of its attempts, as the pipeline does.
fn add_up(o: &mut Outcome) {
    o.call.usage = Usage::default();
    o.call.cost = Cost::FREE;
    for a in &o.attempts {
        o.call.usage.add(&a.usage);
        o.call.cost = o.call.cost.plus(a.cost);
    }
}

async fn each_entry_is_counted_where_it_belongs(bed: &Bed) {
    let ids = SeededIds::new(1);
    let mut retried = call(&ids, &[(used(5, 0), Some(7)), (used(11, 13), Some(40))]);
    retried.attempts[1].region = "us-west-2".into();
    retried.attempts[1].model = None;
    let mut left = call(&ids, &[(used(3, 1), Some(9))]);
    (left.call.ending, left.attempts[0].basis) = (Ending::Abandoned, UsageBasis::Estimated);
    let unknown = call(&ids, &[(used(2, 2), None)]);
    let units = Usage { units: vec![(Unit::GuardrailContent, 4)], ..used(1, 1) };
    let units = call(&ids, &[(units, Some(100))]);
    let mut hit = call(&ids, &[]);
    let spared = |cost| Avoided { call: CallId::new(at(NOON), &ids), age_ms: 1, usage: used(9, 9), cost };
    let cached = |cost| Some(Box::new(CacheUse { mark: Mark::Hit, skip: None, avoided: Some(spared(cost)) }));
    hit.call.cache = cached(Cost::Known(Nanos(55)));
    let mut hit_unknown = call(&ids, &[]);
    hit_unknown.call.cache = cached(Cost::Unknown(Nanos(1)));
    let mut passed = call(&ids, &[(Usage::default(), Some(0))]);
    (passed.call.basis, passed.attempts[0].basis) = (UsageBasis::Unmetered, UsageBasis::Unmetered);
    let turned_away = refused(&ids, at(NOON));
    let mut turned_away = turned_away;
    turned_away.call.cache = None;
    let all = [retried, left, unknown, units, hit, hit_unknown, passed, turned_away];
    bed.ledger.append(&shared(all)).await.unwrap();

    let classes = asked(bed, &ask(&[Dimension::Class])).await;
    let found: Vec<_> =
        classes.iter().map(|l| (names(l), l.sums.calls, l.sums.requests, l.sums.spent)).collect();
    let line = |class: Class, calls, requests, spent| (class.name().to_owned(), calls, requests, spent);
    assert_eq!(
        found,
        [
            line(Class::Units, 1, 1, 100),
            line(Class::Retry, 0, 1, 40),
            line(Class::Abandoned, 1, 1, 9),
            line(Class::First, 2, 2, 7),
            line(Class::Cached, 2, 0, 0),
            line(Class::None, 1, 0, 0),
            line(Class::Unpriced, 1, 1, 0),
        ]
    );
    let expected = SpendSums {
        calls: 8,
        requests: 6,
        retries: 1,
        abandoned: 1,
        cached: 2,
        unpriced: 1,
        estimated: 1,
        unmetered: 1,
        avoided_unpriced: 1,
        input: 22,
        output: 17,
        spent: 156,
        spent_retries: 40,
        spent_abandoned: 9,
        spent_estimated: 9,
        avoided: 56,
        ..SpendSums::default()
    };
    assert_eq!(asked(bed, &ask(&[])).await, [SpendLine { slot: 0, names: Some(vec![]), sums: expected }]);

    let regions = asked(bed, &ask(&[Dimension::Region, Dimension::Model])).await;
    let found: Vec<_> =
        regions.iter().map(|l| (names(l), l.sums.spent, l.sums.input, l.sums.output)).collect();
    let line = |names: &str, spent, input, output| (names.to_owned(), spent, input, output);
    assert_eq!(
        found,
        [
            line("us-east-1/amazon.nova-lite-v1:0", 116, 11, 4),
            line("us-west-2/us.amazon.nova-lite-v1:0", 40, 11, 13),
            // what asked nobody is called as it was asked for
            line("/us.amazon.nova-lite-v1:0", 0, 0, 0),
        ]
    );
    let only = SpendAsk { only: vec![(Dimension::Region, "us-west-2".into())], ..ask(&[]) };
    assert_eq!(asked(bed, &only).await[0].sums.spent, 40);
    let only = SpendAsk { only: vec![(Dimension::Region, "' OR 1=1 --".into())], ..ask(&[]) };
    assert_eq!(asked(bed, &only).await, []);
}

async fn what_has_no_line_of_its_own_is_summed(bed: &Bed) {
    let ids = SeededIds::new(1);
    let calls = (0..40i64).map(|n| {
        let mut o = call(&ids, &[(used(1, 1), Some(n))]);
        o.call.team = format!("team-{}", n % 8).into();
        o.call.feature = format!("feature-{}", n % 2).into();
        o
    });
    bed.ledger.append(&shared(calls)).await.unwrap();
    let lines = asked(bed, &SpendAsk { top: 3, ..ask(&[Dimension::Team]) }).await;
    let found: Vec<_> = lines.iter().map(|l| (names(l), l.sums.calls, l.sums.spent)).collect();
    let line = |name: &str, calls, spent| (name.to_owned(), calls, spent);
    assert_eq!(
        found,
        [line("team-7", 5, 115), line("team-6", 5, 110), line("team-5", 5, 105), line("(others)", 25, 450)]
    );
    let lines = asked(bed, &SpendAsk { top: 0, ..ask(&[Dimension::Team]) }).await;
    assert_eq!(
        lines.iter().map(|l| (names(l), l.sums.spent)).collect::<Vec<_>>(),
        [("(others)".into(), 780)]
    );
}

async fn slots_are_apart(bed: &Bed) {
    let ids = SeededIds::new(1);
    let times = [
        "2026-11-20T23:59:59.999999Z",
        "2026-11-21T00:00:00Z",
        "2026-11-21T05:00:00Z",
        "2026-11-22T12:00:00Z",
    ];
    let calls = times.iter().zip(1..).map(|(time, nanos)| {
        let mut o = call(&ids, &[(used(1, 1), Some(nanos))]);
        o.call.admitted_at = at(time);
        o
    });
    bed.ledger.append(&shared(calls)).await.unwrap();
    let slots = vec![
        (at("2026-11-20T05:00:00Z"), at("2026-11-21T05:00:00Z")),
        (at("2026-11-21T05:00:00Z"), at("2026-11-21T05:00:01Z")),
        (at("2026-11-22T13:00:00Z"), at("2026-11-22T14:00:00Z")),
    ];
    let told = std::sync::Mutex::new(Vec::new());
    let question = SpendAsk { slots, ..ask(&[Dimension::Team]) };
    let lines = bed.ledger.spend(&question, &|done, of| told.lock().unwrap().push((done, of))).await.unwrap();
    let found: Vec<_> = lines.iter().map(|l| (l.slot, l.sums.calls, l.sums.spent)).collect();
    assert_eq!(found, [(0, 2, 3), (1, 1, 3)]);
    let told = told.into_inner().unwrap();
    assert!(told.last().is_some_and(|(done, of)| done == of), "{told:?}");
}

/// Outcomes as they can be: what a call comes to is what its attempts come to.
fn any_calls() -> impl Strategy<Value = Vec<Outcome>> {
    let regions = prop::sample::select(vec!["us-east-1", "eu-west-1"]);
    let kinds = (any::<bool>(), any::<bool>(), 0usize..4, -3i64..1_000, prop::option::of(0i64..50), regions);
    prop::collection::vec((any_outcome(), kinds), 1..120).prop_map(|all| {
        all.into_iter()
            .map(|(mut o, (known, units, basis, nanos, avoided, region))| {
                let basis =
                    [UsageBasis::Reported, UsageBasis::Estimated, UsageBasis::Unmetered, UsageBasis::None]
                        [basis];
                let several = o.attempts.len() > 1;
                for (n, a) in (1..).zip(&mut o.attempts) {
                    let cost = Nanos(nanos * n * 1_000_000_007);
                    a.cost = if known || n % 2 == 0 { Cost::Known(cost) } else { Cost::Unknown(cost) };
                    a.basis = basis;
                    a.region = if n % 2 == 0 { "ap-south-1" } else { region }.into();
                    a.model = a.model.take().filter(|_| n % 2 == 0);
                    if !units {
                        a.usage.units.clear();
                    }
                }
                o.call.basis = basis;
                add_up(&mut o);
                match (&mut o.call.cache, avoided) {
                    (Some(cache), Some(nanos)) if !several => {
                        cache.avoided.as_mut().unwrap().cost = Cost::Known(Nanos(nanos))
                    }
                    (cache, _) => *cache = None,
                }
                o
            })
            .collect()
    })
}

fn any_ask() -> impl Strategy<Value = SpendAsk> {
    let dimensions = prop::collection::vec(prop::sample::select(Dimension::ALL.to_vec()), 0..4);
    let only = prop_oneof![
        4 => Just(Vec::new()),
        1 => Just(vec![(Dimension::Environment, "e".to_owned())]),
        1 => Just(vec![(Dimension::Region, "us-east-1".to_owned()), (Dimension::Outcome, "answered".to_owned())]),
        1 => Just(vec![(Dimension::Class, "retry".to_owned())]),
        1 => Just(vec![(Dimension::User, "né \"'\\ 漢字".to_owned())]),
        1 => Just(vec![(Dimension::Key, "key_a".to_owned()), (Dimension::Operation, "ConverseStream".to_owned())]),
    ];
    let edges = prop::collection::vec(0i64..5 * 86_400_000_000, 2..6);
    (dimensions, only, edges, prop_oneof![Just(1u32), Just(5), Just(1_000)]).prop_map(
        |(mut by, only, edges, top)| {
            by.dedup();
            let start = at("2026-11-19T12:00:00Z").0;
            let mut edges: Vec<_> = edges.into_iter().map(|e| Timestamp(start + e)).collect();
            edges.sort_unstable();
            let slots = edges.windows(2).map(|pair| (pair[0], pair[1])).filter(|(a, b)| a < b).collect();
            SpendAsk { slots, by, only, top }
        },
    )
}

async fn any_question_is_answered_as_in_memory(bed: &Bed) {
    let mut runner = TestRunner::deterministic();
    let memory = MemoryLedger::default();
    let mut lines = 0;
    for _ in 0..4 {
        let batch: Vec<Arc<Outcome>> = shared(any_calls().new_tree(&mut runner).unwrap().current());
        bed.ledger.append(&batch).await.unwrap();
        memory.append(&batch).await.unwrap();
        for _ in 0..25 {
            let ask = any_ask().new_tree(&mut runner).unwrap().current();
            let (found, expected) = (asked(bed, &ask).await, memory.spend(&ask, &|_, _| {}).await.unwrap());
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found, expected, "{ask:?}");
            }
            assert_eq!(found.len(), expected.len(), "{ask:?}");
            lines += found.len();
        }
    }
    assert!(lines > 500, "{lines} lines show little");
}

async fn awkward_text_and_numbers_are_summed(bed: &Bed) {
    let ids = SeededIds::new(5);
    let mut o = call(&ids, &[(used(u64::MAX, 1), Some(i64::MAX))]);
    o.call.model = "a\0b".into();
    o.call.user = Some("c\0d \"avoided\":{\"cost\":1},{".into());
    o.attempts[0].target = "e\0f},{\\u0000".into();
    o.attempts[0].model = None;
    o.call.key = Some(KeyId("key'\"".into()));
    o.call.chain = Some("漢".repeat(5_000));
    let mut again = o.clone();
    again.call.id = CallId::new(o.call.admitted_at, &ids);
    bed.ledger.append(&shared([o, again])).await.unwrap();
    let by = [Dimension::Alias, Dimension::User, Dimension::Model, Dimension::Key, Dimension::Class];
    let lines = asked(bed, &ask(&by)).await;
    assert_eq!(
        lines.iter().map(names).collect::<Vec<_>>(),
        ["a\u{fffd}b/c\u{fffd}d \"avoided\":{\"cost\":1},{/e\u{fffd}f},{\\ufffd/key'\"/first"]
    );
    assert_eq!(lines[0].sums.spent, 2 * i128::from(i64::MAX), "no sum of money is cut off");
    assert_eq!(lines[0].sums.input, 2_000_000_000_000, "as in the sums by day");
    let chain = SpendAsk { only: vec![(Dimension::Chain, "漢".repeat(5_000))], ..ask(&[]) };
    assert_eq!(asked(bed, &chain).await[0].sums.calls, 2);
}

async fn nothing_is_no_line(bed: &Bed) {
    assert_eq!(asked(bed, &ask(&[Dimension::Team])).await, []);
    assert_eq!(asked(bed, &SpendAsk::default()).await, []);
}
