//! Many calls: what an outage adds, and whatever happens in whatever order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::record::{Ending, Outcome};
use bedplate_core::refusal::Code;
use bedplate_pipeline::RetryConfig;
use proptest::prelude::*;
use tokio::time::Instant;

use super::{Bed, CHAIN, Cued, LITE, whole};
use crate::house::{Ends, Script};

const TWO: &str =
    "name = 'triage'\ntargets = ['use1/us.amazon.nova-lite-v1:0', 'usw2/us.amazon.nova-lite-v1:0']\n";

/// Requests by calls, a hundred calls a second.
async fn amplification(alias: &str, script: Script) -> f64 {
    let providers = [Cued::new("use1", [], script.clone()), Cued::new("usw2", [], script)];
    let bed = Bed::new(alias, &providers);
    let calls = 5_000;
    for _ in 0..calls {
        bed.house.clock.advance(Duration::from_millis(10));
        drop(bed.ask(Operation::Converse, "triage").await);
    }
    let asked: usize = providers.iter().map(|p| p.asked().len()).sum();
    asked as f64 / f64::from(calls)
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_not_made_worse() {
    let gone = Script::Fails { after: Duration::ZERO, code: Code::Unreachable, sent: false };
    for script in [gone, whole(503), whole(429)] {
        let requests = amplification(TWO, script.clone()).await;
        assert!(requests <= 1.1, "{script:?}: {requests}");
    }
    // what has something else to say hardly asks at all
    let requests = amplification(CHAIN, whole(503)).await;
    assert!(requests <= 0.1, "{requests}");
}

#[tokio::test(start_paused = true)]
async fn weights_are_kept_to() {
    let alias =
        format!("name = 'triage'\ntargets = ['use1/{LITE}', {{ target = 'usw2/{LITE}', weight = 3 }}]\n");
    let providers = [Cued::new("use1", [], whole(200)), Cued::new("usw2", [], whole(200))];
    let bed = Bed::new(&alias, &providers);
    for _ in 0..2_000 {
        drop(bed.ask(Operation::Converse, "triage").await);
    }
    let first = providers[0].asked().len();
    assert!((400..=600).contains(&first), "{first}");
}

fn script() -> impl Strategy<Value = Script> {
    let ends = prop_oneof![Just(Ends::Well), Just(Ends::Exception), Just(Ends::Broken), Just(Ends::Never)];
    let code = prop_oneof![
        Just(Code::ConnectTimeout),
        Just(Code::Unreachable),
        Just(Code::BrokenAnswer),
        Just(Code::FirstTokenTimeout)
    ];
    let after = || (0u64..4_000).prop_map(Duration::from_millis);
    prop_oneof![
        (after(), prop::sample::select(vec![200u16, 400, 408, 424, 429, 500, 503]))
            .prop_map(|(after, status)| Script::Whole { after, status }),
        (after(), code, any::<bool>()).prop_map(|(after, code, sent)| Script::Fails { after, code, sent }),
        Just(Script::Hangs),
        (after(), 0usize..5, ends).prop_map(|(gap, pieces, ends)| Script::Stream { gap, pieces, ends }),
    ]
}

fn holds(row: &Outcome, hedged: bool) {
    assert!(row.attempts.len() <= 3, "{row:?}");
    // what was answered is not asked again; of two at a time one may be told what is wrong, and nobody waits for either
    let before = row.attempts.len().saturating_sub(1);
    let goes_on = |status: u16| {
        status == 0 || status >= 408 || (hedged && (status >= 400 || row.call.ending == Ending::Abandoned))
    };
    assert!(row.attempts[..before].iter().all(|a| goes_on(a.status)), "{row:?}");
    let sum: i64 = row.attempts.iter().map(|a| a.cost.priced().0).sum();
    assert_eq!(row.call.cost.priced().0, sum);
    if row.call.ending == Ending::Answered && row.call.degraded.is_none() {
        assert_eq!(row.attempts.last().unwrap().status, 200);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_call_settles_once_and_holds_nothing(
        first in proptest::collection::vec(script(), 1..8),
        second in proptest::collection::vec(script(), 1..8),
        leaves in proptest::collection::vec((prop::option::of(0u64..15_000), prop::option::of(1u64..15_000)), 1..8),
        streams in any::<bool>(),
        hedged in any::<bool>(),
    ) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let providers = [Cued::new("use1", first, whole(200)), Cued::new("usw2", second, whole(503))];
            let budgets = "[[budget]]\nname = 'b'\nlimit = '0.01 USD'\n";
            let alias = if hedged { format!("{CHAIN}hedge = {{ after = '1s', most = '50%' }}\n") } else { CHAIN.into() };
            let bed = Bed::with(&alias, RetryConfig::default(), &providers, Some(budgets));
            let op = if streams { Operation::ConverseStream } else { Operation::Converse };
            let calls = leaves.len();
            for (leave, deadline) in leaves {
                let (began, deadline) = (Instant::now(), deadline.map(Duration::from_millis));
                let life = bed.read_within(op, deadline);
                match leave {
                    Some(millis) => drop(tokio::time::timeout(Duration::from_millis(millis), life).await),
                    None => life.await,
                }
                let tick = Duration::from_millis(1);
                assert!(deadline.is_none_or(|deadline| began.elapsed() <= deadline + tick), "too late");
                bed.house.clock.advance(Duration::from_secs(1));
            }
            let rows: Vec<Arc<Outcome>> = bed.house.settled().await;
            assert_eq!(rows.len(), calls);
            assert_eq!(bed.house.ledger.places.load(Ordering::SeqCst), 1_000);
            rows.iter().for_each(|row| holds(row, hedged));
            assert!(bed.house.books.pace.stands().iter().all(|lane| lane.under_way == 0));
            let held: i64 = bed.purses.iter().flat_map(|p| p.stands()).map(|(_, _, held)| held).sum();
            assert_eq!(held, 0);
        });
    }
}
