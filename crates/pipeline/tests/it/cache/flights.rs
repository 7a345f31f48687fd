//! Many equal questions at once.

use std::future::poll_fn;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use bedplate_core::cache::{Finish, Mark};
use bedplate_core::call::Operation;
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::refusal::Code;
use bedplate_pipeline::ReplyBody;
use tokio::task::JoinSet;

use super::hall::{Act, Got, Hall, asks, converse, got, rule};

/// As many callers at once as there are places in the ledger of the house.
async fn at_once(hall: &'static Hall, n: usize, op: Operation) -> Vec<Got> {
    let mut callers = JoinSet::new();
    for _ in 0..n {
        callers.spawn(hall.ask(asks(op, "hello")));
    }
    callers.join_all().await.into_iter().map(|got| got.unwrap()).collect()
}

fn leak(hall: Hall) -> &'static Hall {
    Box::leak(Box::new(hall))
}

fn count(all: &[Got], mark: Mark) -> usize {
    all.iter().filter(|got| got.mark == Some(mark)).count()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_equal_calls_make_one_upstream_call() {
    for op in [Operation::Converse, Operation::ConverseStream] {
        let hall = leak(Hall::new(rule(), &[]));
        let all = at_once(hall, 1_000, op).await;
        assert_eq!(hall.asked(), 1);
        assert!(all.iter().all(|got| got.body == "answer 1"));
        assert_eq!((count(&all, Mark::Miss), count(&all, Mark::Hit)), (1, 999));
        let rows = hall.house.settled().await;
        let spent = rows.iter().fold(Cost::FREE, |sum, row| sum.plus(row.call.cost));
        let avoided = rows.iter().filter_map(|row| row.call.cache.as_ref()?.avoided.as_ref());
        let avoided = avoided.fold(Cost::FREE, |sum, avoided| sum.plus(avoided.cost));
        assert_eq!(rows.len(), 1_000);
        assert_eq!((spent, avoided), (Cost::Known(Nanos(10_800)), Cost::Known(Nanos(999 * 10_800))));
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_first_fails_a_few_ask_and_their_answer_serves_the_rest() {
    for act in [Act::Fails, Act::Status(500), Act::Answer(Finish::Other)] {
        let hall = leak(Hall::new(rule(), &[act]));
        let mut callers = JoinSet::new();
        for _ in 0..500 {
            callers.spawn(hall.ask(converse()));
        }
        let all = callers.join_all().await;
        assert_eq!(all.iter().filter(|got| got.is_err()).count(), usize::from(act == Act::Fails), "{act:?}");
        assert_eq!((hall.asked(), hall.provider.most.load(SeqCst)), (17, 16), "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_may_not_be_kept_are_asked_for_a_few_at_a_time() {
    let never = vec![Act::Answer(Finish::Other); 1_000];
    let hall = leak(Hall::new(rule(), &never));
    let all = at_once(hall, 200, Operation::Converse).await;
    assert_eq!((hall.asked(), count(&all, Mark::Miss)), (200, 200));
    assert_eq!(hall.provider.most.load(SeqCst), 16);
    let bodies: std::collections::HashSet<&str> = all.iter().map(|got| &*got.body).collect();
    assert_eq!(bodies.len(), 200, "each has its own answer");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_beyond_their_own_deadline() {
    let hall = leak(Hall::new(rule(), &[Act::Hangs]));
    let began = tokio::time::Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        callers.spawn(hall.ask(asks(Operation::ConverseStream, "hello")));
    }
    // eight seconds to the first token, two minutes for all
    let all = callers.join_all().await;
    let late = all.iter().filter(|got| **got == Err(Code::FirstTokenTimeout)).count();
    assert_eq!(late, 99);
    assert_eq!(hall.asked(), 1, "no rush when the time is over");
    assert!(began.elapsed() <= Duration::from_secs(123), "{:?}", began.elapsed());
    assert_eq!(hall.house.settled().await.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_leaves_the_answer_to_the_others() {
    for op in [Operation::Converse, Operation::ConverseStream] {
        let hall = leak(Hall::new(rule(), &[]));
        let leaves = tokio::time::timeout(Duration::from_secs(1), hall.ask(asks(op, "hello")));
        let (left, stays) = tokio::join!(leaves, async {
            tokio::task::yield_now().await;
            hall.ask(asks(op, "hello")).await
        });
        assert!(left.is_err());
        assert_eq!(stays, Ok(got(Mark::Hit, "answer 1")), "{op}");
        assert_eq!(hall.asked(), 1);
        assert_eq!(hall.ask(asks(op, "hello")).await, Ok(got(Mark::Hit, "answer 1")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_on_is_kept_when_it_has_been_drained() {
    let hall = leak(Hall::new(rule(), &[]));
    let record = hall.house.open().await.unwrap();
    let reply = hall.house.pipeline.run(asks(Operation::ConverseStream, "hello"), record).await;
    let Ok(bedplate_pipeline::Reply { body: ReplyBody::Stream(mut flow), .. }) = reply else {
        panic!("no stream")
    };
    poll_fn(|cx| flow.poll_next(cx)).await.unwrap().unwrap();
    drop(flow);
    assert_eq!(hall.ask(asks(Operation::ConverseStream, "hello")).await, Ok(got(Mark::Hit, "answer 1")));
    assert_eq!(hall.house.settled().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stands_still_until_the_drain_is_over_is_not_kept() {
    let hall = leak(Hall::new(rule(), &[Act::Stalls]));
    let record = hall.house.open().await.unwrap();
    let reply = hall.house.pipeline.run(asks(Operation::ConverseStream, "hello"), record).await;
    let Ok(bedplate_pipeline::Reply { body: ReplyBody::Stream(mut flow), .. }) = reply else {
        panic!("no stream")
    };
    poll_fn(|cx| flow.poll_next(cx)).await.unwrap().unwrap();
    drop(flow);
    // who came meanwhile waits for the drain, and then asks
    assert_eq!(hall.house.settled().await.len(), 1);
    assert_eq!(hall.ask(asks(Operation::ConverseStream, "hello")).await, Ok(got(Mark::Miss, "answer 2")));
}

#[tokio::test(start_paused = true)]
async fn different_questions_do_not_wait_for_one_another() {
    let hall = leak(Hall::new(rule(), &[]));
    let began = tokio::time::Instant::now();
    let mut callers = JoinSet::new();
    for n in 0..500 {
        callers.spawn(hall.ask(asks(Operation::Converse, &format!("question {n}"))));
    }
    assert!(callers.join_all().await.iter().all(Result::is_ok));
    assert_eq!(hall.asked(), 500);
    assert_eq!(began.elapsed(), super::hall::LATENCY);
}
