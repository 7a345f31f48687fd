//! Random calls, providers and callers: whatever happens, each call leaves one row, no place is kept,
//! nothing stays open, and money is never said to be known when it is not.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::record::{Ending, Outcome};
use bedplate_core::refusal::Code;
use bedplate_core::usage::UsageBasis;
use bedplate_pipeline::{Refused, ReplyBody};
use proptest::prelude::*;

use crate::house::{Ends, House, Script, call, usage};

/// What the caller does.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    Stays,
    /// Hangs up after so long, whatever has come.
    HangsUp(Duration),
    /// Hangs up after so many pieces.
    ReadsSome(usize),
    /// Takes nothing more after so many pieces, until the door gives up.
    FallsSilent(usize),
}

fn millis(most: u64) -> impl Strategy<Value = Duration> {
    (0..most).prop_map(Duration::from_millis)
}

pub(crate) fn script() -> impl Strategy<Value = Script> {
    let ends = prop_oneof![
        Just(Ends::Well),
        Just(Ends::Unmetered),
        Just(Ends::Exception),
        Just(Ends::Broken),
        Just(Ends::Never)
    ];
    let code = prop_oneof![Just(Code::ConnectTimeout), Just(Code::Unreachable), Just(Code::BrokenAnswer)];
    prop_oneof![
        (millis(9_000), prop_oneof![Just(200u16), Just(429), Just(500)])
            .prop_map(|(after, status)| Script::Whole { after, status }),
        (millis(9_000), code, any::<bool>()).prop_map(|(after, code, sent)| Script::Fails {
            after,
            code,
            sent
        }),
        Just(Script::Hangs),
        (millis(25_000), 0usize..12, ends).prop_map(|(gap, pieces, ends)| Script::Stream {
            gap,
            pieces,
            ends
        }),
    ]
}

pub(crate) fn caller() -> impl Strategy<Value = Caller> {
    prop_oneof![
        Just(Caller::Stays),
        millis(30_000).prop_map(Caller::HangsUp),
        (0usize..12).prop_map(Caller::ReadsSome),
        (0usize..12).prop_map(Caller::FallsSilent),
    ]
}

pub(crate) async fn live(house: &House, op: Operation, caller: &Caller) {
    let life = async {
        let record = house.open().await.unwrap();
        match house.pipeline.run(call(op), record).await {
            Err(Refused(refused)) => {
                let (refusal, record) = *refused;
                record.refused(&refusal, 503, "ServiceUnavailableException");
            }
            Ok(reply) => {
                if let ReplyBody::Stream(mut flow) = reply.body {
                    let mut read = 0;
                    let most = match caller {
                        Caller::ReadsSome(n) | Caller::FallsSilent(n) => *n,
                        Caller::Stays | Caller::HangsUp(_) => usize::MAX,
                    };
                    while read < most && poll_fn(|cx| flow.poll_next(cx)).await.is_some() {
                        read += 1;
                    }
                    if let (Caller::FallsSilent(_), Some(until)) = (caller, flow.until()) {
                        tokio::time::sleep_until(until).await;
                    }
                }
            }
        }
    };
    match caller {
        Caller::HangsUp(after) => drop(tokio::time::timeout(*after, life).await),
        Caller::Stays | Caller::ReadsSome(_) | Caller::FallsSilent(_) => life.await,
    }
}

fn holds(row: &Outcome) {
    let c = &row.call;
    assert!(row.attempts.len() <= 1);
    // what an upstream said is what stands there
    if c.basis == UsageBasis::Reported {
        assert_eq!(c.usage, usage());
    }
    if c.ending == Ending::Answered && row.attempts[0].basis == UsageBasis::None {
        panic!("an answered call without usage or estimate: {row:?}");
    }
    // a request that may have been worked on never costs a known nothing
    for attempt in row.attempts.iter().filter(|a| a.status == 0) {
        let nothing = attempt.usage.is_empty() && attempt.basis == UsageBasis::None;
        assert!(nothing || !attempt.cost.is_known(), "{row:?}");
    }
    let sum: i64 = row.attempts.iter().map(|a| a.cost.priced().0).sum();
    assert_eq!(c.cost.priced().0, sum, "the call costs what its attempts cost");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_call_settles_once(lives in proptest::collection::vec((script(), caller(), any::<bool>()), 1..6)) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            for (script, caller, streams) in &lives {
                let house = House::new(script.clone());
                let op = if *streams { Operation::ConverseStream } else { Operation::Converse };
                live(&house, op, caller).await;
                let rows: Vec<Arc<Outcome>> = house.settled().await;
                assert_eq!(rows.len(), 1, "{script:?} {caller:?}");
                assert_eq!(house.ledger.places.load(Ordering::SeqCst), 1_000);
                holds(&rows[0]);
            }
        });
    }
}
