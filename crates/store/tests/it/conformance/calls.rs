use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::key::KeyId;
use bedplate_core::ports::CallFilter;
use bedplate_core::record::{Ending, Outcome};
use bedplate_core::refusal::Code;
use bedplate_testkit::SeededIds;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::{on_every_ledger, on_memory};
use crate::bed::Bed;
use crate::outcomes::{answered, any_outcome, at, refused, shared};

on_every_ledger!(
    attempts_can_be_asked_for_in_sql,
    calls_read_back_as_written,
    any_call_reads_back,
    an_empty_batch_is_nothing,
    a_batch_may_be_written_twice,
    filters_choose_and_the_newest_come_first,
    tail_gives_what_came_after,
    awkward_text_is_kept_from_breaking_a_batch,
    nodes_that_begin_a_day_together_do_not_collide,
);

on_memory!(
    calls_read_back_as_written,
    any_call_reads_back,
    an_empty_batch_is_nothing,
    a_batch_may_be_written_twice,
    filters_choose_and_the_newest_come_first,
    tail_gives_what_came_after,
    nodes_that_begin_a_day_together_do_not_collide,
);

async fn calls_read_back_as_written(bed: &Bed) {
    let ids = SeededIds::new(1);
    let batch = [answered(&ids, at("2026-11-22T12:00:00Z")), refused(&ids, at("2026-11-23T12:00:00Z"))];
    bed.ledger.append(&shared(batch.clone())).await.unwrap();
    for outcome in &batch {
        assert_eq!(bed.ledger.call(outcome.call.id).await.unwrap().as_ref(), Some(outcome));
    }
    let never = CallId::new(at("2026-11-22T12:00:00Z"), &ids);
    assert_eq!(bed.ledger.call(never).await.unwrap(), None);
}

async fn any_call_reads_back(bed: &Bed) {
    let mut runner = TestRunner::deterministic();
    for _ in 0..12 {
        let mut batch = prop::collection::vec(any_outcome(), 1..250).new_tree(&mut runner).unwrap().current();
        bed.ledger.append(&shared(batch.clone())).await.unwrap();
        batch.sort_by_key(|o| o.call.id);
        batch.dedup_by_key(|o| o.call.id);
        for outcome in batch.iter().step_by(7) {
            assert_eq!(bed.ledger.call(outcome.call.id).await.unwrap().as_ref(), Some(outcome));
        }
    }
}

async fn an_empty_batch_is_nothing(bed: &Bed) {
    bed.ledger.append(&[]).await.unwrap();
    assert_eq!(bed.ledger.recent(&CallFilter::default(), 10).await.unwrap(), []);
    assert_eq!(bed.ledger.totals(Timestamp(0), Timestamp(i64::MAX)).await.unwrap(), []);
}

async fn a_batch_may_be_written_twice(bed: &Bed) {
    let ids = SeededIds::new(1);
    let first = answered(&ids, at("2026-11-22T12:00:00Z"));
    let second = answered(&ids, at("2026-11-22T12:00:01Z"));
    let mut changed = first.clone();
    changed.call.status = 500;
    bed.ledger.append(&shared([first.clone()])).await.unwrap();
    // the first again, changed; the second twice in one batch
    bed.ledger.append(&shared([changed, second.clone(), second.clone()])).await.unwrap();
    assert_eq!(bed.ledger.recent(&CallFilter::default(), 10).await.unwrap(), [second, first]);
    let totals = bed.ledger.totals(Timestamp(0), Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(totals.iter().map(|t| t.calls).sum::<u64>(), 2);
    assert_eq!(totals[0].usage.output, 100);
}

/// Three days of calls, told apart by every member that a filter names.
fn some_calls() -> Vec<Outcome> {
    let ids = SeededIds::new(3);
    let mut calls = Vec::new();
    for (n, day) in ["2026-11-20", "2026-11-21", "2026-11-22"].into_iter().enumerate() {
        for hour in [1, 12, 23] {
            let when = at(&format!("{day}T{hour:02}:00:00Z"));
            let mut a = answered(&ids, when);
            a.call.team = if hour == 12 { "research" } else { "support" }.into();
            a.call.chain = (n == 1).then(|| "run-1".into());
            a.call.key = Some(KeyId(format!("key_{hour}").into()));
            let mut b = refused(&ids, Timestamp(when.0 + 1));
            if hour == 23 {
                (b.call.ending, b.call.code) = (Ending::Failed, Some(Code::TotalTimeout));
            }
            calls.extend([a, b]);
        }
    }
    calls
}

async fn filters_choose_and_the_newest_come_first(bed: &Bed) {
    let mut calls = some_calls();
    bed.ledger.append(&shared(calls.clone())).await.unwrap();
    calls.reverse();
    let all = CallFilter::default;
    let filters: Vec<CallFilter> = vec![
        all(),
        CallFilter { since: Some(at("2026-11-21T12:00:00Z")), ..all() },
        CallFilter { until: Some(at("2026-11-21T12:00:00Z")), ..all() },
        CallFilter {
            since: Some(at("2026-11-20T12:00:00Z")),
            until: Some(at("2026-11-22T00:00:00Z")),
            ..all()
        },
        CallFilter { team: Some("research".into()), ..all() },
        CallFilter { feature: Some("triage".into()), team: Some("support".into()), ..all() },
        CallFilter { key: Some(KeyId("key_23".into())), ..all() },
        CallFilter { chain: Some("run-1".into()), ..all() },
        CallFilter { code: Some(Code::TotalTimeout), ..all() },
        CallFilter { ending: Some(Ending::Answered), ..all() },
        CallFilter { ending: Some(Ending::Refused), ..all() },
        CallFilter { ending: Some(Ending::Failed), code: Some(Code::UnknownKey), ..all() },
        CallFilter { team: Some("' OR 1=1 --".into()), ..all() },
    ];
    for filter in filters {
        let expected: Vec<_> = calls.iter().filter(|o| matches(&filter, o)).cloned().collect();
        for limit in [0, 1, 4, 100] {
            let found = bed.ledger.recent(&filter, limit).await.unwrap();
            let expected = &expected[..expected.len().min(limit as usize)];
            assert_eq!(found, expected, "{filter:?} {limit}");
        }
    }
}

/// The filter, said again in Rust.
fn matches(f: &CallFilter, o: &Outcome) -> bool {
    let c = &o.call;
    f.since.is_none_or(|at| c.admitted_at >= at)
        && f.until.is_none_or(|at| c.admitted_at < at)
        && f.team.as_ref().is_none_or(|t| **t == *c.team)
        && f.feature.as_ref().is_none_or(|t| **t == *c.feature)
        && f.key.is_none_or_eq(&c.key)
        && f.chain.is_none_or_eq(&c.chain)
        && f.code.is_none_or(|x| c.code == Some(x))
        && f.ending.is_none_or(|x| c.ending == x)
        && f.after.is_none_or(|id| c.id > id)
}

trait IsNoneOrEq {
    fn is_none_or_eq(&self, other: &Self) -> bool;
}

impl<T: PartialEq> IsNoneOrEq for Option<T> {
    fn is_none_or_eq(&self, other: &Self) -> bool {
        self.is_none() || self == other
    }
}

async fn tail_gives_what_came_after(bed: &Bed) {
    let mut calls = some_calls();
    bed.ledger.append(&shared(calls.clone())).await.unwrap();
    calls.sort_by_key(|o| o.call.id);
    let filter = CallFilter { after: Some(calls[10].call.id), ..CallFilter::default() };
    let found: Vec<_> = bed.ledger.recent(&filter, 100).await.unwrap();
    assert_eq!(found.len(), 7);
    assert!(found.iter().all(|o| o.call.id > calls[10].call.id));
    let newest = CallFilter { after: Some(calls[17].call.id), ..CallFilter::default() };
    assert_eq!(bed.ledger.recent(&newest, 100).await.unwrap(), []);
}

async fn awkward_text_is_kept_from_breaking_a_batch(bed: &Bed) {
    let ids = SeededIds::new(5);
    let mut o = answered(&ids, at("2026-11-22T12:00:00Z"));
    o.call.model = "a\0b".into();
    o.call.user = Some("c\0d".into());
    o.call.chain = Some("漢".repeat(5_000));
    o.call.team = "é".repeat(4_000).into();
    o.call.usage.output = u64::MAX;
    o.call.cost = bedplate_core::money::Cost::Known(bedplate_core::money::Nanos(i64::MAX));
    let mut again = o.clone();
    again.call.id = CallId::new(o.call.admitted_at, &ids);
    let mut early = answered(&ids, Timestamp(-5));
    early.call.model = "x".repeat(2_048);
    bed.ledger.append(&shared([o.clone(), early])).await.unwrap();
    bed.ledger.append(&shared([again])).await.unwrap();
    let read = bed.ledger.call(o.call.id).await.unwrap().unwrap().call;
    assert_eq!(read.model, "a\u{fffd}b");
    assert_eq!(read.user.as_deref(), Some("c\0d"));
    assert_eq!(read.team.len(), 512);
    let chain = read.chain.unwrap();
    assert_eq!(chain, "漢".repeat(170));
    let filter = CallFilter { chain: o.call.chain, ..CallFilter::default() };
    assert_eq!(bed.ledger.recent(&filter, 10).await.unwrap().len(), 2);
    bed.ledger.totals(Timestamp(0), Timestamp(i64::MAX)).await.unwrap();
}

async fn nodes_that_begin_a_day_together_do_not_collide(bed: &Bed) {
    let mut nodes = vec![];
    for _ in 0..6 {
        nodes.push(bed.another().await.unwrap());
    }
    let mut work = tokio::task::JoinSet::new();
    for (n, node) in nodes.iter().cloned().enumerate() {
        work.spawn(async move {
            let ids = SeededIds::new(100 + n as u64);
            for day in 1..=5 {
                let when = at(&format!("2026-12-{day:02}T00:00:00Z"));
                let batch: Vec<_> = (0..20).map(|_| answered(&ids, when)).collect();
                node.append(&shared(batch.clone())).await.unwrap();
            }
        });
    }
    work.join_all().await;
    assert_eq!(bed.ledger.recent(&CallFilter::default(), 1_000).await.unwrap().len(), 600);
    let totals = bed.ledger.totals(Timestamp(0), Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(totals.iter().map(|t| t.calls).collect::<Vec<_>>(), [120; 5]);
    for node in nodes {
        node.close().await;
    }
}

/// Attempts lie with their call; a view gives each a row.
async fn attempts_can_be_asked_for_in_sql(bed: &Bed) {
    let ids = SeededIds::new(7);
    let noon = at("2026-11-22T12:00:00Z");
    bed.ledger.append(&shared((0..3).map(|_| answered(&ids, noon)))).await.unwrap();
    let view = if bed.is_postgres() { "attempt" } else { "attempt_20261122" };
    let all = format!("SELECT count(*) FROM {view}");
    assert_eq!(bed.number(&all).await, 6);
    let answered = format!("{all} WHERE status = 200 AND n = 2 AND provider = 'use1' AND code IS NULL");
    assert_eq!(bed.number(&answered).await, 3);
    let joined = format!(
        "{all} WHERE cost_state = 'known' AND call_id IN (SELECT id FROM {})",
        view.replace("attempt", "call")
    );
    assert_eq!(bed.number(&joined).await, 6);
    bed.number(&format!("SELECT CAST(sum(cost_nanos) AS BIGINT) FROM {view}")).await;
}
