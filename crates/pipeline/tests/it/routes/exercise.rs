//! Lighter models are asked while nothing fails.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bedplate_core::call::Operation;
use bedplate_core::clock::Clock as _;
use bedplate_core::record::{Ending, Outcome};
use bedplate_core::refusal::Code;
use bedplate_core::route::{Exercised, FEATURE, RungStand, Standing};
use bedplate_pipeline::RetryConfig;
use tokio::time::Instant;

use super::{Bed, Cued, statuses, whole};
use crate::house::{Ends, Script};

fn alias(percent: f64) -> String {
    format!(
        "name = 'triage'\nexercise = {percent:?}\ntargets = ['use1/us.amazon.nova-lite-v1:0']\n\
         fallback = [{{ target = 'usw2/us.amazon.nova-micro-v1:0' }}]\n"
    )
}

fn slow(status: u16) -> Script {
    Script::Whole { after: Duration::from_secs(5), status }
}

fn bed(percent: f64, rung: Script, budgets: Option<&str>) -> (Bed, Arc<Cued>) {
    let rung = Cued::new("usw2", [], rung);
    let providers = [Cued::new("use1", [], whole(200)), rung.clone()];
    (Bed::with(&alias(percent), RetryConfig::default(), &providers, budgets), rung)
}

/// Rows of exercises.
async fn exercises(bed: &Bed) -> Vec<Arc<Outcome>> {
    // it begins when the caller has its answer
    tokio::time::sleep(Duration::from_millis(1)).await;
    let mut rows = bed.house.settled().await;
    rows.retain(|row| &*row.call.feature == FEATURE);
    rows
}

fn last(bed: &Bed) -> Option<Exercised> {
    let stands = bed.stands();
    let RungStand::Target { exercised, .. } = stands[0].fallback[0].clone() else { panic!("no target") };
    exercised
}

#[tokio::test(start_paused = true)]
async fn a_copy_goes_to_the_lighter_model_after_the_caller_has_its_answer() {
    let (bed, rung) = bed(100.0, slow(200), None);
    assert_eq!(last(&bed), None);
    let began = Instant::now();
    assert_eq!(bed.ask(Operation::Converse, "triage").await.map_err(|_| ()).unwrap().status, 200);
    assert_eq!(Instant::now() - began, Duration::from_millis(10), "nobody waits for it");
    let rows = exercises(&bed).await;
    let [row] = &rows[..] else { panic!("one exercise") };
    assert_eq!((statuses(row), &*row.attempts[0].target), (vec![("usw2", 200)], "us.amazon.nova-micro-v1:0"));
    assert_eq!((&*row.call.team, &*row.call.model, row.call.ending), ("support", "triage", Ending::Answered));
    assert!(row.call.cost.is_known() && row.call.cost.priced().0 > 0, "it is paid for");
    assert_eq!(row.call.degraded, None);
    let all = bed.house.settled().await;
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|one| one.attempts.len() == 1) && all[0].call.id != all[1].call.id);
    let last = last(&bed).unwrap();
    assert!(last.well && last.said == "answered");
    assert_eq!(rung.asked().len(), 1);
    assert_eq!(bed.house.ledger.places.load(Ordering::SeqCst), 1_000);
}

#[tokio::test(start_paused = true)]
async fn streams_are_read_to_their_end_and_one_is_under_way_at_a_time() {
    let stream = Script::Stream { gap: Duration::from_secs(1), pieces: 3, ends: Ends::Well };
    let (bed, rung) = bed(100.0, stream, None);
    for _ in 0..5 {
        bed.read_within(Operation::ConverseStream, None).await;
    }
    let rows = exercises(&bed).await;
    assert_eq!((rows.len(), rung.asked().len()), (1, 1));
    assert_eq!((rows[0].call.ending, rows[0].call.usage.output), (Ending::Answered, 20));
    bed.read_within(Operation::ConverseStream, None).await;
    assert_eq!(exercises(&bed).await.len(), 2, "and again when that is over");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_did_not_go_well() {
    let stream = Script::Stream { gap: Duration::from_secs(1), pieces: 3, ends: Ends::Broken };
    let (bed, _) = bed(100.0, stream, None);
    bed.read_within(Operation::ConverseStream, None).await;
    assert_eq!(exercises(&bed).await[0].call.ending, Ending::Cut);
    let last = last(&bed).unwrap();
    assert!(!last.well && last.said.starts_with("BP4006"), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn few_calls_are_copied_and_none_by_default() {
    let (few, rung) = bed(10.0, whole(200), None);
    for _ in 0..1_000 {
        few.read_within(Operation::Converse, None).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!((60..=140).contains(&rung.asked().len()), "{}", rung.asked().len());
    let (none, rung) = bed(0.0, whole(200), None);
    for _ in 0..100 {
        none.read_within(Operation::Converse, None).await;
    }
    assert!(rung.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_budget_without_room_sends_none() {
    // room for one call at its worst, which is with the dearest model, and once that has cost something for none
    let budgets = "[[budget]]\nname = 'b'\nlimit = '0.000995 USD'\n";
    let rung = Cued::new("usw2", [], whole(200));
    let providers = [Cued::new("use1", [], whole(200)), rung.clone()];
    let dear = alias(100.0).replace("micro", "pro");
    let bed = Bed::with(&dear, RetryConfig::default(), &providers, Some(budgets));
    bed.read_within(Operation::Converse, None).await;
    let rows = exercises(&bed).await;
    let [row] = &rows[..] else { panic!("one exercise: {rows:?}") };
    assert_eq!((row.call.ending, row.call.code), (Ending::Refused, Some(Code::BudgetSpent)));
    assert!(row.attempts.is_empty() && rung.asked().is_empty());
    let stands = bed.purses.as_ref().unwrap().stands();
    assert!(stands.iter().all(|(_, _, held)| *held == 0));
    assert!(!last(&bed).unwrap().well);
}

#[tokio::test(start_paused = true)]
async fn what_it_learns_the_breaker_knows() {
    let (bed, rung) = bed(100.0, whole(503), None);
    for _ in 0..20 {
        bed.read_within(Operation::Converse, None).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(rung.asked().len(), 5, "an open breaker is not asked");
    let standings = bed.health.standings(bed.house.clock.tick());
    let found = standings.iter().find(|s| &*s.provider == "usw2").unwrap();
    assert_eq!(found.standing, Standing::Open);
    let last = last(&bed).unwrap();
    assert!(!last.well && last.said.starts_with("503"), "{last:?}");
    // callers did not notice
    let rows = bed.house.settled().await;
    assert_eq!(rows.iter().filter(|r| r.call.ending == Ending::Answered).count(), 20);
}
