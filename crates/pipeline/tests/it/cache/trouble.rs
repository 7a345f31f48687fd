//! A cache that fails, and an upstream that fails.

use std::time::Duration;

use bedplate_core::cache::Mark;
use bedplate_core::call::Operation;
use bedplate_core::record::Ending;
use bedplate_core::refusal::Code;
use bedplate_core::setting::Span;
use bedplate_pipeline::RuleConfig;
use bedplate_testkit::Cue;

use super::hall::{Act, GOOD, Hall, asks, converse, got, rule};

#[tokio::test(start_paused = true)]
async fn a_cache_that_loses_questions_costs_answers_and_never_a_call() {
    for (cues, then) in [
        // the look is lost: asked upstream, and not kept as nobody knows which purges had been
        (&[Cue::Before][..], Mark::Miss),
        (&[Cue::After], Mark::Miss),
        // the put is lost before it was done, and after
        (&[Cue::Succeed, Cue::Before], Mark::Miss),
        (&[Cue::Succeed, Cue::After], Mark::Hit),
    ] {
        for op in [Operation::Converse, Operation::ConverseStream] {
            let hall = Hall::new(rule(), &[]);
            hall.cache.cue(cues);
            assert_eq!(hall.ask(asks(op, "hello")).await, Ok(got(Mark::Miss, "answer 1")), "{cues:?}");
            assert_eq!(hall.ask(asks(op, "hello")).await.unwrap().mark, Some(then), "{cues:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_cache_equal_calls_are_still_asked_once() {
    let hall: &'static Hall = Box::leak(Box::new(Hall::new(rule(), &[])));
    hall.cache.cue(&[Cue::Before; 200]);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        callers.spawn(hall.ask(converse()));
    }
    assert!(callers.join_all().await.iter().all(|got| got.as_ref().unwrap().body == "answer 1"));
    assert_eq!(hall.asked(), 1);
}

fn lenient() -> RuleConfig {
    RuleConfig { stale_if_error: Span::secs(3_600), ..rule() }
}

#[tokio::test(start_paused = true)]
async fn an_answer_beyond_its_time_stands_in_for_an_upstream_that_fails() {
    for op in [Operation::Converse, Operation::ConverseStream] {
        for act in [Act::Fails, Act::Status(500), Act::Status(503), Act::Status(429)] {
            let hall = Hall::new(lenient(), &[GOOD, act]);
            hall.ask(asks(op, "hello")).await.unwrap();
            hall.house.clock.advance(Duration::from_secs(601));
            assert_eq!(hall.ask(asks(op, "hello")).await, Ok(got(Mark::Stale, "answer 1")), "{act:?}");
            assert_eq!(hall.ask(asks(op, "hello")).await, Ok(got(Mark::Miss, "answer 3")), "{act:?}");
            let rows = hall.house.settled().await;
            let stale = &rows[1];
            assert_eq!(
                (stale.call.ending, stale.call.status, stale.attempts.len()),
                (Ending::Answered, 200, 1)
            );
            assert!(stale.call.cache.as_ref().unwrap().avoided.is_some());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_caller_are_not_papered_over_and_old_answers_not_for_ever() {
    let hall = Hall::new(lenient(), &[GOOD, Act::Status(400), Act::Fails]);
    hall.ask(converse()).await.unwrap();
    hall.house.clock.advance(Duration::from_secs(601));
    assert_eq!(hall.ask(converse()).await.unwrap().status, 400);
    hall.house.clock.advance(Duration::from_secs(3_600));
    assert_eq!(hall.ask(converse()).await.unwrap_err(), Code::BrokenAnswer);
}

#[tokio::test(start_paused = true)]
async fn without_the_rule_saying_so_nothing_stands_in() {
    let hall = Hall::new(rule(), &[GOOD, Act::Fails]);
    hall.ask(converse()).await.unwrap();
    hall.house.clock.advance(Duration::from_secs(601));
    assert_eq!(hall.ask(converse()).await.unwrap_err(), Code::BrokenAnswer);
}
