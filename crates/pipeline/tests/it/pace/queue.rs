//! Who waits, who goes first, who is turned away.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::pace::Class;
use bedplate_core::refusal::Code;
use bedplate_core::setting::Span;
use bedplate_pipeline::PaceConfig;
use tokio::time::{Instant, sleep, timeout};

use super::aws::Truth;
use super::traffic::{Fate, Rig};

const ENDLESS: Truth = Truth { tpm: 1e12, burndown: 1.0, others: 0.0 };

fn fixed() -> PaceConfig {
    PaceConfig { adaptive: false, ..PaceConfig::default() }
}

/// One call at a time, each of a second.
fn narrow(pace: PaceConfig) -> Arc<Rig> {
    Arc::new(Rig::new(Some("from = 'config'\nconcurrency = 1"), pace, &[ENDLESS]))
}

async fn second(rig: Arc<Rig>, class: Class) -> Fate {
    // 300 ms and 8 ms for each token
    rig.call(class, 10, 100, 700 / 8).await
}

#[tokio::test(start_paused = true)]
async fn the_better_class_goes_first_and_nothing_is_left_behind() {
    let rig = narrow(fixed());
    let mut calls = tokio::task::JoinSet::new();
    for class in [Class::Background, Class::Background, Class::Batch, Class::Interactive] {
        let rig = Arc::clone(&rig);
        calls.spawn(async move { second(rig, class).await });
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_millis(1)).await;
    assert_eq!(rig.pace.stands()[0].waiting, [1, 1, 1]);
    let mut order = Vec::new();
    while let Some(fate) = calls.join_next().await {
        order.push(fate.unwrap().class);
    }
    assert_eq!(order, [Class::Background, Class::Interactive, Class::Batch, Class::Background]);
    let stand = &rig.pace.stands()[0];
    assert_eq!((stand.under_way, stand.waiting, stand.passed), (0, [0; 3], [1, 1, 2]));
}

#[tokio::test(start_paused = true)]
async fn who_leaves_the_queue_lets_the_next_one_come_to_its_turn() {
    let rig = narrow(fixed());
    let first = tokio::spawn(second(Arc::clone(&rig), Class::Interactive));
    sleep(Duration::from_millis(1)).await;
    // leaves before it comes to its turn
    let gone =
        tokio::spawn(timeout(Duration::from_millis(500), second(Arc::clone(&rig), Class::Interactive)));
    sleep(Duration::from_millis(1)).await;
    let last = tokio::spawn(second(Arc::clone(&rig), Class::Interactive));
    assert!(first.await.unwrap().answered && gone.await.unwrap().is_err());
    let last = last.await.unwrap();
    assert!(last.answered && last.took < Duration::from_millis(2_100), "{last:?}");
    assert_eq!(rig.pace.stands()[0].under_way, 0);
    assert_eq!(rig.house.settled().await.len(), 3, "each call has its row");
}

#[tokio::test(start_paused = true)]
async fn what_is_hopeless_is_turned_away_at_once_with_a_hint() {
    let rig = narrow(PaceConfig { background: Span::secs(2), ..fixed() });
    // so it is known how long a call takes
    assert!(second(Arc::clone(&rig), Class::Interactive).await.answered);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..6 {
        calls.spawn(second(Arc::clone(&rig), Class::Interactive));
    }
    sleep(Duration::from_millis(1)).await;
    let began = Instant::now();
    let late = second(Arc::clone(&rig), Class::Background).await;
    assert_eq!((late.answered, late.code), (false, Some(Code::NoRoom)));
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(calls.join_all().await.iter().all(|fate| fate.answered));
    assert_eq!(rig.pace.stands()[0].shed[Class::Background.index()], [0, 1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_lets_go_of_the_worst() {
    let rig = narrow(PaceConfig { queue: 2, ..fixed() });
    let mut calls = tokio::task::JoinSet::new();
    for class in [Class::Interactive, Class::Background, Class::Background, Class::Interactive] {
        calls.spawn(second(Arc::clone(&rig), class));
        sleep(Duration::from_millis(1)).await;
    }
    let fates = calls.join_all().await;
    assert_eq!(fates.iter().filter(|fate| fate.answered).count(), 3);
    let shed = rig.pace.stands()[0].shed[Class::Background.index()];
    assert_eq!(shed, [0, 0, 1, 0], "displaced");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_beyond_what_its_class_may() {
    let rig = narrow(PaceConfig { interactive: Span::secs(3), ..fixed() });
    let long = tokio::spawn({
        let rig = Arc::clone(&rig);
        async move { rig.call(Class::Interactive, 10, 9_000, 5_000).await }
    });
    sleep(Duration::from_millis(1)).await;
    let fate = second(Arc::clone(&rig), Class::Interactive).await;
    assert_eq!((fate.code, fate.took), (Some(Code::NoRoom), Duration::from_secs(3)));
    assert!(long.await.unwrap().answered);
    let row = &rig.house.settled().await[0];
    assert_eq!(row.call.timings.queued, Some(3_000_000));
}

#[tokio::test(start_paused = true)]
async fn a_call_goes_where_there_is_room() {
    let rig = Arc::new(Rig::new(Some("from = 'config'\nconcurrency = 2"), fixed(), &[ENDLESS, ENDLESS]));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..4 {
        calls.spawn(second(Arc::clone(&rig), Class::Interactive));
    }
    let fates = calls.join_all().await;
    assert!(fates.iter().all(|fate| fate.answered && fate.took < Duration::from_millis(1_100)), "{fates:?}");
    let asked = rig.aws.iter().map(|aws| aws.seen.lock().requests);
    assert_eq!(asked.collect::<Vec<_>>(), [2, 2]);
}
