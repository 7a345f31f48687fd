use std::collections::BTreeMap;

use bedplate_core::clock::Timestamp;
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::ports::Total;
use bedplate_core::record::{Ending, Outcome};
use bedplate_core::usage::{Unit, Usage};
use bedplate_testkit::SeededIds;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::{on_every_ledger, on_memory};
use crate::bed::Bed;
use crate::outcomes::{answered, any_outcome, at, refused, shared};

on_every_ledger!(
    sums_add_up_by_line,
    an_unknown_price_stays_unknown,
    only_the_days_that_are_asked_for,
    names_of_the_unrecognised_make_no_lines,
    sums_of_any_calls_are_those_of_a_model,
);

on_memory!(
    sums_add_up_by_line,
    an_unknown_price_stays_unknown,
    only_the_days_that_are_asked_for,
    names_of_the_unrecognised_make_no_lines,
    sums_of_any_calls_are_those_of_a_model,
);

async fn all(bed: &Bed) -> Vec<Total> {
    bed.ledger.totals(Timestamp(0), Timestamp(i64::MAX)).await.unwrap()
}

async fn sums_add_up_by_line(bed: &Bed) {
    let ids = SeededIds::new(1);
    let mut other = answered(&ids, at("2026-11-22T13:00:00Z"));
    other.call.model = "a.other".into();
    other.call.usage.reasoning = None;
    let batch = [
        answered(&ids, at("2026-11-22T12:00:00Z")),
        answered(&ids, at("2026-11-22T23:59:59.999999Z")),
        other,
        answered(&ids, at("2026-11-23T00:00:00Z")),
    ];
    bed.ledger.append(&shared(batch[..2].to_vec())).await.unwrap();
    bed.ledger.append(&shared(batch[2..].to_vec())).await.unwrap();
    let line = |day: &str, model: &str, calls: u64, reasoning| Total {
        day: at(day),
        team: "support".into(),
        feature: "triage".into(),
        environment: "prod".into(),
        model: model.into(),
        calls,
        refused: 0,
        usage: Usage {
            input: 10 * calls,
            cache_read: 20 * calls,
            cache_write_5m: 30 * calls,
            cache_write_1h: 40 * calls,
            output: 50 * calls,
            reasoning,
            units: vec![(Unit::GuardrailContent, 3 * calls), (Unit::Query, 2 * calls)],
        },
        cost: Cost::Known(Nanos(1_234_567 * i64::try_from(calls).unwrap())),
        unpriced: 0,
    };
    let expected = [
        line("2026-11-22T00:00:00Z", "a.other", 1, None),
        line("2026-11-22T00:00:00Z", "us.amazon.nova-lite-v1:0", 2, Some(10)),
        line("2026-11-23T00:00:00Z", "us.amazon.nova-lite-v1:0", 1, Some(5)),
    ];
    assert_eq!(all(bed).await, expected);
}

async fn an_unknown_price_stays_unknown(bed: &Bed) {
    let ids = SeededIds::new(1);
    let mut unknown = answered(&ids, at("2026-11-22T12:00:00Z"));
    unknown.call.cost = Cost::Unknown(Nanos(7));
    bed.ledger.append(&shared([unknown])).await.unwrap();
    bed.ledger.append(&shared([answered(&ids, at("2026-11-22T12:00:00Z"))])).await.unwrap();
    let total = all(bed).await.remove(0);
    assert_eq!((total.calls, total.unpriced, total.cost), (2, 1, Cost::Unknown(Nanos(1_234_574))));
}

async fn only_the_days_that_are_asked_for(bed: &Bed) {
    let ids = SeededIds::new(1);
    let days = ["2026-11-20T12:00:00Z", "2026-11-21T12:00:00Z", "2026-11-22T12:00:00Z"].map(at);
    bed.ledger.append(&shared(days.map(|d| answered(&ids, d)))).await.unwrap();
    let found = |since: &'static str, until: &'static str| async move {
        let totals = bed.ledger.totals(at(since), at(until)).await.unwrap();
        totals.iter().map(|t| t.day.to_string()[8..10].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z").await, ["21"]);
    assert_eq!(found("2026-11-21T23:00:00Z", "2026-11-22T00:00:01Z").await, ["21", "22"], "whole days");
    assert_eq!(found("2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z").await, [""; 0]);
}

async fn names_of_the_unrecognised_make_no_lines(bed: &Bed) {
    let ids = SeededIds::new(1);
    let batch: Vec<_> = (0..50)
        .map(|n| {
            let mut o = refused(&ids, at("2026-11-22T12:00:00Z"));
            o.call.model = format!("made-up-{n}");
            o
        })
        .collect();
    bed.ledger.append(&shared(batch.clone())).await.unwrap();
    let totals = all(bed).await;
    assert_eq!(totals.len(), 1);
    assert_eq!((totals[0].calls, totals[0].refused, &*totals[0].model), (50, 50, ""));
}

async fn sums_of_any_calls_are_those_of_a_model(bed: &Bed) {
    let mut runner = TestRunner::deterministic();
    let mut written = BTreeMap::new();
    for _ in 0..10 {
        let mut batch = prop::collection::vec(any_outcome(), 1..200).new_tree(&mut runner).unwrap().current();
        // now and then something that is there already
        batch.extend(written.values().step_by(5).take(20).cloned());
        bed.ledger.append(&shared(batch.clone())).await.unwrap();
        for o in batch {
            written.entry(o.call.id).or_insert(o);
        }
    }
    let (found, expected) = (all(bed).await, model(written.values()));
    assert_eq!(found.len(), expected.len());
    found.iter().zip(&expected).for_each(|(found, expected)| assert_eq!(found, expected));
}

/// The sums, worked out again in the simplest way.
fn model<'a>(calls: impl Iterator<Item = &'a Outcome>) -> Vec<Total> {
    let mut lines = BTreeMap::<_, Total>::new();
    for o in calls {
        let c = &o.call;
        let day = Timestamp(c.admitted_at.0 - c.admitted_at.0 % 86_400_000_000);
        let model = if c.key.is_some() { c.model.clone() } else { String::new() };
        let line = (day, c.team.to_string(), c.feature.to_string(), c.environment.to_string(), model);
        let t = lines.entry(line.clone()).or_insert_with(|| Total {
            day,
            team: line.1,
            feature: line.2,
            environment: line.3,
            model: line.4,
            calls: 0,
            refused: 0,
            usage: Usage::default(),
            cost: Cost::FREE,
            unpriced: 0,
        });
        t.calls += 1;
        t.refused += u64::from(c.ending == Ending::Refused);
        t.usage.add(&c.usage);
        t.cost = t.cost.plus(c.cost);
        t.unpriced += u64::from(!c.cost.is_known());
    }
    let mut totals: Vec<_> = lines.into_values().collect();
    for t in &mut totals {
        t.usage.units.sort_by_key(|(u, _)| serde_json::to_string(u).unwrap());
    }
    totals
}
