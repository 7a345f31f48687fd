//! Streams that begin well and then stop: what that says about who was asked.

use std::future::poll_fn;
use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::clock::Clock as _;
use bedplate_core::refusal::Code;
use bedplate_core::route::Standing;
use bedplate_pipeline::{Reply, ReplyBody};

use super::{Bed, Cued};
use crate::house::{Ends, Script};

const ONE: &str = "name = 'triage'\ntargets = ['use1/us.amazon.nova-lite-v1:0']\ntimeout = { total = '10s', idle = '1s' }\n";

fn bed(ends: Ends) -> Bed {
    let begins = Script::Stream { gap: Duration::from_millis(10), pieces: 2, ends };
    Bed::new(ONE, &[Cued::new("use1", [], begins)])
}

/// How its breaker stands, and how many calls may be under way there.
fn found(bed: &Bed) -> (Standing, Option<u32>) {
    let standing = bed.health.standings(bed.house.clock.tick())[0].standing;
    (standing, bed.house.books.pace.stands()[0].slots)
}

#[tokio::test(start_paused = true)]
async fn who_begins_every_stream_and_ends_none_is_left_alone() {
    for (ends, code) in [(Ends::Never, Code::IdleTimeout), (Ends::Broken, Code::BrokenAnswer)] {
        let bed = bed(ends);
        for _ in 0..4 {
            bed.read_within(Operation::ConverseStream, None).await;
        }
        assert_eq!(found(&bed), (Standing::Closed, Some(2)), "{ends:?}");
        let row = bed.row(Operation::ConverseStream).await;
        assert_eq!((row.attempts[0].status, row.attempts[0].code), (200, Some(code)));
        assert_eq!(found(&bed).0, Standing::Open, "{ends:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn streams_that_end_well_or_are_throttled_open_nothing() {
    let well = bed(Ends::Well);
    let throttled = bed(Ends::Exception);
    for _ in 0..30 {
        well.read_within(Operation::ConverseStream, None).await;
        throttled.read_within(Operation::ConverseStream, None).await;
    }
    assert_eq!(found(&well), (Standing::Closed, Some(64)));
    assert_eq!(found(&throttled), (Standing::Closed, Some(2)));
    let row = throttled.row(Operation::ConverseStream).await;
    assert_eq!(row.attempts[0].error.as_deref(), Some("ThrottlingException"));
}

#[tokio::test(start_paused = true)]
async fn what_a_caller_does_says_nothing() {
    let leaves = bed(Ends::Never);
    let slow = bed(Ends::Well);
    for _ in 0..10 {
        for (bed, waits) in [(&leaves, 0), (&slow, 11)] {
            let reply = bed.ask(Operation::ConverseStream, "triage").await.ok().unwrap();
            let Reply { body: ReplyBody::Stream(mut flow), .. } = reply else { panic!("no stream") };
            poll_fn(|cx| flow.poll_next(cx)).await.unwrap().unwrap();
            tokio::time::sleep(Duration::from_secs(waits)).await;
            drop(flow);
        }
    }
    let rows = slow.house.settled().await;
    assert!(rows.iter().all(|row| row.attempts[0].code == Some(Code::TotalTimeout)));
    leaves.house.settled().await;
    assert_eq!(found(&leaves), (Standing::Closed, Some(64)));
    assert_eq!(found(&slow), (Standing::Closed, Some(64)));
}
