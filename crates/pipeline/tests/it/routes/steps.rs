//! One call at a time: who is asked next.

use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::clock::Clock as _;
use bedplate_core::record::{Degraded, Ending};
use bedplate_core::refusal::Code;
use bedplate_core::route::Standing;
use bedplate_pipeline::{ReplyBody, RetryConfig};
use tokio::time::Instant;

use super::{Bed, CHAIN, Cued, LITE, statuses, whole};
use crate::house::{Ends, Script};

fn fails(code: Code, after: u64, sent: bool) -> Script {
    Script::Fails { after: Duration::from_secs(after), code, sent }
}

#[tokio::test(start_paused = true)]
async fn another_target_is_asked_at_once_and_the_lighter_model_when_none_is_left() {
    let (first, second) =
        (Cued::new("use1", [whole(503)], whole(200)), Cued::new("usw2", [whole(500)], whole(200)));
    let bed = Bed::new(CHAIN, &[first.clone(), second]);
    let began = Instant::now();
    let row = bed.row(Operation::Converse).await;
    assert_eq!(statuses(&row), [("use1", 503), ("usw2", 500), ("use1", 200)]);
    assert_eq!(&*row.attempts[2].target, "us.amazon.nova-micro-v1:0");
    assert_eq!(row.call.degraded, Some(Degraded::LighterModel));
    assert_eq!((row.call.ending, &*row.call.model), (Ending::Answered, "triage"));
    assert_eq!(Instant::now() - began, Duration::from_millis(30), "nobody waited");
    let row = bed.row(Operation::Converse).await;
    assert_eq!((statuses(&row), row.call.degraded), (vec![("use1", 200)], None));
}

#[tokio::test(start_paused = true)]
async fn all_requests_of_a_call_share_its_time() {
    let first = Cued::new("use1", [fails(Code::FirstTokenTimeout, 8, true)], whole(200));
    let second = Cued::new("usw2", [], Script::Hangs);
    let bed = Bed::new(CHAIN, &[first.clone(), second.clone()]);
    let began = Instant::now();
    let Ok(reply) = bed.ask(Operation::ConverseStream, "triage").await else { panic!("no answer") };
    assert_eq!(Instant::now() - began, Duration::from_secs(10));
    assert_eq!(second.asked()[0].2, began + Duration::from_secs(10));
    // no upstream may be asked any more, and the last rung needs none
    assert_eq!(reply.degraded, Some(Degraded::Static));
    assert!(matches!(reply.body, ReplyBody::Whole(_)));
    let row = &bed.house.settled().await[0];
    assert_eq!(statuses(row), [("use1", 0), ("usw2", 0)]);
    assert!(!row.call.cost.is_known(), "both may have been billed");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_again_once_a_stream_has_begun() {
    for ends in [Ends::Broken, Ends::Exception] {
        let stream = Script::Stream { gap: Duration::from_millis(10), pieces: 2, ends };
        let first = Cued::new("use1", [stream], whole(200));
        let bed = Bed::new(CHAIN, &[first.clone(), Cued::new("usw2", [], whole(200))]);
        let row = bed.row(Operation::ConverseStream).await;
        assert_eq!((row.attempts.len(), row.call.ending), (1, Ending::Cut), "{ends:?}");
        assert_eq!(first.asked().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_the_call_goes_to_the_caller() {
    for status in [400, 403, 404] {
        let bed = Bed::new(CHAIN, &[Cued::new("use1", [], whole(status)), Cued::new("usw2", [], whole(200))]);
        let row = bed.row(Operation::Converse).await;
        assert_eq!((statuses(&row), row.call.status), (vec![("use1", status)], status));
        assert_eq!(row.call.degraded, None);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_error_is_what_the_caller_hears() {
    let alias = "name = 'triage'\ntargets = ['use1/us.amazon.nova-lite-v1:0']\nattempts = 2\n";
    let bed = Bed::new(alias, &[Cued::new("use1", [whole(503)], whole(429))]);
    let reply =
        bed.ask(Operation::Converse, "triage").await.unwrap_or_else(|_| panic!("an error is an answer"));
    assert_eq!(reply.status, 429);
    let row = &bed.house.settled().await[0];
    assert_eq!((statuses(row), row.call.status), (vec![("use1", 503), ("use1", 429)], 429));
    assert_eq!((row.call.ending, row.call.code), (Ending::Failed, Some(Code::UpstreamError)));

    let bed = Bed::new(alias, &[Cued::new("use1", [whole(503)], fails(Code::Unreachable, 0, false))]);
    let refusal = bed.ask(Operation::Converse, "triage").await.err().unwrap();
    assert_eq!(refusal.code, Code::Unreachable);
    assert_eq!(statuses(&bed.house.settled().await[0]), [("use1", 503), ("use1", 0)]);
}

#[tokio::test(start_paused = true)]
async fn a_bare_id_is_asked_as_often_as_the_configuration_says() {
    for attempts in [1, 2] {
        let first = Cued::new("use1", [whole(500)], whole(200));
        let bed = Bed::with(
            CHAIN,
            RetryConfig { attempts },
            &[first.clone(), Cued::new("usw2", [], whole(200))],
            None,
        );
        let reply = bed.ask(Operation::Converse, LITE).await.unwrap_or_else(|_| panic!("an answer"));
        assert_eq!(reply.status, if attempts == 1 { 500 } else { 200 });
        assert_eq!(first.asked().len(), attempts as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_between_two_requests_is_settled_with_the_first() {
    let alias = "name = 'triage'\ntargets = ['use1/us.amazon.nova-lite-v1:0']\n";
    let first = Cued::new("use1", [], whole(500));
    let bed = Bed::new(alias, std::slice::from_ref(&first));
    // whatever the moment is
    for millis in 0..40 {
        let ask = bed.ask(Operation::Converse, "triage");
        drop(tokio::time::timeout(Duration::from_millis(millis * 5), ask).await);
    }
    let rows = bed.house.settled().await;
    assert_eq!(rows.len(), 40);
    let written: usize = rows.iter().map(|row| row.attempts.len()).sum();
    let asked = first.asked().len();
    assert_eq!(written, asked);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_passed_over_and_closes_again() {
    let first = Cued::new("use1", (0..5).map(|_| whole(503)), whole(200));
    let bed = Bed::new(CHAIN, &[first.clone(), Cued::new("usw2", [], whole(200))]);
    let stands = |bed: &Bed| {
        bed.health
            .standings(bed.house.clock.tick())
            .into_iter()
            .find(|s| &*s.provider == "use1" && &*s.model == LITE)
            .unwrap()
            .standing
    };
    for _ in 0..5 {
        assert_eq!(statuses(&*bed.row(Operation::Converse).await), [("use1", 503), ("usw2", 200)]);
    }
    assert_eq!(stands(&bed), Standing::Open);
    assert_eq!(statuses(&*bed.row(Operation::Converse).await), [("usw2", 200)]);
    bed.house.clock.advance(Duration::from_secs(7));
    assert_eq!(stands(&bed), Standing::HalfOpen);
    let mut came_back = false;
    for _ in 0..50 {
        bed.house.clock.advance(Duration::from_secs(1));
        came_back |= statuses(&*bed.row(Operation::Converse).await) == [("use1", 200)];
    }
    assert!(came_back);
    assert_eq!(stands(&bed), Standing::Closed);
}
