//! Which answers are kept, and how they are given back.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use bedplate_core::cache::{Cache, Finish, Mark, Purge, Skip, Wish};
use bedplate_core::call::Operation;
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::record::{CallRow, Ending};
use bedplate_core::usage::UsageBasis;
use bedplate_pipeline::RuleConfig;

use super::hall::{Act, GOOD, Hall, asks, converse, got, rule};
use crate::house::usage;

const OPERATIONS: [Operation; 4] = [
    Operation::Converse,
    Operation::ConverseStream,
    Operation::InvokeModel,
    Operation::InvokeModelWithResponseStream,
];

#[tokio::test(start_paused = true)]
async fn an_answer_is_given_again_byte_for_byte_and_never_to_another_operation() {
    let hall = Hall::new(rule(), &[]);
    for (n, op) in OPERATIONS.into_iter().enumerate() {
        let first = got(Mark::Miss, &format!("answer {}", n + 1));
        assert_eq!(hall.ask(asks(op, "hello")).await, Ok(first.clone()), "{op}");
        for _ in 0..3 {
            let again = hall.ask(asks(op, "hello")).await.unwrap();
            assert_eq!((again.mark, &again.body), (Some(Mark::Hit), &first.body), "{op}");
        }
    }
    assert_eq!(hall.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_was_spared_stands_apart_from_what_was_spent() {
    let hall = Hall::new(rule(), &[]);
    hall.ask(converse()).await.unwrap();
    hall.house.clock.advance(Duration::from_secs(5));
    hall.ask(converse()).await.unwrap();
    let rows = hall.house.settled().await;
    let (miss, hit) = (&rows[0].call, &rows[1].call);
    let cost = Cost::Known(Nanos(10_800));
    assert_eq!((miss.cost, miss.cache.as_ref().unwrap().avoided.as_ref()), (cost, None));
    let avoided = hit.cache.as_ref().unwrap().avoided.as_ref().unwrap();
    assert_eq!((hit.cost, hit.basis, hit.usage.is_empty()), (Cost::FREE, UsageBasis::None, true));
    assert_eq!((avoided.cost, &avoided.usage, avoided.call), (cost, &usage(), miss.id));
    assert_eq!(avoided.age_ms, 5_000);
    assert_eq!((hit.ending, hit.status, rows[1].attempts.len()), (Ending::Answered, 200, 0));
    assert_eq!(hit.bytes_out, 8);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_as_good_as_a_new_one_until_its_time_is_over() {
    let hall = Hall::new(rule(), &[]);
    hall.ask(converse()).await.unwrap();
    hall.house.clock.advance(Duration::from_secs(599));
    assert_eq!(hall.ask(converse()).await, Ok(got(Mark::Hit, "answer 1")));
    hall.house.clock.advance(Duration::from_secs(1));
    assert_eq!(hall.ask(converse()).await, Ok(got(Mark::Miss, "answer 2")));
    assert_eq!(hall.ask(converse()).await, Ok(got(Mark::Hit, "answer 2")));
}

async fn is_kept(rule: RuleConfig, act: Act, op: Operation) -> bool {
    let hall = Hall::new(rule, &[act]);
    let first = hall.ask(asks(op, "hello")).await;
    let again = hall.ask(asks(op, "hello")).await.unwrap();
    assert_eq!(again.mark == Some(Mark::Hit), hall.asked() == 1, "{act:?}");
    if let Ok(first) = first {
        assert_eq!(first.mark, Some(Mark::Miss));
    }
    hall.asked() == 1
}

#[tokio::test(start_paused = true)]
async fn only_whole_good_answers_are_kept() {
    for op in OPERATIONS {
        assert!(is_kept(rule(), GOOD, op).await);
        for act in [
            Act::Answer(Finish::Other),
            Act::Answer(Finish::Tools),
            Act::Status(400),
            Act::Status(429),
            Act::Status(500),
            Act::Fails,
        ] {
            assert!(!is_kept(rule(), act, op).await, "{op} {act:?}");
        }
        if op.streams() {
            assert!(!is_kept(rule(), Act::Breaks, op).await);
            assert!(!is_kept(rule(), Act::Exception, op).await);
        }
        let tools = RuleConfig { tools: true, ..rule() };
        assert!(is_kept(tools.clone(), Act::Answer(Finish::Tools), op).await);
        assert!(!is_kept(tools, Act::Answer(Finish::Other), op).await);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_too_large_pass_and_are_not_kept() {
    for op in OPERATIONS {
        let largest = bedplate_core::setting::Size(1_000);
        let hall = Hall::new(RuleConfig { largest, ..rule() }, &[]);
        hall.provider.bytes.store(1_000, SeqCst);
        assert_eq!(hall.ask(asks(op, "hello")).await.unwrap().body.len(), 1_008);
        assert_eq!(hall.ask(asks(op, "hello")).await.unwrap().mark, Some(Mark::Miss));
        hall.provider.bytes.store(900, SeqCst);
        hall.ask(asks(op, "hello")).await.unwrap();
        assert_eq!(hall.ask(asks(op, "hello")).await.unwrap().mark, Some(Mark::Hit));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_no_rule_names_is_left_alone() {
    let mut narrow = rule();
    narrow.features = vec!["billing".into()];
    let hall = Hall::new(narrow, &[]);
    assert_eq!(hall.ask(converse()).await.unwrap().mark, None);
    let mut other = converse();
    other.name = "anthropic.claude".into();
    assert_eq!(hall.ask(other).await.unwrap().mark, None);
    let rows = hall.house.settled().await;
    assert!(rows.iter().all(|row| row.call.cache.is_none()));
    assert_eq!(hall.cache.stats().await.unwrap().entries, 0);
}

#[tokio::test(start_paused = true)]
async fn callers_may_pass_the_cache_by_or_ask_anew() {
    let hall = Hall::new(rule(), &[]);
    let wishing = |wish| {
        let mut call = converse();
        call.tags.cache = Some(wish);
        call
    };
    assert_eq!(hall.ask(wishing(Wish::Bypass)).await, Ok(got(Mark::Bypass, "answer 1")));
    assert_eq!(hall.ask(converse()).await, Ok(got(Mark::Miss, "answer 2")));
    assert_eq!(hall.ask(wishing(Wish::Bypass)).await, Ok(got(Mark::Bypass, "answer 3")));
    assert_eq!(hall.ask(converse()).await, Ok(got(Mark::Hit, "answer 2")));
    assert_eq!(hall.ask(wishing(Wish::Refresh)).await, Ok(got(Mark::Miss, "answer 4")));
    assert_eq!(hall.ask(converse()).await, Ok(got(Mark::Hit, "answer 4")));
    let rows = hall.house.settled().await;
    let skip = |row: &CallRow| row.cache.as_ref().unwrap().skip;
    assert_eq!(skip(&rows[0].call), Some(Skip::Asked));
}

#[tokio::test(start_paused = true)]
async fn after_a_purge_nothing_is_given_that_was_asked_for_before() {
    let hall = Hall::new(rule(), &[]);
    hall.ask(converse()).await.unwrap();
    assert_eq!(hall.single.purge(&Purge::Team("support".into())).await, Ok(1));
    assert_eq!(hall.ask(converse()).await, Ok(got(Mark::Miss, "answer 2")));
    // one is on its way while the purge comes
    hall.house.clock.advance(Duration::from_secs(600));
    let (slow, purged) = tokio::join!(hall.ask(converse()), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let purged = hall.single.purge(&Purge::All).await;
        // who asks now does not wait for the one on its way
        (purged, hall.ask(converse()).await)
    });
    assert_eq!(slow, Ok(got(Mark::Miss, "answer 3")));
    assert_eq!(purged.1, Ok(got(Mark::Miss, "answer 4")));
    assert_eq!(hall.ask(converse()).await, Ok(got(Mark::Hit, "answer 4")));
}
