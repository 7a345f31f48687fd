//! A caller who says how long it waits.

use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::clock::Clock as _;
use bedplate_core::record::Degraded;
use bedplate_core::refusal::Code;
use bedplate_core::route::Standing;
use bedplate_pipeline::RetryConfig;
use tokio::time::Instant;

use super::{Bed, CHAIN, Cued, statuses, whole};
use crate::house::Script;

const ONE: &str = "name = 'triage'\ntargets = ['use1/us.amazon.nova-lite-v1:0']\ntimeout = { total = '10s', first_token = '8s' }\n";

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

async fn refused(bed: &Bed, op: Operation, deadline: Duration) -> (Code, Duration) {
    let began = Instant::now();
    let refusal = bed.ask_within(op, "triage", Some(deadline)).await.err().unwrap();
    (refusal.code, Instant::now() - began)
}

#[tokio::test(start_paused = true)]
async fn a_deadline_lowers_what_the_alias_allows_and_never_raises_it() {
    let first = Cued::new("use1", [], Script::Hangs);
    let bed = Bed::new(ONE, std::slice::from_ref(&first));
    for (deadline, ends) in [(2_000, 2_000), (1, 1), (60_000, 10_000)] {
        let (code, took) = refused(&bed, Operation::Converse, millis(deadline)).await;
        assert_eq!((code, took), (Code::TotalTimeout, millis(ends)), "{deadline}");
    }
    let (_, began, until) = first.asked()[0].clone();
    assert_eq!(until - began, millis(2_000));
    // the phase in which it passed is what the record says
    let rows = bed.house.settled().await;
    assert!(rows.iter().all(|row| row.attempts[0].code == Some(Code::TotalTimeout)));
}

#[tokio::test(start_paused = true)]
async fn a_fallback_without_an_upstream_still_answers_when_the_time_is_over() {
    let bed = Bed::new(CHAIN, &[Cued::new("use1", [], Script::Hangs), Cued::new("usw2", [], whole(200))]);
    let began = Instant::now();
    let reply = bed.ask_within(Operation::Converse, "triage", Some(millis(500))).await;
    assert_eq!(reply.map_err(|_| ()).unwrap().degraded, Some(Degraded::Static));
    assert_eq!(Instant::now() - began, millis(500));
    assert_eq!(statuses(&bed.house.settled().await[0]), [("use1", 0)]);
}

#[tokio::test(start_paused = true)]
async fn waits_between_requests_keep_to_it() {
    let bed = Bed::new(ONE, &[Cued::new("use1", [], whole(429))]);
    let mut again = 0;
    for deadline in 1..150 {
        let began = Instant::now();
        bed.read_within(Operation::Converse, Some(millis(deadline))).await;
        assert!(Instant::now() - began <= millis(deadline + 1), "{deadline}");
    }
    for row in bed.house.settled().await {
        again += usize::from(row.attempts.len() > 1);
    }
    assert!(again > 10, "some were asked again: {again}");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_room_in_a_budget_keeps_to_it() {
    // room for one call
    let budgets = "[[budget]]\nname = 'b'\nlimit = '0.0001 USD'\n";
    let first = Cued::new("use1", [], Script::Whole { after: Duration::from_secs(5), status: 200 });
    let bed = Bed::with(ONE, RetryConfig::default(), std::slice::from_ref(&first), Some(budgets));
    let (long, short) = tokio::join!(bed.ask(Operation::Converse, "triage"), async {
        tokio::time::sleep(millis(1)).await;
        refused(&bed, Operation::Converse, millis(300)).await
    });
    assert_eq!(short, (Code::TotalTimeout, millis(300)));
    assert!(long.is_ok() && first.asked().len() == 1);
    let rows = bed.house.settled().await;
    assert!(rows[0].attempts.is_empty(), "nobody was asked for it");
    assert!(bed.purses.unwrap().stands().iter().all(|(_, _, held)| *held == 0));
}

#[tokio::test(start_paused = true)]
async fn impatience_says_nothing_about_the_target() {
    let fails = Script::Fails { after: Duration::from_secs(8), code: Code::FirstTokenTimeout, sent: true };
    for (deadline, stands) in [(Some(millis(8_000)), Standing::Closed), (None, Standing::Open)] {
        let bed = Bed::new(ONE, &[Cued::new("use1", [], fails.clone())]);
        for _ in 0..20 {
            bed.read_within(Operation::ConverseStream, deadline).await;
        }
        let found = bed.health.standings(bed.house.clock.tick());
        assert_eq!(found[0].standing, stands, "{deadline:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn impatience_does_not_take_the_slots_of_others() {
    for (deadline, slots) in [(Some(millis(2_000)), 64), (None, 2)] {
        let bed = Bed::new(ONE, &[Cued::new("use1", [], Script::Hangs)]);
        bed.read_within(Operation::Converse, deadline).await;
        assert_eq!(bed.house.books.pace.stands()[0].slots, Some(slots), "{deadline:?}");
    }
}
